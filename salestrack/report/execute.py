"""Run notebooks with papermill, two at a time, and believe a run only when every cell of it has run.

papermill marks cells as completed that never ran (a killed kernel, a time limit), and `sys.exit(0)` in a cell
looks like success to it. So each cell's reply is recorded here as the kernel gives it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import nbformat
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill import PapermillExecutionError, execute_notebook
from papermill.engines import NBClientEngine, papermill_engines

from salestrack.errors import ReportFailed, SalestrackError
from salestrack.report.cells import INJECTED, PAPERMILL_BANNER, place, tags
from salestrack.report.kernels import Kernels
from salestrack.report.notebooks import Notebook, Scalar
from salestrack.report.progress import Progress, Step

TIMED_OUT = 124
logger = logging.getLogger("salestrack.report")
# papermill and nbclient log what they also raise; a failure is told once, in one sentence.
logging.getLogger("papermill").setLevel(logging.CRITICAL)


class NotebookFailed(ReportFailed):
    """A notebook did not run to its end; `notebook` and `node` hold what there is of it."""

    def __init__(self, sentence: str, *, exit_code: int | None, notebook: Notebook, node: Any) -> None:
        super().__init__(sentence, exit_code=exit_code)
        self.notebook, self.node = notebook, node


@dataclass
class Run:
    """One notebook while it runs and after it."""

    notebook: Notebook
    node: Any = None
    seconds: float = 0.0
    current: int | None = None
    replies: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """Seconds that one cell and the whole run may take."""

    cell: int = 600
    run: int = 3600


class _Engine(NBClientEngine):  # type: ignore[misc]
    """papermill's own engine, which also hands out the notebook that it works on, for when it fails."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, run: Run, **options: Any) -> Any:
        run.node = nb_man.nb
        return super().execute_managed_notebook(nb_man, kernel_name, **options)


papermill_engines.register("salestrack", _Engine)


def run_notebooks(
    notebooks: Sequence[Notebook],
    values: Mapping[str, Mapping[str, Scalar]],
    *,
    kernels: Kernels,
    limits: Limits,
    jobs: int,
    progress: Progress,
    language: str,
) -> list[Run]:
    """Run the notebooks, started in the order given, and return the runs in that order.

    The first failure ends the others: their kernels are killed, and the failure is raised.
    """
    tell = _one_at_a_time(progress)
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = {
            pool.submit(_run_one, Run(nb), values[nb.name], kernels, limits, tell, language): nb
            for nb in notebooks
        }
        try:
            done, _ = wait(futures, timeout=limits.run, return_when=FIRST_EXCEPTION)
            failed = [future for future in futures if future in done and future.exception()]
            if len(done) < len(futures) and not failed:
                raise _too_long(limits.run, [nb.name for future, nb in futures.items() if not future.done()])
            return [future.result() for future in failed or futures]
        finally:
            _end(futures, kernels)


def _end(futures: Mapping[Future[Run], Notebook], kernels: Kernels) -> None:
    for future in futures:
        future.cancel()
    kernels.stop()


def _one_at_a_time(progress: Progress) -> Progress:
    lock = threading.Lock()

    def tell(step: Step) -> None:
        with lock:
            progress(step)

    return tell


def _run_one(
    run: Run, values: Mapping[str, Scalar], kernels: Kernels, limits: Limits, tell: Progress, language: str
) -> Run:
    started = time.monotonic()
    name, problem = run.notebook.name, None
    try:
        _papermill(run, values, kernels, limits, tell)
    except Exception as error:
        if kernels.manager.stopped:  # killed because of another notebook: nothing of its own to tell
            raise ReportFailed(f"{name} was stopped") from None
        problem = error
    finally:
        ensure_event_loop().close()  # this thread's, made by nbclient, which leaves it open
    run.seconds = time.monotonic() - started
    failure = failure_of(run, problem, limits.cell, language)
    tell(Step(name, "failed" if failure else "done", seconds=run.seconds))
    if failure:
        raise failure from problem
    _log_warnings(run, language)
    return run


