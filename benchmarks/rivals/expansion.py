"""New business, expansion and retention by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import YEAR, YEAR_BEFORE, alive, between, dates_of


def _new_and_expansion(deals: pd.DataFrame, accounts: pd.DataFrame) -> pd.DataFrame:
    parent = accounts.set_index("account_id")["parent_account_id"].dropna()
    top = parent.map(parent).fillna(parent)
    won = deals[deals["status"] == "won"].sort_values(["closed_date", "deal_id"])
    family = won["account_id"].map(top).fillna(won["account_id"])
    kind = np.select(
        [
            won["account_id"].isna(),
            ~family.duplicated(),
            ~won["account_id"].duplicated(),
            won["deal_type"] == "renewal",
        ],
        [4, 0, 1, 3],
        2,
    )
    made = won.groupby(kind)["amount_base_cents"].agg(["sum", "size"])
    return pd.DataFrame({"new_and_expansion": made["sum"] / 100, "n": made["size"]})


NEW_AND_EXPANSION = """
SELECT kind, sum(amount_base_cents) / 100 AS new_and_expansion, count(*) AS n
FROM (SELECT amount_base_cents, CASE WHEN account_id IS NULL THEN 4 WHEN of_family = 1 THEN 0 WHEN of_account = 1 THEN 1
                                     WHEN deal_type = 'renewal' THEN 3 ELSE 2 END AS kind
      FROM (SELECT amount_base_cents, account_id, deal_type,
                   row_number() OVER (PARTITION BY account_id ORDER BY closed_date, deal_id) AS of_account,
                   row_number() OVER (PARTITION BY coalesce(top, account_id) ORDER BY closed_date, deal_id) AS of_family
            FROM deals LEFT JOIN (SELECT a.account_id, coalesce(p.parent_account_id, a.parent_account_id) AS top
                                  FROM accounts a LEFT JOIN accounts p ON p.account_id = a.parent_account_id
                                  WHERE a.parent_account_id IS NOT NULL) t USING (account_id)
            WHERE status = 'won') d) k
GROUP BY kind ORDER BY kind
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
    expanded = bought["account_id"].nunique()
    return pd.DataFrame(
        {
            "upsell": [kinds.get("upsell", 0)],
            "cross_sell": kinds.get("cross_sell", 0),
            "expanded": expanded,
            "n": len(active),
            "expansion_rate": expanded / len(active),
        }
    )


STANDING = f"""SELECT order_id, account_id, net_amount_base_cents, order_date >= DATE '{YEAR[0]}' AS now FROM orders
              WHERE order_date >= DATE '{YEAR_BEFORE[0]}' AND order_date < DATE '{YEAR[1]}' AND account_id IS NOT NULL
              AND coalesce(order_status, '') NOT IN ('cancelled', 'returned') AND is_deleted IS NOT TRUE"""


EXPANSION = f"""
SELECT count(*) AS n, count(*) FILTER (up) AS upsell, count(*) FILTER (other) AS cross_sell,
       count(*) FILTER (up OR other) AS expanded, count(*) FILTER (up OR other) / count(*) AS expansion_rate
FROM (SELECT bool_or(NOT now) AS active, coalesce(bool_or(sale_type = 'upsell'), FALSE) AS up,
             coalesce(bool_or(sale_type = 'cross_sell'), FALSE) AS other
      FROM ({STANDING}) o LEFT JOIN order_lines l
      ON l.order_id = o.order_id AND o.now AND l.sale_type IN ('upsell', 'cross_sell') AND l.is_deleted IS NOT TRUE
      GROUP BY o.account_id) a
WHERE active
"""


def _customers(orders: pd.DataFrame) -> tuple[pd.Series[float], pd.Series[float]]:
    """What each customer of the earlier year spent then and spends now."""
    stands, now = _standing(orders)
    cents = stands["net_amount_base_cents"]
    sums = pd.DataFrame({"then": cents.where(~now, 0), "now": cents.where(now, 0)})
    sums = sums.groupby(stands["account_id"]).sum()
    sums = sums[sums["then"] > 0] / 100
    return sums["then"], sums["now"]


def _net_retention(orders: pd.DataFrame) -> pd.DataFrame:
    then, now = _customers(orders)
    change, gone = now - then, now <= 0
    return pd.DataFrame(
        {
            "previous": [then.sum()],
            "retained": now.sum(),
            "expansion": change[change > 0].sum(),
            "contraction": -change[(change < 0) & ~gone].sum(),
            "churn": -change[gone].sum(),
            "churned": gone.sum(),
            "net_revenue_retention": now.sum() / then.sum(),
            "n": len(then),
        }
    )


CUSTOMERS = f"""SELECT coalesce(sum(net_amount_base_cents) FILTER (NOT now), 0) / 100 AS before,
                       coalesce(sum(net_amount_base_cents) FILTER (now), 0) / 100 AS after
                FROM ({STANDING}) o GROUP BY account_id HAVING before > 0"""


NET_RETENTION = f"""
SELECT sum(before) AS previous, sum(after) AS retained, sum(greatest(after - before, 0)) AS expansion,
       coalesce(sum(before - after) FILTER (after > 0 AND after < before), 0) AS contraction,
       coalesce(sum(before - after) FILTER (after <= 0), 0) AS churn, count(*) FILTER (after <= 0) AS churned,
       sum(after) / sum(before) AS net_revenue_retention, count(*) AS n
FROM ({CUSTOMERS}) c
"""


def _gross_retention(orders: pd.DataFrame) -> pd.DataFrame:
    then, now = _customers(orders)
    kept = now.clip(lower=0).where(now < then, then).sum()
    return pd.DataFrame(
        {
            "previous": [then.sum()],
            "kept": kept,
            "gross_revenue_retention": kept / then.sum(),
            "n": len(then),
        }
    )


GROSS_RETENTION = f"""
SELECT sum(before) AS previous, sum(greatest(least(after, before), 0)) AS kept, kept / previous AS gross_revenue_retention,
       count(*) AS n
FROM ({CUSTOMERS}) c
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
        same=("new_and_expansion", "n"),
    ),
    "expansion_rate": Rival(
        reads={
            "orders": ["order_id", "account_id", "order_date", "order_status", "is_deleted"],
            "order_lines": ["order_id", "sale_type", "is_deleted"],
        },
        options={"period": YEAR},
        sql=EXPANSION,
        pandas=_expansion,
        same=("upsell", "cross_sell", "expanded", "expansion_rate", "n"),
    ),
    "net_revenue_retention": Rival(
        reads={"orders": ORDERS},
        options={"period": YEAR},
        sql=NET_RETENTION,
        pandas=_net_retention,
        same=(
            "previous",
            "retained",
            "expansion",
            "contraction",
            "churn",
            "churned",
            "n",
            "net_revenue_retention",
        ),
    ),
    "gross_revenue_retention": Rival(
        reads={"orders": ORDERS},
        options={"period": YEAR},
        sql=GROSS_RETENTION,
        pandas=_gross_retention,
        same=("previous", "kept", "gross_revenue_retention", "n"),
    ),
}
