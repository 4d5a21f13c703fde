"""The rules of attainment, ramp and territories: tests that a known mistake would fail."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kpis.rows import OCTOBER, credited, day, quotas
from scipy.stats import binomtest

from salestrack import kpis
from salestrack.errors import KpiError
from salestrack.kpis.distribution import gini

# -- quota attainment (3, 4): mistakes not shown elsewhere


def test_attainment_is_credit_over_quota_and_not_the_other_way_round() -> None:
    table = kpis.quota_attainment(quotas(("a", *OCTOBER, 200)), credited(("a", "2026-10-05", 50)))
    assert table["quota_attainment"][0] == 0.25


def test_a_rep_who_left_keeps_quota_and_credit_in_the_team() -> None:
    frame = quotas(("stays", *OCTOBER, 100), ("left", *OCTOBER, 100))
    table = kpis.quota_attainment(frame, credited(("stays", "2026-10-05", 100)))
    assert table[["quota_attainment", "n"]].iloc[0].tolist() == [0.5, 2]
    assert kpis.share_of_reps_at_quota(frame, credited(("stays", "2026-10-05", 100)))["n"][0] == 2


def test_a_manager_without_a_quota_adds_no_second_credit() -> None:
    both = credited(("rep", "2026-10-05", 80), ("manager", "2026-10-05", 80))
    table = kpis.quota_attainment(quotas(("rep", *OCTOBER, 100)), both)
    assert table[["credited", "quota_attainment", "without_quota"]].iloc[0].tolist() == [80, 0.8, 80]


def test_a_rep_of_half_a_year_is_measured_against_half_a_years_quota() -> None:
    months = [(f"2026-{m:02}-01", f"2026-{m:02}-{30 + (m != 9 and m != 11)}") for m in range(7, 13)]
    starts = [("2026-01-01", "2026-06-30")]
    frame = quotas(
        ("old", *starts[0], 60), *[("old", *m, 10) for m in months], *[("new", *m, 10) for m in months]
    )
    table = kpis.share_of_reps_at_quota(
        frame, credited(("new", "2026-08-01", 60), ("old", "2026-08-01", 60)), by="year"
    )
    assert table[["at_quota", "part_period", "n"]].iloc[0].tolist() == [1, 1, 2]


# -- distribution of attainment (5)


def spread_of(*shares: float, **options: Any) -> pd.Series[Any]:
    names = [f"r{i}" for i in range(len(shares))]
    table = kpis.attainment_distribution(
        quotas(*[(name, *OCTOBER, 100) for name in names]),
        credited(*[(name, "2026-10-05", 100 * share) for name, share in zip(names, shares, strict=True)]),
        **options,
    )
    return table.iloc[0]


def test_one_star_moves_the_mean_and_not_the_median() -> None:
    found = spread_of(0.5, 0.6, 0.7, 0.8, 9.9)
    assert found[["attainment_distribution", "mean", "n"]].tolist() == pytest.approx([0.7, 2.5, 5])
    assert found["gini"] > 0.5
    assert math.isnan(found["low"])  # five cases bound no median


def test_bunching_just_above_the_quota_is_seen() -> None:
    found = spread_of(*[1.02] * 9, 0.95, *[0.3] * 10)
    assert found[["just_below", "just_above"]].tolist() == [0.05, 0.45]
    assert found["bunching_p"] == pytest.approx(binomtest(9, 10).pvalue)
    assert spread_of(*[1.02] * 5, *[0.95] * 5)["bunching_p"] == 1


@pytest.mark.parametrize(
    ("share", "column"),
    [(0.9, "just_below"), (0.9999, "just_below"), (1.0, "just_above"), (1.0999, "just_above")],
)
def test_the_edges_of_the_bins(share: float, column: str) -> None:
    found = spread_of(share)
    other = {"just_below": "just_above", "just_above": "just_below"}[column]
    assert (found[column], found[other]) == (1, 0)


def test_nobody_near_the_quota_is_no_evidence_of_anything() -> None:
    assert math.isnan(spread_of(0.2, 3.0)["bunching_p"])


def test_who_sold_nothing_counts_and_a_month_under_way_does_not() -> None:
    frame = quotas(("a", *OCTOBER, 100), ("b", *OCTOBER, 100), ("a", "2026-11-01", "2026-11-30", 100))
    table = kpis.attainment_distribution(
        frame, credited(("a", "2026-10-05", 100)), as_of="2026-11-15", by="month"
    )
    assert table[["attainment_distribution", "n"]].to_numpy().tolist() == [[0.5, 2]]


def test_one_case_per_rep_and_quarter_on_demand() -> None:
    months = ["2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06"]
    frame = quotas(*[("a", f"{m}-01", f"{m}-28", 10) for m in months])
    paid = credited(("a", "2026-01-05", 30), ("a", "2026-05-05", 15))
    whole = kpis.attainment_distribution(frame, paid).iloc[0]
    assert whole[["attainment_distribution", "n"]].tolist() == [0.75, 1]
    quarters = kpis.attainment_distribution(frame, paid, each="quarter").iloc[0]
    assert quarters[["p10", "attainment_distribution", "p90", "n"]].tolist() == pytest.approx(
        [0.55, 0.75, 0.95, 2]
    )
    with pytest.raises(KpiError, match="each cannot be 'week'"):
        kpis.attainment_distribution(frame, paid, each="week")


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30).filter(lambda xs: sum(xs) > 1e-6))
def test_gini_is_the_mean_difference_over_twice_the_mean(values: list[float]) -> None:
    x = np.sort(np.array(values))
    want = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert gini(x) == pytest.approx(want, abs=1e-9)
    assert -1e-12 <= gini(x) <= 1


# -- ramp (38)

NO_QUOTAS, NO_CREDITS = quotas(("z", "2020-01-01", "2020-01-31", 1)), credited(("z", "2020-01-05", 0))


def starters(*rows: tuple[str, str, str | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["rep_id", "hire_date", "termination_date"])
    return table.assign(hire_date=day(*table["hire_date"]), termination_date=day(*table["termination_date"]))


def wins(*rows: tuple[str, str]) -> pd.DataFrame:
    table = pd.DataFrame([("z", "2020-01-01"), *rows], columns=["owner_rep_id", "closed_date"])
    return table.assign(closed_date=day(*table["closed_date"]), status="won")


def ramp(reps: pd.DataFrame, deals: pd.DataFrame, **options: Any) -> pd.Series[Any]:
    options = {"as_of": "2026-10-31"} | options
    return kpis.ramp_time(reps, deals, NO_QUOTAS, NO_CREDITS, **options).iloc[0]


def test_those_who_did_not_make_it_lengthen_the_ramp() -> None:
    made_it = starters(("a", "2026-01-01", None))
    everyone = starters(
        ("a", "2026-01-01", None), ("b", "2026-01-01", None), ("c", "2026-01-01", "2026-02-01")
    )
    assert ramp(made_it, wins(("a", "2026-01-31")))["ramp_time"] == 30
    found = ramp(everyone, wins(("a", "2026-01-31")))
    assert math.isnan(found["ramp_time"])
    assert found[["reached", "left", "ramping", "n", "note"]].tolist() == [1, 0 + 1, 1, 3, "not_reached"]


def test_a_win_before_the_start_or_after_leaving_or_after_the_day_is_none() -> None:
    reps = starters(("a", "2026-03-01", "2026-05-01"))
    for when in ("2026-02-01", "2026-06-01", "2026-11-01"):
        assert ramp(reps, wins(("a", when)))["reached"] == 0
    assert ramp(reps, wins(("a", "2026-04-01")))["reached"] == 1


def test_a_rep_from_before_the_records_has_no_known_first_win() -> None:
    reps = starters(("old", "2019-06-01", None), ("a", "2026-01-01", None))
    found = ramp(reps, wins(("old", "2026-01-05"), ("a", "2026-01-11")))
    assert found[["ramp_time", "n", "before"]].tolist() == [10, 1, 1]


def test_the_ramp_begins_where_the_company_says() -> None:
    reps = starters(("a", "2026-01-01", None)).assign(start_ramp_date=day("2026-01-21"))
    assert ramp(reps, wins(("a", "2026-01-31")))["ramp_time"] == 10


def test_full_quota_is_the_first_whole_month_at_the_prorated_quota() -> None:
    frame = quotas(("a", "2026-01-01", "2026-03-31", 90), ("a", "2026-04-01", "2026-04-30", 30))
    paid = credited(("a", "2026-01-10", 20), ("a", "2026-02-10", 28), ("a", "2026-04-10", 99))
    reps = starters(("a", "2026-01-01", None))
    found = kpis.ramp_time(reps, wins(), frame, paid, as_of="2026-10-31", until="full_quota").iloc[0]
    assert found["ramp_time"] == 58  # to the end of February: 28 days of 90 are 28 of the quota
    early = kpis.ramp_time(reps, wins(), frame, paid, as_of="2026-02-27", until="full_quota").iloc[0]
    assert early[["reached", "ramping"]].tolist() == [0, 1]


def test_no_person_comes_out_and_teams_come_from_the_first_quota() -> None:
    frame = quotas(("a", *OCTOBER, 1), ("a", "2026-11-01", "2026-11-30", 1)).assign(team=["North", "South"])
    reps = starters(("a", "2026-10-01", None), ("b", "2026-10-01", None))
    table = kpis.ramp_time(reps, wins(), frame, NO_CREDITS, as_of="2026-10-31", by="team")
    assert table["team"].tolist() == ["North", "(missing)"]
    assert "rep_id" not in table


def test_until_what_must_be_known() -> None:
    with pytest.raises(KpiError, match="until cannot be 'forever'"):
        ramp(starters(("a", "2026-01-01", None)), wins(), until="forever")


# -- territories (42)

ACCOUNTS = pd.DataFrame(
    {
        "account_id": ["a", "b", "c", "d", "e"],
        "territory_id": ["N", "N", "N", "S", None],
        "employee_count": [10.0, 20.0, None, 60.0, 999.0],
        "revenue": [1.0] * 5,
    }
)
WORK = pd.DataFrame({"account_id": ["d", "d", "a"], "status": ["open", "open", "won"]})


def test_territories_alike_in_accounts_may_differ_in_potential_and_work() -> None:
    table = kpis.territory_balance(ACCOUNTS, WORK).set_index("measure")
    assert table["territory_balance"].tolist() == pytest.approx([0.5, 1 / 3, 1.0])
    assert table["max_to_mean"].tolist() == pytest.approx([1.5, 60 / 45, 2.0])
    assert table["coverage"].tolist() == [1, 0.75, 1]
    assert table["unassigned"].tolist() == [1, 1, 1]


def test_past_sales_are_no_potential() -> None:
    with pytest.raises(KpiError, match="potential cannot be 'revenue': that is past sales"):
        kpis.territory_balance(ACCOUNTS, WORK, potential="revenue")


def test_territories_without_anything_have_no_balance() -> None:
    table = kpis.territory_balance(ACCOUNTS.assign(territory_id=None), WORK)
    assert table["territory_balance"].isna().all()
    assert table["note"].tolist() == ["no_data"] * 3
    assert table["unassigned"].tolist() == [5, 5, 5]


def test_any_column_may_be_the_territory_and_persons_stay_inside() -> None:
    owned = ACCOUNTS.assign(owner_rep_id=["x", "x", "y", "y", "y"])
    table = kpis.territory_balance(owned, WORK, unit="owner_rep_id")
    assert table["n"].tolist() == [2, 2, 2]
    assert "owner_rep_id" not in table


def test_a_plan_that_changes_nothing_disrupts_nothing() -> None:
    table = kpis.territory_disruption(ACCOUNTS, ACCOUNTS[["account_id", "territory_id"]])
    assert table[["moved", "newly_placed", "territory_disruption"]].iloc[0].tolist() == [0, 0, 0]


def test_who_had_no_territory_is_not_disrupted_and_who_loses_it_is() -> None:
    plan = pd.DataFrame({"account_id": ["e", "a", "zz"], "territory_id": ["N", None, "N"]})
    table = kpis.territory_disruption(ACCOUNTS, plan)
    assert table[["moved", "newly_placed", "n"]].iloc[0].tolist() == [1, 1, 4]
    assert table["territory_disruption"][0] == 0.25
    assert table["value_share"][0] == pytest.approx(10 / 90)
