"""Facts that cannot be, or point nowhere: each check as SQL, in words and with its level."""

from __future__ import annotations

from dataclasses import dataclass

from salestrack.quality.level import Level


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


def _of_stored(where: str) -> str:
    """The deals of which the stored row, not that of the day, meets a condition."""
    return f"deal_id IN (SELECT deal_id FROM stored.deals WHERE {where})"


_NOT_ITS_LINES = """order_id IN (
SELECT order_id FROM stored.orders o JOIN
       (SELECT order_id, sum(line_amount) AS total FROM stored.order_lines GROUP BY ALL) l USING (order_id)
WHERE abs(o.net_amount - l.total) > 0.05 + 0.001 * abs(l.total))"""
_TWICE = """deal_id IN (
SELECT unnest(list(deal_id)) FROM stored.deals WHERE NOT coalesce(is_deleted, FALSE)
GROUP BY account_id, amount, created_at::DATE
HAVING account_id IS NOT NULL AND amount <> 0 AND count(*) > 1)"""
_CLOSED_FIRST = _of_stored(
    "closed_at < created_at OR closed_date < created_at::DATE - 1"  # a day: dates are local, times are not
)
_CERTAIN = _of_stored("status = 'open' AND (probability >= 1 OR probability < 0)")
_AGAINST = """stage_id IN (
SELECT stage_id FROM stored.stages WHERE stage_type <> 'open' AND stage_type <> status)"""
_OPEN_CLOSED = _of_stored("status = 'open' AND coalesce(closed_at::DATE, closed_date) IS NOT NULL")

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
