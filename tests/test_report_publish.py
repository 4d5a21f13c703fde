"""The folder of reports: old or new, never between; one holder; nothing left lying about."""

from __future__ import annotations

from pathlib import Path

import pytest

from salestrack.errors import Busy
from salestrack.report import publish
from salestrack.report.publish import Shelf


def put(shelf: Shelf, month: str, words: str, *, draft: bool = False) -> Path:
    """Publish a report of one file."""
    with shelf.stage(month) as stage:
        (stage / "manifest.json").write_text(words)
        return shelf.publish(stage, month, draft=draft)


@pytest.fixture(params=[True, False], ids=["folders can be exchanged", "folders cannot be exchanged"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    if not request.param:
        monkeypatch.setattr(publish, "exchange", lambda one, other: False)
    return Shelf(tmp_path / "reports")


def names(shelf: Shelf) -> list[str]:
    return sorted(path.name for path in shelf.folder.iterdir())


def test_a_new_report_takes_the_place_of_the_old_one(shelf: Shelf) -> None:
    put(shelf, "2026-10", "old")
    folder = put(shelf, "2026-10", "new")
    assert (folder / "manifest.json").read_text() == "new"
    assert names(shelf) == [".lock", "2026-10"]


def test_a_draft_leaves_the_report_alone(shelf: Shelf) -> None:
    put(shelf, "2026-10", "whole")
    put(shelf, "2026-10", "old part", draft=True)
    put(shelf, "2026-10", "part", draft=True)
    assert (shelf.folder / "2026-10" / "manifest.json").read_text() == "whole"
    assert (shelf.folder / "draft" / "2026-10" / "manifest.json").read_text() == "part"


def test_latest_is_the_newest_month_not_the_last_run(shelf: Shelf) -> None:
    for month in ("2026-10", "2025-03"):
        put(shelf, month, "{}")
        shelf.point_to_latest()
    assert (shelf.folder / "latest").resolve().name == "2026-10"
    assert shelf.months() == ["2026-10", "2025-03"]


def test_without_links_latest_is_a_page(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("links need a right")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    put(shelf, "2026-10", "{}")
    shelf.point_to_latest()
    assert 'href="2026-10/index.html"' in (shelf.folder / "latest.html").read_text()


def fail_half_way(shelf: Shelf) -> None:
    with shelf.stage("2026-10") as stage:
        (stage / "half").write_text(str(1 / 0))


def test_a_stage_is_gone_when_the_run_fails(shelf: Shelf) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_half_way(shelf)
    assert names(shelf) == [".lock"]


def test_the_next_run_removes_what_a_killed_run_left(shelf: Shelf) -> None:
    put(shelf, "2026-10", "old")
    for left in (".stage-2026-10", ".old-2026-10"):
        (shelf.folder / left).mkdir()
    (shelf.folder / ".new-index.html").write_text("half")
    with shelf.locked():
        assert names(shelf) == [".lock", "2026-10"]


def test_the_next_run_brings_back_a_report_that_was_moved_aside(shelf: Shelf) -> None:
    put(shelf, "2026-10", "old").rename(shelf.folder / ".old-2026-10")
    put(shelf, "2026-09", "part", draft=True).rename(shelf.folder / ".old-draft-2026-09")
    with shelf.locked():
        assert (shelf.folder / "2026-10" / "manifest.json").read_text() == "old"
        assert (shelf.folder / "draft" / "2026-09" / "manifest.json").read_text() == "part"


def test_only_our_own_temporary_folder_is_ever_removed(shelf: Shelf, tmp_path: Path) -> None:
    precious = tmp_path / "salestrack-precious"
    precious.mkdir()
    shelf.note(precious)
    with shelf.locked():
        assert precious.exists()


def test_one_holder_at_a_time_and_free_afterwards(shelf: Shelf) -> None:
    with shelf.locked(), pytest.raises(Busy, match="another run is making a report"), shelf.locked():
        pass
    with shelf.locked():
        pass


def test_exchange_swaps_or_says_that_it_cannot(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    swapped = publish.exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "b").exists() == swapped


def test_exchange_reports_a_real_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    if publish.exchange(tmp_path / "a", tmp_path / "a"):
        with pytest.raises(FileNotFoundError):
            publish.exchange(tmp_path / "a", tmp_path / "none")
