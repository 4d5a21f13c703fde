"""Small notebooks and a company that needs no import, for the tests of the report."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from salestrack.report import run, run_report
from salestrack.report.company import Source
from salestrack.report.progress import Step

MONTH = "2026-10"
PARAMETERS = (
    'month: str = "2026-01"  # Month of the report\n'
    'data: str = "../data"  # The company\'s folder\n'
    'language: str = "en"  # de or en\n'
    "horizon: int = 90  # Days"
)
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="518pt" height="100pt" viewBox="0 0 518 100">'
    '<text y="20">42</text></svg>'
)
TABLE = (
    '<table class="kpi"><thead><tr><th scope="col">Month</th></tr></thead>'
    "<tbody><tr><td>October</td></tr></tbody></table>"
)
FIGURE = (
    "from IPython.display import display\n"
    f"display({{'image/svg+xml': {SVG!r}}}, raw=True, metadata={{'image/svg+xml': "
    f"{{'alt': 'One bar', 'caption': 'Source: deals', 'table_html': {TABLE!r}}}}})"
)


def text(words: str, *tags: str) -> Any:
    """A Markdown cell."""
    return new_markdown_cell(words, metadata={"tags": list(tags)} if tags else {})


def code(source: str, *tags: str) -> Any:
    """A code cell."""
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def notebook(*cells: Any, title: dict[str, str] | None = None, parameters: str | None = PARAMETERS) -> Any:
    """A notebook that takes the parameters of a report."""
    first = [] if parameters is None else [code(parameters, "parameters")]
    node = new_notebook(cells=[cells[0], *first, *cells[1:]])
    if title:
        node.metadata["salestrack"] = {"title": title}
    return node


def save(folder: Path, **notebooks: Any) -> Path:
    """Write notebooks as `name.ipynb`; the `n` in front is only there because Python wants a letter."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, node in notebooks.items():
        nbformat.write(node, folder / f"{name.removeprefix('n')}.ipynb")
    return folder


def good_notebooks(folder: Path) -> Path:
    """Three notebooks that run."""
    overview = notebook(
        text("# Where sales stand\n\nThe month at a glance.", "en"),
        text("# Wo der Vertrieb steht\n\nDer Monat auf einen Blick.", "de"),
        text("## Bookings", "en"),
        text("## Umsatz", "de"),
        code(FIGURE),
        code("month"),
        title={"en": "Overview", "de": "Überblick"},
    )
    seen = "os.path.basename(os.getcwd()), data, language, time.localtime(0).tm_hour, hash('x')"
    revenue = notebook(text("# Revenue"), code(f"import os, time\n{seen}"))
    pipeline = notebook(text("# Pipeline"), code("import sys\nprint('overdue', file=sys.stderr)\nhorizon"))
    return save(folder, n01_overview=overview, n02_revenue=revenue, n03_pipeline=pipeline)


def source(language: str = "en") -> Source:
    """What a run would have read from a company's folder."""
    return Source(
        name="Muster & Söhne",
        time_zone="Europe/Berlin",
        language=language,
        month=MONTH,
        inputs={"raw/deals.csv": hashlib.sha256(b"deals").hexdigest()},
        tables={"deals": {"rows": 2500}},
    )


def without_import(patch: pytest.MonkeyPatch) -> None:
    """Let runs take the month from the caller and everything else from `source`."""
    patch.setattr(run, "read_source", lambda data_dir, month: source())


def quiet(step: Step) -> None:
    """Progress that nobody watches."""


def make(folder: Path, **options: object) -> Path:
    """A run in a folder with data, notebooks and reports."""
    given = {"month": MONTH, "out": folder / "reports", "notebooks": folder / "notebooks", "progress": quiet}
    return run_report(folder / "data", **(given | options))  # type: ignore[arg-type]


def published(out: Path) -> dict[str, bytes]:
    """Every file that readers of the reports folder see."""
    shown = [path for path in sorted(out.rglob("*")) if path.is_file() and path.name != ".lock"]
    return {
        path.relative_to(out).as_posix(): path.read_bytes() for path in shown if "failed" not in path.parts
    }


def litter(out: Path, known: Sequence[str] = (".lock",)) -> list[str]:
    """Hidden files and folders that a run should not have left."""
    return sorted(path.name for path in out.iterdir() if path.name.startswith(".") and path.name not in known)
