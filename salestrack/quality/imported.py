"""What the import did with every row and with the money in it, and what it noticed."""

from __future__ import annotations

import json
from decimal import Decimal

import pandas as pd

from salestrack.book import Book

USES = ("accepted", "superseded", "quarantined", "excluded", "footer")
"""What can become of a row that was read; together they are all rows read."""


def loads(book: Book) -> pd.DataFrame:
    """What each load did with the rows of its file, one row per file and table.

    Formula: rows read = accepted + superseded + quarantined + excluded + footer.

    Returns
    -------
    `file, system, table_name, encoding, rows_read`, the five uses, `unmapped` (columns without a meaning
    here, kept with the row), `balanced` (the formula holds), `level`: fail if it does not, warn if rows
    were refused.
    """
    columns = ["file", "system", "table_name", "encoding", "rows_read", *USES, "unmapped"]
    table: pd.DataFrame = book.load_log.project(", ".join(columns)).df()
    table = table.sort_values(["file", "table_name"], ignore_index=True)
    table["unmapped"] = table["unmapped"].map(_names)
    table["balanced"] = (table[list(USES)].sum(axis=1) == table["rows_read"]).astype(bool)
    level = pd.Series("ok", index=table.index).mask(table["quarantined"] > 0, "warn")
    return table.assign(level=level.where(table["balanced"], "fail"))


def _names(text: object) -> str:
    """A JSON list of column names as they are read aloud; empty without one."""
    return ", ".join(map(str, json.loads(text))) if isinstance(text, str) else ""


def amounts(book: Book) -> pd.DataFrame:
    """What became of the money in each file, by canonical column, in the currencies of the file.

    Formula: the amounts read = accepted + superseded + quarantined.

    Returns
    -------
    `file, table_name, column, accepted, superseded, quarantined` as exact decimals; a refused cell that is no number
    adds nothing.
    """
    columns = ["file", "table_name", "column", "accepted", "superseded", "quarantined"]
    log = book.load_log.filter("amounts IS NOT NULL").project("file, table_name, amounts").fetchall()
    rows = [
        (file, table, column, *(Decimal(sums.get(use, "0")) for use in columns[3:]))
        for file, table, text in log
        for column, sums in json.loads(text).items()
    ]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:3], ignore_index=True)


def quarantine(book: Book) -> pd.DataFrame:
    """Refused rows counted by table and reason, the most frequent first.

    Returns
    -------
    `table_name, reasons, reason_en, reason_de, n, example`: the texts and `example` (`file#line`) are those
    of the first such row.
    """
    first = "min_by({}, (file, line))"
    where = first.format("file || '#' || line")
    made = book.table("quarantine").aggregate(
        f"table_name, reasons, {first.format('reason_en')} AS reason_en, {first.format('reason_de')} AS "
        f"reason_de, "
        f"count(*) AS n, {where} AS example"
    )
    table: pd.DataFrame = made.df()
    order = ["n", "table_name", "reasons"]
    return table.sort_values(order, ascending=[False, True, True], ignore_index=True)


def notes(book: Book) -> pd.DataFrame:
    """What the import noticed that was no reason to refuse a row, all of it worth a look.

    Returns
    -------
    `code, table, count, n, level, en, de, example`: `count` of `n` rows (of deals for their history), in words, and the
    first of them as `file#line`; the level is warn.
    """
    made = book.table("import_notes").project('code, table_name AS "table", count, n, en, de, example')
    table: pd.DataFrame = made.df().sort_values(["code", "table", "example"], ignore_index=True)
    table.insert(4, "level", "warn")
    return table
