"""Board exports of monday.com taken apart: titles, groups, items and the subitems inside them, sums of groups.

Read as a flat table, an export gives wrong money: the cells of a subitem stand under the headings of the items. Two
tables come out, items and subitems; every row keeps its line, and knows its board, its group and its parent. The items
are deals, or leads, contacts or accounts where the board says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from salestrack.errors import ReadError
from salestrack.sources.decode import Decoded
from salestrack.sources.lines import AtLines, cells, delimiter_of, filled, first_lines, fitted, rows, trimmed
from salestrack.sources.mapping import FOLDER, normal, read_mapping

NAME = frozenset({"name", "item", "element"})
KINDS = {
    "lead": frozenset({"lead", "leads"}),
    "contact": frozenset({"contact", "contacts", "kontakt", "kontakte"}),
    "account": frozenset({"account", "accounts", "konto", "konten", "unternehmen", "firma", "firmen"}),
}
"""What the first column, the board or its file is called where the items are no deals."""
NAMES = NAME.union(*KINDS.values())
NUMBERED = re.compile(r"([ _-]*\(?\d+\)?)+$")
"""What stands behind the board's name in that of an export."""
SUBITEMS = frozenset({"subitems", "unterelemente", "subelemente"})
ITEM_ID = re.compile(r"(item|element|elemente)[ -]?(id|kennung) ?(\(.*\))?")
ITEM_COLUMNS = ("Board name", "Group name", "Board stage", "Stage prefix", "Group")
FURTHER = "Further owners"
SUBITEM_COLUMNS = ("Parent item ID", "Parent item", "Subitem number", "Board name", "Group name")
PLACE_COLUMNS = ("Board name", "Group name", "Group")
UNPRICED = "Without amount"
ONE_OF_SEVERAL = re.compile(r", (?=\S)")


@dataclass(slots=True)
class Subitem:
    """One row below an item: its cells by heading and how often the heading stood before it."""

    line: int
    cells: dict[tuple[str, int], str]
    place: tuple[str, ...]


@dataclass(slots=True)
class Board:
    """An export on its way through: what the rows so far have told."""

    file: str
    kind: str = "deal"
    title: str = ""
    group: str = ""
    header: list[str] = field(default_factory=list)
    line: int = 0
    """Where the headings stand for the first time."""
    inner: list[str] = field(default_factory=list)
    """The headings of the subitems below the item that was read last; empty outside of them."""
    item: tuple[str, str] = ("", "")
    number: int = 0
    sums: int = 0
    alone: list[tuple[int, list[str]]] = field(default_factory=list)
    """Rows with nothing but a first cell: titles if a header follows, else items without any value."""
    subitems: list[Subitem] = field(default_factory=list)

    @property
    def id_place(self) -> int:
        """Where an item's id stands, -1 where the export has none."""
        return next((n for n, cell in enumerate(self.header) if ITEM_ID.fullmatch(normal(cell))), -1)


@lru_cache
def known(kind: str) -> dict[str, str]:
    """Column names in every language, in their normal form, to those of one kind of file of the mapping."""
    return read_mapping(FOLDER / "monday.toml").files[kind].known


def layout(text: Decoded, work: Path) -> list[tuple[str, Decoded]] | None:
    """The items and the subitems of a board, each a table; None for a text that is no board.

    Raises ReadError where the headings change inside a board.
    """
    headers = [line for line in first_lines(text.path) if _is_header(cells(line, delimiter_of(line)))]
    delimiter = delimiter_of(headers[0]) if headers else ""
    if not delimiter:
        return None
    board = Board(text.name)
    stem = f"{text.path.stem[:40]}-{text.sha256[:16]}"
    told = [(line, _told(board, row)) for line, row in _items(text.path, delimiter, board)]
    _needs_creation(board)
    shared = any(row[-1] for _, row in told)
    with AtLines(work / f"{stem}-items.csv", delimiter) as file:
        file.write(board.line, [*_columns(board), *((FURTHER,) if shared else ())])
        for line, row in told:
            file.write(line, row if shared else row[:-1])
    items = replace(text, path=file.path, newlines=file.line, ends_with_newline=True, footer=board.sums)
    if not board.subitems:
        return [("", items)]
    return [("items", items), ("subitems", _subitems(text, work / f"{stem}-subitems.csv", delimiter, board))]


def _kind(board: Board) -> str:
    """What the items of a board are, by the name of its first column, else of the board, else of its file.

    Raises ReadError for leads, contacts or accounts with an amount but no stage: these may be deals as well.
    """
    names = (normal(board.header[0]), normal(board.title or Path(board.file).stem))
    plain = [NUMBERED.sub("", name) for name in names]
    kind = next((kind for name in plain for kind, words in KINDS.items() if name in words), "deal")
    columns = {known("deal").get(normal(cell)): cell for cell in board.header}
    if "Deal value" not in columns or "Stage" in columns or kind == "deal":
        return "deal" if "Deal value" in columns else kind
    what = f"its items are called {kind}s, but have an amount ('{columns['Deal value']}') as only deals have"
    raise ReadError.incomplete(
        board.file, what, "hide that column, or call the board Deals, and export it again"
    )


def _columns(board: Board) -> list[str]:
    """The headings of the table of items: the board's own, and those of what an item's place tells."""
    if board.kind == "deal":
        return [*board.header, *ITEM_COLUMNS]
    return ["Name", *board.header[1:], *PLACE_COLUMNS, f"{board.kind.title()} board"]


