"""The parameters of an invented company, and the calendar that its process runs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from salestrack.errors import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BLOCK = 25_000
"""Deals simulated at a time. A constant, because the random numbers of a deal depend on its block."""

WARM_UP = 40
"""Weeks simulated before the start; only the deals still open at the start become part of the world."""

TAIL = 400
"""Weeks after the end within which every open deal is taken to close (P of a longer life < 1e-9)."""

MOST_DEALS = 20_000_000


@dataclass(frozen=True)
class World:
    """What can be chosen about a world; everything else follows from it.

    Parameters
    ----------
    deals : number of deals in the exports, 10 to 20 million
    seed : all random numbers come from it
    start, months : first day (of a month) and length of the recorded time
    signal : False makes a world in which nothing known about an open deal tells how it ends
    emissions : whether numbers of activities and postponed close dates carry news about a deal's quality
    quarter_end : rise of the log-odds of a win in the last two weeks of a quarter
    drift : change of the log-odds of a win per year
    effect : factor on everything that is known about a deal (segment, source, rep, …)
    sigma_z : spread of the quality of a deal that nobody can see
    growth : growth of new deals per year (0.12 is 12 %)
    activities_per_deal, leads_per_deal : sizes of these tables, relative to the deals
    system : whose export files are written
    language : language of stages, sources and loss reasons in the files
    """

    deals: int = 2_500
    seed: int = 16
    start: date = date(2023, 11, 1)
    months: int = 36
    signal: bool = True
    emissions: bool = True
    quarter_end: float = 0.9
    drift: float = 0.0
    effect: float = 1.0
    sigma_z: float = 0.8
    growth: float = 0.12
    activities_per_deal: float = 4.2
    leads_per_deal: float = 1.5
    system: Literal["salesforce"] = "salesforce"
    language: Literal["en", "de"] = "en"

    def __post_init__(self) -> None:
        if not 10 <= self.deals <= MOST_DEALS:
            raise InputError(f"a world cannot have {self.deals} deals: choose 10 to {MOST_DEALS}")
        if self.start.day != 1 or not 3 <= self.months <= 120:
            raise InputError("a world starts on the first day of a month and lasts 3 to 120 months")
        if self.system != "salesforce":
            raise InputError.unknown_name("system", self.system, ["salesforce"])
        if self.language not in ("en", "de"):
            raise InputError.unknown_name("language", self.language, ["en", "de"])

    @cached_property
    def end(self) -> date:
        """The last recorded day.

        >>> World().end
        datetime.date(2026, 10, 31)
        """
        return month_after(self.start, self.months) - timedelta(days=1)

    @cached_property
    def monday(self) -> int:
        """Day number of the Monday of week 0, the first week of the warm-up."""
        first = day_number(self.start)
        return first - (first + 3) % 7 - 7 * WARM_UP

    @cached_property
    def weeks(self) -> int:
        """Number of weeks from the warm-up to the end."""
        return self.week_of(day_number(self.end)) + 1

    def week_of(self, day: int) -> int:
        """The week in which a day lies."""
        return (day - self.monday) // 7

    def month_ends(self) -> list[date]:
        """The last day of each recorded month.

        >>> World(months=3).month_ends()[0]
        datetime.date(2023, 11, 30)
        """
        return [month_after(self.start, i + 1) - timedelta(days=1) for i in range(self.months)]

    def scale(self, base: int, power: float, least: int = 1) -> int:
        """A size that grows more slowly than the number of deals; `base` is the size at 2,500 deals."""
        size: float = base * (self.deals / 2_500) ** power
        return max(least, round(size))


def day_number(day: date) -> int:
    """Days since 1970-01-01.

    >>> day_number(date(1970, 1, 3))
    2
    """
    return day.toordinal() - 719_163


def day_of(number: int) -> date:
    """The inverse of `day_number`."""
    return date.fromordinal(int(number) + 719_163)


def month_after(day: date, months: int) -> date:
    """The first day of the month that many months later.

    >>> month_after(date(2026, 10, 31), 3)
    datetime.date(2027, 1, 1)
    """
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def quarter_end(day: date) -> date:
    """The last day of the calendar quarter in which a day lies.

    >>> quarter_end(date(2026, 10, 31))
    datetime.date(2026, 12, 31)
    """
    return month_after(date(day.year, (day.month - 1) // 3 * 3 + 1, 1), 3) - timedelta(days=1)


class Random:
    """Uniform numbers of one topic and block.

    Only the raw uniform doubles of PCG64 are used, never numpy's distributions: their streams may change
    between versions of numpy, the uniform ones do not.
    """

    def __init__(self, world: World, *key: int) -> None:
        self._source = np.random.Generator(np.random.PCG64(np.random.SeedSequence([world.seed, *key])))

    def uniform(self, *shape: int) -> Floats:
        return self._source.random(shape)

    def whole(self, size: int, low: int, high: int) -> Ints:
        """Whole numbers from `low` up to, not including, `high`."""
        return low + np.floor(self.uniform(size) * (high - low)).astype(np.int64)

    def normal(self, size: int) -> Floats:
        """Nearly normal numbers: the sum of twelve uniform ones, exact in the same way on every machine."""
        total = np.full(size, -6.0)
        for _ in range(12):
            total += self.uniform(size)
        return total

    def choice(self, size: int, weights: Floats | Sequence[float]) -> Ints:
        """Indices drawn with the given weights."""
        return pick(np.asarray(weights, dtype=float), self.uniform(size))

    def poisson(self, mean: Floats) -> Ints:
        """Counts with the given means (small ones: below about 30)."""
        u, term = self.uniform(len(mean)), np.exp(-mean)
        total, count = term.copy(), np.zeros(len(mean), dtype=np.int64)
        for k in range(1, 100):
            more = u > total
            if not more.any():
                break
            count[more] = k
            term = term * mean / k
            total += term
        return count


def pick(weights: Floats, u: Floats) -> Ints:
    """The index in which each uniform number falls when the weights are laid end to end.

    >>> pick(np.array([1.0, 3.0]), np.array([0.2, 0.3]))
    array([0, 1])
    """
    edges = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(edges, u, side="right"), len(weights) - 1).astype(np.int64)
