"""Seconds in the engine: on the wall, or on a clock that runs during business hours only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import narwhals as nw

from salestrack.errors import KpiError
from salestrack.kpis._facts import Facts
from salestrack.kpis._frames import flag
from salestrack.kpis._periods import day_number, floored, number_of

DAY = 86_400


@dataclass(frozen=True)
class BusinessHours:
    """When somebody is there to answer: hours of the day and weekdays (Monday is 0) in a time zone.

    `zone` is the one that people work in; the frames' timestamps are in UTC. `holidays` are local days.
    """

    opens: float = 9
    closes: float = 17
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    zone: str = "UTC"
    holidays: tuple[date, ...] = ()

    def check(self, function: str) -> None:
        """An error for hours or weekdays that cannot be."""
        if not 0 <= self.opens < self.closes <= 24:
            hours = (self.opens, self.closes)
            raise KpiError.bad_option(function, "business_hours", hours, "give opens < closes, 0 to 24")
        if not self.weekdays or not set(self.weekdays) <= set(range(7)):
            cure = "give weekdays between 0 (Monday) and 6"
            raise KpiError.bad_option(function, "business_hours", self.weekdays, cure)


def seconds(column: str, dtype: Any) -> nw.Expr:
    """Seconds since 1970 of a timestamp, as a whole number; of a date its midnight."""
    midnight = day_number(column) * DAY
    if dtype == nw.Date:
        return midnight
    at = nw.col(column).dt
    return (
        midnight
        + at.hour().cast(nw.Int64) * 3600
        + at.minute().cast(nw.Int64) * 60
        + at.second().cast(nw.Int64)
    )


def worked(x: Facts, hours: BusinessHours, until: int, *columns: str) -> Facts:
    """With these columns (seconds in UTC) as business seconds since 1970; time zones up to the day number `until`."""
    weekdays = sorted(set(hours.weekdays))
    off = sorted(map(number_of, set(hours.holidays)))
    holidays = [day for day in off if (day + 3) % 7 in weekdays]
    first, changes = zone_changes(hours.zone, until - 30 * 365, until + 2)
    x = x.mark(
        **{c: nw.col(c) + first + _sum(flag(nw.col(c) >= at) * by for at, by in changes) for c in columns}
    )
    x = x.mark(**{f"{c}_day": floored(nw.col(c), DAY) for c in columns})
    x = x.mark(
        **{f"{c}_second": nw.col(c) - nw.col(f"{c}_day") * DAY for c in columns},
        **{f"{c}_week": floored(nw.col(f"{c}_day") + 3, 7) for c in columns},  # 1970-01-01 was a Thursday
        **{f"{c}_off": _sum(flag(nw.col(f"{c}_day") > day) for day in holidays) for c in columns},
    )
    x = x.mark(**{f"{c}_weekday": nw.col(f"{c}_day") + 3 - nw.col(f"{c}_week") * 7 for c in columns})
    return x.mark(**{c: _so_far(c, hours, weekdays, holidays) for c in columns})


def _so_far(c: str, hours: BusinessHours, weekdays: list[int], holidays: list[int]) -> nw.Expr:
    """Whole working days before the day, and what of it has gone."""
    opens, closes = int(hours.opens * 3600), int(hours.closes * 3600)
    day, second, weekday = (nw.col(f"{c}_{part}") for part in ("day", "second", "weekday"))
    whole = (
        nw.col(f"{c}_week") * len(weekdays) + _sum(flag(weekday > w) for w in weekdays) - nw.col(f"{c}_off")
    )
    there = weekday.is_in(weekdays)
    if holidays:
        there = there & ~day.is_in(holidays)
    today = (
        nw.when(second > closes)
        .then(nw.lit(closes - opens))
        .when(second > opens)
        .then(second - opens)
        .otherwise(nw.lit(0))
    )
    return whole * (closes - opens) + nw.when(there).then(today).otherwise(nw.lit(0)).cast(nw.Int64)


@cache
def zone_changes(zone: str, first: int, last: int) -> tuple[int, list[tuple[int, int]]]:
    """The offset of a zone at a day number in seconds, and its changes up to another: (since, by how much).

    >>> start = number_of(date(2026, 1, 1))
    >>> zone_changes("Europe/Berlin", start, start + 180)
    (3600, [(1774746000, 3600)])
    """
    there, steps = ZoneInfo(zone), range(first * 24, last * 24)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)

    def ahead(hour: int) -> int:
        gone = (epoch + timedelta(hours=hour)).astimezone(there).utcoffset()
        return int(gone.total_seconds()) if gone else 0

    changes, now = [], ahead(first * 24)
    start = now
    for day in range(first, last):
        if ahead(day * 24 + 24) == now:
            continue
        hour = next(h for h in steps[(day - first) * 24 :] if ahead(h) != now)
        changes.append((hour * 3600, ahead(hour) - now))
        now = ahead(day * 24 + 24)
    return start, changes


def _sum(terms: Iterable[nw.Expr]) -> nw.Expr:
    """The sum of many terms, halved again and again so that no engine nests too deep."""
    parts: Sequence[nw.Expr] = list(terms)
    if not parts:
        return nw.lit(0)
    while len(parts) > 1:
        parts = [parts[i] + parts[i + 1] if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)]
    return parts[0]
