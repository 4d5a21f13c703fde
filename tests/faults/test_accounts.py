"""Nothing is lost: whatever rows, however damaged, in whatever order of delivery, every row and every cent is accounted for."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from source_files import imported, rows

CONFIG = '[company]\nname = "T"\ncurrency = "EUR"\n[import]\nmax_quarantine_share = 1.0\n'
HEADER = "deal_id,deal_name,status,amount,currency_code,created_at,updated_at\n"
CREATED = "2026-01-05T09:00:00Z"


@dataclass(frozen=True)
class Row:
    """One row of an export: the version of a deal that was changed last on a day, and what is wrong with the row."""

    deal: int
    day: int
    cents: int
    fault: str

    def text(self) -> str:
        """The row as CSV."""
        amount = {"amount": "a lot", "blank amount": ""}.get(self.fault, str(Decimal(self.cents) / 100))
        deal = "" if self.fault == "id" else f"D{self.deal}"
        created = "2026-02-30" if self.fault == "day" else CREATED
        more = ",x,y" if self.fault == "width" else ""
        return f"{deal},Deal {self.deal},open,{amount},EUR,{created},2026-03-{self.day:02}T10:00:00Z{more}\n"

    @property
    def amount(self) -> Decimal:
        """What the row adds to its file's amounts: nothing where its amount cannot be read."""
        return Decimal() if self.fault in ("amount", "blank amount", "width") else Decimal(self.cents) / 100

    @property
    def good(self) -> bool:
        """Whether the row tells a fact."""
        return self.fault in ("", "blank amount")


def _rows(draw: st.DrawFn) -> list[Row]:
    """Rows of which no two tell different things of the same deal and time."""
    faults = st.sampled_from(["", "", "", "", "amount", "blank amount", "id", "day", "width"])
    keys = draw(
        st.lists(st.tuples(st.integers(1, 6), st.integers(1, 28)), min_size=1, max_size=12, unique=True)
    )
    made = [Row(deal, day, draw(st.integers(-10_000, 10_000_000)), draw(faults)) for deal, day in keys]
    again = draw(st.lists(st.sampled_from(made), max_size=4))
    return made + again


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[list[Row], bool]]:
    """Files in the order of their names: their rows, and whether a total closes them."""
    every = draw(st.permutations(_rows(draw)))
    cuts = sorted(draw(st.lists(st.integers(0, len(every)), max_size=2)))
    parts = [every[a:b] for a, b in zip([0, *cuts], [*cuts, len(every)], strict=True)]
    return [(list(part), draw(st.booleans())) for part in parts if part]


def _file(part: list[Row], total: bool) -> str:
    return HEADER + "".join(row.text() for row in part) + ("Total,,,99.00,,,\n" if total else "")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(deliveries())
def test_every_row_and_every_cent_is_accounted_for(parts: list[tuple[list[Row], bool]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files: dict[str, str | bytes] = {f"deals_{n}.csv": _file(*part) for n, part in enumerate(parts)}
        log = {found.file: found for found in imported(folder, files, CONFIG).files}
        stored = rows(folder, "deals", "deal_id, amount")
    for n, (part, total) in enumerate(parts):
        found = log[f"deals_{n}.csv"]
        assert found.rows_read == len(part) + total
        uses = (found.accepted, found.superseded, found.quarantined, found.footer)
        assert sum(uses) == found.rows_read
        assert found.quarantined == sum(not row.good for row in part)
        sums = found.amounts.get("amount", {})
        assert sum(map(Decimal, sums.values()), Decimal()) == sum((row.amount for row in part), Decimal())
    newest = {
        row.deal: row for row in sorted((r for p, _ in parts for r in p if r.good), key=lambda r: r.day)
    }
    amount = {"": lambda row: Decimal(row.cents) / 100, "blank amount": lambda row: None}
    assert stored == sorted((f"D{deal}", amount[row.fault](row)) for deal, row in newest.items())
