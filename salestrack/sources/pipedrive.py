"""Deals as Pipedrive's API answers them, as a table: pages of version 1 with people inside them, or of 2 with their ids.

A file holds one page (`{"success": true, "data": […]}`), several one below the other or in a list, or one deal per line.
Of a nested person, organization or user only the id is kept. Fields of the company's own, bare in version 1 and below
`custom_fields` in 2, get the same columns: the field's key, and `key_currency` beside an amount.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from salestrack.sources.answers import records_in, text_of, written
from salestrack.sources.decode import Decoded, decode, sha256_of

PROOF = ("title", "stage_id")
"""What a deal has and no other record of Pipedrive's."""
OWN = "custom_fields"


def tables(path: Path, name: str, work: Path, sha256: str) -> list[tuple[str, Decoded]] | None:
    """The deals in a JSON file; None where it holds anything else."""
    text = decode(path, name, work, sha256)
    content = text.path.read_text(encoding="utf-8-sig")
    if not all(re.search(rf'"{key}"\s*:', content) for key in PROOF):
        return None
    deals = list(records_in(text))
    if not deals or not all(key in deal for deal in deals for key in PROOF):
        return None
    rows = [dict(_cells(deal)) for deal in deals]
    return [("", written(rows, name, path, work, sha256 or sha256_of(path), ""))]


def _cells(deal: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The cells of one deal with their columns."""
    for key, value in deal.items():
        if key == OWN and isinstance(value, dict):
            for own, told in value.items():
                yield from _own(own, told)
        elif isinstance(value, dict):
            yield key, text_of(value.get("value", value.get("id")))
        else:
            yield key, _listed(value)


def _own(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """A field of the company's own; what has parts (an amount and its currency, a time and its end) has several columns.

    >>> dict(_own("d4de", {"value": 2300, "currency": "EUR"})), dict(_own("53c2", [1, 2]))
    ({'d4de': '2300', 'd4de_currency': 'EUR'}, {'53c2': '1,2'})
    """
    parts = value if isinstance(value, dict) else {"value": value}
    for part, told in parts.items():
        yield key if part == "value" else f"{key}_{part}", _listed(told)


def _listed(value: Any) -> str:
    return ",".join(map(text_of, value)) if isinstance(value, list) else text_of(value)
