"""What is worked out once, at import: amounts in the reporting currency, deal versions and stage spells.

The connection holds one table per canonical table; this module adds to them, in SQL, so that it scales.
"""

from __future__ import annotations

import duckdb

from salestrack.config import Config
from salestrack.sources.quarantine import quarantine_rows

Connection = duckdb.DuckDBPyConnection

MONEY = (  # table, column, SQL for the day whose rate counts
    ("orders", "net_amount", "t.order_date"),
    ("costs", "amount", "t.cost_date"),
    ("quotas", "quota_amount", "t.period_start_date"),
)
BLANK = "-99999999999999"  # an amount set back to "unknown"; windows that skip NULL would carry the old one


def derive(con: Connection, config: Config) -> list[str]:
    """Adds reporting-currency columns and the derived tables; returns the names of the derived tables."""
    rate_spans(con, config.currency)
    for table, column, day in MONEY:
        _base_column(con, table, column, day)
    _order_line_base(con)
    _deals_without_rate(con, config)
    deal_versions(con, config.time_zone)
    stage_spells(con)
    return ["deal_versions", "stage_spells"]


def rate_spans(con: Connection, base: str) -> None:
    """`rate_spans`: one row per currency and days in which one rate to the reporting currency holds."""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE rate_spans AS
        SELECT from_currency_code AS currency_code, rate_date AS valid_from,
               coalesce(lead(rate_date) OVER (PARTITION BY from_currency_code ORDER BY rate_date), DATE '9999-12-31') AS valid_to,
               CAST(rate AS DECIMAL(18, 8)) AS rate
        FROM exchange_rates WHERE to_currency_code = '{base}' AND from_currency_code <> '{base}' AND rate > 0
        UNION ALL SELECT '{base}', DATE '0001-01-01', DATE '9999-12-31', 1
        """
    )


def cents(amount: str, rate: str) -> str:
    """SQL for hundredths of the reporting currency, rounded half away from zero.

    >>> duckdb.sql("SELECT " + cents("CAST(-2.345 AS DECIMAL(18,4))", "CAST(1 AS DECIMAL(18,8))")).fetchall()
    [(-235,)]
    """
    return f"CAST(round(CAST({amount} AS DECIMAL(20, 4)) * CAST({rate} AS DECIMAL(18, 8)), 2) * 100 AS BIGINT)"


def local_date(stamp: str, zone: str) -> str:
    """SQL for the calendar day of a UTC timestamp in a time zone."""
    return f"CAST(({stamp}) AT TIME ZONE 'UTC' AT TIME ZONE '{zone}' AS DATE)"


def _rate_join(currency: str, day: str) -> str:
    return (
        f"LEFT JOIN rate_spans r ON r.currency_code = {currency} "
        f"AND {day} >= r.valid_from AND {day} < r.valid_to"
    )


def _base_column(con: Connection, table: str, column: str, day: str) -> None:
    quarantine_rows(
        con,
        table,
        f"{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM rate_spans r WHERE r.currency_code = {table}.currency_code "
        f"AND {day.replace('t.', table + '.')} >= r.valid_from AND {day.replace('t.', table + '.')} < r.valid_to)",
        "rate:missing",
        f"no exchange rate for the currency and day of {column}",
        f"kein Wechselkurs für Währung und Tag von {column}",
    )
    con.execute(
        f"CREATE OR REPLACE TABLE {table} AS SELECT t.*, {cents('t.' + column, 'r.rate')} AS {column}_base_cents "
        f"FROM {table} t {_rate_join('t.currency_code', day)}"
    )


def _order_line_base(con: Connection) -> None:
    con.execute(
        f"""
        CREATE OR REPLACE TABLE order_lines AS
        SELECT t.*, o.order_date, {cents("t.line_amount", "r.rate")} AS line_amount_base_cents
        FROM order_lines t LEFT JOIN orders o USING (order_id) {_rate_join("o.currency_code", "o.order_date")}
        """
    )


def _deals_without_rate(con: Connection, config: Config) -> None:
    """A deal needs a rate from its creation on: without one its amount could not be added to anything."""
    quarantine_rows(
        con,
        "deals",
        "amount IS NOT NULL AND NOT EXISTS (SELECT 1 FROM rate_spans r WHERE r.currency_code = deals.currency_code "
        f"AND {local_date('deals.created_at', config.time_zone)} >= r.valid_from)",
        "rate:missing",
        f"no exchange rate to {config.currency} for the currency of the amount since the deal was created",
        f"kein Wechselkurs nach {config.currency} für die Währung des Betrags seit Anlage des Deals",
    )


# The history is worked out on whole numbers instead of ids: sorting and carrying them takes a third of the time.
_KEYS = """
CREATE OR REPLACE TEMP TABLE deal_keys AS
SELECT row_number() OVER () AS deal_no, deal_id, created_at, stage_id, status, amount, currency_code, expected_close_date,
       owner_rep_id, closed_at, closed_date, deleted_at FROM deals;
