"""Past periods looked at on the same day as the one that is forecast: their deals, weights and outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import narwhals as nw

from salestrack.errors import KpiError
from salestrack.kpis._facts import Facts
from salestrack.kpis._frames import Part, Rows, flag, masked, summarise
from salestrack.kpis._money import CENTS
from salestrack.kpis._periods import within
from salestrack.kpis._survival import checked_day
from salestrack.kpis._versions import Rates, stood
from salestrack.kpis._weights import (
    EPOCH,
    OPEN,
    WON,
    Origin,
    cents_then,
    forecast_period,
    key_of,
    looked_up,
    origins,
    weight,
    won_cents,
)
from salestrack.periods import Period, PeriodLike

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


def met(x: Facts, past: Past) -> Facts:
    """The deals open on the day of the past period (`_k`, `_day`) in which they were expected (`_here` = 1), and the
    wins of the same periods after the day, as they stood at the period's end (`_won` = 1)."""
    days = {o.key: o.day for o in past.each}
    due, closed = (
        key_of(past.word, f"{c}_date", past.fiscal_year_start) for c in ("expected_close", "closed")
    )
    schema = x.rows.collect_schema()
    here, came = nw.lit(False), nw.lit(False)
    for origin in past.each:  # dates are compared before anything is worked out from them
        day, span = EPOCH + timedelta(days=origin.day), origin.period
        rest = Period(day + timedelta(days=1), span.end) if day < span.last_day else None
        here = here | (within("expected_close_date", schema["expected_close_date"], span) & stood(x, day))
        if rest:
            came = came | (within("closed_date", schema["closed_date"], rest) & stood(x, span.last_day))
    x = x.keep((OPEN & here) | (WON & came))
    x = x.mark(_k=nw.when(OPEN).then(due).otherwise(closed), _here=flag(OPEN), _won=flag(WON))
    return x.mark(_day=looked_up("_k", days))


def per_deal(x: Facts, *columns: str, won: Sequence[str] = ()) -> Rows:
    """One row per deal and past period: `columns` and groups as they were on the day, `won` as it was at the end.

    Of a deal that was not there on the day the groups are those of its win.
    """
    then = {name: masked(nw.col("_here") == 1, name) for name in columns}
    came = {name: masked(nw.col("_won") == 1, name) for name in won}
    groups = {f"_at_{name}": masked(nw.col("_here") == 1, name) for name in x.by}
    names = ["_here", "_won", *then, *came, *groups, *x.by]
    largest: dict[str, Part] = {name: (name, "max") for name in dict.fromkeys(names)}
    rows = summarise(x.mark(**then, **came, **groups).rows, ("deal_id", "_k"), **largest)
    at_day = {
        name: nw.when(nw.col("_here") == 1).then(nw.col(f"_at_{name}")).otherwise(nw.col(name))
        for name in x.by
    }
    return rows.with_columns(**at_day) if at_day else rows


def weighed(x: Facts, rates: Rates, past: Past) -> Rows:
    """The deals of the day with weight and outcome (`_won`, `_won_cents`), and the other wins (`_other` = 1)."""
    x = met(x, past)
    gained = nw.when(WON).then(won_cents(x, rates).fill_null(0)).otherwise(nw.lit(0))
    x = x.mark(**{CENTS: cents_then(rates, {o.key: o.day for o in past.each})}, _won_cents=gained)
    rows = per_deal(x.mark(**weight(OPEN)), CENTS, "_w", "_p", won=["_won_cents"])
    return rows.with_columns(
        _w=nw.col("_w").fill_null(0),
        _won_cents=nw.col("_won_cents").fill_null(0),
        _other=1 - nw.col("_here"),
    )
