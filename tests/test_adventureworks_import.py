"""The public sample by Microsoft, imported from its files; figures checked against the files themselves."""

import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from salestrack.importing import import_company
from salestrack.store import Store

HERE = Path(__file__).parents[1] / "data" / "adventureworks"


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    for name in ("raw", "mappings"):
        shutil.copytree(HERE / name, folder / name)
    shutil.copy(HERE / "salestrack.toml", folder)
    import_company(folder)
    con = duckdb.connect()
    for table, path in Store.open(folder / "store").tables.items():
        con.execute(f"CREATE VIEW {table} AS SELECT * FROM '{path}'")
    return con


def test_orders_and_lines_add_up_to_the_same_revenue(con):
    assert con.execute("SELECT count(*), sum(line_amount) FROM order_lines").fetchone() == (
        60855,
        Decimal("80977720.2100"),
    )
    assert con.execute("SELECT count(*), sum(net_amount) FROM orders").fetchone() == (
        3796,
        Decimal("80977720.2100"),
    )
    assert con.execute("SELECT sum(net_amount_base_cents) FROM orders").fetchone() == (8097772021,)


def test_every_order_has_its_person_reseller_and_territory(con):
    unknown = con.execute(
        "SELECT count(*) FROM orders WHERE owner_rep_id IS NULL "
        "OR owner_rep_id NOT IN (SELECT rep_id FROM reps) "
        "OR account_id NOT IN (SELECT account_id FROM accounts) "
        "OR territory_id NOT IN (SELECT territory_id FROM territories)"
    ).fetchone()
    assert unknown == (0,)


def test_eighteen_people_have_targets_and_one_of_them_sells_nothing(con):
    assert con.execute("SELECT count(DISTINCT rep_id) FROM quotas").fetchone() == (18,)
    assert con.execute(
        "SELECT rep_id FROM reps WHERE rep_id NOT IN (SELECT owner_rep_id FROM orders)"
    ).fetchall() == [("273",)]


def test_targets_are_in_dollars_by_month(con):
    first = con.execute(
        "SELECT period_start_date::VARCHAR, period_end_date::VARCHAR, quota_amount FROM quotas "
        "WHERE source_ref = 'ResellerSalesTargets.csv#2' ORDER BY 1 LIMIT 1"
    ).fetchone()
    assert first == ("2017-07-01", "2017-07-31", Decimal("200000.0000"))


def test_people_at_quota_by_fiscal_year_to_june(con):
    years = con.execute(
        """
        WITH goal AS (
            SELECT rep_id, year(period_start_date + INTERVAL 6 MONTH) AS fy, sum(quota_amount) AS goal,
                   count(*) AS months
            FROM quotas GROUP BY ALL
        ), sold AS (
            SELECT owner_rep_id AS rep_id, year(order_date + INTERVAL 6 MONTH) AS fy, sum(net_amount) AS sold
            FROM orders GROUP BY ALL
        )
        SELECT fy, count(*) FILTER (sold >= goal), count(*) FROM goal LEFT JOIN sold USING (rep_id, fy)
        WHERE months >= 6 AND fy <= 2020 GROUP BY fy ORDER BY fy
        """
    ).fetchall()
    assert years == [(2018, 2, 12), (2019, 4, 15), (2020, 3, 18)]


def test_no_row_was_refused_and_every_row_is_accounted_for(con):
    assert con.execute("SELECT count(*) FROM quarantine").fetchone() == (0,)
    odd = (
        "SELECT file FROM load_log WHERE rows_read <> accepted + superseded + quarantined + excluded + footer"
    )
    assert con.execute(odd).fetchall() == []
