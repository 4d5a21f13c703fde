"""Plain SQL for the KPIs of attainment, ramp, territories, pay-back, lifetime value and channels."""

from __future__ import annotations

from kpis.case import AS_OF, EVERY, NO_MONTH, Case

from salestrack import kpis

LIVE = "NOT coalesce(is_deleted, FALSE)"


def _key(by: str | None, day: str) -> str:
    """The group as a column with a comma, from a row's own columns."""
    return {None: "", "month": f"date_trunc('month', {day})::TIMESTAMP AS month,"}.get(by, f"{by},")


def _group(by: str | None) -> str:
    return f"{by}," if by else ""


def _on(by: str | None, left: str, right: str) -> str:
    return f"{left}.{by} IS NOT DISTINCT FROM {right}.{by}" if by else "TRUE"


def attainment(by: str | None) -> str:
    months = "1" if by == "month" else "(SELECT count(DISTINCT period_start_date) FROM q)"
    part = f"PARTITION BY {by}" if by else ""
    return f"""
WITH q AS (SELECT *, {_key("month", "period_start_date")} FROM quotas
           WHERE rep_id IS NOT NULL AND period_end_date <= '{AS_OF}'),
c AS (SELECT q.*, (SELECT coalesce(sum(amount_base_cents), 0) FROM credits k WHERE k.rep_id = q.rep_id
        AND k.credit_date BETWEEN period_start_date AND period_end_date) AS got FROM q),
r AS (SELECT {_group(by)} rep_id, sum(got) AS got, coalesce(sum(quota_amount_base_cents), 0) AS quota,
        count(*) AS held FROM c GROUP BY ALL),
s AS (SELECT *, held >= 0.5 * {months} AND quota > 0 AS counts FROM r),
x AS (SELECT *, got / quota AS a, row_number() OVER ({part} ORDER BY got / quota) AS k,
        count(*) OVER ({part}) AS m FROM s WHERE counts),
t AS (SELECT {_group(by)} quantile_cont(a, 0.1) AS p10, median(a) AS attainment_distribution,
        quantile_cont(a, 0.9) AS p90, avg(a) AS mean,
        CASE WHEN min(a) >= 0 AND sum(a) > 0 THEN sum((2 * k - m - 1) * a) / (count(*) * sum(a)) END AS gini,
        count(*) FILTER (a >= 0.9 AND a < 1) / count(*) AS just_below,
        count(*) FILTER (a >= 1 AND a < 1.1) / count(*) AS just_above FROM x GROUP BY ALL),
b AS (SELECT {_group(by)} count(*) FILTER (counts) AS n, count(*) FILTER (NOT counts) AS left_out FROM s GROUP BY ALL)
SELECT b.*, t.* EXCLUDE ({by or "p10"}) {"" if by else ", t.p10"} FROM b LEFT JOIN t ON {_on(by, "b", "t")}
"""


def ramp(by: str | None) -> str:
    part = f"PARTITION BY {by}" if by else ""
    return f"""
WITH w AS (SELECT * FROM deals WHERE {LIVE} AND status = 'won' AND closed_date <= '{AS_OF}'),
s AS (SELECT *, {_key("month", "start")} FROM (SELECT *, coalesce(start_ramp_date, hire_date) AS start FROM reps)
      WHERE start <= '{AS_OF}' AND rep_id IS NOT NULL),
h AS (SELECT s.*, (SELECT min(closed_date) FROM w WHERE owner_rep_id = s.rep_id AND closed_date >= start) AS hit,
      coalesce(start >= (SELECT min(closed_date) FROM w), FALSE) AS known FROM s),
e AS (SELECT *, hit IS NOT NULL AND hit <= coalesce(termination_date, hit) AS there,
      coalesce(termination_date <= '{AS_OF}', FALSE) AS gone FROM h),
d AS (SELECT *, greatest(CASE WHEN there THEN hit WHEN gone THEN termination_date ELSE DATE '{AS_OF}' END - start, 0)
      AS day FROM e),
c AS (SELECT {_group(by)} day, count(*) FILTER (there) AS x, count(*) AS k FROM d WHERE known GROUP BY ALL),
r AS (SELECT *, sum(k) OVER ({part} ORDER BY day DESC) AS risk FROM c),
v AS (SELECT *, product(1 - x / risk) OVER ({part} ORDER BY day) AS alive FROM r)
SELECT {_group(by)} count(*) FILTER (known AND there) AS reached,
       count(*) FILTER (known AND gone AND NOT there) AS "left",
       count(*) FILTER (known AND NOT gone AND NOT there) AS ramping,
       (SELECT min(day) FROM v WHERE alive <= 0.5 + 1e-12 AND {_on(by, "v", "d")}) AS ramp_time,
       (SELECT min(day) FROM v WHERE alive <= 0.1 + 1e-12 AND {_on(by, "v", "d")}) AS p90,
       count(*) FILTER (known) AS n, share(reached + "left", n) AS matured, count(*) FILTER (NOT known) AS before
FROM d GROUP BY {by or "()"}
"""


