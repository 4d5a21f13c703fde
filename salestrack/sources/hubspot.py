"""HubSpot's API answers as tables: records, their associations and their property history from JSON files.

A file holds a list of records, one answer of the API (`{"results": […]}`), a list of such answers, or one of these
per line (.jsonl). Each record is a row; what lies inside it (the history of its properties, the stages of a pipeline)
is a second table. Rows are numbered as they stand below a header: the first record is row 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from salestrack.errors import ReadError
from salestrack.sources.answers import Row, records_in, text_of, written
from salestrack.sources.decode import Decoded, decode, sha256_of

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
    records = list(records_in(text))
    if not records:
        raise ReadError.empty(name)
    known = sha256 or sha256_of(path)
    found = [("", [_flat(record) for record in records])]
    found += [(f"{kind} history", list(_history(records, kind))) for kind in (*OBJECTS, "other")]
    if any(isinstance(record.get("stages"), list) for record in records):
        found = [("stages", list(_stages(records)))]
    filled = [(title, rows) for title, rows in found if rows]
    return [(title, written(rows, name, path, work, known, title)) for title, rows in filled]


def _flat(record: dict[str, Any]) -> Row:
    """A record as a row: its own fields, its properties and the ids that it is associated with."""
    row = {key: text_of(value) for key, value in record.items() if not isinstance(value, dict | list)}
    properties = record.get("properties") or {}
    row |= {key: text_of(value) for key, value in properties.items() if key != SAME_AS_ID or "id" not in row}
    for kind, found in (record.get("associations") or {}).items():
        row[f"associations.{kind.replace(' ', '_')}"] = ";".join(_associated(found))
    return row


def _associated(found: Any) -> list[str]:
    """The ids of associated records, the primary one first, each once: of several only the primary one has a label."""
    links = found.get("results", []) if isinstance(found, dict) else found
    primary = [link for link in links if "unlabeled" not in str(link.get("type", ""))]
    return list(dict.fromkeys(text_of(link.get("id")) for link in [*primary, *links]))


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
                own = {key: text_of(version.get(key)) for key in VERSION}
                yield {f"{kind}Id": text_of(record.get("id")), "property": name} | own


def _stages(records: Iterable[dict[str, Any]]) -> Iterator[Row]:
    """One row per stage, with its pipeline."""
    for pipeline in records:
        for stage in pipeline.get("stages") or []:
            yield {
                "pipelineId": text_of(pipeline.get("id")),
                "pipelineLabel": text_of(pipeline.get("label")),
                "pipelineOrder": text_of(pipeline.get("displayOrder")),
                "stageId": text_of(stage.get("id")),
                "stageLabel": text_of(stage.get("label")),
                "stageOrder": text_of(stage.get("displayOrder")),
                "archived": text_of(stage.get("archived")),
            } | {key: text_of(value) for key, value in (stage.get("metadata") or {}).items()}
