"""Where deals are lost: from which stage, how many and how much."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts
from salestrack.kpis._frames import summarise
from salestrack.kpis._funnel import entered_in
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import number_of
from salestrack.kpis._results import divided, group_total, layout, note
from salestrack.kpis._spells import SPELL, counts_of, known, staged, stays
from salestrack.kpis._survival import (
    checked_day,
    counted,
    day_known,
    days_from,
    incidence_by,
    per_group,
    whole,
)
from salestrack.periods import PeriodLike
from salestrack.stats.survival import (
    quantile_of_counts,
)

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
    x = _units(_priced(stays(known(x, day), day)), day)
    x = staged(entered_in(x, period))
    counts = counts_of(x, "_day", "_cause", "_stay", "_kind", n="len", value=("_cents0", "sum"))
    table = per_group(counts, x.by, lambda c: _leak(c) | _stalled(c))
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
    """One row per deal and stage: days from the first entry to its end there, and how it ended.

    `_cause` is 1 for a deal lost from here, 2 for one that moved on, 0 for one still here, -1 for a deleted one;
    `_stay` adds up its stays, `_kind` is 1 for deals won since and 0 for those still here.
    """
    lost = (nw.col("_exit") == "lost") & (nw.col("seq") == nw.col("_last"))
    x = x.mark(_last=nw.col("seq").max().over("deal_id"), _won=day_known("won_at", as_of, x.columns))
    x = x.mark(
        _code=nw.when(lost)
        .then(nw.lit(1))
        .when(nw.col("_cause") == 1)
        .then(nw.lit(2))
        .otherwise(nw.col("_cause"))
    )
    x = x.mark(_latest=_packed(nw.col("_out").fill_null(number_of(as_of))))
    stage = [name for name in ("stage_order", "stage_name") if name in x.columns]
    groups = [name for name in x.by if name not in x.words and name not in stage]
    rows = summarise(
        x.rows,
        (*groups, "deal_id", *stage),
        **{word: (word, "min") for word in x.words},
        _in=("_in", "min"),
        _stay=("_day", "sum"),
        _won=("_won", "max"),
        _cents0=("_cents0", "max"),
        _latest=("_latest", "max"),
    )
    return _unpacked(Facts(rows, x.by, x.function, x.fiscal_year_start))


def _packed(end: nw.Expr) -> nw.Expr:
    """Number of the stay, how it ended and its last day in one whole number, whose maximum is the latest stay's."""
    return (nw.col("seq").cast(nw.Int64) * 4 + nw.col("_code").cast(nw.Int64) + 1) * DAYS + end + DAY_ZERO


def _unpacked(x: Facts) -> Facts:
    latest = nw.col("_latest").cast(nw.Int64)
    x = x.mark(_cause=latest // DAYS % 4 - 1, _end=latest % DAYS - DAY_ZERO)
    kind = nw.when(nw.col("_cause") == 0).then(nw.lit(0)).when(~nw.col("_won").is_null()).then(nw.lit(1))
    return x.mark(_day=days_from("_in", nw.col("_end")), _kind=kind.otherwise(nw.lit(2)).cast(nw.Int64))


def _leak(counts: pd.DataFrame) -> dict[str, float]:
    horizon = int(counts["_day"].max()) if len(counts) else 0
    made = incidence_by(counts, horizon)
    return {
        "lost": counted(counts, [1]),
        "lost_value": float(counts["value"][counts["_cause"] == 1].sum()) / 100,
        "open": counted(counts, [0]),
        "funnel_leakage": made["value"],
        "low": made["low"],
        "high": made["high"],
        "n": float(counts["n"].sum()),
    }


def _stalled(stays: pd.DataFrame) -> dict[str, float]:
    winners, waiting = stays[stays["_kind"] == 1], stays[stays["_kind"] == 0]
    limit = quantile_of_counts(winners["_stay"], winners["n"], 0.9)
    late = waiting[waiting["_stay"] > limit]
    unknown = limit != limit
    return {
        "winners_p90": limit,
        "stalled": float("nan") if unknown else float(late["n"].sum()),
        "stalled_value": float("nan") if unknown else float(late["value"].sum()) / 100,
    }
