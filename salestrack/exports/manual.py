"""Workbooks for what a company keeps by hand: empty as templates, or filled with the invented company.

One workbook per table, so that whoever keeps a list has it alone: the sheet to fill in, with the forms of dates and
numbers and the choice of values set, and a sheet that explains its columns. There are no macros. The import reads them
by the project's own mapping.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import xlsxwriter

from salestrack.config import load_config
from salestrack.errors import CannotWrite, InputError
from salestrack.schema import TABLES as SCHEMA
from salestrack.schema import Column, words
from salestrack.schema.words import Language
from salestrack.sources.mapping import FILLED_BY_US, literal, quoted, required

TABLES = words.FILLED
LOST: dict[str, tuple[str, str]] = {
    "custom_fields": (
        "Columns that have no meaning here are not in the templates; a company may add them.",
        "Spalten ohne Bedeutung hier stehen nicht in den Vorlagen; eine Firma darf sie anfügen.",
    ),
    "deal_stage_history": (
        "A list kept by hand shows deals as they are now; changes are found by comparing the lists of two days.",
        "Eine Liste von Hand zeigt den jetzigen Stand; Änderungen zeigt der Vergleich der Listen zweier Tage.",
    ),
}

_MADE_ON = datetime(2026, 1, 1)
_SAFE = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_YES_NO = {"de": ("ja", "nein"), "en": ("yes", "no")}
_DAY = {"de": "dd.mm.yyyy", "en": "yyyy-mm-dd"}
_FORMS = {
    "money": "#,##0.00",
    "rate": "0.0000####",
    "share": "0.0 %",
    "seconds": "[h]:mm:ss",
    "count": "0",
    "integer": "0",
    "number": "General",
}
_SAID = {
    "de": ("Hinweise", "Eine Zeile ist", tuple(words.NOTES_DE), "nötig"),
    "en": ("Notes", "One row is", words.NOTES, "needed"),
}
"""Title of the sheet of explanations, how it begins, its headings, and the word for columns that must be filled."""


def templates(out: Path, language: Language = "en", tables: Sequence[str] = ()) -> list[Path]:
    """Writes an empty workbook for each table into the folder `out`; all tables where none is named.

    Returns the files. Raises InputError for an unknown table, CannotWrite where a file is there already.
    """
    names = [_table(name) for name in tables] or list(words.FILLED)
    paths = [out / f"{words.title(name, language)}.xlsx" for name in names]
    for path in paths:
        if path.exists():
            raise CannotWrite(
                f"{path} is there already: give another folder, or move the filled list into raw/"
            )
    out.mkdir(parents=True, exist_ok=True)
    for name, path in zip(names, paths, strict=True):
        _workbook(path, name, language, ())
    return paths


def _table(name: str) -> str:
    """The table that somebody calls by its name or by its title in either language."""
    known = {table: table for table in words.FILLED}
    for table in words.FILLED:
        known |= {words.title(table, "de").casefold(): table, words.title(table, "en").casefold(): table}
    if name.casefold() not in known:
        raise InputError.unknown_name("template", name, words.FILLED)
    return known[name.casefold()]


def write(con: duckdb.DuckDBPyConnection, folder: Path, language: Language) -> None:
    """Writes the company's tables as filled workbooks; times are local ones, as people write them."""
    zone = load_config(folder.parents[1]).time_zone
    for name in words.FILLED:
        rows = con.execute(
            f"SELECT {', '.join(_cell(c, zone) for c in _columns(name))} FROM {quoted(name)} ORDER BY ALL"
        )
        if first := rows.fetchmany(1):
            _workbook(folder / f"{words.title(name, language)}.xlsx", name, language, _all(first, rows))


def _all(first: list[Any], rest: duckdb.DuckDBPyConnection) -> Iterable[tuple[Any, ...]]:
    yield from first
    while some := rest.fetchmany(2000):
        yield from some


def _columns(table: str) -> list[Column]:
    return [column for name, column in SCHEMA[table].imported.items() if name not in FILLED_BY_US]


