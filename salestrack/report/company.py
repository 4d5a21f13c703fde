"""What a report must know about the company: its data, brought up to date once, and where they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salestrack.config import FILE, load_config
from salestrack.errors import MissingData
from salestrack.periods import Period

# What a report's record keeps of each load; the rows read are the sum of the five kinds after them.
LOADED = (
    "file",
    "table_name",
    "rows_read",
    "accepted",
    "superseded",
    "quarantined",
    "excluded",
    "footer",
    "amounts",
)


@dataclass(frozen=True)
class Source:
    """The company as this run found it."""

    name: str
    time_zone: str
    language: str
    month: str
    inputs: Mapping[str, str]
    tables: Mapping[str, Any]
    loads: Sequence[Mapping[str, Any]] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all input files and their names: the same data, the same fingerprint."""
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(self.inputs.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


def read_source(data_dir: Path, month: str | None) -> Source:
    """Import what is new in the company's folder and settle the month (default: the last full one)."""
    from salestrack.book import span
    from salestrack.importing import import_company
    from salestrack.store import Store

    config = load_config(data_dir)
    import_company(data_dir)
    store = Store.open(data_dir / "store")
    first, last = span(store)
    wanted = Period.month(month) if month else last
    if not first.start <= wanted.start <= last.start:
        raise MissingData.no_month(wanted.label, config.name, first.label, last.label)
    inputs = {path.relative_to(data_dir).as_posix(): file_hash(path) for path in settings_files(data_dir)}
    inputs |= {f"raw/{one['file']}": str(one["sha256"]) for one in store.manifest["inputs"]}
    return Source(
        name=config.name,
        time_zone=config.time_zone,
        language=config.language,
        month=wanted.label,
        inputs=inputs,
        tables={name: {"rows": entry["rows"]} for name, entry in sorted(store.manifest["tables"].items())},
        loads=[{key: load.get(key) for key in LOADED} for load in store.manifest["load_log"]],
    )


def settings_files(data_dir: Path) -> Iterator[Path]:
    """The files beside the exports that decide the figures: configuration and mappings."""
    yield from (path for path in [data_dir / FILE] if path.is_file())
    yield from sorted(path for path in (data_dir / "mappings").rglob("*") if path.is_file())


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
