"""Data quality: freshness, what each load did with its rows, and facts that cannot be or point nowhere."""

from __future__ import annotations

import pandas as pd

from salestrack.book import Book
from salestrack.quality.checks import CHECKS, Check
from salestrack.quality.dates import NEWEST, freshness, history
from salestrack.quality.faults import plausibility
from salestrack.quality.imported import USES, amounts, loads, notes, quarantine
from salestrack.quality.level import LEVELS, Level, level_of

__all__ = [
    "CHECKS",
    "LEVELS",
    "NEWEST",
    "USES",
    "Check",
    "Level",
    "amounts",
    "freshness",
    "history",
    "level_of",
    "levels",
    "loads",
    "notes",
    "plausibility",
    "quarantine",
    "worst",
]


def levels(book: Book) -> pd.Series[str]:
    """The level of every check, load, note and table, in this order."""
    return pd.concat(
        [part(book)["level"] for part in (plausibility, loads, notes, freshness)], ignore_index=True
    )


def worst(book: Book) -> Level:
    """The worst level of everything."""
    return level_of(levels(book))
