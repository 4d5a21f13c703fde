"""Growth, parts, concentration and the change of the deal size, from literal rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import duckdb
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from salestrack import bookings
from salestrack.i18n import Words
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
    table = pd.DataFrame(
        {"bookings": [3.0], "previous": [2.0], "revenue_growth": [0.5], "per_working_day": [0.5]}
    )
    untouched = table.copy()
    told = revenue.known_growth(table, since=pd.Timestamp(since), period=YEAR)
    expected = table if known else table.assign(previous=NAN, revenue_growth=NAN, per_working_day=NAN)
    assert_frame_equal(told, expected)
    assert_frame_equal(table, untouched)


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


@pytest.mark.parametrize(
    ("values", "five", "tenth", "n"),
    [
        pytest.param([50.0, 10, 10, 10, 10, 10], 0.9, 0.5, 6, id="one large customer"),
        pytest.param([1.0] * 20, 0.25, 0.1, 20, id="all alike"),
        pytest.param([5.0, 0.0], 1.0, 1.0, 1, id="who bought nothing is no customer"),
        pytest.param([], NAN, NAN, 0, id="nothing sold: unknown"),
    ],
)
def test_concentration(values: list[float], five: float, tenth: float, n: int) -> None:
    table = revenue.concentration(pd.DataFrame({"bookings": values}, dtype="float64"), "bookings")
    assert_frame_equal(table, pd.DataFrame({"largest_share": [five], "tenth_share": [tenth], "n": [n]}))


def sizes(**groups: tuple[float, int]) -> pd.DataFrame:
    return pd.DataFrame([(name, *row) for name, row in groups.items()], columns=["segment", "mean", "n"])


@pytest.mark.parametrize(
    ("now", "then", "within", "mix"),
    [
        pytest.param(
            sizes(a=(10, 2), b=(30, 8)), sizes(a=(10, 5), b=(30, 5)), 0.0, 6.0, id="only the mix changed"
        ),
        pytest.param(
            sizes(a=(12, 5), b=(36, 5)), sizes(a=(10, 5), b=(30, 5)), 4.0, 0.0, id="only the sizes changed"
        ),
        pytest.param(sizes(a=(10, 5), b=(30, 5)), sizes(a=(10, 5)), 0.0, 10.0, id="a new group is mix"),
        pytest.param(sizes(a=(10, 5)), sizes(), NAN, NAN, id="no year before: unknown"),
    ],
)
def test_size_change_splits_without_a_rest(
    now: pd.DataFrame, then: pd.DataFrame, within: float, mix: float
) -> None:
    told = revenue.size_change(now, then, "segment").iloc[0]
    assert told[["within", "mix"]].to_list() == pytest.approx([within, mix], nan_ok=True)
    assert told["change"] == pytest.approx(told["within"] + told["mix"], nan_ok=True)


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
