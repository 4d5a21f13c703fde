"""Acquisition, channels, surveys and the value of customers by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import AS_OF, TODAY, alive, dates_of


def _answers(surveys: pd.DataFrame) -> pd.DataFrame:
    given = surveys[(surveys["survey_type"] == "nps") & alive(surveys) & surveys["score"].notna()]
    given = given.assign(day=dates_of(given["responded_at"])).sort_values(
        ["day", "score"], ascending=[False, True]
    )
    score = given["score"][given["contact_id"].isna() | ~given["contact_id"].duplicated()]
    up, down, n = (score >= 9).sum(), (score < 7).sum(), len(score)
    return pd.DataFrame(
        {"promoters": [up], "detractors": down, "net_promoter_score": 100 * (up - down) / n, "n": n}
    )


PROMOTERS = """
SELECT promoters, detractors, n, 100 * (promoters - detractors) / n AS net_promoter_score
FROM (SELECT count(*) FILTER (score >= 9) AS promoters, count(*) FILTER (score < 7) AS detractors, count(*) AS n
      FROM (SELECT score FROM surveys WHERE survey_type = 'nps' AND score IS NOT NULL AND is_deleted IS NOT TRUE
            QUALIFY contact_id IS NULL
            OR row_number() OVER (PARTITION BY contact_id ORDER BY responded_at::DATE DESC, score) = 1) s) c
"""


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
        {"cost": [cost], "customer_acquisition_cost": cost / len(new), "n": len(new), "lag_months": lag}
    )


NEW = """new AS (SELECT account_id, closed_date, lead_created_at FROM deals WHERE status = 'won' AND closed_date IS NOT NULL
                 QUALIFY account_id IS NULL OR row_number() OVER (PARTITION BY account_id ORDER BY closed_date, deal_id) = 1)"""


LAG = """SELECT count(*) AS n, coalesce(floor(median(closed_date - lead_created_at::DATE)
                FILTER (closed_date >= lead_created_at::DATE) / (365.25 / 12) + 0.5), 0)::INTEGER AS lag_months FROM new"""


SPENT = f"""SELECT n, lag_months, (SELECT sum(amount_base_cents) / 100 FROM costs WHERE is_deleted IS NOT TRUE
                   AND date_trunc('month', cost_date) + to_months(lag_months) <= date_trunc('month', DATE '{AS_OF}')) AS cost
            FROM ({LAG}) l"""


ACQUISITION = f"WITH {NEW} SELECT *, cost / n AS customer_acquisition_cost FROM ({SPENT}) s"


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


ORDERED = f"""o AS (SELECT o.account_id, o.order_date, net_amount_base_cents AS value, coalesce(known, 0) AS known,
                           coalesce(margin, 0) AS margin
                    FROM orders o LEFT JOIN (
                        SELECT order_id, sum(line_amount_base_cents) AS known, sum(line_amount_base_cents - cost) AS margin
                        FROM (SELECT order_id, line_amount_base_cents, floor(unit_cost::DOUBLE * quantity
                                     * (line_amount_base_cents / (line_amount::DOUBLE * 100)) * 100 + 0.5) AS cost
                              FROM order_lines WHERE unit_cost IS NOT NULL AND is_deleted IS NOT TRUE) l
                        WHERE cost IS NOT NULL GROUP BY order_id) k USING (order_id)
                    WHERE coalesce(o.order_status, '') NOT IN ('cancelled', 'returned') AND o.account_id IS NOT NULL
                    AND o.is_deleted IS NOT TRUE AND o.order_date <= DATE '{AS_OF}')"""


def _payback(
    costs: pd.DataFrame, deals: pd.DataFrame, orders: pd.DataFrame, order_lines: pd.DataFrame
) -> pd.DataFrame:
    new = _first_wins(deals)
    new = new.assign(month=new["when"].to_numpy().astype("datetime64[M]").astype("int64"))
    cac = _spent(costs, _lag(new)) / len(new)
    sales = _ordered(orders, order_lines).merge(new[["account_id", "month"]], on="account_id")
    sales["age"] = sales["day"].to_numpy().astype("datetime64[M]").astype("int64") - sales["month"]
    sales = sales[sales["age"] >= 0]
    rate = sales["margin"].sum() / sales["known"].sum()
    full = int((TODAY + 1).astype("datetime64[M]").astype("int64")) - 1
    over = sales[sales["month"] + sales["age"] <= full]
    gain = over["margin"] + (over["value"] - over["known"]) * rate
    length = full - int(new["month"].min()) + 1
    customers = np.bincount(full - new["month"][new["month"] <= full], minlength=length)
    followed = customers[::-1].cumsum()[::-1]
    curve = (np.bincount(over["age"], weights=gain, minlength=length) / 100 / followed).cumsum()
    reached = np.flatnonzero(curve >= cac - 1e-9)
    return pd.DataFrame(
        {
            "customer_acquisition_cost": [cac],
            "margin": curve[-1],
            "months_followed": length,
            "cac_payback": reached[0] + 1 if len(reached) else np.nan,
            "n": len(new),
        }
    )


MONTHS_OF = "(year({0}) * 12 + month({0}))"
FULL = MONTHS_OF.format(f"(DATE '{AS_OF}' + 1)") + " - 1"
PAYBACK = f"""
WITH {NEW}, {ORDERED}, s AS ({SPENT}),
c AS (SELECT account_id, {MONTHS_OF.format("closed_date")} AS won FROM new),
g AS (SELECT age, sum(margin) AS margin, sum(known) AS known, sum(margin) FILTER (ordered <= {FULL}) AS over_margin,
             sum(value - known) FILTER (ordered <= {FULL}) AS over_unknown
      FROM (SELECT {MONTHS_OF.format("order_date")} AS ordered, ordered - won AS age, margin, known, value
            FROM o JOIN c USING (account_id)) m WHERE age >= 0 GROUP BY age),
