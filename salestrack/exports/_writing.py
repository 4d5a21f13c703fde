"""What the writers share: the company's time zone, words of the user's language, numbers and times as text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from salestrack.config import load_config
from salestrack.sources.mapping import FOLDER, literal, quoted, read_mapping

if TYPE_CHECKING:
    from salestrack.exports import Language


def zone_of(folder: Path) -> str:
    """The time zone of the company whose raw files of one system lie in the folder."""
    return load_config(folder.parent.parent).time_zone


def local(stamp: str, zone: str, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """SQL for a UTC time as text of a time zone.

    >>> duckdb.sql("SELECT " + local("TIMESTAMP '2026-07-01 08:00:00'", "Europe/Berlin")).fetchall()
    [('2026-07-01 10:00:00',)]
    """
    return f"strftime({stamp} AT TIME ZONE 'UTC' AT TIME ZONE {literal(zone)}, {literal(form)})"


def plain(number: str) -> str:
    """SQL for a decimal number as text without zeros at its end.

    >>> duckdb.sql("SELECT " + plain("CAST(1200.5 AS DECIMAL(19, 4))") + ", " + plain("CAST(1200 AS DECIMAL(19, 4))")).fetchall()
    [('1200.5', '1200')]
    """
    return f"regexp_replace(CAST(CAST({number} AS DECIMAL(19, 4)) AS VARCHAR), '\\.?0+$', '')"


def words(values: str, told: dict[str, tuple[str, str]], language: Language) -> str:
    """SQL for a column's values in the words of a language: (English, German) of each."""
    place = 1 if language == "de" else 0
    whens = " ".join(f"WHEN {literal(value)} THEN {literal(both[place])}" for value, both in told.items())
    return f"CASE {values} {whens} END"


def headed(con: duckdb.DuckDBPyConnection, query: str, system: str, language: Language) -> str:
    """A query with its headings in the language: the first that the system's mapping knows for each."""
    if language == "en":
        return query
    german: dict[str, str] = {}
    for heading, meant in read_mapping(FOLDER / f"{system}.toml").headings.items():
        german.setdefault(meant, heading)
    columns = [row[0] for row in con.execute(f"DESCRIBE {query}").fetchall()]
    renamed = ", ".join(f"{quoted(name)} AS {quoted(german.get(name, name))}" for name in columns)
    return f"SELECT {renamed} FROM ({query})"
