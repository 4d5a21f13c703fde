"""Shrinkage, funnel limits and buying models against closed forms, SciPy and simulated customers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import hyp2f1
from scipy.stats import beta, betabinom, binom

from salestrack.stats.buying import Buying, Spending, fit_buying, fit_spending
from salestrack.stats.shrinkage import (
    MOST,
    Prior,
    funnel_limits,
    prior_by_likelihood,
    prior_by_moments,
    probability_above,
    shrunk,
)


def _groups(seed: int, prior: Prior, size: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 60, size)
    return rng.binomial(n, rng.beta(prior.a, prior.b, size)), n


@pytest.mark.parametrize("fit", [prior_by_moments, prior_by_likelihood])
def test_the_prior_of_simulated_groups_is_found_again(fit: object) -> None:
    k, n = _groups(3, Prior(0.3, 20))
    found = fit(k, n)  # type: ignore[operator]
    assert found.mean == pytest.approx(0.3, abs=0.01)
    assert found.size == pytest.approx(20, rel=0.15)


def test_no_prior_near_the_likeliest_one_is_likelier() -> None:
    k, n = _groups(5, Prior(0.4, 9), 200)
    best = prior_by_likelihood(k, n)

    def likelihood(prior: Prior) -> float:
        return float(betabinom.logpmf(k, n, prior.a, prior.b).sum())

    for mean, size in ((1.02, 1.0), (0.98, 1.0), (1.0, 1.1), (1.0, 0.9)):
        assert likelihood(Prior(best.mean * mean, best.size * size)) < likelihood(best)


def test_groups_that_differ_by_chance_alone_get_one_rate() -> None:
    rng = np.random.default_rng(8)
    n = np.full(30, 40)
    k = rng.permutation(np.repeat([11, 12, 13], 10))  # less than chance would give
    prior = prior_by_moments(k, n)
    assert prior.size == MOST
    rate, low, high = shrunk(k, n, prior)
    assert np.ptp(rate) < 1e-3
    assert ((high - low) < 0.01).all()


def test_a_rep_with_three_wins_of_three_is_not_the_best() -> None:
    prior = Prior(0.25, 20)
    (small, large), *_ = shrunk([3, 45], [3, 100], prior)
    assert small < large
    assert probability_above([3, 45], [3, 100], prior, 0.25)[1] > 0.99


def test_the_posterior_is_that_of_scipy() -> None:
    mean, low, high = shrunk([7], [19], Prior(0.3, 12))
    truth = beta(7 + 3.6, 12 + 8.4)
    assert (mean[0], low[0], high[0]) == pytest.approx((truth.mean(), truth.ppf(0.025), truth.ppf(0.975)))
    assert probability_above([7], [19], Prior(0.3, 12), 0.4)[0] == pytest.approx(truth.sf(0.4))


@pytest.mark.parametrize("groups", [([], []), ([0], [0]), ([0, 0], [5, 9]), ([5, 9], [5, 9]), ([3], [9])])
def test_a_prior_without_anything_to_go_by_shrinks_to_the_rate_of_all(
    groups: tuple[list[int], list[int]],
) -> None:
    for fit in (prior_by_moments, prior_by_likelihood):
        assert fit(*groups).size == MOST


@pytest.mark.parametrize("level", [0.95, 0.998])
def test_a_group_of_the_true_rate_lies_outside_the_funnel_no_oftener_than_said(level: float) -> None:
    n = np.arange(1, 400)
    low, high = funnel_limits(0.27, n, level)
    below = binom.cdf(np.ceil(low * n - 1e-9) - 1, n, 0.27)
    above = binom.sf(np.floor(high * n + 1e-9), n, 0.27)
    assert (below <= (1 - level) / 2 + 1e-12).all()
    assert (above <= (1 - level) / 2 + 1e-12).all()
    assert (np.diff((high - low)[[9, 49, 199, 398]]) < 0).all()
    assert np.isnan(funnel_limits(0.27, 0)).all()


# -- buying


@pytest.mark.parametrize("t", [1.0, 39.0, 52.0, 500.0])
def test_expected_purchases_are_those_of_the_paper(t: float) -> None:
    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    z = t / (alpha + t)
    paper = (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + t)) ** r * hyp2f1(r, b, a + b - 1, z))
    assert float(Buying(r, alpha, a, b).purchases(t)) == pytest.approx(paper, rel=1e-9)


@pytest.fixture(scope="module")
def customers() -> dict[str, np.ndarray]:
    """Customers of known parameters: r 0.8, alpha 8 weeks, a 0.9, b 2.5; p 6, q 4, gamma 20."""
    rng, size = np.random.default_rng(1), 20_000
    rate, leave = rng.gamma(0.8, 1 / 8, size), rng.beta(0.9, 2.5, size)
    value = rng.gamma(4, 1 / 20, size)
    t = rng.integers(20, 150, size).astype(float)
    x, last, mean = np.zeros(size), np.zeros(size), np.zeros(size)
    for i in range(size):
        now = rng.exponential(1 / rate[i])
        while now <= t[i]:
            x[i], last[i] = x[i] + 1, now
            if rng.random() < leave[i]:
                break
            now += rng.exponential(1 / rate[i])
        mean[i] = rng.gamma(6, 1 / value[i], int(max(x[i], 1))).mean()
    return {"x": x, "t_x": last, "t": t, "mean": mean, "n": np.ones(size)}


def test_the_parameters_of_simulated_customers_are_found_again(customers: dict[str, np.ndarray]) -> None:
    found = fit_buying(customers["x"], customers["t_x"], customers["t"], customers["n"])
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx((0.8, 8, 0.9, 2.5), rel=0.08)
    truth = Buying(0.8, 8, 0.9, 2.5)
    assert found.purchases([26, 52, 156]) == pytest.approx(truth.purchases([26, 52, 156]), rel=0.02)


def test_whole_weeks_in_cells_say_as_much_as_single_customers(customers: dict[str, np.ndarray]) -> None:
    rows = np.stack([customers["x"], np.floor(customers["t_x"]), customers["t"]])
    cells, n = np.unique(rows, axis=1, return_counts=True)
    assert cells.shape[1] < rows.shape[1] * 0.7
    found = fit_buying(*cells, n)
    assert found.purchases([52]) == pytest.approx(Buying(0.8, 8, 0.9, 2.5).purchases([52]), rel=0.03)


def test_the_value_of_a_purchase_is_found_again(customers: dict[str, np.ndarray]) -> None:
    back = customers["x"] > 0
    found = fit_spending(customers["x"][back], customers["mean"][back], customers["n"][back])
    assert found.mean == pytest.approx(Spending(6, 4, 20).mean, rel=0.02)
    assert (found.p, found.q) == pytest.approx((6, 4), rel=0.15)


def test_customers_who_never_leave_are_no_trouble() -> None:
    x = np.array([10.0, 11, 9, 10])
    found = fit_buying(x, np.full(4, 99.0), np.full(4, 100.0), np.full(4, 50.0))
    assert float(found.purchases(100)) == pytest.approx(10, rel=0.05)
