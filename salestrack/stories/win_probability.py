"""What page 8 says of the win probability: which method, why, how good, what it means for open deals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from salestrack.i18n import is_unknown
from salestrack.kpis import weighted_pipeline
from salestrack.markup import Html
from salestrack.models.additive import sigmoid

if TYPE_CHECKING:
    from salestrack.book import Book
    from salestrack.charts import Chart
    from salestrack.i18n import Words
    from salestrack.models import Reason, WinProbability
    from salestrack.page import Page

NOTHING = Html("", "")
OPTIMISM = 1.25  # weighted pipeline over the model's expected value from which planning with it misleads
LEAST_EFFECT = 0.005  # of probability: less is not shown
MOST = 10  # deals in a table
NAMED = 2  # reasons for and against that a row of the table names
UNITS = {"age_days": "days", "days_in_stage": "days", "amount": "money", "owner_win_rate": "share"}
COLUMNS = {
    "stage": "stage_name",
    "segment": "segment",
    "source": "lead_source",
}  # whose words a field's groups have
EFFECTS = {
    "en": "What moves the probability of the average deal, one field at a time",
    "de": "Was die Wahrscheinlichkeit des mittleren Deals verschiebt, je Merkmal für sich",
}
EFFECTS_NOTE = {
    "en": "Groups against the average deal; for numbers the step of one standard deviation that the label "
    "names. These are "
    "associations, not levers.",
    "de": "Gruppen gegenüber dem mittleren Deal; bei Zahlen der genannte Schritt um eine Standardabweichung. "
    "Das sind "
    "Zusammenhänge, keine Hebel.",
}
RELIABILITY = {
    "en": "Of the deals that were given a probability, so many were won",
    "de": "So viele der Deals mit einer bestimmten Wahrscheinlichkeit wurden gewonnen",
}
LABELS = {
    "against_base": {
        "en": "Gain on the base rate (95% interval)",
        "de": "Gewinn gegen Grundrate (95-%-Intervall)",
    },
    "against_stage": {
        "en": "Gain on the stage rate (95% interval)",
        "de": "Gewinn gegen Phasenrate (95-%-Intervall)",
    },
    "share": {"en": "Won", "de": "Gewonnen"},
    "model_share": {"en": "Model said", "de": "Modell sagte"},
    "crm_share": {"en": "CRM says now", "de": "CRM sagt jetzt"},
    "where": {"en": "Stage, age", "de": "Phase, Alter"},
    "reasons": {"en": "Main reasons (percentage points)", "de": "Hauptgründe (Prozentpunkte)"},
    "basis": {"en": "Counted as", "de": "Zählweise"},
    "open_share": {"en": "Share of the open value", "de": "Anteil am offenen Wert"},
    "fact": {"en": "Fact", "de": "Angabe"},
    "told": {"en": "Value", "de": "Wert"},
}


def verdict(found: WinProbability) -> dict[str, Any]:
    """Which method gives the probabilities and why, as the arguments of `page.text`."""
    why, name = found.why, str(found.why["verdict"])
    if len(found.scores) and found.scores["p_win"].isna().all():
        name = "nothing_learnt"
    if name == "no_signal" and "logistic_gain" not in why:
        name = "no_signal_of_stage"
    values = {key: value for key, value in why.items() if isinstance(value, float)}
    counts = {
        key: int(why[key]) for key in ("won", "not_won", "needed_for_stage", "needed_for_logistic", "tested")
    }
    rate = float(sigmoid(np.array([found.model.start]))[0])
    way = _WAY[str(why["scheme"])]
    texts = {key: text.replace("{way}", way[key]) for key, text in _VERDICTS[name].items()}
    return {**texts, **values, **counts, "rate": rate, "days": found.model.horizon_days}


_WAY = {
    "forward": {"en": "later snapshots", "de": "späteren Momentaufnahmen"},
    "by deal": {"en": "snapshots of deals held back", "de": "Momentaufnahmen zurückgehaltener Deals"},
    "none": {"en": "snapshots", "de": "Momentaufnahmen"},
}
_VERDICTS = {
    "nine_fields_win": {
        "en": "Nine fields of a deal tell more than its stage: on {tested} {way} they lowered the log loss "
        "by "
        "{logistic_gain:score} (standard error {logistic_standard_error:score}), so each deal has its own "
        "probability.",
        "de": "Neun Merkmale sagen mehr über einen Deal als seine Phase: Auf {tested} {way} senkten sie den "
        "Log-Loss um "
        "{logistic_gain:score} (Standardfehler {logistic_standard_error:score}); jeder Deal hat deshalb "
        "seine eigene "
        "Wahrscheinlichkeit.",
    },
    "no_signal_beyond_stage": {
        "en": "No signal beyond the stage: on {tested} {way} nine fields lowered the log loss by "
        "{logistic_gain:score} "
        "(standard error {logistic_standard_error:score}), which is not a proven gain, so each deal has the "
        "rate of its "
        "stage.",
        "de": "Kein Signal jenseits der Phase: Auf {tested} {way} senkten neun Merkmale den Log-Loss um "
        "{logistic_gain:score} "
        "(Standardfehler {logistic_standard_error:score}), was kein belegter Gewinn ist; jeder Deal hat "
        "deshalb die Rate "
        "seiner Phase.",
    },
    "no_signal": {
        "en": "No signal beyond the base rate: on {tested} {way} the stage lowered the log loss by "
        "{stage_gain:score} (standard "
        "error {stage_standard_error:score}) and nine fields by {logistic_gain:score} "
        "({logistic_standard_error:score}), "
        "neither a proven gain, so every deal has the same probability, {rate:share}.",
        "de": "Kein Signal jenseits der Grundrate: Auf {tested} {way} senkte die Phase den Log-Loss um "
        "{stage_gain:score} "
        "(Standardfehler {stage_standard_error:score}), neun Merkmale um {logistic_gain:score} "
        "({logistic_standard_error:score}), beides kein belegter Gewinn; alle Deals haben deshalb dieselbe "
        "Wahrscheinlichkeit, {rate:share}.",
    },
    "no_signal_of_stage": {
        "en": "No signal beyond the base rate: on {tested} {way} the stage lowered the log loss by "
        "{stage_gain:score} (standard "
        "error {stage_standard_error:score}), which is not a proven gain, so every deal has the same "
        "probability, "
        "{rate:share}.",
        "de": "Kein Signal jenseits der Grundrate: Auf {tested} {way} senkte die Phase den Log-Loss um "
        "{stage_gain:score} "
        "(Standardfehler {stage_standard_error:score}), was kein belegter Gewinn ist; alle Deals haben "
        "deshalb dieselbe "
        "Wahrscheinlichkeit, {rate:share}.",
    },
    "too_few_for_fields": {
        "en": "Too few deals for more than the stage: {won} won and {not_won} not won are known, "
        "{needed_for_logistic} of each "
        "are needed; each deal has the rate of its stage.",
        "de": "Zu wenige Deals für mehr als die Phase: {won} gewonnene und {not_won} nicht gewonnene sind "
        "bekannt, je "
        "{needed_for_logistic} sind nötig; jeder Deal hat die Rate seiner Phase.",
    },
    "too_few_deals": {
        "en": "Too few deals to tell them apart: {won} won and {not_won} not won are known, "
        "{needed_for_stage} of each are "
        "needed; every deal has the base rate, {rate:share}, and its interval says how little that is.",
        "de": "Zu wenige Deals, um sie zu unterscheiden: {won} gewonnene und {not_won} nicht gewonnene sind "
        "bekannt, je "
        "{needed_for_stage} sind nötig; alle Deals haben die Grundrate, {rate:share}, und ihr Intervall "
        "zeigt, wie wenig "
        "das sagt.",
    },
    "nothing_learnt": {
        "en": "No probability can be given yet: no deal was open {days} days ago, so none has an outcome to "
        "learn from.",
        "de": "Noch lässt sich keine Wahrscheinlichkeit angeben: Vor {days} Tagen war kein Deal offen, es "
        "gibt also keinen "
        "Ausgang, aus dem sich lernen ließe.",
    },
}


def weighted_by_crm(book: Book) -> float:
    """`weighted_pipeline` with the CRM's probabilities; NaN where there are none."""
    return float(book.kpi(weighted_pipeline)["weighted_pipeline"].iloc[0])


