"""Which KPIs, groupings and companies are tested on an engine."""

from __future__ import annotations

from typing import Any

import pytest
from kpis.oracle import CASES
from kpis.worlds import WORLDS

FIRST = ("ordinary", "empty", "full of nulls")


def cases() -> list[Any]:
    """Each KPI with one grouping in three companies; the marker `every` has the other groupings and companies."""
    found = []
    for name, case in CASES.items():
        usual = "team" if "team" in case.each else case.each[0]
        for by in case.each:
            for world in WORLDS:
                marks = () if by == usual and world in FIRST else pytest.mark.every
                found.append(pytest.param(name, by, world, marks=marks))
    return found
