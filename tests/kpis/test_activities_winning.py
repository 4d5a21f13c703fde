"""The rules of activities, people met and winning: each mistake that the KPI reference names, as a few rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from salestrack import kpis
from salestrack.errors import KpiError

AS_OF = "2026-10-31"


# -- a company in which activities have no effect at all


def without_effect(seed: int, slow: str, size: int = 3000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Deals won by the toss of a coin; calls at the same rate per open day; those of one outcome live longer."""
    rng = np.random.default_rng(seed)
    won = rng.random(size) < 0.4
    mean = np.where(won == (slow == "won"), 144, 72)
    born = rng.integers(0, 700, size)
    lived = np.minimum(rng.exponential(mean).astype(int), 400)
    count = rng.poisson(0.08 * (lived + 1))
    which = np.repeat(np.arange(size), count)
    day = born[which] + (rng.random(len(which)) * (lived[which] + 1)).astype(int)
    start = np.datetime64("2023-01-01")
    table = pd.DataFrame({
        "deal_id": [f"d{i}" for i in range(size)], "status": np.where(won, "won", "lost"),
        "created_date": start + born, "closed_date": start + born + lived,
    })  # fmt: skip
    calls = pd.DataFrame({"deal_id": table["deal_id"].to_numpy()[which], "started_at": start + day})
    return calls.assign(activity_type="call", activity_id=[f"v{i}" for i in range(len(day))]), table


@pytest.mark.parametrize(("slow", "sign"), [("lost", -1), ("won", 1)])
def test_without_any_effect_raw_counts_go_with_winning_but_rate_and_landmark_do_not(
    slow: str, sign: int
) -> None:
    # KPI reference, card 25: with zero effect raw counts correlate with -0.35 or +0.43, the landmark with 0.00
    calls, table = without_effect(5, slow)
    counts = calls.groupby("deal_id").size().reindex(table["deal_id"], fill_value=0)
    raw = np.corrcoef(counts, table["status"] == "won")[0, 1]
    assert sign * raw > 0.25
    rates = kpis.activity_rate(calls, table, as_of=AS_OF, by="status").set_index("status")
    assert rates["activity_rate"]["won"] == pytest.approx(rates["activity_rate"]["lost"], rel=0.05)
    found = kpis.activity_association(calls, table, as_of=AS_OF, adjust=(), horizon_days=400).iloc[0]
    assert abs(found["activity_association"]) < 0.05
    assert found["low"] < 0 < found["high"]


def test_an_effect_that_is_there_is_found() -> None:
    rng = np.random.default_rng(2)
    size = 1200
    many = rng.random(size) < 0.5
    won = rng.random(size) < np.where(many, 0.5, 0.3)
    start = pd.Timestamp("2025-01-01")
    table = pd.DataFrame({
        "deal_id": [f"d{i}" for i in range(size)], "status": np.where(won, "won", "lost"), "created_date": start,
        "closed_date": start + pd.Timedelta(days=90),
    })  # fmt: skip
    calls = pd.DataFrame({"deal_id": table["deal_id"][many], "activity_type": "call", "started_at": start})
    found = kpis.activity_association(calls, table, as_of=AS_OF, adjust=()).iloc[0]
    assert found["low"] < 0.2 < found["high"]
    assert found["p"] < 1e-6


# -- association (26)

START = pd.Timestamp("2026-01-01")


def cohort(*rows: tuple[str, int, int | None], **more: Any) -> pd.DataFrame:
    """Deals d0, d1, … as (status, day of creation, days lived)."""
    return pd.DataFrame({
        "deal_id": [f"d{i}" for i in range(len(rows))], "status": [r[0] for r in rows],
        "created_date": [START + pd.Timedelta(days=r[1]) for r in rows],
        "closed_date": [START + pd.Timedelta(days=r[1] + r[2]) if r[2] is not None else pd.NaT for r in rows],
    }).assign(**more)  # fmt: skip


def on_days(*rows: tuple[str, int], **more: Any) -> pd.DataFrame:
    """Calls as (deal, day)."""
    days = [START + pd.Timedelta(days=d) for _, d in rows]
    return pd.DataFrame(
        {"deal_id": [r[0] for r in rows], "started_at": days, "activity_type": "call"}
    ).assign(**more)


