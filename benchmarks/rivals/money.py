"""Growth, sizes, discounts, loss reasons, expansion and retention by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import alive, between, dates_of

YEAR = ("2025-11-01", "2026-11-01")
"""The twelve months that are judged; the twelve before are what they are compared with."""


def _revenue_growth(deals: pd.DataFrame) -> pd.DataFrame:
    won = deals[deals["status"] == "won"]
    at, cents = dates_of(won["closed_date"]), won["amount_base_cents"].to_numpy()
    now, then = between(at, *YEAR), between(at, "2024-11-01", "2025-11-01")
    new, old = np.nansum(cents[now]) / 100, np.nansum(cents[then]) / 100
    return pd.DataFrame(
        {
            "bookings": [new],
            "previous": old,
            "revenue_growth": (new - old) / old,
            "n": now.sum(),
            "previous_n": then.sum(),
        }
    )


REVENUE_GROWTH = """
SELECT bookings, previous, (bookings - previous) / previous AS revenue_growth, n, previous_n
FROM (SELECT sum(amount_base_cents) FILTER (now) / 100 AS bookings, count(*) FILTER (now) AS n,
             sum(amount_base_cents) FILTER (NOT now) / 100 AS previous, count(*) FILTER (NOT now) AS previous_n
      FROM (SELECT amount_base_cents, closed_date >= DATE '2025-11-01' AS now FROM deals
            WHERE status = 'won' AND closed_date >= DATE '2024-11-01' AND closed_date < DATE '2026-11-01') d) s
"""


def _deal_size(deals: pd.DataFrame) -> pd.DataFrame:
    won = deals[(deals["status"] == "won") & (deals["amount_base_cents"] > 0)]
    months = dates_of(won["closed_date"]).astype("datetime64[M]").astype("int64")
    made = won.groupby(months // 3)["amount_base_cents"].agg(["median", "mean", "size"])
    return pd.DataFrame(
        {"average_deal_size": made["median"] / 100, "mean": made["mean"] / 100, "n": made["size"]}
    )


DEAL_SIZE = """
SELECT date_trunc('quarter', closed_date) AS quarter, median(amount_base_cents) / 100 AS average_deal_size,
       avg(amount_base_cents) / 100 AS mean, count(*) AS n
FROM deals WHERE status = 'won' AND amount_base_cents > 0 GROUP BY ALL ORDER BY 1
"""


def _order_value(orders: pd.DataFrame) -> pd.DataFrame:
    orders = orders[alive(orders)]
    cents = orders["net_amount_base_cents"]
    cancelled, returned = orders["order_status"] == "cancelled", orders["order_status"] == "returned"
    stands = ~(cancelled | returned)
    months = dates_of(orders["order_date"]).astype("datetime64[M]").astype("int64")
    made = (
        pd.DataFrame(
            {
                "value": cents.where(stands, 0) / 100,
                "n": stands & (cents >= 0),
                "cancelled": cancelled,
                "returned": returned,
            }
        )
        .groupby(months // 3)
        .sum()
    )
    return made.assign(average_order_value=made["value"] / made["n"])


ORDER_VALUE = """
SELECT *, value / nullif(n, 0) AS average_order_value
FROM (SELECT date_trunc('quarter', order_date) AS quarter, coalesce(sum(cents) FILTER (stands), 0) / 100 AS value,
             count(*) FILTER (stands AND cents >= 0) AS n, count(*) FILTER (order_status = 'cancelled') AS cancelled,
             count(*) FILTER (order_status = 'returned') AS returned
      FROM (SELECT order_date, order_status, net_amount_base_cents AS cents,
                   coalesce(order_status NOT IN ('cancelled', 'returned'), TRUE) AS stands
            FROM orders WHERE is_deleted IS NOT TRUE) o GROUP BY ALL) s
