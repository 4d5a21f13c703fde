"""What page 5 says of the team's time: where it goes, how customers are met, and whether it is recorded.

A contact is a call, e-mail or meeting that was done with somebody: a deal, lead, account or contact stands
with it. Entries without one are sums of a time sheet: they count as hours, never as a contact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.kpis import activity_mix, selling_time_share
from salestrack.stats.intervals import wilson

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

    from salestrack.blocks import Measure
    from salestrack.book import Book
    from salestrack.markup import Html
    from salestrack.page import Page
    from salestrack.periods import Period

COVERED = 0.7  # below this share of the contracted hours no rate is shown
WELL_COVERED = 0.8
LARGEST_BLOCK = 0.2  # of the hours; from here on a kind of other work is worth a talk
OTHER_WORK = ("admin", "internal_meeting", "travel", "training", "note", "other", "task")

_CONTACTS = """
activity_type IN ('call', 'email', 'meeting') AND is_done AND NOT coalesce(is_automated, FALSE)
AND coalesce(deal_id, lead_id, account_id, contact_id) IS NOT NULL
"""
_CHANNEL = "coalesce(channel, CASE activity_type WHEN 'call' THEN 'phone' WHEN 'email' THEN 'digital' END)"

IN_PERSON = {
    "en": "Share of customer meetings held in person, last twelve months",
    "de": "Anteil der Kundentermine vor Ort, letzte zwölf Monate",
}
CHANNELS = {
    "en": "Contacts per quarter: digital, by phone, in person",
    "de": "Kontakte je Quartal: digital, am Telefon, vor Ort",
}
TIMES = {
    "en": "Share of the recorded hours spent on selling",
    "de": "Anteil des Verkaufs an den erfassten Stunden",
}
TEAMS = {
    "en": "Selling time by team in the last twelve months",
    "de": "Verkaufszeitanteil nach Team in den letzten zwölf Monaten",
}
MIX = {"en": "Activities of the last twelve months", "de": "Aktivitäten der letzten zwölf Monate"}
SHORT = {
    "recorded_hours": {"en": "Recorded", "de": "Erfasst"},
    "contracted_hours": {"en": "Contracted", "de": "Vertraglich"},
    "selling_hours": {"en": "Selling", "de": "Im Verkauf"},
}
RECORDED_HOURS = {"en": "Hours recorded", "de": "Erfasste Stunden"}
HOURS = {"en": "Recorded hours by kind of work", "de": "Erfasste Stunden nach Art der Arbeit"}
DIGITAL = {"en": "Digital: e-mails and online meetings.", "de": "Digital: E-Mails und Online-Termine."}


def contacts(book: Book) -> DuckDBPyRelation:
    """The contacts with customers that were done; nothing that a machine sent, no sums of a time sheet."""
    return book.activities.filter(_CONTACTS)


def channels(book: Book, *, by: str, period: Period, only: str = "") -> pd.DataFrame:
    """How customers are contacted: digital (e-mail, online meeting), by phone or in person.

    Parameters
    ----------
    by : a column of activities or a period word
    period : of the start of the contact
    only : an activity type, for example `meeting`

    Returns
    -------
    One row per group and `channel`: `contacts`, `share` (of the group's contacts), `n` (of the group).
    """
    found = contacts(book).filter(f"activity_type = '{only}'") if only else contacts(book)
    named = found.project(f"* REPLACE ({_CHANNEL} AS activity_type)")
    start = book.config.fiscal_year_start_month
    table = activity_mix(named, by=by, period=period, fiscal_year_start=start)
    names = {"activity_type": "channel", "activities": "contacts", "activity_mix": "share"}
    return table.rename(columns=names)[[by, "channel", "contacts", "share", "n"]]


def in_person(meetings: pd.DataFrame, by: str) -> pd.DataFrame:
    """Share of the meetings with customers that were held in person, with its 95 % Wilson interval.

    Parameters
    ----------
    meetings : `channels` of the meetings alone; those of an unknown channel are left out
    by : the group

    Examples
    --------
    >>> rows = {"team": ["West", "West"], "channel": ["digital", "in_person"], "contacts": [6, 2]}
    >>> in_person(pd.DataFrame(rows), "team")[["team", "in_person", "in_person_share", "n"]]
       team  in_person  in_person_share  n
    0  West          2             0.25  8
    """
    wide = meetings.pivot_table(index=by, columns="channel", values="contacts", aggfunc="sum", fill_value=0)
    wide = wide.reindex(columns=["in_person", "digital"], fill_value=0).astype("int64")
    n = wide.sum(axis=1)
    low, high = wilson(wide["in_person"], n)
    table = pd.DataFrame(
        {"in_person": wide["in_person"], "in_person_share": wide["in_person"] / n.where(n > 0)}
    )
    return table.assign(low=low, high=high, n=n).reset_index()


def columns(teams: pd.DataFrame) -> list[str]:
    """The columns of the table on recorded time; `note` only where there is something to note.

    >>> columns(pd.DataFrame({"note": [""]}))[-1]
    'selling_time_share'
    """
    shown = ["team", "recorded_hours", "contracted_hours", "coverage", "selling_hours", "selling_time_share"]
    return [*shown, *(["note"] if teams["note"].ne("").any() else [])]


def cards(page: Page, times: pd.DataFrame, met: pd.DataFrame, meetings: pd.DataFrame) -> list[Html]:
    """The headline cards of the last full quarter, none without data: selling time, contacts, coverage.

    Parameters
    ----------
    times : `selling_time_share` by quarter
    met, meetings : `channels` by quarter, of all contacts and of the meetings alone
    """
    if times.empty:
        return []
    total = met.groupby("quarter", as_index=False).agg(contacts=("contacts", "sum"))
    contracted = {"en": "of the contracted hours", "de": "der Vertragsstunden"}
    return [
        page.card(
            times, selling_time_share, compare="year", target=page.book.config.goals.selling_time_share
        ),
        page.card(total, "contacts", compare="year"),
        page.card(in_person(meetings, "quarter"), "in_person_share", compare="year"),
        page.card(
            times.drop(columns=["low", "high", "n"], errors="ignore"),
            "coverage",
            compare="year",
            label=RECORDED_HOURS,
            note=contracted,
        ),
    ]


def measures(page: Page) -> list[Measure | dict[str, Any] | None]:
    """What the figures of the last twelve months call for; without activities, that they be recorded."""
    book, goal = page.book, page.book.config.goals.selling_time_share
    if not book.has("activities", "rep_assignments"):
        return [RECORD]
    whole = book.kpi(selling_time_share, period=page.last_12)
    teams = book.kpi(selling_time_share, by="team", period=page.last_12)
    mix = book.kpi(activity_mix, period=page.last_12)
    return [
        page.measure(
            whole,
            selling_time_share,
            below=goal,
            owner="sales_manager",
            en="Free time for selling: go through the largest blocks of other work below and drop or move "
            "one of them.",
            de="Zeit für den Verkauf schaffen: die größten Blöcke anderer Arbeit durchgehen und einen davon "
            "streichen oder verlagern.",
        ),
        page.measure(
            mix[mix["activity_type"].isin(OTHER_WORK)],
            "hours_share",
            above=LARGEST_BLOCK,
            by="activity_type",
            owner="sales_operations",
            metric=selling_time_share,
            en="Find out what fills these hours and which of it can be automated or done by the back office.",
            de="Klären, was diese Stunden füllt und was davon automatisiert oder dem Innendienst übergeben "
            "werden kann.",
        ),
        page.measure(
            teams,
            "coverage",
            below=WELL_COVERED,
            by="team",
            owner="team_lead",
            metric=selling_time_share,
            en="Complete the time sheets of these teams: what is not recorded cannot be improved.",
            de="Die Zeiterfassung dieser Teams vervollständigen: Was nicht erfasst ist, lässt sich nicht "
            "verbessern.",
        ),
    ]


RECORD: dict[str, Any] = {
    "measure": {
        "en": "Export tasks, events and time sheets from the CRM, and the contracted hours of each rep.",
        "de": "Aufgaben, Termine und Zeiterfassung aus dem CRM exportieren, dazu die Vertragsstunden je "
        "Person.",
    },
    "rule": {
        "en": "No activities, or no contracted hours, are in the data",
        "de": "In den Daten fehlen Aktivitäten oder Vertragsstunden",
    },
    "owner": "sales_operations",
    "metric": selling_time_share,
}
