"""What an import notices that is no reason to refuse a row: kept as the table `import_notes`, with words and an example."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from salestrack.schema import TABLES

NOTES = {
    "same row twice": (
        "rows that stand in this file twice, word for word; they count once",
        "Zeilen, die wortgleich zweimal in dieser Datei stehen; sie zählen einmal",
    ),
    "export against history": (
        "deals that an export shows otherwise than the exported history tells of that day ({what}); the history is used",
        "Deals, die ein Export anders zeigt, als der exportierte Verlauf es für den Tag sagt ({what}); es gilt der Verlauf",
    ),
}
"""Code to the sentence that says it, English and German."""


def create_notes(con: duckdb.DuckDBPyConnection) -> None:
    """The empty table `import_notes`."""
    con.execute(f"CREATE OR REPLACE TABLE import_notes ({TABLES['import_notes'].columns_sql()})")


def note(
    con: duckdb.DuckDBPyConnection,
    code: str,
    table: str,
    counted: tuple[int, int, str],
    what: Sequence[str] = ("", ""),
) -> None:
    """Notes `count` of `n` rows of a table, with the first of them as `file#line`; nothing where there are none."""
    count, n, example = counted
    if not count:
        return
    en, de = (text.format(what=word) for text, word in zip(NOTES[code], what, strict=True))
    con.execute(
        "INSERT INTO import_notes VALUES (?, ?, ?, ?, ?, ?, ?)", [code, table, count, n, en, de, example]
    )
