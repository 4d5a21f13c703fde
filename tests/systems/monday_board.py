"""A board of monday.com's with its groups, items and subitems, written as a workbook or as CSV."""

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import xlsxwriter

from salestrack.importing import ImportResult

Row = list[Any]
HEADER = [
    "Name", "Subitems", "Owner", "Stage", "Deal value", "Currency", "Close date", "Closed on", "Created at", "Notes", "Notes",
    "Item ID (auto generated)",
]  # fmt: skip
INNER = ["Subitems", "Name", "Quantity", "Unit price", "Line amount", "Item ID (auto generated)"]
BOARD: list[Row] = [
    ["Sales"],
    ["Open deals"],
    HEADER,
    ["Alpha", "", "Anna Weber", "Offer", 9000, "EUR", date(2026, 5, 31), None, "May 2, 2025 3:04 PM", "a", "b", "8396967148"],
    INNER,
    ["", "Saw", 2, 4000, 8000, "9000000001"],
    ["", "Service", 1, 1000, 1000, "9000000002"],
    ["Beta", "", "Ben Klein, Anna Weber", "Offer", None, "EUR", None, None, "Apr 17, 2025 11:41 AM", "", "", "8345080496"],
    [None, None, None, None, 9000],
    [],
    ["Closed deals"],
    HEADER,
    ["Gamma", "", "Anna Weber", "Won", 1200.5, "EUR", date(2026, 3, 2), date(2026, 3, 2), "Feb 18, 2025 1:38 PM", "", "", "8365173510"],
    INNER,
    ["", "Saw", 1, 1200.5, 1200.5, "9000000003"],
    ["", "", "", "", 1200.5],
    ["Delta", "", "", "Lost", 500, "EUR", date(2026, 3, 5), date(2026, 3, 5), "Feb 19, 2025 12:10 AM", "", "", "8365173511"],
    [None, None, None, None, 1700.5],
]  # fmt: skip


def workbook(folder: Path, sheets: dict[str, list[Row]], name: str = "Sales_1700000000.xlsx") -> Path:
    """A board as monday writes it to a workbook, with real days."""
    path = folder / "raw" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_boards(path, sheets)
    return folder


def write_boards(path: Path, sheets: dict[str, list[Row]]) -> bytes:
    """A workbook with a sheet for each board; gives its content."""
    with xlsxwriter.Workbook(path) as book:
        day = book.add_format({"num_format": "m/d/yyyy"})
        for title, board in sheets.items():
            sheet = book.add_worksheet(title)
            for place, row in enumerate(board):
                for column, cell in enumerate(row):
                    if isinstance(cell, date):
                        sheet.write_datetime(place, column, cell, day)
                    elif cell not in (None, ""):
                        sheet.write(place, column, cell)
    return path.read_bytes()


def text(board: list[Row], delimiter: str = ",") -> str:
    """A board as CSV, every row as wide as it is."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(board)
    return out.getvalue()


def balanced(result: ImportResult) -> bool:
    return all(
        f.rows_read == f.accepted + f.superseded + f.excluded + f.footer and not f.quarantined
        for f in result.files
    )
