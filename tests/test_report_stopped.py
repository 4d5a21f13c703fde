"""Runs of the report that fail, take too long, meet another run or are killed: nothing is published."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from report_fixtures import (
    FIGURE,
    MONTH,
    code,
    litter,
    make,
    notebook,
    published,
    save,
    text,
)

from salestrack.errors import SalestrackError
from salestrack.report.publish import Shelf

REPOSITORY = Path(__file__).resolve().parents[1]


# Failure: nothing is published, the earlier report stays as it is, byte for byte

KILL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
NO_MONTH = "from salestrack.errors import MissingData\nraise MissingData('Muster has no data for 2026-10')"


@pytest.mark.parametrize(
    ("cells", "message", "exit_code"),
    [
        pytest.param(
            [code("1 / 0")], "cell 2 'Second': ZeroDivisionError: division by zero", 70, id="a cell fails"
        ),
        pytest.param(
            [code(NO_MONTH)], "Muster has no data for 2026-10", 66, id="a deliberate error is one sentence"
        ),
        pytest.param(
            [code("import sys\nsys.exit(0)"), code("1")], "cell 2 'Second': it left the", 70, id="sys.exit(0)"
        ),
        pytest.param(
            [code("import sys\nsys.exit(0)")], "cell 2 'Second': it left the", 70, id="sys.exit(0) at the end"
        ),
        pytest.param(
            [code("import os\nos._exit(0)")], "cell 2 'Second': the notebook's process", 70, id="os._exit(0)"
        ),
        pytest.param(
            [code("1"), code(KILL)], "cell 3 'Second': the notebook's process", 70, id="the kernel is killed"
        ),
        pytest.param([code("%nosuchmagic")], "cell 2 'Second':", 70, id="an unknown magic command"),
        pytest.param([code("def broken(:")], "cell 2 'Second': SyntaxError", 70, id="code that is none"),
        pytest.param(
            [code("input()")], "cell 2 'Second': StdinNotImplementedError", 70, id="a cell asks a question"
        ),
        pytest.param(
            [code(FIGURE.replace("One bar", " "))],
            "cell 2 'Second': the figure has no description",
            70,
            id="no alt text",
        ),
        pytest.param(
            [code("1", "raises-exception")], "tagged 'raises-exception'", 64, id="a tag that hides errors"
        ),
        pytest.param(
            [code("1", "skip-execution")], "tagged 'skip-execution'", 64, id="a tag that skips a cell"
        ),
    ],
)
def test_a_failure_publishes_nothing(folder: Path, cells: list[object], message: str, exit_code: int) -> None:
    save(folder / "failing", n01_bad=notebook(text("# First\n\n## Second"), *cells))
    before = published(folder / "reports")
    with pytest.raises(SalestrackError) as caught:
        make(folder, notebooks=folder / "failing")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == exit_code
    assert published(folder / "reports") == before
    assert litter(folder / "reports") == []


def test_a_cell_that_never_ran_is_a_failure_whatever_papermill_says(folder: Path) -> None:
    from salestrack.report.execute import Run, failure_of
    from salestrack.report.notebooks import read_notebook

    save(
        folder / "cut", n01_cut=notebook(text("# First"), code("1"), text("## Second"), code("2"), code(" "))
    )
    read = read_notebook(folder / "cut" / "01_cut.ipynb")
    whole = Run(read, node=read.node, replies={1: "ok", 2: "ok", 4: "ok"})
    assert failure_of(whole, None, 600, "en") is None
    cut = Run(read, node=read.node, replies={1: "ok", 2: "ok"})
    assert "01_cut, cell 3 'Second': it did not run" in str(failure_of(cut, None, 600, "en"))


def test_a_failed_notebook_is_kept_until_the_month_succeeds(folder: Path) -> None:
    save(folder / "failing", n01_bad=notebook(text("# First"), code("print('so far')\n1 / 0"), code("2")))
    with pytest.raises(SalestrackError):
        make(folder, notebooks=folder / "failing")
    kept = folder / "reports" / "failed" / MONTH / "01_bad.ipynb"
    assert "so far" in kept.read_text(encoding="utf-8")
    make(folder, only=["01"])
    assert not (folder / "reports" / "failed").exists()


def test_a_failure_ends_the_other_notebooks(folder: Path) -> None:
    slow = notebook(text("# Slow"), code("import time\ntime.sleep(60)"))
    save(folder / "failing", n01_slow=slow, n02_bad=notebook(text("# Bad"), code("1 / 0")))
    started = time.monotonic()
    with pytest.raises(SalestrackError, match="02_bad, cell 2 'Bad': ZeroDivisionError"):
        make(folder, notebooks=folder / "failing")
    assert time.monotonic() - started < 20


def test_a_cell_has_a_limit_even_when_it_ignores_interrupts(folder: Path) -> None:
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    save(folder / "failing", n01_deaf=notebook(text("# Deaf"), code(deaf)))
    with pytest.raises(SalestrackError, match="01_deaf, cell 2 'Deaf': it took longer than 1 s") as caught:
        make(folder, notebooks=folder / "failing", cell_seconds=1)
    assert caught.value.exit_code == 124


def test_the_whole_run_has_a_limit(folder: Path) -> None:
    save(folder / "failing", n01_slow=notebook(text("# Slow"), code("import time\ntime.sleep(60)")))
    with pytest.raises(SalestrackError, match="longer than 1 s and was ended while 01_slow") as caught:
        make(folder, notebooks=folder / "failing", run_seconds=1)
    assert caught.value.exit_code == 124


# Two runs, killed runs


def test_a_second_run_is_refused_and_told_who_is_at_work(folder: Path) -> None:
    shelf = Shelf(folder / "reports")
    with shelf.locked():
        shelf.note(folder)
        with pytest.raises(SalestrackError, match=rf"run {os.getpid()} \(since 20\d\d-") as caught:
            make(folder)
    assert caught.value.exit_code == 75


RUNNER = """
import sys
from pathlib import Path
import pytest
from report_fixtures import without_import
from salestrack.report import run_report
without_import(pytest.MonkeyPatch())
folder = Path(sys.argv[1])
run_report(folder / "data", month="2026-10", out=folder / "reports", notebooks=folder / "slow")
"""
PID = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(60)"


@pytest.mark.parametrize(
    ("sent", "code_of_exit"),
    [
        pytest.param(signal.SIGTERM, 143, id="asked to end"),
        pytest.param(signal.SIGINT, None, id="Ctrl-C"),
        pytest.param(signal.SIGKILL, -9, id="killed"),
    ],
)
def test_a_stopped_run_leaves_the_old_report_and_nothing_else(
    folder: Path, sent: int, code_of_exit: int | None
) -> None:
    save(folder / "slow", n01_slow=notebook(text("# Slow"), code(PID)))
    before = published(folder / "reports")
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])
    started = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
    )
    try:
        kernel = _wait_for(folder / "slow" / "pid", started)
        started.send_signal(sent)
        started.communicate(timeout=20)
        assert code_of_exit in (None, started.returncode)
        assert started.returncode != 0
        _wait_until_gone(kernel)
    finally:
        started.kill()
        started.wait()
    assert published(folder / "reports") == before
    scratch = json.loads((folder / "reports" / ".lock").read_text() or "{}").get("scratch")
    if sent == signal.SIGKILL:
        assert litter(folder / "reports") == [f".stage-{MONTH}"]
        make(folder, only=["01"])  # the next run repairs
        assert not Path(scratch).exists()
    assert litter(folder / "reports") == []


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(300):
        if path.exists() and path.read_text():
            return int(path.read_text())
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.1)
    raise AssertionError("the notebook did not start")


def _wait_until_gone(pid: int) -> None:
    for _ in range(80):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    raise AssertionError("the kernel outlived the run")
