"""What a KPI must give: its plain SQL run over a small company, and the comparison with what it gave."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import duckdb
import pandas as pd
import pytest
from kpis import oracle
from kpis.oracle import CASES
from kpis.worlds import SCHEMAS, WORLDS, database, frames


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


def called(name: str, by: str | None, frame: Callable[[str], Any]) -> pd.DataFrame:
    """The KPI as its case calls it; `frame` gives the tables by name."""
    case = CASES[name]
    given = inspect.signature(case.function).parameters.values()
    frames = [frame(p.name) for p in given if p.kind is p.POSITIONAL_OR_KEYWORD]
    return case.function(*frames, by=by, **case.options)


def expected(name: str, world: str, by: str | None) -> pd.DataFrame:
    case = CASES[name]
    date, options = case.date, case.options
    sql = case.sql if isinstance(case.sql, str) else case.sql(by)
    month = f"date_trunc('month', {date})::TIMESTAMP AS month,"
    if name == "selling_time_share":
        month = month.replace("on_day", "{date}")
    rows = [*([by] if by else []), *case.rows]
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
    order = [c for c in rows if c in table]
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


ENGINES = ("pandas", "polars", "polars lazy", "duckdb")


def computed(name: str, world: str, engine: str, by: str | None) -> pd.DataFrame:
    """A KPI on the frames of an engine."""
    return called(name, by, lambda table: frames(tables(world), world, table, engine))


def compared(names: Iterable[str]) -> list[Any]:
    """Every grouping on ordinary data, one on the others; the rest is for thorough runs."""
    found = []
    for name in names:
        for by in CASES[name].each:
            for world in WORLDS:
                usual = world == "ordinary" or by == (CASES[name].each[1:2] or (None,))[0]
                found.append(pytest.param(name, by, world, marks=() if usual else pytest.mark.every))
    return found


def agrees_with_plain_sql_on_every_engine(name: str, by: str | None, world: str) -> None:
    """pandas frames give what the SQL gives, the other engines what pandas frames give."""
    want = expected(name, world, by)
    first = computed(name, world, "pandas", by)
    assert_same(first, want)
    for engine in ENGINES[1:]:
        pd.testing.assert_frame_equal(
            computed(name, world, engine, by), first, rtol=1e-9, atol=1e-12, obj=engine
        )