def balance(by: str | None) -> str:
    rows = [
        f"""
SELECT {_group(by)} '{measure}' AS measure, CASE WHEN avg(x) FILTER (t IS NOT NULL) > 0
           THEN avg(x) FILTER (t IS NOT NULL) END AS mean,
       CASE WHEN mean > 0 THEN max(x) FILTER (t IS NOT NULL) END AS largest, largest / mean AS max_to_mean,
       CASE WHEN mean > 0 THEN stddev_pop(x) FILTER (t IS NOT NULL) / mean END AS territory_balance,
       {known} AS coverage, coalesce(sum(accounts) FILTER (t IS NULL), 0) AS unassigned,
       count(t) AS n
FROM (SELECT *, {measure} AS x FROM u) GROUP BY {by or "()"} HAVING count(*) > 0
"""
        for measure, known in (
            ("accounts", "share(sum(accounts) FILTER (t IS NOT NULL), sum(accounts) FILTER (t IS NOT NULL))"),
            ("potential", "share(sum(sized), sum(accounts) FILTER (t IS NOT NULL))"),
            ("workload", "share(sum(accounts) FILTER (t IS NOT NULL), sum(accounts) FILTER (t IS NOT NULL))"),
        )
    ]
    return f"""
WITH o AS (SELECT account_id, count(*) AS k FROM deals WHERE {LIVE} AND status = 'open' GROUP BY ALL),
a AS (SELECT accounts.*, coalesce(k, 0) AS k FROM accounts LEFT JOIN o USING (account_id)),
u AS (SELECT {_group(by)} territory_id AS t, count(*) AS accounts, coalesce(sum(employee_count), 0) AS potential,
        sum(k) AS workload, count(*) FILTER (t IS NOT NULL AND employee_count IS NOT NULL) AS sized FROM a GROUP BY ALL)
{" UNION ALL ".join(rows)}
"""


def disruption(by: str | None) -> str:
    return f"""
WITH p AS (SELECT account_id, max(territory_id) AS t FROM plan WHERE account_id IS NOT NULL GROUP BY ALL),
a AS (SELECT a.*, p.account_id IS NOT NULL AND coalesce(p.t, '') <> coalesce(territory_id, '') AS goes
      FROM accounts a LEFT JOIN p USING (account_id))
SELECT {_group(by)} count(*) FILTER (goes AND territory_id IS NOT NULL) AS moved,
       count(*) FILTER (goes AND territory_id IS NULL) AS newly_placed, share(moved, count(territory_id)) AS territory_disruption,
       share(coalesce(sum(employee_count) FILTER (goes AND territory_id IS NOT NULL), 0),
             coalesce(sum(employee_count) FILTER (territory_id IS NOT NULL), 0)) AS value_share,
       share(count(employee_count) FILTER (territory_id IS NOT NULL), count(territory_id)) AS coverage, count(territory_id) AS n
FROM a GROUP BY {by or "()"}
"""


ORDERED = f"""
l AS (SELECT order_id, sum(line_amount_base_cents) AS line, sum(CASE WHEN unit_cost IS NOT NULL AND quantity
        IS NOT NULL THEN line_amount_base_cents END) AS known,
        sum(line_amount_base_cents - floor(unit_cost * quantity * 100 + 0.5)::BIGINT) AS margin
      FROM order_lines WHERE order_id IS NOT NULL GROUP BY ALL),
b AS (SELECT * FROM orders WHERE account_id IS NOT NULL AND coalesce(order_status, '') NOT IN ('cancelled', 'returned')
      AND order_date <= '{AS_OF}')
"""


