"""From rows to life tables: the engine counts per group, day and way out; NumPy does the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from salestrack.errors import KpiError
from salestrack.kpis._facts import Facts
from salestrack.kpis._frames import Part, small, summarise
from salestrack.kpis._periods import day_number, number_of
from salestrack.kpis._results import divided, note
from salestrack.stats.intervals import wilson
from salestrack.stats.survival import LifeTable, aalen_johansen, life_table, log_log_interval

Figures = dict[str, float]
Cells: TypeAlias = dict[str, NDArray[np.float64]]
"""Counts of one group in columns: `day` waited, `way` out, `n` cases, and sums over them."""


def day_known(column: str, as_of: date, has: Sequence[str]) -> nw.Expr:
    """The day number of a milestone; NULL when it has not happened by `as_of` or there is no such column."""
    if column not in has:
        return nw.lit(None).cast(nw.Int64)
    return nw.when(day_number(column) <= number_of(as_of)).then(day_number(column))


def earliest(first: str, second: str) -> nw.Expr:
    """The smaller of two day numbers of which either may be missing."""
    later = nw.col(first).is_null() | (nw.col(second) < nw.col(first))
    return nw.when(later & ~nw.col(second).is_null()).then(nw.col(second)).otherwise(nw.col(first))


def on_or_before(first: str, second: str) -> nw.Expr:
    """True where the first day is there and the second is later, equal or missing."""
    return ~nw.col(first).is_null() & (nw.col(second).is_null() | (nw.col(first) <= nw.col(second)))


def days_from(start: str, end: nw.Expr) -> nw.Expr:
    """Days from a day number to another, never below 0."""
    return nw.when(end > nw.col(start)).then(end - nw.col(start)).otherwise(nw.lit(0)).cast(nw.Int64)


def per_group(
    table: pd.DataFrame, by: Sequence[str], figures: Callable[[pd.DataFrame], Figures]
) -> pd.DataFrame:
    """One row per group with the figures of its counts; without groups one row, also for an empty table."""
    if not by:
        return pd.DataFrame([figures(table)])
    rows = [
        {**dict(zip(by, key, strict=True)), **figures(part)}
        for key, part in table.groupby(list(by), sort=False, dropna=False)
    ]
    if not rows:
        empty = pd.DataFrame({name: pd.Series([], dtype="float64") for name in figures(table)})
        return pd.concat([table[list(by)], empty], axis=1)
    made = pd.DataFrame(rows)
    return made.astype({name: table[name].dtype for name in by})


def at(day: nw.Expr, way: nw.Expr) -> nw.Expr:
    """Days waited and the way out (0 to 7) in one whole number, so that an engine has one column less to group by."""
    return (8 * day + way).cast(nw.Int64)


def per_curve(x: Facts, figures: Callable[[Cells], Figures], *axes: str, **sums: Part) -> pd.DataFrame:
    """One row per group with the figures of its counts `n` per `_at` and further axes, and of sums beside them."""
    by = list(x.by)
    counts = small(summarise(x.rows, (*by, "_at", *axes), n="len", **sums))
    packed = counts["_at"].to_numpy(dtype="int64")
    cells: Cells = {"day": (packed >> 3).astype(float), "way": (packed & 7).astype(float)}
    cells |= {c: counts[c].to_numpy(dtype=float) for c in ("n", *axes, *sums)}
    if not by:
        return pd.DataFrame([figures(cells)])
    row = counts.groupby(by, sort=False, dropna=False).ngroup().to_numpy()
    order = np.argsort(row, kind="stable")
    starts = np.flatnonzero(np.diff(row[order], prepend=-1))
    parts = np.split(order, starts[1:])
    made = pd.DataFrame([figures({c: v[part] for c, v in cells.items()}) for part in parts])
    return x.finish(counts[by].iloc[order[starts]].reset_index(drop=True).join(made))


def only(cells: Cells, which: NDArray[np.bool_]) -> Cells:
    """Some of the cells."""
    return {name: column[which] for name, column in cells.items()}


def table_of(cells: Cells, event: int = 1) -> LifeTable:
    """The life table of cells, one way out being the event, those from 0 down waiting and the others competing."""
    way = cells["way"]
    return life_table(cells["day"], np.where(way == event, 1, np.where(way > 0, 2, 0)), cells["n"])


def incidence_by(cells: Cells, horizon: int) -> Figures:
    """Cumulative incidence at the horizon from counts per day and way out, with a 95 % interval.

    It is NaN when nobody was followed that long and some were still waiting: nobody knows. At 0 or 1 the
    variance is 0: then Wilson's interval of the cases whose outcome is known stands in. `final` is the incidence on
    the last day, `last`.
    """
    n, day, way = cells["n"], cells["day"], cells["way"]
    known = float(n[((day <= horizon) & (way > 0)) | (day >= horizon)].sum())
    unknown = dict.fromkeys(("value", "low", "high", "final", "last"), float("nan")) | {"known": known}
    if not n.sum():
        return unknown
    curve, last = aalen_johansen(table_of(cells)), day.max()
    unknown |= {"final": float(curve.value[-1]), "last": float(last)}
    if last < horizon and (way[day == last] <= 0).any():
        return unknown
    value, variance = curve.at(horizon)
    low, high = log_log_interval(value, variance)
    if not 0 < value < 1:
        low, high = wilson(known * round(value), known)
    return unknown | {"value": value, "low": float(low), "high": float(high)}


def counted(cells: Cells, way: int, horizon: float = np.inf, of: str = "n") -> float:
    """Cases that left in this way up to the horizon, or the sum of something else over them."""
    return float(cells[of][(cells["way"] == way) & (cells["day"] <= horizon)].sum())


def maturity(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """With `matured`, the share of cases whose outcome is known, and why a rate is undefined."""
    reason = note(table[name], "immature").where(table["n"] > 0, "no_data")
    return table.assign(matured=divided(table["n"] - table["open"], table["n"]), note=reason)


def whole(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Counts as whole numbers."""
    return table.astype(dict.fromkeys(names, "int64"))


def checked_horizon(days: int, function: str) -> int:
    """A horizon of at least one day."""
    if days < 1:
        raise KpiError.bad_option(function, "horizon_days", days, "give a number of days above 0")
    return int(days)


def checked_day(as_of: Any, function: str) -> date:
    """`as_of` as a date, from a date or text like 2026-10-31."""
    try:
        stamp = pd.Timestamp(as_of)
    except (TypeError, ValueError):
        stamp = pd.NaT  # type: ignore[assignment]
    if pd.isna(stamp):
        raise KpiError.bad_option(function, "as_of", as_of, "give the day as 2026-10-31")
    return stamp.date()
