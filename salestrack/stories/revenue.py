"""Revenue: bookings, or orders where there is no pipeline; where they come from and on whom they rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.i18n import Words
from salestrack.kpis import (
    average_deal_size,
    average_order_value,
    bookings,
    concentration,
    deal_size_change,
    revenue_growth,
)
from salestrack.periods import Period, PeriodLike
from salestrack.stories.orders import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from salestrack.book import Book
    from salestrack.page import Page
    from salestrack.show import Html, Measure

UNSURE = ("previous", "revenue_growth", "per_working_day", "constant_currency")
ASIDE = ("constant_currency", "at_previous_rates", "own_rate_share")
VIEWS = ("team", "territory", "segment", "deal_type")


def order_value(
    orders: Any, *, by: Any = None, period: PeriodLike | None = None, fiscal_year_start: int = 1
) -> pd.DataFrame:
    """Net value of the orders, without cancelled and returned ones.

    Parameters
    ----------
    orders, by, period, fiscal_year_start : as in `average_order_value`

    Returns
    -------
    One row per group: `order_value` (currency units), `n` (orders); no order gives 0.

    Examples
    --------
    >>> order_value(pd.DataFrame({"order_id": ["1", "1", "2"], "net_amount": [60.0, 40.0, 50.0]}))
       order_value  n
    0        150.0  2
    """
    table = average_order_value(orders, by=by, period=period, fiscal_year_start=fiscal_year_start)
    groups = list(table.columns[: table.columns.get_loc("value")])
    return table.rename(columns={"value": "order_value"})[[*groups, "order_value", "n"]]


def result(book: Book) -> Callable[..., pd.DataFrame]:
    """What the company's result is measured in: `bookings`, or `order_value` where it has no pipeline."""
    return bookings if book.has("deals") else order_value


def growth(book: Book, *, period: Period, by: Any = None) -> pd.DataFrame:
    """`revenue_growth` of the company's result: of bookings, or of orders where it has no pipeline.

    Returns
    -------
    The KPI's table without `previous_n`, `note` and the rates' sums; its first figure is called `bookings` or
    `order_value`. Growth at constant currency is there where exchange rates made a difference. A row whose year
    before reaches back behind the data has neither `previous` nor growth.
    """
    frames = dealt(book)
    table = book.kpi(revenue_growth, by=by, period=period, **frames)
    table = table.rename(columns={"bookings": result(book).__name__})
    sold = frames["deals"] if frames else book.table("deals")
    since = pd.Timestamp(sold.aggregate("min(closed_date)").fetchall()[0][0])
    known = known_growth(table, since=since, period=period)
    return known.drop(
        columns=[name for name in ASIDE if name in known.columns and _adds_nothing(known, name)]
    )


def _adds_nothing(table: pd.DataFrame, name: str) -> bool:
    """Growth at constant currency is of use only where it differs; what it is made from is for analysts."""
    return name != "constant_currency" or not (table[name] - table["revenue_growth"]).abs().gt(5e-4).any()


def dealt(book: Book) -> dict[str, Any]:
    """The frames from which KPIs of won deals tell the company's result: the book's own deals, or its orders.

    Each order that counts stands for a deal won on its day. Given to `book.kpi` beside the other options.
    """
    if book.has("deals"):
        return {}
    orders = counted(book)
    kept = ", ".join(f'"{name}"' for name in orders.columns if name != "deal_id")
    won = f"{kept}, order_id AS deal_id, 'won' AS status, order_date AS closed_date"
    return {"deals": orders.project(won)}


def known_growth(table: pd.DataFrame, *, since: pd.Timestamp, period: Period) -> pd.DataFrame:
    """Growth only where the whole time of comparison lies in months that have data.

    Parameters
    ----------
    table : `revenue_growth`, perhaps by a period word
    since : the first day with data, its month counts as a whole; NaT where there are none yet
    period : the period that was judged

    Examples
    --------
    >>> table = pd.DataFrame({"year": pd.to_datetime(["2024-01-01", "2025-01-01"]), "previous": [3.0, 9.0],
    ...                       "revenue_growth": [2.0, 0.1], "per_working_day": [2.0, 0.1], "n": [9, 9]})
    >>> known = known_growth(table, since=pd.Timestamp("2023-11-06"), period=Period.parse("2025"))
    >>> known["revenue_growth"].to_list()
    [nan, 0.1]
    """
    starts = next((table[word] for word in ("month", "quarter", "year") if word in table.columns), None)
    start = pd.Series(pd.Timestamp(period.start), index=table.index) if starts is None else starts
    known_from = pd.Timestamp.max if pd.isna(since) else pd.Timestamp(since).replace(day=1).normalize()
    compared = start - pd.DateOffset(years=1) >= known_from
    masked = {name: table[name].where(compared) for name in UNSURE if name in table.columns}
    return table.assign(**masked).drop(columns=["previous_n", "note"], errors="ignore")


def years(page: Page, count: int = 3) -> Period:
    """The last fiscal years, the current one as far as it has come."""
    return Period(page.year.shifted(-12 * (count - 1)).start, page.year.end)


