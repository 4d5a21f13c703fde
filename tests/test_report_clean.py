"""The normal form of notebooks, and the notes that cells give about themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from report_fixtures import code, text

from salestrack.errors import DataError
from salestrack.report.cells import place, short_title
from salestrack.report.clean import clean_files, clean_text
from salestrack.report.redact import redacted, secrets


def notebook(*cells: dict[str, Any], **metadata: Any) -> str:
    return json.dumps({"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def cell(**given: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": "1",
        "outputs": [],
        "execution_count": None,
    } | given


def cleaned(text: str) -> dict[str, Any]:
    return dict(json.loads(clean_text(text)))


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        pytest.param({"outputs": [{"output_type": "stream"}]}, {"outputs": []}, id="outputs go"),
        pytest.param({"execution_count": 7}, {"execution_count": None}, id="counts go"),
        pytest.param(
            {"metadata": {"scrolled": True, "tags": ["de"]}}, {"metadata": {"tags": ["de"]}}, id="tags stay"
        ),
        pytest.param(
            {"source": ["a\n", "b\n", "\n"]}, {"source": ["a\n", "b"]}, id="empty lines at the end go"
        ),
        pytest.param({"id": "keep-me"}, {"id": "keep-me"}, id="a valid id stays"),
        pytest.param({"id": None}, {"id": "cell-01"}, id="a missing id follows from the place"),
    ],
)
def test_cells(dirty: dict[str, Any], clean: dict[str, Any]) -> None:
    assert clean.items() <= cleaned(notebook(cell(**dirty)))["cells"][0].items()


def test_an_id_is_kept_by_the_first_that_has_it() -> None:
    found = cleaned(notebook(cell(id="a"), cell(id="a"), cell(id="cell-02")))["cells"]
    assert [one["id"] for one in found] == ["a", "cell-02-a", "cell-02"]


def test_only_the_project_s_own_metadata_stay() -> None:
    titles = {"title": {"en": "Overview"}}
    found = cleaned(
        notebook(cell(), salestrack=titles, papermill={"x": 1}, widgets={}, kernelspec={"name": "mine"})
    )
    assert sorted(found["metadata"]) == ["kernelspec", "language_info", "salestrack"]
    assert found["metadata"]["kernelspec"]["name"] == "python3"


def test_the_normal_form_of_the_normal_form_is_itself() -> None:
    once = clean_text(notebook(cell(id=None, metadata={"x": 1}), cell(id="ü")))
    assert clean_text(once) == once


def test_a_check_writes_nothing_and_the_fixer_only_what_it_must(tmp_path: Path) -> None:
    path = tmp_path / "01_a.ipynb"
    path.write_text(notebook(cell(execution_count=3)), encoding="utf-8")
    before = path.read_bytes()
    assert clean_files([path], check=True) == [path]
    assert path.read_bytes() == before
    assert clean_files([path]) == [path]
    assert clean_files([path]) == []


def test_what_is_no_notebook_is_named() -> None:
    with pytest.raises(DataError, match="01_a.ipynb is not a notebook"):
        clean_text("<<<<<<< conflict", "01_a.ipynb")


def test_a_cell_is_named_as_jupyterlab_counts_it() -> None:
    cells = [
        text("# A"),
        code("1"),
        code("x", "injected-parameters"),
        code(" "),
        text("## B", "de"),
        text("## C"),
        code("2"),
    ]
    assert place(cells, 6, "en") == "cell 2 'C'"
    assert place(cells, 1, "de") == "cell 1 'A'"
    assert place(cells[1:], 0, "en") == "cell 1"


def test_the_short_title_comes_from_the_metadata_then_from_the_first_heading() -> None:
    from nbformat.v4 import new_notebook

    node = new_notebook(cells=[text("# Lang", "de"), text("# Long", "en")])
    assert short_title(node, "de", "x") == "Lang"
    node.metadata["salestrack"] = {"title": {"de": "Kurz"}}
    assert [short_title(node, language, "x") for language in ("de", "en")] == ["Kurz", "Long"]
    assert short_title(new_notebook(), "en", "01_a") == "01_a"


def test_secrets_are_blanked_in_every_form() -> None:
    hidden = secrets({"SF_PASSWORD": "p/ss w0rd!", "PATH": "/usr/bin:/bin", "PIN_TOKEN": "short"})
    said = "a p/ss w0rd! b p%2Fss%20w0rd%21 c cC9zcyB3MHJkIQ== d short /usr/bin:/bin"
    assert redacted(said, hidden) == "a *** b *** c *** d short /usr/bin:/bin"
