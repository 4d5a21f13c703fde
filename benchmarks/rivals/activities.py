"""Activities, time and answers by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import (
    AS_OF,
    TODAY,
    alive,
    dates_of,
    greenwood,
    log_log,
    logit_interval,
    ratio_spread,
    wilson,
)

SELLING = ("call", "email", "meeting", "sms", "social")
KINDS = {
    "selling": SELLING,
    "preparation": ("preparation",),
    "internal": ("internal_meeting",),
    "admin": ("admin", "task", "note"),
    "travel": ("travel",),
    "training": ("training",),
}


def _done(activities: pd.DataFrame) -> np.ndarray[Any, Any]:
    done: np.ndarray[Any, Any] = activities["is_done"].fillna(False).to_numpy(dtype=bool)
    return np.logical_and(done, alive(activities))


def _mix(activities: pd.DataFrame) -> pd.DataFrame:
    done = activities.loc[_done(activities), ["activity_type", "duration_s"]]
    timed = done["duration_s"].where(done["duration_s"] >= 0)
    made = timed.groupby(done["activity_type"]).agg(["size", "sum", "count"])
    return pd.DataFrame(
        {
            "activities": made["size"],
            "hours": made["sum"] / 3600,
            "without_duration": made["size"] - made["count"],
            "activity_mix": made["size"] / made["size"].sum(),
            "hours_share": made["sum"] / made["sum"].sum(),
            "n": made["size"].sum(),
        }
    )


MIX = """
SELECT activity_type, activities, hours, without_duration, n, activities / n AS activity_mix, hours / nullif(every, 0) AS hours_share
FROM (SELECT activity_type, count(*) AS activities, coalesce(sum(duration_s) FILTER (duration_s >= 0), 0) / 3600 AS hours,
             count(*) - count(*) FILTER (duration_s >= 0) AS without_duration, sum(count(*)) OVER () AS n, sum(hours) OVER () AS every
      FROM activities WHERE is_done AND is_deleted IS NOT TRUE GROUP BY activity_type) a
ORDER BY activity_type
"""


def _time_sold(sums: pd.DataFrame) -> pd.DataFrame:
    """Hours of each kind and the share of selling, from seconds and their sums of squares over the reps."""
    row = sums.iloc[0].astype(float)
    hours = {f"{kind}_hours": row[kind] / 3600 for kind in KINDS}
    recorded = row["recorded"] / 3600
    coverage = recorded / row["contracted_hours"]
    share, half = ratio_spread(*row[["selling", "recorded", "tt", "tb", "bb", "g"]])
    low, high = logit_interval(share, half) if 0 < share < 1 else wilson(row["g"] * share, row["g"])
    found = {"selling_time_share": share, "low": low, "high": high}
    return pd.DataFrame(
        [
            hours
            | {
                "other_hours": recorded - sum(hours.values()),
                "recorded_hours": recorded,
                "contracted_hours": row["contracted_hours"],
                "coverage": coverage,
            }
            | {name: float(value) if coverage >= 0.7 else np.nan for name, value in found.items()}
            | {"n": row["n"]}
        ]
    )


def _selling_time(activities: pd.DataFrame, rep_assignments: pd.DataFrame) -> pd.DataFrame:
    done = activities[_done(activities)]
    at, seconds = dates_of(done["started_date"]), done["duration_s"].where(done["duration_s"] >= 0)
    by = seconds.groupby([done["owner_rep_id"], done["activity_type"]], dropna=False).agg(["sum", "count"])
    types = by["sum"].groupby(level=1).sum()
    sums: dict[str, Any] = {kind: types.reindex(names).sum() for kind, names in KINDS.items()}
    b = by["sum"].groupby(level=0, dropna=False).sum()
    of_selling = by["sum"].where(by.index.get_level_values(1).isin(SELLING), 0)
    t = of_selling.groupby(level=0, dropna=False).sum()
    reps = rep_assignments[alive(rep_assignments)]
    first, last = at.min(), at.max() + 1
    start = np.fmax(dates_of(reps["valid_from_date"]), first)
    end = np.fmin(dates_of(reps["valid_to_date"]) + 1, last)
    there = np.maximum((end - start).astype("float64"), 0)
    sums |= {
        "recorded": b.sum(),
        "n": by["count"].sum(),
        "tt": (t**2.0).sum(),
        "tb": (t * 1.0 * b).sum(),
        "bb": (b**2.0).sum(),
        "g": (b > 0).sum(),
        "contracted_hours": (there / 7 * reps["contracted_hours_per_week"]).sum(),
    }
    return _time_sold(pd.DataFrame([sums]))


SELLING_TIME = f"""
WITH a AS (SELECT owner_rep_id, activity_type, coalesce(sum(duration_s) FILTER (duration_s >= 0), 0) AS s,
                  count(*) FILTER (duration_s >= 0) AS n, min(started_date) AS first, max(started_date) + 1 AS last
           FROM activities WHERE is_done AND is_deleted IS NOT TRUE GROUP BY owner_rep_id, activity_type),
