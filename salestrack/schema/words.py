"""The tables in the words of people who fill them in by hand, in English and German.

English headings are made from the columns' names, German words stand in `headings_de.toml`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from salestrack.schema import TABLES

Language = Literal["de", "en"]

_GERMAN: dict[str, Any] = tomllib.loads(
    (Path(__file__).parent / "headings_de.toml").read_text(encoding="utf-8")
)
_SHORT = {"id", "mql", "sal", "sql", "arr", "mrr", "acv", "tcv", "utm"}
_DURATION = {"duration_s": "Duration (hours:minutes)"}
_DELETED = ("Gelöscht", "ja, wenn die Zeile nicht mehr gilt; leer steht für nein")

NOTES = ("Column", "Meaning", "Needed", "Values")
NOTES_DE = {"Spalte": "Column", "Bedeutung": "Meaning", "Nötig": "Needed", "Werte": "Values"}
"""The headings of the sheet that explains a table, and their German words."""

FILLED = tuple(name for name in _GERMAN if name != "values")
"""The tables that there are words for: those that a company may keep by hand."""


def title(table: str, language: Language) -> str:
    """A table's title: the name of its sheet and file.

    >>> title("order_lines", "en"), title("order_lines", "de")
    ('Order lines', 'Auftragspositionen')
    """
    return str(_GERMAN[table]["title"]) if language == "de" else _spoken(table)


def one_row(table: str, language: Language) -> str:
    """What one row of a table is.

    >>> one_row("teams", "de")
    'ein Team'
    """
    return str(_GERMAN[table]["row"]) if language == "de" else TABLES[table].row


def heading(table: str, column: str, language: Language) -> str:
    """A column's heading.

    >>> heading("deals", "deal_id", "en"), heading("deals", "deal_id", "de")
    ('Deal ID', 'Chancen-ID')
    """
    if language == "de":
        return str(_german(table, column)[0])
    return _DURATION.get(column) or _spoken(column)


def meaning(table: str, column: str, language: Language) -> str:
    """What belongs into a column.

    >>> meaning("teams", "team_name", "de")
    'Name für Auswertungen'
    """
    if language == "de":
        return str(_german(table, column)[1])
    found = TABLES[table].columns[column]
    empty = found.null_rule or ("no" if column == "is_deleted" else found.default or "")
    empty = empty.replace("{currency}", "the company's currency")
    return found.meaning + (f"; empty means: {empty}" if empty else "")


def value(column: str, plain: str, language: Language) -> str:
    """The word for one of the values of a column.

    >>> value("status", "won", "de"), value("deal_type", "other", "en"), value("outcome", "no_show", "en")
    ('gewonnen', 'other', 'no show')
    """
    return str(_GERMAN["values"][column][plain]) if language == "de" else plain.replace("_", " ")


def other_words(table: str) -> dict[str, str]:
    """Every other heading of a table's columns, in both languages, with the column that it means."""
    columns = [name for name in TABLES[table].imported if name not in ("source_system", "source_ref")]
    english = {heading(table, name, "en"): name for name in columns if name != "custom_fields"}
    german = {heading(table, name, "de"): name for name in _german_columns(table)}
    return english | german


def _german_columns(table: str) -> tuple[str, ...]:
    return (*_GERMAN[table]["columns"], "is_deleted") if table in FILLED else ()


def _german(table: str, column: str) -> Any:
    return _DELETED if column == "is_deleted" else _GERMAN[table]["columns"][column]


def _spoken(name: str) -> str:
    words = [word.upper() if word in _SHORT else word for word in name.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])
