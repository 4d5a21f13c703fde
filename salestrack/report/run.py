"""`salestrack report`: check, lock, import, run, verify, render, record, publish; all of it or nothing."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salestrack.errors import InputError, MissingData
from salestrack.periods import Period
from salestrack.report.company import Source, read_source
from salestrack.report.guard import private_files, stopped_by_signals
from salestrack.report.progress import Lines, Progress, Step
from salestrack.report.publish import Shelf, utc_now, write_file
from salestrack.report.quick import quick_jupyter
from salestrack.report.record import as_json, manifest
from salestrack.report.redact import redacted
from salestrack.report.texts import LANGUAGES

if TYPE_CHECKING:
    from salestrack.report.execute import Run
    from salestrack.report.notebooks import Notebook

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
MOST_JOBS = 16


@dataclass(frozen=True)
class Order:
    """A checked request for a report: everything that can be refused before work starts has been."""

    data_dir: Path
    month: str | None
    language: str | None
    notebooks: Sequence[Notebook]
    draft: bool
    jobs: int
    parameters: Mapping[str, Any]


def run_report(
    data_dir: Path | str,
    *,
    month: str | None = None,
    language: str | None = None,
    out: Path | str = Path("reports"),
    only: Sequence[str] | None = None,
    jobs: int = 2,
    notebooks: Path | str | None = None,
    parameters: Mapping[str, object] | None = None,
    progress: Progress | None = None,
    cell_seconds: int = 600,
    run_seconds: int = 3600,
    group_readable: bool = False,
) -> Path:
    """Run the notebooks for a month and publish the report; nothing is published unless every cell has run.

    Parameters
    ----------
    data_dir : the company's folder; what is new in its `raw/` is imported once, before the notebooks
    month : `2026-10`; default: the last full month of the data
    language : `de` or `en`; default: the company's
    out : folder in which reports are published
    only : notebooks by number or name; the first is always made, and the result is a draft beside the reports
    jobs : notebooks that run at the same time
    notebooks : folder of the notebooks; default: those of the project
    parameters : further parameters that the notebooks declare
    progress : is called with every `Step`; default: lines on stderr
    cell_seconds, run_seconds : limits for one cell and for all notebooks together
    group_readable : files for the group as well (0640) instead of the owner alone (0600)

    Returns
    -------
    The report's first page. A second run into the same folder is refused (75) while this one is at work.
    """
    with quick_jupyter():
        from salestrack.report import execute, render  # noqa: F401  (load Jupyter, quickly)
    order = _checked(
        Path(data_dir), month, language, Path(notebooks or NOTEBOOKS), only, jobs, parameters or {}
    )
    limits = execute.Limits(cell_seconds, run_seconds)
    with private_files(group_readable), stopped_by_signals():
        return _make(order, Path(out).resolve(), limits, progress or Lines())


def _checked(
    data_dir: Path,
    month: str | None,
    language: str | None,
    folder: Path,
    only: Sequence[str] | None,
    jobs: int,
    parameters: Mapping[str, object],
) -> Order:
    from salestrack.report.notebooks import checked_parameters, chosen, find_notebooks, read_notebook

    if month is not None:
        Period.month(month)
    if language is not None and language not in LANGUAGES:
        raise InputError.unknown_name("language", language, LANGUAGES)
    if isinstance(jobs, bool) or not isinstance(jobs, int) or not 1 <= jobs <= MOST_JOBS:
        raise InputError(
            f"jobs is the number of notebooks that run at the same time, 1 to {MOST_JOBS}, not {jobs!r}"
        )
    if not data_dir.is_dir():
        raise MissingData.no_folder(data_dir)
    paths = find_notebooks(folder.resolve())
    selected = chosen(paths, None if only is None else [paths[0].stem, *only])
    notebooks = [read_notebook(path) for path in selected]
    values = checked_parameters(parameters, notebooks)
    return Order(data_dir.resolve(), month, language, notebooks, len(selected) < len(paths), jobs, values)


def _make(order: Order, out: Path, limits: Any, progress: Progress) -> Path:
    from salestrack.report.kernels import Kernels
    from salestrack.report.pages import frame_of, write_pages

    started, clock = utc_now(), time.monotonic()
    shelf = Shelf(out)
    with shelf.locked(), ExitStack() as stack:
        kernels = Kernels()
        stack.callback(shutil.rmtree, kernels.folder, ignore_errors=True)
        stack.callback(kernels.stop)
        shelf.note(kernels.folder)
        progress(Step("reading data", "phase"))
        source = read_source(order.data_dir, order.month)
        language = order.language or source.language
        stage = stack.enter_context(shelf.stage(source.month))
        runs = _run(order, source, language, kernels, limits, progress, shelf)
        progress(Step("writing pages", "phase"))
        from_source = frame_of(source, language, order.draft)
        pages = write_pages(stage, [(run.notebook.name, run.node) for run in runs], from_source)
        record = manifest(source, language, order.parameters, [run.notebook.path for run in runs], pages)
        _write_records(stage, record, runs, order, started, clock)
        folder = shelf.publish(stage, source.month, draft=order.draft)
        shelf.forget_failed(source.month)
        if not order.draft:
            shelf.point_to_latest()
            _write_archive(shelf, source, language)
    return folder / "index.html"


def _run(
    order: Order, source: Source, language: str, kernels: Any, limits: Any, progress: Progress, shelf: Shelf
) -> list[Run]:
    """All notebooks, run, in reading order; one that fails is kept for whoever looks for the cause."""
    from salestrack.report.execute import NotebookFailed, run_notebooks
    from salestrack.report.notebooks import run_values
    from salestrack.report.pages import notebook_text

    values = {}
    for notebook in order.notebooks:
        shared = {
            "month": source.month,
            "language": language,
            "data": _seen_from(notebook.path.parent, order.data_dir),
        }
        values[notebook.name] = run_values(notebook, {**order.parameters, **shared})
    longest_first = sorted(order.notebooks, key=_by_length(shelf))
    try:
        runs = run_notebooks(
            longest_first,
            values,
            kernels=kernels,
            limits=limits,
            jobs=order.jobs,
            progress=progress,
            language=language,
        )
    except NotebookFailed as failure:
        if failure.node is not None:
            shelf.keep_failed(source.month, failure.notebook.name, notebook_text(failure.node))
        raise type(failure)(
            redacted(str(failure)), exit_code=failure.exit_code, notebook=failure.notebook, node=None
        ) from None
    return sorted(runs, key=lambda run: run.notebook.name)


def _seen_from(folder: Path, data_dir: Path) -> str:
    """The data folder as the notebooks see it: a relative path keeps users' names out of the pages."""
    try:
        return Path(os.path.relpath(data_dir, folder)).as_posix()
    except ValueError:  # another drive of Windows
        return str(data_dir)


