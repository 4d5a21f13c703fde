"""Frames of any engine, checked and lazy; the one aggregation; the way back to a small pandas table.

Everything stays inside what pandas, Polars, DuckDB, PySpark and Ibis all say alike (the portable subset):
aggregates are taken of bare columns only, flags and masked amounts are made at row level before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

import duckdb
import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._pandas import known, memory
from salestrack.kpis._plan import Plan
from salestrack.kpis._plan import once as once
from salestrack.kpis._plan import stacked as stacked
from salestrack.kpis._sql import COUNTED

Rows: TypeAlias = "nw.LazyFrame[Any]"
How: TypeAlias = Literal["sum", "count", "mean", "median", "min", "max", "std"] | float
Part: TypeAlias = tuple[str, How] | Literal["len"]

HOWS = ("sum", "count", "mean", "median", "min", "max", "std")
TEXTS = {
    "activity_type",
    "cost_type",
    "currency_code",
    "exit_type",
    "metric",
    "order_status",
    "stage_name",
    "status",
    "survey_type",
}
NUMBERS = {"amount", "amount_base", "contracted_hours_per_week", "duration_s", "score", "seq", "stage_order"}


def frame(x: Any, *, needs: Iterable[str] = (), function: str) -> Rows:
    """Any engine's frame as a lazy one that has the columns `needs`, each of its kind; `x` is left alone.

    pandas and PyArrow frames are formats, not engines: Polars or an in-memory DuckDB reads them (`_pandas.py`).
    """
    rows = _lazy(x, function)
    schema = rows.collect_schema()
    for name in needs:
        if name not in schema:
            raise KpiError.missing_column(name, function, schema.names())
    return _kinds(rows, schema, function)


def summarise(lf: Rows, by: Sequence[str] = (), /, **what: Part) -> Rows:
    """The only aggregation: `name="len"` counts rows, `name=(column, how)` takes a figure of one bare column.

    `how` is sum, count, mean, median, min, max, std or a number between 0 and 1 (a linear quantile).
    Sums of whole numbers and counts are Int64 on every engine; without `by` there is exactly one row.
    """
    schema = lf.collect_schema()
    figures = [_figure(part, schema.names()).alias(name) for name, part in what.items()]
    out: Rows = lf.group_by(list(by)).agg(*figures) if by else lf.select(*figures)
    whole = [name for name, part in what.items() if _is_whole(part, schema)]
    return out.with_columns(*(nw.col(name).cast(nw.Int64) for name in whole)) if whole else out


def small(lf: Rows) -> pd.DataFrame:
    """The result of a query as a pandas frame whose types do not depend on the engine."""
    schema = lf.collect_schema()
    direct = isinstance(lf, Plan) or lf.implementation.is_polars()
    found: Any = lf.collect() if direct else _collected(lf)
    if not isinstance(found, pd.DataFrame):
        columns = found.to_dict(as_series=False)
        found = pd.DataFrame({name: pd.Series(columns[name], dtype=object) for name in schema.names()})
    return pd.DataFrame({name: _plain(found[name], schema[name]) for name in schema.names()})


def smalls(*results: Rows) -> list[pd.DataFrame]:
    """Several small results by one query, which works out once what they share (see `once`)."""
    schemas = [rows.collect_schema() for rows in results]
    types = {name: kind for schema in reversed(schemas) for name, kind in schema.items()}
    numbered = [rows.with_columns(_part=nw.lit(i).cast(nw.Int64)) for i, rows in enumerate(results)]
    table = small(over_another(numbered, types | {"_part": nw.Int64()}))
    found = [table[table["_part"] == number].reset_index(drop=True) for number in range(len(results))]
    return [
        pd.DataFrame({name: _plain(part[name], kind) for name, kind in schema.items()})
        for part, schema in zip(found, schemas, strict=True)
    ]


def over_another(results: Sequence[Rows], types: Mapping[str, Any]) -> Rows:
    """Results on top of each other with all these columns, NULL where one lacks them."""
    parts = []
    for rows in results:
        has = rows.collect_schema()
        columns = (nw.col(n) if n in has else nw.lit(None).cast(kind).alias(n) for n, kind in types.items())
        parts.append(rows.select(*columns))
    both: Rows = stacked(parts)
    return both


def _collected(lf: Rows) -> pd.DataFrame:
    """What the engine gives as pandas; Spark's rows one by one, for its own way there does not know pandas 3."""
    if not lf.implementation.is_spark_like():
        return pd.DataFrame(lf.collect(backend="pandas").to_native())
    rows, names = lf.to_native().collect(), lf.collect_schema().names()
    return pd.DataFrame({n: pd.Series([row[i] for row in rows], dtype=object) for i, n in enumerate(names)})


def foremost(rows: Rows, keys: Sequence[str], order: str, count: int) -> Rows:
    """The `count` rows of each group with the smallest `order`; those without one are left out, of equal ones any is in."""
    rows = placed(rows.filter(~nw.col(order).is_null()), _place=(keys, [order]))
    return rows.filter(nw.col("_place") <= count)


