"""The rows of a file with one column of text per canonical column, by the rules of its mapping."""

from __future__ import annotations

from functools import cached_property

import duckdb

from salestrack.config import Config
from salestrack.errors import ReadError
from salestrack.schema import TABLES, Table
from salestrack.sources.cells import NAMED, Cell
from salestrack.sources.locate import Located
from salestrack.sources.mapping import FILLED_BY_US, Rule, TableRule, literal, quoted
from salestrack.sources.text import Text, each_sql, unpivoted_columns, unpivoted_sql

CURRENCY = "{currency}"
"""What stands in a mapping for the company's currency."""


class Mapped:
    """What the rows of one file say about one canonical table, as text."""

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

    def _cells(self) -> dict[str, Cell]:
        rules = self.found.spec.to[self.table.name]
        cells = {name: cell for name, rule in rules.items() if (cell := self._cell(name, rule))}
        lacking = [
            rules[name].source[0] if name in rules and rules[name].source else name
            for name, column in self.table.imported.items()
            if not column.nullable
            and column.default is None
            and name not in cells
            and name not in FILLED_BY_US
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

    def _text(self, rule: Rule, beside: bool = False) -> str:
        """SQL for a rule's text; empty where the file has none of its columns.

        The company's currency (`{currency}`) is not what an empty cell of a column of currencies (`beside`) means.
        """
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
        if rule.const is not None and not (beside and rule.const == CURRENCY):
            parts.append(literal(rule.const.replace(CURRENCY, self.config.currency)))
        if rule.alternative and (other := self._text(rule.alternative, bool(own))):
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

    def texts(self) -> str:
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
        return f"SELECT _line, {cells}{looked}{custom}, {original} FROM ({self.source()})"

    def source(self) -> str:
        """The file's rows with every column that the mapping knows; those the file lacks are NULL."""
        named = set(self.found.spec.known.values())
        absent = "".join(
            f", CAST(NULL AS VARCHAR) AS {quoted(name)}" for name in sorted(named - set(self.columns))
        )
        joins, translated = self._joins()
        rows = self.rows()
        where = []
        if self.text.footer_lines:
            where.append(f"_line NOT IN ({', '.join(map(str, self.text.footer_lines))})")
        if self.rule.skip:
            where.append(f"NOT coalesce({self.rule.skip}, false)")
        inner = f"SELECT t.*{translated} FROM (SELECT *{absent} FROM {rows}) t{joins}"
        return f"SELECT * FROM ({inner})" + (f" WHERE {' AND '.join(where)}" if where else "")

    def rows(self) -> str:
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


def _translated(crosswalk: str, column: str, key: str | None) -> str:
    """The column that holds what a crosswalk makes of a column."""
    return quoted(f"to {crosswalk} {column}" + (f" by {key}" if key else ""))
