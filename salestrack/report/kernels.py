"""The kernels of one run: private, of this very Python, alike on every machine, and never left behind."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from salestrack.report.publish import SCRATCH_PREFIX

PACKAGE_HOME = Path(__file__).resolve().parents[2]
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class RunKernels(AsyncKernelManager):
    """Manager of one kernel; `Kernels` makes a subclass of it for each run.

    nbclient creates its managers itself and passes nothing but a name, so the class holds what belongs to
    the run.
    """

    folder: ClassVar[Path]
    alive: ClassVar[set[RunKernels]]
    stopped: ClassVar[bool]
    numbers: ClassVar[count[int]]

    def __init__(self, **options: Any) -> None:
        self.number = next(self.numbers)
        # No kernel directories: "python3" is then always the Python that runs the report, whatever
        # kernels a user has registered under that name.
        specs = KernelSpecManager(kernel_dirs=[])
        connection = str(self.folder / f"k{self.number}.json")
        super().__init__(**options, kernel_spec_manager=specs, connection_file=connection)
        if os.name == "posix":
            # Sockets in a private folder instead of TCP ports: no listener that another user could reach and
            # no race for a free port. Their path derives from the connection file: absolute and short.
            self.transport = "ipc"

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
        if self.stopped:
            raise RuntimeError("the run was stopped")
        options["env"] = kernel_environment(self.folder / f"home{self.number}")
        await super().start_kernel(**options)
        self.alive.add(self)
        if self.stopped:  # while it was starting
            self.kill()

    async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
        self.alive.discard(self)
        await super().cleanup_resources(restart=restart)

    def kill(self) -> None:
        """End the kernel and the processes that it started, at once."""
        process = getattr(self.provisioner, "process", None)
        group = getattr(self.provisioner, "pgid", None)
        try:
            if group and hasattr(os, "killpg"):
                os.killpg(group, signal.SIGKILL)
            elif process is not None:
                process.kill()
        except OSError:
            pass  # it has ended by itself


class Kernels:
    """The kernels of one run and the folder that holds their sockets."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX))
        self.manager: type[RunKernels] = type(
            "KernelsOfThisRun",
            (RunKernels,),
            {"folder": self.folder, "alive": set(), "stopped": False, "numbers": count(1)},
        )

    def stop(self) -> None:
        """Kill what runs and let nothing start any more."""
        self.manager.stopped = True
        for kernel in list(self.manager.alive):
            kernel.kill()


def kernel_environment(home: Path) -> dict[str, str]:
    """The environment of a kernel: that of the run, less what would make pages differ between machines.

    The user's own IPython start-up files, time zone, locale and plotting backend stay outside; one thread per
    kernel because two kernels share the machine; `salestrack` can be imported without being installed.
    """
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "PYTHONSTARTUP")
    }
    path = [str(PACKAGE_HOME), environment.get("PYTHONPATH", "")]
    environment |= dict.fromkeys(ONE_THREAD, "1")
    environment |= {
        "IPYTHONDIR": str(home),
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(part for part in path if part),
        "PYTHONUTF8": "1",
        "SOURCE_DATE_EPOCH": "0",
        "TZ": "UTC",
    }
    if "MPLCONFIGDIR" not in environment and not _home_is_writable():
        environment["MPLCONFIGDIR"] = str(
            home
        )  # else matplotlib warns and rebuilds its font list in every cell
    if sys.platform == "win32":
        del environment["LC_ALL"]
    return environment


def _home_is_writable() -> bool:
    try:
        return os.access(Path.home(), os.W_OK)
    except RuntimeError:  # no home folder can be found
        return False
