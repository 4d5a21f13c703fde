"""Salesforce's ids: 15 characters in reports, 18 in the interfaces; one record has one id here."""

from __future__ import annotations

_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def _check_sql(first: int) -> str:
    """SQL for the check character of five characters: which of them are capitals, as a number in base 2."""
    bits = " + ".join(
        f"CASE WHEN substr(trim(x), {first + place}, 1) BETWEEN 'A' AND 'Z' THEN {1 << place} ELSE 0 END"
        for place in range(5)
    )
    return f"substr('{_CHECK}', 1 + {bits}, 1)"


ID18 = (
    "CREATE OR REPLACE MACRO id18(x) AS CASE WHEN regexp_full_match(trim(x), '[0-9A-Za-z]{15}') "
    f"THEN trim(x) || {' || '.join(_check_sql(first) for first in (1, 6, 11))} ELSE nullif(trim(x), '') END"
)
"""SQL macro: an id of 15 characters with its three check characters, any other text as it is."""
