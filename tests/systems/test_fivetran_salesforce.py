"""Salesforce's tables as Fivetran loads them: its own sample tables, and how versions become history."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from source_files import CONFIG, imported, rows

from salestrack.importing import ImportResult

FILES = Path(__file__).parent / "files" / "salesforce_fivetran"
LENIENT = CONFIG + "[import]\nmax_quarantine_share = 0.1\n"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ImportResult]:
    folder = tmp_path_factory.mktemp("fivetran")
    files: dict[str, str | bytes] = {path.name: path.read_bytes() for path in FILES.glob("*.csv")}
    return folder, imported(folder, files, LENIENT)


def test_every_row_of_every_table_is_accounted_for(result: tuple[Path, ImportResult]) -> None:
    account = {
        f.file.removeprefix("sf_").removesuffix("_data.csv"): (
            f.table,
            f.rows_read,
            f.accepted,
            f.quarantined,
            f.excluded,
        )
        for f in result[1].files
    }
    assert account == {
        "account": ("accounts", 10, 10, 0, 0),
        "account_history": (None, 10, 0, 0, 10),
        "contact": ("contacts", 4, 4, 0, 0),
        "contact_history": (None, 4, 0, 0, 4),
        "event": ("activities", 10, 10, 0, 0),
        "lead": ("leads", 1, 1, 0, 0),
        "opportunity": ("deals", 10, 9, 1, 0),
        "opportunity_history": ("deal_stage_history", 10, 0, 0, 10),
        "opportunity_line_item": ("deal_products", 10, 10, 0, 0),
        "order": ("orders", 10, 10, 0, 0),
        "product_2": ("products", 2, 2, 0, 0),
        "task": ("activities", 10, 10, 0, 0),
        "user": ("reps", 10, 10, 0, 0),
        "user_role": ("teams", 10, 10, 0, 0),
    }
    assert {f.system for f in result[1].files} == {"fivetran_salesforce"}


def test_a_probability_of_1000_percent_is_named_and_set_apart(result: tuple[Path, ImportResult]) -> None:
    found = rows(result[0], "quarantine", "file, line, reason_en, original ->> '$.name'")
    assert found == [("sf_opportunity_data.csv", 2, "probability is not between 0 and 1", "$1m deal")]


def test_times_are_utc_and_midnights_are_days(result: tuple[Path, ImportResult]) -> None:
    columns = "deal_name, status, amount, probability, created_at, closed_date, is_deleted"
    assert rows(result[0], "deals", columns, "deal_id = '006q000000GoP76AAF'") == [
        (
            "Blue Test -",
            "lost",
            Decimal("1.0000"),
            0.0,
            datetime(2018, 10, 31, 17, 43, 42),
            date(2018, 10, 31),
            True,
        )
    ]


def test_deleted_deals_stay_deleted(result: tuple[Path, ImportResult]) -> None:
    assert rows(result[0], "deal_versions", "DISTINCT status", "valid_to IS NULL") == [("deleted",)]


def test_what_identifies_contacts_is_not_kept(result: tuple[Path, ImportResult]) -> None:
    told = str(rows(result[0], "contacts", "* EXCLUDE (source_ref)"))
    assert [word for word in ("Yellen", "Powell", "google.com", "555", "123 Ave") if word in told] == []


def test_versions_of_an_opportunity_are_its_history(tmp_path: Path) -> None:
    deals = (
        "id,name,stage_name,close_date,created_date,is_won,is_closed,amount,probability,is_deleted,system_modstamp\n"
        "006A,Alpha,Won,2026-03-02 00:00:00,2026-01-05 09:00:00,true,true,1200,100,false,2026-03-02 10:00:00\n"
    )
    versions = (
        "_fivetran_active,_fivetran_start,_fivetran_end,id,stage_name,close_date,amount,probability,is_deleted\n"
        "false,2026-01-05 09:00:00,2026-02-01 07:59:59,006A,Offer,2026-02-15 00:00:00,1000,50,false\n"
        "false,2026-02-01 08:00:00,2026-03-02 09:59:59,006A,Offer,2026-03-15 00:00:00,1200,50,false\n"
        "true,2026-03-02 10:00:00,9999-12-31 23:59:59,006A,Won,2026-03-02 00:00:00,1200,100,false\n"
    )
    imported(tmp_path, {"opportunity.csv": deals, "opportunity_history.csv": versions})
    columns = "seq, to_stage_id, entered_at, amount, expected_close_date"
    assert rows(tmp_path, "deal_stage_history", columns) == [
        (1, "Offer", datetime(2026, 1, 5, 9), Decimal("1000.0000"), date(2026, 2, 15)),
        (2, "Offer", datetime(2026, 2, 1, 8), Decimal("1200.0000"), date(2026, 3, 15)),
        (3, "Won", datetime(2026, 3, 2, 10), Decimal("1200.0000"), date(2026, 3, 2)),
    ]
    assert rows(tmp_path, "deals", "status, closed_date") == [("won", date(2026, 3, 2))]
