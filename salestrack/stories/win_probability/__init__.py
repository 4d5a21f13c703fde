"""What page 8 says of the win probability: which method, why, how good, what it means for open deals."""

from salestrack.stories.win_probability.accuracy import RELIABILITY, by_stage, methods
from salestrack.stories.win_probability.expected_value import bases, cards, past_bias
from salestrack.stories.win_probability.field_effects import effects, explained
from salestrack.stories.win_probability.headings import LABELS
from salestrack.stories.win_probability.method_choice import verdict
from salestrack.stories.win_probability.model_card import facts
from salestrack.stories.win_probability.next_steps import measures
from salestrack.stories.win_probability.open_deals import explained_deals, largest, reasons, too_old

__all__ = [
    "LABELS",
    "RELIABILITY",
    "bases",
    "by_stage",
    "cards",
    "effects",
    "explained",
    "explained_deals",
    "facts",
    "largest",
    "measures",
    "methods",
    "past_bias",
    "reasons",
    "too_old",
    "verdict",
]
