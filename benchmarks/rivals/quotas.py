"""Quotas by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import WILSON, Array, alive, between, dates_of, median_bounds, wilson

QUARTER = ("2026-07-01", "2026-10-01")
REP_MONTHS = """SELECT rep_id, date_trunc('month', day) AS month, sum(quota) AS quota, coalesce(sum(cents), 0) AS credited
                FROM (SELECT rep_id, period_start_date AS day, quota_amount_base_cents AS quota, NULL AS cents FROM quotas
                      WHERE metric = 'bookings' AND is_deleted IS NOT TRUE{span_of_quotas}
                      UNION ALL SELECT rep_id, credit_date, NULL, amount_base_cents FROM credits{span_of_credits}) u
                GROUP BY ALL"""


ALL_MONTHS = REP_MONTHS.format(span_of_quotas="", span_of_credits="")
QUARTER_MONTHS = REP_MONTHS.format(
    span_of_quotas=" AND period_start_date >= DATE '2026-07-01' AND period_start_date < DATE '2026-10-01'",
    span_of_credits=" WHERE credit_date >= DATE '2026-07-01' AND credit_date < DATE '2026-10-01'",
)


def _rep_months(quotas: pd.DataFrame, credits: pd.DataFrame, *span: str) -> pd.DataFrame:
    """Quota (NaN where none) and credits of each rep and month."""
    mine = (quotas["metric"] == "bookings") & alive(quotas)
    if span:
        mine &= between(dates_of(quotas["period_start_date"]), *span)
        credits = credits[between(dates_of(credits["credit_date"]), *span)]
    quotas = quotas[mine]
    starts = dates_of(quotas["period_start_date"]).astype("datetime64[M]")
    months = dates_of(credits["credit_date"]).astype("datetime64[M]")
    targets = quotas.assign(month=starts).groupby(["rep_id", "month"])["quota_amount_base_cents"].sum()
    came = credits.assign(month=months).groupby(["rep_id", "month"])["amount_base_cents"].sum()
    both = pd.concat({"quota": targets, "credited": came}, axis=1)
    return both.assign(credited=both["credited"].fillna(0)).reset_index()


def _attainment(quotas: pd.DataFrame, credits: pd.DataFrame) -> pd.DataFrame:
    reps = _rep_months(quotas, credits)
    has = reps["quota"].notna()
    parts = pd.DataFrame(
        {
            "credited": reps["credited"].where(has, 0) / 100,
            "quota": reps["quota"].fillna(0) / 100,
            "without_quota": reps["credited"].where(~has, 0) / 100,
            "n": has,
        }
    )
    made = parts.groupby(reps["month"]).sum()
    return made.assign(quota_attainment=made["credited"] / made["quota"].where(made["quota"] > 0))


ATTAINMENT = f"""
SELECT month, coalesce(sum(credited) FILTER (quota IS NOT NULL), 0) / 100 AS credited, coalesce(sum(quota), 0) / 100 AS quota,
       sum(credited) FILTER (quota IS NOT NULL) / nullif(sum(m.quota), 0) AS quota_attainment,
       coalesce(sum(credited) FILTER (quota IS NULL), 0) / 100 AS without_quota, count(quota) AS n
FROM ({ALL_MONTHS}) m GROUP BY month ORDER BY month
"""


def _reps(quotas: pd.DataFrame, credits: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series[bool]]:
    """Each rep's quota and credits over the months with a quota, and whether these are enough to count."""
    months = _rep_months(quotas, credits, *QUARTER).dropna(subset="quota")
    reps = months.groupby("rep_id").agg(
        quota=("quota", "sum"), credited=("credited", "sum"), months=("quota", "size")
    )
    return reps, (reps["months"] >= 1.5) & (reps["quota"] > 0)


def _at_quota(quotas: pd.DataFrame, credits: pd.DataFrame) -> pd.DataFrame:
    reps, counts = _reps(quotas, credits)
    at, n = (counts & (reps["credited"] >= reps["quota"])).sum(), counts.sum()
    low, high = wilson(at, n)
    return pd.DataFrame(
        {
            "at_quota": [at],
            "part_period": (counts & (reps["months"] < 3)).sum(),
            "left_out": len(reps) - n,
            "share_of_reps_at_quota": at / n,
            "low": low,
            "high": high,
            "n": n,
        }
    )


REPS = f"""SELECT sum(quota) AS quota, sum(credited) AS credited, count(*) AS months, months >= 1.5 AND sum(m.quota) > 0 AS counts
           FROM ({QUARTER_MONTHS}) m WHERE quota IS NOT NULL GROUP BY rep_id"""


AT_QUOTA = f"""
SELECT *, at_quota / n AS share_of_reps_at_quota, {WILSON.format(k="at_quota", n="n")}
FROM (SELECT count(*) FILTER (counts AND credited >= quota) AS at_quota, count(*) FILTER (counts AND months < 3) AS part_period,
             count(*) FILTER (NOT counts) AS left_out, count(*) FILTER (counts) AS n
      FROM ({REPS}) r) s
"""


def _spread(share: Array, left_out: float) -> pd.DataFrame:
    """The distribution of the attainment of those who count."""
    from scipy.special import bdtr

    n, share = len(share), np.sort(share)
    lower = int(median_bounds(n))
    low, high = (share[lower - 1], share[n - lower]) if lower > 0 else (np.nan, np.nan)
    below, at, above = np.searchsorted(share, [0.9, 1, 1.1])
    below, above = at - below, above - at
    near = below + above
    p10, middle, p90 = np.quantile(share, [0.1, 0.5, 0.9])
    even = share.sum() > 0 and share[0] >= 0
    return pd.DataFrame(
        {
            "p10": [p10],
            "attainment_distribution": middle,
            "low": low,
            "high": high,
            "p90": p90,
            "mean": share.mean(),
            "gini": ((2 * np.arange(n) + 1 - n) @ share / (n * share.sum())) if even else np.nan,
            "just_below": below / n,
            "just_above": above / n,
            "bunching_p": min(1, 2 * bdtr(min(below, above), near, 0.5)) if near else np.nan,
            "n": n,
            "left_out": left_out,
        }
    )


def _distribution(quotas: pd.DataFrame, credits: pd.DataFrame) -> pd.DataFrame:
    reps, counts = _reps(quotas, credits)
    return _spread((reps["credited"] / reps["quota"])[counts].to_numpy(), (~counts).sum())


# One row per rep: what is made of these few is arithmetic.
DISTRIBUTION = f"SELECT credited / quota AS share, counts FROM ({REPS}) r"


def _of_reps(reps: pd.DataFrame) -> pd.DataFrame:
    counts = reps["counts"].to_numpy(dtype=bool)
    return _spread(reps["share"].to_numpy()[counts], (~counts).sum())


QUOTAS = {
    "quotas": ["rep_id", "metric", "period_start_date", "quota_amount_base_cents", "is_deleted"],
    "credits": ["rep_id", "credit_date", "amount_base_cents"],
}


RIVALS = {
    "quota_attainment": Rival(
        reads=QUOTAS,
        options={"by": "month"},
        sql=ATTAINMENT,
        pandas=_attainment,
    ),
    "share_of_reps_at_quota": Rival(
        reads=QUOTAS,
        options={"period": QUARTER},
        sql=AT_QUOTA,
        pandas=_at_quota,
    ),
    "attainment_distribution": Rival(
        reads=QUOTAS,
        options={"period": QUARTER},
        sql=DISTRIBUTION,
        finish=_of_reps,
        pandas=_distribution,
    ),
}
