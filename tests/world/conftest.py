"""The invented company of the demo, and one that is made block by block."""

from __future__ import annotations

from pathlib import Path

import pytest
from world.files import Files

import salestrack.world
from salestrack.world import generate


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "demo"
    generate(folder)
    return folder


@pytest.fixture(scope="session")
def files(made: Path) -> Files:
    return Files(made)


@pytest.fixture(scope="session")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A world of several blocks (small ones, so that the test stays quick)."""
    folder = tmp_path_factory.mktemp("world") / "blocks"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(salestrack.world, "BLOCK", 700)
        generate(folder, deals=3_000, seed=3)
    return Files(folder)
