"""Growth of revenue and of the size of deals by hand, one year against the year before."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import YEAR, YEAR_BEFORE, between, dates_of


def _revenue_growth(deals: pd.DataFrame) -> pd.DataFrame:
    won = deals[deals["status"] == "won"]
    at, cents = dates_of(won["closed_date"]), won["amount_base_cents"].to_numpy()
    now, then = between(at, *YEAR), between(at, *YEAR_BEFORE)
    new, old = np.nansum(cents[now]) / 100, np.nansum(cents[then]) / 100
    return pd.DataFrame(
        {
            "bookings": [new],
            "previous": old,
            "revenue_growth": (new - old) / old,
            "n": now.sum(),
            "previous_n": then.sum(),
        }
    )


REVENUE_GROWTH = f"""
SELECT bookings, previous, (bookings - previous) / previous AS revenue_growth, n, previous_n
FROM (SELECT sum(amount_base_cents) FILTER (now) / 100 AS bookings, count(*) FILTER (now) AS n,
             sum(amount_base_cents) FILTER (NOT now) / 100 AS previous, count(*) FILTER (NOT now) AS previous_n
      FROM (SELECT amount_base_cents, closed_date >= DATE '{YEAR[0]}' AS now FROM deals
            WHERE status = 'won' AND closed_date >= DATE '{YEAR_BEFORE[0]}' AND closed_date < DATE '{YEAR[1]}') d) s
"""


def _size_change(deals: pd.DataFrame) -> pd.DataFrame:
    at = dates_of(deals["closed_date"])
    now = between(at, *YEAR)
    counts = (now | between(at, *YEAR_BEFORE)) & (deals["status"] == "won")
    counts &= deals["amount_base_cents"] > 0
    sums = deals[counts].groupby(["segment", now[counts]])["amount_base_cents"].agg(["size", "sum"]).unstack()
    n, value = sums["size"].fillna(0), sums["sum"].fillna(0) / 100
    share, mean = n / n.sum(), (value / n.where(n > 0)).bfill(axis=1).ffill(axis=1)
    overall = value.sum() / n.sum()
    return pd.DataFrame(
        {
            "mean": [overall[True]],
            "previous_mean": overall[False],
            "deal_size_change": overall[True] - overall[False],
            "mix_effect": ((share[True] - share[False]) * mean.mean(axis=1)).sum(),
            "price_effect": ((mean[True] - mean[False]) * share.mean(axis=1)).sum(),
            "n": n[True].sum(),
            "previous_n": n[False].sum(),
        }
    )


SIZE_CHANGE = f"""
SELECT sum(p * m) AS mean, sum(p0 * m0) AS previous_mean, sum(p * m) - sum(p0 * m0) AS deal_size_change,
       sum((p - p0) * (m + m0) / 2) AS mix_effect, sum((m - m0) * (p + p0) / 2) AS price_effect,
       sum(n) AS n, sum(n0) AS previous_n
FROM (SELECT n, n0, n / sum(n) OVER () AS p, n0 / sum(n0) OVER () AS p0, coalesce(m, m0) AS m, coalesce(m0, m) AS m0
      FROM (SELECT segment, count(*) FILTER (now) AS n, count(*) FILTER (NOT now) AS n0,
                   avg(amount_base_cents) FILTER (now) / 100 AS m, avg(amount_base_cents) FILTER (NOT now) / 100 AS m0
            FROM (SELECT segment, amount_base_cents, closed_date >= DATE '{YEAR[0]}' AS now FROM deals
                  WHERE status = 'won' AND amount_base_cents > 0
                  AND closed_date >= DATE '{YEAR_BEFORE[0]}' AND closed_date < DATE '{YEAR[1]}') d
            GROUP BY ALL) c) s
"""


RIVALS = {
    "revenue_growth": Rival(
        reads={"deals": ["status", "closed_date", "amount_base_cents"]},
        options={"period": YEAR},
        sql=REVENUE_GROWTH,
        pandas=_revenue_growth,
        same=("bookings", "previous", "revenue_growth", "n", "previous_n"),
    ),
    "deal_size_change": Rival(
        reads={"deals": ["status", "closed_date", "amount_base_cents", "segment"]},
        options={"period": YEAR},
        sql=SIZE_CHANGE,
        pandas=_size_change,
        same=("mean", "previous_mean", "deal_size_change", "mix_effect", "price_effect", "n", "previous_n"),
    ),
}
