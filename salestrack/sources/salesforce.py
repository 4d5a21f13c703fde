"""Salesforce's ids: 15 characters in reports, 18 in the interfaces; one record has one id here."""

from __future__ import annotations

_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_BITS = " ".join("".join(str(number >> place & 1) for place in range(5)) for number in range(32))
"""The 32 patterns of capitals (1) among five characters, in the order of the check characters that stand for them."""
_CAPITALS = "regexp_replace(regexp_replace(trim(x), '[^A-Z]', '0', 'g'), '[A-Z]', '1', 'g')"


def _check_sql(first: int) -> str:
    """SQL for the check character of five characters: which of them are capitals."""
    return f"substr('{_CHECK}', 1 + (strpos('{_BITS}', substr({_CAPITALS}, {first}, 5)) - 1) // 6, 1)"


ID18 = (
    "CREATE OR REPLACE MACRO id18(x) AS CASE WHEN regexp_full_match(trim(x), '[0-9A-Za-z]{15}') "
    f"THEN trim(x) || {' || '.join(_check_sql(first) for first in (1, 6, 11))} ELSE nullif(trim(x), '') END"
)
"""SQL macro: an id of 15 characters with its three check characters, any other text as it is."""
