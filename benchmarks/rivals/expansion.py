"""New business, expansion and retention by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import (
    WILSON,
    YEAR,
    YEAR_BEFORE,
    alive,
    between,
    dates_of,
    logit_interval,
    ratio_spread,
    wilson,
)

EXISTING = ("expansion", "renewal", "existing")


def _new_and_expansion(deals: pd.DataFrame, accounts: pd.DataFrame) -> pd.DataFrame:
    parent = accounts.set_index("account_id")["parent_account_id"].dropna()
    top = parent.map(parent).fillna(parent)
    won = deals[deals["status"] == "won"].sort_values(["closed_date", "deal_id"])
    family = won["account_id"].map(top).fillna(won["account_id"])
    first = ~family.duplicated()
    kind = np.select(
        [won["account_id"].isna(), first, ~won["account_id"].duplicated(), won["deal_type"] == "renewal"],
        [4, 0, 1, 3],
        2,
    )
    cents = won["amount_base_cents"]
    parts = pd.DataFrame(
        {
            "value": cents.fillna(0),
            "n": 1,
            "without_amount": cents.isna(),
            "typed_existing": (kind == 0) & won["deal_type"].isin(EXISTING),
        }
    )
    made = parts.groupby(kind).sum()
    return made.assign(new_and_expansion=made["value"] / 100, share=made["value"] / made["value"].sum())


# The first deal of each account by one aggregation. It is the family's first as well but for families with several
# accounts that bought: of these, all but the first are connected. What is not a first is renewal or expansion.
NEW_AND_EXPANSION = f"""
WITH a AS MATERIALIZED (
    SELECT account_id, count(*) AS n, sum(amount_base_cents) AS cents, count(*) - count(amount_base_cents) AS unknown,
           count(*) FILTER (deal_type = 'renewal') AS rn, sum(amount_base_cents) FILTER (deal_type = 'renewal') AS rc,
           count(*) FILTER (deal_type = 'renewal' AND amount_base_cents IS NULL) AS ru,
           min(row(closed_date, deal_id, amount_base_cents, deal_type)) AS first
    FROM deals WHERE status = 'won' GROUP BY account_id),
t AS (SELECT a.account_id, coalesce(p.parent_account_id, a.parent_account_id) AS top
      FROM accounts a LEFT JOIN accounts p ON p.account_id = a.parent_account_id WHERE a.parent_account_id IS NOT NULL),
f AS (SELECT coalesce(sum(n - 1), 0) AS n, coalesce(sum(cents - coalesce(first[3], 0)), 0) AS cents,
             coalesce(sum(unknown - (first[3] IS NULL)::INTEGER), 0) AS unknown,
             coalesce(sum(typed - coalesce(first[4] IN {EXISTING}, FALSE)::INTEGER), 0) AS typed
      FROM (SELECT count(*) AS n, coalesce(sum(first[3]), 0) AS cents, count(*) - count(first[3]) AS unknown,
                   count(*) FILTER (first[4] IN {EXISTING}) AS typed, min(first) AS first
            FROM a LEFT JOIN t USING (account_id) WHERE top IS NOT NULL OR account_id IN (SELECT top FROM t)
            GROUP BY coalesce(top, account_id) HAVING count(*) > 1) g),
s AS (SELECT sum(n) AS n, sum(cents) AS cents, sum(unknown) AS unknown, sum(rn) AS rn, coalesce(sum(rc), 0) AS rc,
             sum(ru) AS ru, count(*) AS first_n, sum(first[3]) AS first_cents, count(*) - count(first[3]) AS first_unknown,
             count(*) FILTER (first[4] IN {EXISTING}) AS first_typed, count(*) FILTER (first[4] = 'renewal') AS first_rn,
             coalesce(sum(first[3]) FILTER (first[4] = 'renewal'), 0) AS first_rc,
             count(*) FILTER (first[4] = 'renewal' AND first[3] IS NULL) AS first_ru
      FROM a WHERE account_id IS NOT NULL)
SELECT n, cents / 100 AS new_and_expansion, cents / sum(cents) OVER () AS share, unknown AS without_amount,
       typed AS typed_existing
