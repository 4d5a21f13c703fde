"""Revenue: bookings, or orders where a company has no pipeline; where they come from and on whom they rest."""

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
    from salestrack.show import Html

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


def growth(book: Book, *, period: PeriodLike, by: Any = None) -> pd.DataFrame:
    """`revenue_growth` of the company's result: of bookings, or of orders where it has no pipeline.

    Returns
    -------
    The KPI's table; its first figure is called `bookings` or `order_value`.
    """
    if book.has("deals"):
        return book.kpi(revenue_growth, by=by, period=period)
    orders = book.table("orders").filter(f"coalesce(order_status, '') NOT IN {VOID}")
    sold = orders.project("*, 'won' AS status, order_date AS closed_date")
    return book.kpi(revenue_growth, deals=sold, by=by, period=period).rename(columns={"bookings": "order_value"})


def years(page: Page, count: int = 3) -> Period:
    """The last fiscal years, the current one as far as it has come.

    Years whose previous year lies outside the data have no growth; they stay, with `–`.
    """
    return Period(page.year.shifted(-12 * (count - 1)).start, page.year.end)


def whole_quarters(page: Page, count: int = 8) -> Period:
    """The last quarters, the current one as far as it has come."""
    return Period(page.quarter.shifted(-3 * (count - 1)).start, page.quarter.end)


def breakdown(book: Book, words: Words, period: PeriodLike) -> pd.DataFrame:
    """The result of a period by team, territory, segment and type of deal in one table.

    Returns
    -------
    One row per view and group, the largest first: `view`, `group`, the result, `share` (of the view),
    `revenue_growth` against the year before, `n`. Views of which nothing is known are left out.
    """
    sold = book.table("deals" if book.has("deals") else "orders")
    parts = [shares(growth(book, by=view, period=period), view, words) for view in VIEWS if view in sold.columns]
    known = [part for part in parts if not part.empty]
    return pd.concat(known, ignore_index=True) if known else pd.DataFrame()


def shares(table: pd.DataFrame, view: str, words: Words) -> pd.DataFrame:
    """One view of `breakdown`; empty when no row of it has a group.

    >>> table = pd.DataFrame({"team": ["North", "South"], "bookings": [25.0, 75.0], "previous": [20.0, 75.0],
    ...                       "revenue_growth": [0.25, 0.0], "n": [1, 3]})
    >>> shares(table, "team", Words())
       view  group  bookings  share  revenue_growth  n
    0  Team  South      75.0   0.75            0.00  3
    1  Team  North      25.0   0.25            0.25  1
    """
    if table.empty or (table[view] == "(missing)").all():
        return pd.DataFrame()
    value = "bookings" if "bookings" in table.columns else "order_value"
    ordered = table[(table["n"] > 0) | (table[value] != 0)].sort_values(value, ascending=False, kind="stable", ignore_index=True)
    whole = ordered[value].sum()
    return pd.DataFrame(
        {
            "view": words.label(view),
            "group": [words.value(view, key) for key in ordered[view]],
            value: ordered[value],
            "share": ordered[value] / whole if whole else float("nan"),
            "revenue_growth": ordered["revenue_growth"],
            "n": ordered["n"],
        }
    )


def parts_of(book: Book) -> str:
    """What splits the result best: the type of deal, else the customer's segment, else the territory."""
    return next((name for name in ("deal_type", "segment", "territory") if name in _columns(book)), "territory")


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
    >>> concentration(pd.DataFrame({"account_id": list("abcdef"), "bookings": [50.0, 10, 10, 10, 10, 10]}), "bookings")
       largest_share  tenth_share  n
    0            0.9          0.5  6
    """
    bought = per_customer.loc[per_customer[value] > 0, value].sort_values(ascending=False)
    whole, count = bought.sum(), len(bought)
    few = (bought.head(largest).sum(), bought.head(max(1, count // 10)).sum())
    told = [part / whole if whole > 0 else float("nan") for part in few]
    return pd.DataFrame({"largest_share": [told[0]], "tenth_share": [told[1]], "n": [count]})


def top_heavy(page: Page) -> Html:
    """A sentence on how much of the last twelve months' result came from the largest customers, and a year before."""
    kpi = result(page.book)
    now, then = (
        concentration(page.book.kpi(kpi, by="account_id", period=span), kpi.__name__)
        for span in (page.last_12, page.last_12.shifted(-12))
    )
    return page.text(
        en="The five largest customers made {now.largest_share:share} of the result of the last twelve months "
        "({then.largest_share:share} the year before), the largest tenth of all {n:count} customers {now.tenth_share:share}.",
        de="Die fünf größten Kunden brachten {now.largest_share:share} des Ergebnisses der letzten zwölf Monate "
        "(im Jahr davor {then.largest_share:share}), das größte Zehntel aller {n:count} Kunden {now.tenth_share:share}.",
        now=now, then=then, n=int(now["n"].iloc[0]),
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
    both = now[[by, "mean", "n"]].merge(before[[by, "mean", "n"]], on=by, how="outer", suffixes=("", "_before"))
    means = both[["mean", "mean_before"]].bfill(axis=1).ffill(axis=1).fillna(0.0)
    counts = both[["n", "n_before"]].fillna(0)
    share = (counts / counts.sum()).set_axis(["mean", "mean_before"], axis=1)
    ends = (share * means).sum(skipna=False)
    within = ((means["mean"] - means["mean_before"]) * share.mean(axis=1, skipna=False)).sum(skipna=False)
    change = ends["mean"] - ends["mean_before"]
    told = {"mean": ends["mean"], "previous": ends["mean_before"], "change": change, "within": within, "mix": change - within}
    return pd.DataFrame([told], dtype="float64")


def size_story(page: Page, by: str = "segment") -> Html:
    """A sentence on why the mean deal size of the last twelve months differs from the twelve before."""
    now, then = (page.book.kpi(average_deal_size, by=by, period=span) for span in (page.last_12, page.last_12.shifted(-12)))
    told = size_change(now, then, by)
    change, within, mix = (page.words.fmt(told[c].iloc[0], "money", compact=True, signed=True) for c in ("change", "within", "mix"))
    return page.text(
        en="The mean deal of the last twelve months was worth {told.mean:money} ({change} on the twelve before): "
        "{within} through larger or smaller deals within the segments, {mix} through another mix of segments.",
        de="Der mittlere Auftrag der letzten zwölf Monate war {told.mean:money} wert ({change} gegenüber den zwölf davor): "
        "{within} durch größere oder kleinere Aufträge innerhalb der Segmente, {mix} durch einen anderen Segmentmix.",
        told=told, change=change, within=within, mix=mix,
    )
