"""Salesforce exports by API names."""

from datetime import date, datetime
from decimal import Decimal

import pytest
import source_files as sf

from salestrack.errors import SalestrackError


def test_deals(tmp_path):
    sf.imported(tmp_path, {"Opportunity.csv": sf.DEALS, "OpportunityStage.csv": sf.STAGES})
    columns = "deal_id, status, amount, probability, expected_close_date, closed_date, created_at, source_ref"
    assert sf.rows(tmp_path, "deals", columns) == [
        (
            "006A",
            "won",
            Decimal("1000.5000"),
            1.0,
            date(2026, 3, 2),
            date(2026, 3, 2),
            datetime(2026, 1, 5, 9),
            "Opportunity.csv#2",
        ),
        (
            "006B",
            "lost",
            None,
            0.0,
            date(2026, 3, 5),
            date(2026, 3, 5),
            datetime(2026, 1, 6, 9),
            "Opportunity.csv#3",
        ),
        (
            "006C",
            "open",
            Decimal("2000.0000"),
            0.5,
            date(2026, 5, 1),
            None,
            datetime(2026, 1, 7, 23, 30),
            "Opportunity.csv#4",
        ),
    ]


def test_status_comes_from_the_deal_where_the_stages_were_not_exported(tmp_path):
    sf.imported(tmp_path, {"Opportunity.csv": sf.DEALS})
    assert sf.rows(tmp_path, "deals", "deal_id, status") == [
        ("006A", "won"),
        ("006B", "lost"),
        ("006C", "open"),
    ]


def test_stages(tmp_path):
    sf.imported(tmp_path, {"OpportunityStage.csv": sf.STAGES})
    assert sf.rows(
        tmp_path, "stages", "stage_id, stage_order, stage_type, probability, forecast_category"
    ) == [
        ("Lost", 3, "lost", 0.0, "omitted"),
        ("Offer", 1, "open", 0.5, "pipeline"),
        ("Won", 2, "won", 1.0, "closed"),
    ]


def test_history_is_numbered_and_linked(tmp_path):
    history = (
        "Id,OpportunityId,StageName,Amount,CloseDate,Probability,CreatedDate\n"
        "2,006A,Won,1000.5,2026-03-02,100,2026-03-02T10:00:00.000Z\n"
        "1,006A,Offer,900,2026-02-01,50,2026-01-05T09:00:00.000+0000\n"
    )
    sf.imported(tmp_path, {"OpportunityHistory.csv": history, "OpportunityStage.csv": sf.STAGES})
    assert sf.rows(
        tmp_path, "deal_stage_history", "seq, from_stage_id, to_stage_id, entered_at, exited_at, is_backward"
    ) == [
        (1, None, "Offer", datetime(2026, 1, 5, 9), datetime(2026, 3, 2, 10), None),
        (2, "Offer", "Won", datetime(2026, 3, 2, 10), None, False),
    ]


def test_field_history_keeps_the_fields_that_count(tmp_path):
    history = (
        "OpportunityId,Field,OldValue,NewValue,CreatedDate\n006A,created,,,2026-01-05T09:00:00.000Z\n"
        "006A,Amount,900,1000.5,2026-02-01T09:00:00.000Z\n006A,CloseDate,2026-02-01,2026-03-02,2026-02-01T09:00:00.000Z\n"
    )
    result = sf.imported(tmp_path, {"OpportunityFieldHistory.csv": history}).files[0]
    assert (result.rows_read, result.accepted, result.excluded) == (3, 2, 1)
    assert sf.rows(tmp_path, "deal_field_history", "field, old_value, new_value") == [
        ("amount", "900", "1000.5"),
        ("expected_close_date", "2026-02-01", "2026-03-02"),
    ]


