"""Acquisition of customers and their value by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import AS_OF, TODAY, Array, alive, dates_of


def _first_wins(deals: pd.DataFrame) -> pd.DataFrame:
    """The first won deal of each account, and of deals without one each."""
    won = deals[(deals["status"] == "won") & deals["closed_date"].notna()]
    won = won.assign(when=dates_of(won["closed_date"])).sort_values(["when", "deal_id"])
    return won[won["account_id"].isna() | ~won["account_id"].duplicated()]


def _lag(new: pd.DataFrame) -> int:
    """Median months from lead to win."""
    waits = (new["when"] - new["lead_created_at"].dt.normalize()).dt.days
    middle = waits[waits >= 0].median()
    return 0 if np.isnan(middle) else int(np.floor(middle / (365.25 / 12) + 0.5))


def _spent(costs: pd.DataFrame, lag: int) -> float:
    """What was spent on wins up to the month of looking."""
    months = dates_of(costs["cost_date"]).astype("datetime64[M]") + lag
    return (
        float(costs["amount_base_cents"][(months <= TODAY.astype("datetime64[M]")) & alive(costs)].sum())
        / 100
    )


def _acquisition(costs: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    new = _first_wins(deals)
    lag = _lag(new)
    cost = _spent(costs, lag)
    return pd.DataFrame(
        {
            "cost": [cost],
            "customer_acquisition_cost": cost / len(new),
            "n": len(new),
            "lag_months": lag,
            "acquisition_share": 1.0,
        }
    )


NEW = """new AS MATERIALIZED (
    SELECT coalesce(account_id, deal_id) AS account_id, min(closed_date) AS closed_date,
           arg_min_null(closed_date - lead_created_at::DATE, row(closed_date, deal_id)) AS wait
    FROM deals WHERE status = 'won' AND closed_date IS NOT NULL GROUP BY coalesce(account_id, deal_id))"""


SPENT = f"""SELECT n, lag_months, (SELECT sum(amount_base_cents) / 100 FROM costs WHERE is_deleted IS NOT TRUE
                   AND date_trunc('month', cost_date) + to_months(lag_months) <= date_trunc('month', DATE '{AS_OF}')) AS cost
            FROM (SELECT count(*) AS n, coalesce(floor(median(wait) FILTER (wait >= 0) / (365.25 / 12) + 0.5), 0)::INTEGER
                         AS lag_months FROM new) l"""


ACQUISITION = (
    f"WITH {NEW} SELECT *, cost / n AS customer_acquisition_cost, 1 AS acquisition_share FROM ({SPENT}) s"
)


def _ordered(orders: pd.DataFrame, order_lines: pd.DataFrame) -> pd.DataFrame:
    """The orders that stand with their day, value, the value of lines whose cost is known, and the margin of those."""
    at = dates_of(orders["order_date"])
    stands = ~orders["order_status"].isin(["cancelled", "returned"]) & alive(orders) & (at <= TODAY)
    stands &= orders["account_id"].notna()
    found = orders.loc[stands, ["order_id", "account_id", "net_amount_base_cents"]].assign(day=at[stands])
    lines = order_lines[alive(order_lines) & order_lines["unit_cost"].notna()]
    worth = lines["line_amount_base_cents"]
    rate = worth / (lines["line_amount"].astype("float64") * 100)
    cost = np.floor(lines["unit_cost"].astype("float64") * lines["quantity"] * rate * 100 + 0.5)
    sums = pd.DataFrame({"known": worth.where(cost.notna()), "margin": worth - cost})
    sums = sums.groupby(lines["order_id"]).sum()
    found = found.rename(columns={"net_amount_base_cents": "value"}).merge(
        sums, left_on="order_id", right_index=True, how="left"
    )
    return found.fillna({"known": 0, "margin": 0})


STANDS = f"""coalesce(order_status, '') NOT IN ('cancelled', 'returned') AND account_id IS NOT NULL AND is_deleted IS NOT TRUE
             AND order_date <= DATE '{AS_OF}'"""
LINES = """SELECT {columns}, line_amount_base_cents AS worth, line_amount_base_cents - floor(unit_cost::DOUBLE * quantity
                  * (line_amount_base_cents / (line_amount::DOUBLE * 100)) * 100 + 0.5) AS gain
           FROM order_lines JOIN {orders} USING (order_id) WHERE unit_cost IS NOT NULL AND is_deleted IS NOT TRUE"""


def _payback(
    costs: pd.DataFrame, deals: pd.DataFrame, orders: pd.DataFrame, order_lines: pd.DataFrame
) -> pd.DataFrame:
    new = _first_wins(deals)
    new = new.assign(month=new["when"].to_numpy().astype("datetime64[M]").astype("int64"))
    full = int((TODAY + 1).astype("datetime64[M]").astype("int64")) - 1
    sales = _ordered(orders, order_lines).merge(new[["account_id", "month"]], on="account_id")
    sales["age"] = sales["day"].to_numpy().astype("datetime64[M]").astype("int64") - sales["month"]
    sales = sales[sales["age"] >= 0]
    over = sales["month"] + sales["age"] <= full
    parts = pd.DataFrame({name: sales[name] for name in ("age", "value", "known", "margin")})
    parts["over_unknown"] = (sales["value"] - sales["known"]).where(over, 0)
    parts["over_margin"] = sales["margin"].where(over, 0)
    cost, counts = _spent(costs, _lag(new)) / len(new), new["month"].value_counts()
    earned = parts.groupby("age", as_index=False).sum()
    return _repaid(cost, full - counts.index.to_numpy(), counts.to_numpy(), earned)


def _repaid(cost: float, month: Array, n: Array, earned: pd.DataFrame) -> pd.DataFrame:
    """Payback from the cost of a customer, the customers by full months since, and what they brought by month."""
    length, total = int(month.max()) + 1, n.sum()
    customers = np.bincount(month[month >= 0], weights=n[month >= 0], minlength=length)
    followed = customers[::-1].cumsum()[::-1]
    value, known = earned["value"].sum(), earned["known"].sum()
    gain = earned["over_margin"] + earned["over_unknown"] * (earned["margin"].sum() / known)
    each = np.bincount(earned["age"].astype(int), weights=gain, minlength=length)[:length]
    curve = (each / 100 / followed).cumsum()
    reached = np.flatnonzero(curve >= cost - 1e-9)
    return pd.DataFrame(
        {
            "customer_acquisition_cost": [cost],
            "margin": curve[-1],
            "months_followed": length,
            "cac_payback": reached[0] + 1 if len(reached) else np.nan,
            "coverage": known / value,
            "n": total,
            "matured": followed[reached[0] if len(reached) else -1] / total,
        }
    )


def _repaid_parts(parts: pd.DataFrame) -> pd.DataFrame:
    spent, months, earned = (parts[parts["part"] == i] for i in range(3))
    cost = float(spent["value"].iloc[0] / spent["n"].iloc[0])
    return _repaid(cost, months["age"].to_numpy(dtype=int), months["n"].to_numpy(), earned)


MONTHS_OF = "(year({0}) * 12 + month({0}))"
FULL = MONTHS_OF.format(f"(DATE '{AS_OF}' + 1)") + " - 1"
# Three small tables in one: the cost, the customers by full months since they were won, what they brought by month.
PAYBACK = f"""
WITH {NEW},
c AS (SELECT account_id, {MONTHS_OF.format("closed_date")} AS won FROM new),
o AS MATERIALIZED (SELECT order_id, ordered - won AS age, ordered <= {FULL} AS over, value
                   FROM (SELECT order_id, account_id, {MONTHS_OF.format("order_date")} AS ordered,
                                net_amount_base_cents AS value FROM orders WHERE {STANDS}) s
                        JOIN c USING (account_id) WHERE ordered >= won)
