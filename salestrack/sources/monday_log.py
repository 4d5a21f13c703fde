"""Activity logs of monday.com boards: one row per event, as the interface answers or as a table of old and new values.

What an event means for a deal is worked out here: the stage that an item came to (`Stage entered`), the field that
changed (`Field`) with its old and new value. The stage of an item's creation is what its first change left behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from salestrack.errors import ReadError
from salestrack.sources.decode import Decoded
from salestrack.sources.lines import AtLines, cells, delimiter_of, filled, first_lines, rows
from salestrack.sources.mapping import FOLDER, normal, read_mapping
from salestrack.sources.monday import known

CREATED = frozenset(
    {"create_pulse", "create_item", "created", "item created", "erstellt", "element erstellt"}
)
CHANGED = frozenset(
    {"update_column_value", "column value changed", "changed", "geändert", "spaltenwert geändert"}
)
FIELDS = ("amount", "expected_close_date", "owner_rep_id", "probability", "currency_code")
COLUMNS = (
    "Event", "Changed item", "Column", "Field", "Old value", "New value", "Old person", "New person",
    "Entry", "Stage entered", "Changed at",
)  # fmt: skip
_DAYS = ("%b %d, %Y", "%B %d, %Y", "%d.%m.%Y")
_TIMES = ("", " %I:%M %p", ", %I:%M %p", " %H:%M", ", %H:%M", " %H:%M:%S")
_NUMBER = re.compile(r"[€$£ ]*-?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?[ €$£%]*")
_TICKS = 10_000_000
"""The interface counts time in ten-millionths of a second."""


@dataclass(slots=True)
class Event:
    """One row of a log."""

    file: str
    line: int
    event: str
    item: str
    column: str
    old: str
    new: str
    at: str

    @property
    def meaning(self) -> str:
        """The mapping's name of the column that changed; empty where it knows none."""
        return known("deal").get(normal(self.column), "")


def layout(text: Decoded, work: Path) -> list[tuple[str, Decoded]] | None:
    """The events with what they mean for deals, on their lines; None for a text that is no activity log."""
    first = next(iter(first_lines(text.path, 1)), "")
    delimiter = delimiter_of(first)
    header = [normal(cell) for cell in cells(first, delimiter)]
    answers = {"event", "data", "created_at"} <= set(header)
    names = {found: place for place, cell in enumerate(header) if (found := known("log").get(cell))}
    if not answers and not {"Event", "Changed item", "Column", "New value", "Changed at"} <= set(names):
        return None
    read = _answered if answers else _listed
    places = {cell: place for place, cell in enumerate(header)} if answers else names
    lines = ((line, row) for line, row in rows(text.path, delimiter) if filled(row))
    events = [read(text.name, line, row, places) for line, row in islice(lines, 1, None)]
    with AtLines(work / f"{text.path.stem[:40]}-{text.sha256[:16]}-log.csv", delimiter) as file:
        file.write(1, COLUMNS)
        for event, told in zip(events, _meant(events), strict=True):
            file.write(event.line, [event.event, event.item, event.column, *told, event.at])
    return [("", replace(text, path=file.path, newlines=file.line, ends_with_newline=True))]


def _listed(file: str, line: int, row: list[str], places: dict[str, int]) -> Event:
    """An event of a table with a column for the old and one for the new value."""
    told = {name: row[place].strip() if place < len(row) else "" for name, place in places.items()}
    event = normal(told["Event"])
    kind = "create_pulse" if event in CREATED else "update_column_value" if event in CHANGED else event
    values = told.get("Old value", ""), told["New value"], told["Changed at"]
    return Event(file, line, kind, told["Changed item"], told["Column"], *values)


def _answered(file: str, line: int, row: list[str], places: dict[str, int]) -> Event:
    """An event as the interface answers: what happened is JSON in one cell."""
    event = row[places["event"]].strip()
    try:
        data: Any = json.loads(row[places["data"]])
    except (ValueError, IndexError):
        data = {}
    data = data if isinstance(data, dict) else {}
    item = str(data.get("pulse_id") or data.get("item_id") or "")
    values = _plain(data.get("previous_value")), _plain(data.get("value"))
    return Event(
        file,
        line,
        event,
        item,
        str(data.get("column_title") or ""),
        *values,
        _time(row[places["created_at"]]),
    )


