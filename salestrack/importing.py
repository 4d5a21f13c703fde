"""Importing a company's raw files into its store: nothing when nothing changed, else all or nothing."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from salestrack import prepare, store
from salestrack.config import FILE, Config, load_config
from salestrack.errors import CannotWrite, InputError, MissingData, ReadError
from salestrack.schema import CANONICAL, SCHEMA_VERSION
from salestrack.sources import database
from salestrack.sources.account import account, load_log_table, refuse_too_many
from salestrack.sources.build import SUFFIXES, Raw, build, connect
from salestrack.sources.decode import sha256_of
from salestrack.sources.mapping import load_mappings, mapping_files, quoted, systems
from salestrack.sources.parquet import Files
from salestrack.store import Store

Progress = Callable[[str], None]
SEEN = "seen.json"
MORE_ROOM = ("1GB", "4GB")
"""Limits of memory to try next where the usual one is not enough."""
NOTES = "salestrack/notes"
"""The mapping of the sheet that explains a template."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """Where the rows of one file went, for one canonical table."""

    file: str
    system: str
    mapping: str
    table: str | None
    encoding: str
    delimiter: str | None
    formats: dict[str, Any]
    rows_read: int
    accepted: int
    superseded: int
    quarantined: int
    excluded: int
    footer: int
    amounts: dict[str, dict[str, str]] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did: the generation in use and the account of every file."""

    generation: str
    changed: bool
    files: tuple[FileResult, ...]
    ignored: tuple[str, ...] = ()

    def summary(self) -> str:
        """The account as plain text, one line per file and table."""
        head = f"generation {self.generation}" + ("" if self.changed else ": nothing new")
        lines = [head] + [_line(result) for result in self.files]
        lines += [f"{name}: not a table (CSV, TSV, TXT, XLSX), left alone" for name in self.ignored]
        return "\n".join(lines)


def _line(result: FileResult) -> str:
    parts = [f"{result.rows_read} rows read", f"{result.accepted} accepted"]
    for name in ("superseded", "quarantined", "excluded", "footer"):
        if count := getattr(result, name):
            parts.append(f"{count} {'in the footer' if name == 'footer' else name}")
    if result.mapping == NOTES:
        return f"{result.file}: explanations, left alone"
    text = f"{result.file} -> {result.table or 'ids only'} ({result.system}): {', '.join(parts)}"
    return text + (f"; without a meaning here: {', '.join(result.unmapped)}" if result.unmapped else "")


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
    if own and not fetch and _stored(data / "store"):
        own = ()
    if not (paths or urls or own) and (same := _unchanged(data)):
        return same
    with store.lock(data / "store", wait):
        fetched = database.fetch([*urls, *own], data / "raw")
        copied: list[Path] = []
        try:
            copied = _copy_in(data, paths or (), as_system)
            if as_system and urls:
                _note_system(data, [data / "raw" / database.parse(url).target for url in urls], as_system)
            result = _unchanged(data) or _with_room(data, config, progress, memory_limit, threads)
        except BaseException:
            for path in copied:
                path.unlink(missing_ok=True)
            for one in fetched:
                one.undo()
            raise
        for one in fetched:
            one.settle()
        return result


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
    hashes = _hashes(data, files)
    content = _content(data, hashes)
    store_dir = data / "store"
    if (old := _stored(store_dir)) and old.manifest.get("content") == content:
        _remember(data, files, content)
        return _result(old, False, ignored)
    with store.staging(store_dir) as folder:
        work, built = folder / "work", folder / "new"
        work.mkdir()
        built.mkdir(mode=0o700)
        con = connect(work, memory_limit, threads)
        try:
            mappings = load_mappings(data / "mappings")
            system_of = _systems_of(data)
            raws = build(con, list(files.items()), mappings, config, work, system_of, hashes, progress)
            files_made = Files(con, built)
            prepare.derive(con, config, files_made.write, work)
            log = account(con, raws)
            refuse_too_many(con, log, config.imports.max_quarantine_share)
            tables = _write_tables(con, raws, log, files_made)
        finally:
            con.close()
        inputs = [
            {"file": name, "sha256": sha, "bytes": files[name].stat().st_size} for name, sha in hashes.items()
        ]
        name = store.next_name(store_dir, content)
        done = store.publish(
            store_dir, built, name, tables, {"content": content, "inputs": inputs, "load_log": log}
        )
    _remember(data, files, content)
    return _result(done, True, ignored)


# Which files there are, and whether any of it changed


def raw_files(data: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    """The tables below raw/ by their name there, in natural order (2 before 10), and the files left alone."""
    raw = data / "raw"
    found = (
        [p for p in raw.rglob("*") if p.is_file() and not p.name.startswith((".", "~$"))]
        if raw.is_dir()
        else []
    )
    names = {path.relative_to(raw).as_posix(): path for path in found}
    tables = {
        name: names[name] for name in sorted(names, key=_natural) if names[name].suffix.lower() in SUFFIXES
    }
    return tables, tuple(sorted(set(names) - set(tables)))


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"(\d+)", name.casefold())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts], name


