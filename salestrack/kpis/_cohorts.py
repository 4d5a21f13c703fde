"""Deals as a cohort: since when they wait, until when, and how it ended, as known at the end of a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.kpis._facts import By, Facts, alternatives, facts
from salestrack.kpis._frames import flag
from salestrack.kpis._periods import number_of
from salestrack.kpis._survival import Figures, day_known, days_from
from salestrack.periods import PeriodLike
from salestrack.stats.survival import LifeTable, aalen_johansen, life_table

OPEN, WON, LOST, JUNK_LOSS = 0, 1, 2, 3


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
    """Deals created by then: `_day` waited, `_cause` 0 open, 1 won, 2 lost, 3 lost as junk, `_undated` closings.

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
    """With `_in`, `_out` (days), `_cause`, `_day` and `_undated`; only deals created by then."""
    closed = nw.col("status").is_in(["won", "lost"])
    x = x.mark(_in=day_known(created, as_of, x.columns), _closed=day_known("closed_date", as_of, x.columns))
    x = x.keep(~nw.col("_in").is_null()).mark(
        _out=nw.when(closed).then(nw.col("_closed")),
        _undated=flag(closed & nw.col("closed_date").is_null()),
    )
    cause = (
        nw.when(nw.col("_out").is_null())
        .then(nw.lit(OPEN))
        .when(nw.col("status") == "won")
        .then(nw.lit(WON))
        .when(_is_junk(x, junk))
        .then(nw.lit(JUNK_LOSS))
    )
    return x.mark(
        _cause=cause.otherwise(nw.lit(LOST)).cast(nw.Int64),
        _day=days_from("_in", nw.col("_out").fill_null(number_of(as_of))),
    )


def created_column(deals: Any, function: str) -> str:
    """The column that says when a deal was created: the local day where the frame has it."""
    return alternatives(facts(deals, function=function), "created_date", "created_at")


def split(counts: pd.DataFrame) -> tuple[pd.DataFrame, Figures]:
    """The counts that tell of winning, and how many stand aside: junk and closings without a day."""
    aside = (counts["_cause"] == JUNK_LOSS) | (counts["_undated"] == 1)
    figures = {
        "junk": float(counts["n"][counts["_cause"] == JUNK_LOSS].sum()),
        "undated": float(counts["n"][counts["_undated"] == 1].sum()),
    }
    return counts[~aside], figures


def table_of(counts: pd.DataFrame, event: int = WON) -> LifeTable:
    """The life table of counts per `_day` and `_cause`, one way out being the event, the others competing."""
    cause = counts["_cause"].to_numpy()
    kind = [0 if c == OPEN else 1 if c == event else 2 for c in cause]
    return life_table(counts["_day"], kind, counts["n"])


def final_share(counts: pd.DataFrame) -> tuple[float, float]:
    """The share won by, and the share still open at, the last day to which a deal was followed."""
    if counts.empty:
        return float("nan"), float("nan")
    table = table_of(counts)
    waiting = np.prod(1 - (table.events + table.competing) / table.risk)
    return float(aalen_johansen(table).value[-1]), float(waiting)


def _is_junk(x: Facts, junk: Sequence[str]) -> nw.Expr:
    if "lost_reason" not in x.columns or not junk:
        return nw.lit(False)
    reason = nw.col("lost_reason").cast(nw.String).fill_null("").str.to_lowercase()
    return reason.is_in([word.lower() for word in junk])
