"""Recorded queries: built once, run on whatever rows are given, never mixed up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import narwhals as nw
import pandas as pd
import pytest

from salestrack.kpis import _pandas, _plan, win_rate
from salestrack.kpis._facts import facts
from salestrack.kpis._frames import foremost, smalls
from salestrack.kpis._plan import Plan, once, stacked


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


def test_a_result_that_is_still_being_fetched_keeps_its_rows(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE TABLE deals AS SELECT unnest(['won', 'lost', 'lost']) AS status")
    con.execute("SELECT * FROM range(5000)")
    assert con.fetchone() == (0,)
    with pytest.raises(duckdb.ResourceInUseException, match="unfinished result"):
        win_rate(con.table("deals"))
    assert con.fetchmany(4000)[-1] == (4000,)
    with pytest.raises(duckdb.ResourceInUseException):
        win_rate(con.table("deals"))
    assert con.fetchall()[-1] == (4999,)
    assert win_rate(con.table("deals"))["n"].tolist() == [3]


def test_rows_of_an_open_transaction_and_of_temporary_tables_count(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE TABLE deals AS SELECT unnest(['won', 'lost', 'lost']) AS status")
    con.begin()
    con.execute("INSERT INTO deals VALUES ('won')")
    assert win_rate(con.table("deals"))["n"].tolist() == [4]
    con.rollback()
    con.execute("CREATE TEMP TABLE deals AS SELECT 'won' AS status")
    assert win_rate(con.table("deals"))["n"].tolist() == [1]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("SELECT k, word FROM a -- the first table", id="with a comment at its end"),
        pytest.param("SELECT k, word FROM rows_0", id="of a table with the name of ours"),
        pytest.param("WITH rows_0 AS (FROM a) SELECT k, word FROM rows_0", id="with a name of ours inside"),
    ],
)
def test_any_query_can_be_a_table(con: duckdb.DuckDBPyConnection, query: str) -> None:
    con.execute("CREATE TABLE rows_0 AS FROM a")
    joined = Plan.of(con.table("b")).join(Plan.of(con.sql(query)), on="k")
    assert sorted(rows(joined)) == [(1, "u", "x"), (2, "v", "y")]


def test_a_query_with_parameters_keeps_their_values(con: duckdb.DuckDBPyConnection) -> None:
    asked = con.sql("SELECT * FROM a WHERE k > $least", params={"least": 1})
    assert rows(Plan.of(asked).select("word")) == [("y",)]


def test_a_query_that_fails_on_its_rows_is_not_run_again(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[Plan] = []
    monkeypatch.setattr(Plan, "to_native", again.append)
    broken = con.sql("SELECT CAST(word AS INTEGER) AS k FROM a")
    with pytest.raises(duckdb.ConversionException):
        Plan.of(broken).filter(nw.col("k") > 0).collect()
    assert again == []


@pytest.mark.parametrize("most", [0, 1_000], ids=["of large frames", "of small frames"])
def test_figures_of_pandas_frames_can_be_asked_for_by_four_threads(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pandas, "SMALL", most)
    found = by_four(lambda number: won(pd.DataFrame({"status": ["won"] * number + ["lost"]})), monkeypatch)
    assert found == [(number, number + 1) for number in range(40)]


def test_figures_of_duckdb_tables_can_be_asked_for_by_four_threads(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    con.execute("CREATE TABLE deals AS SELECT 'won' AS status, range AS deal_id FROM range(40)")
    con.execute("INSERT INTO deals SELECT 'lost', range FROM range(40)")

    def asked(number: int) -> tuple[int, int]:
        with con.cursor() as own:
            return won(own.sql(f"SELECT status FROM deals WHERE deal_id <= {number}"))

    found = by_four(asked, monkeypatch)
    assert found == [(number + 1, 2 * number + 2) for number in range(40)]


def test_each_thread_has_its_own_connection_to_the_database_of_pandas_frames() -> None:
    with ThreadPoolExecutor(1) as pool:
        first, again = pool.submit(_pandas.memory).result(), pool.submit(_pandas.memory).result()
        assert first is again
        assert first is not _pandas.memory()
    assert _pandas.memory() is _pandas.memory()


def won(deals: Any) -> tuple[int, int]:
    row = win_rate(deals).iloc[0]
    return int(row["won"]), int(row["n"])


def by_four(asked: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Forty calls by four threads, with nothing remembered of earlier calls and little of these."""
    monkeypatch.setattr(_plan, "KEPT", 1)
    monkeypatch.setattr(_plan, "_STATEMENTS", {})
    monkeypatch.setattr(_plan, "_SCHEMAS", {})
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(asked, range(40)))


def test_what_a_query_needs_twice_is_worked_out_once(con: duckdb.DuckDBPyConnection) -> None:
    words = once(Plan.of(con.table("a")).filter(nw.col("k") > 1).select("word"))
    both = stacked([words, words.with_columns(word=nw.lit("z"))])
    assert sorted(rows(both)) == [("y",), ("z",)]
    assert both._statement().count("WHERE") == 1
    assert once(con) is con


def test_several_results_come_from_one_query(con: duckdb.DuckDBPyConnection) -> None:
    a = once(Plan.of(con.table("a")))
    first, second, none = smalls(
        a.select("k"), a.select("word", half=nw.lit(0.5)), a.filter(nw.col("k") > 2).select("k")
    )
    assert sorted(first["k"]) == [1, 2]
    assert first.dtypes.astype(str).to_dict() == {"k": "int64"}
    assert sorted(second["word"]) == ["x", "y"]
    assert second[["half"]].to_dict("list") == {"half": [0.5, 0.5]}
    assert none.empty


def test_the_first_rows_of_each_group_are_found_without_sorting_all(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "CREATE TABLE c AS SELECT * FROM (VALUES ('x', 3), ('x', 1), ('x', NULL), ('x', 2), ('y', 5)) t(word, k)"
    )
    first: Any = foremost(Plan.of(con.table("c")), ["word"], "k", 2).select("word", "k")
    assert sorted(rows(first)) == [("x", 1), ("x", 2), ("y", 5)]
    assert "row_number() over (" in first._statement()
    plan = str(con.execute(f"EXPLAIN {first._over_texts(first._statement())}").fetchall())
    assert "WINDOW" not in plan.upper()


def test_rows_that_differ_in_columns_nobody_names_are_not_the_same_row(
    con: duckdb.DuckDBPyConnection,
) -> None:
    con.execute(
        "CREATE TABLE d AS SELECT * FROM (VALUES ('x', 1), ('x', 1), ('x', 2), ('x', NULL)) t(word, unnamed)"
    )
    table = Plan.of(con.table("d"))
    assert rows(table.unique().group_by(["word"]).agg(nw.len())) == [("x", 3)]
    assert rows(table.drop_nulls().group_by(["word"]).agg(nw.len())) == [("x", 3)]


def test_groups_without_a_case_stay_when_a_further_group_is_added(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "CREATE TABLE e AS SELECT * FROM (VALUES ('x', NULL, 2), ('x', 'u', 2), ('y', NULL, 3)) t(team, kind, k)"
    )
    x = facts(con.table("e"), function="win_rate", by="team").only(nw.col("k") == 2).also_by("kind")
    told = x.totals(n="len", k=("k", "sum")).itertuples(index=False)
    assert [tuple(row) for row in told] == [
        ("x", "u", 1, 2),
        ("x", "(missing)", 1, 2),
        ("y", "(missing)", 0, 0),
    ]
