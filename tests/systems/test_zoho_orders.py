"""Zoho CRM: sales orders and ordered items, in English and German, with the tax on the order or on its lines."""

import csv
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from source_files import CONFIG, imported, rows
from systems.same import stored, unaccounted

from salestrack.errors import ReadError

ORDERS = """\
Record Id,Sales Order Owner.id,Sales Order Owner,SO Number,Subject,Deal Name.id,Deal Name,Account Name.id,Account Name,Contact Name.id,Contact Name,Status,Due Date,Sub Total,Discount,Tax,Adjustment,Grand Total,Currency,Created Time,Modified Time
4876876000000201001,4876876000000100001,Ada Ahrens,SO-1,"Press, line 2",4876876000000101001,Press,4876876000000103001,Hüttenwerk GmbH,4876876000000104001,Cara Canary,Delivered,2026-04-30,"1,000.50",0.00,190.10,0.00,"1,190.60",EUR,2026-03-02 23:30:00,2026-03-03 12:00:00
4876876000000201002,4876876000000100002,Ben Borg,SO-2,Belt,,,4876876000000103002,Nordkai AG,,,Created,,595.00,50.00,0.00,5.00,550.00,EUR,2026-04-01 10:00:00,2026-04-01 10:00:00
4876876000000201003,4876876000000100001,Ada Ahrens,SO-3,Oil,,,4876876000000103001,Hüttenwerk GmbH,,,Cancelled,,80.00,0.00,,0.00,80.00,EUR,2026-04-02 10:00:00,2026-04-03 10:00:00
"""
ITEMS = """\
Record Id,Parent ID.id,Parent ID,Product Name.id,Product Name,Quantity,List Price,Discount,Total After Discount,Tax,S.NO
9001,4876876000000201001,Press,8001,Seat,2,"1,000.25",0.00,"1,000.50",0.00,1
9002,4876876000000201002,Belt,8001,Seat,1,600.00,100.00,500.00,95.00,1
9003,4876876000000201003,Oil,8002,Oil,4,20.00,0.00,80.00,,1
"""
DEAL_LINES = """\
Record Id,Parent ID.id,Product Name.id,Quantity,List Price,Discount,Total After Discount
9009,4876876000000101001,8001,1,600.00,100.00,500.00
"""
FILES = {"Sales_Orders_001.csv": ORDERS, "Ordered_Items_001.csv": ITEMS, "Deals_Products.csv": DEAL_LINES}
GERMAN_HEADS = {
    "Sales_Orders_001.csv": "Datensatz-ID,Auftragsbesitzer.id,Auftragsbesitzer,Auftragsnummer,Betreff,Deal-Name.id,Deal-Name,Kundenname.id,Kundenname,Kontaktname.id,Kontaktname,Status,Fälligkeitsdatum,Zwischensumme,Rabatt,Steuer,Anpassung,Gesamtsumme,Währung,Erstellungszeit,Änderungszeit",
    "Ordered_Items_001.csv": "Datensatz-ID,Übergeordnete ID.id,Parent ID,Produktname.id,Produktname,Menge,Listenpreis,Rabatt,Summe nach Rabatt,Steuer,S.NO",
    "Deals_Products.csv": "Datensatz-ID,Übergeordnete ID.id,Produktname.id,Menge,Listenpreis,Rabatt,Summe nach Rabatt",
}
STATUSES = {",Delivered,": ",Ausgeliefert,", ",Created,": ",Erstellt,", ",Cancelled,": ",Storniert,"}


def german(name: str, text: str) -> str:
    """A file with German headings and statuses."""
    text = "\n".join([GERMAN_HEADS[name], *text.splitlines()[1:], ""])
    for english, word in STATUSES.items():
        text = text.replace(english, word)
    return text


def german_numbers(text: str) -> str:
    """Amounts with a comma, and so with semicolons between the cells."""
    told = [[_swapped(cell) for cell in row] for row in csv.reader(text.splitlines())]
    return "".join(";".join(row) + "\n" for row in told)


