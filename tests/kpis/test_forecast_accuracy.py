"""The rules of forecast accuracy: each mistake as rows to check in the head."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kpis.rows import day
from kpis.rows_forecast import story, versions

from salestrack import kpis
from salestrack.errors import KpiError
from salestrack.stats import forecasts as errors

NOW = "2026-10-31"


# -- forecast accuracy (23)


def said(*rows: tuple[str, str, float], **more: Any) -> pd.DataFrame:
    """Forecasts as (first day of the quarter, made on, amount)."""
    table = pd.DataFrame(rows, columns=["period_start_date", "submitted_at", "forecast_amount"])
    return table.assign(
        period_start_date=day(*table["period_start_date"]), submitted_at=day(*table["submitted_at"]), **more
    )


def came(**days: float) -> pd.DataFrame:
    return pd.DataFrame(
        {"credit_date": day(*(d[1:].replace("_", "-") for d in days)), "amount": list(days.values())}
    )


def judged(forecasts: pd.DataFrame, credits: pd.DataFrame, **options: Any) -> pd.DataFrame:
    found = kpis.forecast_accuracy(forecasts, credits, **{"as_of": NOW} | options)
    return found.set_index("horizon")


def test_the_error_is_of_sums_and_not_one_minus_a_ratio_of_one_period() -> None:
    """1 - |F-A|/A and |F-A|/F differ, and their means let a small quarter dominate."""
    credits = came(d2026_02_01=1000.0, d2026_05_01=10.0)
    table = judged(said(("2026-01-01", "2026-01-01", 1000.0), ("2026-04-01", "2026-04-01", 30.0)), credits)
    assert table.loc["day_1", "forecast_accuracy"] == pytest.approx(20 / 1010)
    over, under = (
        judged(said(("2026-01-01", "2026-01-01", f)), came(d2026_02_01=100.0)) for f in (150.0, 50.0)
    )
    assert over.loc["day_1", "forecast_accuracy"] == under.loc["day_1", "forecast_accuracy"] == 0.5
    assert (over.loc["day_1", "bias"], under.loc["day_1", "bias"]) == (0.5, -0.5)


def test_one_quarter_does_not_judge_a_forecast() -> None:
    table = judged(said(("2026-01-01", "2026-01-01", 100.0)), came(d2026_02_01=100.0))
    assert table.loc["day_1", ["n", "note"]].tolist() == [1, "too_few"]
    assert math.isnan(table.loc["day_1", "low"])


def test_horizons_stand_apart() -> None:
    rows = said(("2026-01-01", "2026-01-01", 200.0), ("2026-01-01", "2026-03-20", 100.0))
    table = judged(rows, came(d2026_02_01=100.0))
    assert table["forecast_accuracy"].to_dict() == {"day_1": 1.0, "day_30": 1.0, "t-30": 1.0, "t-7": 0.0}


def test_a_forecast_revised_after_the_fact_does_not_count() -> None:
    rows = said(("2026-01-01", "2026-01-01", 200.0), ("2026-01-01", "2026-04-02", 100.0))
    assert judged(rows, came(d2026_02_01=100.0))["forecast"].tolist() == [200.0] * 4
    marked = said(("2026-01-01", "2026-04-02", 100.0), horizon="day_1")
    assert len(judged(marked, came(d2026_02_01=100.0))) == 0


def test_a_period_still_running_is_not_judged() -> None:
    rows = said(("2026-10-01", "2026-10-01", 200.0))
    assert len(judged(rows, came(d2026_10_05=1.0))) == 0


def test_nothing_came_in_has_no_rate() -> None:
    table = judged(said(("2026-01-01", "2026-01-01", 200.0)), came(d2025_02_01=1.0))
    assert table.loc["day_1", ["bias", "forecast_accuracy"]].isna().all()
    assert table.loc["day_1", "note"] == "no_data"


def test_the_last_word_of_each_person_counts_and_teams_are_not_added_to_persons() -> None:
    rows = said(
        ("2026-01-01", "2025-12-20", 900.0), ("2026-01-01", "2025-12-30", 50.0), ("2026-01-01", "2025-12-29", 50.0),
        rep_id=["a", "a", "b"], team_id=None,
    )  # fmt: skip
    assert judged(rows, came(d2026_02_01=100.0)).loc["day_1", "forecast"] == 100
    both = rows.assign(rep_id=["a", "a", None], team_id=[None, None, "t"])
    with pytest.raises(KpiError, match="persons and teams"):
        judged(both, came(d2026_02_01=100.0))


def test_categories_are_not_added_up() -> None:
    rows = said(
        ("2026-01-01", "2026-01-01", 100.0), ("2026-01-01", "2026-01-01", 300.0),
        forecast_category=["commit", "pipeline"],
    )  # fmt: skip
    credits = came(d2026_02_01=80.0)
    assert judged(rows, credits).loc["day_1", ["forecast", "came_true"]].tolist() == [100.0, 0.8]
    each = kpis.forecast_accuracy(rows, credits, as_of=NOW, by="forecast_category", horizons=["day_1"])
    assert each["forecast"].tolist() == [100.0, 300.0]
    assert each["actual"].tolist() == [80.0, 80.0]


def test_naive_is_the_same_quarter_of_the_year_before() -> None:
    credits = came(d2025_02_01=50.0, d2026_02_01=100.0)
    rows = said(("2026-01-01", "2026-01-01", 75.0))
    assert judged(rows, credits).loc["day_1", "mase"] == 0.5
    assert math.isnan(judged(rows, came(d2026_02_01=100.0)).loc["day_1", "mase"])


def test_intervals_are_judged_by_how_often_they_hold() -> None:
    rows = said(
        ("2026-01-01", "2026-01-01", 100.0),
        ("2026-04-01", "2026-04-01", 100.0),
        low=[90.0, 90.0],
        high=[120.0, 95.0],
    )
    assert judged(rows, came(d2026_02_01=100.0, d2026_05_01=100.0)).loc["day_1", "coverage"] == 0.5


def test_forecasts_from_history_do_not_know_what_came_later() -> None:
    table = versions(*story("a", "2026-09-01", 0.5, "2026-08-20"))
    whole = kpis.crm_forecasts(table, as_of=NOW)
    then = table[table["valid_from"] <= "2026-08-01"].assign(valid_to=pd.NaT)
    before = kpis.crm_forecasts(then, as_of="2026-08-01", periods=1)
    asked = before["horizon"].tolist()
    assert asked == ["day_1", "day_30"]
    pd.testing.assert_frame_equal(whole[whole["horizon"].isin(asked)].reset_index(drop=True), before)
    judged_by = pd.DataFrame({"credit_date": day("2026-08-20"), "amount": [100.0]})
    made = kpis.forecast_accuracy(whole, judged_by, as_of=NOW).set_index("horizon")
    assert made["bias"].to_dict() == {"day_1": -0.5, "day_30": -0.5, "t-30": 0.0, "t-7": 0.0}


def test_a_forecast_of_a_month_named_as_a_quarter_is_refused() -> None:
    with pytest.raises(KpiError, match="starts no quarter"):
        judged(said(("2026-02-01", "2026-02-01", 1.0)), came(d2026_02_01=1.0))
    assert len(judged(said(("2026-02-01", "2026-02-01", 1.0)), came(d2026_02_01=1.0), each="month"))


amounts = st.lists(st.tuples(st.floats(0, 1e6), st.floats(1, 1e6)), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(amounts)
def test_the_error_is_never_below_the_bias(pairs: list[tuple[float, float]]) -> None:
    f, a = np.array(pairs).T
    assert errors.wape(f, a) >= abs(errors.bias(f, a)) - 1e-12
    naive = errors.mase(f, a, f)
    assert math.isnan(naive) if (f == a).all() else naive == pytest.approx(1.0)


def test_the_pinball_loss_is_least_at_the_quantile() -> None:
    values = np.arange(1.0, 101.0)
    losses = [errors.pinball(np.full(100, q), values, 0.9) for q in (80.0, 90.0, 98.0)]
    assert min(losses) == losses[1]
