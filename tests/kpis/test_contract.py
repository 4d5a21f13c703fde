"""What holds for every KPI: one row without groups, untouched input, sums of groups, cards, the portable subset."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from kpis.contract import computed, tables
from kpis.oracle import CASES
from kpis.worlds import frames

from salestrack import kpis
from salestrack.kpis import _pandas

EACH = [(name, by) for name, case in CASES.items() for by in case.each]
KPIS = Path(kpis.__file__).parent


@pytest.mark.parametrize("name", list(CASES))
def test_a_large_pandas_frame_gives_what_a_small_one_gives(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = "team" if "team" in CASES[name].each else None
    small = computed(name, "full of nulls", "pandas", by)
    monkeypatch.setattr(_pandas, "SMALL", 0)
    pd.testing.assert_frame_equal(computed(name, "full of nulls", "pandas", by), small, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "by"), EACH)
def test_without_groups_there_is_one_row_and_for_no_data_none_per_group(name: str, by: str | None) -> None:
    table = computed(name, "empty", "pandas", by)
    rows_of_its_own = by is not None or bool(CASES[name].rows)
    assert len(table) == (0 if rows_of_its_own else 1)
    assert list(table.columns) == list(computed(name, "ordinary", "pandas", by).columns)
    assert name in table.columns
    if not rows_of_its_own and kpis.CARDS[name].unit == "share":
        assert table[name].isna().all()
        assert table["n"].tolist() == [0]


@pytest.mark.parametrize("name", list(CASES))
def test_the_input_stays_as_it_was(name: str) -> None:
    function, options = CASES[name].function, CASES[name].options
    con = tables("full of nulls")
    given = [
        p.name for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    pandas = [con.table(table).df() for table in given]
    polars = [frames(con, "full of nulls", table, "polars") for table in given]
    before = [frame.copy(deep=True) for frame in pandas], [frame.clone() for frame in polars]
    function(*pandas, by="team", **options)
    function(*polars, by="team", **options)
    for frame, copy in zip(pandas, before[0], strict=True):
        pd.testing.assert_frame_equal(frame, copy)
    assert all(
        isinstance(frame, pl.DataFrame) and frame.equals(copy)
        for frame, copy in zip(polars, before[1], strict=True)
    )


@pytest.mark.parametrize(
    "by", ["day", "week", "month", "quarter", "year", "owner_rep_id", "team", ["team", "month"]]
)
@pytest.mark.parametrize("year_starts", [1, 7])
def test_the_groups_add_up_to_the_whole_to_the_cent(by: str | list[str], year_starts: int) -> None:
    for world in ("ordinary", "full of nulls"):
        deals = tables(world).table("deals")
        parts = kpis.bookings(deals, by=by, fiscal_year_start=year_starts)
        whole = kpis.bookings(deals)
        assert round(parts["bookings"].sum() * 100) == round(whole["bookings"][0] * 100)
        assert parts["n"].sum() == whole["n"][0]


def test_every_public_kpi_has_a_case_here_and_a_card() -> None:
    public = {name for name in kpis.__all__ if name not in ("CARDS", "Card")}
    assert public == set(CASES) == set(kpis.CARDS)
    assert all(getattr(kpis, name).card.name == name for name in public)
    assert list(kpis.__all__) == sorted(kpis.__all__)


FORBIDDEN = {
    ".agg(": "summarise is the only aggregation",
    ".pivot": "not portable",
    ".round": "round for display only",
    ".weekday": "0-based on some engines",
    "left_on": "equal names only",
}


def _banned(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("agg", "pivot", "round", "weekday"):
            found.append(node.attr)
        if isinstance(node, ast.keyword) and node.arg == "left_on":
            found.append("left_on")
    return found


@pytest.mark.parametrize(
    "path",
    sorted(p for p in KPIS.glob("*.py") if p.name != "_plan.py"),  # it plays the verbs back
    ids=lambda path: path.name,
)
def test_the_kpis_stay_inside_the_portable_subset(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in tree.body:
        if not (isinstance(node, ast.FunctionDef) and node.name == "summarise"):
            found += _banned(node)
    assert found == [], f"{FORBIDDEN}"


def test_the_guard_sees_what_it_forbids() -> None:
    code = "x.agg(1); x.pivot(); x.round(2); x.dt.weekday(); x.join(y, left_on='a')"
    assert sorted(_banned(ast.parse(code))) == ["agg", "left_on", "pivot", "round", "weekday"]
