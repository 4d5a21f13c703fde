"""Sizes of deals and orders, and discounts, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import Array, Z, alive, dates_of, median_bounds, ratio_spread


def _quarters(dates: pd.Series) -> Array:
    return dates_of(dates).astype("datetime64[M]").astype("int64") // 3


def _deal_size(deals: pd.DataFrame) -> pd.DataFrame:
    won = deals[deals["status"] == "won"]
    account = pd.factorize(won["account_id"].fillna(won["deal_id"]))[0]
    cents, quarter = (
        won["amount_base_cents"].to_numpy(dtype=float, na_value=np.nan),
        _quarters(won["closed_date"]),
    )
    order = np.lexsort((cents, quarter))
    starts = np.flatnonzero(np.diff(quarter[order], prepend=-1))
    return pd.DataFrame([_sizes(cents[rows], account[rows]) for rows in np.split(order, starts[1:])])


def _sizes(cents: Array, account: Array) -> dict[str, float]:
    """The figures of one quarter from its sorted amounts (those that are not known last) and their accounts."""
    counts = cents > 0
    size, account = cents[counts], account[counts]
    n, middle = len(size), np.median(size)
    _, place = np.unique(account, return_inverse=True)
    spread = (np.bincount(place, weights=np.sign(size - middle)) ** 2).sum()
    lower, cut = int(median_bounds(n, spread / n)), n // 10
    return {
        "average_deal_size": middle / 100,
        "low": size[lower - 1] / 100 if lower > 0 else np.nan,
        "high": size[n - lower] / 100 if lower > 0 else np.nan,
        "mean": size.mean() / 100,
        "trimmed_mean": size[cut : n - cut].mean() / 100,
        "n": n,
        "zero": (cents <= 0).sum(),
        "without_amount": np.isnan(cents).sum(),
    }


# The interval of the median runs between order statistics: one sorted list per quarter has them all. How far apart
# they are depends on how much deals of one account lie on the same side of the median.
DEAL_SIZE = f"""
WITH w AS (SELECT date_trunc('quarter', closed_date) AS quarter, coalesce(account_id, deal_id) AS account,
                  amount_base_cents AS cents FROM deals WHERE status = 'won'),
