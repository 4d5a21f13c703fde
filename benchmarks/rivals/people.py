"""Quotas, activities, time, answers, acquisition, channels and territories by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals.money import alive, between, days

SELLING = ("call", "email", "meeting", "sms", "social")
QUARTER = ("2026-07-01", "2026-10-01")
AS_OF = "2026-10-31"
"""The day of looking, given to the KPI as well: pandas has no other way to know it."""
TODAY = np.datetime64(AS_OF)


def _done(activities: pd.DataFrame) -> np.ndarray[Any, Any]:
    done: np.ndarray[Any, Any] = activities["is_done"].fillna(False).to_numpy(dtype=bool)
    return np.logical_and(done, alive(activities))


def _mix(activities: pd.DataFrame) -> pd.DataFrame:
    done = activities[_done(activities)]
    made = done.groupby("activity_type")["duration_s"].agg(["size", "sum"])
    return pd.DataFrame(
        {
            "activities": made["size"],
            "hours": made["sum"] / 3600,
            "activity_mix": made["size"] / made["size"].sum(),
            "n": made["size"].sum(),
        }
    )


MIX = """
SELECT *, activities / n AS activity_mix
FROM (SELECT activity_type, count(*) AS activities, coalesce(sum(duration_s) FILTER (duration_s >= 0), 0) / 3600 AS hours,
             sum(count(*)) OVER () AS n
      FROM activities WHERE is_done AND is_deleted IS NOT TRUE GROUP BY activity_type) a
ORDER BY activity_type
"""


def _selling_time(activities: pd.DataFrame, rep_assignments: pd.DataFrame) -> pd.DataFrame:
    done = activities[_done(activities)]
    at, seconds = days(done["started_date"]), done["duration_s"].clip(lower=0)
    selling, recorded = seconds[done["activity_type"].isin(SELLING)].sum(), seconds.sum()
    reps = rep_assignments[alive(rep_assignments)]
    first, last = at.min(), at.max() + 1
    start = np.fmax(days(reps["valid_from_date"]), first)
    end = np.fmin(days(reps["valid_to_date"]) + 1, last)
    there = np.maximum((end - start).astype("float64"), 0)
    contracted = (there / 7 * reps["contracted_hours_per_week"]).sum()
    coverage = recorded / 3600 / contracted
    return pd.DataFrame(
        {
            "selling_hours": [selling / 3600],
            "recorded_hours": recorded / 3600,
            "contracted_hours": contracted,
            "coverage": coverage,
            "selling_time_share": selling / recorded if coverage >= 0.7 else np.nan,
            "n": done["duration_s"].count(),
        }
    )


SELLING_TIME = f"""
SELECT selling / 3600 AS selling_hours, recorded / 3600 AS recorded_hours, contracted_hours, n,
       recorded / 3600 / contracted_hours AS coverage, CASE WHEN coverage >= 0.7 THEN selling / recorded END AS selling_time_share
FROM (SELECT sum(duration_s) FILTER (activity_type IN {SELLING}) AS selling, sum(duration_s) AS recorded,
             count(duration_s) AS n, min(started_date) AS first, max(started_date) + 1 AS last
      FROM activities WHERE is_done AND is_deleted IS NOT TRUE) a,
     LATERAL (SELECT sum(greatest(coalesce(least(valid_to_date + 1, last), last) - greatest(valid_from_date, first), 0) / 7
                         * contracted_hours_per_week) AS contracted_hours
              FROM rep_assignments WHERE is_deleted IS NOT TRUE) r
