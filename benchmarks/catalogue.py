"""`python -m benchmarks.catalogue` writes docs/kpis.md: each card with its functions, tests, engines and measured ratios.

Tests are found by name: a test belongs to a KPI when its code calls it. Ratios stand in kpis.csv (`python -m benchmarks
kpis --save SIZE`).
"""

from __future__ import annotations

import ast
import csv
import re
from collections import defaultdict
from pathlib import Path

from benchmarks.kpis import RESULTS, rivals
from salestrack.kpis import CARDS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "kpis.md"
ENGINES = "pandas, Polars (eager and lazy), DuckDB, PySpark, Ibis"
RIVALS = {
    ("sql", "1M"): "SQL, 1 M",
    ("sql", "10M"): "SQL, 10 M",
    ("raw", "1M"): "raw SQL, 1 M",
    ("pandas", "1M"): "pandas, 1 M",
    ("frames", "1M"): "frames, 1 M",
    ("frames", "10k"): "frames, 10 k",
}
HEAD = """# The figures: tests, engines, speed

Written by `python -m benchmarks.catalogue`. The definitions: [README](../README.md#the-figures) and `salestrack kpi NAME --explain`.

Every figure is compared with plain SQL of its own (`tests/kpis/test_agreement*.py`, `-k NAME`) on {engines}
(the last two: `make test-engines`), with every grouping, on five small companies: ordinary, empty, of one row, full of NULLs, full
of ties. The rules and mistakes of each card have tests of their own, listed below.

Ratios of time, ours / by hand, in one interleaved run (see [benchmarks.md](benchmarks.md)): SQL = the best DuckDB SQL that we
could write for the figure alone, on the same Parquet files; raw SQL = the same from the exported history, where the figure uses
what the import makes of it; pandas = careful pandas that reads the columns it needs; frames = our figure from pandas frames in
memory against pandas on the same frames. “–”: the company of the benchmarks has no data for it (stated forecasts, days of
hiring, changes of territories), or the figure is a simulation.

"""


def tests_of() -> dict[str, list[str]]:
    """The tests of each KPI: functions below tests/ whose code names it."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                words = set(re.findall(r"\w+", ast.get_source_segment(text, node) or ""))
                words |= {w for d in node.decorator_list for w in re.findall(r"\w+", ast.unparse(d))}
                for name in words & CARDS.keys():
                    found[name].append(f"{path.relative_to(ROOT / 'tests')}: {node.name}")
    return found


def ratios() -> dict[tuple[str, str, str], str]:
    """Measured ratios by KPI, rival and size; from the exported history only those that have a way of their own."""
    if not RESULTS.exists():
        return {}
    own = {name for name, rival in rivals().items() if rival.raw}
    with RESULTS.open(encoding="utf-8", newline="") as file:
        return {
            (r["kpi"], r["against"], r["size"]): r["ratio"]
            for r in csv.DictReader(file)
            if r["against"] != "raw" or r["kpi"] in own
        }


def page() -> str:
    """The page as Markdown."""
    tests, measured = tests_of(), ratios()
    cards = sorted(CARDS.values(), key=lambda card: (card.number, card.name))
    lines = [HEAD.format(engines=ENGINES)]
    lines.append(f"| card | figure | own tests | {' | '.join(RIVALS.values())} |")
    lines.append("|---|---|---|" + "---|" * len(RIVALS))
    for card in cards:
        shown = " | ".join(measured.get((card.name, *key), "–") for key in RIVALS)
        lines.append(f"| {card.number} | `{card.name}` | {len(tests[card.name])} | {shown} |")
    lines.append("\n## Tests of each figure, besides the contract\n")
    for card in cards:
        lines += [f"**{card.number} `{card.name}`**", ""]
        lines += [f"* `{name}`" for name in tests[card.name]] or ["* the contract only"]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
