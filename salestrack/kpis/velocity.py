"""What the pipeline turns into money per day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._cohorts import JUNK_LOSS, LOST, OPEN, WON, created_column, ended
from salestrack.kpis._facts import By, Facts, facts, group_names
from salestrack.kpis._frames import Part, masked, once, summarise
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import literal, number_of
from salestrack.kpis._results import divided, layout, note
from salestrack.kpis._survival import Cells, Figures, checked_day, only, per_curve, whole
from salestrack.kpis.winning import JUNK
from salestrack.periods import WORDS
from salestrack.stats.jackknife import jackknife_interval
from salestrack.stats.survival import Floats

ENTERED = LOST + 1
"""Beside the ways out: when a deal came under watch."""
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
    x = _within(_at_exit(x), created, day, junk, window_days)
    sums: dict[str, Part] = {"known": (CENTS, "count"), "cents": (CENTS, "sum"), "rich": ("_rich", "sum")}
    table = per_curve(x, _velocity, "_block", "_entry", **sums, since=("_in", "min"))
    first = table["since"].min() if table["every"].sum() else number_of(day)
    table["window"] = float(min(window_days, number_of(day) - first + 1))
    table["realised"] = table["won_value"] / table["window"]
    table = table.assign(coverage=divided(table["n"], table["every"]), note=note(table[name]))
    return layout(whole(table, "open", "n"), x, *NAMES, "coverage", "window", "n", "note")


def _at_exit(x: Facts) -> Facts:
    """Lost deals at their last open amount, where the frame has it."""
    if "last_open_amount_base_cents" not in x.columns:
        return x
    lost = nw.coalesce(nw.col("last_open_amount_base_cents").cast(nw.Int64), nw.col(CENTS))
    return x.mark(**{CENTS: nw.when(nw.col("status") == "lost").then(lost).otherwise(nw.col(CENTS))})


def _within(x: Facts, created: str, as_of: date, junk: Sequence[str], window_days: int) -> Facts:
    """Deals in the pipeline in the window: `_entry` is the age from which they are watched, `_block` the
    accounts that are left out together."""
    first = as_of - timedelta(days=window_days - 1)
    done = nw.col("status").is_in(["won", "lost"]).fill_null(False)
    x = x.keep(~done | (nw.col("closed_date") >= literal(first, x.rows.collect_schema()["closed_date"])))
    x = ended(x, created, as_of, junk)
    x = _with_first(x.keep(nw.col("_at") % 8 < JUNK_LOSS))
    start = number_of(first)
    return x.mark(
        _entry=nw.when(nw.col("_in") < start).then(start - nw.col("_in")).otherwise(nw.lit(0)).cast(nw.Int64),
        _block=(nw.col("_first") % BLOCKS).cast(nw.Int64),
        _rich=masked(nw.col(CENTS) > 0, CENTS),  # what is weighed: a credit note has no weight
    )


def _with_first(x: Facts) -> Facts:
    """With the day of the first deal of the account, or of the deal itself where it has none."""
    if "account_id" not in x.columns:
        return x.mark(_first=nw.col("_in"))
    if "deal_id" not in x.columns:  # deals without an account cannot be told apart
        x = x.mark(account_id=nw.col("account_id").cast(nw.String).fill_null(""))
    x = replace(x, rows=once(x.rows))
    named = x.rows.filter(~nw.col("account_id").is_null())
    firsts = summarise(named, ("account_id",), _first=("_in", "min"))
    x = replace(x, rows=x.rows.join(firsts, on="account_id", how="left"))
    return x.mark(_first=nw.coalesce(nw.col("_first"), nw.col("_in")))


def _velocity(every: Cells) -> Figures:
    """The figures of one group, from counts and sums per block, day of entry, day and way out."""
    c = only(every, every["known"] > 0)
    figures = dict.fromkeys((*NAMES, "won_value"), float("nan")) | {"open": 0.0}
    if len(c["n"]):
        figures |= _factors(c)
    return figures | {
        "every": float(every["n"].sum()),
        "n": float(c["known"].sum()),
        "since": float(every["since"].min(initial=np.inf)),
    }


def _factors(c: Cells) -> Figures:
    """The four factors, the classic figure and what was won; the interval leaves out one block after the other."""
    days = np.unique(np.concatenate([[0.0], c["day"], c["_entry"]]))
    n, cents, rich = (_margins(c, name, days) for name in ("known", "cents", "rich"))
    b = n.shape[1] - 1
    open_ = n[OPEN].sum(axis=1)
    mean = _over(cents[ENTERED, :, 0] / 100, n[ENTERED, :, 0])
    stay, share = _mean_stay(n, days), _value_won(rich)
    velocity = open_ * _over(share * mean, stay)
    low, high = jackknife_interval(float(velocity[0]), velocity[1:] * b / max(b - 1, 1))
    won, won_value = n[WON, 0].sum(), cents[WON, 0].sum() / 100
    # open * won/closed * value/won / (cycle/won), every "won" being the number of deals won
    closed, cycle = won + n[LOST, 0].sum(), (days * n[WON, 0]).sum()
    return {
        "sales_velocity": float(velocity[0]),
        "low": low,
        "high": high,
        "classic": float(open_[0] * _over(won, closed) * _over(won_value, cycle)),
        "won_value": float(won_value),
        "open": float(open_[0]),
        "win_rate_by_value": float(share[0]),
        "mean_amount": float(mean[0]),
        "days_in_pipeline": float(stay[0]),
    }


def _margins(c: Cells, name: str, days: Floats) -> Floats:
    """Sums per way out and day, and in the last place per day of entry; of all, then of all but each block."""
    blocks, block = np.unique(c["_block"], return_inverse=True)
    size, shape = len(days), (len(blocks), ENTERED, len(days))
    place = (block * ENTERED + c["way"].astype(int)) * size
    ends = np.bincount(place + np.searchsorted(days, c["day"]), c[name], np.prod(shape)).reshape(shape)
    place = block * size + np.searchsorted(days, c["_entry"])
    starts = np.bincount(place, c[name], len(blocks) * size).reshape(len(blocks), 1, size)
    made = np.concatenate([ends, starts], axis=1).transpose(1, 0, 2)
    every = made.sum(axis=1, keepdims=True)
    return np.concatenate([every, every - made], axis=1)


def _leaving(parts: Floats, *ways: int) -> Floats:
    """Share of those watched on a day that leave on it in these ways; 0 where nobody does."""
    gone, left = parts[:ENTERED].sum(axis=0), parts[list(ways)].sum(axis=0)
    watched = parts[ENTERED].cumsum(axis=1) - gone.cumsum(axis=1) + gone
    return np.asarray(np.divide(left, watched, out=np.zeros(left.shape), where=left > 0))


def _mean_stay(n: Floats, days: Floats) -> Floats:
    """Mean days until any way out, up to the last day to which a deal was followed."""
    after = np.cumprod(1 - _leaving(n, WON, LOST), axis=1)
    followed = n[:ENTERED].sum(axis=0)[:, ::-1].cumsum(axis=1)[:, ::-1] > 0
    return np.asarray((np.diff(days) * after[:, :-1] * followed[:, 1:]).sum(axis=1))


def _value_won(rich: Floats) -> Floats:
    """Share of the value that is won in the end: the incidence of winning with every deal weighed by its amount."""
    after = np.cumprod(1 - _leaving(rich, WON, LOST), axis=1)
    before = np.column_stack([np.ones(len(after)), after[:, :-1]])
    share = (before * _leaving(rich, WON)).sum(axis=1)
    return np.asarray(np.where(rich[ENTERED].sum(axis=1) > 0, share, np.nan))


def _over(part: Any, whole_: Any) -> Floats:
    """Part / whole, NaN where the whole is not above 0."""
    return np.asarray(part / np.where(np.asarray(whole_) > 0, whole_, np.nan))
