"""What an analyst reads when a frame or an option does not fit."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pytest

from salestrack import kpis
from salestrack.errors import InputError
from salestrack.kpis import _pandas
from salestrack.kpis._card import card
from salestrack.kpis._frames import frame, summarise

DEALS = pd.DataFrame(
    {"status": ["won"], "team": ["a"], "amount": [1.0], "closed_date": pd.to_datetime(["2026-01-01"])}
)
QUOTAS = pd.DataFrame(
    {
        "rep_id": ["r", "r"],
        "period_start_date": pd.to_datetime(["2026-01-01", "2026-01-15"]),
        "period_end_date": pd.to_datetime(["2026-01-31", "2026-02-14"]),
        "quota_amount": [1.0, 1.0],
        "metric": ["bookings", "revenue"],
    }
)
CREDITS = pd.DataFrame({"rep_id": ["r"], "credit_date": pd.to_datetime(["2026-01-02"]), "amount": [1.0]})


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        pytest.param(
            lambda: kpis.win_rate(DEALS.rename(columns={"status": "state"})),
            "win_rate needs the column 'status', the frame has amount, closed_date, state, team, "
            "did you mean 'state'?",
            id="a missing column",
        ),
        pytest.param(
            lambda: kpis.win_rate(DEALS.drop(columns="closed_date"), by="month"),
            "win_rate needs the column 'closed_date', the frame has amount, status, team; rename or add it",
            id="no date for a period word",
        ),
        pytest.param(
            lambda: kpis.win_rate(DEALS, by="taem"),
            "win_rate cannot group by 'taem', did you mean 'team'? there are the columns amount, "
            "closed_date, status, "
            "team and the words day, week, month, quarter, year",
            id="a misspelt group",
        ),
        pytest.param(
            lambda: kpis.bookings(DEALS.assign(closed_date="2026-01-01"), by="month"),
            "bookings: the column 'closed_date' must hold dates, it holds String: convert it before",
            id="dates as text",
        ),
        pytest.param(
            lambda: kpis.bookings(DEALS.assign(amount="1,00 €")),
            "bookings: the column 'amount' must hold numbers, it holds String: convert it before",
            id="money as text",
        ),
        pytest.param(
            lambda: kpis.bookings(
                DEALS.assign(closed_date=DEALS["closed_date"].dt.tz_localize("UTC")), by="month"
            ),
            "bookings: the column 'closed_date' carries a time zone: convert it to local time without a "
            "zone before",
            id="a time zone",
        ),
        pytest.param(
            lambda: kpis.bookings(pd.concat([DEALS, DEALS]).assign(currency_code=["EUR", "CHF"])),
            "bookings: mixed currencies in 'amount' (CHF, EUR) cannot be added: convert them to one "
            "currency in a "
            "column 'amount_base'",
            id="two currencies",
        ),
        pytest.param(
            lambda: kpis.bookings(DEALS.drop(columns="amount")),
            "bookings needs the column 'amount_base_cents', the frame has closed_date, status, team; "
            "rename or add it",
            id="no money at all",
        ),
        pytest.param(
            lambda: kpis.bookings([1, 2]),
            "bookings needs a table (pandas, Polars, DuckDB, PySpark or Ibis), not list: pass a data frame",
            id="no frame",
        ),
        pytest.param(
            lambda: kpis.bookings(DEALS, period="2026-13"),
            "'2026-13' is not a month: write year and month as 2026-10",
            id="no month",
        ),
        pytest.param(
            lambda: kpis.revenue_growth(DEALS, period="2026", by="week"),
            "revenue_growth cannot group by 'week': of the period words it takes month, quarter, year",
            id="weeks of growth",
        ),
        pytest.param(
            lambda: kpis.quota_attainment(QUOTAS.drop(columns="metric"), CREDITS),
            "quota_attainment: the rep r has two quotas for 2026-01-15: keep one row per rep and period",
            id="overlapping quotas",
        ),
        pytest.param(
            lambda: kpis.quota_attainment(QUOTAS, CREDITS),
            "quota_attainment: the quotas have several metrics: choose one with metric='bookings'",
            id="two metrics",
        ),
        pytest.param(
            lambda: kpis.net_promoter_score(pd.DataFrame({"score": [1, 11]})),
            "net_promoter_score: scores run from 1 to 11: give answers from 0 to 10",
            id="a score of 11",
        ),
        pytest.param(
            lambda: kpis.open_pipeline(DEALS.assign(expected_close_date=pd.NaT), as_of="soon"),
            "open_pipeline: as_of cannot be 'soon': give the day as 2026-10-31",
            id="a day that is none",
        ),
        pytest.param(
            lambda: kpis.average_deal_size(DEALS, zero="maybe"),  # type: ignore[arg-type]
            "average_deal_size: zero cannot be 'maybe': give 'exclude' or 'include'",
            id="an unknown option",
        ),
        pytest.param(
            lambda: kpis.customer_acquisition_cost(
                CREDITS.assign(cost_date=CREDITS["credit_date"]),
                DEALS.assign(account_id="x"),
                period=("2026-01-02", "2026-02-01"),
            ),
            "customer_acquisition_cost: period cannot be '2026-01-02 to 2026-01-31': give whole months",
            id="half a month of costs",
        ),
    ],
)
def test_an_error_says_what_is_wrong_where_and_what_next(call: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(InputError) as error:
        call()
    assert str(error.value) == sentence


@pytest.mark.parametrize("how", ["first", "n_unique", 2])
def test_the_only_aggregation_refuses_what_engines_do_not_share(how: Any) -> None:
    rows = frame(pd.DataFrame({"x": [1]}), function="test")
    with pytest.raises(TypeError):
        summarise(rows, (), y=("x", how))
    with pytest.raises(TypeError):
        summarise(rows, (), y=(nw.col("x") + 1, "sum"))  # type: ignore[arg-type]


def test_sums_of_whole_numbers_come_back_as_such() -> None:
    rows = frame(duckdb.sql("SELECT 1::BIGINT AS x, 'a' AS g"), function="test")
    assert summarise(rows, ("g",), x=("x", "sum"), n="len").collect_schema()["x"] == nw.Int64


@pytest.mark.parametrize(
    "empty",
    [
        pytest.param(
            pd.DataFrame({"status": [], "closed_date": [], "amount": [], "team": []}),
            id="pandas without types",
        ),
        pytest.param(
            pd.DataFrame({"status": [None], "closed_date": [None], "amount": [None], "team": [None]}),
            id="only None",
        ),
        pytest.param(
            pl.DataFrame({"status": [None], "closed_date": [None], "amount": [None], "team": [None]}),
            id="Polars Null",
        ),
    ],
)
def test_columns_without_any_value_have_the_type_of_their_name(empty: Any) -> None:
    table = kpis.bookings(empty, by=["team", "month"])
    assert list(table.columns) == ["team", "month", "bookings", "n", "without_amount"]
    assert table["month"].dtype == "datetime64[us]"
    assert kpis.bookings(empty)["bookings"].tolist() == [0.0]


def test_a_kpi_without_its_formula_in_words_is_no_kpi() -> None:
    with pytest.raises(TypeError, match="Formula"):
        card(
            number=0,
            unit="share",
            label_en="x",
            label_de="x",
            description_de="x",
            formula_de="x",
            undefined_de="x",
        )(lambda: None)


def test_cards_speak_both_languages() -> None:
    for made in kpis.CARDS.values():
        assert made.label("en") != ""
        assert made.label("de") != ""
        assert made.description("de").endswith(".")
        assert made.description("en").endswith(".")
        assert made.description("de") != made.description("en")
        assert made.formula.endswith(".")
        assert made.undefined


def test_a_reversed_frame_is_read_like_any_other() -> None:
    deals = pd.DataFrame(
        {"status": ["won", "lost", "won"], "closed_date": pd.to_datetime(["2026-01-01"] * 3), "k": [1, 2, 3]}
    )
    assert kpis.win_rate(deals.iloc[::-1], by="k")["won"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("name", ["n", "low", "win_rate"])
def test_a_group_with_the_name_of_a_result_column_is_refused(name: str) -> None:
    deals = pd.DataFrame({"status": ["won"], name: [1]})
    with pytest.raises(InputError, match=f"win_rate: by cannot be '{name}': rename the column"):
        kpis.win_rate(deals, by=name)


def test_amounts_as_decimals_are_numbers_also_in_a_large_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pandas, "SMALL", 0)
    amounts = [Decimal("1.10")] * 5_000 + [Decimal("1097500.0000"), None]
    deals = pd.DataFrame({"status": "won", "amount_base": pd.Series(amounts, dtype=object)})
    assert kpis.bookings(deals)["bookings"].tolist() == [1_103_000.0]
