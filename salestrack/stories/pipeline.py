"""What page 3 says of the pipeline: what stands open, what changed, and whether it is enough.

Sentences are given as the arguments of `page.text`, so that they can be read and tested as plain values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from salestrack.i18n import Words
from salestrack.kpis import open_pipeline, pipeline_coverage, win_rate
from salestrack.periods import Period
from salestrack.prepare import cents

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

    from salestrack.blocks import Measure
    from salestrack.book import Book
    from salestrack.markup import Html
    from salestrack.page import Page

QUARTERS = 8  # past quarters that "enough" is measured by
LEAST_QUARTERS = 4
OFTEN_PUSHED = 3
TOP_HEAVY = 0.4  # share of the five largest deals from which a pipeline hangs on them
CLOSE = {
    "en": "Open pipeline by month of the expected close",
    "de": "Offene Pipeline nach Monat des erwarteten Abschlusses",
}
TEAMS = {
    "en": "Coverage of the quarter by team, against what past quarters needed from this day on",
    "de": "Deckung des Quartals nach Team, gegen den Bedarf früherer Quartale ab diesem Tag",
}
PUSHES = {
    "en": "Win rate: deals closed in the last 24 months after as many moves of the close to a later month.",
    "de": "Abschlussquote: in den letzten 24 Monaten geschlossene Deals nach ebenso vielen Verschiebungen in "
    "einen "
    "späteren Monat.",
}
_STANDING = """
SELECT t.day, v.deal_id, v.expected_close_date,
       {cents} AS cents
FROM days t
JOIN versions v ON v.status = 'open'
     AND v.valid_from < t.instant AND (v.valid_to IS NULL OR v.valid_to >= t.instant)
ASOF LEFT JOIN (SELECT from_currency_code, rate, rate_date FROM rates WHERE to_currency_code = '{base}') r
     ON r.from_currency_code = v.currency_code AND t.day >= r.rate_date
"""


def open_deals(book: Book) -> DuckDBPyRelation:
    """The deals that are open on the book's day."""
    return book.deals.filter("status = 'open'")


def standing(book: Book, days: Iterable[date]) -> pd.DataFrame:
    """Every deal that stood open at the end of each day, in its state and at the exchange rate of that day.

    Returns
    -------
    One row per day and deal: `day`, `deal_id`, `expected_close_date`, `cents` (hundredths of the reporting
    currency, NA without an amount).
    """
    zone, utc = ZoneInfo(book.config.time_zone), ZoneInfo("UTC")
    found = sorted(set(days))
    ends = [datetime.combine(day + timedelta(days=1), time(), zone).astimezone(utc) for day in found]
    days_ = pd.DataFrame(
        {"day": pd.to_datetime(found), "instant": [end.replace(tzinfo=None) for end in ends]}
    )
    rate = f"CASE WHEN v.currency_code = '{book.config.currency}' THEN 1 ELSE r.rate END"
    sql = _STANDING.format(cents=cents("v.amount", rate), base=book.config.currency)
    return _query(book, days_, sql)


def _query(book: Book, days: pd.DataFrame, sql: str) -> pd.DataFrame:
    """The result of a query that finds `versions`, and `days` and `rates` by their names here."""
    rates = book.exchange_rates  # noqa: F841
    found: Any = book.deal_versions.query("versions", sql)
    frame: pd.DataFrame = found.df()
    return frame.astype({"cents": "Int64"})


def stock(book: Book, months: int = 13) -> pd.DataFrame:
    """The open pipeline at the end of each of the last months: `month`, `open_pipeline`, `n`."""
    ends = {month.last_day: month.start for month in book.month.trailing(months).each_month()}
    rows = standing(book, ends)
    table = rows.groupby("day").agg(open_pipeline=("cents", "sum"), n=("deal_id", "size")).reset_index()
    starts = [pd.Timestamp(ends[day.date()]) for day in table["day"]]
    return pd.DataFrame(
        {"month": starts, "open_pipeline": table["open_pipeline"].astype(float) / 100, "n": table["n"]}
    )


def ahead(page: Page) -> Period:
    """The quarter that can still be changed: the running one, on its last day the next one."""
    over = page.quarter.last_day <= page.book.as_of
    return page.quarter.shifted(3) if over else page.quarter


def coverage(page: Page, quarter: Period) -> pd.DataFrame:
    """Coverage of a quarter and of the one after it, with the day; unknown where no quota is set.

    Returns
    -------
    Two rows: `quarter` (its start) and the columns of `pipeline_coverage`; none without deals.
    """
    if not page.book.has("deals", "quotas"):
        return pd.DataFrame()
    spans = [quarter, quarter.shifted(3)]
    parts = [page.book.kpi(pipeline_coverage, period=span) for span in spans]
    table: pd.DataFrame = pd.concat(parts, ignore_index=True)
    unset = table["note"] == "no_quota"
    table["quota"], table["remaining"] = table["quota"].mask(unset), table["remaining"].mask(unset)
    table["quarter"] = [pd.Timestamp(span.start) for span in spans]
    return table


