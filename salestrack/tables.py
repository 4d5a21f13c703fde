"""KPI tables as Great Tables: figures by babel, `–` for unknown, small groups grey."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from salestrack import theme
from salestrack.cards import spark
from salestrack.errors import InputError
from salestrack.i18n import PERIODS, Words, clean, estimated, find_card, is_unknown, unit_for
from salestrack.markup import Html, Kpi, Table, Text, element, empty, name_of, pick, styled

HEADLINE_UNITS = ("low", "high", "median", "mean", "trimmed_mean", "p10", "p50", "p90")
WORDED = ("days", "hours", "months", "difference")
TREND = "trend"


@dataclass(frozen=True)
class _Column:
    name: str
    label: str
    unit: str
    cells: list[str]

    @property
    def text(self) -> bool:
        return self.unit in ("text", "flag", *PERIODS)


def kpi_table(
    words: Words,
    table: Table,
    *,
    columns: Sequence[Kpi] | None = None,
    labels: Mapping[str, Text] | None = None,
    units: Mapping[str, str] | None = None,
    total: Table = None,
    trend: Table = None,
    most: int | None = None,
    title: Text = None,
    note: Text = None,
) -> Html:
    """A KPI table for readers: labels and formats from the cards, figures at the right, `–` for unknown.

    Parameters
    ----------
    table : KPI table; its first shown column names the rows
    columns : the columns to show, in order (names or KPI functions); by default all, `low` to `high`
        as one column
    labels, units : by column, where the card or the catalogue does not know better (units as in `i18n.fmt`)
    total : the same KPIs for the whole, one row; never summed up here, because rates must not be averaged
    trend : the KPI by period and the table's group; adds a column of small lines
    most : show only so many rows
    title, note : caption above, sentence below

    Returns
    -------
    HTML with `table.kpi`; rows of fewer than ten cases are grey. The sentence "no data" for an empty table.
    """
    if table is None or table.empty:
        return empty(words, pick(words, title))
    shown = table if most is None else table.head(most)
    names = [name_of(c) for c in columns] if columns is not None else _chosen(words, table)
    known = _units(table, names, units)
    parts = [_column(words, shown, name, known, labels) for name in names]
    bottom = (
        []
        if total is None or total.empty
        else [_total_cell(words, total.iloc[-1], name, known, i) for i, name in enumerate(names)]
    )
    small = (
        [row for row, n in enumerate(shown["n"]) if not is_unknown(n) and n < theme.SMALL_N]
        if "n" in shown.columns and estimated(_headline(table))
        else []
    )
    sparks = _sparks(shown, names[0], trend, len(bottom) > 0) if trend is not None else None
    notes = [pick(words, note)]
    notes += [words.text("small_n", n=theme.SMALL_N)] if small else []
    notes += [words.text("more_groups", shown=len(shown), all=len(table))] if len(shown) < len(table) else []
    body = _rendered(words, parts, bottom, small, sparks, pick(words, title))
    foot = [element("p", " ".join(n for n in notes if n), class_="table-note")] if any(notes) else []
    html = styled("table", element("div", body, *foot, class_="table-wrap"))
    return Html(html, _plain(parts, bottom, pick(words, title)))


def _chosen(words: Words, table: pd.DataFrame) -> list[str]:
    """All columns, the interval as one, a note where there is one, texts only in the reader's language."""
    names = [str(c) for c in table.columns]
    if {"low", "high"} <= set(names):
        names[names.index("low")] = "interval"
        names.remove("high")
    other = "_en" if words.language == "de" else "_de"
    pairs = {n: n.removesuffix(other) + f"_{words.language}" for n in names if n.endswith(other)}
    gone = {n for n, own in pairs.items() if own in names} | (
        {other[1:]} if {"en", "de"} <= set(names) else set()
    )
    names = [n for n in names if n not in gone]
    if "stage_name" in names and "stage_order" in names:
        names.remove("stage_order")
    if "note" in names and table["note"].map(lambda v: is_unknown(v) or v == "").all():
        names.remove("note")
    return names


def _headline(table: pd.DataFrame) -> str | None:
    """The KPI's own column: one with a card, best the one before the interval."""
    names = [str(c) for c in table.columns]
    carded = [name for name in names if find_card(name)]
    before = names[names.index("low") - 1] if "low" in names[1:] else None
    return carded[-1] if carded and before not in carded else before


def _units(table: pd.DataFrame, names: Sequence[str], given: Mapping[str, str] | None) -> dict[str, str]:
    for name in names:
        needed = ("low", "high") if name == "interval" and name not in table.columns else (name,)
        for column in needed:
            if column not in table.columns:
                raise InputError.missing_column(column, "table", map(str, table.columns))
    found = {str(c): unit_for(str(c), table[c], given) for c in table.columns}
    head = _headline(table)
    if head is not None:
        found |= {c: found[head] for c in HEADLINE_UNITS if c in found and not (given and c in given)}
    return {"interval": "text"} | found


