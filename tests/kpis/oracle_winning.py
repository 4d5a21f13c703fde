"""Plain SQL for the KPIs of cohort win rates, velocity, leads and bottlenecks: joins of days with days."""

from __future__ import annotations

from kpis.case import AS_OF, EVERY, NO_MONTH, Case

from salestrack import kpis

TODAY = f"DATE '{AS_OF}'"
HORIZON = 60
STAGES = ("stage_order", "stage_name")
OF_DEALS = "NOT coalesce(is_deleted, FALSE)"
JUNK = "coalesce(lower(lost_reason), '') IN ('duplicate', 'test', 'spam')"


def group(by: str | None, date: str) -> str:
    return {None: "1", "month": f"date_trunc('month', {date})::TIMESTAMP"}.get(by, by or "")


def names(by: str | None) -> str:
    return f"g AS {by}," if by else ""


CURVE = """
d AS (SELECT g, day, count(*) FILTER (cause = 1) AS won, count(*) FILTER (cause = 2) AS lost, count(*) AS c
      FROM w GROUP BY ALL),
r AS (SELECT a.g, a.day, a.won, a.lost, sum(b.c) AS risk FROM d a
      JOIN d b ON a.g IS NOT DISTINCT FROM b.g AND b.day >= a.day GROUP BY ALL),
s AS (SELECT a.g, a.day, any_value(a.won) / any_value(a.risk) AS won, any_value(a.lost) / any_value(a.risk) AS lost,
             coalesce(product(1 - (b.won + b.lost) / b.risk), 1) AS before
      FROM r a LEFT JOIN r b ON a.g IS NOT DISTINCT FROM b.g AND b.day < a.day GROUP BY a.g, a.day),
f AS (SELECT a.g, a.day, sum(b.won * b.before) AS won, sum(b.lost * b.before) AS lost
      FROM s a JOIN s b ON a.g IS NOT DISTINCT FROM b.g AND b.day <= a.day GROUP BY a.g, a.day),
e AS (SELECT g, max(won) AS final, max(lost) AS lost, max(day) AS followed, 1 - max(won) - max(lost) AS waiting,
             coalesce(max(won) FILTER (day <= {horizon}), 0) AS by_then FROM f GROUP BY ALL)
""".replace("{horizon}", str(HORIZON))


def deals(by: str | None) -> str:
    return f"""
WITH k AS (SELECT {group(by, "created_date")} AS g, greatest(coalesce(e, {TODAY}) - created_date, 0) AS day,
             CASE WHEN e IS NULL THEN 0 WHEN status = 'won' THEN 1 WHEN {JUNK} THEN 3 ELSE 2 END AS cause,
             coalesce(status IN ('won', 'lost') AND closed_date IS NULL, FALSE) AS undated
      FROM (SELECT *, CASE WHEN status IN ('won', 'lost') AND closed_date <= {TODAY} THEN closed_date END AS e
            FROM deals WHERE {OF_DEALS} AND created_date <= {TODAY})),
w AS (SELECT * FROM k WHERE cause < 3 AND NOT undated), {CURVE}
"""


def win_rate_cohort(by: str | None) -> str:
    return f"""{deals(by)}
SELECT {names(by)} count(*) FILTER (cause = 1 AND day <= {HORIZON} AND NOT undated) AS won,
       count(*) FILTER (cause = 2 AND day <= {HORIZON} AND NOT undated) AS lost,
       count(*) FILTER (cause = 0 AND day < {HORIZON} AND NOT undated) AS open,
       count(*) FILTER (cause = 3) AS junk, count(*) FILTER (undated) AS undated,
       count(*) FILTER (cause < 3 AND NOT undated) AS n, any_value(final) AS expected_final,
       any_value(followed)::DOUBLE AS followed, share(n - open, n) AS matured,
       any_value(CASE WHEN followed >= {HORIZON} OR waiting < 1e-12 THEN by_then END) AS win_rate_cohort
FROM k LEFT JOIN e USING (g) GROUP BY ALL
"""


