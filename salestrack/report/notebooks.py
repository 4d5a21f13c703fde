"""The notebooks of a report and the contract in front of them: known names, checked values.

papermill only warns about a misspelt parameter and then reports the default month under the new month's name;
it turns `01` into 1 and pastes names into code. Here the names come from the notebook's own cell tagged
`parameters`, and nothing else is passed on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from papermill import inspect_notebook

from salestrack.errors import InputError, MissingData, listed, nearest

OF_EVERY_RUN = ("month", "data", "language")
FORBIDDEN_TAGS = {
    "raises-exception": "would hide an error",
    "skip-execution": "would never run",
}
Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Notebook:
    """One notebook of the report as it stands in its folder, not run."""

    path: Path
    node: Any
    parameters: Mapping[str, Mapping[str, str]]

    @property
    def name(self) -> str:
        """`03_pipeline`: what messages, pages and `--only` call it."""
        return self.path.stem


def find_notebooks(folder: Path) -> list[Path]:
    """The notebooks of a folder in reading order: `01_….ipynb` to `99_….ipynb`."""
    if not folder.is_dir():
        raise MissingData(f"there is no folder {folder} with notebooks: give one with --notebooks")
    found = sorted(path for path in folder.glob("*.ipynb") if re.match(r"\d\d_", path.name))
    if not found:
        raise MissingData(
            f"{folder} has no notebooks: a notebook of the report is named like 01_overview.ipynb"
        )
    return found


def chosen(paths: Sequence[Path], only: Sequence[str] | None) -> list[Path]:
    """The notebooks that `only` names by number, name or number and name; all of them without it."""
    if only is None:
        return list(paths)
    return [path for path in paths if path in {_named(name, paths) for name in only}]


def _named(name: str, paths: Sequence[Path]) -> Path:
    wanted = name.strip().removesuffix(".ipynb")
    for path in paths:
        number, _, topic = path.stem.partition("_")
        if wanted in (path.stem, number, topic) or (wanted.isdecimal() and wanted.zfill(2) == number):
            return path
    near = nearest(wanted, [path.stem for path in paths]) or nearest(
        wanted, [path.stem.partition("_")[2] for path in paths]
    )
    known = listed([path.stem for path in paths], 60)
    raise InputError(f"there is no notebook '{wanted}'{near or ';'} known are {known}")


def read_notebook(path: Path) -> Notebook:
    """A notebook with its declared parameters; one that the report could not run is refused."""
    try:
        node = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        first = str(error).partition("\n")[0]
        raise InputError(f"{path} is not a readable notebook: {first}") from None
    # Every notebook runs in the Python that makes the report; papermill wants to see a kernel named.
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    parameters = inspect_notebook(node)
    missing = [name for name in OF_EVERY_RUN if name not in parameters]
    if missing:
        raise InputError(
            f"{path.name} does not take {listed(missing)}: a notebook of the report declares "
            f"{', '.join(OF_EVERY_RUN)} in one cell tagged 'parameters'"
        )
    _refuse_tags(path, node)
    return Notebook(path, node, parameters)


def _refuse_tags(path: Path, node: Any) -> None:
    for number, cell in enumerate((c for c in node.cells if c.cell_type == "code"), start=1):
        for tag in FORBIDDEN_TAGS.keys() & set(cell.metadata.get("tags", [])):
            raise InputError(
                f"{path.stem}, cell {number} is tagged '{tag}' and {FORBIDDEN_TAGS[tag]}: remove the tag"
            )


def checked_parameters(given: Mapping[str, object], notebooks: Sequence[Notebook]) -> dict[str, Scalar]:
    """The extra parameters of a run with values of the declared types; unknown names are refused.

    Text is read by the declared type, so `"90"` is 90 for `horizon: int` and stays text for `name: str`.
    """
    declared = {name: info for notebook in notebooks for name, info in notebook.parameters.items()}
    values: dict[str, Scalar] = {}
    for name, value in given.items():
        if name in OF_EVERY_RUN:
            raise InputError(f"'{name}' has an option of its own and cannot be given as a parameter")
        if name not in declared:
            raise InputError.unknown_name("parameter", name, sorted(set(declared) - set(OF_EVERY_RUN)))
        values[name] = _typed(name, value, declared[name]["inferred_type_name"])
    return values


def _typed(name: str, value: object, kind: str) -> Scalar:
    wrong = InputError(f"parameter '{name}' takes {_KINDS.get(kind, 'a plain value')}, not {value!r}")
    if isinstance(value, str):
        if not value.isprintable() or not _encodes(value):
            raise wrong
        if kind not in _KINDS or kind == "str":
            return value
        if not re.fullmatch(_TEXT[kind], value, re.ASCII):
            raise wrong
        return _READ[kind](value)
    if not isinstance(value, int | float) or type(value).__name__ not in _FIT.get(
        kind, ("bool", "int", "float")
    ):
        raise wrong
    if isinstance(value, float) and value - value != 0:  # NaN and infinity have no JSON form
        raise wrong
    return value


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: papermill would leave an empty notebook behind
        return False
    return True


_KINDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
_TEXT = {"int": r"-?\d{1,18}", "float": r"-?\d{1,18}(\.\d{1,18})?", "bool": r"(?i:true|false)"}
_READ: dict[str, Callable[[str], Scalar]] = {
    "int": int,
    "float": float,
    "bool": lambda t: t.lower() == "true",
}
_FIT = {"int": ("int",), "float": ("int", "float"), "bool": ("bool",), "str": ()}


def run_values(notebook: Notebook, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The part of a run's parameters that this notebook declares, in the notebook's order."""
    return {name: values[name] for name in notebook.parameters if name in values}
