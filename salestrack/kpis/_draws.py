"""Draws of what a period will bring: deals that are won or not, with a common shock, and new business."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
SINGLE = 500
"""Deals that are drawn one by one, the largest first; the rest comes by its mean and variance."""
BLOCK = 2_000


@dataclass(frozen=True)
class Cells:
    """Deals of like probability: `p`, their number `n`, the sum of their amounts and of the squares."""

    p: Array
    n: Array
    amounts: Array
    squares: Array

    @classmethod
    def of(cls, table: pd.DataFrame) -> Cells:
        """From the columns _p, n, amounts and squares; in an order that depends on nothing else."""
        ordered = table.assign(size=table["amounts"] / table["n"]).sort_values(
            ["size", "_p"], ascending=False, kind="stable"
        )
        return cls(*(ordered[c].to_numpy(dtype=float) for c in ("_p", "n", "amounts", "squares")))

    def split(self, count: int) -> tuple[Cells, Cells]:
        """The first cells and the others."""
        parts = (self.p, self.n, self.amounts, self.squares)
        return Cells(*(one[:count] for one in parts)), Cells(*(one[count:] for one in parts))


def drawn(cells: Cells, *, draws: int, seed: int, shock: float, single: int = SINGLE) -> tuple[Array, Array]:
    """Per draw what the deals bring in, and how much of it the largest one does.

    A latent normal per deal, correlated by `shock` between all of them, decides: the deal is won where it lies
    below the normal quantile of p (Vasicek's one-factor model), so that each p stays what it is. Up to `single`
    deals, of cells of equal amounts, are drawn one by one.
    """
    from scipy.special import ndtri  # takes longer to import than everything else here

    rng = np.random.default_rng(seed)
    common = rng.standard_normal(draws)
    total, largest = np.zeros(draws), np.zeros(draws)
    one_by_one = int(np.searchsorted(np.cumsum(cells.n), single, side="right"))
    first, rest = cells.split(one_by_one)
    sizes = np.repeat(first.amounts / first.n, first.n.astype(int))
    bounds = ndtri(np.repeat(first.p, first.n.astype(int)))
    for start in range(0, draws if len(sizes) else 0, BLOCK):
        z = common[start : start + BLOCK, None]
        latent = np.sqrt(shock) * z + np.sqrt(1 - shock) * rng.standard_normal((len(z), len(sizes)))
        won = latent <= bounds
        total[start : start + BLOCK] = won @ sizes
        largest[start : start + BLOCK] = won[:, 0] * sizes[0]
    if len(rest.p):
        mean, variance = _moments(rest, common, shock)
        total += mean + np.sqrt(variance) * rng.standard_normal(draws)
    return total, largest


def new_business(mean: float, sd: float, *, draws: int, seed: int) -> Array:
    """Draws of what deals that are not there yet will bring: gamma with this mean and standard deviation."""
    if mean <= 0 or sd <= 0:
        return np.full(draws, max(mean, 0.0))
    rng = np.random.default_rng([seed, 1])
    return rng.gamma((mean / sd) ** 2, sd**2 / mean, draws)


def _moments(cells: Cells, common: Array, shock: float) -> tuple[Array, Array]:
    """Mean and variance of the sum given the common shock, from a grid of its values."""
    from scipy.special import ndtr, ndtri

    grid = np.linspace(-6, 6, 121) if shock else np.zeros(1)
    bounds = ndtri(cells.p)
    mean, variance = np.empty(len(grid)), np.empty(len(grid))
    for i, z in enumerate(grid):
        p = ndtr((bounds - np.sqrt(shock) * z) / np.sqrt(1 - shock)) if shock else cells.p
        mean[i], variance[i] = (p * cells.amounts).sum(), (p * (1 - p) * cells.squares).sum()
    if not shock:
        return np.full(len(common), mean[0]), np.full(len(common), variance[0])
    return np.interp(common, grid, mean), np.interp(common, grid, variance)
