"""Revenue: bookings, or orders where there is no pipeline; where they come from and on whom they rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.i18n import Words
from salestrack.kpis import average_deal_size, average_order_value, bookings, revenue_growth
from salestrack.periods import Period, PeriodLike

if TYPE_CHECKING:
    from collections.abc import Callable

    from salestrack.book import Book
    from salestrack.page import Page
    from salestrack.show import Html, Measure

VOID = "('cancelled', 'returned')"
VIEWS = ("team", "territory", "segment", "deal_type")
LARGEST = 5  # customers whose share of the whole is told


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
    The KPI's table without `previous_n` and `note`; its first figure is called `bookings` or `order_value`.
    A row whose year before reaches back behind the data has neither `previous` nor growth.
    """
    if book.has("deals"):
        table = book.kpi(revenue_growth, by=by, period=period)
        first = "SELECT min(closed_date) FROM sold WHERE closed_date IS NOT NULL"
        return known_growth(table, since=_first(book.table("deals"), first), period=period)
    orders = book.table("orders").filter(f"coalesce(order_status, '') NOT IN {VOID}")
    sold = orders.project("*, 'won' AS status, order_date AS closed_date")
    table = book.kpi(revenue_growth, deals=sold, by=by, period=period).rename(
        columns={"bookings": "order_value"}
    )
    return known_growth(table, since=_first(orders, "SELECT min(order_date) FROM sold"), period=period)


def _first(sold: Any, query: str) -> pd.Timestamp:
    return pd.Timestamp(sold.query("sold", query).fetchall()[0][0])


def known_growth(table: pd.DataFrame, *, since: pd.Timestamp, period: Period) -> pd.DataFrame:
    """Growth only where the whole time of comparison lies in months that have data.

    Parameters
    ----------
    table : `revenue_growth`, perhaps by a period word
    since : the first day with data; its month counts as a whole
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
    compared = start - pd.DateOffset(years=1) >= pd.Timestamp(since).replace(day=1).normalize()
    unsure = [name for name in ("previous", "revenue_growth", "per_working_day") if name in table.columns]
    masked = {name: table[name].where(compared) for name in unsure}
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


def concentration(per_customer: pd.DataFrame, value: str, largest: int = LARGEST) -> pd.DataFrame:
    """On how few customers a result rests.

    Formula: sum of the `largest` customers / sum of all; customers with nothing bought are none.

    Returns
    -------
    One row: `largest_share` and `tenth_share` (of the largest tenth of the customers, at least one), 0 to 1,
    NaN without a positive result; `n` customers.

    Examples
    --------
    >>> concentration(pd.DataFrame({"bookings": [50.0, 10, 10, 10, 10, 10]}), "bookings")
       largest_share  tenth_share  n
    0            0.9          0.5  6
    """
    bought = per_customer.loc[per_customer[value] > 0, value].sort_values(ascending=False)
    whole, count = bought.sum(), len(bought)
    few = (bought.head(largest).sum(), bought.head(max(1, count // 10)).sum())
    told = [part / whole if whole > 0 else float("nan") for part in few]
    return pd.DataFrame({"largest_share": [told[0]], "tenth_share": [told[1]], "n": [count]})


def top_heavy(page: Page) -> Html:
    """A sentence on how much of the last twelve months' result came from few customers, and a year before."""
    kpi = result(page.book)
    now, then = (
        concentration(page.book.kpi(kpi, by="account_id", period=span), kpi.__name__)
        for span in (page.last_12, page.last_12.shifted(-12))
    )
    return page.text(
        en="The five largest customers made {now.largest_share:share} of the result of the last twelve "
        "months "
        "({then.largest_share:share} the year before), the largest tenth of all {n:count} customers "
        "{now.tenth_share:share}.",
        de="Die fünf größten Kunden brachten {now.largest_share:share} des Ergebnisses der letzten zwölf "
        "Monate "
        "(im Jahr davor {then.largest_share:share}), das größte Zehntel aller {n:count} Kunden "
        "{now.tenth_share:share}.",
        now=now,
        then=then,
        n=int(now["n"].iloc[0]),
    )


def size_change(now: pd.DataFrame, before: pd.DataFrame, by: str) -> pd.DataFrame:
    """Why the mean deal size changed: larger deals within the groups, or another mix of groups.

    Formula: within = sum of (mean now - mean before) * average share; mix = sum of (share now - share before)
    * average mean. Both add up to the change. A group that is missing in one year counts in the mix.

    Parameters
    ----------
    now, before : `average_deal_size` by `by`, with `mean` and `n`
    by : the column of groups

    Returns
    -------
    One row: `mean`, `previous`, `change`, `within`, `mix` (currency units); NaN where a year has no deals.

    Examples
    --------
    >>> then = pd.DataFrame({"segment": ["a", "b"], "mean": [10.0, 30.0], "n": [5, 5]})
    >>> size_change(then.assign(n=[2, 8]), then, "segment")
       mean  previous  change  within  mix
    0  26.0      20.0     6.0     0.0  6.0
    """
    both = now[[by, "mean", "n"]].merge(
        before[[by, "mean", "n"]], on=by, how="outer", suffixes=("", "_before")
    )
    means = both[["mean", "mean_before"]].astype("float64").bfill(axis=1).ffill(axis=1).fillna(0.0)
    counts = both[["n", "n_before"]].astype("float64").fillna(0)
    share = (counts / counts.sum()).set_axis(["mean", "mean_before"], axis=1)
    ends = (share * means).sum(skipna=False)
    within = ((means["mean"] - means["mean_before"]) * share.mean(axis=1, skipna=False)).sum(skipna=False)
    change = ends["mean"] - ends["mean_before"]
    told = {
        "mean": ends["mean"],
        "previous": ends["mean_before"],
        "change": change,
        "within": within,
        "mix": change - within,
    }
    return pd.DataFrame([told], dtype="float64")


def size_story(page: Page, by: str = "segment") -> Html:
    """A sentence on why the mean deal size of the last twelve months differs from the twelve before."""
    now, then = (
        page.book.kpi(average_deal_size, by=by, period=span)
        for span in (page.last_12, page.last_12.shifted(-12))
    )
    told = size_change(now, then, by)
    change, within, mix = (
        page.words.fmt(told[c].iloc[0], "money", compact=True, signed=True)
        for c in ("change", "within", "mix")
    )
    return page.text(
        en="The mean deal of the last twelve months was worth {told.mean:money} ({change} on the twelve "
        "before): "
        "{within} through larger or smaller deals within the segments, {mix} through another mix of "
        "segments.",
        de="Der mittlere Auftrag der letzten zwölf Monate war {told.mean:money} wert ({change} gegenüber "
        "den zwölf davor): "
        "{within} durch größere oder kleinere Aufträge innerhalb der Segmente, {mix} durch einen anderen "
        "Segmentmix.",
        told=told,
        change=change,
        within=within,
        mix=mix,
    )


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
    book, kpi, ago = page.book, result(page.book), page.last_12.shifted(-12)
    size = average_deal_size if book.has("deals") else average_order_value
    before = book.kpi(size, period=ago)[size.__name__].iloc[0]
    resting = concentration(book.kpi(kpi, by="account_id", period=page.last_12), kpi.__name__)
    groups = [name for name in ("segment", "territory") if name in _columns(book)]
    return [
        *(_shrinking(page, name) for name in groups),
        page.measure(
            resting,
            "largest_share",
            above=CONCENTRATED,
            owner="sales_manager",
            metric=kpi,
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
