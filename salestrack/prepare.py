"""What is worked out once, at import: amounts in the reporting currency, deal versions and stage spells.

The connection holds one table or view per canonical table; this module adds columns to them and derives tables.
Ids are joined and money is converted in SQL, the order of events is worked out on arrays (history.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np

from salestrack import history
from salestrack.config import Config
from salestrack.sources.quarantine import quarantine_rows

Connection = duckdb.DuckDBPyConnection
Rows = dict[str, history.Array]
Write = Callable[[str, str], None]
"""Takes the name of a table and a query of its rows; called again with a name, it adds rows."""
BLOCK = 250_000
"""Deals that are worked on at a time, so that memory does not grow with the number of deals."""

MONEY = (  # table, column, SQL for the day whose rate counts
    ("orders", "net_amount", "t.order_date"),
    ("costs", "amount", "t.cost_date"),
    ("quotas", "quota_amount", "t.period_start_date"),
)


def derive(con: Connection, config: Config, write: Write | None = None) -> list[str]:
    """Adds reporting-currency columns and the derived tables; returns the names of the derived tables.

    `write` says where the tables go; without it they are made in the database.
    """
    write = write or in_database(con)
    rate_spans(con, config.currency)
    for table, column, day in MONEY:
        _base_column(con, table, column, day, write)
    _order_line_base(write)
    _deals_without_rate(con, config)
    deal_history(con, config.time_zone, write)
    return ["deal_versions", "stage_spells"]


def in_database(con: Connection) -> Write:
    """Makes or replaces tables in the database itself."""
    made: set[str] = set()

    def write(name: str, query: str) -> None:
        con.execute(
            f"INSERT INTO {name} {query}" if name in made else f"CREATE OR REPLACE TABLE {name} AS {query}"
        )
        made.add(name)

    return write


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
    return (
        f"CAST(round(CAST({amount} AS DECIMAL(20, 4)) * CAST({rate} AS DECIMAL(18, 8)), 2) * 100 AS BIGINT)"
    )


def local_date(stamp: str, zone: str) -> str:
    """SQL for the calendar day of a UTC timestamp in a time zone."""
    return f"CAST(({stamp}) AT TIME ZONE 'UTC' AT TIME ZONE '{zone}' AS DATE)"


def _rate_join(currency: str, day: str) -> str:
    return (
        f"LEFT JOIN rate_spans r ON r.currency_code = {currency} "
        f"AND {day} >= r.valid_from AND {day} < r.valid_to"
    )


def _base_column(con: Connection, table: str, column: str, day: str, write: Write) -> None:
    quarantine_rows(
        con,
        table,
        f"{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM rate_spans r WHERE r.currency_code = {table}.currency_code "
        f"AND {day.replace('t.', table + '.')} >= r.valid_from AND {day.replace('t.', table + '.')} < r.valid_to)",
        "rate:missing",
        f"no exchange rate for the currency and day of {column}",
        f"kein Wechselkurs für Währung und Tag von {column}",
    )
    write(
        table,
        f"SELECT t.*, {cents('t.' + column, 'r.rate')} AS {column}_base_cents "
        f"FROM {table} t {_rate_join('t.currency_code', day)}",
    )


def _order_line_base(write: Write) -> None:
    write(
        "order_lines",
        f"""
        SELECT t.*, o.order_date, {cents("t.line_amount", "r.rate")} AS line_amount_base_cents
        FROM order_lines t LEFT JOIN orders o USING (order_id) {_rate_join("o.currency_code", "o.order_date")}
        """,
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


# The history is worked out on whole numbers (see history.py); these tables say what they stand for.
_KEYS = """
CREATE OR REPLACE TEMP TABLE deal_keys AS SELECT row_number() OVER () - 1 AS deal_no, deal_id, currency_code FROM deals;
CREATE OR REPLACE TEMP TABLE stage_keys AS
SELECT row_number() OVER (ORDER BY k.stage_id) - 1 AS stage_no, k.stage_id, s.* EXCLUDE (stage_id),
       CASE s.stage_type WHEN 'open' THEN 1 WHEN 'won' THEN 2 WHEN 'lost' THEN 3 END AS status_no
FROM (SELECT stage_id FROM stages UNION SELECT stage_id FROM deals UNION SELECT to_stage_id FROM deal_stage_history) k
LEFT JOIN (SELECT stage_id, any_value(stage_name) AS stage_name, any_value(stage_order) AS stage_order,
                  any_value(pipeline_id) AS pipeline_id, any_value(stage_type) AS stage_type, any_value(probability) AS probability
           FROM stages GROUP BY stage_id) s USING (stage_id)
