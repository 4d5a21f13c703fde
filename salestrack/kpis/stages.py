"""The funnel: conversion out of each stage and the time spent in it, open deals being censored."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import By, facts
from salestrack.kpis._funnel import Skip, checked_skip, entered_in, waits
from salestrack.kpis._periods import number_of
from salestrack.kpis._results import layout, note
from salestrack.kpis._spells import SPELL, known, staged
from salestrack.kpis._survival import (
    Cells,
    Figures,
    at,
    checked_day,
    checked_horizon,
    counted,
    days_from,
    incidence_by,
    maturity,
    per_curve,
    whole,
)
from salestrack.periods import PeriodLike
from salestrack.stats.survival import (
    kaplan_meier,
    life_table,
    quantile,
    quantile_interval,
    restricted_mean,
)

WAYS = ("forward", "lost", "transferred", "otherwise")
EXITS = ("forward", "backward", "won", "lost")
DELETED = len(EXITS) + 1


@card(
    number=13,
    unit="share",
    date="entered_at",
    label_en="Stage conversion",
    label_de="Phasenkonversion",
    description_de="Anteil der Verkaufschancen, die eine Phase innerhalb der Frist nach vorn verlassen.",
    formula_de="Aalen-Johansen-Anteil „weiter“ bis zur Frist an den ersten Eintritten in die Phase; Verlust (und Wechsel in eine andere Pipeline) sind konkurrierende Ereignisse, noch Wartende sind zum Stichtag zensiert, gelöschte mit ihrer Löschung. Eine übersprungene Phase gilt als übertroffen, ein Schritt zurück beendet das Warten nicht; `skip` nennt die zwei engeren Definitionen.",
    undefined_de="NaN mit dem Hinweis no_data, wo keine eintrat, immature, solange keine bis zur Frist verfolgt wurde und noch welche warten.",
)
def stage_conversion(
    stage_spells: Any,
    *,
    as_of: date | str,
    horizon_days: int = 90,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    skip: Skip = "passed",
) -> pd.DataFrame:
    """Share of the deals entering a stage that move on from it within the horizon.

    Formula: Aalen-Johansen cumulative incidence of "forward" at the horizon over the first entries to the
    stage; lost (and transferred to another pipeline) are competing events, deals still waiting are
    censored at as_of and deleted ones when they went. A stage that was skipped over counts as surpassed,
    one step back does not end the wait; `skip` names the two narrower definitions.

    Undefined: NaN with the note no_data where no deal entered, immature while no deal has been followed
    up to the horizon and some are still waiting.

    Parameters
    ----------
    stage_spells : stays of deals in open stages, in any engine: `deal_id`, `stage_name`, `entered_at`,
        `left_at`, `exit_type`, `is_first_entry`, `forward_at`, `lost_at`, optionally `won_at`,
        `stage_order`
    as_of : the day at whose end things are looked at; what happened later is unknown
    horizon_days : days after the entry within which the step forward counts
    by : further columns, or period words of the entry; there is always a row per stage
    period : of the entry
    fiscal_year_start : month (1 to 12) in which the fiscal year starts
    skip : what "forward" is. "passed" (reached or surpassed): any later stage, or the win. "touched": the very
        next stage, at any time after the entry, whatever happened in between; from the last stage the win.
        "strict" (direct only): the first stay itself ended in the very next stage; a step back or over the
        next stage is a competing event like a loss. The two need `seq` and `stage_order`

    Returns
    -------
    One row per group and stage, in the order of the stages: `forward`, `lost`, `transferred`, `otherwise`
    (within the horizon; won or moved on in a way that `skip` does not count), `backward` (first left
    backwards), `open` (younger than the horizon, undecided),
    `stage_conversion` (0 to 1), `low`, `high` (95 %), `n` (first entries), `matured` (share of them whose
    outcome at the horizon is known), `note`.

    Examples
    --------
    >>> day = pd.Timestamp("2026-01-01")
    >>> spells = pd.DataFrame({"deal_id": ["a", "b", "c"], "stage_name": "Offer", "entered_at": day,
    ...     "left_at": [day + pd.Timedelta(days=5), day + pd.Timedelta(days=9), pd.NaT],
    ...     "exit_type": ["forward", "lost", None], "is_first_entry": True,
    ...     "forward_at": [day + pd.Timedelta(days=5), pd.NaT, pd.NaT],
    ...     "lost_at": [pd.NaT, day + pd.Timedelta(days=9), pd.NaT]})
    >>> funnel = stage_conversion(spells, as_of="2026-10-31")
    >>> funnel[["stage_name", "forward", "lost", "stage_conversion", "n"]]
      stage_name  forward  lost  stage_conversion  n
    0      Offer        1     1          0.333333  3
    """
    name, day = "stage_conversion", checked_day(as_of, "stage_conversion")
    h = checked_horizon(horizon_days, name)
    x = facts(
        stage_spells,
        function=name,
        needs=(*SPELL, "is_first_entry", "forward_at", "lost_at"),
        date="entered_at",
        by=by,
        fiscal_year_start=fiscal_year_start,
    )
    x = entered_in(waits(x, day, checked_skip(skip, x.columns, name), h), period)
    x = staged(x)

    def figures(c: Cells) -> Figures:
        made, n = incidence_by(c, h), float(c["n"].sum())
        return {
            **{way: counted(c, number, h) for number, way in enumerate(WAYS, 1)},
            "backward": float(c["back"].sum()),
            "open": n - made["known"],
            name: made["value"],
            "low": made["low"],
            "high": made["high"],
            "n": n,
        }

    table = whole(per_curve(x, figures, back=("_back", "sum")), *WAYS, "backward", "open", "n")
    return layout(
        maturity(table, name),
        x,
        *WAYS,
        "backward",
        "open",
        name,
        "low",
        "high",
        "n",
        "matured",
        "note",
    )


@card(
    number=14,
    unit="days",
    date="entered_at",
    label_en="Time in stage",
    label_de="Verweildauer je Phase",
    description_de="Tage, bis die Hälfte der Aufenthalte in einer Phase endet; offene zählen als wartend.",
    formula_de="Kaplan-Meier-Median der Aufenthalte [Eintritt, Austritt); laufende sind zum Stichtag zensiert, gelöschte mit ihrer Löschung; jeder Aufenthalt zählt für sich.",
    undefined_de="NaN mit dem Hinweis not_reached, solange mehr als die Hälfte der Aufenthalte noch läuft, no_data, wo es keine gibt.",
)
def stage_dwell(
    stage_spells: Any,
    *,
    as_of: date | str,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    tau_days: int = 180,
) -> pd.DataFrame:
    """Days until half of the stays in a stage have ended; deals still there count as waiting.

    Formula: Kaplan-Meier median of the stays [entered, left); open stays are censored at as_of, deleted
    deals when they went; every stay of a deal counts by itself.

    Undefined: NaN with the note not_reached while more than half of the stays are still going on, no_data
    where there are none.

    Parameters
    ----------
    stage_spells : stays of deals in open stages: `deal_id`, `stage_name`, `entered_at`, `left_at`,
        `exit_type`, optionally `stage_order`
    as_of : the day at whose end things are looked at
    by, period, fiscal_year_start : further groups and the time of the entry, as in stage_conversion
    tau_days : days to which the mean stay (`rmst`) looks

    Returns
    -------
    One row per group and stage: `forward`, `backward`, `won`, `lost` (ways out), `open`, `stage_dwell`
    (days), `low`, `high` (95 % after Brookmeyer and Crowley; NaN: not known yet), `p90` (days), `rmst`
    (mean days of at most tau days), `tau` (days), `n` (stays), `note`.

    Examples
    --------
    >>> day = pd.Timestamp("2026-01-01")
    >>> spells = pd.DataFrame({"deal_id": ["a", "b", "c"], "stage_name": "Offer", "entered_at": day,
    ...     "left_at": [day + pd.Timedelta(days=5), day + pd.Timedelta(days=9), pd.NaT],
    ...     "exit_type": ["forward", "lost", None]})
    >>> stage_dwell(spells, as_of="2026-10-31")[["stage_name", "open", "stage_dwell", "n"]]
      stage_name  open  stage_dwell  n
    0      Offer     1          9.0  3
    """
    day = checked_day(as_of, "stage_dwell")
    x = facts(
        stage_spells,
        function="stage_dwell",
        needs=SPELL,
        date="entered_at",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x = staged(known(x, day))
    way: Any = nw.when(nw.col("_out").is_null()).then(nw.lit(0))
    for number, exit_type in enumerate((*EXITS, "deleted"), 1):
        way = way.when(nw.col("_exit") == exit_type).then(nw.lit(number))
    day_out = nw.col("_out").fill_null(number_of(day))
    x = x.mark(_at=at(days_from("_in", day_out), way.otherwise(nw.lit(DELETED + 1))))

    def figures(c: Cells) -> Figures:
        ways = {way: counted(c, number) for number, way in enumerate(EXITS, 1)}
        return {**ways, "open": counted(c, 0), **_dwell(c, float(tau_days)), "n": float(c["n"].sum())}

    table = whole(per_curve(x, figures), *EXITS, "open", "n")
    table["note"] = note(table["stage_dwell"], "not_reached").where(table["n"] > 0, "no_data")
    return layout(table, x, *EXITS, "open", "stage_dwell", "low", "high", "p90", "rmst", "tau", "n", "note")


def _dwell(c: Cells, tau: float) -> Figures:
    if not len(c["n"]):
        return dict.fromkeys(("stage_dwell", "low", "high", "p90", "rmst"), float("nan")) | {"tau": tau}
    left = (c["way"] > 0) & (c["way"] != DELETED)
    curve = kaplan_meier(life_table(c["day"], left.astype(int), c["n"]))
    low, high = quantile_interval(curve, 0.5)
    seen = min(tau, float(curve.day[-1]))
    return {
        "stage_dwell": quantile(curve, 0.5),
        "low": low,
        "high": high,
        "p90": quantile(curve, 0.9),
        "rmst": restricted_mean(curve, seen),
        "tau": seen,
    }
