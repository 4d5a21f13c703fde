"""Win rates, cycles, leads and stages by hand.

Curves are counts per day with running products over them. Their 95 % intervals are left to the KPI, and so are
those with Student's t: nobody writes them as SQL. The days of the pandas way are those of the Book as of `DAY`,
the last day of the companies that `salestrack world` invents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival

DAY = (np.datetime64("2026-10-31") - np.datetime64("1970-01-01")).astype(float)
Z = 1.959963984540054
JUNK = "coalesce(lower(lost_reason) IN ('duplicate', 'test', 'spam'), FALSE)"
WILSON = f"""({{k}} + {Z**2 / 2} - {Z} * sqrt({{k}} * ({{n}} - {{k}}) / {{n}} + {Z**2 / 4})) / ({{n}} + {Z**2}) AS low,
       ({{k}} + {Z**2 / 2} + {Z} * sqrt({{k}} * ({{n}} - {{k}}) / {{n}} + {Z**2 / 4})) / ({{n}} + {Z**2}) AS high"""
Array = np.ndarray[Any, np.dtype[Any]]


def days(dates: pd.Series[Any]) -> Array:
    """Days since 1970, NaN where there is none."""
    found = dates.to_numpy().astype("datetime64[D]")
    return np.where(np.isnat(found), np.nan, found.astype(float))


def wilson(k: Any, n: Any) -> tuple[Any, Any]:
    """The 95 % interval of a share."""
    half = Z * np.sqrt(k * (n - k) / n + Z**2 / 4)
    return (k + Z**2 / 2 - half) / (n + Z**2), (k + Z**2 / 2 + half) / (n + Z**2)


def each(frame: pd.DataFrame, by: Any, figures: Callable[[pd.DataFrame], dict[str, Any]]) -> pd.DataFrame:
    """One row of figures per group."""
    return pd.DataFrame([figures(part) for _, part in frame.groupby(by, dropna=False, sort=True)])


def _real(deals: pd.DataFrame) -> Array:
    """False for losses that never were deals."""
    return ~deals["lost_reason"].str.lower().isin(["duplicate", "test", "spam"]).to_numpy()


# --- closed deals


def _win_rate(deals: pd.DataFrame) -> pd.DataFrame:
    closed = deals[deals["status"].isin(["won", "lost"]) & _real(deals)]
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
    closed = deals[deals["status"].isin(["won", "lost"]) & _real(deals)]
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


# --- incidence within a horizon: `w` has the groups, a `day` up to the horizon and a `cause` (1 counts, 0 waits)


def _within(groups: str, horizon: int, name: str) -> str:
    return f"""
d AS (SELECT {groups}, day, count(*) AS c, count(*) FILTER (cause = 1) AS e, count(*) FILTER (cause = 2) AS other,
             count(*) FILTER (cause > 0) AS x FROM w GROUP BY ALL),
