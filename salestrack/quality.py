"""Data quality: freshness, what each load did with its rows, and facts that cannot be or point nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import pandas as pd

from salestrack.book import Book

Level = Literal["ok", "warn", "fail"]
LEVELS: tuple[Level, ...] = ("ok", "warn", "fail")
USES = ("accepted", "superseded", "quarantined", "excluded", "footer")
"""What can become of a row that was read; together they are all rows read."""

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


@dataclass(frozen=True)
class Check:
    """Rows of `table` that meet `where` are faulty; more than `share` of those in `among` raise the check.

    Attributes
    ----------
    where, among : SQL on the table as of the day; `{day}` is that day
    en, de : the faulty rows in words
    level : what a raised check is worth; of an error, fewer faulty rows than that are still a warning
    share : how large a share of faulty rows is still no reason to worry
    other : the table that it looks into; the check rests where the company has no such table
    """

    name: str
    table: str
    where: str
    en: str
    de: str
    level: Level = "warn"
    share: float = 0.0
    among: str = "TRUE"
    other: str = ""


def _unknown(table: str, column: str, other: str, en: str, de: str, key: str = "") -> Check:
    known = f"SELECT {key or column} FROM stored.{other}"
    where = f"{column} IS NOT NULL AND {column} NOT IN ({known})"
    return Check(f"{table}.{column} unknown", table, where, en, de, other=other)


_NOT_ITS_LINES = """order_id IN (
SELECT order_id FROM stored.orders o JOIN
       (SELECT order_id, sum(line_amount) AS total FROM stored.order_lines GROUP BY ALL) l USING (order_id)
WHERE abs(o.net_amount - l.total) > 0.05 + 0.001 * abs(l.total))"""
_TWICE = """deal_id IN (
SELECT unnest(list(deal_id)) FROM stored.deals WHERE NOT coalesce(is_deleted, FALSE)
GROUP BY account_id, amount, created_at::DATE
HAVING account_id IS NOT NULL AND amount <> 0 AND count(*) > 1)"""

_CLOSED_FIRST = """deal_id IN (
SELECT deal_id FROM stored.deals
WHERE closed_at < created_at OR closed_date < created_at::DATE - 1)"""  # a day: dates are local, times are not
_CERTAIN = """deal_id IN (
SELECT deal_id FROM stored.deals WHERE status = 'open' AND (probability >= 1 OR probability < 0))"""

_AGAINST = """stage_id IN (
SELECT stage_id FROM stored.stages WHERE stage_type <> 'open' AND stage_type <> status)"""

_OPEN_CLOSED = """deal_id IN (
SELECT deal_id FROM stored.deals WHERE status = 'open' AND coalesce(closed_at::DATE, closed_date) IS NOT NULL)"""

CHECKS = (
    Check(
        "won without amount",
        "deals",
        "amount IS NULL",
        "won deals without an amount",
        "gewonnene Deals ohne Betrag",
        share=0.02,
        among="status = 'won'",
    ),
    Check(
        "closed before created",
        "deals",
        _CLOSED_FIRST,
        "deals closed before they were created",
        "Deals, die vor ihrer Anlage geschlossen wurden",
        "fail",
        share=0.01,
        among="status <> 'open'",
    ),
    Check(
        "negative amount",
        "deals",
        "amount < 0",
        "deals with a negative amount",
        "Deals mit negativem Betrag",
        "fail",
        share=0.01,
    ),
    Check(
        "perhaps twice",
        "deals",
        _TWICE,
        "deals of the same customer, amount and day, perhaps entered twice",
        "Deals desselben Kunden mit gleichem Betrag und Tag, vielleicht doppelt erfasst",
        share=0.01,
    ),
    Check(
        "open but certain",
        "deals",
        _CERTAIN,
        "open deals with a probability of 100 % or below 0",
        "offene Deals mit einer Wahrscheinlichkeit von 100 % oder unter 0",
        among="status = 'open'",
    ),
    Check(
        "status against stage",
        "deals",
        _AGAINST,
        "deals in a stage that means won or lost, although they are not",
        "Deals in einer Phase für gewonnen oder verloren, die es nicht sind",
        "fail",
        share=0.01,
        other="stages",
    ),
    Check(
        "open with closing day",
        "deals",
        _OPEN_CLOSED,
        "open deals with a day on which they were closed",
        "offene Deals mit einem Tag, an dem sie abgeschlossen wurden",
        among="status = 'open'",
    ),
    Check(
        "implausible day",
        "deals",
        "created_at < TIMESTAMP '1990-01-01' OR expected_close_date NOT BETWEEN DATE '1990-01-01' AND {day} + 7305",
        "deals of before 1990 or expected to close in more than 20 years",
        "Deals von vor 1990 oder mit erwartetem Abschluss in mehr als 20 Jahren",
    ),
    Check(
        "stage without place",
        "stages",
        "stage_order IS NULL",
        "stages whose place in the process nobody has told: list them in [stages] order of salestrack.toml",
        "Phasen, deren Platz im Ablauf niemand angegeben hat: in [stages] order der salestrack.toml aufzählen",
    ),
    Check(
        "closing from field",
        "deals",
        "closed_at_source = 'field'",
        "closings dated by the deal's own field for want of a history",
        "Abschlüsse, die mangels Verlauf nach dem Feld des Deals datiert sind",
        share=0.1,
        among="status <> 'open'",
    ),
    Check(
        "no owner", "deals", "owner_rep_id IS NULL", "deals without an owner", "Deals ohne Verantwortliche"
    ),
    Check(
        "no team",
        "deals",
        "team IS NULL",
        "deals whose owner had no team",
        "Deals, deren Verantwortliche kein Team hatten",
        share=0.02,
        other="teams",
    ),
    Check(
        "past due",
        "deals",
        "expected_close_date < {day}",
        "open deals whose expected close has passed",
        "offene Deals, deren erwarteter Abschluss verstrichen ist",
        share=0.1,
        among="status = 'open'",
    ),
    Check(
        "no duration",
        "activities",
        "duration_s IS NULL",
        "activities without a duration",
        "Aktivitäten ohne Dauer",
        share=0.2,
        among="is_done",
    ),
    Check(
        "long duration",
        "activities",
        "duration_s > 24 * 3600 * 5 OR duration_s < 0",
        "activities of negative length or longer than five days",
        "Aktivitäten mit negativer Dauer oder von mehr als fünf Tagen",
    ),
    Check(
        "lead order",
        "leads",
        "mql_at < created_at OR sql_at < created_at",
        "leads qualified before they arrived",
        "Leads, die vor ihrem Eingang qualifiziert wurden",
        "fail",
        share=0.01,
    ),
    Check(
        "not its lines",
        "orders",
        _NOT_ITS_LINES,
        "orders whose lines add up to another amount",
        "Bestellungen, deren Positionen einen anderen Betrag ergeben",
        share=0.01,
        other="order_lines",
    ),
    Check(
        "score out of range",
        "surveys",
        "score NOT BETWEEN score_min AND score_max",
        "survey answers outside their scale",
        "Umfrageantworten außerhalb ihrer Skala",
        "fail",
        share=0.01,
    ),
    _unknown("deals", "account_id", "accounts", "deals of unknown customers", "Deals unbekannter Kunden"),
    _unknown(
        "deals",
        "owner_rep_id",
        "reps",
        "deals of unknown owners",
        "Deals unbekannter Verantwortlicher",
        "rep_id",
    ),
    _unknown(
        "activities", "deal_id", "deals", "activities of unknown deals", "Aktivitäten zu unbekannten Deals"
    ),
    _unknown(
        "orders", "account_id", "accounts", "orders of unknown customers", "Bestellungen unbekannter Kunden"
    ),
    _unknown(
        "order_lines", "order_id", "orders", "lines of unknown orders", "Positionen unbekannter Bestellungen"
    ),
    _unknown("quotas", "rep_id", "reps", "quotas of unknown persons", "Quoten unbekannter Personen"),
)


def plausibility(book: Book) -> pd.DataFrame:
    """One row per check of a table that the company has: faulty rows among those it concerns, and the level.

    Returns
    -------
    `check, table, count, n, share, level, en, de` in the order of `CHECKS`; `share` is unknown, and the
    level ok, where a check concerns no row.
    """
    counted = _counted(book)
    rows = []
    for check in CHECKS:
        if check.name in counted:
            count, n = counted[check.name]
            rows.append(
                (
                    check.name,
                    check.table,
                    count,
                    n,
                    count / n if n else None,
                    _level(check, count, n),
                    check.en,
                    check.de,
                )
            )
    table = pd.DataFrame(rows, columns=["check", "table", "count", "n", "share", "level", "en", "de"])
    return table.astype({"count": "int64", "n": "int64", "share": "float64"})


def _level(check: Check, count: int, n: int) -> Level:
    if count > check.share * n:
        return check.level
    return "warn" if count and check.level == "fail" else "ok"


def _counted(book: Book) -> dict[str, tuple[int, int]]:
    """Faulty rows and rows concerned by check; every table is read once."""
    found: dict[str, tuple[int, int]] = {}
    for table in dict.fromkeys(check.table for check in CHECKS):
        checks = [c for c in CHECKS if c.table == table and (not c.other or book.has(c.other))]
        if not checks or not book.has(table):
            continue
        parts = [
            f"count(*) FILTER (({c.among}) AND ({c.where})), count(*) FILTER ({c.among})" for c in checks
        ]
        row = book.table(table).aggregate(", ".join(parts).format(day=f"DATE '{book.as_of}'")).fetchall()[0]
        found |= {c.name: (row[2 * i], row[2 * i + 1]) for i, c in enumerate(checks)}
    return found


def loads(book: Book) -> pd.DataFrame:
    """What each load did with the rows of its file, one row per file and table.

    Formula: rows read = accepted + superseded + quarantined + excluded + footer.

    Returns
    -------
    `file, system, table_name, encoding, rows_read`, the five uses, `unmapped` (columns without a meaning
    here, kept with the row), `balanced` (the formula holds), `level`: fail if it does not, warn if rows
    were refused.
    """
    columns = ["file", "system", "table_name", "encoding", "rows_read", *USES, "unmapped"]
    table: pd.DataFrame = book.load_log.project(", ".join(columns)).df()
    table = table.sort_values(["file", "table_name"], ignore_index=True)
    table["unmapped"] = table["unmapped"].map(_names)
    table["balanced"] = (table[list(USES)].sum(axis=1) == table["rows_read"]).astype(bool)
    level = pd.Series("ok", index=table.index).mask(table["quarantined"] > 0, "warn")
    return table.assign(level=level.where(table["balanced"], "fail"))


def amounts(book: Book) -> pd.DataFrame:
    """What became of the money in each file, by canonical column, in the currencies of the file.

    Formula: the amounts read = accepted + superseded + quarantined.

    Returns
    -------
    `file, table_name, column, accepted, superseded, quarantined` as exact decimals; a refused cell that is no number
    adds nothing.
    """
    columns = ["file", "table_name", "column", "accepted", "superseded", "quarantined"]
    log = book.load_log.filter("amounts IS NOT NULL").project("file, table_name, amounts").fetchall()
    rows = [
        (file, table, column, *(Decimal(sums.get(use, "0")) for use in columns[3:]))
        for file, table, text in log
        for column, sums in json.loads(text).items()
    ]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:3], ignore_index=True)


def _names(text: object) -> str:
    """A JSON list of column names as they are read aloud; empty without one."""
    return ", ".join(map(str, json.loads(text))) if isinstance(text, str) else ""


def quarantine(book: Book) -> pd.DataFrame:
    """Refused rows counted by table and reason, the most frequent first.

    Returns
    -------
    `table_name, reasons, reason_en, reason_de, n, example`: the texts and `example` (`file#line`) are those
    of the first such row.
    """
    first = "min_by({}, (file, line))"
    where = first.format("file || '#' || line")
    made = book.table("quarantine").aggregate(
        f"table_name, reasons, {first.format('reason_en')} AS reason_en, {first.format('reason_de')} AS "
        f"reason_de, "
        f"count(*) AS n, {where} AS example"
    )
    table: pd.DataFrame = made.df()
    order = ["n", "table_name", "reasons"]
    return table.sort_values(order, ascending=[False, True, True], ignore_index=True)


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


def level_of(levels: Iterable[str]) -> Level:
    """The worst of some levels; ok if there are none.

    >>> level_of(["ok", "warn", "ok"]), level_of([])
    ('warn', 'ok')
    """
    found = set(levels)
    return next((level for level in reversed(LEVELS) if level in found), "ok")


def worst(book: Book) -> Level:
    """The worst level of everything: plausibility, loads and freshness."""
    return level_of(pd.concat([part(book)["level"] for part in (plausibility, loads, freshness)]))
