"""Every KPI on a real Spark cluster, against plain SQL: a master and two workers, nothing stands in for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from engines.cases import cases
from kpis.contract import assert_same, called, expected, tables

pytestmark = pytest.mark.spark


@pytest.fixture(scope="session")
def frame(session: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Any]:
    """`frame(world, table)`: the table as a Spark DataFrame, by way of a Parquet file, as a store has it."""
    folder: Path = tmp_path_factory.mktemp("parquet")

    @cache
    def read(world: str, table: str) -> Any:
        path = folder / f"{world.replace(' ', '_')}_{table}.parquet"
        tables(world).execute(f"COPY {table} TO '{path}' (FORMAT parquet)")
        return session.read.parquet(str(path)).cache()

    return read


@pytest.mark.parametrize(("name", "by", "world"), cases())
def test_a_kpi_agrees_with_plain_sql_on_spark(
    name: str, by: str | None, world: str, frame: Callable[[str, str], Any]
) -> None:
    got = called(name, by, lambda table: frame(world, table))
    assert_same(got, expected(name, world, by))
    pd.testing.assert_frame_equal(got, called(name, by, tables(world).table), rtol=1e-9, atol=1e-12)


def test_the_work_is_done_by_both_workers(session: Any) -> None:
    infos = session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()
    assert len(infos) == 3  # the driver and one executor on each worker
    assert session.range(0, 1000, numPartitions=8).selectExpr("sum(id)").collect()[0][0] == 499_500
