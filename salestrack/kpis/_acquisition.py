"""New customers and what was spent to win them: shared by acquisition cost and payback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._facts import Facts, facts
from salestrack.kpis._frames import Rows, summarise
from salestrack.kpis._periods import MONTHS, day_number, month_number, month_word
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
    """The first won deal of each account family: its day `_when`, its `_month`, the family's id in `account_id`,
    and the days from lead to win in `_wait`.
    """
    if "parent_account_id" in x.columns:
        x = x.mark(account_id=nw.coalesce(nw.col("parent_account_id"), nw.col("account_id")))
    x = x.keep((nw.col("status") == "won") & ~nw.col("closed_date").is_null())
    id_of_deal = ["deal_id"] if "deal_id" in x.columns else []
    x = x.mark(_when=day_number("closed_date"))
    x = x.placed(_nth=(["account_id"], ["_when", *id_of_deal]))
    first = nw.col("_nth") == 1
    if id_of_deal:  # without an account every deal is a customer
        first = first | nw.col("account_id").is_null()
    lead = next((c for c in ("lead_created_date", "lead_created_at") if c in x.columns), None)
    wait = nw.col("_when") - day_number(lead) if lead else nw.lit(None).cast(nw.Int64)
    return x.keep(first).mark(_month=month_number("closed_date"), _wait=wait)


def won_by_month(new: Facts) -> Rows:
    """How many new customers each group, month and wait has, `n`."""
    return summarise(new.rows, (*new.by, "_month", "_wait"), n="len")


def lag_of(counts: pd.DataFrame) -> int:
    """Median months from lead to win of new customers, rounded half up; 0 without lead dates."""
    known = counts[(counts["_wait"] >= 0).fillna(False) & (counts["n"] > 0)]
    if known.empty:
        return 0
    waits = np.repeat(known["_wait"].to_numpy(dtype=float), known["n"].to_numpy(dtype=int))
    return int(np.floor(np.median(waits) / DAYS_IN_MONTH + 0.5))


def collapsed(counts: pd.DataFrame, by: Sequence[str], months: tuple[int, int] | None) -> pd.DataFrame:
    """The new customers of the months per group; without groups one row, also for none."""
    if months:
        counts = counts[(counts["_month"] >= months[0]) & (counts["_month"] < months[1])]
    if not by:
        return pd.DataFrame({"n": [int(counts["n"].sum())]})
    if counts.empty:  # groups of nothing would lose the type of their text
        return counts[[*by, "n"]]
    return counts.groupby(list(by), as_index=False, dropna=False)[["n"]].sum()


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