def expected(found: WinProbability | None) -> float:
    """Expected won value of the open deals; NaN where it is unknown."""
    known = (
        found.scores["expected_value"].dropna().astype(float) if found is not None else pd.Series(dtype=float)
    )
    return float(known.sum()) if len(known) else math.nan


def cards(page: Page, found: WinProbability) -> list[Html]:
    """Expected won value by quarter end and within the horizon, and by the CRM; none without deals."""
    if found.scores.empty:
        return []
    near, n = found.by_quarter_end, len(found.scores)
    until = page.words.fmt(_last_day(near), "date") if near is not None else ""
    days = found.model.horizon_days
    told: list[tuple[float, dict[str, str], dict[str, str]]] = [
        (
            expected(found),
            {"en": f"Expected within {days} days", "de": f"Erwartet binnen {days} Tagen"},
            {"en": "amount times probability, summed", "de": "Betrag mal Wahrscheinlichkeit, summiert"},
        ),
        (
            weighted_by_crm(page.book),
            {"en": "Weighted by the CRM", "de": "Gewichtet nach CRM"},
            {"en": "no date: whenever it closes", "de": "ohne Datum: wann immer geschlossen wird"},
        ),
    ]
    if near is not None:
        told.insert(
            0, (expected(near), {"en": f"Expected until {until}", "de": f"Erwartet bis {until}"}, told[0][2])
        )
    return [
        page.card(
            pd.DataFrame({"expected_value": [value], "n": [n]}), "expected_value", label=label, note=note
        )
        for value, label, note in told
    ]