def _swapped(cell: str) -> str:
    amount = re.fullmatch(r"[\d,]+\.\d\d", cell)
    return cell.translate(str.maketrans(",.", ".,")) if amount else cell


BACKUP = {
    name: "".join(
        ",".join(f"zcrm_{cell}" if cell.startswith("4876876") else cell for cell in line.split(",")) + "\n"
        for line in text.splitlines()
    )
    for name, text in FILES.items()
}


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the English exports tell."""
    folder = tmp_path_factory.mktemp("english")
    imported(folder, dict(FILES))
    return stored(folder)


def test_orders_are_worth_what_is_left_without_tax(tmp_path: Path) -> None:
    result = imported(tmp_path, dict(FILES))
    columns = "right(order_id, 1), CAST(net_amount AS DOUBLE), CAST(tax_amount AS DOUBLE), CAST(gross_amount AS DOUBLE), order_status, order_date, updated_at"
    assert rows(tmp_path, "orders", columns) == [
        ("1", 1000.5, 190.1, 1190.6, "fulfilled", date(2026, 3, 2), datetime(2026, 3, 3, 11)),
        ("2", 455.0, 95.0, 550.0, "placed", date(2026, 4, 1), datetime(2026, 4, 1, 8)),
        ("3", 80.0, 0.0, 80.0, "cancelled", date(2026, 4, 2), datetime(2026, 4, 3, 8)),
    ]
    columns = "order_id, account_id, deal_id, owner_rep_id, currency_code, custom_fields"
    assert rows(tmp_path, "orders", columns, "order_status = 'fulfilled'") == [
        (
            "4876876000000201001",
            "4876876000000103001",
            "4876876000000101001",
            "4876876000000100001",
            "EUR",
            None,
        )
    ]
    assert (unaccounted(result), {file.unmapped for file in result.files}) == ([], {()})


def test_lines_of_orders_and_of_deals_are_told_apart_by_their_parent(tmp_path: Path) -> None:
    mixed = "9009,4876876000000101001,Press,8001,Seat,1,600.00,100.00,500.00,0.00,1\n"
    result = imported(tmp_path, {"Sales_Orders_001.csv": ORDERS, "Ordered_Items_001.csv": ITEMS + mixed})
    columns = "order_line_id, right(order_id, 1), product_id, quantity, CAST(list_price AS DOUBLE), CAST(discount_amount AS DOUBLE), CAST(line_amount AS DOUBLE)"
    assert rows(tmp_path, "order_lines", columns) == [
        ("9001", "1", "8001", 2.0, 1000.25, 0.0, 1000.5),
        ("9002", "2", "8001", 1.0, 600.0, 100.0, 500.0),
        ("9003", "3", "8002", 4.0, 20.0, 0.0, 80.0),
    ]
    assert rows(tmp_path, "deal_products", "deal_product_id, right(deal_id, 4)") == [("9009", "1001")]
    told = [(f.table, f.rows_read, f.accepted, f.superseded, f.excluded) for f in result.files]
    assert ("order_lines", 4, 3, 0, 1) in told
    assert unaccounted(result) == []


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({n: german(n, t) for n, t in FILES.items()}, id="German headings and statuses"),
        pytest.param({n: german_numbers(german(n, t)) for n, t in FILES.items()}, id="German amounts, too"),
        pytest.param(BACKUP, id="the data backup with its prefix before ids"),
        pytest.param({n: "\ufeff" + t.replace("\n", "\r\n") for n, t in FILES.items()}, id="from Windows"),
        pytest.param({n: t.encode("utf-16") for n, t in FILES.items()}, id="UTF-16"),
        pytest.param(
            {n: t.replace("Record Id,Sales", "Sales Order Id,Sales").replace("Deal Name", "Potential Name") for n, t in FILES.items()},
            id="other labels",
        ),
    ],
)  # fmt: skip
def test_every_shape_tells_the_same(english: dict[str, Any], tmp_path: Path, files: dict[str, Any]) -> None:
    result = imported(tmp_path, dict(files))
    assert stored(tmp_path) == english
    assert unaccounted(result) == []


def test_a_day_of_the_order_that_the_company_keeps_comes_first(tmp_path: Path) -> None:
    orders = ORDERS.replace("Due Date", "Order Date")
    imported(tmp_path, FILES | {"Sales_Orders_001.csv": orders})
    assert rows(tmp_path, "orders", "right(order_id, 1), order_date") == [
        ("1", date(2026, 4, 30)),
        ("2", date(2026, 4, 1)),
        ("3", date(2026, 4, 2)),
    ]


def test_an_order_with_a_tax_of_its_own_needs_no_items(tmp_path: Path) -> None:
    imported(tmp_path, {"Sales_Orders_001.csv": "\n".join(ORDERS.splitlines()[:2]) + "\n"})
    assert rows(tmp_path, "orders", "CAST(net_amount AS DOUBLE)") == [(1000.5,)]


def test_owner_and_account_without_ids_are_resolved_by_name(tmp_path: Path) -> None:
    users = "Record Id,First Name,Last Name,Role,Status\n4876876000000100001,Ada,Ahrens,Manager,Active\n"
    orders = ORDERS.replace("Sales Order Owner.id", "Old owner").replace("Account Name.id", "Old account")
    imported(tmp_path, FILES | {"Sales_Orders_001.csv": orders, "Users.csv": users})
    assert rows(tmp_path, "orders", "DISTINCT owner_rep_id, account_id") == [
        ("4876876000000100001", "Hüttenwerk GmbH"),
        ("Ben Borg", "Nordkai AG"),
    ]


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        pytest.param(
            "Sales_Orders_001.csv", ",Tax,", ",Levy,",
            "the orders do not tell their tax, so that nobody knows what they are worth without it: export the column Tax as well",
            id="without the column of their tax",
        ),
        pytest.param(
            "Ordered_Items_001.csv", "4876876000000201002", "4876876000000101001",
            "line 3: Grand Total 'its tax is unknown: export the ordered items, too' is not a number",
            id="an order without tax of which the items are missing",
        ),
        pytest.param(
            "Ordered_Items_001.csv", ",95.00,", ",,",
            "line 3: Grand Total 'the tax of its items is unknown: export their column Tax' is not a number",
            id="items without tax that do not add up to the order",
        ),
        pytest.param(
            "Ordered_Items_001.csv", ",95.00,", ",VAT 19%,",
            "line 3: Grand Total '550.00 - VAT 19%' is not a number",
            id="a tax in words",
        ),
        pytest.param(
            "Sales_Orders_001.csv", ",Delivered,", ",On hold,",
            "line 2: Status 'On hold' is not one of the known values",
            id="a status of the company's own",
        ),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_refused(tmp_path: Path, name: str, old: str, new: str, sentence: str) -> None:
    with pytest.raises(ReadError) as refused:
        imported(tmp_path, FILES | {name: FILES[name].replace(old, new)})
    assert sentence in str(refused.value)


def test_a_newer_export_of_an_order_counts_once(tmp_path: Path) -> None:
    newer = ORDERS.replace("2026-04-01 10:00:00\n", "2026-05-01 10:00:00\n").replace(
        ",50.00,0.00,5.00,550.00", ",0.00,0.00,5.00,600.00"
    )
    config = CONFIG + "[import]\nmax_quarantine_share = 0\n"
    result = imported(tmp_path, FILES | {"Sales_Orders_002.csv": newer}, config)
    assert rows(tmp_path, "orders", "CAST(net_amount AS DOUBLE)", "right(order_id, 1) = '2'") == [(505.0,)]
    assert [(f.accepted, f.superseded) for f in result.files if f.table == "orders"] == [(0, 3), (3, 0)]
    assert unaccounted(result) == []
