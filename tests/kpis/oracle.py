"""The KPIs once more as plain DuckDB SQL, written from their definitions in another way than the package's.

`{keys}` makes the group columns that a table lacks, `{pick}` takes all of them, `{names}` names them.
NULL teams are called "(missing)" before. `CASES` at the end says how each figure is called to be compared.
"""

from __future__ import annotations

from kpis import (
    oracle_activities,
    oracle_forecast,
    oracle_history,
    oracle_money,
    oracle_people,
    oracle_winning,
)
from kpis.case import AS_OF, EVERY, NO_MONTH, Case

from salestrack import kpis

MACROS = """
CREATE MACRO wilson_low(k, n) AS CASE WHEN n = 0 THEN NULL WHEN k = 0 THEN 0 ELSE
  (k / n + 3.841458820694124 / (2 * n) - 1.959963984540054
      * sqrt(k / n * (1 - k / n) / n + 3.841458820694124 / (4.0 * n * n)))
  / (1 + 3.841458820694124 / n) END;
CREATE MACRO wilson_high(k, n) AS CASE WHEN n = 0 THEN NULL WHEN k = n THEN 1 ELSE
  (k / n + 3.841458820694124 / (2 * n) + 1.959963984540054
      * sqrt(k / n * (1 - k / n) / n + 3.841458820694124 / (4.0 * n * n)))
  / (1 + 3.841458820694124 / n) END;
CREATE MACRO share(a, b) AS CASE WHEN b > 0 THEN a::DOUBLE / b END;
"""

LIVE = "FROM deals WHERE NOT coalesce(is_deleted, FALSE)"
WON = "count(*) FILTER (status = 'won')"

BOOKINGS = f"""
SELECT {{names}} coalesce(sum(amount_base_cents) FILTER (status = 'won'), 0) / 100 AS bookings, {WON} AS n,
       count(*) FILTER (status = 'won' AND amount_base_cents IS NULL) AS without_amount
FROM (SELECT *, {{keys}} {LIVE}) f GROUP BY ALL
"""

WIN_RATE = f"""
SELECT {{names}} {WON} AS won, count(*) FILTER (status = 'lost' AND NOT junk) AS lost,
       count(*) FILTER (status = 'lost' AND junk) AS junk, share(won, won + lost) AS win_rate,
       wilson_low(won, won + lost) AS low, wilson_high(won, won + lost) AS high, won + lost AS n
FROM (SELECT *, {{keys}} coalesce(lower(lost_reason), '') IN ('duplicate', 'test', 'spam')
    AS junk {LIVE}) f GROUP BY ALL
"""

WIN_RATE_BY_VALUE = f"""
SELECT {{names}} coalesce(sum(amount_base_cents) FILTER (status = 'won'), 0) / 100 AS won_value,
       coalesce(sum(amount_base_cents) FILTER (status = 'lost' AND NOT junk), 0) / 100 AS lost_value,
       count(*) FILTER (closed AND amount_base_cents IS NOT NULL) AS n, share(n, count(*)
           FILTER (closed)) AS coverage,
       share(max(amount_base_cents) FILTER (closed), 100 * (won_value + lost_value)) AS top_deal_share,
       share(won_value, won_value + lost_value) AS win_rate_by_value
FROM (SELECT *, coalesce(status = 'won' OR (status = 'lost' AND NOT junk), FALSE) AS closed
      FROM (SELECT *, {{keys}} coalesce(lower(lost_reason), '') IN ('duplicate', 'test', 'spam')
          AS junk {LIVE}) g) f
GROUP BY ALL
"""

DEAL_SIZE = f"""
SELECT {{names}} median(a) / 100 AS average_deal_size, avg(a) / 100 AS mean, count(a) AS n,
       list_sum(list_sort(list(a) FILTER (a IS NOT NULL))[count(a) // 10 + 1 : count(a) - count(a) // 10])
         / (count(a) - 2 * (count(a) // 10)) / 100 AS trimmed_mean,
       count(*) FILTER (status = 'won' AND amount_base_cents <= 0) AS zero,
       count(*) FILTER (status = 'won' AND amount_base_cents IS NULL) AS without_amount
FROM (SELECT *, {{keys}} CASE WHEN status = 'won' AND amount_base_cents > 0 THEN amount_base_cents END
    AS a {LIVE}) f
GROUP BY ALL
"""

