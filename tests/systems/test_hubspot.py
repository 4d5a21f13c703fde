"""HubSpot: list views in two languages, workbooks, property histories and the API's answers tell the same."""

import json
import shutil
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import xlsxwriter
from source_files import company, imported, rows
from systems.same import differing, figures

from salestrack.errors import ReadError, SalestrackError
from salestrack.exports import export
from salestrack.exports.hubspot import LOST
from salestrack.importing import import_company
from salestrack.schema import CANONICAL
from salestrack.store import Store

FILES = Path(__file__).parent / "files" / "hubspot_fivetran"
EXPLAINED = {
    "lead_conversion": "leads.contact_id",  # two leads of one company are two people, not one prospect
    "discount": "deal_products.list_price",  # lines without a known list price count as sold at it
}
"""Figures that HubSpot's files cannot carry over, each with the entry of LOST that says why."""

DEALS = """\
"Record ID","Deal Name","Pipeline","Deal Stage","Amount","Currency","Close Date","Create Date","Deal owner","Deal Type",\
"Closed Lost Reason","Deal probability","Forecast category","Is Closed Won","Is closed lost","Last Modified Date",\
"Associated Company","Associated Company IDs","Associated Contact","Associated Contact IDs"
"101","Alpha","Sales","Won","1000.5","EUR","2026-03-02 11:00","2026-01-05 10:00","Anna Weber","New Business",\
"","1.0","Closed won","Yes","No","2026-03-02 11:00","Muster GmbH","900","Ada; Ben","70;71"
"102","Beta","Partners","Won","250.0","EUR","2026-04-01 09:30","2026-01-06 10:00","Jörg Maier","Existing Business",\
"","0.4","Commit","No","No","2026-03-03 11:00","","","",""
"103","Gamma","Sales","No interest","","EUR","2026-03-05 11:00","2026-01-07 10:00","","",\
"Price","0.0","Not forecasted","No","Yes","2026-03-05 11:00","","901","",""
"""
GERMAN = {
    "Record ID": "Datensatz-ID",
    "Deal Name": "Deal-Name",
    "Deal Stage": "Deal-Phase",
    "Amount": "Betrag",
    "Currency": "Währung",
    "Close Date": "Abschlussdatum",
    "Create Date": "Erstellungsdatum",
    "Deal owner": "Für Deal zuständiger Mitarbeiter",
    "Deal Type": "Deal-Typ",
    "Closed Lost Reason": "Grund für verlorenen Deal",
    "Deal probability": "Deal-Wahrscheinlichkeit",
    "Forecast category": "Prognosekategorie",
    "Is Closed Won": "Ist abgeschlossen und gewonnen",
    "Is closed lost": "Ist abgeschlossen und verloren",
    "Last Modified Date": "Letztes Änderungsdatum",
    "Associated Company": "Zugeordnetes Unternehmen",
    "Associated Company IDs": "Zugeordnete Unternehmens-IDs",
    "Associated Contact": "Zugeordneter Kontakt",
    "Associated Contact IDs": "Zugeordnete Kontakt-IDs",
}
OWNERS = [
    {
        "id": "11",
        "email": "a@example.com",
        "firstName": "Anna",
        "lastName": "Weber",
        "userId": 1,
        "archived": False,
    },
    {
        "id": "12",
        "email": "j@example.com",
        "firstName": "Jörg",
        "lastName": "Maier",
        "userId": 2,
        "archived": True,
    },
]


def _stage(key: str, label: str, order: int, closed: bool, probability: str) -> dict[str, Any]:
    metadata = {"isClosed": str(closed).lower(), "probability": probability}
    return {"id": key, "label": label, "displayOrder": order, "metadata": metadata, "archived": False}


