"""What notebooks call: one object that knows the book's money and calendar and the reader's language.

`show = Show(book, language="de")`, then a cell is one call: `show.columns(bookings_by_month, y="bookings")`.
Every method is documented where it is made: `salestrack.charts`, `tables`, `cards` and `blocks`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, cast

from salestrack import blocks, cards, charts, tables
from salestrack.blocks import Measure
from salestrack.charts import Chart
from salestrack.errors import InputError
from salestrack.findings import Against, finding
from salestrack.i18n import Language, Words
from salestrack.markup import Html, Kpi, Table, Text, empty, name_of, paragraph, pick

__all__ = ["Chart", "Html", "Measure", "Show"]

P = ParamSpec("P")
R = TypeVar("R")


def _spoken(function: Callable[Concatenate[Words, P], R]) -> Callable[Concatenate[Any, P], R]:
    """A function whose first argument is the language, as a method: same options, same documentation."""

    @wraps(function)
    def method(self: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(self.words, *args, **kwargs)

    known = signature(function)
    own = [
        known.parameters["words"].replace(name="self", annotation=known.empty),
        *list(known.parameters.values())[1:],
    ]
    method.__signature__ = known.replace(parameters=own)  # type: ignore[attr-defined]
    return cast("Callable[Concatenate[Any, P], R]", method)


class Show:
    """The page: every method returns something that JupyterLab and the report display.

    Parameters
    ----------
    book : the Book of the month; None for figures without a company (then euros and calendar years)
    language : `de` or `en`; by default the company's

    Examples
    --------
    >>> Show(language="de").missing("deals").text
    'Dieser Abschnitt kann nicht gezeigt werden: In den Daten des Unternehmens fehlt die Tabelle „Deals“.'
    """

    def __init__(self, book: Any = None, language: Language | None = None) -> None:
        config = getattr(book, "config", None)
        self.book = book
        self.words = Words(
            language or cast(Language, getattr(config, "language", "en")),
            getattr(config, "currency", "EUR"),
            getattr(config, "fiscal_year_start_month", 1),
        )

    bars = _spoken(charts.bars)
    columns = _spoken(charts.columns)
    curve = _spoken(charts.curve)
    forest = _spoken(charts.forest)
    funnel = _spoken(charts.funnel)
    heatmap = _spoken(charts.heatmap)
    histogram = _spoken(charts.histogram)
    lines = _spoken(charts.lines)
    stacked = _spoken(charts.stacked)
    strip = _spoken(charts.strip)

    card = _spoken(cards.card)
    definitions = _spoken(blocks.definitions)
    measure = _spoken(blocks.measure)
    measures = _spoken(blocks.measures)
    missing = _spoken(blocks.missing)
    table = _spoken(tables.kpi_table)
    text = _spoken(blocks.text)

    def cards(self, *made: Html | None) -> Html:
        """Cards side by side; None is left out."""
        return cards.cards(*made)

    def finding(
        self,
        kpi: Kpi,
        table: Table,
        *,
        compare: Table | float | Literal["month", "quarter", "year"] = None,
        against: Against = "year",
        target: Table | float = None,
        by: str | None = None,
        title: Text = None,
    ) -> Html:
        """A KPI in a sentence or two: value and change with their certainty, or with `by` the extreme groups.

        Parameters
        ----------
        kpi : the KPI, as its function or name
        table : KPI table: one row, one row per period (the newest counts), or with `by` one row per group
        compare, against, target : as in `card`
        by : the column of groups to compare; groups of fewer than ten cases do not compete
        title : named in the "no data" sentence

        Returns
        -------
        A paragraph of class `finding`; its text can be the `title` of a chart.
        """
        name = name_of(kpi)
        if table is None or table.empty:
            return empty(self.words, pick(self.words, title) or self.words.label(name))
        if name not in table.columns:
            raise InputError.missing_column(name, "finding", map(str, table.columns))
        before, base = cards.earlier(table, name, compare, against)
        wanted = cards.number(target, ("target", "quota", name))
        return paragraph(finding(self.words, table, name, before=before, against=base, target=wanted, by=by))

    def __repr__(self) -> str:
        return f"Show(language={self.words.language!r}, currency={self.words.currency!r})"
