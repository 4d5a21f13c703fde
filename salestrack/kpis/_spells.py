"""Stays of deals in stages as of a day: what the funnel KPIs have in common."""

from __future__ import annotations

from datetime import date

import narwhals as nw

from salestrack.kpis._facts import Facts
from salestrack.kpis._periods import day_number, until
from salestrack.kpis._survival import day_known

SPELL = ("deal_id", "stage_name", "entered_at", "left_at", "exit_type")


def known(x: Facts, as_of: date) -> Facts:
    """Only stays that had begun by then: day of entry `_in`, of leaving `_out`, the way out `_exit`."""
    x = x.keep(until("entered_at", x.rows.collect_schema(), as_of))
    x = x.mark(_in=day_number("entered_at"), _out=day_known("left_at", as_of, x.columns))
    way = nw.col("exit_type").cast(nw.String).fill_null("")
    return x.mark(_exit=nw.when(nw.col("_out").is_null()).then(nw.lit("")).otherwise(way))


def staged(x: Facts) -> Facts:
    """One row per stage, in the order of the stages where it is known."""
    return x.also_by(*(("stage_order",) if "stage_order" in x.columns else ()), "stage_name")