PIPELINES = [
    {
        "id": "default",
        "label": "Sales",
        "displayOrder": 0,
        "stages": [
            _stage("501", "Offer", 0, False, "0.4"),
            _stage("closedwon", "Won", 1, True, "1.0"),
            _stage("503", "No interest", 2, True, "0.0"),
        ],
    },
    {"id": "77", "label": "Partners", "displayOrder": 1, "stages": [_stage("601", "Won", 0, False, "0.4")]},
]
API = [
    {
        "id": "101",
        "properties": {
            "hs_object_id": "101", "dealname": "Alpha", "pipeline": "default", "dealstage": "closedwon", "amount": "1000.5",
            "deal_currency_code": "EUR", "closedate": "2026-03-02T10:00:00Z", "createdate": "2026-01-05T09:00:00.000Z",
            "hubspot_owner_id": "11", "dealtype": "newbusiness", "closed_lost_reason": None, "hs_deal_stage_probability": "1.0",
            "hs_manual_forecast_category": "CLOSED", "hs_is_closed_won": "true", "hs_lastmodifieddate": "2026-03-02T10:00:00Z",
        },
        "createdAt": "2026-01-05T09:00:00.000Z",
        "updatedAt": "2026-03-02T10:00:00Z",
        "archived": False,
        "associations": {
            "companies": {"results": [{"id": "999", "type": "deal_to_company_unlabeled"}, {"id": "900", "type": "deal_to_company"}]},
            "contacts": {"results": [{"id": "70", "type": "deal_to_contact"}, {"id": "71", "type": "deal_to_contact"}]},
        },
    },
    {
        "id": "102",
        "properties": {
            "dealname": "Beta", "pipeline": "77", "dealstage": "601", "amount": "250.0", "deal_currency_code": "EUR",
            "closedate": "2026-04-01T07:30:00Z", "createdate": "2026-01-06T09:00:00Z", "hubspot_owner_id": "12",
            "dealtype": "existingbusiness", "hs_deal_stage_probability": "0.4", "hs_manual_forecast_category": "COMMIT",
            "hs_is_closed_won": "false", "hs_lastmodifieddate": "2026-03-03T10:00:00Z",
        },
        "archived": False,
    },
    {
        "id": "103",
        "properties": {
            "dealname": "Gamma", "pipeline": "default", "dealstage": "503", "amount": None, "deal_currency_code": "EUR",
            "closedate": "2026-03-05T10:00:00Z", "createdate": "2026-01-07T09:00:00Z", "hubspot_owner_id": "",
            "closed_lost_reason": "Price", "hs_deal_stage_probability": "0.0", "hs_manual_forecast_category": "OMIT",
            "hs_lastmodifieddate": "2026-03-05T10:00:00Z",
        },
        "archived": False,
        "associations": {"companies": {"results": [{"id": "901", "type": "deal_to_company"}]}},
    },
]  # fmt: skip
BESIDE = {
    "owners.json": json.dumps({"results": OWNERS}),
    "pipelines.json": json.dumps({"results": PIPELINES}),
}


def german(text: str) -> str:
    head, _, rest = text.partition("\n")
    for english, heading in sorted(GERMAN.items(), key=lambda pair: -len(pair[0])):
        head = head.replace(f'"{english}"', f'"{heading}"')
    return f"{head}\n{rest}"


def workbook(path: Path, text: str) -> bytes:
    """The view as a workbook, with numbers as numbers and times as dates."""
    table = duckdb.sql(f"FROM read_csv('{path}', all_varchar = true)")
    with xlsxwriter.Workbook(path.with_suffix(".xlsx"), {"default_date_format": "yyyy-mm-dd hh:mm"}) as book:
        sheet = book.add_worksheet("all deals")
        for column, heading in enumerate(table.columns):
            sheet.write_string(0, column, heading)
        for line, row in enumerate(table.fetchall(), start=1):
            for column, (heading, cell) in enumerate(zip(table.columns, row, strict=True)):
                if heading.endswith("Date") and cell:
                    sheet.write_datetime(line, column, datetime.fromisoformat(cell))
                elif heading in ("Amount", "Deal probability") and cell:
                    sheet.write_number(line, column, float(cell))
                elif cell:
                    sheet.write_string(line, column, cell)
    return path.with_suffix(".xlsx").read_bytes()


