"""What was sold line by line, with its deal or order beside it, in one currency and at the list price of then."""

from __future__ import annotations

from calendar import isleap, monthrange
from dataclasses import replace
from typing import Any

import narwhals as nw

from salestrack.errors import KpiError
from salestrack.kpis._facts import By, Facts, group_names, own_names
from salestrack.kpis._frames import Rows, flag, frame, masked_sum, once, small, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._money import hundredths
from salestrack.kpis._periods import floored

WEEKS = "weeks_to_quarter_end"
LEAP_YEARS = [year for year in range(1900, 2200) if isleap(year)]
OF_A_LINE = ("quantity", "list_price", "line_amount")
OF_A_DEAL = (
    "status",
    "order_status",
    "account_id",
    "amount",
    "amount_base_cents",
    "currency_code",
    "is_deleted",
)


def sold_lines(lines: Any, deals: Any, by: By, function: str, fiscal_year_start: int) -> tuple[Rows, str]:
    """The lines that were sold, each with the columns of its deal, and the name of the date that counts."""
    groups = group_names(by)
    if deals is None:
        rows = _alive(frame(lines, needs=("order_id", *OF_A_LINE), function=function))
        rows = rows.rename({"order_id": "deal_id"})
        date, keep = "order_date", ~nw.col("deal_id").is_null()
    else:
        rows = _joined(lines, deals, groups, function)
        date, keep = "closed_date", nw.col("status") == "won"
    has = rows.collect_schema().names()
    if "is_optional" in has:
        keep = keep & ~nw.col("is_optional").fill_null(False)
    if "order_status" in has:
        keep = keep & ~nw.col("order_status").cast(nw.String).fill_null("").is_in(["cancelled", "returned"])
    rows = rows.filter(keep)
    if WEEKS not in groups:
        return rows, date
    if date not in has:
        raise KpiError.missing_column(date, function, own_names(has))
    return rows.with_columns(**{WEEKS: weeks_to_quarter_end(date, fiscal_year_start)}), date


def weeks_to_quarter_end(date: str, fiscal_year_start: int = 1) -> nw.Expr:
    """Whole weeks from a date to the last day of its (fiscal) quarter: 0 is the last week."""
    year, month = nw.col(date).dt.year().cast(nw.Int64), nw.col(date).dt.month().cast(nw.Int64)
    left = nw.lit(0).cast(nw.Int64)  # days from the first of the month to the first after the quarter
    for first in range(1, 13):
        rest = range(first, first + 3 - (first - fiscal_year_start) % 3)
        days: nw.Expr = nw.lit(sum(monthrange(2025, (m - 1) % 12 + 1)[1] for m in rest)).cast(nw.Int64)
        if second := [m for m in rest if m in (2, 14)]:
            days = days + flag((year + second[0] // 12).is_in(LEAP_YEARS))
        left = nw.when(month == first).then(days).otherwise(left)
    return floored(left - nw.col(date).dt.day().cast(nw.Int64), 7)


def priced(x: Facts) -> Facts:
    """With hundredths of one currency: `_net` of every line, `_list` and `_cut` (the discount) where both are known."""
    x = _rated(x)
    rate = nw.col("_rate_of_line")
    x = x.mark(
        _worth=nw.col("line_amount").cast(nw.Float64) * rate,
        _full=nw.col("list_price").cast(nw.Float64) * nw.col("quantity").cast(nw.Float64) * rate,
    )
    x = x.mark(_net=hundredths("_worth"), _whole=hundredths("_full"))
    x = x.mark(_known=flag((nw.col("_whole") > 0) & ~nw.col("_net").is_null()))
    x = x.mark(_net=masked_sum(nw.lit(True), "_net"), _list=masked_sum(nw.col("_known") == 1, "_whole"))
    x = x.mark(_sold=masked_sum(nw.col("_known") == 1, "_net"))
    return x.mark(_cut=nw.col("_list") - nw.col("_sold"))


def _joined(lines: Any, deals: Any, groups: list[str], function: str) -> Rows:
    left = _alive(frame(lines, needs=("deal_id", *OF_A_LINE), function=function))
    right = _alive(frame(deals, needs=("deal_id", "status"), function=function))
    of_deals = right.collect_schema().names()
    own = left.collect_schema().names()
    wanted = ["deal_id", *OF_A_LINE, *(["is_optional"] if "is_optional" in own else [])]
    wanted += [name for name in groups if name in own and name not in of_deals and name not in wanted]
    if "currency_code" in own:
        left = left.with_columns(_line_currency=nw.col("currency_code").cast(nw.String))
        wanted.append("_line_currency")
    both = [name for name in of_deals if name != "deal_id" and name in wanted]
    return left.select(*wanted).join(right.drop(both), on="deal_id", how="inner")


def _alive(rows: Rows) -> Rows:
    if "is_deleted" not in rows.collect_schema():
        return rows
    return rows.filter(~nw.col("is_deleted").fill_null(False)).drop("is_deleted")


def _rated(x: Facts) -> Facts:
    """With what a unit of the line is worth in `_rate_of_line`: the deal's converted amount over its amount, else that
    of its currency.
    """
    has = x.columns
    if "line_amount_base_cents" in has:
        return x.mark(_rate_of_line=_over("line_amount_base_cents", "line_amount"))
    if not {"amount", "amount_base_cents", "currency_code"} <= set(has):
        _one_currency(x)
        return x.mark(_rate_of_line=nw.lit(1.0))
    code = nw.col("currency_code").cast(nw.String)
    rows = once(x.rows.with_columns(_code=code.fill_null("")))
    sums = summarise(rows, ("_code",), _sum_base=("amount_base_cents", "sum"), _sum=("amount", "sum"))
    rows = joined(rows, sums.select("_code", _alike=_over("_sum_base", "_sum")), "_code", "left")
    rate = nw.coalesce(_over("amount_base_cents", "amount"), nw.col("_alike"))
    if "_line_currency" in has:
        rate = nw.when(nw.col("_line_currency").is_null() | (nw.col("_line_currency") == code)).then(rate)
    return replace(x, rows=rows).mark(_rate_of_line=rate)


def _over(cents: str, amount: str) -> nw.Expr:
    units = nw.col(amount).cast(nw.Float64)
    return nw.when(units > 0).then(nw.col(cents).cast(nw.Float64) / units / 100)


def _one_currency(x: Facts) -> None:
    name = next((c for c in ("_line_currency", "currency_code") if c in x.columns), None)
    if name is None:
        return
    codes = small(x.rows.filter(~nw.col(name).is_null()).select(name).unique())[name]
    if len(codes) > 1:
        raise KpiError.mixed_currencies(x.function, "line_amount", codes)
