"""The tables of whole numbers that the history of deals is worked out on, and their rows as arrays.

`stage_keys`, `rep_keys` and `deal_keys` say what the numbers of stages, reps and deals stand for; `entry_rows` and
`change_rows` hold the history in numbers, as history.py has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from salestrack import history
from salestrack.sources.mapping import literal
from salestrack.sources.parquet import copy

Connection = duckdb.DuckDBPyConnection
Rows = dict[str, history.Array]

_STAGES = """
SELECT row_number() OVER (ORDER BY k.stage_id) - 1 AS stage_no, k.stage_id, s.* EXCLUDE (stage_id),
       CASE s.stage_type WHEN 'open' THEN 1 WHEN 'won' THEN 2 WHEN 'lost' THEN 3 END AS status_no
FROM (SELECT stage_id FROM stages UNION SELECT stage_id FROM deals UNION SELECT to_stage_id FROM deal_stage_history) k
LEFT JOIN (SELECT stage_id, any_value(stage_name) AS stage_name, any_value(stage_order) AS stage_order,
                  any_value(pipeline_id) AS pipeline_id, any_value(stage_type) AS stage_type, any_value(probability) AS probability
           FROM stages GROUP BY stage_id) s USING (stage_id)
WHERE k.stage_id IS NOT NULL
"""
_REPS = """
SELECT row_number() OVER () - 1 AS rep_no, rep_id FROM (
    SELECT owner_rep_id AS rep_id FROM deals
    UNION SELECT old_value FROM deal_field_history WHERE field = 'owner_rep_id'
    UNION SELECT new_value FROM deal_field_history WHERE field = 'owner_rep_id'
) WHERE rep_id IS NOT NULL
"""
_ORPHANS = """
SELECT CAST((SELECT count(*) FROM deal_keys) + row_number() OVER () - 1 AS INTEGER) AS deal_no, deal_id
FROM (SELECT DISTINCT deal_id FROM deal_stage_history ANTI JOIN deal_keys USING (deal_id))
"""


def _day(column: str) -> str:
    return f"coalesce(CAST({column} - DATE '1970-01-01' AS INTEGER), {history.NO_DAY})"


def _amount(column: str) -> str:
    return f"coalesce(CAST(CAST({column} AS DECIMAL(22, 4)) * 10000 AS BIGINT), {history.NO_AMOUNT})"


def _time(column: str) -> str:
    return f"coalesce(epoch_us({column}), {history.NO_TIME})"


PLACES = f"""
SELECT CAST(coalesce(pipeline_no, {history.NO_DAY}) AS INTEGER) AS pipeline, CAST(coalesce(stage_order, {history.NO_DAY}) AS INTEGER) AS place,
       CAST(coalesce(status_no, -1) AS TINYINT) AS status
FROM (SELECT *, CASE WHEN pipeline_id IS NOT NULL THEN dense_rank() OVER (ORDER BY pipeline_id) END AS pipeline_no FROM stage_keys)
ORDER BY stage_no
"""
_DELETED = "coalesce(d.deleted_at, CASE WHEN d.is_deleted THEN coalesce(d.updated_at, d.created_at) END)"
_DEALS = f"""
SELECT CAST(d.n AS INTEGER) AS deal_no, d.deal_id, d.currency_code,
       {_time("d.created_at")} AS created, CAST(coalesce(g.stage_no, -1) AS INTEGER) AS stage, {_amount("d.amount")} AS amount,
       CAST(CASE d.status WHEN 'open' THEN 1 WHEN 'won' THEN 2 WHEN 'lost' THEN 3 ELSE -1 END AS TINYINT) AS status,
       {_day("d.expected_close_date")} AS close, CAST(coalesce(r.rep_no, -1) AS INTEGER) AS rep, {_time(_DELETED)} AS deleted, {_time("d.updated_at")} AS seen,
       epoch_us(greatest(coalesce(d.closed_at, CAST(coalesce(d.closed_date, d.expected_close_date) AS TIMESTAMP)),
                         d.created_at + INTERVAL 1 SECOND)) AS closed
FROM (SELECT *, row_number() OVER () - 1 AS n FROM deals) d LEFT JOIN stage_keys g USING (stage_id) LEFT JOIN rep_keys r ON r.rep_id = d.owner_rep_id
"""
_ENTRIES = f"""
SELECT CAST(h.n AS INTEGER) AS n, CAST(coalesce(k.deal_no, -1) AS INTEGER) AS deal, {_time("h.entered_at")} AS since, CAST(s.stage_no AS INTEGER) AS stage,
       {_amount("h.amount")} AS amount, {_day("h.expected_close_date")} AS close