def shown(cover: pd.DataFrame) -> pd.DataFrame:
    """The columns of `coverage` that a reader needs, the day as `31 / 92`."""
    if cover.empty:
        return cover
    day = cover["day"].astype("str") + " / " + cover["days"].astype("str")
    names = ["quarter", "day_of", "quota", "remaining", "open_value", "pipeline_coverage", "note"]
    return cover.assign(day_of=day, note=cover["note"].replace("no_quota", ""))[names]


def record(book: Book, quarter: Period, quarters: int = QUARTERS) -> pd.DataFrame:
    """What the rest of each past quarter brought per euro that stood open for it on the same day.

    Formula: yield = won from that day to the quarter's end, deals not yet created then included / value then
    open and expected to close in that time. Quarters in which nothing stood open are left out.

    Returns
    -------
    One row per quarter, oldest first: `quarter`, `day`, `open_value`, `won_later` (currency units), `yield`.
    """
    passed = (book.as_of - quarter.start).days
    past = [quarter.shifted(-3 * back) for back in range(1, quarters + 1)]
    spans = {
        span.start + timedelta(days=min(passed, span.days - 1)): span
        for span in past
        if span.last_day <= book.as_of
    }
    if not spans or not book.has("deals"):
        return pd.DataFrame(columns=["quarter", "day", "open_value", "won_later", "yield"])
    open_then = standing(book, spans)
    won = book.deals.filter("status = 'won'").project("closed_date, amount_base_cents").df()
    rows = [
        _yield(open_then[open_then["day"] == pd.Timestamp(day)], won, day, spans[day])
        for day in sorted(spans)
    ]
    table = pd.DataFrame(rows)
    return table[table["open_value"] > 0].reset_index(drop=True)


def _yield(open_then: pd.DataFrame, won: pd.DataFrame, day: date, span: Period) -> dict[str, Any]:
    due, closed = pd.to_datetime(open_then["expected_close_date"]), pd.to_datetime(won["closed_date"])
    first, end = pd.Timestamp(max(day, span.start)), pd.Timestamp(span.end)
    value = float(open_then.loc[(due >= first) & (due < end), "cents"].sum()) / 100
    later = float(won.loc[(closed > pd.Timestamp(day)) & (closed < end), "amount_base_cents"].sum()) / 100
    share = later / value if value else float("nan")
    return {
        "quarter": pd.Timestamp(span.start),
        "day": pd.Timestamp(day),
        "open_value": value,
        "won_later": later,
        "yield": share,
    }


def needed(past: pd.DataFrame) -> float | None:
    """The coverage that the record asks for on this day: 1 / median yield; None without a record.

    >>> needed(pd.DataFrame({"yield": [0.5, 0.25, 0.5, 1.0]})), needed(pd.DataFrame({"yield": [0.5]}))
    (2.0, None)
    """
    known = past["yield"].astype(float)
    middle = float(known.median()) if len(known) >= LEAST_QUARTERS else 0.0
    return 1 / middle if middle > 0 else None


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


def enough(cover: pd.DataFrame, past: pd.DataFrame) -> dict[str, Any]:
    """Whether the first quarter of `cover` is covered, by the yields of past quarters on the same day."""
    if cover.empty:
        return {"en": "", "de": ""}
    row = cover.iloc[0]
    values = {"quarter": row["quarter"], "open": float(row["open_value"]), "left": float(row["remaining"])}
    if row["note"] == "no_quota":
        return {
            "en": "No quota is set for {quarter:quarter}, so it cannot be said whether {open:money} are "
            "enough.",
            "de": "Für {quarter:quarter} ist keine Quote gesetzt; ob {open:money} reichen, lässt sich nicht "
            "sagen.",
            **values,
        }
    if row["note"] == "target_met":
        return {
            "en": "The quota of {quarter:quarter} is met already; another {open:money} are open for it.",
            "de": "Die Quote für {quarter:quarter} ist bereits erreicht; weitere {open:money} stehen dafür "
            "offen.",
            **values,
        }
    said = {
        key: f"{text} {rest}" for (key, text), rest in zip(_OPEN_FOR.items(), _verdict(past), strict=True)
    }
    yields = past["yield"].astype(float)
    reached = int((yields * values["open"] >= values["left"]).sum())
    values |= {
        "coverage": float(row["pipeline_coverage"]),
        "needed": needed(past),
        "reached": reached,
        "past": len(past),
        "day": int(row["day"]),
        "days": int(row["days"]),
    }
    return {**said, **values, "low": yields.min(), "high": yields.max()}


_OPEN_FOR = {
    "en": "For {quarter:quarter} (day {day} of {days}) {open:money} are expected to close against "
    "{left:money} still "
    "missing: coverage {coverage:ratio}.",
    "de": "Für {quarter:quarter} (Tag {day} von {days}) sollen {open:money} schließen, es fehlen noch "
    "{left:money}: "
    "Deckung {coverage:ratio}.",
}


