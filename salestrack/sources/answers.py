"""Answers of interfaces as files of JSON: the records in them, whatever they are wrapped in, and tables made of records."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from salestrack.errors import ReadError
from salestrack.sources.decode import Decoded

Row = dict[str, str]


def records_in(text: Decoded) -> Iterator[dict[str, Any]]:
    """Every record of a file: of one answer, a list of answers or records, or several of these one below the other.

    Raises ReadError where the text is no JSON or an answer says that it is an error.
    """
    content = text.path.read_text(encoding="utf-8-sig")
    decoder, place, end = json.JSONDecoder(), 0, len(content.rstrip())
    try:
        while place < end:
            if content[place].isspace():
                place += 1
                continue
            value, place = decoder.raw_decode(content, place)
            yield from _unwrapped(value, text.name)
    except RecursionError:
        raise ReadError.broken_row(text.name, 1, "it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ReadError.broken_row(text.name, error.lineno, error.msg) from None


def _unwrapped(value: Any, name: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for part in value:
            yield from _unwrapped(part, name)
    elif not isinstance(value, dict):
        return
    elif isinstance(value.get("results"), list):  # HubSpot
        yield from _unwrapped(value["results"], name)
    elif value.get("success") is False:  # Pipedrive
        what = f"one of its answers is an error ({text_of(value.get('error')) or 'without a reason'})"
        raise ReadError.incomplete(name, what, "fetch it again")
    elif isinstance(value.get("data"), list) or {"success", "data"} <= set(value):  # Zoho, Pipedrive
        yield from _unwrapped(value["data"], name)
    else:
        yield value


def text_of(value: Any) -> str:
    """A JSON value as the text of a cell; line ends become spaces.

    >>> text_of(True), text_of(None), text_of(12.5), text_of(["a"])
    ('true', '', '12.5', '["a"]')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return " ".join(value.splitlines()) if "\n" in value or "\r" in value else value
    return json.dumps(value, ensure_ascii=False)


def written(rows: Sequence[Row], name: str, path: Path, work: Path, sha256: str, title: str) -> Decoded:
    """The rows as a CSV file; its columns are those of any row, in the order in which they appear."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    target = work / f"{sha256[:16]}{title}.json.csv"
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return Decoded(name, target, sha256, path.stat().st_size, "json", len(rows) + 1, True, False)
