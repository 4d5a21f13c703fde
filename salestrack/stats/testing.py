"""Tests: many of them at once, shares compared within strata, what a sample can show, rates of counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salestrack.stats.intervals import Z95, newcombe

Floats = NDArray[np.float64]
Z80 = 0.8416212335729143
"""Normal quantile of 80 %, the usual power."""


@dataclass(frozen=True)
class Adjusted:
    """A difference of two shares within strata: with 95 % interval, p, odds ratio and the cases that told."""

    difference: float
    low: float
    high: float
    p: float
    odds_ratio: float
    compared: float


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Each p value's q: the share of false finds to expect if it and all smaller ones are called a find.

    Formula: the smallest of p·m/rank over this and all larger of the m values; NaN stays NaN and does not
    count. After Benjamini and Hochberg (1995, Journal of the Royal Statistical Society B 57:289).

    >>> benjamini_hochberg([0.01, 0.04, 0.03, float("nan")]).round(3)
    array([0.03, 0.04, 0.04,  nan])
    """
    values = np.asarray(p, dtype=float)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    ranked = values[order] * len(order) / np.arange(1, len(order) + 1)
    q = np.full(len(values), np.nan)
    q[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return q


def adjusted_difference(won1: ArrayLike, n1: ArrayLike, won0: ArrayLike, n0: ArrayLike) -> Adjusted:
    """Difference of the shares won1/n1 - won0/n0 within strata (one element each), put together.

    Formula: Mantel-Haenszel, Σ w·(p1 - p0) / Σ w with w = n1·n0/(n1 + n0); the variance is Sato's (1989,
    Biometrics 45:1323), right for many small strata as for few large ones; p is that of the
    Cochran-Mantel-Haenszel test. A stratum in which one side is empty has no weight; NaN if all are such. Where
    every stratum went one way, Newcombe's interval of the plain counts stands in.

    >>> two = adjusted_difference([9, 8], [10, 80], [40, 1], [80, 20])
    >>> round(two.difference, 4), round(two.odds_ratio, 2), two.compared
    (0.175, 4.74, 190.0)
    """
    a, n1, c, n0 = (np.asarray(v, dtype=float) for v in (won1, n1, won0, n0))
    both = (n1 > 0) & (n0 > 0)
    a, n1, c, n0 = a[both], n1[both], c[both], n0[both]
    n = n1 + n0
    weight = float((n1 * n0 / n).sum())
    if not weight:
        nan = math.nan
        return Adjusted(nan, nan, nan, nan, nan, 0.0)
    difference = float(((a * n0 - c * n1) / n).sum()) / weight
    half = Z95 * math.sqrt(max(_sato(a, n1, c, n0, difference), 0.0)) / weight
    low, high = max(difference - half, -1.0), min(difference + half, 1.0)
    if half < 1e-9:  # every stratum went one way: no variance to go by, so the plain counts stand in
        _, lower, upper = newcombe(a.sum(), n1.sum(), c.sum(), n0.sum())
        low, high = min(float(lower), difference), max(float(upper), difference)
    chance, against = float((a * (n0 - c) / n).sum()), float((c * (n1 - a) / n).sum())
    odds = chance / against if against else math.nan
    return Adjusted(difference, low, high, _chance(a, n1, c, n0), odds, float(n.sum()))


def minimum_detectable(share: ArrayLike, n1: ArrayLike, n0: ArrayLike) -> Floats:
    """Smallest rise above `share` (of n0 cases) that n1 cases show in a 5 % test with 80 % power.

    NaN where no rise is large enough: more than the whole would be needed.

    >>> minimum_detectable([0.3, 0.9], [350, 5], [350, 5]).round(3)
    array([0.101,   nan])
    """
    p, n1, n0 = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (share, n1, n0)))
    n1, n0 = np.where(n1 > 0, n1, np.nan), np.where(n0 > 0, n0, np.nan)
    low, high = np.zeros(p.shape), 1 - p
    reachable = high >= _needed(p, high, n1, n0)
    for _ in range(60):  # halving: the needed rise hardly depends on the rise
        middle = (low + high) / 2
        enough = middle >= _needed(p, middle, n1, n0)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(reachable, high, np.nan)


def poisson_rate(events: ArrayLike, exposure: ArrayLike) -> tuple[Floats, Floats]:
    """Exact 95 % interval of events per unit of exposure, elementwise; NaN where there is no exposure.

    Formula: half the 2.5 % quantile of chi-squared with 2k degrees and the 97.5 % one with 2k + 2, over the
    exposure (Garwood 1936).

    >>> low, high = poisson_rate([0, 10], [100, 100])
    >>> low.round(4), high.round(4)
    (array([0.   , 0.048]), array([0.0369, 0.1839]))
    """
    from scipy.special import gammaincinv  # here, because SciPy takes longer to import than the rest

    k, time = np.asarray(events, dtype=float), np.asarray(exposure, dtype=float)
    time = np.where(time > 0, time, np.nan)
    low = np.where(k > 0, gammaincinv(np.maximum(k, 1), 0.025), 0.0)
    return low / time, gammaincinv(k + 1, 0.975) / time


def _sato(a: Floats, n1: Floats, c: Floats, n0: Floats, difference: float) -> float:
    n = n1 + n0
    bent = (n1**2 * c - n0**2 * a + n1 * n0 * (n0 - n1) / 2) / n**2
    plain = (a * (n0 - c) + c * (n1 - a)) / (2 * n)
    return difference * float(bent.sum()) + float(plain.sum())


def _chance(a: Floats, n1: Floats, c: Floats, n0: Floats) -> float:
    """p of the Cochran-Mantel-Haenszel test, without continuity correction; NaN where all went one way."""
    n, won = n1 + n0, a + c
    expected = n1 * won / n
    variance = float((n1 * n0 * won * (n - won) / (n**2 * np.maximum(n - 1, 1))).sum())
    if variance <= 0:
        return math.nan
    return math.erfc(abs(float((a - expected).sum())) / math.sqrt(2 * variance))


def _needed(p: Floats, rise: Floats, n1: Floats, n0: Floats) -> Floats:
    """The rise that a test would find if the variances were those of this rise."""
    q = np.minimum(p + rise, 1.0)
    pooled = (n1 * q + n0 * p) / (n1 + n0)
    null = np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
    found: Floats = Z95 * null + Z80 * np.sqrt(q * (1 - q) / n1 + p * (1 - p) / n0)
    return found
