"""What holds around a whole run: private files, and an orderly end when the machine asks for one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def private_files(group_readable: bool) -> Iterator[None]:
    """What the run writes is for its owner (and the group, if wanted), whatever the caller's umask."""
    before = os.umask(0o027 if group_readable else 0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the run as an error does, cleaning up; the exit code is 128 + signal."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def stop(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [(number, signal.signal(number, stop)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