ORDER_VALUE = """
WITH f AS (SELECT * REPLACE (coalesce(order_status, '') AS order_status), {keys} FROM (
             SELECT * REPLACE (min(order_date) OVER (PARTITION BY order_id) AS order_date) FROM orders)),
o AS (SELECT {names} order_id, account_id,
        coalesce(sum(net_amount_base_cents) FILTER (order_status NOT IN ('cancelled', 'returned')), 0)
            AS cents,
        coalesce(bool_or(net_amount_base_cents >= 0) FILTER (order_status NOT IN ('cancelled',
            'returned')), FALSE) AS good,
        bool_or(order_status NOT IN ('cancelled', 'returned') AND net_amount_base_cents IS NULL) AS unknown,
        bool_or(order_status = 'cancelled') AS c, bool_or(order_status = 'returned') AS r FROM f GROUP BY ALL)
SELECT {names} coalesce(sum(cents), 0) / 100 AS value, count(*) FILTER (good) AS n,
       CASE WHEN n > 0 THEN value / n END AS average_order_value,
       count(*) FILTER (c) AS cancelled, count(*) FILTER (r) AS returned, count(*) FILTER (unknown
           AND NOT good) AS without_amount
FROM o GROUP BY ALL
"""

OPEN_PIPELINE = f"""
SELECT {{names}} coalesce(sum(amount_base_cents), 0) / 100 AS open_pipeline, count(*) AS n,
       count(*) FILTER (amount_base_cents IS NULL) AS without_amount, count(*)
           FILTER (expected_close_date IS NULL) AS undated,
       count(*) FILTER (expected_close_date < '2026-04-20') AS past_due,
       coalesce(sum(amount_base_cents) FILTER (expected_close_date < '2026-04-20'), 0) / 100
           AS past_due_value,
       share(list_sum(list_sort(list(amount_base_cents) FILTER (amount_base_cents IS NOT NULL), 'DESC')[:5]),
             sum(amount_base_cents)) AS top5_share
FROM (SELECT *, {{keys}} {LIVE} AND status = 'open') f GROUP BY ALL
"""

COVERAGE = """
WITH u AS (
  SELECT *, {keys}
    CASE WHEN status = 'open' AND expected_close_date BETWEEN '2026-04-20' AND '2026-06-30'
        THEN amount_base_cents END AS o,
    (status = 'open' AND expected_close_date BETWEEN '2026-04-20' AND '2026-06-30')::INT AS one,
    CASE WHEN status = 'won' AND closed_date BETWEEN '2026-04-01' AND '2026-04-20'
        THEN amount_base_cents END AS w,
    CASE WHEN status = 'open' AND expected_close_date < '2026-04-20' THEN amount_base_cents END AS p
  FROM deals WHERE NOT coalesce(is_deleted, FALSE)),
a AS (SELECT {names} o, one, w, p, NULL AS q FROM u UNION ALL
      SELECT {pick} NULL, 0, NULL, NULL, quota_amount_base_cents FROM quotas
      WHERE rep_id IS NOT NULL AND period_start_date BETWEEN '2026-04-01' AND '2026-06-30')
SELECT {names} coalesce(sum(o), 0) / 100 AS open_value, coalesce(sum(w), 0) / 100 AS won_value,
       coalesce(sum(q), 0) / 100 AS quota, quota - won_value AS remaining, coalesce(sum(p), 0) / 100
           AS past_due_value,
       CASE WHEN quota > 0 THEN share(open_value, remaining) END AS pipeline_coverage,
       share(open_value, quota) AS coverage_of_full_quota, 20 AS day, 91 AS days, coalesce(sum(one), 0) AS n
FROM a GROUP BY ALL
"""

QUOTA_ROWS = """
WITH q AS (SELECT * FROM quotas WHERE rep_id IS NOT NULL),
a AS (
  SELECT *, {keys} quota_amount_base_cents AS quota, 0 AS credited, 0 AS rest, rep_id AS holder
  FROM (SELECT team, rep_id, quota_amount_base_cents, period_start_date AS on_day FROM q)
  UNION ALL
  SELECT *, {keys} 0, amount_base_cents, 0, NULL
  FROM (SELECT q.team, q.rep_id, c.amount_base_cents, q.period_start_date AS on_day FROM q
        JOIN credits c ON c.rep_id = q.rep_id AND c.credit_date BETWEEN q.period_start_date
            AND q.period_end_date)
  UNION ALL
  SELECT *, {keys} 0, 0, amount_base_cents, NULL
  FROM (SELECT team, rep_id, amount_base_cents, credit_date AS on_day FROM credits c
      WHERE credit_date IS NOT NULL AND NOT EXISTS
        (FROM q WHERE c.rep_id = q.rep_id AND c.credit_date BETWEEN q.period_start_date
            AND q.period_end_date)))
"""