def _verdict(past: pd.DataFrame) -> tuple[str, str]:
    if needed(past) is None:
        return (
            "Too few past quarters are known to say which coverage is enough.",
            "Es sind zu wenige frühere Quartale bekannt, um zu sagen, welche Deckung reicht.",
        )
    return (
        "From the same day on, the last {past} quarters brought {low:share} to {high:share} of the value "
        "then open, new "
        "deals included; with the yield of {reached} of these {past} quarters it would be enough (median "
        "need: "
        "{needed:ratio}).",
        "Vom selben Tag an brachten die letzten {past} Quartale {low:share} bis {high:share} des damals "
        "offenen Werts, neue "
        "Deals eingeschlossen; mit der Ausbeute von {reached} dieser {past} Quartale würde es reichen "
        "(mittlerer Bedarf: "
        "{needed:ratio}).",
    )


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
    """How the open pipeline of the last month's end became today's.

    Returns
    -------
    `step`, `deals`, `value`: open then, created, reopened, amounts changed, won, lost, deleted, open now.
    Every deal leaves with the value it had at the start, so that the steps add up exactly.
    """
    start = book.month.start - timedelta(days=1)
    return waterfall(
        standing(book, [start]),
        book.deals.project("deal_id, status, amount_base_cents, created_date").df(),
        start,
        words,
    )


def waterfall(before: pd.DataFrame, now: pd.DataFrame, start: date, words: Words) -> pd.DataFrame:
    """`changes` of two states: deals open at the end of `start` (`deal_id`, `cents`), all deals of today."""
    both = before[["deal_id", "cents"]].merge(
        now, on="deal_id", how="outer", indicator="seen", validate="one_to_one"
    )
    was, is_open = both["seen"] != "right_only", both["status"] == "open"
    old = both["cents"].fillna(0).astype("int64")
    new = both["amount_base_cents"].fillna(0).astype("int64").where(is_open, 0)
    fresh = pd.to_datetime(both["created_date"]) > pd.Timestamp(start)
    steps = [
        ("open_before", was, old),
        ("created", ~was & is_open & fresh, new),
        ("reopened", ~was & is_open & ~fresh, new),
        ("amounts", was & is_open & (new != old), new - old),
        ("won", was & (both["status"] == "won"), -old),
        ("lost", was & (both["status"] == "lost"), -old),
        ("deleted", both["seen"] == "left_only", -old),
        ("open_now", is_open, new),
    ]
    rows = [
        (_STEPS[name][words.language], int(mask.sum()), float(value[mask].sum()) / 100)
        for name, mask, value in steps
    ]
    kept = [row for row in rows if row[1] or row in (rows[0], rows[-1])]
    return pd.DataFrame(kept, columns=["step", "deals", "value"])


_STEPS = {
    "open_before": {"en": "Open at the end of last month", "de": "Offen am Ende des Vormonats"},
    "created": {"en": "New and still open", "de": "Neu und noch offen"},
    "reopened": {"en": "Reopened", "de": "Wieder geöffnet"},
    "amounts": {"en": "Amount or exchange rate changed", "de": "Betrag oder Wechselkurs geändert"},
    "won": {"en": "Won", "de": "Gewonnen"},
    "lost": {"en": "Lost", "de": "Verloren"},
    "deleted": {"en": "Deleted", "de": "Gelöscht"},
    "open_now": {"en": "Open now", "de": "Jetzt offen"},
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


def hygiene(deals: pd.DataFrame, as_of: date, words: Words) -> pd.DataFrame:
    """What the open deals lack, one row per rule: `check`, `deals`, `share`, `open_value`.

    Parameters
    ----------
    deals : open deals with `expected_close_date`, `amount_base_cents`, `pushes`
    """
    due = pd.to_datetime(deals["expected_close_date"])
    rules = {
        "past_due": due < pd.Timestamp(as_of),
        "undated": due.isna(),
        "without_amount": deals["amount_base_cents"].isna(),
        "pushed": deals["pushes"] >= OFTEN_PUSHED,
    }
    value = deals["amount_base_cents"].astype(float).fillna(0) / 100
    whole = len(deals) or float("nan")
    rows = [
        (
            _CHECKS[name][words.language].format(times=OFTEN_PUSHED),
            int(mask.sum()),
            mask.sum() / whole,
            value[mask].sum(),
        )
        for name, mask in rules.items()
    ]
    return pd.DataFrame(rows, columns=["check", "deals", "share", "open_value"])


_CHECKS = {
    "past_due": {"en": "Expected close is past", "de": "Abschlusstermin überschritten"},
    "undated": {"en": "No expected close", "de": "Kein Abschlusstermin"},
    "without_amount": {"en": "No amount", "de": "Kein Betrag"},
    "pushed": {"en": "Pushed {times} times or more", "de": "Mindestens {times}-mal verschoben"},
}


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
