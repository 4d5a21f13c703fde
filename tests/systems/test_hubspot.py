"""HubSpot: list views in two languages, workbooks and the API's answers tell the same deals and the same figures."""

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import xlsxwriter
from source_files import imported, rows
from systems.hubspot_deals import BESIDE, DEALS, german
from systems.same import differing, figures

from salestrack.errors import ReadError, SalestrackError
from salestrack.exports import export
from salestrack.exports.hubspot import LOST
from salestrack.importing import import_company
from salestrack.schema import CANONICAL
from salestrack.store import Store

EXPLAINED = {
    "lead_conversion": "leads.contact_id",  # two leads of one company are two people, not one prospect
    "discount": "deal_products.list_price",  # lines without a known list price count as sold at it
}
"""Figures that HubSpot's files cannot carry over, each with the entry of LOST that says why."""
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


def test_without_flags_the_usual_names_of_stages_decide(tmp_path: Path) -> None:
    view = DEALS.replace('"Is Closed Won","Is closed lost"', '"Mine","Yours"')
    imported(tmp_path, {"deals.csv": view.replace("No interest", "Closed lost")})
    assert rows(tmp_path, "deals", "deal_id, status") == [("101", "won"), ("102", "won"), ("103", "lost")]


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
