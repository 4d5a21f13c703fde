"""How long it takes to win."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._cohorts import LOST, OPEN, WON, cohort, split
from salestrack.kpis._facts import By, alternatives, facts
from salestrack.kpis._frames import masked
from salestrack.kpis._periods import day_number
from salestrack.kpis._results import beside, cluster_of, divided, layout, note, spread
from salestrack.kpis._survival import (
    Cells,
    Figures,
    at,
    checked_day,
    counted,
    only,
    per_curve,
    table_of,
    whole,
)
from salestrack.kpis.winning import JUNK
from salestrack.periods import PeriodLike
from salestrack.stats.survival import aalen_johansen, share_of_final


@card(
    number=15,
    unit="days",
    date="closed_date",
    label_en="Sales cycle (realised)",
    label_de="Vertriebszyklus (realisiert)",
    description_de="Median der Tage von der Anlage bis zum Gewinn der im Zeitraum gewonnenen Aufträge; "
    "noch offene Chancen sind nicht enthalten.",
    formula_de="Median von Abschlusstag minus Anlagetag der gewonnenen Verkaufschancen. Er beschreibt, was gewonnen wurde, und sagt nichts voraus: In einem wachsenden Geschäft ist er für die heute offenen zu kurz.",
    undefined_de="NaN mit dem Hinweis no_data, wo nichts gewonnen wurde; vor ihrer Anlage abgeschlossene Verkaufschancen zählen nicht und stehen in `negative`.",
)
def sales_cycle(
    deals: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Median days from creation to winning of the deals won in the period; open deals are not in it.

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
    won, days = nw.col("status") == "won", nw.col("_days")
    way = (
        nw.when(won)
        .then(nw.lit(WON))
        .when(nw.col("status") == "lost")
        .then(nw.lit(LOST))
        .otherwise(nw.lit(OPEN))
    )
    x = x.mark(
        _won_days=masked(won & (days >= 0), "_days"),
        _at=nw.when(~days.is_null()).then(at(days, way)).otherwise(nw.lit(OPEN)).cast(nw.Int64),
    )
    table = whole(per_curve(x, _closed), "n", "lost", "negative")
    won_days = spread(x.keep(~nw.col("_won_days").is_null()), "_won_days", cluster=cluster)
    table = beside(table, won_days.drop(columns="n"), x)
    table = table.assign(sales_cycle=table["median"], note=note(table["median"]))
    for name in ("sales_cycle", "low", "high", "p90", "mean", "days_to_lost"):
        table[name] = table[name].astype("float64")
    return layout(
        table, x, "sales_cycle", "low", "high", "p90", "mean", "n", "days_to_lost", "lost", "negative", "note"
    )


def _closed(c: Cells) -> Figures:
    """How many deals were won, were lost and were closed before they were created; the median of the lost ones."""
    fine = c["day"] >= 0
    lost = only(c, fine & (c["way"] == LOST))
    return {
        "n": counted(only(c, fine), WON),
        "days_to_lost": _median(lost),
        "lost": float(lost["n"].sum()),
        "negative": float(c["n"][~fine & (c["way"] != OPEN)].sum()),
    }


def _median(c: Cells) -> float:
    """Mean of the days at the two middle ranks, which are one where the number of deals is odd."""
    order = np.argsort(c["day"])
    upto = c["n"][order].cumsum()
    if not len(upto):
        return float("nan")
    middle = np.searchsorted(upto, [(upto[-1] + 1) // 2, upto[-1] // 2 + 1])
    return float(c["day"][order][middle].mean())


@card(
    number=15,
    unit="days",
    date="created_date",
    label_en="Sales cycle (expected)",
    label_de="Vertriebszyklus (erwartet)",
    description_de="Tage, nach denen die Hälfte der Verkaufschancen eines Jahrgangs gewonnen ist, die überhaupt "
    "gewonnen werden.",
    formula_de="erster Tag, an dem die Aalen-Johansen-Inzidenz von „gewonnen“ die Hälfte ihres Endwerts erreicht; "
    "verloren ist das konkurrierende Ereignis, offene Chancen sind am Stichtag zensiert.",
    undefined_de="leer mit dem Hinweis „keine Fälle“, wo nichts gewonnen wurde, und „noch zu jung“, solange am "
    "Ende der Kurve mehr als ein Zehntel der Chancen noch offen ist.",
)
def expected_sales_cycle(
    deals: Any,
    *,
    as_of: date | str,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    most_undecided: float = 0.1,
    junk: Sequence[str] = JUNK,
) -> pd.DataFrame:
    """Days after which half of the deals of a cohort that are ever won have been won.

    Formula: first day on which the Aalen-Johansen incidence of "won" after creation reaches half of its value
    at the end of the curve; lost is the competing event, open deals are censored at as_of.

    Undefined: NaN with the note no_data where nothing was won, immature while more than a tenth of the deals
    is still undecided at the end of the curve: their wins would come late and lengthen the cycle.

    Parameters
    ----------
    deals : deals in any engine: `status`, `closed_date` and `created_date` (or `created_at`), optionally
        `lost_reason`
    as_of : the day at whose end things are looked at; what happened later is unknown
    by, period, fiscal_year_start : columns or period words of the creation, as in win_rate_cohort
    most_undecided : share still open at the end of the curve above which it is called immature
    junk : reasons of loss that mark what never was a deal

    Returns
    -------
    One row per group: `expected_sales_cycle` (days), `low`, `high` (95 %; NaN: not known yet), `latest` (days,
    if every deal still undecided at the end of the curve were won after it), `time_to_lost` (days by which
    half of the eventual losers are lost), `expected_final` (share won at the end of the curve), `undecided`
    (share still open there), `won`, `lost`, `n` (deals), `matured` (share won or lost), `note`.

    Examples
    --------
    >>> day = pd.to_datetime(["2026-01-01"] * 4)
    >>> deals = pd.DataFrame({"status": ["won", "won", "won", "lost"], "created_date": day,
    ...                       "closed_date": day + pd.to_timedelta([30, 50, 200, 90], unit="D")})
    >>> expected_sales_cycle(deals, as_of="2026-10-31")[["expected_sales_cycle", "time_to_lost", "undecided"]]
       expected_sales_cycle  time_to_lost  undecided
    0                  50.0          90.0        0.0
    """
    name, day = "expected_sales_cycle", checked_day(as_of, "expected_sales_cycle")
    x = cohort(
        deals,
        function=name,
        as_of=day,
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
        junk=junk,
    )

    def figures(every: Cells) -> Figures:
        c, _ = split(every)
        return _expected(c, most_undecided) | {
            "won": counted(c, WON),
            "lost": counted(c, LOST),
            "n": float(c["n"].sum()),
        }

    table = whole(per_curve(x, figures), "won", "lost", "n")
    table = table.assign(matured=divided(table["won"] + table["lost"], table["n"]))
    table["note"] = note(table[name], "immature").where(
        (table["won"] > 0) | (table["undecided"] > 0), "no_data"
    )
    return layout(
        table,
        x,
        name,
        "low",
        "high",
        "latest",
        "time_to_lost",
        "expected_final",
        "undecided",
        "won",
        "lost",
        "n",
        "matured",
        "note",
    )


def _expected(c: Cells, most_undecided: float) -> Figures:
    """The day of half the winners, of half the losers, and what is still open at the end of the curve."""
    unknown = float("nan")
    final, undecided, latest = unknown, unknown, unknown
    won = to_lost = (unknown,) * 3
    if len(c["n"]):
        table = table_of(c, WON)
        final = float(aalen_johansen(table).value[-1])
        undecided = float(np.prod(1 - (table.events + table.competing) / table.risk))
    if final > 0:
        latest = share_of_final(table, (1 + undecided / final) / 2)[0]
    if undecided <= most_undecided:
        won, to_lost = share_of_final(table, 0.5), share_of_final(table_of(c, LOST), 0.5)
    return {
        "expected_sales_cycle": won[0],
        "low": won[1],
        "high": won[2],
        "latest": latest,
        "time_to_lost": to_lost[0],
        "expected_final": final,
        "undecided": undecided,
    }
