"""Where deals are lost: from which stage, how many and how much."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts
from salestrack.kpis._frames import Rows, flag, masked, once, stacked, summarise
from salestrack.kpis._funnel import entered_in
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import floored, number_of
from salestrack.kpis._results import divided, group_total, layout, note
from salestrack.kpis._spells import SPELL, known, staged
from salestrack.kpis._survival import (
    Cells,
    Figures,
    at,
    checked_day,
    counted,
    day_known,
    days_from,
    incidence_by,
    per_curve,
    whole,
)
from salestrack.periods import PeriodLike
from salestrack.stats.survival import (
    quantile_of_counts,
)

DELETED = 3
DAYS, DAY_ZERO = 1_000_000, 400_000  # room for the days of the years 875 to 3612 beside a number


@card(
    number=28,
    unit="share",
    date="entered_at",
    label_en="Funnel leakage",
    label_de="Funnel-Verlust",
    description_de="Anteil der Verkaufschancen einer Phase, die aus ihr heraus verloren gehen.",
    formula_de="Aalen-Johansen-Anteil „von hier verloren“ an den Verkaufschancen, die in die Phase eintraten; Weiterkommen ist das konkurrierende Ereignis, wer noch da ist, ist zum Stichtag zensiert. `lost` ergibt über die Phasen alle verlorenen.",
    undefined_de="NaN mit dem Hinweis no_data, wo keine eintrat; `stalled` ist NaN, solange keine spätere Gewinnerin die Phase verlassen hat.",
)
def funnel_leakage(
    stage_spells: Any,
    *,
    as_of: date | str,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Share of the deals entering a stage for which it is the last one before they are lost.

    Formula: Aalen-Johansen incidence of "lost from here" among the deals that entered the stage; moving
    on is the competing event, deals still there are censored at as_of. `lost` adds up over the stages to
    all lost deals.

    Undefined: NaN with the note no_data where no deal entered; `stalled` is NaN while no winner has left
    the stage.

    Parameters
    ----------
    stage_spells : stays of deals in open stages: `deal_id`, `seq`, `stage_name`, `entered_at`, `left_at`,
        `exit_type`, optionally `won_at`, `stage_order` and the deal's money (see bookings)
    as_of : the day at whose end things are looked at
    by, period, fiscal_year_start : further groups and the time of the entry, as in stage_conversion

    Returns
    -------
    One row per group and stage: `lost`, `lost_value` (currency units), `share_of_loss` (of the group's
    lost deals), `open`, `stalled`, `stalled_value` (open for longer than 90 % of the later winners
    stayed, `winners_p90` days), `funnel_leakage` (0 to 1), `low`, `high` (95 %), `n` (deals that
    entered), `note`.

    Examples
    --------
    >>> day = pd.Timestamp("2026-01-01")
    >>> spells = pd.DataFrame({"deal_id": ["a", "a", "b"], "seq": [1, 2, 1], "stage_order": [1, 2, 1],
    ...     "stage_name": ["Lead", "Offer", "Lead"], "entered_at": [day, day + pd.Timedelta(days=3), day],
    ...     "left_at": day + pd.Timedelta(days=9), "exit_type": ["forward", "lost", "forward"]})
    >>> funnel_leakage(spells, as_of="2026-10-31")[["stage_name", "lost", "funnel_leakage", "n"]]
      stage_name  lost  funnel_leakage  n
    0       Lead     0             0.0  2
    1      Offer     1             1.0  1
    """
    day = checked_day(as_of, "funnel_leakage")
    x = facts(
        stage_spells,
        function="funnel_leakage",
        needs=(*SPELL, "seq"),
        date="entered_at",
        by=by,
        fiscal_year_start=fiscal_year_start,
    )
    x = _units(_priced(known(x, day)), day)
    x = staged(entered_in(x, period))
    table = per_curve(x, lambda c: _leak(c) | _stalled(c), "_stay", "_kind", value=("_cents0", "sum"))
    outer = [name for name in x.by if name not in ("stage_order", "stage_name")]
    table["share_of_loss"] = divided(table["lost"], group_total(table, outer, "lost"))
    table["note"] = note(table["funnel_leakage"])
    return layout(
        whole(table, "lost", "open", "n"),
        x,
        "lost",
        "lost_value",
        "share_of_loss",
        "open",
        "stalled",
        "stalled_value",
        "winners_p90",
        "funnel_leakage",
        "low",
        "high",
        "n",
        "note",
    )


def _priced(x: Facts) -> Facts:
    """With the deal's hundredths, 0 where it has no amount; frames without money have values of NaN."""
    money = [c for c in ("amount_base_cents", "amount_base", "amount") if c in x.columns]
    x = with_cents(x) if money else x.mark(**{CENTS: nw.lit(None).cast(nw.Float64)})
    return x.mark(_cents0=nw.col(CENTS).fill_null(0) if money else nw.col(CENTS))


