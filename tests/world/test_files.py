"""The files of the invented company: headers, ids, pointers, sums and histories that agree with each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from world.files import Files

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


def test_every_month_has_a_rate_for_every_currency(files: Files) -> None:
    rates = files["exchange_rates.csv"]
    used = set(files["Opportunity"]["CurrencyIsoCode"]) | set(files["quotas.xlsx"]["currency_code"])
    assert used - {"EUR"} == set(rates["from_currency_code"])
    assert rates["rate_date"].min() <= files["Opportunity"]["CreatedDate"].min()[:10]
    assert len(rates) == 3 * rates["rate_date"].nunique()


def test_every_block_adds_its_deals_and_none_twice(blocks: Files) -> None:
    assert len(blocks["Opportunity"]) == 3_000
    assert blocks["Opportunity"]["Id"].is_unique
    assert blocks["Task"]["Id"].is_unique
