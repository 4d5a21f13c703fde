"""From the parts that files gave to one table: the newest version of every key, each superseded row counted.

The newest is the one changed last (`updated_at`); where the export does not say, the one of the file that
comes later in the order of the names. Same key, same time, different content is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import duckdb
import numpy as np

from salestrack.errors import ReadError
from salestrack.schema import CANONICAL, TABLES, Table
from salestrack.sources.mapping import literal, quoted
from salestrack.sources.notes import note
from salestrack.sources.parquet import copy, read_parquet_sql
from salestrack.sources.parts import Part
from salestrack.sources.snapshots import day_in_name, note_versions


def consolidate(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Makes one table or view per canonical table; empty ones too, so that queries need not ask.

    A table is a view over its parts; only a part that loses rows is written again.
    """
    for name in CANONICAL:
        own = [part for part in parts if part.table == name]
        _table(con, TABLES[name], own)
    _first_orders(con)


def _rows(parts: Sequence[Part]) -> str:
    files = [part.file for part in parts]
    selects = [
        f"SELECT * EXCLUDE (file_row_number), {n} AS _part, {files.index(part.file)} AS _file, file_row_number AS _row "
        f"FROM read_parquet({literal(str(part.path))}, file_row_number = true)"
        for n, part in enumerate(parts)
    ]
    return " UNION ALL ".join(selects)


def _table(con: duckdb.DuckDBPyConnection, table: Table, parts: Sequence[Part]) -> None:
    name = quoted(_read(table))
    if not parts:
        con.execute(f"CREATE OR REPLACE TABLE {name} ({table.columns_sql()})")
        return
    if table.name == "web_traffic" and len({part.file for part in parts}) > 1:
        _refuse_two_cuts(con, table, parts)
    if _doubles(con, table, parts):
        _keep_newest(con, table, parts)
    con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {read_parquet_sql([p.path for p in parts])}")


def _read(table: Table) -> str:
    """Under what name a table's rows are kept; orders get a column more (see `_first_orders`)."""
    return "orders read" if table.name == "orders" else table.name


def _doubles(con: duckdb.DuckDBPyConnection, table: Table, parts: Sequence[Part]) -> bool:
    """Whether any key stands there twice: hashes first, sorting them takes a tenth of the time and memory."""
    keys = ", ".join(quoted(name) for name in ("source_system", *table.key))
    hashes = con.execute(f"SELECT hash({keys}) AS h FROM ({_rows(parts)})").fetchnumpy()["h"]
    ordered = np.sort(np.asarray(hashes))
    if not (ordered[1:] == ordered[:-1]).any():
        return False
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE doubled AS "
        f"SELECT {keys} FROM ({_rows(parts)}) GROUP BY ALL HAVING count(*) > 1"
    )
    row = con.execute("SELECT count(*) FROM doubled").fetchone()
    return bool(row and row[0])