def _units(x: Facts, as_of: date) -> Facts:
    """One row per deal and stage, with days from the first entry to its end there and the way out in `_at`.

    The way is 1 for a deal lost from here, 2 for one that moved on, 0 for one still here, 3 for a deleted one;
    `_stay` adds up its stays, `_kind` is 1 for deals won since and 0 for those still here. Most deals only go
    forward: each of their stays is a row by itself, and only those of the others are put together.
    """
    several = once(_not_only_forward(x))
    alone = _marked(replace(x, rows=x.rows.join(several, on="deal_id", how="anti")), as_of, nw.lit(True))
    again = replace(x, rows=x.rows.join(several, on="deal_id", how="inner"))
    together = _together(_marked(again, as_of, nw.col("seq") == nw.col("_last")))
    columns = [*staged(x).by, "_in", "_at", "_stay", "_kind", "_cents0"]
    both = stacked([_ended(part).rows.select(*columns) for part in (alone, together)])
    return Facts(both, x.by, x.function, x.fiscal_year_start)


def _not_only_forward(x: Facts) -> Rows:
    """The last stay, `_last`, of each deal that left an earlier one otherwise than forward: it may have come back."""
    rows = x.rows.with_columns(_other=masked(nw.col("_exit") != "forward", "seq"))
    deals = summarise(rows, ("deal_id",), _last=("seq", "max"), _other=("_other", "min"))
    return deals.filter(nw.col("_other") < nw.col("_last")).select("deal_id", "_last")


def _marked(x: Facts, as_of: date, is_last: nw.Expr) -> Facts:
    """Stays with their end, days, way out and whether the deal was won since."""
    end = nw.col("_out").fill_null(number_of(as_of))
    way = (
        nw.when((nw.col("_exit") == "lost") & is_last)
        .then(nw.lit(1))
        .when(nw.col("_out").is_null())
        .then(nw.lit(0))
        .when(nw.col("_exit") == "deleted")
        .then(nw.lit(DELETED))
        .otherwise(nw.lit(2))
    )
    won = flag(~day_known("won_at", as_of, x.columns).is_null())
    return x.mark(_end=end, _stay=days_from("_in", end), _way=way.cast(nw.Int64), _won=won)


def _together(x: Facts) -> Facts:
    """The stays of a deal in a stage as one."""
    stage = [name for name in ("stage_order", "stage_name") if name in x.columns]
    groups = [name for name in x.by if name not in x.words and name not in stage]
    rows = summarise(
        x.mark(_latest=_packed()).rows,
        (*groups, "deal_id", *stage),
        **{word: (word, "min") for word in x.words},
        _in=("_in", "min"),
        _stay=("_stay", "sum"),
        _won=("_won", "max"),
        _cents0=("_cents0", "max"),
        _latest=("_latest", "max"),
    )
    latest = nw.col("_latest").cast(nw.Int64)
    return replace(x, rows=rows).mark(_way=floored(latest, DAYS) % 4, _end=latest % DAYS - DAY_ZERO)


def _packed() -> nw.Expr:
    """Number of the stay, how it ended and its last day in one whole number, whose maximum is the latest stay's."""
    return (nw.col("seq").cast(nw.Int64) * 4 + nw.col("_way")) * DAYS + nw.col("_end") + DAY_ZERO


def _ended(x: Facts) -> Facts:
    kind = nw.when(nw.col("_way") == 0).then(nw.lit(0)).when(nw.col("_won") == 1).then(nw.lit(1))
    return x.mark(
        _at=at(days_from("_in", nw.col("_end")), nw.col("_way")),
        _kind=kind.otherwise(nw.lit(2)).cast(nw.Int64),
    )


def _leak(c: Cells) -> Figures:
    c = c | {"way": np.where(c["way"] == DELETED, -1, c["way"])}
    made = incidence_by(c, int(c["day"].max(initial=0)))
    return {
        "lost": counted(c, 1),
        "lost_value": counted(c, 1, of="value") / 100,
        "open": counted(c, 0),
        "funnel_leakage": made["value"],
        "low": made["low"],
        "high": made["high"],
        "n": float(c["n"].sum()),
    }


def _stalled(c: Cells) -> Figures:
    winners = c["_kind"] == 1
    limit = quantile_of_counts(c["_stay"][winners], c["n"][winners], 0.9)
    late = (c["_kind"] == 0) & (c["_stay"] > limit)
    unknown = limit != limit
    return {
        "winners_p90": limit,
        "stalled": float("nan") if unknown else float(c["n"][late].sum()),
        "stalled_value": float("nan") if unknown else float(c["value"][late].sum()) / 100,
    }
