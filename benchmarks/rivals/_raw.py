"""Deals over time worked out from the exported history within the question, for rivals that find nothing prepared.

The invented company's history tells of stages (with amount, expected closing and probability) and of fields; what was
not told yet at first is what was told first. Days are those of Berlin, closed amounts are in euros of their day.
"""

from __future__ import annotations

DEAL_VERSIONS = """deal_versions AS (
WITH moved AS (
    SELECT deal_id, entered_at AS moment, h.amount, h.expected_close_date AS due, h.probability, s.stage_type AS status,
           s.stage_name, 1 AS later
    FROM deal_stage_history h JOIN stages s ON s.stage_id = h.to_stage_id),
changed AS (
    SELECT deal_id, changed_at AS moment, CASE WHEN field = 'amount' THEN TRY_CAST(new_value AS DECIMAL(18, 4)) END AS amount,
           CASE WHEN field = 'expected_close_date' THEN TRY_CAST(new_value AS DATE) END AS due,
           NULL AS probability, NULL AS status, NULL AS stage_name, 2 AS later
    FROM deal_field_history WHERE field IN ('amount', 'expected_close_date')),
removed AS (
    SELECT deal_id, deleted_at AS moment, NULL AS amount, NULL AS due, NULL AS probability, 'deleted' AS status,
           NULL AS stage_name, 3 AS later
    FROM deal_rows WHERE deleted_at IS NOT NULL),
told AS (
    SELECT deal_id, moment, arg_max(amount, later) AS amount, arg_max(due, later) AS due, max(probability) AS probability,
           arg_max(status, later) AS status, max(stage_name) AS stage_name
    FROM (FROM moved UNION ALL FROM changed UNION ALL FROM removed) GROUP BY deal_id, moment),
filled AS (
    SELECT deal_id, moment, lead(moment) OVER past AS until,
           coalesce(last_value(amount IGNORE NULLS) OVER past, first_value(amount IGNORE NULLS) OVER every) AS amount,
           last_value(due IGNORE NULLS) OVER past AS due, last_value(probability IGNORE NULLS) OVER past AS probability,
           last_value(status IGNORE NULLS) OVER past AS status, last_value(stage_name IGNORE NULLS) OVER past AS stage_name,
           last_value(CASE WHEN status IS NOT NULL THEN moment END IGNORE NULLS) OVER past AS since
    FROM told
    WINDOW past AS (PARTITION BY deal_id ORDER BY moment),
           every AS (PARTITION BY deal_id ORDER BY moment ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)),
dated AS (
    SELECT *, CAST(timezone('Europe/Berlin', timezone('UTC', moment)) AS DATE) AS valid_from_date,
           CAST(timezone('Europe/Berlin', timezone('UTC', until)) AS DATE) AS valid_to_date,
           CASE WHEN status IN ('won', 'lost') THEN CAST(timezone('Europe/Berlin', timezone('UTC', since)) AS DATE) END AS closed_date
    FROM filled),
rate_spans AS (
    SELECT from_currency_code AS currency_code, rate_date AS since, CAST(rate AS DECIMAL(18, 8)) AS rate,
           lead(rate_date, 1, DATE '9999-12-31') OVER (PARTITION BY from_currency_code ORDER BY rate_date) AS until
    FROM exchange_rates UNION ALL SELECT 'EUR', DATE '0001-01-01', 1, DATE '9999-12-31')
SELECT v.deal_id, v.moment AS valid_from, v.until AS valid_to, v.valid_from_date, v.valid_to_date, v.status, v.stage_name,
       v.amount, d.currency_code, v.due AS expected_close_date, v.closed_date,
       CAST(timezone('Europe/Berlin', timezone('UTC', d.created_at)) AS DATE) AS created_date, v.probability,
       CAST(round(CAST(v.amount AS DECIMAL(20, 4)) * r.rate, 2) * 100 AS BIGINT) AS amount_base_cents
FROM dated v JOIN deal_rows d USING (deal_id)
LEFT JOIN rate_spans r ON r.currency_code = d.currency_code AND v.closed_date >= r.since AND v.closed_date < r.until)"""


def from_history(sql: str) -> str:
    """The same question, asked of the exported history instead of `deal_versions`."""
    text = sql.lstrip()
    return (
        f"WITH {DEAL_VERSIONS},{text.removeprefix('WITH')}"
        if text.startswith("WITH")
        else f"WITH {DEAL_VERSIONS}\n{text}"
    )
