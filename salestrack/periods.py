"""Months, quarters, fiscal years and ISO weeks as half-open spans of days; no clock anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias

from salestrack.errors import InputError

WORDS = ("day", "week", "month", "quarter", "year")
MONTHS_IN = {"month": 1, "quarter": 3, "year": 12}


def month_start(index: int) -> date:
    """First day of the month with this index (months since year 0).

    >>> month_start(2026 * 12 + 9)
    datetime.date(2026, 10, 1)
    """
    return date(index // 12, index % 12 + 1, 1)


def month_index(day: date) -> int:
    """Months since year 0, the inverse of `month_start`.

    >>> month_index(date(2026, 10, 31)) - month_index(date(2025, 12, 1))
    10
    """
    return day.year * 12 + day.month - 1


@dataclass(frozen=True)
class Period:
    """The days from `start` up to, not including, `end`.

    >>> Period.parse("2026-10")
    Period(start=datetime.date(2026, 10, 1), end=datetime.date(2026, 11, 1))
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise InputError(f"a period must end after it starts, not run from {self.start} to {self.end}")

    @classmethod
    def month(cls, text: str) -> Period:
        """The month written `2026-10`; anything else is refused.

        >>> Period.month("2026-02").days
        28
        """
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", str(text), re.ASCII):
            raise InputError.bad_month(str(text))
        year, month = map(int, text.split("-"))
        return cls.months(date(year or _refuse(text), month, 1), 1)

    @classmethod
    def months(cls, start: date, count: int) -> Period:
        """`count` whole months from the first of a month."""
        return cls(start, month_start(month_index(start) + count))

    @classmethod
    def parse(
        cls, text: str | Period | tuple[str | date, str | date], *, fiscal_year_start: int = 1
    ) -> Period:
        """A month `2026-10`, quarter `2026-Q3`, (fiscal) year `2026`, day `2026-10-31` or a pair of days.

        A fiscal year bears the number of the calendar year in which it ends.

        >>> Period.parse("2018", fiscal_year_start=7).start
        datetime.date(2017, 7, 1)
        >>> Period.parse("2026-Q3").end
        datetime.date(2026, 10, 1)
        """
        if isinstance(text, Period):
            return text
        if isinstance(text, tuple):
            start, end = (_day(part) for part in text)
            return cls(start, end)
        if re.fullmatch(r"\d{4}-\d{2}", text, re.ASCII):
            return cls.month(text)
        if found := re.fullmatch(r"(\d{4})(?:-Q([1-4]))?", text, re.ASCII):
            year, quarter = int(found[1]) or _refuse(text), found[2]
            first = (year - (fiscal_year_start > 1)) * 12 + fiscal_year_start - 1
            if quarter:
                return cls.months(month_start(first + 3 * (int(quarter) - 1)), 3)
            return cls.months(month_start(first), 12)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            start = _day(text)
            return cls(start, start + timedelta(days=1))
        raise InputError.bad_period(text)

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days

    @property
    def last_day(self) -> date:
        """The last day that belongs to the period."""
        return self.end - timedelta(days=1)

    @property
    def label(self) -> str:
        """`2026-10` for a month, else the first and last day."""
        if Period.months(self.start.replace(day=1), 1) == self:
            return f"{self.start:%Y-%m}"
        return f"{self.start} to {self.last_day}"

    def shifted(self, months: int) -> Period:
        """The same span `months` later (or earlier); whole months stay whole months.

        >>> Period.month("2026-01").shifted(-1).label
        '2025-12'
        """
        count = month_index(self.end) - month_index(self.start)
        if self.start.day != 1 or self.end.day != 1:
            raise InputError(f"only periods of whole months can be shifted by months, not {self.label}")
        return Period.months(month_start(month_index(self.start) + months), count)

    def trailing(self, months: int) -> Period:
        """The `months` whole months that end with this period.

        >>> Period.month("2026-10").trailing(12).start
        datetime.date(2025, 11, 1)
        """
        return Period(month_start(month_index(self.end) - months), self.end)

    def containing(self, word: str, *, fiscal_year_start: int = 1) -> Period:
        """The (fiscal) month, quarter or year in which this period starts.

        >>> Period.month("2026-08").containing("quarter").label
        '2026-07-01 to 2026-09-30'
        """
        size = MONTHS_IN[word]
        offset = fiscal_year_start - 1
        first = (month_index(self.start) - offset) // size * size + offset
        return Period.months(month_start(first), size)

    def each_month(self) -> Iterator[Period]:
        """Its months in order."""
        for index in range(month_index(self.start), month_index(self.end)):
            yield Period.months(month_start(index), 1)

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end


PeriodLike: TypeAlias = str | Period | tuple[str | date, str | date]


def _day(value: str | date) -> date:
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise InputError(f"'{value}' is not a day: write it as 2026-10-31") from None


def _refuse(text: str) -> int:
    raise InputError.bad_period(text)
