"""Executed notebooks become pages: one nbconvert exporter with a template of our own, no script on any page.

Registered with nbconvert as `sales-report`, so that `jupyter nbconvert --to sales-report` and JupyterLab's
"Save and Export Notebook As" make the same page.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from nbconvert.exporters.html import HTMLExporter
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from traitlets import Bool, Unicode, default
from traitlets.config import Config

from salestrack.errors import InputError, ReportFailed
from salestrack.periods import Period
from salestrack.report.cells import (
    NOT_SHOWN,
    in_language,
    place,
    short_title,
    tags,
    title_of,
    without_silent_sections,
)
from salestrack.report.markup import finish_page
from salestrack.report.texts import LANGUAGES, TEXTS, day_name, month_name

TEMPLATES = Path(__file__).parent / "template"
IMAGES = ("image/svg+xml", "image/png", "image/jpeg")
WIDE = 6 * 72  # points
SHOWN = (*IMAGES, "text/html", "text/markdown", "text/plain")


@dataclass(frozen=True)
class Link:
    """A page of the report in the navigation."""

    title: str
    href: str
    current: bool = False


@dataclass(frozen=True)
class Frame:
    """What stands around a page's content."""

    language: str = "en"
    company: str = ""
    month: str = ""
    notebook: str = ""
    source: str = ""
    version: str = ""
    time_zone: str = ""
    draft: bool = False
    pages: Sequence[Link] = ()
    archive: str = ""

    @property
    def month_words(self) -> str:
        return month_name(self.month, self.language) if self.month else ""

    @property
    def period_words(self) -> str:
        if not self.month:
            return ""
        days = Period.month(self.month)
        first, last = day_name(days.start, self.language), day_name(days.last_day, self.language)
        return f"{first} {TEXTS[self.language]['dash']} {last}"

    @property
    def as_of_words(self) -> str:
        return day_name(Period.month(self.month).last_day, self.language) if self.month else ""

    @property
    def as_of(self) -> str:
        return str(Period.month(self.month).last_day) if self.month else ""

    def neighbour(self, step: int) -> Link | None:
        """The page before (-1) or after (+1) the current one."""
        here = next((number for number, page in enumerate(self.pages) if page.current), None)
        if here is None or not 0 <= here + step < len(self.pages):
            return None
        return self.pages[here + step]


class ReportExporter(HTMLExporter):
    """nbconvert exporter for a page of the sales report."""

    export_from_notebook = "Sales report"
    strict = Bool(False, help="Refuse a page that has an image without a description").tag(config=True)
    language = Unicode("", help="Language of the page; without it the notebook's own parameter").tag(
        config=True
    )

    @default("template_name")
    def _template_name_default(self) -> str:
        return "salestrack"

    @default("extra_template_basedirs")
    def _default_extra_template_basedirs(self) -> list[str]:
        return [str(TEMPLATES)]

    @property
    def default_config(self) -> Config:
        ours = Config({"NbConvertBase": {"display_data_priority": list(SHOWN)}})
        theirs: Config = super().default_config.copy()
        theirs.merge(ours)
        return theirs

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """Markdown to HTML; HTML inside it stays text and `javascript:` links are dropped."""
        renderer = IPythonRenderer(
            escape=True,
            allow_harmful_protocols=False,
            exclude_anchor_links=True,
            attachments=context.get("cell", {}).get("attachments", {}),
        )
        return str(MarkdownWithMath(renderer=renderer).render(source))

    def default_filters(self) -> Any:
        yield from super().default_filters()  # type: ignore[no-untyped-call]
        yield ("filter_data_type", _best)
        yield ("is_wide", is_wide)

    def from_notebook_node(  # type: ignore[override]
        self, nb: Any, resources: dict[str, Any] | None = None, **options: Any
    ) -> tuple[str, dict[str, Any]]:
        """The page of an executed notebook; `resources["frame"]` says what stands around it."""
        resources = dict(resources or {})
        frame = resources.pop("frame", None) or self._frame_of(nb, resources)
        shown, title = prepared(nb, frame, strict=self.strict)
        resources["report"] = {"frame": frame, "title": title, "t": TEXTS[frame.language]}
        # HTMLExporter's own method would parse the page once more only to add what the lab template needs.
        page, resources = TemplateExporter.from_notebook_node(self, shown, resources, **options)
        return finish_page(page, frame.notebook, strict=self.strict), resources

    def _frame_of(self, nb: Any, resources: Mapping[str, Any]) -> Frame:
        values = parameters_of(nb)
        language = self.language or str(values.get("language", "en"))
        return Frame(
            language=language if language in LANGUAGES else "en",
            month=_valid_month(values.get("month")),
            notebook=str(resources.get("metadata", {}).get("name", "")),
        )