ORDER BY quarter
"""


def _size_change(deals: pd.DataFrame) -> pd.DataFrame:
    at = dates_of(deals["closed_date"])
    now = between(at, *YEAR)
    counts = (now | between(at, "2024-11-01", "2025-11-01")) & (deals["status"] == "won")
    counts &= deals["amount_base_cents"] > 0
    sums = deals[counts].groupby(["segment", now[counts]])["amount_base_cents"].agg(["size", "sum"]).unstack()
    n, value = sums["size"].fillna(0), sums["sum"].fillna(0) / 100
    share, mean = n / n.sum(), (value / n.where(n > 0)).bfill(axis=1).ffill(axis=1)
    overall = value.sum() / n.sum()
    return pd.DataFrame(
        {
            "mean": [overall[True]],
            "previous_mean": overall[False],
            "deal_size_change": overall[True] - overall[False],
            "mix_effect": ((share[True] - share[False]) * mean.mean(axis=1)).sum(),
            "price_effect": ((mean[True] - mean[False]) * share.mean(axis=1)).sum(),
            "n": n[True].sum(),
            "previous_n": n[False].sum(),
        }
    )


SIZE_CHANGE = """
SELECT sum(p * m) AS mean, sum(p0 * m0) AS previous_mean, sum(p * m) - sum(p0 * m0) AS deal_size_change,
       sum((p - p0) * (m + m0) / 2) AS mix_effect, sum((m - m0) * (p + p0) / 2) AS price_effect,
       sum(n) AS n, sum(n0) AS previous_n
FROM (SELECT n, n0, n / sum(n) OVER () AS p, n0 / sum(n0) OVER () AS p0, coalesce(m, m0) AS m, coalesce(m0, m) AS m0
      FROM (SELECT segment, count(*) FILTER (now) AS n, count(*) FILTER (NOT now) AS n0,
                   avg(amount_base_cents) FILTER (now) / 100 AS m, avg(amount_base_cents) FILTER (NOT now) / 100 AS m0
            FROM (SELECT segment, amount_base_cents, closed_date >= DATE '2025-11-01' AS now FROM deals
                  WHERE status = 'won' AND amount_base_cents > 0
                  AND closed_date >= DATE '2024-11-01' AND closed_date < DATE '2026-11-01') d
            GROUP BY ALL) c) s
"""


def _discount(deal_products: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    won = deals[deals["status"] == "won"]
    rate = won["amount_base_cents"] / won["amount"].astype("float64") / 100
    sold = deal_products[~deal_products["is_optional"].fillna(False).astype(bool) & alive(deal_products)]
    sold = sold.merge(pd.DataFrame({"deal_id": won["deal_id"], "rate": rate}), on="deal_id")
    net = np.floor(sold["line_amount"].astype("float64") * sold["rate"] * 100 + 0.5)
    full = np.floor(sold["list_price"].astype("float64") * sold["quantity"] * sold["rate"] * 100 + 0.5)
    known = (full > 0) & net.notna()
    listed, paid = full[known].sum() / 100, net[known].sum() / 100
    return pd.DataFrame(
        {
            "list_value": [listed],
            "net_value": paid,
            "discount": 1 - paid / listed,
            "coverage": paid / (net.sum() / 100),
            "n": sold["deal_id"][known].nunique(),
        }
    )


DISCOUNT = """
SELECT listed / 100 AS list_value, paid / 100 AS net_value, 1 - paid / listed AS discount, paid / every AS coverage, n
FROM (SELECT sum(list) FILTER (known) AS listed, sum(net) FILTER (known) AS paid, sum(net) AS every,
             count(DISTINCT deal_id) FILTER (known) AS n
      FROM (SELECT *, list > 0 AND net IS NOT NULL AS known
            FROM (SELECT deal_id, floor(line_amount::DOUBLE * rate * 100 + 0.5) AS net,
                         floor(list_price::DOUBLE * quantity * rate * 100 + 0.5) AS list
                  FROM deal_products JOIN (SELECT deal_id, amount_base_cents / amount::DOUBLE / 100 AS rate
                                           FROM deals WHERE status = 'won') d USING (deal_id)
                  WHERE is_optional IS NOT TRUE AND is_deleted IS NOT TRUE) l) k) s
