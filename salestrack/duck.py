"""DuckDB connections as the package uses them."""

from __future__ import annotations

import duckdb


def connect(database: str = ":memory:") -> duckdb.DuckDBPyConnection:
    """A connection that works in UTC and draws no progress bars into anybody's terminal.

    >>> with connect() as con:
    ...     con.execute("SELECT current_setting('TimeZone')").fetchone()
    ('UTC',)
    """
    con = duckdb.connect(database)
    con.execute("SET TimeZone = 'UTC'")
    shown = con.execute("SELECT current_setting('enable_progress_bar')").fetchone()
    if shown and str(shown[0]).lower() == "true":  # a Jupyter kernel has it off, and refuses to be told so
        con.execute("SET enable_progress_bar = false")
    return con
