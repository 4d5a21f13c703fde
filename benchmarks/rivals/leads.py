"""Leads by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import DAY, Array, days, within


def _outcome(begun: Array, good: Array, bad: Array, horizon: int) -> Array:
    """Days up to the horizon and how it ended, in one number, from the days of a good and of a bad end."""
    end = np.fmin(good, bad)
    way = np.where(np.isnan(end), 0, np.where(good <= np.where(np.isnan(bad), good, bad), 1, 2))
    wait = np.maximum(np.where(np.isnan(end), DAY, end) - begun, 0)
    return 8 * np.minimum(wait, horizon + 1) + way


def _mql_to_sql(leads: pd.DataFrame) -> pd.DataFrame:
    leads = leads[~leads["is_deleted"] & (leads["mql_at"].notna() | leads["sql_at"].notna())]
    begun, sql, out = (days(leads[c]) for c in ("mql_at", "sql_at", "disqualified_at"))
    at = np.where(np.isnan(begun), 4, _outcome(begun, sql, out, 90)).astype(int)
    groups = pd.DataFrame({"lead_source": leads["lead_source"], "at": at}).groupby(
        ["lead_source", "at"], dropna=False, sort=False
    )
    return _qualified(groups.size().rename("n").reset_index())


def _qualified(cells: pd.DataFrame) -> pd.DataFrame:
    names = {"won": "sql", "lost": "disqualified", "share": "mql_to_sql", "aside4": "sql_without_mql"}
    return within(cells, ["lead_source"], 90).rename(columns=names)


MQL_TO_SQL = """
SELECT lead_source, CASE WHEN m IS NULL THEN 4
         ELSE 8 * least(greatest(coalesce(least(q, o), {as_of}) - m, 0), 91)
         + CASE WHEN q <= coalesce(o, q) THEN 1 WHEN o IS NOT NULL THEN 2 ELSE 0 END END AS at, count(*) AS n
FROM (SELECT lead_source, mql_at::DATE AS m, sql_at::DATE AS q, disqualified_at::DATE AS o
      FROM leads WHERE NOT is_deleted AND (mql_at IS NOT NULL OR sql_at IS NOT NULL))
GROUP BY ALL
"""


def _lead_conversion(leads: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    x = leads[~leads["is_deleted"]].assign(
        begun=lambda t: days(t["created_date"]), out=lambda t: days(t["disqualified_at"])
    )
    done = x["converted_at"].notna()
    account = x["account_id"].fillna(x["converted_account_id"].where(done))
    company = x["company_name"].str.strip().str.lower().replace("", None)
    joined = account[account.notna() & company.notna()].groupby(company).max()
    account = account.fillna(company.map(joined))
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
    first = x[x["begun"].to_numpy() == ends["since"].to_numpy()[x["unit"].to_numpy()]]
    first = first.sort_values(["unit", "lead_id"]).drop_duplicates("unit")  # in the order of the units
    gone = np.where(ends["outs"] == ends["leads"], ends["out"], np.nan)
    at = _outcome(ends["since"].to_numpy(), ends["won"].to_numpy(), gone, 180).astype(int)
    cases = pd.DataFrame(
        {"lead_source": first["lead_source"].to_numpy(), "at": at, "leads": ends["leads"].to_numpy()}
    )
    sums = cases.groupby(["lead_source", "at"], dropna=False, sort=False)["leads"].agg(n="size", leads="sum")
    return _customers(sums.reset_index())


def _customers(cells: pd.DataFrame) -> pd.DataFrame:
    names = {"lost": "disqualified", "share": "lead_conversion"}
    return within(cells, ["lead_source"], 180, "leads").rename(columns=names)


# A person or company is the first id that is known; which kind of id it is keeps those of equal text apart.
LEAD_CONVERSION = """
WITH l AS (SELECT lead_id, lead_source, created_date AS c, disqualified_at::DATE AS x, contact_id,
             CASE WHEN converted_at IS NOT NULL THEN converted_deal_id END AS deal,
             coalesce(account_id, CASE WHEN converted_at IS NOT NULL
                                       THEN converted_account_id END) AS account,
             nullif(lower(trim(company_name)), '') AS company FROM leads WHERE NOT is_deleted),
j AS (SELECT company, max(account) AS joined FROM l WHERE company IS NOT NULL AND account IS NOT NULL
      GROUP BY company),
u AS (SELECT lead_id, lead_source, c, x, deal,
             coalesce(contact_id, account, joined, company, lead_id) AS unit,
             CASE WHEN contact_id IS NOT NULL THEN 1 WHEN coalesce(account, joined) IS NOT NULL THEN 2
                  WHEN company IS NOT NULL THEN 3 ELSE 4 END AS kind
      FROM l LEFT JOIN j USING (company)),
v AS (SELECT unit, kind, min(c) AS since, count(*) AS leads,
             CASE WHEN count(x) = count(*) THEN max(x) END AS gone,
             arg_min(lead_source, (c, lead_id)) AS lead_source FROM u GROUP BY unit, kind),
wins AS (SELECT deal_id, lead_id, closed_date FROM deals WHERE status = 'won'),
b AS (SELECT unit, kind, min(closed_date) AS won
      FROM (SELECT unit, kind, closed_date FROM u JOIN wins ON deal_id = deal UNION ALL
            SELECT unit, kind, closed_date FROM u JOIN wins USING (lead_id)) JOIN v USING (unit, kind)
      WHERE closed_date >= since GROUP BY unit, kind)
SELECT lead_source, 8 * least(greatest(coalesce(least(won, gone), {as_of}) - since, 0), 181)
         + CASE WHEN won <= coalesce(gone, won) THEN 1 WHEN gone IS NOT NULL THEN 2 ELSE 0 END AS at,
       count(*) AS n, sum(leads) AS leads
FROM v LEFT JOIN b USING (unit, kind) GROUP BY ALL
"""


RIVALS = {
    "mql_to_sql": Rival(
        reads={"leads": ["lead_source", "mql_at", "sql_at", "disqualified_at", "is_deleted"]},
        options={"by": "lead_source"},
        sql=MQL_TO_SQL,
        finish=_qualified,
        pandas=_mql_to_sql,
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
        finish=_customers,
        pandas=_lead_conversion,
    ),
}