r AS (SELECT *, sum(c) OVER (PARTITION BY {groups} ORDER BY day DESC) AS risk FROM d),
s AS (SELECT *, coalesce(product(1 - x / risk) OVER (PARTITION BY {groups} ORDER BY day
                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 1) AS before FROM r)
SELECT {groups}, coalesce(sum(e) FILTER (day <= {horizon}), 0) AS won,
       coalesce(sum(other) FILTER (day <= {horizon}), 0) AS lost,
       coalesce(sum(c - x) FILTER (day < {horizon}), 0) AS open, sum(c) AS n,
       CASE WHEN max(day) >= {horizon} OR arg_max(c - x, day) = 0
            THEN coalesce(sum(before * e / risk) FILTER (day <= {horizon}), 0) END AS {name}
FROM s GROUP BY {groups} ORDER BY {groups} NULLS LAST
"""


def _curve(day: Array, cause: Array) -> tuple[Array, Array, Array]:
    """Per day from 0 on: still open after it, and the incidence of causes 1 and 2."""
    at = day.astype(int)
    size = int(at.max()) + 1
    left = [np.bincount(at[cause == kind], minlength=size) for kind in (1, 2)]
    gone = np.bincount(at[cause > 0], minlength=size)
    risk = np.bincount(at, minlength=size)[::-1].cumsum()[::-1]
    after = np.cumprod(1 - gone / risk)
    before = np.concatenate([[1.0], after[:-1]])
    return after, np.cumsum(before * left[0] / risk), np.cumsum(before * left[1] / risk)


def _by_then(part: pd.DataFrame, horizon: int) -> dict[str, Any]:
    day, cause = part["day"].to_numpy(), part["cause"].to_numpy()
    _, share, _ = _curve(day, cause)
    known = day.max() >= horizon or (cause[day == day.max()] > 0).all()
    return {
        "won": ((cause == 1) & (day <= horizon)).sum(),
        "lost": ((cause == 2) & (day <= horizon)).sum(),
        "open": ((cause <= 0) & (day < horizon)).sum(),
        "n": len(part),
        "share": share[min(horizon, len(share) - 1)] if known else np.nan,
    }


def _cohort(deals: pd.DataFrame) -> pd.DataFrame:
    """Days and outcome (1 won, 2 lost, 0 open) of the deals that count."""
    closed = deals["status"].isin(["won", "lost"]).to_numpy()
    end = np.where(closed, days(deals["closed_date"]), np.nan)
    deals = deals.assign(
        day=np.maximum(np.where(closed, end, DAY) - days(deals["created_date"]), 0),
        cause=np.where(closed, np.where(deals["status"] == "won", 1, 2), 0),
    )
    return deals[(~closed | ~np.isnan(end)) & (~closed | _real(deals))]


DAYS = "greatest(CASE status WHEN 'open' THEN {as_of} ELSE closed_date END - created_date, 0)"
COHORT = f"""CASE status WHEN 'won' THEN 1 WHEN 'lost' THEN 2 ELSE 0 END AS cause FROM deals
           WHERE status = 'open' OR (closed_date IS NOT NULL AND NOT (status = 'lost' AND {JUNK}))"""


def _win_rate_cohort(deals: pd.DataFrame) -> pd.DataFrame:
    cohort = _cohort(deals)
    cohort["day"] = cohort["day"].clip(upper=181)
    quarters = (cohort["created_date"].to_numpy().astype("datetime64[M]").astype(int)) // 3
    made = each(cohort[["day", "cause"]], quarters, lambda part: _by_then(part, 180))
    return made.rename(columns={"share": "win_rate_cohort"})


WIN_RATE_COHORT = f"""
WITH w AS (SELECT date_trunc('quarter', created_date) AS quarter, least({DAYS}, 181) AS day, {COHORT}),
{_within("quarter", 180, "win_rate_cohort")}
"""


def _expected_sales_cycle(deals: pd.DataFrame) -> pd.DataFrame:
    def figures(part: pd.DataFrame) -> dict[str, Any]:
        cause = part["cause"].to_numpy()
        after, won, lost = _curve(part["day"].to_numpy(), cause)
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

    return each(_cohort(deals), "lead_source", figures)


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


# --- leads


def _outcome(leads: pd.DataFrame, begun: Array, good: Array, bad: Array, horizon: int) -> pd.DataFrame:
    """Days and cause up to the horizon, of leads with the days on which it went well or badly."""
    end = np.fmin(good, bad)
    cause = np.where(np.isnan(end), 0, np.where(good <= np.where(np.isnan(bad), good, bad), 1, 2))
    wait = np.maximum(np.where(np.isnan(end), DAY, end) - begun, 0)
    return pd.DataFrame(
        {"lead_source": leads["lead_source"], "day": np.minimum(wait, horizon + 1), "cause": cause}
    )


def _mql_to_sql(leads: pd.DataFrame) -> pd.DataFrame:
    leads = leads[~leads["is_deleted"]]
    mql = leads[leads["mql_at"].notna()]
    begun, sql, out = (days(mql[c]) for c in ("mql_at", "sql_at", "disqualified_at"))
    made = each(_outcome(mql, begun, sql, out, 90), "lead_source", lambda part: _by_then(part, 90))
    bare = (leads["mql_at"].isna() & leads["sql_at"].notna()).groupby(leads["lead_source"], dropna=False)
    names = {"won": "sql", "lost": "disqualified", "share": "mql_to_sql"}
    return made.rename(columns=names).assign(sql_without_mql=bare.sum().to_numpy())


MQL_TO_SQL = f"""
WITH v AS (SELECT lead_source, mql_at::DATE AS m, sql_at::DATE AS q, disqualified_at::DATE AS o FROM leads
           WHERE NOT is_deleted AND (mql_at IS NOT NULL OR sql_at IS NOT NULL)),
w AS (SELECT lead_source, least(greatest(coalesce(least(q, o), {{as_of}}) - m, 0), 91) AS day,
             CASE WHEN q <= coalesce(o, q) THEN 1 WHEN o IS NOT NULL THEN 2 ELSE 0 END AS cause
      FROM v WHERE m IS NOT NULL),
t AS (WITH {_within("lead_source", 90, "mql_to_sql")})
SELECT t.*, won AS sql, lost AS disqualified, coalesce(bare, 0) AS sql_without_mql
FROM t LEFT JOIN (SELECT lead_source, count(*) AS bare FROM v WHERE m IS NULL GROUP BY ALL) USING (lead_source)
ORDER BY lead_source NULLS LAST
"""


def _lead_conversion(leads: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    x = leads[~leads["is_deleted"]].assign(
        begun=lambda t: days(t["created_date"]), out=lambda t: days(t["disqualified_at"])
    )
    done = x["converted_at"].notna()
    account = x["account_id"].fillna(x["converted_account_id"].where(done))
    company = x["company_name"].str.strip().str.lower().replace("", None)
    account = account.fillna(account.groupby(company).transform("max"))
    unit = ("contact " + x["contact_id"]).fillna("account " + account).fillna("company " + company)
    x["unit"] = unit.fillna("lead " + x["lead_id"]).factorize()[0]
    units = x.groupby("unit")
    ends = units.agg(since=("begun", "min"), leads=("out", "size"), outs=("out", "count"), out=("out", "max"))
    won = deals.loc[deals["status"] == "won", ["deal_id", "lead_id"]].assign(
        won=days(deals.loc[deals["status"] == "won", "closed_date"])
    )
    named = x[["lead_id", "unit"]].assign(deal_id=x["converted_deal_id"].where(done))
    wins = pd.concat(
        [
            named[["deal_id", "unit"]].dropna().merge(won[["deal_id", "won"]], on="deal_id"),
            named[["lead_id", "unit"]].merge(won[["lead_id", "won"]].dropna(), on="lead_id"),
        ]
    )
    wins = wins[wins["won"].to_numpy() >= ends["since"].to_numpy()[wins["unit"].to_numpy()]]
    ends["won"] = wins.groupby("unit")["won"].min()
    first = x.sort_values(["unit", "begun", "lead_id"]).drop_duplicates("unit")  # in the order of the units
    gone = np.where(ends["outs"] == ends["leads"], ends["out"], np.nan)
    cases = _outcome(first, ends["since"].to_numpy(), ends["won"].to_numpy(), gone, 180)
    cases["leads"] = ends["leads"].to_numpy()
    made = each(cases, "lead_source", lambda part: _by_then(part, 180) | {"leads": part["leads"].sum()})
    return made.rename(columns={"lost": "disqualified", "share": "lead_conversion"})


LEAD_CONVERSION = f"""
WITH l AS (SELECT lead_id, lead_source, created_date AS c, disqualified_at::DATE AS x, contact_id,
             CASE WHEN converted_at IS NOT NULL THEN converted_deal_id END AS deal,
             coalesce(account_id, CASE WHEN converted_at IS NOT NULL THEN converted_account_id END) AS account,
             nullif(lower(trim(company_name)), '') AS company FROM leads WHERE NOT is_deleted),
u AS (SELECT lead_id, lead_source, c, x, deal, coalesce('contact ' || contact_id,
             'account ' || coalesce(account, CASE WHEN company IS NOT NULL THEN max(account) OVER (PARTITION BY company) END),
             'company ' || company, 'lead ' || lead_id) AS unit FROM l),
v AS (SELECT unit, min(c) AS since, count(*) AS leads, CASE WHEN count(x) = count(*) THEN max(x) END AS gone,
             arg_min(lead_source, (c, lead_id)) AS lead_source FROM u GROUP BY unit),
wins AS (SELECT deal_id, lead_id, closed_date FROM deals WHERE status = 'won'),
b AS (SELECT unit, min(closed_date) AS won
      FROM (SELECT unit, closed_date FROM u JOIN wins ON deal_id = deal UNION ALL
            SELECT unit, closed_date FROM u JOIN wins USING (lead_id)) JOIN v USING (unit)
      WHERE closed_date >= since GROUP BY unit),
o AS (SELECT lead_source, leads, least(greatest(coalesce(least(won, gone), {{as_of}}) - since, 0), 181) AS day,
             CASE WHEN won <= coalesce(gone, won) THEN 1 WHEN gone IS NOT NULL THEN 2 ELSE 0 END AS cause
      FROM v LEFT JOIN b USING (unit)),
w AS (SELECT lead_source, day, cause FROM o),
t AS (WITH {_within("lead_source", 180, "lead_conversion")})
SELECT t.*, t.lost AS disqualified, m.leads
FROM t JOIN (SELECT lead_source, sum(leads) AS leads FROM o GROUP BY ALL) m ON t.lead_source IS NOT DISTINCT FROM m.lead_source
ORDER BY lead_source NULLS LAST
"""


# --- stays in stages; `raw` makes them from the exported history, of deals that were not deleted

STAYS = """
h AS (SELECT h.deal_id, h.seq, h.entered_at, h.exited_at, s.stage_order, s.stage_name, s.stage_type, d.amount_base_cents
      FROM deal_stage_history h JOIN stages s ON s.stage_id = h.to_stage_id JOIN deals d USING (deal_id))"""


def _stages(
    spells: pd.DataFrame, figures: Callable[[pd.DataFrame], dict[str, Any]], columns: list[str]
) -> pd.DataFrame:
    return each(spells[["stage_order", "stage_name", *columns]], ["stage_order", "stage_name"], figures)


def _stage_conversion(stage_spells: pd.DataFrame) -> pd.DataFrame:
    left = stage_spells["exit_type"]
    first = stage_spells[stage_spells["is_first_entry"]]
    begun = days(first["entered_at"])
    forward = np.fmin(days(first["forward_at"]), days(first["won_at"]))
    lost, ends = days(first["lost_at"]), {}
    for way in ("deleted", "transferred"):
        few = stage_spells[left == way]
        last = pd.Series(days(few["left_at"]), index=few["deal_id"]).groupby(level=0).max()
        at = first["deal_id"].map(last).to_numpy(dtype=float)
        ends[way] = np.where(at >= begun, at, np.nan)
    gone, moved = ends["deleted"], ends["transferred"]
    away = np.fmin(lost, moved)
    end = np.fmin(forward, away)
    over = np.fmin(end, gone)
    open_ = np.isnan(end) | (gone < end)
    won = forward <= np.where(np.isnan(away), forward, away)
    cause = np.select([open_, won, lost <= np.where(np.isnan(moved), lost, moved)], [0, 1, 2], 3)
    day = np.clip(np.where(np.isnan(over), DAY, over) - begun, 0, 91)
    made = _stages(first.assign(day=day, cause=cause), lambda part: _by_then(part, 90), ["day", "cause"])
    return made.rename(columns={"won": "forward", "share": "stage_conversion"})


STAGE_CONVERSION = f"""
WITH gone AS (SELECT deal_id, max(left_at::DATE) FILTER (exit_type = 'deleted') AS deleted,
                     max(left_at::DATE) FILTER (exit_type = 'transferred') AS moved
              FROM stage_spells WHERE exit_type IN ('deleted', 'transferred') GROUP BY ALL),
v AS (SELECT stage_order, stage_name, entered_at::DATE AS begun, least(forward_at, won_at)::DATE AS f,
             lost_at::DATE AS l, CASE WHEN deleted >= begun THEN deleted END AS g, CASE WHEN moved >= begun THEN moved END AS m
      FROM stage_spells LEFT JOIN gone USING (deal_id) WHERE is_first_entry),
w AS (SELECT stage_order, stage_name, least(greatest(coalesce(least(f, l, g, m), {{as_of}}) - begun, 0), 91) AS day,
             CASE WHEN least(f, l, m) IS NULL OR g < least(f, l, m) THEN 0 WHEN f <= coalesce(least(l, m), f) THEN 1
                  WHEN l <= coalesce(m, l) THEN 2 ELSE 3 END AS cause FROM v),
t AS (WITH {_within("stage_order, stage_name", 90, "stage_conversion")})
SELECT *, won AS forward FROM t ORDER BY stage_order
"""
STAGE_CONVERSION_RAW = f"""
WITH {STAYS},
first AS (SELECT deal_id, seq, stage_order, stage_name, entered_at FROM h WHERE stage_type = 'open'
          QUALIFY row_number() OVER (PARTITION BY deal_id, stage_name ORDER BY seq) = 1),
v AS (SELECT a.stage_order, a.stage_name, a.entered_at::DATE AS begun, min(b.entered_at) FILTER (b.stage_type = 'won'
               OR (b.stage_type = 'open' AND b.stage_order > a.stage_order))::DATE AS f,
             min(b.entered_at) FILTER (b.stage_type = 'lost')::DATE AS l
      FROM first a LEFT JOIN h b ON b.deal_id = a.deal_id AND b.seq > a.seq
      GROUP BY a.deal_id, a.seq, a.stage_order, a.stage_name, a.entered_at),
w AS (SELECT stage_order, stage_name, least(greatest(coalesce(least(f, l), {{as_of}}) - begun, 0), 91) AS day,
             CASE WHEN f <= coalesce(l, f) THEN 1 WHEN l IS NOT NULL THEN 2 ELSE 0 END AS cause FROM v),
t AS (WITH {_within("stage_order, stage_name", 90, "stage_conversion")})
SELECT *, won AS forward FROM t ORDER BY stage_order
"""


def _stage_dwell(stage_spells: pd.DataFrame) -> pd.DataFrame:
    end = days(stage_spells["left_at"])
    stay = np.maximum(np.where(np.isnan(end), DAY, end) - days(stage_spells["entered_at"]), 0)

    def figures(part: pd.DataFrame) -> dict[str, Any]:
        way, day = part["exit_type"], part["day"].to_numpy()
        after, _, _ = _curve(day, (way.notna() & (way != "deleted")).to_numpy().astype(int))

        def first(level: float) -> float:
            reached = after <= level + 1e-12
            return float(np.argmax(reached)) if reached.any() else np.nan

        counts = way.value_counts()
        return {name: counts.get(name, 0) for name in ("forward", "backward", "won", "lost")} | {
            "open": way.isna().sum(),
            "stage_dwell": first(0.5),
            "p90": first(0.1),
            "rmst": after[: int(min(180, day.max()))].sum(),
            "n": len(part),
        }

    return _stages(stage_spells.assign(day=stay), figures, ["day", "exit_type"])


STAGE_DWELL = """
WITH d AS (SELECT stage_order, stage_name, greatest(coalesce(left_at::DATE, {as_of}) - entered_at::DATE, 0) AS day,
             count(*) AS c, count(*) FILTER (left_at IS NOT NULL AND exit_type <> 'deleted') AS x,
             count(*) FILTER (exit_type = 'forward') AS forward, count(*) FILTER (exit_type = 'backward') AS backward,
             count(*) FILTER (exit_type = 'won') AS won, count(*) FILTER (exit_type = 'lost') AS lost,
             count(*) FILTER (left_at IS NULL) AS open FROM stage_spells GROUP BY ALL),
r AS (SELECT *, sum(c) OVER (PARTITION BY stage_order, stage_name ORDER BY day DESC) AS risk FROM d),
s AS (SELECT *, product(1 - x / risk) OVER stage AS after, lead(day) OVER stage AS until FROM r
      WINDOW stage AS (PARTITION BY stage_order, stage_name ORDER BY day))
SELECT stage_order, stage_name, sum(forward) AS forward, sum(backward) AS backward, sum(won) AS won, sum(lost) AS lost,
       sum(open) AS open, min(day) FILTER (after <= 0.5 + 1e-12) AS stage_dwell, min(day) FILTER (after <= 0.1 + 1e-12) AS p90,
       least(min(day), 180) + coalesce(sum(after * (least(until, 180) - day)) FILTER (day < 180), 0) AS rmst, sum(c) AS n
FROM s GROUP BY ALL ORDER BY stage_order
"""
STAGE_DWELL_RAW = STAGE_DWELL.replace(
    "WITH d",
    f"""WITH {STAYS},
spells AS (SELECT *, exited_at AS left_at, CASE WHEN next_type <> 'open' THEN next_type
                     WHEN next_order > stage_order THEN 'forward' WHEN next_order IS NOT NULL THEN 'backward' END AS exit_type
           FROM (SELECT *, lead(stage_type) OVER deal AS next_type, lead(stage_order) OVER deal AS next_order
                 FROM h WINDOW deal AS (PARTITION BY deal_id ORDER BY seq)) WHERE stage_type = 'open'),
d""",
).replace("FROM stage_spells", "FROM spells")


def _funnel_leakage(stage_spells: pd.DataFrame) -> pd.DataFrame:
    x = stage_spells.assign(begun=days(stage_spells["entered_at"]), end=days(stage_spells["left_at"]))
    x["stay"] = np.maximum(x["end"].fillna(DAY) - x["begun"], 0)
    x = x.sort_values(["deal_id", "seq"])
    final = x["deal_id"].ne(x["deal_id"].shift(-1))
    left = x["exit_type"]
    x["cause"] = np.select([x["end"].isna(), (left == "lost") & final, left == "deleted"], [0, 1, -1], 2)
    x["end"] = x["end"].fillna(DAY)
    units = x.groupby(["deal_id", "stage_order", "stage_name"], sort=False).agg(
        begun=("begun", "min"),
        stay=("stay", "sum"),
        won=("won_at", "max"),
        cents=("amount_base_cents", "first"),
        cause=("cause", "last"),
        end=("end", "last"),
    )
    units = units.reset_index()
    units["day"] = np.maximum(units["end"] - units["begun"], 0)

    def figures(part: pd.DataFrame) -> dict[str, Any]:
        cause, cents = part["cause"], part["cents"].fillna(0)
        _, share, _ = _curve(part["day"].to_numpy(), cause.to_numpy())
        winners = np.sort(part["stay"][(cause != 0) & part["won"].notna()].to_numpy())
        limit = winners[int(np.ceil(0.9 * len(winners) - 1e-9)) - 1] if len(winners) else np.nan
        late = (cause == 0) & (part["stay"] > limit)
        return {
            "lost": (cause == 1).sum(),
            "lost_value": cents[cause == 1].sum() / 100,
            "open": (cause == 0).sum(),
            "stalled": late.sum(),
            "stalled_value": cents[late].sum() / 100,
            "winners_p90": limit,
            "funnel_leakage": share[-1],
            "n": len(part),
        }

    made = _stages(units, figures, ["day", "cause", "stay", "won", "cents"])
    return made.assign(share_of_loss=made["lost"] / made["lost"].sum())


LEAKAGE = """
x AS (SELECT *, CASE WHEN NOT gone IS NULL THEN CASE WHEN way = 'lost' AND last = max(last) OVER (PARTITION BY deal_id) THEN 1
                                                     WHEN way = 'deleted' THEN -1 ELSE 2 END ELSE 0 END AS cause,
             greatest(coalesce(gone, {as_of}) - begun, 0) AS day FROM u),
p AS (SELECT stage_name, quantile_disc(stay, 0.9) AS p90 FROM x WHERE cause <> 0 AND won GROUP BY ALL),
d AS (SELECT stage_order, stage_name, day, count(*) AS c, count(*) FILTER (cause = 1) AS e, count(*) FILTER (cause > 0) AS x,
             count(*) FILTER (cause = 0) AS open, sum(cents) FILTER (cause = 1) AS value, any_value(p90) AS p90,
             count(*) FILTER (cause = 0 AND stay > p90) AS stalled, sum(cents) FILTER (cause = 0 AND stay > p90) AS stalled_value
      FROM x LEFT JOIN p USING (stage_name) GROUP BY ALL),
r AS (SELECT *, sum(c) OVER (PARTITION BY stage_order, stage_name ORDER BY day DESC) AS risk FROM d),
s AS (SELECT *, coalesce(product(1 - x / risk) OVER (PARTITION BY stage_order, stage_name ORDER BY day
                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 1) AS before FROM r)
SELECT stage_order, stage_name, sum(e) AS lost, coalesce(sum(value), 0) / 100 AS lost_value,
       sum(e) / sum(sum(e)) OVER () AS share_of_loss, sum(open) AS open, sum(stalled) AS stalled,
       coalesce(sum(stalled_value), 0) / 100 AS stalled_value, any_value(p90) AS winners_p90,
       sum(before * e / risk) AS funnel_leakage, sum(c) AS n
FROM s GROUP BY ALL ORDER BY stage_order
"""
FUNNEL_LEAKAGE = f"""
WITH u AS (SELECT deal_id, stage_order, stage_name, max(seq) AS last, arg_max(exit_type, seq) AS way,
             max_by({{'day': left_at::DATE}}, seq).day AS gone, min(entered_at)::DATE AS begun,
             sum(greatest(coalesce(left_at::DATE, {{as_of}}) - entered_at::DATE, 0)) AS stay,
             count(won_at) > 0 AS won, any_value(amount_base_cents) AS cents
      FROM stage_spells GROUP BY ALL),
{LEAKAGE}
"""
FUNNEL_LEAKAGE_RAW = f"""
WITH {STAYS},
n AS (SELECT *, lead(stage_type) OVER deal AS way, max(seq) FILTER (stage_type = 'won') OVER (PARTITION BY deal_id) AS won_seq
      FROM h WINDOW deal AS (PARTITION BY deal_id ORDER BY seq)),
u AS (SELECT deal_id, stage_order, stage_name, max(seq) AS last, arg_max(way, seq) AS way,
             max_by({{'day': exited_at::DATE}}, seq).day AS gone, min(entered_at)::DATE AS begun,
             sum(greatest(coalesce(exited_at::DATE, {{as_of}}) - entered_at::DATE, 0)) AS stay,
             coalesce(bool_or(seq < won_seq), FALSE) AS won, any_value(amount_base_cents) AS cents
      FROM n WHERE stage_type = 'open' GROUP BY ALL),
{LEAKAGE}
"""


# --- two windows of a year each: stays now and before, watched from the first day seen in them


def _watched(size: int, since: Array, day: Array, weight: Array | None = None) -> Array:
    """How many, or how much, is watched on each of the days from 0 on."""
    come = np.bincount(since, weights=weight, minlength=size).cumsum()
    gone = np.bincount(day, weights=weight, minlength=size).cumsum()
    return np.asarray(come - np.concatenate([[0.0], gone[:-1]]))


def _stays(part: pd.DataFrame, size: int) -> tuple[Array, Array, Array]:
    """Per day: watched, left, and the share that still stays after it."""
    since, day = part["since"].to_numpy().astype(int), part["day"].to_numpy().astype(int)
    risk = _watched(size, since, day)
    left = np.bincount(day[part["out"].to_numpy()], minlength=size)
    return risk, left, np.cumprod(1 - np.divide(left, risk, out=np.zeros(size), where=left > 0))


def _bottleneck(stage_spells: pd.DataFrame) -> pd.DataFrame:
    begun, left = days(stage_spells["entered_at"]), days(stage_spells["left_at"])
    gone = (stage_spells["exit_type"] == "deleted").to_numpy()
    parts = []
    for now, last in ((True, DAY), (False, DAY - 365)):
        start, end = last - 364, np.where(np.isnan(left), np.inf, left)
        seen = (begun <= last) & (end >= start)
        spans = stage_spells.loc[seen, ["stage_order", "stage_name"]].assign(
            now=now,
            since=np.maximum(start - begun, 0)[seen],
            day=np.maximum(np.minimum(end, last) - begun, 0)[seen],
            out=((end <= last) & ~gone)[seen],
            still=(end > last)[seen],
        )
        parts.append(spans)

    def figures(part: pd.DataFrame) -> dict[str, Any]:
        now, before = part[part["now"]], part[~part["now"]]
        size = int(part["day"].max()) + 1
        (r1, x1, s1), (r0, x0, s0) = _stays(now, size), _stays(before, size)
        tau, both = int(before["day"].max()), int(min(now["day"].max(), before["day"].max()))
        arrivals = (now["since"] == 0).sum() / 365
        r, x = r0 + r1, x0 + x1
        expected = np.divide(x * r1, r, out=np.zeros(size), where=x > 0).sum()
        usual, wip = s0[:tau].sum(), now["still"].sum()
        return {
            "wip": wip,
            "arrivals": arrivals,
            "dwell": s1[:both].sum(),
            "dwell_before": usual,
            "expected": arrivals * usual,
            "bottleneck": wip - arrivals * usual,
            "dwell_change": s1[:both].sum() - s0[:both].sum(),
            "hazard_ratio": x1.sum() / expected / (x0.sum() / (x.sum() - expected)),
            "tau": tau,
            "n": len(now),
        }

    return each(pd.concat(parts), ["stage_order", "stage_name"], figures)


BOTTLENECK = """
WITH p AS (SELECT stage_order, stage_name, entered_at::DATE AS e, left_at::DATE AS l, exit_type = 'deleted' AS gone
           FROM stage_spells WHERE left_at IS NULL OR left_at::DATE >= {as_of} - 729),
w AS (SELECT stage_order, stage_name, now, greatest(first - e, 0) AS since, greatest(least(coalesce(l, last), last) - e, 0) AS day,
             coalesce(l <= last AND NOT gone, FALSE) AS out, coalesce(l > last, TRUE) AS still
      FROM p JOIN (VALUES (TRUE, {as_of} - 364, {as_of}), (FALSE, {as_of} - 729, {as_of} - 365)) v(now, first, last)
      ON e <= last AND coalesce(l >= first, TRUE)),
d AS (SELECT stage_order, stage_name, t, count(*) FILTER (now AND NOT ends) AS come1, count(*) FILTER (NOT now AND NOT ends) AS come0,
             count(*) FILTER (now AND ends) AS go1, count(*) FILTER (NOT now AND ends) AS go0,
             count(*) FILTER (now AND out) AS x1, count(*) FILTER (NOT now AND out) AS x0, count(*) FILTER (now AND ends AND still) AS wip
      FROM (SELECT stage_order, stage_name, now, since AS t, FALSE AS ends, FALSE AS out, still FROM w
            UNION ALL SELECT stage_order, stage_name, now, day, TRUE, out, still FROM w) GROUP BY ALL),
r AS (SELECT *, sum(come1 - go1) OVER stage + go1 AS r1, sum(come0 - go0) OVER stage + go0 AS r0,
             lead(t) OVER stage AS until, max(t) FILTER (go1 > 0) OVER whole AS m1, max(t) FILTER (go0 > 0) OVER whole AS m0
      FROM d WINDOW stage AS (PARTITION BY stage_order, stage_name ORDER BY t), whole AS (PARTITION BY stage_order, stage_name)),
s AS (SELECT *, product(CASE WHEN x1 > 0 THEN 1 - x1 / r1 ELSE 1 END) OVER stage AS s1,
             product(CASE WHEN x0 > 0 THEN 1 - x0 / r0 ELSE 1 END) OVER stage AS s0, least(m0, m1) AS m
      FROM r WINDOW stage AS (PARTITION BY stage_order, stage_name ORDER BY t)),
g AS (SELECT stage_order, stage_name, sum(go1) AS n, sum(wip) AS wip, coalesce(sum(come1) FILTER (t = 0), 0) / 365 AS arrivals,
             least(min(t), any_value(m0)) + coalesce(sum(s0 * (least(until, m0) - t)) FILTER (t < m0), 0) AS usual,
             least(min(t), any_value(m)) + coalesce(sum(s0 * (least(until, m) - t)) FILTER (t < m), 0) AS was,
             least(min(t), any_value(m)) + coalesce(sum(s1 * (least(until, m) - t)) FILTER (t < m), 0) AS dwell,
             sum(x1) AS o1, sum(x0) AS o0, sum((x0 + x1) * r1 / (r0 + r1)) FILTER (x0 + x1 > 0) AS e1, any_value(m0) AS tau
      FROM s GROUP BY ALL)
SELECT stage_order, stage_name, wip, arrivals, dwell, usual AS dwell_before, arrivals * usual AS expected,
       wip - arrivals * usual AS bottleneck, dwell - was AS dwell_change, o1 / e1 / (o0 / (o0 + o1 - e1)) AS hazard_ratio, tau, n
FROM g ORDER BY stage_order
"""
BOTTLENECK_RAW = (
    BOTTLENECK.replace("exit_type = 'deleted' AS gone", "FALSE AS gone")
    .replace("WITH p", f"WITH {STAYS},\np")
    .replace("left_at", "exited_at")
    .replace("FROM stage_spells WHERE", "FROM h WHERE stage_type = 'open' AND (")
    .replace("- 729),\nw AS", "- 729)),\nw AS")
)


def _sales_velocity(deals: pd.DataFrame) -> pd.DataFrame:
    start = DAY - 364
    closed = deals["status"].isin(["won", "lost"]).to_numpy()
    won, lost = (deals["status"] == "won").to_numpy(), (deals["status"] == "lost").to_numpy()
    begun, ended = days(deals["created_date"]), days(deals["closed_date"])
    end = np.where(closed, ended, np.inf)
    seen = (end >= start) & (~closed | _real(deals)) & ~(closed & np.isnan(ended))
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

    after = np.cumprod(1 - over(np.bincount(day[closed], minlength=size), _watched(size, since, day)))
    value = _watched(size, since, day, rich)
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

SPELL = ["stage_order", "stage_name", "entered_at", "left_at", "exit_type"]


RIVALS = {
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
    "sales_cycle": Rival(
        reads={"deals": ["team", "status", "created_date", "closed_date"]},
        options={"by": "team"},
        sql=SALES_CYCLE,
        pandas=_sales_cycle,
        same=("sales_cycle", "mean", "p90", "n", "days_to_lost", "lost", "negative"),
    ),
    "mql_to_sql": Rival(
        reads={"leads": ["lead_source", "mql_at", "sql_at", "disqualified_at", "is_deleted"]},
        options={"by": "lead_source"},
        sql=MQL_TO_SQL,
        pandas=_mql_to_sql,
        same=("sql", "disqualified", "open", "sql_without_mql", "n", "mql_to_sql"),
    ),
    "lead_conversion": Rival(
        reads={
            "leads": [
                "lead_id",
                "lead_source",
                "created_date",
                "disqualified_at",
                "contact_id",
                "account_id",
                "company_name",
                "converted_at",
                "converted_deal_id",
                "converted_account_id",
                "is_deleted",
            ],
            "deals": ["deal_id", "lead_id", "status", "closed_date"],
        },
        options={"by": "lead_source"},
        sql=LEAD_CONVERSION,
        pandas=_lead_conversion,
        same=("won", "disqualified", "open", "leads", "n", "lead_conversion"),
    ),
    "stage_conversion": Rival(
        reads={
            "stage_spells": [
                "deal_id",
                *SPELL,
                "is_first_entry",
                "forward_at",
                "won_at",
                "lost_at",
            ]
        },
        sql=STAGE_CONVERSION,
        raw=STAGE_CONVERSION_RAW,
        pandas=_stage_conversion,
        same=("forward", "lost", "open", "n", "stage_conversion"),
    ),
    "stage_dwell": Rival(
        reads={"stage_spells": SPELL},
        sql=STAGE_DWELL,
        raw=STAGE_DWELL_RAW,
        pandas=_stage_dwell,
        same=("forward", "backward", "won", "lost", "open", "stage_dwell", "p90", "rmst", "n"),
    ),
    "funnel_leakage": Rival(
        reads={"stage_spells": ["deal_id", "seq", *SPELL, "won_at", "amount_base_cents"]},
        sql=FUNNEL_LEAKAGE,
        raw=FUNNEL_LEAKAGE_RAW,
        pandas=_funnel_leakage,
        same=(
            "lost",
            "lost_value",
            "share_of_loss",
            "open",
            "stalled",
            "stalled_value",
            "winners_p90",
            "funnel_leakage",
            "n",
        ),
    ),
    "bottleneck": Rival(
        reads={"stage_spells": SPELL},
        sql=BOTTLENECK,
        raw=BOTTLENECK_RAW,
        pandas=_bottleneck,
        same=(
            "wip",
            "arrivals",
            "dwell",
            "dwell_before",
            "expected",
            "bottleneck",
            "dwell_change",
            "hazard_ratio",
            "tau",
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
