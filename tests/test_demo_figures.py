"""The demo company: headline figures against plain SQL over the raw exports, and totals against their parts."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import duckdb
import pytest
import raw_sql as sql

from salestrack import (
    Book,
    average_deal_size,
    bookings,
    net_promoter_score,
    open_pipeline,
    quota_attainment,
    sales_cycle,
    win_rate,
)

DEMO = Path(__file__).parents[1] / "data" / "demo"


@pytest.fixture(scope="module")
def book() -> Iterator[Book]:
    with Book.for_month(DEMO, "2026-10") as opened:
        yield opened


@pytest.fixture(scope="module")
def raw() -> Iterator[duckdb.DuckDBPyConnection]:
    con = sql.raw(DEMO)
    yield con
    con.close()


def cents(value: object) -> int:
    return round(Fraction(str(value)) * 100)


def test_bookings(book: Book, raw: duckdb.DuckDBPyConnection) -> None:
    ours = book.kpi(bookings, period=book.month).iloc[0]
    value, n = sql.one(raw, sql.BOOKINGS)
    assert (cents(ours["bookings"]), ours["n"]) == (cents(value), n)
    assert n > 0


def test_win_rate(book: Book, raw: duckdb.DuckDBPyConnection) -> None:
    ours = book.kpi(win_rate, period=book.month).iloc[0]
    won, lost = sql.one(raw, sql.WIN_RATE)
    assert (ours["won"], ours["lost"]) == (won, lost)
    assert ours["win_rate"] == pytest.approx(won / (won + lost), abs=1e-12)


def test_average_deal_size(book: Book, raw: duckdb.DuckDBPyConnection) -> None:
    ours = book.kpi(average_deal_size, period=book.month).iloc[0]
    assert ours["average_deal_size"] == pytest.approx(float(sql.one(raw, sql.DEAL_SIZE)[0]), abs=0.005)


def test_sales_cycle(book: Book, raw: duckdb.DuckDBPyConnection) -> None:
    """In whole local days at most a day beside the exact time between the two stamps."""
    ours = book.kpi(sales_cycle, period=book.month).iloc[0]
    assert abs(ours["sales_cycle"] - float(sql.one(raw, sql.CYCLE)[0])) <= 1


def test_open_pipeline(book: Book, raw: duckdb.DuckDBPyConnection) -> None:
    ours = book.kpi(open_pipeline).iloc[0]
    value, n = sql.one(raw, sql.OPEN)
    assert (cents(ours["open_pipeline"]), ours["n"]) == (cents(value), n)


def test_quota_attainment(book: Book, raw: duckdb.DuckDBPyConnection) -> None:
    ours = book.kpi(quota_attainment, period=book.month).iloc[0]
    quota = sql.one(raw, sql.QUOTA)[0]
    assert cents(ours["quota"]) == cents(quota)
    assert ours["quota_attainment"] == pytest.approx(ours["credited"] / float(quota), abs=1e-12)
    booked = float(sql.one(raw, sql.BOOKINGS)[0])
    assert ours["credited"] + ours["without_quota"] == pytest.approx(booked, abs=0.005)


def test_net_promoter_score(book: Book, raw: duckdb.DuckDBPyConnection) -> None:
    ours = book.kpi(net_promoter_score, period=book.month.trailing(12)).iloc[0]
    promoters, detractors, n = sql.one(raw, sql.NPS)
    assert (ours["promoters"], ours["detractors"], ours["n"]) == (promoters, detractors, n)
    assert ours["net_promoter_score"] == pytest.approx(100 * (promoters - detractors) / n, abs=1e-9)


@pytest.mark.parametrize(
    "by", ["month", "owner_rep_id", "segment", "team", "territory", "lead_source", "deal_type"]
)
def test_bookings_are_the_sum_of_their_parts_to_the_cent(book: Book, by: str) -> None:
    whole = bookings(book.deals).iloc[0]
    parts = bookings(book.deals, by=by)
    assert len(parts) > 1
    assert sum(map(cents, parts["bookings"])) == cents(whole["bookings"])
    assert parts["n"].sum() == whole["n"]


@pytest.mark.parametrize("by", ["stage_name", "team", "segment", "owner_rep_id"])
def test_the_open_pipeline_is_the_sum_of_its_parts_to_the_cent(book: Book, by: str) -> None:
    whole = book.kpi(open_pipeline).iloc[0]
    parts = open_pipeline(book.deals, as_of=book.as_of, by=by)
    assert sum(map(cents, parts["open_pipeline"])) == cents(whole["open_pipeline"])
    assert parts["n"].sum() == whole["n"]


def test_a_past_month_is_what_was_known_then() -> None:
    """Bookings of September as seen at its end: nothing that October brought may show in any table."""
    with Book.for_month(DEMO, "2026-09") as then:
        for table, stamp in {
            "deals": "created_at",
            "activities": "started_at",
            "leads": "created_at",
            "stage_spells": "entered_at",
        }.items():
            newest = then.table(table).aggregate(f"max({stamp})").fetchall()[0][0]
            assert newest < then.at.cutoff
        later = then.deals.filter(f"closed_at >= {then.at.before}").aggregate("count(*)").fetchall()[0][0]
        assert later == 0
        reached = (
            then.stage_spells.filter(f"left_at >= {then.at.before} OR won_at >= {then.at.before}")
            .aggregate("count(*)")
            .fetchall()
        )
        assert reached[0][0] == 0
