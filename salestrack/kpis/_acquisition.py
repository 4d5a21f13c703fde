"""New customers and what was spent to win them: shared by acquisition cost and payback."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._facts import ALL, Facts, facts
from salestrack.kpis._frames import small, summarise
from salestrack.kpis._periods import MONTHS, day_number, month_number, month_word
from salestrack.kpis._results import cluster_of
from salestrack.periods import WORDS, Period, PeriodLike, month_index

DAYS_IN_MONTH = 365.25 / 12


def whole_months(period: PeriodLike | None, fiscal_year_start: int, function: str) -> tuple[int, int] | None:
    """The first month of a period and the one after its last; a period that cuts a month is refused."""
    if period is None:
        return None
    span = Period.parse(period, fiscal_year_start=fiscal_year_start)
    if span.start.day != 1 or span.end.day != 1:
        raise KpiError.bad_option(function, "period", span.label, "give whole months")
    return month_index(span.start), month_index(span.end)


def new_customers(x: Facts) -> Facts:
    """The first won deal of each account family, its day in `_when`, the family's id in `account_id`."""
    if "parent_account_id" in x.columns:
        x = x.mark(account_id=nw.coalesce(nw.col("parent_account_id"), nw.col("account_id")))
    x, family = cluster_of(x.keep((nw.col("status") == "won") & ~nw.col("closed_date").is_null()), "deal_id")
    order = ["_when", *(["deal_id"] if "deal_id" in x.columns else [])]
    x = x.mark(_when=day_number("closed_date"))
    x = x.mark(_nth=nw.col("_when").cum_count().over(*(family or (ALL,)), order_by=order).cast(nw.Int64))
    return x.keep(nw.col("_nth") == 1)


def lag_of(new: Facts) -> int:
    """Median months from lead to win of new customers, rounded half up; 0 without lead dates."""
    lead = next((c for c in ("lead_created_date", "lead_created_at") if c in new.columns), None)
    if lead is None:
        return 0
    x = new.mark(_wait=nw.col("_when") - day_number(lead))
    x = x.keep(nw.col("_wait") >= 0)
    wait = small(summarise(x.rows, wait=("_wait", "median")))["wait"][0]
    return 0 if pd.isna(wait) else int(np.floor(wait / DAYS_IN_MONTH + 0.5))


def spent(costs: Any, groups: list[str], lag: int, fiscal_year_start: int, function: str) -> Facts:
    """The costs with the month in which they bear fruit, `_month`, and the period words of that month."""
    words = [word for word in groups if word in WORDS]
    for word in words:
        if word not in MONTHS:
            raise KpiError.unusable_word(word, function, MONTHS)
    x = facts(costs, function=function, needs=("cost_date",), by=[g for g in groups if g not in WORDS])
    x = x.mark(_month=month_number("cost_date") + lag)
    x = x.mark(**{word: month_word(word, nw.col("_month"), fiscal_year_start) for word in words})
    return Facts(x.rows, tuple(groups), function, fiscal_year_start)