WHERE k.stage_id IS NOT NULL;
CREATE OR REPLACE TEMP TABLE rep_keys AS
SELECT row_number() OVER () - 1 AS rep_no, rep_id FROM (
    SELECT owner_rep_id AS rep_id FROM deals
    UNION SELECT old_value FROM deal_field_history WHERE field = 'owner_rep_id'
    UNION SELECT new_value FROM deal_field_history WHERE field = 'owner_rep_id'
) WHERE rep_id IS NOT NULL
"""
_ORPHANS = """
INSERT INTO deal_keys SELECT (SELECT count(*) FROM deal_keys) + row_number() OVER () - 1, deal_id, NULL
FROM (SELECT DISTINCT deal_id FROM deal_stage_history ANTI JOIN deal_keys USING (deal_id))
"""


def _day(column: str) -> str:
    return f"coalesce(CAST({column} - DATE '1970-01-01' AS INTEGER), {history.NO_DAY})"


def _amount(column: str) -> str:
    return f"coalesce(CAST({column} * 10000 AS BIGINT), {history.NO_AMOUNT})"


def _time(column: str) -> str:
    return f"coalesce(epoch_us({column}), {history.NO_TIME})"


_STAGES = f"""
SELECT CAST(coalesce(pipeline_no, {history.NO_DAY}) AS INTEGER) AS pipeline, CAST(coalesce(stage_order, {history.NO_DAY}) AS INTEGER) AS place,
       CAST(coalesce(status_no, -1) AS TINYINT) AS status
FROM (SELECT *, CASE WHEN pipeline_id IS NOT NULL THEN dense_rank() OVER (ORDER BY pipeline_id) END AS pipeline_no FROM stage_keys)
ORDER BY stage_no
"""
_DEALS = f"""
SELECT {_time("d.created_at")} AS created, CAST(coalesce(g.stage_no, -1) AS INTEGER) AS stage, {_amount("d.amount")} AS amount,
       CAST(CASE d.status WHEN 'open' THEN 1 WHEN 'won' THEN 2 WHEN 'lost' THEN 3 ELSE -1 END AS TINYINT) AS status,
       {_day("d.expected_close_date")} AS close, CAST(coalesce(r.rep_no, -1) AS INTEGER) AS rep, {_time("d.deleted_at")} AS deleted,
       epoch_us(greatest(coalesce(d.closed_at, CAST(coalesce(d.closed_date, d.expected_close_date) AS TIMESTAMP)),
                         d.created_at + INTERVAL 1 SECOND)) AS closed
FROM (SELECT *, row_number() OVER () AS n FROM deals) d LEFT JOIN stage_keys g USING (stage_id) LEFT JOIN rep_keys r ON r.rep_id = d.owner_rep_id
ORDER BY n
"""
_ENTRIES = f"""
SELECT CAST(h.n AS INTEGER) AS n, CAST(coalesce(k.deal_no, -1) AS INTEGER) AS deal, {_time("h.entered_at")} AS since, CAST(s.stage_no AS INTEGER) AS stage,
       {_amount("h.amount")} AS amount, {_day("h.expected_close_date")} AS close
FROM (SELECT row_number() OVER () - 1 AS n, deal_id, entered_at, to_stage_id, amount, expected_close_date FROM deal_stage_history) h
LEFT JOIN deal_keys k USING (deal_id) JOIN stage_keys s ON s.stage_id = h.to_stage_id
"""
_CHANGES = f"""
SELECT CAST(k.deal_no AS INTEGER) AS deal, {_time("f.changed_at")} AS since,
       CASE WHEN f.field <> 'amount' THEN {history.NO_AMOUNT}
            ELSE coalesce(CAST(try_cast(f.new_value AS DECIMAL(18, 4)) * 10000 AS BIGINT), {history.BLANK}) END AS amount,
       {_day("CASE WHEN f.field = 'expected_close_date' THEN try_cast(f.new_value AS DATE) END")} AS close,
       CAST(coalesce(r.rep_no, -1) AS INTEGER) AS rep,
       {_amount("CASE WHEN f.field = 'amount' THEN try_cast(f.old_value AS DECIMAL(18, 4)) END")} AS old_amount,
       {_day("CASE WHEN f.field = 'expected_close_date' THEN try_cast(f.old_value AS DATE) END")} AS old_close,
       CAST(coalesce(o.rep_no, -1) AS INTEGER) AS old_rep