SELECT 0 AS part, 0 AS age, n, cost AS value, 0 AS known, 0 AS margin, 0 AS over_unknown, 0 AS over_margin FROM ({SPENT}) s
UNION ALL SELECT 1, {FULL} - won, count(*), 0, 0, 0, 0, 0 FROM c GROUP BY won
UNION ALL SELECT 2, age, 0, sum(value), sum(worth), sum(gain), coalesce(sum(value - worth) FILTER (over), 0),
                 coalesce(sum(gain) FILTER (over), 0)
          FROM (SELECT age, over, value, 0 AS worth, 0 AS gain FROM o
                UNION ALL SELECT age, over, 0, worth, gain FROM ({LINES.format(columns="age, over", orders="o")}) l
                WHERE gain IS NOT NULL) m
          GROUP BY age
"""


def _lifetime(orders: pd.DataFrame, order_lines: pd.DataFrame, accounts: pd.DataFrame) -> pd.DataFrame:
    sales = _ordered(orders, order_lines)
    people = sales.groupby("account_id")["day"].agg(["min", "max"])
    gone = accounts[alive(accounts)].set_index("account_id")["churned_at"].reindex(people.index)
    silent = people["max"] + pd.Timedelta(days=365)
    end = np.fmin(dates_of(gone), dates_of(silent.where(silent <= TODAY)))
    end = np.where(end > TODAY, np.datetime64("NaT"), end)
    event = ~np.isnat(end)
    first = dates_of(people["min"])
    alive_for = np.maximum((np.where(event, end, TODAY) - first).astype("int64"), 0)
    followed = alive_for * 400 // 12175 + event
    again = (people["max"] - people["min"]).dt.days >= 7
    lives = pd.DataFrame({"followed": followed, "gone": event, "again": again, "n": 1})
    place = people.index.get_indexer(sales["account_id"])
    age = (dates_of(sales["day"]) - first[place]).astype("int64") * 400 // 12175
    inside = age < followed[place]
    earned = sales[["value", "known", "margin"]][inside].groupby(age[inside]).sum()
    return _worth(
        lives.groupby(["followed", "gone"], as_index=False).sum(), earned.rename_axis("age").reset_index()
    )


def _worth(lives: pd.DataFrame, earned: pd.DataFrame) -> pd.DataFrame:
    """The value from customers by months followed (and whether they left then), and what all brought by month."""
    from scipy.special import chdtrc

    days, left = lives["followed"].to_numpy(dtype=int), lives["gone"].to_numpy(dtype=bool)
    n = lives["n"].to_numpy(dtype=float)
    length, total, many_left = int(days.max()) + 1, n.sum(), n[left].sum()
    tau = min(36, length - 1)
    every, gone = np.bincount(days, n, length), np.bincount(days[left], n[left], length)
    risk = every[::-1].cumsum()[::-1]
    survival = np.cumprod(1 - gone / risk)
    value, known = earned["value"].sum(), earned["known"].sum()
    rate = earned["margin"].sum() / known
    gain = np.bincount(
        earned["age"].astype(int),
        (earned["margin"] + (earned["value"] - earned["known"]) * rate) / 100,
        length,
    )
    worth = survival[:tau] * gain[:tau] / (risk - every)[:tau] / 1.1 ** (np.arange(tau) / 12)
    years = np.arange(-(-(length - 1) // 12))[:, None] * 12
    exposed = (n * np.clip(days - years, 0, 12)).sum(axis=1)
    by_year = (n * left * ((days > years) & (days <= years + 12))).sum(axis=1)
    flat_p = np.nan
    if len(years) > 1 and by_year.sum():
        shares = np.where(by_year > 0, by_year / exposed / (by_year.sum() / exposed.sum()), 1)
        flat_p = chdtrc(len(years) - 1, 2 * (by_year * np.log(shares)).sum())
    return pd.DataFrame(
        {
            "customer_lifetime_value": [worth.sum()],
            "months": tau,
            "retained": survival[tau],
            "margin_over_churn": gain.sum() / many_left if flat_p >= 0.05 and many_left >= 10 else np.nan,
            "flat_p": flat_p,
            "coverage": known / value,
            "left": many_left,
            "returned": lives["again"].sum(),
            "n": total,
            "matured": n[left | (days >= tau)].sum() / total,
        }
    )


def _worth_parts(parts: pd.DataFrame) -> pd.DataFrame:
    lives = parts["value"].isna()
    return _worth(parts[lives], parts[~lives].rename(columns={"followed": "age"}))


# Two small tables in one: the customers by months followed, and what they brought by month since their first order.
LIFETIME = f"""
WITH o AS MATERIALIZED (SELECT order_id, account_id, order_date, net_amount_base_cents AS value FROM orders WHERE {STANDS}),
c AS MATERIALIZED (
    SELECT account_id, first, gone IS NOT NULL AS gone, again,
           greatest(coalesce(gone, DATE '{AS_OF}') - first, 0) * 400 // 12175 + (gone IS NOT NULL)::INTEGER AS followed
    FROM (SELECT p.account_id, first, last - first >= 7 AS again,
                 least(churned, CASE WHEN last + 365 <= DATE '{AS_OF}' THEN last + 365 END) AS gone
          FROM (SELECT account_id, min(order_date) AS first, max(order_date) AS last FROM o GROUP BY account_id) p
          LEFT JOIN (SELECT account_id, churned_at::DATE AS churned FROM accounts
                     WHERE is_deleted IS NOT TRUE AND churned_at::DATE <= DATE '{AS_OF}') a USING (account_id)) e),
