"""Queries on pandas frames and DuckDB relations: written down step by step, built when they are asked.

Building a query costs DuckDB's relations about two milliseconds a step, more than most figures take to be worked
out. So the steps of a KPI are only recorded. The SQL that they come to is kept: the next call with the same steps
on tables of the same form runs it as it is. Small pandas frames go to Polars, which builds fast. Frames that are
lazy by themselves (Polars, PySpark, Ibis) do not come here.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Sequence
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import duckdb
import narwhals as nw
import pandas as pd

from salestrack.kpis import _pandas
from salestrack.kpis._sql import shortened

if TYPE_CHECKING:
    import polars as pl

Relation = duckdb.DuckDBPyRelation
Key = TypeVar("Key")
Kept = TypeVar("Kept")
KEPT = 5_000
"""Statements and schemas that are remembered."""
PARSED = 500
"""Statements that are remembered as DuckDB parsed them, which takes it up to a third of a small query's time."""
Form: TypeAlias = tuple[tuple[str, str], ...]
_FORMS: dict[Form, Form] = {}
_STATEMENTS: dict[bytes, str] = {}
_SCHEMAS: dict[bytes, nw.Schema] = {}


class Source:
    """A table that a query starts from: a pandas frame or a DuckDB relation."""

    def __init__(self, native: pd.DataFrame | Relation) -> None:
        self.native: Any = native
        self.frame = native if isinstance(native, pd.DataFrame) else None

    @cached_property
    def relation(self) -> Relation:
        """The table as DuckDB sees it; a pandas frame is read where it lies."""
        x = self.native
        return _pandas.memory().from_df(x) if isinstance(x, pd.DataFrame) else x

    @cached_property
    def form(self) -> Form:
        """Names and types of its columns: what its queries depend on."""
        kinds = None if self.frame is None else _pandas.dtypes(self.frame)
        return self._types() if kinds is None else _remembered(_FORMS, kinds, self._types)

    def _types(self) -> Form:
        names, types = self.relation.columns, self.relation.types
        return tuple((name, str(kind)) for name, kind in zip(names, types, strict=True))

    @cached_property
    def empty(self) -> nw.LazyFrame[Any]:
        """No row, but every column: what the schema of a step is found out with."""
        return nw.from_native(_no_rows(self.form)).lazy()


@cache
def _no_rows(form: Form) -> pl.DataFrame:
    import polars as pl

    with _pandas.cursor() as con:
        return pl.DataFrame(_stand_in(con, 0, form))


