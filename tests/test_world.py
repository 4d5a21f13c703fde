"""The invented company: reproducible to the byte, true in its probabilities, sound in its files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import salestrack.world
from salestrack import Book, net_promoter_score, quality
from salestrack.errors import CannotWrite, InputError
from salestrack.world import HORIZONS, World, generate, truth
from salestrack.world import blocks as blocks_of
from salestrack.world.parameters import day_number, day_of
from salestrack.world.people import Market
from salestrack.world.process import ADVANCE, BACK, LONGEST, LOST, OPEN_STAGES, STAY, WON, Process, horizons
from salestrack.world.simulate import CLOSE, Block
from salestrack.world.weeks import weekday

DEMO = Path(__file__).parents[1] / "data" / "demo"
LARGEST = 6_000_000
EURO = {"EUR": 1.0, "CHF": 1.05, "GBP": 1.17, "USD": 0.92}
HEADERS = {
    "Opportunity": "Id,IsDeleted,AccountId,Name,StageName,Amount,CurrencyIsoCode,Probability,CloseDate,Type,"
    "LeadSource,IsClosed,IsWon,ForecastCategoryName,OwnerId,CampaignId,NextStep,Loss_Reason__c,"
    "LastActivityDate,LastStageChangeDate,CreatedDate,SystemModstamp",
    "OpportunityHistory": "Id,OpportunityId,StageName,Amount,CloseDate,Probability,CreatedDate",
    "OpportunityFieldHistory": "OpportunityId,Field,OldValue,NewValue,CreatedDate",
    "OpportunityStage": "Id,MasterLabel,ApiName,SortOrder,DefaultProbability,IsClosed,IsWon,"
    "ForecastCategoryName",
    "OpportunityLineItem": "Id,OpportunityId,Product2Id,Quantity,UnitPrice,ListPrice,Discount,TotalPrice",
    "Account": "Id,Name,ParentId,Industry,NumberOfEmployees,AnnualRevenue,BillingCountryCode,BillingCity,"
    "OwnerId,Type,Segment__c,CreatedDate",
    "Contact": "Id,AccountId,Title,CreatedDate",
    "User": "Id,Name,IsActive,UserRoleId,DefaultCurrencyIsoCode",
    "UserRole": "Id,Name,ParentRoleId",
    "Lead": "Id,Company,LeadSource,Status,OwnerId,CreatedDate,MQL_Date__c,SQL_Date__c,Disqualified_Date__c,"
    "IsConverted,ConvertedDate,ConvertedOpportunityId,ConvertedAccountId,CampaignId__c",
    "Task": "Id,WhatId,OwnerId,Subject,Type,Status,ActivityDate,CallDurationInSeconds,Minutes__c",
    "Event": "Id,WhatId,OwnerId,Subject,Type,ActivityDateTime,DurationInMinutes",
    "Campaign": "Id,Name,Type,StartDate,EndDate,BudgetedCost,CurrencyIsoCode,Region__c",
    "Product2": "Id,Name,ProductCode,Family,IsActive,ListPrice__c,UnitCost__c,CurrencyIsoCode,IsRecurring__c",
    "Order": "Id,OrderNumber,AccountId,OpportunityId,EffectiveDate,Status,TotalAmount,CurrencyIsoCode,"
    "OwnerId",
    "OrderItem": "Id,OrderId,Product2Id,Quantity,UnitPrice,TotalPrice,Sale_Type__c",
}
POINTERS = [
    ("Opportunity", "AccountId", "Account"),
    ("Opportunity", "OwnerId", "User"),
    ("Opportunity", "CampaignId", "Campaign"),
    ("OpportunityHistory", "OpportunityId", "Opportunity"),
    ("OpportunityFieldHistory", "OpportunityId", "Opportunity"),
    ("OpportunityLineItem", "OpportunityId", "Opportunity"),
    ("OpportunityLineItem", "Product2Id", "Product2"),
    ("Account", "ParentId", "Account"),
    ("Account", "OwnerId", "User"),
    ("Contact", "AccountId", "Account"),
    ("User", "UserRoleId", "UserRole"),
    ("UserRole", "ParentRoleId", "UserRole"),
    ("Lead", "OwnerId", "User"),
    ("Lead", "ConvertedOpportunityId", "Opportunity"),
    ("Lead", "ConvertedAccountId", "Account"),
    ("Lead", "CampaignId__c", "Campaign"),
    ("Task", "WhatId", "Opportunity"),
    ("Task", "OwnerId", "User"),
    ("Event", "WhatId", "Opportunity"),
    ("Event", "OwnerId", "User"),
    ("Order", "AccountId", "Account"),
    ("Order", "OpportunityId", "Opportunity"),
    ("Order", "OwnerId", "User"),
    ("OrderItem", "OrderId", "Order"),
    ("OrderItem", "Product2Id", "Product2"),
]
MANUAL_POINTERS = [
    ("rep_assignments.csv", "rep_id", "User"),
    ("rep_assignments.csv", "manager_rep_id", "User"),
    ("quotas.xlsx", "rep_id", "User"),
    ("surveys.csv", "account_id", "Account"),
    ("surveys.csv", "contact_id", "Contact"),
    ("costs.csv", "campaign_id", "Campaign"),
]


class Files:
    """The raw files of a world as frames of text, read once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._read = folder, dict[str, pd.DataFrame]()

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._read:
            self._read[name] = self._frame(name)
        return self._read[name]

    def _frame(self, name: str) -> pd.DataFrame:
        path = self.folder / "raw" / "manual" / name
        if name.endswith(".xlsx"):
            return pd.read_excel(path, engine="calamine")
        if name.endswith(".csv"):
            return pd.read_csv(path, sep=";" if name == "costs.csv" else ",", dtype=str)
        return pd.read_csv(
            self.folder / "raw" / "salesforce" / f"{name}.csv", dtype=str, keep_default_na=False
        )

    @property
    def deals(self) -> pd.DataFrame:
        """Opportunities that are not deleted, with typed columns and the amount in euros."""
        deals = self["Opportunity"]
        deals = deals[deals["IsDeleted"] == "false"]
        return deals.assign(
            closed=deals["IsClosed"] == "true",
            won=deals["IsWon"] == "true",
            euros=pd.to_numeric(deals["Amount"]) * deals["CurrencyIsoCode"].map(EURO),
            close=pd.to_datetime(deals["CloseDate"]),
            created=pd.to_datetime(deals["CreatedDate"].str[:10]),
        )

    def hours(self) -> pd.DataFrame:
        """All activities with their kind, owner and hours."""
        tasks, events = self["Task"], self["Event"]
        minutes = pd.to_numeric(tasks["CallDurationInSeconds"]).fillna(0) / 60
        minutes += pd.to_numeric(tasks["Minutes__c"]).fillna(0)
        tasks = tasks.assign(hours=minutes / 60, day=tasks["ActivityDate"])
        events = events.assign(
            hours=pd.to_numeric(events["DurationInMinutes"]) / 60, day=events["ActivityDateTime"].str[:10]
        )
        return pd.concat([tasks, events])[["OwnerId", "WhatId", "Type", "day", "hours"]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "demo"
    generate(folder)
    return folder


@pytest.fixture(scope="module")
def files(made: Path) -> Files:
    return Files(made)


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A world of several blocks (small ones, so that the test stays quick)."""
    folder = tmp_path_factory.mktemp("world") / "blocks"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(salestrack.world, "BLOCK", 700)
        generate(folder, deals=3_000, seed=3)
    return Files(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file that `generate` writes."""
    parts = [*(folder / "raw").rglob("*"), *(folder / "truth").rglob("*"), folder / "salestrack.toml"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in parts if path.is_file()}


def test_the_demo_company_is_what_generate_writes_to_the_byte(made: Path) -> None:
    fresh, kept = contents(made), contents(DEMO)
    assert sorted(fresh) == sorted(kept)
    assert [name for name in fresh if fresh[name] != kept[name]] == []


def test_another_seed_gives_another_company(tmp_path: Path) -> None:
    for seed in (1, 2):
        generate(tmp_path / str(seed), deals=60, seed=seed)
    one, two = (contents(tmp_path / str(seed)) for seed in (1, 2))
    assert sorted(one) == sorted(two)
    assert one["raw/salesforce/Opportunity.csv"] != two["raw/salesforce/Opportunity.csv"]


def test_the_demo_company_stays_small(made: Path) -> None:
    assert sum(len(content) for content in contents(made).values()) <= LARGEST


def test_the_truth_is_beside_the_exports_never_inside(made: Path) -> None:
    assert sorted(path.name for path in (made / "truth").iterdir()) == ["deal_truth.csv", "world.json"]
    raw = b"".join(content for name, content in contents(made).items() if name.startswith("raw/"))
    assert b"p_win" not in raw
    assert b"truth" not in raw


@pytest.mark.parametrize(("name", "header"), HEADERS.items(), ids=HEADERS)
def test_headers(files: Files, name: str, header: str) -> None:
    assert ",".join(files[name]) == header


def test_no_file_is_without_a_header_in_this_list(made: Path) -> None:
    found = {path.stem for path in (made / "raw" / "salesforce").iterdir()}
    assert found == {*HEADERS, "Opportunity_2026-10-31"}


def test_the_second_delivery_repeats_the_deals_entered_last(made: Path, blocks: Files) -> None:
    for folder in (made, blocks.folder):
        first, second = (
            (folder / "raw" / "salesforce" / f"{name}.csv").read_bytes().splitlines()
            for name in ("Opportunity", "Opportunity_2026-10-31")
        )
        assert second == [first[0], *first[-10:]]


def check_digits(fifteen: str) -> str:
    """The suffix of a Salesforce id, after the published rule: capitals of each five characters as bits."""
    # An example from public sample data: 0061G00000Ja7B6QAJ.
    bits = ["".join("1" if c.isupper() else "0" for c in reversed(fifteen[i : i + 5])) for i in (0, 5, 10)]
    return "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[int(b, 2)] for b in bits)


@pytest.mark.parametrize("name", [name for name in HEADERS if name != "OpportunityFieldHistory"])
def test_ids_are_unique_and_carry_their_check_digits(files: Files, name: str) -> None:
    ids = files[name]["Id"]
    assert check_digits("0061G00000Ja7B6") == "QAJ"
    assert ids.is_unique
    assert all(len(i) == 18 and i[15:] == check_digits(i[:15]) for i in ids)


@pytest.mark.parametrize(("name", "column", "target"), POINTERS, ids=lambda value: value)
def test_every_id_points_to_a_row(files: Files, blocks: Files, name: str, column: str, target: str) -> None:
    for world in (files, blocks):
        assert set(world[name][column]) - {""} <= set(world[target]["Id"])


@pytest.mark.parametrize(("name", "column", "target"), MANUAL_POINTERS, ids=lambda value: value)
def test_tables_kept_by_hand_point_to_the_crm(files: Files, name: str, column: str, target: str) -> None:
    assert set(files[name][column].dropna()) <= set(files[target]["Id"])


def test_teams_and_territories_are_known(files: Files) -> None:
    assignments = files["rep_assignments.csv"]
    assert set(assignments["team_id"]) <= set(files["teams.csv"]["team_id"])
    assert set(assignments["territory_id"]) == set(files["territories.csv"]["territory_id"]) - {"G0"}


def cents(column: pd.Series) -> pd.Series:
    return (pd.to_numeric(column) * 100).round().astype("int64")


def test_order_totals_are_the_sums_of_their_lines(files: Files, blocks: Files) -> None:
    for world in (files, blocks):
        items, orders = world["OrderItem"], world["Order"].set_index("Id")
        assert (
            cents(items["TotalPrice"]) == cents(items["UnitPrice"]) * pd.to_numeric(items["Quantity"])
        ).all()
        lines = cents(items["TotalPrice"]).groupby(items["OrderId"]).sum()
        pd.testing.assert_series_equal(
            cents(orders["TotalAmount"]), lines, check_names=False, check_like=True
        )


def test_amounts_of_deals_are_the_sums_of_their_lines(files: Files) -> None:
    items, deals = files["OpportunityLineItem"], files["Opportunity"].set_index("Id")
    lines = cents(items["TotalPrice"]).groupby(items["OpportunityId"]).sum()
    assert (cents(deals.loc[lines.index, "Amount"]) == lines).all()
    assert set(deals[deals["IsWon"] == "true"].index) <= set(lines.index)


def test_orders_of_deals_belong_to_won_deals_of_the_same_account(files: Files) -> None:
    orders = files["Order"][files["Order"]["OpportunityId"] != ""]
    deals = files["Opportunity"].set_index("Id").loc[orders["OpportunityId"]]
    assert (deals["IsWon"] == "true").all()
    assert (deals["AccountId"].to_numpy() == orders["AccountId"].to_numpy()).all()
    assert (cents(deals["Amount"]).to_numpy() == cents(orders["TotalAmount"]).to_numpy()).all()
    assert (deals["CloseDate"].to_numpy() <= orders["EffectiveDate"].to_numpy()).all()


def test_the_history_ends_where_the_deal_stands(files: Files, blocks: Files) -> None:
    for world in (files, blocks):
        last = world["OpportunityHistory"].groupby("OpportunityId").last()
        deals = world["Opportunity"].set_index("Id").loc[last.index]
        assert len(deals) == len(world["Opportunity"])
        assert (deals["StageName"] == last["StageName"]).all()
        assert (deals["LastStageChangeDate"] == last["CreatedDate"]).all()
        closed = deals["IsClosed"] == "true"
        assert (deals["CloseDate"] == last["CreatedDate"].str[:10])[closed].all()


def test_the_history_is_in_order_and_begins_with_the_creation(files: Files) -> None:
    history, deals = files["OpportunityHistory"], files["Opportunity"].set_index("Id")
    grouped = history.groupby("OpportunityId")["CreatedDate"]
    assert grouped.is_monotonic_increasing.all()
    assert (grouped.first() == deals["CreatedDate"]).all()
    assert (history.groupby("OpportunityId")["StageName"].first() == "Qualification").all()


@pytest.mark.parametrize(("field", "column"), [("Amount", "Amount"), ("OwnerId", "OwnerId")])
def test_changes_form_a_chain_that_ends_in_the_present_value(files: Files, field: str, column: str) -> None:
    changes = files["OpportunityFieldHistory"]
    changes = changes[changes["Field"] == field]
    before = changes.groupby("OpportunityId")["NewValue"].shift()
    assert (before.dropna() == changes.loc[before.notna(), "OldValue"]).all()
    deals = files["Opportunity"].set_index("Id")
    last = changes.groupby("OpportunityId")["NewValue"].last()
    assert (deals.loc[last.index, column] == last).all()


def test_open_deals_belong_to_those_who_are_there(files: Files) -> None:
    users = files["User"].set_index("Id")["IsActive"]
    deals = files.deals
    assert (users.loc[deals.loc[~deals["closed"], "OwnerId"]] == "true").all()
    assert (users == "false").sum() >= 2
    assert (files["rep_assignments.csv"]["valid_from_date"] > "2023-11-01").sum() >= 3


def test_nothing_happens_after_the_end_or_while_nobody_is_there(files: Files) -> None:
    times = [files["Opportunity"][c].str[:10] for c in ("CreatedDate", "SystemModstamp", "LastActivityDate")]
    times += [
        files["Lead"][c].str[:10] for c in ("CreatedDate", "MQL_Date__c", "SQL_Date__c", "ConvertedDate")
    ]
    times += [files["Order"]["EffectiveDate"], files.hours()["day"]]
    assert max(column.max() for column in times) <= "2026-10-31"
    assert files.hours()["day"].min() >= "2023-11-01"
    spans = files["rep_assignments.csv"].groupby("rep_id")
    last = spans["valid_to_date"].nth(-1)
    worked = files.hours().groupby("OwnerId")["day"].agg(["min", "max"])
    assert (worked["min"] >= spans["valid_from_date"].min()).all()
    left = files["rep_assignments.csv"].loc[last.dropna().index].set_index("rep_id")["valid_to_date"]
    assert len(left) >= 2
    assert (worked.loc[left.index, "max"] <= left).all()


def test_lead_dates_are_in_order(files: Files) -> None:
    leads = files["Lead"].replace("", np.nan)
    steps = [leads["CreatedDate"].str[:10]]
    steps += [leads[c] for c in ("MQL_Date__c", "SQL_Date__c", "ConvertedDate")]
    for earlier, later in zip(steps, steps[1:], strict=False):
        both = earlier.notna() & later.notna()
        assert (earlier[both] <= later[both]).all()
    made = leads.dropna(subset="ConvertedOpportunityId")
    deals = files["Opportunity"].set_index("Id").loc[made["ConvertedOpportunityId"]]
    assert (deals["CreatedDate"].str[:10].to_numpy() == made["ConvertedDate"].to_numpy()).all()


def test_costs_are_written_as_a_german_spreadsheet_does(files: Files) -> None:
    *_, letters, day, footer = (costs := files["costs.csv"]).to_dict("records")
    assert (letters["amount"], day["cost_date"]) == ("12.5OO,00", "31.02.2026")
    sound = costs[:-3]
    assert sound["cost_date"].str.fullmatch(r"\d\d\.\d\d\.\d{4}").all()
    assert sound["amount"].str.fullmatch(r"\d{1,3}(\.\d{3})*,\d\d").all()
    euros = german([*sound["amount"], footer["amount"]])
    assert footer["cost_id"] == "Summe"
    assert euros[:-1].sum() == pytest.approx(euros.iloc[-1], abs=0.001)
    assert 2 / len(costs) < 0.01


def test_a_short_list_of_costs_has_no_faults(tmp_path: Path) -> None:
    generate(tmp_path, deals=40, months=6)
    costs = Files(tmp_path)["costs.csv"][:-1]
    assert len(costs) < 100
    assert german(costs["amount"]).notna().all()


def german(amounts: Iterable[str]) -> pd.Series:
    """Amounts such as 1.234,50 as numbers."""
    return pd.to_numeric(pd.Series(list(amounts)).str.replace(".", "").str.replace(",", "."))


def test_new_customers_cost_what_they_may_and_one_campaign_far_more(files: Files) -> None:
    costs = files["costs.csv"][:-3]
    costs = costs.assign(euros=german(costs["amount"]).to_numpy())
    won = files.deals[files.deals["won"]]
    assert 0.15 <= costs["euros"].sum() / won["euros"].sum() <= 0.3
    assert 9_000 <= costs["euros"].sum() / won["AccountId"].nunique() <= 13_000
    won_by, spent = won.groupby("CampaignId")["euros"].sum(), costs.groupby("campaign_id")["euros"].sum()
    dear = (spent / won_by.reindex(spent.index)).idxmax()
    names = files["Campaign"].set_index("Id")["Name"]
    assert names[dear] == "Grand Industry Expo 2025"


def test_every_month_has_a_rate_for_every_currency(files: Files) -> None:
    rates = files["exchange_rates.csv"]
    used = set(files["Opportunity"]["CurrencyIsoCode"]) | set(files["quotas.xlsx"]["currency_code"])
    assert used - {"EUR"} == set(rates["from_currency_code"])
    assert rates["rate_date"].min() <= files["Opportunity"]["CreatedDate"].min()[:10]
    assert len(rates) == 3 * rates["rate_date"].nunique()


def test_the_demo_company_is_a_plausible_one(files: Files) -> None:
    deals = files.deals
    closed, won = deals[deals["closed"]], deals[deals["won"]]
    year = won["euros"].groupby((won["close"] - pd.Timestamp("2023-11-01")).dt.days // 366).sum()
    found = {
        "deals": len(files["Opportunity"]),
        "open deals": (~deals["closed"]).sum(),
        "win rate": closed["won"].mean(),
        "cycle": (won["close"] - won["created"]).dt.days.median(),
        "amount": deals["euros"].median(),
        "growth": (year[2] / year[0]) ** 0.5 - 1,
        "leads": len(files["Lead"]),
        "activities": len(files.hours()),
    }
    low = {"deals": 2500, "open deals": 250, "win rate": 0.28, "cycle": 60, "amount": 19_000, "growth": 0.06,
           "leads": 3500, "activities": 20_000}  # fmt: skip
    high = {"deals": 2500, "open deals": 350, "win rate": 0.33, "cycle": 80, "amount": 29_000, "growth": 0.18,
            "leads": 4500, "activities": 30_000}  # fmt: skip
    assert {k: v for k, v in found.items() if not low[k] <= v <= high[k]} == {}


def test_the_weak_territory_and_the_strong_source_show(files: Files) -> None:
    deals = files.deals[files.deals["closed"]]
    territory = files["rep_assignments.csv"].drop_duplicates("rep_id").set_index("rep_id")["territory_id"]
    assert deals.groupby(deals["OwnerId"].map(territory))["won"].mean().idxmin() == "G5"
    assert deals.groupby("LeadSource")["won"].mean().idxmax() == "Customer Referral"


def test_quotas_are_met_as_a_whole_and_by_some(files: Files) -> None:
    quotas = files["quotas.xlsx"]
    quotas = quotas.assign(euros=quotas["quota_amount"] * quotas["currency_code"].map(EURO))
    year = quotas[quotas["period_start_date"].dt.year == 2025].groupby("rep_id")["euros"].agg(["sum", "size"])
    won = files.deals[files.deals["won"] & (files.deals["close"].dt.year == 2025)]
    credit = won.groupby("OwnerId")["euros"].sum().reindex(year.index).fillna(0)
    assert 0.9 <= credit.sum() / year["sum"].sum() <= 1.02
    assert 0.3 <= (credit >= year["sum"])[year["size"] == 12].mean() <= 0.65
    assert quotas["period_end_date"].max() == pd.Timestamp("2027-03-31")


def test_time_sheets_cover_most_of_the_contracted_hours_in_every_quarter(files: Files) -> None:
    spans = files["rep_assignments.csv"].assign(
        first=lambda s: pd.to_datetime(s["valid_from_date"]),
        last=lambda s: pd.to_datetime(s["valid_to_date"]).fillna(pd.Timestamp("2026-10-31")),
        hours=lambda s: pd.to_numeric(s["contracted_hours_per_week"]) / 7,
    )
    days = pd.Series(pd.date_range("2023-11-01", "2026-10-31"))
    contracted = sum(row.hours * days.between(row.first, row.last) for row in spans.itertuples())
    done = files.hours()
    quarter = pd.to_datetime(done["day"]).dt.to_period("Q")
    coverage = done.groupby(quarter)["hours"].sum() / contracted.groupby(days.dt.to_period("Q")).sum()
    assert len(coverage) == 13
    assert coverage.between(0.75, 0.92).all()


def test_selling_time_grows_slowly(files: Files) -> None:
    done = files.hours()
    year = (pd.to_datetime(done["day"]) - pd.Timestamp("2023-11-01")).dt.days // 366
    selling = done["hours"].where(done["Type"].isin(["Call", "Email", "Online Meeting", "Customer Visit"]))
    share = selling.groupby(year).sum() / done["hours"].groupby(year).sum()
    assert 0.18 <= share[0] < share[1] < share[2] <= 0.28


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        pytest.param("Call", 5, 46, id="calls take 5 to 45 minutes"),
        pytest.param("Email", 5, 20, id="e-mails take 5 to 20 minutes"),
        pytest.param("Online Meeting", 30, 75, id="online meetings take 30 to 75 minutes"),
        pytest.param("Customer Visit", 90, 240, id="visits take 1.5 to 4 hours"),
    ],
)
def test_a_contact_is_one_contact(files: Files, kind: str, least: int, most: int) -> None:
    minutes = files.hours().query("Type == @kind")["hours"] * 60
    assert minutes.min() >= least - 1e-9
    assert minutes.max() <= most + 1e-9


