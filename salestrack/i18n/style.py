"""What can be asked of a value's text: decimal places, a sign, the short form, no unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from salestrack.i18n.words import Words


@dataclass(frozen=True)
class Style:
    """How one value is to be written; see `fmt`."""

    digits: int | None = None
    signed: bool = False
    compact: bool = False
    bare: bool = False

    def places(self, default: int) -> int:
        """Decimal places, those of the unit where none are asked for."""
        return default if self.digits is None else self.digits


Writer: TypeAlias = "Callable[[Words, object, Style], str]"
"""What writes the values of one unit."""
