"""What page 3 says of the coverage of the quarter: what is open for it, and whether that used to be enough.

Sentences are given as the arguments of `page.text`, so that they can be read and tested as plain values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from salestrack.i18n import is_unknown
from salestrack.kpis import pipeline_coverage, required_coverage
from salestrack.periods import Period

if TYPE_CHECKING:
    from salestrack.book import Book
    from salestrack.page import Page

TEAMS = {
    "en": "Coverage of the quarter by team, against what past quarters needed from this day on",
    "de": "Deckung des Quartals nach Team, gegen den Bedarf früherer Quartale ab diesem Tag",
}


def ahead(page: Page) -> Period:
    """The quarter that can still be changed: the running one, on its last day the next one."""
    over = page.quarter.last_day <= page.book.as_of
    return page.quarter.shifted(3) if over else page.quarter


def covered(page: Page, quarter: Period) -> pd.DataFrame:
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
    """The columns of `covered` that a reader needs, the day as `31 / 92`."""
    if cover.empty:
        return cover
    day = cover["day"].astype("str") + " / " + cover["days"].astype("str")
    names = ["quarter", "day_of", "quota", "remaining", "open_value", "pipeline_coverage", "note"]
    return cover.assign(day_of=day, note=cover["note"].replace("no_quota", ""))[names]


class Record(NamedTuple):
    """`required_coverage` of past quarters on the same day: of all of them together, and of each."""

    together: pd.DataFrame
    each: pd.DataFrame


def record(book: Book, quarter: Period) -> Record:
    """What past quarters needed on the day of the quarter that the book's day is."""
    return Record(
        book.kpi(required_coverage, period=quarter),
        book.kpi(required_coverage, period=quarter, by="quarter"),
    )


def needed(past: Record) -> float | None:
    """The coverage from which past quarters would do, later deals included; None where they say too little.

    Formula: 1 / (won_share + besides_share), so that it can be held against the coverage of the whole gap;
    `required_coverage` itself is of the deals open on the day alone.

    >>> shares = {"won_share": [0.15], "besides_share": [0.10], "low": [4.0]}
    >>> needed(Record(pd.DataFrame(shares), pd.DataFrame()))
    4.0
    """
    row = past.together.iloc[0]
    if is_unknown(row["low"]):
        return None
    return float(1 / (row["won_share"] + row["besides_share"]))


def enough(cover: pd.DataFrame, past: Record) -> dict[str, Any]:
    """Whether the first quarter of `cover` is covered, by what past quarters won from the same day on."""
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
    values |= {"coverage": float(row["pipeline_coverage"]), "day": int(row["day"]), "days": int(row["days"])}
    rest = _TOO_FEW if needed(past) is None else _NEEDED
    return {key: f"{_OPEN_FOR[key]} {rest[key]}" for key in rest} | values | _past(past, row)


def _past(past: Record, row: pd.Series[Any]) -> dict[str, Any]:
    """What past quarters needed, and how many of them would have closed the gap of `row`."""
    whole, each = past.together.iloc[0], past.each
    brought = (each["won_share"] + each["besides_share"]) * row["open_value"]
    return {
        "required": float(whole["required_coverage"]),
        "low": float(whole["low"]),
        "high": float(whole["high"]),
        "besides": float(whole["besides_share"]),
        "needed": needed(past),
        "reached": int((brought >= row["remaining"]).sum()),
        "past": int(whole["n"]),
    }


_OPEN_FOR = {
    "en": "For {quarter:quarter} (day {day} of {days}) {open:money} are expected to close against "
    "{left:money} still missing: coverage {coverage:ratio}.",
    "de": "Für {quarter:quarter} (Tag {day} von {days}) sollen {open:money} schließen, es fehlen noch "
    "{left:money}: Deckung {coverage:ratio}.",
}
_TOO_FEW = {
    "en": "Too few past quarters are known to say which coverage is enough.",
    "de": "Es sind zu wenige frühere Quartale bekannt, um zu sagen, welche Deckung reicht.",
}
_NEEDED = {
    "en": "On the same day of the last {past} quarters {required:ratio} as much stood open as was won of it "
    "(95% interval {low:ratio} to {high:ratio}), and deals that came later brought another {besides:share} of "
    "the open value. Both together, a coverage of {needed:ratio} was needed; with the shares of {reached} of "
    "these {past} quarters it would be enough.",
    "de": "Am selben Tag der letzten {past} Quartale stand {required:ratio} so viel offen, wie daraus gewonnen "
    "wurde (95-%-Intervall {low:ratio} bis {high:ratio}), und später hinzugekommene Deals brachten weitere "
    "{besides:share} des offenen Werts. Beides zusammen war eine Deckung von {needed:ratio} nötig; mit den "
    "Anteilen von {reached} dieser {past} Quartale würde es reichen.",
}