def expected_sales_cycle(by: str | None) -> str:
    return f"""{deals(by)},
t AS (SELECT g, min(day) FILTER (f.won > e.final / 2 - 1e-12 AND final > 0) AS half,
             min(day) FILTER (f.lost > e.lost / 2 - 1e-12 AND e.lost > 0) AS half_lost,
             min(day) FILTER (f.won > (e.final + e.waiting) / 2 - 1e-12 AND final > 0) AS latest
      FROM f JOIN e USING (g) GROUP BY ALL),
c AS (SELECT g, count(*) AS n, count(*) FILTER (cause = 1) AS won, count(*) FILTER (cause = 2) AS lost FROM w GROUP BY ALL)
SELECT {names(by)} any_value(CASE WHEN waiting <= 0.1 THEN half END)::DOUBLE AS expected_sales_cycle,
       any_value(CASE WHEN waiting <= 0.1 THEN half_lost END)::DOUBLE AS time_to_lost,
       any_value(latest)::DOUBLE AS latest, any_value(final) AS expected_final, any_value(waiting) AS undecided,
       coalesce(any_value(won), 0) AS won, coalesce(any_value(c.lost), 0) AS lost, coalesce(any_value(n), 0) AS n
FROM (SELECT DISTINCT g FROM k) LEFT JOIN c USING (g) LEFT JOIN e USING (g) LEFT JOIN t USING (g) GROUP BY ALL
"""


VELOCITY_DAYS = 200


def sales_velocity(by: str | None) -> str:
    return f"""
WITH p AS (SELECT {group(by, "")} AS g, *, {TODAY} - {VELOCITY_DAYS - 1} AS start,
             CASE WHEN status IN ('won', 'lost') AND closed_date <= {TODAY} THEN closed_date END AS e
      FROM deals WHERE {OF_DEALS} AND created_date <= {TODAY} AND NOT coalesce(status IN ('won', 'lost')
          AND closed_date IS NULL, FALSE)),
every AS (SELECT *, amount_base_cents AS a, greatest(start - created_date, 0) AS since,
             greatest(coalesce(e, {TODAY}) - created_date, 0) AS day, CASE WHEN e IS NULL THEN 0 WHEN status = 'won'
                 THEN 1 ELSE 2 END AS cause
      FROM p WHERE coalesce(e >= start, TRUE) AND NOT (e IS NOT NULL AND status = 'lost' AND {JUNK})),
w AS (SELECT * FROM every WHERE a IS NOT NULL),
days AS (SELECT DISTINCT g, day FROM w),
r AS (SELECT d.g, d.day, count(*) AS n, count(*) FILTER (w.day = d.day AND cause > 0) AS x,
             sum(greatest(a, 0)) AS v, coalesce(sum(greatest(a, 0)) FILTER (w.day = d.day AND cause > 0), 0) AS vx,
             coalesce(sum(greatest(a, 0)) FILTER (w.day = d.day AND cause = 1), 0) AS vw
      FROM days d JOIN w ON w.g IS NOT DISTINCT FROM d.g AND w.since <= d.day AND w.day >= d.day GROUP BY ALL),
s AS (SELECT *, product(1 - x / n) OVER o AS stay, lead(day) OVER o AS until,
             coalesce(product(CASE WHEN v > 0 THEN 1 - vx / v ELSE 1 END) OVER (PARTITION BY g ORDER BY day
                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 1) AS before
      FROM r WINDOW o AS (PARTITION BY g ORDER BY day)),
z AS (SELECT g, min(day) + coalesce(sum(stay * (until - day)), 0) AS c,
             CASE WHEN sum(v) > 0 THEN sum(CASE WHEN v > 0 THEN before * vw / v END) END AS wv FROM s GROUP BY ALL),
l AS (SELECT least({VELOCITY_DAYS}, {TODAY} - min(created_date) + 1) AS days FROM every),
q AS (SELECT g, count(*) AS n, count(*) FILTER (cause = 0) AS open, avg(a) FILTER (since = 0) / 100 AS mean,
             coalesce(sum(a) FILTER (cause = 1), 0) / 100 AS won_value, count(*) FILTER (cause = 1) AS won,
             count(*) FILTER (cause > 0) AS closed, sum(day) FILTER (cause = 1) AS cycle FROM w GROUP BY ALL),
y AS (SELECT g, count(*) AS every FROM every GROUP BY ALL)
SELECT {names(by)} coalesce(any_value(n), 0) AS n, coalesce(any_value(open), 0) AS open, any_value(wv) AS win_rate_by_value,
       any_value(mean) AS mean_amount, any_value(c) AS days_in_pipeline, any_value(won_value / days) AS realised,
       share(any_value(n), any_value(every)) AS coverage,
       any_value(CASE WHEN c > 0 THEN open * wv * mean / c END) AS sales_velocity,
       any_value(CASE WHEN cycle > 0 THEN open * (won / closed) * won_value / cycle END) AS classic
FROM y LEFT JOIN q USING (g) LEFT JOIN z USING (g) CROSS JOIN l GROUP BY ALL
"""


