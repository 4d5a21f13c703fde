"""What is worked out once, at import: amounts in the reporting currency, deal versions and stage spells.

The connection holds one table or view per canonical table; this module adds columns to them and derives tables.
Ids are joined and money is converted in SQL, the order of events is worked out on arrays (history.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Protocol

import duckdb
import numpy as np
from numpy.typing import NDArray

from salestrack import history, numbered
from salestrack.config import Config
from salestrack.duck import local_date
from salestrack.sources.quarantine import quarantine_rows

Connection = duckdb.DuckDBPyConnection
Rows = numbered.Rows
BLOCK = 50_000
"""Deals that are worked on at a time, so that memory does not grow with the number of deals."""


class Write(Protocol):
    """Takes the name of a table and a query of its rows, in one piece or several; threads may write at the same time."""

    def __call__(self, con: Connection, name: str, query: str, piece: int = 0) -> None: ...


MONEY = (  # table, column, SQL for the day whose rate counts
    ("orders", "net_amount", "t.order_date"),
    ("costs", "amount", "t.cost_date"),
    ("quotas", "quota_amount", "t.period_start_date"),
)


def derive(
    con: Connection, config: Config, write: Write | None = None, work: Path | None = None
) -> list[str]:
    """Adds reporting-currency columns and the derived tables; returns the names of the derived tables.

    `write` says where the tables go; without it they are made in the database. `work` is a folder for what is
    needed on the way only, which otherwise takes memory.
    """
    write = write or in_database()
    rate_spans(con, config.currency)
    for table, column, day in MONEY:
        _base_column(con, table, column, day, write)
    _order_line_base(con, write)
    _deals_without_rate(con, config)
    deal_history(con, config.time_zone, write, work)
    return ["deal_versions", "stage_spells"]


def in_database() -> Write:
    """Makes or replaces tables in the database itself."""
    made: set[str] = set()
    one = Lock()

    def write(con: Connection, name: str, query: str, piece: int = 0) -> None:
        with one:
            con.execute(
                f"INSERT INTO {name} {query}"
                if name in made
                else f"CREATE OR REPLACE TABLE {name} AS {query}"
            )
            made.add(name)

    return write


def rate_spans(con: Connection, base: str) -> None:
    """`rate_spans`: one row per currency and days in which one rate to the reporting currency holds."""
    con.execute(
        f"""
        CREATE OR REPLACE TABLE rate_spans AS
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
        con,
        table,
        f"SELECT t.*, {cents('t.' + column, 'r.rate')} AS {column}_base_cents "
        f"FROM {table} t {_rate_join('t.currency_code', day)}",
    )


