"""Data that is hard to draw, each kind of chart of it, and what a chart's Axes say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from salestrack import charts
from salestrack.charts import Chart
from salestrack.i18n import Words
from salestrack.markup import Html

EN, DE = Words("en"), Words("de")
EVIL = "<script>alert('$x$')</script>"


def months(count: int, start: str = "2025-11-01") -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq="MS")


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
