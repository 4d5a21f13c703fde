"""What a file is and how it would be read, column by column; the draft of a mapping where none fits."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from salestrack.config import Config
from salestrack.errors import MissingData, ReadError, nearest
from salestrack.schema import CANONICAL, TABLES
from salestrack.sources import build
from salestrack.sources.decode import Decoded
from salestrack.sources.locate import DELIMITERS, head
from salestrack.sources.mapping import load_mappings, normal
from salestrack.sources.typed import Typing


@dataclass(slots=True)
class Report:
    """What `salestrack doctor` tells about one file."""

    file: str
    lines: list[str] = field(default_factory=list)
    header: tuple[str, ...] = ()
    targets: dict[str, list[str]] = field(default_factory=dict)
    problem: str = ""

    def text(self) -> str:
        """The report as plain text."""
        return "\n".join(
            [self.file, *(f"  {line}" for line in self.lines), *([self.problem] if self.problem else [])]
        )

    def mapping_toml(self) -> str:
        """A mapping of the file to edit: its columns with the canonical columns they look like."""
        kind = Path(self.file).stem
        table = _likely_table(self.header)
        out = [
            "# Edit this, then put it into the company's folder mappings/.",
            'system = "mine"',
            f"title = {_toml(kind)}",
            "",
            f"[files.{_toml(kind)}]",
            f"match = [{', '.join(_toml(name) for name in self.header)}]  # keep those that prove it",
            "",
            f"[files.{_toml(kind)}.to.{table}]",
        ]
        taken: set[str] = set()
        for column in TABLES[table].imported:
            source = _likely_source(column, self.header, taken)
            if source:
                taken.add(source)
                out.append(f"{column} = {_toml(source)}")
            elif column not in ("source_system", "source_ref", "custom_fields"):
                out.append(f'# {column} = ""  # {TABLES[table].columns[column].meaning}')
        rest = [name for name in self.header if name not in taken]
        return "\n".join([*out, *(f"# no meaning yet: {_toml(name)}" for name in rest)]) + "\n"


def examine(file: Path, config: Config, company: Path | None = None, as_system: str | None = None) -> Report:
    """How a file would be read: mapping, encoding, delimiter, formats, and for each column where it goes."""
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
                for table in raw.found.spec.to:
                    _tell_columns(report, Typing(con, raw.file, raw.found, raw.text, table, config))
        except ReadError as error:
            report.problem = str(error)
            report.header = report.header or _header(file, work)
        finally:
            con.close()
    return report


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
        tables: list[tuple[str, Decoded]] = build._tables(file, file.name, work)
    except ReadError:
        return ()
    rows = [row for d in DELIMITERS for _, row in head(tables[0][1].path, d)]
    return tuple(cell for cell in max(rows, key=lambda row: sum(map(bool, row)), default=[]) if cell.strip())


def _likely_table(header: tuple[str, ...]) -> str:
    def score(table: str) -> float:
        columns = list(TABLES[table].imported)
        return sum(bool(_likely_source(column, header, set())) for column in columns) / (len(columns) + 5)

    return max(CANONICAL, key=score)


def _likely_source(column: str, header: tuple[str, ...], taken: set[str]) -> str:
    by_form = {normal(name).replace(" ", "_"): name for name in header if name not in taken}
    return by_form.get(column, "")


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
