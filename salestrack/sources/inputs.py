"""From a file of any kind to tables of text: one for a text file, one per filled sheet of a workbook.

Each suffix has a reader that gives CSV text whose line numbers are those that people see in the file. A text that is
no plain table (several tables below each other, rows within rows) is taken apart by a layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from salestrack.sources import (
    columnar,
    ga4,
    ga4_events,
    hubspot,
    monday,
    monday_log,
    pipedrive,
    workbook,
    zoho,
)
from salestrack.sources.decode import Decoded, decode

Tables = Iterable[tuple[str, Decoded]]
"""Title within the file (empty where there is only one table) and text."""

Layout = Callable[[Decoded, Path], list[tuple[str, Decoded]] | None]
"""Takes a text and a folder for what it writes; None where the text is not of this layout."""

LAYOUTS: tuple[Layout, ...] = (ga4.layout, ga4_events.layout, monday.layout, monday_log.layout)


def _text(path: Path, name: str, work: Path, sha256: str) -> Tables:
    return [("", decode(path, name, work, sha256))]


def _sheets(path: Path, name: str, work: Path, sha256: str) -> Tables:
    found = list(workbook.sheets(path, name, work))
    return [("", found[0][1])] if len(found) == 1 else found


def _json(path: Path, name: str, work: Path, sha256: str) -> Tables:
    """What the APIs of three systems answer; whatever is no other's is read as HubSpot's."""
    own = zoho.tables(path, name, work, sha256) or pipedrive.tables(path, name, work, sha256)
    return own or hubspot.tables(path, name, work, sha256)


READERS: dict[str, Callable[[Path, str, Path, str], Tables]] = {
    ".csv": _text,
    ".tsv": _text,
    ".txt": _text,
    ".xlsx": _sheets,
    ".xlsm": _sheets,
    ".parquet": columnar.table,
    ".json": _json,
    ".jsonl": _json,
}
SUFFIXES = tuple(READERS)


def tables(path: Path, name: str, work: Path, sha256: str = "") -> list[tuple[str, Decoded]]:
    """The tables in a file (`name` below raw/), each with its title and its text.

    Raises ReadError for a file that is damaged or asks for more memory than is sane.
    """
    read = READERS.get(path.suffix.lower(), _text)
    return [
        (" ".join(filter(None, (title, part))), text)
        for title, whole in read(path, name, work, sha256)
        for part, text in _laid_out(whole, work)
    ]


def _laid_out(text: Decoded, work: Path) -> list[tuple[str, Decoded]]:
    for layout in LAYOUTS:
        if found := layout(text, work):
            return found
    return [("", text)]