def lead_conversion(by: str | None) -> str:
    return f"""
WITH l AS (SELECT *, created_at::DATE AS c, CASE WHEN disqualified_at::DATE <= {TODAY} THEN disqualified_at::DATE END AS x,
             CASE WHEN converted_at::DATE <= {TODAY} THEN converted_deal_id END AS deal,
             coalesce(account_id, CASE WHEN converted_at::DATE <= {TODAY} THEN converted_account_id END) AS acct,
             nullif(lower(trim(company_name)), '') AS company FROM leads WHERE created_at::DATE <= {TODAY}),
a AS (SELECT company, max(acct) AS shared FROM l WHERE company IS NOT NULL GROUP BY ALL),
u AS (SELECT l.*, CASE WHEN contact_id IS NOT NULL THEN 'p' || contact_id
                       WHEN coalesce(acct, shared) IS NOT NULL THEN 'a' || coalesce(acct, shared)
                       WHEN company IS NOT NULL THEN 'c' || company ELSE 'l' || lead_id END AS unit
      FROM l LEFT JOIN a USING (company)),
v AS (SELECT unit, min(c) AS since, count(*) AS leads, CASE WHEN count(x) = count(*) THEN max(x) END AS gone
      FROM u GROUP BY ALL),
b AS (SELECT unit, min(closed_date) AS won FROM u JOIN v USING (unit) JOIN deals d ON (d.deal_id = u.deal OR d.lead_id = u.lead_id)
      WHERE d.status = 'won' AND NOT coalesce(d.is_deleted, FALSE) AND closed_date BETWEEN since AND {TODAY} GROUP BY ALL),
first AS (SELECT * FROM u QUALIFY row_number() OVER (PARTITION BY unit ORDER BY c, lead_id) = 1),
w AS (SELECT {group(by, "created_at")} AS g, leads, greatest(coalesce(least(won, gone), {TODAY}) - since, 0) AS day,
             CASE WHEN least(won, gone) IS NULL THEN 0 WHEN won <= coalesce(gone, won) THEN 1 ELSE 2 END AS cause
      FROM first JOIN v USING (unit) LEFT JOIN b USING (unit)), {CURVE}
SELECT {names(by)} count(*) FILTER (cause = 1 AND day <= {HORIZON}) AS won,
       count(*) FILTER (cause = 2 AND day <= {HORIZON}) AS disqualified,
       count(*) FILTER (cause = 0 AND day < {HORIZON}) AS open, coalesce(sum(leads), 0) AS leads, count(*) AS n,
       any_value(CASE WHEN followed >= {HORIZON} OR waiting < 1e-12 THEN by_then END) AS lead_conversion
FROM w LEFT JOIN e USING (g) GROUP BY ALL
"""


QUEUE_DAYS = 120


