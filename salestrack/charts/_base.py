"""What all charts share: the finished chart, the canvas with its heading, what it says in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import pandas as pd

from salestrack import theme
from salestrack.errors import InputError
from salestrack.i18n import Words, clean, is_unknown, unit_for
from salestrack.markup import Bundle, Html, Table, as_float, data_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


P = ParamSpec("P")

HEIGHT = 2.75  # inches of a plot without rows
TITLE_LINE, DECK_LINE, KEY_LINE = 0.25, 0.20, 0.24
LABEL_CHARS = 30  # of a category on an axis


@dataclass(frozen=True, eq=False)
class Chart:
    """A finished figure: SVG, what it shows in words, its data as a table; `figure` is matplotlib's own."""

    svg: str
    alt: str
    caption: str
    table_html: str
    figure: Figure = field(repr=False)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        told = {"alt": self.alt, "caption": self.caption, "table_html": self.table_html}
        return {"image/svg+xml": self.svg, "text/plain": self.alt}, {"image/svg+xml": told}

    @property
    def axes(self) -> Axes:
        """The (first) axes."""
        return self.figure.axes[0]

    def png(self, dpi: int = 200) -> bytes:
        """The figure as PNG, for mail and slides."""
        return theme.to_png(self.figure, dpi)


def in_style(draw: Callable[P, Chart | Html]) -> Callable[P, Chart | Html]:
    """Draw in the report's look, whatever the session has set."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Chart | Html:
        with theme.style():
            return draw(*args, **kwargs)

    return styled


@dataclass(frozen=True)
class Key:
    """One entry of a legend: `fill`, `outline`, `hatch`, `line` or `dash` in a colour."""

    label: str
    colour: str
    kind: str = "fill"

    def handle(self) -> Any:
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        if self.kind in ("line", "dash"):
            return Line2D(
                [], [], color=self.colour, linestyle=(0, (2.4, 1.4)) if self.kind == "dash" else "-"
            )
        filled: dict[str, dict[str, Any]] = {
            "fill": {"facecolor": self.colour},
            "outline": {"facecolor": theme.PAPER, "edgecolor": self.colour},
        }
        hatched: dict[str, Any] = {"facecolor": theme.PAPER, "edgecolor": self.colour, "hatch": "////"}
        return Patch(linewidth=1.2, **filled.get(self.kind, hatched))


class Canvas:
    """A figure with a claim as its title, the unit below it and a legend, all at the left edge."""

    def __init__(self, words: Words, title: str, deck: str, height: float, keys: Sequence[Key] = ()) -> None:
        from matplotlib.figure import Figure

        self.words, self.title = words, title
        lines = wrapped(clean(title, 400), theme.TITLE_SIZE, "bold") or [""]
        decks = wrapped(clean(deck, 400), theme.DECK_SIZE)
        columns, rows = self._fit(keys)
        head = 0.06 + TITLE_LINE * len(lines) + DECK_LINE * len(decks) + KEY_LINE * rows + 0.10
        total = height + head
        self.figure = Figure(figsize=(theme.WIDTH, total))
        self.figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - head / total), w_pad=0.03, h_pad=0.03)
        at = total - 0.06
        self._write(lines, at / total, theme.TITLE_SIZE, theme.INK, "bold", "title")
        at -= TITLE_LINE * len(lines)
        self._write(decks, (at - 0.01) / total, theme.DECK_SIZE, theme.MUTED, "normal", "deck")
        at -= DECK_LINE * len(decks) + 0.05
        if keys:
            self.figure.legend(
                handles=[key.handle() for key in keys],
                labels=[clean(key.label, LABEL_CHARS) for key in keys],
                loc="upper left",
                bbox_to_anchor=(0, at / total),
                ncols=columns,
                borderpad=0,
                borderaxespad=0.1,
                handlelength=1.1,
                handleheight=0.8,
                handletextpad=0.5,
                columnspacing=1.4,
                labelcolor=theme.INK,
            ).set_in_layout(False)
        self.ax: Axes = self.figure.subplots()

    @staticmethod
    def _fit(keys: Sequence[Key]) -> tuple[int, int]:
        if not keys:
            return 1, 0
        widest = max(text_width(clean(key.label, LABEL_CHARS), theme.TEXT_SIZE) for key in keys) + 0.46
        columns = min(len(keys), max(1, int((theme.WIDTH - 0.1) / widest)))
        return columns, math.ceil(len(keys) / columns)

    def _write(self, lines: Sequence[str], y: float, size: float, colour: str, weight: str, gid: str) -> None:
        if lines:
            self.figure.text(
                0.003,
                y,
                "\n".join(lines),
                va="top",
                ha="left",
                fontsize=size,
                color=colour,
                fontweight=weight,
                linespacing=1.18,
                gid=gid,
                in_layout=False,
            )

    def chart(self, alt: Sequence[str], notes: Sequence[str], table_html: str) -> Chart:
        """The finished chart, rendered once."""
        said = " ".join(part for part in alt if part)
        caption = " ".join(note for note in notes if note)
        return Chart(theme.to_svg(self.figure), said, caption, table_html, self.figure)


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Width of a text in inches, in the font that layouts are measured with."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=theme.MEASURED_FONT, size=size, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def wrapped(text: str, size: float, weight: str = "normal", width: float = theme.WIDTH - 0.08) -> list[str]:
    """Lines of about equal length, none wider than the figure."""
    words = [(word, text_width(word + " ", size, weight)) for word in text.split(" ") if word]

    def lines(limit: float) -> list[str]:
        found: list[str] = []
        room = 0.0
        for word, wide in words:
            if found and wide <= room:
                found[-1] += " " + word
                room -= wide
            else:
                found.append(word)
                room = limit - wide
        return found

    count = len(lines(width))
    return next(
        (even for tenth in range(4, 11) if len(even := lines(width * tenth / 10)) == count), lines(width)
    )


def usable(table: Table, function: str, columns: Sequence[str], value: str) -> pd.DataFrame | None:
    """The table with fresh row numbers, None if no value is known; missing columns are refused by name."""
    if table is None or (table.empty and not len(table.columns)):
        return None
    for column in columns:
        if column not in table.columns:
            raise InputError.missing_column(column, function, map(str, table.columns))
    known = table[~table[value].map(is_unknown).astype(bool)]
    return None if known.empty else table.reset_index(drop=True)


def alt_series(
    words: Words,
    kind: str,
    title: str,
    at: Iterable[object],
    values: Iterable[float],
    x_unit: str,
    unit: str,
    n: object = None,
    column: str = "",
) -> list[str]:
    """What a series shows in words: kind and title, span, extremes, last value, number of cases."""
    known = [(a, v) for a, v in zip(at, values, strict=True) if not is_unknown(v)]

    def where(place: object) -> str:
        return words.cell(column, place, x_unit)

    def value(amount: object) -> str:
        return words.fmt(amount, unit, compact=True)

    said = [words.text("alt_head", kind=words.text(f"alt_{kind}"), title=clean(title).rstrip("."))]
    if not known:
        return said
    ordered = x_unit != "text"
    if ordered:
        said.append(
            words.text("alt_span", first=where(known[0][0]), last=where(known[-1][0]), count=len(known))
        )
    else:
        said.append(words.text("alt_count", count=len(known)))
    if len(known) > 1:
        low, high = min(known, key=lambda p: p[1]), max(known, key=lambda p: p[1])
        said.append(
            words.text(
                "alt_range",
                low=value(low[1]),
                low_at=where(low[0]),
                high=value(high[1]),
                high_at=where(high[0]),
            )
        )
    if ordered:
        said.append(words.text("alt_last", value=value(known[-1][1]), at=where(known[-1][0])))
    if not is_unknown(n):
        said.append(words.text("alt_n", n=words.n(n)))
    return said


def chart_table(
    words: Words,
    table: pd.DataFrame,
    title: str,
    columns: Sequence[str],
    y: str,
    unit: str,
    labels: Mapping[str, str] | None = None,
) -> str:
    """The data of a chart, with interval and number of cases where the table has them."""
    wanted = [*columns, *(c for c in ("low", "high", "n") if c in table.columns and c not in columns)]
    units = {y: unit, "low": unit, "high": unit} | {
        c: unit
        for c in columns
        if c != columns[0]
        and not isinstance(table[c].dtype, pd.StringDtype)
        and c != y
        and unit_for(c, table[c]) == "number"
    }
    return data_table(words, table, words.text("chart_data", title=clean(title)), wanted, units, labels)


def case_count(table: pd.DataFrame) -> object:
    """The sum of n, None where the table has none."""
    return float(as_float(table["n"]).sum()) if "n" in table.columns else None
