"""Rows that cannot be used: kept with every reason, file, line and original text, never dropped."""

from __future__ import annotations

import json
from collections.abc import Iterable

import duckdb

from salestrack.errors import ReadError
from salestrack.schema import TABLES
from salestrack.sources.mapping import literal, quoted

REASONS = {
    "missing": ("{column} is empty", "{column} ist leer"),
    "number": ("{column} '{value}' is not a number", "{column} „{value}“ ist keine Zahl"),
    "date": ("{column} '{value}' is not a date", "{column} „{value}“ ist kein Datum"),
    "value": (
        "{column} '{value}' is not one of the known values",
        "{column} „{value}“ ist kein bekannter Wert",
    ),
    "lookup": ("{column} '{value}' cannot be translated", "{column} „{value}“ lässt sich nicht übersetzen"),
    "cells": (
        "the row has {value} cells, the header {column}",
        "die Zeile hat {value} Zellen, die Kopfzeile {column}",
    ),
}
"""Reason code to the sentences that say it, English and German."""

COLUMNS = ", ".join(TABLES["quarantine"].columns)


def create_quarantine(con: duckdb.DuckDBPyConnection) -> None:
    """The empty table `quarantine`."""
    con.execute(f"CREATE OR REPLACE TABLE quarantine ({TABLES['quarantine'].columns_sql()})")


def reason_sql(code: str, column: str, value: str, condition: str) -> str:
    """SQL for one reason as a struct (code, en, de), NULL unless the condition holds."""
    english, german = (_sentence_sql(text, column, value) for text in REASONS[code])
    return _struct(f"{code}:{column}", english, german, condition)


def check_sql(code: str, en: str, de: str, condition: str) -> str:
    """Like `reason_sql`, for a check whose sentences are given."""
    return _struct(code, literal(en), literal(de), condition)


def _struct(code: str, english: str, german: str, condition: str) -> str:
    return f"CASE WHEN {condition} THEN {{'code': {literal(code)}, 'en': {english}, 'de': {german}}} END"


def _sentence_sql(text: str, column: str, value: str) -> str:
    before, marker, after = text.replace("{column}", column).partition("{value}")
    if not marker:
        return literal(before)
    return f"{literal(before)} || coalesce(left({value}, 60), '') || {literal(after)}"


def quarantine_select(con: duckdb.DuckDBPyConnection, table: str, file: str, rows: str) -> int:
    """Adds rows to the quarantine: `rows` selects line, reasons (a list of structs) and original."""
    done = con.execute(
        f"""
        INSERT INTO quarantine ({COLUMNS})
        SELECT {literal(table)}, {literal(file)}, line, CAST(to_json([r.code FOR r IN reasons]) AS VARCHAR),
               array_to_string([r.en FOR r IN reasons], '; '), array_to_string([r.de FOR r IN reasons], '; '),
               original
        FROM ({rows}) ORDER BY line
        """
    ).fetchone()
    return int(done[0]) if done else 0


def quarantine_cells(
    con: duckdb.DuckDBPyConnection, table: str, file: str, width: int, rows: Iterable[tuple[int, int, str]]
) -> int:
    """Adds rows of a wrong width (line, cells, original)."""
    english, german = REASONS["cells"]
    added = [
        (
            table,
            file,
            line,
            json.dumps(["cells"]),
            english.format(value=cells, column=width),
            german.format(value=cells, column=width),
            original,
        )
        for line, cells, original in rows
    ]
    if added:
        con.executemany(f"INSERT INTO quarantine ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", added)
    return len(added)


def quarantine_rows(
    con: duckdb.DuckDBPyConnection, table: str, where: str, code: str, sentence_en: str, sentence_de: str
) -> int:
    """Moves the rows of a typed table that meet a condition to the quarantine; returns how many.

    Parameters
    ----------
    con : connection with the canonical tables and `quarantine`
    table : the canonical table
    where : SQL condition over its columns
    code : the reason's code, such as `rate:missing`
    sentence_en, sentence_de : the reason in words
    """
    bad = con.execute(f"SELECT count(*) FROM {quoted(table)} WHERE {where}").fetchone()
    if not bad or not bad[0]:
        return 0
    as_table(con, table)
    con.execute(
        f"""
        INSERT INTO quarantine ({COLUMNS})
        SELECT {literal(table)}, regexp_extract(source_ref, '^(.*)#', 1),
               TRY_CAST(regexp_extract(source_ref, '#(\\d+)$', 1) AS BIGINT),
               CAST(to_json([{literal(code)}]) AS VARCHAR), {literal(sentence_en)}, {literal(sentence_de)},
               CAST(to_json({quoted(table)}) AS VARCHAR)
        FROM {quoted(table)} WHERE {where}
        """
    )
    con.execute(f"DELETE FROM {quoted(table)} WHERE {where}")
    return int(bad[0])


def as_table(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """A view over stored rows becomes a table before rows are taken from it."""
    kind = con.execute(
        "SELECT table_type FROM information_schema.tables WHERE table_schema = 'main' AND table_name = ?",
        [name],
    ).fetchone()
    if kind and kind[0] == "VIEW":
        con.execute(f"CREATE TABLE {quoted(name + ' kept')} AS SELECT * FROM {quoted(name)}")
        con.execute(f"DROP VIEW {quoted(name)}")
        con.execute(f"ALTER TABLE {quoted(name + ' kept')} RENAME TO {quoted(name)}")


def refuse_too_many(
    con: duckdb.DuckDBPyConnection, file: str, table: str, quarantined: int, facts: int, most: float
) -> None:
    """Stops an import where more than the share `most` of a file's `facts` rows went into quarantine."""
    if quarantined <= most * facts:
        return
    row = con.execute(
        "SELECT line, reason_en FROM quarantine WHERE file = ? AND table_name = ? ORDER BY line LIMIT 1",
        [file, table],
    ).fetchone()
    first = f"line {row[0]}: {row[1]}" if row else "unknown"
    raise ReadError.too_many(file, quarantined, facts, first, most)
