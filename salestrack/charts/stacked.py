"""Stacked columns: the parts of a whole per period or group."""

from __future__ import annotations

import math

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
from salestrack.charts._base import HEIGHT, Canvas, Chart, Key, alt_series, in_style, usable
from salestrack.i18n import PERIODS, Words, clean, unit_for
from salestrack.markup import Html, Kpi, Table, Text, as_float, data_table, empty, name_of, pick


@in_style
def stacked(
    words: Words,
    table: Table,
    *,
    x: str = "month",
    y: Kpi,
    by: str,
    share: bool = False,
    most: int = 7,
    title: Text = None,
    note: Text = None,
) -> Chart | Html:
    """Parts of a whole per period or group, as stacked columns in the order of their size.

    Parameters
    ----------
    table : KPI table with one row per `x` and `by`; its values must add up (counts, money,
        hours, shares of one whole)
    x : a period column or a category
    y : the KPI, the height of the parts
    by : the column that names the parts; more than `most` are joined as "others"
    share : show each part as its share of the column
    title, note : as in `columns`

    Returns
    -------
    A chart; the sentence "no data" when there is nothing to draw. Negative parts are drawn below zero.
    """
    kpi = name_of(y)
    frame = usable(table, "stacked", [x, by, kpi], kpi)
    if frame is None:
        return empty(words, pick(words, title) or words.label(kpi))
    wide = _wide(words, frame, x, kpi, by, most)
    unit = unit_for(kpi, frame[kpi])
    if share:
        wide, unit = wide.div(wide.sum(axis=1).where(lambda s: s > 0), axis=0), "share"
    top = float(wide.clip(lower=0).sum(axis=1).max())
    scale = Scale.of(words, unit, top)
    said, deck = headings(words, kpi, scale, title, by)
    colours = dict(zip(wide.columns, theme.CATEGORIES, strict=False))
    canvas = Canvas(words, said, deck, HEIGHT, [Key(str(name), colours[name]) for name in wide.columns])
    at = _stack(canvas, words, wide, x, colours)
    low = float(wide.clip(upper=0).sum(axis=1).min())
    full = unit == "share" and abs(top - 1) < 0.02
    value_axis(canvas.ax, scale, *((0.0, 1.0) if full else bounds([low, top])))
    canvas.ax.set_xlim(min(at) - 0.6, max(at) + 0.6)
    total = [math.nan] if unit == "share" else list(wide.sum(axis=1))
    places = list(wide.index)[: len(total)]
    alt = alt_series(words, "stacked", said, places, total, x if x in PERIODS else "text", unit, None, x)
    alt.append(_parts(words, wide, x, unit))
    data = wide.reset_index()
    return canvas.chart(alt, [pick(words, note)], _stacked_data(words, data, said, x, unit))


def _parts(words: Words, wide: pd.DataFrame, x: str, unit: str) -> str:
    """The parts of the last column in words."""
    at = words.cell(x, wide.index[-1], x if x in PERIODS else "text")
    parts = [
        words.text("alt_pair", name=name, value=words.fmt(v, unit, compact=True))
        for name, v in wide.iloc[-1].items()
    ]
    return words.text("alt_parts", at=at, parts=", ".join(parts))


def _wide(words: Words, frame: pd.DataFrame, x: str, y: str, by: str, most: int) -> pd.DataFrame:
    long = pd.DataFrame(
        {x: frame[x], "part": [words.value(by, v) for v in frame[by]], "value": as_float(frame[y])}
    )
    sizes = long.groupby("part", sort=True)["value"].sum().abs().sort_values(ascending=False, kind="stable")
    kept = list(sizes.index[:most])
    long["part"] = long["part"].where(long["part"].isin(kept), words.text("others"))
    wide = long.pivot_table(index=x, columns="part", values="value", aggfunc="sum", sort=False).fillna(0.0)
    wide = wide.sort_index() if x in PERIODS else wide
    order = [c for c in kept if c in wide.columns] + [c for c in wide.columns if c not in kept]
    return wide[order]


def _stack(canvas: Canvas, words: Words, wide: pd.DataFrame, x: str, colours: dict[str, str]) -> list[int]:
    periods = x in PERIODS
    at = [position(v, x, words.fiscal_year_start) if periods else i for i, v in enumerate(wide.index)]
    up, down = [0.0] * len(at), [0.0] * len(at)
    for name in wide.columns:
        values = list(wide[name])
        base = [up[i] if v >= 0 else down[i] for i, v in enumerate(values)]
        canvas.ax.bar(
            at,
            values,
            0.74,
            bottom=base,
            color=colours[name],
            edgecolor=theme.PAPER,
            linewidth=0.8,
            label=str(name),
        )
        for i, v in enumerate(values):
            up[i], down[i] = (up[i] + v, down[i]) if v >= 0 else (up[i], down[i] + v)
    if periods:
        period_axis(canvas.ax, words, x, min(at), max(at))
    else:
        names = [clean(words.value(x, v), 16) for v in wide.index]
        slanted = sum(map(len, names)) > 70
        canvas.ax.set_xticks(at, names, rotation=35 if slanted else 0, ha="right" if slanted else "center")
    return at


def _stacked_data(words: Words, data: pd.DataFrame, title: str, x: str, unit: str) -> str:
    parts = [str(c) for c in data.columns[1:]]
    data.columns = pd.Index([x, *(f"part {i}" for i in range(len(parts)))])

    names = {f"part {i}": part for i, part in enumerate(parts)}
    return data_table(
        words,
        data,
        words.text("chart_data", title=clean(title)),
        list(data.columns),
        dict.fromkeys(names, unit),
        names,
    )
