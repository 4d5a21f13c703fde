"""The mistakes that the KPI reference names in win rates, bookings and sizes, each as a few rows to check in the head."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from kpis.rows import day, deals
from scipy import stats

from salestrack import kpis
from salestrack.stats.intervals import median_ranks

nan = math.nan


# -- win rates (8, 9)


@pytest.mark.parametrize(("statuses", "won", "lost", "rate"), [
    pytest.param(["won", "won", "lost"], 2, 1, 2 / 3, id="counts deals, not money"),
    pytest.param(["won", "open"], 1, 0, 1.0, id="open deals do not count"),
    pytest.param(["lost"], 0, 1, 0.0, id="all lost is nought"),
    pytest.param(["open"], 0, 0, nan, id="nothing closed: unknown, not zero"),
    pytest.param([], 0, 0, nan, id="no deals at all"),
])  # fmt: skip
def test_win_rate(statuses: list[str], won: int, lost: int, rate: float) -> None:
    table = kpis.win_rate(pd.DataFrame({"status": statuses}))
    assert table[["won", "lost", "n"]].iloc[0].tolist() == [won, lost, won + lost]
    assert table["win_rate"][0] == pytest.approx(rate, nan_ok=True)
    assert table["note"][0] == ("no_data" if math.isnan(rate) else "")


def test_losses_that_never_were_deals_stand_aside() -> None:
    frame = pd.DataFrame({"status": ["won", "lost", "lost"], "lost_reason": [None, "SPAM", "price"]})
    assert kpis.win_rate(frame)[["won", "lost", "junk", "win_rate"]].iloc[0].tolist() == [1, 1, 1, 0.5]
    assert kpis.win_rate(frame, junk=())["lost"][0] == 2


def test_rates_of_teams_come_from_sums_and_do_not_average() -> None:
    frame = pd.DataFrame({"status": ["won"] + ["lost"] * 8 + ["won"], "team": ["a"] + ["b"] * 9})
    assert kpis.win_rate(frame)["win_rate"][0] == 0.2
    assert kpis.win_rate(frame, by="team")["win_rate"].mean() != 0.2


def test_a_missing_group_keeps_its_row() -> None:
    frame = pd.DataFrame({"status": ["won", "lost"], "team": ["a", None]})
    assert kpis.win_rate(frame, by="team")["team"].tolist() == ["a", "(missing)"]


def test_a_large_loss_weighs_in_the_rate_by_value_only() -> None:
    frame = deals(("won", 100, "2026-01-01"), ("lost", 900, "2026-01-02"))
    assert kpis.win_rate(frame)["win_rate"][0] == 0.5
    table = kpis.win_rate_by_value(frame)
    assert table["win_rate_by_value"][0] == 0.1
    assert table["top_deal_share"][0] == 0.9


def test_a_loss_set_to_zero_is_valued_at_its_last_open_amount() -> None:
    frame = deals(
        ("won", 100, "2026-01-01"), ("lost", 0, "2026-01-02"), last_open_amount_base_cents=[None, 30_000]
    )
    assert kpis.win_rate_by_value(frame)["win_rate_by_value"][0] == 0.25


def test_deals_of_one_account_do_not_make_the_rate_more_certain() -> None:
    frame = deals(*[("won", 100, "2026-01-01"), ("lost", 100, "2026-01-01")] * 20)
    spread = frame.assign(account_id=[f"a{i}" for i in range(40)])
    clustered = frame.assign(account_id=[f"a{i // 20 % 2}" if i % 2 else f"b{i // 10}" for i in range(40)])
    wide, narrow = (kpis.win_rate_by_value(table).eval("high - low")[0] for table in (clustered, spread))
    assert wide > 1.5 * narrow


def test_the_interval_by_value_is_that_of_the_accounts_residuals() -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {
            "status": rng.choice(["won", "lost"], 90),
            "account_id": rng.integers(0, 25, 90).astype(str),
            "amount_base_cents": rng.integers(1, 10**7, 90),
        }
    )
    won = frame["amount_base_cents"].where(frame["status"] == "won", 0)
    sums = pd.DataFrame({"n": won, "d": frame["amount_base_cents"]}).groupby(frame["account_id"]).sum()
    rate, g = sums["n"].sum() / sums["d"].sum(), len(sums)
    error = math.sqrt(g / (g - 1) * ((sums["n"] - rate * sums["d"]) ** 2).sum()) / sums["d"].sum()
    half = stats.t.ppf(0.975, g - 1) * error / (rate * (1 - rate))
    want = [1 / (1 + math.exp(-(math.log(rate / (1 - rate)) + sign * half))) for sign in (-1, 1)]
    assert kpis.win_rate_by_value(frame)[["low", "high"]].iloc[0].tolist() == pytest.approx(want, rel=1e-9)


# -- bookings and growth (1, 2)


def test_bookings_go_by_the_day_of_winning_not_by_the_expected_close() -> None:
    frame = deals(("won", 10, "2026-02-01"), expected_close_date=day("2026-01-15"))
    assert kpis.bookings(frame, by="month")["month"].tolist() == [pd.Timestamp("2026-02-01")]


def test_a_reopened_deal_counts_in_no_month() -> None:
    assert kpis.bookings(deals(("open", 10, "2026-02-01")), period="2026-02")["bookings"][0] == 0


def test_an_unknown_amount_is_not_zero_and_a_credit_note_counts() -> None:
    table = kpis.bookings(
        deals(("won", None, "2026-01-01"), ("won", -5.5, "2026-01-01"), ("won", 10, "2026-01-01"))
    )
    assert table.iloc[0].tolist() == [4.5, 3, 1]


def test_money_is_added_in_hundredths() -> None:
    assert kpis.bookings(deals(*[("won", 0.1, "2026-01-01")] * 3))["bookings"][0] == 0.3
    assert kpis.bookings(deals(("won", 0.125, "2026-01-01")))["bookings"][0] == 0.13


def test_a_period_holds_its_first_day_and_not_the_day_after_its_last() -> None:
    frame = deals(*[("won", 1, text) for text in ("2025-12-31", "2026-01-01", "2026-01-31", "2026-02-01")])
    assert kpis.bookings(frame, period="2026-01")["n"][0] == 2
    assert kpis.bookings(frame, period=("2025-12-31", "2026-01-01"))["n"][0] == 1


@pytest.mark.parametrize(("word", "year_starts", "start"), [
    ("day", 1, "2026-01-01"), ("week", 1, "2025-12-29"), ("month", 1, "2026-01-01"),
    ("quarter", 1, "2026-01-01"), ("quarter", 12, "2025-12-01"), ("year", 1, "2026-01-01"),
    ("year", 7, "2025-07-01"), ("year", 2, "2025-02-01"),
])  # fmt: skip
def test_period_words_start_where_they_should(word: str, year_starts: int, start: str) -> None:
    table = kpis.bookings(deals(("won", 1, "2026-01-01")), by=word, fiscal_year_start=year_starts)
    assert table[word].tolist() == [pd.Timestamp(start)]


def test_weeks_start_on_mondays_over_leap_years_and_centuries() -> None:
    every = pd.date_range("1899-12-20", "1900-03-10").append(pd.date_range("2024-02-20", "2024-03-05"))
    frame = pd.DataFrame({"status": "won", "amount_base": 1.0, "closed_date": every.astype("datetime64[us]")})
    table = kpis.bookings(frame, by=["day", "week"])
    assert table["day"].tolist() == sorted(every)
    assert table["week"].tolist() == [when - pd.Timedelta(days=when.weekday()) for when in sorted(every)]


def test_growth_compares_the_same_month_of_the_year_before() -> None:
    frame = deals(("won", 100, "2025-12-05"), ("won", 50, "2026-11-05"), ("won", 120, "2026-12-05"))
    assert kpis.revenue_growth(frame, period="2026-12")["revenue_growth"][0] == pytest.approx(0.2)
    assert kpis.revenue_growth(frame, period="2026-12", against="month")["revenue_growth"][
        0
    ] == pytest.approx(1.4)


def test_what_was_won_in_both_of_two_periods_that_overlap_counts_in_both() -> None:
    frame = deals(("won", 100, "2025-10-05"), ("won", 50, "2025-11-05"), ("won", 120, "2025-12-05"))
    table = kpis.revenue_growth(frame, period=("2025-11-01", "2026-01-01"), against="month")
    assert table[["bookings", "previous", "n", "previous_n"]].iloc[0].tolist() == [170.0, 150.0, 2, 2]
    table = kpis.revenue_growth(frame, period=("2025-11-01", "2026-01-01"), against="month", by="month")
    assert table[["bookings", "previous"]].to_numpy().tolist() == [[50.0, 100.0], [120.0, 50.0]]


def test_growth_of_a_period_still_filling_is_taken_to_the_same_day() -> None:
    frame = deals(("won", 100, "2025-10-05"), ("won", 900, "2025-10-30"), ("won", 110, "2026-10-05"))
    table = kpis.revenue_growth(frame, period="2026-10", as_of="2026-10-15")
    assert table["revenue_growth"][0] == pytest.approx(0.1)
    assert table["note"][0] == "to_date"


@pytest.mark.parametrize("before", [0.0, -5.0])
def test_growth_on_nothing_is_undefined(before: float) -> None:
    table = kpis.revenue_growth(
        deals(("won", before, "2025-10-05"), ("won", 10, "2026-10-05")), period="2026-10"
    )
    assert math.isnan(table["revenue_growth"][0])
    assert table["note"][0] == "no_base"


def test_growth_per_working_day_takes_the_calendar_out() -> None:
    frame = deals(
        ("won", 20, "2025-02-05"),
        ("won", 20, "2026-02-05"),
        ("won", 21, "2025-08-05"),
        ("won", 21, "2026-08-05"),
    )
    table = kpis.revenue_growth(frame, period="2026-08")  # 21 working days in both Augusts
    assert table["per_working_day"][0] == pytest.approx(0)
    shorter = kpis.revenue_growth(frame, period="2026-05", against="month")
    assert math.isnan(shorter["per_working_day"][0])


# -- sizes (6, 7)


def test_one_large_deal_does_not_move_the_deal_size() -> None:
    rows = [("won", amount, "2026-01-01") for amount in (10, 20, 30, 40, 9_000, 0, None)] + [
        ("open", 7, None)
    ]
    table = kpis.average_deal_size(deals(*rows))
    assert table[["average_deal_size", "mean", "n", "zero", "without_amount"]].iloc[0].tolist() == [
        30,
        1820,
        5,
        1,
        1,
    ]
    assert kpis.average_deal_size(deals(*rows), zero="include")["n"][0] == 6


def test_the_trimmed_mean_is_that_of_scipy() -> None:
    amounts = np.random.default_rng(1).integers(100, 99_999, 47)
    table = kpis.average_deal_size(pd.DataFrame({"status": "won", "amount_base_cents": amounts}))
    assert table["trimmed_mean"][0] == pytest.approx(stats.trim_mean(amounts, 0.1) / 100, rel=1e-12)


@pytest.mark.parametrize("n", [5, 6, 17, 40])
def test_the_interval_of_a_median_runs_between_order_statistics(n: int) -> None:
    amounts = np.random.default_rng(n).permutation(n) * 100 + 100
    table = kpis.average_deal_size(pd.DataFrame({"status": "won", "amount_base_cents": amounts}))
    want = [nan, nan] if (ranks := median_ranks(n)) is None else list(ranks)
    assert table[["low", "high"]].iloc[0].tolist() == pytest.approx(want, nan_ok=True)


def test_deals_of_one_account_widen_the_interval_of_a_median() -> None:
    amounts = np.arange(1, 41) * 100
    frame = pd.DataFrame(
        {"status": "won", "amount_base_cents": amounts, "account_id": [f"a{i // 2}" for i in range(40)]}
    )
    alone, clustered = kpis.average_deal_size(frame.drop(columns="account_id")), kpis.average_deal_size(frame)
    assert clustered["low"][0] < alone["low"][0]
    assert clustered["high"][0] > alone["high"][0]


def test_parts_of_an_order_are_one_order_and_returns_are_none() -> None:
    orders = pd.DataFrame(
        {
            "order_id": ["1", "1", "2", "3", "4"],
            "net_amount": [60.0, 40.0, 30.0, 500.0, -20.0],
            "order_status": ["placed", "placed", "returned", "cancelled", "placed"],
        }
    )
    table = kpis.average_order_value(orders)
    assert table[["value", "average_order_value", "n", "cancelled", "returned"]].iloc[0].tolist() == [
        80,
        80,
        1,
        1,
        1,
    ]


def test_parts_of_an_order_in_two_months_are_one_order_of_the_first() -> None:
    orders = pd.DataFrame(
        {"order_id": ["1", "1"], "net_amount": [60.0, 40.0], "order_date": day("2026-01-31", "2026-02-03")}
    )
    assert kpis.average_order_value(orders, by="month")[["value", "n"]].to_numpy().tolist() == [[100, 1]]
