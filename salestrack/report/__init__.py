"""From notebooks to a published report: run (papermill), render (nbconvert), publish (all or nothing).

Importing this package loads nothing of Jupyter; `run_report` does, quickly, when it is called.
"""

from salestrack.report.run import run_report

__all__ = ["run_report"]
