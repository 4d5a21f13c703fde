"""The mistakes that the KPI reference names in stages, leads and cycle, each as a few rows to check in the head."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from kpis.rows import day, deals

from salestrack import kpis

# -- stages and leads (12, 13, 14, 28)


def spells(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Stays as (deal, seq, stage, entered, left, exit, forward, lost, won)."""
    names = [
        "deal_id",
        "seq",
        "stage_name",
        "entered_at",
        "left_at",
        "exit_type",
        "forward_at",
        "lost_at",
        "won_at",
    ]
    table = pd.DataFrame(rows, columns=names)
    dated = {name: day(*table[name]) for name in names if name.endswith("_at")}
    first = ~table.duplicated(["deal_id", "stage_name"])
    return table.assign(**dated, is_first_entry=first)


def test_open_deals_are_neither_lost_nor_left_out() -> None:
    frame = spells(
        ("a", 1, "S", "2026-01-01", "2026-01-11", "forward", "2026-01-11", None, None),
        ("b", 1, "S", "2026-01-01", "2026-01-11", "lost", None, "2026-01-11", None),
        ("c", 1, "S", "2026-10-30", None, None, None, None, None),
    )
    table = kpis.stage_conversion(frame, as_of="2026-10-31")
    assert table["stage_conversion"][0] == 0.5  # not 1/3 (open as lost) and not of two deals only
    assert table[["forward", "lost", "open", "n"]].iloc[0].tolist() == [1, 1, 1, 3]


def test_a_lost_deal_can_no_longer_move_on() -> None:
    frame = spells(
        *[(f"l{i}", 1, "S", "2026-01-01", "2026-01-05", "lost", None, "2026-01-05", None) for i in range(8)],
        ("a", 1, "S", "2026-01-01", "2026-01-20", "forward", "2026-01-20", None, None),
        ("b", 1, "S", "2026-01-01", None, None, None, None, None),
    )
    assert kpis.stage_conversion(frame, as_of="2026-10-31")["stage_conversion"][0] == pytest.approx(
        0.1
    )  # Kaplan-Meier: 0.5


def test_a_stage_skipped_over_was_surpassed_and_a_second_visit_does_not_count() -> None:
    frame = spells(
        ("a", 1, "S", "2026-01-01", "2026-01-03", "backward", "2026-01-09", None, None),
        ("a", 2, "R", "2026-01-03", "2026-01-06", "forward", "2026-01-06", None, None),
        ("a", 3, "S", "2026-01-06", "2026-01-09", "won", "2026-01-09", None, "2026-01-09"),
    )
    table = kpis.stage_conversion(frame, as_of="2026-10-31").set_index("stage_name")
    assert table.loc["S", ["forward", "backward", "n"]].tolist() == [1, 1, 1]


def test_what_happened_after_the_day_is_not_known() -> None:
    frame = spells(("a", 1, "S", "2026-01-01", "2026-02-01", "forward", "2026-02-01", None, "2026-03-01"))
    table = kpis.stage_conversion(frame, as_of="2026-01-20")
    assert table[["forward", "open", "n", "note"]].iloc[0].tolist() == [0, 1, 1, "immature"]
    assert kpis.stage_dwell(frame, as_of="2026-01-20")["open"][0] == 1
    assert kpis.stage_conversion(frame, as_of="2025-12-31").empty


def test_a_deleted_or_moved_deal_does_not_fail_the_stage() -> None:
    frame = spells(
        ("a", 1, "S", "2026-01-01", "2026-01-05", "deleted", None, None, None),
        ("b", 1, "S", "2026-01-01", "2026-01-20", "forward", "2026-01-20", None, None),
        ("c", 1, "S", "2026-01-01", "2026-01-20", "transferred", None, None, None),
    )
    table = kpis.stage_conversion(frame, as_of="2026-10-31")
    assert table[["forward", "lost", "transferred", "n"]].iloc[0].tolist() == [1, 0, 1, 3]
    assert table["stage_conversion"][0] == 0.5


def test_deals_stuck_in_a_stage_lengthen_the_stay() -> None:
    done = [
        (f"d{i}", 1, "S", "2026-01-01", f"2026-01-{5 + i:02}", "forward", None, None, None) for i in range(3)
    ]
    stuck = [(f"s{i}", 1, "S", "2026-01-01", None, None, None, None, None) for i in range(2)]
    assert kpis.stage_dwell(spells(*done), as_of="2026-10-31")["stage_dwell"][0] == 5
    assert kpis.stage_dwell(spells(*done, *stuck), as_of="2026-10-31")["stage_dwell"][0] == 6
    waiting = kpis.stage_dwell(spells(*stuck), as_of="2026-10-31")
    assert waiting[["open", "n", "note"]].iloc[0].tolist() == [2, 2, "not_reached"]