FROM (SELECT 0 AS kind, first_n - f.n AS n, first_cents - f.cents AS cents, first_unknown - f.unknown AS unknown,
             first_typed - f.typed AS typed FROM s, f
      UNION ALL SELECT 1, n, cents, unknown, 0 FROM f
      UNION ALL SELECT 2, n - first_n - (rn - first_rn), cents - first_cents - (rc - first_rc),
                       unknown - first_unknown - (ru - first_ru), 0 FROM s
      UNION ALL SELECT 3, rn - first_rn, rc - first_rc, ru - first_ru, 0 FROM s
      UNION ALL SELECT 4, n, cents, unknown, 0 FROM a WHERE account_id IS NULL) k
WHERE n > 0 ORDER BY kind
"""


def _standing(orders: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """The orders of both years that stand, and whether they are of the later one."""
    at = dates_of(orders["order_date"])
    keep = between(at, YEAR_BEFORE[0], YEAR[1]) & orders["account_id"].notna()
    keep &= ~orders["order_status"].isin(["cancelled", "returned"]) & alive(orders)
    return orders[keep], between(at[keep], *YEAR)


def _expansion(orders: pd.DataFrame, order_lines: pd.DataFrame) -> pd.DataFrame:
    stands, now = _standing(orders)
    active = stands["account_id"][~now].unique()
    more = order_lines[order_lines["sale_type"].isin(["upsell", "cross_sell"]) & alive(order_lines)]
    bought = stands[now & stands["account_id"].isin(active)].merge(more, on="order_id")
    kinds = bought.groupby("sale_type")["account_id"].nunique()
    expanded, n = bought["account_id"].nunique(), len(active)
    low, high = wilson(expanded, n)
    upsell, cross_sell = (kinds.get(kind, 0) for kind in ("upsell", "cross_sell"))
    return pd.DataFrame(
        {
            "upsell": [upsell],
            "cross_sell": cross_sell,
            "expanded": expanded,
            "expansion_rate": expanded / n,
            "low": low,
            "high": high,
            "upsell_rate": upsell / n,
            "cross_sell_rate": cross_sell / n,
            "n": n,
        }
    )


STANDING = f"""SELECT {{columns}} FROM orders
              WHERE order_date >= DATE '{YEAR_BEFORE[0]}' AND order_date < DATE '{YEAR[1]}' AND account_id IS NOT NULL
              AND coalesce(order_status, '') NOT IN ('cancelled', 'returned') AND is_deleted IS NOT TRUE"""
NOW = f"order_date >= DATE '{YEAR[0]}' AS now"


EXPANSION = f"""
WITH o AS MATERIALIZED ({STANDING.format(columns=f"order_id, account_id, {NOW}")}),
a AS MATERIALIZED (SELECT account_id FROM o WHERE NOT now GROUP BY account_id),
b AS (SELECT bool_or(sale_type = 'upsell') AS up, bool_or(sale_type = 'cross_sell') AS other
      FROM order_lines JOIN (SELECT order_id, account_id FROM o WHERE now AND account_id IN (FROM a)) n USING (order_id)
      WHERE sale_type IN ('upsell', 'cross_sell') AND is_deleted IS NOT TRUE GROUP BY account_id)
SELECT *, expanded / n AS expansion_rate, upsell / n AS upsell_rate, cross_sell / n AS cross_sell_rate,
       {WILSON.format(k="expanded", n="n")}
FROM (SELECT (SELECT count(*) FROM a) AS n, count(*) FILTER (up) AS upsell, count(*) FILTER (other) AS cross_sell,
             count(*) AS expanded FROM b) s
