"""The invented company kept by hand in filled templates: every figure is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
import source_files as sf
from systems.same import differing, figures

from salestrack.exports import export
from salestrack.exports.manual import TABLES
from salestrack.importing import ImportResult, import_company
from salestrack.schema import CANONICAL
from salestrack.store import Store


@pytest.fixture(scope="module")
def lists(original: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, ImportResult]]:
    """The company in both languages, with what the import told."""
    found = {}
    for language in ("en", "de"):
        folder = tmp_path_factory.mktemp(f"manual_{language}")
        export(original, folder, "manual", language)
        found[language] = folder, import_company(folder)
    return found


def test_no_figure_differs(lists: Any, original_figures: dict[str, Any]) -> None:
    assert differing(original_figures, figures(lists["en"][0])) == []


def different(first: Path, second: Path, table: str, *without: str) -> int:
    """How many rows of a stored table one company has and the other one has not."""
    paths = [str(Store.open(folder / "store").tables[table]) for folder in (first, second)]
    rows = f"SELECT * EXCLUDE ({', '.join(without)}) FROM read_parquet(?)"
    apart = "(FROM a EXCEPT ALL FROM b) UNION ALL (FROM b EXCEPT ALL FROM a)"
    sql = f"WITH a AS ({rows}), b AS ({rows}) SELECT count(*) FROM ({apart})"
    with duckdb.connect() as con:
        found = con.execute(sql, paths).fetchone()
    return int(found[0])


@pytest.mark.parametrize("table", CANONICAL)
def test_german_lists_give_the_same_rows_as_english_ones(lists: Any, table: str) -> None:
    assert different(lists["en"][0], lists["de"][0], table, "source_ref") == 0


@pytest.mark.parametrize("table", TABLES)
def test_the_lists_give_the_rows_of_the_original(lists: Any, original: Path, table: str) -> None:
    assert different(original, lists["de"][0], table, "source_ref", "source_system", "custom_fields") == 0


def test_an_hour_that_the_clock_shows_twice_stays_the_hour_it_was(tmp_path: Path) -> None:
    times = [
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:30:00Z",
        "2026-03-29T01:30:00.250Z",
        "2026-07-01T22:00:00Z",
    ]
    deals = "".join(f"{n},Deal {n},open,{time}\n" for n, time in enumerate(times))
    company = sf.company(tmp_path / "a", {"deals.csv": f"deal_id,deal_name,status,created_at\n{deals}"})
    export(company, tmp_path / "b", "manual", "de")
    import_company(tmp_path / "b")
    read = [sf.rows(folder, "deals", "deal_id, created_at") for folder in (company, tmp_path / "b")]
    assert read[0] == read[1]
    assert len({row[1] for row in read[1]}) == len(times)


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_row_is_accounted_for(lists: Any, language: str) -> None:
    for file in lists[language][1].files:
        parts = (file.accepted, file.superseded, file.quarantined, file.excluded, file.footer)
        assert file.rows_read == sum(parts), file.file
        assert file.quarantined == 0, file.file
        assert file.table or file.file.endswith(("[Notes]", "[Hinweise]"))
