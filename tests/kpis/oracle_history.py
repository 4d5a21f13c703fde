"""Plain SQL for the KPIs of pipeline over time: states of two days joined, instead of flags on one pass."""

from __future__ import annotations

from kpis.case import AS_OF, NO_MONTH, Case

from salestrack import kpis


def state(day: str) -> str:
    """The state of every deal at the end of a day."""
    return f"""(SELECT * FROM (FROM deal_versions WHERE valid_from::DATE <= '{day}'
        QUALIFY row_number() OVER (PARTITION BY deal_id ORDER BY valid_from DESC) = 1)
        WHERE coalesce(valid_to::DATE > '{day}', TRUE))"""


def cents(day: str, row: str) -> str:
    """Hundredths of the amount of a row at the newest rate of a day, or the first one."""
    return f"""(CASE WHEN {row}.currency_code = 'EUR' OR NOT EXISTS (FROM exchange_rates)
        THEN CAST(round({row}.amount * 100) AS BIGINT) ELSE
        CAST(round({row}.amount::DECIMAL(20, 4) * (SELECT arg_max(x.rate, CASE WHEN x.rate_date <= '{day}'
            THEN x.rate_date - DATE '1900-01-01' ELSE DATE '1900-01-01' - x.rate_date END)::DECIMAL(18, 8)
            FROM exchange_rates x WHERE x.from_currency_code = {row}.currency_code), 2) * 100 AS BIGINT) END)"""


T0, T1 = "2025-12-31", AS_OF
IN_SCOPE = "BETWEEN '2026-01-01' AND '2026-06-30'"


def waterfall(by: str | None) -> str:
    """Each deal that was in the pipeline, with its way in, its way out and its values; then one SELECT per bar."""
    g = f"{by}," if by else ""
    was, now = (f"a.{by}", f"coalesce(b.{by}, a.{by})") if by else ("1", "1")
    bars = [
        ("open_start", 0, "g0", "way_in = 'open_start'", "v_in"),
        ("created", 1, "g1", "way_in = 'created'", "v_in"),
        ("pulled_in", 1, "g1", "way_in = 'pulled_in'", "v_in"),
        ("reopened", 1, "g1", "way_in = 'reopened'", "v_in"),
        ("transferred_in", 1, "g1", "way_in = 'open_start' AND g0 <> g1", "v_in"),
        ("amount_up", 1, "g1", "v_out > v_in", "v_out - v_in"),
        ("fx", 1, "g1", "way_out = 'open_end' AND v_end <> v_out", "v_end - v_out"),
        ("won", -1, "g1", "way_out = 'won'", "v_out"),
        ("lost", -1, "g1", "way_out = 'lost'", "v_out"),
        ("pushed_out", -1, "g1", "way_out = 'pushed_out'", "v_out"),
        ("amount_down", -1, "g1", "v_out < v_in", "v_in - v_out"),
        ("deleted", -1, "g1", "way_out = 'deleted'", "v_out"),
        ("transferred_out", -1, "g0", "way_in = 'open_start' AND g0 <> g1", "v_in"),
        ("open_end", 0, "g1", "way_out = 'open_end'", "v_end"),
    ]
    rows = " UNION ALL ".join(
        f"SELECT {own} AS g, {step} AS step, '{bar}' AS bar, {sign} AS sign, "
        f"CASE WHEN {when} THEN {value} ELSE 0 END AS v, ({when})::INT AS c FROM s"
        for step, (bar, sign, own, when, value) in enumerate(bars, 1)
    )
    return f"""
    WITH v AS (SELECT *, valid_from::DATE AS f, valid_to::DATE AS t, {cents(T0, "w")} AS c,
        status = 'open' AND (expected_close_date {IN_SCOPE}) AS inside FROM deal_versions w
        WHERE valid_from::DATE <= '{T1}' AND coalesce(valid_to::DATE > '{T0}', TRUE)),
    e AS (SELECT deal_id, arg_max(c, valid_from) FILTER (status = 'open' AND c IS NOT NULL) AS last_open,
        arg_min(c, valid_from) FILTER (status IN ('open', 'won') AND c IS NOT NULL AND f > '{T0}') AS first,
        coalesce(bool_or(inside AND f > '{T0}' AND (t IS NULL OR t > f)), FALSE)
          OR coalesce(bool_or(status = 'won' AND f > '{T0}' AND closed_date > '{T0}' AND closed_date <= '{T1}'
            AND closed_date {IN_SCOPE}), FALSE) AS visited,
        coalesce(bool_or(inside AND f > '{T0}'), FALSE) AS touched FROM v GROUP BY deal_id),
    a AS (SELECT *, status = 'open' AND (expected_close_date {IN_SCOPE}) AS inside, {cents(T0, "w")} AS c
        FROM {state(T0)} w),
    b AS (SELECT *, status = 'open' AND (expected_close_date {IN_SCOPE}) AS inside, {cents(T0, "w")} AS c,
        {cents(T1, "w")} AS c1 FROM {state(T1)} w),
    s AS (SELECT CASE WHEN coalesce(a.inside, FALSE) THEN {was} ELSE {now} END AS g0, {now} AS g1,
        CASE WHEN a.inside THEN 'open_start' WHEN a.status = 'open' THEN 'pulled_in'
             WHEN a.deal_id IS NOT NULL THEN 'reopened' ELSE 'created' END AS way_in,
        CASE WHEN b.inside THEN 'open_end' WHEN b.status = 'open' THEN 'pushed_out'
             WHEN b.status = 'won' THEN 'won' WHEN b.status = 'lost' THEN 'lost' ELSE 'deleted' END AS way_out,
        coalesce(CASE WHEN a.status = 'open' THEN a.c ELSE e.first END, 0) AS v_in,
        coalesce(CASE WHEN b.status IN ('open', 'won') THEN b.c ELSE e.last_open END, 0) AS v_out,
        coalesce(b.c1, 0) AS v_end
      FROM e LEFT JOIN a USING (deal_id) LEFT JOIN b USING (deal_id)
      WHERE coalesce(a.inside, FALSE) OR visited OR (touched AND coalesce(b.status <> 'open', TRUE)))
    SELECT {f"g AS {by}, " if by else ""} step, bar, sign, sum(v) / 100 AS value,
        sum(v) / 100 * (CASE sign WHEN 0 THEN 1 ELSE sign END) AS pipeline_waterfall, sum(c)::BIGINT AS n
    FROM ({rows}) GROUP BY {g} step, bar, sign
    """