"""

REP_MONTHS = """SELECT rep_id, date_trunc('month', day) AS month, sum(quota) AS quota, coalesce(sum(cents), 0) AS credited
                FROM (SELECT rep_id, period_start_date AS day, quota_amount_base_cents AS quota, NULL AS cents FROM quotas
                      WHERE metric = 'bookings' AND is_deleted IS NOT TRUE{span_of_quotas}
                      UNION ALL SELECT rep_id, credit_date, NULL, amount_base_cents FROM credits{span_of_credits}) u
                GROUP BY ALL"""
ALL_MONTHS = REP_MONTHS.format(span_of_quotas="", span_of_credits="")
QUARTER_MONTHS = REP_MONTHS.format(
    span_of_quotas=" AND period_start_date >= DATE '2026-07-01' AND period_start_date < DATE '2026-10-01'",
    span_of_credits=" WHERE credit_date >= DATE '2026-07-01' AND credit_date < DATE '2026-10-01'",
)


def _rep_months(quotas: pd.DataFrame, credits: pd.DataFrame, *span: str) -> pd.DataFrame:
    """Quota (NaN where none) and credits of each rep and month."""
    mine = (quotas["metric"] == "bookings") & alive(quotas)
    if span:
        mine &= between(days(quotas["period_start_date"]), *span)
        credits = credits[between(days(credits["credit_date"]), *span)]
    quotas = quotas[mine]
    starts = days(quotas["period_start_date"]).astype("datetime64[M]")
    months = days(credits["credit_date"]).astype("datetime64[M]")
    targets = quotas.assign(month=starts).groupby(["rep_id", "month"])["quota_amount_base_cents"].sum()
    came = credits.assign(month=months).groupby(["rep_id", "month"])["amount_base_cents"].sum()
    both = pd.concat({"quota": targets, "credited": came}, axis=1)
    return both.assign(credited=both["credited"].fillna(0)).reset_index()


def _attainment(quotas: pd.DataFrame, credits: pd.DataFrame) -> pd.DataFrame:
    reps = _rep_months(quotas, credits)
    has = reps["quota"].notna()
    parts = pd.DataFrame(
        {
            "credited": reps["credited"].where(has, 0) / 100,
            "quota": reps["quota"].fillna(0) / 100,
            "without_quota": reps["credited"].where(~has, 0) / 100,
            "n": has,
        }
    )
    made = parts.groupby(reps["month"]).sum()
    return made.assign(quota_attainment=made["credited"] / made["quota"].where(made["quota"] > 0))


ATTAINMENT = f"""
SELECT month, coalesce(sum(credited) FILTER (quota IS NOT NULL), 0) / 100 AS credited, coalesce(sum(quota), 0) / 100 AS quota,
       sum(credited) FILTER (quota IS NOT NULL) / nullif(sum(m.quota), 0) AS quota_attainment,
       coalesce(sum(credited) FILTER (quota IS NULL), 0) / 100 AS without_quota, count(quota) AS n
FROM ({ALL_MONTHS}) m GROUP BY month ORDER BY month
"""


def _reps(quotas: pd.DataFrame, credits: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series[bool]]:
    """Each rep's quota and credits over the months with a quota, and whether these are enough to count."""
    months = _rep_months(quotas, credits, *QUARTER).dropna(subset="quota")
    reps = months.groupby("rep_id").agg(
        quota=("quota", "sum"), credited=("credited", "sum"), months=("quota", "size")
    )
    return reps, (reps["months"] >= 1.5) & (reps["quota"] > 0)


def _at_quota(quotas: pd.DataFrame, credits: pd.DataFrame) -> pd.DataFrame:
    reps, counts = _reps(quotas, credits)
    at, n = (counts & (reps["credited"] >= reps["quota"])).sum(), counts.sum()
    return pd.DataFrame(
        {
            "at_quota": [at],
            "part_period": (counts & (reps["months"] < 3)).sum(),
            "left_out": len(reps) - n,
            "share_of_reps_at_quota": at / n,
            "n": n,
        }
    )


REPS = f"""SELECT sum(quota) AS quota, sum(credited) AS credited, count(*) AS months, months >= 1.5 AND sum(m.quota) > 0 AS counts
           FROM ({QUARTER_MONTHS}) m WHERE quota IS NOT NULL GROUP BY rep_id"""

