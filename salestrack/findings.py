"""Sentences made from figures: what a KPI is, how it changed, which groups stand out, how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from salestrack.i18n import NBSP, PERIODS, Words, better, is_unknown, unit_for
from salestrack.theme import SMALL_N

Against = Literal["month", "quarter", "year", "period", "target"]
RELATIVE = ("money", "count", "number")


@dataclass(frozen=True)
class Change:
    """A difference in words with its direction (1, 0, -1) and whether that is good news (None: neither)."""

    text: str
    direction: int
    good: bool | None


def change(
    words: Words, kpi: str, new: object, old: object, unit: str, against: Against = "year"
) -> Change | None:
    """How a value differs from an earlier one or from its target; None when that cannot be said.

    Money and counts change by per cent (of a positive base), shares by percentage points, others by unit.

    >>> change(Words(), "win_rate", 0.52, 0.463, "share").text.replace(NBSP, " ")
    '5.7 percentage points above previous year'
    >>> change(Words("de"), "bookings", 80.0, 100.0, "money", "month").text.replace(NBSP, " ")
    '20,0 % unter Vormonat'
    """
    if is_unknown(new) or is_unknown(old):
        return None
    now, then = float(new), float(old)  # type: ignore[arg-type]
    if unit in RELATIVE and then <= 0:
        return None
    delta = (now - then) / then if unit in RELATIVE else now - then
    amount = _amount(words, abs(delta), unit)
    direction = 0 if not any(c in "123456789" for c in amount) else 1 if delta > 0 else -1
    base = words.text(f"base_{against}")
    text = words.text("unchanged", base=words.text(f"compare_dative_{against}"))
    if direction:
        text = words.text("above" if direction > 0 else "below", amount=amount, base=base)
    return Change(text, direction, _good(kpi, direction))


def _amount(words: Words, delta: float, unit: str) -> str:
    if unit in RELATIVE:
        return words.fmt(delta, "share")
    if unit in ("share", "change"):
        return words.fmt(delta, "difference")
    if unit == "points":
        one = words.fmt(delta, unit) == "1"
        return words.fmt(delta, unit) + NBSP + words.text("unit_points_one" if one else "unit_points")
    return words.fmt(delta, unit, compact=True)


def _good(kpi: str, direction: int) -> bool | None:
    wanted = {"higher": 1, "lower": -1, "neither": 0}[better(kpi)]
    return direction == wanted if direction and wanted else None


def claim(
    words: Words,
    kpi: str,
    value: object,
    unit: str,
    *,
    when: tuple[object, str] | None = None,
    before: object = None,
    against: Against = "year",
    target: object = None,
) -> str:
    """The headline of a figure: value, period, change and distance from the target, as far as they are known.

    >>> claim(Words(), "bookings", 3.5e6, "money", when=("2026-10-01", "month"), before=2.8e6)
    'Bookings: €3.5M in October 2026, 25.0% above previous year'
    """
    if is_unknown(value):
        return words.text("finding_unknown", label=words.label(kpi))
    told = words.text("finding_plain", label=words.label(kpi), value=words.fmt(value, unit, compact=True))
    if when and not is_unknown(when[0]):
        told += " " + words.text(f"when_{when[1]}", period=words.fmt(when[0], when[1]))
    changes = [
        change(words, kpi, value, before, unit, against),
        change(words, kpi, value, target, unit, "target"),
    ]
    known = [c.text for c in changes if c]
    return told + (", " + f" {words.text('finding_and')} ".join(known) if known else "")


def newest(table: pd.DataFrame) -> pd.Series[Any]:
    """The last row in time, or the last row of a table without a period column."""
    word = period_of(table)
    ordered = table.sort_values(word, kind="stable") if word else table
    return ordered.iloc[-1]


def period_of(table: pd.DataFrame) -> str:
    """The period column of a KPI table, empty if it has none."""
    return next((c for c in PERIODS if c in table.columns and unit_for(c, table[c]) == c), "")


def finding(
    words: Words,
    table: pd.DataFrame,
    kpi: str,
    *,
    before: object = None,
    against: Against = "year",
    target: object = None,
    by: str | None = None,
) -> str:
    """A KPI table in one or two sentences: newest value, change and certainty, or the extreme groups."""
    if by is not None:
        return _groups(words, table, kpi, by)
    row, word = newest(table), period_of(table)
    unit = unit_for(kpi, table[kpi])
    when = (row[word], word) if word else None
    told = claim(words, kpi, row[kpi], unit, when=when, before=before, against=against, target=target)
    ends = row.get("low"), row.get("high")
    if is_unknown(row[kpi]) or any(is_unknown(end) for end in ends):
        return _stop(told)
    within = not is_unknown(before) and ends[0] <= before <= ends[1]  # type: ignore[operator]
    key = "finding_within" if within else "finding_outside"
    return f"{_stop(told)} {words.text(key, interval=words.interval(*ends, unit, compact=True))}"


def _stop(sentence: str) -> str:
    return sentence if sentence.endswith(".") else sentence + "."


def _groups(words: Words, table: pd.DataFrame, kpi: str, by: str) -> str:
    """Highest and lowest group; groups of fewer than ten cases do not compete."""
    known = table[~table[kpi].map(is_unknown).astype(bool)]
    if "n" in known.columns and (known["n"] >= SMALL_N).any():
        known = known[known["n"] >= SMALL_N]
    if known.empty:
        return words.text("finding_unknown", label=words.label(kpi))
    ordered = known.sort_values(kpi, kind="stable")
    top, bottom = ordered.iloc[-1], ordered.iloc[0]
    unit, label = unit_for(kpi, table[kpi]), words.label(kpi)
    names = {"top": words.value(by, top[by]), "top_value": _with_n(words, top, kpi, unit)}
    if len(known) == 1:
        return words.text("finding_one_group", label=label, **names)
    names |= {"bottom": words.value(by, bottom[by]), "bottom_value": _with_n(words, bottom, kpi, unit)}
    told = words.text("finding_groups", label=label, **names)
    ends = top.get("low"), bottom.get("high")
    if any(is_unknown(end) for end in ends) or ends[0] > ends[1]:  # type: ignore[operator]
        return told
    return f"{told} {words.text('finding_overlap')}"


def _with_n(words: Words, row: pd.Series[Any], kpi: str, unit: str) -> str:
    value = words.fmt(row[kpi], unit, compact=True)
    return (
        value if is_unknown(row.get("n")) else words.text("finding_value_n", value=value, n=words.n(row["n"]))
    )
