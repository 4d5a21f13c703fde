"""The store: Parquet files in immutable generations and one pointer file, checked by SHA-256.

    store/CURRENT                       the name of the generation in use
    store/generations/<id>/<table>.parquet
    store/generations/<id>/manifest.json

A generation is written whole into a staging folder, renamed into place and only then pointed at, so a reader
sees the old data or the new, whatever happens to the import.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salestrack.duck import is_full
from salestrack.errors import Busy, CannotWrite, MissingData, ReadError
from salestrack.schema import SCHEMA_VERSION
from salestrack.sources.decode import sha256_of

KEPT = 2
"""Generations that are kept: the one in use and the one before, for readers that are still at it."""


@dataclass(frozen=True, slots=True)
class Store:
    """One generation of a company's tables, as Parquet files."""

    folder: Path
    generation: str
    manifest: dict[str, Any]

    @property
    def tables(self) -> dict[str, Path]:
        """The Parquet file of every table; a pattern (`deals.*.parquet`) where it has several."""
        return {name: self.folder / entry["file"] for name, entry in self.manifest["tables"].items()}

    @classmethod
    def open(cls, store_dir: Path, verify: bool = True) -> Store:
        """The generation in use.

        Sizes are always compared with the manifest, contents (SHA-256) when `verify`. Raises MissingData when
        nothing was imported yet and ReadError when a file is not as it was written.
        """
        name = current(store_dir)
        if name is None:
            raise MissingData(f"{store_dir} holds no data yet: run salestrack import")
        folder = store_dir / "generations" / name
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ReadError.damaged(
                folder / "manifest.json", "the list of stored files cannot be read"
            ) from None
        store = cls(folder, name, manifest)
        store._check(verify)
        return store

    def _check(self, verify: bool) -> None:
        tables = self.manifest["tables"].values()
        for piece in [piece for table in tables for piece in table.get("pieces", [table])]:
            path = self.folder / piece["file"]
            size = path.stat().st_size if path.exists() else -1
            if size != piece["bytes"] or (verify and sha256_of(path) != piece["sha256"]):
                raise ReadError.damaged(
                    path, "the file is missing" if size < 0 else "the file is not as it was written"
                )


def current(store_dir: Path) -> str | None:
    """The name of the generation in use, None where there is none."""
    try:
        name = (store_dir / "CURRENT").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return name if (store_dir / "generations" / name / "manifest.json").exists() else None


@contextmanager
def staging(store_dir: Path) -> Iterator[Path]:
    """A folder to build a generation in; litter of dead imports goes first, the folder itself at the end."""
    folder = store_dir / "staging"
    try:
        clean(store_dir)
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        if is_full(error):
            raise
        raise CannotWrite(f"{store_dir} cannot be written ({error.strerror}): allow writing there") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clean(store_dir: Path) -> None:
    """Removes what dead imports left behind and generations that nobody needs any more."""
    shutil.rmtree(store_dir / "staging", ignore_errors=True)
    generations = store_dir / "generations"
    if not generations.is_dir():
        return
    name = current(store_dir)
    whole = sorted(
        p
        for p in generations.iterdir()
        if (p / "manifest.json").exists() and (name is None or p.name <= name)
    )
    for folder in generations.iterdir():
        if folder not in whole[-KEPT:] and folder.name != name:
            shutil.rmtree(folder, ignore_errors=True)


def publish(
    store_dir: Path, built: Path, name: str, tables: dict[str, dict[str, Any]], more: dict[str, Any]
) -> Store:
    """Makes the folder `built` the generation `name`; nothing points at it before everything is on disk."""
    manifest = {"schema_version": SCHEMA_VERSION, "generation": name, "tables": tables, **more}
    target = store_dir / "generations" / name
    try:
        _write(
            built / "manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        )
        for path in built.iterdir():
            _sync(path)
        _sync(built)
        target.parent.mkdir(exist_ok=True, mode=0o700)
        shutil.rmtree(target, ignore_errors=True)
        built.replace(target)
        _sync(target.parent)
        _write(store_dir / "CURRENT.new", name + "\n")
        (store_dir / "CURRENT.new").replace(store_dir / "CURRENT")
        _sync(store_dir)
    except OSError as error:
        if is_full(error):
            raise
        raise CannotWrite(f"{store_dir} cannot be written ({error.strerror}): allow writing there") from None
    clean(store_dir)
    return Store(target, name, manifest)


def entry(name: str, paths: Sequence[Path], rows: int) -> dict[str, Any]:
    """What the manifest says about the files of one table."""
    pieces = [{"file": p.name, "bytes": p.stat().st_size, "sha256": sha256_of(p)} for p in paths]
    if len(pieces) == 1:
        return pieces[0] | {"rows": rows}
    whole = hashlib.sha256("".join(str(piece["sha256"]) for piece in pieces).encode()).hexdigest()
    size = sum(path.stat().st_size for path in paths)
    return {"file": f"{name}.*.parquet", "bytes": size, "sha256": whole, "rows": rows, "pieces": pieces}


def next_name(store_dir: Path, content: str) -> str:
    """The name of the next generation: a rising number and the beginning of the content's hash."""
    last = current(store_dir) or "0"
    return f"{int(last.partition('-')[0]) + 1:06d}-{content[:12]}"


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    """Forces a file or folder to disk; systems that cannot open folders do so by themselves."""
    with suppress(PermissionError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def lock(store_dir: Path, wait: float = 60) -> Iterator[None]:
    """Lets one import at a time at a store; a second one waits up to `wait` seconds, then is refused (Busy).

    The lock belongs to the open file and is gone with its process, however that ends.
    """
    try:
        store_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(store_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        if is_full(error):
            raise
        raise CannotWrite(f"{store_dir} cannot be written ({error.strerror}): allow writing there") from None
    try:
        _acquire(descriptor, store_dir, time.monotonic() + wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0) if hasattr(os, "pwrite") else None
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, store_dir: Path, until: float) -> None:
    while not _try_lock(descriptor):
        if time.monotonic() >= until:
            owner = os.read(descriptor, 20).decode(errors="replace") or "unknown"
            raise Busy(
                f"{store_dir} is in use by another import (process {owner}): "
                "wait for it and run the command again"
            )
        time.sleep(0.1)


def _try_lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:
        return _try_lock_windows(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_lock_windows(descriptor: int) -> bool:
    import msvcrt

    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False
    return True
