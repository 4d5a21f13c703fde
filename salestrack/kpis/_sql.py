"""What DuckDB says shorter and faster than the SQL that every engine understands: texts of statements, rewritten."""

from __future__ import annotations

import re
from functools import cache

import narwhals as nw

from salestrack.kpis import _pandas
from salestrack.kpis._periods import day_number

NAME = r'("(?:[^"]|"")*")'


def shortened(statement: str) -> str:
    """The statement in DuckDB's own words for lists of values, numbers of days and places in an order."""
    return with_places(with_in(with_days(statement)))


def with_places(statement: str) -> str:
    """The statement with `row_number()` for the running count of `COUNTED`; an order by one column has no NULL in it.

    DuckDB then keeps only the first rows of each group, where it would sort all of them.

    >>> window = 'partition by "a" order by "b" asc nulls {}'
    >>> with_places(f'count("_counted") over ({window.format("first")} rows between unbounded preceding and 0 following)')
    'row_number() over (partition by "a" order by "b" asc nulls last)'
    >>> with_places('count("_counted") over (order by "b" asc, "c" asc rows between unbounded preceding and 0 following)')
    'row_number() over (order by "b" asc, "c" asc)'
    """
    return _RUNNING.sub(
        r"row_number() over (\1)",
        _PLACED.sub(r"row_number() over (\1 order by \2 asc nulls last)", statement),
    )


COUNTED = "_counted"
"""A column of ones, in frames that have no NULL in what they are ordered by."""
_PLACED = re.compile(
    rf'count\("{COUNTED}"\) over \((partition by [^()]*?) order by ("[^"]+") asc nulls first'
    r" rows between unbounded preceding and 0 following\)"
)
_RUNNING = re.compile(
    rf'count\("{COUNTED}"\) over \(([^()]*) rows between unbounded preceding and 0 following\)'
)


def with_days(statement: str) -> str:
    """The statement with DuckDB's difference of days for the arithmetic of `day_number`.

    >>> print(with_days(_written("d")))
    date_diff('day', DATE '1970-01-01', CAST("d" AS DATE))
    """
    return _day_pattern().sub(r"date_diff('day', DATE '1970-01-01', CAST(\1 AS DATE))", statement)


@cache
def _day_pattern() -> re.Pattern[str]:
    first, *rest = re.escape(_written("d")).split(re.escape('"d"'))
    return re.compile(first + NAME + r"\1".join(rest))


def _written(column: str) -> str:
    """The number of the day of a column as narwhals writes it."""
    with _pandas.cursor() as con:
        con.execute(f'CREATE TEMP TABLE _salestrack_days ("{column}" DATE)')
        rows = nw.from_native(con.table("_salestrack_days"))
        text: str = rows.select(_=day_number(column)).to_native().sql_query()
    return text.partition("SELECT ")[2].rpartition(' AS "_" FROM')[0]


def with_in(statement: str) -> str:
    """The statement with `x IN (…)` for `contains([…], x)`, which looks through the list for every row.

    >>> with_in("SELECT contains(['a', 'b)'], lower(coalesce(x, ''))) AND y")
    "SELECT (lower(coalesce(x, '')) IN ('a', 'b)')) AND y"
    """
    parts = []
    while found := _LISTED.search(statement):
        end = _closing(statement, found.end())
        parts.append(f"{statement[: found.start()]}({with_in(statement[found.end() : end])} IN ({found[1]}))")
        statement = statement[end + 1 :]
    return "".join(parts) + statement


_LISTED = re.compile(r"\bcontains\(\[((?:'(?:[^']|'')*'|[\w.+-]+)(?:, (?:'(?:[^']|'')*'|[\w.+-]+))*)\], ")


def _closing(text: str, start: int) -> int:
    """Where the bracket closes that is open at `start`; those in texts and names do not count."""
    depth = 1
    for found in re.finditer(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[()]", text[start:]):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth == 0:
            return start + found.start()
    raise ValueError(f"brackets do not close in {text!r}")
