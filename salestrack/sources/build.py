"""From raw files to canonical tables in a DuckDB connection: every file read, typed, accounted for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from salestrack import duck
from salestrack.config import Config
from salestrack.errors import ReadError
from salestrack.sources import formats, workbook
from salestrack.sources.consolidate import consolidate
from salestrack.sources.decode import Decoded, decode
from salestrack.sources.locate import Located, locate
from salestrack.sources.mapping import Mapping, literal, quoted
from salestrack.sources.quarantine import create_quarantine
from salestrack.sources.text import Text, direct_text, read_text, unpivot_view
from salestrack.sources.typed import Part, Typing

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm")
Progress = Callable[[str], None]
ROOM = "1GB"
"""Memory for what does not do with less."""


@dataclass(slots=True)
class Raw:
    """One table in a raw file, read as text."""

    file: str
    decoded: Decoded
    found: Located
    text: Text
    parts: list[Part] = field(default_factory=list)


def connect(work: Path, memory_limit: str, threads: int | None) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory; what does not fit in `memory_limit` goes to the folder `work`."""
    con = duck.connect()
    con.execute(f"SET memory_limit = {literal(memory_limit)}")
    con.execute("SET enable_external_file_cache = false")  # a file is read once; keeping it only takes memory
    con.execute(f"SET temp_directory = {literal(str(work / 'spill'))}")
    if threads:
        con.execute(f"SET threads = {int(threads)}")
    for macro in formats.MACROS:
        con.execute(macro)
    return con


def build(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[tuple[str, Path]],
    mappings: Sequence[Mapping],
    config: Config,
    work: Path,
    as_system: dict[str, str] | None = None,
    hashes: dict[str, str] | None = None,
    progress: Progress | None = None,
) -> list[Raw]:
    """Makes every canonical table, and `quarantine`, from the files (name below raw/, path).

    Raises ReadError when a file cannot be read for certain or too many of its rows are bad.
    """
    create_quarantine(con)
    raws: list[Raw] = []
    for name, path in files:
        if progress:
            progress(name)
        system, known = (as_system or {}).get(name), (hashes or {}).get(name, "")
        raws += read_file(con, name, path, mappings, work, len(raws), system, known, direct=True)
    _views(con, raws, mappings, config)
    _type_all(con, raws, config, work, progress)
    consolidate(con, [part for raw in raws for part in raw.parts])
    return raws


def read_file(
    con: duckdb.DuckDBPyConnection,
    name: str,
    path: Path,
    mappings: Sequence[Mapping],
    work: Path,
    number: int = 0,
    system: str | None = None,
    sha256: str = "",
    direct: bool = False,
) -> list[Raw]:
    """The tables in one file as views of text: one for a text file, one per filled sheet of a workbook.

    With `direct`, files that look well-formed are not read yet (see `direct_text`).
    """
    found: list[Raw] = []
    for sheet, decoded in _tables(path, name, work, sha256):
        where = f"{name} [{sheet}]" if sheet else name
        located = _located(decoded, where, sheet, mappings, system)
        view = f"text {number + len(found)}"
        text = direct_text(con, decoded, located, view) if direct and _once(located) else None
        found.append(Raw(where, decoded, located, text or _stored(con, decoded, located, view, work)))
    if not found:
        raise ReadError.empty(name)
    return found


def _once(located: Located) -> bool:
    """Whether the text of such a file is needed only once, to fill one table."""
    spec, mapping = located.spec, located.mapping
    elsewhere = re.search(rf"\b{mapping.system}\.{re.escape(located.kind)}\b", mapping.model_dump_json())
    return len(spec.to) == 1 and spec.unpivot is None and not elsewhere


def _stored(
    con: duckdb.DuckDBPyConnection, decoded: Decoded, located: Located, view: str, work: Path
) -> Text:
    text = read_text(con, decoded, located, view, work)
    unpivot_view(con, text, located)
    return text


def _tables(path: Path, name: str, work: Path, sha256: str = "") -> list[tuple[str, Decoded]]:
    if path.suffix.lower() not in (".xlsx", ".xlsm"):
        return [("", decode(path, name, work, sha256))]
    tables = list(workbook.sheets(path, name, work))
    return [("", tables[0][1])] if len(tables) == 1 else tables


def _located(
    decoded: Decoded, where: str, sheet: str, mappings: Sequence[Mapping], system: str | None
) -> Located:
    """A sheet is recognised by its own name, else by the file's."""
    try:
        return locate(decoded.path, decoded.name, mappings, system, sheet, shown=where)
    except ReadError:
        if not sheet:
            raise
        return locate(decoded.path, decoded.name, mappings, system, shown=where)


