"""What an import did: the generation in use and where the rows of every file went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from salestrack.store import Store

NOTES = "salestrack/notes"
"""The mapping of the sheet that explains a template."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """Where the rows of one file went, for one canonical table."""

    file: str
    system: str
    mapping: str
    table: str | None
    encoding: str
    delimiter: str | None
    formats: dict[str, Any]
    rows_read: int
    accepted: int
    superseded: int
    quarantined: int
    excluded: int
    footer: int
    amounts: dict[str, dict[str, str]] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did: the generation in use and the account of every file."""

    generation: str
    changed: bool
    files: tuple[FileResult, ...]
    ignored: tuple[str, ...] = ()

    def summary(self) -> str:
        """The account as plain text, one line per file and table."""
        head = f"generation {self.generation}" + ("" if self.changed else ": nothing new")
        lines = [head] + [_line(result) for result in self.files]
        lines += [f"{name}: not a table (CSV, TSV, TXT, XLSX), left alone" for name in self.ignored]
        return "\n".join(lines)


def _line(result: FileResult) -> str:
    parts = [f"{result.rows_read} rows read", f"{result.accepted} accepted"]
    for name in ("superseded", "quarantined", "excluded", "footer"):
        if count := getattr(result, name):
            parts.append(f"{count} {'in the footer' if name == 'footer' else name}")
    if result.mapping == NOTES:
        return f"{result.file}: explanations, left alone"
    text = f"{result.file} -> {result.table or 'ids only'} ({result.system}): {', '.join(parts)}"
    return text + (f"; without a meaning here: {', '.join(result.unmapped)}" if result.unmapped else "")


def result_of(done: Store, changed: bool, ignored: tuple[str, ...]) -> ImportResult:
    """The account that a generation keeps of its import."""
    files = tuple(
        FileResult(
            file=entry["file"],
            system=entry["system"],
            mapping=entry["mapping"],
            table=entry["table_name"],
            encoding=entry["encoding"],
            delimiter=entry["delimiter"],
            formats=entry["formats"],
            rows_read=entry["rows_read"],
            accepted=entry["accepted"],
            superseded=entry["superseded"],
            quarantined=entry["quarantined"],
            excluded=entry["excluded"],
            footer=entry["footer"],
            amounts=entry["amounts"],
            unmapped=tuple(entry["unmapped"]),
        )
        for entry in done.manifest["load_log"]
    )
    return ImportResult(done.generation, changed, files, ignored)