AT_QUOTA = f"""
SELECT count(*) FILTER (counts AND credited >= quota) AS at_quota, count(*) FILTER (counts AND months < 3) AS part_period,
       count(*) FILTER (NOT counts) AS left_out, count(*) FILTER (counts) AS n, at_quota / n AS share_of_reps_at_quota
FROM ({REPS}) r
"""


def _distribution(quotas: pd.DataFrame, credits: pd.DataFrame) -> pd.DataFrame:
    reps, counts = _reps(quotas, credits)
    share = (reps["credited"] / reps["quota"])[counts]
    low, middle, high = share.quantile([0.1, 0.5, 0.9])
    return pd.DataFrame(
        {
            "p10": [low],
            "attainment_distribution": middle,
            "p90": high,
            "mean": share.mean(),
            "n": len(share),
            "left_out": len(reps) - len(share),
        }
    )


DISTRIBUTION = f"""
SELECT share[1] AS p10, share[2] AS attainment_distribution, share[3] AS p90, mean, n, left_out
FROM (SELECT quantile_cont(credited / quota, [0.1, 0.5, 0.9]) FILTER (counts) AS share,
             avg(credited / quota) FILTER (counts) AS mean,
             count(*) FILTER (counts) AS n, count(*) FILTER (NOT counts) AS left_out FROM ({REPS}) r) s
"""


BY_PERSON = (
    f"is_done AND is_automated IS NOT TRUE AND is_deleted IS NOT TRUE AND started_date <= DATE '{AS_OF}'"
)


def _by_person(activities: pd.DataFrame) -> pd.DataFrame:
    """Activities done by a person, with their day as `day`."""
    at = days(activities["started_date"])
    done = _done(activities) & ~activities["is_automated"].fillna(False).to_numpy(dtype=bool) & (at <= TODAY)
    return activities[done].assign(day=at[done])


def _spans(deals: pd.DataFrame) -> pd.DataFrame:
    """Deals with the day they were created, and the day they closed (NaT while open); none closed on an unknown day."""
    known = (deals["status"] == "open") | deals["closed_date"].notna()
    deals = deals[known]
    return deals.assign(born=days(deals["created_date"]), closed=days(deals["closed_date"]))


