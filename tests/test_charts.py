"""Charts are safe, described and legible whatever the data; columns by month, their texts and the session's settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from chart_samples import ALL, DE, EN, SAMPLE, drawn, heading, heights, legend, months, plain, texts, ticks

from salestrack import charts, theme
from salestrack.charts._axes import Scale, position, stamp_at
from salestrack.charts._base import wrapped
from salestrack.i18n import PERIODS, Words
from salestrack.markup import Html, as_float


@pytest.fixture
def monthly() -> pd.DataFrame:
    return pd.DataFrame({"month": months(3), "bookings": [2.0e6, 1.0e6, 3.0e6], "n": [20, 10, 30]})


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
@pytest.mark.parametrize(
    "table", [None, pd.DataFrame(), SAMPLE.head(0)], ids=["no table", "no columns", "no rows"]
)
def test_nothing_to_show_is_a_sentence(draw: Callable[..., Any], table: pd.DataFrame | None) -> None:
    made = draw(table)
    assert isinstance(made, Html)
    assert made.text.endswith("no data for the chosen period.")


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_only_unknown_values_are_nothing_to_show(draw: Callable[..., Any]) -> None:
    unknown = SAMPLE.assign(
        **dict.fromkeys(SAMPLE.columns.difference(["month", "team", "segment", "stage_name"]), np.nan)
    )
    assert isinstance(draw(unknown), Html)


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_every_chart_is_safe_reproducible_and_described(draw: Callable[..., Any]) -> None:
    before = SAMPLE.copy(deep=True)
    first, second = drawn(draw(SAMPLE)), drawn(draw(SAMPLE))
    pd.testing.assert_frame_equal(SAMPLE, before)
    assert first.svg == second.svg
    data, told = first._repr_mimebundle_()
    assert data == {"image/svg+xml": first.svg, "text/plain": first.alt}
    assert told["image/svg+xml"] == {
        "alt": first.alt,
        "caption": first.caption,
        "table_html": first.table_html,
    }
    ElementTree.fromstring(first.svg)
    root = ElementTree.fromstring(f"<x>{first.table_html}</x>")
    assert root.find(".//caption") is not None
    assert {th.get("scope") for th in root.iter("th")} == {"col", "row"}
    for text in (first.svg, first.table_html):
        assert "<script" not in text
        assert not re.search(r'(?:src|href)="http', text)
    assert len(first.alt) > 40
    assert "nan" not in (first.alt + first.caption + first.table_html).casefold()


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_text_keeps_to_the_figure_and_is_legible(draw: Callable[..., Any]) -> None:
    chart = drawn(draw(SAMPLE))
    with theme.style():
        chart.figure.draw_without_rendering()
        box = chart.figure.bbox
        for text in chart.figure.findobj(
            lambda a: hasattr(a, "get_fontsize") and a.get_visible() and a.get_text()
        ):
            assert text.get_fontsize() >= theme.SMALL_SIZE
            shape = text.get_window_extent()
            assert shape.x0 >= box.x0 - 1, text.get_text()
            assert shape.x1 <= box.x1 + 6, text.get_text()
            assert shape.y0 >= box.y0 - 2, text.get_text()
    assert chart.figure.get_figwidth() == theme.WIDTH


def test_dollar_signs_are_money_not_mathematics() -> None:
    assert ">$3 &amp; $4<" in drawn(ALL["bars"](SAMPLE)).svg


def test_columns_draw_actual_previous_plan_and_forecast(monthly: pd.DataFrame) -> None:
    previous = monthly.assign(month=months(3, "2024-11-01"), bookings=[1.5e6, 1.5e6, 2.0e6])
    plan = monthly.assign(target=[2.1e6, 2.2e6, 2.3e6])[["month", "target"]]
    later = pd.DataFrame({"month": months(1, "2026-02-01"), "bookings": [2.5e6], "low": [2e6], "high": [3e6]})
    chart = drawn(charts.columns(EN, monthly, y="bookings", previous=previous, target=plan, forecast=later))
    assert heights(chart, "actual")[:3] == [2.0e6, 1.0e6, 3.0e6]
    assert heights(chart, "previous")[:3] == [1.5e6, 1.5e6, 2.0e6]
    assert heights(chart, "plan")[:3] == [2.1e6, 2.2e6, 2.3e6]
    assert heights(chart, "forecast")[3] == 2.5e6
    assert legend(chart) == ["Actual", "Previous year", "Target", "Forecast"]
    assert ticks(chart) == ["Nov\n2025", "Dec", "Jan\n2026", "Feb"]
    assert heading(chart) == "Bookings: €3.0M in January 2026, 50.0% above previous year"
    assert heading(chart, "deck") == "Bookings, € million"


def test_columns_say_their_values_and_stress_the_newest(monthly: pd.DataFrame) -> None:
    chart = drawn(charts.columns(DE, monthly, y="bookings", target=2.5e6))
    assert texts(chart) == ["2,0", "1,0", "3,0"]
    newest = next(c for c in chart.axes.containers if c.get_label() == "actual").patches[-1]
    assert newest.get_facecolor()[:3] == pytest.approx(
        tuple(int(theme.ACCENT[i : i + 2], 16) / 255 for i in (1, 3, 5))
    )
    assert legend(chart) == ["Ist", "Ziel 2,5 Mio. €"]


def test_a_missing_month_leaves_a_gap(monthly: pd.DataFrame) -> None:
    chart = drawn(charts.columns(EN, monthly.drop(index=1), y="bookings"))
    bars = next(c for c in chart.axes.containers if c.get_label() == "actual").patches
    assert bars[1].get_x() - bars[0].get_x() == pytest.approx(2)
    assert ticks(chart) == ["Nov\n2025", "Dec", "Jan\n2026"]


def test_the_previous_year_is_found_in_the_same_table() -> None:
    table = pd.DataFrame({"month": months(24, "2024-11-01"), "bookings": np.arange(24.0)})
    chart = drawn(charts.columns(EN, table, y="bookings", previous="year", last=12))
    assert heights(chart, "actual") == list(np.arange(12.0, 24.0))
    assert heights(chart, "previous") == list(np.arange(0.0, 12.0))


@pytest.mark.parametrize(
    ("count", "shown", "first"),
    [
        pytest.param(12, 12, "Nov\n2025", id="a year: every month"),
        pytest.param(24, 12, "Dec\n2025", id="two years: every second month"),
        pytest.param(36, 12, "Jan\n2026", id="three years: every third month"),
    ],
)
def test_month_labels_stay_legible(count: int, shown: int, first: str) -> None:
    table = pd.DataFrame({"month": months(count), "bookings": 1.0})
    chart = drawn(charts.columns(EN, table, y="bookings"))
    assert (len(ticks(chart)), ticks(chart)[0]) == (shown, first)
    with theme.style():
        chart.figure.draw_without_rendering()
        boxes = [t.get_window_extent() for t in chart.axes.get_xticklabels()]
    assert all(a.x1 < b.x0 for a, b in zip(boxes, boxes[1:], strict=False))


def test_fiscal_quarters_are_named_by_their_year() -> None:
    table = pd.DataFrame({"quarter": pd.to_datetime(["2026-07-01", "2026-10-01"]), "bookings": [1.0, 2.0]})
    chart = drawn(charts.columns(Words("de", "EUR", 7), table, x="quarter", y="bookings"))
    assert ticks(chart) == ["Q1\nGJ 2027", "Q2"]


def test_negative_columns_hang_below_zero() -> None:
    table = pd.DataFrame({"month": months(2), "revenue_growth": [-0.2, 0.1]})
    chart = drawn(charts.columns(EN, table, y="revenue_growth"))
    assert chart.axes.get_ylim()[0] < -0.2
    assert texts(chart) == ["−20%", "+10%"]


def test_alternative_text_says_kind_span_extremes_and_newest(monthly: pd.DataFrame) -> None:
    chart = drawn(charts.columns(EN, monthly, y="bookings", title="Bookings rise"))
    assert plain(chart.alt) == (
        "Column chart: Bookings rise. From November 2025 to January 2026, 3 values. "
        "Lowest €1.0M (December 2025), "
        "highest €3.0M (January 2026). Last: €3.0M (January 2026). n = 60 in all."
    )


def test_titles_come_in_the_readers_language_and_wrap(monthly: pd.DataFrame) -> None:
    title = {"en": "Good", "de": "Donaudampfschifffahrtsgesellschaft " * 4}
    assert heading(drawn(charts.columns(EN, monthly, y="bookings", title=title))) == "Good"
    assert heading(drawn(charts.columns(DE, monthly, y="bookings", title=title))).count("\n") >= 1


def test_wrapping_balances_the_lines() -> None:
    lines = wrapped("one two three four five six seven eight nine ten eleven twelve thirteen", 13, "bold")
    assert len(lines) == 2
    assert abs(len(lines[0]) - len(lines[1])) < 12


def test_session_settings_are_left_alone(monthly: pd.DataFrame) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    charts.columns(EN, monthly, y="bookings")
    assert dict(matplotlib.rcParams) == before


def test_a_session_with_other_settings_gets_the_same_chart(monthly: pd.DataFrame) -> None:
    import matplotlib

    first = drawn(charts.columns(EN, monthly, y="bookings")).svg
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert drawn(charts.columns(EN, monthly, y="bookings")).svg == first


@pytest.mark.parametrize("unit", PERIODS)
def test_positions_and_days_are_inverse(unit: str) -> None:
    start = {"day": "2026-10-31", "week": "2026-10-26", "year": "2026-01-01"}.get(unit, "2026-10-01")
    assert stamp_at(position(start, unit), unit) == pd.Timestamp(start)


def test_axes_of_money_name_their_unit() -> None:
    names = [Scale.of(DE, "money", peak).name.replace("\u00a0", " ") for peak in (500.0, 20_000.0, 3e6, 4e9)]
    assert names == ["€", "Tsd. €", "Mio. €", "Mrd. €"]


def test_decimals_and_missing_numbers_can_be_drawn() -> None:
    from decimal import Decimal

    values = as_float(pd.Series([Decimal("1.5"), None, pd.NA], dtype=object))
    np.testing.assert_array_equal(values, [1.5, np.nan, np.nan])


def test_png_for_mail(monthly: pd.DataFrame) -> None:
    assert drawn(charts.columns(EN, monthly, y="bookings")).png(50).startswith(b"\x89PNG")


def test_values_stay_clear_of_the_targets_line(monthly: pd.DataFrame) -> None:
    chart = drawn(charts.columns(EN, monthly, y="bookings", target=2.05e6))
    assert [t.xy[1] for t in chart.axes.texts] == [2.05e6, 1.0e6, 3.0e6]