r AS (SELECT coalesce(sum(s) FILTER (activity_type IN {SELLING}), 0)::DOUBLE AS t, sum(s)::DOUBLE AS b FROM a GROUP BY owner_rep_id)
SELECT * EXCLUDE (first, last)
FROM (SELECT {", ".join(f"coalesce(sum(s) FILTER (list_contains({list(names)}, activity_type)), 0) AS {kind}" for kind, names in KINDS.items())},
             sum(s) AS recorded, sum(n) AS n, min(first) AS first, max(last) AS last FROM a) k,
     (SELECT sum(t * t) AS tt, sum(t * b) AS tb, sum(b * b) AS bb, count(*) AS g FROM r WHERE b > 0) q,
     LATERAL (SELECT sum(greatest(coalesce(least(valid_to_date + 1, last), last) - greatest(valid_from_date, first), 0) / 7
                         * contracted_hours_per_week) AS contracted_hours
              FROM rep_assignments WHERE is_deleted IS NOT TRUE) c
"""


BY_PERSON = (
    f"is_done AND is_automated IS NOT TRUE AND is_deleted IS NOT TRUE AND started_date <= DATE '{AS_OF}'"
)


def by_person(activities: pd.DataFrame) -> pd.DataFrame:
    """Activities done by a person, with their day as `day`."""
    at = dates_of(activities["started_date"])
    done = _done(activities) & ~activities["is_automated"].fillna(False).to_numpy(dtype=bool) & (at <= TODAY)
    return activities[done].assign(day=at[done])


def _rated(counts: pd.DataFrame) -> pd.DataFrame:
    """Activities per day that deals were open, with the exact interval of a count."""
    from scipy.special import gammaincinv

    k, days = counts["activities"].astype(float), counts["days"].astype(float)
    return counts.assign(
        activity_rate=k / days,
        low=np.where(k > 0, gammaincinv(np.maximum(k, 1), 0.025), 0) / days,
        high=gammaincinv(k + 1, 0.975) / days,
        outbound_rate=counts["outbound"] / days,
        inbound_rate=counts["inbound"] / days,
    )


def _activity_rate(activities: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    spans = deals[(deals["status"] == "open") | deals["closed_date"].notna()]
    last = spans["closed_date"].fillna(pd.Timestamp(AS_OF))
    spans = pd.DataFrame({"deal_id": spans["deal_id"], "born": spans["created_date"], "last": last})
    acts = by_person(activities[activities["deal_id"].notna()])[
        ["deal_id", "activity_type", "direction", "day"]
    ]
    acts = acts.merge(spans, on="deal_id")
    acts = acts[(acts["day"] >= acts["born"]) & (acts["day"] <= acts["last"])]
    start = acts["day"].min()
    there = spans[spans["last"] >= start]
    exposed = ((there["last"] - there["born"].clip(lower=start)).dt.days + 1).sum()
    ways = {way: acts["direction"].eq(way).fillna(False).astype(int) for way in ("outbound", "inbound")}
    made = pd.DataFrame({"activities": 1, **ways}, index=acts.index).groupby(acts["activity_type"]).sum()
    return _rated(made.assign(days=exposed, n=len(there)))


ACTIVITY_RATE = f"""
WITH d AS (SELECT deal_id, created_date AS born, coalesce(closed_date, DATE '{AS_OF}') AS last FROM deals
           WHERE status = 'open' OR closed_date IS NOT NULL),
a AS (SELECT activity_type, count(*) AS activities, count(*) FILTER (direction = 'outbound') AS outbound,
             count(*) FILTER (direction = 'inbound') AS inbound, min(started_date) AS first
      FROM activities JOIN d USING (deal_id) WHERE {BY_PERSON} AND started_date BETWEEN born AND last GROUP BY activity_type)
