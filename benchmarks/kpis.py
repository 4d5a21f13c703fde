"""Every KPI against the same figure by hand: DuckDB SQL, SQL from the raw history, plain pandas.

    python -m benchmarks kpis --data DIR [--against sql pandas frames] [--only win_rate …] [--rounds 3]

The tables are the Book's as of the last day of the data, written as Parquet once per generation of the store.
`sql`: KPI on DuckDB relations over these files against SQL over the same files. `pandas`: the same against pandas
that reads the columns it needs from files with types of its own.
`frames`: KPI on pandas frames in memory against pandas on the same frames. Calls take turns; a KPI's ratio is that
of the medians. `memory` runs the whole catalogue in a process of its own, ours and by hand in turn.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import inspect
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from benchmarks.pairs import compare, report
from benchmarks.rivals import Rival
from salestrack import kpis
from salestrack.book import Book

TOPICS = (
    "winning",
    "cycle",
    "leads",
    "stages",
    "leakage",
    "pipeline",
    "history",
    "forecast",
    "growth",
    "sizes",
    "losses",
    "expansion",
    "quotas",
    "activities",
    "landmark",
    "customers",
    "market",
    "territories",
)
RAW = {name: name for name in ("deal_stage_history", "deal_field_history", "stages")} | {"deal_rows": "deals"}
"""What lies in the store as it was read, also deals that were deleted."""
PLAIN = {"DATE": "TIMESTAMP", "DECIMAL": "DOUBLE"}
"""What pandas would otherwise hold as Python objects."""
RESULTS = Path(__file__).parent / "kpis.csv"
Call = Callable[[], pd.DataFrame]


def rivals() -> dict[str, Rival]:
    """All rivals by the name of the KPI."""
    return {
        name: rival
        for topic in TOPICS
        for name, rival in importlib.import_module(f"benchmarks.rivals.{topic}").RIVALS.items()
    }


class Tables:
    """A company's tables as of its last day as Parquet files, and the ways to look at them."""

    def __init__(self, data: Path, names: set[str], memory: str = "") -> None:
        with Book.open(data) as book:
            self.folder = data / "benchmark" / book.store.generation
            (self.folder / "pandas").mkdir(parents=True, exist_ok=True)
            self.as_of, self.fiscal = book.as_of, book.config.fiscal_year_start_month
            for name in sorted(names):
                if not self.path(name).exists():
                    relation = (
                        book.sql(f"SELECT * FROM stored.{RAW[name]}") if name in RAW else book.table(name)
                    )
                    relation.write_parquet(str(self.path(name)))
        self.con = duckdb.connect()
        self.con.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        if memory:
            self.con.execute("SET memory_limit = ?", [memory])
        for name in sorted(names):
            self.con.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{self.path(name)}')")

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"

    def relation(self, name: str) -> Any:
        return self.con.table(name)

    def frame(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        """What pandas reads: only the columns it needs, with types that pandas works with fast."""
        path = self.folder / "pandas" / f"{name}.parquet"
        if not path.exists():
            self._plain(name).write_parquet(str(path))
        return pd.read_parquet(path, columns=columns)

    def _plain(self, name: str) -> Any:
        """The table with dates as timestamps and decimals as floats: converted once, not in each call."""
        x = self.relation(name)
        kinds = {
            c: PLAIN.get(str(t).partition("(")[0], str(t)) for c, t in zip(x.columns, x.types, strict=True)
        }
        return x.project(", ".join(f'CAST("{c}" AS {kind}) AS "{c}"' for c, kind in kinds.items()))


def _kpi(name: str, rival: Rival, tables: Tables, frame: Callable[[str], Any]) -> Call:
    function = getattr(kpis, name)
    known = inspect.signature(function).parameters
    given = [p.name for p in known.values() if p.kind is p.POSITIONAL_OR_KEYWORD and p.name in rival.reads]
    fixed = {"as_of": tables.as_of} if "as_of" in known else {}
    fixed |= {"fiscal_year_start": tables.fiscal} if "fiscal_year_start" in known else {}
    return lambda: function(**{table: frame(table) for table in given}, **(fixed | rival.options))


def ways(name: str, rival: Rival, tables: Tables, against: str) -> tuple[Call, Call]:
    """The KPI and the way by hand, each as a call."""
    if against == "frames":
        frames = {table: tables.frame(table) for table in rival.reads}
        return _kpi(name, rival, tables, frames.__getitem__), lambda: rival.pandas(**frames)
    ours = _kpi(name, rival, tables, tables.relation)
    if against == "pandas":
        return ours, lambda: rival.pandas(**{t: tables.frame(t, c) for t, c in rival.reads.items()})
    text = (rival.raw if against == "raw" and rival.raw else rival.sql).replace(
        "{as_of}", f"DATE '{tables.as_of}'"
    )
    finish = rival.finish
    if finish is None:
        return ours, lambda: tables.con.execute(text).df()
    return ours, lambda: finish(tables.con.execute(text).df())


def check(name: str, ours: pd.DataFrame, hand: pd.DataFrame) -> None:
    """Stops when the way by hand gives another number, or lacks one: then it is no rival."""
    ours = ours[ours["n"] > 0] if "n" in ours and len(ours) > len(hand) else ours  # groups without a row
    numbers = list(ours.select_dtypes("number").columns.drop("stage_order", errors="ignore"))
    least = max(1e-9, 1e-15 * float(np.nanmax(np.abs(ours[numbers].to_numpy(dtype=float)), initial=0)))
    for column in numbers:
        a, b = (np.asarray(t[column], dtype=float) for t in (ours, hand))
        if len(a) != len(b) or not np.allclose(a, b, rtol=1e-9, atol=least, equal_nan=True):
            sys.exit(f"{name}: {column} differs by hand\n{ours[numbers]}\n{hand[numbers]}")


def measure(ours: Call, hand: Call, rounds: int) -> tuple[float, float]:
    """Median seconds of each, in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, kept in zip((ours, hand), times, strict=True):
            start = time.perf_counter()
            call()
            kept.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="a company, for example from `salestrack world`"
    )
    parser.add_argument(
        "--against", nargs="+", default=["sql"], choices=["sql", "raw", "pandas", "frames", "memory"]
    )
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", default="", help="what DuckDB may take, ours and by hand: 500MB")
    parser.add_argument("--save", help="a word for the size, under which the ratios are kept in kpis.csv")
    parser.add_argument(
        "--catalogue", choices=["ours", "sql", "raw", "pandas"], help="only run it all once, this way"
    )
    args = parser.parse_args()
    chosen = {n: r for n, r in rivals().items() if not args.only or n in args.only}
    if args.against == ["memory"]:
        return _memory(args.data, args.rounds, args.memory)
    tables = Tables(args.data, {t for r in chosen.values() for t in r.reads} | {"deals", *RAW}, args.memory)
    if args.catalogue:
        against = "sql" if args.catalogue == "ours" else args.catalogue
        for name, rival in chosen.items():
            ways(name, rival, tables, against)[args.catalogue != "ours"]()
        return None
    for against in args.against:
        _print(against, chosen, tables, args.rounds, args.save)
    return None


def _print(against: str, chosen: dict[str, Rival], tables: Tables, rounds: int, save: str | None) -> None:
    found: dict[str, tuple[float, float]] = {}
    print(f"{'against ' + against:32}   ratio      ours   by hand")
    for name, rival in chosen.items():
        ours, hand = ways(name, rival, tables, against)
        check(name, ours(), hand())
        found[name] = measure(ours, hand, rounds)
        print(
            f"{name:32} {found[name][0] / found[name][1]:7.2f} {found[name][0] * 1e3:7.0f} ms {found[name][1] * 1e3:7.0f} ms",
            flush=True,
        )
    ratios = [a / b for a, b in found.values()]
    total = [sum(times) for times in zip(*found.values(), strict=True)]
    print(f"{'geometric mean':32} {statistics.geometric_mean(ratios):7.2f}")
    print(
        f"{'the catalogue as a whole':32} {total[0] / total[1]:7.2f} {total[0] * 1e3:7.0f} ms {total[1] * 1e3:7.0f} ms"
    )
    print(f"{'most over the rival':32} {max(a - b for a, b in found.values()) * 1e3:7.0f} ms")
    if save:
        _keep({(name, against, save): f"{a / b:.2f}" for name, (a, b) in found.items()})


def _keep(new: dict[tuple[str, str, str], str]) -> None:
    """Brings kpis.csv up to date: KPI, rival, size, ratio."""
    old: dict[tuple[str, str, str], str] = {}
    if RESULTS.exists():
        with RESULTS.open(encoding="utf-8", newline="") as file:
            old = {(r["kpi"], r["against"], r["size"]): r["ratio"] for r in csv.DictReader(file)}
    with RESULTS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kpi", "against", "size", "ratio"])
        writer.writerows([*key, ratio] for key, ratio in sorted((old | new).items()))


def _memory(data: Path, rounds: int, memory: str) -> None:
    def command(way: str) -> list[str]:
        own = [sys.executable, "-m", "benchmarks", "kpis", "--data", str(data), "--catalogue", way]
        return [*own, "--memory", memory]

    for way in ("sql", "raw", "pandas"):
        print(
            report(
                f"the whole catalogue in a process of its own: salestrack / {way}",
                *compare(command("ours"), command(way), rounds=rounds),
            )
        )


if __name__ == "__main__":
    main()
