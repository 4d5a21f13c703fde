"""The mistakes that the reference names for the pipeline over time, and the identity of the waterfall."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kpis.world_history import spans as random_spans

from salestrack import kpis
from salestrack.errors import KpiError
from salestrack.kpis._periods import last_day
from salestrack.kpis.waterfall import BARS

COLUMNS = ["deal_id", "valid_from", "valid_to", "status", "amount", "expected_close_date", "closed_date"]
OCTOBER = {"period": "2026-10", "as_of": "2026-10-31"}


def history(*rows: tuple[Any, ...], **more: Any) -> pd.DataFrame:
    """Spans as (deal, from, status, amount, due); each lasts until the next one of the same deal."""
    table = pd.DataFrame(
        rows, columns=["deal_id", "valid_from", "status", "amount", "expected_close_date"]
    ).assign(**more)
    for column in ("valid_from", "expected_close_date"):
        table[column] = pd.to_datetime(table[column], format="ISO8601").astype("datetime64[us]")
    closed = table["status"].isin(["won", "lost"])
    table["amount"] = table["amount"].astype(float)
    day = table["valid_from"].dt.normalize()
    return table.assign(
        valid_to=table.groupby("deal_id")["valid_from"].shift(-1),
        closed_date=day.where(closed),
        created_date=day.groupby(table["deal_id"]).transform("min"),
    )


def bars(table: pd.DataFrame, *rates: Any, **options: Any) -> dict[str, float]:
    """The bars that have deals, signed."""
    shown = kpis.pipeline_waterfall(table, *rates, **(OCTOBER | options))
    return {r["bar"]: r["pipeline_waterfall"] for r in shown.to_dict("records") if r["n"]}


# -- waterfall (21)


def test_a_deal_created_and_lost_in_the_period_shows_in_both_bars() -> None:
    table = history(
        ("a", "2026-10-02", "open", 50, "2026-10-20"), ("a", "2026-10-09", "lost", 50, "2026-10-20")
    )
    assert bars(table) == {"created": 50.0, "lost": -50.0}


def test_a_deal_that_changed_its_team_is_not_new() -> None:
    table = history(
        ("a", "2026-09-02", "open", 50, "2026-10-20"),
        ("a", "2026-10-09", "open", 50, "2026-10-20"),
        ("a", "2026-10-12", "won", 60, "2026-10-12"),
        team=["North", "South", "South"],
    )
    assert bars(table) == {"open_start": 50.0, "amount_up": 10.0, "won": -60.0}
    shown = kpis.pipeline_waterfall(table, by="team", **OCTOBER).query("n > 0")
    moves = {(r["team"], r["bar"]): r["pipeline_waterfall"] for r in shown.to_dict("records")}
    assert moves == {
        ("North", "open_start"): 50.0,
        ("North", "transferred_out"): -50.0,
        ("South", "transferred_in"): 50.0,
        ("South", "amount_up"): 10.0,
        ("South", "won"): -60.0,
    }


@pytest.mark.parametrize(("rows", "expected"), [
    pytest.param([("2026-09-01", "open", 5, "2026-10-09"), ("2026-10-05", "open", 5, "2026-11-02")],
                 {"open_start": 5, "pushed_out": -5}, id="moved to November"),
    pytest.param([("2026-09-01", "open", 5, "2026-11-09"), ("2026-10-05", "open", 7, "2026-10-20")],
                 {"pulled_in": 5, "amount_up": 2, "open_end": 7}, id="came from November, and grew"),
    pytest.param([("2026-09-01", "open", 5, "2026-12-09"), ("2026-10-05", "won", 5, "2026-10-05")],
                 {"pulled_in": 5, "won": -5}, id="won before it was expected"),
    pytest.param([("2026-08-01", "open", 5, "2026-09-09"), ("2026-09-05", "lost", 0, "2026-09-05"),
                  ("2026-10-05", "open", 8, "2026-10-25")],
                 {"reopened": 8, "open_end": 8}, id="reopened"),
    pytest.param([("2026-09-01", "open", 5, "2026-10-09"), ("2026-10-05", "deleted", 5, "2026-10-09")],
                 {"open_start": 5, "deleted": -5}, id="deleted"),
    pytest.param([("2026-09-01", "open", 5, "2026-10-09"), ("2026-10-05", "lost", 0, "2026-10-05")],
                 {"open_start": 5, "lost": -5}, id="lost, and set to zero on the way out"),
    pytest.param([("2026-09-01", "open", None, "2026-10-09"), ("2026-10-05", "open", 3, "2026-10-09")],
                 {"open_start": 0, "amount_up": 3, "open_end": 3}, id="an amount at last"),
    pytest.param([("2026-09-01", "open", 5, "2026-10-09"), ("2026-10-05", "won", 5, "2026-10-05"),
                  ("2026-11-02", "lost", 5, "2026-11-02")],
                 {"open_start": 5, "won": -5}, id="what came later is not known"),
    pytest.param([("2026-10-02 09:00", "open", 5, "2026-10-31"), ("2026-10-02 09:05", "open", 5, "2026-12-31")],
                 {}, id="a date that stood five minutes"),
    pytest.param([("2026-08-01", "open", 5, "2026-09-09"), ("2026-09-05", "won", 5, "2026-09-05")],
                 {}, id="closed before"),
])  # fmt: skip
def test_ways_in_and_out(rows: list[Any], expected: dict[str, float]) -> None:
    assert bars(history(*(("a", *row) for row in rows))) == expected


def test_the_exchange_rate_comes_last_and_only_on_what_is_left() -> None:
    table = history(
        ("a", "2026-09-02", "open", 100, "2026-10-20"),
        ("b", "2026-09-02", "open", 100, "2026-10-20"),
        ("b", "2026-10-15", "won", 100, "2026-10-15"),
        currency_code="USD",
    )
    rates = pd.DataFrame({
        "from_currency_code": "USD", "to_currency_code": "EUR", "rate": [0.5, 0.75],
        "rate_date": pd.to_datetime(["2026-09-01", "2026-10-10"]),
    })  # fmt: skip
    assert bars(table, rates) == {"open_start": 100.0, "fx": 25.0, "won": -50.0, "open_end": 75.0}


def test_rates_to_two_currencies_are_refused() -> None:
    rates = pd.DataFrame({
        "from_currency_code": "USD", "to_currency_code": ["EUR", "CHF"], "rate": 1.0,
        "rate_date": pd.Timestamp("2026-09-01"),
    })  # fmt: skip
    with pytest.raises(KpiError, match="CHF and EUR"):
        bars(history(("a", "2026-09-02", "open", 100, "2026-10-20")), rates)


def test_mixed_currencies_without_rates_are_refused() -> None:
    table = history(
        ("a", "2026-09-02", "open", 1, "2026-10-20"),
        ("b", "2026-09-02", "open", 1, "2026-10-20"),
        currency_code=["EUR", "USD"],
    )
    for frame in (table, table.assign(amount_base_cents=pd.array([None, None], dtype="Int64"))):
        with pytest.raises(KpiError, match="mixed currencies"):
            bars(frame)


def test_local_days_decide_where_the_frame_has_them() -> None:
    table = history(("a", "2026-09-30 22:30", "open", 5, "2026-10-20"))
    local = table.assign(valid_from_date=pd.Timestamp("2026-10-01"), valid_to_date=pd.NaT)
    assert set(bars(table)) == {"open_start", "open_end"}
    assert set(bars(local)) == {"created", "open_end"}


RATES = pd.DataFrame({
    "from_currency_code": ["USD", "CHF", "USD"], "to_currency_code": "EUR", "rate": [0.87654, 1.05, 0.912345],
    "rate_date": pd.to_datetime(["2025-01-01", "2025-03-01", "2025-10-07"]),
})  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    start=st.integers(0, 400),
    days=st.integers(1, 120),
    scope=st.sampled_from(["period", None, "2025-Q4"]),
)
def test_the_waterfall_adds_up_to_the_cent_on_any_history(
    seed: int, start: int, days: int, scope: str | None
) -> None:
    rng = np.random.default_rng(seed)
    rows = [row for number in range(25) for row in random_spans(rng, f"d{number}")]
    table = pd.DataFrame(rows).drop(columns="amount_base_cents")
    for column in ("created_date", "expected_close_date", "closed_date"):
        table[column] = pd.to_datetime(table[column])
    first = pd.Timestamp("2025-01-01") + pd.Timedelta(days=start)
    period = (first.date(), (first + pd.Timedelta(days=days)).date())
    options: dict[str, Any] = {"period": period, "as_of": "2026-09-30", "scope": scope}
    for by in (None, "team", ["team", "currency_code"]):
        table_ = kpis.pipeline_waterfall(table, RATES, by=by, **options)
        parts = [table_] if by is None else [part for _, part in table_.groupby(by)]
        for part in parts:
            hundredths = dict(zip(part["bar"], (part["value"] * 100).round().astype(int), strict=True))
            moved = sum(sign * hundredths.get(bar, 0) for bar, sign in BARS.items())
            left = hundredths.get("open_start", 0) + moved - hundredths.get("open_end", 0)
            assert left == 0
    whole = kpis.pipeline_waterfall(table, RATES, **options).set_index("bar")["n"]
    teams = kpis.pipeline_waterfall(table, RATES, by="team", **options).groupby("bar")["n"].sum()
    for bar in whole.index.difference(["transferred_in", "transferred_out"]):
        assert whole[bar] == teams[bar]


# -- pipeline created (20)


def test_created_pipeline_keeps_its_first_amount_and_does_not_grow_with_hindsight() -> None:
    table = history(
        ("a", "2026-10-01", "open", None, "2026-12-20"),
        ("a", "2026-10-02", "open", 70, "2026-12-20"),
        ("a", "2026-10-20", "open", 90, "2026-12-20"),
        ("b", "2026-10-03", "open", 5, "2026-12-20"),
        ("b", "2026-10-04", "deleted", 5, "2026-12-20"),
        ("c", "2026-10-03", "open", None, "2026-12-20"),
    )
    shown = kpis.pipeline_created(table, **OCTOBER).iloc[0]
    assert shown.to_dict() == {
        "pipeline_created": 75.0,
        "value_now": 90.0,
        "n": 3.0,
        "without_amount": 1.0,
        "deleted": 1.0,
    }
    early = kpis.pipeline_created(table, period="2026-10", as_of="2026-10-10").iloc[0]
    assert (early["pipeline_created"], early["value_now"]) == (75.0, 70.0)


# -- push rate (22)


@pytest.mark.parametrize(("rows", "pushed", "n"), [
    pytest.param([("2026-09-01", "open", "2026-10-09"), ("2026-10-05", "open", "2026-11-02"),
                  ("2026-11-01", "won", "2026-11-01")], 1, 1, id="pushed then, though won now: not the current state"),
    pytest.param([("2026-09-01", "open", "2026-10-09"), ("2026-10-05", "open", "2026-10-25"),
                  ("2026-10-25", "won", "2026-10-25")], 0, 1, id="a date edited within the month is no push"),
    pytest.param([("2026-09-01", "open", "2026-10-09")], 1, 1, id="past due without a new date"),
    pytest.param([("2026-09-30 18:00", "open", "2026-10-31"), ("2026-10-01 09:00", "open", "2026-12-15")],
                 0, 0, id="a default date corrected the next morning was never promised"),
    pytest.param([("2026-09-30 18:00", "open", "2026-10-31"), ("2026-10-01 19:00", "open", "2026-12-15")],
                 1, 1, id="after a day it was"),
    pytest.param([("2026-09-30 18:00", "open", "2026-10-31"), ("2026-10-01 09:00", "open", "2026-10-15")],
                 1, 1, id="corrected within the month"),
    pytest.param([("2026-09-01", "open", "2026-10-09"), ("2026-10-05", "deleted", "2026-10-09")],
                 0, 1, id="deleted is not pushed"),
    pytest.param([("2026-10-02", "open", "2026-10-09")], 0, 0, id="created in the month"),
])  # fmt: skip
def test_push_rate(rows: list[Any], pushed: int, n: int) -> None:
    table = history(*(("a", since, status, 1, due) for since, status, due in rows))
    shown = kpis.push_rate(table, period="2026-10", as_of="2026-11-30").iloc[0]
    assert (shown["pushed"], shown["n"]) == (pushed, n)


def test_a_month_that_is_not_over_has_no_push_rate_yet() -> None:
    table = history(("a", "2026-09-01", "open", 1, "2026-10-09"), ("b", "2026-09-01", "open", 1, "2026-10-09"),
                    ("b", "2026-10-05", "open", 1, "2026-11-09"))  # fmt: skip
    shown = kpis.push_rate(table, period="2026-10", as_of="2026-10-20").iloc[0]
    assert math.isnan(shown["push_rate"])
    assert (shown["note"], shown["matured"], shown["pushed"]) == ("immature", 0.5, 1)


def test_the_win_rate_by_number_of_pushes_needs_no_figure_of_its_own() -> None:
    deals = pd.DataFrame({"status": ["won", "lost", "lost"], "pushes": [0, 0, 3]})
    assert kpis.win_rate(deals, by="pushes")["win_rate"].tolist() == [0.5, 0.0]


# -- required coverage (18)


def test_required_coverage_compares_the_same_day_and_leaves_out_what_was_not_there() -> None:
    table = history(
        ("a", "2026-06-01", "open", 100, "2026-09-20"),
        ("a", "2026-09-10", "won", 80, "2026-09-10"),
        ("b", "2026-06-01", "open", 300, "2026-09-25"),
        ("late", "2026-08-15", "open", 50, "2026-09-25"),
        ("late", "2026-09-15", "won", 50, "2026-09-15"),
        ("past due", "2026-05-01", "open", 999, "2026-07-10"),
    )
    shown = kpis.required_coverage(table, as_of="2026-10-31").iloc[0]
    assert (shown["open_value"], shown["won_value"], shown["won_besides"]) == (400.0, 80.0, 50.0)
    assert (shown["required_coverage"], shown["day"], shown["n"]) == (5.0, 31, 1)
    later = kpis.required_coverage(table, as_of="2026-11-30").iloc[0]
    assert (later["open_value"], later["required_coverage"], later["day"]) == (
        450.0,
        pytest.approx(450 / 130),
        61,
    )


def test_required_coverage_has_an_interval_from_four_quarters_on() -> None:
    rows: list[Any] = []
    for number, (start, due, won) in enumerate([
        ("2025-10-01", "2025-12-20", 20), ("2026-01-01", "2026-03-20", 30),
        ("2026-04-01", "2026-06-20", 25), ("2026-07-01", "2026-09-20", 25),
    ]):  # fmt: skip
        rows += [(f"w{number}", start, "open", won, due), (f"w{number}", due, "won", won, due)]
        rows += [(f"o{number}", start, "open", 100 - won, due)]
    shown = kpis.required_coverage(history(*rows), as_of="2026-10-31").iloc[0]
    assert shown["required_coverage"] == 4.0
    assert 3 < shown["low"] < 4 < shown["high"] < 6
    less = kpis.required_coverage(history(*rows), as_of="2026-10-31", periods=3).iloc[0]
    assert math.isnan(less["low"])


# -- restatements (C4)


@pytest.mark.parametrize(("rows", "change"), [
    pytest.param([("2026-08-05", "won", 70), ("2026-09-07", "open", 70)], {"2026-08": -70}, id="reopened"),
    pytest.param([("2026-08-05", "won", 70), ("2026-09-07", "deleted", 70)], {"2026-08": -70}, id="deleted"),
    pytest.param([("2026-08-05", "won", 70), ("2026-09-07", "won", 60)], {"2026-08": -70, "2026-09": 0}, id="re-dated"),
    pytest.param([("2026-08-05", "won", 70), ("2026-08-31", "open", 70)], {}, id="within its month: never reported"),
    pytest.param([("2026-08-05", "won", 70), ("2026-11-07", "open", 70)], {"2026-08": 0}, id="after as_of: not known"),
])  # fmt: skip
def test_restatements(rows: list[Any], change: dict[str, float]) -> None:
    table = history(*(("a", since, status, amount, None) for since, status, amount in rows))
    shown = kpis.restatements(table, as_of="2026-10-31")
    months = shown["month"].dt.strftime("%Y-%m")
    assert dict(zip(months, shown["restatements"], strict=True)) == change
    assert shown["deals"].tolist() == ["a" if value else "" for value in change.values()]


def test_a_reopened_deal_leaves_its_old_month_and_counts_once() -> None:
    table = history(
        ("a", "2026-08-05", "won", 70, None),
        ("a", "2026-09-03", "open", 70, None),
        ("a", "2026-09-20", "won", 90, None),
    )
    shown = kpis.restatements(table, as_of="2026-10-31")
    assert shown[["published_value", "known_value", "n"]].to_numpy().tolist() == [[70, 0, 1], [90, 90, 0]]
    told = kpis.restatements(table, as_of="2026-10-31", published="2026-08-31")
    assert told[["published_value", "known_value"]].to_numpy().tolist() == [[70, 0]]


def test_a_late_entry_within_the_days_of_grace_is_no_restatement() -> None:
    table = history(("a", "2026-09-02", "won", 70, None)).assign(closed_date=pd.Timestamp("2026-08-31"))
    assert kpis.restatements(table, as_of="2026-10-31")["restatements"].tolist() == [70.0]
    assert kpis.restatements(table, as_of="2026-10-31", grace_days=2)["restatements"].tolist() == [0.0]


def test_the_last_day_of_the_month_of_every_day_of_four_centuries() -> None:
    import narwhals as nw
    import polars as pl

    days = np.arange("1800-01-01", "2200-01-01", dtype="M8[D]")
    table = pl.DataFrame({"d": days.astype("M8[us]")})
    found = nw.from_native(table).select(d=last_day("d"))["d"].to_numpy()
    assert (found == ((days.astype("M8[M]") + 1).astype("M8[D]") - 1).astype(int)).all()


def test_period_words_and_periods_to_come_are_refused() -> None:
    table = history(("a", "2026-09-02", "open", 1, "2026-10-20"))
    for function in (kpis.pipeline_waterfall, kpis.push_rate):
        with pytest.raises(KpiError, match="call it once per period"):
            function(table, by="month", **OCTOBER)
        with pytest.raises(KpiError, match="begins after"):
            function(table, period="2027-01", as_of="2026-10-31")
