"""How long it takes to win."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import By, alternatives, facts
from salestrack.kpis._frames import flag, masked, small
from salestrack.kpis._periods import day_number
from salestrack.kpis._results import beside, cluster_of, layout, note, spread
from salestrack.periods import PeriodLike


@card(
    number=15,
    unit="days",
    date="closed_date",
    label_en="Sales cycle (realised)",
    label_de="Vertriebszyklus (realisiert)",
    description_en="Median days from creation to winning of the deals won in the period; "
    "open deals are not in it.",
    description_de="Median der Tage von der Anlage bis zum Gewinn der im Zeitraum gewonnenen Aufträge; "
    "noch offene Chancen sind nicht enthalten.",
)
def sales_cycle(
    deals: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Median days from creation to winning, of deals won in the period: the realised cycle.

    Formula: median of closed date - created date over won deals. It describes deals that were won, it
    does not foretell: in a growing business it is too short for the deals now open.

    Undefined: NaN with the note no_data where nothing was won; deals closed before they were created do
    not count and show in `negative`.

    Parameters
    ----------
    deals : deals in any engine: `status`, `closed_date` and `created_date` (or `created_at`), optionally
        `account_id`
    by : columns or period words of closing; None gives one row for all
    period : of closing
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `sales_cycle` (days), `low`, `high` (95 % order statistics, widened for deals of
    one account), `p90`, `mean` (days), `n` (won deals), `days_to_lost` (median), `lost`, `negative`,
    `note`.

    Examples
    --------
    >>> day = pd.to_datetime(["2026-01-01"] * 3)
    >>> deals = pd.DataFrame({"status": ["won", "won", "lost"], "created_date": day,
    ...                       "closed_date": day + pd.to_timedelta([30, 50, 90], unit="D")})
    >>> sales_cycle(deals)[["sales_cycle", "mean", "n", "days_to_lost", "lost"]]
       sales_cycle  mean  n  days_to_lost  lost
    0         40.0  40.0  2          90.0     1
    """
    x = facts(
        deals,
        function="sales_cycle",
        needs=("status", "closed_date"),
        date="closed_date",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x = x.mark(_days=day_number("closed_date") - day_number(alternatives(x, "created_date", "created_at")))
    x, cluster = cluster_of(x, "deal_id")
    won, lost = nw.col("status") == "won", nw.col("status") == "lost"
    fine = nw.col("_days") >= 0
    x = x.mark(
        _won_days=masked(won & fine, "_days"),
        _lost_days=masked(lost & fine, "_days"),
        _negative=flag((won | lost) & ~fine),
    )
    table = x.totals(
        n=("_won_days", "count"),
        days_to_lost=("_lost_days", "median"),
        lost=("_lost_days", "count"),
        negative=("_negative", "sum"),
    )
    table = beside(table, x.finish(small(spread(x, "_won_days", cluster=cluster)).drop(columns="n")), x)
    table = table.assign(sales_cycle=table["median"], note=note(table["median"]))
    for name in ("sales_cycle", "low", "high", "p90", "mean", "days_to_lost"):
        table[name] = table[name].astype("float64")
    return layout(
        table, x, "sales_cycle", "low", "high", "p90", "mean", "n", "days_to_lost", "lost", "negative", "note"
    )
