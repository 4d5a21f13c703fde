"""The folder of reports: one run at a time, and readers see the old report or the new one, never a mixture.

reports/
  2026-10/        index.html, one page per notebook, notebooks/, manifest.json, run.json
  latest          the newest month
  index.html      all months
  draft/2026-10/  a run of some notebooks only
  failed/2026-10/ the notebook that stopped the last run
  .lock           held while a run is at work
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from salestrack.errors import Busy, CannotWrite

MONTH = re.compile(r"\d{4}-\d{2}")
SCRATCH_PREFIX = "salestrack-"


class Shelf:
    """The reports folder during one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".lock").touch()
        except OSError as error:
            raise CannotWrite(
                f"{folder} cannot be written ({error.strerror}): give another folder with --out"
            ) from None

    @contextmanager
    def locked(self) -> Iterator[Shelf]:
        """Hold the folder; a second run is refused and told who holds it. A killed run keeps no lock."""
        # Not inheritable (Python's default): a child that outlives the run would keep the lock.
        with (self.folder / ".lock").open("r+", encoding="utf-8") as file:
            if not _try_lock(file):
                raise _busy(self.folder, file.read())
            self._tidy(file.read())
            try:
                yield self
            finally:
                file.truncate(0)

    def note(self, scratch: Path) -> None:
        """Write into the lock who holds it, and which temporary folder to remove if this run is killed."""
        text = json.dumps({"pid": os.getpid(), "since": utc_now(), "scratch": str(scratch)})
        (self.folder / ".lock").write_text(text, encoding="utf-8")

    def _tidy(self, left_by_last_run: str) -> None:
        """Finish or remove what a killed run has left; the lock is held, so nobody is at work on it."""
        for old in self.folder.glob(".old-*"):
            month = old.name.removeprefix(".old-")
            target = (
                self.folder / ("draft" if month.startswith("draft-") else "") / month.removeprefix("draft-")
            )
            if not target.exists():
                old.rename(target)
        for left in [*self.folder.glob(".stage-*"), *self.folder.glob(".old-*"), *self.folder.glob(".new-*")]:
            remove(left)
        with suppress(ValueError, KeyError, TypeError):
            scratch = Path(json.loads(left_by_last_run)["scratch"])
            if scratch.parent == Path(tempfile.gettempdir()) and scratch.name.startswith(SCRATCH_PREFIX):
                remove(scratch)

    @contextmanager
    def stage(self, month: str) -> Iterator[Path]:
        """A new folder in which a report is made, on the same disk; gone afterwards, whatever happens."""
        folder = self.folder / f".stage-{month}"
        folder.mkdir()
        try:
            yield folder
        finally:
            remove(folder)

    def publish(self, stage: Path, month: str, *, draft: bool) -> Path:
        """Put the finished report in the place of the old one in one step; returns its folder."""
        target = self.folder / "draft" / month if draft else self.folder / month
        target.parent.mkdir(exist_ok=True)
        sync_tree(stage)
        if not target.exists():
            stage.rename(target)
        elif not exchange(stage, target):
            # No exchange on this file system: two renames; the next run repairs what is killed between them.
            old = self.folder / f".old-{'draft-' if draft else ''}{month}"
            target.rename(old)
            stage.rename(target)
            remove(old)
        sync_folder(target.parent)
        return target

    def months(self) -> list[str]:
        """The published months, the newest first."""
        found = [path.name for path in self.folder.iterdir() if MONTH.fullmatch(path.name)]
        return sorted(
            (name for name in found if (self.folder / name / "manifest.json").is_file()), reverse=True
        )

    def manifest(self, month: str) -> dict[str, Any]:
        """The record of a published month."""
        found: dict[str, Any] = json.loads(
            (self.folder / month / "manifest.json").read_text(encoding="utf-8")
        )
        return found

    def point_to_latest(self) -> None:
        """Let `latest` lead to the newest month."""
        newest = self.months()[0]
        new = self.folder / ".new-latest"
        remove(new)
        try:
            new.symlink_to(newest, target_is_directory=True)
            new.replace(self.folder / "latest")
        except OSError:  # Windows lets not everybody make links
            target = f"{newest}/index.html"
            head = f'<title>{newest}</title><meta http-equiv="refresh" content="0; url={target}">'
            self.write("latest.html", f'<!DOCTYPE html>{head}<a href="{target}">{newest}</a>\n')

    def write(self, name: str, text: str) -> None:
        """Replace a file of the folder itself in one step."""
        new = self.folder / f".new-{name}"
        write_file(new, text)
        new.replace(self.folder / name)
        sync_folder(self.folder)

    def keep_failed(self, month: str, name: str, text: str) -> Path:
        """Keep a notebook that failed, for whoever looks for the cause."""
        self.forget_failed(month)
        folder = self.folder / "failed" / month
        folder.mkdir(parents=True)
        write_file(folder / f"{name}.ipynb", text)
        return folder / f"{name}.ipynb"

    def forget_failed(self, month: str) -> None:
        """Remove what an earlier failure of the month has left."""
        remove(self.folder / "failed" / month)
        with suppress(OSError):  # other months may have failed as well
            (self.folder / "failed").rmdir()


def _try_lock(file: Any) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _busy(folder: Path, note: str) -> Busy:
    try:
        holder = json.loads(note)
        who = f"run {holder['pid']} (since {holder['since']})"
    except (ValueError, KeyError, TypeError):
        who = "another run"
    return Busy(f"{who} is making a report in {folder}: wait until it has ended")


def utc_now() -> str:
    """The time for records of runs; no figure and no page depends on it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where the system cannot."""
    libc: Any = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    first, second = os.fsencode(one), os.fsencode(other)
    if hasattr(libc, "renameat2"):
        here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
        result = libc.renameat2(here, first, here, second, swap)
    elif hasattr(libc, "renamex_np"):
        result = libc.renamex_np(first, second, 2)  # RENAME_SWAP
    else:
        return False
    if result == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(other))


def write_file(path: Path, text: str) -> None:
    """Write a text file and wait until it is on the disk."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_tree(folder: Path) -> None:
    """Wait until the names in a folder and in its folders are on the disk; files are synced when written."""
    for path in [*(found for found in folder.rglob("*") if found.is_dir()), folder]:
        sync_folder(path)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name != "posix":
        return  # Windows has no handle on a folder that could be synced
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
