"""Pages in a real browser: nothing runs or is fetched, no rule of accessibility is broken, they print."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser.devtools import Page
from nbformat.v4 import new_notebook, new_output
from report_fixtures import MONTH, SVG, TABLE, code, text

from salestrack.report.archive import archive_page
from salestrack.report.render import Frame, Link, make_exporter

pytestmark = pytest.mark.browser

EVIL = "<script>window.ran = 1; console.log('ran')</script><img src=x onerror='window.ran = 1'>"
CARDS = (
    '<div class="cards"><div class="card"><p class="card-label">Bookings</p><p class="card-value">€3.5m</p>'
    '<p class="card-delta good">▲ 42 % above last year</p><p class="card-note">plan €3.2m</p></div>'
    '<div class="card"><p class="card-label">Win rate</p><p class="card-value">27 %</p>'
    '<p class="card-delta bad">▼ 2 points</p></div></div><p class="finding good">Bookings rose.</p>'
    '<ol class="measures"><li><strong>Call back</strong><small>Rule: no next step.</small></li></ol>'
)
WIDE = "<table class='kpi'><thead><tr>" + "<th>A long column head</th>" * 12 + "</tr></thead></table>"
FRAMES = {
    language: Frame(
        language=language,
        company=f"Muster {EVIL}",
        month=MONTH,
        notebook="01_overview",
        source="0123456789ab",
        version="0.1.0",
        time_zone="Europe/Berlin",
        archive="../index.html",
        pages=[Link(f"Page {n} {EVIL if n == 3 else ''}", f"{n}.html", n == 1) for n in range(1, 9)],
    )
    for language in ("en", "de")
}


@pytest.fixture(scope="module", params=["en", "de"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything that pages have, and with script wherever text can come from data."""
    shown = code("x")
    svg = SVG.replace("42", EVIL)
    words = {"alt": f"One bar {EVIL}", "caption": f"Source {EVIL}", "table_html": TABLE}
    shown.outputs = [
        new_output("display_data", {"text/html": CARDS}),
        new_output("display_data", {"image/svg+xml": svg}, metadata={"image/svg+xml": words}),
        new_output("display_data", {"text/html": f"<p>{EVIL}</p>{WIDE}"}),
        new_output("display_data", {"text/markdown": f"{EVIL} [a](javascript:window.ran=1)"}),
        new_output("display_data", {"text/plain": EVIL}),
    ]
    cells = [
        text(f"# Title {EVIL}\n\nDeck {EVIL}"),
        text(f"## One {EVIL}"),
        shown,
        text("## Two\n\n`code` and *more*"),
    ]
    page, _ = make_exporter().from_notebook_node(new_notebook(cells=cells), {"frame": FRAMES[request.param]})
    path = tmp_path_factory.mktemp("pages") / f"{request.param}.html"
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "index.html"
    months = [
        {"month": "2026-10", "pages": [{"title": f"Overview {EVIL}"}]},
        {"month": "2026-09", "pages": []},
    ]
    path.write_text(archive_page(months, f"Muster {EVIL}", "en"), encoding="utf-8")
    return path


def test_text_from_data_runs_nothing_and_fetches_nothing(page: Callable[..., Page], file: Path) -> None:
    opened = page(file)
    assert opened.evaluate("typeof window.ran") == "undefined"
    assert opened.console == []
    assert opened.requests == [file.as_uri()]


def test_the_policy_holds_even_where_script_got_onto_the_page(page: Callable[..., Page], file: Path) -> None:
    poisoned = file.with_name("poisoned.html")
    poisoned.write_text(
        file.read_text(encoding="utf-8").replace("</main>", f"{EVIL}</main>"), encoding="utf-8"
    )
    opened = page(poisoned)
    assert opened.evaluate("typeof window.ran") == "undefined"
    assert "Content Security Policy" in " ".join(opened.console)
    assert opened.requests == [poisoned.as_uri()]


@pytest.mark.parametrize("width", [1280, 390])
def test_no_rule_of_accessibility_is_broken(
    page: Callable[..., Page], axe: str, file: Path, width: int
) -> None:
    assert page(file, width=width).violations(axe) == []


def test_the_archive_is_as_clean(page: Callable[..., Page], axe: str, archive: Path) -> None:
    opened = page(archive)
    assert opened.violations(axe) == []
    assert (opened.console, opened.requests) == ([], [archive.as_uri()])


def test_axe_would_find_something(page: Callable[..., Page], axe: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<!DOCTYPE html><title>x</title><img src='data:,'>", encoding="utf-8")
    assert any(found.startswith("image-alt") for found in page(bad).violations(axe))


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
def test_the_page_never_scrolls_sideways(page: Callable[..., Page], file: Path, width: int) -> None:
    opened = page(file, width=width)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_reaches_the_content_first(page: Callable[..., Page], file: Path) -> None:
    opened = page(file)
    opened.send("Input.dispatchKeyEvent", type="rawKeyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert opened.evaluate("document.activeElement.getAttribute('href')") == "#content"


def test_it_prints_on_a4_without_navigation(page: Callable[..., Page], file: Path) -> None:
    opened = page(file)
    opened.send("Emulation.setEmulatedMedia", media="print")
    shown = "['nav.pages', '.skip', 'details'].map(s => getComputedStyle(document.querySelector(s)).display)"
    assert opened.evaluate(shown) == ["none", "none", "none"]
    pdf = opened.pdf()
    assert re.search(rb"/MediaBox \[0 0 59[45]\.\d+ 84[12]\.\d+\]", pdf)
    assert len(re.findall(rb"/Type /Page\b", pdf)) <= 2
