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


def life_table(day: ArrayLike, cause: ArrayLike, n: ArrayLike, entry: ArrayLike | None = None) -> LifeTable:
    """The life table of counts `n` per day and cause: 0 censored, 1 the event, above 1 a competing event.

    `entry` is the first day on which the cases were watched (left truncation): before it they could not have
    been seen to leave, so they do not count as waiting. Weights such as amounts do as well as counts.

    >>> life_table([5, 7, 7, 9], [1, 0, 1, 2], [2, 1, 3, 1]).risk
    array([7., 5., 1.])
    >>> life_table([5, 7, 7, 9], [1, 0, 1, 2], [2, 1, 3, 1], entry=[0, 0, 6, 0]).risk
    array([4., 5., 1.])
    """
    days, causes, counts = np.asarray(day, float), np.asarray(cause), np.asarray(n, float)
    unique, where = np.unique(days, return_inverse=True)

    def per_day(weights: Floats) -> Floats:
        return np.bincount(where.ravel(), weights=weights, minlength=len(unique)).astype(float)

    if entry is None:
        risk = per_day(counts)[::-1].cumsum()[::-1]
    else:
        risk = at_risk(unique, days, counts, np.asarray(entry, float))
    return LifeTable(
        unique, risk, per_day(np.where(causes == 1, counts, 0)), per_day(np.where(causes > 1, counts, 0))
    )


def at_risk(on: Floats, day: Floats, n: Floats, entry: Floats) -> Floats:
    """How many are watched on each of the days `on`: those who have entered and not left before it.

    >>> at_risk(np.array([0.0, 4.0]), np.array([3.0, 9.0]), np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    array([1., 2.])
    """
    come, gone = np.argsort(entry, kind="stable"), np.argsort(day, kind="stable")
    entered = np.concatenate([[0.0], n[come].cumsum()])[np.searchsorted(entry[come], on, side="right")]
    left = np.concatenate([[0.0], n[gone].cumsum()])[np.searchsorted(day[gone], on, side="left")]
    return np.asarray(entered - left, dtype=np.float64)


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


def restricted_mean_variance(survival: Curve, table: LifeTable, tau: float) -> float:
    """Variance of the restricted mean: Σ A²·d/(r(r-d)), A being the area under the curve from a day to tau."""
    early = survival.day < tau
    days, heights = np.append(survival.day[early], tau), survival.value[early]
    area = (np.diff(days) * heights)[::-1].cumsum()[::-1]
    return float(np.sum(area**2 * _greenwood(table.events[early], table.risk[early])))


def share_of_final(table: LifeTable, share: float) -> tuple[float, float, float]:
    """First day by which `share` of all who ever have the event have had it, with its 95 % interval.

    "Ever" is the incidence F(e) at the end of the table. The interval holds the days on which F(t) - share·F(e)
    does not differ from 0, with the variance of that difference; an end it does not reach is NaN.
    """
    curve = aalen_johansen(table)
    if not len(curve.day) or curve.value[-1] <= 0:
        return (float("nan"),) * 3
    left = table.events + table.competing
    survival = np.cumprod(1 - left / table.risk)
    before = np.concatenate([[1.0], survival[:-1]])
    both = _aalen_covariance(table, left, before, curve.value)
    gap = curve.value - share * curve.value[-1]
    var = curve.variance + share**2 * curve.variance[-1] - 2 * share * both
    half = Z95 * np.sqrt(np.maximum(var, 0.0))
    first = [np.flatnonzero(reached) for reached in (gap > -1e-12, gap + half > -1e-12, gap - half > -1e-12)]
    day, low, high = (float(curve.day[at[0]]) if len(at) else float("nan") for at in first)
    return day, low, high


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


def _aalen_covariance(table: LifeTable, left: Floats, before: Floats, incidence: Floats) -> Floats:
    """Covariance of F(t), for every t, with F at the end of the table; at the end it is the variance."""
    r, d1 = table.risk, table.events
    a, c, end = _greenwood(left, r), before * d1 / r**2, incidence[-1]
    own = np.cumsum(before**2 * d1 * (r - d1) / r**3)
    squares = (
        incidence * end * np.cumsum(a)
        - (incidence + end) * np.cumsum(a * incidence)
        + np.cumsum(a * incidence**2)
    )
    cross = (incidence + end) * np.cumsum(c) - 2 * np.cumsum(c * incidence)
    return np.asarray(squares + own - cross, dtype=np.float64)