SELECT activity_type, activities, outbound, inbound, days, n
FROM a, (SELECT sum(last - greatest(born, start) + 1) AS days, count(*) AS n
         FROM d, (SELECT min(first) AS start FROM a) s WHERE last >= start) e
ORDER BY activity_type
"""


LIMITS = {"5min": 300, "1h": 3600, "24h": 86_400}


def _answered(cells: pd.DataFrame) -> pd.DataFrame:
    """Times until the answer from the numbers of leads per step (in minutes) and whether they were answered."""
    steps, at = np.unique(cells["step"].to_numpy(dtype=float), return_inverse=True)
    n, said = cells["n"].to_numpy(dtype=float), cells["answered"].to_numpy(dtype=bool)
    events = np.bincount(at, weights=n * said, minlength=len(steps))
    risk = np.bincount(at, weights=n, minlength=len(steps))[::-1].cumsum()[::-1]
    waiting = np.cumprod(1 - events / risk)
    variance = waiting**2 * np.cumsum(greenwood(events, risk))
    low, high = log_log(waiting, variance)

    def first(curve: Any, share: float) -> float:
        reached = np.flatnonzero(curve <= 1 - share + 1e-12)
        return float(steps[reached[0]]) / 1440 if len(reached) else np.nan

    of = {name: float(cells[name].sum()) for name in cells.columns if name not in ("step", "answered")}
    row = {
        "answered": n[said].sum(),
        "unanswered": n[~said].sum(),
        "undirected": of["undirected"],
        "untimed": of["untimed"],
        "lead_response_time": first(waiting, 0.5),
        "low": first(low, 0.5),
        "high": first(high, 0.5),
        "p90": first(waiting, 0.9),
        "n": of["n"],
        "matured": of["old_24h"] / of["n"],
    }
    for limit in LIMITS:
        k, old = of[f"in_{limit}"], of[f"old_{limit}"] or np.nan
        row[f"share_{limit}"], (row[f"low_{limit}"], row[f"high_{limit}"]) = k / old, wilson(k, old)
        if not of["heard"]:  # nobody records what is done on leads
            row |= {f"{figure}_{limit}": np.nan for figure in ("share", "low", "high")}
    return pd.DataFrame([row])


def _response(leads: pd.DataFrame, activities: pd.DataFrame) -> pd.DataFrame:
    leads = leads[alive(leads) & (dates_of(leads["created_date"]) <= TODAY) & leads["created_at"].notna()]
    born = leads["created_at"].dt.floor("s")
    leads = pd.DataFrame({"lead_id": leads["lead_id"], "born": born})
    acts = activities[activities["lead_id"].notna()]
    acts = acts[_done(acts) & (dates_of(acts["started_date"]) <= TODAY)]
    timed = acts["is_timed"].fillna(True).astype(bool)
    at = acts["started_at"].dt.floor("s") + pd.to_timedelta(np.where(timed, 0, 86_399), unit="s")
    human = acts["activity_type"].isin(SELLING) & ~acts["is_automated"].fillna(False).astype(bool)
    way = acts["direction"].fillna("none")
    answer = human & (way == "outbound")
    touch = pd.DataFrame({"lead_id": acts["lead_id"], "at": at, "answer": at.where(answer), "heard": True})
    touch = touch.assign(sharp=at.where(answer & timed), untold=human & (way == "none"))
    touch = touch.merge(leads, on="lead_id")
    touch = touch[touch["at"] >= touch["born"]].groupby("lead_id")
    first = touch.agg({"answer": "min", "sharp": "min", "untold": "max", "heard": "max"})
    x = leads.join(first, on="lead_id")
    answered, end = x["answer"].notna(), pd.Timestamp(AS_OF) + pd.Timedelta(days=1)
    wait = (x["answer"].fillna(end) - x["born"]).dt.total_seconds().to_numpy()
    age = (end - x["born"]).dt.total_seconds().to_numpy()
    size = np.array([60, 3600, 86_400])[:, None]
    steps = np.where(answered, np.ceil(wait / size), wait // size) * size / 60
    cells = {
        "step": np.select([steps[0] <= 1440, steps[1] <= 20_160], [steps[0], steps[1]], steps[2]),
        "answered": answered,
        "n": 1,
        "undirected": ~answered & x["untold"].eq(True),
        "untimed": answered & ~(x["sharp"] <= x["answer"]),
        "heard": x["heard"].eq(True),
    }
    for limit, seconds in LIMITS.items():
        cells |= {f"old_{limit}": age >= seconds}
        cells |= {f"in_{limit}": (age >= seconds) & answered & (wait <= seconds)}
    return _answered(pd.DataFrame(cells).groupby(["step", "answered"]).sum().reset_index())


RESPONSE = f"""
WITH l AS (SELECT lead_id, epoch_us(created_at) // 1000000 AS born FROM leads
           WHERE created_date <= DATE '{AS_OF}' AND created_at IS NOT NULL AND is_deleted IS NOT TRUE),
