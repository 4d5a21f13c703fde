"""Heatmaps and funnels."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import pandas as pd

from salestrack import theme
from salestrack.charts._axes import (
    Scale,
    lowered,
    position,
    tick_name,
)
from salestrack.charts._base import (
    LABEL_CHARS,
    Canvas,
    Chart,
    alt_series,
    case_count,
    chart_table,
    in_style,
    usable,
)
from salestrack.charts.bars import row_axis
from salestrack.i18n import PERIODS, UNKNOWN, Words, clean, is_unknown, unit_for
from salestrack.markup import Html, Kpi, Table, Text, as_float, data_table, empty, name_of, pick


@in_style
def heatmap(
    words: Words,
    table: Table,
    *,
    x: str,
    y: str,
    value: Kpi,
    title: Text = None,
    note: Text = None,
) -> Chart | Html:
    """A value for each pair of groups, dark is low, light is high; cells of fewer than ten cases stay white.

    Parameters
    ----------
    table : KPI table with one row per `x` and `y`
    x, y : the columns across and down; periods in order, all else in the table's order
    value : the KPI (function or name) that colours a cell and is written in it
    title, note : the claim above, a sentence for the caption

    Returns
    -------
    A chart; `–` where a pair has no value. The sentence "no data" when there is nothing to draw.
    """
    kpi = name_of(value)
    frame = usable(table, "heatmap", [x, y, kpi], kpi)
    if frame is None:
        return empty(words, pick(words, title) or words.label(kpi))
    frame = frame.assign(**{kpi: as_float(frame[kpi])})
    unit = unit_for(kpi, frame[kpi])
    grid = _grid(frame, x, y, kpi)
    cases = _grid(frame, x, y, "n").reindex_like(grid) if "n" in frame.columns else None
    scale = Scale.of(words, unit, float(grid.abs().max().max()))
    what = words.text("by_two", what=words.label(kpi), first=lowered(words, y), second=lowered(words, x))
    told = pick(words, title)
    deck = ", ".join(part for part in (what if told else "", scale.name) if part)
    names = _across(words, x, list(grid.columns)), [_short(words, y, v, LABEL_CHARS) for v in grid.index]
    turned = x not in PERIODS and max(map(len, names[0])) * 0.085 > 5.2 / len(grid.columns)
    canvas = Canvas(words, told or what, deck, 0.40 * len(grid) + (0.95 if turned else 0.4))
    small = _cells(canvas.ax, scale, grid, cases, names)
    if turned:
        names = _across(words, x, list(grid.columns), 24), names[1]
    canvas.ax.set_xticklabels(names[0], rotation=40 if turned else 0, ha="right" if turned else "center")
    labels = [
        f"{_short(words, y, a, 60)}, {_short(words, x, b, 60)}"
        for a, b in zip(frame[y], frame[x], strict=True)
    ]
    alt = alt_series(
        words, "heatmap", told or what, labels, list(frame[kpi]), "text", unit, case_count(frame), ""
    )
    data = [c for c in (y, x, kpi, "low", "high", "n") if c in frame.columns]
    units = {"low": unit, "high": unit, kpi: unit}
    table_html = data_table(words, frame, words.text("chart_data", title=clean(told or what)), data, units)
    notes = [pick(words, note), words.text("small_n_white", n=theme.SMALL_N) if small else ""]
    return canvas.chart(alt, notes, table_html)


def _across(words: Words, x: str, values: list[Any], most: int = 18) -> list[str]:
    """Names of the columns; the year stands only where it begins."""
    if x not in PERIODS:
        return [_short(words, x, v, most) for v in values]
    pairs = [tick_name(words, x, position(v, x, words.fiscal_year_start)) for v in values]
    years = ["", *(year for _, year in pairs)]
    return [f"{name}\n{year}" if year and year != years[i] else name for i, (name, year) in enumerate(pairs)]


def _short(words: Words, column: str, value: object, most: int) -> str:
    unit = column if column in PERIODS else "text"
    return clean(words.cell(column, value, unit, compact=True), most)


def _grid(frame: pd.DataFrame, x: str, y: str, value: str) -> pd.DataFrame:
    grid = frame.pivot_table(index=y, columns=x, values=value, aggfunc="first", sort=False, dropna=False)
    grid = grid.sort_index(axis=1) if x in PERIODS else grid
    return (grid.sort_index() if y in PERIODS else grid).astype(float)


def _cells(
    ax: Any, scale: Scale, grid: pd.DataFrame, cases: pd.DataFrame | None, names: tuple[list[str], list[str]]
) -> bool:
    import seaborn as sns
    from matplotlib import colormaps

    few = (cases < theme.SMALL_N).fillna(False) if cases is not None else grid.isna()
    low, high = float(grid.min().min()), float(grid.max().max())
    high = high if high > low else low + (abs(low) or 1.0)
    sns.heatmap(
        grid,
        mask=few | grid.isna(),
        cmap=theme.HEAT,
        vmin=low,
        vmax=high,
        cbar=False,
        linewidths=2,
        linecolor=theme.PAPER,
        ax=ax,
    )
    wide, values = len(grid.columns) > 9, grid.to_numpy(dtype=float)
    for row in range(len(grid)):
        for column in range(len(grid.columns)):
            value = float(values[row, column])
            red, green, blue, _ = (
                colormaps[theme.HEAT]((value - low) / (high - low)) if not math.isnan(value) else (1, 1, 1, 1)
            )
            pale = bool(few.iat[row, column]) or math.isnan(value)
            dark = (
                0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 < 0.179
            )  # then both reach 4.5 : 1
            colour = theme.MUTED if pale else theme.PAPER if dark else "#000000"
            text = UNKNOWN if math.isnan(value) else scale.label(value)
            ax.text(
                column + 0.5,
                row + 0.5,
                text,
                ha="center",
                va="center",
                color=colour,
                fontsize=theme.SMALL_SIZE if wide else theme.TEXT_SIZE,
            )
    ax.set(xlabel="", ylabel="")
    ax.set_yticks([i + 0.5 for i in range(len(grid))], names[1], rotation=0)
    ax.set_xticks([i + 0.5 for i in range(len(grid.columns))], names[0])
    return bool((few & grid.notna()).any().any()) if cases is not None else False


@in_style
def funnel(
    words: Words,
    table: Table,
    *,
    stage: str = "stage_name",
    entered: str = "n",
    rate: Kpi = "stage_conversion",
    title: Text = None,
    note: Text = None,
) -> Chart | Html:
    """Stages from top to bottom: how many entered each, and which share went on, with its 95 % interval.

    Parameters
    ----------
    table : `stage_conversion` by stage, in the order of the stages
    stage : the column that names the stage
    entered : the column that counts the entries
    rate : the share that went on
    title, note : the claim above, a sentence for the caption

    Returns
    -------
    A chart; the sentence "no data" when there is nothing to draw.
    """
    kpi = name_of(rate)
    frame = usable(table, "funnel", [stage, entered, kpi], entered)
    if frame is None:
        return empty(words, pick(words, title) or words.label(kpi))
    if "stage_order" in frame.columns:
        frame = frame.sort_values("stage_order", kind="stable", ignore_index=True)
    counts = as_float(frame[entered]).fillna(0)
    top = max(float(counts.max()), 1.0)
    deck = words.text("funnel_deck")
    canvas = Canvas(words, pick(words, title) or words.label(kpi), deck, 0.56 * len(frame) + 0.1)
    ax, at = canvas.ax, list(range(len(frame)))
    ax.barh(at, counts / top, 0.56, color=theme.INK)
    ax.barh(at, 1 - counts / top, 0.56, left=counts / top, color=theme.FAINT, zorder=0.5)
    for row in at:
        _funnel_row(ax, words, frame, kpi, row, float(counts[row]), top)
    names = ["\n".join(textwrap.wrap(clean(words.value(stage, v), 44), 24)[:2]) for v in frame[stage]]
    row_axis(ax, at, names, [theme.INK] * len(at))
    ax.set_xlim(0, 1)
    ax.set_xticks([])
    unit = "share"
    alt = alt_series(
        words, "funnel", canvas.title, frame[stage], as_float(frame[kpi]), "text", unit, None, stage
    )
    return canvas.chart(
        alt, [pick(words, note)], chart_table(words, frame, canvas.title, [stage, entered, kpi], kpi, unit)
    )


def _funnel_row(
    ax: Any, words: Words, frame: pd.DataFrame, rate: str, row: int, count: float, top: float
) -> None:
    inside = count / top > 0.16
    ax.text(
        count / top - 0.012 if inside else count / top + 0.012,
        row,
        words.fmt(count, "count"),
        va="center",
        ha="right" if inside else "left",
        color=theme.PAPER if inside else theme.INK,
        fontweight="bold",
        gid="entered",
    )
    share = frame[rate].iloc[row]
    across = ax.get_yaxis_transform()
    style = {"va": "bottom", "fontweight": "bold", "color": theme.ACCENT}
    ax.text(1.025, row + 0.02, words.fmt(share, "share"), transform=across, gid="rate", **style)
    if {"low", "high"} <= set(frame.columns) and not is_unknown(share):
        ends = words.interval(frame["low"].iloc[row], frame["high"].iloc[row], "share", digits=0)
        ax.text(
            1.025,
            row + 0.08,
            ends,
            transform=across,
            va="top",
            color=theme.MUTED,
            fontsize=theme.SMALL_SIZE,
            gid="interval",
        )