class Plan:
    """A recorded query: the verbs of a narwhals frame, each giving a further plan."""

    implementation = nw.Implementation.DUCKDB

    def __init__(
        self, verb: str, inputs: Sequence[Plan], given: tuple[Any, ...], named: dict[str, Any]
    ) -> None:
        self._verb, self._inputs, self._given, self._named = verb, tuple(inputs), given, named
        self.sources: tuple[Source, ...] = tuple(dict.fromkeys(s for plan in inputs for s in plan.sources))

    @classmethod
    def of(cls, native: pd.DataFrame | Relation) -> Plan:
        """The plan that is a table as it lies."""
        plan = cls("table", (), (), {})
        plan.sources = (Source(native),)
        return plan

    @cached_property
    def key(self) -> bytes:
        """What the query is, apart from the rows: plans with equal keys have equal SQL."""
        digest = hashlib.blake2b(self._verb.encode(), digest_size=16)
        digest.update(self._said)
        if not self._inputs:
            digest.update(pickle.dumps(self.sources[0].form))
        for plan in self._inputs:
            digest.update(plan.key + bytes(self.sources.index(source) for source in plan.sources))
        return digest.digest()

    def _then(self, verb: str, *given: Any, **named: Any) -> Plan:
        return Plan(verb, (self,), given, named)

    def filter(self, *given: Any, **named: Any) -> Plan:
        return self._then("filter", *given, **named)

    def select(self, *given: Any, **named: Any) -> Plan:
        return self._then("select", *given, **named)

    def with_columns(self, *given: Any, **named: Any) -> Plan:
        return self._then("with_columns", *given, **named)

    def with_row_index(self, *given: Any, **named: Any) -> Plan:
        return self._then("with_row_index", *given, **named)

    def rename(self, *given: Any, **named: Any) -> Plan:
        return self._then("rename", *given, **named)

    def drop(self, *given: Any, **named: Any) -> Plan:
        return self._then("drop", *given, **named)

    def drop_nulls(self, subset: Sequence[str] | None = None) -> Plan:
        return self._then("drop_nulls", subset or self.collect_schema().names())

    def unique(self, subset: Sequence[str] | None = None, **named: Any) -> Plan:
        return self._then("unique", subset or self.collect_schema().names(), **named)

    def sort(self, *given: Any, **named: Any) -> Plan:
        return self._then("sort", *given, **named)

    def head(self, n: int = 5) -> Plan:
        return self._then("head", n)

    def group_by(self, by: Sequence[str]) -> Grouped:
        return Grouped(self, tuple(by))

    def join(self, other: Plan, **named: Any) -> Plan:
        if not isinstance(other, Plan):
            raise TypeError("the tables come from two engines: bring both into one")
        return Plan("join", (self, other), (), named)

    def lazy(self) -> Plan:
        return self

    @cached_property
    def _empty(self) -> nw.LazyFrame[Any]:
        """The query on tables without rows."""
        return self._step([plan._empty for plan in self._inputs], [s.empty for s in self.sources])

    def collect_schema(self) -> nw.Schema:
        """Names and types of the columns."""
        return _remembered(_SCHEMAS, self.key, lambda: self._empty.collect_schema())

    def _step(self, made: list[nw.LazyFrame[Any]], tables: Sequence[nw.LazyFrame[Any]]) -> nw.LazyFrame[Any]:
        """This step on what its inputs have come to."""
        if self._verb == "table":
            return tables[0]
        if self._verb == "once":
            return made[0]
        if self._verb == "concat":
            return nw.concat(made, **self._named)
        if self._verb == "agg":
            by, figures = self._given
            return made[0].group_by(list(by)).agg(*figures)
        out: nw.LazyFrame[Any] = getattr(made[0], self._verb)(*made[1:], *self._given, **self._named)
        return out

    def built(
        self,
        table: Callable[[Source], nw.LazyFrame[Any]],
        kept: Callable[[nw.LazyFrame[Any]], nw.LazyFrame[Any]] = lambda made: made,
    ) -> nw.LazyFrame[Any]:
        """The whole query on real frames, every step once; `kept` is told what `once` is about."""
        tables = {source: table(source) for source in self.sources}
        done: dict[int, nw.LazyFrame[Any]] = {}

        def build(plan: Plan) -> nw.LazyFrame[Any]:
            if id(plan) not in done:
                made = [build(one) for one in plan._inputs]
                step = plan._step(made, [tables[s] for s in plan.sources])
                done[id(plan)] = kept(step) if plan._verb == "once" else step
            return done[id(plan)]

        return build(self)

    @property
    def is_small(self) -> bool:
        """Only pandas frames, and few rows."""
        frames = [source.frame for source in self.sources]
        return sum(_pandas.SMALL + 1 if f is None else len(f) for f in frames) <= _pandas.SMALL

    def to_native(self) -> Any:
        """The query as a lazy frame of the engine that works on it."""
        if self.is_small:
            return self.built(lambda s: nw.from_native(_pandas.polars(s.native)).lazy()).to_native()
        return self.built(lambda s: nw.from_native(s.relation).lazy()).to_native()

    def collect(self) -> pd.DataFrame | pl.DataFrame:
        """The rows."""
        if self.is_small:
            found: pl.DataFrame = self.to_native().collect()
            return found
        statement = _remembered(_STATEMENTS, self.key, self._statement)
        stored = [source.relation for source in self.sources if source.frame is None]
        if not stored:
            return self._in_memory(statement)
        try:
            return _run(stored[0], self._over_texts(statement))
        except (duckdb.CatalogException, duckdb.InvalidInputException):
            # A table that only its relation knows has no text, or one without the values of its parameters.
            table: pd.DataFrame = self.to_native().df()
            return table

    def _over_texts(self, statement: str) -> str:
        texts = [
            f"{_name(i)} AS NOT MATERIALIZED ({s.relation.sql_query()}\n)" for i, s in enumerate(self.sources)
        ]
        return f"WITH {', '.join(texts)} SELECT * FROM ({statement})"

    def _in_memory(self, statement: str) -> pd.DataFrame:
        with _pandas.cursor() as con:
            for i, source in enumerate(self.sources):
                con.register(_name(i), source.frame)
            return con.execute(_parsed(statement)).df()

    @cached_property
    def _said(self) -> bytes:
        """What this step was given, the names of columns among it."""
        return pickle.dumps((self._given, self._named))

    @cached_property
    def _words(self) -> frozenset[bytes]:
        """What all the steps were given."""
        return frozenset({self._said}).union(*(plan._words for plan in self._inputs))

    def _read(self, source: Source) -> list[str]:
        """The columns of a table that the query may need: those that a step names and those that come out."""
        out = self.collect_schema().names()
        return [
            name
            for name, _ in source.form
            if name in out or any(name.encode() in said for said in self._words)
        ]

    def _statement(self) -> str:
        """The SQL of the query over tables called `_name(0)`, `_name(1)`, …

        Every step lists all columns, and DuckDB works through all the lists: those that nothing needs are left out.
        """
        with _pandas.cursor() as con:
            stand_ins = {
                s: nw.from_native(_stand_in(con, i, s.form)).lazy().select(self._read(s))
                for i, s in enumerate(self.sources)
            }
            steps: list[str] = []

            def kept(step: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
                made, number = step.to_native(), len(stand_ins) + len(steps)
                steps.append(f"{_name(number)} AS MATERIALIZED ({made.sql_query()})")
                form = tuple((name, str(kind)) for name, kind in zip(made.columns, made.types, strict=True))
                return nw.from_native(_stand_in(con, number, form)).lazy()

            text: str = self.built(stand_ins.__getitem__, kept).to_native().sql_query()
            return shortened(f"WITH {', '.join(steps)} SELECT * FROM ({text})" if steps else text)


class Grouped:
    """A plan with its groups, waiting for the figures."""

    def __init__(self, plan: Plan, by: tuple[str, ...]) -> None:
        self._plan, self._by = plan, by

    def agg(self, *figures: Any) -> Plan:
        return self._plan._then("agg", self._by, figures)


def _run(relation: Relation, query: str) -> pd.DataFrame:
    """A query where a relation lives: in its transaction, among its temporary tables.

    Like reading the relation itself it is refused while rows of an `execute` wait to be fetched there, which would
    be lost; a cursor would not see the same tables. `relation.query` would bind the query six times over, `sql` twice.
    """
    con: Any = getattr(relation, "_con", None)
    submit = getattr(con, "_submit", None)
    found: Any
    if submit is None:
        found = relation.query("_", query)
    else:
        submit("SELECT 1")  # refused where rows wait, which `execute` would drop
        found = con.execute(_parsed(query))
    table: pd.DataFrame = found.df()
    return table


@lru_cache(PARSED)
def _parsed(query: str) -> duckdb.Statement:
    """The one statement of a text, which any connection can run."""
    (statement,) = duckdb.extract_statements(query)
    return statement


def stacked(frames: Sequence[Any], how: str = "vertical") -> Any:
    """Frames on top of each other, recorded or not."""
    if any(isinstance(frame, Plan) for frame in frames):
        return Plan("concat", frames, (), {"how": how})
    return nw.concat(list(frames), how=how)  # type: ignore[arg-type]


def once(rows: Any) -> Any:
    """Rows that a query needs in several places: worked out once, where its SQL would ask for them each time."""
    return rows._then("once") if isinstance(rows, Plan) else rows


def _name(number: int) -> str:
    """What a source is called in the SQL of a query: as no table of the user's is."""
    return f"_salestrack_rows_{number}"


def _stand_in(con: duckdb.DuckDBPyConnection, number: int, form: Form) -> Relation:
    """An empty table with these columns that only this cursor sees, so that threads build side by side."""
    columns = ", ".join(f'"{name.replace(chr(34), chr(34) * 2)}" {kind}' for name, kind in form)
    con.execute(f"CREATE TEMP TABLE {_name(number)} ({columns})")
    return con.table(_name(number))


def _remembered(kept: dict[Key, Kept], key: Key, made: Callable[[], Kept]) -> Kept:
    """The value kept for a key, made if there is none; another thread may empty the store at any time."""
    value = kept.get(key)
    if value is None:
        value = made()
        if len(kept) >= KEPT:
            kept.clear()
        kept[key] = value
    return value