def shape(name: str, folder: Path) -> dict[str, str | bytes]:
    if name == "workbook":
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "view.csv").write_text(DEALS, encoding="utf-8")
        return {"hubspot-crm-exports-all-deals.xlsx": workbook(folder / "view.csv", DEALS)}
    lines = "\n".join(json.dumps(record) for record in API)
    return {
        "English view": {"hubspot-crm-exports-all-deals.csv": DEALS},
        "German view": {"hubspot-crm-exports-alle-deals.csv": german(DEALS)},
        "page of the API": {"deals.json": json.dumps({"results": API, "paging": {"next": {"after": "3"}}})},
        "list of records": {"deals.json": json.dumps(API, indent=2)},
        "list of pages": {"deals.json": json.dumps([{"results": API[:1]}, {"results": API[1:]}])},
        "record per line": {"deals.jsonl": lines + "\n"},
    }[name]


SHAPES = (
    "English view",
    "German view",
    "workbook",
    "page of the API",
    "list of records",
    "list of pages",
    "record per line",
)


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_of_the_deals_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    imported(tmp_path / "company", shape(name, tmp_path / "made") | BESIDE)
    told = rows(
        tmp_path / "company",
        "deals",
        "deal_id, deal_name, account_id, primary_contact_id, owner_rep_id, pipeline_id, stage_id, status, amount, probability, "
        "forecast_category, deal_type, created_at, expected_close_date, closed_at, lost_reason, updated_at, custom_fields",
    )
    assert told == [
        ("101", "Alpha", "900", "70", "11", "Sales", "Sales / Won", "won", Decimal("1000.5"), 1.0, "closed", "new",
         datetime(2026, 1, 5, 9), date(2026, 3, 2), datetime(2026, 3, 2, 10), None, datetime(2026, 3, 2, 10), None),
        ("102", "Beta", None, None, "12", "Partners", "Partners / Won", "open", Decimal("250"), 0.4, "commit", "existing",
         datetime(2026, 1, 6, 9), date(2026, 4, 1), None, None, datetime(2026, 3, 3, 10), None),
        ("103", "Gamma", "901", None, None, "Sales", "Sales / No interest", "lost", None, 0.0, "omitted", None,
         datetime(2026, 1, 7, 9), date(2026, 3, 5), datetime(2026, 3, 5, 10), "Price", datetime(2026, 3, 5, 10), None),
    ]  # fmt: skip
    assert rows(tmp_path / "company", "deal_contacts", "deal_id, contact_id, is_primary") == [
        ("101", "70", True),
        ("101", "71", False),
    ]


def test_owners_and_pipelines_are_read_from_the_api(tmp_path: Path) -> None:
    imported(tmp_path, {"deals.csv": DEALS} | BESIDE)
    assert rows(tmp_path, "reps", "rep_id, rep_name, is_active") == [
        ("11", "Anna Weber", True),
        ("12", "Jörg Maier", False),
    ]
    assert rows(tmp_path, "pipelines", "pipeline_id, pipeline_name, is_default") == [
        ("Partners", "Partners", False),
        ("Sales", "Sales", True),
    ]
    assert rows(tmp_path, "stages", "stage_id, stage_name, stage_order, probability, stage_type") == [
        ("Partners / Won", "Won", 0, 0.4, "open"),
        ("Sales / No interest", "No interest", 2, 0.0, "lost"),
        ("Sales / Offer", "Offer", 0, 0.4, "open"),
        ("Sales / Won", "Won", 1, 1.0, "won"),
    ]


