"""The committed notebooks: in normal form, and built the way the house builds them."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from salestrack.report.cells import headings
from salestrack.report.clean import clean_text

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_CODE_CELLS, MOST_LINES = 18, 3
TOO_MUCH = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While, ast.AsyncFor)
LAST = {"en": ["What to do", "Definitions"], "de": ["Was zu tun ist", "Definitionen"]}

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str, *tags: str) -> list[dict[str, Any]]:
    """Cells of a kind which bear one of the tags (any cell without tags given), their source joined."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        {**cell, "source": "".join(cell["source"]), "tags": set(cell["metadata"].get("tags", []))}
        for cell in found
        if cell["cell_type"] == kind and (not tags or set(tags) & set(cell["metadata"].get("tags", [])))
    ]


def test_it_is_in_normal_form(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert clean_text(text, path.name) == text, "run: python -m salestrack.report.clean"


def test_one_cell_takes_the_parameters_as_literals_with_a_help_text_each(path: Path) -> None:
    (cell,) = cells(path, "code", "parameters")
    statements = ast.parse(cell["source"]).body
    assert all(isinstance(s, ast.AnnAssign) and isinstance(s.value, ast.Constant) for s in statements)
    assert all("#" in line for line in cell["source"].splitlines())
    names = [
        s.target.id for s in statements if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
    ]
    assert {"month", "data", "language"} <= set(names)


def test_imports_stand_in_the_set_up_only(path: Path) -> None:
    importing = [
        cell
        for cell in cells(path, "code")
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(ast.parse(cell["source"])))
    ]
    assert [cell["tags"] for cell in importing] == [{"setup"}]


def test_a_code_cell_is_one_call(path: Path) -> None:
    work = [cell["source"] for cell in cells(path, "code") if not cell["tags"] & {"parameters", "setup"}]
    assert len(work) <= MOST_CODE_CELLS
    assert [source for source in work if len(source.splitlines()) > MOST_LINES] == []
    assert [
        source for source in work if any(isinstance(n, TOO_MUCH) for n in ast.walk(ast.parse(source)))
    ] == []


@pytest.mark.parametrize("language", ["en", "de"])
def test_it_has_a_title_and_ends_with_what_to_do_and_what_the_figures_mean(path: Path, language: str) -> None:
    texts = [
        cell
        for cell in cells(path, "markdown")
        if not cell["tags"] & {"en", "de"} or language in cell["tags"]
    ]
    found = [heading for cell in texts for heading in headings(cell["source"])]
    assert found[0][0] == 1
    assert [words for _, words in found[-2:]] == LAST[language]


def test_text_comes_in_pairs(path: Path) -> None:
    texts = [cell["tags"] & {"en", "de"} for cell in cells(path, "markdown")]
    assert sum("en" in tags for tags in texts) == sum("de" in tags for tags in texts)


def test_every_title_is_there_for_the_navigation(path: Path) -> None:
    titles = json.loads(path.read_text(encoding="utf-8"))["metadata"]["salestrack"]["title"]
    assert sorted(titles) == ["de", "en"]