def test_only_deals_open_at_the_landmark_and_what_was_done_before_it_count() -> None:
    table = cohort(("won", 0, 60), ("won", 0, 30), ("lost", 0, 31), ("lost", 0, 10))
    calls = on_days(("d0", 30), ("d2", 31), ("d1", 2), ("d3", 2))
    found = kpis.activity_association(calls, table, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["n", "left_out", "exposed", "unexposed"]].tolist() == [2, 2, 1, 1]
    assert found["activity_association"] == 1


def test_deals_not_yet_followed_to_the_horizon_are_left_out_whatever_came_of_them() -> None:
    # on 31 October the deal of day 94 has been followed for 30 + 179 days, that of day 93 for all 210
    table = cohort(("won", 0, 60), ("won", 93, 60), ("won", 94, 60), ("lost", 94, 60), ("lost", 0, 60))
    found = kpis.activity_association(on_days(("d0", 1)), table, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["n", "too_young"]].tolist() == [3, 2]
    young = kpis.activity_association(
        on_days(("d0", 95)), table[2:3].assign(deal_id="d0"), as_of=AS_OF, adjust=()
    )
    assert young.empty  # no type of activity among the deals that count


def test_a_win_after_the_horizon_is_none() -> None:
    table = cohort(("won", 0, 210), ("won", 0, 211))
    found = kpis.activity_association(on_days(("d0", 1)), table, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["exposed_won", "unexposed_won"]].tolist() == [1, 0]


def test_what_a_segment_explains_is_not_laid_to_the_activities() -> None:
    # large customers are called and win; within either segment calls make no difference
    rows = [("won", 0, 60)] * 8 + [("lost", 0, 60)] * 2 + [("won", 0, 60)] * 2 + [("lost", 0, 60)] * 8
    table = cohort(*rows, segment=["L"] * 10 + ["S"] * 10, lead_source="Web")
    calls = on_days(*((f"d{i}", 3) for i in (0, 1, 2, 3, 8, 10, 14, 15, 16, 17)))
    called = [0, 1, 2, 3, 8, 10, 14, 15, 16, 17]
    assert len(called) == 10
    found = kpis.activity_association(calls, table, as_of=AS_OF).iloc[0]
    plain = kpis.activity_association(calls, table, as_of=AS_OF, adjust=()).iloc[0]
    assert found["activity_association"] == pytest.approx(0.0)
    assert plain["activity_association"] == pytest.approx(found["exposed_share"] - found["unexposed_share"])


def test_several_types_are_not_each_a_find_of_their_own() -> None:
    rng = np.random.default_rng(0)
    table = cohort(*((("won", "lost")[int(rng.integers(2))], 0, 60) for _ in range(200)))
    calls = pd.concat([
        on_days(*((f"d{i}", 2) for i in rng.permutation(200)[:90]), activity_type=f"t{k}") for k in range(12)
    ])  # fmt: skip
    found = kpis.activity_association(calls, table, as_of=AS_OF, adjust=())
    assert len(found) == 12
    assert (found["q"] >= found["p"]).all()
    assert found["q"].max() == found["p"].max()


def test_activities_before_the_deal_show_where_it_is_the_customer() -> None:
    # good customers are called always, also before there is a deal: the control shows the same difference
    rows = [("won", 40, 60)] * 10 + [("lost", 40, 60)] * 10
    table = cohort(*rows, account_id=[f"a{i}" for i in range(20)])
    before = on_days(*((None, 20) for _ in range(10)), account_id=[f"a{i}" for i in range(10)])
    after = on_days(*((f"d{i}", 45) for i in range(10)), account_id=None)
    found = kpis.activity_association(pd.concat([before, after]), table, as_of=AS_OF, adjust=()).iloc[0]
    assert found["activity_association"] == found["control"] == 1
    found = kpis.activity_association(after, table, as_of=AS_OF, adjust=()).iloc[0]
    assert math.isnan(found["control"])


def test_exposed_is_who_has_more_than_the_median_deal() -> None:
    table = cohort(*[("won", 0, 60)] * 2, *[("lost", 0, 60)] * 2)
    calls = on_days(("d0", 1), ("d0", 2), ("d1", 1), ("d1", 2), ("d2", 1), ("d3", 1))
    found = kpis.activity_association(calls, table, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["more_than", "exposed", "activity_association"]].tolist() == [1, 2, 1]