CREATE OR REPLACE TEMP TABLE stage_keys AS
SELECT row_number() OVER () AS stage_no, k.stage_id, s.* EXCLUDE (stage_id),
       CASE s.stage_type WHEN 'open' THEN 1 WHEN 'won' THEN 2 WHEN 'lost' THEN 3 END AS status_no
FROM (SELECT stage_id FROM stages UNION SELECT stage_id FROM deals UNION SELECT to_stage_id FROM deal_stage_history) k
LEFT JOIN (SELECT stage_id, any_value(stage_name) AS stage_name, any_value(stage_order) AS stage_order,
                  any_value(pipeline_id) AS pipeline_id, any_value(stage_type) AS stage_type, any_value(probability) AS probability
           FROM stages GROUP BY stage_id) s USING (stage_id)
WHERE k.stage_id IS NOT NULL;
CREATE OR REPLACE TEMP TABLE rep_keys AS
SELECT row_number() OVER () AS rep_no, rep_id FROM (
    SELECT owner_rep_id AS rep_id FROM deals
    UNION SELECT old_value FROM deal_field_history WHERE field = 'owner_rep_id'
    UNION SELECT new_value FROM deal_field_history WHERE field = 'owner_rep_id'
) WHERE rep_id IS NOT NULL
"""

# One row per deal and moment at which anything became known; what did not change is NULL.
_EVENTS = f"""
CREATE OR REPLACE TEMP TABLE deal_events AS
WITH stage_rows AS (
    SELECT k.deal_no, h.entered_at AS since, s.stage_no, s.status_no, h.amount, h.expected_close_date,
           coalesce(s.stage_order, 0) + 10 AS rank
    FROM deal_stage_history h JOIN deal_keys k USING (deal_id) LEFT JOIN stage_keys s ON s.stage_id = h.to_stage_id
), field_rows AS (
    SELECT k.deal_no, f.changed_at AS since,
           CASE WHEN f.field = 'amount' THEN coalesce(try_cast(f.new_value AS DECIMAL(18, 4)), {BLANK}) END AS amount,
           CASE WHEN f.field = 'expected_close_date' THEN try_cast(f.new_value AS DATE) END AS expected_close_date, r.rep_no,
           CASE WHEN f.field = 'amount' THEN try_cast(f.old_value AS DECIMAL(18, 4)) END AS old_amount,
           CASE WHEN f.field = 'expected_close_date' THEN try_cast(f.old_value AS DATE) END AS old_close, o.rep_no AS old_rep
    FROM deal_field_history f JOIN deal_keys k USING (deal_id)
    LEFT JOIN rep_keys r ON f.field = 'owner_rep_id' AND r.rep_id = f.new_value
    LEFT JOIN rep_keys o ON f.field = 'owner_rep_id' AND o.rep_id = f.old_value
    WHERE f.field IN ('amount', 'expected_close_date', 'owner_rep_id')
), first_stage AS (
    SELECT deal_no, arg_min(stage_no, (since, rank)) AS stage_no, arg_min(amount, since) AS amount,
           arg_min(expected_close_date, since) AS expected_close_date
    FROM stage_rows GROUP BY deal_no
), first_value AS (
    SELECT deal_no, arg_min(old_amount, since) AS amount, arg_min(old_close, since) AS expected_close_date,
           arg_min(old_rep, since) AS rep_no
    FROM field_rows GROUP BY deal_no
), origin AS (
    SELECT k.deal_no, k.created_at AS since, coalesce(s.stage_no, CASE WHEN k.status = 'open' THEN g.stage_no END) AS stage_no,
           coalesce(s.amount, v.amount, k.amount) AS amount,
           coalesce(s.expected_close_date, v.expected_close_date, k.expected_close_date) AS expected_close_date,
           coalesce(v.rep_no, r.rep_no) AS rep_no
    FROM deal_keys k LEFT JOIN first_stage s USING (deal_no) LEFT JOIN first_value v USING (deal_no)
    LEFT JOIN stage_keys g ON g.stage_id = k.stage_id LEFT JOIN rep_keys r ON r.rep_id = k.owner_rep_id
), closings AS (
    SELECT k.deal_no, g.stage_no, CASE k.status WHEN 'won' THEN 2 ELSE 3 END AS status_no,
           greatest(coalesce(k.closed_at, CAST(coalesce(k.closed_date, k.expected_close_date) AS TIMESTAMP)),
                    k.created_at + INTERVAL 1 SECOND) AS since
    FROM deal_keys k ANTI JOIN first_stage USING (deal_no) LEFT JOIN stage_keys g ON g.stage_id = k.stage_id
    WHERE k.status IN ('won', 'lost')
)
SELECT deal_no, since, arg_max(stage_no, rank) AS stage_no, arg_max(status_no, rank) AS status_no,
       arg_max(amount, rank) AS amount, arg_max(expected_close_date, rank) AS expected_close_date,
       any_value(rep_no) AS rep_no, bool_or(rank = 1) AS by_field