def payback(by: str | None) -> str:
    return f"""
WITH {ORDERED},
w AS (SELECT * REPLACE (coalesce(parent_account_id, account_id) AS account_id) FROM deals
      WHERE {LIVE} AND status = 'won' AND closed_date IS NOT NULL),
f AS (SELECT *, {_key("month", "closed_date")} FROM w QUALIFY row_number() OVER (
        PARTITION BY coalesce(account_id, deal_id) ORDER BY closed_date, deal_id) = 1),
n AS (SELECT * FROM f WHERE closed_date <= '{AS_OF}'),
p AS (SELECT account_id, max(parent_account_id) AS parent FROM deals WHERE {LIVE} AND account_id IS NOT NULL GROUP BY ALL),
o AS (SELECT order_id, b.account_id, date_trunc('month', order_date) AS ordered, coalesce(sum(net_amount_base_cents),
        any_value(line), 0) AS value, coalesce(any_value(known), 0) AS known, coalesce(any_value(margin), 0) AS margin
      FROM b LEFT JOIN l USING (order_id) GROUP BY ALL),
m AS (SELECT {"n." + by + "," if by else ""} n.month AS won, date_diff('month', n.month, ordered) AS age, value, known,
        margin FROM o LEFT JOIN p USING (account_id) JOIN n ON n.account_id = coalesce(parent, o.account_id)
      WHERE age >= 0),
g AS (SELECT {_group(by)} sum(cents) AS cents, sum(new) AS n, min(first) AS first FROM (
        SELECT {_group(by)} 0 AS cents, 1 AS new, month AS first FROM n UNION ALL
        SELECT {_group(by)} amount_base_cents, 0, NULL FROM (SELECT amount_base_cents, team,
          {_key("month", "cost_date + INTERVAL 1 MONTH")} FROM costs WHERE cost_date < '2026-04-01'))
      GROUP BY {by or "()"}),
z AS (SELECT {_group(by)} sum(margin) / nullif(greatest(sum(known), 0), 0) AS rate, share(sum(known), sum(value))
        AS coverage FROM m GROUP BY {by or "()"}),
y AS (SELECT g.*, z.rate, z.coverage, date_diff('month', first, DATE '2026-03-01') + 1 AS length
      FROM g LEFT JOIN z ON {_on(by, "g", "z")}),
t AS (SELECT y.*, unnest(range(greatest(coalesce(length, 0), 0))) AS age FROM y),
i AS (SELECT t.*, (SELECT count(*) FROM n WHERE {_on(by, "n", "t")}
          AND date_diff('month', n.month, DATE '2026-03-01') >= t.age) AS followed,
        coalesce((SELECT sum(margin + CASE WHEN value = known THEN 0 ELSE (value - known) * t.rate END) FROM m
          WHERE {_on(by, "m", "t")} AND m.age = t.age AND date_diff('month', won, DATE '2026-03-01') >= m.age), 0)
          / 100 AS gain FROM t),
j AS (SELECT *, sum(gain / followed) OVER (PARTITION BY {_group(by)} 1 ORDER BY age) AS total FROM i)
SELECT {"y." + by + "," if by else ""} cents / n / 100 AS customer_acquisition_cost,
       coalesce(greatest(length, 0), 0) AS months_followed,
       (SELECT min(age) + 1 FROM j WHERE {_on(by, "j", "y")} AND y.cents > 0 AND total >= y.cents / y.n / 100 - 1e-9)
         AS cac_payback,
       (SELECT last(total ORDER BY age) FROM j WHERE {_on(by, "j", "y")}) AS margin, y.coverage, coalesce(y.n, 0) AS n
FROM (SELECT * REPLACE (nullif(n, 0) AS n) FROM y) y
"""