def test_a_machine_and_a_plan_expose_nobody() -> None:
    table = cohort(("won", 0, 60), ("lost", 0, 60))
    calls = on_days(
        ("d0", 1), ("d1", 1), ("d0", 1), is_automated=[False, True, False], is_done=[True, True, False]
    )
    found = kpis.activity_association(calls, table, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["exposed", "more_than"]].tolist() == [1, 0]


def test_an_unknown_stratum_is_refused_by_name() -> None:
    with pytest.raises(KpiError, match="segment"):
        kpis.activity_association(on_days(("d0", 1)), cohort(("won", 0, 60)), as_of=AS_OF)


# -- multi-threading (43)


def test_one_person_met_twice_is_one_and_later_ones_do_not_count() -> None:
    table = cohort(("open", 0, None), ("open", 0, None), ("open", 0, None))
    calls = on_days(
        ("d0", 1),
        ("d0", 2),
        ("d1", 1),
        ("d1", 2),
        ("d2", 1),
        ("d2", 31),
        contact_id=["k", "k", "k", "l", "k", "l"],
    )
    found = kpis.multi_threading(table, calls, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["multi", "n"]].tolist() == [1, 3]
    assert found["contacts"] == pytest.approx(4 / 3)


def test_attendees_of_a_meeting_are_people_met_and_our_own_are_not() -> None:
    table = cohort(("open", 0, None))
    calls = on_days(("d0", 1), contact_id="k", activity_id="m")
    people = pd.DataFrame({
        "activity_id": "m", "participant_type": ["contact", "contact", "rep"], "participant_id": ["k", "l", "r"]
    })  # fmt: skip
    assert kpis.multi_threading(table, calls, as_of=AS_OF, adjust=())["multi"][0] == 0
    assert kpis.multi_threading(table, calls, people, as_of=AS_OF, adjust=())["contacts"][0] == 2


def test_deals_younger_than_the_landmark_are_not_counted_as_met_by_few() -> None:
    table = cohort(("open", 0, None), ("open", 274, None))  # the second is 29 days old
    calls = on_days(("d0", 1), ("d0", 1), contact_id=["k", "l"])
    assert kpis.multi_threading(table, calls, as_of=AS_OF, adjust=())["n"][0] == 1


def test_without_recorded_contacts_nobody_knows() -> None:
    table, calls = cohort(("open", 0, None)), on_days(("d0", 1), contact_id=None)
    found = kpis.multi_threading(table, calls, as_of=AS_OF, adjust=()).iloc[0]
    assert math.isnan(found["multi_threading"])
    assert found[["note", "n", "without_contact"]].tolist() == ["unrecorded", 1, 1]


def test_more_people_and_winning_are_compared_at_the_landmark() -> None:
    table = cohort(("won", 0, 60), ("lost", 0, 60), ("lost", 0, 5))
    calls = on_days(
        ("d0", 1), ("d0", 1), ("d1", 1), ("d2", 1), ("d2", 1), contact_id=["k", "l", "k", "k", "l"]
    )
    found = kpis.multi_threading(table, calls, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["association", "followed", "n"]].tolist() == [1, 2, 2]


def test_the_control_looks_at_so_many_days_before_creation_wherever_they_lie_in_the_calendar() -> None:
    cases = [(start, ahead) for start in range(31) for ahead in (0, 1, 30, 31)]
    rows = [(f"{start} {ahead}", start, won) for start, ahead in cases for won in (True, False)]
    table = pd.DataFrame(rows, columns=["case", "start", "won"])
    born = pd.Timestamp("2025-01-01") + pd.to_timedelta(table["start"], unit="D")
    deals = table.assign(
        deal_id=[f"d{i}" for i in table.index], account_id=[f"a{i}" for i in table.index],
        status=table["won"].map({True: "won", False: "lost"}), created_date=born,
        closed_date=born + pd.Timedelta(days=60),
    )  # fmt: skip
    own = pd.DataFrame({"deal_id": deals["deal_id"], "started_at": born})
    before = deals[deals["won"]].assign(
        started_at=[
            start - pd.Timedelta(days=ahead) for start, (_, ahead) in zip(born[::2], cases, strict=True)
        ]
    )[["account_id", "started_at"]]
    calls = pd.concat([own, before], ignore_index=True).assign(activity_type="call")
    found = kpis.activity_association(calls, deals, as_of="2026-10-31", adjust=(), by="case")
    assert len(found) == len(cases)
    control = found.set_index("case")["control"].notna()
    assert control.to_dict() == {f"{start} {ahead}": 1 <= ahead <= 30 for start, ahead in cases}
