"""Recorded queries: built once, run on whatever rows are given, never mixed up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import narwhals as nw
import pandas as pd
import pytest

from salestrack.kpis import _pandas, _plan, win_rate
from salestrack.kpis._plan import Plan, stacked


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute("CREATE TABLE a AS SELECT * FROM (VALUES (1, 'x'), (2, 'y')) t(k, word)")
        made.execute("CREATE TABLE b AS SELECT * FROM (VALUES (1, 'u'), (2, 'v')) t(k, word)")
        yield made


def rows(plan: Any) -> list[tuple[Any, ...]]:
    found = plan.collect()
    table = found if isinstance(found, pd.DataFrame) else pd.DataFrame(found.to_dict(as_series=False))
    return [tuple(row) for row in table.itertuples(index=False)]


def test_a_query_that_was_built_before_runs_on_the_new_rows(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[bytes] = []
    build = Plan._statement
    monkeypatch.setattr(Plan, "_statement", lambda self: built.append(self.key) or build(self))

    def asked(name: str) -> list[tuple[Any, ...]]:
        plan = Plan.of(con.table(name)).filter(nw.col("k") > 1).with_columns(again=nw.col("k") + 40)
        return rows(plan)

    assert asked("a") == [(2, "y", 42)]
    assert asked("b") == [(2, "v", 42)]
    con.execute("INSERT INTO a VALUES (3, 'z')")
    assert asked("a") == [(2, "y", 42), (3, "z", 43)]
    assert len(built) == 1


def test_a_number_and_the_same_number_as_text_are_two_queries(con: duckdb.DuckDBPyConnection) -> None:
    table = Plan.of(con.table("a"))
    assert rows(table.select(x=nw.lit(1)).head(1)) == [(1,)]
    assert rows(table.select(x=nw.lit("1")).head(1)) == [("1",)]


def test_a_table_joined_with_itself_is_not_one_joined_with_another(con: duckdb.DuckDBPyConnection) -> None:
    a, b = Plan.of(con.table("a")), Plan.of(con.table("b"))
    assert sorted(rows(a.join(a.select("k", other="word"), on="k"))) == [(1, "x", "x"), (2, "y", "y")]
    assert sorted(rows(a.join(b.select("k", other="word"), on="k"))) == [(1, "x", "u"), (2, "y", "v")]


def test_tables_that_only_their_relation_knows_can_be_joined_and_stacked(
    con: duckdb.DuckDBPyConnection,
) -> None:
    held = con.from_df(pd.DataFrame({"k": [1], "more": ["m"]}))
    both = Plan.of(con.table("a")).join(Plan.of(held), on="k")
    assert rows(both) == [(1, "x", "m")]
    assert len(rows(stacked([Plan.of(con.table("a")), Plan.of(con.table("b"))]))) == 4


@pytest.mark.parametrize("most", [0, 1_000], ids=["as a large frame", "as a small frame"])
def test_a_pandas_frame_gives_the_same_in_duckdb_and_in_polars(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pandas, "SMALL", most)
    frame = pd.DataFrame({"k": [2, 1, None], "word": ["y", None, "x"], "day": pd.to_datetime("2026-01-01")})
    plan = Plan.of(frame).filter(~nw.col("k").is_null()).with_columns(year=nw.col("day").dt.year())
    assert sorted((k, year) for k, _, _, year in rows(plan)) == [(1.0, 2026), (2.0, 2026)]
    assert rows(Plan.of(frame).group_by(["day"]).agg(nw.col("k").sum()))[0][1] == 3


def test_frames_of_two_engines_cannot_be_joined_by_accident(con: duckdb.DuckDBPyConnection) -> None:
    other: Any = nw.from_native(con.table("b")).lazy()
    with pytest.raises(TypeError, match="two engines"):
        Plan.of(con.table("a")).join(other, on="k")


def test_what_is_remembered_stays_bounded(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_plan, "KEPT", 3)
    monkeypatch.setattr(_plan, "_STATEMENTS", {})
    for number in range(8):
        rows(Plan.of(con.table("a")).filter(nw.col("k") > number))
    assert len(_plan._STATEMENTS) <= 3


def test_a_kpi_called_again_on_new_rows_counts_the_new_rows(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE TABLE deals AS SELECT unnest(['won', 'lost', 'lost']) AS status")
    assert win_rate(con.table("deals"))["n"].tolist() == [3]
    con.execute("INSERT INTO deals VALUES ('won')")
    assert win_rate(con.table("deals"))[["won", "n"]].to_numpy().tolist() == [[2, 4]]
