"""The pipeline as it is, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import DAY, WILSON, alive, days, number, wilson


def _open_pipeline(deals: pd.DataFrame) -> pd.DataFrame:
    x = deals.loc[deals["status"] == "open", ["team", "amount_base_cents"]]
    due = days(deals.loc[deals["status"] == "open", "expected_close_date"])
    x = x.assign(
        none=x["amount_base_cents"].isna(),
        undated=np.isnan(due),
        late=due < DAY,
        late_value=x["amount_base_cents"].where(due < DAY),
    )
    made = x.groupby("team", dropna=False).agg(
        value=("amount_base_cents", "sum"),
        n=("none", "size"),
        without_amount=("none", "sum"),
        undated=("undated", "sum"),
        past_due=("late", "sum"),
        past_due_value=("late_value", "sum"),
    )
    top = x.sort_values("amount_base_cents", ascending=False).groupby("team", dropna=False).head(5)
    top5 = top.groupby("team", dropna=False)["amount_base_cents"].sum()
    return made.assign(
        open_pipeline=made["value"] / 100,
        past_due_value=made["past_due_value"] / 100,
        top5_share=top5 / made["value"],
    )


OPEN_PIPELINE = """
SELECT team, coalesce(sum(amount_base_cents), 0) / 100 AS open_pipeline, count(*) AS n,
       count(*) - count(amount_base_cents) AS without_amount, count(*) - count(expected_close_date) AS undated,
       count(*) FILTER (expected_close_date < {as_of}) AS past_due,
       coalesce(sum(amount_base_cents) FILTER (expected_close_date < {as_of}), 0) / 100 AS past_due_value,
       list_sum(max(amount_base_cents, 5)) / sum(amount_base_cents) AS top5_share
FROM deals WHERE status = 'open' GROUP BY team ORDER BY team NULLS LAST
"""


def _pipeline_coverage(deals: pd.DataFrame, quotas: pd.DataFrame) -> pd.DataFrame:
    due, closed, cents = (
        days(deals["expected_close_date"]),
        days(deals["closed_date"]),
        deals["amount_base_cents"],
    )
    start, end = number("2026-10-01"), number("2026-12-31")
    is_open, is_won = (deals["status"] == "open").to_numpy(), (deals["status"] == "won").to_numpy()
    ahead = is_open & (due >= DAY) & (due <= end)
    parts = pd.DataFrame(
        {
            "open_value": cents.where(ahead),
            "won_value": cents.where(is_won & (closed >= start) & (closed <= end)),
            "past_due_value": cents.where(is_open & (due < DAY)),
            "n": ahead * 100,
        }
    )
    made = parts.groupby(deals["team"], dropna=False).sum() / 100
    begun, over = days(quotas["period_start_date"]), days(quotas["period_end_date"])
    counts = quotas["metric"].isin(["bookings", "revenue"]) & (begun >= start) & (over <= end)
    quota = quotas[counts & alive(quotas)].groupby("team")["quota_amount_base_cents"].sum() / 100
    made = made.join(quota.rename("quota"), how="outer").fillna(0)
    left = made["quota"] - made["won_value"]
    return made.assign(
        remaining=left,
        pipeline_coverage=made["open_value"] / left.where(left > 0),
        coverage_of_full_quota=made["open_value"] / made["quota"].where(made["quota"] > 0),
        day=DAY - start + 1,
        days=end - start + 1,
    )


PIPELINE_COVERAGE = """
WITH d AS (SELECT team, coalesce(sum(amount_base_cents) FILTER (status = 'open' AND due BETWEEN {as_of} AND '2026-12-31'), 0) / 100 AS open_value,
             coalesce(sum(amount_base_cents) FILTER (status = 'won' AND closed BETWEEN '2026-10-01' AND '2026-12-31'), 0) / 100 AS won_value,
             coalesce(sum(amount_base_cents) FILTER (status = 'open' AND due < {as_of}), 0) / 100 AS past_due_value,
             count(*) FILTER (status = 'open' AND due BETWEEN {as_of} AND '2026-12-31') AS n
      FROM (SELECT team, status, amount_base_cents, expected_close_date AS due, closed_date AS closed FROM deals
            WHERE status = 'open' OR (status = 'won' AND closed_date >= '2026-10-01')) GROUP BY team),
q AS (SELECT team, sum(quota_amount_base_cents) / 100 AS quota FROM quotas
      WHERE metric IN ('bookings', 'revenue') AND is_deleted IS NOT TRUE AND period_start_date >= '2026-10-01'
        AND period_end_date <= '2026-12-31' GROUP BY team)
SELECT team, coalesce(open_value, 0) AS open_value, coalesce(won_value, 0) AS won_value, coalesce(quota, 0) AS quota,
       coalesce(quota, 0) - coalesce(won_value, 0) AS remaining, coalesce(past_due_value, 0) AS past_due_value,
       CASE WHEN quota > won_value THEN open_value / (quota - won_value) END AS pipeline_coverage,
       open_value / nullif(quota, 0) AS coverage_of_full_quota, coalesce(n, 0) AS n,
       {as_of} - DATE '2026-10-01' + 1 AS day, 92 AS days