def _plain(value: Any) -> str:
    """A column's value as text; people are told by number only, which no board shows, so they are left out.

    >>> _plain({"label": {"index": 1, "text": "Won"}}), _plain({"value": 12.5}), _plain({"date": "2026-10-31"})
    ('Won', '12.5', '2026-10-31')
    """
    if not isinstance(value, dict):
        return "" if value is None else str(value)
    if isinstance(value.get("label"), dict):
        return str(value["label"].get("text") or "")
    found = next((value[key] for key in ("date", "value", "text", "label") if value.get(key) is not None), "")
    return str(found)


def _time(text: str) -> str:
    """The time of an event as ISO text with a Z.

    >>> _time("17775432000000000"), _time("2026-04-30T10:00:00Z")
    ('2026-04-30T10:00:00Z', '2026-04-30T10:00:00Z')
    """
    if not text.strip().isdigit():
        return text.strip()
    return datetime.fromtimestamp(int(text) // _TICKS, UTC).isoformat().replace("+00:00", "Z")


def _meant(events: list[Event]) -> Iterator[tuple[str, ...]]:
    """Field, values, whether it is an entry into a stage, and into which: for each event."""
    stage = "Stage" if any(event.meaning == "Stage" for event in events) else "Status"
    first = _first_stages(events, stage)
    fields = _fields()
    for event in events:
        moved = event.event == "update_column_value" and event.meaning == stage and event.new
        born = event.event == "create_pulse" and first.get(event.item, "?") != ""
        name = fields.get(event.meaning, "") if event.event == "update_column_value" else ""
        person = name == "owner_rep_id"
        name = "" if person and not event.old and not event.new else name
        old, new = (_machine(event, name, event.old), _machine(event, name, event.new)) if name else ("", "")
        values = ("", "", old, new) if person else (old, new, "", "")
        entered = event.new if moved else first.get(event.item, "") if born else ""
        yield (name, *values, "1" if moved or born else "", entered)


def _first_stages(events: list[Event], stage: str) -> dict[str, str]:
    """What each item's first change of the stage left behind, by the time of the changes."""
    moves = [event for event in events if event.event == "update_column_value" and event.meaning == stage]
    first: dict[str, str] = {}
    for event in sorted(moves, key=_when):
        first.setdefault(event.item, event.old)
    return first


def _when(event: Event) -> tuple[datetime, int]:
    """When an event was; logs are written with the newest first, so that of one moment the later line came first."""
    return when(event.at), -event.line


def when(text: str) -> datetime:
    """A time or day of a log, without its zone; the earliest of all for a text that is neither.

    >>> when("Apr 30, 2026 3:04 PM"), when("2026-04-30T15:04:00.000Z"), when("30.04.2026")
    (datetime.datetime(2026, 4, 30, 15, 4), datetime.datetime(2026, 4, 30, 15, 4), datetime.datetime(2026, 4, 30, 0, 0))
    """
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except ValueError:
        pass
    for form in (day + time for day in _DAYS for time in _TIMES):
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return datetime.min


def _fields() -> dict[str, str]:
    """The mapping's names of columns to the canonical columns of which changes are kept."""
    rules = read_mapping(FOLDER / "monday.toml").files["deal"].to["deals"]
    return {name: field for field in FIELDS if field in rules for name in rules[field].source}


def _machine(event: Event, field: str, text: str) -> str:
    """A value as the history of fields keeps it: 1234.5, 2026-10-31, a probability as a share."""
    if not text or field not in ("amount", "probability", "expected_close_date"):
        return text
    if field == "expected_close_date":
        day = when(text)
        return day.date().isoformat() if day > datetime.min else _refuse(event, text, "day")
    found = _NUMBER.fullmatch(text)
    if not found:
        return _refuse(event, text, "number")
    number = found[0].strip(" €$£%").replace(",", "")
    return f"{float(number) / 100:.6g}" if field == "probability" else number


def _refuse(event: Event, text: str, kind: str) -> str:
    what = f"line {event.line}: '{text}' of the column '{event.column}' is no {kind}"
    raise ReadError.incomplete(event.file, what, "correct it, or export the log again")
