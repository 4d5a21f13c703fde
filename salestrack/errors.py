"""Every error raised on purpose: one sentence that says what is wrong, where, and what to do next.

The command line prints the sentence and leaves with `exit_code` (after sysexits.h); a traceback is for `--debug`.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

USAGE, DATA, NO_INPUT, INTERNAL, CANNOT_WRITE, IO, BUSY, CONFIG = 64, 65, 66, 70, 73, 74, 75, 78


class SalestrackError(Exception):
    """Base of all deliberate errors; `str(error)` is the sentence that a user reads."""

    exit_code = INTERNAL

    def __init__(self, sentence: str, *, exit_code: int | None = None) -> None:
        super().__init__(sentence)
        if exit_code is not None:
            self.exit_code = exit_code

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), str(self), self.exit_code)


def _rebuild(kind: type[SalestrackError], sentence: str, exit_code: int) -> SalestrackError:
    error = kind.__new__(kind)
    SalestrackError.__init__(error, sentence, exit_code=exit_code)
    return error


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint `, did you mean 'x'?` for a misspelt name, or nothing when no known name is near.

    >>> nearest("moth", ["month", "quarter"])
    ", did you mean 'month'?"
    >>> nearest("zzz", ["month"])
    ''
    """
    by_fold = {k.casefold(): k for k in known}
    close = get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.6)
    return f", did you mean '{by_fold[close[0]]}'?" if close else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names for a sentence, the first few of many: `a, b, c and 4 more`.

    >>> listed(["a", "b"])
    'a, b'
    >>> listed("abcd", most=2)
    'a, b and 2 more'
    """
    names = list(names)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


class InputError(SalestrackError):
    """A value or a frame that a caller passed cannot be used."""

    exit_code = USAGE

    @classmethod
    def missing_column(cls, column: str, function: str, has: Iterable[str]) -> InputError:
        has = sorted(has)
        return cls(
            f"{function} needs the column '{column}', the frame has {listed(has) or 'no columns'}"
            f"{nearest(column, has) or '; rename or add it'}"
        )

    @classmethod
    def unknown_name(cls, kind: str, name: str, known: Iterable[str]) -> InputError:
        known = list(known)
        return cls(f"there is no {kind} '{name}'{nearest(name, known) or f'; known are {listed(known, 60)}'}")

    @classmethod
    def bad_period(cls, text: str) -> InputError:
        return cls(
            f"'{text}' is not a period: write a month as 2026-10, a quarter as 2026-Q3 or a year as 2026"
        )

    @classmethod
    def bad_month(cls, text: str) -> InputError:
        return cls(f"'{text}' is not a month: write year and month as 2026-10")


class DataError(SalestrackError):
    """A file or table holds something that cannot be read for certain."""

    exit_code = DATA


class ConfigError(SalestrackError):
    """The company's salestrack.toml (or a mapping) is wrong."""

    exit_code = CONFIG

    @classmethod
    def wrong(cls, path: Path, where: str, what: str) -> ConfigError:
        return cls(f"{path}: {where}: {what}")


class MissingData(SalestrackError):
    """A folder, file, table or month that is asked for is not there."""

    exit_code = NO_INPUT

    @classmethod
    def no_folder(cls, path: Path) -> MissingData:
        return cls(
            f"there is no folder {path}: give the company's folder with --data, or make it and put exports into {path}/raw"
        )

    @classmethod
    def no_raw(cls, path: Path) -> MissingData:
        return cls(
            f"{path} has no files: put the exports of your systems there (CSV, XLSX) and run the command again"
        )

    @classmethod
    def no_month(cls, month: str, company: str, first: str, last: str) -> MissingData:
        return cls(
            f"{company} has no data for {month}: its data run from {first} to {last}, give one of these months with --month"
        )


class ReportFailed(SalestrackError):
    """A notebook did not run to its end, so nothing was published."""

    exit_code = INTERNAL


class CannotWrite(SalestrackError):
    """A folder or file cannot be written."""

    exit_code = CANNOT_WRITE

    @classmethod
    def no_room(cls, folder: object, limit: str) -> CannotWrite:
        return cls(f"{folder} cannot be imported with {limit} of memory: import it in smaller parts")


