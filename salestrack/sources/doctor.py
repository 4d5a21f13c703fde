"""What a file is and how it would be read, column by column; the draft of a mapping where none fits."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from salestrack.config import Config
from salestrack.errors import CannotWrite, MissingData, ReadError, nearest
from salestrack.schema import words
from salestrack.sources import build, guess, inputs
from salestrack.sources.decode import Decoded
from salestrack.sources.locate import DELIMITERS, head
from salestrack.sources.mapping import FileSpec, Mapping, load_mappings
from salestrack.sources.typed import Typing


@dataclass(slots=True)
class Report:
    """What `salestrack doctor` tells about one file."""

    file: str
    lines: list[str] = field(default_factory=list)
    header: tuple[str, ...] = ()
    problem: str = ""
    draft: str = ""
    lacking: list[str] = field(default_factory=list)
    """Needed columns that nothing in a file without a mapping looks like."""

    def text(self) -> str:
        """The report as plain text."""
        return "\n".join(
            [self.file, *(f"  {line}" for line in self.lines), *([self.problem] if self.problem else [])]
        )

    def mapping_toml(self) -> str:
        """A mapping of the file to edit: its columns with the canonical columns they look like."""
        return self.draft

    def save(self, target: Path) -> None:
        """Writes the mapping to a file. Raises CannotWrite where one is there or there is nothing to draft from."""
        if not self.draft:
            raise CannotWrite(
                f"{self.file}: there is no table to draft a mapping from: give an export with a header"
            )
        if target.exists():
            raise CannotWrite(f"{target} is there already: delete it first, or give --save another name")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.draft, encoding="utf-8")


def examine(file: Path, config: Config, company: Path | None = None, as_system: str | None = None) -> Report:
    """How a file would be read: mapping, encoding, delimiter, formats, and for each column where it goes.

    A file that no mapping explains, and one with columns of its own, gets the draft of a mapping.
    """
    if not file.exists():
        raise MissingData(f"there is no file {file}: give the path of an export")
    report = Report(str(file))
    mappings = load_mappings(company / "mappings" if company else None)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        con = build.connect(work, "1GB", None)
        try:
            raws = build.read_file(con, file.name, file, mappings, work, system=as_system)
            build._views(con, raws, mappings, config)
            for raw in raws:
                _tell(report, raw)
                typings = [
                    Typing(con, raw.file, raw.found, raw.text, table, config) for table in raw.found.spec.to
                ]
                for typing in typings:
                    _tell_columns(report, typing)
                if typings and not report.draft:
                    free = guess.facts(con, raw.text.view, typings[0].unmapped)
                    report.draft = guess.customised(raw.found.mapping, raw.found.kind, file.stem, free)
        except ReadError as error:
            report.problem = str(error)
            report.header = report.header or _header(file, work)
            _draft(report, con, file, work)
        finally:
            con.close()
    return report


def _draft(report: Report, con: duckdb.DuckDBPyConnection, file: Path, work: Path) -> None:
    """A mapping guessed from the whole file, and how its columns were understood."""
    header = tuple(dict.fromkeys(report.header))
    if len(header) < 2:
        return
    any_table = Mapping(system="unknown", title="unknown", files={"file": FileSpec(match=header)})
    try:
        raw = build.read_file(con, file.name, file, [any_table], work, number=1000)[0]
    except ReadError:
        return
    columns = guess.facts(con, raw.text.view, raw.found.columns)
    report.draft, report.lacking = guess.draft(file.stem, columns)
    table = guess.likely_table(file.stem, columns)
    report.lines.append(f"looks like {table}; one row would be {words.one_row(table, 'en')}")
    assigned = {found.name: name for name, found in guess.assign(table, columns).items()}
    for found in columns:
        where = f"may be {assigned[found.name]}" if found.name in assigned else "no meaning found"
        shown = f": {', '.join(found.values[:6])}" if found.kind == "few" and len(found.values) <= 12 else ""
        report.lines.append(f"  {found.name} ({found.kind}{shown}) {where}")


def _tell(report: Report, raw: build.Raw) -> None:
    found, text = raw.found, raw.text
    report.header = found.columns
    report.lines += [
        f"{raw.file}: {found.mapping.title}, file {found.kind}",
        f"encoding {raw.decoded.encoding}, delimiter {found.delimiter!r}, "
        f"header in line {found.skip or 'none'}, {text.rows} rows, {text.footer} in the footer, "
        f"{len(text.bad)} of a wrong width",
    ]


def _tell_columns(report: Report, typing: Typing) -> None:
    found = typing.find_formats()
    report.lines.append(f"table {typing.table.name} (numbers {found.number}):")
    for name, cell in typing.cells.items():
        form = found.dates.get(name, "")
        report.lines.append(f"  {name} <- {cell.label} ({cell.column.type}{', ' + form if form else ''})")
    for name in typing.unmapped:
        hint = nearest(name, [column for column in typing.table.imported if column not in typing.cells])
        report.lines.append(f"  custom_fields <- {name} (no meaning here{hint})")


def _header(file: Path, work: Path) -> tuple[str, ...]:
    """The widest row among the first ones: most likely the header."""
    try:
        tables: list[tuple[str, Decoded]] = inputs.tables(file, file.name, work)
    except ReadError:
        return ()
    rows = [row for d in DELIMITERS for _, row in head(tables[0][1].path, d)]
    return tuple(cell for cell in max(rows, key=lambda row: sum(map(bool, row)), default=[]) if cell.strip())
