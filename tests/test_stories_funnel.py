"""The sentences and tables of page 4, from literal rows."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from books import make_book
from canonical import STAGES, deal
from pandas.testing import assert_frame_equal

from salestrack import lead_conversion, loss_reasons, mql_to_sql, stage_conversion, win_rate_cohort
from salestrack.blocks import text
from salestrack.i18n import NBSP, Words
from salestrack.page import Page
from salestrack.periods import Period
from salestrack.stories import funnel, stages

EN, DE = Words("en"), Words("de")
NAN = float("nan")


def said(words: Words, sentence: dict[str, object]) -> str:
    return text(words, **sentence).text.replace(NBSP, " ")  # type: ignore[arg-type]


def dwell(*rows: tuple[str, float, float, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["stage_name", "stage_dwell", "low", "high"])
    return frame.assign(p90=90.0, open=7, n=50)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        pytest.param(
            [("Proposal", 27.0, 25.0, 29.0), ("Negotiation", 17.0, 15.0, 20.0)],
            "Deals stay longest in Proposal: half of them for more than 27 days (95% interval 25 to 29 days), "
            "longer than in any other stage beyond chance",
            id="interval above all others: the longest stay",
        ),
        pytest.param(
            [("Proposal", 27.0, 18.0, 29.0), ("Negotiation", 17.0, 15.0, 20.0)],
            "Deals stay longest in Proposal (median 27 days, 95% interval 18 to 29 days), but the gap to "
            "Negotiation may be chance",
            id="overlapping intervals: no claim",
        ),
        pytest.param(
            [("Proposal", 27.0, 25.0, NAN), ("Negotiation", NAN, NAN, NAN)],
            "Deals stay in Proposal for a median of 27 days (95% interval –)",
            id="only one median is known",
        ),
        pytest.param(
            [("Proposal", NAN, NAN, NAN)],
            "In no stage have enough stays ended to say how long deals stay there",
            id="no median: unknown",
        ),
    ],
)
def test_longest_stay(rows: list[tuple[str, float, float, float]], told: str) -> None:
    assert said(EN, stages.longest(dwell(*rows), EN)) == told


def stuck(*rows: tuple[str, float, float, float, float]) -> pd.DataFrame:
    """20 deals expected in each stage; surplus, its lower end, change of the stays, p."""
    frame = pd.DataFrame(rows, columns=["stage_name", "bottleneck", "low", "dwell_change", "p_value"])
    return frame.assign(expected=20.0, wip=20 + frame["bottleneck"], high=frame["bottleneck"] * 2)


QUIET = ("Qualification", 1.0, -9.0, 0.0, 0.9)


@pytest.mark.parametrize(
    ("rows", "named", "start"),
    [
        pytest.param(
            [QUIET, ("Proposal", 12.0, 3.0, 8.0, 0.01)],
            ["Proposal"],
            "Proposal is a bottleneck: 32 deals are there, where 20 were to be expected (95% interval of the "
            "surplus 3 to 24), and they stay 8 days longer",
            id="more deals and longer stays: a bottleneck",
        ),
        pytest.param(
            [QUIET, ("Proposal", 12.0, 3.0, 8.0, 0.04)],
            [],
            "No stage is a bottleneck. Proposal holds more deals than expected (32 instead of 20",
            id="0.04 is chance enough where two stages are looked at (0.08)",
        ),
        pytest.param(
            [QUIET, ("Proposal", 12.0, 3.0, -8.0, 0.01)],
            [],
            "No stage is a bottleneck. Proposal holds more deals",
            id="more deals that stay shorter: only more arrivals",
        ),
        pytest.param(
            [QUIET, ("Proposal", 12.0, -3.0, 8.0, 0.01)],
            [],
            "No stage is a bottleneck: nowhere do more deals lie than arrivals and the stays of the year before "
            "explain. Proposal comes nearest (32 deals, 20 expected).",
            id="longer stays without a clear surplus",
        ),
        pytest.param(
            [("Proposal", NAN, NAN, NAN, NAN)],
            [],
            "Whether a stage is a bottleneck cannot be told",
            id="no year before: unknown",
        ),
    ],
)
def test_bottleneck_needs_more_deals_and_longer_stays(
    tmp_path: Path, rows: list[tuple[str, float, float, float, float]], named: list[str], start: str
) -> None:
    table = stuck(*rows)
    assert said(EN, stages.clogged(table, EN)).startswith(start)
    leaks = pd.DataFrame({"stage_name": ["Proposal"], "stalled": [0]})
    with make_book(tmp_path) as book:
        found = stages.measures(Page(book, "en"), leaks, pd.DataFrame(), pd.DataFrame(), table)
    assert [m["rule"]["en"].split(" deals")[0] for m in found if m] == ["32" for _ in named]


def test_biggest_leak_goes_by_value_not_by_deals() -> None:
    leaks = pd.DataFrame(
        {
            "stage_name": ["Qualification", "Proposal"],
            "lost_value": [100_000.0, 300_000.0],
            "share_of_loss": [0.8, 0.2],
        }
    )
    assert said(DE, stages.biggest_leak(leaks, DE)) == (
        "Der meiste Wert geht aus der Phase Angebot verloren: 300 Tsd. €, 75,0 % des verlorenen Werts und "
        "20,0 % der verlorenen "
        "Deals."
    )


def test_biggest_leak_without_a_lost_amount() -> None:
    leaks = pd.DataFrame({"stage_name": ["Proposal"], "lost_value": [0.0], "share_of_loss": [NAN]})
    assert said(EN, stages.biggest_leak(leaks, EN)).startswith("No deal with an amount was lost")


def lost(*reasons: str | None) -> pd.DataFrame:
    rows = {"status": "lost", "lost_reason": pd.Series(reasons, dtype="str"), "amount": 10.0}
    return loss_reasons(pd.DataFrame(rows))


def test_reasons_shows_those_without_one_first_and_leaves_duplicates_out() -> None:
    found = funnel.reasons(lost("Price", None, "Price", " ", "Timing", "duplicate"))
    expected = pd.DataFrame(
        [("(missing)", 2.0, 0.4, 20.0, 0.4), ("Price", 2.0, 0.4, 20.0, 0.4), ("Timing", 1.0, 0.2, 10.0, 0.2)],
        columns=["lost_reason", "deals", "loss_reasons", "lost_value", "value_share"],
    )
    assert_frame_equal(found.drop(columns=["low", "high", "note"]), expected)


@pytest.mark.parametrize(
    ("reasons", "rule"),
    [
        pytest.param([None] + ["Price"] * 9, None, id="a tenth without a reason: still quiet"),
        pytest.param(
            [None, "Other"] + ["Price"] * 8,
            "20.0% of the lost deals have no reason, or one that says nothing.",
            id="what says nothing counts as no reason",
        ),
        pytest.param([], None, id="nothing lost"),
    ],
)
def test_reasons_are_asked_for_where_they_are_missing(reasons: list[str | None], rule: str | None) -> None:
    found = funnel.without_reason(lost(*reasons), EN)
    assert (found and found["rule"]["en"]) == rule


def test_three_rates_side_by_side(tmp_path: Path) -> None:
    """Created in March 2026: 2 won and 1 lost within 180 days, 1 won after 200. The fifth was closed before."""
    deals = [
        closed("d1", "2026-03-02", "2026-04-02", "won", 100),
        closed("d2", "2026-03-02", "2026-05-02", "won", 100),
        closed("d3", "2026-03-02", "2026-06-02", "lost", 600),
        closed("d4", "2026-03-02", "2026-09-18", "won", 100),
        closed("d5", "2025-01-02", "2025-02-02", "won", 900),
    ]
    accounts = [{"account_id": "a1", "segment": "small"}]
    with make_book(tmp_path, stages=STAGES, deals=deals, accounts=accounts) as book:
        found = funnel.three_rates(book, "segment", Period.parse("2026"), DE)
    whole = found.iloc[-1]
    assert found["segment"].to_list() == ["Kleinunternehmen", "Gesamt"]
    assert [whole[c].replace(NBSP, " ").split(" (")[0] for c in ("in_deals", "by_value", "of_cohort")] == [
        "75,0 %",
        "33,3 %",
        "50,0 %",
    ]
    assert whole[["n", "created", "matured"]].to_list() == [4, 4, 1.0]


def closed(deal_id: str, made: str, ended: str, status: str, amount: float) -> dict[str, Any]:
    return deal(
        deal_id,
        status=status,
        stage_id="W" if status == "won" else "L",
        created_at=f"{made} 08:00:00",
        closed_at=f"{ended} 12:00:00",
        account_id="a1",
        amount=amount,
    )


def test_three_rates_of_nothing_are_no_table(tmp_path: Path) -> None:
    with make_book(tmp_path) as book:
        assert funnel.three_rates(book, "segment", Period.parse("2026"), EN).empty


def lead(day: str, name: str, **values: Any) -> dict[str, Any]:
    return {"lead_id": f"{name} {day}", "company_name": name, "created_at": f"{day} 08:00:00"} | values


def call(lead_id: str, at: str) -> dict[str, Any]:
    made = {"activity_id": f"c {lead_id}", "activity_type": "call", "direction": "outbound", "is_done": True}
    return made | {"lead_id": lead_id, "started_at": at}


@pytest.mark.parametrize(
    ("leads", "told"),
    [
        pytest.param(
            [
                lead("2026-01-05", "Acme"),
                lead("2026-02-05", "Acme"),
                lead("2026-01-05", "Bolt"),
                lead("2024-01-05", "Cog"),
                lead("2026-01-05", "Cog"),
            ],
            "Of the 2 people and companies whose very first lead came in the last twelve months, 50.0% become "
            "customers within 180 days (95% interval",
            id="who came twice counts once, who came before not at all",
        ),
        pytest.param(
            [lead("2026-10-05", "Bolt")],
            "None of those whose very first lead came in the last twelve months have had 180 days yet",
            id="too young to tell",
        ),
    ],
)
def test_who_becomes_a_customer(tmp_path: Path, leads: list[dict[str, Any]], told: str) -> None:
    won = closed("d1", "2026-02-06", "2026-03-06", "won", 100) | {"lead_id": "Acme 2026-02-05"}
    with make_book(tmp_path, stages=STAGES, deals=[won], leads=leads) as book:
        page = Page(book, "en")
        assert page.text(**funnel.from_leads(page)).text.replace(NBSP, " ").startswith(told)


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        pytest.param(
            [call("Bolt 2026-03-05", "2026-03-05 11:00:00")],
            "Half of the leads are contacted within 3 hours, 50.0% within a day.",
            id="one of two after three hours",
        ),
        pytest.param(
            [],
            "How long leads wait for an answer is not known: no activity names a lead.",
            id="no activity names a lead",
        ),
    ],
)
def test_how_soon_leads_hear(tmp_path: Path, calls: list[dict[str, Any]], told: str) -> None:
    leads = [lead("2026-03-05", "Bolt"), lead("2026-03-05", "Acme")]
    with make_book(tmp_path, leads=leads, activities=calls) as book:
        page = Page(book, "en")
        assert page.text(**funnel.from_leads(page)).text.replace(NBSP, " ").endswith(told)


def test_the_days_named_in_the_texts_are_those_of_the_kpis() -> None:
    horizon = {kpi: signature(kpi).parameters["horizon_days"].default for kpi in HORIZONS}
    assert horizon == HORIZONS


HORIZONS = {win_rate_cohort: 180, lead_conversion: 180, mql_to_sql: 90, stage_conversion: 90}


@pytest.mark.parametrize(
    ("high", "named"),
    [
        pytest.param(
            0.49,
            ["Conversion fell from 60.0% to 45.0%, and the intervals do not overlap."],
            id="intervals apart: flagged",
        ),
        pytest.param(0.51, [], id="intervals touch: not flagged"),
    ],
)
def test_worse_flags_only_what_chance_does_not_explain(high: float, named: list[str]) -> None:
    now = pd.DataFrame({"stage_name": ["Proposal"], "stage_conversion": [0.45], "low": [0.4], "high": [high]})
    before = pd.DataFrame(
        {"stage_name": ["Proposal"], "stage_conversion": [0.6], "low": [0.5], "high": [0.7]}
    )
    assert [found["rule"]["en"] for found in stages.worse(now, before, EN)] == named


def test_worse_without_an_earlier_year() -> None:
    now = pd.DataFrame({"stage_name": ["Proposal"], "stage_conversion": [0.45], "low": [0.4], "high": [0.5]})
    assert stages.worse(now, pd.DataFrame(), EN) == []