class DiskFull(CannotWrite):
    """There is no room for what is to be written."""

    exit_code = IO

    @classmethod
    def importing(cls, folder: object, needed: int, free: int) -> DiskFull:
        if free > needed:
            return cls(
                f"{folder} takes no more (a quota or a limit of file sizes): have it raised and run the command again"
            )
        return cls(
            f"no space left in {folder}: {free / 1e6:,.1f} MB are free and the import may need {needed / 1e6:,.1f} MB; "
            "make room and run the command again"
        )


class Busy(SalestrackError):
    """Another run holds the lock."""

    exit_code = BUSY


class KpiError(InputError):
    """A frame or an option that a KPI cannot work with."""

    @classmethod
    def not_a_frame(cls, function: str, x: object) -> KpiError:
        return cls(
            f"{function} needs a table (pandas, Polars, DuckDB, PySpark or Ibis), not {type(x).__name__}: "
            "pass a data frame"
        )

    @classmethod
    def missing_column(cls, column: str, function: str, has: Iterable[str]) -> KpiError:
        return cls(str(InputError.missing_column(column, function, has)))

    @classmethod
    def wrong_type(cls, column: str, function: str, dtype: str, kind: str) -> KpiError:
        wanted = {"time": "dates", "number": "numbers", "text": "text", "flag": "true or false"}[kind]
        return cls(
            f"{function}: the column '{column}' must hold {wanted}, it holds {dtype}: convert it before"
        )

    @classmethod
    def has_zone(cls, column: str, function: str) -> KpiError:
        return cls(
            f"{function}: the column '{column}' carries a time zone: convert it to local time without a zone before"
        )

    @classmethod
    def unknown_group(cls, name: str, function: str, has: Iterable[str]) -> KpiError:
        has = sorted(has)
        return cls(
            f"{function} cannot group by '{name}'{nearest(name, has) or ';'} there are the columns {listed(has, 40)} "
            "and the words day, week, month, quarter, year"
        )

    @classmethod
    def unusable_word(cls, word: str, function: str, can: Iterable[str]) -> KpiError:
        return cls(f"{function} cannot group by '{word}': of the period words it takes {listed(can)}")

    @classmethod
    def mixed_currencies(cls, function: str, column: str, codes: Iterable[str]) -> KpiError:
        return cls(
            f"{function}: mixed currencies in '{column}' ({listed(sorted(codes))}) cannot be added: convert them to one "
            f"currency in a column '{column}_base'"
        )

    @classmethod
    def bad_option(cls, function: str, option: str, value: object, cure: str) -> KpiError:
        return cls(f"{function}: {option} cannot be {value!r}: {cure}")

    @classmethod
    def bad_rows(cls, function: str, what: str, cure: str) -> KpiError:
        return cls(f"{function}: {what}: {cure}")


