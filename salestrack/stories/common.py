"""What several pages need: spans of time that are over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from salestrack.book import Book
    from salestrack.periods import Period

QUARTERS = 8


def full_quarters(book: Book, count: int = QUARTERS) -> Period:
    """The last `count` fiscal quarters that were over at the end of the book's month."""
    quarter = book.month.containing("quarter", fiscal_year_start=book.config.fiscal_year_start_month)
    last = quarter if quarter.end <= book.month.end else quarter.shifted(-3)
    return last.trailing(3 * count)
