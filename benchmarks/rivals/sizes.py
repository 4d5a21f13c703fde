"""Sizes of deals and orders, and discounts, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import alive, dates_of


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


RIVALS = {
    "average_deal_size": Rival(
        reads={"deals": ["status", "closed_date", "amount_base_cents"]},
        options={"by": "quarter"},
        sql=DEAL_SIZE,
        pandas=_deal_size,
        same=("average_deal_size", "mean", "n"),
    ),
    "average_order_value": Rival(
        reads={"orders": ["order_date", "order_status", "net_amount_base_cents", "is_deleted"]},
        options={"by": "quarter"},
        sql=ORDER_VALUE,
        pandas=_order_value,
        same=("value", "average_order_value", "n", "cancelled", "returned"),
    ),
    "discount": Rival(
        reads={
            "deal_products": [
                "deal_id",
                "quantity",
                "list_price",
                "line_amount",
                "is_optional",
                "is_deleted",
            ],
            "deals": ["deal_id", "status", "amount", "amount_base_cents"],
        },
        sql=DISCOUNT,
        pandas=_discount,
        same=("list_value", "net_value", "discount", "coverage", "n"),
    ),
}
