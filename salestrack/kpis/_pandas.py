"""pandas frames, which are a format here, not an engine: small ones for Polars, large ones for an in-memory DuckDB.

Building a query costs DuckDB about two milliseconds a step and Polars a tenth of that, which is what counts for
small frames; large ones are read by DuckDB where they lie, without a copy. Both give the same results.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from functools import cache
from threading import Lock, local
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import polars as pl

SMALL = 200_000
"""Rows up to which a frame is worked on by Polars."""


def known(x: pd.DataFrame, kind_of: Callable[[str], str]) -> pd.DataFrame:
    """The frame, in which a column without any value has the type that its name promises."""
    if not len(x.columns):
        return pd.DataFrame({"": pd.Series([], dtype="float64")})
    same, columns = True, {}
    for label, column in x.items():
        name = str(label)
        columns[name] = _known_type(kind_of(name), _forward(column))
        same = same and columns[name] is column and name is label
    return x if same and len(columns) == len(x.columns) else pd.DataFrame(columns, copy=False)


def dtypes(x: pd.DataFrame) -> tuple[tuple[str, str], ...] | None:
    """Names and dtypes of the columns; None where a dtype does not say what is in a column."""
    found = tuple((str(name), str(kind)) for name, kind in x.dtypes.items())
    return None if any(kind in ("object", "category") for _, kind in found) else found


def _forward(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column that lies backwards in memory, as in a reversed frame, is copied: DuckDB cannot read it."""
    values = getattr(column.array, "_ndarray", None)  # what numbers, times and text without PyArrow lie in
    return column.copy() if values is not None and values.strides[0] < 0 else column


def memory() -> duckdb.DuckDBPyConnection:
    """This thread's connection to the in-memory database for frames without an engine.

    DuckDB refuses a connection that another thread is using.
    """
    if not hasattr(_OWN, "con"):
        _OWN.con = cursor()
    con: duckdb.DuckDBPyConnection = _OWN.con
    return con


def cursor() -> duckdb.DuckDBPyConnection:
    """A connection of its own to the in-memory database."""
    with _LOCK:
        return _database().cursor()


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """The one database in memory; it is closed when Python ends."""
    con = duckdb.connect()
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    atexit.register(con.close)
    return con


_OWN, _LOCK = local(), Lock()


_DTYPES: dict[str, Any] = {"time": "datetime64[us]", "number": "float64", "flag": "boolean", "text": "str"}


def _known_type(kind: str, column: pd.Series[Any]) -> pd.Series[Any]:
    dtype = str(column.dtype)
    if dtype == "object" and pd.api.types.infer_dtype(column, skipna=True) == "decimal":
        return column.astype("float64")
    if dtype not in ("object", "float64") or (kind == "any" and dtype == "float64") or column.notna().any():
        return column
    return column.astype(_DTYPES.get(kind, "str"))


def polars(x: pd.DataFrame) -> pl.LazyFrame:
    """The frame as a Polars source that converts only the columns a query reads."""
    import polars as pl
    from polars.io.plugins import register_io_source

    columns = {str(name): column for name, column in x.items()}
    made: dict[str, pl.Series] = {}

    def column(name: str) -> pl.Series:
        if name not in made:
            made[name] = _series(name, columns[name])
        return made[name]

    def read(
        wanted: list[str] | None, where: pl.Expr | None, rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        frame = pl.DataFrame([column(name) for name in (columns if wanted is None else wanted)])
        frame = frame if where is None else frame.filter(where)
        yield frame if rows is None else frame.head(rows)

    schema = {name: _dtype(values) for name, values in columns.items()}
    return register_io_source(read, schema=schema, is_pure=True)


def _dtype(column: pd.Series[Any]) -> pl.DataType | type[pl.DataType]:
    """The Polars type of a pandas column."""
    import polars as pl

    dtype = column.dtype
    if dtype == "str":
        return pl.String
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        return pl.Datetime("us")
    if isinstance(dtype, np.dtype) and dtype.kind in "iufb":
        return pl.Series(np.zeros(0, dtype)).dtype
    return pl.DataFrame(_relation(column).limit(0)).to_series().dtype


def _series(name: str, column: pd.Series[Any]) -> pl.Series:
    import polars as pl

    dtype = column.dtype
    if dtype == "str":
        return pl.Series(name, column.astype(object).where(column.notna(), None).tolist(), dtype=pl.String)
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        return pl.Series(name, column.to_numpy().astype("datetime64[us]"))
    if isinstance(dtype, np.dtype) and dtype.kind in "iufb":
        return pl.Series(name, column.to_numpy(), nan_to_null=True)
    return pl.DataFrame(_relation(column)).to_series().alias(name)


def _relation(column: pd.Series[Any]) -> duckdb.DuckDBPyRelation:
    """A column of mixed, nullable or categorical type: DuckDB finds out what is in it (Polars asks in parallel)."""
    return cursor().from_df(pd.DataFrame({"x": column}, copy=False))
