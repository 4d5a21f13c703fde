"""Reports of months in which a company has only just begun: every page is there, and unknown figures are unknown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from salestrack.periods import Period
from salestrack.stories import revenue

ROOT = Path(__file__).parents[1]


@pytest.mark.whole
@pytest.mark.parametrize("month", ["2023-02", "2023-09"])
def test_a_month_with_little_or_no_history_has_all_pages(tmp_path: Path, month: str) -> None:
    """In the first month nothing is won yet, in the other nobody has a quota."""
    command = [sys.executable, "-m", "salestrack", "report", "--month", month, "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {path.stem for path in (tmp_path / month).glob("*.html")}
    assert {path.stem for path in (ROOT / "notebooks").glob("0[2-9]*.ipynb")} <= pages
    team = (tmp_path / month / "06_team.html").read_text(encoding="utf-8")
    assert "Nobody has a quota in the fiscal year so far." in team


def test_growth_is_unknown_where_nothing_was_won_yet() -> None:
    table = pd.DataFrame({"revenue_growth": [0.5], "per_working_day": [0.5], "n": [3]})
    known = revenue.known_growth(table, since=pd.NaT, period=Period.parse("2023"))
    assert known["revenue_growth"].isna().all()
