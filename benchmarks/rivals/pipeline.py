"""The pipeline by hand: as it is, as it was, and how one became the other.

Periods are those of a company whose last day is `DAY` (see funnel), with euros to report in. Intervals with
Student's t are left to the KPI.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals.funnel import DAY, WILSON, Array, days, wilson

PERIOD, BEFORE, LAST = "2026-Q3", "DATE '2026-06-30'", "DATE '2026-09-30'"


def number(day: str) -> float:
    """Days since 1970."""
    return float((np.datetime64(day) - np.datetime64("1970-01-01")).astype(float))


T0, T1, PAST_END = number("2026-06-30"), number("2026-09-30"), number("9999-12-31")


def rates(day: str) -> str:
    """SQL for one row per currency with its newest rate on a day."""
    return f"""(SELECT from_currency_code AS currency_code, arg_max(rate::DOUBLE, rate_date) AS rate FROM exchange_rates
     WHERE rate_date <= {day} GROUP BY ALL UNION ALL SELECT 'EUR', 1)"""


def rate_on(exchange_rates: pd.DataFrame, day: float) -> dict[str, float]:
    """The newest rate of each currency on a day."""
    known = exchange_rates[days(exchange_rates["rate_date"]) <= day].sort_values("rate_date", kind="stable")
    newest = known.drop_duplicates("from_currency_code", keep="last")
    return dict(zip(newest["from_currency_code"], newest["rate"].astype(float), strict=True)) | {"EUR": 1.0}


def converted(versions: pd.DataFrame, rate: dict[str, float]) -> Array:
    """Hundredths of the reporting currency."""
    amount = versions["amount"].to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(np.floor(amount * versions["currency_code"].map(rate).to_numpy() * 100 + 0.5))


def _spans(deal_versions: pd.DataFrame) -> tuple[Array, Array]:
    """First day of each span and the day after its last one."""
    end = days(deal_versions["valid_to_date"])
    return days(deal_versions["valid_from_date"]), np.where(np.isnan(end), np.inf, end)


# --- as it is


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
    quota = quotas[counts & ~quotas["is_deleted"]].groupby("team")["quota_amount_base_cents"].sum() / 100
    made = made.join(quota.rename("quota"), how="outer").fillna(0)
    left = made["quota"] - made["won_value"]
    return made.assign(
        remaining=left,
        pipeline_coverage=made["open_value"] / left.where(left > 0),
        coverage_of_full_quota=made["open_value"] / made["quota"].where(made["quota"] > 0),
    )


PIPELINE_COVERAGE = """
WITH d AS (SELECT team, coalesce(sum(amount_base_cents) FILTER (status = 'open' AND due BETWEEN {as_of} AND '2026-12-31'), 0) / 100 AS open_value,
             coalesce(sum(amount_base_cents) FILTER (status = 'won' AND closed BETWEEN '2026-10-01' AND '2026-12-31'), 0) / 100 AS won_value,
             coalesce(sum(amount_base_cents) FILTER (status = 'open' AND due < {as_of}), 0) / 100 AS past_due_value,
             count(*) FILTER (status = 'open' AND due BETWEEN {as_of} AND '2026-12-31') AS n
      FROM (SELECT team, status, amount_base_cents, expected_close_date AS due, closed_date AS closed FROM deals
            WHERE status = 'open' OR (status = 'won' AND closed_date >= '2026-10-01')) GROUP BY team),
q AS (SELECT team, sum(quota_amount_base_cents) / 100 AS quota FROM quotas
      WHERE metric IN ('bookings', 'revenue') AND NOT is_deleted AND period_start_date >= '2026-10-01'
        AND period_end_date <= '2026-12-31' GROUP BY team)
SELECT team, coalesce(open_value, 0) AS open_value, coalesce(won_value, 0) AS won_value, coalesce(quota, 0) AS quota,
       coalesce(quota, 0) - coalesce(won_value, 0) AS remaining, coalesce(past_due_value, 0) AS past_due_value,
       CASE WHEN quota > won_value THEN open_value / (quota - won_value) END AS pipeline_coverage,
       open_value / nullif(quota, 0) AS coverage_of_full_quota, coalesce(n, 0) AS n
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
        & activities["is_done"].to_numpy()
        & ~activities["is_deleted"].to_numpy()
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
        low=low,
        high=high,
    )