def _needs_creation(board: Board) -> None:
    """A board of deals or leads must tell when they were made, in one of two columns."""
    names = {known(board.kind).get(normal(cell)) for cell in board.header}
    timed = board.kind == "lead" or "Deal value" in names
    if timed and not names & {"Created at", "Creation log"}:
        cure = "add the column Creation log to the board and export it again"
        raise ReadError.incomplete(board.file, "the items do not tell when they were made", cure)


def _is_header(row: Sequence[str]) -> bool:
    """Whether a row holds the headings of items."""
    told = [normal(cell) for cell in row]
    if len(told) < 2 or told[0] not in NAMES:
        return False
    return told[1] in SUBITEMS or any(ITEM_ID.fullmatch(cell) for cell in told)


def _is_inner_header(row: Sequence[str]) -> bool:
    """Whether a row holds the headings of the subitems of one item."""
    told = [normal(cell) for cell in row[:2]]
    return len(told) == 2 and told[0] in SUBITEMS and told[1] in NAMES


def _items(path: Path, delimiter: str, board: Board) -> Iterator[tuple[int, list[str]]]:
    """The items with their lines; headings, subitems and sums are kept in `board`."""
    for line, row in rows(path, delimiter):
        if not filled(row):
            continue
        if _is_header(row):
            yield from _begin_group(board, line, trimmed(row))
        elif len(trimmed(row)) == 1:
            board.alone.append((line, row))
            board.inner = []
        elif board.header:
            yield from _waiting(board)
            yield from _row(board, line, row)
    yield from _waiting(board)


def _begin_group(board: Board, line: int, header: list[str]) -> Iterator[tuple[int, list[str]]]:
    """A header: the lone cell before it is the group's title, at the beginning the first one is the board's."""
    titles = [row[0].strip() for _, row in board.alone]
    if not board.header:
        board.title, board.group = (titles or [""])[0], titles[-1] if len(titles) > 1 else ""
        board.header, board.line, board.alone = header, line, []
        board.kind = _kind(board)
        return
    if header != board.header:
        what = f"the headings of line {line} are not those at the beginning of the board"
        raise ReadError.incomplete(board.file, what, "export each board into a file of its own")
    if titles:
        board.alone.pop()
    yield from _waiting(board)
    board.group, board.inner = titles[-1] if titles else board.group, []


def _waiting(board: Board) -> Iterator[tuple[int, list[str]]]:
    """Lone cells that no header followed: items of which only the name is filled."""
    waiting, board.alone = board.alone, []
    if board.header:
        for line, row in waiting:
            yield from _row(board, line, row)


def _row(board: Board, line: int, row: list[str]) -> Iterator[tuple[int, list[str]]]:
    """One row inside a group: an item, a subitem, the headings of subitems, or a sum."""
    first, second = (*(cell.strip() for cell in row[:2]), "", "")[:2]
    if _is_inner_header(row):
        board.inner = trimmed(row)
    elif first or (not board.inner and _id(board, row)):
        board.item, board.number, board.inner = (_id(board, row), first), 0, []
        yield line, row
    elif board.inner and second:
        _keep(board, line, row)
    else:
        board.sums += 1


def _id(board: Board, row: Sequence[str]) -> str:
    place = board.id_place
    return row[place].strip() if 0 <= place < len(row) else ""


def _keep(board: Board, line: int, row: Sequence[str]) -> None:
    """A subitem; what stands to the right of its headings counts as a sum's cell and is lost with it."""
    board.number += 1
    seen: dict[str, int] = {}
    told: dict[tuple[str, int], str] = {}
    for heading, cell in zip(board.inner, row, strict=False):
        name = normal(heading)
        seen[name] = seen.get(name, 0) + 1
        told[heading if name not in SUBITEMS else "", seen[name]] = cell
    told.pop(("", 1), None)
    place = (*board.item, str(board.number), board.title, board.group)
    board.subitems.append(Subitem(line, told, place))


def _told(board: Board, row: Sequence[str]) -> list[str]:
    """An item's cells, of several owners the first, and what its place on the board tells."""
    own = fitted(row, len(board.header))
    names = [known(board.kind).get(normal(cell), "") for cell in board.header]
    further = ""
    if "Owner" in names and (place := names.index("Owner")) < len(own):
        first, *others = ONE_OF_SEVERAL.split(own[place].strip())
        own[place], further = first, ", ".join(others)
    if board.kind != "deal":
        return [*own, board.title, board.group, board.group, "", further]
    prefix = f"{board.title} / " if board.title else ""
    column = next((names.index(name) for name in ("Stage", "Status") if name in names), -1)
    stage = own[column].strip() if column >= 0 else board.group
    return [*own, board.title, board.group, prefix + stage if stage else "", prefix, board.group, further]


def _subitems(text: Decoded, path: Path, delimiter: str, board: Board) -> Decoded:
    """The table of subitems, with the columns of all their headers."""
    headings = list(dict.fromkeys(heading for one in board.subitems for heading in one.cells))
    priced = any(known("line").get(normal(name)) == "Line amount" for name, _ in headings)
    marker = () if priced or board.kind != "deal" else (UNPRICED,)
    places = SUBITEM_COLUMNS if board.kind == "deal" else ("Subitem of", *SUBITEM_COLUMNS[1:])
    with AtLines(path, delimiter) as file:
        file.write(max(board.subitems[0].line - 1, 1), [*(name for name, _ in headings), *places, *marker])
        for one in board.subitems:
            file.write(
                one.line, [*(one.cells.get(name, "") for name in headings), *one.place, *("" for _ in marker)]
            )
    return replace(text, path=path, newlines=file.line, ends_with_newline=True)