def _order_line_base(con: Connection, write: Write) -> None:
    write(
        con,
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


def deal_history(con: Connection, zone: str, write: Write, work: Path | None) -> None:
    """Completes `deal_stage_history` and makes `deal_versions` and `stage_spells`, in blocks of deals.

    A closing is dated by the transition in the history, else by the deal's own field (`closed_at_source`). The
    owner at closing keeps the credit (`credit_rep_id`); a reopened deal is open again from the reopening on.
    """
    with numbered.tables(con, work) as deals, _one_thread_each(con), ThreadPoolExecutor(2) as pool:
        stages = numbered.arrays(con, numbered.PLACES)
        moves = _moves(con, stages["place"])
        jobs = [pool.submit(_stage_history, con.cursor(), moves, write)]
        for first in range(0, max(deals, 1), BLOCK):
            jobs.append(
                pool.submit(
                    _block, con.cursor(), stages, range(first, min(first + BLOCK, deals)), zone, write
                )
            )
        try:
            for job in jobs:
                job.result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread_each(con: Connection) -> Iterator[None]:
    """Lets every query run on the thread that asks it: more threads per query would take more memory at a time."""
    (threads,) = con.execute("SELECT current_setting('threads')").fetchone() or (1,)
    con.execute("SET threads = 1")
    try:
        yield
    finally:
        con.execute(f"SET threads = {threads}")


def _moves(con: Connection, place: history.Array) -> Rows:
    """What the entries into stages tell about each other, in the order in which they were read."""
    n = numbered.count(con, "entry_rows")
    moves: Rows = {
        "seq": np.empty(n, np.int32),
        "came_from": np.empty(n, np.int32),
        "exited": np.empty(n, np.int64),
        "backward": np.empty(n, np.int8),
    }
    for first in range(0, numbered.count(con, "deal_keys"), BLOCK):
        rows = numbered.entries(con, range(first, first + BLOCK), place, "n, deal, since, stage")
        found = history.entries(rows["deal"], rows["since"], rows["stage"], place)
        for name, values in moves.items():
            values[rows["n"]] = getattr(found, name)
    return moves


def _block(con: Connection, stages: Rows, block: range, zone: str, write: Write) -> None:
    """Versions and spells of a block of deals."""
    known, piece = _known(con, stages, block), block.start // BLOCK
    _show(con, history.versions(known), ("since", "until", "closed_at"))
    write(con, "deal_versions", _versions_sql(block, zone), piece)
    spells = history.spells(known, stages["place"], stages["pipeline"])
    del known
    _show(con, spells, ("entered", "left", "forward_at", "won_at", "lost_at"))
    write(con, "stage_spells", _spells_sql(block), piece)
    con.close()


def _known(con: Connection, stages: Rows, block: range) -> history.Events:
    columns = f"* EXCLUDE (deal_id, currency_code) REPLACE (coalesce(seen, {history.NO_TIME}) AS seen)"
    deals = numbered.arrays(
        con, f"SELECT {columns} FROM deal_keys WHERE {numbered.within(block)} ORDER BY deal_no"
    )
    entries = numbered.entries(con, block, stages["place"])
    told = _told(deals, stages["status"], entries, numbered.changes(con, block))
    known = history.states(history.joined(told))
    news = _newest(deals, known)
    return history.states(history.joined([*told, news])) if len(news) else known


def _told(deals: Rows, status: history.Array, entries: Rows, changes: Rows) -> list[history.Events]:
    """What each source tells of a block of deals; of one moment, the later source has the last word."""
    n = len(deals["created"])
    everyone = np.arange(n, dtype=np.int32)
    has_history = np.zeros(n, np.bool_)
    has_history[entries["deal"]] = True
    told = _closed_by_history(deals["status"], status, entries, changes)
    shut = np.flatnonzero(~told & (deals["status"] > history.OPEN)).astype(np.int32)
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
        history.events(
            changes["deal"],
            changes["since"],
            status=changes["status"],
            **{name: changes[name] for name in _MISSING},
        ),
        history.events(gone, deals["deleted"][gone], status=np.full(len(gone), history.DELETED, np.int8)),
    ]


def _newest(deals: Rows, known: history.Events) -> history.Events:
    """What the newest export shows otherwise than the history, at the time of the last change, if that is the later one.

    A history may leave out changes of amount, close date and owner; without this an open deal would keep old values.
    """
    last = np.flatnonzero(np.append(history.starts(known.deal)[1:], True)) if len(known) else np.arange(0)
    deal, seen = known.deal[last], deals["seen"][known.deal[last]]
    other = np.zeros(len(last), np.bool_)
    for name, missing in _MISSING.items():
        now = deals[name][deal]
        other |= (now != getattr(known, name)[last]) & ((now != missing) | (name == "amount"))
    told = deal[other & (seen != history.NO_TIME) & (seen >= known.since[last])]
    amount = deals["amount"][told]
    return history.events(
        told,
        deals["seen"][told],
        amount=np.where(amount == history.NO_AMOUNT, history.BLANK, amount),
        close=deals["close"][told],
        rep=deals["rep"][told],
    )


def _closed_by_history(
    now: history.Array, status: history.Array, entries: Rows, changes: Rows
) -> NDArray[np.bool_]:
    """Whether a deal's history tells of its closing, by a stage that means its status or by the status itself.

    Where it does not (a system whose deals are won or lost beside their stages), the deal's own field does.
    """
    told = np.zeros(len(now), np.bool_)
    for deal, became in (
        (entries["deal"], status[entries["stage"]]),
        (changes["deal"], changes["status"]),
    ):
        told[deal[became == now[deal]]] = True
    return told


_MISSING = {"amount": history.NO_AMOUNT, "close": history.NO_DAY, "rep": history.NONE}


