"""Days, weeks, months, quarters and fiscal years as text."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
from babel.dates import format_date

from salestrack.i18n.numbers import NBSP
from salestrack.i18n.style import Style
from salestrack.periods import month_index

if TYPE_CHECKING:
    from salestrack.i18n.words import Words


def day(words: Words, value: object, style: Style) -> str:
    """`31 Oct 2026`, `31.10.2026`."""
    return str(
        format_date(_to_date(value), "dd.MM.y" if words.language == "de" else "d MMM y", words.language)
    )


def week(words: Words, value: object, style: Style) -> str:
    """`week 44, 2026`, by ISO 8601."""
    of_year, number, _ = _to_date(value).isocalendar()
    return words.text("week", week=number, year=of_year)


def month(words: Words, value: object, style: Style) -> str:
    """`October 2026`, `Oct 2026`."""
    return str(format_date(_to_date(value), "MMM y" if style.compact else "MMMM y", words.language))


def quarter(words: Words, value: object, style: Style) -> str:
    """`Q1 2026` of the fiscal year."""
    number, months = _fiscal(words, _to_date(value))
    return f"Q{months // 3 + 1}{NBSP}{_year_name(words, number)}"


def year(words: Words, value: object, style: Style) -> str:
    """A fiscal year by its number or a day in it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _year_name(words, value)
    return _year_name(words, _fiscal(words, _to_date(value))[0])


def _fiscal(words: Words, day: date) -> tuple[int, int]:
    """The fiscal year (numbered after the calendar year in which it ends) and the months since its start."""
    offset = words.fiscal_year_start - 1
    number, months = divmod(month_index(day) - offset, 12)
    return number + (offset > 0), months


def _year_name(words: Words, number: int) -> str:
    return str(number) if words.fiscal_year_start == 1 else words.text("fiscal_year", year=number)


def _to_date(value: object) -> date:
    stamp = pd.Timestamp(cast(Any, value))
    return date(stamp.year, stamp.month, stamp.day)
