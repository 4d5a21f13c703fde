"""Where the funnel is clogged: more deals in a stage than its flow accounts for, or longer stays than before."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts, group_names
from salestrack.kpis._periods import literal, number_of
from salestrack.kpis._results import layout
from salestrack.kpis._spells import SPELL, known, staged
from salestrack.kpis._survival import (
    Cells,
    Figures,
    at,
    checked_day,
    counted,
    days_from,
    only,
    per_curve,
    whole,
)
from salestrack.periods import WORDS
from salestrack.stats.comparison import log_rank
from salestrack.stats.intervals import Z95
from salestrack.stats.survival import (
    kaplan_meier,
    life_table,
    restricted_mean,
    restricted_mean_variance,
)

NOW, BEFORE = 1, 0
STILL, LEFT, DELETED = 0, 1, 2
COLUMNS = (
    "wip",
    "arrivals",
    "dwell",
    "dwell_before",
    "expected",
    "bottleneck",
    "low",
    "high",
    "excess_share",
    "dwell_change",
    "change_low",
    "change_high",
    "hazard_ratio",
    "p_value",
    "tau",
    "n",
)


@card(
    number=29,
    unit="count",
    label_en="Bottleneck",
    label_de="Engpass",
    description_de="Verkaufschancen in einer Phase über das hinaus, was die heutigen Zugänge bei der früheren "
    "Verweildauer erwarten lassen.",
    formula_de="Bestand der Phase minus Zugänge je Tag × mittlere Verweildauer des Zeitfensters davor (Littles "
    "Gesetz); daneben Log-Rank-Test der Verweildauer in diesem Zeitfenster gegen das davor.",
    undefined_de="leer mit dem Hinweis „kein Vergleich möglich“, wo im Zeitfenster davor niemand in der Phase war.",
)
def bottleneck(
    stage_spells: Any,
    *,
    as_of: date | str,
    window_days: int = 365,
    by: By = None,
) -> pd.DataFrame:
    """Deals in a stage beyond what today's arrivals and the stays of the window before account for.

    Formula: work in progress - arrivals per day * restricted mean stay of the window before (Little's law);
    beside it the log-rank test of the stays in this window against those in the window before.

    Undefined: NaN with the note no_contrast where no deal was in the stage in the window before.

    The usual stay is taken from the window *before*: taken from the same window it would account for whatever
    is stuck in it. Both windows watch every stay from the day on which it was first seen in them (left
    truncation) and censor it at their end; deleted deals are censored when they went. Arrivals that grow
    within the window leave an excess too, so read it beside the test: a stage is a bottleneck when `low` is
    above 0 and `p_value` small with `dwell_change` above 0. The p-values are of each stage by itself.

    Parameters
    ----------
    stage_spells : stays of deals in open stages, in any engine: `deal_id`, `stage_name`, `entered_at`,
        `left_at`, `exit_type`, optionally `stage_order`
    as_of : the day at whose end things are looked at; the last day of the window
    window_days : length of the window, and of the window before
    by : further columns; there is always a row per stage

    Returns
    -------
    One row per group and stage: `wip` (deals there now), `arrivals` (entries per day), `dwell`,
    `dwell_before` (mean days of at most `tau` days, in this window and in the one before), `expected` (deals),
    `bottleneck` (deals beyond it), `low`, `high` (95 %), `excess_share` (of the expected), `dwell_change`
    (days), `change_low`, `change_high` (95 %), `hazard_ratio` (below 1: leaves more slowly than before),
    `p_value` (log-rank), `tau` (days to which both windows were followed), `n` (stays in this window), `note`.

    Little, Operations Research 9 (1961); Mantel, Cancer Chemotherapy Reports 50 (1966).

    Examples
    --------
    >>> day = pd.Timestamp("2025-01-01")
    >>> begun = day + pd.to_timedelta(range(0, 600, 5), unit="D")
    >>> left = begun + pd.to_timedelta([10] * 70 + [40] * 50, unit="D")
    >>> spells = pd.DataFrame({"deal_id": range(120), "stage_name": "Offer", "entered_at": begun,
    ...                        "left_at": left, "exit_type": "forward"})
    >>> found = bottleneck(spells, as_of="2026-08-20", window_days=250)
    >>> found[["wip", "arrivals", "dwell_before", "expected", "bottleneck"]].round(1)
       wip  arrivals  dwell_before  expected  bottleneck
    0    8       0.2          10.0       2.0         6.0
    """
    name, day = "bottleneck", checked_day(as_of, "bottleneck")
    for word in group_names(by):
        if word in WORDS:
            raise KpiError.unusable_word(word, name, ["none: it looks back from one day"])
    if window_days < 1:
        raise KpiError.bad_option(name, "window_days", window_days, "give a number of days above 0")
    x = facts(stage_spells, function=name, needs=SPELL, by=by)
    seen = literal(day - timedelta(days=2 * window_days - 1), x.rows.collect_schema()["left_at"])
    x = known(x.keep(nw.col("left_at").is_null() | (nw.col("left_at") >= seen)), day)
    x = staged(_windowed(x, number_of(day), window_days))
    table = per_curve(x, lambda c: _stage(c, window_days), "_window", "_entry")
    table["note"] = np.where(table["bottleneck"].isna(), "no_contrast", "")
    return layout(whole(table.astype({"note": "str"}), "wip", "n"), x, *COLUMNS, "note")


def _windowed(x: Facts, today: int, days: int) -> Facts:
    """Stays seen in the window or the one before it: in which last, `_window`, and since what age, `_entry`."""
    start, earlier = today - days + 1, today - 2 * days + 1
    still = nw.col("_out").is_null()
    x = x.mark(
        _window=nw.when(still | (nw.col("_out") >= start)).then(nw.lit(NOW)).otherwise(nw.lit(BEFORE)),
    )
    begin = nw.when(nw.col("_window") == NOW).then(nw.lit(start)).otherwise(nw.lit(earlier))
    age = nw.when(begin > nw.col("_in")).then(begin - nw.col("_in")).otherwise(nw.lit(0))
    way = nw.when(still).then(nw.lit(STILL)).when(nw.col("_exit") == "deleted").then(nw.lit(DELETED))
    return x.mark(
        _entry=age.cast(nw.Int64),
        _window=nw.col("_window").cast(nw.Int64),
        _at=at(days_from("_in", nw.col("_out").fill_null(today)), way.otherwise(nw.lit(LEFT))),
    )


def _stage(counts: Cells, days: int) -> Figures:
    now, before = _parted(counts, days)
    wip, entered = counted(now, STILL), float(now["n"][now["_entry"] == 0].sum())
    figures = dict.fromkeys(COLUMNS, float("nan"))
    figures |= {"wip": wip, "arrivals": entered / days, "n": float(now["n"].sum())}
    if not len(before["n"]):
        return figures
    end = float(before["day"].max())
    usual, usual_var = _mean_stay(before, end)
    expected = entered / days * usual
    # a conservative variance: arrivals and deals in progress vary together
    half = Z95 * np.sqrt(
        max(wip, expected) + usual**2 * entered / days**2 + (entered / days) ** 2 * usual_var
    )
    figures |= {
        "dwell_before": usual,
        "expected": expected,
        "bottleneck": wip - expected,
        "low": wip - expected - half,
        "high": wip - expected + half,
        "excess_share": (wip - expected) / expected if expected > 0 else float("nan"),
        "tau": end,
    }
    return figures | _compared(now, before) if len(now["n"]) else figures


def _parted(counts: Cells, days: int) -> tuple[Cells, Cells]:
    """The stays watched in this window, and those in the one before: of a stay that goes on from one into the
    other the earlier window saw the age at which it went over, and no end."""
    now = only(counts, counts["_window"] == NOW)
    over = only(now, now["_entry"] > 0)
    age = over["_entry"]
    seen = over | {"day": age - 1, "way": np.full(len(age), STILL), "_entry": np.maximum(age - days, 0)}
    return now, _both(only(counts, counts["_window"] == BEFORE), seen)


def _both(some: Cells, others: Cells) -> Cells:
    return {name: np.concatenate([column, others[name]]) for name, column in some.items()}


def _mean_stay(c: Cells, tau: float) -> tuple[float, float]:
    table = life_table(c["day"], c["way"] == LEFT, c["n"], c["_entry"])
    curve = kaplan_meier(table)
    return restricted_mean(curve, tau), restricted_mean_variance(curve, table, tau)


def _compared(now: Cells, before: Cells) -> Figures:
    """The mean stay of both windows to the same age, their difference, and the log-rank test."""
    tau = float(min(now["day"].max(), before["day"].max()))
    stay, var = _mean_stay(now, tau)
    usual, usual_var = _mean_stay(before, tau)
    both = _both(now, before)
    first = np.arange(len(both["n"])) < len(now["n"])
    test = log_rank(both["day"], both["way"] == LEFT, both["n"], first, both["_entry"])
    half = Z95 * float(np.sqrt(var + usual_var))
    return {
        "dwell": stay,
        "dwell_change": stay - usual,
        "change_low": stay - usual - half,
        "change_high": stay - usual + half,
        "hazard_ratio": test.ratio,
        "p_value": test.p_value,
    }