def _by_length(shelf: Shelf) -> Any:
    """Longest first, by the last run's times: then no long notebook starts when the others have ended."""
    seconds: dict[str, float] = {}
    for month in shelf.months()[:1]:
        try:
            seconds = json.loads((shelf.folder / month / "run.json").read_text(encoding="utf-8"))["seconds"]
        except (OSError, ValueError, KeyError):
            seconds = {}

    def key(notebook: Notebook) -> tuple[float, int, str]:
        cells = sum(cell.cell_type == "code" for cell in notebook.node.cells)
        return -float(seconds.get(notebook.name, 0)), -cells, notebook.name

    return key


def _write_records(
    stage: Path, record: Mapping[str, Any], runs: Sequence[Run], order: Order, started: str, clock: float
) -> None:
    """The manifest comes last: a folder with a manifest is a whole report."""
    times = {
        "started": started,
        "ended": utc_now(),
        "seconds_in_total": round(time.monotonic() - clock, 3),
        "seconds": {run.notebook.name: round(run.seconds, 3) for run in runs},
        "jobs": order.jobs,
        "data_dir": str(order.data_dir),
    }
    write_file(stage / "run.json", redacted(as_json({**times, **record})))
    write_file(stage / "manifest.json", redacted(as_json(record)))


def _write_archive(shelf: Shelf, source: Source, language: str) -> None:
    from salestrack.report.archive import archive_page

    manifests = [shelf.manifest(month) for month in shelf.months()]
    shelf.write("index.html", archive_page(manifests, source.name, language))
