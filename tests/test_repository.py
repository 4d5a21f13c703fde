"""The repository keeps its own promises: layout, imports in one direction, environments in step."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "salestrack"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA_NAMES = {"duckdb": "python-duckdb", "tzdata": "python-tzdata"}

# Who may import whom inside the package; data flows from left to right (see CONTRIBUTING.md).
MAY_IMPORT = {
    "errors": set(),
    "periods": {"errors"},
    "config": {"errors"},
    "duck": set(),
    "schema": set(),
    "stats": set(),
    "world": {"errors", "schema"},
    "sources": {"duck", "errors", "config", "periods", "schema"},
    "store": {"duck", "errors", "schema", "sources"},
    "history": {"errors"},
    "numbered": {"history", "sources"},
    "prepare": {"config", "duck", "history", "numbered", "schema", "sources"},
    "importing": {"duck", "errors", "config", "schema", "sources", "prepare", "store"},
    "views": {"duck", "prepare"},
    "exports": {"config", "duck", "errors", "importing", "schema", "sources", "store", "world"},
    "spark": {"errors", "schema", "store"},
    "book": {
        "duck",
        "errors",
        "config",
        "importing",
        "periods",
        "prepare",
        "schema",
        "spark",
        "store",
        "views",
    },
    "kpis": {"errors", "periods", "stats"},
    "models": {"errors", "stats", "book"},
    "compare": {"book", "i18n", "kpis", "periods"},
    "quality": {"errors", "book", "schema", "stats", "store"},
    "theme": set(),
    "i18n": {"errors", "periods"},
    "glossary": {"i18n", "kpis"},
    "markup": {"errors", "i18n"},
    "findings": {"errors", "i18n", "theme"},
    "charts": {"errors", "findings", "i18n", "markup", "theme"},
    "cards": {"charts", "errors", "findings", "i18n", "markup", "theme"},
    "blocks": {"charts", "errors", "findings", "glossary", "i18n", "markup"},
    "tables": {"cards", "charts", "errors", "i18n", "markup", "theme"},
    "show": {"blocks", "cards", "charts", "errors", "findings", "i18n", "markup", "tables"},
    "page": {"book", "errors", "markup", "periods", "show"},
    "stories": {
        "blocks",
        "book",
        "charts",
        "errors",
        "findings",
        "i18n",
        "kpis",
        "markup",
        "models",
        "page",
        "periods",
        "prepare",
        "quality",
        "schema",
        "show",
        "stats",
    },
    "report": {
        "book",
        "config",
        "errors",
        "i18n",
        "importing",
        "markup",
        "periods",
        "schema",
        "store",
        "theme",
    },
}


def requirement(text: str) -> tuple[str, str]:
    name, bound = re.fullmatch(r"([A-Za-z0-9_.-]+)(>=[\d.]+)", text).groups()
    return name.lower(), bound


def imported(path: Path) -> set[str]:
    """The parts of the package that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "salestrack":
            parts = node.module.split(".")[1:2] or [a.name for a in node.names if not a.name.startswith("__")]
            found.update(parts)
        elif isinstance(node, ast.Import):
            found.update(a.name.split(".")[1] for a in node.names if a.name.startswith("salestrack."))
    return found


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_on_the_right_is_imported_by_anything_on_the_left(path: Path) -> None:
    own = part(path)
    if own in ("__init__", "__main__", "cli"):
        return
    assert imported(path) - {own} <= MAY_IMPORT[own], f"{own} may import only {sorted(MAY_IMPORT[own])}"


def test_conda_environment_has_the_packages_of_the_project() -> None:
    wanted = dict(
        requirement(r) for r in PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["lab"]
    )
    wanted |= {n: b for n, b in map(requirement, PROJECT["dependency-groups"]["test"]) if n == "pytest"}
    wanted = {CONDA_NAMES.get(name, name): bound for name, bound in wanted.items()}
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda = dict(requirement(entry) for entry in listed if entry != "pip")
    assert conda.pop("python") == PROJECT["project"]["requires-python"]
    assert conda == wanted


def test_lock_pins_every_requirement_by_hash_and_names_no_host() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {m.lower().replace("_", "-") for m in re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.M)}
    groups = PROJECT["dependency-groups"]
    named = [*PROJECT["project"]["dependencies"], *groups["lab"], *groups["test"]]
    assert {requirement(r)[0].replace("_", "-") for r in named} <= locked
    assert "://" not in text
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_lock_of_the_engines_agrees_with_the_other_one() -> None:
    found = []
    for name in ("requirements.lock", "requirements-engines.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M)[1:]
        assert all("--hash=sha256:" in block for block in blocks)
        found.append(dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, re.M)))
    usual, engines = found
    assert {"pyspark", "ibis-framework"} <= engines.keys()
    assert {name: engines[name] for name in engines.keys() & usual.keys()}.items() <= usual.items()


def test_make_lists_its_own_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.M)[1].split())
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, env=outside)
    assert {line.split()[1] for line in done.stdout.splitlines()} == phony


def test_import_salestrack_is_light() -> None:
    code = "import salestrack, sys; print(*(m for m in ('sklearn', 'matplotlib', 'papermill', 'nbconvert') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_readme_examples_run() -> None:
    import doctest

    failed, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert tried
    assert not failed


@pytest.mark.parametrize(
    "command", ["import", "report", "kpi", "check", "compare", "doctor", "world", "template"]
)
def test_every_command_is_in_the_readme_and_explains_itself(command: str) -> None:
    from click.testing import CliRunner

    from salestrack.cli import cli

    assert f"salestrack {command}" in (ROOT / "README.md").read_text(encoding="utf-8")
    shown = CliRunner().invoke(cli, [command, "--help"])
    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) > 5
    assert set(cli.commands) == {"import", "report", "kpi", "check", "compare", "doctor", "world", "template"}