"""


def _customers(orders: pd.DataFrame) -> pd.DataFrame:
    """What each customer of the earlier year or of this one spent then and spends now."""
    stands, now = _standing(orders)
    cents = stands["net_amount_base_cents"].astype("float64")
    sums = pd.DataFrame({"then": cents.where(~now, 0) / 100, "now": cents.where(now, 0) / 100})
    return sums.groupby(stands["account_id"]).sum()


def _net_retention(orders: pd.DataFrame) -> pd.DataFrame:
    every = _customers(orders)
    member = every["then"] > 0
    then, now = every["then"][member], every["now"][member]
    change, gone = now - then, now <= 0
    return _net_rate(
        pd.DataFrame(
            {
                "previous": [then.sum()],
                "retained": now.sum(),
                "expansion": change[change > 0].sum(),
                "contraction": -change[(change < 0) & ~gone].sum(),
                "churn": -change[gone].sum(),
                "new": (every["now"] - every["then"])[~member].sum(),
                "churned": gone.sum(),
                "n": len(then),
                "tt": now @ now,
                "tb": now @ then,
                "bb": then @ then,
            }
        )
    )


def _net_rate(sums: pd.DataFrame) -> pd.DataFrame:
    x = sums.iloc[0].astype(float)
    ratio, half = ratio_spread(*x[["retained", "previous", "tt", "tb", "bb", "n"]])
    known = np.nan if ratio == 0 else 1.0
    return sums.assign(
        net_new=x["new"] + x["expansion"] - x["contraction"] - x["churn"],
        net_revenue_retention=ratio,
        low=max(ratio - half, 0) * known,
        high=(ratio + half) * known,
    )


CUSTOMERS = f"""SELECT coalesce(sum(net_amount_base_cents) FILTER (NOT now), 0) / 100 AS before,
                       coalesce(sum(net_amount_base_cents) FILTER (now), 0) / 100 AS after
                FROM ({STANDING.format(columns=f"account_id, net_amount_base_cents, {NOW}")}) o GROUP BY account_id"""


NET_RETENTION = f"""
SELECT sum(before) FILTER (before > 0) AS previous, sum(after) FILTER (before > 0) AS retained,
       coalesce(sum(after - before) FILTER (before > 0 AND after > before), 0) AS expansion,
       coalesce(sum(before - after) FILTER (before > 0 AND after > 0 AND after < before), 0) AS contraction,
       coalesce(sum(before - after) FILTER (before > 0 AND after <= 0), 0) AS churn,
       coalesce(sum(after - before) FILTER (before <= 0), 0) AS new,
       count(*) FILTER (before > 0 AND after <= 0) AS churned, count(*) FILTER (before > 0) AS n,
       sum(after * after) FILTER (before > 0) AS tt, sum(after * before) FILTER (before > 0) AS tb,
       sum(before * before) FILTER (before > 0) AS bb
FROM ({CUSTOMERS}) c
"""


def _gross_retention(orders: pd.DataFrame) -> pd.DataFrame:
    every = _customers(orders)
    then, now = (every[name][every["then"] > 0] for name in ("then", "now"))
    kept = now.clip(lower=0).where(now < then, then)
    return _gross_rate(
        pd.DataFrame(
            {
                "previous": [then.sum()],
                "kept": kept.sum(),
                "n": len(then),
                "tt": kept @ kept,
                "tb": kept @ then,
                "bb": then @ then,
            }
        )
    )


def _gross_rate(sums: pd.DataFrame) -> pd.DataFrame:
    x = sums.iloc[0].astype(float)
    ratio, half = ratio_spread(*x[["kept", "previous", "tt", "tb", "bb", "n"]])
    if 0 < ratio < 1:
        low, high = logit_interval(ratio, half)
    else:
        low, high = wilson(x["n"] * (ratio >= 1), x["n"])
    return sums.assign(gross_revenue_retention=ratio, low=low, high=high)


GROSS_RETENTION = f"""
SELECT sum(before) AS previous, sum(kept) AS kept, count(*) AS n, sum(kept * kept) AS tt, sum(kept * before) AS tb,
       sum(before * before) AS bb
FROM (SELECT before, greatest(least(after, before), 0) AS kept FROM ({CUSTOMERS}) c WHERE before > 0) k
"""

ORDERS = ["account_id", "order_date", "order_status", "net_amount_base_cents", "is_deleted"]

RIVALS = {
    "new_and_expansion": Rival(
        reads={
            "deals": ["deal_id", "status", "closed_date", "account_id", "deal_type", "amount_base_cents"],
            "accounts": ["account_id", "parent_account_id"],
        },
        sql=NEW_AND_EXPANSION,
        pandas=_new_and_expansion,
    ),
    "expansion_rate": Rival(
        reads={
            "orders": ["order_id", "account_id", "order_date", "order_status", "is_deleted"],
            "order_lines": ["order_id", "sale_type", "is_deleted"],
        },
        options={"period": YEAR},
        sql=EXPANSION,
        pandas=_expansion,
    ),
    "net_revenue_retention": Rival(
        reads={"orders": ORDERS},
        options={"period": YEAR},
        sql=NET_RETENTION,
        finish=_net_rate,
        pandas=_net_retention,
    ),
    "gross_revenue_retention": Rival(
        reads={"orders": ORDERS},
        options={"period": YEAR},
        sql=GROSS_RETENTION,
        finish=_gross_rate,
        pandas=_gross_retention,
    ),
}
