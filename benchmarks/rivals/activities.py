"""Activities, time and answers by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import AS_OF, TODAY, alive, dates_of

SELLING = ("call", "email", "meeting", "sms", "social")


def _done(activities: pd.DataFrame) -> np.ndarray[Any, Any]:
    done: np.ndarray[Any, Any] = activities["is_done"].fillna(False).to_numpy(dtype=bool)
    return np.logical_and(done, alive(activities))


def _mix(activities: pd.DataFrame) -> pd.DataFrame:
    done = activities[_done(activities)]
    made = done.groupby("activity_type")["duration_s"].agg(["size", "sum"])
    return pd.DataFrame(
        {
            "activities": made["size"],
            "hours": made["sum"] / 3600,
            "activity_mix": made["size"] / made["size"].sum(),
            "n": made["size"].sum(),
        }
    )


MIX = """
SELECT *, activities / n AS activity_mix
FROM (SELECT activity_type, count(*) AS activities, coalesce(sum(duration_s) FILTER (duration_s >= 0), 0) / 3600 AS hours,
             sum(count(*)) OVER () AS n
      FROM activities WHERE is_done AND is_deleted IS NOT TRUE GROUP BY activity_type) a
ORDER BY activity_type
"""


def _selling_time(activities: pd.DataFrame, rep_assignments: pd.DataFrame) -> pd.DataFrame:
    done = activities[_done(activities)]
    at, seconds = dates_of(done["started_date"]), done["duration_s"].clip(lower=0)
    selling, recorded = seconds[done["activity_type"].isin(SELLING)].sum(), seconds.sum()
    reps = rep_assignments[alive(rep_assignments)]
    first, last = at.min(), at.max() + 1
    start = np.fmax(dates_of(reps["valid_from_date"]), first)
    end = np.fmin(dates_of(reps["valid_to_date"]) + 1, last)
    there = np.maximum((end - start).astype("float64"), 0)
    contracted = (there / 7 * reps["contracted_hours_per_week"]).sum()
    coverage = recorded / 3600 / contracted
    return pd.DataFrame(
        {
            "selling_hours": [selling / 3600],
            "recorded_hours": recorded / 3600,
            "contracted_hours": contracted,
            "coverage": coverage,
            "selling_time_share": selling / recorded if coverage >= 0.7 else np.nan,
            "n": done["duration_s"].count(),
        }
    )


SELLING_TIME = f"""
SELECT selling / 3600 AS selling_hours, recorded / 3600 AS recorded_hours, contracted_hours, n,
       recorded / 3600 / contracted_hours AS coverage, CASE WHEN coverage >= 0.7 THEN selling / recorded END AS selling_time_share
FROM (SELECT sum(duration_s) FILTER (activity_type IN {SELLING}) AS selling, sum(duration_s) AS recorded,
             count(duration_s) AS n, min(started_date) AS first, max(started_date) + 1 AS last
      FROM activities WHERE is_done AND is_deleted IS NOT TRUE) a,
     LATERAL (SELECT sum(greatest(coalesce(least(valid_to_date + 1, last), last) - greatest(valid_from_date, first), 0) / 7
                         * contracted_hours_per_week) AS contracted_hours
              FROM rep_assignments WHERE is_deleted IS NOT TRUE) r
"""


BY_PERSON = (
    f"is_done AND is_automated IS NOT TRUE AND is_deleted IS NOT TRUE AND started_date <= DATE '{AS_OF}'"
)


def _by_person(activities: pd.DataFrame) -> pd.DataFrame:
    """Activities done by a person, with their day as `day`."""
    at = dates_of(activities["started_date"])
    done = _done(activities) & ~activities["is_automated"].fillna(False).to_numpy(dtype=bool) & (at <= TODAY)
    return activities[done].assign(day=at[done])


def _spans(deals: pd.DataFrame) -> pd.DataFrame:
    """Deals with the day they were created, and the day they closed (NaT while open); none closed on an unknown day."""
    known = (deals["status"] == "open") | deals["closed_date"].notna()
    deals = deals[known]
    return deals.assign(born=dates_of(deals["created_date"]), closed=dates_of(deals["closed_date"]))


def _activity_rate(activities: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    spans = _spans(deals)
    spans = spans.assign(last=spans["closed"].fillna(pd.Timestamp(AS_OF)))
    acts = _by_person(activities)[["deal_id", "activity_type", "day"]]
    acts = acts.merge(spans[["deal_id", "born", "last"]], on="deal_id")
    acts = acts[(acts["day"] >= acts["born"]) & (acts["day"] <= acts["last"])]
    start = acts["day"].min()
    there = spans[spans["last"] >= start]
    exposed = ((there["last"] - there["born"].clip(lower=start)).dt.days + 1).sum()
    made = acts.groupby("activity_type").size()
    return pd.DataFrame(
        {"activities": made, "days": exposed, "activity_rate": made / exposed, "n": len(there)}
    )


ACTIVITY_RATE = f"""
WITH d AS (SELECT deal_id, created_date AS born, coalesce(closed_date, DATE '{AS_OF}') AS last FROM deals
           WHERE status = 'open' OR closed_date IS NOT NULL),
