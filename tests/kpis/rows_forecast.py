"""Small tables for tests of forecasts: open deals, and the spans of their lives."""

from __future__ import annotations

from typing import Any

import pandas as pd
from kpis.rows import day


def pipeline(*rows: tuple[float | None, float | None], **more: Any) -> pd.DataFrame:
    """Open deals as (amount, probability), expected in the quarter under way."""
    table = pd.DataFrame(rows, columns=["amount", "probability"]).astype(float)
    table = table.assign(status="open", expected_close_date=day("2026-12-01").repeat(len(rows)))
    return table.assign(closed_date=day(None).repeat(len(rows)), **more)


Span = tuple[str, str, str | None, str, str, float | None, float]


def versions(*rows: Span) -> pd.DataFrame:
    """Spans as (deal, from, to, status, expected or closing day, amount, probability)."""
    columns = ["deal_id", "valid_from", "valid_to", "status", "on", "amount", "probability"]
    table = pd.DataFrame(rows, columns=columns)
    closed = table["status"].isin(["won", "lost"])
    return table.assign(
        valid_from=day(*table["valid_from"]),
        valid_to=day(*table["valid_to"]),
        expected_close_date=day(*table["on"]),
        closed_date=day(*table["on"].where(closed, None)),
        stage_name="Offer",
    ).drop(columns="on")


def story(
    deal: str, due: str, p: float, won: str | None, amount: float = 100.0, paid: float = 100.0
) -> list[Span]:
    """A deal that is open from 2026-06-01 with an expected close, and perhaps won on a day."""
    rows: list[Span] = [(deal, "2026-06-01", won, "open", due, amount, p)]
    return [*rows, (deal, won, None, "won", won, paid, 1.0)] if won else rows
