"""SAP's sample company: opportunities worth what their items add up to, names from text files."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from source_files import imported, rows

from salestrack.importing import ImportResult

FILES = Path(__file__).parent / "files" / "sap"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ImportResult]:
    folder = tmp_path_factory.mktemp("sap")
    files: dict[str, str | bytes] = {path.name: path.read_bytes() for path in FILES.glob("*.csv")}
    return folder, imported(folder, files)


def test_every_row_of_every_file_is_accounted_for(result: tuple[Path, ImportResult]) -> None:
    account = {
        f.file.removeprefix("MCT_").removesuffix(".csv"): (f.table, f.rows_read, f.accepted, f.excluded)
        for f in result[1].files
    }
    assert account == {
        "ControllingArea": (None, 2, 0, 2),
        "CostCenter": (None, 5, 0, 5),
        "Employees": ("reps", 40, 40, 0),
        "ItemStatusTexts": (None, 4, 0, 4),
        "Opportunities": ("deals", 31, 31, 0),
        "OpportunityItems": ("deal_products", 91, 91, 0),
        "ProductCategories": (None, 8, 0, 8),
        "ProductGroupTexts": (None, 4, 0, 4),
        "Products": ("products", 21, 21, 0),
        "SalesOrganization": ("territories", 31, 31, 0),
        "SalesOrgText": (None, 62, 0, 62),
    }
    assert rows(result[0], "quarantine", "*") == []


def test_an_opportunity_is_worth_its_items(result: tuple[Path, ImportResult]) -> None:
    whole = rows(result[0], "deals", "sum(amount), count(*)")
    assert whole == rows(result[0], "deal_products", "sum(line_amount), count(DISTINCT deal_id) + 1")
    assert rows(result[0], "deals", "deal_id, amount", "deal_id IN ('500000200', '500000204')") == [
        ("500000200", Decimal("2158830.0000")),
        ("500000204", rows(result[0], "deal_products", "sum(line_amount)", "deal_id = '500000204'")[0][0]),
    ]


def test_statuses_are_stages_too(result: tuple[Path, ImportResult]) -> None:
    assert rows(result[0], "deals", "stage_id, status, forecast_category, count(*)", "true GROUP BY ALL") == [
        ("Commit", "open", "commit", 9),
        ("Lost", "lost", "omitted", 6),
        ("New", "open", "pipeline", 5),
        ("Probable", "open", "best_case", 4),
        ("Upside", "open", "best_case", 4),
        ("Won", "won", "closed", 3),
    ]


def test_without_a_day_of_creation_deals_are_known_from_the_earliest_closing_on(
    result: tuple[Path, ImportResult],
) -> None:
    assert rows(result[0], "deals", "DISTINCT created_at") == [(datetime(2020, 10, 1, 22),)]
    assert rows(result[0], "deals", "min(expected_close_date)") == [(date(2020, 10, 2),)]


def test_names_come_from_the_text_files(result: tuple[Path, ImportResult]) -> None:
    assert rows(result[0], "territories", "territory_name", "territory_id = '11'") == [
        ("EN SAP Danmark A/S",)
    ]
    assert rows(result[0], "products", "product_family", "product_id = 'PR-1001'") == [("Databases",)]
    assert rows(result[0], "reps", "rep_name", "rep_id = '400001783'") == [("Frank Krause",)]


def test_items_in_two_currencies_have_no_sum(tmp_path: Path) -> None:
    deals = (
        "OpportunityID;SalesOrg;ExpectedClosingDate;Status;Responsible;Customer\n1;0;2026-03-02;Won;R1;C1\n"
    )
    items = "ItemID;Opportunity;Product;Quantity;Value;Currency\n1;1;P;1;100;EUR\n2;1;P;1;50;USD\n"
    imported(tmp_path, {"Opportunities.csv": deals, "OpportunityItems.csv": items})
    assert rows(tmp_path, "deals", "amount, currency_code") == [(None, None)]
