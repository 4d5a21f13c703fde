"""What became of the value of the customers of an earlier period."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.kpis._against import Against, apart, pair
from salestrack.kpis._customers import cohort, valid_orders
from salestrack.kpis._facts import By, Facts
from salestrack.kpis._frames import Part, flag
from salestrack.kpis._results import note, ratio
from salestrack.periods import PeriodLike


def retention(
    orders: Any,
    name: str,
    period: PeriodLike,
    by: By,
    against: Against,
    as_of: date | str | None,
    fiscal_year_start: int,
) -> tuple[Facts, bool]:
    """One row per customer with what became of its value then; whether the period is still filling."""
    spans = apart(
        pair(period, function=name, by=by, against=against, as_of=as_of, fiscal_year_start=fiscal_year_start),
        name,
    )
    x = cohort(valid_orders(orders, name, by, fiscal_year_start), spans)
    then, now = nw.col("_then"), nw.col("_now")
    member, change = then > 0, now - then
    nothing = nw.lit(0)
    fewer = nw.when(now < then).then(now).otherwise(then)
    x = x.mark(
        _member=flag(member),
        _base=nw.when(member).then(then).otherwise(nothing),
        _stay=nw.when(member).then(now).otherwise(nothing),
        _kept=nw.when(member & (now > 0)).then(fewer).otherwise(nothing),
        _more=nw.when(member & (change > 0)).then(change).otherwise(nothing),
        _less=nw.when(member & (now > 0) & (change < 0)).then(-change).otherwise(nothing),
        _gone=nw.when(member & (now <= 0)).then(-change).otherwise(nothing),
        _left=flag(member & (now <= 0)),
        _new=nw.when(~member).then(change).otherwise(nothing),
    )
    return x, spans.open_end


def with_rate(x: Facts, name: str, top: str, open_end: bool, *, share: bool, **totals: Part) -> pd.DataFrame:
    """The totals with the rate, its interval and the note; a share lies between 0 and 1."""
    table = ratio(x, name, top, "_base", cluster=(), share=share, **totals)
    if not share:  # all gone: sums have no variance to go by; less than nothing cannot stay
        gone = table[name] == 0
        table = table.assign(low=table["low"].clip(lower=0).mask(gone), high=table["high"].mask(gone))
    return table.assign(note=note(table[name]).where(table[name].isna() | (not open_end), "to_date"))