ATTAINMENT = (
    QUOTA_ROWS
    + """
SELECT {names} coalesce(sum(credited), 0) / 100 AS credited, coalesce(sum(quota), 0) / 100 AS quota,
       CASE WHEN sum(quota) > 0 THEN sum(credited) / sum(quota) END AS quota_attainment,
       coalesce(sum(rest), 0) / 100 AS without_quota, count(DISTINCT holder) AS n
FROM a GROUP BY ALL
"""
)

AT_QUOTA = (
    QUOTA_ROWS
    + """,
m AS (SELECT {months} AS months FROM q),
r AS (SELECT {names} rep_id, coalesce(sum(quota), 0) AS quota, coalesce(sum(credited), 0) AS credited,
    count(holder) AS held
      FROM a WHERE rest = 0 AND rep_id IN (SELECT rep_id FROM q) GROUP BY ALL HAVING count(holder) > 0),
s AS (SELECT r.*, held >= 0.5 * months AND quota > 0 AS counts, held < months AS part FROM r CROSS JOIN m)
SELECT {names} count(*) FILTER (counts) AS n, count(*) FILTER (counts AND credited >= quota) AS at_quota,
    count(*) FILTER (counts AND part) AS part_period,
       count(*) FILTER (NOT counts) AS left_out, share(at_quota, n) AS share_of_reps_at_quota,
       wilson_low(at_quota, n) AS low, wilson_high(at_quota, n) AS high
FROM s GROUP BY ALL
"""
)

INCIDENCE = """
d AS (SELECT {group} day, count(*) FILTER (cause = 1) AS e, count(*) FILTER (cause > 0) AS x, count(*)
    AS c FROM w GROUP BY ALL),
r AS (SELECT *, sum(c) OVER ({part} ORDER BY day DESC) AS risk FROM d),
s AS (SELECT *, product(1 - x / risk) OVER ({part} ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING
    AND 1 PRECEDING) AS before,
             product(1 - x / risk) OVER ({part} ORDER BY day) AS after FROM r),
i AS (SELECT {group} CASE WHEN count(*) = 0 OR ({unfollowed} AND min(after) > 0) THEN NULL
                          ELSE coalesce(sum(coalesce(before, 1) * e / risk) FILTER (day <= {horizon}),
                              0) END AS incidence
      FROM s GROUP BY ALL)
"""

STAGE_CONVERSION = (
    """
WITH f AS (SELECT *, entered_at::DATE AS e, {keys} FROM stage_spells WHERE entered_at::DATE <= '2026-04-20'),
o AS (SELECT deal_id, max(left_at::DATE) FILTER (exit_type = 'deleted'
    AND left_at::DATE <= '2026-04-20') AS gone FROM f GROUP BY ALL),
v AS (SELECT f.*, CASE WHEN gone >= e THEN gone END AS g,
        least(CASE WHEN forward_at::DATE <= '2026-04-20' THEN forward_at::DATE END,
              CASE WHEN won_at::DATE <= '2026-04-20' THEN won_at::DATE END) AS fwd,
        CASE WHEN lost_at::DATE <= '2026-04-20' THEN lost_at::DATE END AS l
      FROM f JOIN o USING (deal_id) WHERE is_first_entry),
w AS (SELECT *, CASE WHEN least(fwd, l, g) IS NULL THEN 0 WHEN fwd <= coalesce(least(l, g), fwd) THEN 1
                     WHEN l <= coalesce(g, l) THEN 2 ELSE 0 END AS cause,
             greatest(coalesce(least(fwd, l, g), DATE '2026-04-20') - e, 0) AS day FROM v),
"""
    + INCIDENCE
    + """
SELECT {names} stage_order, stage_name, count(*) FILTER (cause = 1 AND day <= 60) AS forward,
       count(*) FILTER (cause = 2 AND day <= 60) AS lost,
       count(*) FILTER (exit_type = 'backward' AND left_at::DATE <= '2026-04-20') AS backward,
       count(*) FILTER (cause = 0 AND day < 60) AS open, any_value(incidence) AS stage_conversion,
           count(*) AS n
FROM w JOIN i USING ({using}) GROUP BY ALL
"""
)

