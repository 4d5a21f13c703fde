"""What the cells of a notebook say about themselves: tags, language, number and heading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from salestrack.report.texts import LANGUAGES

INJECTED = "injected-parameters"
PAPERMILL_BANNER = "papermill-error-cell-tag"
NOT_SHOWN = frozenset({"parameters", INJECTED, "setup", "hide", PAPERMILL_BANNER})


def tags(cell: Any) -> set[str]:
    """The tags of a cell."""
    return set(cell.metadata.get("tags", []))


def in_language(cell: Any, language: str) -> bool:
    """Whether a cell is for readers of this language: cells tagged with another language are not.

    >>> from nbformat.v4 import new_markdown_cell
    >>> in_language(new_markdown_cell("Hallo", metadata={"tags": ["de"]}), "en")
    False
    """
    tagged = tags(cell) & set(LANGUAGES)
    return not tagged or language in tagged


def headings(source: str) -> list[tuple[int, str]]:
    """The headings of a Markdown text as level and words; lines of code blocks are none.

    >>> headings("# Pipeline\\n\\n```\\n# a comment\\n```\\n## What is *open*")
    [(1, 'Pipeline'), (2, 'What is open')]
    """
    found, fence = [], ""
    for line in source.splitlines():
        marker = re.match(r" {0,3}(```+|~~~+)", line)
        if marker and (not fence or marker[1].startswith(fence)):
            fence = "" if fence else marker[1]
        elif not fence and (heading := re.match(r" {0,3}(#{1,6})\s+(.+?)\s*#*\s*$", line)):
            found.append((len(heading[1]), re.sub(r"[*_`]", "", heading[2])))
    return found


def place(cells: Sequence[Any], index: int, language: str) -> str:
    """Where a code cell stands, as an analyst sees it: `cell 7 'Win probability'`.

    The number is that of JupyterLab after "Restart and run all"; the heading is the last one above the cell.
    """
    above = [cell for cell in cells[: index + 1] if cell.cell_type == "code" and cell.source.strip()]
    number = sum(INJECTED not in tags(cell) for cell in above)
    titles = [
        words
        for cell in cells[:index]
        if cell.cell_type == "markdown" and in_language(cell, language)
        for _, words in headings(cell.source)
    ]
    return f"cell {number} '{titles[-1]}'" if titles else f"cell {number}"


def title_of(node: Any, language: str, fallback: str) -> str:
    """The notebook's first heading in a language.

    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> title_of(new_notebook(cells=[new_markdown_cell("# Umsatz", metadata={"tags": ["de"]})]), "de", "x")
    'Umsatz'
    """
    for cell in node.cells:
        if cell.cell_type == "markdown" and in_language(cell, language):
            for _, words in headings(cell.source):
                return words
    return fallback


def short_title(node: Any, language: str, fallback: str) -> str:
    """The title for the navigation: from the notebook's metadata, else its first heading."""
    titles = node.metadata.get("salestrack", {}).get("title", {})
    return str(titles.get(language) or title_of(node, language, fallback))


def without_silent_sections(cells: Sequence[Any]) -> list[Any]:
    """The cells without sections (from a `##` heading to the next) whose code says nothing at all.

    >>> from nbformat.v4 import new_code_cell, new_markdown_cell
    >>> [c.source for c in without_silent_sections([new_markdown_cell("# T"), new_markdown_cell("## A"), new_code_cell("a")])]
    ['# T']
    """
    sections: list[list[Any]] = [[]]
    for cell in cells:
        if cell.cell_type == "markdown" and any(level <= 2 for level, _ in headings(cell.source)):
            sections.append([])
        sections[-1].append(cell)
    return [cell for section in sections if not _is_silent(section) for cell in section]


def _is_silent(section: Sequence[Any]) -> bool:
    code = [cell for cell in section if cell.cell_type == "code"]
    return bool(code) and not any(_says(output) for cell in code for output in cell.get("outputs", []))


def _says(output: Any) -> bool:
    data = output.get("data")
    if data is None:
        return bool(output.output_type != "stream" or output.name == "stdout")
    return any("".join(text).strip() if isinstance(text, (str, list)) else text for text in data.values())
