"""A report that is published once for all tests of its runs, and copies of it which they may change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def first_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with notebooks, data and one published report."""
    from report_fixtures import MONTH, good_notebooks, quiet, without_import

    from salestrack.report import run_report

    folder = tmp_path_factory.mktemp("first")
    (folder / "data").mkdir()
    good_notebooks(folder / "notebooks")
    with pytest.MonkeyPatch.context() as patch:
        without_import(patch)
        run_report(
            folder / "data",
            month=MONTH,
            out=folder / "reports",
            notebooks=folder / "notebooks",
            progress=quiet,
        )
    return folder


@pytest.fixture
def folder(first_report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder which a test may change."""
    from report_fixtures import without_import

    without_import(monkeypatch)
    return Path(shutil.copytree(first_report, tmp_path / "copy", symlinks=True))
