"""Book: the canonical tables of a company as they were known at the end of a day."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import polars as pl

from salestrack import duck, views
from salestrack.config import Config, load_config
from salestrack.duck import local_date
from salestrack.errors import InputError, MissingData
from salestrack.importing import import_company
from salestrack.periods import Period
from salestrack.schema import TABLES
from salestrack.spark import SparkTables
from salestrack.store import Store

FACTS = {  # what tells from when to when a company has data
    "deals": "created_at",
    "deal_versions": "closed_at",
    "orders": "order_date",
    "activities": "started_at",
    "leads": "created_at",
}
ENGINES = ("duckdb", "spark")
PERSONAL = ("owner_rep_id", "rep_id", "rep_name")
KEPT_IN_MEMORY = (
    2_000_000  # rows of a table; what a larger one was as of the day is worked out anew for each question
)
IN_POLARS = 200_000
"""Rows of a table up to which KPIs get it as a Polars frame."""
Relation = duckdb.DuckDBPyRelation


class Book:
    """A company's tables as of a day: `book.deals`, `book.stage_spells`, … are lazy DuckDB relations.

    Every table of the catalogue is an attribute; one that the company does not have is empty, and `has` tells.
    Nothing that became known after the day is in any of them. With `engine="spark"` (default: what salestrack.toml
    says) KPIs are worked out on Spark, from the same files; the relations stay there for SQL of one's own.
    """

    def __init__(self, store: Store, config: Config, as_of: date, engine: str | None = None) -> None:
        self.store, self.config, self.as_of = store, config, as_of
        zone = ZoneInfo(config.time_zone)
        midnight = datetime.combine(as_of + timedelta(days=1), time(), zone)
        self.at = views.Moment(as_of, midnight.astimezone(ZoneInfo("UTC")).replace(tzinfo=None))
        self._con = duck.connect(memory=config.engine.memory)
        self._made: dict[str, str] = {}
        self._polars: dict[str, pl.DataFrame | None] = {}
        _stored(self._con, store)
        self._con.execute(f"CREATE VIEW assignment_spans AS {views.ASSIGNMENT_SPANS}")
        self._views = self._definitions()
        self.engine = engine or config.engine.name
        if self.engine not in ENGINES:
            raise InputError.unknown_name("engine", self.engine, ENGINES)
        self._spark = self._on_spark() if self.engine == "spark" else None

    @classmethod
    def open(cls, data: Path | str, as_of: date | str | None = None, *, engine: str | None = None) -> Book:
        """The book of the company in the folder `data`, at the end of `as_of` (default: of its last full month).

        New or changed files in `raw/` are imported first.
        """
        store, config = _imported(Path(data))
        day = Period.parse(as_of).last_day if isinstance(as_of, str) else as_of
        return cls(store, config, day or span(store)[1].last_day, engine)

    @classmethod
    def for_month(cls, data: Path | str, month: str | None = None, *, engine: str | None = None) -> Book:
        """The book at the end of a month (`2026-10`; default: the company's last full month).

        Raises InputError for text that is no month and MissingData for a month outside the data.
        """
        wanted = Period.month(month) if month else None
        store, config = _imported(Path(data))
        first, last = span(store)
        wanted = wanted or last
        if not first.start <= wanted.start <= last.start:
            raise MissingData.no_month(wanted.label, config.name, first.label, last.label)
        return cls(store, config, wanted.last_day, engine)

    @property
    def month(self) -> Period:
        """The month that `as_of` lies in."""
        return Period.months(self.as_of.replace(day=1), 1)

    def table(self, name: str) -> Relation:
        """The table `name` as of the day; an unknown name is refused with the nearest one."""
        if name not in self._views:
            raise InputError.unknown_name("table", name, sorted(self._views))
        self._make(name)
        return self._con.table(name)

    def sql(self, query: str) -> Relation:
        """A query in DuckDB's SQL over the tables as of the day: `book.sql("SELECT status, count(*) FROM deals GROUP BY ALL")`."""
        for name in self._views.keys() & set(re.findall(r"\w+", query)):
            self._make(name)
        return self._con.sql(query)

    def __getattr__(self, name: str) -> Relation:
        if name.startswith("_") or name not in self.__dict__.get("_views", {}):
            raise AttributeError(name)
        return self.table(name)

    @property
    def tables(self) -> frozenset[str]:
        """The names of all tables."""
        return frozenset(self._views)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._views})

    def has(self, *names: str) -> bool:
        """True when every one of these tables has at least one row as of the day."""
        return all(self.table(name).limit(1).fetchall() for name in names)

    def kpi(self, function: Callable[..., pd.DataFrame], **options: Any) -> pd.DataFrame:
        """A KPI of this book: frames are bound by the names of the function's parameters.

        `as_of` and `fiscal_year_start` are filled in where the function has them; everything else is handed on.
        Grouping by persons is refused unless the company's configuration allows it.
        """
        self._protect(options.get("by"))
        given = [value for name, value in options.items() if name in self._views]
        spark = self._spark if all(_is_spark(value) for value in given) else None
        known = inspect.signature(function).parameters
        tables = [
            p.name
            for p in known.values()
            if p.kind is p.POSITIONAL_OR_KEYWORD and p.name in self._views and p.name not in options
        ]
        bound = dict(zip(tables, self._frames_of(tables, spark, "as_of" not in known), strict=True))
        bound |= {"as_of": self.as_of} if "as_of" in known else {}
        if "fiscal_year_start" in known:
            bound["fiscal_year_start"] = self.config.fiscal_year_start_month
        return function(**(bound | options))

    def frame(self, name: str) -> Any:
        """The table `name` as KPIs get it: on Spark a Spark DataFrame, else a Polars frame or a DuckDB relation."""
        if name not in self._views:
            raise InputError.unknown_name("table", name, sorted(self._views))
        return self._frames_of([name], self._spark)[0]

    def _frames_of(self, names: list[str], spark: SparkTables | None, begun: bool = False) -> list[Any]:
        """Tables for a KPI: as Polars frames, for which queries are built faster, where all of them are small."""
        tables = [self._cut(name, spark.frame(name) if spark else self.table(name), begun) for name in names]
        if spark or any(self._made[name] == "VIEW" for name in names):
            return tables
        keys = [f"{name} begun" if begun else name for name in names]
        for key, table in zip(keys, tables, strict=True):
            if key not in self._polars:
                self._polars[key] = pl.DataFrame(table) if len(table) <= IN_POLARS else None
        frames = [self._polars[key] for key in keys]
        return tables if any(frame is None for frame in frames) else frames

    def _cut(self, name: str, table: Any, begun: bool) -> Any:
        """Without targets whose time has not begun (they were not missed) and rates into other currencies."""
        if name == "quotas" and begun:
            return table.filter(f"period_start_date <= {self.at.day}")
        if name == "exchange_rates":
            return table.filter(f"to_currency_code = '{self.config.currency}'")
        return table

    def _protect(self, by: str | list[str] | tuple[str, ...] | None) -> None:
        names = [by] if isinstance(by, str) else list(by or ())
        personal = [name for name in names if name in PERSONAL]
        if personal and not self.config.privacy.person_level:
            raise InputError(
                f"figures per person ('{personal[0]}') are off for {self.config.name}: group by team, or set "
                "person_level = true with the agreement it rests on under [privacy] in salestrack.toml"
            )

    def _definitions(self) -> dict[str, str]:
        columns = {
            t: self._con.table(f"stored.{t}").columns
            for t in sorted(TABLES.keys() | self.store.tables.keys())
            if t not in ("deals", "credits")
        }
        zone = self.config.time_zone
        made = {name: views.fact(name, names, self.at) for name, names in columns.items()}
        made["deals"] = views.deals(self.at, self.config.currency, local_date("d.created_at", zone))
        made["deal_versions"] = views.deal_versions(columns["deal_versions"], self.at, zone)
        made["stage_spells"] = views.stage_spells(columns["stage_spells"], self.at)
        made["activities"] = views.activities(columns["activities"], self.at, zone)
        made["orders"] = views.orders(columns["orders"], self.at)
        made["order_lines"] = views.order_lines(columns["order_lines"], self.at)
        made["leads"] = views.leads(columns["leads"], self.at, local_date("created_at", zone))
        made["costs"] = views.costs(columns["costs"], self.at)
        made["quotas"] = views.quotas(columns["quotas"], self.at)
        made["credits"] = views.credits(self.config.quota.credit, self.at)
        return made

    def _custom(self, name: str) -> list[str]:
        """The company's own columns in the exports of a table, apart from those that bear a name of ours."""
        source = "deals" if name in views.OF_DEALS else name
        entries = self.store.manifest.get("load_log", [])
        found = {own for entry in entries if entry["table_name"] == source for own in entry["unmapped"]}
        if not found:
            return []
        ours = {
            column.lower() for column in self._con.sql(f"SELECT * FROM ({self._views[name]}) LIMIT 0").columns
        }
        plain = sorted(own for own in found if own.lower() not in ours and not set(own) & set("\"'\\"))
        return plain[: views.MOST_CUSTOM]

    def _on_spark(self) -> SparkTables:
        made = {name: self._rows_sql(name) for name in self._views} | {
            "assignment_spans": views.ASSIGNMENT_SPANS
        }
        return SparkTables(self.store, made, self.config.engine.master, KEPT_IN_MEMORY)

    def _make(self, name: str) -> None:
        if name in self._made:
            return
        rows_sql = self._rows_sql(name)
        rows = self.store.manifest["tables"].get(name, {}).get("rows", 0)
        kind = "TABLE" if rows <= KEPT_IN_MEMORY else "VIEW"
        self._con.execute(f"CREATE {kind} {name} AS {rows_sql}")
        self._made[name] = kind

    def _rows_sql(self, name: str) -> str:
        """The definition of a table with the company's own columns; the tables that it is made of are there then."""
        for needed in {"stage_spells": ["deals"], "credits": ["deals", "orders"]}.get(name, []):
            self._make(needed)
        custom = self._custom(name)
        return views.with_custom(name, self._views[name], custom) if custom else self._views[name]

    def close(self) -> None:
        """Ends the book's database; its relations cannot be read any more."""
        self._con.close()
        if self._spark:
            self._spark.close()

    def __enter__(self) -> Book:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def span(store: Store) -> tuple[Period, Period]:
    """The first month with facts and the last full one.

    A month is full when no working day (Monday to Friday) of it comes after the newest fact.
    """
    con = duck.connect()
    try:
        _stored(con, store)
        parts = [
            f"SELECT min({c})::DATE AS first, max({c})::DATE AS last FROM stored.{t}"
            for t, c in FACTS.items()
        ]
        row = con.execute(f"SELECT min(first), max(last) FROM ({' UNION ALL '.join(parts)})").fetchone()
    finally:
        con.close()
    if row is None or row[0] is None:
        raise MissingData("the company has no dated deals, orders, leads or activities: import some first")
    first, newest = row
    month = Period.months(newest.replace(day=1), 1)
    rest = (newest + timedelta(days=n) for n in range(1, (month.end - newest).days))
    full = all(day.weekday() >= 5 for day in rest)
    first_month = Period.months(first.replace(day=1), 1)
    last_month = month if full else month.shifted(-1)
    return first_month, max(first_month, last_month, key=lambda p: p.start)


def _is_spark(frame: Any) -> bool:
    return type(frame).__module__.startswith("pyspark.")


def _imported(data: Path) -> tuple[Store, Config]:
    config = load_config(data)
    import_company(data, fetch=False)  # a report and its notebooks see the tables as they were fetched once
    return Store.open(data / "store"), config


def _stored(con: duckdb.DuckDBPyConnection, store: Store) -> None:
    """The stored tables as views in the schema `stored`; a table that is not there is empty."""
    con.execute("CREATE SCHEMA stored")
    for name in sorted(TABLES.keys() | store.tables.keys()):
        if path := store.tables.get(name):
            escaped = str(path).replace("'", "''")
            con.execute(f"CREATE VIEW stored.{name} AS SELECT * FROM read_parquet('{escaped}')")
        else:
            typed = ", ".join(
                f"CAST(NULL AS {c.duckdb_type}) AS {c.name}" for c in TABLES[name].columns.values()
            )
            con.execute(f"CREATE VIEW stored.{name} AS SELECT {typed} WHERE FALSE")