a AS (SELECT activity_type, count(*) AS activities, min(started_date) AS first
      FROM activities JOIN d USING (deal_id) WHERE {BY_PERSON} AND started_date BETWEEN born AND last GROUP BY activity_type)
SELECT activities, days, activities / days AS activity_rate, n
FROM a, (SELECT sum(last - greatest(born, start) + 1) AS days, count(*) AS n
         FROM d, (SELECT min(first) AS start FROM a) s WHERE last >= start) e
ORDER BY activity_type
"""


AT_LANDMARK = f"""SELECT deal_id, segment, lead_source, created_date AS born, created_date <= DATE '{AS_OF}' - 210 AS followed,
                         status = 'won' AND closed_date - created_date <= 210 AS won
                  FROM deals WHERE created_date <= DATE '{AS_OF}' - {{age}}
                  AND (status = 'open' OR closed_date - created_date > 30)"""


def _at_landmark(deals: pd.DataFrame, age: int) -> pd.DataFrame:
    """The deals at least so old that were open at an age of 30 days, and whether they were won within 210."""
    spans = _spans(deals)
    lived = (spans["closed"] - spans["born"]).dt.days
    won = (spans["status"] == "won") & (lived <= 210)
    return spans.assign(won=won)[(spans["born"] <= TODAY - age) & ~(lived <= 30)]


def _early(activities: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """What was done on these deals in their first 30 days."""
    acts = _by_person(activities).merge(deals[["deal_id", "born"]], on="deal_id")
    days_in = (acts["day"] - acts["born"]).dt.days
    return acts[(days_in >= 0) & (days_in <= 30)]


def _multi_threading(activities: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    there = _at_landmark(deals, 30)
    people = _early(activities, there).groupby("deal_id")["contact_id"].nunique()
    multi, some, n = (people >= 2).sum(), (people > 0).sum(), len(there)
    return pd.DataFrame(
        {
            "multi": [multi],
            "without_contact": n - some,
            "multi_threading": multi / n if some else np.nan,
            "n": n,
            "followed": (there["born"] <= TODAY - 210).sum(),
        }
    )


MULTI_THREADING = f"""
WITH d AS ({AT_LANDMARK.format(age=30)})
SELECT *, CASE WHEN without_contact < n THEN multi / n END AS multi_threading
FROM (SELECT count(*) AS n, count(*) FILTER (followed) AS followed, count(*) FILTER (people >= 2) AS multi,
             count(*) FILTER (coalesce(people, 0) = 0) AS without_contact
      FROM d LEFT JOIN (SELECT deal_id, count(DISTINCT contact_id) AS people FROM activities JOIN d USING (deal_id)
                        WHERE {BY_PERSON} AND started_date BETWEEN born AND born + 30 GROUP BY deal_id) p USING (deal_id)) c
