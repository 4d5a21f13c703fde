"""The files below raw/: which there are, taking in others, and the system each was said to come from."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from salestrack.errors import MissingData
from salestrack.sources.decode import sha256_of
from salestrack.sources.inputs import SUFFIXES

SYSTEMS = ".systems.json"
"""The file that says which system a file was said to come from."""


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


def copy_in(data: Path, paths: Sequence[Path], system: str | None) -> list[Path]:
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
        note_system(data, copied, system)
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


def note_system(data: Path, copied: Sequence[Path], system: str) -> None:
    """Keeps which system files were said to come from."""
    known = systems_of(data) | {path.relative_to(data / "raw").as_posix(): system for path in copied}
    (data / "raw" / SYSTEMS).write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")


def systems_of(data: Path) -> dict[str, str]:
    """Which system a file was said to come from (`--as`)."""
    try:
        known: dict[str, str] = json.loads((data / "raw" / SYSTEMS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known
