"""Facts of one KPI: checked rows, cut to the period, with the columns that the result is grouped by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._frames import Part, Rows, frame, over_another, placed, small, summarise
from salestrack.kpis._periods import within, word_key, word_start
from salestrack.periods import WORDS, Period, PeriodLike

By: TypeAlias = str | Sequence[str] | None
MISSING = "(missing)"
ALL = "_all"
RESERVED = ("n", "low", "high", "note")


@dataclass(frozen=True)
class Facts:
    """Rows and the way they are grouped; each verb gives a new one."""

    rows: Rows
    by: tuple[str, ...]
    function: str
    fiscal_year_start: int = 1
    every: Rows | None = None
    """Rows whose groups all appear in the totals, where `rows` may lack some."""

    @property
    def words(self) -> tuple[str, ...]:
        """The period words among the groups."""
        return tuple(name for name in self.by if name in WORDS)

    @property
    def columns(self) -> list[str]:
        """The columns that there are."""
        return self.rows.collect_schema().names()

    @property
    def keys(self) -> list[str]:
        """What a window is taken over: the groups, or a constant where there is only one."""
        return list(self.by) or [ALL]

    def mark(self, **columns: nw.Expr) -> Facts:
        """With more columns."""
        return replace(self, rows=self.rows.with_columns(**columns)) if columns else self

    def placed(self, **places: tuple[Sequence[str], Sequence[str]]) -> Facts:
        """With the places of the rows among those of equal keys; see `placed` of the frames."""
        return replace(self, rows=placed(self.rows, **places))

    def keep(self, condition: nw.Expr) -> Facts:
        """Only the rows for which the condition holds."""
        return replace(self, rows=self.rows.filter(condition))

    def only(self, condition: nw.Expr) -> Facts:
        """Only the rows for which the condition holds; groups without any stay, and their totals are of nothing."""
        every = self.rows if self.every is None and self.by else self.every
        return replace(self.keep(condition), every=every)

    def also_by(self, *names: str) -> Facts:
        """Grouped by further columns, after the ones asked for."""
        more = [name for name in names if name not in self.by]
        schema = self.rows.collect_schema()
        filled = {name: _group(name, schema, "", 1) for name in more}
        every = None if self.every is None else self.every.with_columns(**filled)
        return replace(self.mark(**filled), by=(*self.by, *more), every=every)

    def totals(self, **what: Part) -> pd.DataFrame:
        """One row per group, sorted, with the figures of `summarise`."""
        return self.known(summarise(self.rows, self.by, **what), sums=sums_of(what))

    def known(self, *totals: Rows, sums: Iterable[str] = ()) -> pd.DataFrame:
        """Totals per group side by side, by one query; the `sums` of groups that only others or `every` have are 0."""
        if self.every is None and len(totals) == 1:
            return self.finish(small(totals[0]))
        types = {name: kind for rows in totals for name, kind in rows.collect_schema().items()}
        empty = () if self.every is None else (summarise(self.every, self.by, _rows="len"),)
        whole: dict[str, Part] = {name: (name, "max") for name in types if name not in self.by}
        both = summarise(over_another([*totals, *empty], types), self.by, **whole)
        return self.finish(small(both.with_columns(*(nw.col(name).fill_null(0) for name in sums))))

    def finish(self, table: pd.DataFrame) -> pd.DataFrame:
        """Readable groups: dates for words, `(missing)` for NULL, sorted; no undated row without cases."""
        table = table.copy()
        for word in self.words:
            table[word] = word_start(word, table[word], self.fiscal_year_start)
        return named_groups(self.dated(table), self.by)

    def dated(self, table: pd.DataFrame) -> pd.DataFrame:
        """Without the rows that have neither a date nor a case."""
        if not self.words or "n" not in table or not (table["n"] == 0).any():
            return table
        empty = table[list(self.words)].isna().any(axis=1) & (table["n"] == 0)
        return table[~empty].reset_index(drop=True)


def facts(
    x: Any,
    *,
    function: str,
    needs: Iterable[str] = (),
    date: str | None = None,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> Facts:
    """The rows of a frame that count: not deleted, dated within the period, with their groups."""
    groups = group_names(by)
    words = [name for name in groups if name in WORDS]
    dated = (date,) if date and (words or period is not None) else ()
    rows = frame(x, needs=(*needs, *dated), function=function)
    schema = rows.collect_schema()
    _check(groups, schema.names(), function)
    if "is_deleted" in schema:
        rows = rows.filter(~nw.col("is_deleted").fill_null(False))
    if period is not None and date:
        span = Period.parse(period, fiscal_year_start=fiscal_year_start)
        rows = rows.filter(within(date, schema[date], span))
    made = {name: _group(name, schema, date or "", fiscal_year_start) for name in groups}
    return Facts(rows.with_columns(nw.lit(1).alias(ALL), **made), tuple(groups), function, fiscal_year_start)


def sums_of(what: dict[str, Part]) -> list[str]:
    """The figures that are 0 where there is no row."""
    return [name for name, part in what.items() if part == "len" or part[1] in ("sum", "count")]


def group_names(by: By) -> list[str]:
    """`by` as a list without repetitions."""
    return list(dict.fromkeys([by] if isinstance(by, str) else by or ()))


def named_groups(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The table sorted by its groups, the missing ones last and called so."""
    known = {name: _known(table[name]) for name in by}
    if by:
        ranked = pd.DataFrame(known, index=table.index).sort_values(
            list(by), kind="stable", na_position="last"
        )
        table = table.loc[ranked.index]
    table = table.reset_index(drop=True)
    for name, column in known.items():
        if table[name].hasnans and not pd.api.types.is_datetime64_any_dtype(column):
            table[name] = table[name].astype(object).where(table[name].notna(), MISSING)
    return table


def _known(column: pd.Series[Any]) -> pd.Series[Any]:
    """The groups with NaN for those that are missing."""
    if column.dtype != "str":
        return column
    missing = column == MISSING
    return column.mask(missing) if missing.any() else column


def own_names(columns: Iterable[str]) -> list[str]:
    """The columns that came with the frame; those made on the way begin with an underscore."""
    return [name for name in columns if not name.startswith("_")]


def alternatives(x: Facts, *names: str) -> str:
    """The first of these columns that the frame has; none is an error that names the first."""
    columns = x.columns
    for name in names:
        if name in columns:
            return name
    raise KpiError.missing_column(names[0], x.function, own_names(columns))


def _check(groups: Sequence[str], columns: Sequence[str], function: str) -> None:
    for name in groups:
        if name in (function, *RESERVED):
            cure = "rename the column, the result has one of that name"
            raise KpiError.bad_option(function, "by", name, cure)
        if name not in WORDS and name not in columns:
            raise KpiError.unknown_group(name, function, own_names(columns))


def _group(name: str, schema: nw.Schema, date: str, fiscal_year_start: int) -> nw.Expr:
    if name in WORDS:
        return word_key(name, date, fiscal_year_start)
    if any(schema[name] == text for text in (nw.String, nw.Categorical, nw.Enum, nw.Unknown)):
        return nw.col(name).cast(nw.String).fill_null(MISSING)
    return nw.col(name)
