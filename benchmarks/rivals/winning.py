"""Bookings and win rates by hand."""

from __future__ import annotations

import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import (
    COHORT,
    DAYS,
    JUNK,
    WILSON,
    cohort_of,
    each,
    real_deals,
    share_by_then,
    wilson,
    within_days,
)


def _bookings(deals: pd.DataFrame) -> pd.DataFrame:
    won = deals[deals["status"] == "won"]
    months = won["closed_date"].to_numpy().astype("datetime64[M]")
    made = won.groupby(months)["amount_base_cents"].agg(bookings="sum", n="size").reset_index()
    return made.assign(bookings=made["bookings"] / 100)


def _win_rate(deals: pd.DataFrame) -> pd.DataFrame:
    closed = deals[deals["status"].isin(["won", "lost"]) & real_deals(deals)]
    months = closed["closed_date"].to_numpy().astype("datetime64[M]")
    made = pd.DataFrame(closed["status"].eq("won").groupby(months).agg(won="sum", n="size"))
    low, high = wilson(made["won"], made["n"])
    return made.assign(lost=made["n"] - made["won"], win_rate=made["won"] / made["n"], low=low, high=high)


WIN_RATE = f"""
SELECT date_trunc('month', closed_date) AS month, count(*) FILTER (status = 'won') AS won, count(*) AS n,
       n - won AS lost, won / n AS win_rate, {WILSON.format(k="won", n="n")}
FROM deals WHERE status = 'won' OR (status = 'lost' AND NOT {JUNK}) GROUP BY ALL ORDER BY 1
"""


def _win_rate_by_value(deals: pd.DataFrame) -> pd.DataFrame:
    closed = deals[deals["status"].isin(["won", "lost"]) & real_deals(deals)]
    won = closed["status"] == "won"
    cents = closed["last_open_amount_base_cents"].fillna(closed["amount_base_cents"])
    cents = closed["amount_base_cents"].where(won, cents)
    made = (
        pd.DataFrame({"team": closed["team"], "cents": cents, "won": cents.where(won, 0)})
        .groupby("team", dropna=False)
        .agg(
            value=("cents", "sum"),
            won_value=("won", "sum"),
            n=("cents", "count"),
            closed=("won", "size"),
            top=("cents", "max"),
        )
    )
    return made.assign(
        won_value=made["won_value"] / 100,
        lost_value=(made["value"] - made["won_value"]) / 100,
        coverage=made["n"] / made["closed"],
        top_deal_share=made["top"] / made["value"],
        win_rate_by_value=made["won_value"] / made["value"],
    )


WIN_RATE_BY_VALUE = f"""
SELECT team, coalesce(sum(cents) FILTER (status = 'won'), 0) / 100 AS won_value,
       coalesce(sum(cents) FILTER (status = 'lost'), 0) / 100 AS lost_value, count(cents) AS n,
       count(cents) / count(*) AS coverage, max(cents) / sum(cents) AS top_deal_share,
       100 * won_value / sum(cents) AS win_rate_by_value
FROM (SELECT team, status, CASE status WHEN 'lost' THEN coalesce(last_open_amount_base_cents, amount_base_cents)
             ELSE amount_base_cents END AS cents
      FROM deals WHERE status = 'won' OR (status = 'lost' AND NOT {JUNK}))
GROUP BY team ORDER BY team NULLS LAST
"""


def _win_rate_cohort(deals: pd.DataFrame) -> pd.DataFrame:
    cohort = cohort_of(deals)
    cohort["day"] = cohort["day"].clip(upper=181)
    quarters = (cohort["created_date"].to_numpy().astype("datetime64[M]").astype(int)) // 3
    made = each(cohort[["day", "cause"]], quarters, lambda part: share_by_then(part, 180))
    return made.rename(columns={"share": "win_rate_cohort"})


WIN_RATE_COHORT = f"""
WITH w AS (SELECT date_trunc('quarter', created_date) AS quarter, least({DAYS}, 181) AS day, {COHORT}),
{within_days("quarter", 180, "win_rate_cohort")}
"""


RIVALS = {
    "bookings": Rival(
        reads={"deals": ["status", "closed_date", "amount_base_cents"]},
        options={"by": "month"},
        sql="""SELECT date_trunc('month', closed_date) AS month, sum(amount_base_cents) / 100 AS bookings, count(*) AS n
               FROM deals WHERE status = 'won' GROUP BY ALL ORDER BY 1""",
        pandas=_bookings,
        same=("bookings", "n"),
    ),
    "win_rate": Rival(
        reads={"deals": ["status", "closed_date", "lost_reason"]},
        options={"by": "month"},
        sql=WIN_RATE,
        pandas=_win_rate,
        same=("won", "lost", "n", "win_rate", "low", "high"),
    ),
    "win_rate_by_value": Rival(
        reads={
            "deals": ["team", "status", "lost_reason", "amount_base_cents", "last_open_amount_base_cents"]
        },
        options={"by": "team"},
        sql=WIN_RATE_BY_VALUE,
        pandas=_win_rate_by_value,
        same=("won_value", "lost_value", "coverage", "top_deal_share", "win_rate_by_value", "n"),
    ),
    "win_rate_cohort": Rival(
        reads={"deals": ["status", "created_date", "closed_date", "lost_reason"]},
        options={"by": "quarter"},
        sql=WIN_RATE_COHORT,
        pandas=_win_rate_cohort,
        same=("won", "lost", "open", "n", "win_rate_cohort"),
    ),
}
