"""`python -m salestrack.schema` prints the canonical tables as Markdown."""

from salestrack.schema import markdown

print(markdown(), end="")
