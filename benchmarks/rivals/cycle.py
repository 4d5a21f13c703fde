"""Cycles and velocity by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import (
    COHORT,
    DAY,
    DAYS,
    JUNK,
    Array,
    cohort_of,
    curve_of,
    days,
    each,
    real_deals,
    watched_days,
)


def _sales_cycle(deals: pd.DataFrame) -> pd.DataFrame:
    closed = deals[deals["status"].isin(["won", "lost"])]
    took = pd.Series(days(closed["closed_date"]) - days(closed["created_date"]), closed.index)
    fine, won = took.where(took >= 0), closed["status"] == "won"
    parts = pd.DataFrame({"won": fine.where(won), "lost": fine.where(~won), "negative": took < 0})
    groups = parts.groupby(closed["team"], dropna=False)
    return pd.DataFrame(
        {
            "sales_cycle": groups["won"].median(),
            "mean": groups["won"].mean(),
            "p90": groups["won"].quantile(0.9),
            "n": groups["won"].count(),
            "days_to_lost": groups["lost"].median(),
            "lost": groups["lost"].count(),
            "negative": groups["negative"].sum(),
        }
    )


SALES_CYCLE = """
SELECT team, median(took) FILTER (status = 'won' AND took >= 0) AS sales_cycle,
       avg(took) FILTER (status = 'won' AND took >= 0) AS mean,
       quantile_cont(took, 0.9) FILTER (status = 'won' AND took >= 0) AS p90,
       count(*) FILTER (status = 'won' AND took >= 0) AS n,
       median(took) FILTER (status = 'lost' AND took >= 0) AS days_to_lost,
       count(*) FILTER (status = 'lost' AND took >= 0) AS lost, count(*) FILTER (took < 0) AS negative
FROM (SELECT team, status, closed_date - created_date AS took FROM deals WHERE status IN ('won', 'lost'))
GROUP BY team ORDER BY team NULLS LAST
"""


def _expected_sales_cycle(deals: pd.DataFrame) -> pd.DataFrame:
    def figures(part: pd.DataFrame) -> dict[str, Any]:
        cause = part["cause"].to_numpy()
        after, won, lost = curve_of(part["day"].to_numpy(), cause)
        final, waiting = won[-1], after[-1]

        def first(curve: Array, level: float) -> float:
            return float(np.argmax(curve > level - 1e-12)) if curve[-1] > 0 else np.nan

        known = waiting <= 0.1
        return {
            "expected_sales_cycle": first(won, final / 2) if known else np.nan,
            "time_to_lost": first(lost, lost[-1] / 2) if known else np.nan,
            "latest": first(won, (final + waiting) / 2),
            "expected_final": final,
            "undecided": waiting,
            "won": (cause == 1).sum(),
            "lost": (cause == 2).sum(),
            "n": len(part),
        }

    return each(cohort_of(deals), "lead_source", figures)


EXPECTED_SALES_CYCLE = f"""
WITH w AS (SELECT lead_source, {DAYS} AS day, {COHORT}),
d AS (SELECT lead_source, day, count(*) AS c, count(*) FILTER (cause = 1) AS won, count(*) FILTER (cause = 2) AS lost
      FROM w GROUP BY ALL),
r AS (SELECT *, sum(c) OVER (PARTITION BY lead_source ORDER BY day DESC) AS risk FROM d),
s AS (SELECT *, product(1 - (won + lost) / risk) OVER (PARTITION BY lead_source ORDER BY day) AS after FROM r),
b AS (SELECT *, coalesce(lag(after) OVER (PARTITION BY lead_source ORDER BY day), 1) / risk AS step FROM s),
f AS (SELECT *, sum(step * won) OVER so_far AS f1, sum(step * lost) OVER so_far AS f2 FROM b
      WINDOW so_far AS (PARTITION BY lead_source ORDER BY day)),
e AS (SELECT *, max(f1) OVER (PARTITION BY lead_source) AS final, max(f2) OVER (PARTITION BY lead_source) AS final2,
             min(after) OVER (PARTITION BY lead_source) AS waiting FROM f)
SELECT lead_source, min(day) FILTER (waiting <= 0.1 AND final > 0 AND f1 > final / 2 - 1e-12) AS expected_sales_cycle,
       min(day) FILTER (waiting <= 0.1 AND final2 > 0 AND f2 > final2 / 2 - 1e-12) AS time_to_lost,
       min(day) FILTER (final > 0 AND f1 > (final + waiting) / 2 - 1e-12) AS latest, any_value(final) AS expected_final,
       any_value(waiting) AS undecided, sum(won) AS won, sum(lost) AS lost, sum(c) AS n
