"""Days and period words in the engine: whole-number arithmetic there, dates again in the small result.

A month is the number of months since year 0, a day the number of days since 1970; quarters, fiscal years and
ISO weeks follow by whole-number division. No calendar table and no engine's own week functions are needed.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.periods import Period

T = TypeVar("T")
MONTHS = {"month": 1, "quarter": 3, "year": 12}


def floored(numbers: nw.Expr, size: int) -> nw.Expr:
    """Whole numbers divided by a whole number above 0, rounded down: shorter in SQL than `//`.

    The half more keeps divisions clear of whole numbers, also on engines that multiply by the inverse.
    """
    return ((numbers + 0.5) / size).floor().cast(nw.Int64)


def day_number(column: str) -> nw.Expr:
    """Days since 1970-01-01 of a date or timestamp (its calendar day), as a whole number."""
    year = nw.col(column).dt.year().cast(nw.Int64)
    leap_days = floored(year - 1969, 4) - floored(year - 1901, 100) + floored(year - 1601, 400)
    return (year - 1970) * 365 + leap_days + nw.col(column).dt.ordinal_day().cast(nw.Int64) - 1


def last_day(column: str) -> nw.Expr:
    """Days since 1970-01-01 of the last day of the month that a date lies in."""
    at = nw.col(column).dt
    year, month, day = at.year().cast(nw.Int64), at.month().cast(nw.Int64), at.day().cast(nw.Int64)
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    length = nw.when(month.is_in([4, 6, 9, 11])).then(nw.lit(30)).when((month == 2) & leap).then(nw.lit(29))
    days: nw.Expr = length.when(month == 2).then(nw.lit(28)).otherwise(nw.lit(31))
    return day_number(column) - day + days


def month_number(column: str) -> nw.Expr:
    """Months since year 0."""
    return nw.col(column).dt.year().cast(nw.Int64) * 12 + nw.col(column).dt.month().cast(nw.Int64) - 1


def word_key(word: str, column: str, fiscal_year_start: int = 1) -> nw.Expr:
    """The whole number of the day, week (from Monday), month, quarter or year that a date lies in."""
    if word == "day":
        return day_number(column)
    if word == "week":
        return floored(day_number(column) + 3, 7)
    return month_word(word, month_number(column), fiscal_year_start)


def month_word(word: str, months: T, fiscal_year_start: int = 1) -> T:
    """The number of the month, (fiscal) quarter or year for a number of months."""
    if word == "month":
        return months
    shifted: Any = months
    since = shifted - (fiscal_year_start - 1)
    return floored(since, MONTHS[word]) if isinstance(since, nw.Expr) else since // MONTHS[word]  # type: ignore[return-value]


def word_start(word: str, keys: pd.Series[Any], fiscal_year_start: int = 1) -> pd.Series[Any]:
    """The first day of each period as a timestamp; a missing number gives NaT.

    >>> list(word_start("quarter", pd.Series([2026 * 4 + 2])))
    [Timestamp('2026-07-01 00:00:00')]
    """
    numbers = keys.astype("Int64")
    known = numbers.fillna(0).to_numpy(dtype="int64")
    if word in ("day", "week"):
        starts = (known * 7 - 3 if word == "week" else known).astype("datetime64[D]")
    else:
        size = MONTHS[word]
        months = known * size + (fiscal_year_start - 1 if word != "month" else 0)
        starts = (months - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]")
    out = pd.Series(starts.astype("datetime64[us]"), index=keys.index, name=keys.name)
    return out.mask(numbers.isna().to_numpy(dtype=bool))


def within(column: str, dtype: Any, period: Period) -> nw.Expr:
    """True from the first day of the period up to, not including, its end."""
    return (nw.col(column) >= literal(period.start, dtype)) & (nw.col(column) < literal(period.end, dtype))


def until(column: str, schema: nw.Schema, day: date) -> nw.Expr:
    """True where a date or time is known and no later than the day.

    The bare column is compared: files and their parts are left out by it, and nothing is worked out for the others.
    """
    return nw.col(column) < literal(day + timedelta(days=1), schema[column])


def literal(day: date, dtype: Any) -> nw.Expr:
    """A day as a literal that compares with a column of this type."""
    return nw.lit(day) if dtype == nw.Date else nw.lit(datetime.combine(day, time()))


def number_of(day: date) -> int:
    """Days since 1970-01-01.

    >>> number_of(date(1970, 1, 2))
    1
    """
    return day.toordinal() - date(1970, 1, 1).toordinal()


def weekdays(period: Period) -> int:
    """Mondays to Fridays in a period.

    >>> weekdays(Period.month("2026-10"))
    22
    """
    return int(np.busday_count(period.start, period.end))
