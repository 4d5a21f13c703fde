"""How good forecasts were: bias, WAPE, MASE, pinball loss, coverage of intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def bias(forecast: ArrayLike, actual: ArrayLike) -> float:
    """Σ(F - A) / ΣA: positive where too much was promised; NaN where nothing came in.

    >>> bias([120, 80], [100, 100])
    0.0
    """
    f, a = _pairs(forecast, actual)
    return _ratio((f - a).sum(), a.sum())


def wape(forecast: ArrayLike, actual: ArrayLike) -> float:
    """Σ|F - A| / ΣA: the error in relation to all that came in; NaN where nothing came in.

    Errors are added before they are divided, so that a period with little in it cannot dominate.

    >>> wape([120, 80], [100, 100])
    0.2
    """
    f, a = _pairs(forecast, actual)
    return _ratio(np.abs(f - a).sum(), a.sum())


def mase(forecast: ArrayLike, actual: ArrayLike, naive: ArrayLike) -> float:
    """Σ|F - A| / Σ|N - A|, N being a naive forecast of the same periods: below 1 is better than naive.

    Hyndman and Koehler 2006, with the naive error taken over the periods compared; NaN where naive was exact.

    >>> mase([120, 80], [100, 100], naive=[60, 140])
    0.5
    """
    f, a, n = _pairs(forecast, actual, naive)
    return _ratio(np.abs(f - a).sum(), np.abs(n - a).sum())


def pinball(quantile: ArrayLike, actual: ArrayLike, level: float) -> float:
    """Mean pinball loss of forecasts of one quantile: level·(A - Q) above it, (1 - level)·(Q - A) below it.

    >>> pinball([100.0, 100.0], [150.0, 50.0], 0.9)
    25.0
    """
    q, a = _pairs(quantile, actual)
    loss = np.where(a >= q, level * (a - q), (1 - level) * (q - a))
    return float(loss.mean()) if len(loss) else float("nan")


def interval_coverage(low: ArrayLike, high: ArrayLike, actual: ArrayLike) -> tuple[int, int]:
    """In how many of how many intervals the actual value lay, ends included.

    >>> interval_coverage([10, 10, float("nan")], [20, 20, 20], [15, 25, 15])
    (1, 2)
    """
    lows, highs, a = _pairs(low, high, actual)
    return int(((lows <= a) & (a <= highs)).sum()), len(a)


def _pairs(*series: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    """The places at which every series has a number."""
    arrays = [np.asarray(one, dtype=float) for one in series]
    known = np.logical_and.reduce([~np.isnan(one) for one in arrays])
    return tuple(one[known] for one in arrays)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
