"""HubSpot's API answers as tables: records, their associations and their property history from JSON files.

A file holds a list of records, one answer of the API (`{"results": […]}`), a list of such answers, or one of these
per line (.jsonl). Each record is a row; what lies inside it (the history of its properties, the stages of a pipeline)
is a second table. Rows are numbered as they stand below a header: the first record is row 2.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from salestrack.errors import ReadError
from salestrack.sources.decode import Decoded, decode, sha256_of

Row = dict[str, str]
SAME_AS_ID = "hs_object_id"
"""HubSpot repeats a record's id among its properties."""
VERSION = ("value", "timestamp", "sourceType", "updatedByUserId")
OBJECTS = {  # properties that only this kind of record has
    "deal": {"dealname", "dealstage"},
    "contact": {"email", "firstname", "lastname", "hs_lead_status"},
    "company": {"domain", "numberofemployees"},
}


def tables(path: Path, name: str, work: Path, sha256: str) -> list[tuple[str, Decoded]]:
    """The tables in a JSON file: its records and, where they have some, their history or stages.

    Raises ReadError where the file is no JSON or holds no records.
    """
    text = decode(path, name, work, sha256)
    records = list(_records(text))
    if not records:
        raise ReadError.empty(name)
    known = sha256 or sha256_of(path)
    found = [("", [_flat(record) for record in records])]
    found += [(f"{kind} history", list(_history(records, kind))) for kind in (*OBJECTS, "other")]
    if any(isinstance(record.get("stages"), list) for record in records):
        found = [("stages", list(_stages(records)))]
    filled = [(title, rows) for title, rows in found if rows]
    return [(title, _written(rows, name, path, work, known, title)) for title, rows in filled]


def _records(text: Decoded) -> Iterator[dict[str, Any]]:
    """Every record of a file, whatever it is wrapped in."""
    content = text.path.read_text(encoding="utf-8-sig")
    try:
        yield from _unwrapped(json.loads(content))
    except RecursionError:
        raise ReadError.broken_row(text.name, 1, "it is nested too deeply") from None
    except json.JSONDecodeError as whole:
        lines = content.split("\n")
        if not content.lstrip().startswith("{") or whole.msg != "Extra data":
            raise ReadError.broken_row(text.name, whole.lineno, whole.msg) from None
        for number, line in enumerate(lines, start=1):
            yield from _line(text.name, number, line)


def _line(name: str, number: int, line: str) -> Iterator[dict[str, Any]]:
    try:
        yield from _unwrapped(json.loads(line) if line.strip() else [])
    except json.JSONDecodeError as error:
        raise ReadError.broken_row(name, number, error.msg) from None


def _unwrapped(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for part in value:
            yield from _unwrapped(part)
    elif isinstance(value, dict) and isinstance(value.get("results"), list):
        yield from _unwrapped(value["results"])
    elif isinstance(value, dict) and isinstance(value.get("data"), list):  # Pipedrive, Zoho
        yield from _unwrapped(value["data"])
    elif isinstance(value, dict):
        yield value


def _flat(record: dict[str, Any]) -> Row:
    """A record as a row: its own fields, its properties and the ids that it is associated with."""
    row = {key: _text(value) for key, value in record.items() if not isinstance(value, dict | list)}
    properties = record.get("properties") or {}
    row |= {key: _text(value) for key, value in properties.items() if key != SAME_AS_ID or "id" not in row}
    for kind, found in (record.get("associations") or {}).items():
        row[f"associations.{kind.replace(' ', '_')}"] = ";".join(_associated(found))
    return row


def _associated(found: Any) -> list[str]:
    """The ids of associated records, the primary one first, each once: of several only the primary one has a label."""
    links = found.get("results", []) if isinstance(found, dict) else found
    primary = [link for link in links if "unlabeled" not in str(link.get("type", ""))]
    return list(dict.fromkeys(_text(link.get("id")) for link in [*primary, *links]))


def _object(record: dict[str, Any]) -> str:
    """What a record is, by its properties."""
    known = {*(record.get("properties") or {}), *(record.get("propertiesWithHistory") or {})}
    return next((kind for kind, proof in OBJECTS.items() if known & proof), "other")


def _history(records: Iterable[dict[str, Any]], kind: str) -> Iterator[Row]:
    """One row per value that a property of a record of this kind had, the oldest first."""
    for record in records:
        if _object(record) != kind:
            continue
        for name, versions in (record.get("propertiesWithHistory") or {}).items():
            for version in sorted(versions, key=lambda v: str(v.get("timestamp"))):
                own = {key: _text(version.get(key)) for key in VERSION}
                yield {f"{kind}Id": _text(record.get("id")), "property": name} | own


def _stages(records: Iterable[dict[str, Any]]) -> Iterator[Row]:
    """One row per stage, with its pipeline."""
    for pipeline in records:
        for stage in pipeline.get("stages") or []:
            yield {
                "pipelineId": _text(pipeline.get("id")),
                "pipelineLabel": _text(pipeline.get("label")),
                "pipelineOrder": _text(pipeline.get("displayOrder")),
                "stageId": _text(stage.get("id")),
                "stageLabel": _text(stage.get("label")),
                "stageOrder": _text(stage.get("displayOrder")),
                "archived": _text(stage.get("archived")),
            } | {key: _text(value) for key, value in (stage.get("metadata") or {}).items()}


def _text(value: Any) -> str:
    """A JSON value as the text of a cell; line ends become spaces.

    >>> _text(True), _text(None), _text(12.5), _text(["a"])
    ('true', '', '12.5', '["a"]')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return " ".join(value.splitlines()) if "\n" in value or "\r" in value else value
    return json.dumps(value, ensure_ascii=False)


def _written(rows: Sequence[Row], name: str, path: Path, work: Path, sha256: str, title: str) -> Decoded:
    """The rows as a CSV file; its columns are those of any row, in the order in which they appear."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    target = work / f"{sha256[:16]}{title}.json.csv"
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return Decoded(name, target, sha256, path.stat().st_size, "json", len(rows) + 1, True, False)