def _column(
    words: Words, table: pd.DataFrame, name: str, units: Mapping[str, str], labels: Mapping[str, Text] | None
) -> _Column:
    unit = units[name]
    label = pick(words, labels[name]) if labels and name in labels else words.label(name)
    if name == "interval" and name not in table.columns:
        style = _style(pd.concat([table["low"], table["high"]]), units["low"])
        ends = zip(table["low"], table["high"], strict=True)
        return _Column(
            name, label, "interval", [words.interval(*pair, units["low"], **style) for pair in ends]
        )
    style = _style(table[name], unit)
    if unit in WORDED:
        label = (
            label
            if words.unit_name(unit).casefold() == label.casefold()
            else f"{label}, {words.unit_name(unit)}"
        )
    return _Column(name, label, unit, [words.cell(name, v, unit, **style) for v in table[name]])


def _style(values: pd.Series, unit: str) -> dict[str, object]:
    """One number of decimals for a whole column."""
    if unit not in (*WORDED, "money", "number"):
        return {}
    known = [float(v) for v in values if not is_unknown(v)]
    largest = max(map(abs, known), default=0.0)
    broken = any(v != round(v) for v in known)
    if unit == "number":
        return {"digits": 0 if not broken else 1 if largest >= 100 else 2}
    if unit == "money":
        return {"digits": 2 if broken and largest < 1000 else 0}
    return {"bare": True, "digits": 1 if unit == "difference" or (broken and largest < 100) else 0}


def _total_cell(words: Words, row: pd.Series, name: str, units: Mapping[str, str], index: int) -> str:
    if index == 0:
        return words.text("total")
    if name == "interval" and name not in row.index:
        return words.interval(row.get("low"), row.get("high"), units["low"])
    if name not in row.index or units[name] in ("text", *PERIODS):
        return ""
    return words.cell(name, row[name], units[name], **_style(pd.Series([row[name]]), units[name]))


def _sparks(table: pd.DataFrame, group: str, trend: pd.DataFrame, total: bool) -> list[Markup]:
    word = next((c for c in PERIODS if c in trend.columns), None)
    if word is None or group not in trend.columns:
        needed = group if word else "month"
        raise InputError.missing_column(needed, "table(trend=…)", map(str, trend.columns))
    value = _headline(trend) or str(trend.columns[-1])
    ordered = trend.sort_values(word, kind="stable")
    lines = [spark(list(ordered.loc[ordered[group] == key, value])) for key in table[group]]
    return [*lines, Markup("")] if total else lines


def _rendered(
    words: Words,
    parts: Sequence[_Column],
    bottom: Sequence[str],
    small: Sequence[int],
    sparks: Sequence[Markup] | None,
    title: str,
) -> Markup:
    from great_tables import GT, loc, style

    ids = [f"c{i}" for i in range(len(parts))]
    frame = pd.DataFrame(
        {i: [*part.cells, *bottom[at : at + 1]] for at, (i, part) in enumerate(zip(ids, parts, strict=True))}
    )
    seed = hashlib.sha256(repr((title, parts, list(bottom), sparks)).encode()).hexdigest()[:10]
    made = GT(
        frame.assign(**({TREND: list(map(str, sparks))} if sparks else {})),
        rowname_col="c0",
        id=f"kpi-{seed}",
    )
    made = made.cols_label({i: part.label for i, part in zip(ids[1:], parts[1:], strict=True)})
    made = made.tab_stubhead(parts[0].label)
    made = made.cols_align("right", [i for i, part in zip(ids, parts, strict=True) if not part.text])
    made = made.cols_align("left", [i for i, part in zip(ids, parts, strict=True) if part.text])
    if sparks:
        made = made.cols_label({TREND: words.text("trend")}).fmt(fns=str, columns=TREND)
    if small:
        made = made.tab_style(
            style.text(color=theme.MUTED), [loc.body(rows=list(small)), loc.stub(rows=list(small))]
        )
    if bottom:
        made = made.tab_style(
            style.text(weight="bold"), [loc.body(rows=[len(frame) - 1]), loc.stub(rows=[len(frame) - 1])]
        )
    return _own_look(made.tab_options(table_background_color="transparent").as_raw_html(), title)


def _own_look(html: str, title: str) -> Markup:
    """Great Tables' markup with a caption and the class of our style sheet instead of its own 8 kB."""
    bare = re.sub(r"<style>.*?</style>\s*", "", html, flags=re.DOTALL)
    bare = re.sub(r'(<div id="[^"]+") style="[^"]*"', r"\1", bare, count=1)
    caption = str(element("caption", title)) if title else ""
    bare = re.sub(
        r'<table class="gt_table"[^>]*>', lambda _: f'<table class="gt_table kpi">{caption}', bare, count=1
    )
    return Markup(bare)


def _plain(parts: Sequence[_Column], bottom: Sequence[str], title: str) -> str:
    """The table as aligned text, for terminals."""
    rows = [[part.label for part in parts], *map(list, zip(*(part.cells for part in parts), strict=True))]
    rows += [list(bottom)] if bottom else []
    widths = [max(len(clean(row[i])) for row in rows) for i in range(len(parts))]
    lines = [
        "  ".join(
            clean(c).ljust(w) if part.text else clean(c).rjust(w)
            for c, w, part in zip(row, widths, parts, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join([title, *lines] if title else lines)
