"""Rates of small groups, pulled towards the rate of all as far as chance explains their spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
MOST = 1e6
"""The largest size of a prior: groups that differ by no more than chance have all the same rate."""


@dataclass(frozen=True)
class Prior:
    """A Beta distribution of true rates: its mean, and how many cases it weighs as much as (a + b)."""

    mean: float
    size: float

    @property
    def a(self) -> float:
        """First parameter of the Beta distribution."""
        return self.mean * self.size

    @property
    def b(self) -> float:
        """Second parameter of the Beta distribution."""
        return (1 - self.mean) * self.size


def prior_by_moments(k: ArrayLike, n: ArrayLike) -> Prior:
    """The prior whose mean and spread between groups are those seen (Kleinman 1973), groups weighted by size.

    Formula: rho = (S / (p(1-p)) - (G-1)) / (N - Σn²/N - (G-1)) with S = Σ n (k/n - p)²; size = 1/rho - 1.

    >>> prior_by_moments([2, 18, 10], [20, 20, 20])
    Prior(mean=0.5, size=0.6101694915254234)
    """
    k, n = _counts(k, n)
    total, groups = n.sum(), len(n)
    if not total or not 0 < k.sum() < total or groups < 2:
        return Prior(float(k.sum() / total) if total else float("nan"), MOST)
    p = k.sum() / total
    spread = float((n * (k / n - p) ** 2).sum() / (p * (1 - p)))
    rho = (spread - (groups - 1)) / (total - (n**2).sum() / total - (groups - 1))
    return Prior(float(p), float(np.clip(1 / rho - 1, 1e-3, MOST)) if rho > 0 else MOST)


def prior_by_likelihood(k: ArrayLike, n: ArrayLike) -> Prior:
    """The prior under which the counts are likeliest (Beta-binomial), starting from the moments."""
    from scipy.optimize import minimize
    from scipy.special import betaln, expit, logit

    start, (k, n) = prior_by_moments(k, n), _counts(k, n)
    if not 0 < start.mean < 1 or len(n) < 2:
        return start

    def loss(x: Floats) -> float:
        prior = Prior(float(expit(x[0])), float(np.exp(x[1])))
        return -float((betaln(k + prior.a, n - k + prior.b) - betaln(prior.a, prior.b)).sum())

    bounds = [(-15.0, 15.0), (np.log(1e-3), np.log(MOST))]
    starts = [[logit(start.mean), np.log(size)] for size in (start.size, 2.0, 50.0)]
    best = min((minimize(loss, x, method="L-BFGS-B", bounds=bounds) for x in starts), key=lambda r: r.fun)
    return Prior(float(expit(best.x[0])), float(np.exp(best.x[1])))


def shrunk(k: ArrayLike, n: ArrayLike, prior: Prior, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Rate of each group given the prior (posterior mean) with its posterior interval.

    Formula: (k + a) / (n + a + b); the interval between quantiles of Beta(k + a, n - k + b).

    >>> [round(float(x[0]), 3) for x in shrunk([3], [3], Prior(0.25, 12))]
    [0.4, 0.177, 0.649]
    """
    from scipy.special import betaincinv

    k, n = np.asarray(k, float), np.asarray(n, float)
    a, b, tail = k + prior.a, n - k + prior.b, (1 - level) / 2
    return a / (a + b), betaincinv(a, b, tail), betaincinv(a, b, 1 - tail)


def probability_above(k: ArrayLike, n: ArrayLike, prior: Prior, rate: float) -> Floats:
    """Probability that the true rate of each group is above a rate: what to show in place of a rank.

    >>> [round(float(x), 2) for x in probability_above([3, 0], [3, 3], Prior(0.25, 12), 0.25)]
    [0.89, 0.28]
    """
    from scipy.special import betainc

    k, n = np.asarray(k, float), np.asarray(n, float)
    out: Floats = 1 - betainc(k + prior.a, n - k + prior.b, rate)
    return out


def funnel_limits(rate: float, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Shares between which a group of n cases lies with at least this probability if its true rate is `rate`.

    Formula: exact binomial quantiles over n; a share below the lower or above the upper limit has a
    probability of less than (1 - level)/2 each. For a funnel plot take the levels 0.95 and 0.998.

    >>> [x.tolist() for x in funnel_limits(0.3, [10, 100])]
    [[0.0, 0.21], [0.6, 0.39]]
    """
    from scipy.stats import binom

    n = np.asarray(n, float)
    cases, tail = np.where(n > 0, n, np.nan), (1 - level) / 2
    return binom.ppf(tail, cases, rate) / cases, binom.isf(tail, cases, rate) / cases


def _counts(k: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    k, n = np.asarray(k, float), np.asarray(n, float)
    return k[n > 0], n[n > 0]
