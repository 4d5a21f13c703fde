"""The command that invents a company."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from salestrack.cli.group import LANGUAGE, cli


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
    type=LANGUAGE,
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