STAGE_DWELL = (
    """
WITH w AS (SELECT *, {keys} CASE WHEN left_at::DATE <= '2026-04-20' THEN CASE
    WHEN exit_type IS DISTINCT FROM 'deleted' THEN 1 ELSE -1 END
                          ELSE 0 END AS cause,
        greatest(CASE WHEN left_at::DATE <= '2026-04-20' THEN left_at::DATE
            ELSE DATE '2026-04-20' END - entered_at::DATE, 0) AS day
      FROM stage_spells WHERE entered_at::DATE <= '2026-04-20'),
"""
    + INCIDENCE
    + """
SELECT {names} stage_order, stage_name, count(*) FILTER (cause = 0) AS open, count(*) FILTER (cause = 1
    AND exit_type = 'lost') AS lost,
       (SELECT min(day) FROM s WHERE after <= 0.5 + 1e-12 AND {same}) AS stage_dwell,
       (SELECT min(day) FROM s WHERE after <= 0.1 + 1e-12 AND {same}) AS p90, count(*) AS n
FROM w GROUP BY ALL
"""
)

LEAKAGE = (
    """
WITH f AS (SELECT * REPLACE (CASE WHEN left_at::DATE <= '2026-04-20' THEN left_at END AS left_at), {keys}
           FROM stage_spells WHERE entered_at::DATE <= '2026-04-20'),
v AS (SELECT *, max(seq) OVER (PARTITION BY deal_id) AS final,
             max(seq) OVER (PARTITION BY {names} deal_id, stage_order) AS latest,
             min(entered_at) OVER (PARTITION BY {names} deal_id, stage_order) AS since,
             max(amount_base_cents) OVER (PARTITION BY {names} deal_id, stage_order) AS cents FROM f),
w AS (SELECT *, CASE WHEN left_at IS NULL THEN 0 WHEN exit_type = 'lost' AND seq = final THEN 1
                     WHEN exit_type = 'deleted' THEN -1 ELSE 2 END AS cause,
             greatest(coalesce(left_at::DATE, DATE '2026-04-20') - since::DATE, 0) AS day FROM v
                 WHERE seq = latest),
"""
    + INCIDENCE
    + """
SELECT {names} stage_order, stage_name, count(*) FILTER (cause = 1) AS lost,
       coalesce(sum(cents) FILTER (cause = 1), 0) / 100 AS lost_value, count(*)
           FILTER (cause = 0) AS open,
       any_value(incidence) AS funnel_leakage, count(*) AS n
FROM w JOIN i USING ({using}) GROUP BY ALL
"""
)

MQL_TO_SQL = (
    """
WITH f AS (SELECT coalesce(mql_at, sql_at)::DATE AS on_day, team, CASE
    WHEN mql_at::DATE <= '2026-04-20' THEN mql_at::DATE END AS m,
             CASE WHEN sql_at::DATE <= '2026-04-20' THEN sql_at::DATE END AS q,
             CASE WHEN disqualified_at::DATE <= '2026-04-20' THEN disqualified_at::DATE END AS x FROM leads),
a AS (SELECT *, {keys} FROM f WHERE m IS NOT NULL OR q IS NOT NULL),
w AS (SELECT *, CASE WHEN least(q, x) IS NULL THEN 0 WHEN q <= coalesce(x, q) THEN 1 ELSE 2 END AS cause,
             greatest(coalesce(least(q, x), DATE '2026-04-20') - m, 0) AS day FROM a WHERE m IS NOT NULL),
"""
    + INCIDENCE
    + """,
t AS (SELECT {names} count(*) FILTER (cause = 1 AND day <= 60) AS sql, count(*) FILTER (cause = 2
    AND day <= 60) AS disqualified,
             count(*) FILTER (cause = 0 AND day < 60) AS open, count(*) AS n FROM w GROUP BY ALL),
b AS (SELECT {names} count(*) FILTER (m IS NULL) AS sql_without_mql FROM a GROUP BY ALL)
SELECT {bnames} coalesce(sql, 0) AS sql, coalesce(disqualified, 0) AS disqualified, coalesce(open, 0)
    AS open, sql_without_mql,
       incidence AS mql_to_sql, coalesce(n, 0) AS n
FROM b LEFT JOIN t {on_t} LEFT JOIN i {on_i}
"""
)