def _at_first(n: int, name: str, missing: int, deals: Rows, entries: Rows, changes: Rows) -> history.Array:
    """A deal's value at its creation: as its first entry has it, else as its first change found it, else as it is."""
    value = deals[name]
    for rows, column in ((changes, f"old_{name}"), (entries, name)):
        if column in rows:
            first = history.first_known(n, rows["deal"], rows[column], missing)
            value = np.where(first == missing, value, first)
    return value


def _stage_history(con: Connection, moves: Rows, write: Write) -> None:
    """What only the whole history tells of an entry: its number, where from, until when, whether backwards."""
    con.register("moves", moves | {"exited": moves["exited"].view("M8[us]")})
    write(
        con,
        "deal_stage_history",
        """
        SELECT h.* REPLACE (CAST(m.seq AS BIGINT) AS seq, coalesce(h.from_stage_id, f.stage_id) AS from_stage_id,
                            coalesce(h.exited_at, m.exited) AS exited_at,
                            coalesce(h.is_backward, CASE m.backward WHEN 1 THEN true WHEN 0 THEN false END) AS is_backward)
        FROM deal_stage_history h POSITIONAL JOIN moves m LEFT JOIN stage_keys f ON f.stage_no = m.came_from
        """,
    )
    con.close()


def _versions_sql(block: range, zone: str) -> str:
    return f"""
        WITH v AS (SELECT *, deal + {block.start} AS deal_no, {local_date("closed_at", zone)} AS closed_date FROM shown)
        SELECT k.deal_id, v.since AS valid_from, v.until AS valid_to, g.stage_id,
               CASE v.status WHEN 1 THEN 'open' WHEN 2 THEN 'won' WHEN 3 THEN 'lost' ELSE 'deleted' END AS status,
               {_money("v.amount")} AS amount, k.currency_code, {_date("v.close")} AS expected_close_date, o.rep_id AS owner_rep_id,
               c.rep_id AS credit_rep_id, g.probability, v.closed_at, v.closed_date,
               CASE WHEN v.closed_at IS NOT NULL THEN CASE WHEN v.by_field THEN 'field' ELSE 'history' END END AS closed_at_source,
               CASE WHEN v.closed_at IS NOT NULL THEN {cents(_money("v.amount"), "r.rate")} END AS amount_base_cents,
               CAST(v.pushes AS BIGINT) AS pushes, CAST(v.reopened AS BIGINT) AS reopened
        FROM v JOIN (SELECT * FROM deal_keys WHERE {numbered.within(block)}) k USING (deal_no)
        LEFT JOIN stage_keys g ON g.stage_no = v.stage
        LEFT JOIN rep_keys o ON o.rep_no = v.rep LEFT JOIN rep_keys c ON c.rep_no = v.credit
        {_rate_join("k.currency_code", "v.closed_date")}
        """


def _spells_sql(block: range) -> str:
    exits = " ".join(f"WHEN {number} THEN '{name}'" for number, name in enumerate(history.EXITS))
    return f"""
        SELECT k.deal_id, CAST(n.seq AS BIGINT) AS seq, s.pipeline_id, s.stage_id, s.stage_name, s.stage_order,
               n.entered AS entered_at, n.left AS left_at, CASE n.exit {exits} END AS exit_type,
               n.is_first AS is_first_entry, n.forward_at, n.won_at, n.lost_at
        FROM shown n JOIN (SELECT * FROM deal_keys WHERE {numbered.within(block)}) k ON k.deal_no = n.deal + {block.start}
        JOIN stage_keys s ON s.stage_no = n.stage
        """


def _show(con: Connection, rows: history.Versions | history.Spells, times: tuple[str, ...]) -> None:
    """Lets SQL see arrays as the table `shown`."""
    arrays = {
        column: values.view("M8[us]") if column in times else values for column, values in vars(rows).items()
    }
    con.register("shown", arrays)


def _money(amount: str) -> str:
    whole = f"nullif({amount}, {history.NO_AMOUNT})"
    return f"CAST(CAST({whole} AS DECIMAL(19, 0)) * CAST(0.0001 AS DECIMAL(5, 4)) AS DECIMAL(18, 4))"


def _date(days: str) -> str:
    return f"DATE '1970-01-01' + nullif({days}, {history.NO_DAY})"
