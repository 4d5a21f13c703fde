"""Groups compared: bars, or dots with intervals; value and number of cases stand beside each."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import pandas as pd

from salestrack import theme
from salestrack.charts._axes import (
    Scale,
    bounds,
    headings,
    value_axis,
)
from salestrack.charts._base import (
    LABEL_CHARS,
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
from salestrack.i18n import Words, clean, estimated, is_unknown, unit_for
from salestrack.markup import Html, Kpi, Table, Text, as_float, empty, name_of, pick

ROW, TALL_ROW, FOOT = 0.34, 0.46, 0.36  # inches


@in_style
def bars(
    words: Words,
    table: Table,
    *,
    x: Kpi,
    y: str,
    interval: bool | None = None,
    sort: bool = True,
    reference: Table | float = None,
    target: float | None = None,
    most: int = 20,
    title: Text = None,
    note: Text = None,
) -> Chart | Html:
    """One row per group: a bar, or a dot with its 95 % interval; value and n stand at the right edge.

    Parameters
    ----------
    table : KPI table with one row per group
    x : the KPI (function or name), the length of the bars
    y : the column that names the groups
    interval : dots with intervals; by default where the table has `low` and `high`
    sort : largest first; else in the table's order (stages, periods)
    reference : the value of the whole, as a number or as the KPI table without groups (dashed line)
    target : a goal (line in the warning colour)
    most : show only so many groups; the caption says so
    title, note : the claim above, a sentence for the caption

    Returns
    -------
    A chart; groups of fewer than ten cases are grey. The sentence "no data" when there is nothing to draw.
    """
    kpi = name_of(x)
    frame = usable(table, "bars", [kpi, y], kpi)
    if frame is None:
        return empty(words, pick(words, title) or words.label(kpi))
    spread = {"low", "high"} <= set(frame.columns) if interval is None else interval
    unit = unit_for(kpi, frame[kpi])
    shown = _rows(frame, kpi, y, sort, most)
    level = _level(reference, kpi)
    return _ranged(
        words,
        shown,
        kpi,
        y,
        unit,
        "bars" if not spread else "points",
        spread,
        level,
        target,
        title,
        [pick(words, note), _cut_note(words, frame, shown)],
    )


@in_style
def forest(
    words: Words,
    table: Table,
    *,
    x: Kpi,
    y: str,
    reference: float | None = 0.0,
    unit: str | None = None,
    sort: bool = True,
    title: Text = None,
    note: Text = None,
) -> Chart | Html:
    """Effects or differences with their intervals (`low`, `high`) about a line of no effect.

    Parameters
    ----------
    table : one row per effect with `x`, `low` and `high`
    x, y : the column of the effect and the column that names it
    reference : where no effect is: 0 for differences, 1 for ratios, None for no line
    unit : unit of the effect where its name does not tell it (see `i18n.fmt`)
    sort, title, note : as in `bars`

    Returns
    -------
    A chart; the sentence "no data" when there is nothing to draw.
    """
    kpi = name_of(x)
    frame = usable(table, "forest", [kpi, y, "low", "high"], kpi)
    if frame is None:
        return empty(words, pick(words, title) or words.label(kpi))
    shown = _rows(frame, kpi, y, sort, 40)
    known = unit or unit_for(kpi, frame[kpi])
    return _ranged(
        words,
        shown,
        kpi,
        y,
        known,
        "points",
        True,
        reference,
        None,
        title,
        [pick(words, note)],
        signed=reference == 0,
    )


def _rows(frame: pd.DataFrame, x: str, y: str, sort: bool, most: int) -> pd.DataFrame:
    """The groups in reading order, at most so many; unknown values at the end."""
    out = frame.assign(**{x: as_float(frame[x])})
    if sort:
        out = out.sort_values(
            [x, y], ascending=[False, True], kind="stable", na_position="last", key=_sortable
        )
    return out.head(most).reset_index(drop=True)


def _sortable(values: pd.Series) -> pd.Series:
    return values if values.dtype.kind in "fiu" else values.map(str)


def _cut_note(words: Words, frame: pd.DataFrame, shown: pd.DataFrame) -> str:
    return "" if len(shown) == len(frame) else words.text("more_groups", shown=len(shown), all=len(frame))


def _level(reference: Table | float, kpi: str) -> float | None:
    if isinstance(reference, pd.DataFrame):
        return None if reference.empty else float(as_float(reference[kpi]).iloc[-1])
    return None if is_unknown(reference) else float(reference)  # type: ignore[arg-type]


def _ranged(
    words: Words,
    shown: pd.DataFrame,
    x: str,
    y: str,
    unit: str,
    kind: str,
    spread: bool,
    level: float | None,
    target: float | None,
    title: Text,
    notes: Sequence[str],
    signed: bool = False,
) -> Chart:
    ends = [*as_float(shown["low"]), *as_float(shown["high"])] if spread else []
    lines = [v for v in (level, target) if v is not None and not math.isnan(v)]
    values = [*shown[x], *ends, *lines]
    scale = Scale.of(words, unit, max(abs(v) for v in values if not is_unknown(v)))
    said, deck = headings(words, x, scale, title, y)
    names = [
        "\n".join(
            textwrap.wrap(clean(words.cell(y, v, unit_for(y, shown[y])), LABEL_CHARS * 2 - 8), LABEL_CHARS)[
                :2
            ]
        )
        for v in shown[y]
    ]
    row = TALL_ROW if any("\n" in name for name in names) else ROW
    canvas = Canvas(words, said, deck, row * len(shown) + FOOT, _line_keys(words, unit, level, target))
    at, colours = list(range(len(shown))), _tones(shown, x)
    (_dots if spread else _bars)(canvas.ax, at, shown, x, colours)
    low, high = bounds(values, zero=not spread, top=0.04)
    if spread and unit == "share":
        low, high = max(low, 0.0), min(high, 1.0)
    value_axis(canvas.ax, scale, low, high, "x")
    row_axis(canvas.ax, at, names, colours)
    _side(canvas.ax, scale, shown, x, at, colours, signed)
    _lines(canvas.ax, level, target)
    small = any(colour != theme.INK for colour in colours)
    told = [*notes, words.text("whiskers") if spread else ""]
    told.append(words.text("small_n", n=theme.SMALL_N) if small else "")
    alt = alt_series(words, kind, said, shown[y], shown[x], unit_for(y, shown[y]), unit, case_count(shown), y)
    return canvas.chart(alt, told, chart_table(words, shown, said, [y, x], x, unit))


def _tones(shown: pd.DataFrame, x: str) -> list[str]:
    """Ink, but grey for groups of fewer than ten cases."""
    if "n" not in shown.columns or not estimated(x):
        return [theme.INK] * len(shown)
    return [theme.PREVIOUS if n < theme.SMALL_N else theme.INK for n in as_float(shown["n"]).fillna(0)]


def _bars(ax: Any, at: list[int], shown: pd.DataFrame, x: str, colours: list[str]) -> None:
    ax.barh(at, shown[x], 0.62, color=colours)


def _dots(ax: Any, at: list[int], shown: pd.DataFrame, x: str, colours: list[str]) -> None:
    ax.hlines(at, as_float(shown["low"]), as_float(shown["high"]), color=colours, linewidth=2.2)
    ax.scatter(shown[x], at, s=52, color=colours, edgecolor=theme.PAPER, linewidth=1, zorder=3)


def row_axis(ax: Any, at: list[int], names: list[str], colours: list[str]) -> None:
    ax.set_yticks(at, names)
    for label, colour in zip(ax.get_yticklabels(), colours, strict=True):
        label.set_color(theme.INK if colour == theme.INK else theme.MUTED)
    ax.set_ylim(len(at) - 0.45, -0.6)
    ax.spines["bottom"].set_visible(False)


def _side(
    ax: Any, scale: Scale, shown: pd.DataFrame, x: str, at: list[int], colours: list[str], signed: bool
) -> None:
    """Value and number of cases in two columns at the right edge."""
    style = {"digits": 1} if scale.unit in ("share", "change", "difference") else {}
    worded = scale.unit in ("days", "hours", "months", "difference")
    values = [
        scale.words.fmt(v, scale.unit, compact=True, signed=signed, bare=worded, **style) for v in shown[x]
    ]
    across = ax.get_yaxis_transform()
    width = max(text_width(v, theme.TEXT_SIZE, "bold") for v in values) * 72
    beside = {"xycoords": across, "textcoords": "offset points", "va": "center", "annotation_clip": False}
    for row, value, colour in zip(at, values, colours, strict=True):
        tone = theme.INK if colour == theme.INK else theme.MUTED
        ax.annotate(
            value, (1.025, row), (width, 0), ha="right", color=tone, fontweight="bold", gid="value", **beside
        )
    if "n" in shown.columns:
        for row, n in zip(at, shown["n"], strict=True):
            text = scale.words.n(n)
            ax.annotate(
                text,
                (1.025, row),
                (width + 10, 0),
                color=theme.MUTED,
                fontsize=theme.SMALL_SIZE,
                gid="n",
                **beside,
            )


def _line_keys(words: Words, unit: str, level: float | None, target: float | None) -> list[Key]:
    """The lines of the whole and of the target with their values; a line of no effect needs no name."""
    keys = [(level, theme.MUTED, "overall")] if level not in (0.0, 1.0) else []
    return [
        Key(f"{words.text(name)} {words.fmt(value, unit, compact=True)}", colour, "dash")
        for value, colour, name in [*keys, (target, theme.BAD, "plan")]
        if value is not None and not math.isnan(value)
    ]


def _lines(ax: Any, level: float | None, target: float | None) -> None:
    for value, colour in ((level, theme.MUTED), (target, theme.BAD)):
        if value is not None and not math.isnan(value):
            ax.axvline(value, color=colour, linestyle=(0, (5, 3)), linewidth=1.3, zorder=1.5)