def _content(data: Path, hashes: dict[str, str]) -> str:
    """A hash of everything that the tables depend on: files, configuration, mappings and our own code."""
    own = {
        "schema": SCHEMA_VERSION,
        "duckdb": duckdb.__version__,
        "code": _code_hash(),
        "config": _text_hash([data / FILE]),
        "mappings": _text_hash(list(mapping_files(data / "mappings"))),
        "systems": _systems_of(data),
        "files": hashes,
    }
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def _text_hash(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if path.exists():
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _code_hash() -> str:
    here = Path(__file__).parent
    paths = [*sorted((here / "sources").glob("*.py")), *sorted((here / "schema").glob("*.*"))]
    return _text_hash(
        [
            path
            for path in [
                *paths,
                here / "history.py",
                here / "numbered.py",
                here / "prepare.py",
                here / "store.py",
                here / "importing.py",
            ]
            if path.is_file()
        ]
    )


def _settings(data: Path) -> str:
    """What apart from the raw files decides the tables; cheap to work out."""
    parts = [_code_hash(), _text_hash([data / FILE]), _text_hash(list(mapping_files(data / "mappings")))]
    return hashlib.sha256(
        "".join([*parts, json.dumps(_systems_of(data), sort_keys=True)]).encode()
    ).hexdigest()


def _hashes(data: Path, files: dict[str, Path]) -> dict[str, str]:
    with ThreadPoolExecutor() as pool:
        return dict(zip(files, pool.map(sha256_of, files.values()), strict=True))


def _stamps(files: dict[str, Path]) -> dict[str, list[int]]:
    stats = {name: path.stat() for name, path in files.items()}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _remember(data: Path, files: dict[str, Path], content: str) -> None:
    """Sizes and times of what was read, so that the next look needs no hashing."""
    seen = {"content": content, "settings": _settings(data), "files": _stamps(files)}
    path = data / "store" / SEEN
    path.with_suffix(".new").write_text(json.dumps(seen), encoding="utf-8")
    path.with_suffix(".new").replace(path)


def _unchanged(data: Path) -> ImportResult | None:
    """The result of the last import when no file's size or time, no setting and no code changed since."""
    try:
        seen = json.loads((data / "store" / SEEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    files, ignored = raw_files(data)
    if seen.get("files") != _stamps(files) or seen.get("settings") != _settings(data):
        return None
    old = _stored(data / "store")
    if old is None or old.manifest.get("content") != seen.get("content"):
        return None
    return _result(old, False, ignored)


def _stored(store_dir: Path) -> Store | None:
    """The generation in use; None when there is none or it is damaged, which a new import mends."""
    try:
        return Store.open(store_dir, verify=False)
    except (MissingData, ReadError):
        return None


# Files named on the command line


def _copy_in(data: Path, paths: Sequence[Path], system: str | None) -> list[Path]:
    """Copies exports into raw/; one that is there already, under whatever name, is not copied again."""
    files, _ = raw_files(data)
    have = {sha256_of(path) for path in files.values()} if paths else set()
    copied: list[Path] = []
    for path in _expanded(paths):
        if sha256_of(path) in have:
            continue
        target = _free(data / "raw" / (system or "imported") / path.name)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(path, target)
        copied.append(target)
    if copied and system:
        _note_system(data, copied, system)
    return copied


def _expanded(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise MissingData(f"there is no file {path}: give the path of an export")
        found += (
            sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        )
    return found


def _free(target: Path) -> Path:
    """A name that is not taken: `deals.csv`, `deals.2.csv`, …; later files come later in the order."""
    number, free = 1, target
    while free.exists():
        number += 1
        free = target.with_name(f"{target.stem}.{number}{target.suffix}")
    return free


def _note_system(data: Path, copied: Sequence[Path], system: str) -> None:
    known = _systems_of(data) | {path.relative_to(data / "raw").as_posix(): system for path in copied}
    (data / "raw" / ".systems.json").write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")


def _systems_of(data: Path) -> dict[str, str]:
    """Which system a file was said to come from (`--as`)."""
    try:
        known: dict[str, str] = json.loads((data / "raw" / ".systems.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known


# Writing


def _write_tables(
    con: duckdb.DuckDBPyConnection, raws: Sequence[Raw], log: list[dict[str, Any]], files: Files
) -> dict[str, dict[str, Any]]:
    """The Parquet files of every table; a part that nothing changed is moved, not written again."""
    load_log_table(con, log)
    untouched = _views(con) - files.pieces.keys()
    for name in [*CANONICAL, "load_log", "quarantine"]:
        if name in untouched:
            for part in (part for raw in raws for part in raw.parts if part.table == name):
                files.take(name, part.path, part.accepted)
        elif name not in files.pieces:
            order = " ORDER BY ALL" if name == "quarantine" else ""  # files are read at the same time
            files.write(con, name, f"SELECT * FROM {quoted(name)}{order}")
    return {name: store.entry(name, *found) for name, found in files.settle().items()}


def _views(con: duckdb.DuckDBPyConnection) -> set[str]:
    rows = con.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main'"
    ).fetchall()
    return {row[0] for row in rows}


def _result(done: Store, changed: bool, ignored: tuple[str, ...]) -> ImportResult:
    files = tuple(
        FileResult(
            file=entry["file"],
            system=entry["system"],
            mapping=entry["mapping"],
            table=entry["table_name"],
            encoding=entry["encoding"],
            delimiter=entry["delimiter"],
            formats=entry["formats"],
            rows_read=entry["rows_read"],
            accepted=entry["accepted"],
            superseded=entry["superseded"],
            quarantined=entry["quarantined"],
            excluded=entry["excluded"],
            footer=entry["footer"],
            amounts=entry["amounts"],
            unmapped=tuple(entry["unmapped"]),
        )
        for entry in done.manifest["load_log"]
    )
    return ImportResult(done.generation, changed, files, ignored)
