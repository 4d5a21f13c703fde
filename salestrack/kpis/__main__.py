"""`python -m salestrack.kpis` prints the catalogue as Markdown: what README.md shows; `de` after it: in German."""

import sys

from salestrack.kpis._card import markdown

print(markdown("de" if "de" in sys.argv[1:] else "en"), end="")
