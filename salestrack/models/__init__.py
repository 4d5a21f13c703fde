"""Win probability: point-in-time snapshots, three rungs, an honest gate, a card."""

from salestrack.models.additive import AdditiveModel
from salestrack.models.card import ModelCard
from salestrack.models.reasons import Reason
from salestrack.models.win import WinProbability, fit_frames, win_probability

__all__ = ["AdditiveModel", "ModelCard", "Reason", "WinProbability", "fit_frames", "win_probability"]