def test_activities_come_from_tasks_and_events(tmp_path):
    tasks = (
        "Id,WhatId,OwnerId,Subject,Type,Status,ActivityDate,CallDurationInSeconds,Minutes__c\n"
        "T1,006A,005X,Call,Call,Completed,2026-07-01,90,\nT2,,005X,Drive,Travel,Completed,2026-01-01,,45\n"
        "T3,001A,005X,Say hello,Email,Open,2026-01-01,,5\n"
    )
    events = "Id,WhatId,OwnerId,Subject,Type,ActivityDateTime,DurationInMinutes\n"
    events += "E1,006A,005X,Visit,Customer Visit,2026-07-01T08:00:00.000Z,60\n"
    sf.imported(tmp_path, {"Task.csv": tasks, "Event.csv": events})
    columns = "activity_id, activity_type, channel, started_at, duration_s, is_done, deal_id, account_id"
    assert sf.rows(tmp_path, "activities", columns) == [
        ("E1", "meeting", "in_person", datetime(2026, 7, 1, 8), 3600, True, "006A", None),
        ("T1", "call", "phone", datetime(2026, 6, 30, 22), 90, True, "006A", None),
        ("T2", "travel", None, datetime(2025, 12, 31, 23), 2700, True, None, None),
        ("T3", "email", "digital", datetime(2025, 12, 31, 23), 300, False, None, "001A"),
    ]


def test_a_lead_qualified_on_the_day_it_came_was_not_qualified_before(tmp_path):
    leads = (
        "Id,Company,LeadSource,Status,OwnerId,CreatedDate,MQL_Date__c,IsConverted\n"
        "L1,A,Web,Open,005X,2026-01-05T09:00:00.000Z,2026-01-05,false\nL2,B,Web,Open,005X,2026-01-05T09:00:00.000Z,2026-01-07,false\n"
    )
    sf.imported(tmp_path, {"Lead.csv": leads})
    assert sf.rows(tmp_path, "leads", "lead_id, mql_at") == [
        ("L1", datetime(2026, 1, 5, 9)),
        ("L2", datetime(2026, 1, 6, 23)),
    ]


def test_names_of_contacts_are_not_kept(tmp_path):
    text = "Id,AccountId,Title,CreatedDate,LastName,Email\n"
    text += "003A,001A,CEO,2026-01-05T09:00:00.000Z,Canary,c@example.org\n"
    sf.imported(tmp_path, {"Contact.csv": text})
    assert sf.rows(tmp_path, "contacts", "contact_name, email, custom_fields") == [(None, None, None)]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")], ids=["older export first", "newer export first"])
def test_the_newest_version_wins_in_any_order(tmp_path, order):
    newer = sf.DEALS.replace("2000.00", "2500.00").replace("2026-03-06T10", "2026-04-06T10")
    result = sf.imported(
        tmp_path, {f"Opportunity_{order[0]}.csv": sf.DEALS, f"Opportunity_{order[1]}.csv": newer}
    )
    assert sf.rows(tmp_path, "deals", "deal_id, amount", "deal_id = '006C'") == [
        ("006C", Decimal("2500.0000"))
    ]
    for file in result.files:
        assert file.rows_read == file.accepted + file.superseded == 3
    assert sum(file.superseded for file in result.files) == 3
    read = sum(Decimal(v) for file in result.files for v in file.amounts["amount"].values())
    assert read == Decimal("3000.50") + Decimal("3500.50")


def test_two_contents_of_one_time_are_refused(tmp_path):
    other = sf.DEALS.replace("2000.00", "2500.00")
    with pytest.raises(
        SalestrackError, match="deals 006C stands in Opportunity_1.csv#4 and Opportunity_2.csv#4"
    ):
        sf.imported(tmp_path, {"Opportunity_1.csv": sf.DEALS, "Opportunity_2.csv": other})


def test_german_cells_in_a_salesforce_file(tmp_path):
    german = sf.DEALS.replace(",", ";").replace("1000.50", "1.000,50").replace("2000.00", "2.000,00")
    sf.imported(tmp_path, {"Opportunity.csv": german})
    assert sf.rows(tmp_path, "deals", "amount", "amount IS NOT NULL") == [
        (Decimal("1000.5000"),),
        (Decimal("2000.0000"),),
    ]
