"""The invented company as a whole: reproducible to the byte, plausible in its figures, checked in its parameters."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from world.files import EURO, Files

from salestrack import Book, net_promoter_score, quality
from salestrack.errors import CannotWrite, InputError
from salestrack.world import generate

DEMO = Path(__file__).parents[2] / "data" / "demo"
LARGEST = 6_000_000


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
