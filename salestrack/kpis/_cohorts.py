"""Deals as a cohort: since when they wait, until when, and how it ended, as known at the end of a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import narwhals as nw

from salestrack.kpis._facts import By, Facts, alternatives, facts
from salestrack.kpis._periods import day_number, number_of, until
from salestrack.kpis._survival import Cells, at, days_from, only
from salestrack.kpis.winning import is_junk
from salestrack.periods import PeriodLike

OPEN, WON, LOST, JUNK_LOSS, UNDATED = 0, 1, 2, 4, 5
"""Ways out; the last two stand aside: a loss that never was a deal, a closing on an unknown day."""


def cohort(
    deals: Any,
    *,
    function: str,
    as_of: date,
    by: By,
    period: PeriodLike | None,
    fiscal_year_start: int,
    junk: Sequence[str],
) -> Facts:
    """Deals created by then with days waited and way out in `_at`.

    A deal that was reopened is open whatever closing day it carries; one that closes later was open then.
    """
    created = created_column(deals, function)
    x = facts(
        deals,
        function=function,
        needs=("status", "closed_date", created),
        date=created,
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    return ended(x, created, as_of, junk)


def ended(x: Facts, created: str, as_of: date, junk: Sequence[str]) -> Facts:
    """With the day of creation `_in` and, in `_at`, days waited and way out; only deals created by then."""
    schema = x.rows.collect_schema()
    x = x.keep(until(created, schema, as_of))
    x = x.mark(_in=day_number(created), _out=day_number("closed_date"))
    done = nw.col("status").is_in(["won", "lost"])
    closed = done & until("closed_date", schema, as_of)
    way = (
        nw.when(nw.col("status") == "won")
        .then(nw.lit(WON))
        .when(is_junk(x, junk))
        .then(nw.lit(JUNK_LOSS))
        .otherwise(nw.lit(LOST))
    )
    left = (
        nw.when(closed)
        .then(at(days_from("_in", nw.col("_out")), way))
        .when(done & nw.col("closed_date").is_null())
        .then(nw.lit(UNDATED))
    )
    return x.mark(_at=left.otherwise(at(number_of(as_of) - nw.col("_in"), nw.lit(OPEN))).cast(nw.Int64))


def created_column(deals: Any, function: str) -> str:
    """The column that says when a deal was created: the local day where the frame has it."""
    return alternatives(facts(deals, function=function), "created_date", "created_at")


def split(every: Cells) -> tuple[Cells, dict[str, float]]:
    """The counts that tell of winning, and how many stand aside: junk and closings without a day."""
    aside = {
        "junk": float(every["n"][every["way"] == JUNK_LOSS].sum()),
        "undated": float(every["n"][every["way"] == UNDATED].sum()),
    }
    return only(every, every["way"] < JUNK_LOSS), aside
