"""The win rate of deals that began together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._cohorts import LOST, WON, cohort, split
from salestrack.kpis._facts import By
from salestrack.kpis._results import layout
from salestrack.kpis._survival import (
    Cells,
    Figures,
    checked_day,
    checked_horizon,
    counted,
    incidence_by,
    maturity,
    per_curve,
    whole,
)
from salestrack.kpis.winning import JUNK
from salestrack.periods import PeriodLike


@card(
    number=10,
    unit="share",
    date="created_date",
    label_en="Win rate of a cohort",
    label_de="Abschlussquote je Jahrgang",
    description_de="Anteil der im Zeitraum angelegten Verkaufschancen, die innerhalb der Frist gewonnen werden.",
    formula_de="Aalen-Johansen-Inzidenz von „gewonnen“ bis zur Frist nach der Anlage; verloren ist das "
    "konkurrierende Ereignis, offene Chancen sind am Stichtag zensiert, wieder geöffnete sind offen.",
    undefined_de="leer mit dem Hinweis „keine Fälle“, wo keine Chance angelegt wurde, und „noch zu jung“, solange "
    "keine bis zur Frist verfolgt werden konnte und noch welche offen sind.",
)
def win_rate_cohort(
    deals: Any,
    *,
    as_of: date | str,
    horizon_days: int = 180,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    junk: Sequence[str] = JUNK,
) -> pd.DataFrame:
    """Share of the deals created in the period that are won within the horizon.

    Formula: Aalen-Johansen cumulative incidence of "won" at the horizon after creation; lost is the competing
    event, open deals are censored at as_of, reopened ones are open.

    Undefined: NaN with the note no_data where no deal was created, immature while none has been followed up to
    the horizon and some are still open.

    Parameters
    ----------
    deals : deals in any engine: `status`, `closed_date` and `created_date` (or `created_at`), optionally
        `lost_reason`
    as_of : the day at whose end things are looked at; what happened later is unknown
    horizon_days : days after the creation within which a win counts; rates of one horizon compare
    by : columns or period words of the creation; None gives one row for all
    period : of the creation
    fiscal_year_start : month (1 to 12) in which the fiscal year starts
    junk : reasons of loss that mark what never was a deal; such deals are left out and counted in `junk`

    Returns
    -------
    One row per group: `won`, `lost` (within the horizon), `open` (younger than it, undecided), `junk`,
    `undated` (closed, nobody knows when; in no rate), `win_rate_cohort` (0 to 1), `low`, `high` (95 %),
    `expected_final` (share won when the longest followed deal had waited for `followed` days), `n` (deals),
    `matured` (share of them whose outcome at the horizon is known), `note`.

    Aalen and Johansen, An empirical transition matrix, Scandinavian Journal of Statistics 5 (1978).

    Examples
    --------
    >>> day = pd.Timestamp("2026-01-01")
    >>> deals = pd.DataFrame({"status": ["won", "lost", "open"], "created_date": day,
    ...                       "closed_date": [day + pd.Timedelta(days=40), day + pd.Timedelta(days=90), pd.NaT]})
    >>> win_rate_cohort(deals, as_of="2026-10-31")[["won", "lost", "open", "win_rate_cohort", "n"]]
       won  lost  open  win_rate_cohort  n
    0    1     1     0         0.333333  3
    """
    name, day = "win_rate_cohort", checked_day(as_of, "win_rate_cohort")
    h = checked_horizon(horizon_days, name)
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
        c, aside = split(every)
        made, n = incidence_by(c, h), float(c["n"].sum())
        return {
            "won": counted(c, WON, h),
            "lost": counted(c, LOST, h),
            "open": n - made["known"],
            **aside,
            name: made["value"],
            "low": made["low"],
            "high": made["high"],
            "expected_final": made["final"],
            "followed": made["last"],
            "n": n,
        }

    table = whole(per_curve(x, figures), "won", "lost", "open", "junk", "undated", "n")
    return layout(
        maturity(table, name),
        x,
        "won",
        "lost",
        "open",
        "junk",
        "undated",
        name,
        "low",
        "high",
        "expected_final",
        "followed",
        "n",
        "matured",
        "note",
    )
