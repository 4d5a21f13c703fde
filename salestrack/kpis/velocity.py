"""What the pipeline turns into money per day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._cohorts import LOST, OPEN, WON, created_column, ended
from salestrack.kpis._facts import By, Facts, facts, group_names
from salestrack.kpis._frames import flag, masked_sum
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import number_of
from salestrack.kpis._results import cluster_of, divided, layout, note
from salestrack.kpis._spells import counts_of
from salestrack.kpis._survival import checked_day, per_group, whole
from salestrack.kpis.winning import JUNK
from salestrack.periods import WORDS
from salestrack.stats.jackknife import jackknife_interval
from salestrack.stats.survival import aalen_johansen, kaplan_meier, life_table, restricted_mean

BLOCKS = 20
NAMES = (
    "sales_velocity",
    "low",
    "high",
    "classic",
    "realised",
    "open",
    "win_rate_by_value",
    "mean_amount",
    "days_in_pipeline",
)


@card(
    number=17,
    unit="money",
    label_en="Sales velocity per day",
    label_de="Vertriebsgeschwindigkeit je Tag",
    description_de="Wert, den die offene Pipeline je Tag in gewonnene Aufträge verwandelt.",
    formula_de="offene Chancen × Abschlussquote nach Wert × mittlerer Betrag / mittlere Tage in der Pipeline über "
    "alle Ausgänge (Littles Gesetz), alles an denselben Chancen des Zeitfensters geschätzt.",
    undefined_de="leer mit dem Hinweis „keine Fälle“, wo im Zeitfenster keine Chance mit Betrag in der Pipeline war; "
    "Chancen ohne Betrag bleiben außen vor und stehen in coverage.",
)
def sales_velocity(
    deals: Any,
    *,
    as_of: date | str,
    window_days: int = 365,
    by: By = None,
    junk: Sequence[str] = JUNK,
) -> pd.DataFrame:
    """Value that the open pipeline turns into won deals per day.

    Formula: open deals * win rate by value * mean amount / mean days in the pipeline over all ways out. The
    four are of the same deals: those in the pipeline at any time in the window, at the pace of the window.

    Undefined: NaN with the note no_data where no deal with an amount was in the pipeline in the window; deals
    without an amount are left out and show in `coverage`.

    In a steady flow of deals N = arrivals * E[days in the pipeline], so the value won per day, arrivals * win
    rate * amount, is N * win rate * amount / E[days]. The days are those of won *and* lost deals. The classic
    figure divides by the cycle of won deals and overstates wherever losing takes longer than winning. Deals
    that were open before the window count from its first day (left truncation), open ones are censored.

    Parameters
    ----------
    deals : deals in any engine: `status`, `closed_date`, `created_date` (or `created_at`), an amount (see
        bookings; of a lost deal `last_open_amount_base_cents` where the frame has it), optionally
        `account_id`, `lost_reason`
    as_of : the day at whose end things are looked at; the last day of the window
    window_days : length of the window; shorter where the first deal is younger
    by : columns; None gives one row for all
    junk : reasons of loss that mark what never was a deal

    Returns
    -------
    One row per group: `sales_velocity` (currency units per day), `low`, `high` (95 %, jackknife over blocks of
    accounts), `classic` (open deals * won / closed * mean won amount / mean days of won deals), `realised`
    (value won in the window per day: what the other two must be measured against), `open` (deals),
    `win_rate_by_value` (0 to 1), `mean_amount` (currency units, of the deals that entered),
    `days_in_pipeline`, `coverage` (share of the deals that have an amount), `window` (days), `n` (deals in
    the pipeline in the window), `note`.

    Little, A proof for the queuing formula L = λW, Operations Research 9 (1961).

    Examples
    --------
    >>> start = pd.Timestamp("2026-01-01")
    >>> begun = start + pd.to_timedelta(range(0, 300, 10), unit="D")
    >>> deals = pd.DataFrame({"created_date": begun, "amount": 300.0, "status": ["won", "lost", "lost"] * 10,
    ...                       "closed_date": begun + pd.to_timedelta([20, 50, 50] * 10, unit="D")})
    >>> deals.loc[deals["closed_date"] > "2026-09-30", "status"] = "open"
    >>> found = sales_velocity(deals, as_of="2026-09-30", window_days=180)
    >>> found[["sales_velocity", "classic", "realised", "open", "win_rate_by_value"]].round(2)
       sales_velocity  classic  realised  open  win_rate_by_value
    0            10.0     20.0      10.0     4               0.33
    """
    name, day = "sales_velocity", checked_day(as_of, "sales_velocity")
    created = created_column(deals, name)
    for word in group_names(by):
        if word in WORDS:
            raise KpiError.unusable_word(word, name, ["none: it looks back from one day"])
    if window_days < 1:
        raise KpiError.bad_option(name, "window_days", window_days, "give a number of days above 0")
    x = with_cents(facts(deals, function=name, needs=("status", "closed_date", created), by=by))
    x = _within(ended(_at_exit(x), created, day, junk), day, window_days)
    counts = counts_of(
        x,
        "_block",
        "_entry",
        "_day",
        "_cause",
        "_valued",
        n="len",
        cents=(CENTS, "sum"),
        since=("_in", "min"),
    )
    first = int(counts["since"].min()) if len(counts) else number_of(day)
    days = min(window_days, number_of(day) - first + 1)
    table = per_group(counts, x.by, lambda c: _velocity(c, days))
    table = table.assign(coverage=divided(table["n"], table["every"]), note=note(table[name]))
    return layout(whole(table, "open", "n"), x, *NAMES, "coverage", "window", "n", "note")


def _at_exit(x: Facts) -> Facts:
    """Lost deals at their last open amount, where the frame has it."""
    if "last_open_amount_base_cents" not in x.columns:
        return x
    lost = nw.coalesce(nw.col("last_open_amount_base_cents").cast(nw.Int64), nw.col(CENTS))
    return x.mark(**{CENTS: nw.when(nw.col("status") == "lost").then(lost).otherwise(nw.col(CENTS))})


def _within(x: Facts, as_of: date, window_days: int) -> Facts:
    """Deals in the pipeline in the window: `_entry` is the age from which they are watched, `_block` the
    accounts that are left out together."""
    start = number_of(as_of - timedelta(days=window_days - 1))
    x = x.keep((nw.col("_undated") == 0) & (nw.col("_cause") <= LOST) & _still(start))
    x, cluster = cluster_of(x, "deal_id")
    entry = nw.when(nw.col("_in") < start).then(start - nw.col("_in")).otherwise(nw.lit(0)).cast(nw.Int64)
    known = ~nw.col(CENTS).is_null()
    x = x.mark(
        _entry=entry,
        _valued=flag(known),
        _block=nw.col("_in").min().over(*cluster) if cluster else nw.col("_in"),
        **{CENTS: masked_sum(known, CENTS)},
    )
    return x.mark(_block=(nw.col("_block") % BLOCKS).cast(nw.Int64))


def _still(start: int) -> nw.Expr:
    return nw.col("_out").is_null() | (nw.col("_out") >= start)


def _velocity(every: pd.DataFrame, days: int) -> dict[str, float]:
    c = every[every["_valued"] == 1]
    whole_of = _parts(c, days)
    blocks = np.unique(c["_block"])
    left_out = [
        _parts(c[c["_block"] != block], days)["sales_velocity"] * len(blocks) / (len(blocks) - 1)
        for block in (blocks if len(blocks) > 1 else ())
    ]
    low, high = jackknife_interval(whole_of["sales_velocity"], left_out)
    return whole_of | {
        "low": low,
        "high": high,
        "every": float(every["n"].sum()),
        "n": float(c["n"].sum()),
        "window": float(days),
    }


def _parts(c: pd.DataFrame, days: int) -> dict[str, float]:
    """The four factors, the classic figure and what was won, from counts and sums per age and way out."""
    n, cents, cause = c["n"], c["cents"], c["_cause"]
    entered, won = c["_entry"] == 0, cause == WON
    figures = {name: float("nan") for name in NAMES}
    figures |= {
        "realised": float(cents[won].sum()) / 100 / days if len(c) else float("nan"),
        "open": float(n[cause == OPEN].sum()),
        "mean_amount": _over(float(cents[entered].sum()) / 100, float(n[entered].sum())),
    }
    if c.empty:
        return figures
    left = (cause != OPEN).astype(int)
    stay = kaplan_meier(life_table(c["_day"], left, n, c["_entry"]))
    figures["days_in_pipeline"] = restricted_mean(stay, float(stay.day[-1]))
    figures["win_rate_by_value"] = _value_won(c)
    figures["sales_velocity"] = figures["open"] * _over(
        figures["win_rate_by_value"] * figures["mean_amount"], figures["days_in_pipeline"]
    )
    closed, cycle = float(n[cause != OPEN].sum()), float((c["_day"] * n)[won].sum())
    # open * won/closed * value/won / (cycle/won), every "won" being the number of deals won
    share = _over(float(n[won].sum()), closed)
    figures["classic"] = figures["open"] * share * _over(float(cents[won].sum()) / 100, cycle)
    return figures


def _value_won(c: pd.DataFrame) -> float:
    """Share of the value that is won in the end: the incidence of winning with every deal weighed by its amount."""
    rich = c[c["cents"] > 0]
    if rich.empty:
        return float("nan")
    table = life_table(rich["_day"], rich["_cause"], rich["cents"].astype(float), rich["_entry"])
    return float(aalen_johansen(table).value[-1])


def _over(part: float, whole_: float) -> float:
    return part / whole_ if whole_ > 0 else float("nan")
