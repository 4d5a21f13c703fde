"""HTML that is safe by construction: all text passes through markupsafe, no script, no outside address."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd
from markupsafe import Markup, escape

from salestrack.errors import InputError
from salestrack.i18n import Words, is_unknown, printable, unit_for

# Zero specificity: JupyterLab gets a decent look, the report's style sheet overrides every line.
STYLES = {
    "cards": """
:where(.cards){display:grid;grid-template-columns:repeat(auto-fit,minmax(12.5rem,1fr));gap:1px;
background:#e3e7eb;border:1px solid #e3e7eb;font-family:system-ui,sans-serif;color:#1b2733}
:where(.card){background:#fff;padding:.8rem 1rem;display:flex;flex-direction:column;gap:.15rem}
:where(.card p){margin:0;line-height:1.35}
:where(.card-label){font-size:.85rem;color:#56636f}
:where(.card-value){font-size:1.75rem;font-weight:700;font-variant-numeric:tabular-nums}
:where(.card-delta){font-size:.85rem;color:#56636f}
:where(.card-delta.good){color:#0072b2}
:where(.card-delta.bad){color:#b34700}
:where(.card-note){font-size:.75rem;color:#56636f}
:where(.card svg){display:block;margin:.3rem 0}""",
    "table": """
:where(.table-wrap){overflow-x:auto;font-family:system-ui,sans-serif;color:#1b2733}
:where(table.kpi){width:100%;border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
:where(table.kpi caption){caption-side:top;text-align:left;font-weight:700;padding:.3rem 0}
:where(table.kpi th,table.kpi td){padding:.4rem .8rem;border-bottom:1px solid #e3e7eb;font-weight:400}
:where(table.kpi thead th){border-bottom:2px solid #1b2733;color:#56636f;vertical-align:bottom}
:where(table.kpi svg){display:block;margin:0;width:6rem;height:auto}
:where(table.kpi .gt_left){text-align:left}
:where(table.kpi .gt_right){text-align:right}
:where(table.kpi td.gt_right){white-space:nowrap}
:where(.table-note){font-size:.8rem;color:#56636f;margin:.3rem 0}""",
    "measures": """
:where(.measures){padding-left:1.4rem;font-family:system-ui,sans-serif;color:#1b2733}
:where(.measures>li){margin:0 0 .9rem}
:where(.measures p){margin:0}
:where(.measures dl){display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:.25rem 0 0;
font-size:.85rem}
:where(.measures dt){color:#56636f}
:where(.measures dd){margin:0}""",
    "definitions": """
:where(.definitions){font-family:system-ui,sans-serif;color:#1b2733;font-size:.9rem}
:where(.definitions>dt){font-weight:700;margin-top:.7rem}
:where(.definitions>dd){margin:0}
:where(.definition-facts){color:#56636f;font-size:.85rem}""",
}

Bundle: TypeAlias = tuple[dict[str, str], dict[str, Any]]
Kpi: TypeAlias = str | Callable[..., pd.DataFrame]
Table: TypeAlias = pd.DataFrame | None


@dataclass(frozen=True)
class Html:
    """A piece of a page: HTML for JupyterLab and the report, plain text for everything else."""

    html: str
    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return {"text/html": self.html, "text/plain": self.text}, {}

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        """False where there is nothing to show: `page.needs("deals") or page.table(…)` shows one of both."""
        return bool(self.html)


Text: TypeAlias = str | Mapping[str, str] | Html | None


def name_of(kpi: Kpi) -> str:
    """The column of a KPI given by name or as its function."""
    return kpi if isinstance(kpi, str) else kpi.__name__


def pick(words: Words, text: Text) -> str:
    """A text given as it is, as `{"en": …, "de": …}` or as a finding."""
    if text is None:
        return ""
    if isinstance(text, Mapping):
        if words.language not in text:
            raise InputError.unknown_name("language", words.language, text)
        return text[words.language]
    return text.text if isinstance(text, Html) else text


def as_float(values: pd.Series) -> pd.Series:
    """Numbers for drawing: unknown is NaN."""
    return values.map(lambda v: math.nan if is_unknown(v) else float(v)).astype(float)


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """An element with escaped children and attributes; `class_` is `class`, None leaves an attribute out.

    >>> str(element("p", "1 < 2", class_="note", title=None))
    '<p class="note">1 &lt; 2</p>'
    """
    given = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), printable(value))
        for name, value in attributes.items()
        if value is not None
    )
    body = Markup("").join(
        child if isinstance(child, Markup) else escape(printable(child)) for child in children
    )
    return Markup("<{tag}{given}>{body}</{tag}>").format(tag=Markup(tag), given=given, body=body)


def styled(kind: str, body: Markup) -> str:
    """A block with the look that it has outside the report."""
    return f"<style>{STYLES[kind]}\n</style>\n{body}"


def paragraph(text: str, kind: str = "finding") -> Html:
    """One sentence as a paragraph of a class."""
    return Html(str(element("p", text, class_=kind)), text)


def empty(words: Words, title: str) -> Html:
    """The sentence that stands where a chart or table would be, when there is nothing to show."""
    return paragraph(words.text("no_data_titled", title=title) if title else words.text("no_data"), "no-data")


def data_table(
    words: Words,
    table: pd.DataFrame,
    caption: str,
    columns: Sequence[str],
    units: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> str:
    """The data of a chart as an accessible table: caption, column heads, the first column as row heads."""
    units = {name: unit_for(name, table[name], units) for name in columns}
    labels = {name: (labels or {}).get(name) or words.label(name) for name in columns}
    head = element("tr", *(element("th", labels[name], scope="col") for name in columns))
    rows = [
        _row(words, columns, units, record)
        for record in table[list(columns)].itertuples(index=False, name=None)
    ]
    return str(
        element(
            "table",
            element("caption", caption),
            element("thead", head),
            element("tbody", *rows),
            class_="chart-data",
        )
    )


def _row(words: Words, columns: Sequence[str], units: Mapping[str, str], record: Sequence[object]) -> Markup:
    cells = [words.cell(name, value, units[name]) for name, value in zip(columns, record, strict=True)]
    first = element("th", cells[0], scope="row")
    return element("tr", first, *(element("td", cell) for cell in cells[1:]))
