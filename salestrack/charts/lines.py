"""Lines over time, named at their ends."""

from __future__ import annotations

import math
from typing import Any, cast

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
    text_width,
    usable,
)
from salestrack.i18n import Words, clean, is_unknown, unit_for
from salestrack.markup import Html, Kpi, Table, Text, as_float, empty, name_of, pick


@in_style
def lines(
    words: Words,
    table: Table,
    *,
    x: str = "month",
    y: Kpi,
    by: str | None = None,
    interval: bool = True,
    target: float | None = None,
    highlight: str | None = None,
    zero: bool = False,
    title: Text = None,
    note: Text = None,
) -> Chart | Html:
    """A KPI over time, one line or one per group, named at its end; missing periods leave a gap.

    Parameters
    ----------
    table : KPI table with one row per period (and group)
    x : the period column
    y : the KPI (function or name)
    by : the column that names the groups
    interval : shade the 95 % interval (`low` to `high`) of a single line
    target : a goal (dashed line)
    highlight : the one group to look at; the others turn grey
    zero : let the axis begin at zero
    title, note : the claim above, a sentence for the caption

    Returns
    -------
    A chart; the sentence "no data" when there is nothing to draw.
    """
    kpi = name_of(y)
    frame = usable(table, "lines", [x, kpi, *([by] if by else [])], kpi)
    if frame is None:
        return empty(words, pick(words, title) or words.label(kpi))
    frame = frame.assign(at=[position(v, x, words.fiscal_year_start) for v in frame[x]]).sort_values(
        "at", kind="stable", ignore_index=True
    )
    unit = unit_for(kpi, frame[kpi])
    shaded = interval and by is None and {"low", "high"} <= set(frame.columns)
    known = [*as_float(frame[kpi]), *([] if target is None else [target])]
    known += [*as_float(frame["low"]), *as_float(frame["high"])] if shaded else []
    scale = Scale.of(words, unit, max(abs(v) for v in known if not is_unknown(v)))
    said, deck = headings(words, kpi, scale, title)
    keys = [] if target is None else [Key(f"{words.text('plan')} {scale.precise(target)}", theme.BAD, "dash")]
    canvas = Canvas(words, said, deck, HEIGHT, keys)
    names = groups_of(words, frame, kpi, by, highlight)
    span = int(frame["at"].min()), int(frame["at"].max())
    ends = [
        _line(canvas.ax, frame, kpi, by, key, colour, label, shaded, span) for key, label, colour in names
    ]
    low, high = bounds(known, zero=zero or unit in ("count", "money"), top=0.1)
    if unit == "share":
        low, high = max(low, 0.0), min(high, 1.04)
    value_axis(canvas.ax, scale, low, high)
    canvas.ax.spines["bottom"].set_visible(True)
    if target is not None:
        canvas.ax.axhline(target, color=theme.BAD, linestyle=(0, (5, 3)), linewidth=1.3)
    _name_ends(canvas.ax, scale, ends, span, by is None)
    period_axis(canvas.ax, words, x, *span, room=13)
    main = frame if by is None else frame[frame[by] == names[0][0]]
    alt = alt_series(words, "lines", said, main[x], as_float(main[kpi]), x, unit, case_count(frame))
    alt += [words.text("alt_series", names=", ".join(label for _, label, _ in names))] if by else []
    data = chart_table(words, frame, said, [x, *([by] if by else []), kpi], kpi, unit)
    return canvas.chart(alt, [pick(words, note), words.text("band") if shaded else ""], data)


def groups_of(
    words: Words, frame: pd.DataFrame, y: str, by: str | None, highlight: str | None
) -> list[tuple[Any, str, str]]:
    """Groups with their names and colours, those with the highest newest value first."""
    if by is None:
        return [(None, "", theme.INK)]
    newest = frame.assign(value=as_float(frame[y])).groupby(by, sort=True, dropna=False)["value"].last()
    keys = list(newest.sort_values(ascending=False, kind="stable", na_position="last").index)
    tones: list[str] = [theme.CATEGORIES[i % len(theme.CATEGORIES)] for i in range(len(keys))]
    if highlight is not None:
        tones = [theme.ACCENT if str(key) == highlight else theme.PREVIOUS for key in keys]
    return [(key, words.value(by, key), tone) for key, tone in zip(keys, tones, strict=True)]


