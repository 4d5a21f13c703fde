"""The look: colours that pass WCAG contrast on white, sizes, and how figures become reproducible SVG."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1b2733"  # text and actual values, 15.2 : 1 on white
MUTED = "#56636f"  # secondary text, 6.2 : 1
PREVIOUS = "#b8c1ca"  # the previous year, fills only
FAINT = "#e3e7eb"  # grid lines, empty parts of a bar
ACCENT = "#0b5fa5"  # the one thing to look at, 6.6 : 1
GOOD = "#0072b2"  # blue and orange, not green and red
BAD = "#b34700"  # 5.5 : 1; the Okabe-Ito orange has only 3.9
PAPER = "#ffffff"

# Okabe-Ito; neighbours differ in lightness too; yellow is left out, it vanishes on white.
CATEGORIES = ("#0072b2", "#e69f00", "#1b2733", "#56b4e9", "#d55e00", "#009e73", "#cc79a7", "#8a949e")
HEAT = "cividis"

WIDTH = 7.2  # inches; 691 CSS pixels, so 9 pt are still 9.4 px on the narrowest page (34 rem)
TITLE_SIZE, DECK_SIZE, TEXT_SIZE, SMALL_SIZE = 13.0, 10.0, 10.0, 9.0
SMALL_N = 10  # groups below this are greyed
CLOUD = 300  # more points than this become one embedded picture

# Measured with the font that matplotlib ships (widest of the usual ones, the same on every machine),
# shown with the reader's own.
MEASURED_FONT = "DejaVu Sans"
READER_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

RC = {
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "font.family": "sans-serif",
    "font.sans-serif": [MEASURED_FONT],
    "font.size": TEXT_SIZE,
    "text.color": INK,
    "text.parse_math": False,  # "$" is money or a name from the CRM, never mathematics
    "axes.facecolor": PAPER,
    "axes.edgecolor": INK,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": False,
    "axes.unicode_minus": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": TEXT_SIZE,
    "ytick.labelsize": TEXT_SIZE,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 5,
    "ytick.major.pad": 5,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "hatch.linewidth": 1.2,
    "legend.frameon": False,
    "legend.fontsize": TEXT_SIZE,
    "svg.fonttype": "none",
    "svg.hashsalt": "salestrack",
    "path.simplify": True,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's look; settings of the session come back afterwards."""
    import warnings

    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+", category=UserWarning)
        warnings.filterwarnings("ignore", message="constrained_layout not applied", category=UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(cast(Any, RC))
        yield


def to_svg(figure: Figure) -> str:
    """The figure as one `<svg>` element; the same figure gives the same bytes (no date, no random ids)."""
    from io import StringIO

    buffer = StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with style():
        figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(f"font-family: '{MEASURED_FONT}', sans-serif; ", "")
    svg = svg.replace(f"'{MEASURED_FONT}', sans-serif", READER_FONTS)
    return svg.replace("<svg ", f'<svg style="font-family: {READER_FONTS}" ', 1)


def to_png(figure: Figure, dpi: int = 200) -> bytes:
    """The figure as a PNG, for mail and slides."""
    from io import BytesIO

    buffer = BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
