"""What a file gave to one canonical table: where its rows are, how they were read, where each of them went."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from salestrack.sources.formats import Formats


@dataclass(slots=True)
class Part:
    """The rows of one file for one canonical table, with the account of where each row went."""

    table: str
    path: Path
    file: str = ""
    rows: int = 0
    accepted: int = 0
    superseded: int = 0
    quarantined: int = 0
    excluded: int = 0
    footer: int = 0
    formats: Formats = field(default_factory=Formats)
    amounts: dict[str, dict[str, str]] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()
    kind: str = ""
    """Kind of the file within its system."""
    grouped: bool = False
    own: bool = False
    """Whether every row of the file is one record of this table, and not a mention of it."""
