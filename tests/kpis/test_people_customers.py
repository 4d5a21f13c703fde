"""The rules of acquisition cost, pay-back and lifetime value: tests that a known mistake would fail."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kpis.rows import day

from salestrack import kpis
from salestrack.kpis.lifetime import flat_churn

nan = math.nan


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
