"""Joins of two frames, also of a Polars frame with a DuckDB relation or a pandas frame."""

from __future__ import annotations

from typing import Literal, cast

from salestrack.kpis._frames import Rows, small
from salestrack.kpis._pandas import known
from salestrack.kpis._plan import Plan


def joined(
    left: Rows, right: Rows, on: str | list[str], how: Literal["inner", "left", "semi", "anti"] = "inner"
) -> Rows:
    """left join right on equal key names; `right` brings only columns that `left` lacks."""
    if isinstance(left, Plan) != isinstance(right, Plan):
        left, right = _plan(left), _plan(right)
    return left.join(right, on=on, how=how)


def _plan(rows: Rows) -> Rows:
    """A Polars frame where DuckDB can read it."""
    if isinstance(rows, Plan) or not rows.implementation.is_polars():
        return rows
    return cast(Rows, Plan.of(known(small(rows), lambda name: "any")))