FROM (
    SELECT deal_no, since, stage_no, status_no, amount, expected_close_date, NULL AS rep_no, rank FROM stage_rows
    UNION ALL SELECT deal_no, since, NULL, NULL, amount, expected_close_date, rep_no, 1000000 FROM field_rows
    UNION ALL SELECT deal_no, since, stage_no, 1, amount, expected_close_date, rep_no, 0 FROM origin
    UNION ALL SELECT deal_no, since, stage_no, status_no, NULL, NULL, NULL, 1 FROM closings
    UNION ALL SELECT deal_no, deleted_at, NULL, 4, NULL, NULL, NULL, 2000000 FROM deal_keys WHERE deleted_at IS NOT NULL
) GROUP BY deal_no, since
"""

_STATES = f"""
CREATE OR REPLACE TEMP TABLE deal_states AS
SELECT deal_no, since, lead(since) OVER d AS until,
       last_value(stage_no IGNORE NULLS) OVER r AS stage_no,
       last_value(status_no IGNORE NULLS) OVER r AS status_no,
       nullif(last_value(amount IGNORE NULLS) OVER r, {BLANK}) AS amount,
       last_value(expected_close_date IGNORE NULLS) OVER r AS expected_close_date,
       first_value(expected_close_date) OVER r AS first_close,
       last_value(rep_no IGNORE NULLS) OVER r AS rep_no, by_field
FROM deal_events
WINDOW d AS (PARTITION BY deal_no ORDER BY since),
       r AS (PARTITION BY deal_no ORDER BY since ROWS UNBOUNDED PRECEDING)
"""

# A move of the expected close to a later calendar month, made while the deal is open. Of edits within 24 hours the last
# counts, so a move is a push only once it has stood for 24 hours: before that, nobody could know.
_PUSHES = """
CREATE OR REPLACE TEMP TABLE deal_pushes AS
WITH moved AS (
    SELECT deal_no, since, expected_close_date, first_close,
           lag(expected_close_date) OVER d AS before, lag(status_no) OVER d AS status_before
    FROM deal_states WINDOW d AS (PARTITION BY deal_no ORDER BY since)
    QUALIFY expected_close_date <> before AND status_no = 1 AND status_before = 1
), settled AS (
    SELECT * FROM moved
    QUALIFY coalesce(lead(since) OVER (PARTITION BY deal_no ORDER BY since) > since + INTERVAL 24 HOUR, TRUE)
), compared AS (
    SELECT *, lag(expected_close_date) OVER (PARTITION BY deal_no ORDER BY since) AS last_settled FROM settled
)
SELECT deal_no, since + INTERVAL 24 HOUR AS since FROM compared
WHERE date_trunc('month', expected_close_date) > date_trunc('month', coalesce(last_settled, first_close))
"""


def deal_versions(con: Connection, zone: str) -> None:
    """`deal_versions`: one row per deal and span of time in which its state did not change.

    A closing is dated by the transition in the history, else by the deal's own field (`closed_at_source`). The
    owner at closing keeps the credit (`credit_rep_id`); a reopened deal is open again from the reopening on.
    """
    for statement in (_KEYS, _EVENTS, _STATES, _PUSHES):
        con.execute(statement)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE deal_runs AS
        WITH steps AS (
            SELECT deal_no, since, stage_no, status_no, amount, expected_close_date, rep_no, by_field, 0 AS pushed FROM deal_states
            UNION ALL
            SELECT s.deal_no, p.since, s.stage_no, s.status_no, s.amount, s.expected_close_date, s.rep_no, s.by_field, 1
            FROM deal_pushes p JOIN deal_states s ON s.deal_no = p.deal_no AND s.status_no = 1
             AND p.since >= s.since AND (s.until IS NULL OR p.since < s.until)
        ), runs AS (
            SELECT *, lead(since) OVER d AS until, lag(status_no) OVER d AS status_before
            FROM steps WINDOW d AS (PARTITION BY deal_no ORDER BY since, pushed)
        )
        SELECT * EXCLUDE (status_before, pushed),
               sum(pushed) OVER r AS pushes,
               sum(CASE WHEN status_no = 1 AND status_before IN (2, 3) THEN 1 ELSE 0 END) OVER r AS reopened,
               last_value(CASE WHEN status_no IS DISTINCT FROM status_before
                               THEN {{'at': since, 'rep_no': rep_no, 'by_field': by_field}} END IGNORE NULLS) OVER r AS turn
        FROM runs WINDOW r AS (PARTITION BY deal_no ORDER BY since, pushed ROWS UNBOUNDED PRECEDING);
        CREATE OR REPLACE TABLE deal_versions AS
        WITH closed AS (
            SELECT *, status_no IN (2, 3) AS is_closed,
                   CASE WHEN status_no IN (2, 3) THEN {local_date("turn['at']", zone)} END AS closed_date FROM deal_runs
        )
        SELECT k.deal_id, v.since AS valid_from, v.until AS valid_to, g.stage_id,
               CASE v.status_no WHEN 1 THEN 'open' WHEN 2 THEN 'won' WHEN 3 THEN 'lost' ELSE 'deleted' END AS status,
               CAST(v.amount AS DECIMAL(18, 4)) AS amount, k.currency_code, v.expected_close_date, o.rep_id AS owner_rep_id,
               CASE WHEN v.is_closed THEN c.rep_id ELSE o.rep_id END AS credit_rep_id, g.probability,
               CASE WHEN v.is_closed THEN v.turn['at'] END AS closed_at, v.closed_date,
               CASE WHEN v.is_closed THEN CASE WHEN v.turn['by_field'] THEN 'field' ELSE 'history' END END AS closed_at_source,
               CASE WHEN v.is_closed THEN {cents("v.amount", "r.rate")} END AS amount_base_cents,
               CAST(v.pushes AS BIGINT) AS pushes, CAST(v.reopened AS BIGINT) AS reopened
        FROM closed v JOIN deal_keys k USING (deal_no) LEFT JOIN stage_keys g ON g.stage_no = v.stage_no
        LEFT JOIN rep_keys o ON o.rep_no = v.rep_no LEFT JOIN rep_keys c ON c.rep_no = v.turn['rep_no']
        {_rate_join("k.currency_code", "v.closed_date")}
        """
    )


