"""The overview's sentences and the ranking of measures, from literal rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from salestrack import pipeline_coverage, quota_attainment, win_rate
from salestrack.i18n import NBSP
from salestrack.periods import Period
from salestrack.show import Show
from salestrack.stories import overview, pressing

NAN = float("nan")
MONTH = Period.month("2026-10")
OWNER = {"owner": "sales_manager", "en": "Do it.", "de": "Tun."}


class Page(Show):
    """A page whose book answers from literal tables."""

    def __init__(self, language: str = "en", **tables: pd.DataFrame) -> None:
        super().__init__(language=language)  # type: ignore[arg-type]
        self.month, self.quarter, self.year_to_date = MONTH, Period.parse("2026-Q4"), Period.parse("2026")
        self.last_12, self.year = MONTH.trailing(12), Period.parse("2026")
        self.book: Any = SimpleNamespace(
            has=lambda *names: all(name in tables.get("has", ("deals", "quotas")) for name in names),
            kpi=lambda kpi, **_: tables[kpi.__name__],
            as_of=MONTH.last_day,
        )


def grown(value: float, change: float) -> pd.DataFrame:
    return pd.DataFrame({"bookings": [value], "revenue_growth": [change], "n": [9]})


def plain(text: str) -> str:
    return text.replace(NBSP, " ")


@pytest.mark.parametrize(
    ("attainment", "start", "end"),
    [
        pytest.param(1.0, "Ahead of plan: bookings of", ", 100.0% of its quota so far.", id="quota reached"),
        pytest.param(0.95, "Close to plan: bookings of", ", 95.0% of its quota so far.", id="a little short"),
        pytest.param(0.949, "Behind plan: bookings of", ", 94.9% of its quota so far.", id="clearly short"),
        pytest.param(NAN, "No plan to compare with: bookings of", "(+4.0%).", id="no quota: no claim"),
    ],
)
def test_lead_judges_the_year_against_its_quota(
    monkeypatch: pytest.MonkeyPatch, attainment: float, start: str, end: str
) -> None:
    monkeypatch.setattr(overview, "growth", lambda book, period: grown(600_000.0, 0.04))
    page = Page(quota_attainment=pd.DataFrame({"quota_attainment": [attainment]}))
    said = overview.lead(page).text  # type: ignore[arg-type]
    assert said.startswith(start)
    assert "€600K in October 2026 (+4.0% on the previous year)" in said
    assert said.endswith(end)


def test_lead_in_german(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "growth", lambda book, period: grown(600_000.0, -0.04))
    page = Page("de", quota_attainment=pd.DataFrame({"quota_attainment": [0.9]}))
    assert plain(overview.lead(page).text) == (  # type: ignore[arg-type]
        "Hinter dem Plan: Der Auftragseingang von 600 Tsd. € im Oktober 2026 (−4,0 % zum Vorjahr) bringt das "
        "Geschäftsjahr auf 600 Tsd. € (−4,0 %), das sind 90,0 % der bisherigen Quote."
    )


@pytest.mark.parametrize(
    ("note", "start"),
    [
        pytest.param(
            "",
            "For Q4 2026 €300K is still missing to the quota; "
            "the open pipeline due by then is €900K, 3.0 times that.",
            id="something is still missing",
        ),
        pytest.param("target_met", "The quota of Q4 2026 is already met.", id="nothing is missing"),
        pytest.param(
            "no_quota",
            "No quota is set for Q4 2026 yet; the open pipeline due by then is €900K.",
            id="next quarter has no quota yet",
        ),
    ],
)
def test_outlook_says_what_the_quarter_needs_and_how_sure_winning_is(note: str, start: str) -> None:
    covered = pd.DataFrame(
        {"remaining": [3e5], "open_value": [9e5], "pipeline_coverage": [3.0], "note": [note]}
    )
    won = pd.DataFrame({"win_rate": [0.3], "low": [0.25], "high": [0.35], "n": [400]})
    page = Page(pipeline_coverage=covered, win_rate=won)
    assert plain(overview.outlook(page).text) == (  # type: ignore[arg-type]
        f"{start} Of the 400 deals closed in the last twelve months 30.0% were won "
        "(95% interval 25.0 to 35.0%)."
    )


@pytest.mark.parametrize(
    ("month", "quarter"),
    [
        pytest.param("2026-10", "2026-10-01", id="within a quarter: its own"),
        pytest.param("2026-12", "2027-01-01", id="at the end of a quarter: the next"),
    ],
)
def test_coverage_looks_at_the_quarter_that_can_still_be_changed(month: str, quarter: str) -> None:
    asked: list[Period] = []
    page: Any = SimpleNamespace(
        quarter=Period.parse("2026-Q4"),
        book=SimpleNamespace(
            as_of=Period.month(month).last_day,
            kpi=lambda kpi, period: asked.append(period) or pd.DataFrame(),
        ),
    )
    pressing.coverage(page)
    assert [str(span.start) for span in asked] == [quarter]


@pytest.mark.parametrize(
    ("values", "limit", "side", "scale", "expected"),
    [
        pytest.param([0.75], 1.0, "below", None, 0.25, id="a quarter of the limit is missing"),
        pytest.param([0.9, 0.5], 1.0, "below", None, 0.5, id="the worst group counts"),
        pytest.param([3.0], 2.0, "above", None, 0.5, id="too much"),
        pytest.param([3.0], 2.0, "below", None, 0.0, id="on the right side: nothing"),
        pytest.param([-0.25], 0.0, "below", 1.0, 0.25, id="a limit of zero has a scale of its own"),
        pytest.param([NAN], 1.0, "below", None, 0.0, id="unknown: nothing"),
    ],
)
def test_excess(values: list[float], limit: float, side: str, scale: float | None, expected: float) -> None:
    assert pressing.excess(pd.Series(values), limit, side, scale) == pytest.approx(expected)


def test_the_furthest_beyond_its_limit_comes_first_and_silent_rules_are_left_out() -> None:
    page: Any = Page()
    rate = pd.DataFrame({"win_rate": [0.24], "n": [100]})
    quota = pd.DataFrame({"quota_attainment": [0.5], "n": [20]})
    cover = pd.DataFrame({"pipeline_coverage": [3.2], "n": [20]})
    found = [
        pressing.candidate(page, rate, win_rate, below=0.32, **OWNER),
        pressing.candidate(page, cover, pipeline_coverage, below=3.0, **OWNER),
        pressing.candidate(page, quota, quota_attainment, below=1.0, **OWNER),
        pressing.candidate(page, rate, win_rate, below=None, **OWNER),
    ]
    assert [one and round(one.excess, 6) for one in found] == [0.25, None, 0.5, None]
    assert [m.rule for m in pressing.most_pressing(found)] == [
        "Quota attainment is 50.0%, below 100.0%",
        "Win rate is 24.0%, below 32.0%",
    ]
    assert len(pressing.most_pressing(found, count=1)) == 1


def test_a_small_group_neither_triggers_a_rule_nor_sets_its_rank() -> None:
    page: Any = Page()
    teams = pd.DataFrame({"team": ["North", "Tiny"], "quota_attainment": [0.9, 0.1], "n": [7, 3]})
    found = pressing.candidate(page, teams, quota_attainment, below=0.95, by="team", least=5, **OWNER)
    assert found is not None
    assert found.excess == pytest.approx(0.05 / 0.95)
    assert "Tiny" not in found.measure.rule


def test_stalled_share_of_a_stage_without_open_deals_is_unknown() -> None:
    leakage = pd.DataFrame(
        {"stage_name": ["Proposal", "Negotiation"], "open": [8, 0], "stalled": [2, 0], "lost": [9, 9]}
    )
    expected = pd.DataFrame(
        {"stage_name": ["Proposal", "Negotiation"], "stalled_share": [0.25, NAN], "n": [8, 0]}
    )
    assert_frame_equal(pressing.stalled(leakage), expected)
