"""Tables of databases as raw files: fetched whole, kept as Parquet below raw/, replaced only when they changed.

A table is named by an address: `duckdb:///path/to/file.db?table=schema.name` or
`postgresql://user@host:port/database?table=schema.name`. Passwords come from libpq's own places (PGPASSWORD, ~/.pgpass)
and are neither taken in an address nor stored. Nothing is ever written to a database.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import duckdb

from salestrack import duck
from salestrack.errors import DatabaseError, nearest
from salestrack.sources.decode import sha256_of
from salestrack.sources.mapping import literal, quoted

SCHEMES = ("duckdb", "postgresql")
SECONDS = 15
"""How long to wait for a server."""
MOST_DECIMALS = 10

_TYPES = {
    "int2": "BIGINT",
    "int4": "BIGINT",
    "int8": "BIGINT",
    "float4": "DOUBLE",
    "float8": "DOUBLE",
    "bool": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
}
"""PostgreSQL's types that are kept as such; all others are kept as text."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a table is."""

    url: str
    scheme: str
    database: str
    schema: str
    table: str
    user: str | None = None
    host: str | None = None
    port: int | None = None

    @property
    def target(self) -> Path:
        """Where below raw/ it is kept: database, schema, table."""
        database = Path(self.database).stem if self.scheme == "duckdb" else self.database
        return Path("database", *map(_safe, (database, self.schema))) / f"{_safe(self.table)}.parquet"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file below raw/ that was written or replaced; `before` is what stood there."""

    path: Path
    before: Path | None

    def undo(self) -> None:
        """Puts back what stood there."""
        if self.before:
            self.before.replace(self.path)
        else:
            self.path.unlink(missing_ok=True)

    def settle(self) -> None:
        """Gives up what stood there before."""
        if self.before:
            self.before.unlink(missing_ok=True)


def is_address(text: str) -> bool:
    """Whether a text is an address and not a path.

    >>> is_address("postgresql://me@db/sales?table=deals"), is_address("raw/deals.csv")
    (True, False)
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def parse(url: str) -> Address:
    """The parts of an address.

    >>> parse("postgresql://me@db.example:5433/sales?table=crm.deals").target.as_posix()
    'database/sales/crm/deals.parquet'

    Raises DatabaseError for one that is wrong or holds a password.
    """
    parts, shown = urlsplit(url), _without_secrets(url)
    if parts.scheme not in SCHEMES:
        raise DatabaseError.bad_url(shown, f"'{parts.scheme}' is unknown{nearest(parts.scheme, SCHEMES)}")
    if parts.password is not None:
        raise DatabaseError.has_password(shown)
    query = parse_qs(parts.query)
    if list(query) != ["table"] or len(query["table"]) != 1:
        raise DatabaseError.bad_url(shown, "name one table and nothing else after the question mark")
    default = "main" if parts.scheme == "duckdb" else "public"
    schema, _, table = query["table"][0].rpartition(".")
    if parts.scheme == "duckdb" and (parts.netloc or not parts.path.strip("/")):
        raise DatabaseError.bad_url(shown, "give the file's whole path after three slashes")
    if parts.scheme == "postgresql" and not parts.path.strip("/"):
        raise DatabaseError.bad_url(shown, "the database's name is missing")
    path = unquote(parts.path)
    database = path if parts.scheme == "duckdb" else path.strip("/")
    try:
        return Address(
            shown,
            parts.scheme,
            database,
            schema or default,
            table,
            parts.username,
            parts.hostname,
            parts.port,
        )
    except ValueError:
        raise DatabaseError.bad_url(shown, "the port is no number") from None


def fetch(urls: Sequence[str], raw: Path) -> list[Fetched]:
    """Brings the tables into the folder `raw`; returns the files that are new or changed.

    Raises DatabaseError, before anything in `raw` has changed, when one of them cannot be fetched.
    """
    addresses = [parse(url) for url in dict.fromkeys(urls)]
    _refuse_same_names(addresses)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, address in enumerate(addresses):
            files.append(Path(folder) / f"{number}.parquet")
            _READERS[address.scheme](address, files[-1])
        changed = (
            _replaced(new, raw / address.target) for new, address in zip(files, addresses, strict=True)
        )
        return [fetched for fetched in changed if fetched]


def _refuse_same_names(addresses: Sequence[Address]) -> None:
    seen: dict[Path, str] = {}
    for address in addresses:
        if (other := seen.setdefault(address.target, address.url)) != address.url:
            raise DatabaseError.same_name(other, address.url)


def _replaced(new: Path, target: Path) -> Fetched | None:
    """Puts a file in its place; None where the same stands there, so that nothing is to be done."""
    before = target.with_name(f".{target.name}.before")
    if target.exists():
        if sha256_of(target) == sha256_of(new):
            return None
        target.replace(before)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(new.read_bytes())
    part.chmod(0o600)
    part.replace(target)
    return Fetched(target, before if before.exists() else None)


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name).lstrip(".") or "_"


