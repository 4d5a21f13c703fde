"""DuckDB connections as the package uses them."""

from __future__ import annotations

import errno
import os
import tempfile
from uuid import uuid4

import duckdb

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where a disk is full, a quota used up, a file larger than is allowed."""


def connect(database: str = ":memory:", memory: str = "") -> duckdb.DuckDBPyConnection:
    """A connection that works in UTC and draws no progress bars into anybody's terminal.

    What does not fit into `memory` (by default four fifths of the machine's) lies in the system's folder for temporary
    files while it is needed, not where somebody happens to work.

    >>> with connect(memory="300 MiB") as con:
    ...     con.execute("SELECT current_setting('TimeZone'), current_setting('memory_limit')").fetchone()
    ('UTC', '300.0 MiB')
    """
    con = duckdb.connect(database)
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET temp_directory = ?", [os.path.join(tempfile.gettempdir(), f"salestrack-{uuid4().hex}")])
    if memory:
        con.execute("SET memory_limit = ?", [memory])
    shown = con.execute("SELECT current_setting('enable_progress_bar')").fetchone()
    if shown and str(shown[0]).lower() == "true":  # a Jupyter kernel has it off, and refuses to be told so
        con.execute("SET enable_progress_bar = false")
    return con


def local_date(stamp: str, zone: str) -> str:
    """SQL for the calendar day of a UTC timestamp in a time zone."""
    return f"CAST(({stamp}) AT TIME ZONE 'UTC' AT TIME ZONE '{zone}' AS DATE)"


def is_full(error: BaseException) -> bool:
    """Whether the disk had no room for what was to be written.

    >>> is_full(OSError(errno.ENOSPC, "No space left on device"))
    True
    >>> is_full(duckdb.IOException("Could not write file: No space left on device"))
    True
    >>> is_full(duckdb.IOException("No such file or directory"))
    False
    """
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    return isinstance(error, duckdb.Error) and any(os.strerror(number) in str(error) for number in NO_ROOM)


def of_machine(error: BaseException) -> bool:
    """Whether the machine had too little memory or room on its disk, so that nothing is wrong with the files."""
    return is_full(error) or isinstance(error, duckdb.OutOfMemoryException)
