"""What page 4 says of the stages: where deals are held up, and from where they are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.kpis import bottleneck, funnel_leakage, stage_conversion
from salestrack.stats.testing import benjamini_hochberg

if TYPE_CHECKING:
    from salestrack.blocks import Measure
    from salestrack.i18n import Words
    from salestrack.page import Page

CHANCE = 0.05  # share of false finds among the stages called a bottleneck
DWELL = {
    "en": "Median of all stays, those still going on included as waiting (censored); P90: after so many days "
    "nine of ten stays have ended.",
    "de": "Median aller Aufenthalte, noch laufende zählen als wartend (zensiert); P90: nach so vielen Tagen "
    "sind neun von zehn Aufenthalten beendet.",
}
STUCK = {
    "en": "Expected: what this year's arrivals leave in a stage if deals stay as long as in the year before. "
    "p: how easily chance alone makes stays differ that much. A bottleneck needs both, more deals than "
    "expected and longer stays.",
    "de": "Erwartet: was die Zugänge dieses Jahres in einer Phase hinterlassen, wenn Deals so lange bleiben wie "
    "im Jahr davor. p: wie leicht allein der Zufall die Aufenthalte so verschieden macht. Ein Engpass braucht "
    "beides, mehr Deals als erwartet und längere Aufenthalte.",
}
STALLED = {
    "en": "Stalled: open for longer than 90% of the later winners stayed in the stage.",
    "de": "Stockend: länger offen, als 90 % der späteren Gewinner in der Phase blieben.",
}
LEAK_LABELS = {
    "share_of_loss": {"en": "Share", "de": "Anteil"},
    "stalled_value": {"en": "Value", "de": "Wert"},
}
STUCK_LABELS = {
    "wip": {"en": "There now", "de": "Jetzt dort"},
    "expected": {"en": "Expected", "de": "Erwartet"},
    "bottleneck": {"en": "Surplus", "de": "Überhang"},
    "dwell_change": {"en": "Stay, change", "de": "Verweildauer, Änderung"},
    "p_value": {"en": "p", "de": "p"},
}
STUCK_UNITS = {"wip": "count", "expected": "count", "dwell_change": "days"}
STUCK_UNITS |= {"p_value": "number"}


def clogged(stuck: pd.DataFrame, words: Words) -> dict[str, Any]:
    """Which stage is the bottleneck: more deals than expected, and longer stays than the year before.

    Parameters
    ----------
    stuck : `bottleneck` by stage

    Returns
    -------
    The arguments of `page.text`; where several stages are one, that with the most deals beyond the expected;
    where none is, the stage that comes nearest.
    """
    known = stuck[stuck["bottleneck"].notna()]
    if known.empty:
        return _CLOGGED["unknown"]
    found = known[_is_bottleneck(known)]
    crowded = known[known["low"] > 0]
    kind = "found" if len(found) else "crowded" if len(crowded) else "none"
    rows = {"found": found, "crowded": crowded, "none": known}[kind]
    top = rows.sort_values("bottleneck", kind="stable").iloc[-1]
    return {
        **_CLOGGED[kind],
        "stage": words.value("stage_name", top["stage_name"]),
        "wip": int(top["wip"]),
        "expected": float(top["expected"]),
        "interval": words.interval(top["low"], top["high"], "count"),
        "longer": words.fmt(top["dwell_change"], "days"),
    }


def _is_bottleneck(known: pd.DataFrame) -> pd.Series[bool]:
    """More deals than expected and longer stays, both beyond chance, several stages being looked at."""
    slower = (known["dwell_change"] > 0) & (benjamini_hochberg(known["p_value"]) < CHANCE)
    return (known["low"] > 0) & slower


_CLOGGED: dict[str, dict[str, Any]] = {
    "found": {
        "en": "{stage} is a bottleneck: {wip:count} deals are there, where {expected:count} were to be expected "
        "(95% interval of the surplus {interval}), and they stay {longer} longer than in the year before, both "
        "beyond chance.",
        "de": "{stage} ist ein Engpass: Dort liegen {wip:count} Deals, zu erwarten waren {expected:count} "
        "(95-%-Intervall des Überschusses {interval}), und sie bleiben {longer} länger als im Jahr davor, beides "
        "über den Zufall hinaus.",
    },
    "crowded": {
        "en": "No stage is a bottleneck. {stage} holds more deals than expected ({wip:count} instead of "
        "{expected:count}, 95% interval of the surplus {interval}), but that they stay longer than in the year "
        "before may be chance.",
        "de": "Keine Phase ist ein Engpass. In der Phase {stage} liegen mehr Deals als erwartet ({wip:count} "
        "statt {expected:count}, 95-%-Intervall des Überschusses {interval}), dass sie länger bleiben als im "
        "Jahr davor, kann aber Zufall sein.",
    },
    "none": {
        "en": "No stage is a bottleneck: nowhere do more deals lie than arrivals and the stays of the year "
        "before explain. {stage} comes nearest ({wip:count} deals, {expected:count} expected).",
        "de": "Keine Phase ist ein Engpass: Nirgends liegen mehr Deals, als Zugänge und die Aufenthalte des "
        "Vorjahres erklären. Am nächsten kommt {stage} ({wip:count} Deals, {expected:count} erwartet).",
    },
    "unknown": {
        "en": "Whether a stage is a bottleneck cannot be told: there are no stays of the year before to compare "
        "with.",
        "de": "Ob eine Phase ein Engpass ist, lässt sich nicht sagen: Aufenthalte des Jahres davor zum "
        "Vergleich fehlen.",
    },
}


def longest(dwell: pd.DataFrame, words: Words) -> dict[str, Any]:
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
        return _LONGEST["unknown"]
    top = known.sort_values("stage_dwell", kind="stable").iloc[-1]
    others = known[known["stage_name"] != top["stage_name"]]
    clear = bool((others["high"] < top["low"]).all())
    rival = others.sort_values("stage_dwell", kind="stable")["stage_name"].iloc[-1] if len(others) else ""
    return {
        **_LONGEST["alone" if others.empty else "clear" if clear else "unclear"],
        "stage": words.value("stage_name", top["stage_name"]),
        "median": top["stage_dwell"],
        "interval": words.interval(top["low"], top["high"], "days"),
        "rival": words.value("stage_name", rival),
    }


_LONGEST: dict[str, dict[str, Any]] = {
    "clear": {
        "en": "Deals stay longest in {stage}: half of them for more than {median:days} (95% interval {interval}), "
        "longer than in any other stage beyond chance",
        "de": "Am längsten bleiben Deals in der Phase {stage}: die Hälfte länger als {median:days} "
        "(95-%-Intervall {interval}), über den Zufall hinaus länger als in jeder anderen",
    },
    "unclear": {
        "en": "Deals stay longest in {stage} (median {median:days}, 95% interval {interval}), but the gap to "
        "{rival} may be chance",
        "de": "Am längsten bleiben Deals in der Phase {stage} (Median {median:days}, 95-%-Intervall {interval}), "
        "der Abstand zu {rival} kann aber Zufall sein",
    },
    "alone": {
        "en": "Deals stay in {stage} for a median of {median:days} (95% interval {interval})",
        "de": "In der Phase {stage} bleiben Deals im Median {median:days} (95-%-Intervall {interval})",
    },
    "unknown": {
        "en": "In no stage have enough stays ended to say how long deals stay there",
        "de": "In keiner Phase sind genug Aufenthalte beendet, um zu sagen, wie lange Deals dort bleiben",
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


def stuck_stages(stuck: pd.DataFrame) -> pd.DataFrame:
    """The columns of `bottleneck` that a reader needs."""
    names = ["stage_name", "wip", "expected", "bottleneck", "low", "high", "dwell_change"]
    return _columns(stuck, [*names, "p_value", "note"])


def _columns(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return table[[name for name in names if name in table.columns]]


def measures(
    page: Page,
    leakage: pd.DataFrame,
    conversion: pd.DataFrame,
    earlier: pd.DataFrame,
    stuck: pd.DataFrame,
) -> list[Measure | dict[str, Any] | None]:
    """Measures for bottlenecks, stalled deals, stages that convert worse than before."""
    return [
        *(_clear(row, page.words) for _, row in stuck[_is_bottleneck(stuck)].iterrows()),
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
    ]


def _clear(row: pd.Series[Any], words: Words) -> dict[str, Any]:
    stage, wip, expected = (
        words.value("stage_name", row["stage_name"]),
        int(row["wip"]),
        round(row["expected"]),
    )
    return {
        "measure": {
            "en": f"Find out what holds deals up in {stage}, and move people there until the surplus is gone.",
            "de": f"Klären, was Deals in der Phase {stage} aufhält, und dort Kräfte einsetzen, bis der Überschuss "
            "abgebaut ist.",
        },
        "rule": {
            "en": f"{wip} deals lie there, {expected} were to be expected, and they stay longer than before.",
            "de": f"Dort liegen {wip} Deals, zu erwarten waren {expected}, und sie bleiben länger als zuvor.",
        },
        "owner": "sales_manager",
        "metric": bottleneck,
    }


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