def test_customers_are_rather_content_and_a_third_answers(files: Files) -> None:
    surveys = files["surveys.csv"]
    answered = surveys["score"].notna()
    assert (surveys["responded_at"].notna() == answered).all()
    assert surveys["sent_at"].notna().all()
    assert (surveys["sent_at"] <= surveys["responded_at"])[answered].all()
    assert 0.33 <= answered.mean() <= 0.37
    score = pd.to_numeric(surveys["score"][answered])
    assert 300 <= len(score) <= 400
    assert 22 <= 100 * ((score >= 9).mean() - (score <= 6).mean()) <= 38


def test_the_faults_show_in_the_load_and_silence_counts_as_no_answer(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "company")
    with Book.open(tmp_path / "company", date(2025, 6, 30)) as book:
        loads = quality.loads(book).set_index("file")
        newest, n = book.surveys.aggregate("max(sent_at), count(*)").fetchall()[0]
        told = book.kpi(net_promoter_score).iloc[0]
        answers = book.surveys.filter("score IS NOT NULL").aggregate("count(*)").fetchall()[0][0]
        custom = book.campaigns.filter("custom_fields LIKE '%Region__c%'").aggregate("count(*)").fetchall()
    assert (loads["quarantined"].sum(), loads["superseded"].sum(), loads["footer"].sum()) == (2, 10, 1)
    assert loads.loc["salesforce/Campaign.csv", "unmapped"] == "Region__c"
    assert custom[0][0] > 0
    assert newest.date() <= date(2025, 6, 30)
    assert told["response_rate"] == pytest.approx(answers / n)
    assert 0.25 < told["response_rate"] < 0.45


