"""The mistakes that the KPI reference names, each as a few rows that a person can check in the head."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from salestrack import kpis
from salestrack.stats.intervals import median_ranks

nan = math.nan


def day(*texts: str | None) -> Any:
    return pd.to_datetime(list(texts)).astype("datetime64[us]")


def deals(*rows: tuple[Any, ...], **more: Any) -> pd.DataFrame:
    """Deals as (status, amount, closed_date)."""
    table = pd.DataFrame(rows, columns=["status", "amount_base", "closed_date"])
    return table.assign(closed_date=day(*table["closed_date"]), **more)


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


# -- quotas (3, 4)


def quotas(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["rep_id", "period_start_date", "period_end_date", "quota_amount"])
    return table.assign(
        period_start_date=day(*table["period_start_date"]), period_end_date=day(*table["period_end_date"])
    )


def credited(*rows: tuple[str, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["rep_id", "credit_date", "amount"])
    return table.assign(credit_date=day(*table["credit_date"]))


OCTOBER = ("2026-10-01", "2026-10-31")


def test_a_rep_who_sold_nothing_stays_and_one_without_quota_is_listed() -> None:
    table = kpis.quota_attainment(
        quotas(("a", *OCTOBER, 100), ("b", *OCTOBER, 50)),
        credited(("a", "2026-10-31", 90), ("c", "2026-10-02", 40)),
        by="rep_id",
    )
    want = pd.DataFrame(
        {
            "rep_id": ["a", "b", "c"],
            "credited": [90.0, 0, 0],
            "quota": [100.0, 50, 0],
            "quota_attainment": [0.9, 0, nan],
            "without_quota": [0.0, 0, 40],
            "n": [1, 1, 0],
            "note": ["", "", "no_quota"],
        }
    )
    pd.testing.assert_frame_equal(table, want)


def test_a_team_is_sum_over_sum_and_credit_outside_the_quota_does_not_count() -> None:
    table = kpis.quota_attainment(
        quotas(("a", *OCTOBER, 100), ("b", *OCTOBER, 300)),
        credited(("a", "2026-10-01", 100), ("b", "2026-11-01", 300)),
    )
    assert table[["quota_attainment", "without_quota"]].iloc[0].tolist() == [0.25, 300]


def test_a_quarterly_quota_falls_on_its_months_by_days_and_adds_up() -> None:
    frame = quotas(("a", "2026-10-01", "2026-12-31", 100))
    table = kpis.quota_attainment(frame, credited(("a", "2026-11-30", 25)), by="month")
    assert table["quota"].sum() == 100
    assert table["credited"].tolist() == [0, 25, 0]
    assert table["quota"].tolist() == pytest.approx([100 * 31 / 92, 100 * 30 / 92, 100 * 31 / 92], abs=0.01)
    half = kpis.quota_attainment(
        frame, credited(("a", "2026-11-30", 25)), period=("2026-10-01", "2026-11-16")
    )
    assert half[["credited", "quota"]].iloc[0].tolist() == [0, 50]


def test_reps_at_quota_are_counted_among_those_who_hold_one() -> None:
    months = [(f"2026-{m:02}-01", f"2026-{m:02}-{last}") for m, last in ((1, 31), (2, 28), (3, 31), (4, 30))]
    frame = quotas(
        *[("a", *m, 10) for m in months],
        *[("b", *m, 10) for m in months[:2]],
        ("c", *months[0], 10),
        *[("d", *m, 10) for m in months],
    )
    table = kpis.share_of_reps_at_quota(
        frame, credited(("a", "2026-03-01", 40), ("b", "2026-01-28", 20), ("c", "2026-01-05", 99))
    )
    assert table[["at_quota", "part_period", "left_out", "n"]].iloc[0].tolist() == [2, 1, 1, 3]
    assert table["share_of_reps_at_quota"][0] == pytest.approx(2 / 3)


def test_fiscal_years_of_quotas_start_in_july() -> None:
    frame = quotas(
        ("a", "2025-07-01", "2025-07-31", 10),
        ("a", "2026-06-01", "2026-06-30", 10),
        ("a", "2026-07-01", "2026-07-31", 10),
    )
    table = kpis.quota_attainment(frame, credited(("a", "2026-06-15", 20)), by="year", fiscal_year_start=7)
    assert table["year"].tolist() == [pd.Timestamp("2025-07-01"), pd.Timestamp("2026-07-01")]
    assert table["quota_attainment"].tolist() == [1.0, 0.0]


# -- pipeline (16, 18)


def test_past_due_deals_are_shown_in_the_pipeline_and_not_in_its_coverage() -> None:
    frame = deals(
        ("open", 70, None),
        ("open", 30, None),
        ("won", 40, "2026-10-05"),
        expected_close_date=day("2026-12-01", "2026-10-30", "2026-10-05"),
    )
    table = kpis.open_pipeline(frame, as_of="2026-10-31")
    assert table[["open_pipeline", "n", "past_due", "past_due_value"]].iloc[0].tolist() == [100, 2, 1, 30]
    covered = kpis.pipeline_coverage(
        frame, quotas(("a", "2026-10-01", "2026-12-31", 110)), as_of="2026-10-31", period="2026-Q4"
    )
    assert covered[["open_value", "remaining", "pipeline_coverage", "day", "days"]].iloc[0].tolist() == [
        70,
        70,
        1,
        31,
        92,
    ]
    assert covered["coverage_of_full_quota"][0] == pytest.approx(70 / 110)


def test_a_deal_due_on_the_day_itself_is_not_late() -> None:
    frame = deals(("open", 70, None), expected_close_date=day("2026-10-31"))
    assert kpis.open_pipeline(frame, as_of="2026-10-31")["past_due"][0] == 0


@pytest.mark.parametrize(("quota", "note"), [(40.0, "target_met"), (0.0, "no_quota")])
def test_coverage_of_nothing_left_is_no_number(quota: float, note: str) -> None:
    frame = deals(("won", 40, "2026-10-05"), expected_close_date=day("2026-10-05"))
    table = kpis.pipeline_coverage(
        frame, quotas(("a", *OCTOBER, quota)), as_of="2026-10-31", period="2026-10"
    )
    assert math.isnan(table["pipeline_coverage"][0])
    assert table["note"][0] == note


def test_the_five_largest_deals_are_five_even_among_ties() -> None:
    frame = deals(*[("open", 10, None)] * 10, expected_close_date=day(*["2026-12-01"] * 10))
    assert kpis.open_pipeline(frame, as_of="2026-10-31")["top5_share"][0] == 0.5


# -- stages and leads (12, 13, 14, 28)


def spells(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Stays as (deal, seq, stage, entered, left, exit, forward, lost, won)."""
    names = [
        "deal_id",
        "seq",
        "stage_name",
        "entered_at",
        "left_at",
        "exit_type",
        "forward_at",
        "lost_at",
        "won_at",
    ]
    table = pd.DataFrame(rows, columns=names)
    dated = {name: day(*table[name]) for name in names if name.endswith("_at")}
    first = ~table.duplicated(["deal_id", "stage_name"])
    return table.assign(**dated, is_first_entry=first)


