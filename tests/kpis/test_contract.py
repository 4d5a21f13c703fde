"""Every KPI on every engine, against plain SQL, on ordinary, empty, tiny, incomplete and tied data."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest
from kpis import oracle
from kpis.oracle import CASES
from kpis.worlds import SCHEMAS, WORLDS, database, frames

from salestrack import kpis

ENGINES = ("pandas", "polars", "polars lazy", "duckdb")
STAGED = ("stage_conversion", "stage_dwell", "funnel_leakage")
EACH = [(name, by) for name, case in CASES.items() for by in case[4]]
KPIS = Path(kpis.__file__).parent


@cache
def tables(world: str) -> duckdb.DuckDBPyConnection:
    return database(world)


@cache
def truths(world: str) -> duckdb.DuckDBPyConnection:
    con = database(world)
    con.execute(oracle.MACROS)
    for name, columns in SCHEMAS.items():
        if "team" in columns:
            con.execute(f"UPDATE {name} SET team = '(missing)' WHERE team IS NULL")
    return con


def computed(name: str, world: str, engine: str, by: str | None) -> pd.DataFrame:
    function, _, _, options, _ = CASES[name]
    given = [p for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    return function(*(frames(tables(world), world, p.name, engine) for p in given), by=by, **options)


def expected(name: str, world: str, by: str | None) -> pd.DataFrame:
    _, sql, date, options, _ = CASES[name]
    month = f"date_trunc('month', {date})::TIMESTAMP AS month,"
    if name == "selling_time_share":
        month = month.replace("on_day", "{date}")
    rows = [*([by] if by else []), *(["stage_order", "stage_name"] if name in STAGED else [])]
    text = sql.replace("{keys}", month if by == "month" else "").replace("{names}", f"{by}," if by else "")
    filled = {
        "{pick}": {"month": month, "team": "team,", None: ""}[by],
        "{bnames}": f"b.{by}," if by else "",
        "{on}": f"USING ({by})" if by else "ON TRUE",
        "{keep}": "AND month IN (SELECT month FROM a)" if by == "month" else "",
        "{on_t}": f"ON b.{by} IS NOT DISTINCT FROM t.{by}" if by else "ON TRUE",
        "{on_i}": f"ON b.{by} IS NOT DISTINCT FROM i.{by}" if by else "ON TRUE",
        "{group}": "".join(f"{c}, " for c in rows),
        "{part}": f"PARTITION BY {', '.join(rows)}" if rows else "",
        "{using}": ", ".join(rows),
        "{same}": " AND ".join(f"s.{c} = w.{c}" for c in rows),
        "{unfollowed}": f"max(day) < {options['horizon_days']}" if "horizon_days" in options else "FALSE",
        "{horizon}": str(options.get("horizon_days", 100_000)),
        "{outer}": f"PARTITION BY {by}" if by else "",
        "{partition}": f"{by}, " if by else "",
        "{months}": "max(1)" if by == "month" else "count(DISTINCT period_start_date)",
    }
    for mark, value in filled.items():
        text = text.replace(mark, value)
    if name == "selling_time_share":
        text = text.replace("{date}", "started_at", 1).replace("{date}", "on_day")
    table = truths(world).execute(text).df()
    if by == "month" and "n" in table:
        table = table[~(table["month"].isna() & (table["n"] == 0))]
    order = [c for c in (*rows, "activity_type") if c in table]
    keys = [table[c].where(table[c] != "(missing)", "~") for c in order]
    if order:
        ranked = pd.concat(keys, axis=1).sort_values(order, kind="stable")
        table = table.loc[ranked.index]
    return table.reset_index(drop=True)


def assert_same(got: pd.DataFrame, want: pd.DataFrame) -> None:
    assert len(got) == len(want), f"{got}\n{want}"
    for column in want.columns:
        left, right = got[column], want[column]
        if pd.api.types.is_numeric_dtype(right):
            whole = pd.api.types.is_integer_dtype(right)
            pd.testing.assert_series_equal(
                left.astype(float), right.astype(float), rtol=0 if whole else 1e-9, atol=1e-9
            )
        else:
            assert [str(v) for v in left] == [str(v) for v in right], column


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("name", "by"), EACH)
def test_a_kpi_agrees_with_plain_sql_on_every_engine(name: str, by: str | None, world: str) -> None:
    want = expected(name, world, by)
    first = computed(name, world, "pandas", by)
    assert_same(first, want)
    for engine in ENGINES[1:]:
        pd.testing.assert_frame_equal(
            computed(name, world, engine, by), first, rtol=1e-9, atol=1e-12, obj=engine
        )


@pytest.mark.parametrize(("name", "by"), EACH)
def test_without_groups_there_is_one_row_and_for_no_data_none_per_group(name: str, by: str | None) -> None:
    table = computed(name, "empty", "pandas", by)
    rows_of_its_own = by is not None or name in (*STAGED, "activity_mix")
    assert len(table) == (0 if rows_of_its_own else 1)
    assert list(table.columns) == list(computed(name, "ordinary", "pandas", by).columns)
    assert name in table.columns
    if not rows_of_its_own and kpis.CARDS[name].unit == "share":
        assert table[name].isna().all()
        assert table["n"].tolist() == [0]


@pytest.mark.parametrize("name", list(CASES))
def test_the_input_stays_as_it_was(name: str) -> None:
    function, _, _, options, _ = CASES[name]
    con = tables("full of nulls")
    given = [
        p.name for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    pandas = [con.table(table).df() for table in given]
    polars = [frames(con, "full of nulls", table, "polars") for table in given]
    before = [frame.copy(deep=True) for frame in pandas], [frame.clone() for frame in polars]
    function(*pandas, by="team", **options)
    function(*polars, by="team", **options)
    for frame, copy in zip(pandas, before[0], strict=True):
        pd.testing.assert_frame_equal(frame, copy)
    assert all(
        isinstance(frame, pl.DataFrame) and frame.equals(copy)
        for frame, copy in zip(polars, before[1], strict=True)
    )


@pytest.mark.parametrize(
    "by", ["day", "week", "month", "quarter", "year", "owner_rep_id", "team", ["team", "month"]]
)
@pytest.mark.parametrize("year_starts", [1, 7])
def test_the_groups_add_up_to_the_whole_to_the_cent(by: str | list[str], year_starts: int) -> None:
    for world in ("ordinary", "full of nulls"):
        deals = tables(world).table("deals")
        parts = kpis.bookings(deals, by=by, fiscal_year_start=year_starts)
        whole = kpis.bookings(deals)
        assert round(parts["bookings"].sum() * 100) == round(whole["bookings"][0] * 100)
        assert parts["n"].sum() == whole["n"][0]


def test_every_public_kpi_has_a_case_here_and_a_card() -> None:
    public = {name for name in kpis.__all__ if name not in ("CARDS", "Card")}
    assert public == set(CASES) == set(kpis.CARDS)
    assert all(getattr(kpis, name).card.name == name for name in public)
    assert list(kpis.__all__) == sorted(kpis.__all__)


FORBIDDEN = {
    ".agg(": "summarise is the only aggregation",
    ".pivot": "not portable",
    ".round": "round for display only",
    ".weekday": "0-based on some engines",
    "left_on": "equal names only",
}


def _banned(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("agg", "pivot", "round", "weekday"):
            found.append(node.attr)
        if isinstance(node, ast.keyword) and node.arg == "left_on":
            found.append("left_on")
    return found


@pytest.mark.parametrize("path", sorted(KPIS.glob("*.py")), ids=lambda path: path.name)
def test_the_kpis_stay_inside_the_portable_subset(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in tree.body:
        if not (isinstance(node, ast.FunctionDef) and node.name == "summarise"):
            found += _banned(node)
    assert found == [], f"{FORBIDDEN}"


def test_the_guard_sees_what_it_forbids() -> None:
    code = "x.agg(1); x.pivot(); x.round(2); x.dt.weekday(); x.join(y, left_on='a')"
    assert sorted(_banned(ast.parse(code))) == ["agg", "left_on", "pivot", "round", "weekday"]
