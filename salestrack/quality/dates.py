"""How old the newest entries are, and where the days of closings come from."""

from __future__ import annotations

import pandas as pd

from salestrack.book import Book

NEWEST = {  # table: where its newest entry shows, and after how many days without one it is stale
    "deals": ("deal_versions", "valid_from", 14),
    "orders": ("orders", "order_date", 14),
    "activities": ("activities", "started_at", 14),
    "leads": ("leads", "created_at", 14),
    "web_traffic": ("web_traffic", "date", 14),
    "costs": ("costs", "cost_date", 45),
    "exchange_rates": ("exchange_rates", "rate_date", 45),
    "surveys": ("surveys", "responded_at", 92),
}


def freshness(book: Book) -> pd.DataFrame:
    """The newest entry of each table and its age at the end of `as_of`.

    Returns
    -------
    `table, n, newest, age_days, level`: warn where no entry came for longer than `NEWEST` allows.
    """
    rows = []
    for name, (source, column, most) in NEWEST.items():
        if book.has(name, source):
            newest = book.table(source).aggregate(f"max({column})::DATE").fetchall()[0][0]
            n = book.table(name).aggregate("count(*)").fetchall()[0][0]
            age = None if newest is None else (book.as_of - newest).days
            level = "warn" if age is None or age > most else "ok"
            rows.append((name, n, pd.NaT if newest is None else pd.Timestamp(newest), age, level))
    table = pd.DataFrame(rows, columns=["table", "n", "newest", "age_days", "level"])
    return table.astype({"n": "int64", "newest": "datetime64[us]", "age_days": "Int64"})


def history(book: Book) -> pd.DataFrame:
    """Where the day of a closing comes from, by year of closing, the newest first.

    Returns
    -------
    `year, from_history, from_field, share` (of closings dated by the history of stages), `n` (closings).
    """
    start = book.config.fiscal_year_start_month - 1
    year = f"date_trunc('year', closed_date - INTERVAL {start} MONTH) + INTERVAL {start} MONTH"
    made = book.deals.filter("status IN ('won', 'lost')").aggregate(
        f"({year})::TIMESTAMP AS year, count(*) FILTER (closed_at_source = 'history') AS from_history, "
        "count(*) FILTER (closed_at_source = 'field') AS from_field, count(*) AS n"
    )
    table: pd.DataFrame = made.df()
    table = table.sort_values("year", ascending=False, ignore_index=True)
    table["share"] = table["from_history"] / table["n"]
    return table[["year", "from_history", "from_field", "share", "n"]]
