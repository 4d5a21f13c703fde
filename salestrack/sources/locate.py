"""Finding the table in a file: which delimiter, which row is the header, which mapping explains it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from salestrack.errors import ReadError
from salestrack.sources.mapping import FileSpec, Mapping, normal

DELIMITERS = (",", ";", "\t", "|")
HEAD_ROWS = 30
HEAD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Located:
    """A table in a file: the mapping that reads it and where its rows begin."""

    mapping: Mapping
    kind: str
    delimiter: str
    skip: int
    columns: tuple[str, ...]
    score: int
    named: bool
    shown: tuple[str, ...] = ()

    @property
    def spec(self) -> FileSpec:
        """What the mapping says about this kind of file."""
        return self.mapping.files[self.kind]

    def heading(self, column: str) -> str:
        """A column's name as the file itself writes it."""
        written = dict(zip(self.columns, self.shown, strict=False)).get(column, "").strip()
        return written or column


@dataclass(slots=True)
class Nearest:
    """The mapping that came nearest to a file that none fits."""

    share: float = -1
    mapping: str = ""
    kind: str = ""
    missing: tuple[str, ...] = ()
    header: tuple[str, ...] = field(default=())


def head(path: Path, delimiter: str) -> list[tuple[int, list[str]]]:
    """The first filled rows of a text file, each with the number of lines up to and including it."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        text = file.read(HEAD_BYTES)
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((reader.line_num, row))
            if len(rows) == HEAD_ROWS:
                break
    except csv.Error:
        pass
    return rows


def locate(
    path: Path,
    name: str,
    mappings: Iterable[Mapping],
    system: str | None = None,
    sheet: str = "",
    shown: str = "",
) -> Located:
    """The table in a text file, read by the mapping that explains most of its columns.

    Raises ReadError when no mapping fits (naming the nearest one and every column it lacks), when two systems
    explain it equally well, or when a column that is needed stands there twice.
    """
    stem, name = sheet or Path(name).stem, shown or name
    candidates = [m for m in mappings if system is None or m.system == system]
    heads = {delimiter: head(path, delimiter) for delimiter in DELIMITERS}
    found: list[Located] = []
    near = Nearest()
    for mapping in candidates:
        for kind, spec in mapping.files.items():
            if spec.fits_name(stem):
                found += _places(mapping, kind, spec, heads, near)
    if not found:
        raise ReadError.unrecognised(name, near.mapping, near.kind, near.missing, near.header)
    best = max(found, key=_rank)
    rivals = {f.mapping.system for f in found if _rank(f) == _rank(best)}
    if len(rivals) > 1:
        raise ReadError.ambiguous(name, sorted(rivals))
    for column, sentence in best.spec.needs.items():
        if column not in best.columns:
            raise ReadError.needed(name, sentence)
    _no_doubles(name, best)
    return best


def _rank(found: Located) -> tuple[int, bool, int]:
    """More columns explained count most: any system may call a file `Accounts.csv`, in our own layout too."""
    return found.score, found.named, -found.skip


def _places(
    mapping: Mapping, kind: str, spec: FileSpec, heads: dict[str, list[tuple[int, list[str]]]], near: Nearest
) -> list[Located]:
    if spec.positional:
        return _positional(mapping, kind, spec, heads)
    wanted = {normal(name) for name in spec.match}
    found = []
    for delimiter, rows in heads.items():
        if spec.delimiter not in (None, delimiter):
            continue
        for lines, row in rows:
            cells = [normal(spec.known.get(normal(cell), cell)) for cell in row]
            have = wanted & set(cells)
            if len(have) == len(wanted):
                columns = header_names(row, spec)
                score = sum(cell in spec.known for cell in cells) + spec.wide(row)
                shown = tuple(row[: len(columns)])
                found.append(
                    Located(mapping, kind, delimiter, lines, columns, score, bool(spec.names), shown)
                )
            _remember(near, mapping, kind, spec, have, wanted, row)
    return found


def _positional(
    mapping: Mapping, kind: str, spec: FileSpec, heads: dict[str, list[tuple[int, list[str]]]]
) -> list[Located]:
    width = len(spec.header)
    for delimiter, rows in heads.items():
        if spec.delimiter in (None, delimiter) and rows and len(rows[0][1]) == width:
            return [Located(mapping, kind, delimiter, 0, spec.header, width, True)]
    return []


def _remember(
    near: Nearest,
    mapping: Mapping,
    kind: str,
    spec: FileSpec,
    have: set[str],
    wanted: set[str],
    row: Sequence[str],
) -> None:
    """Keeps the nearest mapping; a fitting file name counts like a third of the columns."""
    share = len(have) / len(wanted) + (1 / 3 if spec.names else 0)
    if share > near.share:
        near.share, near.mapping, near.kind = share, mapping.system, kind
        near.missing = tuple(name for name in spec.match if normal(name) not in have)
        near.header = tuple(cell for cell in row if cell.strip())


def header_names(row: Sequence[str], spec: FileSpec) -> tuple[str, ...]:
    """The header's names in the mapping's spelling; a name that stands there again becomes `X#2`.

    >>> from salestrack.sources.mapping import FileSpec
    >>> header_names(["ID ", "Note", "", "Note", ""], FileSpec(match=("Id",)))
    ('Id', 'Note', 'column 3', 'Note#2')
    """
    names: list[str] = []
    seen: dict[str, int] = {}
    for place, cell in enumerate(row, start=1):
        folded = normal(cell)
        name = spec.known.get(folded, " ".join(cell.replace("\ufeff", "").split())) or f"column {place}"
        folded = normal(name)
        seen[folded] = seen.get(folded, 0) + 1
        names.append(name if seen[folded] == 1 else f"{name}#{seen[folded]}")
    return tuple(_without_empty_end(names, row))


def _without_empty_end(names: list[str], row: Sequence[str]) -> list[str]:
    """A delimiter at the end of the header makes no column."""
    while names and not row[len(names) - 1].strip():
        names.pop()
    return names


def _no_doubles(name: str, found: Located) -> None:
    known = set(found.spec.known.values())
    for column in found.columns:
        first, _, count = column.rpartition("#")
        if count.isdigit() and first in known:
            raise ReadError.doubled(name, first)
