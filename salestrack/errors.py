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
        return cls(f"there is no {kind} '{name}'{nearest(name, known) or ';'} known are {listed(known, 60)}")

    @classmethod
    def bad_period(cls, text: str) -> InputError:
        return cls(f"'{text}' is not a period: write a month as 2026-10, a quarter as 2026-Q3 or a year as 2026")

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
        return cls(f"there is no folder {path}: give the company's folder with --data, or make it and put exports into {path}/raw")

    @classmethod
    def no_raw(cls, path: Path) -> MissingData:
        return cls(f"{path} has no files: put the exports of your systems there (CSV, XLSX) and run the command again")

    @classmethod
    def no_table(cls, table: str, company: str, has: Iterable[str]) -> MissingData:
        return cls(f"{company} has no {table}: its data hold {listed(sorted(has), 40) or 'no tables'}")

    @classmethod
    def no_month(cls, month: str, company: str, first: str, last: str) -> MissingData:
        return cls(f"{company} has no data for {month}: its data run from {first} to {last}, give one of these months with --month")


class ReportFailed(SalestrackError):
    """A notebook did not run to its end, so nothing was published."""

    exit_code = INTERNAL


class CannotWrite(SalestrackError):
    """A folder or file cannot be written."""

    exit_code = CANNOT_WRITE


class Busy(SalestrackError):
    """Another run holds the lock."""

    exit_code = BUSY
