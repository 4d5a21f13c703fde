"""What page 3 says of the pipeline: what stands open, what changed, and how far it can be trusted.

Sentences are given as the arguments of `page.text`, so that they can be read and tested as plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.i18n import Words, is_unknown
from salestrack.kpis import (
    open_pipeline,
    pipeline_coverage,
    pipeline_hygiene,
    pipeline_waterfall,
    push_rate,
    win_rate,
)
from salestrack.periods import Period

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

    from salestrack.blocks import Measure
    from salestrack.book import Book
    from salestrack.markup import Html
    from salestrack.page import Page

TOP_HEAVY = 0.4  # share of the five largest deals from which a pipeline hangs on them
CLOSE = {
    "en": "Open pipeline by month of the expected close",
    "de": "Offene Pipeline nach Monat des erwarteten Abschlusses",
}
PUSHES = {
    "en": "Win rate: deals closed in the last 24 months after as many moves of the close to a later month.",
    "de": "Abschlussquote: in den letzten 24 Monaten geschlossene Deals nach ebenso vielen Verschiebungen in "
    "einen späteren Monat.",
}
CREATED = {
    "en": "Each deal counts with the first amount entered for it, at the exchange rate of that day; the step "
    "above counts it at the rate of the start of the month.",
    "de": "Jeder Deal zählt mit dem ersten dafür erfassten Betrag zum Wechselkurs des Tages; der Schritt oben "
    "zählt ihn zum Kurs vom Anfang des Monats.",
}
MONTH_ENDS = {
    "en": "By chance about one date in 30 is the last of a month; a far larger share suggests dates that "
    "nobody agreed on.",
    "de": "Durch Zufall fällt etwa jeder dreißigste Termin auf den Monatsletzten; deutlich mehr spricht für "
    "Termine, die niemand vereinbart hat.",
}
SLIPPED = {
    "en": "Deals that were open at the start of the month and to close in it; those still open at its end were "
    "pushed. Pulled in: to close later or undated, but won in the month or moved into it.",
    "de": "Deals, die am Anfang des Monats offen waren und in ihm schließen sollten; was an seinem Ende noch "
    "offen war, gilt als verschoben. Hereingezogen: sollte später schließen oder hatte keinen Termin, wurde "
    "aber im Monat gewonnen oder in ihn verlegt.",
}
LABELS = {
    "due_then": {"en": "Were to close", "de": "Sollten schließen"},
    "pushed": {"en": "Pushed", "de": "Verschoben"},
    "past_due": {"en": "of which past due", "de": "davon überfällig"},
    "push_value_share": {"en": "By value", "de": "Nach Wert"},
    "median_push_days": {"en": "Median push", "de": "Verschiebung im Median"},
    "pulled_in": {"en": "Pulled in", "de": "Hereingezogen"},
    "checked": {"en": "Checked", "de": "Geprüft"},
}


def open_deals(book: Book) -> DuckDBPyRelation:
    """The deals that are open on the book's day."""
    return book.deals.filter("status = 'open'")


def stock(book: Book, months: int = 13) -> pd.DataFrame:
    """The open pipeline at the end of each of the last months: `month`, `open_pipeline`, `n`.

    They are the two ends of `pipeline_waterfall`, of every other month; months without an open deal are left out.
    """
    ends: list[dict[str, Any]] = []
    for month in list(book.month.trailing(months).each_month())[::-2]:
        bars = book.kpi(pipeline_waterfall, period=month, scope=None).set_index("bar")
        for bar, of in (("open_end", month), ("open_start", month.shifted(-1))):
            row = {"value": 0.0, "n": 0} if bars.empty else bars.loc[bar]
            ends.append({"month": pd.Timestamp(of.start), "open_pipeline": row["value"], "n": row["n"]})
    table = pd.DataFrame(ends[:months]).sort_values("month")
    return table[table["n"] > 0].astype({"n": "int64"}).reset_index(drop=True)


def overview(now: pd.DataFrame) -> dict[str, Any]:
    """The first sentence of the page: what stands open and how much of it is past due."""
    row = now.iloc[-1]
    value, late = float(row["open_pipeline"]), float(row["past_due_value"])
    share = late / value if value else float("nan")
    return {
        "en": "{value:money} stand open in {n} deals; {late} of them are past the day on which they were to "
        "close "
        "({share:share} of the value).",
        "de": "{value:money} stehen in {n} Deals offen; {late} davon haben ihren Abschlusstermin "
        "überschritten "
        "({share:share} des Werts).",
        "value": value,
        "n": int(row["n"]),
        "late": int(row["past_due"]),
        "share": share,
    }


def cards(page: Page, now: pd.DataFrame, cover: pd.DataFrame) -> list[Html]:
    """The headline cards: value now and over 13 months, coverage with its day, weight of the largest five."""
    if not page.book.has("deals"):
        return []
    history = stock(page.book)
    year_ago = history.head(1) if len(history) == 13 else None
    made = [page.card(now, open_pipeline, compare=year_ago, trend=history)]
    if len(cover):
        first = cover.head(1)
        of = _DAY[page.words.language].format(
            day=first["day"].iloc[0],
            days=first["days"].iloc[0],
            quarter=page.words.fmt(first["quarter"].iloc[0], "quarter"),
        )
        made.append(page.card(first.drop(columns="quarter"), pipeline_coverage, note=of))
    return [*made, page.card(now, "top5_share", note=_TOP5)]


