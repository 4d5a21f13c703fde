"""Scales and axes: money in millions, few round ticks, periods with their year."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from salestrack.i18n import UNKNOWN, Words, is_unknown
from salestrack.markup import Text, pick

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Scale:
    """How the values of an axis are written: money in thousands or millions, the unit in the deck line."""

    words: Words
    unit: str
    factor: float
    name: str

    @classmethod
    def of(cls, words: Words, unit: str, peak: float) -> Scale:
        if unit != "money":
            return cls(words, unit, 1.0, words.unit_name(unit))
        symbol = words.unit_name("money")
        for size, step in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
            if peak >= size * (10 if size == 1e3 else 2):
                return cls(words, unit, size, words.text(f"axis_{step}", symbol=symbol))
        return cls(words, unit, 1.0, symbol)

    def tick(self, value: float, step: float) -> str:
        """A tick label with as many decimals as the step between ticks needs."""
        shown = step * (100 if self.unit in ("share", "change", "difference") else 1) / self.factor
        digits = next(
            (d for d in range(4) if math.isclose(shown * 10**d, round(shown * 10**d), abs_tol=1e-6)), 3
        )
        return self._write(value, digits)

    def label(self, value: float) -> str:
        """A value beside its mark."""
        if is_unknown(value):
            return UNKNOWN
        return self.words.fmt(
            value, self.unit, compact=True, **({"digits": 0} if self.unit == "share" else {})
        )

    def precise(self, value: float) -> str:
        """A single value that is looked at: shares with a decimal, words of units left to the axis."""
        worded = self.unit in ("days", "hours", "months", "difference")
        return self.words.fmt(value, self.unit, compact=True, bare=worded)

    def short(self, value: float, digits: int = 1) -> str:
        """A value in the axis' unit without naming it."""
        return self._write(value, digits)

    def _write(self, value: float, digits: int) -> str:
        unit = "number" if self.unit in ("money", "count", "points", "days", "hours", "months") else self.unit
        return self.words.fmt(value / self.factor, unit, digits=digits, bare=unit not in ("share", "change"))


def value_axis(ax: Axes, scale: Scale, low: float, high: float, axis: str = "y", ticks: int = 5) -> None:
    """Few round ticks with light lines, and a little air above the highest value."""
    from matplotlib.ticker import MaxNLocator

    if not high > low:
        high = low + (abs(low) or 1.0)
    steps = [1, 2, 5, 10] if scale.unit in ("days", "hours", "points", "count") else [1, 2, 2.5, 5, 10]
    found = [float(t) for t in MaxNLocator(ticks, steps=steps).tick_values(low, high)]
    whole = scale.unit in ("count",)
    step = found[1] - found[0]
    kept = [t for t in found if low - 1e-9 <= t <= high + 1e-9 and (not whole or abs(t - round(t)) < 1e-9)]
    names = [scale.tick(t, step) for t in kept]
    if axis == "y":
        ax.set_ylim(low, high)
        ax.set_yticks(kept, names)
        ax.grid(axis="y")
        ax.spines["bottom"].set_visible(low >= 0)
    else:
        ax.set_xlim(low, high)
        ax.set_xticks(kept, names)
        ax.grid(axis="x")


def bounds(values: Sequence[float], *, zero: bool = True, top: float = 0.06) -> tuple[float, float]:
    """Limits of a value axis: zero inside where wanted, air at the ends that carry values."""
    known = [v for v in values if not is_unknown(v)] or [0.0]
    low, high = (min(0.0, *known), max(0.0, *known)) if zero else (min(known), max(known))
    air = (high - low or abs(high) or 1.0) * top
    return (low if zero and low == 0 else low - air), (high if zero and high == 0 else high + air)


SIZES = {"month": 1, "quarter": 3, "year": 12}


STEPS = {
    "month": (1, 2, 3, 6, 12, 24),
    "quarter": (1, 2, 4, 8),
    "year": (1, 2, 5, 10),
    "week": (1, 2, 4, 13, 26, 52),
}


def position(stamp: object, unit: str, fiscal_year_start: int = 1) -> int:
    """Whole number of the period, so that missing periods leave a gap.

    >>> position("2026-10-01", "month") - position("2025-10-01", "month")
    12
    """
    at = pd.Timestamp(stamp)  # type: ignore[arg-type]
    if unit in SIZES:
        offset = fiscal_year_start - 1 if unit != "month" else 0
        return (at.year * 12 + at.month - 1 - offset) // SIZES[unit]
    days = at.toordinal()
    return (days - 1) // 7 if unit == "week" else days


def stamp_at(index: int, unit: str, fiscal_year_start: int = 1) -> pd.Timestamp:
    """The first day of the period with this number, the inverse of `position`.

    >>> stamp_at(position("2026-10-01", "quarter"), "quarter")
    Timestamp('2026-10-01 00:00:00')
    """
    if unit in SIZES:
        months = index * SIZES[unit] + (fiscal_year_start - 1 if unit != "month" else 0)
        return pd.Timestamp(months // 12, months % 12 + 1, 1)
    return pd.Timestamp.fromordinal(index * 7 + 1 if unit == "week" else index)


def period_axis(ax: Axes, words: Words, unit: str, first: int, last: int, room: int = 15) -> None:
    """Period names counted back from the newest, with the year below where it begins."""
    count = last - first + 1
    step = next(
        (s for s in STEPS.get(unit, (1, 7, 14, 28, 91)) if math.ceil(count / s) <= room),
        math.ceil(count / room),
    )
    at = sorted(range(last, first - 1, -step))
    names, shown = [], ""
    for index in at:
        name, year = tick_name(words, unit, index)
        names.append(name if year == shown or not year else f"{name}\n{year}")
        shown = year
    ax.set_xticks(at, names, linespacing=1.25)


def tick_name(words: Words, unit: str, index: int) -> tuple[str, str]:
    """The short name of a period and the year that stands below it (empty for years)."""
    from babel.dates import format_date

    stamp = stamp_at(index, unit, words.fiscal_year_start)
    if unit == "year":
        return words.fmt(stamp, "year"), ""
    if unit == "quarter":
        name, _, year = words.fmt(stamp, "quarter").partition("\u00a0")
        return name, year
    if unit == "week":
        iso = stamp.isocalendar()
        return words.text("week_short", week=iso.week), str(iso.year)
    pattern = "LLL" if unit == "month" else ("d. LLL" if words.language == "de" else "d LLL")
    return format_date(stamp.date(), pattern, locale=words.language), str(stamp.year)


def lowered(words: Words, column: str) -> str:
    """A column's name in a sentence: English names lose their capital, nouns in German keep it."""
    label = words.label(column)
    plain = words.language == "en" and label[1:2].islower()
    return label[:1].lower() + label[1:] if plain else label


def axis_name(words: Words, column: str, scale: Scale) -> str:
    """What an axis shows and in which unit, the unit not twice."""
    label = words.label(column)
    return label if scale.name.casefold() in ("", label.casefold()) else f"{label}, {scale.name}"


def headings(words: Words, y: str, scale: Scale, title: Text, group: str = "") -> tuple[str, str]:
    """Title and deck of a chart: the claim and below it what is shown in which unit."""
    what = words.label(y)
    if group and words.label(group).casefold() not in what.casefold():
        what = words.text("by", what=what, group=lowered(words, group))
    told = pick(words, title)
    parts = [what if told else "", scale.name]
    return told or what, ", ".join(part for part in parts if part)
