"""What a change of a mean comes from: another mix of groups, or other means within them (Kitagawa)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from salestrack.stats.intervals import Floats


def kitagawa(
    n: ArrayLike, total: ArrayLike, n_before: ArrayLike, total_before: ArrayLike
) -> tuple[float, float]:
    """Mix effect and within effect of the change of a mean; they add up to it exactly.

    Formula: mix = Σ (p - p0)·(m + m0)/2; within = Σ (m - m0)·(p + p0)/2, with p the shares of the groups in the
    number of cases and m their means, 0 for the time before. A group that only one of the times has belongs
    to the mix: it has one mean, and no change of it can be seen.

    NaN where one of the times has no case. Source: Kitagawa, E. M. (1955): Components of a difference between
    two rates, Journal of the American Statistical Association 50, 1168-1194.

    Parameters
    ----------
    n, total : cases and sum of the values of each group now
    n_before, total_before : the same for the time before

    Examples
    --------
    Nothing became dearer, but two large deals took the place of small ones:

    >>> kitagawa([2, 2], [20.0, 200.0], [4, 0], [40.0, 0.0])
    (45.0, 0.0)
    """
    n1, n0 = np.asarray(n, dtype=float), np.asarray(n_before, dtype=float)
    if not n1.sum() > 0 or not n0.sum() > 0:
        return float("nan"), float("nan")
    share, share_before = n1 / n1.sum(), n0 / n0.sum()
    mean, mean_before = _means(total, n1), _means(total_before, n0)
    mean, mean_before = np.where(n1 > 0, mean, mean_before), np.where(n0 > 0, mean_before, mean)
    mix = (share - share_before) * (mean + mean_before) / 2
    within = (mean - mean_before) * (share + share_before) / 2
    return float(mix.sum()), float(within.sum())


def _means(total: ArrayLike, n: Floats) -> Floats:
    """The mean of each group, 0 where it has no case."""
    means: Floats = np.divide(np.asarray(total, dtype=float), n, out=np.zeros_like(n), where=n > 0)
    return means