def placed(rows: Rows, **places: tuple[Sequence[str], Sequence[str]]) -> Rows:
    """With the place of each row, from 1 on, among those with equal keys, in the order of columns without NULL."""
    rows = rows.with_columns(nw.lit(1).alias(COUNTED))
    count = nw.col(COUNTED).cum_count()
    made = {
        name: count.over(*keys, order_by=list(order)).cast(nw.Int64) for name, (keys, order) in places.items()
    }
    return rows.with_columns(**made)


def flag(condition: nw.Expr) -> nw.Expr:
    """1 where the condition holds, else 0 (also where unknown): a column that can be summed anywhere."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64)


def masked(condition: nw.Expr, column: str) -> nw.Expr:
    """The column where the condition holds, else NULL."""
    return nw.when(condition).then(nw.col(column))


def masked_sum(condition: nw.Expr, column: str) -> nw.Expr:
    """The column where the condition holds, else 0: for sums."""
    return nw.when(condition & ~nw.col(column).is_null()).then(nw.col(column)).otherwise(nw.lit(0))


def _lazy(x: Any, function: str) -> Rows:
    library = type(x).__module__.partition(".")[0]
    if isinstance(x, Plan):
        return cast(Rows, x)
    if library == "pandas":
        if not isinstance(x, pd.DataFrame):
            raise KpiError.not_a_frame(function, x)
        return cast(Rows, Plan.of(known(x, kind_of)))
    if library == "pyarrow":
        return cast(Rows, Plan.of(memory().from_arrow(x)))
    if isinstance(x, duckdb.DuckDBPyRelation):
        return cast(Rows, Plan.of(x))
    try:
        rows: Rows = nw.from_native(x).lazy()
    except (TypeError, AttributeError):
        raise KpiError.not_a_frame(function, x) from None
    return rows


def kind_of(name: str) -> str:
    """What the name of a canonical column promises: `time`, `number`, `text`, `flag` or `any`.

    >>> [kind_of(name) for name in ("closed_date", "amount_base_cents", "status", "is_done", "team")]
    ['time', 'number', 'text', 'flag', 'any']
    """
    if name.endswith(("_at", "_date")):
        return "time"
    if name in NUMBERS or name.endswith(("_cents", "_amount", "_amount_base")):
        return "number"
    if name in TEXTS:
        return "text"
    return "flag" if name.startswith("is_") else "any"


def _kinds(rows: Rows, schema: nw.Schema, function: str) -> Rows:
    casts = []
    for name, dtype in schema.items():
        kind = kind_of(name)
        if dtype == nw.Unknown:
            casts.append(nw.col(name).cast(_TYPE_OF.get(kind, nw.String())))
        elif kind == "time" and getattr(dtype, "time_zone", None):
            raise KpiError.has_zone(name, function)
        elif not _fits(kind, dtype):
            raise KpiError.wrong_type(name, function, str(dtype), kind)
    return rows.with_columns(*casts) if casts else rows


_TYPE_OF: dict[str, Any] = {"time": nw.Datetime("us"), "number": nw.Float64(), "flag": nw.Boolean()}


def _fits(kind: str, dtype: Any) -> bool:
    if kind == "time":
        return bool(dtype == nw.Date or dtype == nw.Datetime)
    if kind == "number":
        return bool(dtype.is_numeric())
    if kind == "text":
        return any(dtype == text for text in (nw.String, nw.Categorical, nw.Enum))
    return kind != "flag" or bool(dtype == nw.Boolean)


def _figure(part: Part, columns: Sequence[str]) -> nw.Expr:
    if part == "len":
        return nw.len()
    column, how = part
    if not isinstance(column, str) or column not in columns:
        raise TypeError(f"summarise takes the name of one column, not {column!r}")
    if isinstance(how, float):
        return nw.col(column).quantile(how, "linear")
    if how not in HOWS:
        raise TypeError(f"summarise knows {', '.join(HOWS)} and quantiles between 0 and 1, not {how!r}")
    return getattr(nw.col(column), how)()  # type: ignore[no-any-return]


def _is_whole(part: Part, schema: nw.Schema) -> bool:
    if part == "len" or part[1] == "count":
        return True
    return part[1] == "sum" and bool(schema[part[0]].is_integer())


def _plain(column: pd.Series[Any], dtype: Any) -> pd.Series[Any]:
    if dtype.is_integer():
        if column.dtype == "int64":
            return column
        return column.astype("Int64" if column.isna().any() else "int64")
    if dtype.is_numeric():
        return column if column.dtype == "float64" else column.astype("float64")
    if dtype.is_temporal():
        return pd.to_datetime(column).astype("datetime64[us]")
    if dtype == nw.Boolean:
        return column.astype("boolean" if column.isna().any() else "bool")
    return column.astype("str")