def _last_day(found: WinProbability) -> pd.Timestamp:
    return pd.Timestamp(found.card.as_of) + pd.Timedelta(days=found.model.horizon_days)


def bases(book: Book, found: WinProbability, words: Words) -> pd.DataFrame:
    """The open pipeline in full, by the CRM and by the model: `basis`, `value`, `open_share`."""
    if found.scores.empty:
        return pd.DataFrame()
    whole = float(found.scores["amount_base"].sum())
    near = found.by_quarter_end
    rows = [
        ("open", whole, ""),
        ("crm", weighted_by_crm(book), ""),
        ("model", expected(found), found.model.horizon_days),
    ]
    rows += [("near", expected(near), words.fmt(_last_day(near), "date"))] if near is not None else []
    told = [
        (_BASES[name][words.language].format(by=by), value, value / (whole or math.nan))
        for name, value, by in rows
    ]
    return pd.DataFrame(told, columns=["basis", "value", "open_share"])


_BASES = {
    "open": {"en": "Open value in full", "de": "Offener Wert voll gezählt"},
    "crm": {
        "en": "Weighted by the CRM's probability of the stage (ever won)",
        "de": "Gewichtet mit der Phasenwahrscheinlichkeit des CRM (irgendwann gewonnen)",
    },
    "model": {"en": "Model: won within {by} days", "de": "Modell: gewonnen binnen {by} Tagen"},
    "near": {"en": "Model: won until {by}", "de": "Modell: gewonnen bis {by}"},
}