CHECKS = {
    "month_end": ("due IS NOT NULL", "due = last_day(due)"),
    "no_activity": ("age >= 30", "active IS NULL"),
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
a AS (SELECT DISTINCT deal_id, TRUE AS active FROM activities WHERE is_done AND NOT is_deleted
        AND started_at >= {{as_of}} - 29 AND started_at < {{as_of}} + 1),
x AS (SELECT expected_close_date AS due, {{as_of}} - created_date AS age, amount_base_cents AS cents, is_current, next_step, active, u.*
      FROM deals LEFT JOIN a USING (deal_id) CROSS JOIN u WHERE status = 'open'),
t AS (SELECT {_listed("count(*) FILTER (({a}) AND {f})")} AS failing, {_listed("count(*) FILTER ({a})")} AS n,
             {_listed("coalesce(sum(cents) FILTER (({a}) AND {f}), 0) / 100")} AS value,
             {_listed("sum(cents) FILTER ({a}) / 100")} AS of_value FROM x)
SELECT *, value / nullif(of_value, 0) AS value_share, failing / n AS pipeline_hygiene, {WILSON.format(k="failing", n="n")} FROM t
"""


# --- as it was


def _pipeline_created(deal_versions: pd.DataFrame, exchange_rates: pd.DataFrame) -> pd.DataFrame:
    x = deal_versions.sort_values(["deal_id", "valid_from"])
    now = x[x["valid_to"].isna()].set_index("deal_id")
    known = (
        x[x["amount"].notna() & (x["status"] != "deleted")].drop_duplicates("deal_id").set_index("deal_id")
    )
    known = known.assign(day=days(known["valid_from_date"]), value=known["amount"].astype(float))
    listed = pd.DataFrame(
        {
            "day": days(exchange_rates["rate_date"]),
            "currency_code": exchange_rates["from_currency_code"],
            "rate": exchange_rates["rate"].astype(float),
        }
    )
    dated = known.reset_index()[["deal_id", "day", "currency_code", "value"]].sort_values("day")
    dated = pd.merge_asof(dated, listed.sort_values("day"), on="day", by="currency_code")
    deals = x.drop_duplicates("deal_id").set_index("deal_id")[["created_date"]]
    cents = converted(now, rate_on(exchange_rates, DAY))
    cents = np.where(
        now["status"] == "open", cents, now["amount_base_cents"].fillna(pd.Series(cents, now.index))
    )
    deals["first"] = (dated["value"] * dated["rate"].fillna(1)).set_axis(dated["deal_id"])
    deals["now"] = pd.Series(cents, now.index)[now["status"] != "deleted"]
    deals["without_amount"] = deals["first"].isna()
    deals["deleted"] = (now["status"] == "deleted").reindex(deals.index, fill_value=True)
    made = deals.groupby(deals["created_date"].to_numpy().astype("datetime64[M]")).agg(
        pipeline_created=("first", "sum"),
        value_now=("now", "sum"),
        n=("first", "size"),
        without_amount=("without_amount", "sum"),
        deleted=("deleted", "sum"),
    )
    return made.assign(value_now=made["value_now"] / 100)


PIPELINE_CREATED = f"""
WITH d AS (SELECT deal_id, any_value(created_date) AS created, any_value(currency_code) AS currency_code,
             min_by(amount::DOUBLE, valid_from) FILTER (status <> 'deleted') AS first,
             min(valid_from_date) FILTER (amount IS NOT NULL AND status <> 'deleted') AS day,
             any_value(status) FILTER (valid_to IS NULL) AS status, any_value(amount::DOUBLE) FILTER (valid_to IS NULL) AS amount,
             any_value(amount_base_cents) FILTER (valid_to IS NULL) AS booked
      FROM deal_versions GROUP BY deal_id),
k AS (SELECT *, round(amount * rate * 100) AS cents FROM d LEFT JOIN {rates("{as_of}")} USING (currency_code))
SELECT date_trunc('month', created) AS month, coalesce(sum(first * coalesce(r.rate::DOUBLE, 1)), 0) AS pipeline_created,
       coalesce(sum(CASE status WHEN 'open' THEN cents WHEN 'deleted' THEN NULL ELSE coalesce(booked, cents) END), 0) / 100 AS value_now,
       count(*) AS n, count(*) - count(first) AS without_amount, count(*) FILTER (status = 'deleted') AS deleted
FROM k ASOF LEFT JOIN exchange_rates r ON r.from_currency_code = k.currency_code AND k.day >= r.rate_date
GROUP BY 1 ORDER BY 1
"""


def _pipeline_waterfall(deal_versions: pd.DataFrame, exchange_rates: pd.DataFrame) -> pd.DataFrame:
    begun, end = _spans(deal_versions)
    is_open = (deal_versions["status"] == "open").to_numpy()
    kept = (begun <= T1) & (end > T0) & (is_open | (begun > T0) | (end <= T1))
    x = deal_versions[kept].assign(begun=begun[kept], end=end[kept]).sort_values(["deal_id", "valid_from"])
    value, value1 = (converted(x, rate_on(exchange_rates, day)) for day in (T0, T1))
    begun, end = x["begun"].to_numpy(), x["end"].to_numpy()
    is_open, is_won = (x["status"] == "open").to_numpy(), (x["status"] == "won").to_numpy()
    due = days(x["expected_close_date"])
    closed = days(x["closed_date"])
    new, before, now = begun > T0, begun <= T0, end > T1
    scope = is_open & (due > T0) & (due <= T1)
    won_in = is_won & new & (closed > T0) & (closed <= T1)
    valued = ~np.isnan(value)
    worth = np.nan_to_num(value)
    rows = pd.DataFrame(
        {
            "deal": x["deal_id"].to_numpy(),
            "inside": (scope & new & (end > begun)) | won_in,
            "touched": (scope & new) | won_in,
            "seen0": before,
            "open0": before & is_open,
            "in0": before & scope,
            "open1": now & is_open,
            "in1": now & scope,
            "won1": now & is_won,
            "lost1": now & (x["status"] == "lost").to_numpy(),
        }
    )
    deals = rows.groupby("deal", sort=False).any()
    at = rows["deal"].factorize()[0]

    def total(which: Array, values: Array) -> Array:
        return np.bincount(at[which], values[which], minlength=len(deals))

    def one(which: Array, keep: Literal["first", "last"]) -> Array:
        """The value of the first or last of these rows of each deal."""
        found = rows[which].drop_duplicates("deal", keep=keep).index.to_numpy()
        return np.bincount(at[found], value[found], minlength=len(deals))

    f = {name: deals[name].to_numpy() for name in deals}
    came_in = np.where(
        f["open0"], total(before & is_open, worth), one((is_open | is_won) & new & valued, "first")
    )
    left = f["lost1"] | (~f["open1"] & ~f["won1"])
    went = np.where(left, one(is_open & valued, "last"), total(now & (is_open | is_won), worth))
    stock = total(now & is_open, np.nan_to_num(value1))
    came = f["in0"] | f["inside"] | (f["touched"] & ~f["open1"])
    way_in = np.select([f["in0"], f["open0"], f["seen0"]], [0, 2, 3], 1)
    way_out = np.select([f["in1"], f["open1"], f["won1"], f["lost1"]], [13, 9, 7, 8], 11)
    change, fx = went - came_in, np.where(f["in1"], stock - went, 0)
    none = np.full(len(deals), False)
    bars = [(way_in == i, came_in) for i in range(4)] + [
        (none, came_in),
        (change > 0, change),
        (fx != 0, fx),
        (way_out == 7, went),
        (way_out == 8, went),
        (way_out == 9, went),
        (change < 0, -change),
        (way_out == 11, went),
        (none, came_in),
        (way_out == 13, stock),
    ]
    made = [{"value": v[came & which].sum() / 100, "n": (came & which).sum()} for which, v in bars]
    return pd.DataFrame(made)


BARS = [
    ("v_in", "way_in = 'open_start'"),
    ("v_in", "way_in = 'created'"),
    ("v_in", "way_in = 'pulled_in'"),
    ("v_in", "way_in = 'reopened'"),
    ("0", "FALSE"),
    ("v_out - v_in", "v_out > v_in"),
    ("v_end - v_out", "in1 AND v_end <> v_out"),
    ("v_out", "way_out = 'won'"),
    ("v_out", "way_out = 'lost'"),
    ("v_out", "way_out = 'pushed_out'"),
    ("v_in - v_out", "v_out < v_in"),
    ("v_out", "way_out = 'deleted'"),
    ("0", "FALSE"),
    ("v_end", "in1"),
]
PIPELINE_WATERFALL = f"""
WITH v AS (SELECT deal_id, valid_from, status = 'open' AS o, status = 'won' AS w, status = 'lost' AS l, valid_from_date > {BEFORE} AS new,
             coalesce(valid_to_date > {LAST}, TRUE) AS now, round(amount::DOUBLE * r.rate * 100) AS c, round(amount::DOUBLE * q.rate * 100) AS c1,
             o AND expected_close_date > {BEFORE} AND expected_close_date <= {LAST} AS scope,
             w AND new AND closed_date > {BEFORE} AND closed_date <= {LAST} AS won_in, coalesce(valid_to_date > valid_from_date, TRUE) AS stood
      FROM deal_versions LEFT JOIN {rates(BEFORE)} r USING (currency_code) LEFT JOIN {rates(LAST)} q USING (currency_code)
      WHERE valid_from_date <= {LAST} AND coalesce(valid_to_date > {BEFORE}, TRUE)
        AND (status = 'open' OR valid_from_date > {BEFORE} OR valid_to_date <= {LAST})),
d AS (SELECT deal_id, bool_or(NOT new) AS seen0, bool_or(o AND NOT new) AS open0, coalesce(bool_or(scope AND NOT new), FALSE) AS in0,
             coalesce(sum(c) FILTER (o AND NOT new), 0) AS value0, min_by(c, valid_from) FILTER ((o OR w) AND new) AS first,
             max_by(c, valid_from) FILTER (o) AS last_open, bool_or(o AND now) AS open1, coalesce(bool_or(scope AND now), FALSE) AS in1,
             bool_or(w AND now) AS won1, bool_or(l AND now) AS lost1, sum(c) FILTER (now AND (o OR w)) AS last,
             coalesce(sum(c1) FILTER (now AND o), 0) AS v_end, coalesce(bool_or((scope AND new AND stood) OR won_in), FALSE) AS inside,
             coalesce(bool_or((scope AND new) OR won_in), FALSE) AS touched
      FROM v GROUP BY deal_id),
s AS (SELECT in1, v_end, coalesce(CASE WHEN open0 THEN value0 ELSE first END, 0) AS v_in,
             coalesce(CASE WHEN open1 OR won1 THEN last ELSE last_open END, 0) AS v_out,
             CASE WHEN in0 THEN 'open_start' WHEN open0 THEN 'pulled_in' WHEN seen0 THEN 'reopened' ELSE 'created' END AS way_in,
             CASE WHEN open1 AND NOT in1 THEN 'pushed_out' WHEN won1 THEN 'won' WHEN lost1 THEN 'lost' WHEN NOT in1 THEN 'deleted' END AS way_out
      FROM d WHERE in0 OR inside OR (touched AND NOT open1))
SELECT unnest([{", ".join(f"coalesce(sum({value}) FILTER ({which}), 0) / 100" for value, which in BARS)}]) AS value,
       unnest([{", ".join(f"count(*) FILTER ({which})" for _, which in BARS)}]) AS n
FROM s
"""


def _push_rate(deal_versions: pd.DataFrame, exchange_rates: pd.DataFrame) -> pd.DataFrame:
    begun, end = _spans(deal_versions)
    is_open = (deal_versions["status"] == "open").to_numpy()
    kept = (begun <= T1) & (end > T0 - 2) & (is_open | (begun > T0))
    x, begun, end = deal_versions[kept], begun[kept], end[kept]
    due = np.nan_to_num(days(x["expected_close_date"]), nan=PAST_END)
    spans = pd.DataFrame({"deal": x["deal_id"], "due": due, "since": x["valid_from"], "until": x["valid_to"]})
    spans["until"] = spans["until"].fillna(pd.Timestamp("2262-01-01"))
    is_open = is_open[kept]
    stands = spans[is_open].groupby(["deal", "due"]).agg(since=("since", "min"), until=("until", "max"))
    before, after, now = (pd.Series((begun <= d) & (end > d), x.index) for d in (T0, T0 + 1, T1))
    a = spans[before & is_open].assign(cents=converted(x[before & is_open], rate_on(exchange_rates, T0)))
    a = a.join(stands, on=["deal", "due"], rsuffix="_stood").set_index("deal")
    following = spans[after & is_open].set_index("deal")["due"].reindex(a.index)
    stood = (a["until_stood"] - a["since_stood"]) >= pd.Timedelta(hours=24)
    due0 = a["due"].where(stood, following.fillna(a["due"])).to_numpy()
    b = x.assign(due=due)[now].set_index("deal_id").reindex(a.index)
    due1, still, closed = b["due"].to_numpy(), (b["status"] == "open").to_numpy(), days(b["closed_date"])
    promised, other = (due0 > T0) & (due0 <= T1), due0 > T1
    pushed = promised & still
    moved = pushed & (due1 > due0) & (due1 < PAST_END)
    pulled = other & (
        ((b["status"] == "won").to_numpy() & (closed > T0) & (closed <= T1))
        | (still & (due1 > T0) & (due1 <= T1))
    )
    cents, n, k = a["cents"].to_numpy(), promised.sum(), pushed.sum()
    low, high = wilson(k, n)
    return pd.DataFrame(
        {
            "pushed": [k],
            "past_due": (pushed & (due1 <= T1)).sum(),
            "push_rate": k / n,
            "low": low,
            "high": high,
            "n": n,
            "value": np.nansum(cents[promised]) / 100,
            "pushed_value": np.nansum(cents[pushed]) / 100,
            "push_rate_by_value": np.nansum(cents[pushed]) / np.nansum(cents[promised]),
            "mean_pushes": np.nanmean(b["pushes"].to_numpy()[promised]),
            "median_push_days": np.median((due1 - due0)[moved]),
            "pulled_in": pulled.sum(),
            "pulled_in_rate": pulled.sum() / other.sum(),
        }
    )


PUSH_RATE = f"""
WITH v AS (SELECT deal_id, status, valid_from_date AS f, coalesce(valid_to_date, DATE '9999-12-31') AS t, pushes, closed_date, amount, currency_code,
             coalesce(expected_close_date, DATE '9999-12-31') AS due, valid_from, coalesce(valid_to, TIMESTAMP '9999-12-31') AS valid_to
      FROM deal_versions WHERE valid_from_date <= {LAST} AND coalesce(valid_to_date > {BEFORE} - 2, TRUE)
        AND (status = 'open' OR valid_from_date > {BEFORE})),
w AS (SELECT *, max(valid_to) FILTER (status = 'open') OVER dated - min(valid_from) FILTER (status = 'open') OVER dated AS stood FROM v
      WINDOW dated AS (PARTITION BY deal_id, due)),
d AS (SELECT deal_id, any_value(amount::DOUBLE) FILTER (was) AS amount, any_value(currency_code) AS currency_code,
             any_value(due) FILTER (was) AS due_was, any_value(stood) FILTER (was) AS stood,
             any_value(due) FILTER (status = 'open' AND f <= {BEFORE} + 1 AND t > {BEFORE} + 1) AS due_next,
             any_value(status) FILTER (t > {LAST}) AS status, any_value(due) FILTER (t > {LAST}) AS due1,
             any_value(closed_date) FILTER (t > {LAST}) AS closed, any_value(pushes) FILTER (t > {LAST}) AS pushes
      FROM (SELECT *, status = 'open' AND f <= {BEFORE} AND t > {BEFORE} AS was FROM w) GROUP BY deal_id HAVING bool_or(was)),
m AS (SELECT *, round(amount * rate * 100) AS c,
             CASE WHEN stood >= INTERVAL 24 HOUR THEN due_was ELSE coalesce(due_next, due_was) END AS due0,
             due0 > {BEFORE} AND due0 <= {LAST} AS promised, due0 > {LAST} AS other, promised AND status = 'open' AS late
      FROM d LEFT JOIN {rates(BEFORE)} USING (currency_code))
SELECT count(*) FILTER (promised) AS n, count(*) FILTER (late) AS pushed, count(*) FILTER (late AND due1 <= {LAST}) AS past_due,
       pushed / n AS push_rate, {WILSON.format(k="pushed", n="n")}, sum(c) FILTER (promised) / 100 AS value,
       coalesce(sum(c) FILTER (late), 0) / 100 AS pushed_value, pushed_value / value AS push_rate_by_value,
       avg(pushes) FILTER (promised) AS mean_pushes,
       median(due1 - due0) FILTER (late AND due1 > due0 AND due1 < '9999-12-31') AS median_push_days,
       count(*) FILTER (other AND ((status = 'won' AND closed > {BEFORE} AND closed <= {LAST})
         OR (status = 'open' AND due1 > {BEFORE} AND due1 <= {LAST}))) AS pulled_in,
       pulled_in / count(*) FILTER (other) AS pulled_in_rate
FROM m
"""

# The last eight finished quarters, looked at on the 31st day of each, as 31 October is of its quarter.
FIRST, END = "DATE '2024-10-01'", "DATE '2026-10-01'"
QUARTER_RATES = """
e AS (SELECT q, currency_code, arg_max(rate, rate_date) AS rate
      FROM (SELECT (DATE '2024-10-01' + to_months((3 * i)::INT))::DATE AS q FROM range(8) t(i))
      JOIN (SELECT from_currency_code AS currency_code, rate::DOUBLE AS rate, rate_date FROM exchange_rates
            UNION ALL SELECT 'EUR', 1, DATE '2000-01-01') ON rate_date <= q + 30 GROUP BY ALL)"""


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
    quarter, (begun, end) = _quarters(x["expected_close_date"]), _spans(x)
    held = (begun <= quarter + 30) & (end > quarter + 30)
    x = x[held].assign(q=quarter[held], due=days(x["expected_close_date"])[held])
    return x.assign(cents=_quarter_cents(x, exchange_rates))


def _required_coverage(deal_versions: pd.DataFrame, exchange_rates: pd.DataFrame) -> pd.DataFrame:
    then = _then(deal_versions, exchange_rates)
    then = then[then["due"] >= then["q"] + 30]
    won = deal_versions[(deal_versions["status"] == "won") & deal_versions["valid_to"].isna()]
    won = won.assign(q=_quarters(won["closed_date"]), closed=days(won["closed_date"]))
    won = won.loc[won["closed"] > won["q"] + 30, ["deal_id", "q", "amount_base_cents"]]
    opened, every = then["cents"].sum() / 100, won["amount_base_cents"].sum() / 100
    gained = then[["deal_id", "q"]].merge(won, on=["deal_id", "q"])["amount_base_cents"].sum() / 100
    return pd.DataFrame(
        {
            "open_value": [opened],
            "won_value": gained,
            "won_besides": every - gained,
            "won_share": gained / opened,
            "besides_share": (every - gained) / opened,
            "required_coverage": opened / gained,
            "n": then.loc[then["cents"] > 0, "q"].nunique(),
        }
    )


REQUIRED_COVERAGE = f"""
WITH {QUARTER_RATES},
o AS (SELECT deal_id, q, round(amount::DOUBLE * rate * 100) AS c
      FROM (SELECT deal_id, date_trunc('quarter', expected_close_date)::DATE AS q, amount, currency_code FROM deal_versions
            WHERE status = 'open' AND expected_close_date >= {FIRST} AND expected_close_date < {END} AND expected_close_date >= q + 30
              AND valid_from_date <= q + 30 AND coalesce(valid_to_date > q + 30, TRUE)) LEFT JOIN e USING (q, currency_code)),
w AS (SELECT deal_id, date_trunc('quarter', closed_date)::DATE AS q, amount_base_cents AS gain FROM deal_versions
      WHERE status = 'won' AND valid_to IS NULL AND closed_date >= {FIRST} AND closed_date < {END} AND closed_date > q + 30),
t AS (SELECT sum(c) / 100 AS open_value, coalesce(sum(gain), 0) / 100 AS won_value, count(DISTINCT q) FILTER (c > 0) AS n
      FROM o LEFT JOIN w USING (deal_id, q))
SELECT open_value, won_value, every - won_value AS won_besides, won_value / open_value AS won_share,
       won_besides / open_value AS besides_share, open_value / won_value AS required_coverage, n
FROM t, (SELECT sum(gain) / 100 AS every FROM w)
"""


def _weighted_pipeline_bias(deal_versions: pd.DataFrame, exchange_rates: pd.DataFrame) -> pd.DataFrame:
    then = _then(deal_versions, exchange_rates)[["deal_id", "q", "cents", "probability"]]
    won = deal_versions[deal_versions["status"] == "won"]
    quarter, (begun, end) = _quarters(won["closed_date"]), _spans(won)
    starts = np.where(np.isnan(quarter), 0, quarter).astype("datetime64[D]").astype("datetime64[M]")
    last = (starts + 3).astype("datetime64[D]").astype(float) - 1
    came = (days(won["closed_date"]) > quarter + 30) & (begun <= last) & (end > last)
    won = won[came].assign(q=quarter[came], gain=won["amount_base_cents"][came].fillna(0))
    both = then.merge(won[["deal_id", "q", "gain"]], on=["deal_id", "q"], how="outer")
    counts = (both["cents"].notna() & both["probability"].notna()).to_numpy()
    known, gain = both[counts], both["gain"].fillna(0)
    forecast, came_in = np.floor(known["cents"] * known["probability"] + 0.5).sum(), gain[counts].sum()
    wins = known["gain"].notna()
    rest = gain[~counts].groupby(both["q"]).sum().reindex(both["q"].unique(), fill_value=0) / 100
    return pd.DataFrame(
        {
            "forecast": [forecast / 100],
            "won_value": came_in / 100,
            "weighted_pipeline_bias": (forecast - came_in) / came_in,
            "count_bias": known["probability"].sum() / wins.sum() - 1,
            "amount_bias": known["cents"][wins].sum() / came_in - 1,
            "other_mean": rest.mean(),
            "other_sd": rest.std(),
            "periods": known["q"].nunique(),
            "n": len(known),
        }
    )


WEIGHTED_PIPELINE_BIAS = f"""
WITH {QUARTER_RATES},
o AS (SELECT deal_id, q, CASE WHEN probability IS NOT NULL THEN round(amount::DOUBLE * rate * 100) END AS c, probability AS p
      FROM (SELECT deal_id, date_trunc('quarter', expected_close_date)::DATE AS q, amount, currency_code, probability FROM deal_versions
            WHERE status = 'open' AND expected_close_date >= {FIRST} AND expected_close_date < {END}
              AND valid_from_date <= q + 30 AND coalesce(valid_to_date > q + 30, TRUE)) LEFT JOIN e USING (q, currency_code)),
w AS (SELECT deal_id, date_trunc('quarter', closed_date)::DATE AS q, coalesce(amount_base_cents, 0) AS gain,
             (q + INTERVAL 3 MONTH)::DATE AS next FROM deal_versions
      WHERE status = 'won' AND closed_date >= {FIRST} AND closed_date < {END} AND closed_date > q + 30
        AND valid_from_date < next AND coalesce(valid_to_date >= next, TRUE)),
k AS (SELECT q, sum(floor(c * p + 0.5)) AS forecast, sum(gain) FILTER (c IS NOT NULL) AS came, sum(p) FILTER (c IS NOT NULL) AS likely,
             count(gain) FILTER (c IS NOT NULL) AS wins, sum(c) FILTER (gain IS NOT NULL) AS priced,
             coalesce(sum(gain) FILTER (c IS NULL), 0) / 100 AS rest, count(c) AS n
      FROM o FULL JOIN w USING (deal_id, q) GROUP BY q)
SELECT sum(forecast) / 100 AS forecast, sum(came) / 100 AS won_value, (sum(forecast) - sum(came)) / sum(came) AS weighted_pipeline_bias,
       sum(likely) / sum(wins) - 1 AS count_bias, sum(priced) / sum(came) - 1 AS amount_bias, avg(rest) AS other_mean,
       stddev_samp(rest) AS other_sd, count(*) FILTER (n > 0) AS periods, sum(n) AS n
FROM k
"""


def _restatements(deal_versions: pd.DataFrame, exchange_rates: pd.DataFrame) -> pd.DataFrame:
    del exchange_rates  # the KPI asks for them, but whatever was won is converted already
    x = deal_versions[(deal_versions["status"] == "won") & deal_versions["closed_date"].notna()]
    months, (begun, end) = x["closed_date"].to_numpy().astype("datetime64[M]"), _spans(x)
    last = (months + 1).astype("datetime64[D]").astype(float) - 1
    then, now = (begun <= last) & (end > last), (begun <= DAY) & (end > DAY)
    kept, cents = (last <= DAY) & (then | now), x["amount_base_cents"].fillna(0).to_numpy()
    rows = pd.DataFrame(
        {
            "month": months[kept],
            "deal": x["deal_id"].to_numpy()[kept],
            "old": np.where(then, cents, 0)[kept],
            "new": np.where(now, cents, 0)[kept],
            "then": then[kept],
            "now": now[kept],
        }
    )
    deals = rows.groupby(["month", "deal"]).sum()
    deals["n"] = (deals["old"] != deals["new"]) | (deals["then"] != deals["now"])
    made = deals.groupby(level=0)[["old", "new", "n"]].sum()
    return pd.DataFrame(
        {
            "published_value": made["old"] / 100,
            "known_value": made["new"] / 100,
            "restatements": (made["new"] - made["old"]) / 100,
            "n": made["n"],
        }
    )


RESTATEMENTS = """
WITH v AS (SELECT deal_id, date_trunc('month', closed_date) AS month, coalesce(amount_base_cents, 0) AS cents,
             valid_from_date <= last_day(closed_date) AND coalesce(valid_to_date > last_day(closed_date), TRUE) AS told,
             valid_to_date IS NULL AS now
      FROM deal_versions WHERE status = 'won' AND last_day(closed_date) <= {as_of}),
d AS (SELECT month, coalesce(sum(cents) FILTER (told), 0) AS old, coalesce(sum(cents) FILTER (now), 0) AS new,
             old <> new OR count(*) FILTER (told) <> count(*) FILTER (now) AS differs
      FROM v WHERE told OR now GROUP BY month, deal_id)
SELECT month, sum(old) / 100 AS published_value, sum(new) / 100 AS known_value, (sum(new) - sum(old)) / 100 AS restatements,
       count(*) FILTER (differs) AS n
FROM d GROUP BY month ORDER BY month
"""

RATES = ["from_currency_code", "rate_date", "rate"]
SPAN = ["deal_id", "valid_from_date", "valid_to_date", "status", "amount", "currency_code"]
RIVALS = {
    "pipeline_waterfall": Rival(
        reads={
            "deal_versions": [*SPAN, "valid_from", "expected_close_date", "closed_date"],
            "exchange_rates": RATES,
        },
        options={"period": PERIOD},
        sql=PIPELINE_WATERFALL,
        pandas=_pipeline_waterfall,
        same=("value", "n"),
    ),
    "pipeline_created": Rival(
        reads={
            "deal_versions": [*SPAN, "valid_from", "valid_to", "created_date", "amount_base_cents"],
            "exchange_rates": RATES,
        },
        options={"by": "month"},
        sql=PIPELINE_CREATED,
        pandas=_pipeline_created,
        same=("pipeline_created", "value_now", "n", "without_amount", "deleted"),
    ),
    "push_rate": Rival(
        reads={
            "deal_versions": [
                *SPAN,
                "valid_from",
                "valid_to",
                "expected_close_date",
                "closed_date",
                "pushes",
            ],
            "exchange_rates": RATES,
        },
        options={"period": PERIOD},
        sql=PUSH_RATE,
        pandas=_push_rate,
        same=(
            "pushed",
            "past_due",
            "push_rate",
            "low",
            "high",
            "n",
            "value",
            "pushed_value",
            "push_rate_by_value",
            "mean_pushes",
            "median_push_days",
            "pulled_in",
            "pulled_in_rate",
        ),
    ),
    "required_coverage": Rival(
        reads={
            "deal_versions": [*SPAN, "valid_to", "expected_close_date", "closed_date", "amount_base_cents"],
            "exchange_rates": RATES,
        },
        sql=REQUIRED_COVERAGE,
        pandas=_required_coverage,
        same=(
            "open_value",
            "won_value",
            "won_besides",
            "won_share",
            "besides_share",
            "required_coverage",
            "n",
        ),
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
        pandas=_weighted_pipeline_bias,
        same=(
            "forecast",
            "won_value",
            "weighted_pipeline_bias",
            "count_bias",
            "amount_bias",
            "other_mean",
            "other_sd",
            "periods",
            "n",
        ),
    ),
    "restatements": Rival(
        reads={
            "deal_versions": [
                "deal_id",
                "valid_from_date",
                "valid_to_date",
                "status",
                "closed_date",
                "amount_base_cents",
            ],
            "exchange_rates": ["rate"],
        },
        sql=RESTATEMENTS,
        pandas=_restatements,
        same=("published_value", "known_value", "restatements", "n"),
    ),
    "open_pipeline": Rival(
        reads={"deals": ["team", "status", "expected_close_date", "amount_base_cents"]},
        options={"by": "team"},
        sql=OPEN_PIPELINE,
        pandas=_open_pipeline,
        same=(
            "open_pipeline",
            "n",
            "without_amount",
            "undated",
            "past_due",
            "past_due_value",
            "top5_share",
        ),
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
        same=(
            "open_value",
            "won_value",
            "quota",
            "remaining",
            "past_due_value",
            "pipeline_coverage",
            "coverage_of_full_quota",
            "n",
        ),
    ),
    "weighted_pipeline": Rival(
        reads={"deals": ["team", "status", "expected_close_date", "amount_base_cents", "probability"]},
        options={"by": "team"},
        sql=WEIGHTED_PIPELINE,
        pandas=_weighted_pipeline,
        same=(
            "open_value",
            "weighted_pipeline",
            "low",
            "high",
            "n",
            "without_amount",
            "without_probability",
            "past_due",
            "top_deal_share",
        ),
    ),
    "concentration": Rival(
        reads={"deals": ["team", "status", "account_id", "deal_id", "amount_base_cents"]},
        options={"by": "team"},
        sql=CONCENTRATION,
        pandas=_concentration,
        same=(
            "value",
            "value_without_top1",
            "top1_share",
            "top5_share",
            "effective_number",
            "without_amount",
            "concentration",
            "n",
        ),
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
        same=("failing", "n", "value", "value_share", "pipeline_hygiene", "low", "high"),
    ),
}