def bottleneck(by: str | None) -> str:
    g = f"{by}, stage_order, stage_name" if by else "stage_order, stage_name"
    both = " AND ".join(f"a.{c} = b.{c}" for c in g.split(", "))
    return f"""
WITH p AS (SELECT *, entered_at::DATE AS e, CASE WHEN left_at::DATE <= {TODAY} THEN left_at::DATE END AS l
      FROM stage_spells WHERE entered_at::DATE <= {TODAY}),
v AS (SELECT * FROM (VALUES ('now', {TODAY} - {QUEUE_DAYS - 1}, {TODAY}),
                            ('before', {TODAY} - {2 * QUEUE_DAYS - 1}, {TODAY} - {QUEUE_DAYS})) t(span, first, last)),
w AS (SELECT {g}, span, greatest(first - e, 0) AS since, greatest(least(coalesce(l, last), last) - e, 0) AS day,
             coalesce(l <= last AND exit_type IS DISTINCT FROM 'deleted', FALSE) AS out, e >= first AS new,
             coalesce(l, last + 1) > last AS still
      FROM p JOIN v ON e <= last AND coalesce(l >= first, TRUE)),
days AS (SELECT DISTINCT {g}, day FROM w),
r AS (SELECT {", ".join(f"a.{c}" for c in g.split(", "))}, a.day, span, count(*) AS n, count(*) FILTER (b.out AND b.day = a.day) AS x
      FROM days a JOIN w b ON {both} AND b.since <= a.day AND b.day >= a.day GROUP BY ALL),
m AS (SELECT {g}, max(day) FILTER (span = 'now') AS m1, max(day) FILTER (span = 'before') AS m0 FROM w GROUP BY ALL),
s AS (SELECT *, product(1 - x / n) OVER o AS stay, coalesce(lead(day) OVER o, 100000) AS until, min(day) OVER (PARTITION BY {g}, span) AS one
      FROM r WINDOW o AS (PARTITION BY {g}, span ORDER BY day)),
t AS (SELECT {g}, any_value(m0) AS tau,
             least(min(one) FILTER (span = 'before'), any_value(m0))
               + coalesce(sum(stay * (least(until, m0) - day)) FILTER (span = 'before' AND day < m0), 0) AS usual,
             least(min(one) FILTER (span = 'before'), least(m0, m1))
               + coalesce(sum(stay * (least(until, m0, m1) - day)) FILTER (span = 'before' AND day < least(m0, m1)), 0) AS was,
             least(min(one) FILTER (span = 'now'), least(m0, m1))
               + coalesce(sum(stay * (least(until, m0, m1) - day)) FILTER (span = 'now' AND day < least(m0, m1)), 0) AS dwell
      FROM s JOIN m USING ({g}) GROUP BY {g}, m0, m1),
h AS (SELECT {", ".join(f"a.{c}" for c in g.split(", "))}, sum(b.x) AS o1, sum((a.x + b.x) * b.n / (a.n + b.n)) AS e1, sum(a.x) AS o0,
             sum((a.x + b.x) * a.n / (a.n + b.n)) AS e0
      FROM (FROM r WHERE span = 'before') a JOIN (FROM r WHERE span = 'now') b ON {both} AND a.day = b.day GROUP BY ALL),
c AS (SELECT {g}, count(*) FILTER (span = 'now') AS n, count(*) FILTER (span = 'now' AND still) AS wip,
             count(*) FILTER (span = 'now' AND new) / {QUEUE_DAYS} AS arrivals FROM w GROUP BY ALL)
SELECT c.*, usual AS dwell_before, CASE WHEN n > 0 AND usual IS NOT NULL THEN dwell END AS dwell, tau::DOUBLE AS tau,
       arrivals * usual AS expected, wip - arrivals * usual AS bottleneck, dwell - was AS dwell_change
FROM c LEFT JOIN t USING ({g})
"""


CASES: dict[str, Case] = {
    "win_rate_cohort": Case(
        kpis.win_rate_cohort, win_rate_cohort, "created_date", {"as_of": AS_OF, "horizon_days": HORIZON}
    ),
    "expected_sales_cycle": Case(
        kpis.expected_sales_cycle, expected_sales_cycle, "created_date", {"as_of": AS_OF}
    ),
    "sales_velocity": Case(
        kpis.sales_velocity, sales_velocity, "", {"as_of": AS_OF, "window_days": VELOCITY_DAYS}, NO_MONTH
    ),
    "lead_conversion": Case(
        kpis.lead_conversion, lead_conversion, "created_at", {"as_of": AS_OF, "horizon_days": HORIZON}, EVERY
    ),
    "bottleneck": Case(
        kpis.bottleneck, bottleneck, "", {"as_of": AS_OF, "window_days": QUEUE_DAYS}, NO_MONTH, STAGES
    ),
}
