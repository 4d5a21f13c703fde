"""The command that makes the monthly report."""

from __future__ import annotations

from pathlib import Path

import click

from salestrack.cli.group import DATA_OPTION, LANGUAGE, MONTH_OPTION, cli


@cli.command()
@DATA_OPTION
@MONTH_OPTION
@click.option("--language", type=LANGUAGE, help="Language of the pages (default: the company's).")
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