def _papermill(
    run: Run, values: Mapping[str, Scalar], kernels: Kernels, limits: Limits, tell: Progress
) -> None:
    source = nbformat.from_dict(run.notebook.node)  # type: ignore[no-untyped-call]
    execute_notebook(
        source,
        None,
        dict(values),
        engine_name="salestrack",
        kernel_name="python3",
        language="python",
        progress_bar=False,
        run=run,
        execution_timeout=limits.cell,
        kernel_manager_class=kernels.manager,
        shutdown_kernel="immediate",
        record_timing=False,
        force_raise_errors=True,
        coalesce_streams=True,
        # The notebook's folder, as in JupyterLab, whatever folder the command is called from.
        resources={"metadata": {"path": str(run.notebook.path.parent.resolve())}},
        on_cell_start=_started(run, len(source.cells), tell),
        on_cell_executed=_executed(run),
    )


def _started(run: Run, cells: int, tell: Progress) -> Callable[..., None]:
    def started(cell: Any, cell_index: int) -> None:
        if cell.cell_type == "code":
            run.current = cell_index
        tell(Step(run.notebook.name, "running", cell_index + 1, cells + 1))

    return started


def _executed(run: Run) -> Callable[..., None]:
    def executed(cell: Any, cell_index: int, execute_reply: Mapping[str, Any]) -> None:
        run.replies[cell_index] = execute_reply["content"]["status"]

    return executed


def failure_of(run: Run, problem: Exception | None, seconds: int, language: str) -> NotebookFailed | None:
    """What went wrong in a run, named by notebook, cell and heading; None when every cell has run."""
    name = run.notebook.name

    def failed(index: int | None, words: str, exit_code: int | None = None) -> NotebookFailed:
        where = f"{name}, {place(run.node.cells, index, language)}" if index is not None else name
        return NotebookFailed(f"{where}: {words}", exit_code=exit_code, notebook=run.notebook, node=run.node)

    if isinstance(problem, CellTimeoutError):
        return failed(run.current, f"it took longer than {seconds} s and was ended", TIMED_OUT)
    if isinstance(problem, DeadKernelError):
        return failed(run.current, "the notebook's process ended or was killed (too little memory?)")
    found = _error_output(run)
    if found:
        return _said(run, *found) or failed(found[0], _words(found[1]))
    if isinstance(problem, PapermillExecutionError):
        return failed(run.current, "it failed without saying why (an unknown magic command?)")
    if problem is not None:
        return failed(run.current, f"{type(problem).__name__}: {_first_line(str(problem))}")
    never = [index for index in _code_cells(run) if run.replies.get(index) != "ok"]
    return failed(never[0], "it did not run, so the page would be incomplete") if never else None


def _code_cells(run: Run) -> list[int]:
    return [i for i, cell in enumerate(run.node.cells) if cell.cell_type == "code" and cell.source.strip()]


def _error_output(run: Run) -> tuple[int, Any] | None:
    if run.node is None:
        return None
    # papermill adds two cells of its own when a cell fails; without them the positions are those of the run.
    run.node.cells = [cell for cell in run.node.cells if PAPERMILL_BANNER not in tags(cell)]
    for index, cell in enumerate(run.node.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return index, output
    return None


def _said(run: Run, index: int, output: Any) -> NotebookFailed | None:
    """The sentence of an error that salestrack raised on purpose: it needs no place and no traceback."""
    kinds = {kind.__name__: kind for kind in _kinds(SalestrackError)}
    if output.ename not in kinds:
        return None
    return NotebookFailed(
        str(output.evalue), exit_code=kinds[output.ename].exit_code, notebook=run.notebook, node=run.node
    )


def _kinds(kind: type[SalestrackError]) -> set[type[SalestrackError]]:
    return {kind}.union(*(_kinds(sub) for sub in kind.__subclasses__()))


def _words(output: Any) -> str:
    if output.ename == "SystemExit":
        return "it left the notebook with sys.exit, so the page would be incomplete"
    return f"{output.ename}: {_first_line(output.evalue)}".removesuffix(": ")


def _first_line(text: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).strip()
    return plain.partition("\n")[0]


def _too_long(seconds: int, names: Sequence[str]) -> ReportFailed:
    return ReportFailed(
        f"the run took longer than {seconds} s and was ended while {', '.join(names)} had not finished",
        exit_code=TIMED_OUT,
    )


def _log_warnings(run: Run, language: str) -> None:
    for index, cell in enumerate(run.node.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr" and INJECTED not in tags(cell):
                where = place(run.node.cells, index, language)
                logger.warning("%s, %s: %s", run.notebook.name, where, _first_line(output.text))
