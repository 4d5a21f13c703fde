"""Plain SQL for the KPIs of activities, response times and contacts."""

from __future__ import annotations

from kpis.case import AS_OF, EVERY, Case

from salestrack.kpis.effort import activity_rate
from salestrack.kpis.landmark import activity_association, multi_threading
from salestrack.kpis.response import lead_response_time

CONTACT = (
    "activity_type IN ('call', 'email', 'meeting', 'sms', 'social') AND NOT coalesce(is_automated, FALSE)"
)
DONE = f"coalesce(is_done, FALSE) AND started_at < DATE '{AS_OF}' + 1"


def keyed(by: str | None, date: str) -> tuple[str, str, str]:
    """The group as a column made from a date or team, its name with a comma, and a join on it."""
    made = f"date_trunc('month', {date})::TIMESTAMP AS month," if by == "month" else f"{by}," if by else ""
    return made, f"{by}," if by else "", f"AND s.{by} IS NOT DISTINCT FROM w.{by}" if by else ""


def response(by: str | None) -> str:
    made, names, same = keyed(by, "created_at")
    part = f"PARTITION BY {by}" if by else ""
    first = "(SELECT min(moment) FROM t WHERE t.lead_id = l.lead_id AND t.moment >= l.created_at AND {})"
    shares = ", ".join(
        f"count(*) FILTER (age >= {s}) AS old_{n}, count(*) FILTER (age >= {s} AND wait <= {s} AND done) AS in_{n}, "
        f"CASE WHEN any_value(heard) THEN share(in_{n}, old_{n}) END AS share_{n}, CASE WHEN any_value(heard) THEN wilson_low(in_{n}, "
        f"old_{n}) END AS low_{n}, CASE WHEN any_value(heard) THEN wilson_high(in_{n}, old_{n}) END AS high_{n}"
        for n, s in (("5min", 300), ("1h", 3600), ("24h", 86400))
    )
    wanted = ", ".join(f"{w}_{n}" for n in ("5min", "1h", "24h") for w in ("share", "low", "high"))
    return f"""
WITH l AS (SELECT lead_id, created_at, {made} FROM leads WHERE created_at < DATE '{AS_OF}' + 1),
t AS (SELECT *, started_at + CASE WHEN started_at::TIME = '00:00:00' THEN INTERVAL 86399 SECOND ELSE INTERVAL 0 SECOND
    END AS moment, coalesce({CONTACT}, FALSE) AS human, coalesce(direction, 'none') AS way FROM activities WHERE {DONE}),
a AS (SELECT *, {first.format("human AND way = 'outbound'")} AS answer, {first.format("human AND way = 'none'")} AS other,
    {first.format("TRUE")} AS trace FROM l),
x AS (SELECT *, answer IS NOT NULL AS done, date_diff('second', created_at, coalesce(answer, DATE '{AS_OF}' + 1)) AS wait,
    date_diff('second', created_at, DATE '{AS_OF}' + 1) AS age FROM a),
y AS (SELECT *, CASE WHEN done THEN ceil(wait / 60) ELSE floor(wait / 60) END AS m,
    CASE WHEN done THEN ceil(wait / 3600) ELSE floor(wait / 3600) END AS h,
    CASE WHEN done THEN ceil(wait / 86400) ELSE floor(wait / 86400) END AS d FROM x),
w AS (SELECT *, CASE WHEN m <= 1440 THEN m WHEN h <= 336 THEN h * 60 ELSE d * 1440 END AS step FROM y),
e AS (SELECT DISTINCT {names} step FROM w WHERE done),
r AS (SELECT e.*, (SELECT count(*) FROM w WHERE w.step >= e.step {same.replace("s.", "e.")}) AS risk,
    (SELECT count(*) FROM w WHERE done AND w.step = e.step {same.replace("s.", "e.")}) AS events FROM e),
s AS (SELECT {names} step, product(1 - events / risk) OVER ({part} ORDER BY step) AS after FROM r),
o AS (SELECT count(trace) > 0 AS heard FROM w),
f AS (SELECT {names} count(answer) AS answered, count(*) - answered AS unanswered,
    count(*) FILTER (answer IS NULL AND other IS NOT NULL) AS undirected,
    (SELECT min(step) FROM s WHERE after <= 0.5 + 1e-12 {same}) / 1440 AS lead_response_time,
    (SELECT min(step) FROM s WHERE after <= 0.1 + 1e-12 {same}) / 1440 AS p90,
    any_value(heard) AS any_heard, {shares}, count(*) AS n, share(old_24h, n) AS matured
    FROM w CROSS JOIN o AS oo GROUP BY ALL)
SELECT {names} answered, unanswered, undirected, lead_response_time, p90, {wanted}, n, matured FROM f
"""


