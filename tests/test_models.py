"""The ladder of win probabilities: who is taken, how it is judged, how it is explained and kept."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from models_world import AS_OF, World, world
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from salestrack.errors import DataError, InputError
from salestrack.models import AdditiveModel, WinProbability, fit_frames
from salestrack.models import evaluate as ev
from salestrack.models.additive import sigmoid, signed_log
from salestrack.models.ladder import climb, verdict
from salestrack.models.leaks import leak_scan
from salestrack.models.reasons import effects
from salestrack.models.rungs import C, fit_logistic, fit_stage
from salestrack.models.snapshots import FIELDS, LEVELS, NUMBERS, end_of, outcomes, relations, snapshots


@cache
def company(deals: int = 2500, **options: Any) -> World:
    return world(deals, **options)


@cache
def fitted(deals: int = 2500, **options: Any) -> WinProbability:
    return fit_frames(**company(deals, **options).frames, as_of=AS_OF)


@cache
def labelled(deals: int = 2500) -> pd.DataFrame:
    tables = relations({**company(deals).frames, "exchange_rates": None})
    end = end_of(AS_OF)
    return outcomes(tables, snapshots(tables, end=end), end=end, horizon_days=182)


def captured(p: np.ndarray, truth: np.ndarray) -> float:
    """Share of what could be known: 1 is the truth itself, 0 the best constant."""

    def divergence(q: np.ndarray | float) -> float:
        return float((truth * np.log(truth / q) + (1 - truth) * np.log((1 - truth) / (1 - q))).mean())

    return 1 - divergence(p) / divergence(truth.mean())


def test_with_signal_the_nine_fields_win_and_come_near_the_truth() -> None:
    found, world = fitted(), company()
    assert found.rung == "logistic"
    assert found.why["verdict"] == "nine_fields_win"
    table = found.evaluation.set_index("rung")
    assert table["brier"].is_monotonic_decreasing
    assert table["log_loss"].is_monotonic_decreasing
    assert table.loc["logistic", "stage_low"] > 0.05
    scores = found.scores.set_index("deal_id")["p_win"]
    truth = world.truth[scores.index].to_numpy()
    assert captured(scores.to_numpy(), truth) > 0.5
    assert np.corrcoef(scores, truth)[0, 1] > 0.8


@pytest.mark.parametrize(
    ("options", "rung", "words"),
    [
        pytest.param({"effect": 0.0}, "stage", "no_signal_beyond_stage", id="only the stage tells anything"),
        pytest.param({"effect": 0.0, "stages": 1}, "base", "no_signal", id="nothing tells anything"),
        pytest.param({"deals": 40}, "base", "too_few_deals", id="fewer than 20 deals of a kind: base rate"),
        pytest.param(
            {"deals": 100, "seed": 3}, "stage", "too_few_for_fields", id="20 to 39: at most the stage"
        ),
        pytest.param({"deals": 600, "seed": 3}, "logistic", "nine_fields_win", id="a few hundred are enough"),
    ],
)
def test_the_simplest_rung_that_is_not_beaten_is_taken(
    options: dict[str, Any], rung: str, words: str
) -> None:
    found = fitted(**options)
    assert (found.rung, found.why["verdict"]) == (rung, words)
    assert found.model.rung == rung
    assert found.scores["p_win"].between(0.001, 0.999).all()
    assert (found.scores["low"] <= found.scores["p_win"]).all()
    assert (found.scores["high"] >= found.scores["p_win"]).all()


def test_a_rung_that_is_not_taken_prints_its_numbers() -> None:
    why = fitted(effect=0.0).why
    assert why["logistic_over"] == "stage"
    assert why["logistic_gain"] <= why["logistic_standard_error"]
    assert why["stage_gain"] > why["stage_standard_error"]
    assert all(isinstance(value, int | float | str) for value in why.values())


def test_no_outcome_yet_is_unknown_not_a_guess() -> None:
    frames = company(100).frames
    young = frames["deals"].query("created_at >= '2026-07-01'")["deal_id"]
    recent = {name: part[part["deal_id"].isin(young)] for name, part in frames.items()}
    found = fit_frames(**recent, as_of=AS_OF)
    assert found.scores["p_win"].isna().all()
    assert len(found.scores) > 3
    assert found.why["snapshots"] == 0
    assert np.isnan(AdditiveModel.from_json(found.model.to_json()).start)
    assert found.evaluation["n"].tolist() == [0]


def test_scores_are_the_open_deals_likeliest_first() -> None:
    scores = fitted().scores
    assert set(scores["deal_id"]) == set(company().truth.index)
    assert scores["p_win"].is_monotonic_decreasing
    assert_allclose(scores["expected_value"], scores["p_win"] * scores["amount_base"])
    assert not scores["older_than_any_win"].all()


def test_a_deal_older_than_any_win_is_flagged() -> None:
    frames = {name: part.copy() for name, part in company(400).frames.items()}
    zombie = company(400).truth.index[0]
    frames["deals"].loc[frames["deals"]["deal_id"] == zombie, "created_at"] = pd.Timestamp("2015-01-01")
    scores = fit_frames(**frames, as_of=AS_OF).scores.set_index("deal_id")
    assert scores.index[scores["older_than_any_win"]].tolist() == [zombie]


def test_probabilities_mean_what_they_say() -> None:
    found = fitted()
    bins = found.reliability
    assert bins["n"].sum() == found.why["tested"]
    assert bins["p_mean"].is_monotonic_increasing
    inside = bins["p_mean"].between(bins["low"], bins["high"])
    assert inside.sum() >= 8
    assert found.by_origin["n"].sum() == found.by_stage["n"].sum() == found.why["tested"]
    assert found.by_origin["origin"].max() < AS_OF


def test_json_reproduces_the_scores_and_can_be_read_by_a_person() -> None:
    rows, model = labelled(), fitted().model
    text = model.to_json()
    assert AdditiveModel.from_json(text) == model
    assert np.array_equal(AdditiveModel.from_json(text).predict(rows), model.predict(rows))
    segment = next(term for term in json.loads(text)["levels"] if term["field"] == "segment")
    assert segment["levels"]["small"] > segment["levels"]["enterprise"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("no json", id="no JSON at all"),
        pytest.param("[]", id="another kind of JSON"),
        pytest.param('{"format": "something else"}', id="another format"),
        pytest.param('{"format": "salestrack win probability 1"}', id="half a model"),
    ],
)
def test_a_file_that_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="not a model of the form"):
        AdditiveModel.from_json(text)


def test_the_additive_form_is_what_scikit_learn_fitted() -> None:
    """The same regression, put together from scikit-learn's own parts, to 1e-12."""
    known = labelled().dropna()

    def design(part: pd.DataFrame) -> np.ndarray:
        return np.hstack(
            [groups.transform(part[list(LEVELS)]), numbers.transform(signed_log(part[list(NUMBERS)]))]
        )

    numbers = StandardScaler().fit(signed_log(known[list(NUMBERS)]))
    groups = OneHotEncoder(sparse_output=False).fit(known[list(LEVELS)])
    x = design(known)
    other = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10, max_iter=200).fit(x, known["won"])
    model = fit_logistic(known, 182).model
    assert_allclose(model.predict(known), other.predict_proba(x)[:, 1], rtol=0, atol=1e-12)


