"""How long leads wait for an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._clock import DAY, BusinessHours, seconds, worked
from salestrack.kpis._facts import By, Facts, facts
from salestrack.kpis._frames import Rows, flag, frame, masked, once, small, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._periods import floored, number_of, until
from salestrack.kpis._results import layout
from salestrack.kpis._survival import Figures, checked_day, per_group, whole
from salestrack.periods import PeriodLike
from salestrack.stats.intervals import wilson
from salestrack.stats.survival import kaplan_meier, life_table, quantile, quantile_interval

CONTACT = ("call", "email", "meeting", "sms", "social")
WITHIN = {"5min": 300, "1h": 3600, "24h": DAY}
MINUTES, HOURS = 24 * 60, 14 * 24 * 60
"""Up to when (in minutes) answers are counted by the minute, and by the hour."""
KINDS = ("answered", "untimed", "undirected", "heard")
COUNTS = ("answered", "unanswered", "undirected", "untimed", "n")


@card(
    number=24,
    unit="days",
    date="created_at",
    label_en="Lead response time",
    label_de="Reaktionszeit auf Leads",
    description_de="Zeit, nach der die Hälfte der Leads von einem Menschen kontaktiert wurde; unbeantwortete "
    "zählen mit.",
    formula_de="Kaplan-Meier-Median der Zeit vom Eingang des Leads bis zur ersten erledigten, von einem "
    "Menschen ausgehenden Aktivität; Leads ohne Antwort sind am Stichtag zensiert.",
    undefined_de="NaN mit dem Vermerk no_data, wo es keine Leads gibt, unrecorded, wenn zu keinem der Leads "
    "irgendeine Aktivität erfasst ist, not_reached, solange weniger als die Hälfte beantwortet ist.",
)
def lead_response_time(
    leads: Any,
    activities: Any,
    *,
    as_of: date | str,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    business_hours: BusinessHours | None = None,
) -> pd.DataFrame:
    """Time by which half of the leads have been contacted by a person; unanswered ones count.

    Formula: Kaplan-Meier median of the time from created_at to the first done outbound activity of a person;
    leads without an answer are censored at as_of.

    Undefined: NaN with the note no_data where there are no leads, unrecorded where no activity at all names
    any of the table's leads, not_reached while fewer than half are answered.

    The time runs from the arrival, not from an assignment. Automatic replies, planned activities, what the
    lead did and what happened before it arrived are no answers. That quick answers go with more success
    (Oldroyd, McElheran, Elkington, Harvard Business Review 2011) was observed, not tried.

    Parameters
    ----------
    leads : one row per lead: `lead_id`, `created_at`, for periods also `created_date` (the local day)
    activities : `lead_id`, `activity_type`, `direction`, `started_at` (same clock as `created_at`),
        optionally `is_done`, `is_automated`, `started_date`, `is_timed` (false where only a day is known; without
        it a start at midnight sharp). What is known by the day counts as done at its end.
    as_of : the day at whose end things are looked at
    by : columns of leads, or period words of the arrival
    period : of the arrival
    fiscal_year_start : month (1 to 12) in which the fiscal year starts
    business_hours : a BusinessHours for a clock that runs in working time only; None runs day and night

    Returns
    -------
    One row per group: `answered`, `unanswered`, `undirected` (unanswered, but touched by an activity whose
    direction nobody recorded), `untimed` (answered on a day without an hour), `lead_response_time` (days of
    24 hours on the clock), `low`, `high` (95 %, Brookmeyer-Crowley), `p90` (days), and for 5min, 1h and 24h
    `share_…` (of the leads old enough, 0 to 1), `low_…`, `high_…` (Wilson); `n` (leads), `matured` (share at least
    24 hours old), `note`. Times are counted by the minute up to a day, by the hour up to two weeks, then by
    the day, rounded up.

    Examples
    --------
    >>> leads = pd.DataFrame({"lead_id": ["a", "b"], "created_at": pd.Timestamp("2026-10-05 09:00")})
    >>> calls = pd.DataFrame({"lead_id": ["a"], "activity_type": "call", "direction": "outbound",
    ...                       "started_at": pd.Timestamp("2026-10-05 09:30")})
    >>> table = lead_response_time(leads, calls, as_of="2026-10-31")
    >>> table[["answered", "unanswered", "share_5min", "share_1h"]]
       answered  unanswered  share_5min  share_1h
    0         1           1         0.0       0.5
    >>> float(table["lead_response_time"][0] * 24 * 60)
    30.0
    """
    name, day = "lead_response_time", checked_day(as_of, "lead_response_time")
    if business_hours:
        business_hours.check(name)
    x = _arrived(leads, day, by, period, fiscal_year_start)
    x = _waited(_answered(x, activities, day), day, business_hours)
    counts = _unpacked(x.finish(small(_counted(x))))
    table = whole(per_group(counts, x.by, _figures), *COUNTS)
    recorded, reached = bool(table["heard"].sum() > 0), table[name].notna()
    low_high = [f"{word}_{limit}" for limit in WITHIN for word in ("share", "low", "high")]
    if not recorded:
        table[low_high] = np.nan
    reason = np.where(reached, "", "not_reached" if recorded else "unrecorded")
    table["note"] = pd.Series(np.where(table["n"] > 0, reason, "no_data"), dtype="str")
    figures = (name, "low", "high", "p90", *low_high, "n", "matured", "note")
    return layout(table, x, "answered", "unanswered", "undirected", "untimed", *figures)


def _arrived(leads: Any, as_of: date, by: By, period: PeriodLike | None, fiscal_year_start: int) -> Facts:
    """Leads that were there by then, with the second of their arrival."""
    rows = frame(leads, needs=("lead_id", "created_at"), function="lead_response_time")
    schema = rows.collect_schema()
    day = "created_date" if "created_date" in schema else "created_at"
    x = facts(
        rows,
        function="lead_response_time",
        date=day,
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    known = x.keep(until(day, schema, as_of) & ~nw.col("created_at").is_null())
    known = known.mark(
        lead_id=nw.col("lead_id").cast(nw.String), _born=seconds("created_at", schema["created_at"])
    )
    return replace(known, rows=once(known.rows.select(*dict.fromkeys((*x.by, "lead_id", "_born")))))


def _answered(x: Facts, activities: Any, as_of: date) -> Facts:
    """With the second of the first answer, whether it is untimed, and traces of other activities."""
    touches = joined(_touches(activities, as_of), x.rows.select("lead_id", "_born"), "lead_id")
    touches = touches.filter(nw.col("_at") >= nw.col("_born"))
    first = summarise(
        touches,
        ("lead_id",),
        _first=("_out", "min"),
        _other=("_none", "min"),
        _any=("_at", "min"),
        _sharp=("_timed", "min"),
    )
    return Facts(joined(x.rows, first, "lead_id", "left"), x.by, x.function, x.fiscal_year_start)


def _touches(activities: Any, as_of: date) -> Rows:
    """What was done on leads by then: second of answers by persons (timed or not), of others, of all."""
    needs = ("lead_id", "activity_type", "direction", "started_at")
    x = facts(activities, function="lead_response_time", needs=needs)
    columns, schema = x.columns, x.rows.collect_schema()
    day = "started_date" if "started_date" in columns else "started_at"
    done = nw.col("is_done").fill_null(False) if "is_done" in columns else nw.lit(True)
    x = x.keep(until(day, schema, as_of) & ~nw.col("lead_id").is_null() & done)
    x = x.mark(_start=seconds("started_at", schema["started_at"]))
    timed = nw.col("_start") % DAY > 0
    if "is_timed" in columns:
        timed = nw.col("is_timed").fill_null(True)
    way = nw.col("direction").cast(nw.String).fill_null("none")
    human = nw.col("activity_type").cast(nw.String).fill_null("").is_in(list(CONTACT))
    if "is_automated" in columns:
        human = human & ~nw.col("is_automated").fill_null(False)
    x = x.mark(
        lead_id=nw.col("lead_id").cast(nw.String),
        _at=nw.when(timed).then(nw.col("_start")).otherwise(nw.col("_start") + DAY - 1),
        _answer=flag(human & (way == "outbound")),
        _untold=flag(human & (way == "none")),
        _exact=flag(timed),
    )
    answer = nw.col("_answer") == 1
    x = x.mark(
        _out=masked(answer, "_at"),
        _none=masked(nw.col("_untold") == 1, "_at"),
        _timed=masked(answer & (nw.col("_exact") == 1), "_at"),
    )
    return x.rows.select("lead_id", "_at", "_out", "_none", "_timed")


def _waited(x: Facts, as_of: date, hours: BusinessHours | None) -> Facts:
    """With `_wait` in seconds on the clock, `_cause` (1 answered), and `_age`: how long it could have been."""
    end = (number_of(as_of) + 1) * DAY
    x = x.mark(_cause=flag(~nw.col("_first").is_null()), _end=nw.lit(end).cast(nw.Int64))
    sharp = ~nw.col("_sharp").is_null() & (nw.col("_sharp") <= nw.col("_first"))
    x = x.mark(
        _until=nw.coalesce(nw.col("_first"), nw.col("_end")), _untimed=flag((nw.col("_cause") == 1) & ~sharp)
    )
    if hours:
        x = worked(x, hours, number_of(as_of) + 1, "_born", "_until", "_end")
    return x.mark(_wait=nw.col("_until") - nw.col("_born"), _age=nw.col("_end") - nw.col("_born"))


def _counted(x: Facts) -> Rows:
    """Leads per group, minute (`_step`) and `_kind`: yes or no to each of `KINDS`, then how many limits they are old."""
    wait, cause = nw.col("_wait"), nw.col("_cause")
    by_minute, by_hour, by_day = (wait + cause * (size - 1) for size in (60, 3600, DAY))
    step = (
        nw.when(by_minute < (MINUTES + 1) * 60)
        .then(floored(by_minute, 60))
        .when(by_hour < HOURS * 60 + 3600)
        .then(floored(by_hour, 3600) * 60)
        .otherwise(floored(by_day, DAY) * 1440)
    )
    five, hour, day = (nw.col("_age") >= size for size in WITHIN.values())
    limits = nw.when(day).then(nw.lit(3)).when(hour).then(nw.lit(2)).otherwise(flag(five))
    undirected, heard = flag((cause == 0) & ~nw.col("_other").is_null()), flag(~nw.col("_any").is_null())
    kind = cause + 2 * nw.col("_untimed") + 4 * undirected + 8 * heard + 16 * limits
    x = x.mark(_step=step.cast(nw.Int64), _kind=kind.cast(nw.Int64))
    return summarise(x.rows, (*x.by, "_step", "_kind"), n="len")


def _unpacked(counts: pd.DataFrame) -> pd.DataFrame:
    """With a column per kind, and of the leads old enough for each limit, those answered within it."""
    n, kind = counts["n"], counts["_kind"].astype("int64")
    made = {name: n * (kind // 2**place % 2) for place, name in enumerate(KINDS)}
    made["_cause"] = kind % 2
    for place, (limit, size) in enumerate(WITHIN.items()):
        old = n * (kind // 16 > place)
        made |= {f"old_{limit}": old, f"in_{limit}": old * made["_cause"] * (counts["_step"] <= size // 60)}
    return counts.assign(**made)


def _figures(counts: pd.DataFrame) -> Figures:
    """The figures of one group from its counts per minute and cause."""
    answered = counts["_cause"] == 1
    made = {
        "answered": float(counts["n"][answered].sum()),
        "unanswered": float(counts["n"][~answered].sum()),
        **{name: float(counts[name].sum()) for name in ("undirected", "untimed", "heard", "n")},
        **dict.fromkeys(("lead_response_time", "low", "high", "p90"), float("nan")),
    }
    if made["n"]:
        curve = kaplan_meier(life_table(counts["_step"], counts["_cause"], counts["n"]))
        low, high = quantile_interval(curve, 0.5)
        found = {
            "lead_response_time": quantile(curve, 0.5),
            "low": low,
            "high": high,
            "p90": quantile(curve, 0.9),
        }
        made |= {name: minutes / 1440 for name, minutes in found.items()}
    for limit in WITHIN:
        k, old = float(counts[f"in_{limit}"].sum()), float(counts[f"old_{limit}"].sum())
        low_k, high_k = wilson(k, old)
        made |= {f"share_{limit}": k / old if old else float("nan")}
        made |= {f"low_{limit}": float(low_k), f"high_{limit}": float(high_k)}
    made["matured"] = float(counts["old_24h"].sum()) / made["n"] if made["n"] else float("nan")
    return made
