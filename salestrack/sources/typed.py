"""From text to canonical rows: every column by its rule, rows that fail go to quarantine."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import duckdb

from salestrack.config import Config
from salestrack.errors import ReadError
from salestrack.schema import TABLES, Table
from salestrack.sources import formats
from salestrack.sources.cells import DATES, NAMED, NUMBERS, WHOLE, Cell, default_sql, reason_code, value_sql
from salestrack.sources.formats import Formats
from salestrack.sources.locate import Located
from salestrack.sources.mapping import Rule, TableRule, literal, quoted
from salestrack.sources.parquet import copy
from salestrack.sources.quarantine import check_sql, quarantine_cells, quarantine_select, reason_sql
from salestrack.sources.text import Text, each_sql, unpivoted_columns, unpivoted_sql


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


class Typing:
    """Turns the rows of one file into rows of one canonical table."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        file: str,
        found: Located,
        text: Text,
        table: str,
        config: Config,
    ) -> None:
        self.con, self.file, self.found, self.text, self.config = con, file, found, text, config
        self.table: Table = TABLES[table]
        self.rule: TableRule = found.spec.rules.get(table, TableRule())
        self.columns = found.columns
        for unpivot in (found.spec.unpivot, self.rule.unpivot):
            self.columns = unpivoted_columns(self.columns, unpivot) if unpivot else self.columns
        if self.rule.each:
            self.columns = (*self.columns, self.rule.each.name, self.rule.each.place)
        self.cells = self._cells()
        self.zone = found.mapping.time_zone or config.imports.time_zone or config.time_zone

    # What is read from where

    def _cells(self) -> dict[str, Cell]:
        rules = self.found.spec.to[self.table.name]
        cells = {name: cell for name, rule in rules.items() if (cell := self._cell(name, rule))}
        lacking = [
            rules[name].source[0] if name in rules and rules[name].source else name
            for name, column in self.table.imported.items()
            if not column.nullable and column.default is None and name not in cells and name not in _MADE
        ]
        if lacking:
            raise ReadError.missing_columns(self.file, self.table.name, lacking, self.found.columns)
        return cells

    def _cell(self, name: str, rule: Rule) -> Cell | None:
        text, label = self._text(rule), next((n for n in rule.source if n in self.columns), name)
        prefix = self.found.mapping.id_prefix
        if text and prefix and self.table.imported[name].type == "id":
            text = f"CASE WHEN starts_with({text}, {literal(prefix)}) THEN substr({text}, {len(prefix) + 1}) ELSE {text} END"
        return Cell(self.table.imported[name], rule, text, label, self.found.heading(label)) if text else None

    def _text(self, rule: Rule) -> str:
        """SQL for a rule's text; empty where the file has none of its columns."""
        own = next((quoted(name) for name in rule.source if name in self.columns), "")
        if own and rule.macro:
            own = f"{rule.macro}({own})"
        if own and rule.crosswalk:
            own = _translated(rule.crosswalk, own.strip(chr(34)), rule.key)
        if own and rule.name_of:
            own = f"{literal(NAMED)} || nullif(trim({own}), '')"
        parts = [own] if own else []
        if own and rule.scale != 1 and rule.alternative:
            parts = [self._scaled(own, rule.scale)]
        if rule.sql and (not rule.source or own or not rule.alternative):
            parts.append(f"CAST(({rule.sql}) AS VARCHAR)")
        if rule.const is not None:
            parts.append(literal(rule.const))
        if rule.alternative and (other := self._text(rule.alternative)):
            parts.append(self._scaled(other, rule.alternative.scale))
        return f"coalesce({', '.join(parts)})" if len(parts) > 1 else "".join(parts)

    @staticmethod
    def _scaled(text: str, scale: float) -> str:
        """Text times a factor; whole numbers stay whole, so that they are no evidence for a decimal point."""
        if scale == 1:
            return text
        value = f"TRY_CAST({text} AS DOUBLE) * {scale!r}"
        whole = f"CASE WHEN {value} = floor({value}) THEN CAST({value} AS BIGINT) END"
        return f"coalesce(CAST({whole} AS VARCHAR), CAST({value} AS VARCHAR))"

    def _source(self) -> str:
        """The file's rows with every column that the mapping knows; those the file lacks are NULL."""
        named = set(self.found.spec.known.values())
        absent = "".join(
            f", CAST(NULL AS VARCHAR) AS {quoted(name)}" for name in sorted(named - set(self.columns))
        )
        joins, translated = self._joins()
        rows = self._rows()
        where = []
        if self.text.footer_lines:
            where.append(f"_line NOT IN ({', '.join(map(str, self.text.footer_lines))})")
        if self.rule.skip:
            where.append(f"NOT coalesce({self.rule.skip}, false)")
        inner = f"SELECT t.*{translated} FROM (SELECT *{absent} FROM {rows}) t{joins}"
        return f"SELECT * FROM ({inner})" + (f" WHERE {' AND '.join(where)}" if where else "")

    def _rows(self) -> str:
        """The rows that the table is made of: those of the file, or of its columns or ids that are really rows."""
        view, unpivot, each = quoted(self.text.view), self.rule.unpivot, self.rule.each
        if each:
            return f"({each_sql(view, self.found.columns, each)})"
        return f"({unpivoted_sql(view, self.found.columns, unpivot)})" if unpivot else view

    def _joins(self) -> tuple[str, str]:
        used = {
            (rule.crosswalk, name, rule.key)
            for first in self.found.spec.to[self.table.name].values()
            for rule in first.all
            for name in rule.source
            if rule.crosswalk and name in self.columns
        }
        joins = columns = ""
        for number, (crosswalk, name, key) in enumerate(sorted(used, key=str)):
            target = f"{quoted(self.found.mapping.system)}.{quoted(f'crosswalk {crosswalk}')}"
            looked_up = key or f"trim(t.{quoted(name)})"
            joins += f" LEFT JOIN {target} x{number} ON x{number}.from_id = {looked_up}"
            columns += f", x{number}.to_id AS {_translated(crosswalk, name, key)}"
        return joins, columns

    def _texts(self) -> str:
        """One column of text per canonical column, beside the line and the cells without a meaning."""
        cells = ", ".join(f"{cell.text} AS {cell.source}" for cell in self.cells.values())
        extra = self._custom()
        looked = "".join(
            f", {quoted(cell.label)} AS {cell.looked_up}"
            for cell in self.cells.values()
            if cell.rule.crosswalk
        )
        custom = f", {extra} AS _custom" if extra else ""
        whole = ", ".join(f"{literal(name)}: {quoted(name)}" for name in self.columns)
        original = f"CAST(to_json({{{whole}}}) AS VARCHAR) AS _original"
        return f"SELECT _line, {cells}{looked}{custom}, {original} FROM ({self._source()})"

    @cached_property
    def unmapped(self) -> tuple[str, ...]:
        """Columns of the file that no rule reads and that are not dropped on purpose; none without name and content."""
        spec = self.found.spec
        if spec.drop == "*":
            return ()
        used = {name for columns in spec.to.values() for rule in columns.values() for name in rule.names}
        used |= set(spec.drop)
        for unpivot in spec.unpivots:
            used |= {*unpivot.made, *unpivot.found(self.columns)}
        if self.rule.each:
            used |= {self.rule.each.column, self.rule.each.name, self.rule.each.place}
        return tuple(name for name in self.columns if name not in used and not self._is_nothing(name))

    def _is_nothing(self, column: str) -> bool:
        """Whether a column has neither a heading nor a filled cell, such as the margin of a formatted report."""
        headings = dict(zip(self.found.columns, self.found.shown, strict=False))
        if headings.get(column, column).strip():
            return False
        row = self.con.execute(f"SELECT count({quoted(column)}) FROM {quoted(self.text.view)}").fetchone()
        return not (row and row[0])

    def _custom(self) -> str:
        names = self.unmapped
        if not names:
            return ""
        pairs = ", ".join(f"{literal(name)}: {quoted(name)}" for name in names)
        any_filled = f"coalesce({', '.join(quoted(name) for name in names)}) IS NOT NULL"
        return f"CASE WHEN {any_filled} THEN CAST(to_json({{{pairs}}}) AS VARCHAR) END"

    # What the text means

    def find_formats(self, first: int = 0) -> Formats:
        """The forms of numbers and dates, by the evidence of the whole file or its first rows."""
        source = f"({self._texts()}{f' LIMIT {first}' if first else ''})"
        numbers = {n: c.source for n, c in self.cells.items() if c.column.type in NUMBERS}
        dates = {n: c.source for n, c in self.cells.items() if c.column.type in DATES}
        whole = {n for n, c in self.cells.items() if c.column.type in WHOLE and c.rule.scale == 1}
        mapping, imports = self.found.mapping, self.config.imports
        form, seen = formats.find_number_form(
            self.con,
            self.file,
            source,
            numbers,
            imports.number_format,
            mapping.number_format,
            frozenset(whole),
        )
        forms, zoned = formats.find_date_forms(
            self.con, self.file, source, dates, imports.date_format, mapping.date_format
        )
        return Formats(form, forms, zoned, seen)

    def _typed(self, found: Formats) -> str:
        """Rows with text and value of every column, and whether the row is bad."""
        values = [
            f"{value_sql(cell, found, self.zone, self.config)} AS {quoted(name)}"
            for name, cell in self.cells.items()
        ]
        for name, column in self.table.imported.items():
            if name not in self.cells and name not in _MADE:
                values.append(
                    f"CAST({default_sql(column, self.config) or 'NULL'} AS {column.duckdb_type}) AS {quoted(name)}"
                )
        values.append(f"{literal(self.found.mapping.system)} AS source_system")
        values.append(f"{literal(self.file + '#')} || _line AS source_ref")
        values.append(("_custom" if self.unmapped else "CAST(NULL AS VARCHAR)") + " AS custom_fields")
        return f"SELECT *, {', '.join(values)} FROM ({self._texts()})"

    def _tests(self) -> list[tuple[str, str]]:
        """Per column that can fail: the condition and the SQL of its reason."""
        tests: list[tuple[str, str]] = []
        for name, cell in self.cells.items():
            column, text = cell.column, cell.source
            code = reason_code(cell)
            if code:
                bad = f"{text} IS NOT NULL AND {quoted(name)} IS NULL"
                tests.append((f"({bad})", reason_sql(code, cell.heading, text, bad)))
            if not column.nullable and (column.default is None or column.type == "currency"):
                empty = f"{quoted(name)} IS NULL AND {text} IS NULL" if code else f"{quoted(name)} IS NULL"
                tests.append((f"({empty})", reason_sql("missing", cell.heading, "''", empty)))
            if cell.rule.crosswalk and cell.rule.must:
                lost = f"{cell.looked_up} IS NOT NULL AND {text} IS NULL"
                tests.append((f"({lost})", reason_sql("lookup", cell.heading, cell.looked_up, lost)))
        for check in self.table.checks:
            tests.append(
                (f"coalesce({check.bad}, false)", check_sql(check.code, check.en, check.de, check.bad))
            )
        return tests

    # Doing it

    def run(self, target: Path) -> Part:
        """Writes the good rows to `target` and the bad ones to the quarantine; the account must balance."""
        try:
            part = Part(
                self.table.name,
                target,
                self.file,
                formats=self.find_formats(),
                unmapped=self.unmapped,
                kind=self.found.kind,
            )
            part.grouped = bool(self.rule.group_by)
            part.rows, part.footer = (
                self._count() + self.text.footer - len(self.text.footer_lines),
                self.text.footer,
            )
            part.rows += len(self.text.bad)
            self._write(part)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            raise ReadError.sql(self.file, self.table.name, str(error).splitlines()[0]) from None
        return part

    def run_direct(self, target: Path) -> Part | None:
        """Writes the rows in one pass over the file, None where it is not in order from the first to the last row.

        In order means: every line is a row, every row is good, and numbers and dates are all in the one form that the
        first rows prove (or that the system is known to write), so that no other reading needs to be ruled out.
        """
        found = None if self.rule.group_by else self._plain_formats()
        if found is None:
            return None
        part = Part(
            self.table.name,
            target,
            self.file,
            rows=self.text.rows,
            formats=found,
            unmapped=self.unmapped,
            kind=self.found.kind,
        )
        try:
            part.accepted = copy(self.con, self._all_good(self._typed(found), self._bad()), target)
            if (self._count() if self.rule.skip else part.accepted) != part.rows:
                return None
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error:
            return None
        part.excluded = part.rows - part.accepted
        self._amounts(part)
        return part

    def _plain_formats(self) -> Formats | None:
        """The forms that the first rows prove; None where they leave a choice."""
        imports, habit = self.config.imports, self.found.mapping.number_format
        if (habit if imports.number_format == "auto" else imports.number_format) == "en":
            dates = {name: "iso" for name, cell in self.cells.items() if cell.column.type in DATES}
            return Formats(dates=dates, habitual=True, plain=True)
        try:
            found = self.find_formats(FIRST_ROWS)
        except (ReadError, duckdb.Error):
            return None
        found.plain = True
        return found

    def _bad(self) -> str:
        return " OR ".join(test for test, _ in self._tests()) or "false"

    def _count(self) -> int:
        row = self.con.execute(f"SELECT count(*) FROM {self._rows()}").fetchone()
        return int(row[0]) if row else 0

    def _write(self, part: Part) -> None:
        typed, tests = self._typed(part.formats), self._tests()
        bad = self._bad()
        names = ", ".join(self._last_look(name) for name in self.table.imported)
        kept = f"SELECT {names} FROM ({typed}) WHERE NOT ({bad})"
        written = (
            copy(self.con, self._grouped(kept), part.path)
            if self.rule.group_by
            else self._all(part, typed, bad, kept)
        )
        meant = self._meant() if self.rule.skip or self.text.footer_lines else self._count()
        part.excluded = part.rows - len(self.text.bad) - part.footer - meant
        part.accepted = written
        if self.rule.group_by:
            row = self.con.execute(f"SELECT count(*) FROM ({kept})").fetchone()
            part.accepted = int(row[0]) if row else 0
        if part.accepted < meant:
            self._quarantine(part, typed, bad, tests)
        part.quarantined = meant - part.accepted + len(self.text.bad)
        quarantine_cells(
            self.con,
            self.table.name,
            self.file,
            len(self.found.columns),
            ((row.line, row.cells, row.original) for row in self.text.bad),
        )
        self._amounts(part)

    def _all(self, part: Part, typed: str, bad: str, kept: str) -> int:
        """Writes every row in the hope that none is bad, which takes two thirds of the time of a filter."""
        try:
            return copy(self.con, self._all_good(typed, bad), part.path)
        except duckdb.Error as error:
            if _BAD not in str(error):
                raise
        return copy(self.con, kept, part.path)

    def _all_good(self, typed: str, bad: str) -> str:
        ref = f"CASE WHEN {bad} THEN error('{_BAD}') ELSE source_ref END AS source_ref"
        names = ", ".join(
            ref if name == "source_ref" else self._last_look(name) for name in self.table.imported
        )
        return f"SELECT {names} FROM ({typed})"

    def _last_look(self, name: str) -> str:
        """A step of a lead of which only the day is known cannot lie before its creation on that same day."""
        if self.table.name != "leads" or name not in _STEPS or name not in self.cells:
            return quoted(name)
        days = (
            f"CAST({c} AT TIME ZONE 'UTC' AT TIME ZONE {literal(self.config.time_zone)} AS DATE)"
            for c in (name, "created_at")
        )
        return (
            f"CASE WHEN {name} < created_at AND {' = '.join(days)} THEN created_at ELSE {name} END AS {name}"
        )

    def _meant(self) -> int:
        row = self.con.execute(f"SELECT count(*) FROM ({self._source()})").fetchone()
        return int(row[0]) if row else 0

    def _grouped(self, rows: str) -> str:
        """Several rows that make one: totals are added, the rest must agree."""
        if not self.rule.group_by:
            return rows
        picked = []
        for name, column in self.table.imported.items():
            if name in self.rule.group_by:
                picked.append(quoted(name))
            elif name in self.rule.total:
                picked.append(f"CAST(sum({quoted(name)}) AS {column.duckdb_type}) AS {quoted(name)}")
            elif name in ("source_ref", "custom_fields"):
                picked.append(f"arg_min({quoted(name)}, _place) AS {quoted(name)}")
            else:
                picked.append(
                    f"CASE WHEN min({quoted(name)}) IS DISTINCT FROM max({quoted(name)}) "
                    f"THEN error('the rows of one of {self.table.name} differ in {name}') "
                    f"ELSE min({quoted(name)}) END AS {quoted(name)}"
                )
        keys = ", ".join(quoted(name) for name in self.rule.group_by)
        place = "CAST(regexp_extract(source_ref, '#(\\d+)$', 1) AS BIGINT) AS _place"
        placed = f"SELECT *, {place} FROM ({rows})"
        return f"SELECT {', '.join(picked)} FROM ({placed}) GROUP BY {keys} ORDER BY min(_place)"

    def _quarantine(self, part: Part, typed: str, bad: str, tests: list[tuple[str, str]]) -> None:
        reasons = f"list_filter([{', '.join(reason for _, reason in tests)}], lambda r: r IS NOT NULL)"
        quarantine_select(
            self.con,
            self.table.name,
            self.file,
            f"SELECT _line AS line, {reasons} AS reasons, _original AS original FROM ({typed}) WHERE {bad}",
        )
        sums = self._sums(f"SELECT * FROM ({typed}) WHERE {bad}", list(self.cells))
        for name, amount in sums.items():
            part.amounts.setdefault(name, {})["quarantined"] = amount

    def _amounts(self, part: Part) -> None:
        for name, amount in self._sums(
            f"SELECT * FROM read_parquet({literal(str(part.path))})", list(self.cells)
        ).items():
            part.amounts.setdefault(name, {})["accepted"] = amount

    def _sums(self, rows: str, filled: list[str]) -> dict[str, str]:
        money = [name for name in self.table.money if name in filled]
        if not money:
            return {}
        sums = ", ".join(f"CAST(coalesce(sum({quoted(name)}), 0) AS VARCHAR)" for name in money)
        row = self.con.execute(f"SELECT {sums} FROM ({rows})").fetchone() or ()
        return dict(zip(money, row, strict=True))


FIRST_ROWS = 2_000
"""Rows whose forms all others of a file are expected to have."""


def _translated(crosswalk: str, column: str, key: str | None) -> str:
    """The column that holds what a crosswalk makes of a column."""
    return quoted(f"to {crosswalk} {column}" + (f" by {key}" if key else ""))


_STEPS = ("mql_at", "sal_at", "sql_at", "converted_at", "disqualified_at")
_BAD = "salestrack: bad row"
_MADE = ("source_system", "source_ref", "custom_fields")