def test_contributions_add_up_and_effects_replace_one_field() -> None:
    rows, model = labelled().head(50), fitted().model
    parts = model.contributions(rows)
    assert_allclose(model.start + parts.sum(axis=1), model.log_odds(rows), atol=1e-12)
    points = effects(model, rows)
    without = sigmoid(model.log_odds(rows) - parts["segment"].to_numpy())
    assert_allclose(points["segment"], 100 * (model.predict(rows) - without), atol=1e-12)


def test_reasons_are_the_largest_effects_of_either_sign() -> None:
    first = fitted().scores.iloc[0]
    assert 1 <= len(first["reasons_up"]) <= 3
    ups = [reason.effect for reason in first["reasons_up"]]
    assert ups == sorted(ups, reverse=True)
    assert min(ups) > 0
    assert all(reason.effect < 0 for reason in first["reasons_down"])


@pytest.mark.parametrize(("person_level", "named"), [(False, False), (True, True)])
def test_a_figure_about_a_person_is_only_named_where_that_is_agreed(person_level: bool, named: bool) -> None:
    frames = company(600).frames
    scores = fit_frames(**frames, as_of=AS_OF, person_level=person_level).scores
    fields = {reason.field for row in (*scores["reasons_up"], *scores["reasons_down"]) for reason in row}
    assert ("owner_win_rate" in fields) is named


