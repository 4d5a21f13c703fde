"""A cheap look for columns that know the answer: facts that are only filled in when a deal closes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from salestrack.models.evaluate import auc

AUC_LIMIT = 0.85
MISSING_LIMIT = 0.25
MIN_DEALS = 20
NOT_SCANNED = ("deal_id", "deal_name", "source_ref", "source_system", "custom_fields", "status")


def column_auc(values: pd.Series, won: pd.Series) -> float:
    """How well one column alone tells won from lost, whatever its direction: 0.5 (not at all) to 1.

    A group is ranked by the wins among its *other* deals, so that a group of one tells nothing.

    >>> column_auc(pd.Series([1.0, 2.0, 3.0, 4.0]), pd.Series([1, 1, 0, 0]))
    1.0
    """
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        known = values.notna()
        told = np.asarray(pd.to_numeric(values[known]), dtype=np.float64)
        found = auc(won[known].to_numpy(), told)
        return max(found, 1 - found)
    level = values.astype("string").fillna("(missing)")
    by = won.groupby(level.to_numpy())
    others = by.transform("size") - 1
    mean = won.mean()
    rate = (by.transform("sum") - won + mean) / (others + 1)
    return auc(won.to_numpy(), np.asarray(rate, dtype=float))


def leak_scan(deals: pd.DataFrame) -> list[dict[str, Any]]:
    """Columns of the deals table that look as if they were written at closing.

    Parameters
    ----------
    deals : one row per deal with `status` (open, won, lost) and any other columns

    Returns
    -------
    One finding per column and check: `column`, `check`, `value`, `limit`. The checks are `auc` (the column
    alone tells won from lost too well) and `missing` (filled for closed and empty for open deals or the other
    way round; the value is the difference of the missing shares). Fewer than 20 deals of a kind: nothing.
    """
    closed, still = deals["status"].isin(["won", "lost"]), deals["status"] == "open"
    won = (deals.loc[closed, "status"] == "won").astype(int)
    found: list[dict[str, Any]] = []
    for column in (c for c in deals.columns if c not in NOT_SCANNED):
        values = deals[column]
        if min(closed.sum(), still.sum()) >= MIN_DEALS:
            gap = float(values[closed].isna().mean() - values[still].isna().mean())
            if abs(gap) > MISSING_LIMIT:
                found.append({"column": column, "check": "missing", "value": gap, "limit": MISSING_LIMIT})
        if min(won.sum(), (1 - won).sum()) >= MIN_DEALS:
            told = column_auc(values[closed], won)
            if np.isfinite(told) and told > AUC_LIMIT:
                found.append({"column": column, "check": "auc", "value": told, "limit": AUC_LIMIT})
    return found