FROM d FULL JOIN q USING (team) ORDER BY team NULLS LAST
"""


def _weighted_pipeline(deals: pd.DataFrame) -> pd.DataFrame:
    x = deals[deals["status"] == "open"]
    cents, p, due = x["amount_base_cents"], x["probability"], days(x["expected_close_date"])
    made = (
        pd.DataFrame(
            {
                "team": x["team"],
                "value": cents,
                "w": np.floor(cents * p + 0.5),
                "v": cents**2 * p * (1 - p),
                "below": cents.where(p.notna() & (cents < 0)),
                "said": cents.where(p.notna()),
                "none": cents.isna(),
                "unsaid": p.isna(),
                "late": due < DAY,
            }
        )
        .groupby("team", dropna=False)
        .agg(
            value=("value", "sum"),
            w=("w", "sum"),
            top=("w", "max"),
            v=("v", "sum"),
            below=("below", "sum"),
            said=("said", "sum"),
            n=("none", "size"),
            without_amount=("none", "sum"),
            without_probability=("unsaid", "sum"),
            past_due=("late", "sum"),
        )
    )
    half = 1.959963984540054 * np.sqrt(made["v"])
    return made.assign(
        open_value=made["value"] / 100,
        weighted_pipeline=made["w"] / 100,
        low=np.maximum(made["w"] - half, made["below"]) / 100,
        high=np.minimum(made["w"] + half, made["said"] - made["below"]) / 100,
        top_deal_share=made["top"] / made["w"],
    )


WEIGHTED_PIPELINE = """
SELECT team, coalesce(sum(a), 0) / 100 AS open_value, sum(w) / 100 AS weighted_pipeline,
       greatest(sum(w) - 1.959963984540054 * sqrt(sum(v)), coalesce(sum(a) FILTER (p IS NOT NULL AND a < 0), 0)) / 100 AS low,
       least(sum(w) + 1.959963984540054 * sqrt(sum(v)), sum(a) FILTER (p IS NOT NULL AND a > 0)) / 100 AS high,
       count(*) AS n, count(*) - count(a) AS without_amount, count(*) - count(p) AS without_probability,
       count(*) FILTER (expected_close_date < {as_of}) AS past_due, max(w) / sum(w) AS top_deal_share
FROM (SELECT team, expected_close_date, amount_base_cents::DOUBLE AS a, probability AS p, floor(a * p + 0.5) AS w, a * a * p * (1 - p) AS v
      FROM deals WHERE status = 'open') GROUP BY team ORDER BY team NULLS LAST
"""


def _concentration(deals: pd.DataFrame) -> pd.DataFrame:
    x = deals[deals["status"] == "open"]
    who = x["account_id"].fillna(x["deal_id"])
    each = x.groupby([x["team"], who], dropna=False)["amount_base_cents"].agg(["sum", "count", "size"])
    size = each["sum"].where(each["sum"] > 0)
    parts = pd.DataFrame({"size": size, "square": size**2, "none": each["size"] - each["count"]})
    teams = parts.groupby(level=0, dropna=False)
    value, top1 = teams["size"].sum(), teams["size"].max()
    top = parts.sort_values("size", ascending=False).groupby(level=0, dropna=False).head(5)
    index = teams["square"].sum() / value**2
    return pd.DataFrame(
        {
            "value": value / 100,
            "value_without_top1": (value - top1) / 100,
            "top1_share": top1 / value,
            "top5_share": top.groupby(level=0, dropna=False)["size"].sum() / value,
            "effective_number": 1 / index,
            "concentration": index,
            "without_amount": teams["none"].sum(),
            "n": teams["size"].count(),
        }
    )


CONCENTRATION = """
WITH a AS (SELECT team, sum(amount_base_cents)::DOUBLE AS all_of, CASE WHEN all_of > 0 THEN all_of END AS c,
             count(*) - count(amount_base_cents) AS none
      FROM deals WHERE status = 'open' GROUP BY team, coalesce(account_id, deal_id))
SELECT team, sum(c) / 100 AS value, (sum(c) - max(c)) / 100 AS value_without_top1, max(c) / sum(c) AS top1_share,
       list_sum(max(c, 5)) / sum(c) AS top5_share, sum(c * c) / (sum(c) * sum(c)) AS concentration, 1 / concentration AS effective_number,
       sum(none) AS without_amount, count(c) AS n
