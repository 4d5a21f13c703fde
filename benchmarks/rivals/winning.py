"""Bookings and win rates by hand."""

from __future__ import annotations

import pandas as pd

from benchmarks.rivals import Rival


def _bookings(deals: pd.DataFrame) -> pd.DataFrame:
    won = deals[deals["status"] == "won"]
    months = won["closed_date"].to_numpy().astype("datetime64[M]")
    made = won.groupby(months)["amount_base_cents"].agg(bookings="sum", n="size").reset_index()
    return made.assign(bookings=made["bookings"] / 100)


RIVALS = {
    "bookings": Rival(
        reads={"deals": ["status", "closed_date", "amount_base_cents"]},
        options={"by": "month"},
        sql="""SELECT date_trunc('month', closed_date) AS month, sum(amount_base_cents) / 100 AS bookings, count(*) AS n
               FROM deals WHERE status = 'won' GROUP BY ALL ORDER BY 1""",
        pandas=_bookings,
        same=("bookings", "n"),
    ),
}
