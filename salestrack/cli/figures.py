"""Commands that print figures: of a KPI, of other systems, of the quality of the data."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from salestrack.cli.group import CSV_OPTION, DATA_OPTION, JSON_OPTION, LANGUAGE, MONTH_OPTION, cli
from salestrack.errors import DATA, InputError
from salestrack.periods import WORDS, Period

if TYPE_CHECKING:
    import pandas as pd

    from salestrack.book import Book


@cli.command()
@click.argument("name", required=False)
@DATA_OPTION
@MONTH_OPTION
@click.option(
    "--by",
    metavar="COLUMN,…",
    help="Group by columns or period words: month, quarter, year, team, segment, …",
)
@click.option(
    "--period",
    metavar="PERIOD",
    help="2026-10, 2026-Q3, 2026 or 2026-01-01:2026-04-01 (default: the month given, else all; figures of a day, such as open_pipeline: all).",
)
@CSV_OPTION
@JSON_OPTION
@click.option("--explain", is_flag=True, help="Print the figure's definition instead.")
@click.option(
    "--language",
    type=LANGUAGE,
    default="en",
    show_default=True,
    help="Language of the definition and of the list.",
)
def kpi(
    name: str | None,
    data: Path,
    month: str | None,
    by: str | None,
    period: str | None,
    form: str | None,
    explain: bool,
    language: Any,
) -> None:
    """One figure as a table, or, without a NAME, the list of all figures."""
    from salestrack import kpis
    from salestrack.glossary import explained
    from salestrack.i18n import Words

    if name is None:
        width = max(map(len, kpis.CARDS))
        click.echo(
            "\n".join(
                f"{card.name:{width}}  {card.description(language)}" for _, card in sorted(kpis.CARDS.items())
            )
        )
        return
    if name not in kpis.CARDS:
        raise InputError.unknown_name("figure", name, sorted(kpis.CARDS))
    function = getattr(kpis, name)
    if explain:
        click.echo(explained(Words(language), kpis.CARDS[name]))
        return
    click.echo(printed(_kpi(function, data, month, by, period), form))


def _kpi(function: Any, data: Path, month: str | None, by: str | None, period: str | None) -> pd.DataFrame:
    from salestrack.book import Book

    with Book.for_month(data, month) as book:
        options: dict[str, Any] = {"by": [b.strip() for b in by.split(",")]} if by else {}
        if period:
            options["period"] = tuple(period.split(":")) if ":" in period else period
        elif (usual := _usual_period(function, book, month, options.get("by", ()))) is not None:
            options["period"] = usual
        return book.kpi(function, **options)


def _usual_period(function: Any, book: Book, month: str | None, by: Sequence[str]) -> Period | None:
    """The month asked for; none for rows per period and for figures of a day, but their quarter where they need one."""
    parameters = inspect.signature(function).parameters
    of_a_day = "as_of" in parameters and parameters["as_of"].default is inspect.Parameter.empty
    if parameters["period"].default is inspect.Parameter.empty:
        start = book.config.fiscal_year_start_month
        return book.month.containing("quarter", fiscal_year_start=start) if of_a_day else book.month
    in_time = any(word in WORDS for word in by)
    return book.month if month and not of_a_day and not in_time else None


@cli.command()
@DATA_OPTION
@MONTH_OPTION
@click.option("--language", type=LANGUAGE, help="Language of the text (default: the company's).")
@CSV_OPTION
@JSON_OPTION
def compare(data: Path, month: str | None, language: Any, form: str | None) -> None:
    """A month by our definitions beside what other systems would show, with the reason for each difference.

    For whoever has to explain why the figure in the CRM is another one.
    """
    from salestrack.book import Book
    from salestrack.compare import as_text
    from salestrack.compare import compare as compared
    from salestrack.i18n import Words

    with Book.for_month(data, month) as book:
        table = compared(book)
        words = Words(language or book.config.language, book.config.currency)
    click.echo(printed(table, form) if form else as_text(table, words))


@cli.command()
@DATA_OPTION
@MONTH_OPTION
@click.option("--json", "form", flag_value="json", help="Print JSON.")
def check(data: Path, month: str | None, form: str | None) -> None:
    """Data quality: freshness, what each load did with its rows, refused rows, facts that cannot be.

    Leaves with 0 when nothing is worse than a warning, else with 65.
    """
    from salestrack import quality
    from salestrack.book import Book

    with Book.for_month(data, month) as book:
        parts = {
            "freshness": quality.freshness(book),
            "loads": quality.loads(book),
            "amounts": quality.amounts(book),
            "quarantine": quality.quarantine(book),
            "notes": quality.notes(book),
            "checks": quality.plausibility(book),
        }
        level = quality.worst(book)
    if form == "json":
        click.echo(
            json.dumps(
                {"level": level} | {k: json.loads(printed(v, "json")) for k, v in parts.items()},
                ensure_ascii=False,
                indent=2,
            )
        )
    else:
        for title, table in parts.items():
            click.echo(f"{title}\n{printed(table, None) if len(table) else 'none'}\n")
        click.echo(f"level: {level}")
    if level == "fail":
        raise SystemExit(DATA)


def printed(table: pd.DataFrame, form: str | None) -> str:
    """A result as JSON, CSV or columns for the eye; unknown is null, empty or a dash."""
    table = table.copy()
    for column in table.select_dtypes("datetime").columns:
        table[column] = table[column].dt.strftime("%Y-%m-%d")
    if form == "json":
        rows = json.loads(table.to_json(orient="records", double_precision=15))
        return json.dumps(rows, ensure_ascii=False, indent=2)
    if form == "csv":
        return table.to_csv(index=False).rstrip("\n")
    shown = table.astype(object).where(table.notna(), "–")
    return shown.map(
        lambda v: f"{v:,.4f}" if isinstance(v, float) else f"{v:,}" if isinstance(v, int) else v
    ).to_string(index=False)