def lifetime(by: str | None) -> str:
    return f"""
WITH {ORDERED},
k AS (SELECT account_id, min(order_date) AS first, max(order_date) AS last,
        date_trunc('month', min(order_date))::TIMESTAMP AS month FROM b GROUP BY ALL),
y AS (SELECT k.*, (SELECT min(team) FROM b WHERE b.account_id = k.account_id AND order_date = first) AS team,
        (SELECT min(churned_at::DATE) FROM accounts a WHERE a.account_id = k.account_id
           AND churned_at::DATE <= '{AS_OF}') AS gone FROM k),
e AS (SELECT *, least(gone, CASE WHEN last + 365 <= '{AS_OF}' THEN last + 365 END) AS ends FROM y),
c AS (SELECT *, (ends IS NOT NULL)::INT AS event,
        greatest(coalesce(ends, DATE '{AS_OF}') - first, 0) * 400 // 12175 AS months FROM e),
o AS (SELECT order_id, b.account_id, min(order_date) AS on_day, coalesce(sum(net_amount_base_cents),
        any_value(line), 0) AS value, coalesce(any_value(known), 0) AS known, coalesce(any_value(margin), 0) AS margin
      FROM b LEFT JOIN l USING (order_id) GROUP BY ALL),
s AS (SELECT o.*, c.* EXCLUDE (account_id), (on_day - first) * 400 // 12175 AS age FROM o JOIN c USING (account_id)
      WHERE age < months + event),
z AS (SELECT {_group(by)} sum(margin) / nullif(greatest(sum(known), 0), 0) AS rate, share(sum(known), sum(value))
        AS coverage FROM s GROUP BY {by or "()"}),
g AS (SELECT {_group(by)} count(*) AS n, sum(event) AS "left", nullif(least(14, coalesce(max(months + event), 0)), 0) AS tau,
        count(*) FILTER ((last - first) // 7 > 0) AS returned FROM c GROUP BY {by or "()"}),
t AS (SELECT g.*, rate, unnest(range(tau)) AS t FROM g LEFT JOIN z ON {_on(by, "g", "z")}),
i AS (SELECT t.*, (SELECT count(*) FROM c WHERE {_on(by, "c", "t")} AND months + event > t.t) AS risk,
        (SELECT count(*) FROM c WHERE {_on(by, "c", "t")} AND event = 1 AND months = t.t) AS out,
        coalesce((SELECT sum(margin + CASE WHEN value = known THEN 0 ELSE (value - known) * t.rate END) FROM s
          WHERE {_on(by, "s", "t")} AND age = t.t), 0) / 100 AS gain FROM t),
v AS (SELECT *, coalesce(product(1 - out / risk) OVER (PARTITION BY {_group(by)} 1 ORDER BY t
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 1) AS alive FROM i)
SELECT {"g." + by + "," if by else ""} coalesce(tau, 0) AS months, coalesce("left", 0) AS "left", n, returned, coverage,
       CASE WHEN rate IS NOT NULL OR NOT EXISTS (FROM s WHERE value <> known AND {_on(by, "s", "g")} AND age < tau)
         THEN (SELECT sum(alive * gain / risk / 1.1 ** (t / 12)) FROM v WHERE {_on(by, "v", "g")}) END AS customer_lifetime_value,
       (SELECT last(alive * (1 - out / risk) ORDER BY t) FROM v WHERE {_on(by, "v", "g")}) AS retained,
       (SELECT count(*) FROM c WHERE {_on(by, "c", "g")} AND (event = 1 OR months + event >= tau)) / nullif(n, 0) AS matured
FROM g LEFT JOIN z ON {_on(by, "g", "z")}
"""


def channels(by: str | None) -> str:
    renamed = "CASE WHEN {0} = 'Website' THEN 'Web' ELSE coalesce({0}, '(missing)') END"
    keys = ", ".join([*([by] if by else []), "channel"])
    return f"""
WITH w AS (SELECT lead_id, sum(coalesce(amount_base_cents, 0)) AS cents FROM deals WHERE {LIVE} AND status = 'won'
           AND closed_date <= '{AS_OF}' AND lead_id IS NOT NULL GROUP BY ALL),
a AS (SELECT {_key(by, "created_at")} {renamed.format("lead_source")} AS channel, (sql_at::DATE <= '{AS_OF}')::INT AS q,
        w.cents FROM leads LEFT JOIN w USING (lead_id) WHERE created_at::DATE <= '{AS_OF}'),
l AS (SELECT {keys}, count(*) AS leads, coalesce(sum(q), 0) AS sql, count(cents) AS won,
        coalesce(sum(cents), 0) / 100 AS value FROM a GROUP BY ALL),
v AS (SELECT {_key(by, "date")} {renamed.format("channel_group")} AS channel, coalesce(sum(sessions), 0) AS sessions
      FROM web_traffic WHERE date <= '{AS_OF}' GROUP BY ALL),
j AS (SELECT {keys}, sessions, coalesce(leads, 0) AS leads, coalesce(sql, 0) AS sql, coalesce(won, 0) AS won,
        coalesce(value, 0) AS value FROM l FULL JOIN v USING ({keys}))
SELECT *, leads AS n, share(value, leads) AS channel_yield, share(leads, sessions) AS lead_rate,
       share(value, sessions) AS value_per_session,
       share(coalesce(sum(leads) FILTER (sessions IS NOT NULL) OVER (PARTITION BY {_group(by)} 1), 0),
             sum(leads) OVER (PARTITION BY {_group(by)} 1)) AS join_rate FROM j
"""


CASES: dict[str, Case] = {
    "attainment_distribution": Case(kpis.attainment_distribution, attainment, options={"as_of": AS_OF}),
    "ramp_time": Case(kpis.ramp_time, ramp, options={"as_of": AS_OF}),
    "territory_balance": Case(kpis.territory_balance, balance, each=NO_MONTH, rows=("measure",)),
    "territory_disruption": Case(kpis.territory_disruption, disruption, each=NO_MONTH),
    "cac_payback": Case(kpis.cac_payback, payback, options={"as_of": AS_OF, "lag_months": 1}, each=EVERY),
    "customer_lifetime_value": Case(
        kpis.customer_lifetime_value, lifetime, options={"as_of": AS_OF, "horizon_months": 14}
    ),
    "channel_yield": Case(
        kpis.channel_yield,
        channels,
        options={"as_of": AS_OF, "channels": {"Website": "Web"}},
        rows=("channel",),
    ),
}