def test_open_deals_are_neither_lost_nor_left_out() -> None:
    frame = spells(
        ("a", 1, "S", "2026-01-01", "2026-01-11", "forward", "2026-01-11", None, None),
        ("b", 1, "S", "2026-01-01", "2026-01-11", "lost", None, "2026-01-11", None),
        ("c", 1, "S", "2026-10-30", None, None, None, None, None),
    )
    table = kpis.stage_conversion(frame, as_of="2026-10-31")
    assert table["stage_conversion"][0] == 0.5  # not 1/3 (open as lost) and not of two deals only
    assert table[["forward", "lost", "open", "n"]].iloc[0].tolist() == [1, 1, 1, 3]


def test_a_lost_deal_can_no_longer_move_on() -> None:
    frame = spells(
        *[(f"l{i}", 1, "S", "2026-01-01", "2026-01-05", "lost", None, "2026-01-05", None) for i in range(8)],
        ("a", 1, "S", "2026-01-01", "2026-01-20", "forward", "2026-01-20", None, None),
        ("b", 1, "S", "2026-01-01", None, None, None, None, None),
    )
    assert kpis.stage_conversion(frame, as_of="2026-10-31")["stage_conversion"][0] == pytest.approx(
        0.1
    )  # Kaplan-Meier: 0.5


