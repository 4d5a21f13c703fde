"""The canonical tables as data: one row is …, key, and per column its type, meaning, unit and null rule.

The tables are written down in the TOML files beside this module, grouped by topic. Everything that
reads, checks, stores or explains data takes them from here.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

SCHEMA_VERSION = 2
"""Raised when a stored generation could no longer be read as it is; stores are then built anew."""

TOPICS = (
    "people",
    "customers",
    "deals",
    "activities",
    "orders",
    "marketing",
    "derived",
    "records",
)

DUCKDB_TYPES = MappingProxyType(
    {
        "id": "VARCHAR",
        "text": "VARCHAR",
        "enum": "VARCHAR",
        "currency": "VARCHAR",
        "json": "VARCHAR",
        "money": "DECIMAL(18,4)",
        "rate": "DECIMAL(18,8)",
        "cents": "BIGINT",
        "count": "BIGINT",
        "seconds": "BIGINT",
        "integer": "BIGINT",
        "number": "DOUBLE",
        "share": "DOUBLE",
        "flag": "BOOLEAN",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
    }
)

UNITS = MappingProxyType(
    {
        "money": "currency_code",
        "cents": "hundredths of the reporting currency",
        "share": "0 to 1",
        "seconds": "seconds",
        "timestamp": "UTC",
        "date": "local day",
        "currency": "ISO 4217",
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a canonical table."""

    name: str
    type: str
    meaning: str
    unit: str = ""
    nullable: bool = False
    null_rule: str = ""
    values: tuple[str, ...] = ()
    default: str | None = None
    base_date: str | None = None
    derived: bool = False

    @property
    def duckdb_type(self) -> str:
        """The column's type in DuckDB and Parquet.

        >>> TABLES["deals"].columns["amount"].duckdb_type
        'DECIMAL(18,4)'
        """
        return DUCKDB_TYPES[self.type]


@dataclass(frozen=True, slots=True)
class Check:
    """What a row must not be: a condition in SQL and the sentences that say so."""

    code: str
    bad: str
    en: str
    de: str


@dataclass(frozen=True, slots=True)
class Table:
    """One canonical or derived table."""

    name: str
    row: str
    key: tuple[str, ...]
    columns: MappingProxyType[str, Column]
    derived: bool = False
    checks: tuple[Check, ...] = ()

    @property
    def imported(self) -> dict[str, Column]:
        """The columns that a source can fill: all but those made at import."""
        return {name: column for name, column in self.columns.items() if not column.derived}

    @property
    def money(self) -> tuple[str, ...]:
        """The money columns that a source can fill."""
        return tuple(name for name, column in self.imported.items() if column.type == "money")

    def columns_sql(self) -> str:
        """The columns as an import makes them, with their types, as SQL.

        >>> TABLES["import_notes"].columns_sql()[:34]
        '"code" VARCHAR, "table_name" VARCH'
        """
        return ", ".join(f'"{column.name}" {column.duckdb_type}' for column in self.imported.values())


_RECORD = {
    "source_system": Column("source_system", "text", "system the row comes from"),
    "source_ref": Column("source_ref", "text", "file below raw/ and line of the row: file#line"),
    "custom_fields": Column(
        "custom_fields", "json", "cells of columns without a meaning here", "", True, "no such columns"
    ),
    "is_deleted": Column("is_deleted", "flag", "deleted in the source", default="false"),
}


def _column(name: str, spec: dict[str, Any]) -> Column:
    return Column(
        name=name,
        type=spec["type"],
        meaning=spec["meaning"],
        unit=spec.get("unit", UNITS.get(spec["type"], "")),
        nullable="null" in spec,
        null_rule=spec.get("null", ""),
        values=tuple(spec.get("values", ())),
        default=spec.get("default"),
        base_date=spec.get("base_date"),
        derived=spec.get("derived", False),
    )


def _base_cents(column: Column) -> Column:
    """The column made at import beside a money fact: the same amount in the reporting currency."""
    rule = column.null_rule or ("no amount" if column.nullable else "")
    return Column(
        f"{column.name}_base_cents",
        "cents",
        f"{column.name} in the reporting currency at the rate of {column.base_date}",
        UNITS["cents"],
        column.nullable,
        rule,
        derived=True,
    )


def _table(name: str, spec: dict[str, Any]) -> Table:
    columns = {column: _column(column, detail) for column, detail in spec["columns"].items()}
    if not spec.get("derived"):
        columns |= _RECORD
    columns |= {base.name: base for c in list(columns.values()) if c.base_date for base in [_base_cents(c)]}
    checks = tuple(Check(code, **check) for code, check in spec.get("checks", {}).items())
    derived = spec.get("derived", False)
    return Table(name, spec["row"], tuple(spec["key"]), MappingProxyType(columns), derived, checks)


def _load() -> dict[str, Table]:
    folder = Path(__file__).parent
    found: dict[str, Table] = {}
    for topic in TOPICS:
        text = (folder / f"{topic}.toml").read_text(encoding="utf-8")
        found |= {name: _table(name, spec) for name, spec in tomllib.loads(text).items()}
    return found


TABLES: dict[str, Table] = _load()
"""Every table by name, in the order of the topics."""

CANONICAL: tuple[str, ...] = tuple(name for name, table in TABLES.items() if not table.derived)
"""Names of the tables that exports fill; the others are made at import."""


def markdown() -> str:
    """The tables as Markdown: what `data/README.md` shows.

    >>> markdown().splitlines()[0]
    '### `reps`'
    """
    return "\n".join(_table_markdown(table) for table in TABLES.values()).rstrip() + "\n"


def _table_markdown(table: Table) -> str:
    made = " Made at import." if table.derived else ""
    key = ", ".join(f"`{name}`" for name in table.key)
    head = [f"### `{table.name}`", "", f"One row is {table.row}. Key: {key}.{made}", ""]
    head += ["| column | type | unit | meaning | NULL means |", "|---|---|---|---|---|"]
    shown = [column for column in table.columns.values() if column.name not in _RECORD]
    return "\n".join(head + [_column_markdown(column) for column in shown]) + "\n"


def _column_markdown(column: Column) -> str:
    meaning = column.meaning + (f": {', '.join(column.values)}" if column.values else "")
    if column.default is not None:
        meaning += f" (if not given: {column.default.replace('{currency}', 'the reporting currency')})"
    null = (column.null_rule or "allowed") if column.nullable else "never"
    return f"| `{column.name}` | {column.type} | {column.unit} | {meaning} | {null} |"
