"""Columns over time after IBCS: actual dark, previous year light, plan outlined, forecast hatched."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from salestrack import theme
from salestrack.charts._axes import (
    Scale,
    bounds,
    headings,
    period_axis,
    position,
    value_axis,
)
from salestrack.charts._base import (
    HEIGHT,
    Canvas,
    Chart,
    Key,
    alt_series,
    case_count,
    chart_table,
    in_style,
    usable,
)
from salestrack.findings import claim
from salestrack.i18n import Words, is_unknown, unit_for
from salestrack.markup import Html, Kpi, Table, Text, as_float, empty, name_of, pick

LABELLED = 13  # columns that can carry their value


@in_style
def columns(
    words: Words,
    table: Table,
    *,
    x: str = "month",
    y: Kpi,
    previous: Table | str = None,
    target: Table | str | float = None,
    forecast: Table = None,
    last: int | None = None,
    highlight_last: bool = True,
    title: Text = None,
    note: Text = None,
) -> Chart | Html:
    """A column per period: actual dark, the newest in the accent colour, the previous year light behind it.

    Parameters
    ----------
    table : KPI table with one row per period
    x : the period column (`month`, `quarter`, `year`, `week`, `day`)
    y : the KPI (function or name), the height of the columns
    previous : the same KPI a year earlier: a table, a column's name, or `"year"` to look it up in `table`
    target : one number (a line), a column's name or a table with `x` and `y`, `target` or `quota`
        (outlined)
    forecast : table of later periods with the KPI, drawn hatched, with its `low` to `high` as a line
    last : show only so many of the newest periods
    highlight_last : draw the newest period in the accent colour and write its value
    title : the claim above; without it the newest value and its change are said
    note : a sentence for the caption

    Returns
    -------
    A chart; the sentence "no data" when there is nothing to draw.
    """
    kpi = name_of(y)
    frame = usable(table, "columns", [x, kpi], kpi)
    if frame is None:
        return empty(words, pick(words, title) or words.label(kpi))
    drawn = _aligned(words, frame, x, kpi, previous, target, forecast)
    if last:
        drawn = drawn.tail(last).reset_index(drop=True)
    unit = unit_for(kpi, frame[kpi])
    level = float(target) if isinstance(target, int | float) and not is_unknown(target) else None
    peaks = [*drawn[["actual", "previous", "plan", "forecast", "high"]].to_numpy().ravel(), level or math.nan]
    known = [v for v in peaks if not is_unknown(v)]
    scale = Scale.of(words, unit, max(map(abs, known)))
    said = pick(words, title) or _claim(words, kpi, frame, drawn, x, previous is not None)
    keys = _keys(words, scale, drawn, level)
    canvas = Canvas(words, said, headings(words, kpi, scale, said)[1], HEIGHT, keys)
    _draw(canvas, scale, drawn, level, highlight_last, known)
    period_axis(canvas.ax, words, x, int(drawn["at"].iloc[0]), int(drawn["at"].iloc[-1]))
    counted = frame[[position(v, x, words.fiscal_year_start) in set(drawn["at"]) for v in frame[x]]]
    alt = alt_series(
        words,
        "columns",
        said,
        drawn[x],
        drawn["actual"].fillna(drawn["forecast"]),
        x,
        unit,
        case_count(counted),
    )
    return canvas.chart(alt, [pick(words, note)], _data(words, frame, drawn, said, x, kpi, unit))


def _aligned(
    words: Words,
    frame: pd.DataFrame,
    x: str,
    y: str,
    previous: Table | str,
    target: Table | str | float,
    forecast: Table,
) -> pd.DataFrame:
    """One row per period: actual, previous, plan, forecast, low, high, matched by period number."""
    start = words.fiscal_year_start
    out = pd.DataFrame(
        {x: frame[x], "at": [position(v, x, start) for v in frame[x]], "actual": as_float(frame[y])}
    )
    series: dict[str, dict[int, float]] = {
        name: {} for name in ("previous", "plan", "forecast", "low", "high")
    }
    year = {"month": 12, "quarter": 4, "year": 1, "week": 52, "day": 365}[x]
    series["previous"] = _series(words, frame, previous, x, (y,), year)
    if not isinstance(target, int | float):
        series["plan"] = _series(words, frame, target, x, (y, "target", "quota"), 0)
    if forecast is not None and not forecast.empty:
        later = pd.DataFrame(
            {x: forecast[x], "at": [position(v, x, start) for v in forecast[x]], "actual": math.nan}
        )
        out = pd.concat([out, later[~later["at"].isin(out["at"])]], ignore_index=True)
        for name, column in (("forecast", y), ("low", "low"), ("high", "high")):
            if column in forecast.columns:
                series[name] = dict(zip(later["at"], as_float(forecast[column]), strict=True))
    for name, known in series.items():
        out[name] = [known.get(at, math.nan) for at in out["at"]]
    return out.sort_values("at", ignore_index=True)


def _series(
    words: Words, frame: pd.DataFrame, given: Table | str, x: str, names: tuple[str, ...], year: int
) -> dict[int, float]:
    """Values by number of the period; a table that ends before the actual one is moved on by a year."""
    if given is None:
        return {}
    if isinstance(given, str) and given != "year":
        return _by_position(words, frame, x, given)
    other = frame if isinstance(given, str) else given
    column = next((name for name in names if name in other.columns), names[0])
    if other.empty:
        return {}
    values = _by_position(words, other, x, column)
    newest = max(position(v, x, words.fiscal_year_start) for v in frame[x])
    moved = year if isinstance(given, str) or (year and max(values) <= newest - year) else 0
    return {at + moved: value for at, value in values.items()}


def _by_position(words: Words, table: pd.DataFrame, x: str, column: str) -> dict[int, float]:
    return {
        position(at, x, words.fiscal_year_start): value
        for at, value in zip(table[x], as_float(table[column]), strict=True)
    }


def _claim(words: Words, y: str, frame: pd.DataFrame, drawn: pd.DataFrame, x: str, compared: bool) -> str:
    known = drawn[drawn["actual"].notna()]
    if known.empty:
        return words.label(y)
    newest = known.iloc[-1]
    before = newest["previous"] if compared else None
    unit = unit_for(y, frame[y])
    return claim(words, y, newest["actual"], unit, when=(newest[x], x), before=before, against="year")


def _keys(words: Words, scale: Scale, drawn: pd.DataFrame, level: float | None) -> list[Key]:
    have = {name: bool(drawn[name].notna().any()) for name in ("previous", "plan", "forecast")}
    keys = [Key(words.text("actual"), theme.INK)]
    keys += [Key(words.text("previous_year"), theme.PREVIOUS)] if have["previous"] else []
    keys += [Key(words.text("plan"), theme.INK, "outline")] if have["plan"] else []
    keys += [Key(words.text("forecast"), theme.INK, "hatch")] if have["forecast"] else []
    keys += (
        [Key(f"{words.text('plan')} {scale.label(level)}", theme.BAD, "dash")] if level is not None else []
    )
    return keys if len(keys) > 1 else []


def _draw(
    canvas: Canvas,
    scale: Scale,
    drawn: pd.DataFrame,
    level: float | None,
    highlight: bool,
    known: list[float],
) -> None:
    ax, at = canvas.ax, drawn["at"]
    has_plan, has_previous = drawn["plan"].notna().any(), drawn["previous"].notna().any()
    width = 0.72 - 0.14 * has_plan - 0.14 * has_previous
    if has_previous:
        ax.bar(
            at - 0.17,
            drawn["previous"],
            width,
            color=theme.PREVIOUS,
            zorder=1.5,
            gid="previous",
            label="previous",
        )
    if has_plan:
        ax.bar(
            at + 0.17,
            drawn["plan"],
            width,
            facecolor=theme.PAPER,
            edgecolor=theme.INK,
            linewidth=1.1,
            zorder=1.7,
            label="plan",
        )
    newest = max((i for i, v in enumerate(drawn["actual"]) if not is_unknown(v)), default=0)
    colours = [theme.ACCENT if highlight and row == newest else theme.INK for row in range(len(drawn))]
    ax.bar(
        at,
        drawn["actual"],
        width,
        color=colours,
        edgecolor=theme.PAPER,
        linewidth=0.6,
        zorder=2,
        label="actual",
    )
    if drawn["forecast"].notna().any():
        ax.bar(
            at,
            drawn["forecast"],
            width,
            facecolor=theme.PAPER,
            edgecolor=theme.INK,
            hatch="////",
            linewidth=1.1,
            zorder=2,
            label="forecast",
        )
        ax.vlines(at, drawn["low"], drawn["high"], color=theme.ACCENT, linewidth=2, zorder=3)
    if level is not None:
        ax.axhline(level, color=theme.BAD, linestyle=(0, (5, 3)), linewidth=1.4, zorder=2.5)
    low, high = bounds(known, top=0.12)
    value_axis(ax, scale, low, high)
    if len(drawn) <= LABELLED:  # every column says its value, so lines and ticks would say it twice
        ax.set_yticks([])
        ax.grid(visible=False)
    if low < 0:
        ax.axhline(0, color=theme.INK, linewidth=0.8)
    crowded = len(drawn) > LABELLED  # then the newest value is written to the right of its column's left edge
    ax.set_xlim(at.iloc[0] - 0.62, at.iloc[-1] + (max(0.62, len(drawn) * 0.055) if crowded else 0.62))
    _label(ax, scale, drawn, newest, highlight, known, level)


def _label(
    ax: Any,
    scale: Scale,
    drawn: pd.DataFrame,
    newest: int,
    highlight: bool,
    known: list[float],
    level: float | None,
) -> None:
    """Values above the columns: all when there is room, else only the newest; off the target's line."""
    low, high = ax.get_ylim()
    text_height = (high - low) * 0.09
    digits = _digits(scale, max(map(abs, known)))
    for at, value, top in zip(drawn["at"], drawn["forecast"], drawn["high"], strict=True):
        if not is_unknown(value) and len(drawn) <= LABELLED:
            place = (at, value if is_unknown(top) else max(value, top))
            ax.annotate(
                scale.short(value, digits),
                place,
                (0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=theme.SMALL_SIZE,
            )
    for row in range(len(drawn)):
        value = drawn["actual"].iloc[row]
        if is_unknown(value) or (len(drawn) > LABELLED and not (highlight and row == newest)):
            continue
        strong = highlight and row == newest
        plan, crowded = drawn["plan"].iloc[row], len(drawn) > LABELLED
        height = max(value, plan) if value >= 0 and not crowded and not is_unknown(plan) else value
        if level is not None and 0 <= height <= level < height + text_height:
            height = level
        ax.annotate(
            scale.short(value, digits),
            (drawn["at"].iloc[row] - (0.36 if crowded else 0), height),
            (0, 3 if value >= 0 else -3),
            textcoords="offset points",
            ha="left" if crowded else "center",
            va="bottom" if value >= 0 else "top",
            zorder=4,
            fontsize=theme.TEXT_SIZE if strong else theme.SMALL_SIZE,
            color=theme.ACCENT if strong else theme.INK,
            fontweight="bold" if strong else "normal",
        )


def _digits(scale: Scale, peak: float) -> int:
    shown = peak / scale.factor
    if scale.unit in ("share", "change"):
        return 0
    return 0 if scale.unit == "count" or shown >= 100 else 1


def _data(
    words: Words, frame: pd.DataFrame, drawn: pd.DataFrame, title: str, x: str, y: str, unit: str
) -> str:
    names = {
        "actual": words.label(y),
        "previous": words.text("previous_year"),
        "plan": words.text("plan"),
        "forecast": words.text("forecast"),
    }
    shown = [c for c in names if drawn[c].notna().any()]
    data = drawn[[x, *shown]].copy()
    if {"low", "high"} <= set(frame.columns):
        ends = frame.set_index(frame[x].map(pd.Timestamp))[["low", "high"]]
        data[["low", "high"]] = ends.reindex(drawn[x].map(pd.Timestamp)).to_numpy()
    if "n" in frame.columns:
        data["n"] = (
            frame.set_index(frame[x].map(pd.Timestamp))["n"].reindex(drawn[x].map(pd.Timestamp)).to_numpy()
        )
    return chart_table(words, data, title, [x, *shown], "actual", unit, names)
