"""Charts, read from their Axes: labels, heights, texts; never pixels."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from salestrack import charts, theme
from salestrack.charts import Chart
from salestrack.charts._axes import Scale, position, stamp_at
from salestrack.charts._base import wrapped
from salestrack.errors import InputError
from salestrack.i18n import PERIODS, Words
from salestrack.markup import Html, as_float

EN, DE = Words("en"), Words("de")
EVIL = "<script>alert('$x$')</script>"


def months(count: int, start: str = "2025-11-01") -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq="MS")


@pytest.fixture
def monthly() -> pd.DataFrame:
    return pd.DataFrame({"month": months(3), "bookings": [2.0e6, 1.0e6, 3.0e6], "n": [20, 10, 30]})


@pytest.fixture
def teams() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "team": ["North", "South", "(missing)", "West"],
            "won": [40, 4, 20, 0],
            "win_rate": [0.40, 0.50, 0.25, np.nan],
            "low": [0.31, 0.19, 0.17, np.nan],
            "high": [0.50, 0.81, 0.35, np.nan],
            "n": [100, 8, 80, 0],
        }
    )


def drawn(made: Chart | Html) -> Chart:
    assert isinstance(made, Chart)
    return made


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def texts(chart: Chart, gid: str | None = None) -> list[str]:
    return [plain(t.get_text()) for t in chart.axes.texts if gid is None or t.get_gid() == gid]


def heading(chart: Chart, gid: str = "title") -> str:
    return next((t.get_text() for t in chart.figure.texts if t.get_gid() == gid), "")


def heights(chart: Chart, label: str) -> list[float]:
    container = next(c for c in chart.axes.containers if c.get_label() == label)
    return [patch.get_height() for patch in container]


def ticks(chart: Chart, axis: str = "x") -> list[str]:
    return [t.get_text() for t in getattr(chart.axes, f"get_{axis}ticklabels")()]


def legend(chart: Chart) -> list[str]:
    return [plain(t.get_text()) for box in chart.figure.legends for t in box.get_texts()]


ALL: dict[str, Callable[[pd.DataFrame | None], Chart | Html]] = {
    "columns": lambda t: charts.columns(EN, t, y="bookings"),
    "stacked": lambda t: charts.stacked(EN, t, y="bookings", by="team"),
    "bars": lambda t: charts.bars(EN, t, x="win_rate", y="team"),
    "forest": lambda t: charts.forest(EN, t, x="win_rate", y="team"),
    "heatmap": lambda t: charts.heatmap(EN, t, x="segment", y="team", value="win_rate"),
    "funnel": lambda t: charts.funnel(EN, t),
    "lines": lambda t: charts.lines(EN, t, y="win_rate"),
    "curve": lambda t: charts.curve(EN, t, x="days", y="survival"),
    "reliability": lambda t: charts.curve(EN, t, x="predicted", y="observed", kind="reliability"),
    "histogram": lambda t: charts.histogram(EN, t, x="amount"),
    "strip": lambda t: charts.strip(EN, t, x="amount", y="team"),
}
SAMPLE = pd.DataFrame(
    {
        "month": months(4),
        "team": ["North", EVIL, "(missing)", "$3 & $4"],
        "segment": ["small", "small", EVIL, "enterprise"],
        "stage_name": ["Qualification", EVIL, "Proposal", "Contract"],
        "bookings": [1.0e6, 2.0e6, np.nan, 1.5e6],
        "win_rate": [0.4, 0.5, np.nan, 0.3],
        "stage_conversion": [0.6, 0.5, 0.4, np.nan],
        "low": [0.3, 0.4, np.nan, 0.2],
        "high": [0.5, 0.6, np.nan, 0.4],
        "n": [100, 80, 7, 60],
        "days": [0, 10, 20, 30],
        "survival": [1.0, 0.8, 0.5, 0.2],
        "predicted": [0.2, 0.4, 0.6, 0.8],
        "observed": [0.25, 0.35, 0.6, 0.85],
        "amount": [1000.0, 20_000.0, 30_000.0, np.nan],
    }
)


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


def test_missing_columns_are_named(teams: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="bars needs the column 'win_rat', .* did you mean 'win_rate'"):
        charts.bars(EN, teams, x="win_rat", y="team")


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


def test_bars_are_sorted_with_value_and_n(teams: pd.DataFrame) -> None:
    chart = drawn(charts.bars(DE, teams, x="win_rate", y="team", reference=0.35, target=0.4))
    assert ticks(chart, "y") == ["South", "North", "(ohne Angabe)", "West"]
    assert texts(chart, "value") == ["50,0 %", "40,0 %", "25,0 %", "–"]
    assert texts(chart, "n") == ["n = 8", "n = 100", "n = 80", "n = 0"]
    assert legend(chart) == ["Gesamt 35,0 %", "Ziel 40,0 %"]
    assert heading(chart) == "Abschlussquote nach Team"
    assert "weniger als 10 Fälle" in chart.caption


def test_small_groups_are_grey(teams: pd.DataFrame) -> None:
    chart = drawn(charts.bars(EN, teams, x="win_rate", y="team", sort=False))
    colours = [t.get_color() for t in chart.axes.get_yticklabels()]
    assert colours == [theme.INK, theme.MUTED, theme.INK, theme.MUTED]


def test_what_is_counted_in_full_is_not_grey(teams: pd.DataFrame) -> None:
    chart = drawn(
        charts.bars(EN, teams.assign(bookings=teams["won"]), x="bookings", y="team", interval=False)
    )
    assert {t.get_color() for t in chart.axes.get_yticklabels()} == {theme.INK}


def test_bars_without_intervals_have_lengths(teams: pd.DataFrame) -> None:
    chart = drawn(charts.bars(EN, teams, x="won", y="team", interval=False, most=3))
    assert [p.get_width() for p in chart.axes.patches] == [40, 20, 4]
    assert "3 largest of 4 groups" in chart.caption


def test_the_whole_may_be_a_table(teams: pd.DataFrame) -> None:
    whole = pd.DataFrame({"win_rate": [0.33]})
    assert legend(drawn(charts.bars(EN, teams, x="win_rate", y="team", reference=whole))) == ["Overall 33.0%"]


def test_forest_shows_signed_effects_about_zero() -> None:
    table = pd.DataFrame(
        {"effect": ["a", "b"], "difference": [-0.05, 0.1], "low": [-0.1, 0.02], "high": [0.0, 0.2]}
    )
    chart = drawn(charts.forest(EN, table, x="difference", y="effect", unit="difference"))
    assert texts(chart, "value") == ["+10.0", "−5.0"]
    assert heading(chart) == "Difference by effect"
    assert heading(chart, "deck") == "percentage points"


def test_lines_name_each_group_at_its_end() -> None:
    table = pd.DataFrame(
        {
            "month": [*months(3), *months(3)],
            "team": ["A"] * 3 + ["B"] * 3,
            "win_rate": [0.3, 0.4, 0.5, 0.2, np.nan, 0.1],
        }
    )
    chart = drawn(charts.lines(EN, table, y="win_rate", by="team"))
    assert sorted(texts(chart, "end")) == ["A", "B"]
    line = next(line for line in chart.axes.lines if line.get_label() == "B")
    np.testing.assert_array_equal(line.get_ydata(), [0.2, np.nan, 0.1])


def test_end_names_do_not_overlap() -> None:
    groups = list("ABCDEF")
    table = pd.DataFrame(
        {"month": [m for m in months(2) for _ in groups], "team": groups * 2, "win_rate": 0.3}
    )
    chart = drawn(charts.lines(EN, table, y="win_rate", by="team"))
    with theme.style():
        chart.figure.draw_without_rendering()
        boxes = sorted((t.get_window_extent() for t in chart.axes.texts), key=lambda b: b.y0)
    assert all(a.y1 <= b.y0 + 2 for a, b in zip(boxes, boxes[1:], strict=False))


def test_a_single_line_shades_its_interval_and_says_its_end(teams: pd.DataFrame) -> None:
    table = teams.head(3).assign(month=months(3))
    chart = drawn(charts.lines(EN, table, y="win_rate", target=0.45))
    assert texts(chart, "end") == ["25.0%"]
    assert legend(chart) == ["Target 45.0%"]
    assert chart.caption == "Shaded: 95% interval."


def test_heatmap_cells_are_readable(teams: pd.DataFrame) -> None:
    table = pd.concat([teams.assign(segment=s) for s in ("small", "enterprise")])
    chart = drawn(charts.heatmap(EN, table, x="segment", y="team", value="win_rate"))
    assert ticks(chart, "y") == ["North", "South", "(missing)", "West"]
    assert ticks(chart) == ["Small business", "Enterprise"]
    assert texts(chart) == ["40%", "40%", "50%", "50%", "25%", "25%", "–", "–"]
    assert "White: fewer than 10 cases" in chart.caption


def test_funnel_counts_entries_and_says_the_rate() -> None:
    table = pd.DataFrame(
        {
            "stage_order": [2, 1],
            "stage_name": ["Proposal", "Qualification"],
            "n": [40, 100],
            "stage_conversion": [0.5, 0.4],
            "low": [0.35, 0.31],
            "high": [0.65, 0.5],
        }
    )
    chart = drawn(charts.funnel(DE, table))
    assert ticks(chart, "y") == ["Qualifizierung", "Angebot"]
    assert texts(chart, "entered") == ["100", "40"]
    assert texts(chart, "rate") == ["40,0 %", "50,0 %"]
    assert texts(chart, "interval") == ["31 bis 50 %", "35 bis 65 %"]


def test_stacked_parts_add_up_and_the_rest_is_joined() -> None:
    table = pd.DataFrame(
        {
            "month": np.repeat(months(2), 3),
            "activity_type": ["call", "email", "travel"] * 2,
            "hours": [5.0, 3.0, 2.0, 6.0, 2.0, 2.0],
        }
    )
    chart = drawn(charts.stacked(EN, table, y="hours", by="activity_type", most=2, share=True))
    assert legend(chart) == ["Call", "Email", "Others"]
    assert heights(chart, "Call") == [0.5, 0.6]
    assert sum(heights(chart, name)[0] for name in legend(chart)) == pytest.approx(1)


def test_histogram_counts_each_case_once() -> None:
    table = pd.DataFrame({"amount": [0.0, 1000.0, 2000.0, 2000.0, np.nan, 4000.0]})
    chart = drawn(charts.histogram(EN, table, x="amount", bins=4))
    assert sum(p.get_height() for p in chart.axes.patches) == 5
    assert legend(chart) == ["Median €2,000"]
    assert "5 cases, median €2,000, from €0 to €4,000" in chart.alt


def test_a_cloud_of_dots_becomes_a_picture() -> None:
    table = pd.DataFrame({"amount": np.arange(400.0), "team": "A"})
    many, few = (drawn(charts.strip(EN, t, x="amount", y="team")) for t in (table, table.head(100)))
    assert "<image" in many.svg
    assert "<image" not in few.svg


def test_reliability_has_a_diagonal_and_bars() -> None:
    chart = drawn(ALL["reliability"](SAMPLE))
    diagonal = next(line for line in chart.axes.lines if line.get_label() == "perfect")
    assert list(diagonal.get_ydata()) == [0, 1]
    assert chart.caption == "Lines: 95% interval."


def test_survival_is_a_step_curve() -> None:
    line = drawn(ALL["curve"](SAMPLE)).axes.lines[0]
    assert line.get_drawstyle() == "steps-post"
    assert list(line.get_ydata()) == [1.0, 0.8, 0.5, 0.2]


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


def test_a_kpi_may_be_given_as_its_function(teams: pd.DataFrame) -> None:
    from salestrack.kpis import win_rate

    assert heading(drawn(charts.bars(EN, teams, x=win_rate, y="team"))) == "Win rate by team"


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
