"""How single cases are spread: histograms and dots."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from salestrack import theme
from salestrack.charts._axes import (
    Scale,
    axis_name,
    bounds,
    headings,
    value_axis,
)
from salestrack.charts._base import HEIGHT, LABEL_CHARS, Canvas, Chart, Key, in_style, usable
from salestrack.i18n import Words, clean, unit_for
from salestrack.markup import Html, Table, Text, as_float, data_table, empty, pick

GOLDEN = 0.6180339887498949


@in_style
def histogram(
    words: Words,
    table: Table,
    *,
    x: str,
    bins: int = 20,
    unit: str | None = None,
    target: float | None = None,
    title: Text = None,
    note: Text = None,
) -> Chart | Html:
    """How single values are spread: columns of counts over round bins, with the median.

    Parameters
    ----------
    table : one row per case
    x : the column whose values are counted; unknown values are left out
    bins : about how many columns
    unit : unit of the values where the column's name does not tell
    target : a goal (dashed line)
    title, note : the claim above, a sentence for the caption

    Returns
    -------
    A chart; the sentence "no data" when there is nothing to draw.
    """
    frame = usable(table, "histogram", [x], x)
    if frame is None:
        return empty(words, pick(words, title) or words.label(x))
    import seaborn as sns
    from matplotlib.ticker import MaxNLocator

    values = as_float(frame[x]).dropna().sort_values(ignore_index=True)
    known = unit or unit_for(x, frame[x])
    scale = Scale.of(words, known, float(values.abs().max()))
    edges = [
        float(e)
        for e in MaxNLocator(bins, steps=[1, 2, 2.5, 5, 10]).tick_values(
            values.min(), max(values.max(), values.min() + 1e-9)
        )
    ]
    if known == "count" and edges[1] - edges[0] < 1:
        edges = [float(e) for e in range(math.floor(values.min()), math.ceil(values.max()) + 2)]
    middle = float(values.median())
    said = pick(words, title) or words.label(x)
    side = axis_name(words, x, scale)
    keys = [Key(f"{words.text('median')} {words.fmt(middle, known, compact=True)}", theme.ACCENT, "line")]
    keys += (
        []
        if target is None
        else [Key(f"{words.text('plan')} {words.fmt(target, known, compact=True)}", theme.BAD, "dash")]
    )
    canvas = Canvas(words, said, words.text("number_of_cases") + f", {words.n(len(values))}", HEIGHT, keys)
    sns.histplot(
        x=values, bins=edges, color=theme.INK, alpha=1, edgecolor=theme.PAPER, linewidth=0.8, ax=canvas.ax
    )
    heights = [int(n) for n in pd.cut(values, edges, right=False).value_counts(sort=False)]
    heights[-1] += int((values == edges[-1]).sum())
    value_axis(canvas.ax, Scale(words, "count", 1.0, ""), 0.0, max(heights) * 1.08)
    value_axis(canvas.ax, scale, edges[0], edges[-1], "x", ticks=8)
    canvas.ax.grid(visible=False, axis="x")
    canvas.ax.axvline(middle, color=theme.ACCENT, linewidth=2.2)
    if target is not None:
        canvas.ax.axvline(target, color=theme.BAD, linestyle=(0, (5, 3)), linewidth=1.4)
    canvas.ax.set(xlabel=side, ylabel="")
    data = pd.DataFrame({"from": edges[:-1], "up_to": edges[1:], "n": [*heights]})
    table_html = data_table(
        words,
        data,
        words.text("chart_data", title=clean(said)),
        ["from", "up_to", "n"],
        {"from": known, "up_to": known},
    )
    return canvas.chart(_spread_alt(words, "histogram", said, values, known), [pick(words, note)], table_html)


def _spread_alt(words: Words, kind: str, title: str, values: pd.Series, unit: str) -> list[str]:
    def said(value: float) -> str:
        return words.fmt(value, unit, compact=True)

    head = words.text("alt_head", kind=words.text(f"alt_{kind}"), title=clean(title).rstrip("."))
    cases = words.fmt(len(values), "count")
    return [
        head,
        words.text(
            "alt_spread",
            n=cases,
            median=said(values.median()),
            low=said(values.min()),
            high=said(values.max()),
        ),
    ]


@in_style
def strip(
    words: Words,
    table: Table,
    *,
    x: str,
    y: str,
    unit: str | None = None,
    title: Text = None,
    note: Text = None,
) -> Chart | Html:
    """Every case as a dot, one row per group, with the group's median; many dots become one picture.

    Parameters
    ----------
    table : one row per case
    x : the column of values; unknown values are left out
    y : the column that names the groups, those with the highest median first
    unit : unit of the values where the column's name does not tell
    title, note : the claim above, a sentence for the caption

    Returns
    -------
    A chart; the sentence "no data" when there is nothing to draw.
    """
    frame = usable(table, "strip", [x, y], x)
    if frame is None:
        return empty(words, pick(words, title) or words.label(x))
    long = pd.DataFrame(
        {"group": [words.value(y, v) for v in frame[y]], "value": as_float(frame[x])}
    ).dropna()
    known = unit or unit_for(x, frame[x])
    scale = Scale.of(words, known, float(long["value"].abs().max()))
    order = long.groupby("group", sort=True)["value"].median().sort_values(ascending=False, kind="stable")
    said, deck = headings(words, x, scale, title, y)
    canvas = Canvas(
        words, said, deck, 0.5 * len(order) + 0.36, [Key(words.text("median"), theme.ACCENT, "line")]
    )
    crowd = len(long) > theme.CLOUD
    for row, name in enumerate(order.index):
        _cloud(canvas.ax, long.loc[long["group"] == name, "value"], row, crowd)
    canvas.ax.vlines(
        order,
        [r - 0.3 for r in range(len(order))],
        [r + 0.3 for r in range(len(order))],
        color=theme.ACCENT,
        linewidth=2.6,
        zorder=4,
    )
    value_axis(
        canvas.ax,
        scale,
        *bounds(list(long["value"]), zero=float(long["value"].min()) >= 0, top=0.03),
        axis="x",
        ticks=7,
    )
    canvas.ax.set_yticks(range(len(order)), [clean(name, LABEL_CHARS) for name in order.index])
    canvas.ax.set_ylim(len(order) - 0.45, -0.55)
    canvas.ax.spines["bottom"].set_visible(False)
    counts = long.groupby("group")["value"].agg(["min", "median", "max", "size"]).reindex(order.index)
    data = counts.rename(columns={"size": "n"}).reset_index(names=y)
    columns = [y, "min", "median", "max", "n"]
    html = data_table(
        words, data, words.text("chart_data", title=clean(said)), columns, dict.fromkeys(columns[1:4], known)
    )
    return canvas.chart(
        _spread_alt(words, "strip", said, long["value"], known),
        [pick(words, note), words.text("jitter")],
        html,
    )


def _cloud(ax: Any, values: pd.Series, row: int, crowd: bool) -> None:
    """Dots spread by a fixed sequence, so that the same data give the same picture."""
    ordered = values.sort_values(kind="stable")
    heights = [row + ((i * GOLDEN) % 1 - 0.5) * 0.46 for i in range(len(ordered))]
    ax.scatter(ordered, heights, s=14, color=theme.INK, alpha=0.35, linewidth=0, rasterized=crowd, zorder=2)
