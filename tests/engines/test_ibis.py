"""Every KPI on Ibis tables, against plain SQL: the adapter for PostgreSQL, Snowflake, BigQuery and other warehouses."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from engines.cases import cases
from kpis.contract import assert_same, called, expected, tables
from kpis.worlds import WORLDS

ibis = pytest.importorskip("ibis")
pytestmark = [pytest.mark.ibis, pytest.mark.filterwarnings("ignore::DeprecationWarning:ibis")]


@pytest.fixture(scope="module")
def warehouses() -> dict[str, Any]:
    """An Ibis connection to each company; here to DuckDB, elsewhere to a server: the tables are the same type."""
    return {world: ibis.duckdb.from_connection(tables(world)) for world in WORLDS}


@pytest.mark.parametrize(("name", "by", "world"), cases())
def test_a_kpi_agrees_with_plain_sql_on_ibis(
    name: str, by: str | None, world: str, warehouses: dict[str, Any]
) -> None:
    got = called(name, by, warehouses[world].table)
    assert_same(got, expected(name, world, by))
    pd.testing.assert_frame_equal(got, called(name, by, tables(world).table), rtol=1e-9, atol=1e-12)
