"""`python -m benchmarks [report | import_exports | german_csv | kpis]`: ratios against named rivals; without a name, all of them."""

from __future__ import annotations

import importlib
import sys

ALL = ("report", "import_exports", "german_csv", "kpis")


def main() -> None:
    """Runs the benchmarks named on the command line with the options that follow."""
    names = [sys.argv.pop(1)] if len(sys.argv) > 1 and sys.argv[1] in ALL else list(ALL)
    for name in names:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