SALES_CYCLE = f"""
SELECT {{names}} median(w) AS sales_cycle, avg(w) AS mean, quantile_cont(w, 0.9) AS p90, count(w) AS n,
       median(l) AS days_to_lost, count(l) AS lost, count(*) FILTER (status IN ('won', 'lost')
           AND days < 0) AS negative
FROM (SELECT *, closed_date - created_date AS days, CASE WHEN status = 'won' AND days >= 0 THEN days END AS w,
             CASE WHEN status = 'lost' AND days >= 0 THEN days END AS l, {{keys}} {LIVE}) f GROUP BY ALL
"""

ACTIVITY_MIX = """
WITH f AS (SELECT * REPLACE (coalesce(activity_type, '(missing)') AS activity_type), {keys}
    FROM activities WHERE is_done),
t AS (SELECT {names} activity_type, count(*) AS activities, coalesce(sum(duration_s), 0) AS seconds,
             count(*) FILTER (duration_s IS NULL) AS without_duration FROM f GROUP BY ALL)
SELECT {names} activity_type, activities, seconds / 3600 AS hours, without_duration,
       activities / sum(activities) OVER ({outer}) AS activity_mix,
       CASE WHEN sum(seconds) OVER ({outer}) > 0 THEN seconds / sum(seconds) OVER ({outer}) END
           AS hours_share,
       sum(activities) OVER ({outer}) AS n
FROM t
"""

SELLING_TIME = """
WITH f AS (SELECT *, {keys} FROM activities WHERE is_done AND started_at >= '2025-01-01'
    AND started_at < '2026-01-01'),
a AS (SELECT {names} coalesce(sum(duration_s) FILTER (activity_type IN ('call', 'email', 'meeting')),
    0) / 3600 AS selling_hours,
             coalesce(sum(duration_s), 0) / 3600 AS recorded_hours, count(duration_s) AS n
                 FROM f GROUP BY ALL),
c AS (SELECT *, {keys} FROM (
        SELECT team, contracted_hours_per_week / 7 AS hours,
            unnest(generate_series(greatest(coalesce(valid_from_date, '2025-01-01'), DATE '2025-01-01'),
          least(coalesce(valid_to_date, '2025-12-31'), DATE '2025-12-31'), INTERVAL 1 DAY)) AS on_day
              FROM rep_assignments)),
h AS (SELECT {names} coalesce(sum(hours), 0) AS contracted_hours FROM c GROUP BY ALL)
SELECT {names} coalesce(selling_hours, 0) AS selling_hours, coalesce(recorded_hours, 0) AS recorded_hours,
       coalesce(h.contracted_hours, 0) AS contracted_hours, share(recorded_hours, contracted_hours)
           AS coverage,
       CASE WHEN share(recorded_hours, h.contracted_hours) >= 0.7 THEN share(selling_hours,
           recorded_hours) END AS selling_time_share,
       coalesce(n, 0) AS n
FROM a FULL JOIN (FROM h WHERE contracted_hours > 0 {keep}) h {on}
"""

CAC = """
WITH w AS (SELECT *, coalesce(parent_account_id, account_id, deal_id) AS family FROM deals
           WHERE NOT coalesce(is_deleted, FALSE) AND status = 'won' AND closed_date IS NOT NULL),
n AS (SELECT *, closed_date AS on_day FROM w QUALIFY row_number() OVER (PARTITION BY family
    ORDER BY closed_date, deal_id) = 1),
a AS (SELECT {pick} 1 AS new, 0 AS cents FROM n WHERE on_day >= '2025-07-01'
    AND on_day < '2026-07-01' UNION ALL
      SELECT {pick} 0, amount_base_cents FROM (SELECT team, amount_base_cents,
          (cost_date + INTERVAL 1 MONTH)::DATE AS on_day FROM costs)
      WHERE on_day >= '2025-07-01' AND on_day < '2026-07-01')
SELECT {names} coalesce(sum(cents), 0) / 100 AS cost, coalesce(sum(new), 0) AS n,
       share(cost, n) AS customer_acquisition_cost, 1 AS lag_months
FROM a GROUP BY ALL
"""

