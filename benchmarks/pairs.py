"""Two commands in turn, A B A B …: time and peak memory of each as ratios, so that a slow moment of the machine hits both."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """One finished process with its children: seconds by the clock, CPU seconds, peak memory of the largest process in MB."""

    wall: float
    cpu: float
    memory: float


def run(command: Sequence[str]) -> Run:
    """Runs a command to its end; a failing one stops the benchmark with what it said."""
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{said.read().decode(errors='replace')[-3000:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compare(
    ours: Sequence[str], rival: Sequence[str], *, rounds: int = 3, before: Callable[[], None] = lambda: None
) -> tuple[list[Run], list[Run]]:
    """`rounds` interleaved pairs; `before` is called before each run (to empty what the last one left)."""
    first: list[Run] = []
    second: list[Run] = []
    for _ in range(rounds):
        before()
        first.append(run(ours))
        before()
        second.append(run(rival))
    return first, second


def report(title: str, ours: list[Run], rival: list[Run]) -> str:
    """The ratios ours / rival, pair by pair: median (least to most), with the medians they come from."""
    lines = [title]
    for figure, unit in (("wall", "s"), ("cpu", "s"), ("memory", "MB")):
        a, b = ([getattr(r, figure) for r in runs] for runs in (ours, rival))
        ratios = [x / y for x, y in zip(a, b, strict=True)]
        lines.append(
            f"  {figure:6} {statistics.median(ratios):5.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            f"   {statistics.median(a):8.1f} {unit} against {statistics.median(b):8.1f} {unit}, {len(a)} pairs"
        )
    return "\n".join(lines)
