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


_EVENTS = f"""
CREATE OR REPLACE TEMP TABLE deal_events AS
WITH stage_rows AS (
    SELECT h.deal_id, h.entered_at AS since, h.to_stage_id AS stage_id, s.stage_type AS status, h.amount,
           h.expected_close_date, h.seq
    FROM deal_stage_history h SEMI JOIN deals USING (deal_id) LEFT JOIN stages s ON s.stage_id = h.to_stage_id
), field_rows AS (
    SELECT deal_id, changed_at AS since,
           CASE WHEN field = 'amount' THEN coalesce(try_cast(new_value AS DECIMAL(18, 4)), {BLANK}) END AS amount,
           CASE WHEN field = 'expected_close_date' THEN try_cast(new_value AS DATE) END AS expected_close_date,
           CASE WHEN field = 'owner_rep_id' THEN new_value END AS owner_rep_id
    FROM deal_field_history SEMI JOIN deals USING (deal_id)
    WHERE field IN ('amount', 'expected_close_date', 'owner_rep_id')
), first_stage AS (
    SELECT deal_id, arg_min(stage_id, since) AS stage_id, arg_min(amount, since) AS amount,
           arg_min(expected_close_date, since) AS expected_close_date
    FROM stage_rows GROUP BY deal_id
), first_value AS (
    SELECT deal_id,
           arg_min(try_cast(old_value AS DECIMAL(18, 4)), changed_at) FILTER (field = 'amount') AS amount,
           arg_min(try_cast(old_value AS DATE), changed_at) FILTER (field = 'expected_close_date') AS expected_close_date,
           arg_min(old_value, changed_at) FILTER (field = 'owner_rep_id') AS owner_rep_id
    FROM deal_field_history GROUP BY deal_id
), origin AS (
    SELECT d.deal_id, d.created_at AS since,
           coalesce(s.stage_id, CASE WHEN d.status = 'open' THEN d.stage_id END) AS stage_id, 'open' AS status,
           coalesce(s.amount, v.amount, d.amount) AS amount,
           coalesce(s.expected_close_date, v.expected_close_date, d.expected_close_date) AS expected_close_date,
           coalesce(v.owner_rep_id, d.owner_rep_id) AS owner_rep_id
    FROM deals d LEFT JOIN first_stage s USING (deal_id) LEFT JOIN first_value v USING (deal_id)
), closings AS (
    SELECT deal_id, coalesce(closed_at, CAST(coalesce(closed_date, expected_close_date) AS TIMESTAMP)) AS since, stage_id, status
    FROM deals ANTI JOIN first_stage USING (deal_id) WHERE status IN ('won', 'lost')
)
SELECT deal_id, since, arg_max(stage_id, seq) AS stage_id, arg_max(status, seq) AS status,
       arg_max(amount, seq) AS amount, arg_max(expected_close_date, seq) AS expected_close_date,
       any_value(owner_rep_id) AS owner_rep_id, bool_or(seq = -2) AS by_field
FROM (
    SELECT deal_id, since, stage_id, status, amount, expected_close_date, NULL AS owner_rep_id, coalesce(seq, 0) AS seq FROM stage_rows
    UNION ALL SELECT deal_id, since, NULL, NULL, amount, expected_close_date, owner_rep_id, 1000000 FROM field_rows
    UNION ALL SELECT deal_id, since, stage_id, status, amount, expected_close_date, owner_rep_id, -1 FROM origin
    UNION ALL SELECT deal_id, greatest(c.since, o.since + INTERVAL 1 SECOND), c.stage_id, c.status, NULL, NULL, NULL, -2 FROM closings c JOIN origin o USING (deal_id)
    UNION ALL SELECT deal_id, deleted_at, NULL, 'deleted', NULL, NULL, NULL, 2000000 FROM deals WHERE deleted_at IS NOT NULL
) GROUP BY deal_id, since
"""

