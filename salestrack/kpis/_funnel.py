"""What counts as moving on from a stage: three definitions, and how the wait for it ends."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal, get_args

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._facts import Facts, own_names
from salestrack.kpis._frames import Rows, flag, small, summarise
from salestrack.kpis._periods import number_of
from salestrack.kpis._spells import known
from salestrack.kpis._survival import at, day_known
from salestrack.periods import Period, PeriodLike

Skip = Literal["passed", "strict", "touched"]
FORWARD, LOST, TRANSFERRED, OTHERWISE = 1, 2, 3, 4


def checked_skip(skip: str, columns: list[str], function: str) -> str:
    """The definition, if it is one and the frame has what it needs."""
    if skip not in get_args(Skip):
        raise KpiError.bad_option(function, "skip", skip, f"give one of {', '.join(get_args(Skip))}")
    for name in () if skip == "passed" else ("seq", "stage_order"):
        if name not in columns:
            raise KpiError.missing_column(name, function, own_names(columns))
    return skip


def entered_in(x: Facts, period: PeriodLike | None) -> Facts:
    """Only what began (`_in`) in the period."""
    if period is None:
        return x
    span = Period.parse(period, fiscal_year_start=x.fiscal_year_start)
    return x.keep((nw.col("_in") >= number_of(span.start)) & (nw.col("_in") < number_of(span.end)))


def waits(stays: Facts, as_of: date, skip: str, horizon: int) -> Facts:
    """First entries with, in `_at`, days waited (those beyond the horizon as one) and how the wait ended: 1 forward,
    2 lost, 3 transferred, 4 otherwise, 0 open."""
    x = known(stays, as_of)
    if skip == "strict":
        first = _first(_direct(x))
    else:
        first = _first(x)
        first = first.mark(**{f"_{end}": day_known(f"{end}_at", as_of, x.columns) for end in ("won", "lost")})
        first = _touching(x, first) if skip == "touched" else _passing(first, as_of)
    return _decided(_with_ends(first, stays, as_of), as_of, horizon)


def _of(x: Facts, rows: Rows) -> Facts:
    return Facts(rows, x.by, x.function, x.fiscal_year_start)


def _first(x: Facts) -> Facts:
    return x.keep(nw.col("is_first_entry").fill_null(False)).mark(_back=flag(nw.col("_exit") == "backward"))


def _with_ends(first: Facts, stays: Facts, as_of: date) -> Facts:
    """With the day on which the deal was deleted (`_gone`) or went to another pipeline (`_moved`), where any did.

    Few deals do; where none did, which a look at one column tells, no join is needed.
    """
    few = stays.keep(nw.col("exit_type").cast(nw.String).is_in(["deleted", "transferred"]))
    if not small(few.rows.select(nw.len()))["len"][0]:
        return first
    few = known(few, as_of)
    few = few.mark(
        _gone=nw.when(nw.col("_exit") == "deleted").then(nw.col("_out")),
        _moved=nw.when(nw.col("_exit") == "transferred").then(nw.col("_out")),
    )
    ends = summarise(few.rows, ("deal_id",), _gone=("_gone", "max"), _moved=("_moved", "max"))
    first = _of(first, first.rows.join(ends, on="deal_id", how="left"))
    return first.mark(_gone=_after_entry("_gone"), _moved=_after_entry("_moved"))


def _passing(first: Facts, as_of: date) -> Facts:
    """A later stage or the win, directly or not."""
    first = first.mark(_forward=day_known("forward_at", as_of, first.columns))
    return first.mark(_forward=nw.min_horizontal("_forward", "_won"))


def _direct(x: Facts) -> Facts:
    """The stay itself ended in the next stage (in the win, from the last one); any other way out is none."""
    following = nw.col("stage_order").shift(-1).over("deal_id", order_by="seq")
    x = x.mark(_following=following, _next=_next_stage(x))
    onward = ((nw.col("_exit") == "forward") & (nw.col("_following") == nw.col("_next")).fill_null(False)) | (
        (nw.col("_exit") == "won") & nw.col("_next").is_null()
    )
    named = nw.col("_exit").is_in(["lost", "deleted", "transferred"])
    return x.mark(
        _forward=nw.when(onward).then(nw.col("_out")),
        _lost=nw.when(nw.col("_exit") == "lost").then(nw.col("_out")),
        _else=nw.when(~onward & ~named).then(nw.col("_out")),
    )


def _touching(x: Facts, first: Facts) -> Facts:
    """Some later stay was in the next stage (the win, from the last one), whatever happened in between."""
    first = first.mark(_next=_next_stage(x))
    later = x.rows.select("deal_id", _next=nw.col("stage_order"), _later=nw.col("seq"), _at=nw.col("_in"))
    found = first.rows.select("deal_id", "_next", "seq").join(later, on=["deal_id", "_next"], how="inner")
    found = found.filter(nw.col("_later") > nw.col("seq"))
    reached = summarise(found, ("deal_id", "seq"), _at=("_at", "min"))
    first = _of(first, first.rows.join(reached, on=["deal_id", "seq"], how="left"))
    last = nw.col("_next").is_null()
    return first.mark(
        _forward=nw.when(last).then(nw.col("_won")).otherwise(nw.col("_at")),
        _else=nw.when(~last).then(nw.col("_won")),
    )


def _next_stage(x: Facts) -> nw.Expr:
    """The order of the stage that comes next in the same pipeline, of those that deals have been in."""
    keys = ("pipeline_id", "stage_order") if "pipeline_id" in x.columns else ("stage_order",)
    known = small(summarise(x.rows, keys, n="len")).dropna(subset=["stage_order"])
    pipelines = known["pipeline_id"] if len(keys) > 1 else pd.Series("", index=known.index)
    chain: Any = nw.when(nw.lit(False)).then(nw.lit(None).cast(nw.Int64))
    for name, stages in known.groupby(pipelines.fillna(""), sort=True):
        orders = sorted({int(order) for order in stages["stage_order"]})
        here = nw.col("pipeline_id").fill_null("") == name if len(keys) > 1 else nw.lit(True)
        for order, following in zip(orders, orders[1:], strict=False):
            chain = chain.when(here & (nw.col("stage_order") == order)).then(nw.lit(following))
    return chain.otherwise(nw.lit(None).cast(nw.Int64))  # type: ignore[no-any-return]


def _decided(x: Facts, as_of: date, horizon: int) -> Facts:
    """The earliest end of the wait; of several on one day the way that is named first."""
    has, today = x.columns, number_of(as_of)
    ways = {"_forward": FORWARD, "_lost": LOST, "_moved": TRANSFERRED, "_else": OTHERWISE}
    ends = [name for name in (*ways, "_gone") if name in has]
    x = x.mark(_end=nw.min_horizontal(*ends).fill_null(today))
    way: Any = nw
    for name in ends:
        way = way.when(nw.col(name) == nw.col("_end")).then(nw.lit(ways.get(name, 0)))
    wait = nw.min_horizontal(nw.col("_end") - nw.col("_in"), nw.lit(horizon + 1))
    return x.mark(_at=at(nw.max_horizontal(wait, nw.lit(0)), way.otherwise(nw.lit(0))))


def _after_entry(column: str) -> nw.Expr:
    return nw.when(nw.col(column) >= nw.col("_in")).then(nw.col(column))
