"""Tables of databases: fetched, kept as raw files, imported like exports; a real PostgreSQL server for the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import source_files as sf

from salestrack.book import Book
from salestrack.cli import main
from salestrack.errors import DatabaseError, ReadError
from salestrack.importing import import_company
from salestrack.sources import database

COSTS = "SELECT * FROM (VALUES ('K1', DATE '2026-01-01', 'tools', 1000.50), ('K2', DATE '2026-02-01', 'event', 1.234)) t(cost_id, cost_date, cost_type, amount)"
KEPT = [("K1", date(2026, 1, 1), Decimal("1000.5000")), ("K2", date(2026, 2, 1), Decimal("1.2340"))]
DEALS = """
CREATE SCHEMA crm;
CREATE TABLE crm.deals (deal_id int PRIMARY KEY, deal_name text, status text, amount numeric, rate numeric(10, 3),
                        created_at timestamptz, closed_date date, is_archived boolean, note text);
INSERT INTO crm.deals VALUES
  (2, 'Ventile, "groß"', 'open', 1.234, 1.234, '2026-03-29 03:30:00+02', NULL, false, E'two\nlines'),
  (1, 'Pumpen', 'won', 120000.5, 2, '2026-01-05 10:00:00+01', '2026-02-02', true, '');
CREATE VIEW crm.open_deals AS SELECT * FROM crm.deals WHERE status = 'open';
CREATE TABLE costs (cost_id text, cost_date date, cost_type text, amount money);
INSERT INTO costs VALUES ('K1', '2026-01-01', 'tools', 1000.50);
"""


def file_database(folder: Path) -> str:
    """A DuckDB file with a table of costs; its address without the table's name."""
    with duckdb.connect(folder / "erp.db") as con:
        con.execute(
            f"CREATE SCHEMA fin; CREATE TABLE fin.costs AS {COSTS}; CREATE VIEW all_costs AS FROM fin.costs"
        )
    return f"duckdb://{folder / 'erp.db'}?table="


def test_a_table_of_a_file_is_fetched_imported_and_unchanged_the_next_time(tmp_path: Path) -> None:
    url = file_database(tmp_path) + "fin.costs"
    company = sf.company(tmp_path / "c", {})
    first = import_company(company, urls=[url])
    assert first.changed
    assert [(file.file, file.table, file.accepted) for file in first.files] == [
        ("database/erp/fin/costs.parquet", "costs", 2)
    ]
    assert sf.rows(company, "costs", "cost_id, cost_date, amount") == KEPT
    kept = company / "raw" / "database" / "erp" / "fin" / "costs.parquet"
    stamp = kept.stat().st_mtime_ns
    again = import_company(company, urls=[url])
    assert (again.generation, again.changed) == (first.generation, False)
    assert kept.stat().st_mtime_ns == stamp
    assert kept.stat().st_mode & 0o777 == 0o600


def test_the_order_of_the_rows_makes_no_new_generation(tmp_path: Path) -> None:
    url = file_database(tmp_path) + "fin.costs"
    company = sf.company(tmp_path / "c", {})
    first = import_company(company, urls=[url])
    with duckdb.connect(tmp_path / "erp.db") as con:
        con.execute(f"CREATE OR REPLACE TABLE fin.costs AS SELECT * FROM ({COSTS}) ORDER BY cost_id DESC")
    assert import_company(company, urls=[url]).generation == first.generation


def test_tables_of_the_configuration_are_fetched_by_every_import_but_not_by_a_look(tmp_path: Path) -> None:
    url = file_database(tmp_path) + "fin.costs"
    deals = {"deals.csv": "deal_id,deal_name,status,created_at\n1,Pumpen,open,2026-01-05T10:00:00Z\n"}
    company = sf.company(tmp_path / "c", deals, f'{sf.CONFIG}[import]\ntables = ["{url}"]\n')
    Book.for_month(company, "2026-01").close()
    assert sf.rows(company, "costs", "cost_id") == [("K1",), ("K2",)], "the first look fetches"
    with duckdb.connect(tmp_path / "erp.db") as con:
        con.execute("DELETE FROM fin.costs WHERE cost_id = 'K2'")
    Book.for_month(company, "2026-01").close()
    assert sf.rows(company, "costs", "cost_id") == [("K1",), ("K2",)], "a look fetches no more"
    assert import_company(company).changed
    assert sf.rows(company, "costs", "cost_id") == [("K1",)]
    assert [p.name for p in (company / "raw" / "database" / "erp" / "fin").iterdir()] == ["costs.parquet"]


