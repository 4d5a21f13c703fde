"""The rows of a file for one table as Parquet: the good ones kept, the bad ones in the quarantine, each counted."""

from __future__ import annotations

from pathlib import Path

import duckdb

from salestrack.duck import of_machine
from salestrack.errors import ReadError
from salestrack.sources.formats import Formats
from salestrack.sources.mapping import quoted
from salestrack.sources.parquet import copy, read_parquet_sql
from salestrack.sources.parts import Part
from salestrack.sources.quarantine import quarantine_cells, quarantine_select
from salestrack.sources.typed import BAD_ROW, Typing


def write_part(typing: Typing, target: Path) -> Part:
    """Writes the good rows to `target` and the bad ones to the quarantine; the account must balance."""
    try:
        part = _part(typing, target, typing.find_formats())
        part.grouped = bool(typing.rule.group_by)
        part.footer = typing.text.footer
        part.rows = _count(typing, typing.rows()) + part.footer - len(typing.text.footer_lines)
        part.rows += len(typing.text.bad)
        _write(typing, part)
    except duckdb.Error as error:
        if of_machine(error):
            raise
        raise ReadError.sql(typing.file, typing.table.name, str(error).splitlines()[0]) from None
    return part


def write_in_one_pass(typing: Typing, target: Path) -> Part | None:
    """Writes the rows in one pass over the file, None where it is not in order from the first to the last row.

    In order means: every line is a row, every row is good, and numbers and dates are all in the one form that the
    first rows prove (or that the system is known to write), so that no other reading needs to be ruled out.
    """
    found = None if typing.rule.group_by else typing.plain_formats()
    if found is None:
        return None
    part = _part(typing, target, found)
    part.rows = typing.text.rows
    try:
        part.accepted = copy(typing.con, typing.all_good(typing.values(found)), target)
        if (_count(typing, typing.rows()) if typing.rule.skip else part.accepted) != part.rows:
            return None
    except duckdb.Error as error:
        if of_machine(error):
            raise
        return None
    part.excluded = part.rows - part.accepted
    _add_amounts(typing, part, "accepted", f"FROM {read_parquet_sql([target])}")
    return part


def _part(typing: Typing, target: Path, found: Formats) -> Part:
    return Part(
        typing.table.name,
        target,
        typing.file,
        formats=found,
        unmapped=typing.unmapped,
        kind=typing.found.kind,
    )


def _write(typing: Typing, part: Part) -> None:
    values = typing.values(part.formats)
    kept = typing.good(values)
    if typing.rule.group_by:
        copy(typing.con, typing.grouped(kept), part.path)
        part.accepted = _count(typing, f"({kept})")
    else:
        part.accepted = _write_all(typing, part, values, kept)
    left_out = typing.rule.skip or typing.text.footer_lines
    meant = _count(typing, f"({typing.source()})" if left_out else typing.rows())
    part.excluded = part.rows - len(typing.text.bad) - part.footer - meant
    if part.accepted < meant:
        _quarantine(typing, part, values)
    part.quarantined = meant - part.accepted + len(typing.text.bad)
    quarantine_cells(
        typing.con,
        typing.table.name,
        typing.file,
        len(typing.found.columns),
        ((row.line, row.cells, row.original) for row in typing.text.bad),
    )
    _add_amounts(typing, part, "accepted", f"FROM {read_parquet_sql([part.path])}")


def _write_all(typing: Typing, part: Part, values: str, kept: str) -> int:
    """Writes every row in the hope that none is bad, which takes two thirds of the time of a filter."""
    try:
        return copy(typing.con, typing.all_good(values), part.path)
    except duckdb.Error as error:
        if BAD_ROW not in str(error):
            raise
    return copy(typing.con, kept, part.path)


def _quarantine(typing: Typing, part: Part, values: str) -> None:
    bad = f"FROM ({values}) WHERE {typing.bad()}"
    reasons = f"list_filter([{', '.join(reason for _, reason in typing.tests())}], lambda r: r IS NOT NULL)"
    quarantine_select(
        typing.con,
        typing.table.name,
        typing.file,
        f"SELECT _line AS line, {reasons} AS reasons, _original AS original {bad}",
    )
    _add_amounts(typing, part, "quarantined", bad)


def _add_amounts(typing: Typing, part: Part, use: str, rows: str) -> None:
    """Adds the sums of the money columns that the file fills."""
    money = [name for name in typing.table.money if name in typing.cells]
    if not money:
        return
    sums = ", ".join(f"CAST(coalesce(sum({quoted(name)}), 0) AS VARCHAR)" for name in money)
    row = typing.con.execute(f"SELECT {sums} {rows}").fetchone() or ()
    for name, amount in zip(money, row, strict=True):
        part.amounts.setdefault(name, {})[use] = amount


def _count(typing: Typing, rows: str) -> int:
    row = typing.con.execute(f"SELECT count(*) FROM {rows}").fetchone()
    return int(row[0]) if row else 0
