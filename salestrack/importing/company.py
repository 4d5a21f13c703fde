"""An import from its first look at the files to the new generation, all or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from salestrack import prepare, store
from salestrack.config import Config, load_config
from salestrack.duck import is_full
from salestrack.errors import CannotWrite, DiskFull, InputError, MissingData
from salestrack.importing.changes import content_of, hashes_of, remember, stored, unchanged
from salestrack.importing.raw import copy_in, note_system, raw_files, systems_of
from salestrack.importing.result import ImportResult, result_of
from salestrack.importing.tables import write_tables
from salestrack.sources import database
from salestrack.sources.account import account
from salestrack.sources.build import Progress, build, connect
from salestrack.sources.mapping import load_mappings, systems
from salestrack.sources.parquet import Files
from salestrack.sources.quarantine import refuse_too_many

MORE_ROOM = ("1GB", "4GB")
"""Limits of memory to try next where the usual one is not enough."""


def import_company(
    data_dir: Path | str,
    *,
    paths: Sequence[Path] | None = None,
    urls: Sequence[str] = (),
    as_system: str | None = None,
    fetch: bool = True,
    progress: Progress | None = None,
    wait: float = 60,
    memory_limit: str = "500MB",
    threads: int | None = None,
) -> ImportResult:
    """Brings the company's store up to date with its `raw/` folder.

    Parameters
    ----------
    data_dir : the company's folder
    paths : exports to copy into `raw/` first; they are taken out again when they cannot be read
    urls : addresses of tables in databases to fetch into `raw/` (sources/database.py)
    as_system : the system that `paths` and `urls` come from, where it is not to be recognised
    fetch : whether to fetch the tables that the configuration names, too; they are at the first import in any case
    progress : called with the name of each file
    wait : seconds to wait for another import
    memory_limit, threads : limits for DuckDB

    Returns
    -------
    The account of every file; `changed` is False when nothing was to be done.
    """
    data = Path(data_dir)
    config = load_config(data)
    mappings = load_mappings(data / "mappings")
    if as_system and as_system not in systems(mappings):
        raise InputError.unknown_name("system", as_system, systems(mappings))
    own = config.imports.tables
    if own and not fetch and stored(data / "store"):
        own = ()
    if not (paths or urls or own) and (same := unchanged(data)):
        return same
    with _disk(data), store.lock(data / "store", wait):
        fetched = database.fetch([*urls, *own], data / "raw")
        copied: list[Path] = []
        try:
            copied = copy_in(data, paths or (), as_system)
            if as_system and urls:
                note_system(data, [data / "raw" / database.parse(url).target for url in urls], as_system)
            result = unchanged(data) or _with_room(data, config, progress, memory_limit, threads)
        except BaseException:
            for path in copied:
                path.unlink(missing_ok=True)
            for one in fetched:
                one.undo()
            raise
        for one in fetched:
            one.settle()
        return result


@contextmanager
def _disk(data: Path) -> Iterator[None]:
    """Says in one sentence that the disk is full, whoever found out."""
    try:
        yield
    except (OSError, duckdb.Error) as error:
        if not is_full(error):
            raise
        needed = sum(path.stat().st_size for path in raw_files(data)[0].values())
        raise DiskFull.importing(data, needed, shutil.disk_usage(data).free) from None


def _with_room(
    data: Path, config: Config, progress: Progress | None, memory_limit: str, threads: int | None
) -> ImportResult:
    """Imports; what does not do with the memory that is usual is done again with more."""
    for limit in (memory_limit, *MORE_ROOM):
        try:
            return _import(data, config, progress, limit, threads)
        except duckdb.OutOfMemoryException:
            continue
    raise CannotWrite.no_room(data / "raw", MORE_ROOM[-1])


def _import(
    data: Path, config: Config, progress: Progress | None, memory_limit: str, threads: int | None
) -> ImportResult:
    files, ignored = raw_files(data)
    if not files:
        raise MissingData.no_raw(data / "raw")
    hashes = hashes_of(files)
    content = content_of(data, hashes)
    store_dir = data / "store"
    if (old := stored(store_dir)) and old.manifest.get("content") == content:
        remember(data, files, content)
        return result_of(old, False, ignored)
    with store.staging(store_dir) as folder:
        work, built = folder / "work", folder / "new"
        work.mkdir()
        built.mkdir(mode=0o700)
        con = connect(work, memory_limit, threads)
        try:
            mappings = load_mappings(data / "mappings")
            system_of = systems_of(data)
            raws = build(con, list(files.items()), mappings, config, work, system_of, hashes, progress)
            files_made = Files(con, built)
            prepare.derive(con, config, files_made.write, work)
            log = account(con, raws)
            _refuse_bad_files(con, log, config.imports.max_quarantine_share)
            tables = write_tables(con, raws, log, files_made)
        finally:
            con.close()
        inputs = [
            {"file": name, "sha256": sha, "bytes": files[name].stat().st_size} for name, sha in hashes.items()
        ]
        name = store.next_name(store_dir, content)
        done = store.publish(
            store_dir, built, name, tables, {"content": content, "inputs": inputs, "load_log": log}
        )
    remember(data, files, content)
    return result_of(done, True, ignored)


def _refuse_bad_files(con: duckdb.DuckDBPyConnection, log: Sequence[dict[str, Any]], most: float) -> None:
    """Stops the import for rows that only all data together showed to be bad."""
    for entry in log:
        facts = entry["rows_read"] - entry["footer"] - entry["excluded"]
        refuse_too_many(con, entry["file"], entry["table_name"], entry["quarantined"], facts, most)
