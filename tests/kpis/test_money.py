"""Growth, prices, loss reasons and customers' spending: the mistakes that each figure must not make."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from books import make_book
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from salestrack.errors import KpiError
from salestrack.kpis import (
    average_deal_size,
    deal_size_change,
    discount,
    expansion_rate,
    gross_revenue_retention,
    loss_reasons,
    net_revenue_retention,
    new_and_expansion,
    revenue_growth,
    win_rate_by_value,
)


def won(days: list[str], amounts: list[float], **more: object) -> pd.DataFrame:
    return pd.DataFrame({"status": "won", "closed_date": pd.to_datetime(days), "amount": amounts, **more})


def ordered(rows: list[tuple[str, str, str, float]], **more: object) -> pd.DataFrame:
    names = ["order_id", "account_id", "order_date", "net_amount"]
    frame = pd.DataFrame(rows, columns=names).assign(**more)
    return frame.assign(order_date=pd.to_datetime(frame["order_date"]))


# growth


def test_a_better_rate_is_no_growth_at_constant_currency() -> None:
    deals = won(
        ["2025-10-02", "2026-10-02"], [100.0, 100.0], currency_code="USD", amount_base_cents=[8000, 10000]
    )
    row = revenue_growth(deals, period="2026-10").iloc[0]
    assert (row["revenue_growth"], row["constant_currency"]) == pytest.approx((0.25, 0.0))
    assert (row["at_previous_rates"], row["own_rate_share"]) == pytest.approx((80.0, 0.0))


def test_a_currency_without_an_earlier_rate_keeps_its_own_and_says_how_much_it_is() -> None:
    deals = won(
        ["2025-10-02", "2026-10-02", "2026-10-03"],
        [100.0, 100.0, 50.0],
        currency_code=["USD", "USD", "CHF"],
        amount_base_cents=[8000, 10000, 6000],
    )
    row = revenue_growth(deals, period="2026-10").iloc[0]
    assert (row["at_previous_rates"], row["own_rate_share"]) == pytest.approx((140.0, 60 / 160))


def test_converted_amounts_alone_say_nothing_about_constant_currency() -> None:
    deals = (
        won(["2025-10-02", "2026-10-02"], [1, 1])
        .drop(columns="amount")
        .assign(amount_base_cents=[8000, 10000])
    )
    row = revenue_growth(deals, period="2026-10").iloc[0]
    assert row["revenue_growth"] == pytest.approx(0.25)
    assert np.isnan(row["constant_currency"])


def test_a_period_still_filling_is_compared_with_the_same_days() -> None:
    deals = won(["2025-10-02", "2025-10-30", "2026-10-02"], [100.0, 900.0, 150.0])
    row = revenue_growth(deals, period="2026-10", as_of="2026-10-10").iloc[0]
    assert (row["previous"], row["revenue_growth"], row["note"]) == (100.0, 0.5, "to_date")


# sizes and prices


def test_deals_of_nothing_are_no_deal_sizes_unless_asked_for() -> None:
    deals = won(["2026-01-01"] * 3, [0.0, 10.0, 30.0])
    assert average_deal_size(deals)["average_deal_size"][0] == 20.0
    assert average_deal_size(deals, zero="include")["average_deal_size"][0] == 10.0


def test_a_mean_that_rises_with_the_mix_alone_has_no_price_effect() -> None:
    deals = won(["2025-01-05", "2025-01-06", "2026-01-05", "2026-01-06"], [10.0, 10.0, 10.0, 90.0])
    deals["segment"] = ["small", "small", "small", "large"]
    row = deal_size_change(deals, period="2026-01").iloc[0]
    assert (row["deal_size_change"], row["mix_effect"], row["price_effect"]) == pytest.approx(
        (40.0, 40.0, 0.0)
    )


def test_open_deals_and_deals_of_nothing_do_not_change_the_size() -> None:
    deals = won(
        ["2025-01-05", "2026-01-05", "2026-01-06", "2026-01-07"], [10.0, 20.0, 0.0, 990.0], segment="s"
    )
    deals.loc[3, "status"] = "open"
    row = deal_size_change(deals, period="2026-01").iloc[0]
    assert (row["mean"], row["n"], row["price_effect"]) == (20.0, 1, 10.0)
    assert np.isnan(row["low"])  # one deal each: nothing to go by


def test_the_interval_of_the_change_is_that_of_two_means_clustered_by_account() -> None:
    rng = np.random.default_rng(4)
    now, then = rng.integers(100, 900, 12).astype(float), rng.integers(100, 900, 9).astype(float)
    deals = won(["2026-01-05"] * 12 + ["2025-01-05"] * 9, [*now, *then], segment="s")
    deals["account_id"] = [f"a{i}" for i in range(21)]
    row = deal_size_change(deals, period="2026-01").iloc[0]
    squares = ((now - now.mean()) ** 2).sum() / 12**2 + ((then - then.mean()) ** 2).sum() / 9**2
    half = stats.t.ppf(0.975, 20) * np.sqrt(squares * 21 / 20)
    change = now.mean() - then.mean()
    assert (row["low"], row["high"]) == pytest.approx((change - half, change + half))
    twice = pd.concat([deals, deals])  # the same accounts again tell nothing new
    again = deal_size_change(twice, period="2026-01").iloc[0]
    assert (again["low"], again["high"]) == pytest.approx((row["low"], row["high"]))


def test_a_period_longer_than_it_looks_back_is_refused() -> None:
    with pytest.raises(KpiError, match="not longer than"):
        deal_size_change(won(["2026-01-05"], [1.0], segment="s"), period="2026", against="month")


LINES = pd.DataFrame(
    {
        "deal_id": ["1", "2", "3"],
        "quantity": [1, 1, 1],
        "list_price": [900.0, 100.0, None],
        "line_amount": [900.0, 50.0, 50.0],
    }
)
SOLD = pd.DataFrame({"deal_id": ["1", "2", "3"], "status": "won"})


def test_a_discount_is_no_mean_of_line_percentages() -> None:
    row = discount(LINES, SOLD).iloc[0]
    assert (row["discount"], row["median"], row["n"]) == pytest.approx((0.05, 0.25, 2))


def test_a_list_price_edited_later_hides_no_discount() -> None:
    lines = LINES.assign(product_list_price=[900.0, 50.0, 50.0])  # what the catalogue says today
    row = discount(lines, SOLD).iloc[0]
    assert (row["list_value"], row["discount"]) == pytest.approx((1000.0, 0.05))
    assert row["coverage"] == pytest.approx(
        950 / 1000
    )  # a line without its own list price is not undiscounted


def test_lost_deals_and_optional_lines_give_no_discount() -> None:
    lines = LINES.assign(is_optional=[True, False, False])
    assert discount(lines, SOLD)["discount"][0] == pytest.approx(0.5)
    assert np.isnan(discount(LINES, SOLD.assign(status="lost"))["discount"][0])


def test_lines_of_several_currencies_are_weighed_by_what_they_are_worth() -> None:
    deals = SOLD.assign(amount=[900.0, 50.0, 50.0], currency_code=["USD", "EUR", "EUR"])
    deals = deals.assign(amount_base_cents=[9000, 5000, 5000])
    assert discount(LINES, deals)["list_value"][0] == pytest.approx(190.0)
    with pytest.raises(KpiError, match="mixed currencies"):
        discount(LINES, deals.drop(columns=["amount", "amount_base_cents"]))


def test_lines_of_orders_go_in_alone() -> None:
    lines = LINES.rename(columns={"deal_id": "order_id"}).assign(order_date=pd.Timestamp("2026-02-01"))
    assert discount(lines, by="quarter")[["discount", "n"]].to_numpy().tolist() == [[pytest.approx(0.05), 2]]


@pytest.mark.parametrize(
    ("day", "start", "weeks"),
    [
        ("2026-03-31", 1, 0),
        ("2026-03-25", 1, 0),
        ("2026-03-24", 1, 1),
        ("2026-01-01", 1, 12),
        ("2024-02-29", 1, 4),
        ("2026-12-31", 1, 0),
        ("2026-03-31", 2, 4),
        ("2026-04-30", 2, 0),
        ("2000-02-28", 3, 0),
    ],
)
def test_weeks_to_the_end_of_the_quarter(day: str, start: int, weeks: int) -> None:
    deals = SOLD.assign(closed_date=pd.Timestamp(day))
    table = discount(LINES, deals, by="weeks_to_quarter_end", fiscal_year_start=start)
    assert table["weeks_to_quarter_end"].tolist() == [weeks]


# losses


def test_nothing_is_ranked_when_most_losses_have_no_reason() -> None:
    deals = pd.DataFrame(
        {"status": "lost", "amount": 1.0, "lost_reason": [None, "Other", "", "price", "timing"]}
    )
    table = loss_reasons(deals)
    assert table["lost_reason"].tolist() == ["(missing)", "other", "price", "timing"]
    assert table["rank"].isna().all()
    assert set(table["note"]) == {"mostly_unknown"}
    assert table["unknown_share"].tolist() == [0.6] * 4


def test_several_reasons_share_a_deal_and_its_value() -> None:
    deals = pd.DataFrame(
        {"status": "lost", "amount": [90.0, 10.0], "lost_reason": ["price;Timing; PRICE", "Price"]}
    )
    table = loss_reasons(deals)
    assert table[["lost_reason", "deals", "lost_value", "n"]].to_numpy().tolist() == [
        ["Price", 1.5, 55.0, 2],
        ["Timing", 0.5, 45.0, 2],
    ]


def test_what_never_was_a_deal_is_no_loss() -> None:
    deals = pd.DataFrame(
        {"status": ["lost", "lost", "won"], "amount": 1.0, "lost_reason": ["Spam", "price", None]}
    )
    assert loss_reasons(deals)[["lost_reason", "n"]].to_numpy().tolist() == [["price", 1]]


def test_an_amount_zeroed_on_losing_still_counts_as_lost(tmp_path: Path) -> None:
    """Also that the Book converts it at the closing rate and knows it for closed deals only."""
    common = {"pipeline_id": None, "created_at": "2026-01-05 09:00:00", "currency_code": "USD"}
    deals = [
        {
            **common,
            "deal_id": "a",
            "stage_id": "L",
            "status": "lost",
            "amount": 0,
            "closed_at": "2026-03-02 09:00:00",
        },
        {**common, "deal_id": "b", "stage_id": "N", "status": "open", "amount": 70},
        {
            **common,
            "deal_id": "c",
            "stage_id": "W",
            "status": "won",
            "amount": 100,
            "closed_at": "2026-03-02 09:00:00",
        },
    ]
    changes = [
        {"deal_id": "a", "field": "amount", "old_value": old, "new_value": new, "changed_at": at}
        for old, new, at in (
            ("500", "300", "2026-02-01 09:00:00"),
            ("300", "0", "2026-03-02 09:00:00"),
        )
    ]
    rates = [
        {"from_currency_code": "USD", "to_currency_code": "EUR", "rate_date": day, "rate": rate}
        for day, rate in (("2026-01-01", 0.5), ("2026-03-01", 0.8), ("2026-04-01", 2.0))
    ]
    stages = [
        {"stage_id": i, "stage_name": i, "stage_order": n, "stage_type": kind}
        for n, (i, kind) in enumerate((("N", "open"), ("W", "won"), ("L", "lost")))
    ]
    history = [
        {"deal_id": deal, "to_stage_id": stage, "entered_at": at}
        for deal, end in (("a", "L"), ("b", None), ("c", "W"))
        for stage, at in (("N", "2026-01-05 09:00:00"), (end, "2026-03-02 09:00:00"))
        if stage
    ]
    book = make_book(
        tmp_path,
        deals=deals,
        deal_field_history=changes,
        exchange_rates=rates,
        stages=stages,
        deal_stage_history=history,
    )
    with book:
        found = book.deals.project("deal_id, amount_base_cents, last_open_amount_base_cents").order("deal_id")
        assert found.fetchall() == [("a", 0, 24000), ("b", 14000, None), ("c", 8000, 8000)]
        assert win_rate_by_value(book.deals)["win_rate_by_value"][0] == pytest.approx(80 / (80 + 240))
        assert loss_reasons(book.deals)["lost_value"][0] == 240.0


# new and expansion


def test_a_sister_company_is_no_new_logo() -> None:
    deals = won(["2026-01-01", "2026-02-01", "2026-03-01"], [1.0, 2.0, 4.0], account_id=["a", "b", "a"])
    accounts = pd.DataFrame({"account_id": ["a", "b", "m"], "parent_account_id": ["m", None, "top"]})
    accounts.loc[1, "parent_account_id"] = "top"
    table = new_and_expansion(deals, accounts)
    assert table["kind"].tolist() == ["first_order", "connected_new", "expansion"]
    assert table["new_and_expansion"].tolist() == [1.0, 2.0, 4.0]
    assert new_and_expansion(deals)["n"].tolist() == [2, 1]


def test_a_win_before_the_period_makes_a_customer() -> None:
    deals = won(["2025-01-01", "2026-02-01"], [1.0, 2.0], account_id="a", deal_type=["new", "renewal"])
    table = new_and_expansion(deals, period="2026")
    assert table[["kind", "n", "share"]].to_numpy().tolist() == [["renewal", 1, 1.0]]


def test_a_first_order_called_existing_is_shown_as_such() -> None:
    deals = won(["2026-01-01", "2026-02-01"], [1.0, 2.0], account_id=["a", None], deal_type="existing")
    table = new_and_expansion(deals)
    assert table[["kind", "typed_existing"]].to_numpy().tolist() == [["first_order", 1], ["(missing)", 0]]


ORDERS = [("1", "x", "2025-05-01", 100.0), ("2", "y", "2025-06-01", 100.0), ("3", "x", "2026-03-01", 150.0)]
KINDS = pd.DataFrame({"order_id": ["1", "2", "3"], "sale_type": ["new", "new", "upsell"]})


def test_customers_of_long_ago_do_not_count_as_ones_that_could_expand() -> None:
    orders = ordered([*ORDERS, ("0", "z", "2020-01-01", 1.0)])
    row = expansion_rate(orders, KINDS, period="2026").iloc[0]
    assert (row["expanded"], row["n"], row["upsell_rate"], row["cross_sell_rate"]) == (1, 2, 0.5, 0.0)


def test_two_upsells_are_one_customer_and_a_new_customers_upsell_none() -> None:
    orders = ordered([*ORDERS, ("4", "x", "2026-04-01", 1.0), ("5", "new", "2026-04-01", 1.0)])
    lines = pd.concat([KINDS, pd.DataFrame({"order_id": ["4", "5"], "sale_type": ["upsell", "cross_sell"]})])
    row = expansion_rate(orders, lines, period="2026").iloc[0]
    assert (row["upsell"], row["cross_sell"], row["expansion_rate"]) == (1, 0, 0.5)


def test_cancelled_orders_expand_nothing_and_unclassified_lines_say_nothing() -> None:
    orders = ordered(ORDERS, order_status=["placed", "placed", "cancelled"])
    assert expansion_rate(orders, KINDS, period="2026")["expansion_rate"][0] == 0.0
    silent = expansion_rate(ordered(ORDERS), KINDS.assign(sale_type=None), period="2026").iloc[0]
    assert np.isnan(silent["expansion_rate"])
    assert silent["note"] == "not_classified"


def test_what_came_after_the_day_is_not_known() -> None:
    row = expansion_rate(ordered(ORDERS), KINDS, period="2026", as_of=date(2026, 2, 28)).iloc[0]
    assert (row["expanded"], row["note"]) == (0, "to_date")
    row = net_revenue_retention(ordered(ORDERS), period="2026", as_of="2026-05-15").iloc[0]
    assert (row["previous"], row["note"]) == (100.0, "to_date")  # y bought on 1 June


def test_new_customers_retain_nothing() -> None:
    orders = ordered([*ORDERS, ("4", "new", "2026-04-01", 500.0)])
    row = net_revenue_retention(orders, period="2026").iloc[0]
    assert (row["net_revenue_retention"], row["new"], row["net_new"]) == (0.75, 500.0, 450.0)
    assert (row["expansion"], row["churn"], row["churned"]) == (50.0, 100.0, 1)


def test_a_customer_that_changes_teams_stays_one() -> None:
    orders = ordered(ORDERS, team=["North", "South", "South"])
    table = net_revenue_retention(orders, period="2026", by="team")
    assert table[["team", "retained", "churned"]].to_numpy().tolist() == [
        ["North", 150.0, 0],
        ["South", 0.0, 1],
    ]


bought = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.integers(-50_000, 90_000)), min_size=1, max_size=25
)


@settings(max_examples=25, deadline=None)
@given(bought)
def test_gross_retention_is_at_most_1_and_the_parts_add_up(rows: list[tuple[int, bool, int]]) -> None:
    orders = pd.DataFrame(
        {
            "order_id": [str(i) for i in range(len(rows))],
            "account_id": [f"a{account}" for account, _, _ in rows],
            "order_date": pd.to_datetime(["2026-03-01" if now else "2025-03-01" for _, now, _ in rows]),
            "net_amount_base_cents": [cents for _, _, cents in rows],
        }
    )
    gross = gross_revenue_retention(orders, period="2026").iloc[0]
    net = net_revenue_retention(orders, period="2026").iloc[0]
    if gross["n"]:
        assert 0 <= gross["gross_revenue_retention"] <= 1
        assert (
            gross["gross_revenue_retention"]
            >= net["net_revenue_retention"] - net["expansion"] / net["previous"] - 1e-9
        )
    parts = net["previous"] + net["expansion"] - net["contraction"] - net["churn"]
    assert parts == pytest.approx(net["retained"])
    cents = orders["net_amount_base_cents"].where(
        orders["order_date"] >= "2026", -orders["net_amount_base_cents"]
    )
    assert net["net_new"] == pytest.approx(cents.sum() / 100)
