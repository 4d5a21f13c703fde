"""What page 10 says of the data: can they be trusted, what is missing for which page, what to correct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack import quality
from salestrack.schema.words import FILLED, heading

if TYPE_CHECKING:
    from salestrack.book import Book
    from salestrack.i18n import Words
    from salestrack.markup import Html
    from salestrack.page import Page

PAGES = {
    "01": {"en": "Overview", "de": "Überblick"},
    "02": {"en": "Revenue", "de": "Umsatz"},
    "03": {"en": "Pipeline", "de": "Pipeline"},
    "04": {"en": "Funnel", "de": "Funnel"},
    "05": {"en": "Activities", "de": "Aktivitäten"},
    "06": {"en": "Teams", "de": "Teams"},
    "07": {"en": "Customers", "de": "Kunden"},
    "08": {"en": "Win probability", "de": "Abschlusschancen"},
    "09": {"en": "Forecast", "de": "Prognose"},
}
"""The pages that show figures, by the number of their notebook."""

RESTS = {
    "deals": (
        "01 02 03 04 06 07 08 09",
        "bookings, pipeline, win rate",
        "Auftragseingang, Pipeline, Abschlussquote",
    ),
    "stage_spells": ("04", "conversion and time by stage", "Weiterkommen und Dauer je Phase"),
    "leads": ("04 07", "from lead to opportunity", "vom Lead zur Verkaufschance"),
    "orders": ("02 07", "orders and their value", "Bestellungen und ihr Wert"),
    "order_lines": ("07", "what is sold: upsell, cross-sell", "was verkauft wird: Upselling, Cross-Selling"),
    "quotas": ("01 02 03 06 09", "attainment and coverage of quotas", "Erreichung und Deckung der Quoten"),
    "teams": ("01 06", "figures by team", "Werte nach Team"),
    "territories": ("06", "figures by territory", "Werte nach Gebiet"),
    "activities": ("05", "the team's use of its time", "Zeitverwendung des Teams"),
    "rep_assignments": ("05", "selling time of the contracted hours", "Verkaufszeit an den Vertragsstunden"),
    "costs": ("07", "cost of winning a customer", "Kosten der Kundengewinnung"),
    "campaigns": ("07", "cost of campaigns per won deal", "Kosten der Kampagnen je gewonnenem Deal"),
    "web_traffic": ("07", "visits to the website", "Besuche der Website"),
    "surveys": ("07", "net promoter score", "Net Promoter Score"),
}
"""What rests on each table: numbers of pages, figures in English and German."""

CURES = {
    "past due": (
        "Give every overdue deal a new date with a next step, or close it.",
        "Jedem überfälligen Deal einen neuen Termin mit nächstem Schritt geben oder ihn schließen.",
    ),
    "closing from field": (
        "Switch on the history of stages in the CRM and export it: closing dates can be overwritten, the "
        "history cannot.",
        "Den Phasenverlauf im CRM einschalten und mit exportieren: Abschlussdaten lassen sich "
        "überschreiben, der Verlauf nicht.",
    ),
    "perhaps twice": (
        "Look through the deals that seem to be entered twice and merge them in the CRM.",
        "Vermutlich doppelt erfasste Deals durchsehen und im CRM zusammenführen.",
    ),
    "no team": (
        "Complete the assignments of reps to teams: without one a deal is in no team's figures.",
        "Die Zuordnung der Mitarbeitenden zu Teams vervollständigen: Ohne sie fehlt ein Deal in den Werten "
        "der Teams.",
    ),
}
CORRECT = (
    "Correct these records in the system they come from, and export again.",
    "Diese Datensätze im Quellsystem berichtigen und erneut exportieren.",
)
CHECKED = {"en": "What is counted", "de": "Was gezählt wird"}
LABELS = {
    "en": CHECKED,
    "de": CHECKED,
    "count": {"en": "Faulty", "de": "Fehlerhaft"},
    "n": {"en": "Out of", "de": "Von"},
    "column": {"en": "Amount", "de": "Betrag"},
}
TWICE = {
    "en": "A file that fills two tables is listed, and summed up, for each of them.",
    "de": "Eine Datei, die zwei Tabellen füllt, ist für jede davon aufgeführt und mitgezählt.",
}
ROWS = {"n": {"en": "Rows", "de": "Zeilen"}}
METRIC = {"en": "level of this check", "de": "Stufe dieser Prüfung"}

VERDICTS = {
    "ok": (
        "The figures can be trusted: no check was raised.",
        "Den Zahlen ist zu trauen: Keine Prüfung schlägt an.",
    ),
    "warn": (
        "The figures can be used with care; to be looked at: {raised} of {checks} checks.",
        "Die Zahlen sind mit Vorsicht zu verwenden; anzusehen: {raised} von {checks} Prüfungen.",
    ),
    "fail": (
        "The figures cannot be trusted yet; raised: {raised} of {checks} checks, at least one of them as "
        "an error.",
        "Den Zahlen ist noch nicht zu trauen; es schlagen an: {raised} von {checks} Prüfungen, mindestens "
        "eine als Fehler.",
    ),
}
READ = (
    " Rows refused: {refused:count} of {rows:count} that were read, each with its reason.",
    " Abgewiesene Zeilen: {refused:count} von {rows:count} gelesenen, jede mit Grund.",
)
READ_ALL = (
    " None of the {rows:count} rows read was refused.",
    " Keine der {rows:count} gelesenen Zeilen wurde abgewiesen.",
)


def verdict(book: Book) -> dict[str, Any]:
    """The arguments of `page.text`: the overall level in words, and what was read and refused."""
    loads, levels = quality.loads(book), quality.levels(book)
    en, de = VERDICTS[quality.level_of(levels)]
    refused = int(loads["quarantined"].sum())
    read = READ if refused else READ_ALL
    return {
        "en": en + read[0],
        "de": de + read[1],
        "raised": int((levels != "ok").sum()),
        "checks": len(levels),
        "rows": int(read_once(loads)["rows_read"].sum()),
        "refused": refused,
    }


def read_once(loads: pd.DataFrame) -> pd.DataFrame:
    """One row per file: a file that fills two tables was read once.

    >>> read_once(pd.DataFrame({"file": ["a", "a", "b"], "rows_read": [5, 5, 2]}))["rows_read"].sum()
    np.int64(7)
    """
    return loads.drop_duplicates("file", ignore_index=True)


def cards(page: Page) -> list[Html]:
    """Headline cards: checks passed, rows read, rows refused, age of the newest entry."""
    loads, fresh = quality.loads(page.book), quality.freshness(page.book)
    levels = quality.levels(page.book)
    passed = pd.DataFrame({"passed": [(levels == "ok").mean() if len(levels) else float("nan")]})
    counts = loads[["quarantined"]].sum().to_frame().T
    rows = read_once(loads)[["rows_read"]].sum().to_frame().T
    youngest = fresh[["age_days"]].min().to_frame().T
    return [
        page.card(passed, "passed"),
        page.card(rows, "rows_read", label={"en": "Rows read", "de": "Gelesene Zeilen"}),
        page.card(counts, "quarantined", label={"en": "Rows refused", "de": "Abgewiesene Zeilen"}),
        page.card(
            youngest, "age_days", label={"en": "Age of the newest entry", "de": "Alter des neuesten Eintrags"}
        ),
    ]


def columns(loads: pd.DataFrame) -> list[str]:
    """The columns to show: of the uses of a row, acceptance and those that occur.

    >>> columns(pd.DataFrame([[9, 2, 0, 0, 0]], columns=quality.USES))
    ['file', 'table_name', 'rows_read', 'accepted', 'superseded', 'balanced']
    """
    uses = [use for use in quality.USES if use == "accepted" or loads[use].any()]
    return ["file", "table_name", "rows_read", *uses, "balanced"]


def short(loads: pd.DataFrame) -> pd.DataFrame:
    """The loads with the bare names of their files, as long as no two folders have a file of the same name.

    >>> list(short(pd.DataFrame({"file": ["crm/Lead.csv", "manual/costs.csv"]}))["file"])
    ['Lead.csv', 'costs.csv']
    """
    bare = loads["file"].str.rsplit("/", n=1).str[-1]
    return loads.assign(file=bare) if bare.nunique() == loads["file"].nunique() else loads


def twice(loads: pd.DataFrame) -> dict[str, str] | None:
    """The note that a file which fills two tables counts for each of them; None if there is no such file."""
    return TWICE if loads["file"].duplicated().any() else None


def total(loads: pd.DataFrame) -> pd.DataFrame:
    """The sums of all loads in one row, with whether every one of them balances."""
    sums = loads[["rows_read", *quality.USES]].sum().to_frame().T
    return sums.assign(balanced=bool(loads["balanced"].all()))


def raised_first(checks: pd.DataFrame) -> pd.DataFrame:
    """The checks with errors first, then warnings, then the rest, in each the largest share first."""
    order = pd.DataFrame(
        {"level": checks["level"].map({"fail": 0, "warn": 1, "ok": 2}), "share": -checks["share"]}
    )
    return checks.loc[order.sort_values(["level", "share"], kind="stable").index].reset_index(drop=True)


def unmapped(page: Page) -> Html:
    """Columns that have no meaning here, by file; a sentence if every column has one."""
    loads = quality.loads(page.book)
    found = loads.loc[loads["unmapped"] != "", ["file", "unmapped"]].drop_duplicates(ignore_index=True)
    if len(found):
        return page.table(found)
    return page.text(
        en="Every column of every file has a meaning here.",
        de="Jede Spalte jeder Datei hat hier eine Bedeutung.",
    )


def refused(page: Page) -> Html:
    """Refused rows by table and reason with an example; a sentence if there are none."""
    found = quality.quarantine(page.book)
    if len(found):
        return page.table(found.drop(columns="reasons").rename(columns={"n": "quarantined"}))
    return page.text(en="No row was refused.", de="Keine Zeile wurde abgewiesen.")


def noted(page: Page) -> Html:
    """What the import noticed without refusing a row, with an example; a sentence if there is nothing."""
    found = quality.notes(page.book)
    if len(found):
        return page.table(
            found, columns=[page.words.language, "table", "count", "n", "example"], labels=LABELS
        )
    return page.text(
        en="No row stands in a file twice, and no export contradicts the exported history.",
        de="Keine Zeile steht zweimal in einer Datei, und kein Export widerspricht dem exportierten Verlauf.",
    )


def money(page: Page) -> Html:
    """What became of the amounts of each file, in its currencies; a sentence if no file has any."""
    found = short(quality.amounts(page.book))
    uses = ["accepted", "superseded", "quarantined"]
    if len(found):
        pairs = found[["table_name", "column"]].itertuples(index=False, name=None)
        named = found.assign(column=[_amount(page.words, table, name) for table, name in pairs])
        shown = ["file", "column", *(use for use in uses if use == "accepted" or found[use].any())]
        return page.table(named, columns=shown, labels=LABELS, units=dict.fromkeys(uses, "cents"))
    return page.text(en="No file has amounts of money.", de="Keine Datei enthält Geldbeträge.")


def _amount(words: Words, table: str, column: str) -> str:
    """What a column of money is called: as in the lists that people fill in, where it stands in one."""
    return heading(table, column, words.language) if table in FILLED else words.label(column)


def dated(page: Page) -> Html:
    """Where the day of closings comes from, by year; a sentence for a company without deals."""
    found = quality.history(page.book)
    return page.table(found) if len(found) else page.missing("deals")


def absent(page: Page) -> Html:
    """The tables that the company lacks, with what they would show; a sentence if none is missing."""
    found = missing(page.book, page.words)
    if len(found):
        return page.table(found)
    return page.text(
        en="All {n} kinds of data that the pages rest on are there.",
        de="Alle {n} Arten von Daten, auf denen die Seiten beruhen, sind da.",
        n=len(RESTS),
    )


def missing(book: Book, words: Words) -> pd.DataFrame:
    """The tables that the company lacks: `table, figures` that rest on it, `pages` that show them."""
    at = 1 if words.language == "en" else 2
    rows = [
        (table, rest[at], ", ".join(PAGES[number][words.language] for number in rest[0].split()))
        for table, rest in RESTS.items()
        if not book.has(table)
    ]
    return pd.DataFrame(rows, columns=["table", "figures", "pages"])


def measures(page: Page) -> list[dict[str, Any]]:
    """One measure per raised check, refused reason, unbalanced file and stale table, the errors first."""
    book = page.book
    return [
        *_unbalanced(quality.loads(book)),
        *_implausible(page.words, raised_first(quality.plausibility(book))),
        *_refused(quality.quarantine(book)),
        *_noted(page.words, quality.notes(book)),
        *_stale(page.words, quality.freshness(book)),
    ]


def _measure(cure: Sequence[str], rule_en: str, rule_de: str, owner: str = "data_steward") -> dict[str, Any]:
    return {
        "measure": {"en": cure[0], "de": cure[1]},
        "rule": {"en": rule_en, "de": rule_de},
        "owner": owner,
        "metric": METRIC,
    }


def _implausible(words: Words, checks: pd.DataFrame) -> list[dict[str, Any]]:
    raised = checks[checks["level"] != "ok"]
    found = []
    for check, count, n, en, de in raised[["check", "count", "n", "en", "de"]].itertuples(
        index=False, name=None
    ):
        many, whole = words.fmt(count, "count"), words.fmt(n, "count")
        owner = "sales_operations" if check in CURES else "data_steward"
        found.append(
            _measure(
                CURES.get(check, CORRECT), f"{many} of {whole}: {en}", f"{many} von {whole}: {de}", owner
            )
        )
    return found


def _unbalanced(loads: pd.DataFrame) -> list[dict[str, Any]]:
    cure = (
        "Import this file again, and report it as an error of the import if the rows still do not add up.",
        "Diese Datei erneut importieren und als Fehler des Imports melden, wenn die Zeilen weiter nicht "
        "aufgehen.",
    )
    files = loads.loc[~loads["balanced"], "file"].drop_duplicates()
    return [_measure(cure, f"{f}: rows do not add up", f"{f}: Zeilen gehen nicht auf") for f in files]


def _refused(quarantine: pd.DataFrame) -> list[dict[str, Any]]:
    rows = quarantine[["n", "reason_en", "reason_de", "example"]].itertuples(index=False, name=None)
    return [_measure(CORRECT, f"{n} × {en} ({where})", f"{n} × {de} ({where})") for n, en, de, where in rows]


def _noted(words: Words, notes: pd.DataFrame) -> list[dict[str, Any]]:
    cure = (
        "Find out why the exports differ or hold a row twice, and export again.",
        "Klären, warum die Exporte sich unterscheiden oder eine Zeile doppelt enthalten, und erneut exportieren.",
    )
    rows = notes[["count", "en", "de", "example"]].itertuples(index=False, name=None)
    return [
        _measure(cure, f"{words.fmt(n, 'count')} {en} ({where})", f"{words.fmt(n, 'count')} {de} ({where})")
        for n, en, de, where in rows
    ]


def _stale(words: Words, freshness: pd.DataFrame) -> list[dict[str, Any]]:
    cure = (
        "Find out whether nothing happened or the export stopped, and export again.",
        "Klären, ob nichts geschah oder der Export abbrach, und erneut exportieren.",
    )
    found = []
    for table, newest in freshness.loc[freshness["level"] != "ok", ["table", "newest"]].itertuples(
        index=False, name=None
    ):
        name, day = words.value("table", table), words.fmt(newest, "date")
        found.append(_measure(cure, f"{name}: newest entry {day}", f"{name}: neuester Eintrag {day}"))
    return found
