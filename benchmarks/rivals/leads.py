"""Leads by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import DAY, Array, days, each, share_by_then, within_days


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
    made = each(_outcome(mql, begun, sql, out, 90), "lead_source", lambda part: share_by_then(part, 90))
    bare = (leads["mql_at"].isna() & leads["sql_at"].notna()).groupby(leads["lead_source"], dropna=False)
    names = {"won": "sql", "lost": "disqualified", "share": "mql_to_sql"}
    return made.rename(columns=names).assign(sql_without_mql=bare.sum().to_numpy())


MQL_TO_SQL = f"""
WITH v AS (SELECT lead_source, mql_at::DATE AS m, sql_at::DATE AS q, disqualified_at::DATE AS o FROM leads
           WHERE NOT is_deleted AND (mql_at IS NOT NULL OR sql_at IS NOT NULL)),
w AS (SELECT lead_source, least(greatest(coalesce(least(q, o), {{as_of}}) - m, 0), 91) AS day,
             CASE WHEN q <= coalesce(o, q) THEN 1 WHEN o IS NOT NULL THEN 2 ELSE 0 END AS cause
      FROM v WHERE m IS NOT NULL),
t AS (WITH {within_days("lead_source", 90, "mql_to_sql")})
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
    made = each(cases, "lead_source", lambda part: share_by_then(part, 180) | {"leads": part["leads"].sum()})
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
t AS (WITH {within_days("lead_source", 180, "lead_conversion")})
SELECT t.*, t.lost AS disqualified, m.leads
FROM t JOIN (SELECT lead_source, sum(leads) AS leads FROM o GROUP BY ALL) m ON t.lead_source IS NOT DISTINCT FROM m.lead_source
ORDER BY lead_source NULLS LAST
"""


RIVALS = {
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
}