def test_every_block_adds_its_deals_and_none_twice(blocks: Files) -> None:
    assert len(blocks["Opportunity"]) == 3_000
    assert blocks["Opportunity"]["Id"].is_unique
    assert blocks["Task"]["Id"].is_unique


WIDE = World(deals=20_000, seed=5)
DAYS = (date(2024, 7, 31), date(2025, 1, 15), date(2025, 6, 30))


@pytest.fixture(scope="module")
def wide() -> pd.DataFrame:
    return truth(WIDE, DAYS, outcomes=True)


def decile_misses(p: pd.Series, came_true: pd.Series) -> list[str]:
    """Deciles in which the number of events lies outside the central 99.9 % of what p says."""
    tenth = (p.rank(method="first", pct=True) * 10).clip(upper=9.99).astype(int)
    misses = []
    for place, mine in p.groupby(tenth):
        low, high = binom.ppf([0.0005, 0.9995], len(mine), mine.mean())
        seen = came_true[mine.index].sum()
        if not low <= seen <= high:
            misses.append(f"{place}: {seen} of {len(mine)} at {mine.mean():.3f}")
    return misses


@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize("column", ["p_win", "p_quarter_end", "p_13_weeks", "p_26_weeks"])
def test_what_was_given_a_chance_of_p_comes_true_in_p_of_the_cases(
    wide: pd.DataFrame, column: str, day: date
) -> None:
    rows = wide[(wide["date"] == pd.Timestamp(day)) & (wide["outcome"] != "deleted")]
    if column == "p_win":
        rows = rows[rows["outcome"] != "open"]
    won = rows["outcome"] == "won"
    if column != "p_win":
        won &= rows["closed_date"] <= pd.Timestamp(horizons(day)[column])
    assert len(rows) > 1_300
    assert decile_misses(rows[column], won) == []