def _cell(column: Column, zone: str) -> str:
    """A column as a person writes it; an hour that the clock shows twice is written in UTC, as text."""
    name = quoted(column.name)
    if column.type != "timestamp":
        return name
    local = f"({name} AT TIME ZONE 'UTC' AT TIME ZONE {literal(zone)})"
    back = f"({local} AT TIME ZONE {literal(zone)} AT TIME ZONE 'UTC')"
    return (
        f"{{'at': CASE WHEN {back} = {name} THEN {local} END, "
        f"'text': CASE WHEN {back} <> {name} THEN strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ') END}} AS {name}"
    )


# One workbook


def _workbook(path: Path, table: str, language: Language, rows: Iterable[tuple[Any, ...]]) -> None:
    with xlsxwriter.Workbook(str(path), _SAFE | {"constant_memory": True}) as book:
        book.set_properties({"created": _MADE_ON})
        _sheet(book, table, language, rows)
        _notes(book, table, language)


def _sheet(book: Any, table: str, language: Language, rows: Iterable[tuple[Any, ...]]) -> None:
    sheet = book.add_worksheet(words.title(table, language))
    columns = _columns(table)
    needed = required(SCHEMA[table])
    forms = [book.add_format({"num_format": _form(column, language)}) for column in columns]
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(columns):
        heading = words.heading(table, column.name, language)
        sheet.set_column(place, place, max(12, len(heading) + 2), forms[place])
        sheet.data_validation(1, place, 1_048_575, place, _choice(table, column, language))
        sheet.write_string(0, place, heading, book.add_format(_header(column.name in needed)))
    for number, row in enumerate(rows, start=1):
        for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
            _fill(sheet, (number, place), column, cell, forms[place], language)


def _header(needed: bool) -> dict[str, Any]:
    colour = {"bg_color": "#1f4e79", "font_color": "#ffffff"} if needed else {"bg_color": "#d9e2ec"}
    return {"bold": True, "num_format": "@"} | colour


def _form(column: Column, language: Language) -> str:
    if column.type == "date":
        return _DAY[language]
    if column.type == "timestamp":
        return f"{_DAY[language]} hh:mm"
    return _FORMS.get(column.type, "@" if column.type in ("id", "text", "currency") else "General")


def _choice(table: str, column: Column, language: Language) -> dict[str, Any]:
    """What a cell may hold, and the sentence shown beside it."""
    heading = words.heading(table, column.name, language)
    said = {"input_title": heading[:32], "input_message": words.meaning(table, column.name, language)[:255]}
    if values := _values(column, language):
        return said | {"validate": "list", "source": list(values), "error_type": "stop"}
    return said | {"validate": "any"}


def _values(column: Column, language: Language) -> tuple[str, ...]:
    if column.type == "flag":
        return _YES_NO[language]
    return tuple(words.value(column.name, value, language) for value in column.values)


def _fill(sheet: Any, at: tuple[int, int], column: Column, cell: Any, form: Any, language: Language) -> None:
    if isinstance(cell, dict):
        cell = cell["at"] or cell["text"]
    if cell is None:
        return
    if isinstance(cell, bool):
        sheet.write_string(*at, _YES_NO[language][not cell], form)
    elif isinstance(cell, date):
        sheet.write_datetime(*at, cell, form)
    elif isinstance(cell, int | float | Decimal):
        sheet.write_number(*at, float(cell) / (86_400 if column.type == "seconds" else 1), form)
    else:
        text = words.value(column.name, cell, language) if column.values else str(cell)
        sheet.write_string(*at, text, form)


def _notes(book: Any, table: str, language: Language) -> None:
    """The sheet that says what one row is and what each column means."""
    title, begins, headings, needed = _SAID[language]
    sheet = book.add_worksheet(title)
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    for place, width in enumerate((30, 80, 10, 60)):
        sheet.set_column(place, place, width)
    sheet.write_string(0, 0, f"{begins} {words.one_row(table, language)}.", bold)
    sheet.write_row(2, 0, headings, bold)
    for number, column in enumerate(_columns(table), start=3):
        sheet.write_row(number, 0, _explained(table, column, language, needed), wrapped)


def _explained(table: str, column: Column, language: Language, needed: str) -> tuple[str, str, str, str]:
    must = needed if column.name in required(SCHEMA[table]) else ""
    heading, meant = (said(table, column.name, language) for said in (words.heading, words.meaning))
    return heading, meant, must, ", ".join(_values(column, language))