def whole_quarters(page: Page, count: int = 8) -> Period:
    """The last quarters, the current one as far as it has come."""
    return Period(page.quarter.shifted(-3 * (count - 1)).start, page.quarter.end)


def breakdown(book: Book, words: Words, period: Period) -> pd.DataFrame:
    """The result of a period by team, territory, segment and type of deal in one table.

    Returns
    -------
    One row per view and group, the largest first: `group`, `view`, the result, `share` (of the view),
    `revenue_growth` against the year before, `n`. Views of which nothing is known are left out.
    """
    sold = book.table("deals" if book.has("deals") else "orders")
    parts = [
        shares(growth(book, by=view, period=period), view, words) for view in VIEWS if view in sold.columns
    ]
    known = [part for part in parts if not part.empty]
    return pd.concat(known, ignore_index=True) if known else pd.DataFrame()


def shares(table: pd.DataFrame, view: str, words: Words) -> pd.DataFrame:
    """One view of `breakdown`; empty when no row of it has a group.

    >>> table = pd.DataFrame({"team": ["North", "South"], "bookings": [25.0, 75.0], "previous": [20.0, 75.0],
    ...                       "revenue_growth": [0.25, 0.0], "n": [1, 3]})
    >>> shares(table, "team", Words())
       group  view  bookings  share  revenue_growth  n
    0  South  Team      75.0   0.75            0.00  3
    1  North  Team      25.0   0.25            0.25  1
    """
    if table.empty or (table[view] == "(missing)").all():
        return pd.DataFrame()
    value = "bookings" if "bookings" in table.columns else "order_value"
    ordered = table[(table["n"] > 0) | (table[value] != 0)].sort_values(
        value, ascending=False, kind="stable", ignore_index=True
    )
    whole = ordered[value].sum()
    return pd.DataFrame(
        {
            "group": [words.value(view, key) for key in ordered[view]],
            "view": words.label(view),
            value: ordered[value],
            "share": ordered[value] / whole if whole else float("nan"),
            "revenue_growth": ordered["revenue_growth"],
            "n": ordered["n"],
        }
    )


def parts_of(book: Book) -> str:
    """What splits the result best: the type of deal, else the customer's segment, else the territory."""
    return next(
        (name for name in ("deal_type", "segment", "territory") if name in _columns(book)), "territory"
    )


def _columns(book: Book) -> list[str]:
    return list(book.table("deals" if book.has("deals") else "orders").columns)


def resting(book: Book, period: Period) -> pd.DataFrame:
    """`concentration` of the result of a period on the customers that made it."""
    return book.kpi(concentration, status="won", period=period, **dealt(book))


def top_heavy(page: Page) -> Html:
    """A sentence on how much of the last twelve months' result came from few customers, and a year before."""
    now, then = (resting(page.book, span) for span in (page.last_12, page.last_12.shifted(-12)))
    return page.text(
        en="The five largest customers made {now.top5_share:share} of the result of the last twelve months "
        "({then.top5_share:share} the year before), the largest alone {now.top1_share:share}. It is spread as "
        "if {now.effective_number:count} equally large customers had bought, of {now.n:count} who did.",
        de="Die fünf größten Kunden brachten {now.top5_share:share} des Ergebnisses der letzten zwölf Monate "
        "(im Jahr davor {then.top5_share:share}), der größte allein {now.top1_share:share}. Es ist so verteilt, "
        "als hätten {now.effective_number:count} gleich große Kunden gekauft; gekauft haben {now.n:count}.",
        now=now,
        then=then,
    )


def size_story(page: Page) -> Html:
    """A sentence on why the mean deal of the last twelve months differs from that of the twelve before."""
    told = page.book.kpi(deal_size_change, period=page.last_12)
    en, de = SIZES[size_verdict(told.iloc[0])]
    named = {"change": "deal_size_change", "within": "price_effect", "mix": "mix_effect"}
    style: dict[str, Any] = {"compact": True, "signed": True}
    parts = {name: page.words.fmt(told[c].iloc[0], "money", **style) for name, c in named.items()}
    interval = page.words.interval(told["low"].iloc[0], told["high"].iloc[0], "money", **style)
    return page.text(en=en, de=de, told=told, interval=interval, **parts)


def size_verdict(row: pd.Series[Any]) -> str:
    """Whether the change of the deal size is `unknown`, may be `chance`, or is `clear` (0 outside the interval).

    >>> size_verdict(pd.Series({"deal_size_change": 5.0, "low": 1.0, "high": 9.0}))
    'clear'
    """
    if pd.isna(row["deal_size_change"]):
        return "unknown"
    return "clear" if row["low"] > 0 or row["high"] < 0 else "chance"