m AS (SELECT *, (v[(n + 1) // 2] + v[n // 2 + 1]) / 2 AS middle
      FROM (SELECT quarter, list(cents ORDER BY cents) FILTER (cents > 0) AS v, count(*) FILTER (cents > 0) AS n,
                   count(*) FILTER (cents <= 0) AS zero, count(*) FILTER (cents IS NULL) AS without_amount
            FROM w GROUP BY quarter) g),
s AS (SELECT quarter, sum(side * side) AS spread
      FROM (SELECT quarter, sum(sign(cents - middle)) AS side FROM w JOIN (SELECT quarter, middle FROM m) c USING (quarter)
            WHERE cents > 0 GROUP BY quarter, account) a GROUP BY quarter)
SELECT middle / 100 AS average_deal_size, v[greatest(place, 0)] / 100 AS low, v[n + 1 - place] / 100 AS high,
       list_avg(v) / 100 AS mean, list_avg(v[n // 10 + 1 : n - n // 10]) / 100 AS trimmed_mean, n, zero, without_amount
FROM (SELECT *, floor((n + 1 - {Z} * sqrt(greatest(spread, n))) / 2)::BIGINT AS place FROM m JOIN s USING (quarter)) b
ORDER BY quarter
"""


def _order_value(orders: pd.DataFrame) -> pd.DataFrame:
    orders = orders[alive(orders)]
    cents = orders["net_amount_base_cents"]
    cancelled, returned = orders["order_status"] == "cancelled", orders["order_status"] == "returned"
    stands = ~(cancelled | returned)
    parts = pd.DataFrame(
        {
            "t": cents.where(stands, 0).fillna(0).astype("float64"),
            "b": (stands & (cents >= 0)).astype("float64"),
            "cancelled": cancelled,
            "returned": returned,
            "without_amount": stands & cents.isna(),
        }
    )
    quarter = _quarters(orders["order_date"])
    made = parts.groupby(quarter).sum()
    account = pd.factorize(orders["account_id"].fillna(orders["order_id"]))[0]
    each = parts[["t", "b"]].groupby([quarter, account]).sum()
    squares = pd.DataFrame(
        {
            "tt": each["t"] ** 2,
            "tb": each["t"] * each["b"],
            "bb": each["b"] ** 2,
            "g": (each["t"] != 0) | (each["b"] != 0),
        }
    )
    return _order_values(made.join(squares.groupby(level=0).sum()))


def _order_values(sums: pd.DataFrame) -> pd.DataFrame:
    ratio, half = ratio_spread(*(sums[c] for c in ("t", "b", "tt", "tb", "bb", "g")))
    return sums.assign(
        value=sums["t"] / 100,
        average_order_value=ratio / 100,
        low=(ratio - half) / 100,
        high=(ratio + half) / 100,
        n=sums["b"],
    )


ORDER_VALUE = """
SELECT sum(t) AS t, sum(b) AS b, sum(t * t) AS tt, sum(t * b) AS tb, sum(b * b) AS bb,
       count(*) FILTER (t <> 0 OR b <> 0) AS g, sum(cancelled) AS cancelled, sum(returned) AS returned,
       sum(without_amount) AS without_amount
FROM (SELECT quarter, coalesce(sum(cents) FILTER (stands), 0)::DOUBLE AS t,
             (count(*) FILTER (stands AND cents >= 0))::DOUBLE AS b,
             count(*) FILTER (order_status = 'cancelled') AS cancelled, count(*) FILTER (order_status = 'returned') AS returned,
             count(*) FILTER (stands AND cents IS NULL) AS without_amount
      FROM (SELECT date_trunc('quarter', order_date) AS quarter, coalesce(account_id, order_id) AS account,
                   order_status, net_amount_base_cents AS cents,
                   coalesce(order_status NOT IN ('cancelled', 'returned'), TRUE) AS stands
            FROM orders WHERE is_deleted IS NOT TRUE) o GROUP BY quarter, account) a
GROUP BY quarter ORDER BY quarter
"""


def _discount(deal_products: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    won = deals[deals["status"] == "won"]
    rate = won["amount_base_cents"] / won["amount"].astype("float64") / 100
    sold = deal_products[~deal_products["is_optional"].fillna(False).astype(bool) & alive(deal_products)]
    place = pd.Index(won["deal_id"]).get_indexer(sold["deal_id"])
    sold, place = sold[place >= 0], place[place >= 0]
    rate = rate.to_numpy(dtype=float)[place]
    net = np.floor(sold["line_amount"].to_numpy(dtype=float) * rate * 100 + 0.5)
    full = np.floor(
        sold["list_price"].to_numpy(dtype=float) * sold["quantity"].to_numpy(dtype=float) * rate * 100 + 0.5
    )
    known = (full > 0) & ~np.isnan(net)
    size = len(won)
    every = np.nansum(net)
    listed = np.bincount(place[known], weights=full[known], minlength=size)
    cut = np.bincount(place[known], weights=(full - net)[known], minlength=size)
    has = listed > 0
    account = pd.factorize(won["account_id"].fillna(won["deal_id"])[has])[0]
    t, b = (np.bincount(account, weights=x[has]) for x in (cut, listed))
    middle, p90 = np.quantile(cut[has] / listed[has], [0.5, 0.9])
    sums = {"t": t.sum(), "b": b.sum(), "tt": t @ t, "tb": t @ b, "bb": b @ b, "g": len(t)}
    more = {"median": middle, "p90": p90, "net": every, "n": has.sum()}
    return _discounts(pd.DataFrame([sums | more]))


def _discounts(sums: pd.DataFrame) -> pd.DataFrame:
    ratio, half = ratio_spread(*(sums[c] for c in ("t", "b", "tt", "tb", "bb", "g")))
    paid = sums["b"] - sums["t"]
    return sums.assign(
        list_value=sums["b"] / 100,
        net_value=paid / 100,
        discount=ratio,
        low=ratio - half,
        high=ratio + half,
        coverage=paid / sums["net"],
    )


DISCOUNT = """
WITH d AS MATERIALIZED (
    SELECT account, sum(net) AS net, sum(list) FILTER (list > 0 AND net IS NOT NULL) AS b,
           b - sum(net) FILTER (list > 0 AND net IS NOT NULL) AS t
    FROM (SELECT deal_id, account, floor(line_amount::DOUBLE * rate * 100 + 0.5) AS net,
                 floor(list_price::DOUBLE * quantity * rate * 100 + 0.5) AS list
          FROM deal_products JOIN (SELECT deal_id, coalesce(account_id, deal_id) AS account,
                                          amount_base_cents / amount::DOUBLE / 100 AS rate
                                   FROM deals WHERE status = 'won') w USING (deal_id)
          WHERE is_optional IS NOT TRUE AND is_deleted IS NOT TRUE) l
    GROUP BY deal_id, account)
SELECT *, q[1] AS median, q[2] AS p90
FROM (SELECT quantile_cont(t / b, [0.5, 0.9]) AS q, sum(net) AS net, count(b) AS n FROM d) r,
     (SELECT sum(t) AS t, sum(b) AS b, sum(t * t) AS tt, sum(t * b) AS tb, sum(b * b) AS bb, count(*) AS g
      FROM (SELECT sum(t) AS t, sum(b) AS b FROM d WHERE b > 0 GROUP BY account) a) s
"""


RIVALS = {
    "average_deal_size": Rival(
        reads={"deals": ["deal_id", "status", "closed_date", "amount_base_cents", "account_id"]},
        options={"by": "quarter"},
        sql=DEAL_SIZE,
        pandas=_deal_size,
    ),
    "average_order_value": Rival(
        reads={
            "orders": [
                "order_id",
                "account_id",
                "order_date",
                "order_status",
                "net_amount_base_cents",
                "is_deleted",
            ]
        },
        options={"by": "quarter"},
        sql=ORDER_VALUE,
        finish=_order_values,
        pandas=_order_value,
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
            "deals": ["deal_id", "account_id", "status", "amount", "amount_base_cents"],
        },
        sql=DISCOUNT,
        finish=_discounts,
        pandas=_discount,
    ),
}
