"""Headline cards: a KPI's name, its newest value, the change in words, how sure it is, and its definition."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from salestrack import theme
from salestrack.errors import InputError
from salestrack.findings import Against, Change, change, newest, period_of
from salestrack.i18n import NBSP, Words, find_card, is_unknown, unit_for
from salestrack.markup import Html, Kpi, Table, Text, element, name_of, pick, styled

ARROWS = {1: "▲", -1: "▼", 0: "="}
SPARK_WIDTH, SPARK_HEIGHT, EDGE = 132, 30, 4


def card(
    words: Words,
    table: Table,
    kpi: Kpi,
    *,
    compare: Table | float | str = None,
    against: Against = "year",
    target: Table | float = None,
    trend: Table = None,
    label: Text = None,
    note: Text = None,
) -> Html:
    """One headline figure.

    Parameters
    ----------
    table : KPI table with one row, or one row per period (the newest counts, the rest is the small line)
    kpi : the KPI, as its function or name; label, unit and definition come from its card
    compare : the earlier value: a number, a KPI table (its newest row), or `"month"`, `"quarter"`, `"year"`
        to look it up that much earlier in `table`
    against : what the earlier value is, for the words: `month`, `quarter`, `year` or `period`
    target : a number or a table with the column `target`, `quota` or the KPI
    trend : KPI table by period for the small line
    label, note : instead of the card's label; a sentence more

    Returns
    -------
    HTML `div.card`; `–` where there is no value.
    """
    name = name_of(kpi)
    described = find_card(name)
    told = pick(words, label) or words.label(name)
    said = getattr(described, f"description_{words.language}", "") if described else ""
    if table is None or table.empty:
        lines = [
            _label(told, said),
            element("p", "–", class_="card-value"),
            _small(words.text("no_data_card")),
        ]
        return _card(lines, f"{told}: –")
    row, unit = _row(table, name), unit_for(name, table[name])
    value = words.fmt(row[name], unit, compact=True)
    wanted = number(target, ("target", "quota", name))
    before, base = earlier(table, name, compare, against)
    moved = change(words, name, row[name], before, unit, base) if compare is not None else None
    lines = [_label(told, said), element("p", value, class_="card-value")]
    lines += [_delta(moved)] if moved else []
    lines += (
        []
        if compare is None or moved
        else [_small(words.text("not_comparable", base=words.text(f"base_{base}")))]
    )
    lines += [] if is_unknown(wanted) else [_target(words, name, row[name], wanted, unit)]
    lines += _picture(table, name, trend, row[name], wanted)
    lines += [_small(text) for text in (_certainty(words, row, unit), pick(words, note)) if text]
    lines += [_small(_first_sentence(said), "card-note card-definition")] if said else []
    spoken = [f"{told}: {value}", moved.text if moved else "", _certainty(words, row, unit)]
    return _card(lines, "; ".join(part for part in spoken if part))


def cards(*made: Html | None) -> Html:
    """Cards side by side; None is left out, and nothing is shown if there are none."""
    kept = [one for one in made if one is not None]
    if not kept:
        return Html("", "")
    body = element("div", *(Markup(one.html) for one in kept), class_="cards")
    return Html(styled("cards", body), "\n".join(one.text for one in kept))


def _card(lines: Sequence[Markup], text: str) -> Html:
    return Html(str(element("div", *lines, class_="card")), text)


def _label(label: str, description: str) -> Markup:
    return element("p", label, class_="card-label", title=description or None)


def _small(text: str, kind: str = "card-note") -> Markup:
    return element("p", text, class_=kind)


def _delta(moved: Change) -> Markup:
    arrow = element("span", ARROWS[moved.direction], aria_hidden="true")
    kind = {True: " good", False: " bad", None: ""}[moved.good]
    return element("p", arrow, f" {_breakable(moved.text)}", class_=f"card-delta{kind}")


def _row(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table.columns:
        raise InputError.missing_column(name, "card", map(str, table.columns))
    if len(table) > 1 and not period_of(table):
        raise InputError(
            f"a card shows one value of {name}, the table has {len(table)} groups; "
            "call the KPI without `by` or by a period"
        )
    return newest(table)


def number(given: Table | float, names: Sequence[str]) -> object:
    """A number given as it is, or as the newest row of a table, in the first of these columns."""
    if not isinstance(given, pd.DataFrame):
        return given
    column = next((name for name in names if name in given.columns), None)
    if column is None:
        raise InputError.missing_column(names[0], "card", map(str, given.columns))
    return None if given.empty else newest(given)[column]


def earlier(
    table: pd.DataFrame, name: str, compare: Table | float | str, against: Against
) -> tuple[object, Against]:
    """The earlier value and what it is called."""
    if not isinstance(compare, str):
        return number(compare, (name,)), against
    if compare not in ("month", "quarter", "year"):
        raise InputError.unknown_name("comparison", compare, ("month", "quarter", "year"))
    word = period_of(table)
    if not word:
        return None, compare  # type: ignore[return-value]
    wanted = pd.Timestamp(newest(table)[word]) - pd.DateOffset(
        months={"month": 1, "quarter": 3, "year": 12}[compare]
    )
    found = table.loc[table[word].map(pd.Timestamp) == wanted, name]
    return (None if found.empty else found.iloc[0]), compare  # type: ignore[return-value]


def _target(words: Words, name: str, value: object, wanted: object, unit: str) -> Markup:
    goal = words.fmt(wanted, unit, compact=True)
    if unit in ("money", "count") and not is_unknown(value) and float(wanted) > 0:  # type: ignore[arg-type]
        reached = words.fmt(float(value) / float(wanted), "share", digits=0)  # type: ignore[arg-type]
        return element("p", words.text("target_of", target=goal, reached=reached), class_="card-delta")
    off = change(words, name, value, wanted, unit, "target")
    if off is None:
        return element("p", words.text("target_plain", target=goal), class_="card-delta")
    kind = {True: " good", False: " bad", None: ""}[off.good]
    arrow = element("span", ARROWS[off.direction], aria_hidden="true")
    return element("p", arrow, f" {_breakable(off.text)} ({goal})", class_=f"card-delta{kind}")


def _breakable(text: str) -> str:
    """A long word of a unit may go to the next line: on a narrow card it would be cut otherwise."""
    return re.sub(f"{NBSP}(?=[^\\W\\d_]{{5,}})", " ", text)


def _certainty(words: Words, row: pd.Series, unit: str) -> str:
    """The interval and the number of cases."""
    low, high, n = (row.get(name) for name in ("low", "high", "n"))
    parts = (
        []
        if is_unknown(low) or is_unknown(high)
        else [words.text("interval_of", interval=words.interval(low, high, unit, compact=True))]
    )
    return ", ".join([*parts, *([] if is_unknown(n) else [words.n(n)])])


def _first_sentence(text: str) -> str:
    head, stop, _ = text.partition(". ")
    return head + "." if stop else text


def _picture(table: pd.DataFrame, name: str, trend: Table, value: object, wanted: object) -> list[Markup]:
    history = trend if trend is not None else table
    word = period_of(history)
    if word and len(history) > 1:
        return [spark(list(history.sort_values(word, kind="stable")[name]), wanted)]
    if is_unknown(wanted) or is_unknown(value):
        return []
    return [bullet(float(value), float(wanted))]  # type: ignore[arg-type]


def spark(values: Sequence[object], target: object = None) -> Markup:
    """A small line with a dot at its end, hidden from screen readers; unknown values leave a gap.

    >>> "polyline" in spark([1, 2, 3]), spark([None])
    (True, Markup(''))
    """
    known = [float(v) for v in values if not is_unknown(v)]  # type: ignore[arg-type]
    if not known:
        return Markup("")
    goal = [] if is_unknown(target) else [float(target)]  # type: ignore[arg-type]
    low, high = min(known + goal), max(known + goal)
    step = (SPARK_WIDTH - 2 * EDGE) / max(len(values) - 1, 1)

    def height(value: float) -> float:
        return EDGE + (SPARK_HEIGHT - 2 * EDGE) * (0.5 if high == low else (high - value) / (high - low))

    runs: list[list[tuple[float, float]]] = [[]]
    for index, value in enumerate(values):
        if is_unknown(value):
            runs.append([])
        else:
            runs[-1].append((EDGE + index * step, height(float(value))))  # type: ignore[arg-type]
    lines = [
        element(
            "polyline",
            points=" ".join(f"{x:.1f},{y:.1f}" for x, y in run),
            fill="none",
            stroke=theme.MUTED,
            stroke_width=1.5,
        )
        for run in runs
        if run
    ]
    dash = [
        element(
            "line",
            x1=EDGE,
            x2=SPARK_WIDTH - EDGE,
            y1=f"{height(g):.1f}",
            y2=f"{height(g):.1f}",
            stroke=theme.BAD,
            stroke_width=1,
            stroke_dasharray="4 3",
        )
        for g in goal
    ]
    x, y = [run for run in runs if run][-1][-1]
    return _svg(*dash, *lines, element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=3, fill=theme.ACCENT))


def bullet(value: float, target: float) -> Markup:
    """Value as a bar against its target as a mark (Few's bullet graph), hidden from screen readers."""
    full = max(value, target, 0.0) * 1.15 or 1.0
    wide = SPARK_WIDTH - 2
    bar, mark = (max(v, 0.0) / full * wide for v in (value, target))
    return _svg(
        element("rect", x=1, y=9, width=wide, height=12, fill=theme.FAINT),
        element("rect", x=1, y=12, width=f"{bar:.1f}", height=6, fill=theme.INK),
        element("rect", x=f"{mark:.1f}", y=6, width=3, height=18, fill=theme.BAD),
    )


def _svg(*parts: Markup) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" aria-hidden="true" '
        'focusable="false">{body}</svg>'
    ).format(w=SPARK_WIDTH, h=SPARK_HEIGHT, body=Markup("").join(parts))