t AS (SELECT age, sum(sum(n)) OVER (ORDER BY age DESC) AS followed
      FROM (SELECT unnest(range(0, {FULL} - (SELECT min(won) FROM c) + 1)) AS age, 0 AS n
            UNION ALL SELECT {FULL} - won, count(*) FROM c WHERE won <= {FULL} GROUP BY won) f GROUP BY age),
u AS (SELECT age, sum(coalesce(over_margin + over_unknown * (SELECT sum(margin) / sum(known) FROM g), 0) / 100 / followed)
             OVER (ORDER BY age) AS margin FROM t LEFT JOIN g USING (age))
SELECT cost / n AS customer_acquisition_cost, (SELECT arg_max(margin, age) FROM u) AS margin, (SELECT count(*) FROM u) AS months_followed,
       (SELECT min(age) + 1 FROM u WHERE u.margin >= cost / n - 1e-9) AS cac_payback, n
FROM s
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
    months = alive_for * 400 // 12175
    followed = months + event
    age = (sales["day"] - sales["account_id"].map(people["min"])).dt.days * 400 // 12175
    sales = sales.assign(age=age)
    sales = sales[sales["age"] < sales["account_id"].map(pd.Series(followed, people.index))]
    rate = sales["margin"].sum() / sales["known"].sum()
    gain = sales["margin"] + (sales["value"] - sales["known"]) * rate
    tau = int(min(36, followed.max()))
    n = np.bincount(followed)
    left = np.bincount(followed[event], minlength=len(n))
    risk = n[::-1].cumsum()[::-1]
    survival = np.cumprod(1 - left / risk)
    per_month = np.bincount(sales["age"], weights=gain / 100, minlength=tau)[:tau]
    worth = survival[:tau] * per_month / (risk - n)[:tau] / 1.1 ** (np.arange(tau) / 12)
    return pd.DataFrame(
        {
            "customer_lifetime_value": [np.sum(worth)],
            "months": tau,
            "retained": survival[tau],
            "left": event.sum(),
            "n": len(people),
        }
    )


LIFETIME = f"""
WITH {ORDERED},
c AS (SELECT account_id, first, gone IS NOT NULL AS gone, greatest(coalesce(gone, DATE '{AS_OF}') - first, 0) * 400 // 12175
             + (gone IS NOT NULL)::INTEGER AS followed
      FROM (SELECT p.account_id, first, least(CASE WHEN churned_at::DATE <= DATE '{AS_OF}' THEN churned_at::DATE END,
                                            CASE WHEN last + 365 <= DATE '{AS_OF}' THEN last + 365 END) AS gone
            FROM (SELECT account_id, min(order_date) AS first, max(order_date) AS last FROM o GROUP BY account_id) p
            LEFT JOIN (SELECT account_id, churned_at FROM accounts WHERE is_deleted IS NOT TRUE) a USING (account_id)) e),
g AS (SELECT age AS t, sum(margin) AS margin, sum(known) AS known, sum(value) AS value
      FROM (SELECT (order_date - first) * 400 // 12175 AS age, followed, margin, known, value FROM o JOIN c USING (account_id)) m
      WHERE age < followed GROUP BY age),
l AS (SELECT t, sum(n) AS n, sum(d) AS d
      FROM (SELECT followed AS t, count(*) AS n, count(*) FILTER (gone) AS d FROM c GROUP BY followed
            UNION ALL SELECT unnest(range(0, (SELECT max(followed) FROM c) + 1)), 0, 0) f GROUP BY t),
k AS (SELECT t, product(1 - d / risk) OVER (ORDER BY t) AS retained, risk - n AS risk
      FROM (SELECT *, sum(n) OVER (ORDER BY t DESC) AS risk FROM l) r),
z AS (SELECT least(36, (SELECT max(followed) FROM c)) AS months),
w AS (SELECT sum(retained * (margin + (value - known) * (SELECT sum(margin) / sum(known) FROM g)) / 100 / risk / pow(1.1, t / 12)) AS worth
      FROM k JOIN g USING (t) WHERE t < (SELECT months FROM z))
SELECT worth AS customer_lifetime_value, months, (SELECT retained FROM k WHERE t = months) AS retained,
       (SELECT count(*) FILTER (gone) FROM c) AS "left", (SELECT count(*) FROM c) AS n
FROM w, z
"""


