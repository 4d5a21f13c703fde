"""The command line: arguments in, one call, its result or one sentence out."""

from __future__ import annotations

import atexit
import inspect
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from salestrack.errors import BUSY, CANNOT_WRITE, DATA, IO, USAGE, InputError, SalestrackError, nearest
from salestrack.periods import WORDS, Period

if TYPE_CHECKING:
    import pandas as pd

    from salestrack.book import Book

DATA_OPTION = click.option(
    "--data",
    default="data/demo",
    show_default=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The company's folder: salestrack.toml, raw/ with its exports, store/.",
)
MONTH_OPTION = click.option(
    "--month",
    metavar="YYYY-MM",
    help="Month, for example 2026-10 (default: the last full month of the data).",
)


class Commands(click.Group):
    """The group that names the nearest command for a misspelt one."""

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        found = super().get_command(ctx, name)
        if found is None:
            known = self.list_commands(ctx)
            raise click.UsageError(
                f"there is no command '{name}'{nearest(name, known) or '; known are ' + ', '.join(known)}"
            )
        return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="salestrack")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Sales tracking: exports of your CRM in, checked tables, KPIs and a monthly report out.

    A company is a folder. Put its exports into DIR/raw, then ask: every command first imports what is new.

    \b
      salestrack report --data DIR              the monthly report as HTML
      salestrack kpi win_rate --by team         one figure, in the terminal
      salestrack doctor export.csv              what a file is, and how it would be read
    """


@cli.command("import")
@click.argument("paths", nargs=-1, metavar="[PATH|URL]...")
@click.option(
    "--as",
    "system",
    metavar="SYSTEM",
    help="Read the files as exports of this system (default: recognise them).",
)
@DATA_OPTION
def import_(paths: tuple[str, ...], system: str | None, data: Path) -> None:
    """Check and load exports: those in DIR/raw and those named here (they are copied there first).

    A URL names a table of a database: duckdb:///path/file.db?table=schema.name or
    postgresql://user@host:port/database?table=schema.name (passwords from PGPASSWORD or ~/.pgpass).

    Prints, for every file, the rows read, accepted, superseded, quarantined and in footers, and columns it does not know.
    """
    from salestrack.importing import import_company
    from salestrack.sources.database import is_address

    urls = [path for path in paths if is_address(path)]
    files = [Path(path) for path in paths if not is_address(path)]
    result = import_company(data, paths=files, urls=urls, as_system=system)
    click.echo(result.summary())


@cli.command()
@DATA_OPTION
@MONTH_OPTION
@click.option(
    "--language", type=click.Choice(["de", "en"]), help="Language of the pages (default: the company's)."
)
@click.option("--only", metavar="03,08", help="Only these notebooks, by number or name; 01 is always made.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 16),
    default=2,
    show_default=True,
    help="Notebooks that run at the same time.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    metavar="DIR",
    help="Where reports are published.",
)
@click.option(
    "--notebooks",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Run the notebooks of this folder (default: notebooks/).",
)
def report(
    data: Path,
    month: str | None,
    language: str | None,
    only: str | None,
    jobs: int,
    out: Path,
    notebooks: Path | None,
) -> None:
    """Run the notebooks for a month and publish the report, all or nothing.

    The last line printed is the path of the report's first page. A failing notebook publishes nothing.
    """
    from salestrack.report.run import run_report

    chosen = [part.strip() for part in only.split(",") if part.strip()] if only else None
    page = run_report(
        data, month=month, language=language, out=out, only=chosen, jobs=jobs, notebooks=notebooks
    )
    click.echo(page)


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
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.option("--json", "form", flag_value="json", help="Print JSON: a list of rows.")
@click.option("--explain", is_flag=True, help="Print the figure's definition instead.")
@click.option(
    "--language",
    type=click.Choice(["de", "en"]),
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
    click.echo(_table(_kpi(function, data, month, by, period), form))


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


def _table(table: pd.DataFrame, form: str | None) -> str:
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


@cli.command()
@DATA_OPTION
@MONTH_OPTION
@click.option(
    "--language", type=click.Choice(["de", "en"]), help="Language of the text (default: the company's)."
)
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.option("--json", "form", flag_value="json", help="Print JSON: a list of rows.")
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
    click.echo(_table(table, form) if form else as_text(table, words))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--save",
    is_flag=False,
    flag_value="",
    metavar="[FILE.toml]",
    help="Write a mapping of the file, to be read and edited (default: into DIR/mappings).",
)
@DATA_OPTION
def doctor(file: Path, save: str | None, data: Path) -> None:
    """Explain what a file is, how each of its columns would be read, and which have no meaning here.

    With --save a file that no mapping explains gets one, guessed from names and content.
    """
    from salestrack.config import load_config
    from salestrack.sources import doctor as examine

    report = examine(file, load_config(data), company=data)
    click.echo(report.text())
    if save is not None:
        target = Path(save) if save else data / "mappings" / f"{file.stem}.toml"
        report.save(target)
        lacking = f" (still needed: {', '.join(report.lacking)})" if report.lacking else ""
        click.echo(f"mapping written to {target}: read and correct it{lacking}, then import the file")


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
            "checks": quality.plausibility(book),
        }
        level = quality.worst(book)
    if form == "json":
        click.echo(
            json.dumps(
                {"level": level} | {k: json.loads(_table(v, "json")) for k, v in parts.items()},
                ensure_ascii=False,
                indent=2,
            )
        )
    else:
        for title, table in parts.items():
            click.echo(f"{title}\n{_table(table, None) if len(table) else 'none'}\n")
        click.echo(f"level: {level}")
    if level == "fail":
        raise SystemExit(DATA)


@cli.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--deals", type=click.IntRange(10, 10_000_000), default=2500, show_default=True, help="How many deals."
)
@click.option("--seed", type=int, help="Another company of the same kind (default: the demo company's seed).")
@click.option(
    "--no-signal",
    is_flag=True,
    help="A world in which nothing known about a deal tells whether it will be won.",
)
@click.option(
    "--as",
    "system",
    default="salesforce",
    show_default=True,
    help="Whose files to write: salesforce, hubspot, zoho, pipedrive, monday, manual.",
)
@click.option(
    "--language",
    type=click.Choice(["de", "en"]),
    help="Language of the headings (default: English, API names).",
)
def world(
    out: Path,
    deals: int,
    seed: int | None,
    no_signal: bool,
    system: str,
    language: Literal["de", "en"] | None,
) -> None:
    """Write an invented company's exports to OUT, with the truth about its deals beside them."""
    from salestrack.exports import write_world
    from salestrack.world import generate

    chosen: dict[str, Any] = {"deals": deals, "signal": not no_signal} | (
        {} if seed is None else {"seed": seed}
    )
    if system == "salesforce" and language is None:
        generate(out, **chosen)
    else:
        write_world(out, system, language or "en", **chosen)
    click.echo(out)