def stage_spells(con: Connection) -> None:
    """`stage_spells`: one row per stay of a deal in an open stage, with how and when it ended."""
    con.execute(
        """
        CREATE OR REPLACE TABLE stage_spells AS
        WITH changes AS (
            SELECT deal_no, since, stage_no, status_no FROM deal_states
            WINDOW d AS (PARTITION BY deal_no ORDER BY since)
            QUALIFY stage_no IS DISTINCT FROM lag(stage_no) OVER d OR status_no IS DISTINCT FROM lag(status_no) OVER d
        ), stays AS (
            SELECT c.*, CASE WHEN c.status_no = 1 THEN s.stage_order WHEN c.status_no = 2 THEN 1000000 END AS place
            FROM changes c LEFT JOIN stage_keys s USING (stage_no)
        ), told AS (
            SELECT *, lead(since) OVER d AS left_at, lead(status_no) OVER d AS next_status, lead(stage_no) OVER d AS next_stage,
                   lead(place) OVER d AS next_place,
                   min(CASE WHEN status_no = 2 THEN since END) OVER later AS won_at,
                   min(CASE WHEN status_no = 3 THEN since END) OVER later AS lost_at,
                   list({'place': place, 'since': since}) OVER later AS ahead
            FROM stays
            WINDOW d AS (PARTITION BY deal_no ORDER BY since),
                   later AS (PARTITION BY deal_no ORDER BY since ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
        ), numbered AS (
            SELECT *, row_number() OVER (PARTITION BY deal_no ORDER BY since) AS seq,
                   row_number() OVER (PARTITION BY deal_no, stage_no ORDER BY since) = 1 AS is_first_entry
            FROM told WHERE status_no = 1 AND stage_no IS NOT NULL
        )
        SELECT k.deal_id, n.seq, s.pipeline_id, s.stage_id, s.stage_name, s.stage_order, n.since AS entered_at, n.left_at,
               CASE WHEN n.left_at IS NULL THEN NULL
                    WHEN n.next_status = 2 THEN 'won' WHEN n.next_status = 3 THEN 'lost' WHEN n.next_status = 4 THEN 'deleted'
                    WHEN t.pipeline_id IS DISTINCT FROM s.pipeline_id THEN 'transferred'
                    WHEN n.next_place > n.place THEN 'forward' ELSE 'backward' END AS exit_type,
               n.is_first_entry,
               list_min(list_transform(list_filter(n.ahead, lambda x: x.place > n.place), lambda x: x.since)) AS forward_at,
               n.won_at, n.lost_at
        FROM numbered n JOIN deal_keys k USING (deal_no) JOIN stage_keys s USING (stage_no)
        LEFT JOIN stage_keys t ON t.stage_no = n.next_stage
        """
    )