@pytest.mark.parametrize(
    ("stages", "statuses"),
    [
        pytest.param("", ["won", "open", "lost"], id="without pipelines: what the deals' flags say, whatever the stage is called"),
        pytest.param('won = ["Sales / Won"]\nlost = ["Partners / Won"]', ["won", "lost", "lost"], id="salestrack.toml by pipeline and stage"),
        pytest.param('won = ["No interest"]', ["won", "open", "won"], id="salestrack.toml by the stage's label"),
    ],
)  # fmt: skip
def test_what_a_stage_means(stages: str, statuses: list[str], tmp_path: Path) -> None:
    config = '[company]\ncurrency = "EUR"\ntime_zone = "Europe/Berlin"\n' + (
        f"[stages]\n{stages}\n" if stages else ""
    )
    imported(tmp_path, {"deals.csv": DEALS}, config)
    assert [row[1] for row in rows(tmp_path, "deals", "deal_id, status")] == statuses


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


def test_without_flags_the_usual_names_of_stages_decide(tmp_path: Path) -> None:
    view = DEALS.replace('"Is Closed Won","Is closed lost"', '"Mine","Yours"')
    imported(tmp_path, {"deals.csv": view.replace("No interest", "Closed lost")})
    assert rows(tmp_path, "deals", "deal_id, status") == [("101", "won"), ("102", "won"), ("103", "lost")]


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


USERS = """"User ID","First name","Last name","Email","Last active"
"1","Anna","Weber","a@example.com","2026-01-01 10:00"
"2","Jörg","Maier","j@example.com","2026-01-01 10:00"
"""


def test_users_are_people_too_and_are_one_with_their_owners(tmp_path: Path) -> None:
    imported(tmp_path / "users", {"deals.csv": DEALS, "users.csv": USERS})
    assert rows(tmp_path / "users", "deals", "deal_id, owner_rep_id")[:2] == [("101", "1"), ("102", "2")]
    imported(tmp_path / "both", {"deals.csv": DEALS, "users.csv": USERS} | BESIDE)
    assert rows(tmp_path / "both", "reps", "rep_id") == [("11",), ("12",)]


def test_an_owner_whose_name_two_people_have_is_not_guessed(tmp_path: Path) -> None:
    twins = USERS + '"3","Anna","Weber","w@example.com",""\n'
    with pytest.raises(SalestrackError, match="owner_rep_id 'Anna Weber' is the name of several reps"):
        imported(tmp_path, {"deals.csv": DEALS, "users.csv": twins})


def test_a_view_without_a_column_that_is_needed_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="Create Date"):
        imported(tmp_path, {"deals.csv": DEALS.replace('"Create Date"', '"Created"')})


def test_an_unknown_column_is_kept_and_named(tmp_path: Path) -> None:
    imported(tmp_path, {"deals.csv": DEALS.replace('"Closed Lost Reason"', '"Why"')} | BESIDE)
    assert rows(tmp_path, "deals", "custom_fields", "deal_id = '103'") == [('{"Why":"Price"}',)]
    assert ('["Why"]',) in rows(tmp_path, "load_log", "unmapped", "file = 'deals.csv'")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        pytest.param("deals.json", "[{", "deals.json, line 1: the row cannot be read", id="cut off"),
        pytest.param("deals.json", "\n[1, 2,, 3]", "deals.json, line 2: the row cannot be read", id="no JSON"),
        pytest.param("deals.jsonl", '{"id": "1"}\n{"id": }\n', "deals.jsonl, line 2: the row cannot be read", id="one bad line"),
        pytest.param("deals.json", '{"results": []}', "deals.json is empty", id="no records"),
        pytest.param("deals.json", "[" * 100_000, "nested too deeply", id="a well without ground"),
        pytest.param("deals.json", '[{"colour": "red"}]', "deals.json: no mapping explains its columns", id="records of something else"),
    ],
)  # fmt: skip
def test_json_that_cannot_be_read(name: str, content: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ReadError) as error:
        imported(tmp_path, {name: content})
    assert sentence in str(error.value)


# The invented company


