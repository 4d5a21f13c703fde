"""Survival curves from counts per day: what an engine can group is all they need.

A life table has one row per day on which something happened: how many were still waiting (`risk`), how
many had the event of interest (`events`) and how many left otherwise (`competing`). Who is censored on a
day still counts as waiting on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salestrack.stats.intervals import Z95

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class LifeTable:
    """Waiting, events and competing events per day, days ascending."""

    day: Floats
    risk: Floats
    events: Floats
    competing: Floats


@dataclass(frozen=True)
class Curve:
    """A step function of days with its variance: survival or cumulative incidence."""

    day: Floats
    value: Floats
    variance: Floats

    def at(self, day: float, before: float = 0.0) -> tuple[float, float]:
        """Value and variance at the end of a day; `before` is the value ahead of the first step."""
        step = int(np.searchsorted(self.day, day, side="right")) - 1
        return (float(self.value[step]), float(self.variance[step])) if step >= 0 else (before, 0.0)


def life_table(day: ArrayLike, cause: ArrayLike, n: ArrayLike) -> LifeTable:
    """The life table of counts `n` per day and cause: 0 censored, 1 the event, above 1 a competing event.

    >>> life_table([5, 7, 7, 9], [1, 0, 1, 2], [2, 1, 3, 1]).risk
    array([7., 5., 1.])
    """
    days, causes, counts = np.asarray(day, float), np.asarray(cause), np.asarray(n, float)
    unique, where = np.unique(days, return_inverse=True)

    def per_day(weights: Floats) -> Floats:
        return np.bincount(where.ravel(), weights=weights, minlength=len(unique)).astype(float)

    left = per_day(counts)
    risk = left[::-1].cumsum()[::-1]
    return LifeTable(
        unique, risk, per_day(np.where(causes == 1, counts, 0)), per_day(np.where(causes > 1, counts, 0))
    )


def kaplan_meier(table: LifeTable) -> Curve:
    """Survival with Greenwood's variance; competing events count as censored.

    Formula: S(t) = Π (1 - d/r), Var S(t) = S(t)² Σ d/(r(r-d)), over the event days up to t.

    >>> kaplan_meier(life_table([1, 2, 3], [1, 0, 1], [1, 1, 1])).value.round(4)
    array([0.6667, 0.6667, 0.    ])
    """
    survival = np.cumprod(1 - table.events / table.risk).astype(np.float64)
    greenwood = np.cumsum(_greenwood(table.events, table.risk))
    return Curve(table.day, survival, np.where(survival > 0, survival**2 * greenwood, 0.0))


def aalen_johansen(table: LifeTable) -> Curve:
    """Cumulative incidence of the event in presence of competing ones, with the Aalen (delta method)
    variance.

    Formula: F(t) = Σ S(t-)·d1/r, S being the survival from all causes. Whoever lost can no longer win, so
    unlike one minus Kaplan-Meier this never overstates.

    >>> aalen_johansen(life_table([1, 2, 3, 4], [1, 2, 1, 0], [1, 1, 1, 1])).value
    array([0.25, 0.25, 0.5 , 0.5 ])
    """
    left = table.events + table.competing
    survival = np.cumprod(1 - left / table.risk)
    before = np.concatenate([[1.0], survival[:-1]])[: len(survival)].astype(np.float64)
    incidence = np.cumsum(before * table.events / table.risk).astype(np.float64)
    return Curve(table.day, incidence, _aalen_variance(table, left, before, incidence))


def quantile(survival: Curve, share: float) -> float:
    """First day by which at least `share` have had the event; NaN when the curve does not get there."""
    reached = np.flatnonzero(survival.value <= 1 - share + 1e-12)
    return float(survival.day[reached[0]]) if len(reached) else float("nan")


def quantile_interval(survival: Curve, share: float) -> tuple[float, float]:
    """95 % interval of a quantile after Brookmeyer and Crowley: the days at which the curve's log-log
    band crosses.

    An end that the band does not reach is NaN: not known yet.
    """
    low, high = log_log_interval(survival.value, survival.variance)
    return (
        quantile(Curve(survival.day, low, survival.variance), share),
        quantile(Curve(survival.day, high, survival.variance), share),
    )


def log_log_interval(value: ArrayLike, variance: ArrayLike) -> tuple[Floats, Floats]:
    """95 % interval of a probability on the log(-log) scale, elementwise; 0 and 1 stay as they are."""
    p, var = np.asarray(value, float), np.asarray(variance, float)
    inner = (p > 0) & (p < 1)
    q = np.where(inner, p, 0.5)
    half = Z95 * np.sqrt(var) / np.abs(q * np.log(q))
    low, high = q ** np.exp(half), q ** np.exp(-half)
    return np.where(inner, low, p), np.where(inner, high, p)


def restricted_mean(survival: Curve, tau: float) -> float:
    """Mean days until the event when nobody is followed beyond `tau`: the area under the curve up to there.

    >>> restricted_mean(kaplan_meier(life_table([2, 4], [1, 1], [1, 1])), 10)
    3.0
    """
    days = np.concatenate([[0.0], survival.day[survival.day < tau], [tau]])
    heights = np.concatenate([[1.0], survival.value[survival.day < tau]])
    return float(np.sum(np.diff(days) * heights))


def quantile_of_counts(day: ArrayLike, n: ArrayLike, share: float) -> float:
    """Smallest day that at least `share` of the counted cases do not exceed; NaN without cases.

    >>> quantile_of_counts([1, 2, 50], [5, 4, 1], 0.9)
    2.0
    """
    order = np.argsort(np.asarray(day, float), kind="stable")
    days, counts = np.asarray(day, float)[order], np.asarray(n, float)[order]
    if not counts.sum():
        return float("nan")
    return float(days[np.searchsorted(counts.cumsum(), share * counts.sum() - 1e-9)])


def _greenwood(events: Floats, risk: Floats) -> Floats:
    rest = np.where(risk > events, risk - events, np.nan)
    return np.nan_to_num(events / (risk * rest), nan=0.0)


def _aalen_variance(table: LifeTable, left: Floats, before: Floats, incidence: Floats) -> Floats:
    """Σ (F(t)-F)²·d/(r(r-d)) + Σ S²·d1(r-d1)/r³ - 2 Σ (F(t)-F)·S·d1/r², as running sums over the days."""
    r, d1 = table.risk, table.events
    a, c = _greenwood(left, r), before * d1 / r**2
    own = np.cumsum(before**2 * d1 * (r - d1) / r**3)
    squares = (
        incidence**2 * np.cumsum(a) - 2 * incidence * np.cumsum(a * incidence) + np.cumsum(a * incidence**2)
    )
    cross = incidence * np.cumsum(c) - np.cumsum(c * incidence)
    return np.maximum(squares + own - 2 * cross, 0.0)