NPS = """
WITH f AS (SELECT *, coalesce(responded_at, sent_at) AS on_day, {keys} FROM surveys
    WHERE survey_type = 'nps'),
l AS (SELECT * FROM f WHERE score IS NOT NULL
      QUALIFY row_number() OVER (PARTITION BY {partition} contact_id
          ORDER BY responded_at::DATE DESC NULLS LAST, score) = 1),
t AS (SELECT {names} count(*) FILTER (score >= 9) AS promoters, count(*) FILTER (score IN (7, 8)) AS passives,
             count(*) FILTER (score <= 6) AS detractors, count(*) AS n FROM l GROUP BY ALL),
b AS (SELECT {names} share(count(*) FILTER (sent_at IS NOT NULL AND score IS NOT NULL), count(sent_at))
    AS response_rate FROM f GROUP BY ALL)
SELECT {bnames} coalesce(promoters, 0) AS promoters, coalesce(passives, 0) AS passives,
    coalesce(detractors, 0) AS detractors,
       100 * share(promoters - detractors, n) AS net_promoter_score, coalesce(n, 0) AS n, response_rate
FROM b LEFT JOIN t {on_t}
"""

STAGES = ("stage_order", "stage_name")
CASES: dict[str, Case] = {
    "bookings": Case(kpis.bookings, BOOKINGS, "closed_date", {}, EVERY),
    "win_rate": Case(kpis.win_rate, WIN_RATE, "closed_date", {}, EVERY),
    "win_rate_by_value": Case(kpis.win_rate_by_value, WIN_RATE_BY_VALUE, "closed_date", {}, EVERY),
    "average_deal_size": Case(kpis.average_deal_size, DEAL_SIZE, "closed_date", {}, EVERY),
    "average_order_value": Case(kpis.average_order_value, ORDER_VALUE, "order_date", {}, EVERY),
    "open_pipeline": Case(
        kpis.open_pipeline,
        OPEN_PIPELINE,
        "expected_close_date",
        {"as_of": AS_OF},
        EVERY,
    ),
    "pipeline_coverage": Case(
        kpis.pipeline_coverage,
        COVERAGE,
        "",
        {"as_of": AS_OF, "period": "2026-Q2"},
        NO_MONTH,
    ),
    "quota_attainment": Case(kpis.quota_attainment, ATTAINMENT, "on_day", {}, EVERY),
    "share_of_reps_at_quota": Case(kpis.share_of_reps_at_quota, AT_QUOTA, "on_day", {}, EVERY),
    "stage_conversion": Case(
        kpis.stage_conversion,
        STAGE_CONVERSION,
        "entered_at",
        {"as_of": AS_OF, "horizon_days": 60},
        EVERY,
        STAGES,
    ),
    "stage_dwell": Case(kpis.stage_dwell, STAGE_DWELL, "entered_at", {"as_of": AS_OF}, EVERY, STAGES),
    "funnel_leakage": Case(kpis.funnel_leakage, LEAKAGE, "since", {"as_of": AS_OF}, NO_MONTH, STAGES),
    "mql_to_sql": Case(kpis.mql_to_sql, MQL_TO_SQL, "on_day", {"as_of": AS_OF, "horizon_days": 60}, EVERY),
    "sales_cycle": Case(kpis.sales_cycle, SALES_CYCLE, "closed_date", {}, EVERY),
    "activity_mix": Case(kpis.activity_mix, ACTIVITY_MIX, "started_at", {}, EVERY, ("activity_type",)),
    "selling_time_share": Case(kpis.selling_time_share, SELLING_TIME, "on_day", {"period": "2025"}, EVERY),
    "customer_acquisition_cost": Case(
        kpis.customer_acquisition_cost,
        CAC,
        "on_day",
        {"period": ("2025-07-01", "2026-07-01"), "lag_months": 1},
        EVERY,
    ),
    "net_promoter_score": Case(kpis.net_promoter_score, NPS, "on_day", {}, EVERY),
}
MORE = (oracle_activities, oracle_forecast, oracle_history, oracle_money, oracle_people, oracle_winning)
for more in MORE:
    CASES |= more.CASES
