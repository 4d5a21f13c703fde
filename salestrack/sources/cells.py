"""What the text of one cell means: its value as SQL, by the type of its column and the rule that fills it."""

from __future__ import annotations

from dataclasses import dataclass

from salestrack.config import Config
from salestrack.schema import Column
from salestrack.sources import formats
from salestrack.sources.formats import Formats
from salestrack.sources.mapping import Rule, literal, normal, quoted

NUMBERS = ("money", "rate", "number", "share", "count", "seconds", "integer", "cents")
WHOLE = ("count", "integer")
"""Numbers without decimals: 1.200 is not 1."""
DATES = ("date", "timestamp")
NAMED = "name:"
"""Before a display name that stands where an id belongs, until it is resolved (resolve.py)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One canonical column being filled: its rule, the SQL of its text and of its value."""

    column: Column
    rule: Rule
    text: str
    label: str
    heading: str
    """The column's name as the file writes it; `label` is the mapping's."""

    @property
    def source(self) -> str:
        """The column that holds its text."""
        return quoted(f"text of {self.column.name}")

    @property
    def looked_up(self) -> str:
        """The id before its translation."""
        return quoted(f"id of {self.column.name}")


def value_sql(cell: Cell, found: Formats, zone: str, config: Config) -> str:
    """SQL for the value of a cell; times without a zone are local times of `zone`."""
    column, text = cell.column, cell.source
    kind = column.duckdb_type
    if column.type in NUMBERS:
        value = _number(cell, found)
    elif found.plain and column.type in DATES and found.dates[column.name] != "iso":
        value = formats.plain_stamp_sql(text, found.dates[column.name])
        local = f"{value} AT TIME ZONE {literal(zone)} AT TIME ZONE 'UTC'"
        value = local if column.type == "timestamp" else f"CAST({value} AS DATE)"
    elif found.plain and column.type == "timestamp":
        value = formats.plain_utc_sql(text, zone)
    elif found.plain and column.type == "date":
        value = formats.plain_day_sql(text, config.time_zone)
    elif column.type == "timestamp":
        value = formats.utc_sql(text, found.dates[column.name], found.zoned[column.name], zone)
    elif column.type == "date":
        value = formats.day_sql(text, found.dates[column.name], found.zoned[column.name], config.time_zone)
    elif column.type == "flag":
        value = f"yes_or_no({text})"
    elif column.type == "enum":
        value = _enum(cell)
    elif column.type == "currency":
        value = f"CASE WHEN regexp_full_match(upper(trim({text})), '[A-Z]{{3}}') THEN upper(trim({text})) END"
    else:
        value = _mapped(cell) if cell.rule.map else f"nullif(trim({text}), '')"
    default = default_sql(column, config)
    if default and column.type != "currency":
        value = f"CASE WHEN {text} IS NULL THEN {default} ELSE {value} END"
    return f"CAST({value} AS {kind})"


def _number(cell: Cell, found: Formats) -> str:
    column, text = cell.column, cell.source
    scaled = cell.rule.scale != 1 and not cell.rule.alternative
    kind = "DECIMAL(28,10)" if scaled and column.type in ("money", "rate") else column.duckdb_type
    kind = "DOUBLE" if scaled and kind == "BIGINT" else kind
    separators = column.name in found.separators
    if found.habitual or found.plain:
        value = (
            f"TRY_CAST({text} AS {kind})"
            if found.habitual
            else formats.plain_number_sql(text, found.number, kind, separators)
        )
        if column.type in WHOLE:
            value = (
                f"CASE WHEN NOT contains({text}, '{',' if found.number == 'de' else '.'}') THEN {value} END"
            )
    else:
        value = formats.number_sql(text, found.number, kind, separators)
    if kind == "DOUBLE":
        value = f"CASE WHEN isfinite({value}) THEN {value} END"
    if scaled:
        value = (
            f"{value} * {cell.rule.scale!r}"
            if kind == "DOUBLE"
            else f"{value} * CAST({cell.rule.scale!r} AS DECIMAL(10,4))"
        )
    if column.type == "share" and not found.plain:
        percent = formats.number_sql(text, found.number, "DOUBLE", separators)
        value = f"CASE WHEN contains({text}, '%') THEN {percent} / 100 ELSE {value} END"
    return f"TRY_CAST({value} AS {column.duckdb_type})"


def default_sql(column: Column, config: Config) -> str:
    """SQL for what an empty cell means; empty where it means nothing."""
    if column.default is None:
        return ""
    return literal(column.default.replace("{currency}", config.currency))


def reason_code(cell: Cell) -> str:
    """Which reason a filled cell without a value has; empty for columns that take any text."""
    if cell.column.type in NUMBERS:
        return "number"
    if cell.column.type in DATES:
        return "date"
    return "value" if cell.column.type in ("enum", "flag", "currency") or cell.rule.map else ""


def _enum(cell: Cell) -> str:
    if cell.rule.map or cell.rule.other:
        return _mapped(cell)
    values = ", ".join(literal(value) for value in cell.column.values)
    return f"CASE WHEN lower(trim({cell.source})) IN ({values}) THEN lower(trim({cell.source})) END"


def _mapped(cell: Cell) -> str:
    """Values translated by the mapping's table; `other` takes those it does not list."""
    pairs = {normal(old): new for old, new in (cell.rule.map or {}).items()}
    pairs |= {value: value for value in cell.column.values if value not in pairs}
    whens = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in pairs.items())
    other = f" ELSE {literal(cell.rule.other)}" if cell.rule.other else ""
    return f"CASE lower(trim({cell.source})) {whens}{other} END"
