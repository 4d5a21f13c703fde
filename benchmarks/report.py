"""`salestrack report` against what tutorials show: papermill, then nbconvert, one command after the other.

    python benchmarks/report.py [--rounds 3] [--data data/demo] [--month 2026-10]

Both ways make the same notebooks on the same data; the data are imported before, so neither pays for that.
The rounds take turns, because a machine is not always equally fast. Prints seconds of wall and processor
time (medians) and the ratio; nothing of the repository is changed.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
Seconds = tuple[float, float]


def run(*command: object) -> None:
    """Run a command of this Python's environment in the repository; its output only matters when it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [str(part) for part in command], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")


def ours(data: Path, month: str, out: Path) -> None:
    """One command, two kernels at a time, one exporter."""
    run(sys.executable, "-m", "salestrack", "report", "--data", data, "--month", month, "--out", out)


def theirs(data: Path, month: str, out: Path) -> None:
    """Two commands for each notebook, one after the other."""
    notebooks = REPOSITORY / "notebooks"
    for notebook in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        made = out / notebook.name
        given = ["-p", "month", month, "-p", "data", data.resolve(), "-p", "language", "en"]
        run("papermill", notebook, made, *given, "--cwd", notebooks, "--no-progress-bar")
        run("jupyter", "nbconvert", "--to", "html", made)


def timed(way: Callable[[Path, str, Path], None], data: Path, month: str) -> Seconds:
    """Wall and processor seconds of one way, children included."""
    with tempfile.TemporaryDirectory() as folder:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        way(data, month, Path(folder))
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=REPOSITORY / "data" / "demo")
    parser.add_argument("--month", default="2026-10")
    asked = parser.parse_args()
    run(sys.executable, "-m", "salestrack", "import", "--data", asked.data)
    found: dict[str, list[Seconds]] = {"salestrack report": [], "papermill + nbconvert": []}
    for number in range(asked.rounds):
        for name, way in zip(found, (ours, theirs), strict=True):
            found[name].append(timed(way, asked.data, asked.month))
            print(f"round {number + 1}  {name:<22} {found[name][-1][0]:7.1f} s", file=sys.stderr, flush=True)
    report(found)


def report(found: dict[str, list[Seconds]]) -> None:
    """The table and the ratios."""
    medians = {
        name: [statistics.median(part) for part in zip(*times, strict=True)] for name, times in found.items()
    }
    print(f"{'':<22} {'wall s':>8} {'CPU s':>8}")
    for name, (wall, cpu) in medians.items():
        print(f"{name:<22} {wall:8.1f} {cpu:8.1f}")
    (wall, cpu), (their_wall, their_cpu) = medians.values()
    print(f"{'ratio':<22} {wall / their_wall:8.2f} {cpu / their_cpu:8.2f}")


if __name__ == "__main__":
    main()
