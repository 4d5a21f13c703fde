"""Past periods looked at on the same day as the one that is forecast: their deals, weights and outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw

from salestrack.errors import KpiError
from salestrack.kpis._facts import Facts
from salestrack.kpis._frames import Rows, stacked
from salestrack.kpis._money import CENTS
from salestrack.kpis._periods import day_number
from salestrack.kpis._survival import checked_day
from salestrack.kpis._versions import Rates
from salestrack.kpis._weights import (
    OPEN,
    WON,
    Origin,
    alive,
    cents_then,
    forecast_period,
    key_of,
    looked_up,
    origins,
    weight,
    won_cents,
)
from salestrack.periods import PeriodLike

VERSION = ("expected_close_date", "closed_date")


@dataclass(frozen=True)
class Past:
    """The past periods and the days on which they are looked at."""

    word: str
    each: list[Origin]
    fiscal_year_start: int


def past_of(
    as_of: Any, period: PeriodLike | None, periods: int, name: str, fiscal_year_start: int
) -> tuple[list[Origin], str]:
    """The last finished periods like the one that is forecast, and the word for their length."""
    if periods < 1:
        raise KpiError.bad_option(name, "periods", periods, "give a number above 0")
    day = checked_day(as_of, name)
    word, span = forecast_period(period, day, name, fiscal_year_start)
    return origins(word, span, day, periods, fiscal_year_start), word


def cohort_of(x: Facts, past: Past) -> tuple[Facts, Facts]:
    """The deals open on the day of the past period (`_k`) in which they were expected, and the wins of the
    same periods after the day, as they stood at the period's end."""
    days, ends = {o.key: o.day for o in past.each}, {o.key: o.last for o in past.each}
    due, closed = (
        key_of(past.word, f"{c}_date", past.fiscal_year_start) for c in ("expected_close", "closed")
    )
    x = x.mark(_k=nw.when(OPEN).then(due).when(WON).then(closed))
    x = x.mark(_day=looked_up("_k", days), _end=looked_up("_k", ends))
    here = x.keep(OPEN & alive(nw.col("_day")))
    then = x.keep(WON & (day_number("closed_date") > nw.col("_day")) & alive(nw.col("_end")))
    return here, then


def weighed(here: Facts, then: Facts, rates: Rates, past: Past) -> Rows:
    """The deals of the day with weight and outcome (`_won`, `_won_cents`), and the other wins (`_other` = 1)."""
    here = here.mark(**{CENTS: cents_then(rates, {o.key: o.day for o in past.each})}).mark(**weight(OPEN))
    came = then.mark(_won=nw.lit(1), _won_cents=won_cents(then, rates).fill_null(0)).rows
    names = list(dict.fromkeys((*here.by, "deal_id", "_k", CENTS, "_w", "_p")))
    outcome = came.select("deal_id", "_k", "_won", "_won_cents")
    rows = here.rows.select(*names).join(outcome, on=["deal_id", "_k"], how="left")
    rows = rows.with_columns(
        _won=nw.col("_won").fill_null(0).cast(nw.Int64),
        _won_cents=nw.col("_won_cents").fill_null(0).cast(nw.Int64),
        _other=nw.lit(0).cast(nw.Int64),
    )
    new = came.join(here.rows.select("deal_id", "_k"), on=["deal_id", "_k"], how="anti").with_columns(
        _w=nw.lit(0).cast(nw.Int64),
        _p=nw.lit(None).cast(nw.Float64),
        _won=nw.lit(1).cast(nw.Int64),
        _other=nw.lit(1).cast(nw.Int64),
        **{CENTS: nw.lit(None).cast(nw.Int64)},
    )
    columns = [*names, "_won", "_won_cents", "_other"]
    both: Rows = stacked([rows.select(*columns), new.select(*columns)])
    return both
