"""Snapshots know what was known on their day, and nothing else."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from models_world import AS_OF, world

from salestrack.errors import InputError
from salestrack.models import fit_frames
from salestrack.models.snapshots import FIELDS, closings, end_of, outcomes, relations, snapshots

END = datetime(2026, 3, 30)
TIMES = {
    "deals": ["created_at"],
    "deal_versions": ["valid_from", "valid_to"],
    "stage_spells": ["entered_at", "left_at"],
    "activities": ["started_at"],
    "exchange_rates": ["rate_date"],
}


def frame(columns: str, *rows: tuple[Any, ...]) -> pd.DataFrame:
    """Literal rows; columns that name a time are timestamps."""
    out = pd.DataFrame(rows, columns=columns.split())
    for column in out:
        if column.endswith(("_at", "_from", "_to", "_date")):
            out[column] = pd.to_datetime(out[column]).astype("datetime64[us]")
    return out


VERSION = "deal_id valid_from valid_to stage_id status amount currency_code owner_rep_id pushes"


def company() -> dict[str, pd.DataFrame]:
    """A: open, pushed once, second stage. B: won on 9 March. C: lost on 2 March. D: open, no amount."""
    return {
        "deals": frame(
            "deal_id segment lead_source created_at",
            ("A", "small", "web", "2026-01-05"),
            ("B", "large", "web", "2026-01-05"),
            ("C", "small", None, "2026-01-05"),
            ("D", None, "event", "2026-03-23"),
        ),
        "deal_versions": frame(
            VERSION,
            ("A", "2026-01-05", "2026-02-16", "Q", "open", 100.0, "CHF", "r1", 0),
            ("A", "2026-02-16", "2026-03-20", "P", "open", 200.0, "CHF", "r1", 0),
            ("A", "2026-03-20", None, "P", "open", 200.0, "CHF", "r1", 1),
            ("B", "2026-01-05", "2026-03-09", "Q", "open", 50.0, "EUR", "r1", 0),
            ("B", "2026-03-09", None, "W", "won", 50.0, "EUR", "r1", 0),
            ("C", "2026-01-05", "2026-03-02", "Q", "open", 70.0, "EUR", "r2", 0),
            ("C", "2026-03-02", None, "L", "lost", 70.0, "EUR", "r2", 0),
            ("D", "2026-03-23", None, "Q", "open", None, "EUR", None, 0),
        ),
        "stage_spells": frame(
            "deal_id stage_name entered_at left_at",
            ("A", "Qualify", "2026-01-05", "2026-02-16"),
            ("A", "Propose", "2026-02-16", None),
            ("B", "Qualify", "2026-01-05", "2026-03-09"),
            ("C", "Qualify", "2026-01-05", "2026-03-02"),
            ("D", "Qualify", "2026-03-23", None),
        ),
        "activities": frame(
            "deal_id activity_type started_at is_done",
            ("A", "call", "2026-02-03", True),
            ("A", "meeting", "2026-03-10", True),
            ("A", "email", "2026-03-11", False),
            ("A", "internal_meeting", "2026-03-12", True),
            ("A", "call", "2026-03-30", True),
        ),
        "exchange_rates": frame(
            "from_currency_code to_currency_code rate_date rate",
            ("CHF", "EUR", "2026-01-01", 0.5),
            ("CHF", "EUR", "2026-03-01", 0.6),
            ("CHF", "EUR", "2026-03-30", 9.9),
            ("CHF", "USD", "2026-03-01", 7.7),
        ),
    }


def taken(frames: dict[str, Any], end: datetime = END, **options: Any) -> pd.DataFrame:
    return snapshots(relations({"exchange_rates": None, **frames}), end=end, currency="EUR", **options)


def test_every_field_is_what_was_known_before_the_day() -> None:
    base = 0.5  # one won, one lost by the last snapshot
    assert taken(company()).to_dict("list") == {
        "snapshot_at": [*[pd.Timestamp("2026-02-02")] * 3, *[pd.Timestamp("2026-03-02")] * 3]
        + [pd.Timestamp("2026-03-30")] * 2,
        "deal_id": ["A", "B", "C", "A", "B", "C", "A", "D"],
        "stage_name": ["Qualify"] * 3 + ["Propose", "Qualify", "Qualify", "Propose", "Qualify"],
        "stage": ["Q"] * 3 + ["P", "Q", "Q", "P", "Q"],
        "segment": ["small", "large", "small", "small", "large", "small", "small", "(missing)"],
        "source": ["web", "web", "(missing)", "web", "web", "(missing)", "web", "event"],
        "age_days": [28.0, 28.0, 28.0, 56.0, 56.0, 56.0, 84.0, 7.0],
        "days_in_stage": [28.0, 28.0, 28.0, 14.0, 56.0, 56.0, 42.0, 7.0],
        "pushes_per_week": [0.0] * 6 + [1 / 12, 0.0],
        "activities_per_week": [0.0, 0.0, 0.0, 1 / 8, 0.0, 0.0, 2 / 12, 0.0],
        "owner_win_rate": pytest.approx(
            [float("nan")] * 6 + [(1 + 8 * base) / (1 + 8), base], nan_ok=True, abs=1e-15
        ),
        "amount": pytest.approx([50.0, 50.0, 70.0, 120.0, 50.0, 70.0, 120.0, float("nan")], nan_ok=True),
    }


@pytest.mark.parametrize(
    ("days", "won"),
    [
        pytest.param(
            28, {"A": [0, 0], "B": [0, 1], "C": [0, 0]}, id="28 days: B is won after its second snapshot"
        ),
        pytest.param(36, {"A": [0], "B": [1], "C": [0]}, id="36 days: only the first snapshot is old enough"),
        pytest.param(35, {"A": [0], "B": [0], "C": [0]}, id="a win at the very end of the horizon is late"),
        pytest.param(57, {}, id="nothing has had its time yet: no label at all"),
    ],
)
def test_outcome_is_the_state_at_the_end_of_the_horizon(days: int, won: dict[str, list[int]]) -> None:
    tables = relations(company())
    rows = outcomes(tables, snapshots(tables, end=END, currency="EUR"), end=END, horizon_days=days)
    assert {deal: part.tolist() for deal, part in rows.groupby("deal_id")["won"]} == won


def test_a_deal_that_was_won_and_reopened_is_not_won() -> None:
    frames = company()
    versions = frames["deal_versions"]
    versions.loc[versions["status"] == "won", "valid_to"] = pd.Timestamp("2026-03-11")
    again = frame(VERSION, ("B", "2026-03-11", None, "Q", "open", 50.0, "EUR", "r1", 0))
    frames["deal_versions"] = pd.concat([versions, again], ignore_index=True)
    tables = relations(frames)
    rows = snapshots(tables, end=END, currency="EUR")
    labelled = outcomes(tables, rows, end=END, horizon_days=28)
    assert labelled["won"].sum() == 0
    assert rows.loc[rows["snapshot_at"] == pd.Timestamp(END), "deal_id"].tolist() == ["A", "B", "D"]
    assert rows["owner_win_rate"].iloc[-3:].tolist() == [0.0, 0.0, 0.0], (
        "the win is taken back from its owner"
    )


def test_states_at_the_end() -> None:
    tables = relations(company())
    assert closings(tables, end=END).fillna(-1).to_dict("list") == {
        "deal_id": ["A", "B", "C", "D"],
        "status": ["open", "won", "lost", "open"],
        "won_age_days": [-1, 63, -1, -1],
    }


def test_an_activity_counts_once_it_is_ticked_off() -> None:
    frames = company()
    frames["activities"]["completed_at"] = pd.to_datetime(["2026-03-05", *[None] * 4])
    rows = taken(frames).query("deal_id == 'A'")
    assert rows["activities_per_week"].tolist() == [0, 0, 2 / 12]


def test_mixed_currencies_without_rates_are_refused() -> None:
    with pytest.raises(InputError, match="mixed currencies.*amount_base"):
        snapshots(relations({**company(), "exchange_rates": None}), end=END)


def test_a_missing_rate_makes_an_amount_unknown_not_equal() -> None:
    rows = taken({**company(), "exchange_rates": None}).query("deal_id == 'A'")
    assert rows["amount"].isna().all()


def test_a_missing_column_is_named() -> None:
    frames = company()
    frames["deals"] = frames["deals"].rename(columns={"created_at": "create_at"})
    with pytest.raises(InputError, match=r"deals\) needs the column 'created_at'.*did you mean 'create_at'"):
        relations(frames)


def test_other_frames_are_refused_with_a_cure() -> None:
    with pytest.raises(InputError, match=r"deals is a dict: give a pandas frame .* or a DuckDB relation"):
        relations({**company(), "deals": {}})  # type: ignore[dict-item]


def test_relations_give_the_same_snapshots_and_no_frame_is_changed() -> None:
    frames, before, con = company(), company(), duckdb.connect()
    pd.testing.assert_frame_equal(taken({n: con.from_df(part) for n, part in frames.items()}), taken(frames))
    for name, part in before.items():
        pd.testing.assert_frame_equal(frames[name], part)


def test_no_deal_was_open() -> None:
    empty = {name: part.iloc[:0] for name, part in company().items()}
    assert len(taken(empty)) == 0


def known_before(frames: dict[str, pd.DataFrame], end: datetime) -> dict[str, pd.DataFrame]:
    """The data as they stood just before `end`: later rows are not there, later ends are not known."""
    cut = {}
    for name, part in frames.items():
        since, *until = TIMES[name]
        part = part[part[since] < end].copy()
        for column in until:
            part[column] = part[column].where(part[column] < end)
        cut[name] = part
    return cut


@pytest.mark.parametrize("weeks_ago", [0, 4, 40, 80])
def test_each_snapshot_can_be_rebuilt_from_what_there_was_on_its_day(weeks_ago: int) -> None:
    frames = world(1500).frames
    now = end_of(AS_OF)
    then = now - timedelta(weeks=weeks_ago)
    whole = taken(frames, now)
    rebuilt = taken(known_before(frames, then), then)
    expected = whole[whole["snapshot_at"] <= pd.Timestamp(then)].reset_index(drop=True)
    pd.testing.assert_frame_equal(rebuilt, expected, check_exact=True)
    assert len(rebuilt) > 500


PAST = date(2025, 8, 31)
FRAMES = world(250, seed=2).frames
EXPECTED = fit_frames(**FRAMES, as_of=PAST)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    table=st.sampled_from(["deal_versions", "stage_spells", "activities"]),
    picks=st.lists(st.integers(0, 10_000), min_size=1, max_size=20),
    column=st.sampled_from(["status", "stage_id", "stage_name", "owner_rep_id", "amount", "is_done", "drop"]),
)
def test_no_row_after_the_day_changes_a_prediction(table: str, picks: list[int], column: str) -> None:
    frames = {**FRAMES}
    part = frames[table].copy()
    later = part.index[part[TIMES[table][0]] >= pd.Timestamp(end_of(PAST))]
    hit = later[[pick % len(later) for pick in picks]].unique()
    if column == "drop" or column not in part:
        part = part.drop(index=hit)
    else:
        changed = {"status": "won", "amount": 1e9, "is_done": False}.get(column, "changed")
        part.loc[hit, column] = changed
    frames[table] = part
    found = fit_frames(**frames, as_of=PAST)
    pd.testing.assert_frame_equal(found.scores, EXPECTED.scores, check_exact=True)
    assert found.card == EXPECTED.card


def test_fields_hold_no_person_and_nothing_set_at_closing() -> None:
    assert not {"owner_rep_id", "rep_name", "closed_at", "lost_reason", "expected_close_date"} & set(FIELDS)
    assert len(FIELDS) == 9
