"""What a report can be traced by: manifest.json (the same for the same inputs) and run.json (this run)."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from salestrack.report.company import Source, file_hash

PACKAGES = (
    "babel", "duckdb", "great-tables", "ipykernel", "matplotlib", "narwhals", "nbconvert", "numpy", "pandas",
    "papermill", "salestrack", "scikit-learn", "scipy", "seaborn",
)  # fmt: skip
CHECKS = (
    "every cell of every notebook ran",
    "no cell ended with an error",
    "every figure has a description",
    "no page holds script or loads anything",
)


def versions() -> dict[str, str]:
    """Versions of the packages that figures and pages depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # used from its folder, without an install
            if name == "salestrack":
                from salestrack import __version__

                found[name] = __version__
    return found


def manifest(
    source: Source,
    language: str,
    parameters: Mapping[str, Any],
    notebooks: Sequence[Path],
    pages: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """The record of a report without anything that differs between two runs on the same inputs."""
    return {
        "format": 1,
        "company": source.name,
        "month": source.month,
        "language": language,
        "time_zone": source.time_zone,
        "parameters": dict(parameters),
        "data": {
            "sha256": source.fingerprint,
            "inputs": dict(source.inputs),
            "tables": dict(source.tables),
            "loads": list(source.loads),
        },
        "notebooks": {path.name: file_hash(path) for path in notebooks},
        "pages": list(pages),
        "checks": list(CHECKS),
        "python": platform.python_version(),
        "packages": versions(),
    }


def page_entry(file: str, title: str, notebook: str, text: str) -> dict[str, str]:
    """A page in the manifest."""
    return {
        "file": file,
        "title": title,
        "notebook": notebook,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def as_json(record: Mapping[str, Any]) -> str:
    """A record as text."""
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"
