"""Which method gives the win probabilities, and why: too few deals, no signal, or a proven gain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from salestrack.models.additive import sigmoid

if TYPE_CHECKING:
    from salestrack.models import WinProbability


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
