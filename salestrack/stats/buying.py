"""How often and for how much customers buy who never say goodbye: BG/NBD and Gamma-Gamma, from counts.

Fader, Hardie, Lee: "Counting your customers" the easy way (Marketing Science 24, 2005) and RFM and CLV: using
iso-value curves (Journal of Marketing Research 42, 2005). Customers with the same figures are one cell with a
count, so the size of the company does not matter here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Buying:
    """BG/NBD: buying rates are Gamma(r, alpha), the chance of leaving after a purchase is Beta(a, b)."""

    r: float
    alpha: float
    a: float
    b: float

    def purchases(self, t: ArrayLike) -> Floats:
        """Repeat purchases that a new customer makes on average up to time t.

        Formula: E over p of (1 - (alpha / (alpha + p t))^r) / p with p from Beta(a, b), by Gauss-Jacobi
        quadrature; it equals the paper's form with the hypergeometric function and holds for a = 1, too.

        >>> Buying(0.243, 4.414, 0.793, 2.426).purchases([0, 52]).round(3)
        array([0.   , 1.446])
        """
        p, weight = self._left
        t = np.asarray(t, float)[..., None]
        each = -np.expm1(self.r * np.log(self.alpha / (self.alpha + p * t))) / p
        return np.asarray((each * weight).sum(axis=-1), dtype=np.float64)

    @property
    def _left(self) -> tuple[Floats, Floats]:
        from scipy.special import roots_jacobi

        nodes, weights = roots_jacobi(200, self.b - 1, self.a - 1)
        return (nodes + 1) / 2, weights / weights.sum()


@dataclass(frozen=True)
class Spending:
    """Gamma-Gamma: a purchase of a customer is Gamma(p, nu), nu differs between customers as Gamma(q, gamma)."""

    p: float
    q: float
    gamma: float

    @property
    def mean(self) -> float:
        """Average value of a purchase over all customers."""
        return self.p * self.gamma / (self.q - 1)


def fit_buying(x: ArrayLike, t_x: ArrayLike, t: ArrayLike, n: ArrayLike) -> Buying:
    """The BG/NBD under which the cells are likeliest.

    Parameters
    ----------
    x : repeat purchases
    t_x : time of the last purchase since the first (0 without a repeat)
    t : time since the first purchase
    n : customers of the cell
    """
    x, t_x, t, n = (np.asarray(v, float) for v in (x, t_x, t, n))
    scale = float(t.max()) or 1.0

    def loss(log: Floats) -> float:
        r, alpha, a, b = np.exp(log)
        return -float((n * _likelihood(x, t_x / scale, t / scale, r, alpha, a, b)).sum()) / float(n.sum())

    r, alpha, a, b = _fitted(loss, [(0.5, 0.2, 0.5, 2.0), (2.0, 0.5, 1.0, 5.0), (0.2, 0.1, 1.0, 1.0)])
    return Buying(r, alpha * scale, a, b)


def fit_spending(x: ArrayLike, mean: ArrayLike, n: ArrayLike) -> Spending:
    """The Gamma-Gamma under which the cells are likeliest: x purchases of a mean value, of n customers."""
    from scipy.special import gammaln

    x, mean, n = (np.asarray(v, float) for v in (x, mean, n))
    scale = float(np.average(mean, weights=n))
    z = mean / scale

    def loss(log: Floats) -> float:
        p, over, gamma = np.exp(log)
        q, px = 1 + over, p * x
        each = gammaln(px + q) - gammaln(px) - gammaln(q) + q * np.log(gamma)
        each = each + (px - 1) * np.log(z) + px * np.log(x) - (px + q) * np.log(gamma + x * z)
        return -float((n * each).sum()) / float(n.sum())

    p, over, gamma = _fitted(loss, [(2.0, 2.0, 1.0), (8.0, 3.0, 0.5), (1.0, 10.0, 10.0)])
    return Spending(p, 1 + over, gamma * scale)


def _likelihood(x: Floats, t_x: Floats, t: Floats, r: Any, alpha: Any, a: Any, b: Any) -> Floats:
    """Log likelihood of a customer, equation (6) of the first paper."""
    from scipy.special import betaln, gammaln

    start = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
    staying = -(r + x) * np.log(alpha + t)
    gone = np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t_x)
    return np.asarray(start + np.where(x > 0, np.logaddexp(staying, gone), staying), dtype=np.float64)


def _fitted(loss: Callable[[Floats], float], starts: list[tuple[float, ...]]) -> list[float]:
    """The positive numbers with the smallest loss, from several starts."""
    from scipy.optimize import minimize

    bounds = [(-9.0, 6.0)] * len(starts[0])  # beyond, a Beta or Gamma is as good as a single point
    runs = [minimize(loss, np.log(start), method="L-BFGS-B", bounds=bounds) for start in starts]
    best = min(runs, key=lambda run: float(run.fun))
    return [float(value) for value in np.exp(best.x)]
