"""The mistakes that the KPI reference names in quotas and pipeline, each as a few rows to check in the head."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from kpis.rows import OCTOBER, credited, day, deals, quotas

from salestrack import kpis

nan = math.nan


# -- quotas (3, 4)


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
