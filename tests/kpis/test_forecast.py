"""Weighted pipeline, forecasts, hygiene and concentration: each mistake as rows to check in the head."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salestrack import kpis
from salestrack.errors import KpiError
from salestrack.kpis.stage_rates import with_stage_age_rates
from salestrack.stats import forecasts as errors

nan = math.nan
NOW = "2026-10-31"


def day(*texts: str | None) -> Any:
    return pd.to_datetime(list(texts)).astype("datetime64[us]")


def pipeline(*rows: tuple[float | None, float | None], **more: Any) -> pd.DataFrame:
    """Open deals as (amount, probability), expected in the quarter under way."""
    table = pd.DataFrame(rows, columns=["amount", "probability"]).astype(float)
    table = table.assign(status="open", expected_close_date=day("2026-12-01").repeat(len(rows)))
    return table.assign(closed_date=day(None).repeat(len(rows)), **more)


Span = tuple[str, str, str | None, str, str, float | None, float]


def versions(*rows: Span) -> pd.DataFrame:
    """Spans as (deal, from, to, status, expected or closing day, amount, probability)."""
    columns = ["deal_id", "valid_from", "valid_to", "status", "on", "amount", "probability"]
    table = pd.DataFrame(rows, columns=columns)
    closed = table["status"].isin(["won", "lost"])
    return table.assign(
        valid_from=day(*table["valid_from"]),
        valid_to=day(*table["valid_to"]),
        expected_close_date=day(*table["on"]),
        closed_date=day(*table["on"].where(closed, None)),
        stage_name="Offer",
    ).drop(columns="on")


def story(
    deal: str, due: str, p: float, won: str | None, amount: float = 100.0, paid: float = 100.0
) -> list[Span]:
    """A deal that is open from 2026-06-01 with an expected close, and perhaps won on a day."""
    rows: list[Span] = [(deal, "2026-06-01", won, "open", due, amount, p)]
    return [*rows, (deal, won, None, "won", won, paid, 1.0)] if won else rows


# -- weighted pipeline (19)


def test_a_percentage_that_was_not_divided_by_100_is_refused() -> None:
    with pytest.raises(KpiError, match="holds 62, which is no probability.*divide a percentage by 100"):
        kpis.weighted_pipeline(pipeline((100, 62), (50, 0.5)), as_of=NOW)
    frame = pipeline((100, 0.5), (10, 100), status=["open", "won"])  # the won deal gives the unit away
    with pytest.raises(KpiError, match="percentage"):
        kpis.weighted_pipeline(frame, as_of=NOW)
    with pytest.raises(KpiError, match="no probability"):
        kpis.weighted_pipeline(pipeline((100, -0.1)), as_of=NOW)


def test_a_probability_of_winning_ever_promises_too_much_for_the_quarter() -> None:
    late = [s for i in range(4) for s in story(f"d{i}", "2026-09-20", 0.5, "2026-10-15" if i < 2 else None)]
    early = story("e", "2026-09-20", 0.5, "2026-09-15")
    table = versions(*late, *early)
    rates = kpis.stage_age_rates(table, as_of=NOW)
    assert rates[["won", "n", "stage_age_rates"]].iloc[0].tolist() == [1, 5, 0.2]  # ever: 3 of 5
    found = kpis.weighted_pipeline_bias(table, as_of=NOW)
    assert found[["forecast", "won_value", "weighted_pipeline_bias"]].iloc[0].tolist() == [250.0, 100.0, 1.5]


def test_a_static_probability_is_validated_against_what_came() -> None:
    table = versions(*story("a", "2026-09-01", 0.8, "2026-08-20"), *story("b", "2026-09-01", 0.8, None))
    found = kpis.weighted_pipeline_bias(table, as_of=NOW).iloc[0]
    assert found[["forecast", "won_value"]].tolist() == [160.0, 100.0]
    assert found["count_bias"] == pytest.approx(0.6)
    assert (found["periods"], found["n"]) == (1, 2)
    assert math.isnan(found["low"])  # one period has no spread


def test_optimism_in_amounts_shows_beside_optimism_in_probabilities() -> None:
    table = versions(*story("a", "2026-09-01", 1.0, "2026-08-20", amount=150.0, paid=100.0))
    found = kpis.weighted_pipeline_bias(table, as_of=NOW).iloc[0]
    assert found[["weighted_pipeline_bias", "count_bias", "amount_bias"]].tolist() == [0.5, 0.0, 0.5]


def test_what_other_deals_brought_in_stands_aside() -> None:
    new: Span = ("n", "2026-08-10", "2026-09-01", "open", "2026-09-01", 70.0, 0.5)
    won: Span = ("n", "2026-09-01", None, "won", "2026-09-01", 70.0, 1.0)
    found = kpis.weighted_pipeline_bias(
        versions(*story("a", "2026-09-01", 0.5, "2026-08-20"), new, won), as_of=NOW
    )
    assert found[["won_value", "other_mean", "n"]].iloc[0].tolist() == [100.0, 70.0, 1]


def test_a_deal_reopened_before_the_quarter_ended_was_not_won() -> None:
    rows = story("a", "2026-09-01", 0.5, "2026-08-20")
    rows[1] = (*rows[1][:2], "2026-09-10", *rows[1][3:])
    rows.append(("a", "2026-09-10", None, "open", "2026-12-01", 100.0, 0.5))
    found = kpis.weighted_pipeline_bias(versions(*rows), as_of=NOW)
    assert found["won_value"][0] == 0
    assert (math.isnan(found["weighted_pipeline_bias"][0]), found["note"][0]) == (True, "no_data")


def test_a_win_counts_in_the_quarter_of_its_closing_whatever_date_was_expected() -> None:
    table = versions(*story("a", "2026-09-01", 0.5, "2026-08-20"))
    table = table.assign(expected_close_date=day("2026-09-01", "2026-12-24"))
    assert kpis.weighted_pipeline_bias(table, as_of=NOW)["won_value"][0] == 100


def test_the_same_day_of_the_quarter_is_looked_at() -> None:
    table = versions(("a", "2026-08-05", None, "open", "2026-09-01", 100.0, 0.5))
    assert kpis.weighted_pipeline_bias(table, as_of=NOW)["n"][0] == 0  # day 31 of the quarter was 31 July
    assert kpis.weighted_pipeline_bias(table, as_of="2026-11-15")["n"][0] == 1
    assert kpis.weighted_pipeline_bias(table, as_of="2026-11-15", by="quarter")["quarter"].tolist() == [
        pd.Timestamp("2026-07-01")
    ]


def test_open_amounts_are_converted_at_the_rate_of_the_day_looked_at() -> None:
    table = versions(*story("a", "2026-09-01", 0.5, "2026-08-20")).assign(
        currency_code="USD", amount_base_cents=[None, 9_000]
    )
    rates = pd.DataFrame({
        "from_currency_code": "USD",
        "to_currency_code": "EUR",
        "rate_date": day("2026-07-01", "2026-08-01"),
        "rate": [0.5, 0.9],
    })  # fmt: skip
    found = kpis.weighted_pipeline_bias(table, rates, as_of=NOW)
    assert found[["forecast", "won_value"]].iloc[0].tolist() == [25.0, 90.0]


def test_what_cannot_be_weighed_is_counted_and_never_nought() -> None:
    found = kpis.weighted_pipeline(pipeline((100, None), (None, 0.5)), as_of=NOW).iloc[0]
    assert math.isnan(found["weighted_pipeline"])
    assert found[["note", "without_amount", "without_probability"]].tolist() == ["no_probability", 1, 1]
    assert kpis.weighted_pipeline(pipeline(), as_of=NOW)["weighted_pipeline"][0] == 0


def test_the_interval_of_the_weighted_sum_is_that_of_independent_deals() -> None:
    found = kpis.weighted_pipeline(pipeline(*[(10, 0.5)] * 100), as_of=NOW).iloc[0]
    assert found["weighted_pipeline"] == 500
    assert found["high"] - 500 == pytest.approx(1.959964 * 10 * 5)
    certain = kpis.weighted_pipeline(pipeline((10, 0.9)), as_of=NOW).iloc[0]
    assert (certain["low"] >= 0, certain["high"]) == (True, 10.0)


def test_only_deals_expected_in_the_period_are_weighed() -> None:
    frame = pipeline((100, 0.5), (40, 0.5)).assign(expected_close_date=day("2026-12-31", "2027-01-01"))
    assert kpis.weighted_pipeline(frame, as_of=NOW, period="2026-Q4")["weighted_pipeline"][0] == 50
    assert kpis.weighted_pipeline(frame, as_of=NOW)["weighted_pipeline"][0] == 70


def test_own_rates_come_beside_the_deals_and_few_cases_give_way_to_their_stage() -> None:
    rates = pd.DataFrame({
        "stage_name": ["Offer", "Offer"], "age_from": [0, 30], "won": [6, 1], "n": [20, 1],
        "stage_age_rates": [0.3, 1.0],
    })  # fmt: skip
    frame = pipeline(
        (100, None), (100, None), stage_name="Offer", created_date=day("2026-10-20", "2026-01-01")
    )
    rated = with_stage_age_rates(frame, rates, as_of=NOW)
    found = kpis.weighted_pipeline(rated, as_of=NOW, probability="stage_age_rate")
    assert found["weighted_pipeline"][0] == pytest.approx(100 * 0.3 + 100 * 7 / 21, abs=0.01)


# -- forecast distribution (22b)


def outcomes(*rows: tuple[float, float]) -> dict[float, float]:
    """Every possible sum with its probability."""
    sums: dict[float, float] = {}
    for wins in itertools.product([0, 1], repeat=len(rows)):
        chance = math.prod(p if w else 1 - p for w, (_, p) in zip(wins, rows, strict=True))
        total = sum(a for w, (a, _) in zip(wins, rows, strict=True) if w)
        sums[total] = sums.get(total, 0) + chance
    return sums


DEALS = [(100.0, 0.5), (60.0, 0.2), (30.0, 0.7), (10.0, 0.9)]


def foretold(frame: pd.DataFrame, **options: Any) -> pd.Series[Any]:
    options = {"as_of": NOW, "period": "2026-Q4", "probability": "probability"} | options
    return kpis.forecast_distribution(frame, **options).iloc[0]


@pytest.mark.parametrize("target", [40.0, 100.0, 140.0, 200.0])
def test_the_draws_agree_with_counting_every_outcome(target: float) -> None:
    chance = sum(p for total, p in outcomes(*DEALS).items() if total >= target)
    found = foretold(pipeline(*DEALS), common_shock=0.0, target=target, draws=40_000)
    assert found["p_target"] == pytest.approx(chance, abs=4 * math.sqrt(0.25 / 40_000))
    assert found["expected"] == pytest.approx(92.0)


def test_a_common_shock_widens_the_forecast_and_leaves_its_mean() -> None:
    frame = pipeline(*[(10.0, 0.3)] * 300)
    alone, together = foretold(frame, common_shock=0.0), foretold(frame, common_shock=0.2)
    assert together["p90"] - together["p10"] > 3 * (alone["p90"] - alone["p10"])
    assert alone["expected"] == together["expected"] == pytest.approx(900.0)
    assert alone["p90"] - alone["p10"] == pytest.approx(2 * 1.2816 * 10 * math.sqrt(300 * 0.21), rel=0.1)


def test_many_deals_by_mean_and_variance_agree_with_single_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    rows = [
        (float(a), float(p)) for a, p in zip(rng.integers(5, 90, 400), rng.uniform(0, 1, 400), strict=True)
    ]
    single = foretold(pipeline(*rows))
    monkeypatch.setattr("salestrack.kpis.forecast.EXACT", 100)
    many = foretold(pipeline(*rows))
    for column in ("p10", "forecast_distribution", "p90"):
        assert many[column] == pytest.approx(single[column], rel=0.03)


def test_the_same_seed_gives_the_same_forecast_whatever_the_order_of_the_rows() -> None:
    frame = pipeline(*DEALS)
    pd.testing.assert_series_equal(foretold(frame), foretold(frame.iloc[[2, 0, 3, 1]]))


def test_wins_of_the_period_up_to_the_day_are_certain_and_later_ones_unknown() -> None:
    won = pipeline((40.0, 1.0), (70.0, 1.0), (90.0, 1.0), status="won").assign(
        closed_date=day("2026-10-05", "2026-09-30", "2026-11-02")
    )
    found = foretold(pd.concat([won, pipeline((100.0, 0.0))]))
    assert found[["won_so_far", "low", "forecast_distribution", "high"]].tolist() == [40.0] * 4


def test_the_forecast_without_the_largest_deal_stands_beside_it() -> None:
    found = foretold(pipeline((900.0, 1.0), (10.0, 1.0)))
    assert found[["forecast_distribution", "median_without_top"]].tolist() == [910.0, 10.0]
    assert found["top_deal_share"] == pytest.approx(900 / 910)


def test_new_business_adds_its_mean_and_its_spread() -> None:
    found = foretold(pipeline(), creation=(100.0, 20.0))
    assert found["expected"] == 100
    assert found["p90"] - found["p10"] == pytest.approx(2 * 1.28 * 20, rel=0.1)


def test_a_group_has_its_own_target_and_a_number_for_all_groups_is_refused() -> None:
    frame = pipeline((100.0, 1.0), (50.0, 1.0), team=["a", "b"])
    options: Any = {"as_of": NOW, "period": "2026-Q4", "probability": "probability", "by": "team"}
    found = kpis.forecast_distribution(frame, target={"a": 90.0, "b": 90.0}, **options)
    assert found["p_target"].tolist() == [1.0, 0.0]
    with pytest.raises(KpiError, match="mapping"):
        kpis.forecast_distribution(frame, target=90.0, **options)


def test_without_any_probability_there_is_no_forecast() -> None:
    found = foretold(pipeline((100.0, None)))
    assert (math.isnan(found["forecast_distribution"]), found["note"]) == (True, "no_probability")


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


# -- hygiene (39)


def checked(deals: pd.DataFrame, calls: pd.DataFrame | None = None, **options: Any) -> pd.DataFrame:
    calls = pd.DataFrame({"deal_id": ["x"], "started_at": day("2026-10-20")}) if calls is None else calls
    return kpis.pipeline_hygiene(deals, calls, **{"as_of": NOW} | options).set_index("check")


def opened(count: int = 2, **more: Any) -> pd.DataFrame:
    frame = pipeline(*[(100.0, 0.5)] * count)
    return frame.assign(
        deal_id=[f"d{i}" for i in range(count)], created_date=pd.Timestamp("2026-01-01"), **more
    )


@pytest.mark.parametrize(("due", "failing"), [
    ("2026-10-31", 1), ("2026-12-30", 0), ("2028-02-29", 1), ("2027-02-28", 1), ("2028-02-28", 0), ("2026-11-30", 1),
])  # fmt: skip
def test_the_last_of_a_month_is_known_in_leap_years_too(due: str, failing: int) -> None:
    found = checked(opened(1).assign(expected_close_date=day(due)))
    assert found.loc["month_end", "failing"] == failing


def test_a_deal_is_past_due_from_the_day_after() -> None:
    found = checked(opened().assign(expected_close_date=day("2026-10-30", "2026-10-31")))
    assert found.loc["past_due", ["failing", "n", "pipeline_hygiene", "value_share"]].tolist() == [
        1,
        2,
        0.5,
        0.5,
    ]


def test_a_young_deal_is_not_silent_yet_and_a_planned_call_is_no_activity() -> None:
    frame = opened(3).assign(created_date=day("2026-10-25", "2026-01-01", "2026-01-01"))
    calls = pd.DataFrame(
        {"deal_id": ["d1", "d2"], "started_at": day("2026-10-20", "2026-10-20"), "is_done": [True, False]}
    )
    assert checked(frame, calls).loc["no_activity", ["failing", "n"]].tolist() == [1, 2]
    late = pd.DataFrame({"deal_id": ["d1", "d2"], "started_at": day("2026-11-01", "2026-10-01")})
    assert checked(frame, late).loc["no_activity", "failing"] == 2


def test_a_field_that_nobody_fills_is_not_a_fault_of_every_deal() -> None:
    assert checked(opened(next_step=None)).loc["no_next_step", "note"] == "not_recorded"
    assert checked(opened(next_step=["call", None])).loc["no_next_step", "pipeline_hygiene"] == 0.5


def test_a_next_step_written_after_the_day_is_not_known() -> None:
    found = checked(opened(next_step=["call", None], is_current=[True, False]))
    assert found.loc["no_next_step", ["failing", "n"]].tolist() == [0, 1]


def test_unusual_age_is_measured_on_won_deals_and_needs_some() -> None:
    won = opened(20).assign(
        status="won", created_date=day("2026-01-01").repeat(20), closed_date=day("2026-03-01").repeat(20)
    )
    deals = pd.concat([opened(1), won])
    assert checked(deals).loc["too_old", ["failing", "limit", "n"]].tolist() == [1, 59.0, 1]
    assert checked(pd.concat([opened(1), won.iloc[:19]])).loc["too_old", "note"] == "too_few"


# -- concentration (40)


def test_one_account_with_many_deals_is_one_risk() -> None:
    frame = pipeline(*[(10.0, 0.5)] * 10, account_id=["a"] * 9 + ["b"])
    by_account, by_deal = (
        kpis.concentration(frame.assign(deal_id=range(10)), as_of=NOW, unit=u) for u in ("account", "deal")
    )
    assert by_account[["top1_share", "concentration", "n"]].iloc[0].tolist() == pytest.approx([0.9, 0.82, 2])
    assert by_deal[["top1_share", "concentration", "n"]].iloc[0].tolist() == pytest.approx([0.1, 0.1, 10])
    assert by_deal["effective_number"][0] == pytest.approx(10)
    assert by_account["value_without_top1"][0] == 10


def test_deals_without_an_account_stand_for_themselves() -> None:
    frame = pipeline((10.0, 0.5), (10.0, 0.5), account_id=None, deal_id=["a", "b"])
    assert kpis.concentration(frame, as_of=NOW)["n"][0] == 2


def test_bookings_count_by_closing_up_to_the_day() -> None:
    frame = pipeline((10.0, 1), (30.0, 1), (60.0, 1), status="won", account_id=["a", "b", "c"])
    frame = frame.assign(closed_date=day("2026-10-01", "2026-10-02", "2026-11-02"))
    found = kpis.concentration(frame, as_of=NOW, status="won", period="2026-Q4")
    assert found[["value", "top1_share", "n"]].iloc[0].tolist() == [40.0, 0.75, 2]


def test_no_amount_has_no_concentration() -> None:
    found = kpis.concentration(pipeline((None, 0.5), account_id="a"), as_of=NOW).iloc[0]
    assert (math.isnan(found["concentration"]), found["note"], found["without_amount"]) == (
        True,
        "no_data",
        1,
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=30))
def test_the_index_lies_between_one_nth_and_one(values: list[int]) -> None:
    frame = pd.DataFrame({"status": "open", "amount_base_cents": values})
    found = kpis.concentration(frame, as_of=NOW, unit="deal").iloc[0]
    assert 1 / len(values) - 1e-12 <= found["concentration"] <= 1 + 1e-12
    assert found["top1_share"] <= found["top5_share"] <= 1 + 1e-12
    assert found["concentration"] >= found["top1_share"] ** 2 - 1e-12
