"""What past periods teach about the one under way, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import (
    AS_OF,
    RATES,
    SPAN,
    WILSON,
    Array,
    converted,
    dates_of,
    days,
    number,
    rate_on,
    ratio_spread,
    spans_of,
    wilson,
)
from benchmarks.rivals._raw import from_history

# The last eight finished quarters, looked at on the 31st day of each, as 31 October is of its quarter.
FIRST, END = "DATE '2024-10-01'", "DATE '2026-10-01'"
QUARTER_RATES = """
e AS (SELECT q, currency_code, arg_max(rate, rate_date) AS rate
      FROM (SELECT (DATE '2024-10-01' + to_months((3 * i)::INT))::DATE AS q FROM range(8) t(i))
      JOIN (SELECT from_currency_code AS currency_code, rate::DOUBLE AS rate, rate_date FROM exchange_rates
            UNION ALL SELECT 'EUR', 1, DATE '2000-01-01') ON rate_date <= q + 30 GROUP BY ALL)"""

WON_IN_QUARTER = f"""
w AS (SELECT deal_id, date_trunc('quarter', closed_date)::DATE AS q, (q + INTERVAL 3 MONTH)::DATE AS next, {{what}} FROM deal_versions
      WHERE status = 'won' AND closed_date >= {FIRST} AND closed_date < {END} AND closed_date > q + 30
        AND valid_from_date < next AND coalesce(valid_to_date >= next, TRUE))"""
"""Deals won after the 31st day of a quarter, as they stood at its end."""


def _quarters(dates: pd.Series[Any]) -> Array:
    """First day of the quarter of each date, as days since 1970; NaN outside the eight quarters."""
    found = dates.to_numpy().astype("datetime64[D]")
    months = found.astype("datetime64[M]").astype(int)
    first = (months - months % 3).astype("datetime64[M]").astype("datetime64[D]").astype(float)
    inside = (first >= number("2024-10-01")) & (first < number("2026-10-01")) & ~np.isnat(found)
    return np.where(inside, first, np.nan)


def _quarter_cents(x: pd.DataFrame, exchange_rates: pd.DataFrame) -> Array:
    """Hundredths at the rates of the 31st day of the quarter."""
    made = np.full(len(x), np.nan)
    for quarter in np.unique(x["q"]):
        here = (x["q"] == quarter).to_numpy()
        made[here] = converted(x[here], rate_on(exchange_rates, quarter + 30))
    return made


def _then(deal_versions: pd.DataFrame, exchange_rates: pd.DataFrame) -> pd.DataFrame:
    """Deals open on the 31st day of the quarter in which they were expected."""
    x = deal_versions[deal_versions["status"] == "open"]
    quarter, (begun, end) = _quarters(x["expected_close_date"]), spans_of(x)
    held = (begun <= quarter + 30) & (end > quarter + 30)
    x = x[held].assign(q=quarter[held], due=days(x["expected_close_date"])[held])
    return x.assign(cents=_quarter_cents(x, exchange_rates))


def _needed(sums: pd.DataFrame) -> pd.DataFrame:
    """The ratio of the sums over the quarters in which something was open, with its interval."""
    sums = sums.loc[sums["opened"] > 0, ["opened", "won", "every"]].astype(float)
    opened, won, besides = sums["opened"], sums["won"], sums["every"] - sums["won"]
    total, gained, n = opened.sum(), won.sum(), len(sums)
    share, half = ratio_spread(gained, total, won @ won, won @ opened, opened @ opened, n)
    half = half if n >= 4 else np.nan
    return pd.DataFrame(
        {
            "open_value": [total / 100],
            "won_value": gained / 100,
            "won_besides": besides.sum() / 100,
            "won_share": gained / total,
            "besides_share": besides.sum() / total,
            "required_coverage": total / gained,
            "low": 1 / (share + half),
            "high": np.inf if share <= half else 1 / (share - half),
            "day": 31,
            "days": 92,
            "n": n,
        }
    )


def _required_coverage(deal_versions: pd.DataFrame, exchange_rates: pd.DataFrame) -> pd.DataFrame:
    then = _then(deal_versions, exchange_rates)
    then = then[then["due"] >= then["q"] + 30]
    won = deal_versions[(deal_versions["status"] == "won") & deal_versions["valid_to"].isna()]
    won = won.assign(q=_quarters(won["closed_date"]), closed=days(won["closed_date"]))
    won = won.loc[won["closed"] > won["q"] + 30, ["deal_id", "q", "amount_base_cents"]]
    both = then[["deal_id", "q"]].merge(won, on=["deal_id", "q"])
    sums = {
        "opened": then.groupby("q")["cents"].sum(),
        "won": both.groupby("q")["amount_base_cents"].sum(),
        "every": won.groupby("q")["amount_base_cents"].sum(),
    }
    return _needed(pd.DataFrame(sums).fillna(0))


REQUIRED_COVERAGE = f"""
WITH {QUARTER_RATES},
o AS (SELECT deal_id, q, round(amount::DOUBLE * rate * 100) AS c
      FROM (SELECT deal_id, date_trunc('quarter', expected_close_date)::DATE AS q, amount, currency_code FROM deal_versions
            WHERE status = 'open' AND expected_close_date >= {FIRST} AND expected_close_date < {END} AND expected_close_date >= q + 30
              AND valid_from_date <= q + 30 AND coalesce(valid_to_date > q + 30, TRUE)) LEFT JOIN e USING (q, currency_code)),
