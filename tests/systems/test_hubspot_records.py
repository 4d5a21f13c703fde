"""What HubSpot keeps beside the deals: property histories, contacts, calls, meetings, tasks, line items and products."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from source_files import imported, rows
from systems.hubspot_deals import BESIDE, DEALS, german

from salestrack.errors import ReadError
from salestrack.schema import CANONICAL
from salestrack.store import Store

WITH_DATES = """\
"Record ID","Deal Name","Pipeline","Deal Stage","Close Date","Create Date","Is Closed Won",{0}
"101","Alpha","Sales (EU)","Won","2026-03-02 11:00","2026-01-05 10:00","Yes",\
"2026-01-05 10:00","2026-02-01 09:00","2026-03-02 11:00","","3600000"
"""
MARKS = {
    "English": ('Date entered ""Offer (Sales (EU))""', 'Date exited ""Offer (Sales (EU))""', 'Date entered ""Won (Sales (EU))""',
                'Date exited ""Won (Sales (EU))""', 'Cumulative time in ""Offer (Sales (EU))""'),
    "German": ('Datum des Eintritts in ""Offer (Sales (EU))""', 'Datum des Austritts aus ""Offer (Sales (EU))""',
               'Datum des Eintritts in ""Won (Sales (EU))""', 'Datum des Austritts aus ""Won (Sales (EU))""',
               'Kumulierte Zeit in ""Offer (Sales (EU))""'),
}  # fmt: skip
HISTORY = """\
"Record ID","Property","Value","Timestamp","Source"
"101","Deal Stage","Offer","2026-01-05 09:00","CRM_UI"
"101","Deal Stage","Won","2026-01-20 09:00","CRM_UI"
"101","Deal Stage","Offer","2026-02-01 08:00","AUTOMATION_PLATFORM"
"101","Deal Stage","Won","2026-03-02 10:00:07","CRM_UI"
"101","Amount","1000.0","2026-01-05 09:00","CRM_UI"
"101","Amount","1200.0","2026-02-02 09:00",""
"101","Close Date","2026-02-27T23:00:00Z","2026-01-05 09:00","CRM_UI"
"101","Close Date","1772449200000","2026-03-02 10:00:07","CRM_UI"
"101","Deal owner","Anna Weber","2026-01-05 09:00","CRM_UI"
"101","Next step","Call","2026-01-06 09:00","CRM_UI"
"""


@pytest.mark.parametrize("language", MARKS)
def test_columns_of_stages_tell_the_last_entry_only(language: str, tmp_path: Path) -> None:
    view = WITH_DATES.format(",".join(f'"{mark}"' for mark in MARKS[language]))
    imported(tmp_path, {"deals.csv": german(view) if language == "German" else view})
    assert rows(tmp_path, "deal_stage_history", "deal_id, seq, to_stage_id, pipeline_id, entered_at, exited_at, history_quality") == [
        ("101", 1, "Sales (EU) / Offer", "Sales (EU)", datetime(2026, 1, 5, 9), datetime(2026, 3, 2, 10), "last_entry_only"),
        ("101", 2, "Sales (EU) / Won", "Sales (EU)", datetime(2026, 3, 2, 10), None, "last_entry_only"),
    ]  # fmt: skip
    assert rows(tmp_path, "deals", "custom_fields") == [(None,)]


def test_the_history_of_the_stage_tells_what_the_columns_overwrite(tmp_path: Path) -> None:
    view = WITH_DATES.format(",".join(f'"{mark}"' for mark in MARKS["English"]))
    imported(tmp_path, {"deals.csv": view, "history.csv": HISTORY})
    assert rows(
        tmp_path, "deal_stage_history", "seq, to_stage_id, entered_at, change_source, history_quality"
    ) == [
        (1, "Sales (EU) / Offer", datetime(2026, 1, 5, 9), "user", "event"),
        (2, "Sales (EU) / Won", datetime(2026, 1, 20, 9), "user", "event"),
        (3, "Sales (EU) / Offer", datetime(2026, 2, 1, 8), "workflow", "event"),
        (4, "Sales (EU) / Won", datetime(2026, 3, 2, 10, 0, 7), "user", "event"),
    ]


def test_the_history_of_properties_in_utc_with_the_values_before(tmp_path: Path) -> None:
    view = WITH_DATES.format(",".join(f'"{mark}"' for mark in MARKS["English"]))
    imported(tmp_path, {"deals.csv": view, "history.csv": HISTORY} | BESIDE)
    assert rows(tmp_path, "deal_field_history", "field, old_value, new_value, changed_at, change_source") == [
        ("amount", "1000.0", "1200.0", datetime(2026, 2, 2, 9), None),
        ("amount", None, "1000.0", datetime(2026, 1, 5, 9), "user"),
        ("expected_close_date", "2026-02-28", "2026-03-02", datetime(2026, 3, 2, 10, 0, 7), "user"),
        ("expected_close_date", None, "2026-02-28", datetime(2026, 1, 5, 9), "user"),
        ("owner_rep_id", None, "11", datetime(2026, 1, 5, 9), "user"),
    ]


def test_the_history_of_the_api_is_that_of_the_export(tmp_path: Path) -> None:
    def version(value: str, when: str, source: str = "CRM_UI") -> dict[str, str]:
        return {"value": value, "timestamp": when, "sourceType": source}

    deal = {
        "id": "101",
        "properties": {"dealname": "Alpha", "dealstage": "closedwon", "pipeline": "default", "createdate": "2026-01-05T09:00:00Z",
                       "closedate": "2026-03-02T10:00:00Z"},
        "propertiesWithHistory": {
            "dealstage": [version("closedwon", "2026-03-02T10:00:07.250Z"), version("501", "2026-01-05T09:00:00Z", "IMPORT")],
            "amount": [version("1200.0", "2026-02-02T09:00:00Z"), version("1000.0", "2026-01-05T09:00:00Z")],
        },
    }  # fmt: skip
    imported(tmp_path, {"deals.json": json.dumps([deal])} | BESIDE)
    assert rows(tmp_path, "deal_stage_history", "to_stage_id, entered_at, change_source") == [
        ("Sales / Offer", datetime(2026, 1, 5, 9), "import"),
        ("Sales / Won", datetime(2026, 3, 2, 10, 0, 7, 250000), "user"),
    ]
    assert rows(tmp_path, "deal_field_history", "old_value, new_value", "field = 'amount'") == [
        ("1000.0", "1200.0"),
        (None, "1000.0"),
    ]


CONTACTS = """\
"Record ID","First Name","Last Name","Email","Job Title","Company name","Primary Associated Company ID","Contact owner",\
"Lifecycle Stage","Lead Status","Create Date","Became a Lead Date","Became a Marketing Qualified Lead Date",\
"Became a Sales Qualified Lead Date","Became an Opportunity Date","Associated Deal IDs"
"70","Ada","Secret","ada@example.com","CEO","Muster GmbH","900","Anna Weber","Opportunity","","2026-01-01 10:00",\
"2026-01-01 10:00","2026-01-02 10:00","2026-01-03 10:00","2026-01-05 10:00","101;102"
"71","Ben","Secret","ben@example.com","","","","","","","2026-01-01 10:00","","","","",""
"""


def test_contacts_are_leads_with_the_dates_of_their_life_cycle(tmp_path: Path) -> None:
    imported(tmp_path, {"contacts.csv": CONTACTS} | BESIDE)
    assert rows(tmp_path, "leads", "lead_id, contact_id, account_id, owner_rep_id, lead_status, mql_at, sql_at, converted_at, converted_deal_id") == [
        ("70", "70", "900", "11", "Opportunity", datetime(2026, 1, 2, 9), datetime(2026, 1, 3, 9), datetime(2026, 1, 5, 9), "101"),
    ]  # fmt: skip
    assert rows(tmp_path, "lifecycle_history", "entity_id, to_stage, changed_at") == [
        ("70", "lead", datetime(2026, 1, 1, 9)),
        ("70", "mql", datetime(2026, 1, 2, 9)),
        ("70", "opportunity", datetime(2026, 1, 5, 9)),
        ("70", "sql", datetime(2026, 1, 3, 9)),
    ]


def test_names_and_addresses_of_contacts_are_not_kept(tmp_path: Path) -> None:
    imported(tmp_path, {"contacts.csv": CONTACTS} | BESIDE)
    tables = Store.open(tmp_path / "store").tables
    kept = [str(row) for table in CANONICAL for row in duckdb.sql(f"FROM '{tables[table]}'").fetchall()]
    assert kept
    assert not any("Secret" in row or "ada@" in row for row in kept)


CALLS = """\
"Record ID","Activity date","Activity assigned to","Call Title","Call duration","Call direction","Call outcome","Associated Deal IDs","Associated Contact IDs"
"1","2026-02-01 10:00","Anna Weber","Intro","{0}","Outbound","Connected","101","70;71"
"2","2026-02-02 10:00","Anna Weber","Again","","Inbound","Left voicemail","",""
"3","2026-02-03 10:00","","","","","","",""
"""


@pytest.mark.parametrize(
    "duration", [pytest.param("750000", id="milliseconds"), pytest.param("00:12:30", id="a clock")]
)
def test_calls(duration: str, tmp_path: Path) -> None:
    imported(tmp_path, {"calls.csv": CALLS.format(duration)} | BESIDE)
    assert rows(tmp_path, "activities", "activity_id, activity_type, channel, direction, owner_rep_id, duration_s, outcome, deal_id, lead_id") == [
        ("1", "call", "phone", "outbound", "11", 750, "connected", "101", "70"),
        ("2", "call", "phone", "inbound", "11", None, "voicemail", None, None),
        ("3", "call", "phone", "none", None, None, None, None, None),
    ]  # fmt: skip


def test_a_duration_that_is_none_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(
        ReadError, match=r"calls\.csv: 1 of 3 rows .* line 2: duration_s 'long' is not a number"
    ):
        imported(tmp_path, {"calls.csv": CALLS.format("long")} | BESIDE)


MEETINGS = """\
"Record ID","Meeting start time","Meeting end time","Call and meeting type","Meeting outcome","Activity assigned to"
"1","2026-02-01 10:00","2026-02-01 11:30","Customer Visit","Completed","Anna Weber"
"2","2026-02-01 13:00","2026-02-01 14:00","Internal Meeting","","Anna Weber"
"3","2026-02-02 08:00","2026-02-02 09:00","","No show","Anna Weber"
"4","2026-03-02 08:00","","Demo","Scheduled","Anna Weber"
"""
TASKS = """\
"Record ID","Task Title","Task Status","Task Type","Due date","Completed at","Activity assigned to"
"5","Send offer","Completed","To-do","2026-02-03 10:00","2026-02-03 12:00","Anna Weber"
"6","Ring","Not started","Call","2026-02-04 10:00","","Anna Weber"
"""


def test_meetings_and_tasks(tmp_path: Path) -> None:
    imported(tmp_path, {"meetings.csv": MEETINGS, "tasks.csv": TASKS} | BESIDE)
    assert rows(
        tmp_path,
        "activities",
        "activity_id, activity_type, channel, is_done, duration_s, outcome, started_at",
    ) == [
        ("1", "meeting", "in_person", True, 5400, "held", datetime(2026, 2, 1, 9)),
        ("2", "internal_meeting", "internal", True, 3600, None, datetime(2026, 2, 1, 12)),
        ("3", "meeting", None, False, 3600, "no_show", datetime(2026, 2, 2, 7)),
        ("4", "meeting", None, False, None, "other", datetime(2026, 3, 2, 7)),
        ("5", "task", None, True, None, None, datetime(2026, 2, 3, 11)),
        ("6", "task", None, False, None, None, None),
    ]


LINES = """\
"Record ID","Name","Product ID","Quantity","Unit price","Discount Percentage","Net price","Currency","Associated Deal IDs"
"1","Seat","500","3.0","100.0","10.0","270.0","EUR","101"
"""
PRODUCTS = """\
"Record ID","Name","SKU","Unit price","Unit cost","Billing frequency","Status"
"500","Seat","007","100.0","60.0","Monthly","Active"
"""


def test_line_items_and_products(tmp_path: Path) -> None:
    imported(tmp_path, {"deals.csv": DEALS, "lines.csv": LINES, "products.csv": PRODUCTS} | BESIDE)
    assert rows(tmp_path, "deal_products", "deal_id, product_id, quantity, unit_price, list_price, discount_share, line_amount") == [
        ("101", "500", 3.0, Decimal("90"), Decimal("100"), 0.1, Decimal("270"))
    ]  # fmt: skip
    assert rows(
        tmp_path, "products", "product_id, product_name, sku, list_price, unit_cost, is_recurring, is_active"
    ) == [("500", "Seat", "007", Decimal("100"), Decimal("60"), True, True)]