@pytest.fixture(scope="module")
def english(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _exported(original, tmp_path_factory.mktemp("hubspot") / "english", "en")


@pytest.fixture(scope="module")
def german_one(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _exported(original, tmp_path_factory.mktemp("hubspot") / "german", "de")


def _exported(original: Path, folder: Path, language: Any) -> Path:
    export(original, folder, "hubspot", language)
    import_company(folder)
    return folder


def test_the_company_has_the_same_figures_in_hubspots_files(
    english: Path, original_figures: dict[str, Any]
) -> None:
    assert set(differing(original_figures, figures(english))) == set(EXPLAINED)
    assert set(EXPLAINED.values()) <= set(LOST)


def test_german_headings_give_the_same_rows(english: Path, german_one: Path) -> None:
    first = (
        (german_one / "raw/hubspot/hubspot-crm-exports-all-deals.csv")
        .read_text(encoding="utf-8")
        .splitlines()[0]
    )
    assert first.startswith('"Datensatz-ID","Deal-Name","Deal-Pipeline","Deal-Phase","Betrag","Währung"')
    one, other = (Store.open(folder / "store").tables for folder in (english, german_one))
    for table in CANONICAL:
        told = [
            duckdb.sql(f"SELECT * EXCLUDE (source_ref) FROM '{t[table]}' ORDER BY ALL").fetchall()
            for t in (one, other)
        ]
        assert told[0] == told[1], table


def test_every_row_is_accounted_for(english: Path, german_one: Path) -> None:
    for folder in (english, german_one):
        told = rows(
            folder,
            "load_log",
            "rows_read, accepted + superseded + quarantined + excluded + footer, quarantined, file",
        )
        assert told
        for read, counted, refused, file in told:
            assert (read, refused) == (counted, 0), file


def test_a_view_has_every_cell_in_quotes(english: Path) -> None:
    text = (english / "raw/hubspot/hubspot-crm-exports-all-deals.csv").read_text(encoding="utf-8")
    assert '"27600.0","CHF",""' in text
    assert ",," not in text
    assert "\r" not in text


# Fivetran


def test_fivetrans_tables_are_read_and_every_row_is_accounted_for(tmp_path: Path) -> None:
    folder = company(tmp_path, {})
    for file in FILES.glob("*.csv"):
        shutil.copyfile(file, folder / "raw" / file.name)
    import_company(folder)
    told = rows(
        folder,
        "load_log",
        "file, table_name, rows_read, accepted, excluded, superseded + quarantined + footer, system",
    )
    assert len({row[0] for row in told}) == len(list(FILES.glob("*.csv"))) == 27
    assert {row[6] for row in told} == {"fivetran_hubspot"}
    for file, _, read, accepted, excluded, rest, _ in told:
        assert (read, rest) == (accepted + excluded, 0), file
        assert read == len(_lines(FILES / str(file))), file
    assert {(row[1], row[3]) for row in told if row[3]} >= {
        ("accounts", 24), ("contacts", 19), ("deals", 44), ("reps", 100), ("stages", 71), ("pipelines", 6), ("teams", 3),
        ("deal_stage_history", 14), ("deal_contacts", 11), ("activities", 100),
    }  # fmt: skip


def _lines(path: Path) -> list[tuple[str, ...]]:
    return duckdb.sql(f"FROM read_csv('{path}', all_varchar = true, header = true)").fetchall()


def test_fivetrans_engagements_find_their_deal_and_merged_contacts_are_left_out(tmp_path: Path) -> None:
    folder = company(tmp_path, {})
    for file in FILES.glob("*.csv"):
        shutil.copyfile(file, folder / "raw" / file.name)
    import_company(folder)
    assert rows(folder, "activities", "activity_id, contact_id, started_at", "activity_type = 'call'") == [
        ("19732910159", "501", datetime(2014, 8, 27, 20, 50, 44, 778000))
    ]
    assert rows(
        folder, "contacts", "contact_id", "contact_id IN ('78971951', '76340251', '46897301', '76226001')"
    ) == [("78971951",)]
    assert rows(folder, "activities", "duration_s", "activity_id = '3416212491'") == [(5400,)]