def test_a_table_that_cannot_be_imported_leaves_what_was_there(tmp_path: Path) -> None:
    url = file_database(tmp_path) + "fin.costs"
    company = sf.company(tmp_path / "c", {})
    first = import_company(company, urls=[url])
    with duckdb.connect(tmp_path / "erp.db") as con:
        con.execute("UPDATE fin.costs SET cost_type = 'nonsense'")
    with pytest.raises(ReadError, match=r"costs.parquet: 2 of 2 rows cannot be used"):
        import_company(company, urls=[url])
    assert import_company(company).generation == first.generation
    with pytest.raises(ReadError, match="no mapping explains"):
        import_company(company, urls=[url.replace("fin.costs", "all_costs")])
    assert not (company / "raw" / "database" / "erp" / "main" / "all_costs.parquet").exists()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        pytest.param("mysql://db/sales?table=deals", "'mysql' is unknown: write duckdb:///path", id="another database"),
        pytest.param("postgres://db/sales?table=deals", "did you mean 'postgresql'", id="misspelt kind"),
        pytest.param("postgresql://me:hush@db/sales?table=deals", "the address holds a password, which would be stored", id="a password"),
        pytest.param("postgresql://db/sales?table=deals&password=hush", "name one table and nothing else", id="a password behind"),
        pytest.param("postgresql://db/sales", "name one table", id="no table"),
        pytest.param("postgresql://db?table=deals", "the database's name is missing", id="no database"),
        pytest.param("postgresql://db:many/sales?table=deals", "the port is no number", id="a wrong port"),
        pytest.param("duckdb://erp.db?table=costs", "give the file's whole path after three slashes", id="no whole path"),
        pytest.param("duckdb:///nowhere/erp.db?table=costs", "cannot be reached (there is no file /nowhere/erp.db)", id="no file"),
    ],
)  # fmt: skip
def test_a_wrong_address_is_one_sentence_and_shows_no_password(
    tmp_path: Path, url: str, sentence: str
) -> None:
    with pytest.raises(DatabaseError) as caught:
        database.fetch([url], tmp_path)
    assert sentence in str(caught.value)
    assert "hush" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_missing_table_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"there is no table 'fin.cost', did you mean 'fin.costs'\?"):
        database.fetch([file_database(tmp_path) + "fin.cost"], tmp_path / "raw")
    with pytest.raises(DatabaseError, match=r"no table 'zzz'; there are fin.costs, all_costs"):
        database.fetch([file_database(Path(tempfile.mkdtemp(dir=tmp_path))) + "zzz"], tmp_path / "raw")


def test_a_name_that_is_sql_is_only_a_name(tmp_path: Path) -> None:
    url = file_database(tmp_path) + 'costs"; DROP TABLE fin.costs; --'
    with pytest.raises(DatabaseError, match="there is no table"):
        database.fetch([url], tmp_path / "raw")
    assert database.fetch([file_database_again(tmp_path) + "fin.costs"], tmp_path / "raw")


def file_database_again(folder: Path) -> str:
    """The address of the database that is there already."""
    return f"duckdb://{folder / 'erp.db'}?table="


def test_two_tables_under_one_name_are_refused(tmp_path: Path) -> None:
    urls = [f"duckdb://{tmp_path}/{place}/erp.db?table=fin.costs" for place in "ab"]
    with pytest.raises(DatabaseError, match="would be kept under the same name"):
        database.fetch(urls, tmp_path / "raw")


def test_the_command_takes_addresses_and_files(tmp_path, monkeypatch, capsys) -> None:
    company = sf.company(tmp_path / "c", {})
    (tmp_path / "reps.csv").write_text("rep_id,rep_name\n1,Ada\n")
    arguments = [file_database(tmp_path) + "fin.costs", str(tmp_path / "reps.csv"), "--data", str(company)]
    monkeypatch.setattr(sys, "argv", ["salestrack", "import", *arguments])
    main()
    shown = capsys.readouterr().out
    assert "database/erp/fin/costs.parquet -> costs (salestrack): 2 rows read, 2 accepted" in shown
    assert "imported/reps.csv -> reps" in shown


# PostgreSQL