def methods(found: WinProbability, words: Words) -> pd.DataFrame:
    """How good each method was on what it had not seen, gains with their 95 % intervals in words.

    Returns
    -------
    `rung`, `brier`, `log_loss`, `against_base`, `against_stage`; no row where nothing could be tested.
    """
    rows = found.evaluation[found.evaluation["n"] > 0].astype({"rung": "str"})
    against = {
        "against_base": [
            _gain(*ends, words) for ends in zip(rows["skill_vs_base"], rows["low"], rows["high"], strict=True)
        ],
        "against_stage": [
            _gain(*ends, words)
            for ends in zip(rows["skill_vs_stage"], rows["stage_low"], rows["stage_high"], strict=True)
        ],
    }
    return rows.assign(**against)[["rung", "brier", "log_loss", *against]].reset_index(drop=True)


def _gain(value: float, low: float, high: float, words: Words) -> str:
    """`+4.2% (+2.9 to +5.6%)`; `–` where there is nothing simpler to compare with."""
    if is_unknown(value):
        return "–"
    ends = words.interval(low, high, "share", signed=True)
    return f"{words.fmt(value, 'change')} ({ends})"


def by_stage(book: Book, found: WinProbability) -> pd.DataFrame:
    """Said and happened by stage, beside the CRM's mean probability of today's open deals."""
    if found.by_stage.empty:
        return pd.DataFrame()
    now = (
        book.deals.filter("status = 'open'")
        .aggregate("stage_name, min(stage_order) AS stage_order, avg(probability) AS crm_share", "stage_name")
        .df()
    )
    table = found.by_stage.assign(model_share=found.by_stage[f"p_{found.rung}"]).merge(
        now, on="stage_name", how="left"
    )
    return table.sort_values(["stage_order", "stage_name"], ignore_index=True)[
        ["stage_name", "model_share", "share", "crm_share", "n"]
    ]


def effects(found: WinProbability, words: Words) -> pd.DataFrame:
    """Effects of half a point and more on the average deal's probability; none of the base rate.

    Formula: p(start + effect) - p(start).

    Returns
    -------
    `effect` (in words) and `effect_on_probability` (-1 to 1).
    """
    start = found.model.start
    rows = [
        (
            _effect_name(row, words),
            float(sigmoid(np.array([start + row["log_odds"]]))[0] - sigmoid(np.array([start]))[0]),
        )
        for _, row in found.coefficients.iterrows()
    ]
    table = pd.DataFrame(rows, columns=["effect", "effect_on_probability"]).astype(
        {"effect_on_probability": float}
    )
    return table[table["effect_on_probability"].abs() >= LEAST_EFFECT].reset_index(drop=True)


def explained(page: Page, found: WinProbability) -> Chart | Html:
    """The chart of the `effects`; one sentence where no field has one."""
    table = effects(found, page.words)
    if table.empty:
        return page.text(
            en="No field has a proven effect, so nothing speaks for one deal more than for another.",
            de="Kein Merkmal hat eine belegte Wirkung; für keinen Deal spricht mehr als für andere.",
        )
    return page.bars(table, x="effect_on_probability", y="effect", title=EFFECTS, note=EFFECTS_NOTE)


def explained_deals(page: Page, found: WinProbability) -> Html:
    """The table of the `reasons`; nothing where no field has an effect."""
    table = reasons(found, page.words)
    return NOTHING if table.empty else page.table(table, labels=LABELS)


def _effect_name(row: pd.Series[Any], words: Words) -> str:
    field = str(row["field"])
    if not math.isnan(float(row["scale"])):
        middle, more = (_said(field, math.expm1(row["mean"] + step), words) for step in (0.0, row["scale"]))
        return f"{words.value('field', field)}: {more} {_INSTEAD[words.language]} {middle}"
    return f"{words.value('field', field)}: {_said(field, row['level'], words)}"


_INSTEAD = {"en": "instead of", "de": "statt"}


def _said(field: str, value: object, words: Words) -> str:
    """A field's value in words."""
    if field in COLUMNS:
        return words.value(COLUMNS[field], value)
    unit = UNITS.get(field, "number")
    if unit == "days":
        return words.fmt(value if is_unknown(value) else round(float(value)), unit)  # type: ignore[arg-type]
    return words.fmt(value, unit, compact=True, **({"digits": 0} if unit == "share" else {}))


