"""A company of a few deals, clean, and what its books say; every fault is a change to its files."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from source_files import imported, rows

from salestrack.book import Book
from salestrack.kpis import bookings, open_pipeline, win_rate

DEALS = """\
deal_id,deal_name,stage_id,status,amount,currency_code,owner_rep_id,created_at,closed_date,expected_close_date,updated_at
007,Alpha,Won,won,1000.50,EUR,R1,2026-01-05T09:00:00Z,2026-03-02,2026-03-02,2026-03-02T10:00:00Z
D2,Beta,Lost,lost,500.00,EUR,R1,2026-01-06T09:00:00Z,2026-03-05,2026-03-05,2026-03-05T10:00:00Z
D3,Gamma,Offer,open,2000.00,EUR,R2,2026-01-07T23:30:00Z,,2026-05-01,2026-03-06T10:00:00Z
D4,Delta,Won,won,100.00,USD,R2,2026-01-08T09:00:00Z,2026-03-09,2026-03-09,2026-03-09T10:00:00Z
"""
RATES = "from_currency_code,to_currency_code,rate_date,rate\nUSD,EUR,2026-01-01,0.90\n"
REPS = "rep_id,rep_name\nR1,Anna Weber\nR2,Bj\u00f6rn Kranz\n"
CONFIG = '[company]\nname = "Test"\ncurrency = "EUR"\ntime_zone = "Europe/Berlin"\n'
CLEAN = {"bookings": 1090.50, "won": 2, "win_rate": 2 / 3, "pipeline": 2000.0, "owners": "R1 R1 R2 R2"}
Files = dict[str, str | bytes]


def files(deals: str | bytes = DEALS, **more: str | bytes) -> Files:
    """The raw files with this text for the deals, and further ones by their stem."""
    return {"deals.csv": deals, "exchange_rates.csv": RATES, "reps.csv": REPS} | {
        f"{name}.csv": text for name, text in more.items()
    }


def changed(*pairs: tuple[str, str]) -> str:
    """The deals with some text replaced; every text must be there."""
    text = DEALS
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def books(folder: Path, given: Files, config: str = CONFIG) -> dict[str, object]:
    """What the books say at the end of March 2026."""
    imported(folder, given, config)
    with Book.open(folder, "2026-03-31") as book:
        won = book.kpi(bookings, period="2026").iloc[0]
        rate = book.kpi(win_rate, period="2026").iloc[0]
        pipeline = book.kpi(open_pipeline).iloc[0]
        owners = " ".join(
            row[0] for row in book.sql("SELECT owner_rep_id FROM deals ORDER BY ALL").fetchall()
        )
    return {
        "bookings": round(float(won["bookings"]), 2),
        "won": int(won["n"]),
        "win_rate": float(rate["win_rate"]),
        "pipeline": float(pipeline["open_pipeline"]),
        "owners": owners,
    }


def total(folder: Path, where: str = "true") -> Decimal:
    """The stored amounts of some deals, added up exactly."""
    return sum(
        (row[0] for row in rows(folder, "deals", "amount", f"amount IS NOT NULL AND {where}")), Decimal()
    )
