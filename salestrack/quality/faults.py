"""How many rows each check finds faulty."""

from __future__ import annotations

import pandas as pd

from salestrack.book import Book
from salestrack.quality.checks import CHECKS, Check
from salestrack.quality.level import Level


def plausibility(book: Book) -> pd.DataFrame:
    """One row per check of a table that the company has: faulty rows among those it concerns, and the level.

    Returns
    -------
    `check, table, count, n, share, level, en, de` in the order of `CHECKS`; `share` is unknown, and the
    level ok, where a check concerns no row.
    """
    counted = _counted(book)
    rows = []
    for check in CHECKS:
        if check.name in counted:
            count, n = counted[check.name]
            rows.append(
                (
                    check.name,
                    check.table,
                    count,
                    n,
                    count / n if n else None,
                    _level(check, count, n),
                    check.en,
                    check.de,
                )
            )
    table = pd.DataFrame(rows, columns=["check", "table", "count", "n", "share", "level", "en", "de"])
    return table.astype({"count": "int64", "n": "int64", "share": "float64"})


def _level(check: Check, count: int, n: int) -> Level:
    if count > check.share * n:
        return check.level
    return "warn" if count and check.level == "fail" else "ok"


def _counted(book: Book) -> dict[str, tuple[int, int]]:
    """Faulty rows and rows concerned by check; every table is read once."""
    found: dict[str, tuple[int, int]] = {}
    for table in dict.fromkeys(check.table for check in CHECKS):
        checks = [c for c in CHECKS if c.table == table and (not c.other or book.has(c.other))]
        if not checks or not book.has(table):
            continue
        parts = [
            f"count(*) FILTER (({c.among}) AND ({c.where})), count(*) FILTER ({c.among})" for c in checks
        ]
        row = book.table(table).aggregate(", ".join(parts).format(day=f"DATE '{book.as_of}'")).fetchall()[0]
        found |= {c.name: (row[2 * i], row[2 * i + 1]) for i, c in enumerate(checks)}
    return found
