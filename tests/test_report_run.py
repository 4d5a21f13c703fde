"""Runs of the report: what is published, and which requests are refused before any work."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from pathlib import Path

import nbformat
import pytest
from report_fixtures import (
    MONTH,
    PARAMETERS,
    code,
    litter,
    make,
    notebook,
    published,
    save,
    text,
)

from salestrack.errors import SalestrackError
from salestrack.report import run_report
from salestrack.report.progress import Step

# Success


def test_a_report_has_a_page_per_notebook_the_notebooks_and_two_records(first_report: Path) -> None:
    reports = first_report / "reports"
    assert sorted(published(reports / MONTH)) == [
        "02_revenue.html",
        "03_pipeline.html",
        "index.html",
        "manifest.json",
        "notebooks/01_overview.ipynb",
        "notebooks/02_revenue.ipynb",
        "notebooks/03_pipeline.ipynb",
        "run.json",
    ]
    assert os.readlink(reports / "latest") == MONTH
    assert f'href="{MONTH}/index.html"' in (reports / "index.html").read_text(encoding="utf-8")
    assert litter(reports) == []


def test_notebooks_run_in_their_folder_with_the_parameters_of_the_run(first_report: Path) -> None:
    page = (first_report / "reports" / MONTH / "02_revenue.html").read_text(encoding="utf-8")
    assert "('notebooks', '../data', 'en', 0, " in page
    assert "'2026-10'" in (first_report / "reports" / MONTH / "index.html").read_text(encoding="utf-8")


def test_the_manifest_traces_pages_notebooks_and_data(first_report: Path) -> None:
    manifest = json.loads((first_report / "reports" / MONTH / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["month"] == MONTH
    assert [page["file"] for page in manifest["pages"]] == [
        "index.html",
        "02_revenue.html",
        "03_pipeline.html",
    ]
    assert [page["title"] for page in manifest["pages"]] == ["Overview", "Revenue", "Pipeline"]
    assert manifest["data"]["tables"] == {"deals": {"rows": 2500}}
    assert manifest["packages"]["papermill"]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in manifest["notebooks"].values())


def test_the_record_of_the_run_has_its_times(first_report: Path) -> None:
    record = json.loads((first_report / "reports" / MONTH / "run.json").read_text(encoding="utf-8"))
    assert record["started"] <= record["ended"]
    assert sorted(record["seconds"]) == ["01_overview", "02_revenue", "03_pipeline"]


def test_published_notebooks_hold_results_and_no_notes_of_papermill(first_report: Path) -> None:
    path = first_report / "reports" / MONTH / "notebooks" / "01_overview.ipynb"
    node = nbformat.read(path, as_version=4)
    assert "papermill" not in path.read_text(encoding="utf-8")
    assert all(cell.execution_count for cell in node.cells if cell.cell_type == "code")


def test_the_same_inputs_give_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TZ": "Pacific/Auckland",
        "LC_ALL": "tr_TR.UTF-8",
        "PYTHONHASHSEED": "7",
        "MPLBACKEND": "svg",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir("/")
    before = published(folder / "reports" / MONTH)
    make(folder, jobs=1)
    after = published(folder / "reports" / MONTH)
    assert {name: data for name, data in after.items() if name != "run.json"} == {
        name: data for name, data in before.items() if name != "run.json"
    }


def test_pages_are_in_the_language_that_was_asked_for(folder: Path) -> None:
    page = make(folder, language="de").read_text(encoding="utf-8")
    assert '<html lang="de">' in page
    assert "Wo der Vertrieb steht" in page
    assert "Where sales stand" not in page
    assert "Datenstand" in page


def test_some_notebooks_make_a_draft_beside_the_report(folder: Path) -> None:
    before = published(folder / "reports")
    page = make(folder, only=["3"])
    assert page == (folder / "reports" / "draft" / MONTH / "index.html")
    assert sorted(path.name for path in page.parent.glob("*.html")) == ["03_pipeline.html", "index.html"]
    assert before.items() <= published(folder / "reports").items()


def test_extra_parameters_reach_the_notebooks_that_declare_them(folder: Path) -> None:
    page = make(folder, only=["03"], parameters={"horizon": "30"}).parent / "03_pipeline.html"
    assert ">30<" in page.read_text(encoding="utf-8")


def test_files_are_private_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        shutil.rmtree(folder / "reports")
        make(folder, only=["01"])
        modes = {
            stat.S_IMODE(p.lstat().st_mode)
            for p in folder.joinpath("reports").rglob("*")
            if not p.is_symlink()
        }
        assert modes == {0o600, 0o700}
        make(folder, only=["01"], group_readable=True)
        assert stat.S_IMODE((folder / "reports" / "draft" / MONTH / "index.html").stat().st_mode) == 0o640
    finally:
        os.umask(before)


def test_secrets_of_the_environment_are_blanked_everywhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_API_TOKEN", "kanarienvogel-4711")
    leak = notebook(text("# Leak"), code("import os\nos.environ['CRM_API_TOKEN']"))
    save(folder / "leaky", n01_leak=leak)
    make(folder, notebooks=folder / "leaky")
    assert "***" in published(folder / "reports")[f"{MONTH}/index.html"].decode()
    assert not [name for name, data in published(folder / "reports").items() if b"kanarienvogel" in data]


def test_warnings_are_logged_and_not_shown(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(folder, only=["03"])
    assert "03_pipeline, cell 2 'Pipeline': overdue" in caplog.text
    assert b"overdue" not in published(folder / "reports")[f"draft/{MONTH}/03_pipeline.html"]


def test_progress_tells_each_notebook_once_when_it_ends(folder: Path) -> None:
    steps: list[Step] = []
    make(folder, only=["02"], progress=steps.append)
    assert sorted(step.name for step in steps if step.state == "done") == ["01_overview", "02_revenue"]


# Requests that are refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"month": "2026-13"}, "'2026-13' is not a month", id="a month that is none"),
        pytest.param({"month": '2026-10"; import os'}, "is not a month", id="code for a month"),
        pytest.param({"month": "../../etc"}, "is not a month", id="a path for a month"),
        pytest.param({"language": "fr"}, "there is no language 'fr'", id="a language without texts"),
        pytest.param({"only": ["pipline"]}, "did you mean '03_pipeline'?", id="a misspelt notebook"),
        pytest.param(
            {"only": ["07"]}, "known are 01_overview, 02_revenue, 03_pipeline", id="a number too high"
        ),
        pytest.param({"parameters": {"horizn": 30}}, "did you mean 'horizon'?", id="a misspelt parameter"),
        pytest.param(
            {"parameters": {"x = 1; y": 1}}, "there is no parameter", id="code for a parameter's name"
        ),
        pytest.param({"parameters": {"month": "2026-09"}}, "has an option of its own", id="the month twice"),
        pytest.param(
            {"parameters": {"horizon": "soon"}}, "takes a whole number, not 'soon'", id="text for a number"
        ),
        pytest.param(
            {"parameters": {"horizon": True}}, "takes a whole number, not True", id="a flag for a number"
        ),
        pytest.param({"parameters": {"horizon": ("a", "b")}}, "takes a whole number", id="a tuple"),
        pytest.param({"jobs": 0}, "1 to 16, not 0", id="no jobs"),
    ],
)
def test_a_wrong_request_is_refused_before_any_work(
    folder: Path, options: dict[str, object], message: str
) -> None:
    steps: list[Step] = []
    with pytest.raises(SalestrackError) as caught:
        make(folder, progress=steps.append, **options)
    assert message in str(caught.value)
    assert caught.value.exit_code == 64
    assert steps == []


def test_a_notebook_must_take_the_parameters_of_a_run(folder: Path) -> None:
    save(folder / "odd", n01_odd=notebook(text("# Odd"), parameters='month: str = "2026-01"'))
    with pytest.raises(SalestrackError, match="does not take data, language"):
        make(folder, notebooks=folder / "odd")
    save(folder / "odd", n01_odd=notebook(text("# Odd"), code(PARAMETERS), parameters=None))
    with pytest.raises(SalestrackError, match="one cell tagged 'parameters'"):
        make(folder, notebooks=folder / "odd")


def test_missing_folders_are_named(folder: Path) -> None:
    with pytest.raises(SalestrackError, match="there is no folder .*nowhere") as caught:
        run_report(folder / "nowhere", out=folder / "reports", notebooks=folder / "notebooks")
    assert caught.value.exit_code == 66
    with pytest.raises(SalestrackError, match="with notebooks"):
        make(folder, notebooks=folder / "nowhere")


def test_a_folder_that_cannot_be_written_is_found_before_any_work(folder: Path) -> None:
    (folder / "file").write_text("not a folder")
    with pytest.raises(SalestrackError, match="cannot be written") as caught:
        make(folder, out=folder / "file")
    assert caught.value.exit_code == 73