OPEN = f"""
o AS (SELECT *, least(coalesce(closed_date, DATE '{AS_OF}'), DATE '{AS_OF}') AS last_day FROM deals
      WHERE NOT coalesce(is_deleted, FALSE) AND created_date <= DATE '{AS_OF}'
      AND NOT (coalesce(status, '') IN ('won', 'lost') AND closed_date IS NULL))"""
ACTS = f"""
a AS (SELECT activity_id, deal_id, coalesce(activity_type, '(missing)') AS activity_type, started_at::DATE AS on_day,
      coalesce(direction = 'outbound', FALSE) AS out, coalesce(direction = 'inbound', FALSE) AS inn, account_id, contact_id
      FROM activities WHERE {DONE} AND NOT coalesce(is_automated, FALSE))"""


def rate(by: str | None) -> str:
    made, names, _ = keyed(by, "on_day")
    use = f"USING ({names} activity_type)"
    return f"""
WITH {OPEN}, {ACTS},
c AS (SELECT DISTINCT activity_id, deal_id, activity_type, on_day, out, inn, team FROM a JOIN o USING (deal_id)
      WHERE on_day BETWEEN created_date AND last_day),
k AS (SELECT {made} activity_type, count(*) AS activities, count(*) FILTER (out) AS outbound,
      count(*) FILTER (inn) AS inbound FROM c GROUP BY ALL),
d AS (SELECT deal_id, team, unnest(generate_series(created_date, last_day, INTERVAL 1 DAY)) AS on_day FROM o),
e AS (SELECT {made} count(*) AS days, count(DISTINCT deal_id) AS n FROM d
      WHERE on_day >= (SELECT min(on_day) FROM c) GROUP BY ALL)
SELECT {names} activity_type, coalesce(activities, 0) AS activities, coalesce(outbound, 0) AS outbound,
       coalesce(inbound, 0) AS inbound, days, share(coalesce(activities, 0), days) AS activity_rate,
       share(coalesce(outbound, 0), days) AS outbound_rate, share(coalesce(inbound, 0), days) AS inbound_rate, n
FROM e CROSS JOIN (SELECT DISTINCT activity_type FROM c) LEFT JOIN k {use}
"""


LIVED = f"""
p AS (SELECT *, coalesce(segment, '(missing)') AS s1, coalesce(lead_source, '(missing)') AS s2,
      DATE '{AS_OF}' - created_date AS age, closed_date - created_date AS lived,
      closed_date IS NULL OR closed_date > DATE '{AS_OF}' AS still,
      coalesce(status, '') IN ('won', 'lost') AND closed_date IS NULL AS unknown
      FROM deals WHERE NOT coalesce(is_deleted, FALSE) AND created_date <= DATE '{AS_OF}'),
q AS (SELECT *, age >= 20 AND (still OR lived > 20) AND NOT unknown AS here,
      age >= 80 AND (still OR lived > 20) AND NOT unknown AS seen,
      coalesce(status = 'won' AND NOT still AND lived <= 80, FALSE) AS win FROM p)"""
MH = """sum(({w}1 * ({n} - {m}) - ({w} - {w}1) * {m}) / {n}) FILTER ({m} > 0 AND {n} > {m})
    / sum({m} * ({n} - {m}) / {n}) FILTER ({m} > 0 AND {n} > {m})"""


