"""DuckDB's own words for what narwhals says at length: the same values, and really used."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import duckdb
import narwhals as nw
import polars as pl
import pytest

from salestrack.kpis import _plan, win_rate
from salestrack.kpis._frames import frame, small
from salestrack.kpis._periods import day_number, floored, number_of
from salestrack.kpis._sql import shortened, with_in

DAYS = [date(1600, 2, 29), date(1900, 2, 28), date(1900, 3, 1), date(1968, 12, 31), date(1970, 1, 1)]
DAYS += [date(2000, 2, 29) + timedelta(days=n) for n in range(800)] + [date(2100, 3, 1), date(9999, 12, 31)]


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP"])
def test_numbers_of_days_are_those_of_the_calendar(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    con.execute(f'CREATE TABLE t ("a ""day""" {kind})')
    late = [datetime(d.year, d.month, d.day, 23, 59) if kind == "TIMESTAMP" else d for d in DAYS]
    con.executemany("INSERT INTO t VALUES (?)", [[day] for day in [*late, None]])
    rows = frame(con.table("t"), function="test").select(n=day_number('a "day"'))
    found = small(rows)["n"]
    assert found.isna().sum() == 1
    assert found.dropna().tolist() == [number_of(day) for day in DAYS]


def test_statements_say_days_and_lists_in_duckdbs_words(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE TABLE deals (status VARCHAR, lost_reason VARCHAR, closed_date DATE)")
    _plan._STATEMENTS.clear()
    win_rate(con.table("deals"), by="week")
    (text,) = _plan._STATEMENTS.values()
    assert "date_diff('day'" in text
    assert " IN ('duplicate', 'test', 'spam')" in text
    assert "dayofyear" not in text
    assert "contains(" not in text


@pytest.mark.parametrize("values", [["a", "o'b, ') ]", 'c"('], [1, 2], []])
def test_lists_of_values_mean_the_same(con: duckdb.DuckDBPyConnection, values: list[object]) -> None:
    words = ["a", "o'b, ') ]", 'c"(', "x", None]
    rows = words if not values or isinstance(values[0], str) else [1, 2, 3, None]
    con.execute(f"CREATE TABLE t (x {'VARCHAR' if rows is words else 'BIGINT'})")
    con.executemany("INSERT INTO t VALUES (?)", [[row] for row in rows])
    made = nw.from_native(con.table("t")).select(a=nw.col("x").is_in(values), b=~nw.col("x").is_in(values))
    long = made.to_native().sql_query()
    short = shortened(long)
    assert con.sql(short).fetchall() == con.sql(long).fetchall()
    assert ("contains(" in short) is (not values)


def test_lists_inside_of_lists_are_found() -> None:
    inner = "contains(['b'], CAST(contains(['c', ''''], y) AS VARCHAR))"
    assert with_in(f"({inner})") == "((CAST((y IN ('c', '''')) AS VARCHAR) IN ('b')))"


@pytest.mark.parametrize(("times", "size"), [(1, 4), (1, 7), (400, 12_175), (1, 86_400)])
def test_whole_numbers_are_divided_downwards(con: duckdb.DuckDBPyConnection, times: int, size: int) -> None:
    numbers = list(range(-3_000, 60_000))
    want = [number * times // size for number in numbers]
    rows = pl.DataFrame({"x": numbers})
    con.execute("CREATE TABLE t AS SELECT range AS x FROM range(-3000, 60000)")
    for native in (rows.lazy(), con.table("t")):
        made = frame(native, function="test").select("x", y=floored(nw.col("x") * times, size))
        assert small(made).sort_values("x")["y"].tolist() == want