w AS (SELECT deal_id, date_trunc('quarter', closed_date)::DATE AS q, amount_base_cents AS gain FROM deal_versions
      WHERE status = 'won' AND valid_to IS NULL AND closed_date >= {FIRST} AND closed_date < {END} AND closed_date > q + 30)
SELECT q, coalesce(sum(c), 0) AS opened, coalesce(sum(gain) FILTER (o.deal_id IS NOT NULL), 0) AS won, coalesce(sum(gain), 0) AS every
FROM o FULL JOIN w USING (deal_id, q) GROUP BY q ORDER BY q
"""


SUMS = ["forecast", "came", "likely", "wins", "priced", "n"]


def _bias(sums: pd.DataFrame) -> pd.DataFrame:
    """The bias over all quarters from the sums of each, with its interval."""
    known = sums.loc[sums["n"] > 0, SUMS].astype(float)
    won, off = known["came"], known["forecast"] - known["came"]
    bias, half = ratio_spread(off.sum(), won.sum(), off @ off, off @ won, won @ won, len(known))
    return pd.DataFrame(
        {
            "forecast": [known["forecast"].sum() / 100],
            "won_value": won.sum() / 100,
            "weighted_pipeline_bias": bias,
            "low": bias - half,
            "high": bias + half,
            "count_bias": known["likely"].sum() / known["wins"].sum() - 1,
            "amount_bias": known["priced"].sum() / won.sum() - 1,
            "other_mean": sums["rest"].mean() / 100,
            "other_sd": sums["rest"].astype(float).std() / 100,
            "periods": len(known),
            "n": known["n"].sum(),
        }
    )


def _weighted_pipeline_bias(deal_versions: pd.DataFrame, exchange_rates: pd.DataFrame) -> pd.DataFrame:
    then = _then(deal_versions, exchange_rates)[["deal_id", "q", "cents", "probability"]]
    won = deal_versions[deal_versions["status"] == "won"]
    quarter, (begun, end) = _quarters(won["closed_date"]), spans_of(won)
    starts = np.where(np.isnan(quarter), 0, quarter).astype("datetime64[D]").astype("datetime64[M]")
    last = (starts + 3).astype("datetime64[D]").astype(float) - 1
    came = (days(won["closed_date"]) > quarter + 30) & (begun <= last) & (end > last)
    won = won[came].assign(q=quarter[came], gain=won["amount_base_cents"][came].fillna(0))
    both = then.merge(won[["deal_id", "q", "gain"]], on=["deal_id", "q"], how="outer")
    counts = (both["cents"].notna() & both["probability"].notna()).to_numpy()
    known, gain = both[counts], both["gain"].fillna(0)
    each = pd.DataFrame(
        {
            "q": known["q"],
            "forecast": np.floor(known["cents"] * known["probability"] + 0.5),
            "came": gain[counts],
            "likely": known["probability"],
            "wins": known["gain"].notna(),
            "priced": known["cents"].where(known["gain"].notna()),
            "n": 1,
        }
    )
    sums = each.groupby("q").sum().join(gain[~counts].groupby(both["q"]).sum().rename("rest"), how="outer")
    return _bias(sums.fillna(0))


WEIGHTED_PIPELINE_BIAS = f"""
WITH {QUARTER_RATES},
o AS (SELECT deal_id, q, CASE WHEN probability IS NOT NULL THEN round(amount::DOUBLE * rate * 100) END AS c, probability AS p
      FROM (SELECT deal_id, date_trunc('quarter', expected_close_date)::DATE AS q, amount, currency_code, probability FROM deal_versions
            WHERE status = 'open' AND expected_close_date >= {FIRST} AND expected_close_date < {END}
              AND valid_from_date <= q + 30 AND coalesce(valid_to_date > q + 30, TRUE)) LEFT JOIN e USING (q, currency_code)),
{WON_IN_QUARTER.format(what="coalesce(amount_base_cents, 0) AS gain")}
SELECT q, coalesce(sum(floor(c * p + 0.5)), 0) AS forecast, coalesce(sum(gain) FILTER (c IS NOT NULL), 0) AS came,
       coalesce(sum(p) FILTER (c IS NOT NULL), 0) AS likely, count(gain) FILTER (c IS NOT NULL) AS wins,
       coalesce(sum(c) FILTER (gain IS NOT NULL), 0) AS priced, coalesce(sum(gain) FILTER (c IS NULL), 0) AS rest, count(c) AS n