def _keep_newest(con: duckdb.DuckDBPyConnection, table: Table, parts: Sequence[Part]) -> None:
    keys = ["source_system", *table.key]
    same = " AND ".join(f"r.{quoted(k)} IS NOT DISTINCT FROM d.{quoted(k)}" for k in keys)
    changed = "updated_at" if "updated_at" in table.imported else "CAST(NULL AS TIMESTAMP)"
    content = ", ".join("r." + quoted(n) for n in table.imported if n != "source_ref")
    order = "_changed DESC NULLS LAST, _part DESC, _line DESC"
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE versions AS
        SELECT *, row_number() OVER (PARTITION BY {", ".join(map(quoted, keys))} ORDER BY {order}) AS _rank
        FROM (SELECT r.*, {changed.replace("updated_at", "r.updated_at")} AS _changed,
                     hash({content}) AS _content,
                     CAST(regexp_extract(source_ref, '#(\\d+)$', 1) AS BIGINT) AS _line
              FROM ({_rows(parts)}) r WHERE EXISTS (SELECT 1 FROM doubled d WHERE {same}))
        """
    )
    _refuse_conflicts(con, table, keys, parts)
    if table.name == "deals":
        note_versions(con, [day_in_name(part.file) for part in parts])
    _count_superseded(con, table, parts)
    _note_repeated(con, table, keys, parts)
    for number, part in enumerate(parts):
        if part.superseded:
            _without_superseded(con, number, part)


def _without_superseded(con: duckdb.DuckDBPyConnection, number: int, part: Part) -> None:
    """Writes a part again without the rows of which another has a newer version."""
    kept = part.path.with_suffix(".kept.parquet")
    copy(
        con,
        f"SELECT * EXCLUDE (file_row_number) FROM read_parquet({literal(str(part.path))}, file_row_number = true) "
        f"WHERE file_row_number NOT IN (SELECT _row FROM versions WHERE _rank > 1 AND _part = {number})",
        kept,
    )
    part.path.unlink()
    part.path = kept


def _refuse_conflicts(
    con: duckdb.DuckDBPyConnection, table: Table, keys: list[str], parts: Sequence[Part]
) -> None:
    """Two newest versions of the same time must be equal; without times, those of one file must be.

    A row added up from several (an order from its lines) must not be halved between two files. Files of two kinds (a
    report and an API export) tell different columns of a record, to the minute and to the second: they never agree.
    """
    grouped = [n for n, part in enumerate(parts) if part.grouped]
    kinds = f"[{', '.join(literal(part.kind) for part in parts)}]"
    same = " AND ".join(f"a.{quoted(k)} IS NOT DISTINCT FROM b.{quoted(k)}" for k in keys)
    whole = f" OR a._part IN ({', '.join(map(str, grouped))})" if grouped else ""
    when = (
        f"a._changed IS NOT DISTINCT FROM b._changed AND (a._changed IS NOT NULL OR a._file = b._file{whole}) "
        f"AND ({kinds}[a._part + 1] = {kinds}[b._part + 1]{whole})"
    )
    key = " || ' ' || ".join(f"coalesce(CAST(a.{quoted(k)} AS VARCHAR), '–')" for k in table.key)
    row = con.execute(
        f"SELECT {key}, a.source_ref, b.source_ref FROM versions a JOIN versions b ON {same} AND {when} "
        f"WHERE a._rank = 1 AND b._rank > 1 AND a._content <> b._content ORDER BY ALL LIMIT 1"
    ).fetchone()
    if row:
        first, second = sorted((row[1], row[2]))
        raise ReadError.conflict(table.name, row[0], first, second)


def _count_superseded(con: duckdb.DuckDBPyConnection, table: Table, parts: Sequence[Part]) -> None:
    sums = "".join(f", CAST(coalesce(sum({quoted(name)}), 0) AS VARCHAR)" for name in table.money)
    for number, count, *amounts in con.execute(
        f"SELECT _part, count(*){sums} FROM versions WHERE _rank > 1 GROUP BY _part"
    ).fetchall():
        part = parts[number]
        part.superseded, part.accepted = int(count), part.accepted - int(count)
        for name, amount in zip(table.money, amounts, strict=True):
            if name in part.amounts:
                _move(part.amounts[name], amount)


def _note_repeated(
    con: duckdb.DuckDBPyConnection, table: Table, keys: list[str], parts: Sequence[Part]
) -> None:
    """Notes rows that a file holds twice, word for word."""
    same = ", ".join(map(quoted, keys))
    rows = con.execute(
        f"""
        SELECT _file, count(*), min_by(source_ref, _line)
        FROM (SELECT *, row_number() OVER (PARTITION BY {same}, _file, _content, _changed ORDER BY _line) AS _nth FROM versions)
        WHERE _nth > 1 GROUP BY _file
        """
    ).fetchall()
    for file, count, example in rows:
        own = [part for part in parts if part.own and part.file == parts[file].file]
        if own:
            note(con, "same row twice", table.name, (count, sum(part.rows for part in own), example))


def _refuse_two_cuts(con: duckdb.DuckDBPyConnection, table: Table, parts: Sequence[Part]) -> None:
    """Visits of one day from two files that split them by different things are the same visits twice."""
    splits = [name for name in table.key if name != "date"]
    used = ", ".join(f"CASE WHEN count({quoted(name)}) > 0 THEN {literal(name)} END" for name in splits)
    row = con.execute(
        f"""
        WITH visits AS ({_rows(parts)}),
             cuts AS (SELECT source_system, _file, array_to_string([{used}], ', ') AS cut FROM visits GROUP BY ALL),
             days AS (SELECT DISTINCT source_system, _file, cut, date FROM visits JOIN cuts USING (source_system, _file))
        SELECT a.date, a._file, a.cut, b._file, b.cut
        FROM days a JOIN days b USING (source_system, date) WHERE a._file < b._file AND a.cut <> b.cut ORDER BY ALL LIMIT 1
        """
    ).fetchone()
    if row:
        day, first, by_first, second, by_second = row
        raise ReadError.two_cuts(str(day), (parts[first].file, by_first), (parts[second].file, by_second))


def _move(amounts: dict[str, str], superseded: str) -> None:
    amounts["superseded"] = superseded
    amounts["accepted"] = str(Decimal(amounts["accepted"]) - Decimal(superseded))


def _first_orders(con: duckdb.DuckDBPyConnection) -> None:
    """What only the whole table tells: a company's first order."""
    con.execute(
        """
        CREATE VIEW orders AS
        SELECT * REPLACE (coalesce(is_first_order, CASE WHEN account_id IS NOT NULL THEN row_number() OVER (
            PARTITION BY account_id ORDER BY order_date, order_id) = 1 END) AS is_first_order)
        FROM "orders read"
        """
    )