def created(by: str | None) -> str:
    """First amounts at the rate of their day against amounts now."""
    key = {"month": "date_trunc('month', w.created_date)::TIMESTAMP", "team": "w.team"}.get(by or "", "1")
    return f"""
    WITH k AS (SELECT *, valid_from::DATE AS f FROM deal_versions WHERE valid_from::DATE <= '{AS_OF}'
        AND created_date BETWEEN '2025-06-01' AND '2026-03-31'),
    w AS (FROM k QUALIFY row_number() OVER (PARTITION BY deal_id ORDER BY valid_from) = 1),
    p AS (FROM k WHERE amount IS NOT NULL AND currency_code IS NOT NULL AND status IN ('open', 'won', 'lost')
        QUALIFY row_number() OVER (PARTITION BY deal_id ORDER BY valid_from) = 1),
    q AS (SELECT p.*, CASE WHEN currency_code = 'EUR' OR NOT EXISTS (FROM exchange_rates) THEN 1 ELSE
        (SELECT arg_max(x.rate, CASE WHEN x.rate_date <= p.f THEN x.rate_date - DATE '1900-01-01'
            ELSE DATE '1900-01-01' - x.rate_date END) FROM exchange_rates x
            WHERE x.from_currency_code = p.currency_code) END AS rate FROM p),
    n AS (SELECT deal_id, CASE WHEN status = 'open' THEN {cents(AS_OF, "z")}
            ELSE coalesce(amount_base_cents, {cents(AS_OF, "z")}) END AS now
          FROM {state(AS_OF)} z WHERE status IN ('open', 'won', 'lost')
            AND created_date BETWEEN '2025-06-01' AND '2026-03-31')
    SELECT {f"{key} AS {by}," if by else ""} coalesce(sum(q.amount * q.rate), 0) AS pipeline_created,
        coalesce(sum(n.now), 0) / 100 AS value_now, count(w.deal_id) AS n,
        count(*) FILTER (q.deal_id IS NULL AND w.deal_id IS NOT NULL) AS without_amount,
        count(*) FILTER (n.deal_id IS NULL AND w.deal_id IS NOT NULL) AS deleted
    FROM w LEFT JOIN q USING (deal_id) LEFT JOIN n USING (deal_id) {f"GROUP BY {key}" if by else ""}
    """


