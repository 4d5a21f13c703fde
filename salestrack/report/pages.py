"""From executed notebooks to the files of a report: a page and a clean notebook for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat

from salestrack.report.cells import INJECTED, tags
from salestrack.report.company import Source
from salestrack.report.publish import write_file
from salestrack.report.record import page_entry, versions
from salestrack.report.redact import redacted, secrets
from salestrack.report.render import Frame, links, make_exporter, page_names


def frame_of(source: Source, language: str, draft: bool) -> Frame:
    """What stands around all pages of a report."""
    return Frame(
        language=language,
        company=source.name,
        month=source.month,
        time_zone=source.time_zone,
        source=source.fingerprint[:12],
        version=versions()["salestrack"],
        draft=draft,
        archive="../../index.html" if draft else "../index.html",
    )


def write_pages(stage: Path, executed: Sequence[tuple[str, Any]], frame: Frame) -> list[dict[str, str]]:
    """Write a page and the notebook itself for each executed notebook; returns the pages' records."""
    names = [name for name, _ in executed]
    nodes = [clean_node(node) for _, node in executed]
    exporter, entries = make_exporter(), []
    (stage / "notebooks").mkdir()
    for number, (name, node, file) in enumerate(zip(names, nodes, page_names(names), strict=True)):
        navigation = links(nodes, names, frame.language, number)
        framed = replace(frame, notebook=name, pages=navigation)
        page, _ = exporter.from_notebook_node(node, {"frame": framed})
        write_file(stage / file, page)
        write_file(stage / "notebooks" / f"{name}.ipynb", notebook_text(node))
        entries.append(page_entry(file, navigation[number].title, name, page))
    return entries


def clean_node(node: Any) -> Any:
    """An executed notebook without papermill's notes, the random id of its cell and any secret."""
    text = redacted(nbformat.writes(node), secrets())  # type: ignore[no-untyped-call]
    node = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    node.metadata.pop("papermill", None)
    for cell in node.cells:
        cell.metadata.pop("papermill", None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        if INJECTED in tags(cell):
            cell["id"] = INJECTED
    return node


def notebook_text(node: Any) -> str:
    """A notebook as the text of a file."""
    return str(nbformat.writes(clean_node(node))) + "\n"  # type: ignore[no-untyped-call]