_TOP5 = {
    "en": "of the open value lies in the five largest deals",
    "de": "des offenen Werts liegen in den fünf größten Deals",
}
_DAY = {"en": "{quarter}, day {day} of {days}", "de": "{quarter}, Tag {day} von {days}"}


def changes(book: Book, words: Words) -> pd.DataFrame:
    """How the open pipeline of the last month's end became today's: the bars of `pipeline_waterfall` in words.

    Returns
    -------
    `step`, `deals`, `value` (with its sign, so that the steps add up); bars without a deal are left out, the
    two ends never.
    """
    bars = book.kpi(pipeline_waterfall, period=book.month, scope=None)
    kept = bars[(bars["n"] > 0) | (bars["sign"] == 0)]
    steps = [_STEPS[bar][words.language] for bar in kept["bar"]]
    told = {"step": steps, "deals": kept["n"].tolist(), "value": kept["pipeline_waterfall"].tolist()}
    return pd.DataFrame(told)


_STEPS = {
    "open_start": {"en": "Open at the end of last month", "de": "Offen am Ende des Vormonats"},
    "created": {"en": "New", "de": "Neu"},
    "reopened": {"en": "Reopened", "de": "Wieder geöffnet"},
    "amount_up": {"en": "Amount raised", "de": "Betrag erhöht"},
    "fx": {"en": "Exchange rate", "de": "Wechselkurs"},
    "won": {"en": "Won", "de": "Gewonnen"},
    "lost": {"en": "Lost", "de": "Verloren"},
    "amount_down": {"en": "Amount lowered", "de": "Betrag gesenkt"},
    "deleted": {"en": "Deleted", "de": "Gelöscht"},
    "open_end": {"en": "Open now", "de": "Jetzt offen"},
}


def by_stage(book: Book) -> pd.DataFrame:
    """The open pipeline by stage, in the order of the stages."""
    return book.kpi(open_pipeline, by=["stage_order", "stage_name"], deals=open_deals(book))


def by_close(monthly: pd.DataFrame, words: Words, most: int = 6) -> pd.DataFrame:
    """The open pipeline by month of the expected close: past due first, later than `most` months together.

    Parameters
    ----------
    monthly : `open_pipeline` by month

    Returns
    -------
    `expected_close` (in words), `open_pipeline`, `n`; rows without deals are left out.
    """
    dated = monthly.dropna(subset=["month"]).sort_values("month")
    on_time = dated.assign(
        open_pipeline=dated["open_pipeline"] - dated["past_due_value"], n=dated["n"] - dated["past_due"]
    )
    on_time = on_time[on_time["n"] > 0]
    rows = [(words.label("past_due"), dated["past_due_value"].sum(), dated["past_due"].sum())]
    rows += [
        (words.fmt(r["month"], "month"), r["open_pipeline"], r["n"]) for _, r in on_time.head(most).iterrows()
    ]
    rest, undated = on_time.iloc[most:], monthly[monthly["month"].isna()]
    later = {"en": "Later", "de": "Später"}[words.language]
    rows += [(later, rest["open_pipeline"].sum(), rest["n"].sum())]
    rows += [(words.label("undated"), undated["open_pipeline"].sum(), undated["n"].sum())]
    table = pd.DataFrame(rows, columns=["expected_close", "open_pipeline", "n"])
    return table[table["n"] > 0].astype({"n": "int64", "open_pipeline": float}).reset_index(drop=True)


def cuts(book: Book, words: Words, names: Sequence[str] = ("team", "territory", "segment")) -> pd.DataFrame:
    """The open pipeline by each of several groups, largest first: `cut`, `group`, the figures."""
    parts = []
    for name in names:
        part = book.kpi(open_pipeline, by=name, deals=open_deals(book)).sort_values(
            "open_pipeline", ascending=False
        )
        whole = part["open_pipeline"].sum()
        groups = [words.value(name, group) for group in part[name]]
        parts.append(
            part.assign(
                cut=words.label(name), group=groups, share=part["open_pipeline"] / (whole or float("nan"))
            )
        )
    columns = ["cut", "group", "open_pipeline", "share", "n", "past_due_value"]
    return pd.concat(parts, ignore_index=True)[columns]


def hygiene(book: Book, words: Words) -> pd.DataFrame:
    """What the open deals lack, one row per check of `pipeline_hygiene`.

    Returns
    -------
    `check` (in words, with its limit in days), `deals` (that fail), `checked` (deals to which the check applies),
    `share` (of these), `open_value` (of those that fail), `note`.
    """
    rows = book.kpi(pipeline_hygiene).set_index("check")
    rows = rows.reindex([check for check in _CHECKS if check in rows.index])
    checks = [_check(name, limit, words) for name, limit in rows["limit"].items()]
    rows = rows.rename(
        columns={"failing": "deals", "n": "checked", "pipeline_hygiene": "share", "value": "open_value"}
    )
    columns = ["check", "deals", "checked", "share", "open_value", "note"]
    return rows.reset_index(drop=True).assign(check=checks)[columns]