PUSHED = f"""
WITH a AS (SELECT *, {cents(T0, "z")} AS c FROM {state(T0)} z WHERE status = 'open'),
x AS (FROM {state("2026-01-01")} WHERE status = 'open'),
b AS (FROM {state("2026-03-31")}),
stood AS (SELECT a.deal_id, min(o.valid_from) AS since, max(coalesce(o.valid_to, TIMESTAMP '9999-01-01')) AS until
  FROM a JOIN deal_versions o ON o.deal_id = a.deal_id AND o.status = 'open'
    AND o.expected_close_date IS NOT DISTINCT FROM a.expected_close_date AND o.valid_from::DATE <= '2026-03-31'
    AND coalesce(o.valid_to::DATE > DATE '2025-12-29', TRUE) GROUP BY 1),
d AS (SELECT a.team, a.c, b.pushes, b.status, b.closed_date, coalesce(b.expected_close_date, DATE '9999-01-01') AS due1,
    coalesce(CASE WHEN until - since >= INTERVAL 24 HOUR THEN a.expected_close_date
      ELSE CASE WHEN x.deal_id IS NULL THEN a.expected_close_date ELSE x.expected_close_date END END,
      DATE '9999-01-01') AS due0
  FROM a JOIN stood USING (deal_id) LEFT JOIN x USING (deal_id) LEFT JOIN b USING (deal_id)),
m AS (SELECT *, due0 BETWEEN '2026-01-01' AND '2026-03-31' AS promised, due0 > '2026-03-31' AS other,
    promised AND coalesce(status = 'open', FALSE) AS late,
    CASE WHEN late AND due1 > due0 AND due1 < '9999-01-01' THEN due1 - due0 END AS days FROM d)
SELECT {{names}} count(*) FILTER (promised) AS n, count(*) FILTER (late) AS pushed, count(*) FILTER (late AND due1 <= '2026-03-31') AS past_due,
  share(pushed, n) AS push_rate, wilson_low(pushed, n) AS low, wilson_high(pushed, n) AS high,
  coalesce(sum(c) FILTER (promised), 0) / 100 AS value,
  coalesce(sum(c) FILTER (late), 0) / 100 AS pushed_value, share(pushed_value, value) AS push_rate_by_value,
  avg(pushes) FILTER (promised) AS mean_pushes, median(days) AS median_push_days,
  count(*) FILTER (other AND (coalesce(status = 'won' AND closed_date BETWEEN '2026-01-01' AND '2026-03-31', FALSE)
    OR coalesce(status = 'open' AND due1 BETWEEN '2026-01-01' AND '2026-03-31', FALSE))) AS pulled_in,
  share(pulled_in, count(*) FILTER (other)) AS pulled_in_rate
FROM m {{having}}
"""


def pushed(by: str | None) -> str:
    """Deals open on the day before, against what became of them."""
    return PUSHED.replace("{having}", f"GROUP BY {by} HAVING bool_or(promised OR other)" if by else "")


DAYS = [
    ("2025-04-20", "2025-06-30"),
    ("2025-07-20", "2025-09-30"),
    ("2025-10-20", "2025-12-31"),
    ("2026-01-20", "2026-03-31"),
]