_STATES = f"""
CREATE OR REPLACE TEMP TABLE deal_states AS
SELECT deal_id, since, lead(since) OVER d AS until,
       last_value(stage_id IGNORE NULLS) OVER r AS stage_id,
       last_value(status IGNORE NULLS) OVER r AS status,
       nullif(last_value(amount IGNORE NULLS) OVER r, {BLANK}) AS amount,
       last_value(expected_close_date IGNORE NULLS) OVER r AS expected_close_date,
       last_value(owner_rep_id IGNORE NULLS) OVER r AS owner_rep_id,
       by_field
FROM deal_events
WINDOW d AS (PARTITION BY deal_id ORDER BY since),
       r AS (PARTITION BY deal_id ORDER BY since ROWS UNBOUNDED PRECEDING)
"""

# A move of the expected close to a later calendar month, made while the deal is open. Of edits within 24 hours the last
# counts, so a move is a push only once it has stood for 24 hours: before that, nobody could know.
_PUSHES = """
CREATE OR REPLACE TEMP TABLE deal_pushes AS
WITH moved AS (
    SELECT *, lag(expected_close_date) OVER d AS before, lag(status) OVER d AS status_before
    FROM deal_states WINDOW d AS (PARTITION BY deal_id ORDER BY since)
    QUALIFY expected_close_date <> before AND status = 'open' AND status_before = 'open'
), settled AS (
    SELECT * FROM moved
    QUALIFY coalesce(lead(since) OVER (PARTITION BY deal_id ORDER BY since) > since + INTERVAL 24 HOUR, TRUE)
), compared AS (
    SELECT deal_id, since, expected_close_date, lag(expected_close_date) OVER (PARTITION BY deal_id ORDER BY since) AS last_settled
    FROM settled
)
SELECT c.deal_id, c.since + INTERVAL 24 HOUR AS since
FROM compared c JOIN (
    SELECT deal_id, arg_min(expected_close_date, since) AS first_close FROM deal_states GROUP BY deal_id
) f USING (deal_id)
WHERE date_trunc('month', c.expected_close_date) > date_trunc('month', coalesce(c.last_settled, f.first_close))
"""


def deal_versions(con: Connection, zone: str) -> None:
    """`deal_versions`: one row per deal and span of time in which its state did not change.

    A closing is dated by the transition in the history, else by the deal's own field (`closed_at_source`). The
    owner at closing keeps the credit (`credit_rep_id`); a reopened deal is open again from the reopening on.
    """
    con.execute(_EVENTS)
    con.execute(_STATES)
    con.execute(_PUSHES)
    con.execute(
        f"""
        CREATE OR REPLACE TABLE deal_versions AS
        WITH steps AS (
            SELECT * EXCLUDE (until), 0 AS pushed FROM deal_states
            UNION ALL BY NAME
            SELECT s.* EXCLUDE (until) REPLACE (p.since AS since), 1 AS pushed
            FROM deal_pushes p JOIN deal_states s ON s.deal_id = p.deal_id AND s.status = 'open'
             AND p.since >= s.since AND (s.until IS NULL OR p.since < s.until)
        ), runs AS (
            SELECT s.*, lead(since) OVER d AS until,
                   CASE WHEN s.status = lag(s.status) OVER d THEN 0 ELSE 1 END AS turned,
                   CASE WHEN s.status = 'open' AND lag(s.status) OVER d IN ('won', 'lost') THEN 1 ELSE 0 END AS reopened
            FROM steps s WINDOW d AS (PARTITION BY s.deal_id ORDER BY s.since, s.pushed)
        ), numbered AS (
            SELECT *, sum(turned) OVER r AS run, sum(pushed) OVER r AS pushes, sum(reopened) OVER r AS reopenings
            FROM runs WINDOW r AS (PARTITION BY deal_id ORDER BY since, pushed ROWS UNBOUNDED PRECEDING)
        ), dated AS (
            SELECT *, first_value(since) OVER w AS turned_at, first_value(owner_rep_id) OVER w AS owner_at_turn,
                   first_value(by_field) OVER w AS turned_by_field
            FROM numbered WINDOW w AS (PARTITION BY deal_id, run ORDER BY since)
        ), closed AS (
            SELECT *, status IN ('won', 'lost') AS is_closed, {local_date("turned_at", zone)} AS turned_date FROM dated
        )
        SELECT v.deal_id, v.since AS valid_from, v.until AS valid_to, v.stage_id, v.status,
               CAST(v.amount AS DECIMAL(18, 4)) AS amount, d.currency_code, v.expected_close_date, v.owner_rep_id,
               CASE WHEN v.is_closed THEN v.owner_at_turn ELSE v.owner_rep_id END AS credit_rep_id,
               g.probability,
               CASE WHEN v.is_closed THEN v.turned_at END AS closed_at,
               CASE WHEN v.is_closed THEN v.turned_date END AS closed_date,
               CASE WHEN v.is_closed THEN CASE WHEN v.turned_by_field THEN 'field' ELSE 'history' END END AS closed_at_source,
               CASE WHEN v.is_closed THEN {cents("v.amount", "r.rate")} END AS amount_base_cents,
               CAST(v.pushes AS BIGINT) AS pushes, CAST(v.reopenings AS BIGINT) AS reopened
        FROM closed v JOIN deals d USING (deal_id) LEFT JOIN stages g ON g.stage_id = v.stage_id
        {_rate_join("d.currency_code", "v.turned_date").replace("ON r", "ON v.is_closed AND r")}
        """
    )


