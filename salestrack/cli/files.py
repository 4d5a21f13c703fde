"""Commands about files: what one is, loading them, workbooks to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from salestrack.cli.group import DATA_OPTION, LANGUAGE, cli


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
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option(
    "--language",
    type=LANGUAGE,
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