def largest(found: WinProbability, words: Words, most: int = MOST) -> pd.DataFrame:
    """The open deals of the largest amount with stage, age, probability, interval, expected value."""
    rows = _largest(found, most)
    where = [
        f"{words.value('stage_name', stage)}, {_said('age_days', age, words)}"
        for stage, age in zip(rows["stage_name"], rows["age_days"], strict=True)
    ]
    return rows.assign(where=where)[
        ["deal_name", "where", "amount_base", "p_win", "low", "high", "expected_value"]
    ]


def reasons(found: WinProbability, words: Words, most: int = MOST) -> pd.DataFrame:
    """Why the same deals have their probability; no row where no field has an effect."""
    rows = _largest(found, most)
    told = [
        _reasons(up, down, words) for up, down in zip(rows["reasons_up"], rows["reasons_down"], strict=True)
    ]
    table = rows.assign(reasons=told)[["deal_name", "p_win", "reasons"]]
    return table if any(told) else table.head(0)


def _largest(found: WinProbability, most: int) -> pd.DataFrame:
    rows = found.scores.dropna(subset=["amount_base"]).sort_values(
        ["amount_base", "deal_id"], ascending=[False, True]
    )
    return rows.head(most).reset_index(drop=True)


def _reasons(up: Sequence[Reason], down: Sequence[Reason], words: Words) -> str:
    """`Time in stage 1 day (+35), Stage Negotiation (+16); Age 400 days (−4)`."""
    named = [*up[:NAMED], *down[:NAMED]]
    return ", ".join(
        f"{words.value('field', r.field)} {_said(r.field, r.value, words)} "
        f"({words.fmt(r.effect, 'points', signed=True)})"
        for r in named
        if abs(r.effect) >= 0.5
    )


def too_old(found: WinProbability) -> dict[str, Any]:
    """How many open deals are older than any deal was when it was won."""
    old = found.scores[found.scores["older_than_any_win"].astype(bool)] if len(found.scores) else found.scores
    if old.empty:
        return {
            "en": "No open deal is older than the oldest that was ever won.",
            "de": "Kein offener Deal ist älter als der älteste, der je gewonnen wurde.",
        }
    return {
        "en": "Open deals that are older than any deal was when it was won: {n}, worth {value:money}; "
        "the model still expects {expected:money} of them, which nothing in the past backs.",
        "de": "Offene Deals, die älter sind als jeder Deal, als er gewonnen wurde: {n}, zusammen "
        "{value:money}; "
        "das Modell erwartet davon noch {expected:money}, was die Vergangenheit nicht stützt.",
        "n": len(old),
        "value": float(old["amount_base"].sum()),
        "expected": float(old["expected_value"].sum()),
    }


def facts(found: WinProbability, words: Words) -> pd.DataFrame:
    """The model card as `fact` and `told`: what was learnt from, how it was tested, what was refused."""
    card = found.card
    if not card.snapshots["all"]:
        return pd.DataFrame()

    def day(value: Any) -> str:
        return words.fmt(value, "date")

    def count(value: Any) -> str:
        return words.fmt(value, "count")

    said = {
        "window": f"{day(card.first_snapshot)} {words.text('to')} {day(card.last_training_snapshot)}",
        "deals": " / ".join(count(card.deals[name]) for name in ("won", "lost", "open")),
        "snapshots": f"{count(card.snapshots['fitted'])} / {count(card.snapshots['tested'])}",
        "scheme": _SCHEMES[card.scheme][words.language],
        "fields": ", ".join(words.value("field", field) for field in card.fields) or "–",
        "refused": ", ".join(words.value("field", field) for field in card.refused) or "–",
        "leaks": ", ".join(dict.fromkeys(words.label(str(leak["column"])) for leak in card.leak_scan)) or "–",
        "data": card.data_sha256[:12],
    }
    return pd.DataFrame(
        [(_FACTS[key][words.language], text) for key, text in said.items()], columns=["fact", "told"]
    )


