"""Deals at a landmark: those still open some days after they were made, and what was done on them until then.

Looking at one age takes out what otherwise drives every such comparison: deals that live longer gather more
activities. Only deals that were open at the landmark count, only what was done before it is an exposure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import narwhals as nw

from salestrack.errors import KpiError
from salestrack.kpis._facts import MISSING, By, Facts, facts, own_names
from salestrack.kpis._frames import Rows, flag, frame, masked, once, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._periods import day_number, number_of, until, within
from salestrack.kpis._survival import day_known
from salestrack.periods import Period, PeriodLike


def at_landmark(
    deals: Any,
    as_of: date,
    landmark: int,
    horizon: int,
    adjust: Sequence[str],
    *,
    function: str,
    by: By,
    period: PeriodLike | None,
    fiscal_year_start: int,
) -> tuple[Facts, nw.Expr, list[str]]:
    """All deals, the condition under which they count (created in the period, by then), and the names of their strata.

    They have the day of birth `_born`, and 1 or 0 for each of the following.
    `_old` (the landmark has passed), `_gone` (old, but closed by it or at an unknown day), `_n` (old and open
    at it), `_followed` (of these, seen up to the horizon after it), `_won` (of these, won by then).
    """
    rows = frame(deals, needs=("deal_id", "status"), function=function)
    schema = rows.collect_schema()
    born, closed = dated(schema.names(), "created", function), dated(schema.names(), "closed", function)
    x = facts(rows, function=function, date=born, by=by, fiscal_year_start=fiscal_year_start)
    counts = until(born, schema, as_of)
    if period is not None:
        counts = counts & within(
            born, schema[born], Period.parse(period, fiscal_year_start=fiscal_year_start)
        )
    for name in adjust:
        if name not in x.columns:
            raise KpiError.missing_column(name, function, own_names(x.columns))
    strata = {f"_s{i}": nw.col(name).cast(nw.String).fill_null(MISSING) for i, name in enumerate(adjust)}
    x = x.mark(
        **strata,
        deal_id=nw.col("deal_id").cast(nw.String),
        _born=day_number(born),
        _closed=day_known(closed, as_of, x.columns),
        _lost_day=flag(nw.col("status").is_in(["won", "lost"]) & nw.col(closed).is_null()),
    )
    lived = (nw.col("_closed") - nw.col("_born")).fill_null(10**6)
    x = x.mark(_lived=lived, _age=nw.lit(number_of(as_of)) - nw.col("_born"))
    old = nw.col("_age") >= landmark
    open_then = old & (nw.col("_lived") > landmark) & (nw.col("_lost_day") == 0)
    followed = open_then & (nw.col("_age") >= landmark + horizon)
    won = followed & (nw.col("status") == "won") & (nw.col("_lived") <= landmark + horizon)
    x = x.mark(
        _old=flag(old),
        _n=flag(open_then),
        _gone=flag(old & ~open_then),
        _followed=flag(followed),
        _won=flag(won),
    )
    return x, counts, list(strata)


def dated(columns: Sequence[str], stem: str, function: str) -> str:
    """The column of the local day, or of the time where there is none."""
    for name in (f"{stem}_date", f"{stem}_at"):
        if name in columns:
            return name
    raise KpiError.missing_column(f"{stem}_date", function, own_names(columns))


def done(
    activities: Any, as_of: date, *needs: str, function: str, period: PeriodLike | None = None, by: By = None,
    fiscal_year_start: int = 1,
) -> Facts:  # fmt: skip
    """Activities done by then, no machine's, with the day number `_day`; ids are text."""
    rows = frame(activities, needs=("activity_type", *needs), function=function)
    schema = rows.collect_schema()
    columns, day = schema.names(), dated(schema.names(), "started", function)
    x = facts(
        rows, function=function, date=day, by=by, period=period, fiscal_year_start=fiscal_year_start
    )  # fmt: skip
    x = x.keep(until(day, schema, as_of))
    if "is_done" in columns:
        x = x.keep(nw.col("is_done").fill_null(False))
    if "is_automated" in columns:
        x = x.keep(~nw.col("is_automated").fill_null(False))
    ids = [c for c in ("activity_id", "deal_id", "account_id", "contact_id") if c in columns]
    return x.mark(
        _day=day_number(day),
        activity_type=nw.col("activity_type").cast(nw.String).fill_null(MISSING),
        **{name: nw.col(name).cast(nw.String) for name in ids},
    )


def merged(rows: Rows, *columns: str) -> Rows:
    """These columns; an activity that was exported once per attendee only once."""
    if "activity_id" not in rows.collect_schema():
        return rows.select(*columns)
    return summarise(rows, ("activity_id", *columns), _rows="len").select(*columns)


def until_landmark(acts: Rows, x: Facts, landmark: int) -> Rows:
    """What was done on the deals that were open at the landmark, from their first day up to it."""
    deals = x.keep(nw.col("_n") == 1).rows.select("deal_id", "_born")
    days = nw.col("_day") - nw.col("_born")
    return joined(acts, deals, "deal_id").filter((days >= 0) & (days <= landmark))


def beside_deals(acts: Facts, x: Facts, landmark: int) -> Rows:
    """Activities with the deal in whose first days they were, and with their account: their own, else their deal's."""
    deals = x.keep(~nw.col("deal_id").is_null()).rows
    deals = deals.select("deal_id", "_born", "_followed", _of_deal="_account")
    own = ("account_id",) if "account_id" in acts.columns else ()
    ids = ("activity_id",) if "activity_id" in acts.columns else ()
    rows = joined(acts.rows.select(*ids, *own, "deal_id", "activity_type", "_day"), deals, "deal_id", "left")
    age = nw.col("_day") - nw.col("_born")
    early = (nw.col("_followed") == 1) & (age >= 0) & (age <= landmark)
    rows = rows.with_columns(_account=nw.coalesce(*own, "_of_deal"), deal_id=masked(early, "deal_id"))
    kept: Rows = once(rows.select(*ids, "deal_id", "activity_type", "_day", "_account"))
    return kept
