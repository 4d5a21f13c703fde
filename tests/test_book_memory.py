"""What a company says of the memory that its book may take."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import source_files as sf

from salestrack.book import Book
from salestrack.errors import ConfigError

FILES: dict[str, str | bytes] = {"OpportunityStage.csv": sf.STAGES, "Opportunity.csv": sf.DEALS}
CONFIG = sf.CONFIG + '[engine]\nmemory = "{}"\n'
SORTED = "SELECT sum(n * place) FROM (SELECT n, row_number() OVER (ORDER BY hash(n)) AS place FROM range(4000000) t(n))"


def test_a_book_keeps_to_its_memory_and_lays_the_rest_where_temporary_files_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sf.company(tmp_path / "data", FILES, CONFIG.format("60MB"))
    (tmp_path / "here").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with Book.open(data) as book:
        book.sql(SORTED).fetchall()
        assert book.sql("SELECT current_setting('memory_limit')").fetchall() == [("57.2 MiB",)]
        assert len(list((tmp_path / "temporary").iterdir())) == 1
    assert list((tmp_path / "temporary").iterdir()) == []
    assert list((tmp_path / "here").iterdir()) == []


def test_a_memory_that_is_none_is_refused(tmp_path: Path) -> None:
    data = sf.company(tmp_path, FILES, CONFIG.format("much"))
    with pytest.raises(
        ConfigError, match="memory: 'much' is no amount of memory: write one like 3GB or 800MB"
    ):
        Book.open(data)
