"""Intervals and survival curves against statsmodels, lifelines, SciPy and figures from the literature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times, restricted_mean_survival_time
from scipy import stats
from statsmodels.duration.survfunc import CumIncidenceRight
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from salestrack.stats.intervals import (
    median_ranks,
    net_promoter,
    newcombe,
    ratio_interval,
    ratio_variance,
    share_interval,
    wilson,
)
from salestrack.stats.survival import (
    aalen_johansen,
    kaplan_meier,
    life_table,
    log_log_interval,
    quantile,
    quantile_interval,
    quantile_of_counts,
    restricted_mean,
)

nan = math.nan


def _cohort(seed: int, size: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 40, size), rng.choice([0, 1, 2], size)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (3, 10), (50, 100), (999, 1000), (0, 40), (40, 40)])
def test_wilson_is_that_of_statsmodels_and_scipy(k: int, n: int) -> None:
    low, high = wilson(k, n)
    assert (float(low), float(high)) == pytest.approx(proportion_confint(k, n, method="wilson"), abs=1e-9)
    found = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert (float(low), float(high)) == pytest.approx((found.low, found.high), abs=1e-9)


def test_wilson_of_nothing_is_unknown() -> None:
    assert np.isnan(wilson(0, 0)).all()


def test_newcombe_is_that_of_statsmodels() -> None:
    difference, low, high = newcombe(56, 70, 48, 80)
    assert float(difference) == pytest.approx(0.2)
    assert (float(low), float(high)) == pytest.approx(
        confint_proportions_2indep(56, 70, 48, 80, method="newcomb"), abs=1e-9
    )


@pytest.mark.parametrize(("n", "half"), [(15, 35), (30, 26), (100, 15), (400, 8)])
def test_the_margin_of_a_net_promoter_score_is_as_wide_as_in_the_reference(n: int, half: int) -> None:
    # KPI reference, card 36: simulated 95 % half-widths 35, 26, 15 and 8 points at n = 15, 30, 100 and 400
    low, high = net_promoter(0.45 * n, 0.25 * n, n)
    assert (float(high) - float(low)) / 2 == pytest.approx(half, abs=3)


def test_the_margin_of_a_net_promoter_score_adds_three_answers() -> None:
    low, high = net_promoter(4, 1, 7)  # by hand: 4.75 and 1.75 of 10, score 30, sd sqrt(.65 - .09)
    half = 1.959963984540054 * math.sqrt((0.65 - 0.09) / 10) * 100
    assert (float(low), float(high)) == pytest.approx((30 - half, 30 + half))


def test_answers_that_resemble_each_other_within_accounts_widen_the_margin() -> None:
    alone, clustered = net_promoter(40, 20, 100), net_promoter(40, 20, 100, design_effect=4)
    assert float(clustered[1] - clustered[0]) > 1.8 * float(alone[1] - alone[0])


def test_a_ratio_of_sums_has_the_variance_of_its_residuals_by_account() -> None:
    top, bottom = np.array([3.0, 0.0, 5.0, 1.0]), np.array([4.0, 2.0, 5.0, 3.0])
    ratio, variance = ratio_variance(
        top.sum(), bottom.sum(), (top**2).sum(), (top * bottom).sum(), (bottom**2).sum(), 4
    )
    residuals = top - 9 / 14 * bottom
    assert float(ratio) == pytest.approx(9 / 14)
    assert float(variance) == pytest.approx(4 / 3 * (residuals**2).sum() / 14**2)
    low, high = ratio_interval(ratio, variance, 4)
    assert float(high - low) / 2 == pytest.approx(stats.t.ppf(0.975, 3) * math.sqrt(variance))


def test_the_interval_of_a_ratio_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(400):
        weights = rng.lognormal(0, 0.7, (60, 1))
        won = (rng.random((60, 1)) < 0.4) * weights
        sums = [won.sum(), weights.sum(), (won**2).sum(), (won * weights).sum(), (weights**2).sum()]
        low, high = share_interval(*ratio_variance(*sums, 60), 60)
        hits += bool(low <= 0.4 <= high)
    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0.0, 0.433), (1.0, 0.567, 1.0)])
def test_a_share_of_exactly_nothing_or_all_is_not_certain(share: float, low: float, high: float) -> None:
    found = share_interval(share, 0.0, 5)
    assert (float(found[0]), float(found[1])) == pytest.approx((low, high), abs=0.01)


def test_one_account_gives_no_interval() -> None:
    assert np.isnan(share_interval(*ratio_variance(3, 4, 9, 12, 16, 1), 1)).all()


def test_the_ranks_of_a_median_are_never_narrower_than_the_exact_ones() -> None:
    exact = {n: int(stats.binom.ppf(0.025, n, 0.5)) for n in range(6, 600)}
    found = {n: median_ranks(n) for n in exact}
    assert all(ranks is not None and ranks[0] <= max(exact[n], 1) for n, ranks in found.items())
    assert sum(ranks is not None and ranks[0] == exact[n] for n, ranks in found.items()) > 0.97 * len(exact)
    assert [median_ranks(n) for n in (1, 5, 6, 7, 9)] == [None, None, (1, 6), (1, 7), (2, 8)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kaplan_meier_is_that_of_lifelines(seed: int) -> None:
    days, cause = _cohort(seed)
    ours = kaplan_meier(life_table(days, (cause == 1).astype(int), np.ones(len(days))))
    theirs = KaplanMeierFitter().fit(days, cause == 1)
    at = [theirs.survival_function_at_times(day).iloc[0] for day in ours.day]
    np.testing.assert_allclose(ours.value, at, atol=1e-9)
    assert quantile(ours, 0.5) == theirs.median_survival_time_
    assert (
        list(quantile_interval(ours, 0.5))
        == median_survival_times(theirs.confidence_interval_).to_numpy()[0].tolist()
    )
    assert restricted_mean(ours, 30) == pytest.approx(restricted_mean_survival_time(theirs, t=30), abs=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_aalen_johansen_and_its_error_are_those_of_statsmodels(seed: int) -> None:
    days, cause = _cohort(seed)
    ours = aalen_johansen(life_table(days, cause, np.ones(len(days))))
    theirs = CumIncidenceRight(days + 1, cause)  # it knows no day 0
    at = [ours.at(day - 1) for day in theirs.times]
    np.testing.assert_allclose([value for value, _ in at], theirs.cinc[0], atol=1e-9)
    errors, known = np.sqrt([variance for _, variance in at]), ~np.isnan(theirs.cinc_se[0])
    assert known.sum() >= len(at) - 1  # statsmodels gives up on a day on which the last ones leave
    np.testing.assert_allclose(errors[known], theirs.cinc_se[0][known], atol=1e-9)


def test_without_censoring_an_incidence_is_a_share() -> None:
    days, cause = np.array([3, 5, 5, 8]), np.array([1, 2, 1, 2])
    value, variance = aalen_johansen(life_table(days, cause, [10, 10, 10, 10])).at(99)
    assert (value, variance) == (pytest.approx(0.5), pytest.approx(0.25 / 40))


def test_counting_per_day_is_the_same_as_counting_each() -> None:
    each = life_table([4, 4, 4, 6], [1, 1, 0, 1], [1, 1, 1, 1])
    counted = life_table([6, 4, 4], [1, 0, 1], [1, 1, 2])
    for name in ("day", "risk", "events", "competing"):
        np.testing.assert_array_equal(getattr(each, name), getattr(counted, name))


def test_a_curve_that_does_not_get_there_says_so() -> None:
    curve = kaplan_meier(life_table([1, 9], [1, 0], [1, 90]))
    assert math.isnan(quantile(curve, 0.5))
    assert all(math.isnan(end) for end in quantile_interval(curve, 0.5))


def test_a_certain_probability_has_no_width() -> None:
    low, high = log_log_interval([0.0, 0.5, 1.0], [0.0, 0.01, 0.0])
    assert (low[0], high[0], low[2], high[2]) == (0, 0, 1, 1)
    assert 0.29 < low[1] < 0.5 < high[1] < 0.7


@pytest.mark.parametrize(("days", "n", "want"), [([1, 2, 50], [5, 4, 1], 2), ([7], [1], 7), ([], [], nan)])
def test_a_quantile_of_counts(days: list[int], n: list[int], want: float) -> None:
    assert quantile_of_counts(days, n, 0.9) == pytest.approx(want, nan_ok=True)
