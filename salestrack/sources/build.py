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
from salestrack.sources import formats, inputs, salesforce
from salestrack.sources.consolidate import consolidate
from salestrack.sources.decode import Decoded
from salestrack.sources.locate import Located, locate
from salestrack.sources.mapping import Mapping, literal, quoted
from salestrack.sources.notes import create_notes
from salestrack.sources.parts import Part
from salestrack.sources.quarantine import create_quarantine, refuse_too_many
from salestrack.sources.resolve import named_columns, resolve
from salestrack.sources.snapshots import add_history
from salestrack.sources.stages import add_unknown_stages
from salestrack.sources.text import Text, direct_text, halves, read_text, unpivot_view
from salestrack.sources.typed import Typing
from salestrack.sources.written import write_in_one_pass, write_part

Progress = Callable[[str], None]
ROOM = "1GB"
"""Memory for what does not do with less."""
HALVED = 32 << 20
"""Bytes above which a file that is most of an import is read in two halves, as the numbering of lines takes one thread."""


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
    for macro in (*formats.MACROS, salesforce.ID18):
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
    create_notes(con)
    raws: list[Raw] = []
    for name, path in files:
        if progress:
            progress(name)
        system, known = (as_system or {}).get(name), (hashes or {}).get(name, "")
        raws += read_file(con, name, path, mappings, work, len(raws), system, known, direct=True)
    _views(con, raws, mappings, config)
    _type_all(con, raws, config, work, progress)
    consolidate(con, [part for raw in raws for part in raw.parts])
    resolve(con, named_columns(raw.found.spec for raw in raws), config)
    add_history(con, config.time_zone)
    beside = {raw.found.mapping.system for raw in raws if raw.found.mapping.status_beside_stages}
    add_unknown_stages(con, config, sorted(beside))
    con.execute('DROP TABLE "deals seen"')
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
    for sheet, decoded in inputs.tables(path, name, work, sha256):
        where = f"{name} [{sheet}]" if sheet else name
        located = _located(decoded, where, sheet, mappings, system)
        view = f"text {number + len(found)}"
        text = direct_text(con, decoded, located, view) if direct and _once(located, mappings) else None
        found.append(Raw(where, decoded, located, text or _stored(con, decoded, located, view, work)))
    if not found:
        raise ReadError.empty(name)
    return found


def _once(located: Located, mappings: Sequence[Mapping]) -> bool:
    """Whether the text of such a file is needed only once, to fill one table."""
    spec, system = located.spec, located.mapping.system
    own = [mapping.model_dump_json() for mapping in mappings if mapping.system == system]
    elsewhere = any(re.search(rf"\b{system}\.{re.escape(located.kind)}\b", text) for text in own)
    return len(spec.to) == 1 and not spec.unpivots and not elsewhere


def _stored(
    con: duckdb.DuckDBPyConnection, decoded: Decoded, located: Located, view: str, work: Path
) -> Text:
    text = read_text(con, decoded, located, view, work)
    unpivot_view(con, text, located)
    return text


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
    """`system.Kind` shows the text of all files of a kind, for crosswalks; empty where there are none.

    A system may have several mapping files: each can ask for the kinds and crosswalks of the others.
    """
    con.execute(formats.local_day_macro(config.time_zone))
    used = {raw.found.mapping.system for raw in raws} - {"salestrack"}
    mappings = [mapping for mapping in mappings if mapping.system in used]
    for mapping in mappings:
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(mapping.system)}")
        for kind, spec in mapping.files.items():
            own = [
                raw for raw in raws if (raw.found.mapping.system, raw.found.kind) == (mapping.system, kind)
            ]
            made = spec.unpivot.made if spec.unpivot else ()
            names = list(dict.fromkeys([*spec.known.values(), *made]))
            empty = f"SELECT {', '.join(f'CAST(NULL AS VARCHAR) AS {quoted(n)}' for n in names)} WHERE false"
            selects = " UNION ALL BY NAME ".join(
                [empty, *(f"SELECT * FROM {quoted(raw.text.view)}" for raw in own)]
            )
            con.execute(f"CREATE OR REPLACE VIEW {quoted(mapping.system)}.{quoted(kind)} AS {selects}")
    for mapping in mappings:
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
        if duck.of_machine(error):
            raise
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
    whole = sum(raw.decoded.size for raw in raws)
    with ThreadPoolExecutor(2) as pool:
        typed = {}
        for raw in sorted(raws, key=lambda raw: -raw.decoded.size):
            halved = raw.decoded.size > max(HALVED, whole / 2)
            typed[raw.text.view] = pool.submit(_type_roomy, _cursor(con), raw, config, work, halved)
        try:
            for raw in raws:
                if progress:
                    progress(raw.file)
                typed[raw.text.view].result()
        finally:
            pool.shutdown(cancel_futures=True)


def _type_roomy(
    con: duckdb.DuckDBPyConnection, raw: Raw, config: Config, work: Path, halved: bool = False
) -> None:
    """Types a file; one with hundreds of columns may take more memory than others do."""
    try:
        _type(con, raw, config, work, halved)
    except duckdb.OutOfMemoryException:
        con.execute(f"SET GLOBAL memory_limit = '{ROOM}'")
        raw.parts.clear()
        _type(con, raw, config, work, halved)


def _type(con: duckdb.DuckDBPyConnection, raw: Raw, config: Config, work: Path, halved: bool) -> None:
    first_table = next(iter(raw.found.spec.to), None)
    for table in raw.found.spec.to:
        parts = _direct(con, raw, table, config, work, halved) if raw.text.direct else []
        if not parts:
            if raw.text.direct:
                raw.text = _stored(con, raw.decoded, raw.found, raw.text.view, work)
            target = work / f"{raw.text.view} {table}.parquet"
            parts = [write_part(Typing(con, raw.file, raw.found, raw.text, table, config), target)]
            first = parts[0]
            facts = first.rows - first.footer - first.excluded
            most = config.imports.max_quarantine_share
            refuse_too_many(con, raw.file, first.table, first.quarantined, facts, most)
        for part in parts:
            part.own = table == first_table and not raw.found.spec.unpivots and not part.grouped
        raw.parts += parts


def _direct(
    con: duckdb.DuckDBPyConnection, raw: Raw, table: str, config: Config, work: Path, halved: bool
) -> list[Part]:
    """The rows of a file in one pass, of a large one in two halves at the same time; none where it is not in order."""
    texts = halves(con, raw.decoded, raw.found, raw.text, work) if halved else [raw.text]
    with ThreadPoolExecutor(len(texts)) as pool:
        made = list(
            pool.map(
                lambda text: write_in_one_pass(
                    Typing(_cursor(con), raw.file, raw.found, text, table, config),
                    work / f"{text.view} {table}.parquet",
                ),
                texts,
            )
        )
    parts = [part for part in made if part]
    return parts if len(parts) == len(texts) else []