_SCHEMES = {
    "forward": {
        "en": "forward in time: learnt before, tested after",
        "de": "in der Zeit vorwärts: vorher gelernt, nachher geprüft",
    },
    "by deal": {
        "en": "by deal, in five parts (history too short to test forward)",
        "de": "nach Deals, in fünf Teilen (Verlauf zu kurz für Prüfung in der Zeit)",
    },
    "none": {"en": "not tested: too few deals", "de": "nicht geprüft: zu wenige Deals"},
}
_FACTS = {
    "window": {"en": "Learnt from snapshots of", "de": "Gelernt aus Momentaufnahmen vom"},
    "deals": {"en": "Deals won / lost / open", "de": "Deals gewonnen / verloren / offen"},
    "snapshots": {"en": "Snapshots learnt from / tested", "de": "Momentaufnahmen gelernt / geprüft"},
    "scheme": {"en": "Tested", "de": "Geprüft"},
    "fields": {"en": "Fields in use", "de": "Verwendete Merkmale"},
    "refused": {
        "en": "Fields refused (they know the outcome)",
        "de": "Abgewiesene Merkmale (sie kennen den Ausgang)",
    },
    "leaks": {
        "en": "Columns that know the outcome, never used",
        "de": "Spalten, die den Ausgang kennen, nie verwendet",
    },
    "data": {"en": "Fingerprint of the data", "de": "Fingerabdruck der Daten"},
}


def measures(book: Book, found: WinProbability, words: Words) -> list[dict[str, Any]]:
    """What the probabilities call for: close the overaged, plan with the model, record more."""
    if found.scores.empty:
        return []
    old = too_old(found)
    crm, model = weighted_by_crm(book), expected(found)
    ratio = crm / model if model else math.nan
    made = []
    if "n" in old:
        made.append(
            {
                "measure": {
                    "en": "Close the overaged deals or open them anew with a fresh reason to buy.",
                    "de": "Überalterte Deals schließen oder mit neuem Kaufgrund neu anlegen.",
                },
                "rule": {
                    "en": f"Open deals older than any that was won: {old['n']}.",
                    "de": f"Offene Deals, die älter sind als jeder gewonnene: {old['n']}.",
                },
                "owner": "team_lead",
                "metric": "open_pipeline",
            }
        )
    if ratio > OPTIMISM:
        times = words.fmt(ratio, "ratio")
        made.append(
            {
                "measure": {
                    "en": "Plan with the probabilities of this page, not with those of the CRM's stages.",
                    "de": "Mit den Wahrscheinlichkeiten dieser Seite planen, nicht mit denen der CRM-Phasen.",
                },
                "rule": {
                    "en": f"The CRM's weighted value is {times} what the model expects in "
                    f"{found.model.horizon_days} days.",
                    "de": f"Der gewichtete CRM-Wert ist das {times} dessen, was das Modell in "
                    f"{found.model.horizon_days} Tagen erwartet.",
                },
                "owner": "finance",
                "metric": {"en": "Expected value against won value", "de": "Erwartungswert gegen Gewonnenes"},
            }
        )
    if found.rung != "logistic":
        made.append(
            {
                "measure": {
                    "en": "Record stage changes, activities and lost deals completely, and judge again next "
                    "quarter.",
                    "de": "Phasenwechsel, Aktivitäten und Verluste vollständig erfassen und im nächsten "
                    "Quartal neu prüfen.",
                },
                "rule": {
                    "en": "The fields of a deal say no more than its stage or the base rate.",
                    "de": "Die Merkmale eines Deals sagen nicht mehr als seine Phase oder die Grundrate.",
                },
                "owner": "sales_operations",
                "metric": {"en": "Log loss against the stage rate", "de": "Log-Loss gegen die Phasenrate"},
            }
        )
    return made
