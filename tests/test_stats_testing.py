"""Tests, adjusted differences and rates of counts against statsmodels, SciPy and sums by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.rates import confint_poisson

from salestrack.stats.testing import (
    adjusted_difference,
    benjamini_hochberg,
    minimum_detectable,
    poisson_rate,
)

STRATUM = st.tuples(*[st.integers(0, 40)] * 4)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_benjamini_hochberg_is_that_of_statsmodels(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)


def test_what_was_not_tested_does_not_count_among_the_tests() -> None:
    assert benjamini_hochberg([0.02, math.nan, 0.5])[0] == pytest.approx(0.04)
    assert math.isnan(benjamini_hochberg([0.02, math.nan])[1])
    assert len(benjamini_hochberg([])) == 0


def _random(seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    n1, n0 = rng.integers(5, 60, 6), rng.integers(5, 60, 6)
    return rng.binomial(n1, 0.4), n1, rng.binomial(n0, 0.3), n0


@pytest.mark.parametrize("seed", range(5))
def test_odds_ratio_and_p_are_those_of_statsmodels(seed: int) -> None:
    a, n1, c, n0 = _random(seed)
    tables = [np.array([[w, n - w], [v, m - v]]) for w, n, v, m in zip(a, n1, c, n0, strict=True)]
    theirs, ours = StratifiedTable(tables), adjusted_difference(a, n1, c, n0)
    assert ours.odds_ratio == pytest.approx(theirs.oddsratio_pooled, rel=1e-9)
    assert ours.p == pytest.approx(theirs.test_null_odds(correction=False).pvalue, rel=1e-9)


def test_one_stratum_is_the_plain_difference_with_its_usual_width() -> None:
    found = adjusted_difference([60], [100], [40], [100])
    assert found.difference == pytest.approx(0.2)
    half = 1.959963984540054 * math.sqrt(2 * 0.6 * 0.4 / 100)  # Sato's agrees with Wald's for equal sizes
    assert (found.low, found.high) == pytest.approx((0.2 - half, 0.2 + half), abs=0.002)


def test_strata_take_out_what_they_explain() -> None:
    # in each stratum both sides win alike (80 % and 10 %), but one side sits in the good one
    plain = 82 / 120 - 28 / 110
    found = adjusted_difference([80, 2], [100, 20], [8, 10], [10, 100])
    assert plain > 0.4
    assert found.difference == pytest.approx(0, abs=1e-12)
    assert found.p == pytest.approx(1)


@given(st.lists(STRATUM, min_size=1, max_size=6))
def test_sides_swapped_turn_the_sign_and_the_whole_stays_between_its_ends(
    rows: list[tuple[int, ...]],
) -> None:
    a, more, c, others = (np.array(column) for column in zip(*rows, strict=True))
    there, back = (
        adjusted_difference(a, a + more, c, c + others),
        adjusted_difference(c, c + others, a, a + more),
    )
    if math.isnan(there.difference):
        assert there.compared == 0
    else:
        assert there.difference == pytest.approx(-back.difference)
        assert -1 <= there.low <= there.difference <= there.high <= 1


def test_a_stratum_with_one_side_tells_nothing() -> None:
    both, one = adjusted_difference([3], [4], [1], [4]), adjusted_difference([3, 9], [4, 9], [1, 0], [4, 0])
    assert one == both
    assert math.isnan(adjusted_difference([9], [9], [0], [0]).difference)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng, hits = np.random.default_rng(3), 0
    n1, n0, base = rng.integers(3, 25, 12), rng.integers(3, 25, 12), rng.uniform(0.1, 0.6, 12)
    for _ in range(2000):
        found = adjusted_difference(rng.binomial(n1, base + 0.15), n1, rng.binomial(n0, base), n0)
        hits += found.low <= 0.15 <= found.high
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)


def test_all_won_against_none_is_not_certain() -> None:
    found = adjusted_difference([3], [3], [0], [3])
    assert found.difference == 1
    assert found.low < 0.5


@pytest.mark.parametrize(("share", "n1", "n0"), [(0.3, 200, 400), (0.1, 50, 60), (0.5, 1000, 900)])
def test_four_of_five_samples_show_the_smallest_rise(share: float, n1: int, n0: int) -> None:
    rise = float(minimum_detectable(share, n1, n0))
    rng = np.random.default_rng(1)
    a, c = rng.binomial(n1, share + rise, 20_000), rng.binomial(n0, share, 20_000)
    pooled = (a + c) / (n1 + n0)
    z = (a / n1 - c / n0) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
    assert (z > 1.96).mean() == pytest.approx(0.8, abs=0.03)
    effect = 2 * (math.asin(math.sqrt(share + rise)) - math.asin(math.sqrt(share)))
    assert NormalIndPower().power(effect, n1, 0.05, n0 / n1) == pytest.approx(0.8, abs=0.03)


def test_too_few_cases_show_nothing() -> None:
    assert np.isnan(minimum_detectable([0.9, 0.3, 0.3], [5, 0, 9], [5, 9, 0])).all()


@pytest.mark.parametrize("k", [0, 1, 7, 400])
def test_the_poisson_interval_is_the_exact_one(k: int) -> None:
    low, high = poisson_rate(k, 50)
    assert (float(low), float(high)) == pytest.approx(confint_poisson(k, 50, method="exact-c"), abs=1e-12)
    assert float(high) == pytest.approx(stats.chi2.ppf(0.975, 2 * k + 2) / 100)
    assert np.isnan(poisson_rate(k, 0)).all()