FROM (SELECT row_number() OVER () - 1 AS n, deal_id, entered_at, to_stage_id, amount, expected_close_date FROM deal_stage_history) h
LEFT JOIN deal_keys k USING (deal_id) JOIN stage_keys s ON s.stage_id = h.to_stage_id
"""
_CHANGES = f"""
SELECT f.n, CAST(k.deal_no AS INTEGER) AS deal, {_time("f.changed_at")} AS since,
       CASE WHEN f.field <> 'amount' THEN {history.NO_AMOUNT}
            ELSE coalesce(CAST(try_cast(f.new_value AS DECIMAL(22, 4)) * 10000 AS BIGINT), {history.BLANK}) END AS amount,
       {_day("CASE WHEN f.field = 'expected_close_date' THEN try_cast(f.new_value AS DATE) END")} AS close,
       CAST(coalesce(r.rep_no, -1) AS INTEGER) AS rep,
       CAST(CASE WHEN f.field <> 'status' THEN -1 ELSE coalesce(list_position(['open', 'won', 'lost'], f.new_value), -1) END AS TINYINT) AS status,
       {_amount("CASE WHEN f.field = 'amount' THEN try_cast(f.old_value AS DECIMAL(18, 4)) END")} AS old_amount,
       {_day("CASE WHEN f.field = 'expected_close_date' THEN try_cast(f.old_value AS DATE) END")} AS old_close,
       CAST(coalesce(o.rep_no, -1) AS INTEGER) AS old_rep
FROM (SELECT *, row_number() OVER () AS n FROM deal_field_history) f JOIN deal_keys k USING (deal_id)
LEFT JOIN rep_keys r ON f.field = 'owner_rep_id' AND r.rep_id = f.new_value
LEFT JOIN rep_keys o ON f.field = 'owner_rep_id' AND o.rep_id = f.old_value
WHERE f.field IN ('amount', 'expected_close_date', 'owner_rep_id', 'status')
"""


@contextmanager
def tables(con: Connection, work: Path | None) -> Iterator[int]:
    """The tables for as long as they are needed, in files below `work` if given; how many deals there are."""
    made = {
        "stage_keys": _STAGES,
        "rep_keys": _REPS,
        "deal_keys": _DEALS,
        "entry_rows": _ENTRIES,
        "change_rows": _CHANGES,
    }
    try:
        for name, rows in made.items():
            _keep(con, name, rows, work)
        deals = count(con, "deal_keys")
        if count(con, "entry_rows WHERE deal < 0"):
            _keep(con, "deal_keys", f"FROM deal_keys UNION ALL BY NAME {_ORPHANS}", work)
            _keep(con, "entry_rows", _ENTRIES, work)
        yield deals
    finally:
        for name in made:
            con.execute(f"DROP {'VIEW' if work else 'TABLE'} IF EXISTS {name}")


def _keep(con: Connection, name: str, rows: str, work: Path | None) -> None:
    """A table of the rows; as a file, it takes no memory while blocks of it are read."""
    if not work:
        con.execute(f"CREATE OR REPLACE TABLE {name} AS {rows}")
        return
    target = work / f"{name}.parquet"
    while target.exists():
        target = target.with_stem(target.stem + " again")
    copy(con, rows, target)
    con.execute(f"CREATE OR REPLACE VIEW {name} AS FROM read_parquet({literal(str(target))})")


def count(con: Connection, rows: str) -> int:
    return int((con.execute(f"SELECT count(*) FROM {rows}").fetchone() or (0,))[0])


def arrays(con: Connection, sql: str) -> Rows:
    return {name: np.asarray(values) for name, values in con.execute(sql).fetchnumpy().items()}


def picked(rows: Rows, which: Any) -> Rows:
    return {name: values[which] for name, values in rows.items()}


def entries(con: Connection, block: range, place: history.Array, columns: str = "*") -> Rows:
    """The entries of a block of deals in order, the deals numbered from its first."""
    rows = arrays(
        con,
        f"SELECT {columns} FROM entry_rows WHERE deal >= {block.start} AND deal < {block.stop} ORDER BY n",
    )
    order = place[rows["stage"]]
    rows = picked(rows, history.ordered(rows["stage"], order, rows["since"], rows["deal"]))
    return rows | {"deal": rows["deal"] - np.int32(block.start)}


def changes(con: Connection, block: range) -> Rows:
    """The changes of fields of a block of deals in order, the deals numbered from its first."""
    rows = arrays(
        con, f"SELECT * FROM change_rows WHERE deal >= {block.start} AND deal < {block.stop} ORDER BY n"
    )
    rows = picked(rows, history.ordered(rows["since"], rows["deal"]))
    return rows | {"deal": rows["deal"] - np.int32(block.start)}


def within(block: range) -> str:
    return f"deal_no >= {block.start} AND deal_no < {block.stop}"