def test_a_stage_skipped_over_was_surpassed_and_a_second_visit_does_not_count() -> None:
    frame = spells(
        ("a", 1, "S", "2026-01-01", "2026-01-03", "backward", "2026-01-09", None, None),
        ("a", 2, "R", "2026-01-03", "2026-01-06", "forward", "2026-01-06", None, None),
        ("a", 3, "S", "2026-01-06", "2026-01-09", "won", "2026-01-09", None, "2026-01-09"),
    )
    table = kpis.stage_conversion(frame, as_of="2026-10-31").set_index("stage_name")
    assert table.loc["S", ["forward", "backward", "n"]].tolist() == [1, 1, 1]


def test_what_happened_after_the_day_is_not_known() -> None:
    frame = spells(("a", 1, "S", "2026-01-01", "2026-02-01", "forward", "2026-02-01", None, "2026-03-01"))
    table = kpis.stage_conversion(frame, as_of="2026-01-20")
    assert table[["forward", "open", "n", "note"]].iloc[0].tolist() == [0, 1, 1, "immature"]
    assert kpis.stage_dwell(frame, as_of="2026-01-20")["open"][0] == 1
    assert kpis.stage_conversion(frame, as_of="2025-12-31").empty


def test_a_deleted_or_moved_deal_does_not_fail_the_stage() -> None:
    frame = spells(
        ("a", 1, "S", "2026-01-01", "2026-01-05", "deleted", None, None, None),
        ("b", 1, "S", "2026-01-01", "2026-01-20", "forward", "2026-01-20", None, None),
        ("c", 1, "S", "2026-01-01", "2026-01-20", "transferred", None, None, None),
    )
    table = kpis.stage_conversion(frame, as_of="2026-10-31")
    assert table[["forward", "lost", "transferred", "n"]].iloc[0].tolist() == [1, 0, 1, 3]
    assert table["stage_conversion"][0] == 0.5


def test_deals_stuck_in_a_stage_lengthen_the_stay() -> None:
    done = [
        (f"d{i}", 1, "S", "2026-01-01", f"2026-01-{5 + i:02}", "forward", None, None, None) for i in range(3)
    ]
    stuck = [(f"s{i}", 1, "S", "2026-01-01", None, None, None, None, None) for i in range(2)]
    assert kpis.stage_dwell(spells(*done), as_of="2026-10-31")["stage_dwell"][0] == 5
    assert kpis.stage_dwell(spells(*done, *stuck), as_of="2026-10-31")["stage_dwell"][0] == 6
    waiting = kpis.stage_dwell(spells(*stuck), as_of="2026-10-31")
    assert waiting[["open", "n", "note"]].iloc[0].tolist() == [2, 2, "not_reached"]


def test_losses_belong_to_the_last_open_stage_and_add_up() -> None:
    frame = spells(
        ("a", 1, "R", "2026-01-01", "2026-01-03", "forward", "2026-01-03", "2026-01-09", None),
        ("a", 2, "S", "2026-01-03", "2026-01-09", "lost", None, "2026-01-09", None),
        ("b", 1, "R", "2026-01-01", "2026-01-09", "lost", None, "2026-01-09", None),
        ("c", 1, "R", "2026-01-01", "2026-01-04", "lost", "2026-02-01", None, None),
        ("c", 2, "R", "2026-01-20", "2026-02-01", "won", "2026-02-01", None, "2026-02-01"),
    )
    table = kpis.funnel_leakage(
        frame.assign(amount_base_cents=[100, 100, 250, 900, 900]), as_of="2026-10-31"
    ).set_index("stage_name")
    assert table["lost"].to_dict() == {"R": 1, "S": 1}  # c was lost, reopened and won: no loss
    assert table["lost_value"].to_dict() == {"R": 2.5, "S": 1.0}
    assert table["share_of_loss"].sum() == 1


def test_a_loss_that_was_taken_back_leaks_from_no_stage() -> None:
    frame = spells(
        ("a", 1, "R", "2026-01-01", "2026-01-04", "lost", "2026-01-20", None, "2026-02-01"),
        ("a", 2, "S", "2026-01-20", "2026-02-01", "won", "2026-02-01", None, "2026-02-01"),
    )
    assert kpis.funnel_leakage(frame, as_of="2026-10-31")["lost"].tolist() == [0, 0]


def test_a_deal_open_for_longer_than_the_winners_is_stalled() -> None:
    won = [
        (f"w{i}", 1, "S", "2026-01-01", f"2026-01-{2 + i:02}", "won", None, None, f"2026-01-{2 + i:02}")
        for i in range(10)
    ]
    late = ("x", 1, "S", "2026-01-01", None, None, None, None, None)
    fresh = ("y", 1, "S", "2026-10-30", None, None, None, None, None)
    table = kpis.funnel_leakage(spells(*won, late, fresh).assign(amount_base_cents=700), as_of="2026-10-31")
    assert table[["open", "stalled", "stalled_value", "winners_p90"]].iloc[0].tolist() == [2, 1, 7, 9]


