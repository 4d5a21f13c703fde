"""Customers by their orders: whose group they count in, and what they bought in two spans of time."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from salestrack.kpis._against import Pair
from salestrack.kpis._facts import ALL, By, Facts, facts
from salestrack.kpis._frames import Rows, flag, masked_sum, summarise
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import day_number, within
from salestrack.periods import Period


def valid_orders(orders: Any, function: str, by: By, fiscal_year_start: int = 1) -> Facts:
    """The orders of known accounts and days, without cancelled and returned ones."""
    x = facts(
        orders,
        function=function,
        needs=("order_id", "account_id", "order_date"),
        date="order_date",
        by=by,
        fiscal_year_start=fiscal_year_start,
    )
    keep = ~nw.col("account_id").is_null() & ~nw.col("order_date").is_null()
    if "order_status" in x.columns:
        void = nw.col("order_status").cast(nw.String).fill_null("").is_in(["cancelled", "returned"])
        keep = keep & ~void
    return x.keep(keep)


def inside(x: Facts, span: Period) -> nw.Expr:
    """True for orders of the span."""
    return within("order_date", x.rows.collect_schema()["order_date"], span)


def latest(x: Facts, per: list[str], *first: str) -> Rows:
    """One row per account (and `per`) with its groups: those of its latest order, of equal days the first by id."""
    if set(x.by) <= set(per):
        return summarise(x.rows, per, _all=(ALL, "max"))
    x = x.mark(_since=-day_number("order_date")).placed(_place=(per, [*first, "_since", "order_id"]))
    rows = x.keep(nw.col("_place") == 1).rows
    return rows.select(*dict.fromkeys([*per, ALL, *x.by]))


def cohort(x: Facts, spans: Pair) -> Facts:
    """One row per customer (and period word) with its value before, `_then`, and now, `_now`, in its group.

    The group is that of its latest order before; of a customer without one, of its latest order now.
    """
    now, then = inside(x, spans.now), inside(x, spans.then)
    x = with_cents(x.keep(now | then), "net_amount").mark(_is_now=flag(now))
    earlier = nw.col("_is_now") == 0
    words = {
        word: nw.when(earlier).then(moved).otherwise(nw.col(word))
        for word, moved in spans.moved(x.words).items()
    }
    x = x.mark(_before=masked_sum(earlier, CENTS), _after=masked_sum(~earlier, CENTS), **words)
    per = ["account_id", *x.words]
    rows = summarise(x.rows, per, _then=("_before", "sum"), _now=("_after", "sum"))
    names = [name for name in x.by if name not in per]
    if names:
        rows = rows.join(latest(x, per, "_is_now").select(*per, *names), on=per, how="inner")
    return Facts(rows.with_columns(nw.lit(1).alias(ALL)), x.by, x.function, x.fiscal_year_start)
