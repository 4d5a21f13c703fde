"""The interval of a figure that has no formula for one: leave out one block of cases after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEAST = 6


def jackknife_interval(value: float, left_out: Sequence[float]) -> tuple[float, float]:
    """95 % interval of a positive figure from its values with one block of cases left out at a time.

    Formula: log value ± t·sqrt((b-1)/b · Σ (log v - mean)²), b blocks, Student's t of b-1 degrees. NaN with
    fewer than six blocks or where the figure is not above 0.

    >>> low, high = jackknife_interval(10, [9, 10, 11, 9, 10, 11])
    >>> round(low, 1), round(high, 1)
    (6.2, 16.0)
    """
    from scipy.special import stdtrit  # here, because SciPy takes longer to import than the rest of the KPIs

    found, blocks = np.asarray(left_out, dtype=float), len(left_out)
    if blocks < LEAST or not value > 0 or not (found > 0).all():
        return float("nan"), float("nan")
    logs = np.log(found)
    spread = (blocks - 1) / blocks * np.sum((logs - logs.mean()) ** 2)
    half = float(stdtrit(blocks - 1, 0.975)) * float(np.sqrt(spread))
    return float(value * np.exp(-half)), float(value * np.exp(half))
