"""Progress of a run on stderr: one line per notebook, and a live line where a person watches."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TextIO


@dataclass(frozen=True)
class Step:
    """Something happened: a notebook started a cell, ended or failed, or the run entered a phase."""

    name: str
    state: Literal["phase", "running", "done", "failed"]
    cell: int = 0
    cells: int = 0
    seconds: float = 0.0


Progress = Callable[[Step], None]


class Lines:
    """Prints steps: plain lines for a log, on a terminal also one live line that is drawn over.

    >>> import sys
    >>> show = Lines(sys.stdout, live=False)
    >>> show(Step("03_pipeline", "running", 4, 12))
    >>> show(Step("03_pipeline", "done", 12, 12, 4.25))
    ok       4.2 s  03_pipeline
    """

    def __init__(self, stream: TextIO | None = None, *, live: bool | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty() if live is None else live
        self.running: dict[str, Step] = {}

    def __call__(self, step: Step) -> None:
        self.running.pop(step.name, None)
        if step.state == "running":
            self.running[step.name] = step
        else:
            self._line(_text(step))
        self._redraw()

    def _line(self, text: str) -> None:
        self._wipe()
        print(text, file=self.stream, flush=True)

    def _redraw(self) -> None:
        if not self.live:
            return
        self._wipe()
        if self.running:
            text = "  ".join(f"{step.name} {step.cell}/{step.cells}" for step in self.running.values())
            width = shutil.get_terminal_size().columns - 1
            self.stream.write(f"...      {text}"[:width])
        self.stream.flush()

    def _wipe(self) -> None:
        if self.live:
            self.stream.write("\r\x1b[K")


def _text(step: Step) -> str:
    if step.state == "phase":
        return step.name
    word = "ok" if step.state == "done" else "FAILED"
    return f"{word:<6} {step.seconds:>5.1f} s  {step.name}"