def _without_secrets(url: str) -> str:
    """An address as it may be shown.

    >>> _without_secrets("postgresql://me:secret@db/sales?table=deals&password=x")
    'postgresql://me@db/sales?table=deals'
    """
    base, _, query = url.partition("?")
    base = re.sub(r"^([a-z]+://[^:/@]*):.*@", r"\1@", base)
    table = next((part for part in query.split("&") if part.startswith("table=")), "")
    return f"{base}?{table}" if table else base


# DuckDB


def _from_duckdb(address: Address, target: Path) -> None:
    file = Path(address.database)
    if not file.is_file():
        raise DatabaseError.unreachable(address.url, f"there is no file {file}")
    with duck.connect() as con:
        try:
            con.execute(f"ATTACH {literal(str(file))} AS src (READ_ONLY)")
        except duckdb.Error as error:
            raise DatabaseError.unreachable(address.url, _first_line(error)) from None
        known = con.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = 'src' ORDER BY ALL"
        ).fetchall()
        _must_be_there(address, known, "main")
        with _readable(address):
            _save(con, f"src.{quoted(address.schema)}.{quoted(address.table)}", target)


def _must_be_there(address: Address, known: Sequence[tuple[str, str]], default: str) -> None:
    if (address.schema, address.table) in known:
        return
    short = address.schema == default
    names = [name if schema == default and short else f"{schema}.{name}" for schema, name in known]
    raise DatabaseError.no_table(
        address.url, address.table if short else f"{address.schema}.{address.table}", names
    )


def _save(con: duckdb.DuckDBPyConnection, source: str, target: Path) -> int:
    """Writes a table in one order and by one thread, so that the same rows give the same file; returns its rows."""
    con.execute("SET threads = 1")
    done = con.execute(
        f"COPY (SELECT * FROM {source} ORDER BY ALL) TO {literal(str(target))} (FORMAT parquet)"
    )
    return int((done.fetchone() or (0,))[0])


@contextmanager
def _readable(address: Address) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        if duck.of_machine(error):
            raise
        raise DatabaseError.unreadable(address.url, _first_line(error)) from None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).strip()


# PostgreSQL


def _from_postgresql(address: Address, target: Path) -> None:
    try:
        import psycopg
    except ImportError:
        raise DatabaseError.no_driver(address.url) from None
    try:
        connected = psycopg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            dbname=address.database,
            connect_timeout=SECONDS,
        )
    except psycopg.Error as error:
        raise DatabaseError.unreachable(address.url, _first_line(error)) from None
    with connected as pg:
        pg.read_only = True
        try:
            _copy(pg, address, target)
        except psycopg.Error as error:
            raise DatabaseError.unreadable(address.url, _first_line(error)) from None


def _copy(pg: Any, address: Address, target: Path) -> None:
    """The table by way of CSV: every value as the server writes it, with its type where we have one for it."""
    pg.execute("SET TIME ZONE 'UTC'")
    pg.execute("SET DATESTYLE = 'ISO'")
    known = pg.execute(
        "SELECT table_schema, table_name FROM information_schema.tables "
        "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
    ).fetchall()
    _must_be_there(address, known, "public")
    source = f"{quoted(address.schema)}.{quoted(address.table)}"
    types = _types(pg, source, address)
    rows = target.with_suffix(".csv")
    cursor = pg.cursor()
    with (
        rows.open("wb") as file,
        cursor.copy(f"COPY (SELECT * FROM {source}) TO STDOUT (FORMAT csv)") as copy,
    ):
        for block in copy:
            file.write(block)
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
    with duck.connect() as con, _readable(address):
        saved = _save(
            con,
            f"read_csv({literal(str(rows))}, columns = {{{columns}}}, auto_detect = false, header = false, "
            "delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false)",
            target,
        )
    rows.unlink()
    if saved != cursor.rowcount:
        raise DatabaseError.unreadable(address.url, f"{cursor.rowcount} rows were sent, {saved} arrived")


def _types(pg: Any, source: str, address: Address) -> dict[str, str]:
    """DuckDB's type of every column; a number without a fixed scale gets that of its longest value."""
    found = pg.execute(
        "SELECT a.attname, t.typname, a.atttypmod FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        [source],
    ).fetchall()
    return {name: _type(pg, source, name, kind, modifier) for name, kind, modifier in found}


def _type(pg: Any, source: str, name: str, kind: str, modifier: int) -> str:
    if kind != "numeric":
        return _TYPES.get(kind, "VARCHAR")
    if modifier >= 0:
        scale = (modifier - 4) & 0x7FF  # as PostgreSQL packs precision and scale
    else:
        row = pg.execute(f"SELECT max(scale({quoted(name)})) FROM {source}").fetchone()
        scale = row[0] or 0
    return f"DECIMAL(38, {min(scale, MOST_DECIMALS)})"


_READERS = {"duckdb": _from_duckdb, "postgresql": _from_postgresql}
