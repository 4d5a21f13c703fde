"""Data quality: freshness, what each load did with its rows, and facts that cannot be or point nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from salestrack.book import FACTS, Book

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """Rows of `table` that meet `where` are faulty; more than `share` of them raises the level."""

    name: str
    table: str
    where: str
    en: str
    de: str
    level: Level = "warn"
    share: float = 0.0


def _unknown(table: str, column: str, other: str, en: str, de: str, key: str | None = None) -> Check:
    where = f"{column} IS NOT NULL AND {column} NOT IN (SELECT {key or column} FROM {other})"
    return Check(f"{table}.{column} unknown", table, where, en, de)


CHECKS = (
    Check("won without amount", "deals", "status = 'won' AND amount IS NULL",
          "won deals without an amount", "gewonnene Deals ohne Betrag", share=0.02),
    Check("closed before created", "deals", "closed_at < created_at",
          "deals closed before they were created", "Deals, die vor ihrer Anlage geschlossen wurden", "fail"),
    Check("negative amount", "deals", "amount < 0", "deals with a negative amount", "Deals mit negativem Betrag", "fail"),
    Check("open but certain", "deals", "status = 'open' AND (probability >= 1 OR probability < 0)",
          "open deals with a probability of 100 % or below 0", "offene Deals mit einer Wahrscheinlichkeit von 100 % oder unter 0"),
    Check("closing from field", "deals", "closed_at_source = 'field'",
          "closings dated by the deal's own field for want of a history",
          "Abschlüsse, die mangels Historie nach dem Feld des Deals datiert sind", share=0.1),
    Check("no owner", "deals", "owner_rep_id IS NULL", "deals without an owner", "Deals ohne Verantwortliche"),
    Check("no team", "deals", "team IS NULL", "deals whose owner had no team", "Deals, deren Verantwortliche kein Team hatten", share=0.02),
    Check("past due", "deals", "status = 'open' AND expected_close_date < {as_of}",
          "open deals with an expected close in the past", "offene Deals mit erwartetem Abschluss in der Vergangenheit", share=0.1),
    Check("no duration", "activities", "duration_s IS NULL", "activities without a duration", "Aktivitäten ohne Dauer", share=0.2),
    Check("long duration", "activities", "duration_s > 24 * 3600 * 5 OR duration_s < 0",
          "activities of negative length or longer than five days", "Aktivitäten mit negativer Dauer oder mehr als fünf Tagen"),
    Check("lead order", "leads", "mql_at < created_at OR sql_at < created_at",
          "leads qualified before they arrived", "Leads, die vor ihrem Eingang qualifiziert wurden", "fail"),
    Check("score out of range", "surveys", "score NOT BETWEEN score_min AND score_max",
          "survey answers outside their scale", "Umfrageantworten außerhalb ihrer Skala", "fail"),
    _unknown("deals", "account_id", "stored.accounts", "deals of unknown accounts", "Deals unbekannter Konten"),
    _unknown("deals", "owner_rep_id", "stored.reps", "deals of unknown owners", "Deals unbekannter Verantwortlicher", "rep_id"),
    _unknown("activities", "deal_id", "stored.deals", "activities of unknown deals", "Aktivitäten zu unbekannten Deals"),
    _unknown("orders", "account_id", "stored.accounts", "orders of unknown accounts", "Bestellungen unbekannter Konten"),
    _unknown("order_lines", "order_id", "stored.orders", "order lines of unknown orders", "Positionen unbekannter Bestellungen"),
    _unknown("quotas", "rep_id", "stored.reps", "quotas of unknown persons", "Quoten unbekannter Personen"),
)


def plausibility(book: Book) -> pd.DataFrame:
    """One row per check of a table that the company has: faulty rows among all, and the level.

    Returns `check, table, count, n, share, level, en, de`; a table without rows is left out.
    """
    rows = []
    for check in CHECKS:
        if not book.has(check.table):
            continue
        where = check.where.format(as_of=f"DATE '{book.as_of}'")
        count, n = book.table(check.table).aggregate(f"count(*) FILTER ({where}), count(*)").fetchall()[0]
        bad = count / n > check.share
        rows.append((check.name, check.table, count, n, count / n, check.level if bad else "ok", check.en, check.de))
    return pd.DataFrame(rows, columns=["check", "table", "count", "n", "share", "level", "en", "de"])


def loads(book: Book) -> pd.DataFrame:
    """One row per file and table: rows read = accepted + superseded + quarantined + footer (`balanced`)."""
    columns = "file, system, table_name, encoding, rows_read, accepted, superseded, quarantined, footer, unmapped"
    table = book.load_log.project(columns).df().sort_values(["file", "table_name"], ignore_index=True)
    used = table[["accepted", "superseded", "quarantined", "footer"]].sum(axis=1)
    return table.assign(balanced=used == table["rows_read"])


def quarantine(book: Book) -> pd.DataFrame:
    """Refused rows counted by table and reason: `table_name, reasons, reason_en, reason_de, n, example`."""
    return (
        book.table("quarantine")
        .aggregate("table_name, reasons, reason_en, reason_de, count(*) AS n, min(file || '#' || line) AS example")
        .df()
        .sort_values(["n", "table_name"], ascending=[False, True], ignore_index=True)
    )


def freshness(book: Book) -> pd.DataFrame:
    """The newest fact of each table and its age at the end of `as_of`, in days."""
    rows = []
    for name, column in FACTS.items():
        if name != "deal_versions" and book.has(name):
            newest = book.table(name).aggregate(f"max({column})::DATE").fetchall()[0][0]
            n = book.table(name).aggregate("count(*)").fetchall()[0][0]
            rows.append((name, n, pd.Timestamp(newest), (book.as_of - newest).days))
    return pd.DataFrame(rows, columns=["table", "n", "newest", "age_days"])


def worst(book: Book) -> Level:
    """The worst level of all checks; a load that does not balance is a failure."""
    levels = set(plausibility(book)["level"]) | ({"ok"} if loads(book)["balanced"].all() else {"fail"})
    return "fail" if "fail" in levels else "warn" if "warn" in levels else "ok"
