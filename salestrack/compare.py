"""The same month by our definitions and by the habits of other systems, with the reason for each difference.

The habits stand in habits.toml: which figure, whose habit, their arithmetic as SQL, the reason in both languages.
"""

from __future__ import annotations

import inspect
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

import pandas as pd

from salestrack import kpis
from salestrack.book import Book
from salestrack.i18n import Language, Words
from salestrack.periods import Period

COLUMNS = ("figure", "part", "unit", "system", "ours", "theirs", "difference", "reason_en", "reason_de")


@dataclass(frozen=True)
class Habit:
    """How a system works out a figure that bears the name of one of ours."""

    figure: str
    system: str
    en: str
    de: str
    sql: str = ""
    ours: str = ""
    theirs: str = ""


@cache
def habits() -> tuple[Habit, ...]:
    """All habits, in the order of the file.

    >>> habits()[0].figure, habits()[0].system
    ('bookings', 'Salesforce')
    """
    text = (files("salestrack") / "habits.toml").read_text(encoding="utf-8")
    return tuple(Habit(**entry) for entry in tomllib.loads(text)["habit"])


def compare(book: Book) -> pd.DataFrame:
    """Our figures of the book's month beside those that other systems would show.

    Formula: difference = theirs - ours, both from the same tables, as of the same day.

    Parameters
    ----------
    book : as of the last day of the month

    Returns
    -------
    One row per figure, system and part (for example stage): `figure`, `part` (empty without parts), `unit`,
    `system`, `ours`, `theirs`, `difference`, `reason_en`, `reason_de`. A figure for which the company has no
    table is left out; where one side has no figure, it is NaN.
    """
    rows = [row for habit in habits() for row in _rows(book, habit)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(book: Book, habit: Habit) -> list[dict[str, object]]:
    function = getattr(kpis, habit.figure)
    parameters = inspect.signature(function).parameters
    frames = [name for name in parameters if name in book.tables]
    if not book.has(*frames):
        return []
    result = book.kpi(function, **_period(book, habit.figure, list(parameters)))
    mine = _ours(result, habit)
    other = _theirs(book, result, habit)
    unit = "count" if habit.ours == "n" else function.card.unit
    return [
        {
            "figure": habit.figure,
            "part": part,
            "unit": unit,
            "system": habit.system,
            "ours": ours,
            "theirs": other.get(part, float("nan")),
            "difference": other.get(part, float("nan")) - ours,
            "reason_en": habit.en,
            "reason_de": habit.de,
        }
        for part, ours in mine.items()
    ]


def _period(book: Book, figure: str, parameters: list[str]) -> dict[str, Period]:
    """The book's month; its quarter for coverage; nothing for figures that have no period."""
    if "period" not in parameters:
        return {}
    return {"period": _quarter(book) if figure == "pipeline_coverage" else book.month}


def _quarter(book: Book) -> Period:
    return book.month.containing("quarter", fiscal_year_start=book.config.fiscal_year_start_month)


def _ours(result: pd.DataFrame, habit: Habit) -> dict[str, float]:
    column = habit.ours or habit.figure
    if "stage_name" in result:
        return dict(zip(result["stage_name"], result[column].astype(float), strict=True))
    return {"": float(result[column].sum(min_count=1) if len(result) != 1 else result[column].iloc[0])}


def _theirs(book: Book, result: pd.DataFrame, habit: Habit) -> dict[str, float]:
    if habit.theirs:
        return {"": float(result[habit.theirs].iloc[0])}
    quarter = _quarter(book)
    filled = habit.sql
    for name, day in (
        ("start", book.month.start),
        ("end", book.month.end),
        ("quarter_start", quarter.start),
        ("quarter_end", quarter.end),
        ("as_of", book.as_of),
    ):
        filled = filled.replace(f"{{{name}}}", _day(day))
    table = book.sql(filled.replace("{currency}", f"'{book.config.currency}'")).df()
    parts = table["part"] if "part" in table else [""] * len(table)
    return dict(zip(parts, table["theirs"].astype(float), strict=True))


def _day(day: date) -> str:
    return f"DATE '{day}'"


def as_text(table: pd.DataFrame, words: Words) -> str:
    """The comparison for the eye: per figure ours, then each system with its figure, the difference and the reason."""
    if table.empty:
        return words.text("no_data")
    lines: list[str] = []
    language: Language = words.language
    for (figure, part), rows in table.groupby(["figure", "part"], sort=False):
        unit = rows["unit"].iloc[0]
        title = kpis.CARDS[str(figure)].label(language) + (f", {part}" if part else "")
        lines += ["", f"{title}: {words.fmt(rows['ours'].iloc[0], unit)}"]
        for row in rows.to_dict("records"):
            theirs = words.fmt(row["theirs"], unit)
            change = words.fmt(row["difference"], "difference" if unit == "share" else unit, signed=True)
            lines.append(f"  {row['system']}: {theirs} ({change})")
            lines.append(f"    {row['reason_' + language]}")
    return "\n".join(lines[1:])
