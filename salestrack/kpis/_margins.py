"""What orders are worth and what they earn: one row per order, gross margin where its costs are known."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._facts import By, Facts, facts
from salestrack.kpis._frames import Part, Rows, once, stacked, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._money import hundredths, with_cents
from salestrack.kpis._periods import day_number, number_of

VOID = ("cancelled", "returned")
SUMS = ("value", "known", "margin")


def bought(orders: Any, *, function: str, as_of: date, by: By = None, fiscal_year_start: int = 1) -> Facts:
    """The orders that stand, of known buyers, up to a day: `_day`, hundredths of net value in `_cents`."""
    needs = ("order_id", "account_id", "order_date")
    x = facts(
        orders, function=function, needs=needs, date="order_date", by=by, fiscal_year_start=fiscal_year_start
    )
    x = with_cents(x, "net_amount")
    stands = ~nw.col("account_id").is_null()
    if "order_status" in x.columns:
        stands = stands & ~nw.col("order_status").cast(nw.String).fill_null("").is_in(list(VOID))
    x = x.mark(_day=day_number("order_date"))
    return x.keep(stands & (nw.col("_day") <= number_of(as_of)))


def earned(orders: Rows, order_lines: Any, function: str, *keys: str) -> Rows:
    """Value and margin of orders, one row each with `_net` and `_has` (how many amounts), summed by keys.

    `value` is net (of an order without an amount that of its lines), `known` the value of lines with a cost,
    `margin` what is left of that.
    """
    orders = once(orders)
    nothing = nw.lit(0).cast(nw.Int64)
    lines = with_cents(facts(order_lines, function=function, needs=("order_id",)), "line_amount", "_line")
    parts = [
        orders.select(*keys, value=nw.col("_net"), known=nothing, margin=nothing),
        joined(orders.filter(nw.col("_has") == 0), lines.rows.select("order_id", "_line"), "order_id").select(
            *keys, value=nw.col("_line"), known=nothing, margin=nothing
        ),
    ]
    if {"unit_cost", "quantity"} <= set(lines.columns):
        costed = joined(orders.select("order_id", *keys), _costed(lines), "order_id")
        parts.append(costed.select(*keys, value=nothing, known=nw.col("_line"), margin=nw.col("_gain")))
    sums: dict[str, Part] = {name: (name, "sum") for name in SUMS}
    return summarise(stacked(parts), keys, **sums)


def _costed(x: Facts) -> Rows:
    """The lines with a known cost: hundredths of their value, `_line`, and of what is left of it, `_gain`."""
    cost = nw.col("unit_cost").cast(nw.Float64) * nw.col("quantity").cast(nw.Float64) * _rate(x.columns)
    rows = x.keep(~nw.col("unit_cost").is_null()).rows.select("order_id", "_line", _cost=cost)
    rows = rows.select("order_id", "_line", _gain=nw.col("_line") - hundredths("_cost"))
    return rows.filter(~nw.col("_gain").is_null())


def _rate(columns: list[str]) -> nw.Expr:
    """What one unit of the line's currency is in the reporting currency: its own two amounts tell."""
    if not {"line_amount", "line_amount_base_cents"} <= set(columns):
        return nw.lit(1.0)
    own = nw.col("line_amount").cast(nw.Float64)
    return nw.when(own != 0).then(nw.col("line_amount_base_cents").cast(nw.Float64) / (own * 100))


def margin_rate(rows: pd.DataFrame, given: float | None) -> float:
    """Margin per unit of value whose cost is not known: the given one, else that of the known lines; NaN if none."""
    if given is not None:
        return given
    known = float(rows["known"].sum())
    return float(rows["margin"].sum()) / known if known > 0 else float("nan")


def checked_margin(share: float | None, function: str) -> float | None:
    """A margin between -1 and 1, or None."""
    if share is not None and not -1 <= share <= 1:
        raise KpiError.bad_option(function, "margin_share", share, "give a share such as 0.7")
    return share
