"""`python -m salestrack.exports` prints what each source fills and cannot carry: the tables of docs/sources/README.md."""

from salestrack.exports import sources

print(sources.markdown(), end="")
