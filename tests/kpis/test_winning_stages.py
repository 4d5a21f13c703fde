"""The mistakes that the reference names for moving on from stage to stage and for bottlenecks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kpis.rows import day

from salestrack import kpis
from salestrack.errors import KpiError

NOW = "2026-10-31"


# -- what moving on is (13)


def path(deal: str, *stops: tuple[int, str], end: tuple[str, str] | None = None) -> list[dict[str, Any]]:
    """The stays of a deal from (stage, day entered) and how and when it ended."""
    rows, stages = [], [stage for stage, _ in stops]
    for i, (stage, entered) in enumerate(stops):
        after = stops[i + 1] if i + 1 < len(stops) else None
        left = after[1] if after else end[1] if end else None
        way = (("forward" if after[0] > stage else "backward") if after else end[0]) if left else None  # type: ignore[index]
        on = next((d for s, d in stops[i + 1 :] if s > stage), end[1] if end and end[0] == "won" else None)
        rows.append({
            "deal_id": deal, "seq": i + 1, "stage_name": f"S{stage}", "stage_order": stage, "entered_at": entered,
            "left_at": left, "exit_type": way, "is_first_entry": stage not in stages[:i], "forward_at": on,
            "lost_at": end[1] if end and end[0] == "lost" else None,
            "won_at": end[1] if end and end[0] == "won" else None,
        })  # fmt: skip
    return rows


def stays(*paths: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame([row for rows in paths for row in rows])
    return table.assign(**{c: day(*table[c]) for c in table if c.endswith("_at")})


JUMPS = stays(
    path("straight", (1, "2026-01-01"), (2, "2026-01-05"), (3, "2026-01-09"), end=("won", "2026-01-20")),
    path("skips", (1, "2026-01-01"), (3, "2026-01-05"), end=("won", "2026-01-20")),
    path(
        "returns",
        (2, "2026-01-01"),
        (1, "2026-01-03"),
        (3, "2026-01-06"),
        (2, "2026-01-09"),
        (3, "2026-01-12"),
    ),
    path("early", (1, "2026-01-01"), end=("won", "2026-01-20")),
    path("lost", (1, "2026-01-01"), end=("lost", "2026-01-20")),
)


@pytest.mark.parametrize(("skip", "first", "second", "last"), [
    pytest.param("passed", 4, 2, 2, id="a later stage or the win, directly or not"),
    pytest.param("touched", 2, 2, 2, id="the very next stage, at any time after"),
    pytest.param("strict", 1, 1, 2, id="the stay itself ended in the very next stage"),
])  # fmt: skip
def test_the_three_definitions_of_moving_on(skip: str, first: int, second: int, last: int) -> None:
    table = kpis.stage_conversion(JUMPS, as_of=NOW, skip=skip).set_index("stage_name")  # type: ignore[arg-type]
    assert table["forward"].to_dict() == {"S1": first, "S2": second, "S3": last}
    assert table["n"].to_dict() == {"S1": 5, "S2": 2, "S3": 3}
    assert table["lost"].to_dict() == {"S1": 1, "S2": 0, "S3": 0}
    assert table["stage_conversion"]["S1"] == pytest.approx(first / 5)


def test_an_unknown_definition_is_refused_and_the_narrow_ones_need_the_order() -> None:
    with pytest.raises(KpiError, match="strict"):
        kpis.stage_conversion(JUMPS, as_of=NOW, skip="any")  # type: ignore[arg-type]
    with pytest.raises(KpiError, match="stage_order"):
        kpis.stage_conversion(JUMPS.drop(columns="stage_order"), as_of=NOW, skip="strict")


@pytest.mark.parametrize("skip", ["passed", "touched", "strict"])
def test_what_comes_after_the_period_still_ends_the_wait_of_what_began_in_it(skip: str) -> None:
    frame = stays(
        path("a", (1, "2026-01-30"), (2, "2026-02-05")), path("b", (1, "2026-01-30"), (2, "2026-03-01"))
    )
    table = kpis.stage_conversion(frame, as_of=NOW, period="2026-01", skip=skip)  # type: ignore[arg-type]
    assert table[["stage_name", "forward", "n"]].to_numpy().tolist() == [["S1", 2, 2]]


def test_a_deal_deleted_after_the_period_was_not_waiting_any_more() -> None:
    frame = stays(path("a", (2, "2026-01-30"), (1, "2026-02-05"), end=("deleted", "2026-02-09")),
                  path("b", (2, "2026-01-30"), end=("won", "2026-02-20")))  # fmt: skip
    table = kpis.stage_conversion(frame, as_of=NOW, period="2026-01")
    assert table["stage_conversion"].tolist() == [1.0]


@pytest.mark.parametrize("skip", ["passed", "touched", "strict"])
def test_each_narrower_definition_finds_no_more(skip: str) -> None:
    rng = np.random.default_rng(3)
    paths = []
    for number in range(60):
        stages = [int(s) for s in rng.integers(1, 5, 5)]
        stages = [s for i, s in enumerate(stages) if not i or s != stages[i - 1]]
        days = np.sort(rng.choice(np.arange(1, 28), len(stages) + 1, replace=False))
        stops = [(s, f"2026-01-{d:02}") for s, d in zip(stages, days, strict=False)]
        end = [None, ("won", f"2026-01-{days[-1]:02}"), ("lost", f"2026-01-{days[-1]:02}")][number % 3]
        paths.append(path(f"d{number}", *stops, end=end))
    found = kpis.stage_conversion(stays(*paths), as_of=NOW, skip=skip)  # type: ignore[arg-type]
    wide = kpis.stage_conversion(stays(*paths), as_of=NOW)
    assert (found["forward"] <= wide["forward"]).all()
    assert (found[["forward", "lost", "transferred", "otherwise"]].sum(axis=1) <= found["n"]).all()
    if skip != "passed":
        narrow = kpis.stage_conversion(stays(*paths), as_of=NOW, skip="strict")
        assert (narrow["forward"] <= found["forward"]).all()


# -- bottleneck (29)


def queue(seed: int, slower: float = 1.0, days: int = 700, per_day: float = 2.0) -> tuple[pd.DataFrame, Any]:
    """One stage that deals stay in for 20 days on average, `slower` times as long in the last 200 days."""
    rng = np.random.default_rng(seed)
    begun = np.repeat(np.arange(days), rng.poisson(per_day, days))
    work, turn = rng.exponential(20, len(begun)), days - 200
    before = np.maximum(turn - begun, 0)  # days of the old pace that a stay can use up
    took = np.where(work <= before, work, before + (work - before) * slower).astype(int)
    start, over = pd.Timestamp("2024-01-01"), begun + took < days
    return pd.DataFrame({
        "deal_id": np.arange(len(begun)), "stage_name": "Offer",
        "entered_at": start + pd.to_timedelta(begun, unit="D"),
        "left_at": (start + pd.to_timedelta(begun + took, unit="D")).where(over),
        "exit_type": np.where(over, "forward", None),
    }), start + pd.Timedelta(days=days - 1)  # fmt: skip


def test_a_steady_stage_is_no_bottleneck() -> None:
    flagged = 0
    for seed in range(40):
        frame, today = queue(seed)
        row = kpis.bottleneck(frame, as_of=today, window_days=200).iloc[0]
        flagged += row["low"] > 0 or row["p_value"] < 0.01
        assert row["expected"] == pytest.approx(39, rel=0.35)
    assert flagged <= 3


def test_a_stage_that_slows_down_shows_in_excess_test_and_effect() -> None:
    frame, today = queue(1, slower=2.0)
    row = kpis.bottleneck(frame, as_of=today, window_days=200).iloc[0]
    assert row["bottleneck"] == pytest.approx(40, rel=0.4)  # twice the stay, twice the deals
    assert row["low"] > 0
    assert row["p_value"] < 1e-4
    assert row["hazard_ratio"] == pytest.approx(0.5, abs=0.1)
    assert row["change_low"] > 0
    assert row["dwell_change"] == pytest.approx(20, rel=0.4)


def test_many_arrivals_alone_are_no_excess() -> None:
    frame, today = queue(2, per_day=20.0)
    row = kpis.bottleneck(frame, as_of=today, window_days=200).iloc[0]
    assert row["wip"] > 300
    assert abs(row["excess_share"]) < 0.15


def test_without_a_window_before_there_is_nothing_to_compare_with() -> None:
    frame, today = queue(3, days=100)
    row = kpis.bottleneck(frame, as_of=today, window_days=200).iloc[0]
    assert row["note"] == "no_contrast"
    assert math.isnan(row["bottleneck"])
    assert row["wip"] > 0


def test_a_window_knows_nothing_of_the_days_after_it() -> None:
    frame, today = queue(4)
    early = today - pd.Timedelta(days=150)
    known = frame[frame["entered_at"] <= early]
    known = known.assign(left_at=known["left_at"].where(known["left_at"] <= early))
    pd.testing.assert_frame_equal(
        kpis.bottleneck(frame, as_of=early, window_days=150),
        kpis.bottleneck(known, as_of=early, window_days=150),
    )
