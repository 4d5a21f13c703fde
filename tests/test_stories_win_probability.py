"""The sentences and tables of page 8, from models written down by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from salestrack.blocks import text
from salestrack.i18n import NBSP, Words
from salestrack.models import AdditiveModel, Reason
from salestrack.models.additive import LevelEffect, NumberEffect
from salestrack.stories import win_probability as story

EN, DE = Words("en"), Words("de")
COUNTS = {
    "won": 30,
    "not_won": 70,
    "needed_for_stage": 20,
    "needed_for_logistic": 40,
    "tested": 200,
    "scheme": "forward",
}
STAGE = {"stage_gain": -0.002, "stage_standard_error": 0.001}
NINE = {"logistic_gain": 0.066, "logistic_standard_error": 0.007}


def said(words: Words, sentence: dict[str, object]) -> str:
    return text(words, **sentence).text.replace(NBSP, " ")  # type: ignore[arg-type]


def found(verdict: str = "nine_fields_win", scores: pd.DataFrame | None = None, **why: Any) -> Any:
    model = AdditiveModel(
        "logistic",
        182,
        0.0,
        (LevelEffect("stage", {"Proposal": 1.0, "Demo": 0.001}),),
        (NumberEffect("days_in_stage", -1.0, 2.3979, 1.0986),),
    )
    made = pd.DataFrame({"p_win": [0.5]}) if scores is None else scores
    return SimpleNamespace(
        why=COUNTS | {"verdict": verdict} | why,
        scores=made,
        model=model,
        rung="logistic",
        coefficients=model.coefficients(),
        by_quarter_end=None,
    )


def scores(**columns: Any) -> pd.DataFrame:
    first = {
        "deal_id": "a",
        "deal_name": "Ada",
        "stage_name": "Proposal",
        "age_days": 400.2,
        "amount_base": 1000.0,
        "p_win": 0.25,
        "low": 0.2,
        "high": 0.3,
        "expected_value": 250.0,
        "older_than_any_win": True,
        "reasons_up": (Reason("stage", "Proposal", 16.2),),
        "reasons_down": (Reason("days_in_stage", 1.2, -0.1), Reason("age_days", 1.3, -3.4)),
    }
    return pd.DataFrame([first | columns])


@pytest.mark.parametrize(
    ("verdict", "why", "start"),
    [
        pytest.param(
            "nine_fields_win",
            STAGE | NINE,
            "Nine fields of a deal tell more than its stage: on 200 later snapshots they "
            "lowered the log loss by 0.066 (standard error 0.007)",
            id="the richest model has proven itself",
        ),
        pytest.param(
            "no_signal_beyond_stage",
            STAGE | NINE,
            "No signal beyond the stage: on 200 later snapshots",
            id="no signal beyond the stage",
        ),
        pytest.param(
            "no_signal",
            STAGE | NINE,
            "No signal beyond the base rate: on 200 later snapshots the stage lowered the log loss "
            "by −0.002 (standard error 0.001) and nine fields by 0.066",
            id="no signal at all",
        ),
        pytest.param(
            "no_signal",
            STAGE,
            "No signal beyond the base rate: on 200 later snapshots the stage lowered the log loss by "
            "−0.002 (standard error 0.001), which is not",
            id="no signal, too few deals for nine fields",
        ),
        pytest.param(
            "too_few_for_fields",
            STAGE,
            "Too few deals for more than the stage: 30 won and 70 not won are known, 40 of each",
            id="small data: the stage at most",
        ),
        pytest.param(
            "too_few_deals",
            {"scheme": "none"},
            "Too few deals to tell them apart: 30 won and 70 not won are known, 20 of "
            "each are needed; every deal has the base rate, 50.0%",
            id="very small data: the base rate",
        ),
    ],
)
def test_verdict(verdict: str, why: dict[str, Any], start: str) -> None:
    assert said(EN, story.verdict(found(verdict, **why))).startswith(start)
    assert "{" not in said(DE, story.verdict(found(verdict, **why)))


def test_verdict_where_no_outcome_is_known_yet() -> None:
    unknown = found("too_few_deals", scores(p_win=float("nan")), scheme="none")
    assert said(EN, story.verdict(unknown)).startswith(
        "No probability can be given yet: no deal was open 182 days ago"
    )


def test_effects_are_in_words_and_small_ones_are_left_out() -> None:
    table = story.effects(found(), EN)
    assert [name.replace(NBSP, " ") for name in table["effect"]] == [
        "Stage: Proposal",
        "Time in stage: 32 days instead of 10 days",
    ]
    assert table["effect_on_probability"].round(3).tolist() == [0.231, -0.231]


def test_reasons_name_field_value_and_points() -> None:
    table = story.reasons(found(scores=scores()), DE)
    assert table["reasons"].iloc[0].replace(NBSP, " ") == "Phase Angebot (+16), Alter 1 Tag (−3)"


def test_reasons_of_the_base_rate_are_no_table() -> None:
    assert story.reasons(found(scores=scores(reasons_up=(), reasons_down=())), EN).empty


def test_largest_has_stage_and_age_in_one_column_and_skips_unknown_amounts() -> None:
    both = pd.concat([scores(), scores(deal_id="b", amount_base=float("nan"))], ignore_index=True)
    assert story.largest(found(scores=both), EN)["where"].str.replace(NBSP, " ").tolist() == [
        "Proposal, 400 days"
    ]


@pytest.mark.parametrize(
    ("probability", "weighted"),
    [
        pytest.param([0.25, 0.9, 1.0], 250.0, id="open deals with an amount, each by its own probability"),
        pytest.param([float("nan")] * 3, None, id="no probability: unknown, not nothing"),
    ],
)
def test_the_crm_is_counted_by_the_weighted_pipeline(
    probability: list[float], weighted: float | None
) -> None:
    deals = pd.DataFrame(
        {
            "status": ["open", "open", "won"],
            "amount": [1000.0, None, 500.0],
            "probability": probability,
            "expected_close_date": pd.Timestamp("2026-12-01"),
        }
    )
    book: Any = SimpleNamespace(kpi=lambda kpi: kpi(deals, as_of="2026-10-31"))
    counted = story.bases(book, found(scores=scores()), EN).set_index("basis")
    row = counted.loc["Weighted by the CRM's probability of the stage (ever won)"]
    expected = [float("nan")] * 2 if weighted is None else [weighted, weighted / 1000]
    assert row.tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("old", "start"),
    [
        pytest.param(
            True,
            "Open deals that are older than any deal was when it was won: 1, worth €1,000;",
            id="overaged deals are counted",
        ),
        pytest.param(
            False, "No open deal is older than the oldest that was ever won.", id="none is overaged"
        ),
    ],
)
def test_too_old(old: bool, start: str) -> None:
    assert said(EN, story.too_old(found(scores=scores(older_than_any_win=old)))).startswith(start)


def test_methods_say_gain_with_interval_and_a_dash_for_the_simplest() -> None:
    evaluation = pd.DataFrame(
        {
            "rung": ["base", "stage"],
            "brier": [0.2, 0.19],
            "log_loss": [0.6, 0.58],
            "skill_vs_base": [float("nan"), 0.05],
            "low": [float("nan"), 0.02],
            "high": [float("nan"), 0.08],
            "skill_vs_stage": float("nan"),
            "stage_low": float("nan"),
            "stage_high": float("nan"),
            "n": 100,
        }
    )
    table = story.methods(SimpleNamespace(evaluation=evaluation), EN)  # type: ignore[arg-type]
    assert table["against_base"].tolist() == ["–", "+5.0% (+2.0 to +8.0%)"]


def test_methods_without_a_test_is_empty() -> None:
    nothing = pd.DataFrame({"rung": ["base"], "n": [0]})
    columns = [
        "brier",
        "log_loss",
        "skill_vs_base",
        "low",
        "high",
        "skill_vs_stage",
        "stage_low",
        "stage_high",
    ]
    evaluation = nothing.assign(**dict.fromkeys(columns, float("nan")))
    assert story.methods(SimpleNamespace(evaluation=evaluation), EN).empty  # type: ignore[arg-type]


def told_of(versions: pd.DataFrame, words: Words = EN) -> str:
    """The sentence on the CRM's probabilities in the past, for a company with these deals."""
    book: Any = SimpleNamespace(kpi=lambda figure: figure(versions, as_of="2026-10-31"))
    return said(words, story.past_bias(book))


def test_how_wrong_the_probabilities_of_the_crm_were() -> None:
    stamps = pd.to_datetime(["2026-06-01", "2026-08-15", "2026-06-01"])
    versions = pd.DataFrame(
        {
            "deal_id": ["a", "a", "b"],
            "status": ["open", "won", "open"],
            "valid_from": stamps,
            "valid_to": [stamps[1], pd.NaT, pd.NaT],
            "probability": [0.75, 1.0, 0.75],
            "expected_close_date": pd.Timestamp("2026-09-01"),
            "closed_date": [pd.NaT, stamps[1], pd.NaT],
            "amount": 100.0,
        }
    )
    assert "was +50.0% off in the past (95 %: – to –; finished quarters: 1)" in told_of(versions)
    assert "promised €150 from 2 open deals, and they brought €100 by its end" in told_of(versions)
    assert "aus 2 offenen Deals, bis zu seinem Ende brachten diese 100 €" in told_of(versions, DE)
    assert told_of(versions.iloc[:0]).startswith("There is no finished quarter yet")
