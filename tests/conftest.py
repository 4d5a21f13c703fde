"""Which tests stay together in one process: those of a file, and of the contract test those of one KPI."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        group = item.path.name
        if group == "test_contract.py" and hasattr(item, "callspec"):
            group += str(item.callspec.params.get("name", ""))
        item.add_marker(pytest.mark.xdist_group(group))
