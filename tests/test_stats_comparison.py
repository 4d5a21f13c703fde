"""The log-rank test, left truncation, mean stays and half-way days against lifelines, statsmodels and the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from lifelines.utils import restricted_mean_survival_time
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from salestrack.stats.comparison import log_rank
from salestrack.stats.jackknife import jackknife_interval
from salestrack.stats.survival import (
    aalen_johansen,
    kaplan_meier,
    life_table,
    restricted_mean,
    restricted_mean_variance,
    share_of_final,
)


def _watched(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Days, left or not, group, and first day watched, of 300 cases with many ties."""
    rng = np.random.default_rng(seed)
    group = rng.random(300) < 0.4
    entry = rng.integers(0, 8, 300) * (rng.random(300) < 0.5)
    day = entry + rng.geometric(np.where(group, 0.06, 0.09))
    return day, rng.random(300) < 0.7, group, entry


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_log_rank_is_that_of_lifelines(seed: int) -> None:
    day, left, group, _ = _watched(seed)
    ours = log_rank(day, left, np.ones(300), group)
    theirs = logrank_test(day[group], day[~group], left[group], left[~group])
    assert ours.statistic == pytest.approx(theirs.test_statistic, rel=1e-9)
    assert ours.p_value == pytest.approx(theirs.p_value, rel=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_log_rank_with_late_entries_is_that_of_statsmodels(seed: int) -> None:
    day, left, group, entry = _watched(seed)
    ours = log_rank(day, left, np.ones(300), group, entry)
    # there a case is watched from after its entry time on, here on the day of entry too
    theirs = survdiff(day, left.astype(int), group.astype(int), entry=entry - 1)
    assert ours.statistic == pytest.approx(theirs[0], rel=1e-9)
    assert ours.p_value == pytest.approx(theirs[1], rel=1e-9)


def test_equal_cells_may_be_counted_together() -> None:
    rows = log_rank([1, 1, 2, 2, 3], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 0, 0, 1])
    cells = log_rank([1, 2, 3], [1, 1, 0], [2, 2, 1], [1, 0, 1])
    assert rows == cells


def test_without_an_event_there_is_no_test() -> None:
    assert math.isnan(log_rank([1, 2], [0, 0], [1, 1], [1, 0]).p_value)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_left_truncated_survival_is_that_of_statsmodels(seed: int) -> None:
    day, left, _, entry = _watched(seed)
    ours = kaplan_meier(life_table(day, left.astype(int), np.ones(300), entry))
    theirs = SurvfuncRight(day, left.astype(int), entry=entry - 1)
    at = [ours.at(time, before=1.0)[0] for time in theirs.surv_times]
    np.testing.assert_allclose(at, theirs.surv_prob, atol=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_mean_stay_and_its_variance(seed: int) -> None:
    day, left, _, _ = _watched(seed)
    table = life_table(day, left.astype(int), np.ones(300))
    curve = kaplan_meier(table)
    theirs = KaplanMeierFitter().fit(day, left)
    assert restricted_mean(curve, 20) == pytest.approx(restricted_mean_survival_time(theirs, t=20), abs=1e-9)
    # without censoring the mean stay is a mean, its Greenwood variance that of a mean
    capped = np.minimum(day, 20)
    table = life_table(day, np.ones(300), np.ones(300))
    assert restricted_mean_variance(kaplan_meier(table), table, 20) == pytest.approx(
        capped.var() / 300, rel=1e-9
    )


def test_the_variance_of_an_incidence_without_censoring_is_that_of_a_share() -> None:
    day, left, _, _ = _watched(5)
    curve = aalen_johansen(life_table(day, np.where(left, 1, 2), np.ones(300)))
    np.testing.assert_allclose(curve.variance, curve.value * (1 - curve.value) / 300, atol=1e-12)


def test_the_half_way_day_and_its_interval_hold_what_they_promise() -> None:
    rng, hits, found = np.random.default_rng(4), 0, []
    for _ in range(300):
        won = rng.random(400) < 0.3
        end = np.where(won, rng.gamma(2, 36, 400), rng.gamma(2, 72, 400)).astype(int)
        seen = rng.integers(300, 900, 400)
        cause = np.where(end > seen, 0, np.where(won, 1, 2))
        day, low, high = share_of_final(life_table(np.minimum(end, seen), cause, np.ones(400)), 0.5)
        hits += bool(low <= 60 <= high)  # the median of the true cycle, 60.4 days cut to whole ones
        found.append(day)
    assert np.mean(found) == pytest.approx(60, abs=1)
    assert 0.92 <= hits / 300 <= 0.985


def test_a_jackknife_interval_wants_six_blocks_and_a_positive_figure() -> None:
    assert np.isnan(jackknife_interval(1.0, [1.0] * 5)).all()
    assert np.isnan(jackknife_interval(0.0, [1.0] * 20)).all()
    assert jackknife_interval(3.0, [3.0] * 20) == pytest.approx((3.0, 3.0))
