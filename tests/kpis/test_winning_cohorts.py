"""The mistakes that the reference names for win rates of cohorts, expected sales cycles and velocity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kpis.rows import day

from salestrack import kpis
from salestrack.errors import KpiError

NOW = "2026-10-31"


def deals(*rows: tuple[str, str, str | None], **more: Any) -> pd.DataFrame:
    """Deals as (status, created, closed)."""
    table = pd.DataFrame(rows, columns=["status", "created_date", "closed_date"])
    dates = {name: day(*table[name]) for name in ("created_date", "closed_date")}
    return table.assign(deal_id=[f"d{i}" for i in range(len(rows))], **dates).assign(**more)


def company(seed: int, per_day: float, days: int, growth: float = 0.0) -> tuple[pd.DataFrame, pd.Timestamp]:
    """An invented company: 30 % of its deals are won after 72 days on average, lost ones take 144; large ones
    are won less often."""
    rng = np.random.default_rng(seed)
    count = rng.poisson(per_day * np.exp(growth * np.arange(days)))
    begun = np.repeat(np.arange(days), count)
    amount = np.exp(rng.normal(9, 0.8, len(begun)))
    won = rng.random(len(begun)) < 1 / (1 + np.exp(0.85 + 0.6 * (np.log(amount) - 9)))
    took = np.where(won, rng.gamma(2, 36, len(begun)), rng.gamma(2, 72, len(begun))).astype(int)
    start, over = pd.Timestamp("2020-01-01"), begun + took < days
    return pd.DataFrame({
        "deal_id": [f"d{i}" for i in range(len(begun))],
        "account_id": [f"a{i}" for i in rng.integers(0, len(begun) // 2 + 1, len(begun))],
        "status": np.where(over, np.where(won, "won", "lost"), "open"),
        "created_date": start + pd.to_timedelta(begun, unit="D"),
        "closed_date": (start + pd.to_timedelta(begun + took, unit="D")).where(over),
        "amount_base": amount,
    }), start + pd.Timedelta(days=days - 1)  # fmt: skip


# -- win rate of a cohort (10)


def test_the_rate_of_a_young_cohort_is_neither_that_of_its_closed_deals_nor_counts_open_ones_as_lost() -> (
    None
):
    old = [("won", "2026-01-01", "2026-03-02")] * 3 + [("lost", "2026-01-01", "2026-06-30")] * 7
    young = [("won", "2026-08-01", "2026-09-30")] * 3 + [("open", "2026-08-01", None)] * 7
    table = kpis.win_rate_cohort(deals(*old, *young), as_of=NOW)
    assert table["win_rate_cohort"][0] == pytest.approx(0.3)  # closed only: 6/13, open as lost: 6/20 here
    closed_only = kpis.win_rate_cohort(deals(*old, *young[2:]), as_of=NOW)
    assert closed_only["win_rate_cohort"][0] == pytest.approx(4 / 18)
    alone = kpis.win_rate_cohort(deals(*young), as_of=NOW)
    assert math.isnan(alone["win_rate_cohort"][0])
    assert alone[["note", "open", "matured"]].iloc[0].tolist() == ["immature", 7, 0.3]


def test_whoever_is_lost_can_no_longer_win() -> None:
    lost = [("lost", "2026-01-01", "2026-01-05")] * 8
    table = kpis.win_rate_cohort(
        deals(*lost, ("won", "2026-01-01", "2026-01-20"), ("open", "2026-01-01", None)), as_of=NOW
    )
    assert table["win_rate_cohort"][0] == pytest.approx(0.1)  # Kaplan-Meier with losses censored: 0.5


def test_cohorts_of_different_age_are_compared_at_one_horizon() -> None:
    frame, today = company(1, 4, 800)
    table = kpis.win_rate_cohort(frame, as_of=today, horizon_days=90, by="quarter")
    known = table[table["note"] == ""]
    assert known["win_rate_cohort"].std() < 0.05
    assert table["note"].tolist()[-1] == "immature"
    assert kpis.win_rate_cohort(frame, as_of=today, horizon_days=360)["win_rate_cohort"][0] == pytest.approx(
        0.311, abs=0.02
    )


def test_a_deal_that_was_won_and_reopened_is_open() -> None:
    frame = deals(("open", "2026-01-01", "2026-02-01"), ("lost", "2026-01-01", "2026-02-01"))
    table = kpis.win_rate_cohort(frame, as_of=NOW)
    assert table[["won", "lost", "n", "win_rate_cohort"]].iloc[0].tolist() == [0, 1, 2, 0]


def test_a_win_after_the_day_is_not_known_yet_and_one_after_the_horizon_is_in_the_final_share() -> None:
    frame = deals(("won", "2026-01-01", "2026-10-01"), ("lost", "2026-01-01", "2026-02-01"))
    before = kpis.win_rate_cohort(frame, as_of="2026-09-30")
    assert before[["win_rate_cohort", "expected_final", "won"]].iloc[0].tolist() == [0, 0, 0]
    after = kpis.win_rate_cohort(frame, as_of=NOW)
    assert after[["win_rate_cohort", "expected_final", "won"]].iloc[0].tolist() == [0, 0.5, 0]
    assert after["followed"][0] == 273
    assert kpis.win_rate_cohort(frame, as_of="2025-12-31")["n"][0] == 0


def test_deleted_deals_junk_and_closings_without_a_day_stand_aside() -> None:
    frame = deals(
        ("won", "2026-01-01", "2026-02-01"),
        ("lost", "2026-01-01", "2026-02-01"),
        ("lost", "2026-01-01", "2026-02-01"),
        ("won", "2026-01-01", None),
        ("lost", "2026-01-01", "2026-02-01"),
        lost_reason=[None, "price", "SPAM", None, "price"],
        is_deleted=[False, False, False, False, True],
    )
    table = kpis.win_rate_cohort(frame, as_of=NOW)
    assert table[["won", "lost", "junk", "undated", "n"]].iloc[0].tolist() == [1, 1, 1, 1, 2]
    assert table["win_rate_cohort"][0] == 0.5


OUTCOMES = st.lists(
    st.tuples(st.sampled_from(["won", "lost", "open"]), st.integers(0, 300), st.integers(0, 300)), max_size=30
)


@settings(max_examples=40, deadline=None)
@given(OUTCOMES)
def test_the_rate_is_a_probability_within_its_interval_and_grows_with_the_horizon(rows: Any) -> None:
    start = pd.Timestamp("2025-12-01")
    days = pd.DataFrame(rows, columns=["status", "begun", "took"]).astype({"begun": "int64", "took": "int64"})
    begun = start + pd.to_timedelta(days["begun"], unit="D")
    closed = (begun + pd.to_timedelta(days["took"], unit="D")).where(days["status"] != "open")
    frame = pd.DataFrame(
        {"status": days["status"].astype("str"), "created_date": begun, "closed_date": closed}
    )
    rates = []
    for horizon in (30, 90, 180):
        row = kpis.win_rate_cohort(frame, as_of=NOW, horizon_days=horizon).iloc[0]
        if row["note"] == "":
            rates.append(row["win_rate_cohort"])
            assert 0 <= row["low"] <= row["win_rate_cohort"] + 1e-12 <= row["high"] + 2e-12 <= 1 + 3e-12
            assert row["win_rate_cohort"] <= row["expected_final"] + 1e-12
    assert rates == sorted(rates)


# -- expected sales cycle (15b)


def test_a_young_cohort_has_no_cycle_yet_and_a_followed_one_has_the_true_one() -> None:
    frame, today = company(2, 4, 800)
    young = (today - pd.Timedelta(days=120), today)
    found = kpis.expected_sales_cycle(frame, as_of=today, period=young)
    assert found["note"][0] == "immature"
    assert math.isnan(found["expected_sales_cycle"][0])
    table = kpis.expected_sales_cycle(frame, as_of=today)
    assert table["expected_sales_cycle"][0] == pytest.approx(60, abs=4)  # the median of gamma(2, 36)
    assert table["time_to_lost"][0] == pytest.approx(120, abs=8)
    assert table["low"][0] <= 60 <= table["high"][0]


def test_growth_shortens_the_realised_cycle_and_not_the_expected_one() -> None:
    frame, today = company(3, 0.4, 1000, growth=0.0045)
    realised = kpis.sales_cycle(frame, period=(today - pd.Timedelta(days=180), today))["sales_cycle"][0]
    expected = kpis.expected_sales_cycle(frame, as_of=today)["expected_sales_cycle"][0]
    assert realised < expected - 2
    assert expected == pytest.approx(60, abs=4)


def test_half_of_the_winners_are_those_that_win_not_half_of_all_deals() -> None:
    won = [("won", "2026-01-01", f"2026-01-{d}") for d in (11, 21, 31)]
    lost = [("lost", "2026-01-01", "2026-01-02")] * 20
    assert kpis.expected_sales_cycle(deals(*won, *lost), as_of=NOW)["expected_sales_cycle"][0] == 20
    nothing = kpis.expected_sales_cycle(deals(*lost), as_of=NOW)
    assert nothing[["note", "time_to_lost"]].iloc[0].tolist() == ["no_data", 1]


def test_deals_that_never_end_can_be_allowed_for() -> None:
    rows = [("won", "2026-01-01", "2026-01-31")] * 6 + [("open", "2026-01-01", None)] * 2
    assert kpis.expected_sales_cycle(deals(*rows), as_of=NOW)["note"][0] == "immature"
    table = kpis.expected_sales_cycle(deals(*rows), as_of=NOW, most_undecided=0.3)
    assert table[["expected_sales_cycle", "undecided", "latest"]].iloc[0].tolist() == [30, 0.25, 30]


# -- sales velocity (17)


def test_velocity_is_the_money_won_per_day_and_the_classic_figure_is_not() -> None:
    true = {"velocity": [], "classic": [], "within": []}  # type: dict[str, list[float]]
    rng = np.random.default_rng(9)
    amount = np.exp(rng.normal(9, 0.8, 1_000_000))
    worth = 5 * float((amount / (1 + np.exp(0.85 + 0.6 * (np.log(amount) - 9)))).mean())
    for seed in range(12):
        frame, today = company(seed, 5, 900)
        row = kpis.sales_velocity(frame, as_of=today).iloc[0]
        true["velocity"].append(row["sales_velocity"] / worth)
        true["classic"].append(row["classic"] / worth)
        true["within"].append(row["low"] <= worth <= row["high"])
        assert row["sales_velocity"] == pytest.approx(row["realised"], rel=0.2)
    assert np.mean(true["velocity"]) == pytest.approx(1.0, abs=0.05)
    assert np.mean(true["classic"]) == pytest.approx(1.69, abs=0.08)
    assert sum(true["within"]) >= 10


def test_lost_deals_take_up_the_pipeline_too() -> None:
    start = pd.Timestamp("2025-01-01")
    begun = start + pd.to_timedelta(range(0, 600, 10), unit="D")
    took = pd.to_timedelta([20, 100] * 30, unit="D")
    today = start + pd.Timedelta(days=599)
    frame = pd.DataFrame({"created_date": begun, "closed_date": begun + took, "amount": 100.0,
                          "status": ["won", "lost"] * 30})  # fmt: skip
    row = kpis.sales_velocity(frame, as_of=today, window_days=400).iloc[0]
    assert row["days_in_pipeline"] == pytest.approx(60)  # won deals alone: 20
    assert row["win_rate_by_value"] == pytest.approx(0.5)
    assert row["sales_velocity"] == pytest.approx(5.0)  # one of 100 every 20 days
    assert row["realised"] == pytest.approx(5.0)
    assert row["classic"] == pytest.approx(15.0)


def test_a_large_loss_lowers_the_rate_by_value() -> None:
    rows = [
        ("won", "2026-01-01", "2026-02-01"),
        ("lost", "2026-01-01", "2026-02-01"),
        ("open", "2026-10-01", None),
    ]
    table = kpis.sales_velocity(deals(*rows, amount_base=[100.0, 900.0, 500.0]), as_of=NOW)
    assert table["win_rate_by_value"][0] == pytest.approx(0.1)
    assert table["mean_amount"][0] == 500


def test_deals_without_an_amount_are_shown_and_left_out() -> None:
    rows = [("won", "2026-01-01", "2026-02-01"), ("open", "2026-01-01", None)]
    table = kpis.sales_velocity(deals(*rows, amount_base=[100.0, None]), as_of=NOW)
    assert table[["n", "open", "coverage"]].iloc[0].tolist() == [1, 0, 0.5]
    assert math.isnan(table["low"][0])


@pytest.mark.parametrize("tells_apart", [True, False])
def test_deals_without_an_account_stand_alone_where_they_have_an_id(tells_apart: bool) -> None:
    begun = pd.Timestamp("2026-01-01") + pd.to_timedelta(range(60), unit="D")
    frame = pd.DataFrame({"created_date": begun, "closed_date": begun + pd.to_timedelta([30, 50] * 30, unit="D"),
                          "status": ["won", "lost"] * 30, "amount": 100.0, "account_id": None})  # fmt: skip
    frame.loc[58:, ["status", "closed_date"]] = ["open", pd.NaT]
    named = frame.assign(deal_id=[f"d{i}" for i in range(60)]) if tells_apart else frame
    blocks = kpis.sales_velocity(named, as_of="2026-06-30")["low"][0]
    assert math.isnan(blocks) != tells_apart  # one block for all leaves nothing to compare


def test_velocity_looks_back_from_a_day_and_knows_no_months() -> None:
    with pytest.raises(KpiError, match="month"):
        kpis.sales_velocity(deals(("open", "2026-01-01", None), amount_base=1.0), as_of=NOW, by="month")


def test_a_credit_note_has_no_weight_and_takes_none_from_a_deal_of_the_same_days() -> None:
    begun = pd.Timestamp("2026-01-01") + pd.to_timedelta(range(0, 120, 2), unit="D")
    frame = pd.DataFrame({"created_date": begun, "closed_date": begun + pd.to_timedelta([30, 50] * 30, unit="D"),
                          "status": ["won", "lost"] * 30, "amount": 100.0})  # fmt: skip
    note = frame.iloc[[10]].assign(amount=-60.0)
    found = [kpis.sales_velocity(rows, as_of="2026-06-30") for rows in (frame, pd.concat([frame, note]))]
    shares = [table["win_rate_by_value"][0] for table in found]
    assert shares[0] == pytest.approx(shares[1], rel=1e-12)
    assert found[1]["n"][0] == found[0]["n"][0] + 1
