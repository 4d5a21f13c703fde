"""The mistakes that the reference names for cohorts, velocity, leads, stages and bottlenecks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salestrack import kpis
from salestrack.errors import KpiError

NOW = "2026-10-31"


def day(*texts: str | None) -> Any:
    return pd.to_datetime(list(texts)).astype("datetime64[us]")


def deals(*rows: tuple[str, str, str | None], **more: Any) -> pd.DataFrame:
    """Deals as (status, created, closed)."""
    table = pd.DataFrame(rows, columns=["status", "created_date", "closed_date"])
    dates = {name: day(*table[name]) for name in ("created_date", "closed_date")}
    return table.assign(deal_id=[f"d{i}" for i in range(len(rows))], **dates).assign(**more)


def company(seed: int, per_day: float, days: int, growth: float = 0.0) -> tuple[pd.DataFrame, pd.Timestamp]:
    """An invented company: 30 % of its deals are won after 72 days on average, lost ones take 144; large ones
    are won less often."""
    rng = np.random.default_rng(seed)
    count = rng.poisson(per_day * np.exp(growth * np.arange(days)))
    begun = np.repeat(np.arange(days), count)
    amount = np.exp(rng.normal(9, 0.8, len(begun)))
    won = rng.random(len(begun)) < 1 / (1 + np.exp(0.85 + 0.6 * (np.log(amount) - 9)))
    took = np.where(won, rng.gamma(2, 36, len(begun)), rng.gamma(2, 72, len(begun))).astype(int)
    start, over = pd.Timestamp("2020-01-01"), begun + took < days
    return pd.DataFrame({
        "deal_id": [f"d{i}" for i in range(len(begun))],
        "account_id": [f"a{i}" for i in rng.integers(0, len(begun) // 2 + 1, len(begun))],
        "status": np.where(over, np.where(won, "won", "lost"), "open"),
        "created_date": start + pd.to_timedelta(begun, unit="D"),
        "closed_date": (start + pd.to_timedelta(begun + took, unit="D")).where(over),
        "amount_base": amount,
    }), start + pd.Timedelta(days=days - 1)  # fmt: skip


# -- win rate of a cohort (10)


def test_the_rate_of_a_young_cohort_is_neither_that_of_its_closed_deals_nor_counts_open_ones_as_lost() -> (
    None
):
    old = [("won", "2026-01-01", "2026-03-02")] * 3 + [("lost", "2026-01-01", "2026-06-30")] * 7
    young = [("won", "2026-08-01", "2026-09-30")] * 3 + [("open", "2026-08-01", None)] * 7
    table = kpis.win_rate_cohort(deals(*old, *young), as_of=NOW)
    assert table["win_rate_cohort"][0] == pytest.approx(0.3)  # closed only: 6/13, open as lost: 6/20 here
    closed_only = kpis.win_rate_cohort(deals(*old, *young[2:]), as_of=NOW)
    assert closed_only["win_rate_cohort"][0] == pytest.approx(4 / 18)
    alone = kpis.win_rate_cohort(deals(*young), as_of=NOW)
    assert math.isnan(alone["win_rate_cohort"][0])
    assert alone[["note", "open", "matured"]].iloc[0].tolist() == ["immature", 7, 0.3]


def test_whoever_is_lost_can_no_longer_win() -> None:
    lost = [("lost", "2026-01-01", "2026-01-05")] * 8
    table = kpis.win_rate_cohort(
        deals(*lost, ("won", "2026-01-01", "2026-01-20"), ("open", "2026-01-01", None)), as_of=NOW
    )
    assert table["win_rate_cohort"][0] == pytest.approx(0.1)  # Kaplan-Meier with losses censored: 0.5


def test_cohorts_of_different_age_are_compared_at_one_horizon() -> None:
    frame, today = company(1, 4, 800)
    table = kpis.win_rate_cohort(frame, as_of=today, horizon_days=90, by="quarter")
    known = table[table["note"] == ""]
    assert known["win_rate_cohort"].std() < 0.05
    assert table["note"].tolist()[-1] == "immature"
    assert kpis.win_rate_cohort(frame, as_of=today, horizon_days=360)["win_rate_cohort"][0] == pytest.approx(
        0.311, abs=0.02
    )


def test_a_deal_that_was_won_and_reopened_is_open() -> None:
    frame = deals(("open", "2026-01-01", "2026-02-01"), ("lost", "2026-01-01", "2026-02-01"))
    table = kpis.win_rate_cohort(frame, as_of=NOW)
    assert table[["won", "lost", "n", "win_rate_cohort"]].iloc[0].tolist() == [0, 1, 2, 0]


def test_a_win_after_the_day_is_not_known_yet_and_one_after_the_horizon_is_in_the_final_share() -> None:
    frame = deals(("won", "2026-01-01", "2026-10-01"), ("lost", "2026-01-01", "2026-02-01"))
    before = kpis.win_rate_cohort(frame, as_of="2026-09-30")
    assert before[["win_rate_cohort", "expected_final", "won"]].iloc[0].tolist() == [0, 0, 0]
    after = kpis.win_rate_cohort(frame, as_of=NOW)
    assert after[["win_rate_cohort", "expected_final", "won"]].iloc[0].tolist() == [0, 0.5, 0]
    assert after["followed"][0] == 273
    assert kpis.win_rate_cohort(frame, as_of="2025-12-31")["n"][0] == 0


def test_deleted_deals_junk_and_closings_without_a_day_stand_aside() -> None:
    frame = deals(
        ("won", "2026-01-01", "2026-02-01"),
        ("lost", "2026-01-01", "2026-02-01"),
        ("lost", "2026-01-01", "2026-02-01"),
        ("won", "2026-01-01", None),
        ("lost", "2026-01-01", "2026-02-01"),
        lost_reason=[None, "price", "SPAM", None, "price"],
        is_deleted=[False, False, False, False, True],
    )
    table = kpis.win_rate_cohort(frame, as_of=NOW)
    assert table[["won", "lost", "junk", "undated", "n"]].iloc[0].tolist() == [1, 1, 1, 1, 2]
    assert table["win_rate_cohort"][0] == 0.5


OUTCOMES = st.lists(
    st.tuples(st.sampled_from(["won", "lost", "open"]), st.integers(0, 300), st.integers(0, 300)), max_size=30
)


@settings(max_examples=40, deadline=None)
@given(OUTCOMES)
def test_the_rate_is_a_probability_within_its_interval_and_grows_with_the_horizon(rows: Any) -> None:
    start = pd.Timestamp("2025-12-01")
    days = pd.DataFrame(rows, columns=["status", "begun", "took"]).astype({"begun": "int64", "took": "int64"})
    begun = start + pd.to_timedelta(days["begun"], unit="D")
    closed = (begun + pd.to_timedelta(days["took"], unit="D")).where(days["status"] != "open")
    frame = pd.DataFrame(
        {"status": days["status"].astype("str"), "created_date": begun, "closed_date": closed}
    )
    rates = []
    for horizon in (30, 90, 180):
        row = kpis.win_rate_cohort(frame, as_of=NOW, horizon_days=horizon).iloc[0]
        if row["note"] == "":
            rates.append(row["win_rate_cohort"])
            assert 0 <= row["low"] <= row["win_rate_cohort"] + 1e-12 <= row["high"] + 2e-12 <= 1 + 3e-12
            assert row["win_rate_cohort"] <= row["expected_final"] + 1e-12
    assert rates == sorted(rates)


# -- expected sales cycle (15b)


def test_a_young_cohort_has_no_cycle_yet_and_a_followed_one_has_the_true_one() -> None:
    frame, today = company(2, 4, 800)
    young = (today - pd.Timedelta(days=120), today)
    found = kpis.expected_sales_cycle(frame, as_of=today, period=young)
    assert found["note"][0] == "immature"
    assert math.isnan(found["expected_sales_cycle"][0])
    table = kpis.expected_sales_cycle(frame, as_of=today)
    assert table["expected_sales_cycle"][0] == pytest.approx(60, abs=4)  # the median of gamma(2, 36)
    assert table["time_to_lost"][0] == pytest.approx(120, abs=8)
    assert table["low"][0] <= 60 <= table["high"][0]


def test_growth_shortens_the_realised_cycle_and_not_the_expected_one() -> None:
    frame, today = company(3, 0.4, 1000, growth=0.0045)
    realised = kpis.sales_cycle(frame, period=(today - pd.Timedelta(days=180), today))["sales_cycle"][0]
    expected = kpis.expected_sales_cycle(frame, as_of=today)["expected_sales_cycle"][0]
    assert realised < expected - 2
    assert expected == pytest.approx(60, abs=4)


def test_half_of_the_winners_are_those_that_win_not_half_of_all_deals() -> None:
    won = [("won", "2026-01-01", f"2026-01-{d}") for d in (11, 21, 31)]
    lost = [("lost", "2026-01-01", "2026-01-02")] * 20
    assert kpis.expected_sales_cycle(deals(*won, *lost), as_of=NOW)["expected_sales_cycle"][0] == 20
    nothing = kpis.expected_sales_cycle(deals(*lost), as_of=NOW)
    assert nothing[["note", "time_to_lost"]].iloc[0].tolist() == ["no_data", 1]


def test_deals_that_never_end_can_be_allowed_for() -> None:
    rows = [("won", "2026-01-01", "2026-01-31")] * 6 + [("open", "2026-01-01", None)] * 2
    assert kpis.expected_sales_cycle(deals(*rows), as_of=NOW)["note"][0] == "immature"
    table = kpis.expected_sales_cycle(deals(*rows), as_of=NOW, most_undecided=0.3)
    assert table[["expected_sales_cycle", "undecided", "latest"]].iloc[0].tolist() == [30, 0.25, 30]


# -- sales velocity (17)


def test_velocity_is_the_money_won_per_day_and_the_classic_figure_is_not() -> None:
    true = {"velocity": [], "classic": [], "within": []}  # type: dict[str, list[float]]
    rng = np.random.default_rng(9)
    amount = np.exp(rng.normal(9, 0.8, 1_000_000))
    worth = 5 * float((amount / (1 + np.exp(0.85 + 0.6 * (np.log(amount) - 9)))).mean())
    for seed in range(12):
        frame, today = company(seed, 5, 900)
        row = kpis.sales_velocity(frame, as_of=today).iloc[0]
        true["velocity"].append(row["sales_velocity"] / worth)
        true["classic"].append(row["classic"] / worth)
        true["within"].append(row["low"] <= worth <= row["high"])
        assert row["sales_velocity"] == pytest.approx(row["realised"], rel=0.2)
    assert np.mean(true["velocity"]) == pytest.approx(1.0, abs=0.05)
    assert np.mean(true["classic"]) == pytest.approx(1.69, abs=0.08)
    assert sum(true["within"]) >= 10


def test_lost_deals_take_up_the_pipeline_too() -> None:
    start = pd.Timestamp("2025-01-01")
    begun = start + pd.to_timedelta(range(0, 600, 10), unit="D")
    took = pd.to_timedelta([20, 100] * 30, unit="D")
    today = start + pd.Timedelta(days=599)
    frame = pd.DataFrame({"created_date": begun, "closed_date": begun + took, "amount": 100.0,
                          "status": ["won", "lost"] * 30})  # fmt: skip
    row = kpis.sales_velocity(frame, as_of=today, window_days=400).iloc[0]
    assert row["days_in_pipeline"] == pytest.approx(60)  # won deals alone: 20
    assert row["win_rate_by_value"] == pytest.approx(0.5)
    assert row["sales_velocity"] == pytest.approx(5.0)  # one of 100 every 20 days
    assert row["realised"] == pytest.approx(5.0)
    assert row["classic"] == pytest.approx(15.0)


def test_a_large_loss_lowers_the_rate_by_value() -> None:
    rows = [
        ("won", "2026-01-01", "2026-02-01"),
        ("lost", "2026-01-01", "2026-02-01"),
        ("open", "2026-10-01", None),
    ]
    table = kpis.sales_velocity(deals(*rows, amount_base=[100.0, 900.0, 500.0]), as_of=NOW)
    assert table["win_rate_by_value"][0] == pytest.approx(0.1)
    assert table["mean_amount"][0] == 500


def test_deals_without_an_amount_are_shown_and_left_out() -> None:
    rows = [("won", "2026-01-01", "2026-02-01"), ("open", "2026-01-01", None)]
    table = kpis.sales_velocity(deals(*rows, amount_base=[100.0, None]), as_of=NOW)
    assert table[["n", "open", "coverage"]].iloc[0].tolist() == [1, 0, 0.5]
    assert math.isnan(table["low"][0])


def test_velocity_looks_back_from_a_day_and_knows_no_months() -> None:
    with pytest.raises(KpiError, match="month"):
        kpis.sales_velocity(deals(("open", "2026-01-01", None), amount_base=1.0), as_of=NOW, by="month")


# -- leads to customers (11)


def leads(*rows: tuple[str, str, str | None], **more: Any) -> pd.DataFrame:
    """Leads as (id, created, disqualified)."""
    table = pd.DataFrame(rows, columns=["lead_id", "created_date", "disqualified_at"])
    return table.assign(**{c: day(*table[c]) for c in ("created_date", "disqualified_at")}).assign(**more)


def won(*rows: tuple[str, str | None, str]) -> pd.DataFrame:
    """Won deals as (id, lead, closed)."""
    table = pd.DataFrame(rows, columns=["deal_id", "lead_id", "closed_date"]).astype({"lead_id": "str"})
    return table.assign(closed_date=day(*table["closed_date"]), status="won")


def test_a_win_belongs_to_the_month_in_which_its_lead_came() -> None:
    frame = leads(("a", "2026-01-10", None), ("b", "2026-02-10", None), ("c", "2026-02-11", None))
    table = kpis.lead_conversion(frame, won(("d", "a", "2026-02-20")), as_of=NOW, by="month")
    assert table[["won", "n", "lead_conversion"]].to_numpy().tolist() == [[1, 1, 1.0], [0, 2, 0.0]]


def test_a_company_counts_once_however_many_leads_and_deals_it_has() -> None:
    frame = leads(
        *[(name, "2026-01-10", None) for name in "abcde"],
        company_name=["Acme", " acme", "ACME", "Bolt", None],
        contact_id=None,
    )
    table = kpis.lead_conversion(
        frame, won(("d", "a", "2026-02-20"), ("e", "b", "2026-03-20"), ("f", "b", "2026-04-20")), as_of=NOW
    )
    assert table[["won", "leads", "n"]].iloc[0].tolist() == [1, 5, 3]
    assert table["lead_conversion"][0] == pytest.approx(1 / 3)


def test_a_lead_that_was_not_converted_is_of_the_company_that_another_one_became() -> None:
    frame = leads(
        ("a", "2026-01-10", None),
        ("b", "2026-03-10", None),
        company_name=["Acme", "acme"],
        converted_account_id=[None, "x"],
        converted_deal_id=[None, "d"],
        converted_at=day(None, "2026-03-15"),
    )
    table = kpis.lead_conversion(frame, won(("d", None, "2026-05-01")), as_of=NOW)
    assert table[["won", "n"]].iloc[0].tolist() == [1, 1]
    before = kpis.lead_conversion(frame, won(("d", None, "2026-05-01")), as_of="2026-03-12")
    assert before[["won", "n"]].iloc[0].tolist() == [0, 1]


def test_leads_that_become_one_account_later_are_two_until_then() -> None:
    frame = leads(
        ("a", "2026-01-10", None),
        ("b", "2026-03-10", None),
        converted_account_id="x",
        converted_at=day("2026-03-15", "2026-03-16"),
    )
    assert kpis.lead_conversion(frame, won(), as_of="2026-03-14")["n"][0] == 2
    assert kpis.lead_conversion(frame, won(), as_of="2026-03-16")["n"][0] == 1


def test_the_channel_is_that_of_the_first_lead() -> None:
    frame = leads(
        ("a", "2026-03-10", None), ("b", "2026-01-10", None), contact_id="p", lead_source=["Fair", "Website"]
    )
    table = kpis.lead_conversion(frame, won(("d", "a", "2026-04-01")), as_of=NOW, by="lead_source")
    assert table[["lead_source", "won", "n"]].to_numpy().tolist() == [["Website", 1, 1]]


def test_a_second_lead_in_the_period_is_no_new_person() -> None:
    frame = leads(("a", "2026-01-10", None), ("b", "2026-03-10", None), contact_id="p")
    assert kpis.lead_conversion(frame, won(), as_of=NOW, period="2026-03")["n"][0] == 0
    assert kpis.lead_conversion(frame, won(), as_of=NOW, period="2026-01")["n"][0] == 1


def test_a_person_is_disqualified_when_the_last_of_the_leads_is() -> None:
    frame = leads(("a", "2026-01-10", "2026-01-12"), ("b", "2026-02-10", None), contact_id="p")
    assert kpis.lead_conversion(frame, won(), as_of=NOW)["disqualified"][0] == 0
    over = leads(("a", "2026-01-10", "2026-01-12"), ("b", "2026-02-10", "2026-03-01"), contact_id="p")
    assert kpis.lead_conversion(over, won(), as_of=NOW)["disqualified"][0] == 1
    assert kpis.lead_conversion(over, won(), as_of="2026-02-20")["disqualified"][0] == 0


def test_a_deal_won_before_the_lead_came_is_not_its_conversion() -> None:
    frame = leads(("a", "2026-03-10", None))
    earlier, later = ("d", "a", "2026-02-01"), ("e", "a", "2026-05-01")
    assert kpis.lead_conversion(frame, won(earlier), as_of=NOW)["won"][0] == 0
    assert kpis.lead_conversion(frame, won(earlier, later), as_of=NOW)["won"][0] == 1


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