m AS MATERIALIZED (SELECT order_id, (order_date - first) * 400 // 12175 AS age, value FROM o JOIN c USING (account_id)
                   WHERE (order_date - first) * 400 // 12175 < followed)
SELECT followed, gone, count(*) AS n, count(*) FILTER (again) AS again, NULL AS value, NULL AS known, NULL AS margin
FROM c GROUP BY followed, gone
UNION ALL SELECT age, NULL, NULL, NULL, sum(value), sum(worth), sum(gain)
          FROM (SELECT age, value, 0 AS worth, 0 AS gain FROM m
                UNION ALL SELECT age, 0, worth, gain FROM ({LINES.format(columns="age", orders="m")}) l WHERE gain IS NOT NULL) s
          GROUP BY age
"""


WON = ["deal_id", "status", "closed_date", "account_id", "lead_created_at"]
COST = ["cost_date", "amount_base_cents", "is_deleted"]
ORDERS = ["order_id", "account_id", "order_date", "order_status", "net_amount_base_cents", "is_deleted"]
LINES_READ = ["order_id", "line_amount", "line_amount_base_cents", "quantity", "unit_cost", "is_deleted"]
RIVALS = {
    "customer_acquisition_cost": Rival(
        reads={"costs": COST, "deals": WON},
        options={"as_of": AS_OF},
        sql=ACQUISITION,
        pandas=_acquisition,
    ),
    "cac_payback": Rival(
        reads={"costs": COST, "deals": WON, "orders": ORDERS, "order_lines": LINES_READ},
        options={"as_of": AS_OF},
        sql=PAYBACK,
        finish=_repaid_parts,
        pandas=_payback,
    ),
    "customer_lifetime_value": Rival(
        reads={
            "orders": ORDERS,
            "order_lines": LINES_READ,
            "accounts": ["account_id", "churned_at", "is_deleted"],
        },
        options={"as_of": AS_OF},
        sql=LIFETIME,
        finish=_worth_parts,
        pandas=_lifetime,
    ),
}
