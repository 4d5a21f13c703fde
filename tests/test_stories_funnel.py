"""The sentences and tables of page 4, from literal rows."""

from __future__ import annotations

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from salestrack.blocks import text
from salestrack.i18n import NBSP, Words
from salestrack.stories import funnel

EN, DE = Words("en"), Words("de")
NAN = float("nan")


def said(words: Words, sentence: dict[str, object]) -> str:
    return text(words, **sentence).text.replace(NBSP, " ")  # type: ignore[arg-type]


def dwell(*rows: tuple[str, float, float, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["stage_name", "stage_dwell", "low", "high"])
    return frame.assign(p90=90.0, open=7, n=50)


@pytest.mark.parametrize(
    ("rows", "start"),
    [
        pytest.param(
            [("Proposal", 27.0, 25.0, 29.0), ("Negotiation", 17.0, 15.0, 20.0)],
            "Deals wait longest in Proposal: half of them for more than 27 days (95% interval 25 to 29 "
            "days), longer than in "
            "any other stage beyond chance; 7 are waiting there now.",
            id="interval above all others: the bottleneck",
        ),
        pytest.param(
            [("Proposal", 27.0, 18.0, 29.0), ("Negotiation", 17.0, 15.0, 20.0)],
            "Deals wait longest in Proposal (median 27 days, 95% interval 18 to 29 days), but the gap to "
            "Negotiation may be "
            "chance: no stage stands out as the bottleneck.",
            id="overlapping intervals: no claim",
        ),
        pytest.param(
            [("Proposal", 27.0, 25.0, NAN), ("Negotiation", NAN, NAN, NAN)],
            "Deals wait in Proposal for a median of 27 days (95% interval –).",
            id="only one median is known",
        ),
        pytest.param(
            [("Proposal", NAN, NAN, NAN)],
            "In no stage have enough stays ended to say how long deals wait there.",
            id="no median: unknown",
        ),
    ],
)
def test_bottleneck(rows: list[tuple[str, float, float, float]], start: str) -> None:
    assert said(EN, funnel.bottleneck(dwell(*rows), EN)) == start


def test_biggest_leak_goes_by_value_not_by_deals() -> None:
    leaks = pd.DataFrame(
        {
            "stage_name": ["Qualification", "Proposal"],
            "lost_value": [100_000.0, 300_000.0],
            "share_of_loss": [0.8, 0.2],
        }
    )
    assert said(DE, funnel.biggest_leak(leaks, DE)) == (
        "Der meiste Wert geht aus der Phase Angebot verloren: 300 Tsd. €, 75,0 % des verlorenen Werts und "
        "20,0 % der verlorenen "
        "Deals."
    )


def test_biggest_leak_without_a_lost_amount() -> None:
    leaks = pd.DataFrame({"stage_name": ["Proposal"], "lost_value": [0.0], "share_of_loss": [NAN]})
    assert said(EN, funnel.biggest_leak(leaks, EN)).startswith("No deal with an amount was lost")


def test_loss_reasons_puts_the_missing_first_and_counts_blanks_as_missing() -> None:
    lost = pd.DataFrame(
        {
            "lost_reason": ["Price", None, "Price", " ", "Timing"],
            "amount_base_cents": pd.array([100, 200, None, 400, 500], "Int64"),
        }
    )
    found = funnel.loss_reasons(lost, EN)
    expected = pd.DataFrame(
        [("(missing)", 2, 0.4, 6.0), ("Price", 2, 0.4, 1.0), ("Timing", 1, 0.2, 5.0)],
        columns=["lost_reason", "lost", "share", "lost_value"],
    )
    assert_frame_equal(found.drop(columns=["low", "high"]), expected)
    assert ((found["low"] < found["share"]) & (found["share"] < found["high"])).all()


def test_loss_reasons_of_no_loss_is_empty() -> None:
    nothing = pd.DataFrame(
        {"lost_reason": pd.Series(dtype="str"), "amount_base_cents": pd.Series(dtype="Int64")}
    )
    assert funnel.loss_reasons(nothing, DE).empty


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
    assert [found["rule"]["en"] for found in funnel.worse(now, before, EN)] == named


def test_worse_without_an_earlier_year() -> None:
    now = pd.DataFrame({"stage_name": ["Proposal"], "stage_conversion": [0.45], "low": [0.4], "high": [0.5]})
    assert funnel.worse(now, pd.DataFrame(), EN) == []
