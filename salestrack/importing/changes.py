"""Whether anything that the tables depend on changed: files, configuration, mappings, our own code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb

from salestrack.config import FILE
from salestrack.errors import MissingData, ReadError
from salestrack.importing.raw import raw_files, systems_of
from salestrack.importing.result import ImportResult, result_of
from salestrack.schema import SCHEMA_VERSION
from salestrack.sources.decode import sha256_of
from salestrack.sources.mapping import mapping_files
from salestrack.store import Store

SEEN = "seen.json"
"""What the last import read, beside the generations of the store."""


def unchanged(data: Path) -> ImportResult | None:
    """The result of the last import when no file's size or time, no setting and no code changed since."""
    try:
        seen = json.loads((data / "store" / SEEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    files, ignored = raw_files(data)
    if seen.get("files") != _stamps(files) or seen.get("settings") != _settings(data):
        return None
    old = stored(data / "store")
    if old is None or old.manifest.get("content") != seen.get("content"):
        return None
    return result_of(old, False, ignored)


def remember(data: Path, files: dict[str, Path], content: str) -> None:
    """Sizes and times of what was read, so that the next look needs no hashing."""
    seen = {"content": content, "settings": _settings(data), "files": _stamps(files)}
    path = data / "store" / SEEN
    path.with_suffix(".new").write_text(json.dumps(seen), encoding="utf-8")
    path.with_suffix(".new").replace(path)


def stored(store_dir: Path) -> Store | None:
    """The generation in use; None when there is none or it is damaged, which a new import mends."""
    try:
        return Store.open(store_dir, verify=False)
    except (MissingData, ReadError):
        return None


def content_of(data: Path, hashes: dict[str, str]) -> str:
    """A hash of everything that the tables depend on: files, configuration, mappings and our own code."""
    return _hash(_depends_on(data) | {"files": hashes})


def _settings(data: Path) -> str:
    """A hash of what apart from the raw files decides the tables; cheap to work out."""
    return _hash(_depends_on(data))


def _hash(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _depends_on(data: Path) -> dict[str, Any]:
    """What apart from the raw files decides the tables."""
    return {
        "schema": SCHEMA_VERSION,
        "duckdb": duckdb.__version__,
        "code": _code_hash(),
        "config": _text_hash([data / FILE]),
        "mappings": _text_hash(list(mapping_files(data / "mappings"))),
        "systems": systems_of(data),
    }


def _code_hash() -> str:
    here = Path(__file__).parent
    package = here.parent
    code = [*sorted((package / "sources").glob("*.py")), *sorted(here.glob("*.py"))]
    code += [package / f"{name}.py" for name in ("history", "numbered", "prepare", "store")]
    tables = [path for path in sorted((package / "schema").glob("*.*")) if path.is_file()]
    return _text_hash([*code, *tables])


def _text_hash(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if path.exists():
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def hashes_of(files: dict[str, Path]) -> dict[str, str]:
    """A hash of the content of each file."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(files, pool.map(sha256_of, files.values()), strict=True))


def _stamps(files: dict[str, Path]) -> dict[str, list[int]]:
    stats = {name: path.stat() for name, path in files.items()}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}