"""

JUNK = ("duplicate", "test", "spam")
OTHER = (
    "other", "others", "unknown", "n/a", "misc", "miscellaneous", "sonstige", "sonstiges", "andere", "unbekannt"
)  # fmt: skip


def _loss_reasons(deals: pd.DataFrame) -> pd.DataFrame:
    counts = deals["lost_reason"][deals["status"] == "lost"].fillna("").str.lower().value_counts()
    counts = counts[~counts.index.isin(JUNK)].rename_axis("reason").reset_index(name="deals")
    parts = counts["reason"].str.split(";").map(lambda words: list({w.strip() for w in words} - {""}))
    parts = parts.map(lambda words: words or ["(missing)"])
    single = counts.assign(reason=parts, deals=counts["deals"] / parts.map(len)).explode("reason")
    single["reason"] = single["reason"].where(~single["reason"].isin(OTHER), "other")
    made = single.groupby("reason", as_index=False)["deals"].sum()
    made["first"] = made["reason"].map({"(missing)": 0, "other": 1}).fillna(2)
    made = made.sort_values(["first", "deals", "reason"], ascending=[True, False, True])
    return made.assign(loss_reasons=made["deals"] / made["deals"].sum(), n=made["deals"].sum())


LOSS_REASONS = f"""
SELECT reason, sum(part) AS deals, sum(part) / sum(sum(part)) OVER () AS loss_reasons, sum(sum(part)) OVER () AS n
FROM (SELECT CASE WHEN word IN {OTHER} THEN 'other' ELSE word END AS reason, deals / len(words) AS part
      FROM (SELECT deals, words, unnest(words) AS word
            FROM (SELECT deals, CASE WHEN len(words) > 0 THEN words ELSE ['(missing)'] END AS words
                  FROM (SELECT count(*) AS deals, list_distinct([trim(w) FOR w IN string_split(lower(lost_reason), ';')
                                                                 IF trim(w) <> '']) AS words
                        FROM deals WHERE status = 'lost' AND coalesce(lower(lost_reason), '') NOT IN {JUNK}
                        GROUP BY lost_reason) c) f) u) s
GROUP BY reason ORDER BY CASE reason WHEN '(missing)' THEN 0 WHEN 'other' THEN 1 ELSE 2 END, deals DESC, reason
"""

KINDS = ["first_order", "connected_new", "expansion", "renewal", "(missing)"]


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
    keep = between(at, "2024-11-01", YEAR[1]) & orders["account_id"].notna()
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


STANDING = """SELECT order_id, account_id, net_amount_base_cents, order_date >= DATE '2025-11-01' AS now FROM orders
              WHERE order_date >= DATE '2024-11-01' AND order_date < DATE '2026-11-01' AND account_id IS NOT NULL
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

OF_A_LINE = ["is_optional", "is_deleted"]
ORDERS = ["account_id", "order_date", "order_status", "net_amount_base_cents", "is_deleted"]

RIVALS = {
    "revenue_growth": Rival(
        reads={"deals": ["status", "closed_date", "amount_base_cents"]},
        options={"period": YEAR},
        sql=REVENUE_GROWTH,
        pandas=_revenue_growth,
        same=("bookings", "previous", "revenue_growth", "n", "previous_n"),
    ),
    "average_deal_size": Rival(
        reads={"deals": ["status", "closed_date", "amount_base_cents"]},
        options={"by": "quarter"},
        sql=DEAL_SIZE,
        pandas=_deal_size,
        same=("average_deal_size", "mean", "n"),
    ),
    "average_order_value": Rival(
        reads={"orders": ORDERS[1:]},
        options={"by": "quarter"},
        sql=ORDER_VALUE,
        pandas=_order_value,
        same=("value", "average_order_value", "n", "cancelled", "returned"),
    ),
    "deal_size_change": Rival(
        reads={"deals": ["status", "closed_date", "amount_base_cents", "segment"]},
        options={"period": YEAR},
        sql=SIZE_CHANGE,
        pandas=_size_change,
        same=("mean", "previous_mean", "deal_size_change", "mix_effect", "price_effect", "n", "previous_n"),
    ),
    "discount": Rival(
        reads={
            "deal_products": ["deal_id", "quantity", "list_price", "line_amount", *OF_A_LINE],
            "deals": ["deal_id", "status", "amount", "amount_base_cents"],
        },
        sql=DISCOUNT,
        pandas=_discount,
        same=("list_value", "net_value", "discount", "coverage", "n"),
    ),
    "loss_reasons": Rival(
        reads={"deals": ["status", "lost_reason"]},
        sql=LOSS_REASONS,
        pandas=_loss_reasons,
        same=("deals", "loss_reasons", "n"),
    ),
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