FROM deal_field_history f JOIN deal_keys k USING (deal_id)
LEFT JOIN rep_keys r ON f.field = 'owner_rep_id' AND r.rep_id = f.new_value
LEFT JOIN rep_keys o ON f.field = 'owner_rep_id' AND o.rep_id = f.old_value
WHERE f.field IN ('amount', 'expected_close_date', 'owner_rep_id')
"""


def deal_history(con: Connection, zone: str, write: Write) -> None:
    """Completes `deal_stage_history` and makes `deal_versions` and `stage_spells`, in blocks of deals.

    A closing is dated by the transition in the history, else by the deal's own field (`closed_at_source`). The
    owner at closing keeps the credit (`credit_rep_id`); a reopened deal is open again from the reopening on.
    """
    con.execute(_KEYS)
    stages, entries = _arrays(con, _STAGES), _arrays(con, _ENTRIES)
    if np.any(entries["deal"] < 0):
        con.execute(_ORPHANS)
        entries = _arrays(con, _ENTRIES)
    place = stages["place"]
    order = place[entries["stage"]]
    entries = _picked(entries, history.ordered(entries["stage"], order, entries["since"], entries["deal"]))
    _stage_history(con, entries, place, write)
    deals, changes = _arrays(con, _DEALS), _arrays(con, _CHANGES)
    changes = _picked(changes, history.ordered(changes["since"], changes["deal"]))
    for first in range(0, max(len(deals["created"]), 1), BLOCK):
        end = min(first + BLOCK, len(deals["created"]))
        block = [_between(rows, first, end) for rows in (entries, changes)]
        told = _told(_picked(deals, slice(first, first + BLOCK)), stages["status"], *block)
        known = history.states(history.joined(told))
        write("deal_versions", _versions_sql(con, history.versions(known), first, zone))
        write("stage_spells", _spells_sql(con, history.spells(known, place, stages["pipeline"]), first))


def _arrays(con: Connection, sql: str) -> Rows:
    return {name: np.asarray(values) for name, values in con.execute(sql).fetchnumpy().items()}


def _picked(rows: Rows, which: Any) -> Rows:
    return {name: values[which] for name, values in rows.items()}


def _between(rows: Rows, first: int, end: int) -> Rows:
    """The ordered rows of one block of deals, numbered from its first deal."""
    block = _picked(rows, slice(*np.searchsorted(rows["deal"], [first, end])))
    return block | {"deal": block["deal"] - np.int32(first)}


def _told(deals: Rows, status: history.Array, entries: Rows, changes: Rows) -> list[history.Events]:
    """What each source tells of a block of deals; of one moment, the later source has the last word."""
    n = len(deals["created"])
    everyone = np.arange(n, dtype=np.int32)
    has_history = np.zeros(n, np.bool_)
    has_history[entries["deal"]] = True
    shut = np.flatnonzero(~has_history & (deals["status"] > history.OPEN)).astype(np.int32)
    gone = np.flatnonzero(deals["deleted"] != history.NO_TIME).astype(np.int32)
    stage = history.first_known(n, entries["deal"], entries["stage"], history.NONE)
    return [
        history.events(
            everyone,
            deals["created"],
            stage=np.where(has_history | (deals["status"] != history.OPEN), stage, deals["stage"]),
            status=np.full(n, history.OPEN, np.int8),
            **{
                name: _at_first(n, name, missing, deals, entries, changes)
                for name, missing in _MISSING.items()
            },
        ),
        history.events(
            shut,
            deals["closed"][shut],
            stage=deals["stage"][shut],
            status=deals["status"][shut],
            by_field=np.ones(len(shut), np.bool_),
        ),
        history.events(
            entries["deal"],
            entries["since"],
            stage=entries["stage"],
            status=status[entries["stage"]],
            amount=entries["amount"],
            close=entries["close"],
        ),
        history.events(changes["deal"], changes["since"], **{name: changes[name] for name in _MISSING}),
        history.events(gone, deals["deleted"][gone], status=np.full(len(gone), history.DELETED, np.int8)),
    ]


_MISSING = {"amount": history.NO_AMOUNT, "close": history.NO_DAY, "rep": history.NONE}


def _at_first(n: int, name: str, missing: int, deals: Rows, entries: Rows, changes: Rows) -> history.Array:
    """A deal's value at its creation: as its first entry has it, else as its first change found it, else as it is."""
    value = deals[name]
    for rows, column in ((changes, f"old_{name}"), (entries, name)):
        if column in rows:
            first = history.first_known(n, rows["deal"], rows[column], missing)
            value = np.where(first == missing, value, first)
    return value