"""


def _association(activities: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    there = _at_landmark(deals, 210)
    per_deal = _early(activities, there).groupby(["activity_type", "deal_id"]).size()
    counts = per_deal.unstack("activity_type", fill_value=0).reindex(there["deal_id"], fill_value=0)
    more_than = counts.quantile(0.5, interpolation="lower")
    strata = [there["segment"].to_numpy(), there["lead_source"].to_numpy()]
    exposed = counts > more_than
    won = there["won"].to_numpy()
    whole = pd.Series(won).groupby(strata).agg(["size", "sum"])
    n1, a = exposed.groupby(strata).sum(), exposed[won].groupby([s[won] for s in strata]).sum()
    a = a.reindex(n1.index, fill_value=0)
    n0, c = -n1.sub(whole["size"], axis=0), -a.sub(whole["sum"], axis=0)
    weight: pd.Series[float] = (n1 * n0).div(whole["size"], axis=0).sum()
    return pd.DataFrame(
        {
            "more_than": more_than,
            "exposed": n1.sum(),
            "unexposed": n0.sum(),
            "activity_association": (a * n0 - c * n1).div(whole["size"], axis=0).sum()
            / weight.where(weight > 0),
            "n": len(there),
        }
    ).sort_index()


ASSOCIATION = f"""
WITH d AS ({AT_LANDMARK.format(age=210)}),
s AS (SELECT segment, lead_source, count(*) AS n, count(*) FILTER (won) AS w, sum(count(*)) OVER () AS every FROM d GROUP BY ALL),
h AS (SELECT activity_type, segment, lead_source, k, count(*) AS deals, count(*) FILTER (won) AS wins
      FROM d JOIN (SELECT deal_id, activity_type, count(*) AS k FROM activities JOIN d USING (deal_id)
                   WHERE {BY_PERSON} AND started_date BETWEEN born AND born + 30 GROUP BY ALL) a USING (deal_id) GROUP BY ALL),
m AS (SELECT activity_type, CASE WHEN any_value(every - total) * 2 >= any_value(every) THEN 0
                                 ELSE min(k) FILTER ((every - total + reached) * 2 >= every) END AS more_than
      FROM (SELECT activity_type, k, sum(sum(deals)) OVER (PARTITION BY activity_type ORDER BY k) AS reached,
                   sum(sum(deals)) OVER (PARTITION BY activity_type) AS total, (SELECT any_value(every) FROM s) AS every
            FROM h GROUP BY activity_type, k) q GROUP BY activity_type),
x AS (SELECT m.activity_type, more_than, s.n, s.w, every, coalesce(sum(deals), 0) AS n1, coalesce(sum(wins), 0) AS a
      FROM m CROSS JOIN s LEFT JOIN h ON h.activity_type = m.activity_type AND h.segment IS NOT DISTINCT FROM s.segment
           AND h.lead_source IS NOT DISTINCT FROM s.lead_source AND k > more_than
      GROUP BY m.activity_type, more_than, s.segment, s.lead_source, s.n, s.w, every)
SELECT more_than, sum(n1) AS exposed, sum(n - n1) AS unexposed, any_value(every) AS n,
       sum((a * (n - n1) - (w - a) * n1) / x.n) / nullif(sum(n1 * (x.n - n1) / x.n), 0) AS activity_association
FROM x GROUP BY activity_type, more_than ORDER BY activity_type
"""


def _response(leads: pd.DataFrame, activities: pd.DataFrame) -> pd.DataFrame:
    leads = leads[alive(leads) & (dates_of(leads["created_date"]) <= TODAY) & leads["created_at"].notna()]
    touched = activities["lead_id"].notna() & (activities["direction"] == "outbound")
    touched &= activities["activity_type"].isin(SELLING)
    acts = _by_person(activities[touched])
    late = np.where(acts["is_timed"].fillna(True).astype(bool), 0, 86_399)
    acts = acts.assign(at=acts["started_at"] + pd.to_timedelta(late, unit="s"))
    acts = acts[["lead_id", "at"]].merge(leads[["lead_id", "created_at"]], on="lead_id")
    first = acts[acts["at"] >= acts["created_at"]].groupby("lead_id")["at"].min().rename("answer")
    answer = leads[["lead_id"]].join(first, on="lead_id")["answer"]
    answered = answer.notna().to_numpy()
    until = answer.fillna(pd.Timestamp(AS_OF) + pd.Timedelta(days=1))
    wait = (until - leads["created_at"]).dt.total_seconds() // 1
    size = np.array([60, 3600, 86_400])[:, None]
    steps = np.where(answered, np.ceil(wait.to_numpy() / size), wait.to_numpy() // size) * size / 60
    step = np.select([steps[0] <= 1440, steps[1] <= 20_160], [steps[0], steps[1]], steps[2])
    table = pd.DataFrame({"n": 1, "answered": answered}).groupby(step).sum()
    curve = (1 - table["answered"] / table["n"][::-1].cumsum()[::-1]).cumprod()
    reached = curve.index[curve <= 0.5 + 1e-12]
    return pd.DataFrame(
        {
            "lead_response_time": [reached[0] / 1440 if len(reached) else np.nan],
            "answered": answered.sum(),
            "unanswered": (~answered).sum(),
            "n": len(leads),
        }
    )


RESPONSE = f"""
WITH l AS (SELECT lead_id, created_at FROM leads WHERE created_date <= DATE '{AS_OF}' AND is_deleted IS NOT TRUE),
w AS (SELECT answer IS NOT NULL AS answered, floor(epoch(coalesce(answer, TIMESTAMP '{AS_OF}' + INTERVAL 1 DAY)) - epoch(created_at)) AS wait
      FROM l LEFT JOIN (SELECT lead_id, min(answer) AS answer
                        FROM (SELECT lead_id, CASE WHEN is_timed IS FALSE THEN started_at + INTERVAL 86399 SECONDS ELSE started_at END AS answer
                              FROM activities WHERE {BY_PERSON} AND lead_id IS NOT NULL
                              AND direction = 'outbound' AND activity_type IN {SELLING}) a
                        JOIN l USING (lead_id) WHERE answer >= created_at GROUP BY lead_id) f USING (lead_id)),
