"""Growth, parts, concentration and the change of the deal size, from literal rows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pandas as pd
import pytest
from books import make_book
from canonical import STAGES, deal
from pandas.testing import assert_frame_equal

from salestrack import bookings
from salestrack.i18n import NBSP, Words
from salestrack.page import Page
from salestrack.periods import Period
from salestrack.stories import revenue

NAN = float("nan")
YEAR = Period.parse("2026")


class Book:
    """A company with orders only, of literal rows."""

    def __init__(self, **tables: pd.DataFrame) -> None:
        self.tables = {name: duckdb.from_df(table) for name, table in tables.items()}

    def has(self, *names: str) -> bool:
        return all(name in self.tables for name in names)

    def table(self, name: str) -> Any:
        return self.tables[name]

    def kpi(self, function: Any, deals: Any, **options: Any) -> pd.DataFrame:
        return function(deals, **options)


def orders(*rows: tuple[str, str, str | None, float, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["order_id", "order_date", "order_status", "net_amount", "territory"])
    cents = (frame["net_amount"] * 100).astype("int64")
    return frame.assign(order_date=pd.to_datetime(frame["order_date"]), amount_base_cents=cents).drop(
        columns="net_amount"
    )


def test_order_value_leaves_cancelled_orders_out() -> None:
    rows = pd.DataFrame(
        {
            "order_id": ["1", "2", "3"],
            "net_amount": [60.0, 40.0, 50.0],
            "order_status": ["shipped", "cancelled", None],
            "territory": ["North", "North", "South"],
        }
    )
    expected = pd.DataFrame({"territory": ["North", "South"], "order_value": [60.0, 50.0], "n": [1, 1]})
    assert_frame_equal(revenue.order_value(rows, by="territory"), expected)


def test_a_company_without_deals_is_measured_by_its_orders() -> None:
    assert revenue.result(Book(orders=orders())).__name__ == "order_value"  # type: ignore[arg-type]
    assert revenue.result(SimpleNamespace(has=lambda name: True)) is bookings  # type: ignore[arg-type]


def test_growth_of_orders_compares_years_and_drops_cancelled_ones() -> None:
    rows = orders(
        ("1", "2025-01-10", None, 100.0, "North"),
        ("2", "2026-02-10", "shipped", 150.0, "North"),
        ("3", "2026-03-10", "cancelled", 999.0, "North"),
    )
    table = revenue.growth(Book(orders=rows), period=YEAR)  # type: ignore[arg-type]
    assert table[["order_value", "previous", "revenue_growth"]].to_numpy().tolist() == [[150.0, 100.0, 0.5]]


@pytest.mark.parametrize(
    ("since", "known"),
    [
        pytest.param("2025-01-20", True, id="the first month of the year before has data: compared"),
        pytest.param("2025-02-01", False, id="data begin within the year before: no growth"),
    ],
)
def test_growth_needs_the_whole_year_before(since: str, known: bool) -> None:
    unsure = {"previous": 2.0, "revenue_growth": 0.5, "per_working_day": 0.5, "constant_currency": 0.4}
    table = pd.DataFrame({"bookings": [3.0], **{name: [value] for name, value in unsure.items()}})
    untouched = table.copy()
    told = revenue.known_growth(table, since=pd.Timestamp(since), period=YEAR)
    expected = table if known else table.assign(**dict.fromkeys(unsure, NAN))
    assert_frame_equal(told, expected)
    assert_frame_equal(table, untouched)


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        pytest.param(
            0.5, [1.0], id="a dollar of half a euro, then of a whole one: growth at the old rate beside"
        ),
        pytest.param(1.0, [], id="one rate throughout: nothing to add"),
    ],
)
def test_growth_at_constant_rates_is_shown_where_it_differs(
    tmp_path: Path, rate: float, told: list[float]
) -> None:
    """100 dollars a year ago and 200 now."""
    rates = [
        {"from_currency_code": "USD", "to_currency_code": "EUR", "rate_date": day, "rate": value}
        for day, value in (("2025-01-01", rate), ("2026-01-01", 1.0))
    ]
    deals = [won(1, "2025-01-15", 100, "a"), won(2, "2026-01-15", 200, "a")]
    deals = [row | {"currency_code": "USD"} for row in deals]
    with make_book(tmp_path, stages=STAGES, deals=deals, exchange_rates=rates) as book:
        table = revenue.growth(book, period=YEAR)
    assert {"at_previous_rates", "own_rate_share"}.isdisjoint(table.columns)
    assert table.filter(["constant_currency"]).to_numpy().ravel().tolist() == told
    assert table["revenue_growth"].to_list() == [2.0 / rate - 1]


def test_breakdown_joins_the_views_that_are_known_and_each_adds_up_to_one() -> None:
    rows = orders(
        ("1", "2025-01-10", None, 50.0, "North"),
        ("2", "2026-02-10", None, 75.0, "North"),
        ("3", "2026-03-10", None, 25.0, "South"),
    ).assign(team=None, segment="smb")
    table = revenue.breakdown(Book(orders=rows), Words("de"), YEAR)  # type: ignore[arg-type]
    expected = pd.DataFrame(
        {
            "group": ["North", "South", "Kleinunternehmen"],
            "view": ["Gebiet", "Gebiet", "Segment"],
            "order_value": [75.0, 25.0, 100.0],
            "share": [0.75, 0.25, 1.0],
            "revenue_growth": [0.5, NAN, 1.0],
            "n": [1, 1, 1 + 1],
        }
    )
    assert_frame_equal(table, expected, check_dtype=False)


def order(number: int, amount: float, account: str | None, **values: Any) -> dict[str, Any]:
    row = {"order_id": f"o{number}", "order_date": "2026-08-01", "net_amount": amount, "account_id": account}
    return row | {"currency_code": "EUR", "order_status": "placed"} | values


def won(number: int, day: str, amount: float, account: str | None) -> dict[str, Any]:
    times = {"created_at": f"{day} 08:00:00", "closed_at": f"{day} 12:00:00"}
    return deal(f"d{number}", status="won", stage_id="W", amount=amount, account_id=account, **times)


ORDERED = [order(1, 40, "a"), order(2, 20, "a"), order(3, 20, "b"), order(4, 8, "c"), order(5, 6, "d"),
           order(6, 4, None), order(7, 2, None), order(8, 999, "e", order_status="cancelled")]  # fmt: skip
SIGNED = [won(1, "2026-08-01", 40, "a"), won(2, "2026-09-01", 20, "a"), won(3, "2026-08-01", 20, "b"),
          won(4, "2026-08-01", 8, "c"), won(5, "2026-08-01", 6, "d"), won(6, "2026-08-01", 4, None),
          won(7, "2026-08-01", 2, None), won(8, "2024-08-01", 999, "e")]  # fmt: skip


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param({"orders": ORDERED}, id="a company with orders only; cancelled ones do not count"),
        pytest.param(
            {"stages": STAGES, "deals": SIGNED, "orders": [order(1, 7, "z")]}, id="won deals of the year"
        ),
    ],
)
def test_what_has_no_account_is_no_common_customer(tmp_path: Path, tables: dict[str, Any]) -> None:
    """60, 20, 8, 6, 4 and 2 of 100: the largest 0.6, the five largest 0.98, squares 0.3600 + 0.0400 + 0.0120."""
    with make_book(tmp_path, **tables) as book:
        table = revenue.resting(book, YEAR)
        told = revenue.top_heavy(Page(book, "en")).text
    row = table.iloc[0]
    assert row[["value", "top1_share", "top5_share", "n"]].to_list() == [100.0, 0.6, 0.98, 6]
    assert row["effective_number"] == pytest.approx(1 / 0.412)
    assert told.startswith("The five largest customers made 98.0% of the result of the last twelve months (–")
    assert told.endswith("as if 2 equally large customers had bought, of 6 who did.")


def test_a_result_that_hangs_on_five_customers_is_a_measure(tmp_path: Path) -> None:
    with make_book(tmp_path, stages=STAGES, deals=SIGNED) as book:
        found = [m for m in revenue.rules(Page(book, "en")) if m is not None]
    assert [(m.rule, m.metric) for m in found] == [
        ("Share of the top 5 is 98.0%, above 40.0%", "Concentration")
    ]


SEGMENTS = [{"account_id": a, "segment": "large" if a == "x" else "small"} for a in ("a", "b", "x")]


@pytest.mark.parametrize(
    ("before", "parts"),
    [
        pytest.param(
            [won(1, "2025-08-01", 10, "a"), won(2, "2025-08-02", 10, "b"), won(3, "2025-08-03", 100, "x")],
            ["was worth €55 (+€15 on the twelve before; with a 95% interval of", "that may be chance): ±€0 through",
             "segments, +€15 through another mix"],
            id="one deal in two is large instead of one in three: only the mix",
        ),
        pytest.param(
            [],
            ["was worth €55; there is no mean of the twelve months before to compare it with."],
            id="nothing won the year before",
        ),
    ],
)  # fmt: skip
def test_size_story(tmp_path: Path, before: list[dict[str, Any]], parts: list[str]) -> None:
    deals = [*before, won(8, "2026-08-01", 10, "a"), won(9, "2026-08-02", 100, "x")]
    with make_book(tmp_path, stages=STAGES, deals=deals, accounts=SEGMENTS) as book:
        told = revenue.size_story(Page(book, "en")).text.replace(NBSP, " ")
    assert [part for part in parts if part not in told] == []


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        pytest.param(1.0, 9.0, "clear", id="the interval lies above 0"),
        pytest.param(-9.0, -1.0, "clear", id="the interval lies below 0"),
        pytest.param(-1.0, 9.0, "chance", id="0 lies inside"),
        pytest.param(NAN, NAN, "chance", id="one customer: no interval, no claim"),
    ],
)
def test_a_change_of_size_is_clear_only_beyond_chance(low: float, high: float, verdict: str) -> None:
    assert revenue.size_verdict(pd.Series({"deal_size_change": 5.0, "low": low, "high": high})) == verdict


@pytest.mark.parametrize(
    ("previous", "expected"),
    [
        pytest.param([8.0, 9.0], ("b", -4.0), id="the largest change in money, up or down"),
        pytest.param([NAN, NAN], None, id="no year before: nothing to say"),
    ],
)
def test_moved_most(previous: list[float], expected: tuple[str, float] | None) -> None:
    table = pd.DataFrame({"segment": ["a", "b"], "bookings": [9.0, 5.0], "previous": previous})
    assert revenue.moved_most(table, "segment", "bookings") == expected
