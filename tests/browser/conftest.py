"""Fixtures for tests that look at pages with the eyes of a browser; skipped where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from browser.devtools import Browser, Page, find_browser

PACKAGES = ("axe_playwright_python", "axe_core_python")  # each brings axe.min.js; neither is imported


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests."""
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium or Chrome on this machine")
    with Browser(program, tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Callable[..., Page]:
    """`page(path, width=390)` opens a file."""
    return browser.open


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    for name in PACKAGES:
        spec = find_spec(name)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            file = Path(folder) / "axe.min.js"
            if file.is_file():
                return file.read_text(encoding="utf-8")
    pytest.skip("axe-core is not installed")
