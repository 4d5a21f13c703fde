"""The rules of the weighted pipeline and the forecast distribution: each mistake as rows to check in the head."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kpis.rows import day
from kpis.rows_forecast import Span, pipeline, story, versions

from salestrack import kpis
from salestrack.errors import KpiError
from salestrack.kpis.stage_rates import with_stage_age_rates

NOW = "2026-10-31"


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