class Observer:
    """One deal followed day by day in plain Python, from what is recorded about it (decided weekly, from the
    week after its creation on): the filter once more."""

    def __init__(self, process: Process, block: Block, deal: int, day: int) -> None:
        self.process, self.block, self.deal, self.day = process, block, deal, day
        deals = block.deals
        self.stage, self.weeks_in, self.close = 0, 0, int(deals.close[deal])
        self.place = process.centre + int(deals.x[deal]) + process.grades
        self.log_moves, self.exposure = np.zeros(len(process.prior)), 0.0
        self.week = self.first = process.world.week_of(int(deals.day[deal]))
        start = day_number(process.world.start)
        for today in range(int(deals.day[deal]), day + 1):
            if today >= start and (today + 3) % 7 < 5:
                self.exposure += process.activity_rates[self.stage] / 5
            if today == self.tick(self.week) and self.week > self.first:
                self.see(today)
            if (today + 3) % 7 == 6:
                self.week += 1

    def tick(self, week: int) -> int:
        return self.process.world.monday + 7 * week + int(weekday(self.block.deals.uid[[self.deal]], week)[0])

    def recorded(self, table: dict[str, np.ndarray], column: str, day: int, **where: int) -> int | None:
        rows = (table["deal"] == self.deal) & (table["day"] == day)
        for name, value in where.items():
            rows &= table[name] == value
        return int(table[column][rows][-1]) if rows.any() else None

    def see(self, day: int) -> None:
        after = self.recorded(self.block.moves, "stage", day)
        after = self.stage if after is None else after
        event = {4: WON, 5: LOST}.get(after, {0: STAY, 1: ADVANCE, -1: BACK}.get(after - self.stage))
        self.log_moves += np.log(self.process.weekly(self.week)[self.stage, self.weeks_in, self.place, event])
        pushed = self.recorded(self.block.changes, "new", day, field=CLOSE)
        if self.close > day:
            chance = self.process.push_chance[self.stage]
            self.log_moves += np.log(1 - chance if pushed is None else chance)
        self.close = pushed or self.close
        self.weeks_in = min(self.weeks_in + 1, LONGEST - 1) if event == STAY else 0
        self.stage = after

    def chances(self) -> list[float]:
        """P(win) ever and within each horizon."""
        table, process = self.block.activities, self.process
        done = ((table["deal"] == self.deal) & (table["day"] <= self.day)).sum()
        belief = process.posterior(self.log_moves[None], np.array([done]), np.array([self.exposure]))[0]
        weeks = range(max(self.week - 1, self.first + 1), self.week + 2)
        following = next(week for week in weeks if self.tick(week) > self.day)
        result = [process.ever[following][self.stage, self.weeks_in, self.place]]
        for end in horizons(day_of(self.day)).values():
            last = process.world.week_of(day_number(end))
            last -= self.tick(last) > day_number(end)
            result.append(process.within(following, last)[0][self.stage, self.weeks_in, self.place])
        return [float(belief @ values) for values in result]