def test_the_same_data_give_the_same_result_in_any_order() -> None:
    frames = company(600).frames
    turned = {name: part.iloc[::-1].reset_index(drop=True) for name, part in frames.items()}
    one, two = fit_frames(**frames, as_of=AS_OF), fit_frames(**turned, as_of=AS_OF)
    pd.testing.assert_frame_equal(one.scores, two.scores, check_exact=True)
    assert one.card.to_json() == two.card.to_json()
    with pytest.raises(FrozenInstanceError):
        one.rung = "base"  # type: ignore[misc]


def test_card_holds_what_a_judge_needs() -> None:
    card = json.loads(fitted().card.to_json())
    assert card["deals"]["open"] == len(company().truth)
    assert sum(card["deals"].values()) == 2500
    assert card["deals"]["left_out"] == 0
    assert card["as_of"] == "2026-10-31"
    assert card["last_training_snapshot"] == "2026-04-18"  # 196 days, the first of 28-day steps beyond 182
    assert {"gate", "evaluation", "reliability", "refused", "leak_scan", "seed", "versions", "model"} <= set(
        card
    )
    assert "NaN" not in fitted().card.to_json()


def test_deleted_deals_are_left_out_and_counted() -> None:
    frames = company(600).frames
    kept = {**frames, "deals": frames["deals"].iloc[5:]}
    assert fit_frames(**kept, as_of=AS_OF).card.deals["left_out"] == 5


def test_horizon_must_be_a_day_or_more() -> None:
    with pytest.raises(InputError, match="at least one day"):
        fit_frames(**company(60).frames, as_of=AS_OF, horizon_days=0)


# -- judging -------------------------------------------------------------------------------------------------


def test_training_ends_where_its_outcomes_were_known_on_the_day_of_the_test() -> None:
    rows = labelled()
    for day, train, test in ev.forward_folds(rows, 182):
        assert (rows.loc[train, "snapshot_at"] + pd.Timedelta(days=182) <= day).all()
        assert (rows.loc[test, "snapshot_at"] == day).all()


def test_folds_by_deal_never_split_a_deal() -> None:
    rows = labelled(100)
    for _, train, test in ev.deal_folds(rows):
        assert not set(rows.loc[train, "deal_id"]) & set(rows.loc[test, "deal_id"])


def said(*rows: tuple[str, int, float, float]) -> pd.DataFrame:
    out = pd.DataFrame(rows, columns=["deal_id", "won", "base", "stage"])
    return out.assign(origin=pd.Timestamp("2026-01-01"), fold=0, stage_name="s")


def test_gate_counts_deals_not_snapshots() -> None:
    one = [("a", 1, 0.5, 0.8), ("b", 0, 0.5, 0.3), ("c", 1, 0.5, 0.4)]
    once, ten_times = ev.gain(said(*one), "stage", "base"), ev.gain(said(*one * 10), "stage", "base")
    assert once["gain"] == pytest.approx((np.log(0.8 / 0.5) + np.log(0.7 / 0.5) + np.log(0.4 / 0.5)) / 3)
    assert ten_times["standard_error"] == pytest.approx(once["standard_error"])


def test_skill_is_one_minus_the_ratio_of_brier_scores() -> None:
    table = ev.scores_by_rung(said(("a", 1, 0.5, 0.9), ("b", 0, 0.5, 0.1)), ["base", "stage"], seed=1)
    assert table["brier"].tolist() == pytest.approx([0.25, 0.01])
    assert table["skill_vs_base"].tolist() == pytest.approx([np.nan, 0.96], nan_ok=True)
    assert table["auc"].tolist() == [0.5, 1.0]
    assert table[["n", "deals"]].to_numpy().tolist() == [[2, 2], [2, 2]]


def test_equal_probabilities_share_a_bin_and_bars_count_deals() -> None:
    table = ev.reliability(said(*[("a", 1, 0.3, 0.2)] * 5, *[("b", 0, 0.3, 0.8)] * 5), "base")
    assert table.drop(columns=["low", "high"]).to_numpy()[0] == pytest.approx([1, 0.3, 0.5, 5, 10, 2])
    assert table[["low", "high"]].round(3).to_numpy().tolist() == [[0.095, 0.905]]