def _channels(web_traffic: pd.DataFrame, leads: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    won = (
        deals[(deals["status"] == "won") & deals["lead_id"].notna()]
        .groupby("lead_id")["amount_base_cents"]
        .sum()
    )
    leads = leads[alive(leads)]
    value = leads["lead_id"].map(won)
    parts = pd.DataFrame({"leads": 1, "won": value.notna(), "value": value.fillna(0) / 100})
    crm = parts.groupby(leads["lead_source"].fillna("(missing)")).sum()
    visits = web_traffic[alive(web_traffic)].groupby("channel_group")["sessions"].sum()
    both = crm.join(visits, how="outer").sort_index()
    both = both.fillna({"leads": 0, "won": 0, "value": 0})
    return both.assign(channel_yield=both["value"] / both["leads"].where(both["leads"] > 0))


CHANNELS = """
SELECT sessions, coalesce(leads, 0) AS leads, coalesce(won, 0) AS won, coalesce(value, 0) AS value, value / leads AS channel_yield
FROM (SELECT coalesce(lead_source, '(missing)') AS channel, count(*) AS leads, count(w.lead_id) AS won,
             coalesce(sum(cents), 0) / 100 AS value
      FROM leads l LEFT JOIN (SELECT lead_id, sum(amount_base_cents) AS cents FROM deals
                              WHERE status = 'won' AND lead_id IS NOT NULL GROUP BY lead_id) w ON w.lead_id = l.lead_id
      WHERE is_deleted IS NOT TRUE GROUP BY ALL) c
FULL JOIN (SELECT channel_group AS channel, sum(sessions) AS sessions FROM web_traffic
           WHERE is_deleted IS NOT TRUE GROUP BY channel_group) v USING (channel)
ORDER BY channel
"""


WON = ["deal_id", "status", "closed_date", "account_id", "lead_created_at"]
COST = ["cost_date", "amount_base_cents", "is_deleted"]
ORDERS = ["order_id", "account_id", "order_date", "order_status", "net_amount_base_cents", "is_deleted"]
LINES = ["order_id", "line_amount", "line_amount_base_cents", "quantity", "unit_cost", "is_deleted"]
RIVALS = {
    "customer_acquisition_cost": Rival(
        reads={"costs": COST, "deals": WON},
        options={"as_of": AS_OF},
        sql=ACQUISITION,
        pandas=_acquisition,
        same=("cost", "customer_acquisition_cost", "n", "lag_months"),
    ),
    "cac_payback": Rival(
        reads={"costs": COST, "deals": WON, "orders": ORDERS, "order_lines": LINES},
        options={"as_of": AS_OF},
        sql=PAYBACK,
        pandas=_payback,
        same=("customer_acquisition_cost", "margin", "months_followed", "cac_payback", "n"),
    ),
    "customer_lifetime_value": Rival(
        reads={
            "orders": ORDERS,
            "order_lines": LINES,
            "accounts": ["account_id", "churned_at", "is_deleted"],
        },
        options={"as_of": AS_OF},
        sql=LIFETIME,
        pandas=_lifetime,
        same=("customer_lifetime_value", "months", "retained", "left", "n"),
    ),
    "net_promoter_score": Rival(
        reads={"surveys": ["survey_type", "score", "contact_id", "responded_at", "is_deleted"]},
        sql=PROMOTERS,
        pandas=_answers,
        same=("promoters", "detractors", "net_promoter_score", "n"),
    ),
    "channel_yield": Rival(
        reads={
            "web_traffic": ["channel_group", "sessions", "is_deleted"],
            "leads": ["lead_id", "lead_source", "is_deleted"],
            "deals": ["lead_id", "status", "amount_base_cents"],
        },
        sql=CHANNELS,
        pandas=_channels,
        same=("sessions", "leads", "won", "value", "channel_yield"),
    ),
}
