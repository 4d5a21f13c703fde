"""Zoho's API answers as tables: the timelines of records, one row per field that changed, and the stages of deals.

A file holds one answer (`{"__timeline": […]}` or `{"stages": […]}`), a list of answers, or one answer per line. Rows are
numbered as they stand below a header: the first is row 2.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from salestrack.sources.decode import Decoded, decode, sha256_of

STAGES = (
    "display_value",
    "actual_value",
    "sequence_number",
    "forecast_type",
    "forecast_category",
    "probability",
    "pipeline",
)
Row = dict[str, str]


def tables(path: Path, name: str, work: Path, sha256: str) -> list[tuple[str, Decoded]] | None:
    """The tables in a JSON file of Zoho's; None where it is none."""
    text = decode(path, name, work, sha256).path.read_text(encoding="utf-8-sig")
    if '"__timeline"' not in text and '"forecast_type"' not in text:
        return None
    answers = list(_answers(text))
    changes = [row for answer in answers for row in _changes(answer)]
    stages = [row for answer in answers for row in _stages(answer)]
    found = [(title, rows) for title, rows in (("timeline", changes), ("stages", stages)) if rows]
    known, size = sha256 or sha256_of(path), path.stat().st_size
    return [
        (
            title if len(found) > 1 else "",
            _written(work / f"{known[:16]}{title}.csv", rows, name, known, size),
        )
        for title, rows in found
    ] or None


def _answers(text: str) -> Iterator[dict[str, Any]]:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        try:
            whole = [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError:
            return
    yield from (
        answer for answer in (whole if isinstance(whole, list) else [whole]) if isinstance(answer, dict)
    )


def _changes(answer: dict[str, Any]) -> Iterator[Row]:
    """One row per field that changed in one entry of a timeline."""
    for entry in answer.get("__timeline") or []:
        record = entry.get("record") or {}
        for field in entry.get("field_history") or []:
            value = field.get("_value") or {}
            yield {
                "record_id": _text(record.get("id")),
                "module": _text((record.get("module") or {}).get("api_name")),
                "api_name": _text(field.get("api_name")),
                "old": _text(value.get("old")),
                "new": _text(value.get("new")),
                "audited_time": _text(entry.get("audited_time")),
                "done_by": _text(entry.get("done_by")),
                "source": _text(entry.get("source")),
            }


def _stages(answer: dict[str, Any]) -> Iterator[Row]:
    for stage in answer.get("stages") or []:
        category = stage.get("forecast_category")
        named = {"forecast_category": category.get("name")} if isinstance(category, dict) else {}
        yield {name: _text((stage | named).get(name)) for name in STAGES}


def _text(value: Any) -> str:
    """A JSON value as the text of a cell; of a record its id, else its name.

    >>> _text({"id": "7", "name": "Ada"}), _text({"name": "Commit"}), _text(12.5), _text(None)
    ('7', 'Commit', '12.5', '')
    """
    if isinstance(value, dict):
        value = value.get("id") or value.get("name")
    return "" if value is None else " ".join(str(value).split())


def _written(target: Path, rows: list[Row], name: str, sha256: str, size: int) -> Decoded:
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return Decoded(name, target, sha256, size, "json", len(rows) + 1, True, False)
