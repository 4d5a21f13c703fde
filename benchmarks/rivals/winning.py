"""Bookings and win rates by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import (
    DAY,
    JUNK,
    Array,
    days,
    logit_interval,
    ratio_spread,
    real_deals,
    wilson,
    within,
)


def _bookings(deals: pd.DataFrame) -> pd.DataFrame:
    won = deals[deals["status"] == "won"]
    months = won["closed_date"].to_numpy().astype("datetime64[M]")
    made = won.groupby(months, dropna=False)["amount_base_cents"].agg(bookings="sum", n="size", known="count")
    return made.assign(bookings=made["bookings"] / 100, without_amount=made["n"] - made["known"])


# Days first, months after: few of them are left to be cut to their month.
BOOKINGS = """
SELECT date_trunc('month', day) AS month, sum(cents) / 100 AS bookings, sum(c) AS n,
       sum(c - known) AS without_amount
FROM (SELECT closed_date AS day, sum(amount_base_cents) AS cents, count(*) AS c,
             count(amount_base_cents) AS known
      FROM deals WHERE status = 'won' GROUP BY closed_date)
GROUP BY ALL ORDER BY 1
"""


def _win_rate(deals: pd.DataFrame) -> pd.DataFrame:
    closed = deals[deals["status"].isin(["won", "lost"])]
    months = closed["closed_date"].to_numpy().astype("datetime64[M]")
    won, real = closed["status"].eq("won").to_numpy(), real_deals(closed)
    parts = pd.DataFrame({"won": won, "lost": ~won & real, "junk": ~won & ~real})
    return _rated(parts.groupby(months, dropna=False).sum().reset_index())


def _rated(counts: pd.DataFrame) -> pd.DataFrame:
    n = counts["won"] + counts["lost"]
    low, high = wilson(counts["won"], n)
    return counts.assign(n=n, win_rate=counts["won"] / n, low=low, high=high)


WIN_RATE = f"""
SELECT date_trunc('month', day) AS month, coalesce(sum(c) FILTER (way = 1), 0) AS won,
       coalesce(sum(c) FILTER (way = 2), 0) AS lost, coalesce(sum(c) FILTER (way = 3), 0) AS junk
FROM (SELECT closed_date AS day, CASE WHEN status = 'won' THEN 1 WHEN {JUNK} THEN 3 ELSE 2 END AS way,
             count(*) AS c
      FROM deals WHERE status <> 'open' GROUP BY ALL)
GROUP BY ALL ORDER BY 1
"""


def _win_rate_by_value(deals: pd.DataFrame) -> pd.DataFrame:
    closed = deals[deals["status"].isin(["won", "lost"]) & real_deals(deals)]
    won = closed["status"] == "won"
    cents = closed["last_open_amount_base_cents"].fillna(closed["amount_base_cents"])
    cents = closed["amount_base_cents"].where(won, cents).astype(float)
    parts = pd.DataFrame(
        {
            "team": closed["team"],
            "account": closed["account_id"].fillna(closed["deal_id"]),
            "v": cents.fillna(0),
            "w": cents.where(won, 0).fillna(0),
            "n": cents.notna(),
            "closed": 1,
            "used": cents.fillna(0) != 0,
        }
    )
    a = parts.groupby(["team", "account"], dropna=False, sort=False).sum()
    a = a.assign(used=a["used"] > 0, vv=a["v"] ** 2, vw=a["v"] * a["w"], ww=a["w"] ** 2)
    made = a.groupby("team", dropna=False).sum()
    return _valued(made.assign(top=cents.clip(lower=0).groupby(closed["team"], dropna=False).max()))


def _valued(sums: pd.DataFrame) -> pd.DataFrame:
    share, half = ratio_spread(*(sums[c] for c in ("w", "v", "ww", "vw", "vv", "used")))
    low, high = logit_interval(share, half)
    return sums.assign(
        won_value=sums["w"] / 100,
        lost_value=(sums["v"] - sums["w"]) / 100,
        coverage=sums["n"] / sums["closed"],
        top_deal_share=sums["top"] / sums["v"],
        win_rate_by_value=share,
        low=low,
        high=high,
    )


# The interval needs sums per account; whatever does not is left out of that large table.
WIN_RATE_BY_VALUE = f"""
WITH c AS (SELECT team, coalesce(account_id, deal_id) AS account, status = 'won' AS won,
                  CASE status WHEN 'won' THEN amount_base_cents
                       ELSE coalesce(last_open_amount_base_cents, amount_base_cents) END::DOUBLE AS cents
           FROM deals WHERE status = 'won' OR (status = 'lost' AND NOT {JUNK})),