def association(by: str | None) -> str:
    made, names, _ = keyed(by, "created_date")
    main = MH.format(w="won", n="n", m="many").replace("won1", "many_won")
    control = MH.format(w="prior_won", n="prior", m="before").replace("prior_won1", "before_won")
    return f"""
WITH {LIVED}, {ACTS},
u AS (SELECT a.*, coalesce(a.account_id, d.account_id) AS for_account FROM a LEFT JOIN
      (FROM deals WHERE NOT coalesce(is_deleted, FALSE)) d USING (deal_id)),
i AS (SELECT q.deal_id, activity_type, count(DISTINCT activity_id) AS k FROM q JOIN a USING (deal_id)
      WHERE seen AND on_day BETWEEN created_date AND created_date + 20 GROUP BY ALL),
j AS (SELECT q.deal_id, activity_type, count(DISTINCT activity_id) AS k FROM q JOIN u ON q.account_id = u.for_account
      WHERE seen AND on_day BETWEEN created_date - 20 AND created_date - 1 GROUP BY ALL),
t AS (SELECT DISTINCT activity_type FROM i),
g AS (SELECT {made} s1, s2, q.*, t.activity_type, coalesce(i.k, 0) AS k, coalesce(j.k, 0) AS b FROM q CROSS JOIN t
      LEFT JOIN i USING (deal_id, activity_type) LEFT JOIN j USING (deal_id, activity_type)),
v AS (SELECT activity_type, coalesce(quantile_disc(k, 0.5) FILTER (seen), 0) AS mid,
      quantile_disc(b, 0.5) FILTER (seen AND account_id IS NOT NULL) AS bmid FROM g GROUP BY ALL),
c AS (SELECT {names} s1, s2, activity_type, mid, count(*) FILTER (seen) AS n, count(*) FILTER (seen AND win) AS won,
      count(*) FILTER (seen AND k > mid) AS many, count(*) FILTER (seen AND k > mid AND win) AS many_won,
      count(*) FILTER (seen AND account_id IS NOT NULL) AS prior,
      count(*) FILTER (seen AND account_id IS NOT NULL AND win) AS prior_won,
      count(*) FILTER (seen AND account_id IS NOT NULL AND b > bmid) AS before,
      count(*) FILTER (seen AND account_id IS NOT NULL AND b > bmid AND win) AS before_won,
      count(*) FILTER (age < 20 OR (here AND NOT seen)) AS young, count(*) FILTER (age >= 20 AND NOT here) AS gone
      FROM g JOIN v USING (activity_type) GROUP BY ALL),
f AS (SELECT *, many > 0 AND n > many AS use FROM c)
SELECT {names} activity_type, mid AS more_than, sum(many) AS exposed, sum(n) - sum(many) AS unexposed,
       sum(many_won) AS exposed_won, sum(won) - sum(many_won) AS unexposed_won,
       share(exposed_won, exposed) AS exposed_share, share(unexposed_won, unexposed) AS unexposed_share,
       {main} AS activity_association, {control} AS control,
       coalesce(sum(n) FILTER (use), 0) AS compared, sum(n) AS n, sum(young) AS too_young, sum(gone) AS left_out
FROM f GROUP BY ALL
"""


def threads(by: str | None) -> str:
    made, names, _ = keyed(by, "created_date")
    main = MH.format(w="won", n="followed", m="many").replace("won1", "many_won")
    return f"""
WITH {LIVED}, {ACTS},
m AS (SELECT deal_id, contact_id FROM a JOIN q USING (deal_id) WHERE here AND on_day BETWEEN created_date AND created_date + 20
      UNION ALL SELECT deal_id, participant_id FROM a JOIN q USING (deal_id) JOIN activity_participants USING (activity_id)
      WHERE participant_type = 'contact' AND here AND on_day BETWEEN created_date AND created_date + 20),
k AS (SELECT deal_id, count(DISTINCT contact_id) AS people FROM m GROUP BY ALL),
w AS (SELECT {made} s1, s2, seen, win, coalesce(people, 0) AS people FROM q LEFT JOIN k USING (deal_id) WHERE here),
c AS (SELECT {names} s1, s2, count(*) AS n, sum(people) AS people, count(*) FILTER (people >= 2) AS multi,
      count(*) FILTER (people = 0) AS without_contact, count(*) FILTER (seen) AS followed,
      count(*) FILTER (seen AND win) AS won, count(*) FILTER (seen AND people >= 2) AS many,
      count(*) FILTER (seen AND people >= 2 AND win) AS many_won FROM w GROUP BY ALL),
f AS (SELECT {names} coalesce(sum(people), 0) AS people, coalesce(sum(multi), 0) AS multi,
       coalesce(sum(without_contact), 0) AS without_contact, coalesce(sum(n), 0) AS n,
       sum(many) AS many, sum(many_won) AS many_won, sum(won) AS won, {main} AS raw_association,
       coalesce(sum(followed), 0) AS followed FROM c GROUP BY ALL),
o AS (SELECT coalesce(sum(people), 0) > 0 AS told FROM w)
SELECT {names} CASE WHEN told THEN share(people, n) END AS contacts, multi, without_contact,
       CASE WHEN told THEN share(multi, n) END AS multi_threading,
       CASE WHEN told THEN wilson_low(multi, n) END AS low, CASE WHEN told THEN wilson_high(multi, n) END AS high, n,
       CASE WHEN told THEN share(many_won, many) END AS exposed_share,
       CASE WHEN told THEN share(won - many_won, followed - many) END AS unexposed_share,
       CASE WHEN told THEN raw_association END AS association, followed
FROM f CROSS JOIN o
"""


OPTIONS = {"as_of": AS_OF, "landmark_days": 20, "horizon_days": 60}
CASES: dict[str, Case] = {
    "lead_response_time": Case(lead_response_time, response, "created_at", {"as_of": AS_OF}),
    "activity_rate": Case(activity_rate, rate, "on_day", {"as_of": AS_OF}, EVERY, ("activity_type",)),
    "activity_association": Case(
        activity_association, association, "created_date", OPTIONS, EVERY, ("activity_type",)
    ),
    "multi_threading": Case(multi_threading, threads, "created_date", OPTIONS),
}