def leads(*rows: tuple[str | None, str | None, str | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["mql_at", "sql_at", "disqualified_at"])
    return table.assign(**{name: day(*table[name]) for name in table})


def test_an_sql_of_this_month_belongs_to_the_mql_of_its_own() -> None:
    frame = leads(
        ("2026-01-20", "2026-02-03", None), ("2026-02-05", None, "2026-02-09"), (None, "2026-02-07", None)
    )
    table = kpis.mql_to_sql(frame, as_of="2026-10-31", by="month")
    want = {
        "month": [pd.Timestamp("2026-01-01"), pd.Timestamp("2026-02-01")],
        "sql": [1, 0],
        "disqualified": [0, 1],
        "sql_without_mql": [0, 1],
        "mql_to_sql": [1.0, 0.0],
        "n": [1, 1],
    }
    assert table[list(want)].to_dict("list") == want


def test_a_lead_that_is_still_young_is_not_a_failure() -> None:
    frame = leads(("2026-01-01", "2026-01-25", None), ("2026-01-02", None, None), ("2026-10-20", None, None))
    table = kpis.mql_to_sql(frame, as_of="2026-10-31")
    assert table["mql_to_sql"][0] == 0.5  # of the two that have waited 24 days, not of three
    assert table[["open", "n"]].iloc[0].tolist() == [1, 3]
    assert table["matured"][0] == pytest.approx(2 / 3)
    young = kpis.mql_to_sql(frame[2:], as_of="2026-10-31")
    assert math.isnan(young["mql_to_sql"][0])
    assert young["note"][0] == "immature"


# -- cycle (15)


def test_the_cycle_is_a_median_of_won_deals_and_its_direction_is_right() -> None:
    frame = deals(
        ("won", 1, "2026-01-11"),
        ("won", 1, "2026-01-21"),
        ("won", 1, "2026-12-27"),
        ("lost", 1, "2026-04-01"),
        ("won", 1, "2025-12-01"),
        created_date=day(*["2026-01-01"] * 5),
    )
    table = kpis.sales_cycle(frame)
    assert table[["sales_cycle", "n", "days_to_lost", "lost", "negative"]].iloc[0].tolist() == [
        20,
        3,
        90,
        1,
        1,
    ]


# -- activities (25, 27)


def activities(*rows: tuple[Any, ...]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["activity_type", "hours", "owner_rep_id", "started_at", "is_done"])
    return table.assign(duration_s=table["hours"] * 3600, started_at=day(*table["started_at"]))


STAFF = pd.DataFrame(
    {
        "rep_id": ["a"],
        "contracted_hours_per_week": [40.0],
        "valid_from_date": day("2026-01-01"),
        "valid_to_date": day(None),
    }
)


def test_planned_activities_are_not_done() -> None:
    frame = activities(
        ("call", 1, "a", "2026-10-01", True),
        ("call", 1, "a", "2026-10-01", False),
        ("email", None, "a", "2026-10-02", True),
    )
    table = kpis.activity_mix(frame)
    assert table[
        ["activity_type", "activities", "hours", "without_duration", "activity_mix"]
    ].to_numpy().tolist() == [["call", 1, 1.0, 0, 0.5], ["email", 1, 0.0, 1, 0.5]]


def test_selling_time_of_a_half_recorded_week_is_not_shown() -> None:
    week = ("2026-10-05", "2026-10-12")
    full = activities(("call", 10, "a", "2026-10-05", True), ("admin", 30, "a", "2026-10-06", True))
    table = kpis.selling_time_share(full, STAFF, period=week)
    assert table[
        ["selling_hours", "recorded_hours", "contracted_hours", "coverage", "selling_time_share"]
    ].iloc[0].tolist() == [10, 40, 40, 1, 0.25]
    thin = kpis.selling_time_share(full[:1], STAFF, period=week)
    assert math.isnan(thin["selling_time_share"][0])
    assert thin[["coverage", "note"]].iloc[0].tolist() == [0.25, "coverage"]


def test_a_rep_who_records_nothing_lowers_the_coverage() -> None:
    staff = pd.concat([STAFF, STAFF.assign(rep_id="b")])
    frame = activities(("call", 40, "a", "2026-10-05", True))
    assert kpis.selling_time_share(frame, staff, period=("2026-10-05", "2026-10-12"))["coverage"][0] == 0.5


def test_team_names_are_found_through_their_ids() -> None:
    frame = activities(("call", 40, "a", "2026-10-05", True)).assign(team="North", team_id="t1")
    table = kpis.selling_time_share(
        frame, STAFF.assign(team_id="t1"), by="team", period=("2026-10-05", "2026-10-12")
    )
    assert table[["team", "coverage"]].to_numpy().tolist() == [["North", 1.0]]


# -- customers (33, 36)


def test_acquisition_cost_looks_back_by_the_lag_and_counts_new_families_only() -> None:
    costs = pd.DataFrame({"cost_date": day("2026-07-15", "2026-10-15"), "amount": [600.0, 9_000.0]})
    won = deals(
        ("won", 1, "2020-01-01"),
        ("won", 1, "2026-10-01"),
        ("won", 1, "2026-10-02"),
        ("won", 1, "2026-10-03"),
        account_id=["old", "old", "new", "sub"],
        parent_account_id=[None, None, None, "new"],
        lead_created_at=day(*["2026-07-03"] * 4),
    )
    table = kpis.customer_acquisition_cost(costs, won, period="2026-10")
    assert table[["cost", "n", "customer_acquisition_cost", "lag_months"]].iloc[0].tolist() == [
        600,
        1,
        600,
        3,
    ]


def test_acquisition_cost_without_new_customers_is_undefined() -> None:
    costs = pd.DataFrame({"cost_date": day("2026-10-15"), "amount": [600.0]})
    table = kpis.customer_acquisition_cost(
        costs, deals(("lost", 1, "2026-10-01"), account_id="x"), period="2026-10"
    )
    assert math.isnan(table["customer_acquisition_cost"][0])
    assert table[["cost", "note"]].iloc[0].tolist() == [600, "no_data"]


def test_only_a_share_of_the_costs_goes_to_new_customers_and_is_printed() -> None:
    costs = pd.DataFrame({"cost_date": day("2026-10-15"), "amount": [600.0]})
    won = deals(("won", 1, "2026-10-01"), account_id="x")
    table = kpis.customer_acquisition_cost(costs, won, by="month", acquisition_share=0.5)
    assert table[["customer_acquisition_cost", "acquisition_share"]].iloc[0].tolist() == [300, 0.5]


def test_a_person_answers_once_with_the_latest_score() -> None:
    surveys = pd.DataFrame(
        {
            "score": [0, 10, 9, None],
            "contact_id": ["x", "x", "y", "z"],
            "survey_type": "nps",
            "responded_at": day("2026-01-01", "2026-06-01", "2026-02-01", None),
            "sent_at": day("2026-01-01", "2026-05-30", "2026-01-30", "2026-01-30"),
        }
    )
    table = kpis.net_promoter_score(surveys)
    assert table[["promoters", "detractors", "net_promoter_score", "n", "response_rate"]].iloc[
        0
    ].tolist() == [2, 0, 100, 2, 0.75]
    assert table["high"][0] <= 100


@pytest.mark.parametrize(
    ("score", "column"),
    [
        (10, "promoters"),
        (9, "promoters"),
        (8, "passives"),
        (7, "passives"),
        (6, "detractors"),
        (0, "detractors"),
    ],
)
def test_what_a_score_counts_as(score: int, column: str) -> None:
    table = kpis.net_promoter_score(pd.DataFrame({"score": [score]}))
    assert table[["promoters", "passives", "detractors"]].iloc[0].to_dict() == {
        name: int(name == column) for name in ("promoters", "passives", "detractors")
    }


def test_costs_whose_wins_are_still_to_come_do_not_count_yet() -> None:
    days = pd.to_datetime(["2026-09-30", "2026-10-31"])
    costs = pd.DataFrame({"cost_date": days, "amount": [900.0, 500.0]})
    deals = pd.DataFrame(
        {"status": ["won"], "account_id": ["x"], "closed_date": pd.to_datetime(["2026-10-03"])}
    )
    found = kpis.customer_acquisition_cost(costs, deals, by="month", lag_months=1, as_of="2026-10-31")
    assert list(found["cost"]) == [900.0]
