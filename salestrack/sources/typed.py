"""From text to values: the form of each column's numbers and days, and which rows are bad, as SQL."""

from __future__ import annotations

import duckdb

from salestrack.errors import ReadError
from salestrack.sources import formats
from salestrack.sources.cells import DATES, NUMBERS, WHOLE, default_sql, reason_code, value_sql
from salestrack.sources.formats import Formats
from salestrack.sources.mapped import Mapped
from salestrack.sources.mapping import FILLED_BY_US, literal, quoted
from salestrack.sources.quarantine import check_sql, reason_sql

FIRST_ROWS = 2_000
"""Rows whose forms all others of a file are expected to have."""
BAD_ROW = "salestrack: bad row"
"""What DuckDB says where rows were expected to be all good and one is not."""


class Typing(Mapped):
    """The rows of one file as rows of one canonical table."""

    def find_formats(self, first: int = 0) -> Formats:
        """The forms of numbers and dates, by the evidence of the whole file or its first rows."""
        source = f"({self.texts()}{f' LIMIT {first}' if first else ''})"
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

    def plain_formats(self) -> Formats | None:
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

    def values(self, found: Formats) -> str:
        """The rows with text and value of every column."""
        values = [
            f"{value_sql(cell, found, self.zone, self.config)} AS {quoted(name)}"
            for name, cell in self.cells.items()
        ]
        for name, column in self.table.imported.items():
            if name not in self.cells and name not in FILLED_BY_US:
                values.append(
                    f"CAST({default_sql(column, self.config) or 'NULL'} AS {column.duckdb_type}) AS {quoted(name)}"
                )
        values.append(f"{literal(self.found.mapping.system)} AS source_system")
        values.append(f"{literal(self.file + '#')} || _line AS source_ref")
        values.append(("_custom" if self.unmapped else "CAST(NULL AS VARCHAR)") + " AS custom_fields")
        return f"SELECT *, {', '.join(values)} FROM ({self.texts()})"

    def tests(self) -> list[tuple[str, str]]:
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

    def bad(self) -> str:
        """Whether a row of the `values` cannot be used."""
        return " OR ".join(test for test, _ in self.tests()) or "false"

    def good(self, values: str) -> str:
        """The good rows as they are stored."""
        names = ", ".join(self._last_look(name) for name in self.table.imported)
        return f"SELECT {names} FROM ({values}) WHERE NOT ({self.bad()})"

    def all_good(self, values: str) -> str:
        """All rows as they are stored; a bad one is an error that says `BAD_ROW`."""
        ref = f"CASE WHEN {self.bad()} THEN error('{BAD_ROW}') ELSE source_ref END AS source_ref"
        names = ", ".join(
            ref if name == "source_ref" else self._last_look(name) for name in self.table.imported
        )
        return f"SELECT {names} FROM ({values})"

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

    def grouped(self, rows: str) -> str:
        """Several rows that make one: totals are added, the rest must agree."""
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


_STEPS = ("mql_at", "sal_at", "sql_at", "converted_at", "disqualified_at")