def test_shuffled_outcomes_leave_no_signal() -> None:
    rows = labelled()
    deals = rows["deal_id"].drop_duplicates()
    order = dict(zip(deals, np.random.default_rng(5).permutation(deals), strict=True))
    outcome = rows.groupby("deal_id")["won"].max()
    shuffled = rows.assign(won=rows["deal_id"].map(order).map(outcome))
    found = climb(shuffled, list(FIELDS), 182, seed=1)
    assert found.rung == "base"
    assert found.evaluation.set_index("rung").loc["logistic", "auc"] == pytest.approx(0.5, abs=0.04)


def test_an_even_sample_of_very_many_deals_keeps_all_their_snapshots() -> None:
    rows = labelled(100)
    some = ev.thinned(rows, most=30)
    kept = sorted(some["deal_id"].unique())
    assert kept == sorted(rows["deal_id"].unique())[::3]
    assert len(some) == rows["deal_id"].isin(kept).sum()
    assert ev.thinned(rows) is rows


def test_verdict_of_the_stage_by_size() -> None:
    assert [verdict("stage", n) for n in (20, 39, 40)] == [
        "too_few_for_fields",
        "too_few_for_fields",
        "no_signal_beyond_stage",
    ]


def test_stage_rate_is_shrunk_by_eight_deals() -> None:
    train = pd.DataFrame({"deal_id": list("abcd"), "stage": list("xxyy"), "won": [1, 1, 0, 0]})
    p = fit_stage(train, 182).model.predict(pd.DataFrame({"stage": ["x", "y", "new"]}))
    assert_allclose(p, [(2 + 8 * 0.5) / 10, (0 + 8 * 0.5) / 10, 0.5])


def test_rare_and_new_groups_share_one_effect() -> None:
    rows = labelled().copy()
    few = rows["deal_id"].drop_duplicates().iloc[:10]
    rows.loc[rows["deal_id"].isin(few), "segment"] = "rare"
    term = next(t for t in fit_logistic(rows, 182).model.levels if t.field == "segment")
    assert set(term.levels) == {"enterprise", "mid-market", "small"}
    assert term.effect(pd.Series(["rare"])) == term.effect(pd.Series(["never seen"]))


def test_a_missing_number_has_an_effect_of_its_own() -> None:
    rows = labelled().copy()
    rows.loc[rows["won"] == 1, "amount"] = rows["amount"].where(rows.index % 2 == 0)
    term = next(t for t in fit_logistic(rows, 182).model.numbers if t.field == "amount")
    assert term.missing > term.present + 1


# -- leaks ---------------------------------------------------------------------------------------------------


def closed_deals() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    status = np.array(["won"] * 40 + ["lost"] * 40 + ["open"] * 40)
    return pd.DataFrame(
        {
            "deal_id": [f"d{i}" for i in range(120)],
            "status": status,
            "segment": rng.choice(["small", "large"], 120),
            "account_id": [f"a{i}" for i in range(120)],
            "amount": np.where(status == "lost", 0.0, rng.uniform(1, 2, 120)),
            "lost_reason": pd.Series(np.where(status == "lost", "price", "x")).where(status == "lost"),
            "signed_by": pd.Series(np.where(status == "open", "x", "Ada")).where(status != "open"),
        }
    )


def test_leak_scan_finds_what_is_written_at_closing() -> None:
    found = {(finding["column"], finding["check"]) for finding in leak_scan(closed_deals())}
    assert found == {
        ("amount", "auc"),
        ("lost_reason", "auc"),
        ("lost_reason", "missing"),
        ("signed_by", "missing"),
    }


def test_a_group_that_knows_the_answer_is_refused_and_named() -> None:
    frames = {name: part.copy() for name, part in company(600).frames.items()}
    last = frames["deal_versions"].groupby("deal_id")["status"].last()
    frames["deals"]["lead_source"] = frames["deals"]["deal_id"].map(last).replace({"open": "lost"})
    found = fit_frames(**frames, as_of=AS_OF)
    assert found.card.refused == {"source": "auc"}
    assert "source" not in found.model.fields