@pytest.mark.parametrize(
    "day",
    [date(2025, 4, 30), date(2025, 8, 31), date(2026, 3, 31)],
    ids=["Wednesday", "Sunday", "quarter's end"],
)
def test_the_filter_agrees_with_a_slow_one(day: date) -> None:
    world = World(deals=300, seed=9)
    *_, (_, block) = blocks_of(world, Market(world), [day])
    deal, once = block.truth["deal"], block.reopened[block.truth["deal"]] == 0
    slow = [Observer(Process(world), block, i, day_number(day)).chances() for i in deal[once][:20]]
    fast = np.stack([block.truth[name][once][:20] for name in HORIZONS], axis=1)
    assert len(slow) == 20
    np.testing.assert_allclose(fast, slow, rtol=1e-9)


def test_probabilities_grow_with_the_horizon(wide: pd.DataFrame) -> None:
    assert (wide["p_quarter_end"] <= wide["p_13_weeks"] + 1e-12).mean() > 0.8
    assert (wide["p_13_weeks"] <= wide["p_26_weeks"] + 1e-12).all()
    assert (wide["p_26_weeks"] <= wide["p_win"] + 1e-12).all()
    assert wide["p_win"].std() > 0.2


def test_the_file_of_the_truth_is_what_truth_says(made: Path) -> None:
    written = pd.read_csv(made / "truth" / "deal_truth.csv", parse_dates=["date"])
    said = truth(World(), [date(2025, 3, 31)])
    mine = written[written["date"] == "2025-03-31"].sort_values("deal_id").reset_index(drop=True)
    assert mine["deal_id"].tolist() == said["deal_id"].tolist()
    np.testing.assert_allclose(mine.iloc[:, 2:], said.iloc[:, 2:], atol=0.5001e-4)