def _check(name: Any, limit: float, words: Words) -> str:
    text = _CHECKS[name][words.language]
    return text if is_unknown(limit) else f"{text} ({words.fmt(limit, 'days')})"


_CHECKS = {
    "past_due": {"en": "Expected close is past", "de": "Abschlusstermin überschritten"},
    "no_amount": {"en": "No amount", "de": "Kein Betrag"},
    "no_next_step": {"en": "No next step", "de": "Kein nächster Schritt"},
    "no_activity": {"en": "No activity of late", "de": "Zuletzt keine Aktivität"},
    "too_old": {
        "en": "Older than 95% of the won deals were",
        "de": "Älter, als es 95 % der gewonnenen Deals waren",
    },
    "month_end": {"en": "To close on the last of a month", "de": "Abschlusstermin am Monatsletzten"},
}


def slipped(book: Book, span: Period) -> pd.DataFrame:
    """`push_rate` of each month of a span: `month` and what a reader needs of its columns."""
    months = [
        book.kpi(push_rate, period=month).assign(month=pd.Timestamp(month.start))
        for month in span.each_month()
    ]
    table = pd.concat(months, ignore_index=True)
    table = table.rename(columns={"n": "due_then", "push_rate_by_value": "push_value_share"})
    names = ["month", "due_then", "pushed", "past_due", "push_rate", "low", "high", "push_value_share"]
    return table[[*names, "median_push_days", "pulled_in", "note"]]


def pushed(book: Book, period: Period, most: int = 4) -> pd.DataFrame:
    """Open deals by how often their close was pushed, and the win rate after as many pushes.

    Returns
    -------
    `pushes` (text; the last is "4+"), `open`, `open_value`, `win_rate`, `low`, `high`, `n` (closed deals).
    """
    label = f"CASE WHEN pushes >= {most} THEN '{most}+' ELSE CAST(pushes AS VARCHAR) END AS pushes"
    deals = book.deals.project(f"* REPLACE ({label})")
    closed = book.kpi(win_rate, by="pushes", period=period, deals=deals)[
        ["pushes", "win_rate", "low", "high", "n"]
    ]
    now = book.kpi(open_pipeline, by="pushes", deals=deals.filter("status = 'open'"))
    now = now.rename(columns={"n": "open", "open_pipeline": "open_value"})[["pushes", "open", "open_value"]]
    table = now.merge(closed, on="pushes", how="outer").sort_values("pushes", ignore_index=True)
    filled = table.fillna({"open": 0, "open_value": 0.0, "n": 0})
    return filled.astype({"open": "int64", "n": "int64"})


def largest(deals: pd.DataFrame, most: int = 10) -> pd.DataFrame:
    """The largest open deals with their share of the open value."""
    value = deals["amount_base_cents"].astype(float) / 100
    table = deals.assign(amount_base=value, share=value / (value.sum() or float("nan")))
    table = table.dropna(subset=["amount_base"]).sort_values(
        ["amount_base", "deal_id"], ascending=[False, True]
    )
    columns = ["deal_name", "stage_name", "amount_base", "share", "expected_close_date", "pushes"]
    return table[columns].head(most).reset_index(drop=True)


def measures(page: Page, now: pd.DataFrame, teams: pd.DataFrame, need: float | None) -> list[Measure | None]:
    """What the figures of the pipeline call for, each with its rule."""
    return [
        page.measure(
            teams,
            pipeline_coverage,
            below=need,
            by="team",
            owner="sales_manager",
            en="Create or bring forward pipeline where past quarters say that it will not do.",
            de="Pipeline aufbauen oder vorziehen, wo sie nach der Erfahrung früherer Quartale nicht reicht.",
        ),
        page.measure(
            now,
            "past_due",
            above=0,
            owner="team_lead",
            metric=open_pipeline,
            en="Close each past-due deal or give it a new date that the customer has confirmed.",
            de="Jeden überfälligen Deal schließen oder mit einem vom Kunden bestätigten Termin versehen.",
        ),
        page.measure(
            now,
            "without_amount",
            above=0,
            owner="sales_operations",
            metric=open_pipeline,
            en="Have an amount entered in every open deal, an estimate where none is known.",
            de="In jedem offenen Deal einen Betrag erfassen, notfalls als Schätzung.",
        ),
        page.measure(
            now,
            "top5_share",
            above=TOP_HEAVY,
            owner="sales_manager",
            metric=open_pipeline,
            en="Go through the five largest deals every week: the quarter hangs on them.",
            de="Die fünf größten Deals wöchentlich durchsprechen: An ihnen hängt das Quartal.",
        ),
    ]