def _line(
    ax: Any,
    frame: pd.DataFrame,
    y: str,
    by: str | None,
    key: Any,
    colour: str,
    label: str,
    shaded: bool,
    span: tuple[int, int],
) -> tuple[float, float, str, str]:
    rows = frame if by is None else frame[frame[by].isna() if is_unknown(key) else frame[by] == key]
    rows = rows.drop_duplicates("at").set_index("at").reindex(range(span[0], span[1] + 1))
    values = as_float(rows[y])
    if shaded:
        ax.fill_between(
            rows.index,
            as_float(rows["low"]),
            as_float(rows["high"]),
            color=theme.ACCENT,
            alpha=0.14,
            linewidth=0,
        )
    lone = values[values.notna() & values.shift().isna() & values.shift(-1).isna()]
    ax.plot(rows.index, values, color=colour, label=label or y, zorder=3 if colour != theme.PREVIOUS else 2.5)
    ax.plot(lone.index, lone, "o", color=colour, markersize=4, zorder=3)
    last = values.last_valid_index()
    if last is None:
        return (span[1], math.nan, label, colour)
    ax.plot(
        [last],
        [values[last]],
        "o",
        color=theme.ACCENT if by is None else colour,
        markersize=6,
        zorder=4 if colour != theme.PREVIOUS else 2.6,
    )
    return (
        float(cast(Any, last)),
        float(values[last]),
        label,
        colour if colour != theme.PREVIOUS else theme.MUTED,
    )


def _name_ends(
    ax: Any, scale: Scale, ends: list[tuple[float, float, str, str]], span: tuple[int, int], single: bool
) -> None:
    """Names right of the last points, pushed apart where they would overlap, with room made for them."""
    named = [
        (at, value, label or scale.precise(value), theme.ACCENT if not label else colour)
        for at, value, label, colour in ends
        if not math.isnan(value)
    ]
    named = [(at, v, clean(label, 24), colour) for at, v, label, colour in named]
    wide = max(
        (text_width(label, theme.TEXT_SIZE, "bold" if single else "normal") for *_, label, _ in named),
        default=0.0,
    )
    length = max(span[1] - span[0], 1)
    ax.set_xlim(
        span[0] - 0.02 * length - 0.1, span[1] + length * (wide + 0.16) / (theme.WIDTH - 0.75 - wide) + 0.05
    )
    low, high = ax.get_ylim()
    gap = (high - low) * 0.075
    order = sorted(named, key=lambda end: end[1])
    places: list[float] = []
    for _, value, _, _ in order:
        places.append(max(value, places[-1] + gap) if places else value)
    over = max(0.0, places[-1] - high + gap / 2) if places else 0.0
    for (_, _, label, colour), place in zip(order, places, strict=True):
        ax.annotate(
            label,
            (span[1], place - over),
            (9, 0),
            textcoords="offset points",
            va="center",
            color=readable(colour),
            fontweight="bold" if single else "normal",
            annotation_clip=False,
            gid="end",
            zorder=5,
            bbox={"facecolor": theme.PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
        )


READABLE = {
    "#e69f00": "#8a5f00",
    "#56b4e9": "#1f6f9f",
    "#d55e00": theme.BAD,
    "#009e73": "#00694d",
    "#cc79a7": "#99416f",
    "#8a949e": theme.MUTED,
    theme.PREVIOUS: theme.MUTED,
}


def readable(colour: str) -> str:
    """The darker tone of a category for text: at least 4.5 : 1 on white."""
    return READABLE.get(colour, colour)
