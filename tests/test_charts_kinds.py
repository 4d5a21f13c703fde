"""Bars, forests, lines, heatmaps, funnels, parts of a whole, distributions and curves, read from their Axes; never pixels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from chart_samples import ALL, DE, EN, SAMPLE, drawn, heading, heights, legend, months, texts, ticks

from salestrack import charts, theme
from salestrack.errors import InputError


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


def test_missing_columns_are_named(teams: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="bars needs the column 'win_rat', .* did you mean 'win_rate'"):
        charts.bars(EN, teams, x="win_rat", y="team")


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


def test_a_kpi_may_be_given_as_its_function(teams: pd.DataFrame) -> None:
    from salestrack.kpis import win_rate

    assert heading(drawn(charts.bars(EN, teams, x=win_rate, y="team"))) == "Win rate by team"
