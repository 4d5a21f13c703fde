"""The pipeline as it was, and how one became the other, by hand; with euros to report in."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import (
    DAY,
    RATES,
    SPAN,
    WILSON,
    Array,
    converted,
    days,
    number,
    rate_on,
    spans_of,
    wilson,
)
from benchmarks.rivals._raw import from_history

PERIOD, BEFORE, LAST = "2026-Q3", "DATE '2026-06-30'", "DATE '2026-09-30'"
T0, T1, PAST_END = number("2026-06-30"), number("2026-09-30"), number("9999-12-31")


def rates(day: str) -> str:
    """SQL for one row per currency with its newest rate on a day."""
    return f"""(SELECT from_currency_code AS currency_code, arg_max(rate::DOUBLE, rate_date) AS rate FROM exchange_rates
     WHERE rate_date <= {day} GROUP BY ALL UNION ALL SELECT 'EUR', 1)"""


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
WITH k AS (SELECT date_trunc('month', created_date) AS month,
             coalesce(sum(CASE status WHEN 'open' THEN cents ELSE coalesce(amount_base_cents, cents) END), 0) / 100 AS value_now, count(*) AS alive
           FROM (SELECT created_date, status, amount_base_cents, round(amount::DOUBLE * rate * 100) AS cents
                 FROM deal_versions LEFT JOIN {rates("{as_of}")} USING (currency_code) WHERE valid_to IS NULL AND status <> 'deleted') GROUP BY 1),
d AS (SELECT date_trunc('month', any_value(created_date)) AS month, any_value(currency_code) AS currency_code,
             arg_min(amount, valid_from) FILTER (status <> 'deleted') AS first,
             min(valid_from_date) FILTER (amount IS NOT NULL AND status <> 'deleted') AS day FROM deal_versions GROUP BY deal_id),
s AS (SELECT month, currency_code, day, sum(first)::DOUBLE AS first, count(first) AS known, count(*) AS n FROM d GROUP BY ALL),
f AS (SELECT month, coalesce(sum(first * coalesce(rate::DOUBLE, 1)), 0) AS pipeline_created, sum(n) AS n, sum(n) - sum(known) AS without_amount
      FROM s ASOF LEFT JOIN exchange_rates r ON r.from_currency_code = s.currency_code AND s.day >= r.rate_date GROUP BY month)
SELECT month, pipeline_created, coalesce(value_now, 0) AS value_now, n, without_amount, n - coalesce(alive, 0) AS deleted
FROM f LEFT JOIN k USING (month) ORDER BY month
"""


def _pipeline_waterfall(deal_versions: pd.DataFrame, exchange_rates: pd.DataFrame) -> pd.DataFrame:
    begun, end = spans_of(deal_versions)
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
    table = pd.DataFrame(made).assign(step=range(1, 15), sign=SIGNS)
    return table.assign(pipeline_waterfall=np.where(table["sign"] < 0, -table["value"], table["value"]))


SIGNS = [0, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, 0]
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
SELECT *, CASE WHEN sign < 0 THEN -value ELSE value END AS pipeline_waterfall
FROM (SELECT unnest(range(1, 15)) AS step, unnest({SIGNS}) AS sign,
             unnest([{", ".join(f"coalesce(sum({value}) FILTER ({which}), 0) / 100" for value, which in BARS)}]) AS value,
             unnest([{", ".join(f"count(*) FILTER ({which})" for _, which in BARS)}]) AS n
      FROM s) b
"""


def _push_rate(deal_versions: pd.DataFrame, exchange_rates: pd.DataFrame) -> pd.DataFrame:
    begun, end = spans_of(deal_versions)
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
            "matured": 1.0,  # the quarter is over
        }
    )


PUSH_RATE = f"""
WITH v AS (SELECT deal_id, coalesce(expected_close_date, DATE '9999-12-31') AS due, status = 'open' AS o, valid_from_date AS f,
             coalesce(valid_to_date, DATE '9999-12-31') AS t, status, pushes, closed_date, amount, currency_code, valid_from, valid_to
      FROM deal_versions WHERE valid_from_date <= {LAST} AND coalesce(valid_to_date > {BEFORE} - 2, TRUE)
        AND (status = 'open' OR valid_from_date > {BEFORE})),
