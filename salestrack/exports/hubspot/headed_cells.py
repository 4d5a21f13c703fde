"""Cells under their headings as HubSpot writes them, each as SQL: times, numbers, ticks, words."""

from __future__ import annotations

from salestrack.exports._writing import local, words

MINUTE = "%Y-%m-%d %H:%M"
"""Form of a time in a view."""
INSTANT = "%Y-%m-%dT%H:%M:%SZ"
"""Form of a time in an answer of the API."""


def time(column: str, zone: str, label: str) -> str:
    """A time of the account, to the minute."""
    return f'{local(column, zone, MINUTE)} AS "{label}"'


def number(column: str, label: str) -> str:
    """A number."""
    return f'CAST({column} AS DOUBLE) AS "{label}"'


def flag(condition: str, label: str) -> str:
    """A tick."""
    return f"CASE WHEN {condition} THEN 'Yes' ELSE 'No' END AS \"{label}\""


def worded(values: str, told: dict[str, str]) -> str:
    """Words of a column's values, which are the same in every language: only headings are translated."""
    return words(values, {value: (word, word) for value, word in told.items()}, "en")
