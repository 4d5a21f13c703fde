"""Small tables for tests of the rules: days, times, deals, quotas and credits, row by row."""

from __future__ import annotations

from typing import Any

import pandas as pd

OCTOBER = ("2026-10-01", "2026-10-31")


def day(*texts: str | None) -> Any:
    return pd.to_datetime(list(texts)).astype("datetime64[us]")


def at(*texts: str | None) -> Any:
    """A column of these times."""
    return pd.to_datetime(pd.Series(list(texts), dtype="object")).astype("datetime64[us]")


def deals(*rows: tuple[Any, ...], **more: Any) -> pd.DataFrame:
    """Deals as (status, amount, closed_date)."""
    table = pd.DataFrame(rows, columns=["status", "amount_base", "closed_date"])
    return table.assign(closed_date=day(*table["closed_date"]), **more)


def quotas(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    """Quotas as (rep_id, first day, last day, amount)."""
    table = pd.DataFrame(rows, columns=["rep_id", "period_start_date", "period_end_date", "quota_amount"])
    return table.assign(
        period_start_date=day(*table["period_start_date"]), period_end_date=day(*table["period_end_date"])
    )


def credited(*rows: tuple[str, str, float]) -> pd.DataFrame:
    """Credits as (rep_id, day, amount)."""
    table = pd.DataFrame(rows, columns=["rep_id", "credit_date", "amount"])
    return table.assign(credit_date=day(*table["credit_date"]), amount=table["amount"].astype(float))