@cli.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option(
    "--language",
    type=click.Choice(["de", "en"]),
    default="en",
    show_default=True,
    help="Language of headings, values and explanations.",
)
def template(out: Path, tables: tuple[str, ...], language: Literal["de", "en"]) -> None:
    """Write empty workbooks for lists kept by hand into OUT: one per TABLE (default: all), with explanations.

    Fill them in, put them into DIR/raw and import: dates and numbers may be real ones or text in German form.
    """
    from salestrack.exports.manual import templates

    for path in templates(out, language, tables):
        click.echo(path)


def console() -> None:
    """Runs the command and ends the process.

    The process ends at once after the exit functions have run: DuckDB's binding otherwise reports objects that are
    still alive when Python takes itself apart, on the user's terminal.
    """
    code: Any = 0
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else bool(code))


def main() -> None:
    """Runs the command; a deliberate error becomes one line on standard error and its exit code."""
    debug = "--debug" in sys.argv
    try:
        cli(standalone_mode=False)
    except SalestrackError as error:
        _leave(str(error), error.exit_code, debug)
    except click.exceptions.Exit as error:
        raise SystemExit(error.exit_code) from None
    except click.Abort:
        _leave("stopped", 130, debug)
    except click.ClickException as error:
        _leave(error.format_message(), USAGE, debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except PermissionError as error:
        _leave(f"{error.filename} cannot be read or written: check who may use it", CANNOT_WRITE, debug)
    except BlockingIOError:
        _leave("another run is at work in this folder: try again when it has ended", BUSY, debug)
    except OSError as error:
        _leave(
            f"{error.filename or 'the disk'}: {error.strerror or error}; make room or check the disk and run again",
            IO,
            debug,
        )


def _leave(sentence: str, code: int, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()
    click.echo(f"salestrack: {sentence}", err=True)
    raise SystemExit(code)
