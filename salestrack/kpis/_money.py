"""Money as whole hundredths of one currency: exact sums, whatever the order, the threads or the engine."""

from __future__ import annotations

import narwhals as nw

from salestrack.errors import KpiError
from salestrack.kpis._facts import Facts, own_names
from salestrack.kpis._frames import small

CENTS = "_cents"


def with_cents(x: Facts, stem: str = "amount", into: str = CENTS) -> Facts:
    """With the money of `<stem>_base_cents`, `<stem>_base` or `<stem>` (in one currency) as hundredths.

    A fraction of a hundredth is rounded half up, row by row. NULL stays NULL: unknown, not nothing.
    """
    columns = x.columns
    if f"{stem}_base_cents" in columns:
        return x.mark(**{into: nw.col(f"{stem}_base_cents").cast(nw.Int64)})
    if f"{stem}_base" in columns:
        return x.mark(**{into: hundredths(f"{stem}_base")})
    if stem not in columns:
        raise KpiError.missing_column(f"{stem}_base_cents", x.function, own_names(columns))
    one_currency(x, stem)
    return x.mark(**{into: hundredths(stem)})


def hundredths(column: str) -> nw.Expr:
    """floor(100 x + 1/2) as a whole number; NULL where there is none (NaN is no amount either)."""
    number = nw.col(column).cast(nw.Float64)
    return (nw.when(~number.is_nan()).then(number) * 100 + 0.5).floor().cast(nw.Int64)


def one_currency(x: Facts, stem: str) -> None:
    """Refuses amounts in several currencies: they cannot be added."""
    if "currency_code" not in x.columns:
        return
    codes = small(x.rows.filter(~nw.col(stem).is_null()).select("currency_code").unique())["currency_code"]
    if len(codes) > 1:
        raise KpiError.mixed_currencies(x.function, stem, codes.fillna("no currency"))