def _valid_month(value: object) -> str:
    try:
        return str(Period.month(str(value)).label) if value else ""
    except InputError:
        return ""


def _best(data: Mapping[str, Any]) -> list[str]:
    return [kind for kind in SHOWN if kind in data][:1]


def is_wide(output: Any) -> bool:
    """Whether a figure was drawn to fill the column: an SVG of at least six inches, any bitmap."""
    svg = output["data"].get("image/svg+xml")
    width = re.search(r"<svg[^>]*?\swidth=\"([\d.]+)pt\"", svg) if svg else None
    return width is None or float(width[1]) >= WIDE


def parameters_of(node: Any) -> dict[str, object]:
    """The literal values that a notebook was run with: its parameters cell, then papermill's injected one."""
    values: dict[str, object] = {}
    for cell in node.cells:
        if cell.cell_type == "code" and tags(cell) & {"parameters", "injected-parameters"}:
            values |= _literals(cell.source)
    return values


def _literals(source: str) -> dict[str, object]:
    found: dict[str, object] = {}
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return found
    for statement in statements:
        target = (
            statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        )
        value = getattr(statement, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
            found[target.id] = value.value
    return found


def prepared(node: Any, frame: Frame, *, strict: bool) -> tuple[Any, str]:
    """A copy of the notebook with only what a reader sees, and its title, which the template writes."""
    shown = deepcopy(node)
    for index, cell in enumerate(shown.cells):
        for output in cell.get("outputs", []):
            _describe(output, shown.cells, index, frame, strict)
    shown.cells = without_silent_sections([c for c in shown.cells if _is_shown(c, frame.language)])
    title = title_of(shown, frame.language, frame.notebook or TEXTS[frame.language]["report"])
    _take_title(shown, title)
    return shown, title


def _is_shown(cell: Any, language: str) -> bool:
    return cell.cell_type != "raw" and not tags(cell) & NOT_SHOWN and in_language(cell, language)


def _take_title(node: Any, title: str) -> None:
    """Move the first level-1 heading and the text below it from the cells into the page's head."""
    first = next((cell for cell in node.cells if cell.cell_type == "markdown"), None)
    node.metadata["deck"] = ""
    if first is None or node.cells[0] is not first or not first.source.lstrip().startswith("# "):
        return
    heading, _, rest = first.source.lstrip().partition("\n")
    deck, split, below = rest.partition("\n## ")
    node.metadata["deck"] = deck.strip()
    first.source = f"## {below}" if split else ""


def _describe(output: Any, cells: Sequence[Any], index: int, frame: Frame, strict: bool) -> None:
    """Give an image output its description; a report with an undescribed image is refused."""
    best = _best(output.get("data", {}))
    if not best or best[0] not in IMAGES:
        return
    words = output.setdefault("metadata", {}).setdefault(best[0], {})
    if str(words.get("alt") or "").strip():
        return
    where = place(cells, index, frame.language)
    if strict:
        raise ReportFailed(
            f"{frame.notebook}, {where}: the figure has no description for readers who cannot see it; "
            f"show it with salestrack.show, or give alt in the output's metadata"
        )
    words["alt"] = f"{TEXTS[frame.language]['chart']}, {where}"


def make_exporter() -> ReportExporter:
    """The exporter that a run uses for all its pages: making one costs more than ten pages."""
    return ReportExporter(strict=True)  # type: ignore[no-untyped-call]


def page_names(names: Sequence[str]) -> list[str]:
    """File names of the pages: the first is `index.html`, the others are named like their notebooks.

    >>> page_names(["01_overview", "02_revenue"])
    ['index.html', '02_revenue.html']
    """
    return ["index.html" if number == 0 else f"{name}.html" for number, name in enumerate(names)]


def links(nodes: Sequence[Any], names: Sequence[str], language: str, current: int) -> list[Link]:
    """The navigation as it stands on one of the pages."""
    hrefs = page_names(names)
    return [
        Link(short_title(node, language, name), href, number == current)
        for number, (node, name, href) in enumerate(zip(nodes, names, hrefs, strict=True))
    ]