def needed(by: str | None) -> str:
    """The same day of four past quarters, one after the other."""
    g = f"{by}, " if by else ""
    w = f"(SELECT *, coalesce(amount_base_cents, {cents(AS_OF, 'z')}) AS gain FROM {state(AS_OF)} z WHERE status = 'won')"
    quarters = " UNION ALL ".join(
        f"""SELECT {f"o.{by} AS {by}," if by else ""} {q} AS q, {cents(day, "o")} AS o,
            CASE WHEN w.closed_date > '{day}' AND w.closed_date <= '{end}' THEN w.gain END AS w, NULL AS a
        FROM {state(day)} o LEFT JOIN {w} w USING (deal_id)
        WHERE o.status = 'open' AND o.expected_close_date BETWEEN '{day}' AND '{end}'
        UNION ALL SELECT {f"{by}," if by else ""} {q}, NULL, NULL, gain FROM {w} w
        WHERE closed_date > '{day}' AND closed_date <= '{end}'"""
        for q, (day, end) in enumerate(DAYS)
    )
    return f"""
    WITH r AS (SELECT {g} q, sum(o) AS o, coalesce(sum(w), 0) AS w, coalesce(sum(a), 0) AS a
        FROM ({quarters}) GROUP BY {g} q),
    h AS (FROM r WHERE o > 0 OR a > 0), p AS (FROM r WHERE o > 0),
    s AS (SELECT {g} sum(o) / 100 AS open_value, sum(w) / 100 AS won_value, sum(a - w) / 100 AS won_besides,
        count(*) AS n, sum(w) / sum(o) AS yield FROM p {f"GROUP BY {by}" if by else ""}),
    k AS (SELECT {f"DISTINCT {by}" if by else "1 AS one"} {"FROM h" if by else ""})
    SELECT {g} coalesce(open_value, 0) AS open_value, coalesce(won_value, 0) AS won_value,
        coalesce(won_besides, 0) AS won_besides, share(won_value, open_value) AS won_share,
        won_besides / open_value AS besides_share, CASE WHEN won_value > 0 THEN open_value / won_value END
        AS required_coverage, 20 AS day, 91 AS days, coalesce(n, 0) AS n
    FROM k LEFT JOIN s {f"USING ({by})" if by else "ON TRUE"}
    """


def restated(by: str | None) -> str:
    """Bookings of each month as known on its last day and two days more, against those known today."""
    g = f"{by}, " if by else ""
    return f"""
    WITH m AS (SELECT unnest(generate_series(DATE '2024-12-01', DATE '2026-03-01', INTERVAL 1 MONTH))::DATE AS month),
    v AS (SELECT *, coalesce(amount_base_cents, {cents(AS_OF, "z")}, 0) AS gain FROM deal_versions z WHERE status = 'won'),
    o AS (SELECT {g} month, deal_id, gain FROM m JOIN v ON date_trunc('month', closed_date) = month
        AND valid_from::DATE <= last_day(month) + 2 AND coalesce(valid_to::DATE > last_day(month) + 2, TRUE)),
    n AS (SELECT {g} month, deal_id, gain FROM m JOIN v ON date_trunc('month', closed_date) = month
        AND valid_from::DATE <= '{AS_OF}' AND coalesce(valid_to::DATE > '{AS_OF}', TRUE)),
    b AS (SELECT {g} month, deal_id, o.gain AS old, n.gain AS new,
        o.gain IS DISTINCT FROM n.gain AS differs FROM o FULL JOIN n USING ({g} month, deal_id))
    SELECT {g} month::TIMESTAMP AS month, coalesce(sum(old), 0) / 100 AS published_value,
        coalesce(sum(new), 0) / 100 AS known_value, known_value - published_value AS restatements,
        count(*) FILTER (differs) AS n,
        coalesce(array_to_string(list_sort(list(deal_id) FILTER (differs))[:20], ', '), '') AS deals
    FROM b GROUP BY {g} month
    """


HALF = {"period": ("2026-01-01", "2026-07-01"), "as_of": AS_OF}
CASES: dict[str, Case] = {
    "pipeline_created": Case(
        kpis.pipeline_created, created, options={"as_of": AS_OF, "period": ("2025-06-01", "2026-04-01")}
    ),
    "pipeline_waterfall": Case(
        kpis.pipeline_waterfall, waterfall, options=HALF, each=NO_MONTH, rows=("step", "bar")
    ),
    "push_rate": Case(kpis.push_rate, pushed, options={"period": "2026-Q1", "as_of": AS_OF}, each=NO_MONTH),
    "required_coverage": Case(
        kpis.required_coverage, needed, options={"as_of": AS_OF, "periods": 4}, each=NO_MONTH
    ),
    "restatements": Case(
        kpis.restatements,
        restated,
        options={"as_of": AS_OF, "grace_days": 2},
        each=NO_MONTH,
        rows=("month",),
    ),
}
