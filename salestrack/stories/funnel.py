"""What page 4 says of the funnel: where deals wait longest, where they are lost, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.kpis import (
    funnel_leakage,
    mql_to_sql,
    stage_conversion,
    stage_dwell,
    win_rate,
    win_rate_by_value,
)
from salestrack.periods import Period
from salestrack.stats.intervals import wilson

if TYPE_CHECKING:
    from salestrack.blocks import Measure
    from salestrack.book import Book
    from salestrack.i18n import Words
    from salestrack.page import Page

HORIZON = 90  # days after entry within which a step forward counts
MISSING = "(missing)"
MUCH_MISSING = 0.1  # share of losses without a reason above which reasons mislead
DWELL = {
    "en": "Median of all stays, those still going on included as waiting (censored); P90: after so many days "
    "nine of ten "
    "stays have ended.",
    "de": "Median aller Aufenthalte, noch laufende zählen als wartend (zensiert); P90: nach so vielen Tagen "
    "sind neun von "
    "zehn Aufenthalten beendet.",
}
STALLED = {
    "en": "Stalled: open for longer than 90% of the later winners stayed in the stage.",
    "de": "Stockend: länger offen, als 90 % der späteren Gewinner in der Phase blieben.",
}
RATES = {
    "en": "By value a large deal weighs more; its interval allows for the deals of one account being alike.",
    "de": "Nach Wert wiegt ein großer Deal mehr; das Intervall berücksichtigt, dass Deals eines Kunden sich "
    "ähneln.",
}
QUARTERS = {
    "en": "MQL to SQL by quarter of qualification",
    "de": "MQL-zu-SQL-Quote nach Quartal der Qualifizierung",
}
RATE_LABELS = {
    "in_deals": {"en": "Win rate in deals (95% interval)", "de": "Abschlussquote in Deals (95-%-Intervall)"},
    "by_value": {"en": "Win rate by value (95% interval)", "de": "Abschlussquote nach Wert (95-%-Intervall)"},
}
LEAK_LABELS = {
    "share_of_loss": {"en": "Share", "de": "Anteil"},
    "stalled_value": {"en": "Value", "de": "Wert"},
}


def bottleneck(dwell: pd.DataFrame, words: Words) -> dict[str, Any]:
    """The stage in which deals stay longest, and whether its interval lies above those of all others.

    Parameters
    ----------
    dwell : `stage_dwell` by stage

    Returns
    -------
    The arguments of `page.text`; a sentence that says so where no median is known.
    """
    known = dwell[dwell["stage_dwell"].notna()]
    if known.empty:
        return {
            "en": "In no stage have enough stays ended to say how long deals wait there.",
            "de": "In keiner Phase sind genug Aufenthalte beendet, um zu sagen, wie lange Deals dort warten.",
        }
    top = known.sort_values("stage_dwell", kind="stable").iloc[-1]
    others = known[known["stage_name"] != top["stage_name"]]
    clear = bool((others["high"] < top["low"]).all())
    rival = others.sort_values("stage_dwell", kind="stable")["stage_name"].iloc[-1] if len(others) else ""
    key = "alone" if others.empty else "clear" if clear else "unclear"
    return {
        **_BOTTLENECK[key],
        "stage": words.value("stage_name", top["stage_name"]),
        "median": top["stage_dwell"],
        "interval": words.interval(top["low"], top["high"], "days"),
        "p90": top["p90"],
        "open": int(top["open"]),
        "rival": words.value("stage_name", rival),
    }


_BOTTLENECK = {
    "clear": {
        "en": "Deals wait longest in {stage}: half of them for more than {median:days} (95% interval "
        "{interval}), longer "
        "than in any other stage beyond chance; {open} are waiting there now.",
        "de": "Am längsten warten Deals in der Phase {stage}: die Hälfte länger als {median:days} "
        "(95-%-Intervall {interval}), "
        "über den Zufall hinaus länger als in jeder anderen Phase; derzeit warten dort {open}.",
    },
    "unclear": {
        "en": "Deals wait longest in {stage} (median {median:days}, 95% interval {interval}), but the gap to "
        "{rival} may be "
        "chance: no stage stands out as the bottleneck.",
        "de": "Am längsten warten Deals in der Phase {stage} (Median {median:days}, 95-%-Intervall "
        "{interval}), der Abstand zu "
        "{rival} kann aber Zufall sein: Keine Phase hebt sich als Engpass ab.",
    },
    "alone": {
        "en": "Deals wait in {stage} for a median of {median:days} (95% interval {interval}).",
        "de": "In der Phase {stage} warten Deals im Median {median:days} (95-%-Intervall {interval}).",
    },
}


def biggest_leak(leakage: pd.DataFrame, words: Words) -> dict[str, Any]:
    """The stage from which the most value is lost, with its share of the lost value and of the lost deals."""
    value = float(leakage["lost_value"].sum()) if len(leakage) else 0.0
    if not value:
        return {
            "en": "No deal with an amount was lost among those that entered in this time.",
            "de": "Von den Deals dieses Zeitraums ging keiner mit einem Betrag verloren.",
        }
    top = leakage.sort_values("lost_value", kind="stable").iloc[-1]
    return {
        "en": "The most value is lost from {stage}: {lost:money}, {share:share} of all lost value and "
        "{deals:share} of the "
        "lost deals.",
        "de": "Der meiste Wert geht aus der Phase {stage} verloren: {lost:money}, {share:share} des "
        "verlorenen Werts und "
        "{deals:share} der verlorenen Deals.",
        "stage": words.value("stage_name", top["stage_name"]),
        "lost": float(top["lost_value"]),
        "share": float(top["lost_value"]) / value,
        "deals": float(top["share_of_loss"]),
    }


def waits(dwell: pd.DataFrame) -> pd.DataFrame:
    """The columns of `stage_dwell` that a reader needs."""
    return _columns(dwell, ["stage_name", "stage_dwell", "low", "high", "p90", "open", "n", "note"])


def leaks(leakage: pd.DataFrame) -> pd.DataFrame:
    """The columns of `funnel_leakage` that a reader needs."""
    return _columns(
        leakage, ["stage_name", "lost", "share_of_loss", "lost_value", "stalled", "stalled_value"]
    )


def _columns(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return table[[name for name in names if name in table.columns]]


def both_rates(book: Book, by: str, period: Period, words: Words) -> pd.DataFrame:
    """Win rate by count and by value side by side, each with its interval in words, and a row for all.

    Returns
    -------
    `by` (the last row is the whole), `in_deals`, `by_value`, `n` (closed deals); no row
    where nothing was closed.
    """
    groups, whole = (_rates(book, key, period, words) for key in (by, None))
    if groups.empty:
        return pd.DataFrame()
    total = whole.assign(**{by: words.text("total")})
    shown = groups.assign(**{by: [words.value(by, group) for group in groups[by]]})
    return pd.concat([shown, total], ignore_index=True)[[by, *RATE_LABELS, "n"]]


def _rates(book: Book, by: str | None, period: Period, words: Words) -> pd.DataFrame:
    count = book.kpi(win_rate, by=by, period=period)
    value = book.kpi(win_rate_by_value, by=by, period=period)
    keys = [by] if by else []
    left = count[[*keys, "n"]].assign(in_deals=_told(count, "win_rate", words))
    right = value[keys].assign(by_value=_told(value, "win_rate_by_value", words))
    return left.merge(right, on=keys, how="left") if keys else left.join(right)


def _told(table: pd.DataFrame, rate: str, words: Words) -> list[str]:
    """`30.2% (27.1 to 33.4%)`."""
    rows = zip(table[rate], table["low"], table["high"], strict=True)
    return [
        f"{words.fmt(share, 'share')} ({words.interval(low, high, 'share')})" for share, low, high in rows
    ]


def loss_reasons(lost: pd.DataFrame, words: Words) -> pd.DataFrame:
    """Why deals were lost: those without a reason first, then the most frequent.

    Parameters
    ----------
    lost : lost deals with `lost_reason` and `amount_base_cents`

    Returns
    -------
    `lost_reason`, `lost` (deals), `share` (of the deals) with `low` and `high` (95 % Wilson), `lost_value`.
    """
    reason = (
        lost["lost_reason"]
        .astype("str")
        .str.strip()
        .where(lost["lost_reason"].notna(), "")
        .replace("", MISSING)
    )
    value = lost["amount_base_cents"].astype(float) / 100
    table = (
        lost.assign(lost_reason=reason, value=value)
        .groupby("lost_reason")
        .agg(lost=("value", "size"), lost_value=("value", "sum"))
        .reset_index()
    )
    low, high = wilson(table["lost"], [max(len(lost), 1)] * len(table))
    table = table.assign(
        share=table["lost"] / max(len(lost), 1), low=low, high=high, last=table["lost_reason"] != MISSING
    )
    table = table.sort_values(
        ["last", "lost", "lost_reason"], ascending=[True, False, True], ignore_index=True
    )
    table["lost_reason"] = [words.value("lost_reason", one) for one in table["lost_reason"]]
    return table[["lost_reason", "lost", "share", "low", "high", "lost_value"]]


def lost_deals(book: Book, period: Period) -> pd.DataFrame:
    """The deals lost in a period."""
    inside = f"status = 'lost' AND closed_date >= DATE '{period.start}' AND closed_date < DATE '{period.end}'"
    found: pd.DataFrame = book.deals.filter(inside).project("deal_id, lost_reason, amount_base_cents").df()
    return found


def measures(
    page: Page, leakage: pd.DataFrame, conversion: pd.DataFrame, earlier: pd.DataFrame, reasons: pd.DataFrame
) -> list[Measure | dict[str, Any] | None]:
    """Measures for stalled deals, for stages that convert worse than before, for empty reasons."""
    return [
        page.measure(
            leakage,
            "stalled",
            above=0,
            by="stage_name",
            owner="team_lead",
            metric=funnel_leakage,
            en="Decide on every stalled deal: a next step with a date, or close it as lost.",
            de="Über jeden stockenden Deal entscheiden: nächster Schritt mit Datum oder als verloren "
            "schließen.",
        ),
        *worse(conversion, earlier, page.words),
        _reason_measure(reasons, page.words),
    ]


def worse(now: pd.DataFrame, before: pd.DataFrame, words: Words) -> list[dict[str, Any]]:
    """A measure for each stage whose whole interval lies below that of the year before."""
    if now.empty or before.empty:
        return []
    both = now.merge(
        before[["stage_name", "stage_conversion", "low"]], on="stage_name", suffixes=("", "_before")
    )
    fallen = both[both["high"] < both["low_before"]]
    return [_fallen(row, words) for _, row in fallen.iterrows()]


def _fallen(row: pd.Series[Any], words: Words) -> dict[str, Any]:
    stage = words.value("stage_name", row["stage_name"])
    now, then = (words.fmt(row[name], "share") for name in ("stage_conversion", "stage_conversion_before"))
    return {
        "measure": {
            "en": f"Find out what changed in {stage}: look at ten deals lost from it.",
            "de": f"Klären, was sich in der Phase {stage} geändert hat: zehn daraus verlorene Deals ansehen.",
        },
        "rule": {
            "en": f"Conversion fell from {then} to {now}, and the intervals do not overlap.",
            "de": f"Die Konversion fiel von {then} auf {now}, die Intervalle überschneiden sich nicht.",
        },
        "owner": "sales_manager",
        "metric": stage_conversion,
    }


def _reason_measure(reasons: pd.DataFrame, words: Words) -> dict[str, Any] | None:
    blank = reasons[reasons["lost_reason"] == words.value("lost_reason", MISSING)]
    if blank.empty or float(blank["share"].iloc[0]) <= MUCH_MISSING:
        return None
    share = words.fmt(blank["share"].iloc[0], "share")
    return {
        "measure": {
            "en": "Make the reason a required field when a deal is lost.",
            "de": "Den Verlustgrund beim Schließen eines verlorenen Deals zum Pflichtfeld machen.",
        },
        "rule": {
            "en": f"{share} of the lost deals have no reason.",
            "de": f"{share} der verlorenen Deals haben keinen Grund.",
        },
        "owner": "sales_operations",
        "metric": {"en": "Share without a reason", "de": "Anteil ohne Grund"},
    }


SHOWN = (mql_to_sql, stage_conversion, stage_dwell, funnel_leakage, win_rate, win_rate_by_value)
