"""`python -m salestrack` is the command `salestrack`."""

from salestrack.cli import console

console()
