"""The normal form of committed notebooks: `python -m salestrack.report.clean notebooks/*.ipynb` writes it.

No outputs, no counts, no marks of an editor, stable cell ids: a change of a notebook is then a change of
its text. The fixer and the test are one function, `clean_text`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from salestrack.errors import DataError

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
KEPT_OF_CELLS = ("tags",)
VALID_ID = re.compile(r"[a-zA-Z0-9-_]{1,64}")


def clean_text(text: str, name: str = "notebook") -> str:
    """The normal form of a notebook's JSON text; text in normal form comes back as it is.

    >>> cell = {"cell_type": "code", "source": "1 + 1", "outputs": [], "execution_count": 7, "metadata": {}}
    >>> "7" in clean_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    False
    """
    try:
        notebook = json.loads(text)
        cells = [_clean_cell(cell) for cell in notebook["cells"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{name} is not a notebook ({error}): restore it from the repository") from None
    _number(cells)
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    kept = {key: notebook["metadata"][key] for key in ("salestrack",) if key in notebook.get("metadata", {})}
    clean = {"cells": cells, "metadata": metadata | kept, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(clean, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _clean_cell(cell: dict[str, Any]) -> dict[str, Any]:
    source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
    metadata = {key: cell["metadata"][key] for key in KEPT_OF_CELLS if cell.get("metadata", {}).get(key)}
    clean: dict[str, Any] = {
        "cell_type": cell["cell_type"],
        "id": cell.get("id"),
        "metadata": metadata,
        "source": source.strip("\n").splitlines(keepends=True),
    }
    if cell["cell_type"] == "code":
        clean |= {"execution_count": None, "outputs": []}
    if cell.get("attachments"):
        clean["attachments"] = cell["attachments"]
    return clean


def _number(cells: list[dict[str, Any]]) -> None:
    """Keep every id that is valid and the first of its kind; give the others one that follows their place."""
    taken: set[str] = set()
    for place, cell in enumerate(cells, start=1):
        known = cell["id"]
        if not isinstance(known, str) or not VALID_ID.fullmatch(known) or known in taken:
            known = next(name for name in _names(place) if name not in taken | {c["id"] for c in cells})
        cell["id"] = known
        taken.add(known)


def _names(place: int) -> list[str]:
    return [f"cell-{place:02d}", *(f"cell-{place:02d}-{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]


def clean_files(paths: Sequence[Path], *, check: bool = False) -> list[Path]:
    """Bring the notebooks into normal form; returns those that were not. With `check` nothing is written."""
    changed = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        clean = clean_text(text, str(path))
        if clean != text:
            changed.append(path)
            if not check:
                path.write_text(clean, encoding="utf-8", newline="\n")
    return changed


def main(arguments: Sequence[str]) -> int:
    """`[--check] [PATH…]`, by default all in the folder `notebooks`; 1 when a check finds something."""
    check = "--check" in arguments
    paths = [Path(argument) for argument in arguments if argument != "--check"]
    changed = clean_files(paths or sorted(Path("notebooks").glob("*.ipynb")), check=check)
    for path in changed:
        print(f"{path}: {'not in normal form' if check else 'cleaned'}")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