def _views(
    con: duckdb.DuckDBPyConnection, raws: Sequence[Raw], mappings: Sequence[Mapping], config: Config
) -> None:
    """`system.Kind` shows the text of all files of a kind, for crosswalks; empty where there are none."""
    used = {raw.found.mapping.system for raw in raws}
    for mapping in mappings:
        if mapping.system not in used or mapping.system == "salestrack":
            continue
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(mapping.system)}")
        for kind, spec in mapping.files.items():
            own = [raw for raw in raws if raw.found.mapping is mapping and raw.found.kind == kind]
            made = (spec.unpivot.name, spec.unpivot.value) if spec.unpivot else ()
            names = list(dict.fromkeys([*spec.known.values(), *made]))
            empty = f"SELECT {', '.join(f'CAST(NULL AS VARCHAR) AS {quoted(n)}' for n in names)} WHERE false"
            selects = " UNION ALL BY NAME ".join(
                [empty, *(f"SELECT * FROM {quoted(raw.text.view)}" for raw in own)]
            )
            con.execute(f"CREATE OR REPLACE VIEW {quoted(mapping.system)}.{quoted(kind)} AS {selects}")
        for name, sql in mapping.crosswalks.items():
            _crosswalk(con, mapping.system, name, sql, config)


def _crosswalk(con: duckdb.DuckDBPyConnection, system: str, name: str, sql: str, config: Config) -> None:
    """The table of a translation; an id with two translations is refused."""
    target = f"{quoted(system)}.{quoted('crosswalk ' + name)}"
    try:
        con.execute(
            f"CREATE OR REPLACE TABLE {target} AS SELECT DISTINCT CAST(from_id AS VARCHAR) AS from_id, "
            f"CAST(to_id AS VARCHAR) AS to_id FROM ({sql}) WHERE from_id IS NOT NULL AND to_id IS NOT NULL"
        )
        row = con.execute(
            f"SELECT from_id FROM {target} GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
        ).fetchone()
    except duckdb.Error as error:
        raise ReadError.sql(f"mapping {system}", f"crosswalk {name}", str(error).splitlines()[0]) from None
    if row:
        raise ReadError.sql(f"mapping {system}", f"crosswalk {name}", f"'{row[0]}' has two translations")
    if name == "stage_status":
        stages = [(s, "won") for s in config.stages.won] + [(s, "lost") for s in config.stages.lost]
        for stage, status in stages:
            con.execute(f"DELETE FROM {target} WHERE from_id = ?", [stage])
            con.execute(f"INSERT INTO {target} VALUES (?, ?)", [stage, status])


def _cursor(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A second connection to the same tables, for another thread."""
    cursor = con.cursor()
    cursor.execute("SET TimeZone = 'UTC'")
    return cursor


def _type_all(
    con: duckdb.DuckDBPyConnection,
    raws: Sequence[Raw],
    config: Config,
    work: Path,
    progress: Progress | None,
) -> None:
    """Types every file, two at a time: a file whose lines are counted is read by one thread only.

    The largest go first, so that none is left alone at the end; what is refused is told in the files' order.
    """
    with ThreadPoolExecutor(2) as pool:
        largest = sorted(raws, key=lambda raw: -raw.decoded.size)
        typed = {raw.text.view: pool.submit(_type_roomy, _cursor(con), raw, config, work) for raw in largest}
        try:
            for raw in raws:
                if progress:
                    progress(raw.file)
                typed[raw.text.view].result()
        finally:
            pool.shutdown(cancel_futures=True)


def _type_roomy(con: duckdb.DuckDBPyConnection, raw: Raw, config: Config, work: Path) -> None:
    """Types a file; one with hundreds of columns may take more memory than others do."""
    try:
        _type(con, raw, config, work)
    except duckdb.OutOfMemoryException:
        con.execute(f"SET GLOBAL memory_limit = '{ROOM}'")
        raw.parts.clear()
        _type(con, raw, config, work)


def _type(con: duckdb.DuckDBPyConnection, raw: Raw, config: Config, work: Path) -> None:
    for table in raw.found.spec.to:
        target = work / f"{raw.text.view} {table}.parquet"
        part = (
            Typing(con, raw.file, raw.found, raw.text, table, config).run_direct(target)
            if raw.text.direct
            else None
        )
        if part is None:
            if raw.text.direct:
                raw.text = _stored(con, raw.decoded, raw.found, raw.text.view, work)
            part = Typing(con, raw.file, raw.found, raw.text, table, config).run(target)
        raw.parts.append(part)
        _refuse_too_many(con, raw.file, part, config.imports.max_quarantine_share)


def _refuse_too_many(con: duckdb.DuckDBPyConnection, file: str, part: Part, most: float) -> None:
    facts = part.rows - part.footer - part.excluded
    if part.quarantined <= most * facts or not part.quarantined:
        return
    row = con.execute(
        "SELECT line, reason_en FROM quarantine WHERE file = ? AND table_name = ? ORDER BY line LIMIT 1",
        [file, part.table],
    ).fetchone()
    first = f"line {row[0]}: {row[1]}" if row else "unknown"
    raise ReadError.too_many(file, part.quarantined, facts, first, most)
