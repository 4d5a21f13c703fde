"""95 % intervals for shares, differences of shares, net promoter scores, ratios of sums and medians."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Z95 = 1.959963984540054


def wilson(k: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """95 % Wilson interval of k cases in n, elementwise; NaN where n is 0.

    Formula: (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)

    >>> low, high = wilson([3, 0], [10, 0])
    >>> [round(float(x), 4) for x in (*low, *high)]
    [0.1078, nan, 0.6032, nan]
    """
    k, n = np.asarray(k, dtype=float), np.asarray(n, dtype=float)
    n = np.where(n > 0, n, np.nan)
    p, z2 = k / n, Z95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * np.sqrt(p * (1 - p) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    low = np.where(k == 0, 0.0, middle - half)
    high = np.where(k == n, 1.0, middle + half)
    return np.where(np.isnan(p), np.nan, low), np.where(np.isnan(p), np.nan, high)


def newcombe(k1: ArrayLike, n1: ArrayLike, k0: ArrayLike, n0: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Difference k1/n1 - k0/n0 of two independent shares with Newcombe's 95 % interval (hybrid score).

    >>> [round(float(x), 4) for x in newcombe(56, 70, 48, 80)]
    [0.2, 0.0524, 0.3339]
    """
    (l1, u1), (l0, u0) = wilson(k1, n1), wilson(k0, n0)
    p1, p0 = _share(k1, n1), _share(k0, n0)
    low = p1 - p0 - np.sqrt((p1 - l1) ** 2 + (u0 - p0) ** 2)
    high = p1 - p0 + np.sqrt((u1 - p1) ** 2 + (p0 - l0) ** 2)
    return p1 - p0, low, high


def net_promoter(
    promoters: ArrayLike, detractors: ArrayLike, n: ArrayLike, design_effect: ArrayLike = 1.0
) -> tuple[Floats, Floats]:
    """95 % adjusted Wald interval of a net promoter score in points.

    Formula: the score after adding 3/4 promoter, 3/4 detractor and 3 answers, ± z·sqrt((u + d - (u-d)²)/n).
    A design effect above 1 (answers of one account resemble each other) shrinks the
    counts accordingly.

    >>> low, high = net_promoter(50, 20, 100)
    >>> round(float(low), 1), round(float(high), 1)
    (14.1, 44.2)
    """
    effect = np.maximum(np.asarray(design_effect, dtype=float), 1.0)
    n = np.where(np.asarray(n, dtype=float) > 0, n, np.nan) / effect + 3
    up = (np.asarray(promoters, dtype=float) / effect + 0.75) / n
    down = (np.asarray(detractors, dtype=float) / effect + 0.75) / n
    middle = up - down
    half = Z95 * np.sqrt((up + down - middle**2) / n)
    return 100 * np.maximum(middle - half, -1), 100 * np.minimum(middle + half, 1)


def ratio_variance(
    top: ArrayLike,
    bottom: ArrayLike,
    top2: ArrayLike,
    cross: ArrayLike,
    bottom2: ArrayLike,
    clusters: ArrayLike,
) -> tuple[Floats, Floats]:
    """Ratio of sums and its cluster-robust variance from sums over clusters (accounts).

    Formula: R = ΣN/ΣD; var = G/(G-1)·(ΣN² - 2RΣND + R²ΣD²)/(ΣD)², N and D being totals of one of G clusters.
    NaN variance with fewer than two clusters.
    """
    top, bottom = np.asarray(top, dtype=float), np.asarray(bottom, dtype=float)
    bottom = np.where(bottom != 0, bottom, np.nan)
    g = np.where(np.asarray(clusters, dtype=float) > 1, clusters, np.nan)
    ratio = top / bottom
    squares = np.asarray(top2) - 2 * ratio * np.asarray(cross) + ratio**2 * np.asarray(bottom2)
    noise = np.asarray(top2) * 1e-12  # what is left of a sum of squares that is 0 but for rounding
    squares = np.where(np.abs(squares) <= noise, 0.0, np.maximum(squares, 0.0))
    return ratio, g / (g - 1) * squares / bottom**2


def ratio_interval(ratio: ArrayLike, variance: ArrayLike, clusters: ArrayLike) -> tuple[Floats, Floats]:
    """95 % interval of a ratio of sums from its cluster-robust variance, with Student's t of G-1 degrees."""
    half = _t(clusters) * np.sqrt(np.asarray(variance, dtype=float))
    return np.asarray(ratio) - half, np.asarray(ratio) + half


def share_interval(ratio: ArrayLike, variance: ArrayLike, clusters: ArrayLike) -> tuple[Floats, Floats]:
    """95 % interval of a share of a sum, on the logit scale so that it stays between 0 and 1.

    A share of exactly 0 or 1 has no variance to go by: then Wilson's interval of its accounts is used.
    """
    p, g = np.asarray(ratio, dtype=float), np.asarray(clusters, dtype=float)
    edge = (p <= 0) | (p >= 1)
    inner = np.where(edge | np.isnan(p), 0.5, p)
    logit = np.log(inner / (1 - inner))
    half = _t(g) * np.sqrt(np.asarray(variance, dtype=float)) / (inner * (1 - inner))
    low, high = (1 / (1 + np.exp(-(logit + sign * half))) for sign in (-1, 1))
    edge_low, edge_high = wilson(np.where(p >= 1, g, 0), g)
    none = np.isnan(p) | (p < 0) | (p > 1)
    return (
        np.where(none, np.nan, np.where(edge, edge_low, low)),
        np.where(none, np.nan, np.where(edge, edge_high, high)),
    )


def median_ranks(n: int) -> tuple[int, int] | None:
    """Ranks (1 to n) of the sorted values that bound the median with at least 95 % confidence; None below 6.

    Formula: lower = floor((n + 1)/2 - z·sqrt(n)/2), upper = n + 1 - lower. For no n up to 3,000 is this
    narrower than the exact binomial ranks; for 99 % of them it is the same.

    >>> median_ranks(5), median_ranks(6), median_ranks(100)
    (None, (1, 6), (40, 61))
    """
    lower = int(np.floor((n + 1) / 2 - Z95 * np.sqrt(n) / 2))
    return (lower, n + 1 - lower) if lower >= 1 else None


def _share(k: ArrayLike, n: ArrayLike) -> Floats:
    n = np.asarray(n, dtype=float)
    out: Floats = np.asarray(k, dtype=float) / np.where(n > 0, n, np.nan)
    return out


def _t(clusters: ArrayLike) -> Any:
    from scipy.special import stdtrit  # here, because SciPy takes longer to import than the rest of the KPIs

    g = np.asarray(clusters, dtype=float)
    return stdtrit(np.where(g > 1, g - 1, np.nan), 0.975)