w AS (SELECT deal_id, due, max(coalesce(valid_to, TIMESTAMP '9999-12-31')) FILTER (o) - min(valid_from) FILTER (o) AS stood,
             bool_or(o AND f <= {BEFORE} AND t > {BEFORE}) AS was, bool_or(o AND f <= {BEFORE} + 1 AND t > {BEFORE} + 1) AS next,
             any_value(amount::DOUBLE) FILTER (o AND f <= {BEFORE} AND t > {BEFORE}) AS amount, any_value(currency_code) AS currency_code,
             any_value(status) FILTER (t > {LAST}) AS status, any_value(closed_date) FILTER (t > {LAST}) AS closed,
             any_value(pushes) FILTER (t > {LAST}) AS pushes
      FROM v GROUP BY deal_id, due),
d AS (SELECT any_value(amount) AS amount, any_value(currency_code) AS currency_code,
             any_value(due) FILTER (was) AS due_was, any_value(stood) FILTER (was) AS stood, any_value(due) FILTER (next) AS due_next,
             any_value(status) AS status, any_value(due) FILTER (status IS NOT NULL) AS due1, any_value(closed) AS closed,
             any_value(pushes) AS pushes
      FROM w GROUP BY deal_id HAVING bool_or(was)),
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
       pulled_in / count(*) FILTER (other) AS pulled_in_rate, 1.0 AS matured -- the quarter is over
FROM m
"""


def _restatements(deal_versions: pd.DataFrame, exchange_rates: pd.DataFrame) -> pd.DataFrame:
    del exchange_rates  # the KPI asks for them, but whatever was won is converted already
    x = deal_versions[(deal_versions["status"] == "won") & deal_versions["closed_date"].notna()]
    months, (begun, end) = x["closed_date"].to_numpy().astype("datetime64[M]"), spans_of(x)
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
    differ = deals[deals["n"]].reset_index().groupby("month").head(20)  # the deals of a month are in order
    named = differ.groupby("month")["deal"].apply(", ".join)
    return pd.DataFrame(
        {
            "published_value": made["old"] / 100,
            "known_value": made["new"] / 100,
            "restatements": (made["new"] - made["old"]) / 100,
            "n": made["n"],
            "deals": named.reindex(made.index, fill_value=""),
        }
    )


RESTATEMENTS = """
WITH v AS (SELECT deal_id, date_trunc('month', closed_date) AS month, coalesce(amount_base_cents, 0) AS cents,
             valid_from_date <= last_day(closed_date) AND coalesce(valid_to_date > last_day(closed_date), TRUE) AS told,
             valid_to_date IS NULL AS now
      FROM deal_versions WHERE status = 'won' AND last_day(closed_date) <= {as_of}),
d AS (SELECT month, deal_id, coalesce(sum(cents) FILTER (told), 0) AS old, coalesce(sum(cents) FILTER (now), 0) AS new,
             old <> new OR count(*) FILTER (told) <> count(*) FILTER (now) AS differs
      FROM v WHERE told OR now GROUP BY month, deal_id)
SELECT month, sum(old) / 100 AS published_value, sum(new) / 100 AS known_value, (sum(new) - sum(old)) / 100 AS restatements,
       count(*) FILTER (differs) AS n, coalesce(array_to_string(min(deal_id, 20) FILTER (differs), ', '), '') AS deals
FROM d GROUP BY month ORDER BY month
"""


RIVALS = {
    "pipeline_waterfall": Rival(
        reads={
            "deal_versions": [*SPAN, "valid_from", "expected_close_date", "closed_date"],
            "exchange_rates": RATES,
        },
        options={"period": PERIOD},
        sql=PIPELINE_WATERFALL,
        raw=from_history(PIPELINE_WATERFALL),
        pandas=_pipeline_waterfall,
    ),
    "pipeline_created": Rival(
        reads={
            "deal_versions": [*SPAN, "valid_from", "valid_to", "created_date", "amount_base_cents"],
            "exchange_rates": RATES,
        },
        options={"by": "month"},
        sql=PIPELINE_CREATED,
        raw=from_history(PIPELINE_CREATED),
        pandas=_pipeline_created,
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
        raw=from_history(RESTATEMENTS),
        pandas=_restatements,
    ),
}