a AS (SELECT team, sum(cents) AS v, coalesce(sum(cents) FILTER (won), 0) AS w FROM c WHERE cents <> 0
      GROUP BY team, account),
s AS (SELECT team, sum(v) AS v, sum(w) AS w, sum(v * v) AS vv, sum(v * w) AS vw, sum(w * w) AS ww,
             count(*) AS used
      FROM a GROUP BY team),
n AS (SELECT team, count(cents) AS n, count(*) AS closed, max(cents) AS top FROM c GROUP BY team)
SELECT v, w, vv, vw, ww, coalesce(used, 0) AS used, n, closed, top
FROM n LEFT JOIN s ON s.team IS NOT DISTINCT FROM n.team ORDER BY n.team NULLS LAST
"""


# Ways: 4 never was a deal, 5 closed on an unknown day.
WAITED = f"""CASE WHEN status = 'open' THEN 8 * greatest({{as_of}} - created_date, 0)
             WHEN closed_date IS NULL THEN 5
             ELSE 8 * greatest(closed_date - created_date, 0)
                  + CASE WHEN status = 'won' THEN 1 WHEN {JUNK} THEN 4 ELSE 2 END END AS at, count(*) AS n
       FROM deals GROUP BY ALL"""
WIN_RATE_COHORT = f"SELECT year(created_date) * 4 + quarter(created_date) AS quarter, {WAITED}"


def waited(deals: pd.DataFrame) -> Array:
    """Days and outcome of each deal in one number."""
    open_ = (deals["status"] == "open").to_numpy()
    end = np.where(open_, DAY, days(deals["closed_date"]))
    day = np.maximum(end - days(deals["created_date"]), 0)
    lost = np.where(real_deals(deals), 2, 4)
    way = np.where(open_, 0, np.where(deals["status"] == "won", 1, lost))
    return np.where(np.isnan(day), 5, 8 * day + way).astype(int)


def _win_rate_cohort(deals: pd.DataFrame) -> pd.DataFrame:
    quarters = (deals["created_date"].to_numpy().astype("datetime64[M]").astype(int)) // 3
    cells = pd.DataFrame({"quarter": quarters, "at": waited(deals)}).value_counts(sort=False)
    return _cohorts(cells.rename("n").reset_index())


def _cohorts(cells: pd.DataFrame) -> pd.DataFrame:
    names = {"share": "win_rate_cohort", "final": "expected_final", "aside4": "junk", "aside5": "undated"}
    return within(cells, ["quarter"], 180).rename(columns=names)


RIVALS = {
    "bookings": Rival(
        reads={"deals": ["status", "closed_date", "amount_base_cents"]},
        options={"by": "month"},
        sql=BOOKINGS,
        pandas=_bookings,
    ),
    "win_rate": Rival(
        reads={"deals": ["status", "closed_date", "lost_reason"]},
        options={"by": "month"},
        sql=WIN_RATE,
        finish=_rated,
        pandas=_win_rate,
    ),
    "win_rate_by_value": Rival(
        reads={
            "deals": [
                "deal_id",
                "account_id",
                "team",
                "status",
                "lost_reason",
                "amount_base_cents",
                "last_open_amount_base_cents",
            ]
        },
        options={"by": "team"},
        sql=WIN_RATE_BY_VALUE,
        finish=_valued,
        pandas=_win_rate_by_value,
    ),
    "win_rate_cohort": Rival(
        reads={"deals": ["status", "created_date", "closed_date", "lost_reason"]},
        options={"by": "quarter"},
        sql=WIN_RATE_COHORT,
        finish=_cohorts,
        pandas=_win_rate_cohort,
    ),
}