FROM e GROUP BY lead_source ORDER BY lead_source NULLS LAST
"""


def _sales_velocity(deals: pd.DataFrame) -> pd.DataFrame:
    start = DAY - 364
    closed = deals["status"].isin(["won", "lost"]).to_numpy()
    won, lost = (deals["status"] == "won").to_numpy(), (deals["status"] == "lost").to_numpy()
    begun, ended = days(deals["created_date"]), days(deals["closed_date"])
    end = np.where(closed, ended, np.inf)
    seen = (end >= start) & (~closed | real_deals(deals)) & ~(closed & np.isnan(ended))
    window = min(365.0, DAY - begun[seen].min() + 1)
    last = deals["last_open_amount_base_cents"].fillna(deals["amount_base_cents"]).to_numpy()
    cents = np.where(lost, last, deals["amount_base_cents"].to_numpy())
    kept = seen & ~np.isnan(cents)
    a, won, closed = cents[kept], won[kept], closed[kept]
    since = np.maximum(start - begun, 0)[kept].astype(int)
    day = np.maximum(np.minimum(end, DAY) - begun, 0)[kept].astype(int)
    size, rich = int(day.max()) + 1, np.maximum(a, 0)

    def over(part: Array, whole: Array) -> Array:
        return np.divide(part, whole, out=np.zeros(size), where=part > 0)

    after = np.cumprod(1 - over(np.bincount(day[closed], minlength=size), watched_days(size, since, day)))
    value = watched_days(size, since, day, rich)
    left = np.cumprod(1 - over(np.bincount(day[closed], rich[closed], minlength=size), value))
    share = (
        np.concatenate([[1.0], left[:-1]]) * over(np.bincount(day[won], rich[won], minlength=size), value)
    ).sum()
    mean, stay, open_ = a[since == 0].mean() / 100, after[:-1].sum(), (~closed).sum()
    return pd.DataFrame(
        {
            "sales_velocity": [open_ * share * mean / stay],
            "classic": open_ * won.sum() / closed.sum() * a[won].sum() / 100 / day[won].sum(),
            "realised": a[won].sum() / 100 / window,
            "open": open_,
            "win_rate_by_value": share,
            "mean_amount": mean,
            "days_in_pipeline": stay,
            "coverage": kept.sum() / seen.sum(),
            "window": window,
            "n": kept.sum(),
        }
    )


SALES_VELOCITY = f"""
WITH p AS (SELECT created_date AS b, CASE WHEN status <> 'open' THEN closed_date END AS e, status, {{as_of}} - 364 AS start,
             CASE status WHEN 'lost' THEN coalesce(last_open_amount_base_cents, amount_base_cents) ELSE amount_base_cents END AS a
      FROM deals WHERE status = 'open' OR (closed_date >= {{as_of}} - 364 AND NOT (status = 'lost' AND {JUNK}))),
w AS (SELECT greatest(start - b, 0) AS since, greatest(coalesce(e, {{as_of}}) - b, 0) AS day, status, a, greatest(a, 0) AS v
      FROM p WHERE a IS NOT NULL),
d AS (SELECT t, sum(n) AS n, sum(v) AS v, sum(x) AS x, sum(vx) AS vx, sum(vw) AS vw, sum(out) AS out, sum(vout) AS vout
      FROM (SELECT since AS t, 1 AS n, v, 0 AS x, 0 AS vx, 0 AS vw, 0 AS out, 0 AS vout FROM w UNION ALL
            SELECT day, -1, -v, (status <> 'open')::INT, CASE WHEN status <> 'open' THEN v ELSE 0 END,
                   CASE status WHEN 'won' THEN v ELSE 0 END, 1, v FROM w) GROUP BY t),
r AS (SELECT *, sum(n) OVER so_far + out AS risk, sum(v) OVER so_far + vout AS worth, lead(t) OVER so_far AS until
      FROM d WINDOW so_far AS (ORDER BY t)),
s AS (SELECT *, product(CASE WHEN x > 0 THEN 1 - x / risk ELSE 1 END) OVER (ORDER BY t) AS after,
             coalesce(product(CASE WHEN vx > 0 THEN 1 - vx / worth ELSE 1 END)
                      OVER (ORDER BY t ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 1) AS before FROM r),
c AS (SELECT min(t) + sum(after * (until - t)) AS stay, sum(before * vw / worth) FILTER (vw > 0) AS share FROM s),
q AS (SELECT count(*) AS n, count(*) FILTER (status = 'open') AS open, avg(a) FILTER (since = 0) / 100 AS mean,
             sum(a) FILTER (status = 'won') / 100 AS won_value, count(*) FILTER (status = 'won') AS won,
             sum(day) FILTER (status = 'won') AS cycle FROM w),
z AS (SELECT count(*) AS every, least(365, {{as_of}} - min(b) + 1) AS days FROM p)
SELECT open * share * mean / stay AS sales_velocity, open * won / (n - open) * won_value / cycle AS classic,
       won_value / days AS realised, open, share AS win_rate_by_value, mean AS mean_amount, stay AS days_in_pipeline,
       n / every AS coverage, days AS "window", n
FROM c, q, z
"""


RIVALS = {
    "sales_cycle": Rival(
        reads={"deals": ["team", "status", "created_date", "closed_date"]},
        options={"by": "team"},
        sql=SALES_CYCLE,
        pandas=_sales_cycle,
        same=("sales_cycle", "mean", "p90", "n", "days_to_lost", "lost", "negative"),
    ),
    "expected_sales_cycle": Rival(
        reads={"deals": ["status", "created_date", "closed_date", "lost_reason", "lead_source"]},
        options={"by": "lead_source"},
        sql=EXPECTED_SALES_CYCLE,
        pandas=_expected_sales_cycle,
        same=(
            "expected_sales_cycle",
            "time_to_lost",
            "latest",
            "expected_final",
            "undecided",
            "won",
            "lost",
            "n",
        ),
    ),
    "sales_velocity": Rival(
        reads={
            "deals": [
                "status",
                "created_date",
                "closed_date",
                "lost_reason",
                "amount_base_cents",
                "last_open_amount_base_cents",
            ]
        },
        sql=SALES_VELOCITY,
        pandas=_sales_velocity,
        same=(
            "sales_velocity",
            "classic",
            "realised",
            "open",
            "win_rate_by_value",
            "mean_amount",
            "days_in_pipeline",
            "coverage",
            "window",
            "n",
        ),
    ),
}
