"""A real Spark cluster on this machine: a master and two workers, each a process of its own on 127.0.0.1."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

WAIT = 180  # seconds until a daemon must have come up, or gone down
HOST = "127.0.0.1"
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # short lives on few cores: no time to optimise


class Cluster:
    """`with Cluster(folder) as cluster:` runs a master and its workers; `cluster.url` is what a session connects to.

    Every daemon leads a process group, so that ending it by its id ends the executors that it started, too.
    """

    def __init__(self, folder: Path, workers: int = 2, cores: int = 2, memory: str = "1200m") -> None:
        self.folder, self.workers, self.cores, self.memory = folder, workers, cores, memory
        self.url = ""
        self.daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Cluster:
        try:
            master = self._start("master", "master.Master", "--host", HOST, "--port", "0")
            self.url = self._line(master, r"Starting Spark master at (spark://\S+)")
            for number in range(self.workers):
                size = (
                    "--cores",
                    str(self.cores),
                    "--memory",
                    self.memory,
                    "--work-dir",
                    str(self.folder / f"work{number}"),
                )
                name = f"worker{number}"
                worker = self._start(name, "worker.Worker", "--host", HOST, "--port", "0", *size, self.url)
                self._line(worker, "(Successfully registered with master)")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the daemons, the newest first, each by its own id."""
        while self.daemons:
            _end(self.daemons.pop())

    def _start(self, name: str, daemon: str, *options: str) -> Path:
        import pyspark

        home = Path(pyspark.__file__).parent
        log = self.folder / f"{name}.log"
        own = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": HOST, "SPARK_DAEMON_MEMORY": "256m"}
        own |= {"SPARK_DAEMON_JAVA_OPTS": JAVA_OPTIONS, "SPARK_LOCAL_DIRS": str(self.folder)}
        command = ["bash", str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{daemon}"]
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*command, *options, "--webui-port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=os.environ | own,
                start_new_session=True,
            )
        self.daemons.append(process)
        return log

    def _line(self, log: Path, pattern: str) -> str:
        """What the daemon started last says of itself, as soon as it does."""
        until = time.monotonic() + WAIT
        while time.monotonic() < until:
            if found := re.search(pattern, log.read_text(errors="replace")):
                return found[1]
            if self.daemons[-1].poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"Spark's {log.stem} did not start:\n{log.read_text(errors='replace')[-2000:]}")


def java() -> str | None:
    """The Java that Spark would run on, None where there is none."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
            return
