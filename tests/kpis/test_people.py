"""The rules of attainment, ramp, territories, acquisition cost, pay-back, lifetime value and channels.

Each test is one that a known mistake would fail, on rows that can be checked in the head.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from salestrack import kpis
from salestrack.errors import KpiError
from salestrack.kpis.distribution import gini
from salestrack.kpis.lifetime import flat_churn

nan = math.nan
OCTOBER = ("2026-10-01", "2026-10-31")


def day(*texts: str | None) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime(list(texts)))


def quotas(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["rep_id", "period_start_date", "period_end_date", "quota_amount"])
    return table.assign(
        period_start_date=day(*table["period_start_date"]), period_end_date=day(*table["period_end_date"])
    )


def credited(*rows: tuple[str, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["rep_id", "credit_date", "amount"])
    return table.assign(credit_date=day(*table["credit_date"]), amount=table["amount"].astype(float))


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


# -- acquisition cost (33): mistakes not shown elsewhere

COSTS = pd.DataFrame({"cost_date": day("2026-01-05"), "amount": [300.0]})


def won(*rows: tuple[str, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["account_id", "closed_date"])
    return table.assign(closed_date=day(*table["closed_date"]), status="won")


def test_a_customer_who_comes_back_is_not_new() -> None:
    deals = won(("back", "2024-01-01"), ("back", "2026-01-10"), ("new", "2026-01-10"))
    assert kpis.customer_acquisition_cost(COSTS, deals, period="2026-01")["n"][0] == 1


def test_media_spend_alone_is_marked() -> None:
    deals = won(("x", "2026-01-10"))
    ads = kpis.customer_acquisition_cost(COSTS.assign(cost_type="ad_spend"), deals)
    assert ads["note"][0] == "media_only"
    both = pd.concat([COSTS.assign(cost_type="ad_spend"), COSTS.assign(cost_type="sales_salary")])
    assert kpis.customer_acquisition_cost(both, deals)["note"][0] == ""


def test_cost_by_channel_leaves_the_shared_cost_in_its_own_row() -> None:
    costs = pd.concat([COSTS.assign(channel="Ads"), COSTS.assign(channel=None)])
    deals = won(("x", "2026-01-10"), ("y", "2026-01-11")).assign(channel=["Ads", "Fair"])
    table = kpis.customer_acquisition_cost(costs, deals, by="channel")
    assert table[["channel", "cost", "n"]].to_numpy().tolist() == [
        ["Ads", 300, 1],
        ["Fair", 0, 1],
        ["(missing)", 300, 0],
    ]
    assert kpis.customer_acquisition_cost(costs, deals)["customer_acquisition_cost"][0] == 300


# -- pay-back (34)


def ordered(*rows: tuple[str, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["account_id", "order_date", "net_amount"])
    ids = [f"o{i}" for i in range(len(table))]
    return table.assign(
        order_date=day(*table["order_date"]), net_amount=table["net_amount"].astype(float), order_id=ids
    )


def lines_of(orders: pd.DataFrame, cost: float | None) -> pd.DataFrame:
    unit = np.nan if cost is None else orders["net_amount"] * cost
    lines = pd.DataFrame({"order_id": orders["order_id"], "line_amount": orders["net_amount"], "quantity": 1})
    return lines.assign(unit_cost=unit)


def payback(
    deals: pd.DataFrame, orders: pd.DataFrame, cost: float | None = 0.5, **options: Any
) -> pd.Series[Any]:
    options = {"as_of": "2026-12-31", "costs": COSTS} | options
    costs = options.pop("costs")
    return kpis.cac_payback(costs, deals, orders, lines_of(orders, cost), **options).iloc[0]


MONTHLY = [("x", f"2026-{m:02}-15", 200.0) for m in range(1, 7)]


def test_margin_pays_back_and_not_revenue() -> None:
    found = payback(won(("x", "2026-01-10")), ordered(*MONTHLY))
    assert found[["customer_acquisition_cost", "cac_payback"]].tolist() == [300, 3]  # revenue would say 2
    assert payback(won(("x", "2026-01-10")), ordered(*MONTHLY), cost=0.0)["cac_payback"] == 2


def test_customers_who_left_are_divided_by_too() -> None:
    two = won(("x", "2026-01-10"), ("gone", "2026-01-10"))
    found = payback(two, ordered(*MONTHLY))  # 150 each to earn, 100 a month between two
    assert found[["customer_acquisition_cost", "cac_payback", "n"]].tolist() == [150, 3, 2]


def test_not_reached_is_a_value() -> None:
    found = payback(won(("x", "2026-01-10")), ordered(*MONTHLY[:2]))
    assert math.isnan(found["cac_payback"])
    assert found[["margin", "months_followed", "note"]].tolist() == [200, 12, "not_reached"]


def test_young_customers_do_not_stretch_the_pay_back() -> None:
    later = won(("x", "2026-01-10"), ("young", "2026-12-10"))
    found = payback(
        later, ordered(*MONTHLY)
    )  # 50 between two, then 100 of the one whose second month is over
    assert found[["customer_acquisition_cost", "cac_payback"]].tolist() == [150, 2]
    assert found["matured"] == 0.5


def test_only_months_that_are_over_count() -> None:
    orders = ordered(*MONTHLY)
    assert payback(won(("x", "2026-01-10")), orders, as_of="2026-03-30")["note"] == "not_reached"
    assert payback(won(("x", "2026-01-10")), orders, as_of="2026-03-31")["cac_payback"] == 3
    assert payback(won(("x", "2026-01-10")), orders, as_of="2026-01-30")["note"] == "immature"


def test_value_of_unknown_cost_earns_the_rate_of_the_known_and_the_coverage_is_printed() -> None:
    orders = ordered(*MONTHLY)
    lines = lines_of(orders, 0.5)
    lines.loc[lines.index[1:], "unit_cost"] = np.nan
    deals = won(("x", "2026-01-10"))
    found = kpis.cac_payback(COSTS, deals, orders, lines, as_of="2026-12-31").iloc[0]
    assert found[["cac_payback", "coverage"]].tolist() == pytest.approx([3, 1 / 6])
    unknown = payback(deals, orders, cost=None)
    assert (unknown["note"], unknown["coverage"]) == ("no_data", 0)
    assert payback(deals, orders, cost=None, margin_share=0.75)["cac_payback"] == 2


def test_the_cost_of_pay_back_is_the_acquisition_cost() -> None:
    deals = won(("x", "2026-01-10"), ("y", "2026-02-01")).assign(
        lead_created_at=day("2026-01-01", "2026-01-01")
    )
    for options in ({}, {"by": "month"}, {"acquisition_share": 0.5}, {"period": "2026-Q1"}):
        one = kpis.customer_acquisition_cost(COSTS, deals, as_of="2026-12-31", **options)
        orders = ordered(*MONTHLY)
        two = kpis.cac_payback(COSTS, deals, orders, lines_of(orders, 0.5), as_of="2026-12-31", **options)
        pd.testing.assert_series_equal(one["customer_acquisition_cost"], two["customer_acquisition_cost"])
        assert one["n"].tolist() == two["n"].tolist()


def test_no_cost_on_record_pays_nothing_back() -> None:
    none = COSTS.assign(amount=0.0)
    assert payback(won(("x", "2026-01-10")), ordered(*MONTHLY), costs=none)["note"] == "no_data"


def test_costs_in_another_currency_are_taken_at_the_rate_of_their_line() -> None:
    orders = ordered(("x", "2026-01-15", 200.0)).assign(net_amount_base_cents=[10_000])
    lines = lines_of(orders, 0.5).assign(line_amount_base_cents=[10_000])  # two of theirs are one of ours
    found = kpis.cac_payback(COSTS, won(("x", "2026-01-10")), orders, lines, as_of="2026-12-31")
    assert found["margin"][0] == 50


def test_cancelled_and_returned_orders_earn_nothing() -> None:
    orders = ordered(*MONTHLY[:2]).assign(order_status=["cancelled", "placed"])
    assert payback(won(("x", "2026-01-10")), orders)["margin"] == 100


# -- lifetime value (35)


def lifetime(orders: pd.DataFrame, cost: float | None = 0.0, **options: Any) -> pd.Series[Any]:
    options = {"as_of": "2026-12-31", "discount_rate": 0.0, "gone": {}} | options
    gone = options.pop("gone")
    accounts = pd.DataFrame({"account_id": orders["account_id"].unique()})
    accounts["churned_at"] = pd.to_datetime(accounts["account_id"].map(gone))
    return kpis.customer_lifetime_value(orders, lines_of(orders, cost), accounts, **options).iloc[0]


def test_without_censoring_it_is_the_mean_margin_of_all_customers() -> None:
    orders = ordered(("a", "2020-01-01", 100), ("a", "2021-01-01", 100), ("b", "2020-01-01", 40))
    found = lifetime(orders)
    assert found["customer_lifetime_value"] == pytest.approx(120)
    assert found[["left", "n", "returned", "matured"]].tolist() == [2, 2, 1, 1]


def test_later_margin_is_discounted() -> None:
    orders = ordered(("a", "2020-01-01", 100), ("a", "2021-01-05", 110))
    found = lifetime(orders, discount_rate=0.1)
    assert found["customer_lifetime_value"] == pytest.approx(200)


def test_nothing_is_counted_beyond_what_the_data_reach() -> None:
    orders = ordered(("a", "2026-01-02", 10), ("a", "2026-06-02", 10), ("a", "2026-10-20", 99))
    found = lifetime(orders, as_of="2026-10-31", horizon_months=36)
    assert found[["months", "retained"]].tolist() == [9, 1]  # the tenth month is not over
    assert found["customer_lifetime_value"] == pytest.approx(20)


def test_a_young_book_without_a_churn_has_no_margin_over_churn() -> None:
    orders = ordered(*[(f"c{i}", "2026-08-01", 10) for i in range(40)])
    assert math.isnan(lifetime(orders, as_of="2026-10-31")["margin_over_churn"])


def test_margin_over_churn_only_where_churn_is_flat() -> None:
    rng = np.random.default_rng(4)
    start = pd.Timestamp("2020-01-01")

    def book(months: Any) -> pd.Series[Any]:
        rows = [(f"c{i}", str((start + pd.Timedelta(days=30.4375 * m + 1)).date()), 10.0)
                for i, life in enumerate(months) for m in range(int(life) + 1)]  # fmt: skip
        gone = {
            f"c{i}": start + pd.Timedelta(days=30.4375 * float(life) + 20) for i, life in enumerate(months)
        }
        return lifetime(ordered(*rows), gone=gone, contract_months=None, horizon_months=60)

    flat = book(np.minimum(rng.geometric(0.05, 150) - 1, 120))
    assert flat["flat_p"] > 0.05
    assert flat["margin_over_churn"] == pytest.approx(10 / 0.05, rel=0.2)
    cliff = book(np.concatenate([rng.integers(0, 4, 100), rng.integers(30, 40, 60)]))
    assert cliff["flat_p"] < 0.05
    assert math.isnan(cliff["margin_over_churn"])


def test_a_flat_churn_is_rejected_about_as_often_as_chance_says() -> None:
    rng = np.random.default_rng(9)
    found = []
    for _ in range(300):
        life = rng.geometric(0.04, 200)
        days = np.minimum(life, 36)
        found.append(flat_churn(days, life <= 36, np.ones(200)))
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09


def test_a_churn_that_comes_after_the_day_is_not_known() -> None:
    orders = ordered(("a", "2026-01-01", 10))
    assert lifetime(orders, gone={"a": pd.Timestamp("2026-06-01")})["left"] == 1
    assert lifetime(orders, gone={"a": pd.Timestamp("2026-06-01")}, as_of="2026-05-31")["left"] == 0


def test_a_customer_belongs_to_the_group_of_the_first_order() -> None:
    orders = ordered(("a", "2020-01-01", 100), ("a", "2020-06-01", 50)).assign(team=["North", "South"])
    table = kpis.customer_lifetime_value(
        orders, lines_of(orders, 0.0), pd.DataFrame({"account_id": ["a"]}), as_of="2026-12-31",
        by=["team", "month"], discount_rate=0.0,
    )  # fmt: skip
    assert table[["team", "month", "customer_lifetime_value"]].to_numpy().tolist() == [
        ["North", pd.Timestamp("2020-01-01"), pytest.approx(150)]
    ]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 700), st.integers(0, 900)), min_size=1, max_size=12)
)
def test_followed_to_the_end_the_value_is_all_margin_per_customer(rows: list[tuple[int, int, int]]) -> None:
    first = pd.Timestamp("2010-01-01")
    orders = ordered(*[(f"c{c}", str((first + pd.Timedelta(days=d)).date()), float(v)) for c, d, v in rows])
    found = lifetime(orders, cost=0.25, horizon_months=60)
    customers = orders["account_id"].nunique()
    assert found["customer_lifetime_value"] == pytest.approx(
        0.75 * orders["net_amount"].sum() / customers, abs=0.02
    )


def bought_at_will(size: int, end: float) -> pd.DataFrame:
    """Orders of customers with r 2, alpha 20 weeks, a 1.5, b 6 and 100 a purchase on average."""
    rng = np.random.default_rng(2)
    rate, leave, mean = rng.gamma(2, 1 / 20, size), rng.beta(1.5, 6, size), 500 / rng.gamma(6, 1, size)
    rows: list[tuple[str, float, float]] = []
    for i in range(size):
        now = 0.0
        while now < end:
            rows.append((f"c{i}", now, rng.gamma(8, mean[i] / 8)))
            if now > 0 and rng.random() < leave[i]:
                break
            now += rng.exponential(1 / rate[i])
    table = pd.DataFrame(rows, columns=["account_id", "week", "net_amount"])
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta((table["week"] * 7).astype(int), unit="D")
    return table.assign(order_date=dates, order_id=[f"o{i}" for i in range(len(table))]).drop(columns="week")


def test_without_contracts_the_models_foresee_what_simulated_customers_go_on_to_spend() -> None:
    orders = bought_at_will(3_000, 157)
    spent = orders["net_amount"].sum() / 3_000
    seen = orders[orders["order_date"] < "2021-01-01"]
    found = lifetime(seen, as_of="2020-12-31", method="non_contractual", horizon_months=36)
    assert found["customer_lifetime_value"] == pytest.approx(spent, rel=0.08)
    assert found["returned"] > 1_000
    half = lifetime(seen, cost=0.5, as_of="2020-12-31", method="non_contractual", horizon_months=36)
    assert half["customer_lifetime_value"] == pytest.approx(found["customer_lifetime_value"] / 2, rel=1e-3)


def test_too_few_who_came_back_are_no_base_for_a_model() -> None:
    orders = ordered(*[(f"c{i}", "2026-01-01", 10) for i in range(50)], ("c1", "2026-05-01", 10))
    found = lifetime(orders, method="non_contractual")
    assert math.isnan(found["customer_lifetime_value"])
    assert (found["note"], found["returned"]) == ("too_few", 1)


def test_the_same_customers_on_polars_fit_the_same_model() -> None:
    orders = bought_at_will(300, 100)
    lines, accounts = lines_of(orders, 0.3), pd.DataFrame({"account_id": orders["account_id"].unique()})
    options: dict[str, Any] = {"as_of": "2022-12-31", "method": "non_contractual"}
    one = kpis.customer_lifetime_value(orders, lines, accounts, **options)
    two = kpis.customer_lifetime_value(
        pl.DataFrame(orders.to_dict("list")).with_columns(pl.col("order_date").cast(pl.Datetime("us"))),
        pl.DataFrame(lines.to_dict("list")),
        accounts,
        **options,
    )
    pd.testing.assert_frame_equal(one, two, rtol=1e-5)


# -- channels (41)

VISITS = pd.DataFrame(
    {"date": day(*["2026-10-05"] * 2), "channel_group": ["Organic", "Paid"], "sessions": [100, 50]}
)
LEADS = pd.DataFrame(
    {
        "lead_id": ["1", "2", "3"],
        "created_at": day(*["2026-10-06"] * 3),
        "lead_source": ["Website", "Paid", None],
    }
)


def sold(**more: Any) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"lead_id": ["1", "1", "2"], "status": ["won", "won", "lost"], "amount": [100.0, 50.0, 900.0]}
    )
    return frame.assign(**more)


def by_channel(
    visits: pd.DataFrame = VISITS, deals: pd.DataFrame | None = None, **options: Any
) -> pd.DataFrame:
    options = {"as_of": "2026-10-31", "channels": {"Website": "Organic"}} | options
    return kpis.channel_yield(visits, LEADS, sold() if deals is None else deals, **options)


def test_a_channel_has_one_name_and_its_leads_count_once() -> None:
    table = by_channel()
    assert table[["channel", "sessions", "leads", "won", "value"]].to_numpy().tolist() == [
        ["Organic", 100, 1, 1, 150],
        ["Paid", 50, 1, 0, 0],
        ["(missing)", pytest.approx(nan, nan_ok=True), 1, 0, 0],
    ]
    assert table["join_rate"].tolist() == pytest.approx([2 / 3] * 3)
    assert set(table["scope"]) == {"session"}


def test_the_channel_is_that_of_the_lead_and_not_what_somebody_wrote_on_the_deal() -> None:
    pd.testing.assert_frame_equal(by_channel(deals=sold(lead_source="Fair")), by_channel())


def test_scopes_of_web_analytics_are_not_mixed() -> None:
    with pytest.raises(KpiError, match="several scopes"):
        by_channel(VISITS.assign(scope=["session", "first_user"]))
    assert set(by_channel(VISITS.assign(scope="first_user"))["scope"]) == {"first_user"}


def test_what_was_won_or_came_after_the_day_does_not_count() -> None:
    table = by_channel(deals=sold(closed_date=day("2026-10-20", "2026-11-02", "2026-10-20")))
    assert table["value"].sum() == 100
    assert len(by_channel(as_of="2026-10-05")) == 2  # the visits of that day


def test_a_channel_without_visits_on_record_has_no_rate_per_visit() -> None:
    table = by_channel(channels=None).set_index("channel")
    assert math.isnan(table.loc["Website", "lead_rate"])
    assert table.loc["Website", "channel_yield"] == 150
    assert table.loc["Organic", "note"] == "no_data"


def test_visits_that_know_no_teams_stay_unknown_per_team() -> None:
    table = kpis.channel_yield(
        VISITS, LEADS.assign(team=["N", "N", "S"]), sold(), as_of="2026-10-31", by="team"
    )
    assert table[table["channel"] == "Paid"]["leads"].tolist() == [1]
    assert table["leads"].sum() == 3


# -- what customers say (36)


def test_a_score_comes_with_a_margin_and_thirty_answers_say_little() -> None:
    surveys = pd.DataFrame({"score": [10] * 15 + [8] * 8 + [3] * 7})
    found = kpis.net_promoter_score(surveys).iloc[0]
    assert found["high"] - found["low"] > 50
    assert found["low"] < found["net_promoter_score"] < found["high"]


def test_a_survey_that_few_answer_says_so() -> None:
    surveys = pd.DataFrame({"score": [10.0, 10, None, None, None], "sent_at": day(*["2026-10-01"] * 5)})
    surveys["responded_at"] = surveys["sent_at"].where(surveys["score"].notna())
    assert kpis.net_promoter_score(surveys)["response_rate"][0] == 0.4