def stage_spells(con: Connection) -> None:
    """`stage_spells`: one row per stay of a deal in an open stage, with how and when it ended."""
    con.execute(
        """
        CREATE OR REPLACE TABLE stage_spells AS
        WITH changes AS (
            SELECT v.deal_id, v.valid_from AS since, v.stage_id, v.status
            FROM deal_versions v
            WINDOW d AS (PARTITION BY v.deal_id ORDER BY v.valid_from)
            QUALIFY v.stage_id IS DISTINCT FROM lag(v.stage_id) OVER d OR v.status IS DISTINCT FROM lag(v.status) OVER d
        ), stays AS (
            SELECT c.*, s.pipeline_id, s.stage_name, s.stage_order,
                   lead(c.since) OVER d AS left_at, lead(c.status) OVER d AS next_status, lead(s.stage_order) OVER d AS next_order,
                   lead(s.pipeline_id) OVER d AS next_pipeline
            FROM changes c LEFT JOIN stages s USING (stage_id)
            WINDOW d AS (PARTITION BY c.deal_id ORDER BY c.since)
        ), numbered AS (
            SELECT *, row_number() OVER (PARTITION BY deal_id ORDER BY since) AS seq,
                   row_number() OVER (PARTITION BY deal_id, stage_id ORDER BY since) = 1 AS is_first_entry
            FROM stays WHERE status = 'open' AND stage_id IS NOT NULL
        ), later AS (
            SELECT n.deal_id, n.seq,
                   min(c.since) FILTER (c.status = 'won' OR (c.status = 'open' AND c.stage_order > n.stage_order)) AS forward_at,
                   min(c.since) FILTER (c.status = 'won') AS won_at, min(c.since) FILTER (c.status = 'lost') AS lost_at
            FROM numbered n JOIN stays c ON c.deal_id = n.deal_id AND c.since > n.since
            GROUP BY ALL
        )
        SELECT n.deal_id, n.seq, n.pipeline_id, n.stage_id, n.stage_name, n.stage_order, n.since AS entered_at, n.left_at,
               CASE WHEN n.left_at IS NULL THEN NULL
                    WHEN n.next_status IN ('won', 'lost', 'deleted') THEN n.next_status
                    WHEN n.next_pipeline IS DISTINCT FROM n.pipeline_id THEN 'transferred'
                    WHEN n.next_order > n.stage_order THEN 'forward' ELSE 'backward' END AS exit_type,
               n.is_first_entry, l.forward_at, l.won_at, l.lost_at
        FROM numbered n LEFT JOIN later l USING (deal_id, seq)
        """
    )
