"""A notebook's page: the book of a month, its usual spans of time, sections that may lack their table, headline cards."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from salestrack.book import Book
from salestrack.errors import InputError, nearest
from salestrack.markup import Html
from salestrack.periods import Period
from salestrack.show import Show

NOTHING = Html("", "")
STOCKS = (
    "open_pipeline",
)  # their period is that of the expected close, the card shows what is there on the day
DRAWN = (
    "bars",
    "columns",
    "curve",
    "finding",
    "forest",
    "funnel",
    "heatmap",
    "histogram",
    "lines",
    "stacked",
    "strip",
    "table",
    "text",
)


class Page(Show):
    """What a notebook opens: `page = Page.open(data, month, language)`.

    Attributes
    ----------
    book : the Book at the end of the month
    month, quarter, year : Period of the report's month, and of the quarter and fiscal year it lies in
    year_to_date : Period from the start of the fiscal year to the end of the month
    last_12, last_24, last_36 : Period of that many months up to the month
    """

    def __init__(self, book: Book, language: str | None = None) -> None:
        super().__init__(book, language)  # type: ignore[arg-type]
        start = book.config.fiscal_year_start_month
        self.month = book.month
        self.quarter = book.month.containing("quarter", fiscal_year_start=start)
        self.year = book.month.containing("year", fiscal_year_start=start)
        self.year_to_date = Period(self.year.start, self.month.end)
        self.last_12, self.last_24, self.last_36 = (book.month.trailing(n) for n in (12, 24, 36))
        self._silent = False

    @classmethod
    def open(cls, data: str, month: str | None = None, language: str | None = None) -> Page:
        """The page of a company's month; a relative folder is looked up from here, from above, and in the project.

        Raises InputError for a month or language that is none, MissingData for a folder or month that is not there.
        """
        if language not in (None, "", "de", "en"):
            raise InputError(
                f"'{language}' is not a language of the pages{nearest(str(language), ('de', 'en')) or ':'} write de or en"
            )
        return cls(Book.for_month(_found(data), month or None), language or None)

    def needs(self, *tables: str) -> Html:
        """Starts a section that rests on these tables: one sentence if one is missing, and then nothing more of it is shown."""
        lacking = [name for name in tables if not self.book.has(name)]
        self._silent = bool(lacking)
        return self.missing(*lacking) if lacking else NOTHING

    def headline(
        self,
        kpi: Callable[..., pd.DataFrame],
        *,
        target: Any = None,
        months: int = 1,
        label: Any = None,
        note: Any = None,
    ) -> Html | None:
        """The card of a KPI for the last `months` months: value, change on the same span a year ago, and 13 months as a line.

        None, and so no card, where the company lacks a table that the KPI needs.
        """
        signature = inspect.signature(kpi)
        if not self.book.has(*(signature.parameters.keys() & self.book.tables)):
            return None
        span = self.month.trailing(months)
        if "period" not in signature.parameters or kpi.__name__ in STOCKS:
            return self.card(self.book.kpi(kpi), kpi, target=target, label=label, note=note)
        now = self.book.kpi(kpi, period=span)
        before = self.book.kpi(kpi, period=span.shifted(-12))
        trend = self.book.kpi(kpi, by="month", period=self.month.trailing(13)) if months == 1 else None
        return self.card(
            now, kpi, compare=before, against="year", target=target, trend=trend, label=label, note=note
        )

    def __getattribute__(self, name: str) -> Any:
        if name in DRAWN and super().__getattribute__("_silent"):
            return lambda *args, **options: NOTHING
        return super().__getattribute__(name)


def _found(data: str) -> Path:
    """The folder `data` as seen from here, from the folder above (a notebook's), or from the project."""
    wanted = Path(data)
    for place in (Path(), Path(".."), Path(__file__).parents[1]):
        if (place / wanted).is_dir():
            return place / wanted
    return wanted