def programs() -> Path | None:
    """The folder of the newest PostgreSQL server of this machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    usual = shutil.which("initdb")
    return found[-1] if found else Path(usual).parent if usual else None


def nobody() -> dict[str, int]:
    """Whom the server runs as: it refuses to be root."""
    if os.getuid():
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL server on the loopback with its own data; the beginning of its addresses."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'salestrack[postgres]'")
    folder = programs()
    if folder is None:
        pytest.skip("no PostgreSQL server on this machine: apt-get install postgresql")
    place = Path(tempfile.mkdtemp(prefix="salestrack-pg-"))
    who = nobody()
    if who:
        os.chown(place, who["user"], who["group"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
    options: dict = {"env": env, "cwd": place, "check": True, "stdout": subprocess.DEVNULL} | who
    data = str(place / "data")
    try:
        subprocess.run(
            [folder / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"],
            **options,
        )
        settings = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c fsync=off"
        subprocess.run(
            [folder / "pg_ctl", "-D", data, "-w", "-l", str(place / "log"), "-o", settings, "start"],
            **options,
        )
        try:
            import psycopg

            with psycopg.connect(
                host="127.0.0.1", port=port, user="tester", dbname="postgres", autocommit=True
            ) as con:
                con.execute("CREATE DATABASE sales")
            with psycopg.connect(
                host="127.0.0.1", port=port, user="tester", dbname="sales", autocommit=True
            ) as con:
                con.execute(DEALS)
            yield f"postgresql://tester@127.0.0.1:{port}/sales?table="
        finally:
            subprocess.run([folder / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], **options)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def test_a_table_of_a_server_keeps_its_types_zones_and_decimals(server: str, tmp_path: Path) -> None:
    company = sf.company(tmp_path, {})
    import_company(company, urls=[server + "crm.deals"])
    columns = "deal_id, deal_name, status, amount, created_at, closed_date, is_archived, custom_fields"
    assert sf.rows(company, "deals", columns) == [
        ("1", "Pumpen", "won", Decimal("120000.5000"), datetime(2026, 1, 5, 9), date(2026, 2, 2), True, '{"rate":"2.0000","note":null}'),
        ("2", 'Ventile, "groß"', "open", Decimal("1.2340"), datetime(2026, 3, 29, 1, 30), None, False, '{"rate":"1.2340","note":"two lines"}'),
    ]  # fmt: skip


def test_a_table_of_a_server_that_did_not_change_makes_no_new_generation(server: str, tmp_path: Path) -> None:
    company = sf.company(tmp_path, {}, f'{sf.CONFIG}[import]\ntables = ["{server}crm.deals"]\n')
    first = import_company(company)
    assert (import_company(company).generation, first.changed) == (first.generation, True)


def test_views_and_tables_without_a_schema(server: str, tmp_path: Path) -> None:
    company = sf.company(tmp_path, {})
    import_company(company, urls=[server + "costs"])
    assert sf.rows(company, "costs", "cost_id, amount") == [("K1", Decimal("1000.5000"))]
    found = database.fetch([server + "crm.open_deals"], company / "raw")
    assert [one.path.relative_to(company / "raw").as_posix() for one in found] == [
        "database/sales/crm/open_deals.parquet"
    ]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        pytest.param(
            "crm.deal", "there is no table 'crm.deal', did you mean 'crm.deals'?", id="misspelt table"
        ),
        pytest.param(
            "cost", "there is no table 'cost', did you mean 'costs'?", id="misspelt table of public"
        ),
        pytest.param('x" ; DROP TABLE costs; --', "there is no table", id="a name that is SQL"),
    ],
)
def test_a_missing_table_of_a_server_is_one_sentence(
    server: str, tmp_path: Path, table: str, sentence: str
) -> None:
    with pytest.raises(DatabaseError) as caught:
        database.fetch([server + table], tmp_path)
    assert sentence in str(caught.value)


def test_an_unknown_database_is_one_sentence(server: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r'cannot be reached \(.*database "sale" does not exist\)'):
        database.fetch([server.replace("/sales?", "/sale?") + "deals"], tmp_path)


def test_a_server_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(
            DatabaseError, match=r"cannot be reached \(.*refused.*check host, port, user and password"
        ):
            database.fetch([f"postgresql://me@127.0.0.1:{port}/sales?table=deals"], tmp_path)


def test_without_the_driver_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        DatabaseError, match=r"needs psycopg: install it with pip install 'salestrack\[postgres\]'"
    ):
        database.fetch(["postgresql://me@127.0.0.1/sales?table=deals"], tmp_path)