def _stage_history(con: Connection, rows: Rows, place: history.Array, write: Write) -> None:
    """What only the whole history tells of an entry: its number, where from, until when, whether backwards."""
    found = history.entries(rows["deal"], rows["since"], rows["stage"], place)
    back = np.argsort(rows["n"]) if np.any(rows["n"][1:] < rows["n"][:-1]) else slice(None)
    moves = {name: values[back] for name, values in vars(found).items()}
    con.register("moves", moves | {"exited": moves["exited"].astype("M8[us]")})
    write(
        "deal_stage_history",
        """
        SELECT h.* REPLACE (CAST(m.seq AS BIGINT) AS seq, coalesce(h.from_stage_id, f.stage_id) AS from_stage_id,
                            coalesce(h.exited_at, m.exited) AS exited_at,
                            coalesce(h.is_backward, CASE m.backward WHEN 1 THEN true WHEN 0 THEN false END) AS is_backward)
        FROM deal_stage_history h POSITIONAL JOIN moves m LEFT JOIN stage_keys f ON f.stage_no = m.came_from
        """,
    )
    con.unregister("moves")


def _versions_sql(con: Connection, found: history.Versions, first: int, zone: str) -> str:
    _show(con, "version_rows", found, ("since", "until", "closed_at"))
    return f"""
        WITH v AS (SELECT *, CAST(deal AS BIGINT) + {first} AS deal_no, {local_date("closed_at", zone)} AS closed_date FROM version_rows)
        SELECT k.deal_id, v.since AS valid_from, v.until AS valid_to, g.stage_id,
               CASE v.status WHEN 1 THEN 'open' WHEN 2 THEN 'won' WHEN 3 THEN 'lost' ELSE 'deleted' END AS status,
               {_money("v.amount")} AS amount, k.currency_code, {_date("v.close")} AS expected_close_date, o.rep_id AS owner_rep_id,
               c.rep_id AS credit_rep_id, g.probability, v.closed_at, v.closed_date,
               CASE WHEN v.closed_at IS NOT NULL THEN CASE WHEN v.by_field THEN 'field' ELSE 'history' END END AS closed_at_source,
               CASE WHEN v.closed_at IS NOT NULL THEN {cents(_money("v.amount"), "r.rate")} END AS amount_base_cents,
               CAST(v.pushes AS BIGINT) AS pushes, CAST(v.reopened AS BIGINT) AS reopened
        FROM v JOIN (SELECT * FROM deal_keys WHERE deal_no >= {first} AND deal_no < {first + BLOCK}) k USING (deal_no)
        LEFT JOIN stage_keys g ON g.stage_no = v.stage
        LEFT JOIN rep_keys o ON o.rep_no = v.rep LEFT JOIN rep_keys c ON c.rep_no = v.credit
        {_rate_join("k.currency_code", "v.closed_date")}
        """


def _spells_sql(con: Connection, found: history.Spells, first: int) -> str:
    _show(con, "spell_rows", found, ("entered", "left", "forward_at", "won_at", "lost_at"))
    exits = " ".join(f"WHEN {number} THEN '{name}'" for number, name in enumerate(history.EXITS))
    return f"""
        SELECT k.deal_id, CAST(n.seq AS BIGINT) AS seq, s.pipeline_id, s.stage_id, s.stage_name, s.stage_order,
               n.entered AS entered_at, n.left AS left_at, CASE n.exit {exits} END AS exit_type,
               n.is_first AS is_first_entry, n.forward_at, n.won_at, n.lost_at
        FROM spell_rows n JOIN (SELECT * FROM deal_keys WHERE deal_no >= {first} AND deal_no < {first + BLOCK}) k ON k.deal_no = n.deal + {first}
        JOIN stage_keys s ON s.stage_no = n.stage
        """


def _show(
    con: Connection, name: str, rows: history.Versions | history.Spells, times: tuple[str, ...]
) -> None:
    """Lets SQL see arrays as a table."""
    arrays = {
        column: values.astype("M8[us]") if column in times else values
        for column, values in vars(rows).items()
    }
    con.register(name, arrays)


def _money(amount: str) -> str:
    whole = f"nullif({amount}, {history.NO_AMOUNT})"
    return f"CAST(CAST({whole} AS DECIMAL(19, 0)) * CAST(0.0001 AS DECIMAL(5, 4)) AS DECIMAL(18, 4))"


def _date(days: str) -> str:
    return f"DATE '1970-01-01' + nullif({days}, {history.NO_DAY})"
