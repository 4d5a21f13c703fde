"""The command line: arguments in, one call, its result or one sentence out."""

from salestrack.cli import figures, files, reports, worlds  # each adds its commands to the group
from salestrack.cli.group import cli
from salestrack.cli.leaving import console, main

__all__ = ["cli", "console", "figures", "files", "main", "reports", "worlds"]