FROM a GROUP BY team ORDER BY team NULLS LAST
"""


def _pipeline_hygiene(deals: pd.DataFrame, activities: pd.DataFrame) -> pd.DataFrame:
    at = days(activities["started_at"])
    recent = (
        (at <= DAY)
        & (at > DAY - 30)
        & activities["is_done"].fillna(False).to_numpy(dtype=bool)
        & alive(activities)
    )
    won, x = deals[deals["status"] == "won"], deals[deals["status"] == "open"]
    took = days(won["closed_date"]) - days(won["created_date"])
    took = took[took >= 0]
    usual = np.quantile(took, 0.95) if len(took) >= 20 else np.nan
    due, age = days(x["expected_close_date"]), DAY - days(x["created_date"])
    dates = pd.Series(due, dtype="float").astype("Int64")
    last = pd.to_datetime(dates, unit="D").dt.is_month_end.to_numpy(dtype=bool, na_value=False)
    some, step = ~np.isnan(due), (x["next_step"].fillna("") == "").to_numpy()
    cents = x["amount_base_cents"].to_numpy()
    checks = [
        (some, last),
        (age >= 30, ~x["deal_id"].isin(activities["deal_id"][recent]).to_numpy()),
        (np.full(len(x), True), np.isnan(cents)),
        (x["is_current"].to_numpy() & deals["next_step"].fillna("").ne("").any(), step),
        (some, due < DAY),
        (~np.isnan(age) & (usual == usual), age > usual),
    ]
    made = pd.DataFrame(
        {
            "failing": (applies & fails).sum(),
            "n": applies.sum(),
            "value": np.nansum(cents[applies & fails]) / 100,
            "of_value": np.nansum(cents[applies]) / 100,
        }
        for applies, fails in checks
    )
    low, high = wilson(made["failing"], made["n"])
    return made.assign(
        value_share=made["value"] / made["of_value"],
        pipeline_hygiene=made["failing"] / made["n"],
        limit=[np.nan, 30, np.nan, np.nan, np.nan, usual],
        low=low,
        high=high,
    )


CHECKS = {
    "month_end": ("due IS NOT NULL", "due = last_day(due)"),
    "no_activity": ("age >= 30", "NOT active"),
    "no_amount": ("TRUE", "cents IS NULL"),
    "no_next_step": ("is_current AND noted", "coalesce(next_step, '') = ''"),
    "past_due": ("due IS NOT NULL", "due < {as_of}"),
    "too_old": ("age IS NOT NULL AND wins >= 20", "age > usual"),
}


def _listed(figure: str) -> str:
    found = (figure.format(a=applies, f=fails) for applies, fails in CHECKS.values())
    return f"unnest([{', '.join(found)}])"


PIPELINE_HYGIENE = f"""
WITH u AS (SELECT quantile_cont(closed_date - created_date, 0.95) FILTER (status = 'won' AND closed_date >= created_date) AS usual,
             count(*) FILTER (status = 'won' AND closed_date >= created_date) AS wins, bool_or(next_step <> '') AS noted FROM deals),
a AS (SELECT deal_id FROM activities WHERE deal_id IS NOT NULL AND is_done AND is_deleted IS NOT TRUE
        AND started_at >= {{as_of}} - 29 AND started_at < {{as_of}} + 1),
x AS (SELECT expected_close_date AS due, {{as_of}} - created_date AS age, amount_base_cents AS cents, is_current, next_step,
             deal_id IN (SELECT deal_id FROM a) AS active, u.*
      FROM deals CROSS JOIN u WHERE status = 'open'),
t AS (SELECT {_listed("count(*) FILTER (({a}) AND {f})")} AS failing, {_listed("count(*) FILTER ({a})")} AS n,
             {_listed("coalesce(sum(cents) FILTER (({a}) AND {f}), 0) / 100")} AS value,
             {_listed("sum(cents) FILTER ({a}) / 100")} AS of_value,
             unnest([NULL, 30, NULL, NULL, NULL, max(usual)]) AS "limit" FROM x)
SELECT *, value / nullif(of_value, 0) AS value_share, failing / n AS pipeline_hygiene, {WILSON.format(k="failing", n="n")} FROM t
"""


RIVALS = {
    "open_pipeline": Rival(
        reads={"deals": ["team", "status", "expected_close_date", "amount_base_cents"]},
        options={"by": "team"},
        sql=OPEN_PIPELINE,
        pandas=_open_pipeline,
    ),
    "pipeline_coverage": Rival(
        reads={
            "deals": ["team", "status", "expected_close_date", "closed_date", "amount_base_cents"],
            "quotas": [
                "team",
                "metric",
                "period_start_date",
                "period_end_date",
                "quota_amount_base_cents",
                "is_deleted",
            ],
        },
        options={"by": "team", "period": "2026-Q4"},
        sql=PIPELINE_COVERAGE,
        pandas=_pipeline_coverage,
    ),
    "weighted_pipeline": Rival(
        reads={"deals": ["team", "status", "expected_close_date", "amount_base_cents", "probability"]},
        options={"by": "team"},
        sql=WEIGHTED_PIPELINE,
        pandas=_weighted_pipeline,
    ),
    "concentration": Rival(
        reads={"deals": ["team", "status", "account_id", "deal_id", "amount_base_cents"]},
        options={"by": "team"},
        sql=CONCENTRATION,
        pandas=_concentration,
    ),
    "pipeline_hygiene": Rival(
        reads={
            "deals": [
                "deal_id",
                "status",
                "created_date",
                "closed_date",
                "expected_close_date",
                "amount_base_cents",
                "next_step",
                "is_current",
            ],
            "activities": ["deal_id", "started_at", "is_done", "is_deleted"],
        },
        sql=PIPELINE_HYGIENE,
        pandas=_pipeline_hygiene,
    ),
}