t AS (SELECT lead_id, epoch_us(started_at) // 1000000 + CASE WHEN is_timed IS FALSE THEN 86399 ELSE 0 END AS stamp,
             is_timed IS NOT FALSE AS timed, activity_type IN {SELLING} AND is_automated IS NOT TRUE AS human,
             human AND direction = 'outbound' AS answer, human AND coalesce(direction, 'none') = 'none' AS untold
      FROM activities WHERE lead_id IS NOT NULL AND is_done AND is_deleted IS NOT TRUE AND started_date <= DATE '{AS_OF}'),
f AS (SELECT lead_id, min(stamp) FILTER (answer) AS answer, min(stamp) FILTER (answer AND timed) AS sharp, bool_or(untold) AS untold
      FROM t JOIN l USING (lead_id) WHERE stamp >= born GROUP BY lead_id),
w AS (SELECT answer IS NOT NULL AS answered, epoch_us(TIMESTAMP '{AS_OF}') // 1000000 + 86400 - born AS age,
             CASE WHEN answered THEN answer - born ELSE age END AS wait, sharp, answer, untold, f.lead_id IS NOT NULL AS heard,
             CASE WHEN answered THEN 1 ELSE 0 END AS up FROM l LEFT JOIN f USING (lead_id))
SELECT CASE WHEN m <= 1440 THEN m WHEN h <= 20160 THEN h ELSE d END AS step, answered, count(*) AS n,
       count(*) FILTER (NOT answered AND untold) AS undirected,
       count(*) FILTER (answered AND (sharp <= answer) IS NOT TRUE) AS untimed, count(*) FILTER (heard) AS heard,
       {", ".join(f"count(*) FILTER (age >= {s}) AS old_{name}, count(*) FILTER (age >= {s} AND answered AND wait <= {s}) AS in_{name}" for name, s in LIMITS.items())}
FROM (SELECT *, (wait + 59 * up) // 60 AS m, (wait + 3599 * up) // 3600 * 60 AS h, (wait + 86399 * up) // 86400 * 1440 AS d FROM w) u
GROUP BY step, answered
"""


DONE = ["started_date", "is_done", "is_automated", "is_deleted"]
DEAL = ["deal_id", "status", "created_date", "closed_date"]
RIVALS = {
    "activity_mix": Rival(
        reads={"activities": ["activity_type", "duration_s", "is_done", "is_deleted"]},
        sql=MIX,
        pandas=_mix,
    ),
    "selling_time_share": Rival(
        reads={
            "activities": [
                "owner_rep_id",
                "activity_type",
                "duration_s",
                "started_date",
                "is_done",
                "is_deleted",
            ],
            "rep_assignments": [
                "contracted_hours_per_week",
                "valid_from_date",
                "valid_to_date",
                "is_deleted",
            ],
        },
        sql=SELLING_TIME,
        finish=_time_sold,
        pandas=_selling_time,
    ),
    "activity_rate": Rival(
        reads={"activities": ["deal_id", "activity_type", "direction", *DONE], "deals": DEAL},
        options={"as_of": AS_OF},
        sql=ACTIVITY_RATE,
        finish=_rated,
        pandas=_activity_rate,
    ),
    "lead_response_time": Rival(
        reads={
            "leads": ["lead_id", "created_at", "created_date", "is_deleted"],
            "activities": ["lead_id", "activity_type", "direction", "started_at", "is_timed", *DONE],
        },
        options={"as_of": AS_OF},
        sql=RESPONSE,
        finish=_answered,
        pandas=_response,
    ),
}
