"""A headless Chromium, driven over a pipe by the DevTools protocol: no driver, no port, no dependency."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe",
)  # fmt: skip


def find_browser() -> str | None:
    """The program of a Chromium or Chrome on this machine."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def _wiring(commands: int, answers: int) -> list[Any]:
    """Chromium reads commands from descriptor 3 and answers on 4, each ended by a zero byte."""
    from_high = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in (commands, answers)]
    silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    return [*silent, *((os.POSIX_SPAWN_DUP2, one, at) for one, at in zip(from_high, (3, 4), strict=True))]


class Browser:
    """One browser process; `open` gives a page of it."""

    def __init__(self, program: str, profile: Path) -> None:
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        flags = [*FLAGS, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.getuid() == 0 else [])]
        self._pid = os.posix_spawn(
            program, [program, *flags], os.environ, file_actions=_wiring(commands, answers)
        )
        os.close(commands)
        os.close(answers)
        self._numbers, self._buffer, self.events = itertools.count(1), b"", []

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._out)
        os.close(self._in)

    def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Give a command and wait for its answer; what happens meanwhile is kept in `events`."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params} | (
            {"sessionId": session} if session else {}
        )
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive(30)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])
            self.events.append(answer)

    def receive(self, seconds: float) -> dict[str, Any]:
        """The next message."""
        until = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            if not select.select([self._in], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError("the browser did not answer")
            part = os.read(self._in, 1 << 20)
            if not part:
                raise RuntimeError("the browser ended")
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def open(self, path: Path, *, width: int = 1280, height: int = 900) -> Page:
        """A page with the file loaded and everything that it wanted to run or fetch recorded."""
        return Page(self, path, width, height)


class Page:
    """A loaded page: what it requested, what it said on the console, and a way to ask it things."""

    def __init__(self, browser: Browser, path: Path, width: int, height: int) -> None:
        self._browser = browser
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        browser.events.clear()
        self.send("Page.navigate", url=path.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in browser.events):
            browser.events.append(browser.receive(30))

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """A command for this page."""
        return self._browser.send(method, self._session, **params)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, run by the test: the page's policy does not apply to it."""
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(
                answer["exceptionDetails"].get("exception", {}).get("description", "error in the page")
            )
        return answer["result"].get("value")

    def _events(self, method: str) -> list[dict[str, Any]]:
        self.evaluate(
            "new Promise(done => setTimeout(done, 50))"
        )  # what has just happened has been reported then
        mine = [
            e for e in self._browser.events if e.get("sessionId") == self._session and e["method"] == method
        ]
        return [event["params"] for event in mine]

    @property
    def requests(self) -> list[str]:
        """Addresses that were fetched; not data addresses, and not what the policy stopped."""
        asked = {
            event["requestId"]: event["request"]["url"] for event in self._events("Network.requestWillBeSent")
        }
        stopped = {
            e["requestId"] for e in self._events("Network.loadingFailed") if e.get("blockedReason") == "csp"
        }
        return [url for key, url in asked.items() if key not in stopped and not url.startswith("data:")]

    @property
    def console(self) -> list[str]:
        """What stands on the console: errors, warnings and whatever scripts printed."""
        said = [str(event["args"]) for event in self._events("Runtime.consoleAPICalled")]
        thrown = [event["exceptionDetails"]["text"] for event in self._events("Runtime.exceptionThrown")]
        return said + thrown + [event["entry"]["text"] for event in self._events("Log.entryAdded")]

    def violations(self, axe: str) -> list[str]:
        """The rules of axe-core that the page breaks, with the elements that break them."""
        self.evaluate(axe + ";0")
        found = self.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
        return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found]

    def screenshot(self) -> bytes:
        """The whole page as a PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def pdf(self) -> bytes:
        """The page as it prints, on the paper that its style sheet asks for."""
        return base64.b64decode(
            self.send("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"]
        )