def test_losses_belong_to_the_last_open_stage_and_add_up() -> None:
    frame = spells(
        ("a", 1, "R", "2026-01-01", "2026-01-03", "forward", "2026-01-03", "2026-01-09", None),
        ("a", 2, "S", "2026-01-03", "2026-01-09", "lost", None, "2026-01-09", None),
        ("b", 1, "R", "2026-01-01", "2026-01-09", "lost", None, "2026-01-09", None),
        ("c", 1, "R", "2026-01-01", "2026-01-04", "lost", "2026-02-01", None, None),
        ("c", 2, "R", "2026-01-20", "2026-02-01", "won", "2026-02-01", None, "2026-02-01"),
    )
    table = kpis.funnel_leakage(
        frame.assign(amount_base_cents=[100, 100, 250, 900, 900]), as_of="2026-10-31"
    ).set_index("stage_name")
    assert table["lost"].to_dict() == {"R": 1, "S": 1}  # c was lost, reopened and won: no loss
    assert table["lost_value"].to_dict() == {"R": 2.5, "S": 1.0}
    assert table["share_of_loss"].sum() == 1


def test_a_loss_that_was_taken_back_leaks_from_no_stage() -> None:
    frame = spells(
        ("a", 1, "R", "2026-01-01", "2026-01-04", "lost", "2026-01-20", None, "2026-02-01"),
        ("a", 2, "S", "2026-01-20", "2026-02-01", "won", "2026-02-01", None, "2026-02-01"),
    )
    assert kpis.funnel_leakage(frame, as_of="2026-10-31")["lost"].tolist() == [0, 0]


def test_a_deal_open_for_longer_than_the_winners_is_stalled() -> None:
    won = [
        (f"w{i}", 1, "S", "2026-01-01", f"2026-01-{2 + i:02}", "won", None, None, f"2026-01-{2 + i:02}")
        for i in range(10)
    ]
    late = ("x", 1, "S", "2026-01-01", None, None, None, None, None)
    fresh = ("y", 1, "S", "2026-10-30", None, None, None, None, None)
    table = kpis.funnel_leakage(spells(*won, late, fresh).assign(amount_base_cents=700), as_of="2026-10-31")
    assert table[["open", "stalled", "stalled_value", "winners_p90"]].iloc[0].tolist() == [2, 1, 7, 9]


def leads(*rows: tuple[str | None, str | None, str | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["mql_at", "sql_at", "disqualified_at"])
    return table.assign(**{name: day(*table[name]) for name in table})


def test_an_sql_of_this_month_belongs_to_the_mql_of_its_own() -> None:
    frame = leads(
        ("2026-01-20", "2026-02-03", None), ("2026-02-05", None, "2026-02-09"), (None, "2026-02-07", None)
    )
    table = kpis.mql_to_sql(frame, as_of="2026-10-31", by="month")
    want = {
        "month": [pd.Timestamp("2026-01-01"), pd.Timestamp("2026-02-01")],
        "sql": [1, 0],
        "disqualified": [0, 1],
        "sql_without_mql": [0, 1],
        "mql_to_sql": [1.0, 0.0],
        "n": [1, 1],
    }
    assert table[list(want)].to_dict("list") == want


def test_a_lead_that_is_still_young_is_not_a_failure() -> None:
    frame = leads(("2026-01-01", "2026-01-25", None), ("2026-01-02", None, None), ("2026-10-20", None, None))
    table = kpis.mql_to_sql(frame, as_of="2026-10-31")
    assert table["mql_to_sql"][0] == 0.5  # of the two that have waited 24 days, not of three
    assert table[["open", "n"]].iloc[0].tolist() == [1, 3]
    assert table["matured"][0] == pytest.approx(2 / 3)
    young = kpis.mql_to_sql(frame[2:], as_of="2026-10-31")
    assert math.isnan(young["mql_to_sql"][0])
    assert young["note"][0] == "immature"


# -- cycle (15)


def test_the_cycle_is_a_median_of_won_deals_and_its_direction_is_right() -> None:
    frame = deals(
        ("won", 1, "2026-01-11"),
        ("won", 1, "2026-01-21"),
        ("won", 1, "2026-12-27"),
        ("lost", 1, "2026-04-01"),
        ("won", 1, "2025-12-01"),
        created_date=day(*["2026-01-01"] * 5),
    )
    table = kpis.sales_cycle(frame)
    assert table[["sales_cycle", "n", "days_to_lost", "lost", "negative"]].iloc[0].tolist() == [
        20,
        3,
        90,
        1,
        1,
    ]