s AS (SELECT CASE WHEN m <= 1440 THEN m WHEN h <= 20160 THEN h ELSE d END AS step, count(*) AS n, count(*) FILTER (answered) AS k
      FROM (SELECT answered, CASE WHEN answered THEN ceil(wait / 60) ELSE floor(wait / 60) END AS m,
                   60 * CASE WHEN answered THEN ceil(wait / 3600) ELSE floor(wait / 3600) END AS h,
                   1440 * CASE WHEN answered THEN ceil(wait / 86400) ELSE floor(wait / 86400) END AS d FROM w) u GROUP BY step)
SELECT min(step) FILTER (waiting <= 0.5 + 1e-12) / 1440 AS lead_response_time, sum(k) AS answered, sum(n - k) AS unanswered, sum(n) AS n
FROM (SELECT step, n, k, product(1 - k / risk) OVER (ORDER BY step) AS waiting
      FROM (SELECT *, sum(n) OVER (ORDER BY step DESC) AS risk FROM s) r) c
"""


DONE = ["started_date", "is_done", "is_automated", "is_deleted"]
DEAL = ["deal_id", "status", "created_date", "closed_date"]
RIVALS = {
    "activity_mix": Rival(
        reads={"activities": ["activity_type", "duration_s", "is_done", "is_deleted"]},
        sql=MIX,
        pandas=_mix,
        same=("activities", "hours", "activity_mix", "n"),
    ),
    "selling_time_share": Rival(
        reads={
            "activities": ["activity_type", "duration_s", "started_date", "is_done", "is_deleted"],
            "rep_assignments": [
                "contracted_hours_per_week",
                "valid_from_date",
                "valid_to_date",
                "is_deleted",
            ],
        },
        sql=SELLING_TIME,
        pandas=_selling_time,
        same=("selling_hours", "recorded_hours", "contracted_hours", "coverage", "selling_time_share", "n"),
    ),
    "activity_rate": Rival(
        reads={"activities": ["deal_id", "activity_type", *DONE], "deals": DEAL},
        options={"as_of": AS_OF},
        sql=ACTIVITY_RATE,
        pandas=_activity_rate,
        same=("activities", "days", "activity_rate", "n"),
    ),
    "activity_association": Rival(
        reads={
            "activities": ["deal_id", "activity_type", *DONE],
            "deals": [*DEAL, "segment", "lead_source"],
        },
        options={"as_of": AS_OF},
        sql=ASSOCIATION,
        pandas=_association,
        same=("more_than", "exposed", "unexposed", "activity_association", "n"),
    ),
    "multi_threading": Rival(
        reads={"activities": ["deal_id", "contact_id", *DONE], "deals": DEAL},
        options={"as_of": AS_OF},
        sql=MULTI_THREADING,
        pandas=_multi_threading,
        same=("multi", "without_contact", "multi_threading", "n", "followed"),
    ),
    "lead_response_time": Rival(
        reads={
            "leads": ["lead_id", "created_at", "created_date", "is_deleted"],
            "activities": ["lead_id", "activity_type", "direction", "started_at", "is_timed", *DONE],
        },
        options={"as_of": AS_OF},
        sql=RESPONSE,
        pandas=_response,
        same=("lead_response_time", "answered", "unanswered", "n"),
    ),
}