def test_the_truth_has_a_row_for_each_deal_that_is_open_on_the_day(made: Path, files: Files) -> None:
    history = files["OpportunityHistory"]
    stand = history[history["CreatedDate"] < "2025-04-01"].groupby("OpportunityId")["StageName"].last()
    deals = files["Opportunity"].set_index("Id")
    gone = deals[(deals["IsDeleted"] == "true") & (deals["SystemModstamp"] < "2025-04-01")].index
    there = set(stand[~stand.isin(["Closed Won", "Closed Lost"])].index) - set(gone)
    written = pd.read_csv(made / "truth" / "deal_truth.csv")
    assert set(written.loc[written["date"] == "2025-03-31", "deal_id"]) == there


def test_without_signal_every_open_deal_has_the_same_chance() -> None:
    frame = truth(World(deals=2_000, signal=False), [date(2024, 8, 31), date(2026, 2, 28)])
    assert frame["p_win"].max() - frame["p_win"].min() < 1e-9
    assert 0.25 < frame["p_win"].iloc[0] < 0.35
    assert frame["p_13_weeks"].max() - frame["p_13_weeks"].min() < 0.03


def test_without_emissions_activities_say_nothing() -> None:
    process = Process(World(emissions=False))
    log_moves = np.zeros((2, len(process.prior)))
    belief = process.posterior(log_moves, np.array([0, 9]), np.array([3.0, 3.0]))
    np.testing.assert_allclose(belief, np.stack([process.prior] * 2))


