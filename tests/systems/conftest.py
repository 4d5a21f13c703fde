"""A small invented company, imported once from Salesforce's files: what every other system's files are compared with."""

from pathlib import Path
from typing import Any

import pytest
from systems.same import figures

from salestrack.importing import import_company
from salestrack.world import generate


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What compares whole companies takes minutes: `make test-whole`."""
    for item in items:
        if "original" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.whole)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the company, imported."""
    folder = tmp_path_factory.mktemp("original")
    generate(folder, deals=300)
    import_company(folder)
    return folder


@pytest.fixture(scope="session")
def original_figures(original: Path) -> dict[str, Any]:
    """Every KPI of that company."""
    return figures(original)
