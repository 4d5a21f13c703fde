"""Past periods looked at on the same day as the one that is forecast: their deals, weights and outcomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import narwhals as nw

from salestrack.errors import KpiError
from salestrack.kpis._facts import Facts
from salestrack.kpis._frames import Part, Rows, masked, stacked, summarise
from salestrack.kpis._money import CENTS
from salestrack.kpis._periods import day_number, literal, within
from salestrack.kpis._survival import checked_day
from salestrack.kpis._versions import Rates, held
from salestrack.kpis._weights import (
    OPEN,
    WON,
    Origin,
    cents_then,
    forecast_period,
    origins,
    won_cents,
)
from salestrack.periods import Period, PeriodLike

VERSION = ("expected_close_date", "closed_date")


def past_of(
    as_of: Any, period: PeriodLike | None, periods: int, name: str, fiscal_year_start: int
) -> tuple[list[Origin], str]:
    """The last finished periods like the one that is forecast, and the word for their length."""
    if periods < 1:
        raise KpiError.bad_option(name, "periods", periods, "give a number above 0")
    day = checked_day(as_of, name)
    word, span = forecast_period(period, day, name, fiscal_year_start)
    return origins(word, span, day, periods, fiscal_year_start), word


def met(x: Facts, past: list[Origin]) -> Facts:
    """The deals open on the day of the past period (`_k`, `_day`) in which they were expected (`_here` = 1), and the
    wins of the same periods after the day, as they stood at the period's end (`_won` = 1)."""
    schema = x.rows.collect_schema()
    reach = Period(past[0].period.start, past[-1].period.end)

    def looked(column: str, value: Callable[[Origin], int]) -> nw.Expr:
        """The value of the period that a date lies in, which is compared before anything is worked out from it."""
        chain: Any = nw
        for origin in past:
            chain = chain.when(nw.col(column) < literal(origin.period.end, schema[column])).then(
                nw.lit(value(origin))
            )
        return cast(nw.Expr, chain.cast(nw.Int64))

    def seen(status: nw.Expr, column: str, until: Callable[[Origin], int], here: int) -> Facts:
        """The spans of a status whose date lies in a past period, on the day of that period that is asked for.

        Open and won ones are read one after the other: only simple conditions are looked up while a file is read.
        """
        found = x.keep(status & within(column, schema[column], reach)).keep(held(looked(column, until)))
        return found.mark(
            _k=looked(column, lambda origin: origin.key),
            _day=looked(column, lambda origin: origin.day),
            _here=nw.lit(here).cast(nw.Int64),
            _won=nw.lit(1 - here).cast(nw.Int64),
        )

    due, closed = "expected_close_date", "closed_date"
    came = seen(WON, closed, lambda origin: origin.last, 0).keep(day_number(closed) > nw.col("_day"))
    here = seen(OPEN, due, lambda origin: origin.day, 1)
    return replace(x, rows=stacked([here.rows, came.rows]))


def weighed(x: Facts, rates: Rates, past: list[Origin]) -> Rows:
    """One row per deal and past period: its hundredths and probability on the day, which are unknown where it was not
    there, and what it brought in by the period's end (`_won_cents`), unknown where it was not won.

    Of a deal that was not there on the day the groups are those of its win.
    """
    x = met(x, past)
    x = x.mark(_value=cents_then(rates, {o.key: o.day for o in past}), _gain=won_cents(x, rates))
    x = x.mark(
        _won_cents=nw.when(WON).then(nw.col("_gain").fill_null(0)),
        **{name: masked(OPEN, column) for name, column in ((CENTS, "_value"), ("_p", "_p"))},
        **{f"_at_{name}": masked(OPEN, name) for name in x.by},
    )
    groups = [column for name in x.by for column in (f"_at_{name}", name)]
    names = (CENTS, "_p", "_won_cents", *(("_here",) if groups else ()), *groups)
    largest: dict[str, Part] = {name: (name, "max") for name in names}
    rows = summarise(x.rows, ("deal_id", "_k"), **largest)
    at_day = {
        name: nw.when(nw.col("_here") == 1).then(nw.col(f"_at_{name}")).otherwise(nw.col(name))
        for name in x.by
    }
    return rows.with_columns(**at_day) if at_day else rows
