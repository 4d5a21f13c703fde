"""A Book on Spark: the same store, the same tables as of the day, the same figures, the same pages."""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import papermill
import pytest

from salestrack import kpis
from salestrack.book import Book
from salestrack.errors import KpiError

pytestmark = pytest.mark.spark
ROOT = Path(__file__).parents[2]
MONTH = "2026-10"
KPIS = [getattr(kpis, name) for name in sorted(kpis.CARDS) if name != "territory_disruption"]  # takes a plan


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, cluster: Any) -> Path:
    """The demo company, with Spark as the engine of its configuration."""
    folder = tmp_path_factory.mktemp("company") / "demo"
    shutil.copytree(ROOT / "data" / "demo", folder)
    with (folder / "salestrack.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[engine]\nname = "spark"\nmaster = "{cluster.url}"\n')
    return folder


@pytest.fixture(scope="module")
def books(company: Path, session: Any) -> Iterator[tuple[Book, Book]]:
    """The book of the month on Spark, as the configuration says, and the one on DuckDB."""
    with Book.for_month(company, MONTH) as spark, Book.for_month(company, MONTH, engine="duckdb") as duck:
        yield spark, duck


@pytest.mark.parametrize("function", KPIS, ids=lambda function: function.__name__)
def test_a_kpi_of_the_demo_is_the_same_on_spark_and_duckdb(function: Any, books: tuple[Book, Book]) -> None:
    spark, duck = books
    period = inspect.signature(function).parameters.get("period")
    options: dict[str, Any] = {}
    if period is not None and period.default is period.empty:
        options["period"] = duck.month.trailing(12)
    assert (spark.engine, duck.engine) == ("spark", "duckdb")
    try:
        want = duck.kpi(function, **options)
    except KpiError as refused:  # the demo company lacks a column for it
        with pytest.raises(KpiError, match=f"^{re.escape(str(refused)[:60])}"):
            spark.kpi(function, **options)
        return
    pd.testing.assert_frame_equal(spark.kpi(function, **options), want, rtol=1e-9, atol=1e-9)


def test_every_table_has_the_same_rows_and_columns_on_spark(books: tuple[Book, Book]) -> None:
    spark, duck = books
    for name in sorted(spark.tables):
        frame, relation = spark.frame(name), duck.frame(name)
        assert type(frame).__module__.startswith("pyspark"), name
        assert sorted(frame.columns) == sorted(relation.columns), name
        assert frame.count() == len(relation), name


def test_a_column_of_the_company_s_own_is_grouped_by_on_spark_too(books: tuple[Book, Book]) -> None:
    spark, duck = books
    wanted = dict(duck.sql("SELECT Region__c, count(*) FROM campaigns GROUP BY ALL").fetchall())
    counted = spark.frame("campaigns").groupBy("Region__c").count().collect()
    assert {row["Region__c"]: row["count"] for row in counted} == wanted
    assert len(wanted) > 1


def test_frames_that_are_not_sparks_are_worked_on_where_they_are(books: tuple[Book, Book]) -> None:
    spark, duck = books
    won = "status = 'won'"
    got = spark.kpi(kpis.win_rate, deals=spark.deals.filter(won))
    pd.testing.assert_frame_equal(got, duck.kpi(kpis.win_rate, deals=duck.deals.filter(won)))
    same = spark.kpi(kpis.win_rate, deals=spark.frame("deals").filter(won))
    pd.testing.assert_frame_equal(same, got)


NOTEBOOKS = [
    pytest.param(path.stem, marks=() if path.stem.startswith("02") else pytest.mark.every)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_unchanged_on_spark_and_shows_the_same(
    name: str, company: Path, tmp_path: Path
) -> None:
    shown = []
    for data in (company, ROOT / "data" / "demo"):
        done = papermill.execute_notebook(
            ROOT / "notebooks" / f"{name}.ipynb",
            tmp_path / f"{len(shown)}.ipynb",
            parameters={"month": MONTH, "data": str(data), "language": "en"},
            cwd=ROOT / "notebooks",
            progress_bar=False,
        )
        outputs = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
        assert not [output for output in outputs if output.output_type == "error"]
        shown.append([output.data for output in outputs if "data" in output])
    assert shown[0] == shown[1]
    assert shown[0]