def _activity_rate(activities: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    spans = _spans(deals)
    spans = spans.assign(last=spans["closed"].fillna(pd.Timestamp(AS_OF)))
    acts = _by_person(activities)[["deal_id", "activity_type", "day"]]
    acts = acts.merge(spans[["deal_id", "born", "last"]], on="deal_id")
    acts = acts[(acts["day"] >= acts["born"]) & (acts["day"] <= acts["last"])]
    start = acts["day"].min()
    there = spans[spans["last"] >= start]
    exposed = ((there["last"] - there["born"].clip(lower=start)).dt.days + 1).sum()
    made = acts.groupby("activity_type").size()
    return pd.DataFrame(
        {"activities": made, "days": exposed, "activity_rate": made / exposed, "n": len(there)}
    )


ACTIVITY_RATE = f"""
WITH d AS (SELECT deal_id, created_date AS born, coalesce(closed_date, DATE '{AS_OF}') AS last FROM deals
           WHERE status = 'open' OR closed_date IS NOT NULL),
a AS (SELECT activity_type, count(*) AS activities, min(started_date) AS first
      FROM activities JOIN d USING (deal_id) WHERE {BY_PERSON} AND started_date BETWEEN born AND last GROUP BY activity_type)
SELECT activities, days, activities / days AS activity_rate, n
FROM a, (SELECT sum(last - greatest(born, start) + 1) AS days, count(*) AS n
         FROM d, (SELECT min(first) AS start FROM a) s WHERE last >= start) e
ORDER BY activity_type
"""

AT_LANDMARK = f"""SELECT deal_id, segment, lead_source, created_date AS born, created_date <= DATE '{AS_OF}' - 210 AS followed,
                         status = 'won' AND closed_date - created_date <= 210 AS won
                  FROM deals WHERE created_date <= DATE '{AS_OF}' - {{age}}
                  AND (status = 'open' OR closed_date - created_date > 30)"""


def _at_landmark(deals: pd.DataFrame, age: int) -> pd.DataFrame:
    """The deals at least so old that were open at an age of 30 days, and whether they were won within 210."""
    spans = _spans(deals)
    lived = (spans["closed"] - spans["born"]).dt.days
    won = (spans["status"] == "won") & (lived <= 210)
    return spans.assign(won=won)[(spans["born"] <= TODAY - age) & ~(lived <= 30)]


def _early(activities: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """What was done on these deals in their first 30 days."""
    acts = _by_person(activities).merge(deals[["deal_id", "born"]], on="deal_id")
    days_in = (acts["day"] - acts["born"]).dt.days
    return acts[(days_in >= 0) & (days_in <= 30)]


def _multi_threading(activities: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    there = _at_landmark(deals, 30)
    people = _early(activities, there).groupby("deal_id")["contact_id"].nunique()
    multi, some, n = (people >= 2).sum(), (people > 0).sum(), len(there)
    return pd.DataFrame(
        {
            "multi": [multi],
            "without_contact": n - some,
            "multi_threading": multi / n if some else np.nan,
            "n": n,
            "followed": (there["born"] <= TODAY - 210).sum(),
        }
    )


MULTI_THREADING = f"""
WITH d AS ({AT_LANDMARK.format(age=30)})
SELECT *, CASE WHEN without_contact < n THEN multi / n END AS multi_threading
FROM (SELECT count(*) AS n, count(*) FILTER (followed) AS followed, count(*) FILTER (people >= 2) AS multi,
             count(*) FILTER (coalesce(people, 0) = 0) AS without_contact
      FROM d LEFT JOIN (SELECT deal_id, count(DISTINCT contact_id) AS people FROM activities JOIN d USING (deal_id)
                        WHERE {BY_PERSON} AND started_date BETWEEN born AND born + 30 GROUP BY deal_id) p USING (deal_id)) c
"""


def _association(activities: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    there = _at_landmark(deals, 210)
    per_deal = _early(activities, there).groupby(["activity_type", "deal_id"]).size()
    counts = per_deal.unstack("activity_type", fill_value=0).reindex(there["deal_id"], fill_value=0)
    more_than = counts.quantile(0.5, interpolation="lower")
    strata = [there["segment"].to_numpy(), there["lead_source"].to_numpy()]
    exposed = counts > more_than
    won = there["won"].to_numpy()
    whole = pd.Series(won).groupby(strata).agg(["size", "sum"])
    n1, a = exposed.groupby(strata).sum(), exposed[won].groupby([s[won] for s in strata]).sum()
    a = a.reindex(n1.index, fill_value=0)
    n0, c = -n1.sub(whole["size"], axis=0), -a.sub(whole["sum"], axis=0)
    weight: pd.Series[float] = (n1 * n0).div(whole["size"], axis=0).sum()
    return pd.DataFrame(
        {
            "more_than": more_than,
            "exposed": n1.sum(),
            "unexposed": n0.sum(),
            "activity_association": (a * n0 - c * n1).div(whole["size"], axis=0).sum()
            / weight.where(weight > 0),
            "n": len(there),
        }
    ).sort_index()


ASSOCIATION = f"""
WITH d AS ({AT_LANDMARK.format(age=210)}),
s AS (SELECT segment, lead_source, count(*) AS n, count(*) FILTER (won) AS w, sum(count(*)) OVER () AS every FROM d GROUP BY ALL),
h AS (SELECT activity_type, segment, lead_source, k, count(*) AS deals, count(*) FILTER (won) AS wins
      FROM d JOIN (SELECT deal_id, activity_type, count(*) AS k FROM activities JOIN d USING (deal_id)
                   WHERE {BY_PERSON} AND started_date BETWEEN born AND born + 30 GROUP BY ALL) a USING (deal_id) GROUP BY ALL),
m AS (SELECT activity_type, CASE WHEN any_value(every - total) * 2 >= any_value(every) THEN 0
                                 ELSE min(k) FILTER ((every - total + reached) * 2 >= every) END AS more_than
      FROM (SELECT activity_type, k, sum(sum(deals)) OVER (PARTITION BY activity_type ORDER BY k) AS reached,
                   sum(sum(deals)) OVER (PARTITION BY activity_type) AS total, (SELECT any_value(every) FROM s) AS every
            FROM h GROUP BY activity_type, k) q GROUP BY activity_type),
x AS (SELECT m.activity_type, more_than, s.n, s.w, every, coalesce(sum(deals), 0) AS n1, coalesce(sum(wins), 0) AS a
      FROM m CROSS JOIN s LEFT JOIN h ON h.activity_type = m.activity_type AND h.segment IS NOT DISTINCT FROM s.segment
           AND h.lead_source IS NOT DISTINCT FROM s.lead_source AND k > more_than
      GROUP BY m.activity_type, more_than, s.segment, s.lead_source, s.n, s.w, every)
SELECT more_than, sum(n1) AS exposed, sum(n - n1) AS unexposed, any_value(every) AS n,
       sum((a * (n - n1) - (w - a) * n1) / x.n) / nullif(sum(n1 * (x.n - n1) / x.n), 0) AS activity_association
FROM x GROUP BY activity_type, more_than ORDER BY activity_type
"""


def _answers(surveys: pd.DataFrame) -> pd.DataFrame:
    given = surveys[(surveys["survey_type"] == "nps") & alive(surveys) & surveys["score"].notna()]
    given = given.assign(day=days(given["responded_at"])).sort_values(
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
    won = won.assign(when=days(won["closed_date"])).sort_values(["when", "deal_id"])
    return won[won["account_id"].isna() | ~won["account_id"].duplicated()]


def _lag(new: pd.DataFrame) -> int:
    """Median months from lead to win."""
    waits = (new["when"] - new["lead_created_at"].dt.normalize()).dt.days
    middle = waits[waits >= 0].median()
    return 0 if np.isnan(middle) else int(np.floor(middle / (365.25 / 12) + 0.5))


def _spent(costs: pd.DataFrame, lag: int) -> float:
    """What was spent on wins up to the month of looking."""
    months = days(costs["cost_date"]).astype("datetime64[M]") + lag
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
    at = days(orders["order_date"])
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
    end = np.fmin(days(gone), days(silent.where(silent <= TODAY)))
    end = np.where(end > TODAY, np.datetime64("NaT"), end)
    event = ~np.isnat(end)
    first = days(people["min"])
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


def _balance(accounts: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    work = deals["account_id"][deals["status"] == "open"].value_counts()
    accounts = accounts[alive(accounts)]
    sizes = pd.DataFrame(
        {"accounts": 1, "potential": accounts["employee_count"], "workload": accounts["account_id"].map(work)}
    )
    sizes = sizes.groupby(accounts["owner_rep_id"]).sum()
    mean = sizes.mean()
    return pd.DataFrame(
        {
            "mean": mean,
            "largest": sizes.max(),
            "territory_balance": sizes.std(ddof=0) / mean.where(mean > 0),
            "n": len(sizes),
        }
    )


BALANCE = """
SELECT unnest([avg(accounts), avg(potential), avg(workload)]) AS mean, unnest([max(accounts), max(potential), max(workload)]) AS largest,
       unnest([stddev_pop(accounts) / avg(accounts), stddev_pop(potential) / avg(potential), stddev_pop(workload) / avg(workload)])
       AS territory_balance, count(*) AS n
FROM (SELECT owner_rep_id, count(*) AS accounts, coalesce(sum(employee_count), 0) AS potential, coalesce(sum(open), 0) AS workload
      FROM accounts LEFT JOIN (SELECT account_id, count(*) AS open FROM deals WHERE status = 'open' GROUP BY account_id) w
           USING (account_id)
      WHERE owner_rep_id IS NOT NULL AND is_deleted IS NOT TRUE GROUP BY owner_rep_id) t
"""

AGES = (0, 30, 90, 180, 365)


def _stage_ages(deal_versions: pd.DataFrame) -> pd.DataFrame:
    v = deal_versions
    quarters = np.arange("2024-10", "2026-10", 3, dtype="datetime64[M]")
    keep = v["status"].isin(["open", "won"]).to_numpy()
    v = v[keep]
    is_open = (v["status"] == "open").to_numpy()
    due = np.where(is_open, days(v["expected_close_date"]), days(v["closed_date"]))
    months = due.astype("datetime64[M]").astype("int64")
    quarter = (months // 3 * 3).astype("datetime64[M]").astype("datetime64[D]")
    day = quarter + 30
    last = (months // 3 * 3 + 3).astype("datetime64[M]").astype("datetime64[D]") - 1
    at = np.where(is_open, day, last)
    start, end = days(v["valid_from_date"]), days(v["valid_to_date"])
    counts = np.isin(quarter, quarters) & (start <= at) & ~(end <= at) & (is_open | (due > day))
    v = v.assign(quarter=quarter, age=(day - days(v["created_date"])).astype("float64"))[counts]
    here, won = v[is_open[counts]], v[~is_open[counts]]
    here = here[["deal_id", "quarter", "stage_name", "age"]].merge(
        won[["deal_id", "quarter"]].assign(won=1), on=["deal_id", "quarter"], how="left"
    )
    ages = np.array(AGES)[np.clip(np.searchsorted(AGES, here["age"], side="right") - 1, 0, None)]
    made = here["won"].fillna(0).groupby([here["stage_name"], ages]).agg(["sum", "size"])
    return pd.DataFrame(
        {"won": made["sum"], "stage_age_rates": made["sum"] / made["size"], "n": made["size"]}
    )


STAGE_AGES = """
WITH q AS (SELECT (DATE '2024-10-01' + to_months((3 * i)::INTEGER))::DATE AS start, start + 30 AS day,
                  (start + INTERVAL 3 MONTHS)::DATE - 1 AS last FROM range(8) r(i)),
w AS (SELECT deal_id, start FROM deal_versions JOIN q ON closed_date > day AND closed_date <= last
      WHERE status = 'won' AND valid_from_date <= last AND (valid_to_date IS NULL OR valid_to_date > last))
SELECT stage_name, CASE WHEN age >= 365 THEN 365 WHEN age >= 180 THEN 180 WHEN age >= 90 THEN 90 WHEN age >= 30 THEN 30 ELSE 0 END AS age_from,
       count(w.deal_id) AS won, count(*) AS n, count(w.deal_id) / count(*) AS stage_age_rates
FROM (SELECT deal_id, start, stage_name, day - created_date AS age
      FROM deal_versions JOIN q ON expected_close_date >= start AND expected_close_date <= last
      WHERE status = 'open' AND valid_from_date <= day AND (valid_to_date IS NULL OR valid_to_date > day)) h
LEFT JOIN w USING (deal_id, start) GROUP BY ALL ORDER BY stage_name, age_from
"""


def _response(leads: pd.DataFrame, activities: pd.DataFrame) -> pd.DataFrame:
    leads = leads[alive(leads) & (days(leads["created_date"]) <= TODAY) & leads["created_at"].notna()]
    touched = activities["lead_id"].notna() & (activities["direction"] == "outbound")
    touched &= activities["activity_type"].isin(SELLING)
    acts = _by_person(activities[touched])
    late = np.where(acts["is_timed"].fillna(True).astype(bool), 0, 86_399)
    acts = acts.assign(at=acts["started_at"] + pd.to_timedelta(late, unit="s"))
    acts = acts[["lead_id", "at"]].merge(leads[["lead_id", "created_at"]], on="lead_id")
    first = acts[acts["at"] >= acts["created_at"]].groupby("lead_id")["at"].min().rename("answer")
    answer = leads[["lead_id"]].join(first, on="lead_id")["answer"]
    answered = answer.notna().to_numpy()
    until = answer.fillna(pd.Timestamp(AS_OF) + pd.Timedelta(days=1))
    wait = (until - leads["created_at"]).dt.total_seconds() // 1
    size = np.array([60, 3600, 86_400])[:, None]
    steps = np.where(answered, np.ceil(wait.to_numpy() / size), wait.to_numpy() // size) * size / 60
    step = np.select([steps[0] <= 1440, steps[1] <= 20_160], [steps[0], steps[1]], steps[2])
    table = pd.DataFrame({"n": 1, "answered": answered}).groupby(step).sum()
    curve = (1 - table["answered"] / table["n"][::-1].cumsum()[::-1]).cumprod()
    reached = curve.index[curve <= 0.5 + 1e-12]
    return pd.DataFrame(
        {
            "lead_response_time": [reached[0] / 1440 if len(reached) else np.nan],
            "answered": answered.sum(),
            "unanswered": (~answered).sum(),
            "n": len(leads),
        }
    )


RESPONSE = f"""
WITH l AS (SELECT lead_id, created_at FROM leads WHERE created_date <= DATE '{AS_OF}' AND is_deleted IS NOT TRUE),
w AS (SELECT answer IS NOT NULL AS answered, floor(epoch(coalesce(answer, TIMESTAMP '{AS_OF}' + INTERVAL 1 DAY)) - epoch(created_at)) AS wait
      FROM l LEFT JOIN (SELECT lead_id, min(answer) AS answer
                        FROM (SELECT lead_id, CASE WHEN is_timed IS FALSE THEN started_at + INTERVAL 86399 SECONDS ELSE started_at END AS answer
                              FROM activities WHERE {BY_PERSON} AND lead_id IS NOT NULL
                              AND direction = 'outbound' AND activity_type IN {SELLING}) a
                        JOIN l USING (lead_id) WHERE answer >= created_at GROUP BY lead_id) f USING (lead_id)),
s AS (SELECT CASE WHEN m <= 1440 THEN m WHEN h <= 20160 THEN h ELSE d END AS step, count(*) AS n, count(*) FILTER (answered) AS k
      FROM (SELECT answered, CASE WHEN answered THEN ceil(wait / 60) ELSE floor(wait / 60) END AS m,
                   60 * CASE WHEN answered THEN ceil(wait / 3600) ELSE floor(wait / 3600) END AS h,
                   1440 * CASE WHEN answered THEN ceil(wait / 86400) ELSE floor(wait / 86400) END AS d FROM w) u GROUP BY step)
SELECT min(step) FILTER (waiting <= 0.5 + 1e-12) / 1440 AS lead_response_time, sum(k) AS answered, sum(n - k) AS unanswered, sum(n) AS n
FROM (SELECT step, n, k, product(1 - k / risk) OVER (ORDER BY step) AS waiting
      FROM (SELECT *, sum(n) OVER (ORDER BY step DESC) AS risk FROM s) r) c
"""

DONE = ["started_date", "is_done", "is_automated", "is_deleted"]
DEAL = ["deal_id", "status", "created_date", "closed_date"]
WON = ["deal_id", "status", "closed_date", "account_id", "lead_created_at"]
COST = ["cost_date", "amount_base_cents", "is_deleted"]
ORDERS = ["order_id", "account_id", "order_date", "order_status", "net_amount_base_cents", "is_deleted"]
LINES = ["order_id", "line_amount", "line_amount_base_cents", "quantity", "unit_cost", "is_deleted"]
QUOTAS = {
    "quotas": ["rep_id", "metric", "period_start_date", "quota_amount_base_cents", "is_deleted"],
    "credits": ["rep_id", "credit_date", "amount_base_cents"],
}

RIVALS = {
    "activity_mix": Rival(
        reads={"activities": ["activity_type", "duration_s", "is_done", "is_deleted"]},
        sql=MIX,
        pandas=_mix,
        same=("activities", "hours", "activity_mix", "n"),
    ),
    "selling_time_share": Rival(
        reads={
            "activities": ["activity_type", "duration_s", "started_date", "is_done", "is_deleted"],
            "rep_assignments": [
                "contracted_hours_per_week",
                "valid_from_date",
                "valid_to_date",
                "is_deleted",
            ],
        },
        sql=SELLING_TIME,
        pandas=_selling_time,
        same=("selling_hours", "recorded_hours", "contracted_hours", "coverage", "selling_time_share", "n"),
    ),
    "quota_attainment": Rival(
        reads=QUOTAS,
        options={"by": "month"},
        sql=ATTAINMENT,
        pandas=_attainment,
        same=("credited", "quota", "quota_attainment", "without_quota", "n"),
    ),
    "share_of_reps_at_quota": Rival(
        reads=QUOTAS,
        options={"period": QUARTER},
        sql=AT_QUOTA,
        pandas=_at_quota,
        same=("at_quota", "part_period", "left_out", "share_of_reps_at_quota", "n"),
    ),
    "attainment_distribution": Rival(
        reads=QUOTAS,
        options={"period": QUARTER},
        sql=DISTRIBUTION,
        pandas=_distribution,
        same=("p10", "attainment_distribution", "p90", "mean", "n", "left_out"),
    ),
    "activity_rate": Rival(
        reads={"activities": ["deal_id", "activity_type", *DONE], "deals": DEAL},
        options={"as_of": AS_OF},
        sql=ACTIVITY_RATE,
        pandas=_activity_rate,
        same=("activities", "days", "activity_rate", "n"),
    ),
    "activity_association": Rival(
        reads={
            "activities": ["deal_id", "activity_type", *DONE],
            "deals": [*DEAL, "segment", "lead_source"],
        },
        options={"as_of": AS_OF},
        sql=ASSOCIATION,
        pandas=_association,
        same=("more_than", "exposed", "unexposed", "activity_association", "n"),
    ),
    "multi_threading": Rival(
        reads={"activities": ["deal_id", "contact_id", *DONE], "deals": DEAL},
        options={"as_of": AS_OF},
        sql=MULTI_THREADING,
        pandas=_multi_threading,
        same=("multi", "without_contact", "multi_threading", "n", "followed"),
    ),
    "lead_response_time": Rival(
        reads={
            "leads": ["lead_id", "created_at", "created_date", "is_deleted"],
            "activities": ["lead_id", "activity_type", "direction", "started_at", "is_timed", *DONE],
        },
        options={"as_of": AS_OF},
        sql=RESPONSE,
        pandas=_response,
        same=("lead_response_time", "answered", "unanswered", "n"),
    ),
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
    "territory_balance": Rival(
        reads={
            "accounts": ["account_id", "owner_rep_id", "employee_count", "is_deleted"],
            "deals": ["account_id", "status"],
        },
        options={"unit": "owner_rep_id"},
        sql=BALANCE,
        pandas=_balance,
        same=("mean", "largest", "territory_balance", "n"),
    ),
    "stage_age_rates": Rival(
        reads={
            "deal_versions": [
                "deal_id",
                "status",
                "stage_name",
                "expected_close_date",
                "closed_date",
                "valid_from_date",
                "valid_to_date",
                "created_date",
            ]
        },
        options={"as_of": AS_OF},
        sql=STAGE_AGES,
        pandas=_stage_ages,
        same=("won", "stage_age_rates", "n"),
    ),  # fmt: skip
}
