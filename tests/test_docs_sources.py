"""The pages about sources: complete, linked, and in step with mappings and writers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from salestrack.exports import sources
from salestrack.schema import words

FOLDER = Path(__file__).parents[1] / "docs" / "sources"
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_index_tells_what_each_source_fills_and_cannot_carry() -> None:
    kept = re.search(
        r"<!-- sources: python -m salestrack.exports -->\n(.*)<!-- end of sources -->", INDEX, re.S
    )
    assert kept
    assert kept[1] == sources.markdown(), "put the output of python -m salestrack.exports there"


@pytest.mark.parametrize("page", sorted(FOLDER.glob("*.md")), ids=lambda path: path.name)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (FOLDER / link).exists()] == []


def test_every_page_is_in_the_index() -> None:
    assert {path.name for path in FOLDER.glob("*.md")} - {"README.md"} <= set(
        re.findall(r"\]\(([^)]+)\)", INDEX)
    )


def test_the_page_of_lists_names_every_template() -> None:
    text = (FOLDER / "manual.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", text, re.M)
    wanted = [(words.title(t, "en"), words.title(t, "de"), words.one_row(t, "en")) for t in words.FILLED]
    assert [row for row in rows if row in wanted] == wanted
