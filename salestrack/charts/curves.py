"""Curves of survival and of reliability."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

from salestrack import theme
from salestrack.charts._axes import (
    Scale,
    axis_name,
    bounds,
    headings,
    value_axis,
)
from salestrack.charts._base import HEIGHT, Canvas, Chart, Key, alt_series, case_count, in_style, usable
from salestrack.charts.lines import groups_of
from salestrack.i18n import Words, clean, unit_for
from salestrack.markup import Html, Table, Text, as_float, data_table, empty, pick


@in_style
def curve(
    words: Words,
    table: Table,
    *,
    x: str,
    y: str,
    by: str | None = None,
    kind: Literal["step", "line", "reliability"] = "step",
    x_unit: str | None = None,
    y_unit: str = "share",
    title: Text = None,
    note: Text = None,
) -> Chart | Html:
    """A share over days (`step`: survival, incidence) or observed against predicted (`reliability`).

    Parameters
    ----------
    table : one row per step or bin, with `low` and `high` (95 %) and `n` where known
    x, y : the columns across and up
    by : the column that names several curves
    kind : `step`, `line` or `reliability` (dots with Wilson bars about the diagonal)
    x_unit, y_unit : units, where the column's name does not tell
    title, note : the claim above, a sentence for the caption

    Returns
    -------
    A chart; the sentence "no data" when there is nothing to draw.
    """
    frame = usable(table, "curve", [x, y, *([by] if by else [])], y)
    if frame is None:
        return empty(words, pick(words, title) or words.label(y))
    across = x_unit or ("share" if kind == "reliability" else unit_for(x, frame[x]))
    xs, ys = as_float(frame[x]), as_float(frame[y])
    scales = Scale.of(words, across, float(xs.abs().max())), Scale.of(words, y_unit, float(ys.abs().max()))
    groups = [(None, "", theme.INK)] if by is None else groups_of(words, frame, y, by, None)
    said, deck = headings(words, y, scales[1], title)
    side = axis_name(words, x, scales[0])
    keys = [Key(label, colour, "line") for _, label, colour in groups] if by else []
    if kind == "reliability":
        keys.append(Key(words.text("perfect"), theme.MUTED, "dash"))
    canvas = Canvas(words, said, deck, 3.4 if kind == "reliability" else HEIGHT, keys)
    for key, label, colour in groups:
        rows = frame if by is None else frame[frame[by] == key]
        (_bins if kind == "reliability" else _steps)(canvas.ax, rows, x, y, colour, label, kind)
    _curve_axes(canvas.ax, scales, frame, x, y, kind, y_unit)
    canvas.ax.set_xlabel(side)
    alt = alt_series(
        words,
        "reliability" if kind == "reliability" else "curve",
        said,
        list(xs),
        list(ys),
        across,
        y_unit,
        case_count(frame),
    )
    units = {x: across, y: y_unit, "low": y_unit, "high": y_unit}
    columns = [*([by] if by else []), x, y, *(c for c in ("low", "high", "n") if c in frame.columns)]
    data = data_table(words, frame, words.text("chart_data", title=clean(said)), columns, units)
    spread = {"low", "high"} <= set(frame.columns)
    told = words.text("whiskers" if kind == "reliability" else "band") if spread else ""
    return canvas.chart(alt, [pick(words, note), told], data)


def _steps(ax: Any, rows: pd.DataFrame, x: str, y: str, colour: str, label: str, kind: str) -> None:
    rows = rows.sort_values(x, kind="stable")
    at = as_float(rows[x])
    if {"low", "high"} <= set(rows.columns):
        step = "post" if kind == "step" else None
        ax.fill_between(
            at,
            as_float(rows["low"]),
            as_float(rows["high"]),
            step=step,
            color=colour,
            alpha=0.14,
            linewidth=0,
        )
    ax.plot(
        at,
        as_float(rows[y]),
        color=colour,
        label=label or y,
        drawstyle="steps-post" if kind == "step" else "default",
    )


def _bins(ax: Any, rows: pd.DataFrame, x: str, y: str, colour: str, label: str, kind: str) -> None:
    at, observed = as_float(rows[x]), as_float(rows[y])
    if {"low", "high"} <= set(rows.columns):
        ax.vlines(at, as_float(rows["low"]), as_float(rows["high"]), color=colour, linewidth=1.8)
    small = as_float(rows["n"]).fillna(0) < theme.SMALL_N if "n" in rows.columns else at < -1
    tones = [theme.PREVIOUS if few else colour for few in small]
    ax.scatter(
        at, observed, s=48, color=tones, edgecolor=theme.PAPER, linewidth=1, zorder=3, label=label or y
    )


def _curve_axes(
    ax: Any, scales: tuple[Scale, Scale], frame: pd.DataFrame, x: str, y: str, kind: str, y_unit: str
) -> None:
    if kind == "reliability":
        ax.plot(
            [0, 1],
            [0, 1],
            color=theme.MUTED,
            linestyle=(0, (5, 3)),
            linewidth=1.2,
            zorder=1.5,
            label="perfect",
        )
        value_axis(ax, scales[0], 0.0, 1.0, "x")
        value_axis(ax, scales[1], 0.0, 1.0)
        return
    high = [*as_float(frame[y]), *(as_float(frame["high"]) if "high" in frame.columns else [])]
    value_axis(ax, scales[0], 0.0, float(as_float(frame[x]).max()), "x", ticks=7)
    ax.grid(visible=False, axis="x")
    value_axis(ax, scales[1], *((0.0, 1.02) if y_unit == "share" and max(high) > 0.6 else bounds(high)))