def test_many_activities_speak_for_a_good_deal() -> None:
    process = Process(World())
    belief = process.posterior(np.zeros((2, len(process.prior))), np.array([0, 9]), np.array([3.0, 3.0]))
    quality = belief @ process.grades
    assert quality[0] < 0 < quality[1]


def test_backward_recursion_equals_forward_propagation() -> None:
    process, week, place = Process(World()), 60, 20
    state = np.zeros(process.nothing().shape[:2])
    state[1, 2], won = 1.0, 0.0
    for ahead in range(13):
        p = process.weekly(week + ahead)[:, :, place]
        won += (state * p[..., WON]).sum()
        stay, following = state * p[..., STAY], np.zeros_like(state)
        following[:, 1:] += stay[:, :-1]
        following[:, -1] += stay[:, -1]
        following[1:, 0] += (state * p[..., ADVANCE]).sum(axis=1)[: OPEN_STAGES - 1]
        following[:-1, 0] += (state * p[..., BACK]).sum(axis=1)[1:]
        state = following
    assert process.within(week, week + 12)[0][1, 2, place] == pytest.approx(won, abs=1e-12)


def test_a_german_world_speaks_german(tmp_path: Path) -> None:
    generate(tmp_path, deals=40, language="de")
    world = Files(tmp_path)
    assert {"Qualifizierung", "Gewonnen"} <= set(world["OpportunityStage"]["MasterLabel"])
    assert set(world["Opportunity"]["StageName"]) <= set(world["OpportunityStage"]["MasterLabel"])
    assert 'language = "de"' in (tmp_path / "salestrack.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        pytest.param({"deals": 5}, "a world cannot have 5 deals: choose 10 to", id="too few deals"),
        pytest.param({"months": 2}, "lasts 3 to 120 months", id="too short"),
        pytest.param({"start": date(2024, 1, 2)}, "first day of a month", id="starts in the middle"),
        pytest.param({"system": "salesforse"}, "did you mean 'salesforce'", id="unknown system"),
        pytest.param({"language": "fr"}, "there is no language 'fr'", id="unknown language"),
    ],
)
def test_parameters_are_checked(tmp_path: Path, parameters: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        generate(tmp_path, **parameters)


def test_a_folder_with_data_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(CannotWrite, match="already holds data"):
        generate(tmp_path, deals=10)


def test_days_outside_the_world_have_no_truth() -> None:
    with pytest.raises(InputError, match="its days run from 2023-11-01 to 2026-10-31"):
        truth(World(deals=10), [date(2027, 1, 1)])