FROM o FULL JOIN w USING (deal_id, q) GROUP BY q ORDER BY q
"""


AGES = (0, 30, 90, 180, 365)


def _stage_ages(deal_versions: pd.DataFrame) -> pd.DataFrame:
    v = deal_versions
    quarters = np.arange("2024-10", "2026-10", 3, dtype="datetime64[M]")
    keep = v["status"].isin(["open", "won"]).to_numpy()
    v = v[keep]
    is_open = (v["status"] == "open").to_numpy()
    due = np.where(is_open, dates_of(v["expected_close_date"]), dates_of(v["closed_date"]))
    months = due.astype("datetime64[M]").astype("int64")
    quarter = (months // 3 * 3).astype("datetime64[M]").astype("datetime64[D]")
    day = quarter + 30
    last = (months // 3 * 3 + 3).astype("datetime64[M]").astype("datetime64[D]") - 1
    at = np.where(is_open, day, last)
    start, end = dates_of(v["valid_from_date"]), dates_of(v["valid_to_date"])
    counts = np.isin(quarter, quarters) & (start <= at) & ~(end <= at) & (is_open | (due > day))
    v = v.assign(quarter=quarter, age=(day - dates_of(v["created_date"])).astype("float64"))[counts]
    here, won = v[is_open[counts]], v[~is_open[counts]]
    here = here[["deal_id", "quarter", "stage_name", "age"]].merge(
        won[["deal_id", "quarter"]].assign(won=1), on=["deal_id", "quarter"], how="left"
    )
    ages = np.array(AGES)[np.clip(np.searchsorted(AGES, here["age"], side="right") - 1, 0, None)]
    made = here["won"].fillna(0).groupby([here["stage_name"], ages]).agg(["sum", "size"])
    low, high = wilson(made["sum"], made["size"])
    return pd.DataFrame(
        {
            "won": made["sum"],
            "age_from": made.index.get_level_values(1),
            "stage_age_rates": made["sum"] / made["size"],
            "low": low,
            "high": high,
            "n": made["size"],
        }
    )


STAGE_AGES = f"""
WITH o AS (SELECT deal_id, stage_name, created_date, date_trunc('quarter', expected_close_date)::DATE AS q FROM deal_versions
           WHERE status = 'open' AND expected_close_date >= {FIRST} AND expected_close_date < {END}
             AND valid_from_date <= q + 30 AND coalesce(valid_to_date > q + 30, TRUE)),
{WON_IN_QUARTER.format(what="TRUE AS won")}
SELECT stage_name, age_from, count(won) AS won, count(*) AS n, count(won) / count(*) AS stage_age_rates,
       {WILSON.format(k="count(won)", n="count(*)")}
FROM (SELECT stage_name, won, CASE WHEN age >= 365 THEN 365 WHEN age >= 180 THEN 180 WHEN age >= 90 THEN 90 WHEN age >= 30 THEN 30 ELSE 0 END AS age_from
      FROM (SELECT stage_name, q + 30 - created_date AS age, won FROM o LEFT JOIN w USING (deal_id, q)) a) c
GROUP BY stage_name, age_from ORDER BY stage_name, age_from
"""


RIVALS = {
    "required_coverage": Rival(
        reads={
            "deal_versions": [*SPAN, "valid_to", "expected_close_date", "closed_date", "amount_base_cents"],
            "exchange_rates": RATES,
        },
        sql=REQUIRED_COVERAGE,
        raw=from_history(REQUIRED_COVERAGE),
        finish=_needed,
        pandas=_required_coverage,
    ),
    "weighted_pipeline_bias": Rival(
        reads={
            "deal_versions": [
                *SPAN,
                "expected_close_date",
                "closed_date",
                "probability",
                "amount_base_cents",
            ],
            "exchange_rates": RATES,
        },
        sql=WEIGHTED_PIPELINE_BIAS,
        raw=from_history(WEIGHTED_PIPELINE_BIAS),
        finish=_bias,
        pandas=_weighted_pipeline_bias,
    ),
    "stage_age_rates": Rival(
        reads={
            "deal_versions": [
                "deal_id",
                "status",
                "stage_name",
                "expected_close_date",
                "closed_date",
                "valid_from_date",
                "valid_to_date",
                "created_date",
            ]
        },
        options={"as_of": AS_OF},
        sql=STAGE_AGES,
        raw=from_history(STAGE_AGES),
        pandas=_stage_ages,
    ),
}