class ReadError(DataError):
    """A raw file cannot be read for certain; nothing of the import is kept."""

    @classmethod
    def empty(cls, file: str) -> ReadError:
        return cls(f"{file} is empty: export it again, or delete it from raw/")

    @classmethod
    def zero_bytes(cls, file: str, line: int) -> ReadError:
        return cls(
            f"{file}, line {line}: the file holds zero bytes, so it was damaged on its way: export it again"
        )

    @classmethod
    def undecodable(cls, file: str, line: int) -> ReadError:
        return cls(f"{file}, line {line}: the text is neither UTF-8 nor Windows-1252: save the file as UTF-8")

    @classmethod
    def unrecognised(
        cls, file: str, system: str, kind: str, missing: Iterable[str], header: Iterable[str]
    ) -> ReadError:
        header = list(header)
        lacks = listed((f"'{name}'{nearest(name, header)}" for name in missing), 40)
        near = (
            f"the nearest is {system}/{kind}, which needs {lacks}" if kind else "there is none for its name"
        )
        return cls(
            f"{file}: no mapping explains its columns ({near}): rename the columns, "
            f"or write a mapping with: salestrack doctor {file} --save"
        )

    @classmethod
    def ambiguous(cls, file: str, systems: Iterable[str]) -> ReadError:
        return cls(f"{file} may come from {' or '.join(systems)}: say which with --as SYSTEM")

    @classmethod
    def doubled(cls, file: str, column: str) -> ReadError:
        return cls(f"{file}: the column '{column}' stands there twice: delete or rename one of the two")

    @classmethod
    def missing_columns(
        cls, file: str, table: str, missing: Iterable[str], header: Iterable[str]
    ) -> ReadError:
        header = list(header)
        lacks = listed((f"'{name}'{nearest(name, header)}" for name in missing), 40)
        return cls(f"{file}: {table} cannot do without the columns {lacks}: export the file with them")

    @classmethod
    def needed(cls, file: str, sentence: str) -> ReadError:
        return cls(f"{file}: {sentence}")

    @classmethod
    def cut_off(cls, file: str, line: int) -> ReadError:
        return cls(f"{file}, line {line}: the file ends in the middle of a row: export or copy it again")

    @classmethod
    def broken_row(cls, file: str, line: int, why: str) -> ReadError:
        return cls(
            f"{file}, line {line}: the row cannot be read ({why}): correct it, or export the file again"
        )

    @classmethod
    def two_forms(cls, file: str, what: str, first: str, second: str) -> ReadError:
        return cls(f"{file}: {what} in two forms, {first} and {second}: export the file with one form")

    @classmethod
    def ask_format(cls, file: str, what: str, example: str, key: str, choices: str) -> ReadError:
        return cls(
            f"{file}: {what} such as {example} can be read in two ways: "
            f"set {key} = {choices} under [import] in salestrack.toml"
        )

    @classmethod
    def too_many(cls, file: str, bad: int, rows: int, first: str, most: float) -> ReadError:
        return cls(
            f"{file}: {bad} of {rows} rows cannot be used, the first is {first}: correct the file, "
            f"or raise max_quarantine_share (now {most:g}) under [import] in salestrack.toml"
        )

    @classmethod
    def conflict(cls, table: str, key: str, first: str, second: str) -> ReadError:
        return cls(
            f"{table} {key} stands in {first} and {second} with the same time of change but different content: "
            "keep the right one and delete the other row"
        )

    @classmethod
    def two_cuts(cls, day: str, first: tuple[str, str], second: tuple[str, str]) -> ReadError:
        told = " and ".join(f"{file} (by {by or 'day only'})" for file, by in (first, second))
        return cls(
            f"the visits of {day} stand in {told}: that would count them twice; keep one of the two files in raw/"
        )

    @classmethod
    def incomplete(cls, file: str, what: str, cure: str) -> ReadError:
        return cls(f"{file}: {what}: {cure}")

    @classmethod
    def workbook(cls, file: str, why: str) -> ReadError:
        return cls(f"{file}: {why}: save the table alone as a new workbook or as CSV")

    @classmethod
    def sql(cls, file: str, what: str, why: str) -> ReadError:
        return cls(f"{file}: {what} of the mapping does not run ({why}): correct the mapping")

    @classmethod
    def damaged(cls, file: Path, why: str) -> ReadError:
        return cls(f"{file}: {why}: delete the folder {file.parent} and run the import again")


class DatabaseError(DataError):
    """A table of a database cannot be fetched; what was fetched before stays as it is."""

    @classmethod
    def bad_url(cls, url: str, why: str) -> DatabaseError:
        return cls(
            f"{url}: {why}: write duckdb:///path/to/file.db?table=schema.name "
            "or postgresql://user@host:port/database?table=schema.name",
            exit_code=USAGE,
        )

    @classmethod
    def has_password(cls, url: str) -> DatabaseError:
        return cls(
            f"{url}: the address holds a password, which would be stored: leave it out and put it into ~/.pgpass "
            "or the environment variable PGPASSWORD",
            exit_code=USAGE,
        )

    @classmethod
    def no_driver(cls, url: str) -> DatabaseError:
        return cls(
            f"{url}: reading PostgreSQL needs psycopg: install it with pip install 'salestrack[postgres]'",
            exit_code=NO_INPUT,
        )

    @classmethod
    def unreachable(cls, url: str, why: str) -> DatabaseError:
        return cls(
            f"{url}: the database cannot be reached ({why}): check host, port, user and password",
            exit_code=NO_INPUT,
        )

    @classmethod
    def no_table(cls, url: str, table: str, known: Iterable[str]) -> DatabaseError:
        known = list(known)
        hint = nearest(table, known) or f"; there are {listed(known) or 'none'}"
        return cls(f"{url}: there is no table '{table}'{hint}", exit_code=NO_INPUT)

    @classmethod
    def unreadable(cls, url: str, why: str) -> DatabaseError:
        return cls(f"{url}: the table cannot be read ({why}): check the rights and the types of its columns")

    @classmethod
    def same_name(cls, first: str, second: str) -> DatabaseError:
        return cls(
            f"{first} and {second} would be kept under the same name: fetch one of them through a view of another name",
            exit_code=USAGE,
        )
