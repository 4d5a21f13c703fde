"""A period and the same time a year, quarter or month before: where both begin and end, and what becomes of words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._facts import By, group_names
from salestrack.kpis._periods import MONTHS
from salestrack.kpis._survival import checked_day
from salestrack.periods import WORDS, Period, PeriodLike

Against: TypeAlias = Literal["year", "quarter", "month"]


@dataclass(frozen=True)
class Pair:
    """The time that is judged and the one before; both end on the same day of their period while it fills."""

    asked: Period
    now: Period
    then: Period
    months: int

    @property
    def open_end(self) -> bool:
        """The end of the period asked for is still to come."""
        return self.asked.end > self.now.end

    def moved(self, words: tuple[str, ...]) -> dict[str, nw.Expr]:
        """The keys of words of the time before, as those of the time that is judged."""
        return {word: nw.col(word) + self.months // MONTHS[word] for word in words}


def pair(
    period: PeriodLike,
    *,
    function: str,
    by: By,
    against: str = "year",
    as_of: date | str | None = None,
    fiscal_year_start: int = 1,
) -> Pair:
    """The period, cut after `as_of`, and the same days `against` before."""
    asked = Period.parse(period, fiscal_year_start=fiscal_year_start)
    now, months = _cut(asked, as_of, function), _months(against, by, function)
    return Pair(asked, now, Period(shifted(now.start, -months), shifted(now.end, -months)), months)


def apart(spans: Pair, function: str) -> Pair:
    """The same spans; refused where a day would lie in both."""
    if spans.then.end > spans.now.start:
        raise KpiError.bad_option(
            function, "period", spans.asked.label, "give one that is not longer than the time it looks back"
        )
    return spans


def shifted(day: date, months: int) -> date:
    """The day so many months later, the last of a shorter month at most."""
    return (pd.Timestamp(day) + pd.DateOffset(months=months)).date()


def _cut(asked: Period, as_of: date | str | None, function: str) -> Period:
    if as_of is None:
        return asked
    day = checked_day(as_of, function)
    if day < asked.start:
        raise KpiError.bad_option(function, "as_of", str(day), f"the period starts later, on {asked.start}")
    return Period(asked.start, min(asked.end, day + timedelta(days=1)))


def _months(against: str, by: By, function: str) -> int:
    if against not in MONTHS:
        raise KpiError.bad_option(function, "against", against, "give 'year', 'quarter' or 'month'")
    can = [word for word, size in MONTHS.items() if size <= MONTHS[against]]
    for word in group_names(by):
        if word in WORDS and word not in can:
            raise KpiError.unusable_word(word, function, can)
    return MONTHS[against]
