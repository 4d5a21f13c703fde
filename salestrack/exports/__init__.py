"""The invented company as other systems would export it: the same facts in HubSpot's, Zoho's or Pipedrive's files.

Every system has a module with three names:

* `TABLES`: the canonical tables whose facts its files carry;
* `LOST`: what its files cannot carry, as sentences in English and German, by the canonical column or table;
* `write(con, folder, language)`: writes the files, from the canonical tables that `con` shows as views.

What a system does not carry (orders, quotas, costs, …) is written beside its files in the project's own layout, as a
company keeps such lists by hand or takes them from its ERP.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol, cast

import duckdb

from salestrack import duck
from salestrack.errors import CannotWrite, InputError
from salestrack.importing import import_company
from salestrack.schema import CANONICAL, TABLES
from salestrack.sources.mapping import FILLED_BY_US, literal, quoted
from salestrack.store import Store

Language = Literal["de", "en"]
SYSTEMS = ("ga4", "hubspot", "manual", "monday", "pipedrive", "salesforce", "zoho")
"""Systems whose exports can be written, each a module of this package."""


class System(Protocol):
    """What a module of this package offers."""

    TABLES: Collection[str]
    LOST: dict[str, tuple[str, str]]

    def write(self, con: duckdb.DuckDBPyConnection, folder: Path, language: Language) -> None:
        """Writes the system's files into the folder."""


def system(name: str) -> System:
    """The module of a system."""
    if name not in SYSTEMS:
        raise InputError.unknown_name("system", name, SYSTEMS)
    return cast(System, import_module(f"{__name__}.{name}"))


def export(company: Path, out: Path, name: str, language: Language = "en") -> None:
    """Writes the facts of a company as another system would export them.

    Parameters
    ----------
    company : a company's folder, imported if it is not yet
    out : the new company's folder; must not hold raw files
    name : the system, one of `SYSTEMS`
    language : of headings and formats
    """
    if (out / "raw").exists():
        raise CannotWrite(f"{out} already holds data: give a folder without raw")
    chosen = system(name)
    import_company(company)
    stored = Store.open(company / "store")
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(company / "salestrack.toml", out / "salestrack.toml")
    with duck.connect() as con:
        for table in CANONICAL:
            con.execute(
                f"CREATE VIEW {quoted(table)} AS FROM read_parquet({literal(str(stored.tables[table]))})"
            )
        folder = out / "raw" / name
        folder.mkdir(parents=True)
        chosen.write(con, folder, language)
        _write_rest(con, out / "raw" / "manual", chosen.TABLES)


def write_world(out: Path, name: str, language: Language, **parameters: object) -> None:
    """Writes an invented company (see `salestrack.world.generate`) in the files of a system, its truth beside it."""
    from salestrack.world import generate

    system(name)
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), **parameters)
        export(Path(folder), out, name, language)
        shutil.copytree(Path(folder) / "truth", out / "truth")


def _write_rest(con: duckdb.DuckDBPyConnection, folder: Path, carried: Collection[str]) -> None:
    """The tables that the system does not carry, in the project's own layout."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in CANONICAL:
        filled = con.execute(f"SELECT 1 FROM {quoted(table)} LIMIT 1").fetchone()
        if table in carried or not filled:
            continue
        own = [name for name in TABLES[table].imported if name not in FILLED_BY_US]
        save_csv(
            con,
            f"SELECT {', '.join(map(cell, own))} FROM {quoted(table)} ORDER BY ALL",
            folder / f"{table}.csv",
        )


def cell(column: str) -> str:
    """A column as machine text in SQL: times are UTC with a Z."""
    if column.endswith("_at"):
        return f"strftime({quoted(column)}, '%Y-%m-%dT%H:%M:%SZ') AS {quoted(column)}"
    return quoted(column)


def save_csv(
    con: duckdb.DuckDBPyConnection, query: str, path: Path, delimiter: str = ",", quote_all: bool = False
) -> None:
    """Writes a query's rows as a CSV file (UTF-8, line feed) with its columns as the header."""
    force = ", FORCE_QUOTE *" if quote_all else ""
    con.execute(
        f"COPY ({query}) TO {literal(str(path))} (FORMAT csv, HEADER true, DELIMITER {literal(delimiter)}{force})"
    )
