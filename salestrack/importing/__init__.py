"""Importing a company's raw files into its store: nothing when nothing changed, else all or nothing."""

from salestrack.importing.company import import_company
from salestrack.importing.raw import raw_files
from salestrack.importing.result import FileResult, ImportResult

__all__ = ["FileResult", "ImportResult", "import_company", "raw_files"]
