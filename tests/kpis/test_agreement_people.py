"""Every KPI of people and customers on every engine, against plain SQL, on ordinary, empty, tiny, incomplete and tied data."""

from __future__ import annotations

import pytest
from kpis.contract import agrees_with_plain_sql_on_every_engine, compared
from kpis.oracle_people import CASES


@pytest.mark.parametrize(("name", "by", "world"), compared(CASES))
def test_a_kpi_agrees_with_plain_sql_on_every_engine(name: str, by: str | None, world: str) -> None:
    agrees_with_plain_sql_on_every_engine(name, by, world)