_MEAN = (
    "The mean deal of the last twelve months was worth {told.mean:money}",
    "Der mittlere Auftrag der letzten zwölf Monate war {told.mean:money} wert",
)
_WHY = (
    "{within} through larger or smaller deals within the segments, {mix} through another mix of segments.",
    "{within} durch größere oder kleinere Aufträge innerhalb der Segmente, {mix} durch einen anderen "
    "Segmentmix.",
)
SIZES = {
    "clear": (
        f"{_MEAN[0]} ({{change}} on the twelve before, 95% interval {{interval}}): {_WHY[0]}",
        f"{_MEAN[1]} ({{change}} gegenüber den zwölf davor, 95-%-Intervall {{interval}}): {_WHY[1]}",
    ),
    "chance": (
        f"{_MEAN[0]} ({{change}} on the twelve before; with a 95% interval of {{interval}} that may be chance): "
        f"{_WHY[0]}",
        f"{_MEAN[1]} ({{change}} gegenüber den zwölf davor; bei einem 95-%-Intervall von {{interval}} kann das "
        f"Zufall sein): {_WHY[1]}",
    ),
    "unknown": (
        f"{_MEAN[0]}; there is no mean of the twelve months before to compare it with.",
        f"{_MEAN[1]}; einen Mittelwert der zwölf Monate davor zum Vergleich gibt es nicht.",
    ),
}


LAST_12 = {"en": "Last 12 months", "de": "Letzte 12 Monate"}
LEADS = {
    "bookings": (
        "Bookings of the last twelve months were {value:money}, {growth:change} on the twelve before",
        "Der Auftragseingang der letzten zwölf Monate betrug {value:money}, {growth:change} gegenüber den "
        "zwölf davor",
    ),
    "order_value": (
        "Orders of the last twelve months were worth {value:money}, {growth:change} on the twelve before",
        "Die Bestellungen der letzten zwölf Monate waren {value:money} wert, {growth:change} gegenüber den "
        "zwölf davor",
    ),
}


def lead(page: Page) -> Html:
    """One sentence: the last twelve months' result, its growth, and the group that moved it most."""
    name, view = result(page.book).__name__, parts_of(page.book)
    total = growth(page.book, period=page.last_12)
    most = moved_most(growth(page.book, by=view, period=page.last_12), view, name)
    en, de = LEADS[name]
    en += "; {group} moved it most ({moved})." if most else "."
    de += "; am stärksten bewegt von: {group} ({moved})." if most else "."
    group, change = most or ("", 0.0)
    return page.text(
        en=en,
        de=de,
        value=total[name].iloc[0],
        growth=total["revenue_growth"].iloc[0],
        group=page.words.value(view, group),
        moved=page.words.fmt(change, "money", compact=True, signed=True),
    )


def moved_most(table: pd.DataFrame, view: str, value: str) -> tuple[str, float] | None:
    """The group whose result changed most in money, and by how much; None when nothing is to be compared.

    >>> table = pd.DataFrame({"team": ["a", "b"], "bookings": [9.0, 5.0], "previous": [8.0, 9.0]})
    >>> moved_most(table, "team", "bookings")
    ('b', -4.0)
    """
    if table.empty or not (table["previous"] > 0).any():
        return None
    change = table[value] - table["previous"]
    row = int(change.abs().to_numpy().argmax())
    return str(table[view].iloc[row]), float(change.iloc[row])


def growth_card(page: Page) -> Html:
    """The card of the fiscal year's growth so far, per cent against the same months of the year before."""
    label = {"en": "Growth, year to date", "de": "Wachstum im Jahr bisher"}
    return page.card(growth(page.book, period=page.year_to_date), revenue_growth, label=label)


SHRINKING, CONCENTRATED, SMALLER = -0.2, 0.4, 0.9


def rules(page: Page) -> list[Measure | None]:
    """The measures of the page on revenue; None where a rule is silent."""
    book, ago = page.book, page.last_12.shifted(-12)
    size = average_deal_size if book.has("deals") else average_order_value
    before = book.kpi(size, period=ago)[size.__name__].iloc[0]
    groups = [name for name in ("segment", "territory") if name in _columns(book)]
    return [
        *(_shrinking(page, name) for name in groups),
        page.measure(
            resting(book, page.last_12),
            "top5_share",
            above=CONCENTRATED,
            owner="sales_manager",
            metric=concentration,
            en="Agree a plan for each of the five largest customers and win business that does not hang on "
            "them.",
            de="Für jeden der fünf größten Kunden einen Plan vereinbaren und Geschäft gewinnen, das nicht "
            "an ihnen hängt.",
        ),
        page.measure(
            book.kpi(size, period=page.last_12),
            size,
            below=None if pd.isna(before) else before * SMALLER,
            owner="sales_manager",
            en="Find out why deals have become smaller: discounts, other customers, or smaller first orders.",
            de="Klären, warum die Aufträge kleiner geworden sind: Nachlässe, andere Kunden oder kleinere "
            "Erstaufträge.",
        ),
    ]


def _shrinking(page: Page, by: str) -> Measure | None:
    return page.measure(
        growth(page.book, by=by, period=page.year_to_date),
        revenue_growth,
        below=SHRINKING,
        by=by,
        owner="team_lead",
        en="Find out customer by customer what was lost there against the year before, and decide what to "
        "win back.",
        de="Kunde für Kunde klären, was dort gegenüber dem Vorjahr weggefallen ist, und entscheiden, was "
        "zurückzuholen ist.",
    )
