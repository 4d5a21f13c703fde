"""What page 4 says of the ends of the funnel: leads that become customers, deals won or lost, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.kpis import (
    bottleneck,
    funnel_leakage,
    lead_conversion,
    lead_response_time,
    loss_reasons,
    mql_to_sql,
    stage_conversion,
    stage_dwell,
    win_rate,
    win_rate_by_value,
    win_rate_cohort,
)

if TYPE_CHECKING:
    from salestrack.book import Book
    from salestrack.i18n import Words
    from salestrack.page import Page
    from salestrack.periods import Period

CARDS = (mql_to_sql, win_rate, win_rate_by_value, win_rate_cohort)
SHOWN = (
    *(mql_to_sql, lead_conversion, lead_response_time, stage_conversion, stage_dwell, bottleneck),
    *(funnel_leakage, win_rate, win_rate_by_value, win_rate_cohort, loss_reasons),
)
MUCH_UNKNOWN = 0.1  # share of losses that name no reason above which reasons mislead
RATES = {
    "en": "In deals and by value: of the deals closed in the twelve months. By value a large deal weighs more; "
    "its interval allows for the deals of one account being alike. Of a cohort: of the deals created in the "
    "twelve months, those won within 180 days; open ones are undecided, not lost. Outcome known: the share of "
    "them that is old enough to tell. In brackets: 95% intervals.",
    "de": "In Deals und nach Wert: von den Abschlüssen der zwölf Monate. Nach Wert wiegt ein großer Deal mehr; "
    "das Intervall berücksichtigt, dass Deals eines Kunden sich ähneln. Je Jahrgang: von den in den zwölf "
    "Monaten angelegten Deals die innerhalb von 180 Tagen gewonnenen; offene gelten als unentschieden, nicht "
    "als verloren. Ausgang bekannt: der Anteil, der dafür alt genug ist. In Klammern: 95-%-Intervalle.",
}
QUARTERS = {
    "en": "MQL to SQL by quarter of qualification",
    "de": "MQL-zu-SQL-Quote nach Quartal der Qualifizierung",
}
RATE_LABELS = {
    "in_deals": {"en": "Win rate in deals", "de": "Abschlussquote in Deals"},
    "by_value": {"en": "Win rate by value", "de": "Abschlussquote nach Wert"},
    "of_cohort": {"en": "Win rate of the cohort", "de": "Abschlussquote je Jahrgang"},
    "n": {"en": "Closed", "de": "Beendet"},
    "created": {"en": "Created", "de": "Angelegt"},
}
RATE_UNITS = {"created": "count"}
REASON_UNITS = {"value_share": "share", "deals": "count"}
REASON_LABELS = {
    "loss_reasons": {"en": "Share", "de": "Anteil"},
    "value_share": {"en": "Share of the value", "de": "Anteil am Wert"},
}


def from_leads(page: Page) -> dict[str, Any]:
    """The arguments of `page.text`: how many of those who came as leads become customers, how soon they hear."""
    won, heard = (page.book.kpi(kpi, period=page.last_12) for kpi in (lead_conversion, lead_response_time))
    row, wait = won.iloc[0], heard.iloc[0]
    first = _BECOME["told" if pd.notna(row["lead_conversion"]) else "young"]
    reached = pd.notna(wait["lead_response_time"])
    second = _HEARD["reached" if reached else wait["note"]] if wait["n"] else ("", "")
    return {
        **{code: f"{a} {b}".rstrip() for code, a, b in zip(("en", "de"), first, second, strict=True)},
        "won": won,
        "interval": page.words.interval(row["low"], row["high"], "share"),
        "hours": page.words.fmt(wait["lead_response_time"] * 24, "hours"),
        "within": float(wait["share_24h"]),
    }


_BECOME = {
    "told": (
        "Of the {won.n:count} people and companies whose very first lead came in the last twelve months, "
        "{won.lead_conversion:share} become customers within 180 days (95% interval {interval}); of "
        "{won.open:count} that is not known yet. Those who had been leads before do not count here.",
        "Von den {won.n:count} Personen und Firmen, deren allererster Lead in den letzten zwölf Monaten kam, "
        "werden {won.lead_conversion:share} innerhalb von 180 Tagen Kunden (95-%-Intervall {interval}); bei "
        "{won.open:count} ist das noch offen. Wer schon früher Lead war, zählt hier nicht.",
    ),
    "young": (
        "None of those whose very first lead came in the last twelve months have had 180 days yet, so nobody can say "
        "how many become customers.",
        "Von denen, deren allererster Lead in den letzten zwölf Monaten kam, hatte noch niemand 180 Tage Zeit; wie "
        "viele Kunden werden, lässt sich daher nicht sagen.",
    ),
}
_HEARD = {
    "reached": (
        "Half of the leads are contacted within {hours}, {within:share} within a day.",
        "Die Hälfte der Leads wird innerhalb von {hours} kontaktiert, {within:share} innerhalb eines Tages.",
    ),
    "not_reached": (
        "Fewer than half of the leads have been contacted, {within:share} within a day.",
        "Weniger als die Hälfte der Leads wurde kontaktiert, {within:share} innerhalb eines Tages.",
    ),
    "unrecorded": (
        "How long leads wait for an answer is not known: no activity names a lead.",
        "Wie lange Leads auf eine Antwort warten, ist nicht bekannt: Keine Aktivität nennt einen Lead.",
    ),
}


def reasons(lost: pd.DataFrame) -> pd.DataFrame:
    """The columns of `loss_reasons` that a reader needs."""
    names = ["lost_reason", "deals", "loss_reasons", "low", "high", "lost_value", "value_share", "note"]
    return lost[names]


def three_rates(book: Book, by: str, period: Period, words: Words) -> pd.DataFrame:
    """Win rate in deals, by value and of the cohort side by side, each with its interval, and a row for all.

    Returns
    -------
    `by` (the last row is the whole), `in_deals`, `by_value`, `n` (closed deals), `of_cohort`, `created`
    (deals), `matured` (share of them old enough); no row where nothing was closed or created.
    """
    groups, whole = (_rates(book, key, period, words) for key in (by, None))
    if groups.empty:
        return pd.DataFrame()
    total = whole.assign(**{by: words.text("total")})
    shown = groups.assign(**{by: [words.value(by, group) for group in groups[by]]})
    columns = [by, "in_deals", "by_value", "n", "of_cohort", "created", "matured"]
    return pd.concat([shown, total], ignore_index=True)[columns]


def _rates(book: Book, by: str | None, period: Period, words: Words) -> pd.DataFrame:
    count, value, made = (
        book.kpi(kpi, by=by, period=period) for kpi in (win_rate, win_rate_by_value, win_rate_cohort)
    )
    keys = [by] if by else []
    parts = [
        count[[*keys, "n"]].assign(in_deals=_told(count, "win_rate", words)),
        value[keys].assign(by_value=_told(value, "win_rate_by_value", words)),
        made[[*keys, "matured"]].assign(of_cohort=_told(made, "win_rate_cohort", words), created=made["n"]),
    ]
    if not keys:
        return pd.concat(parts, axis=1)
    return parts[0].merge(parts[1], on=keys, how="outer").merge(parts[2], on=keys, how="outer")


def _told(table: pd.DataFrame, rate: str, words: Words) -> list[str]:
    """`30.2% (27.1 to 33.4%)`, without an interval where there is none."""
    return [
        words.fmt(share, "share") + ("" if pd.isna(low) else f" ({words.interval(low, high, 'share')})")
        for share, low, high in zip(table[rate], table["low"], table["high"], strict=True)
    ]


def without_reason(lost: pd.DataFrame, words: Words) -> dict[str, Any] | None:
    """The measure for lost deals that tell no reason, or one that says nothing; None where these are few."""
    share = float(lost["unknown_share"].iloc[0]) if len(lost) else 0.0
    if share <= MUCH_UNKNOWN:
        return None
    told = words.fmt(share, "share")
    return {
        "measure": {
            "en": "Make the reason a required field when a deal is lost, with a list that needs no “other”.",
            "de": "Den Verlustgrund beim Schließen eines verlorenen Deals zum Pflichtfeld machen, mit einer "
            "Liste, die ohne „Sonstiges“ auskommt.",
        },
        "rule": {
            "en": f"{told} of the lost deals have no reason, or one that says nothing.",
            "de": f"{told} der verlorenen Deals haben keinen Grund oder einen, der nichts sagt.",
        },
        "owner": "sales_operations",
        "metric": {"en": "Share without a reason", "de": "Anteil ohne Grund"},
    }
