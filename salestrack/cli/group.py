"""The command that all others belong to, and the options that several of them have."""

from __future__ import annotations

from pathlib import Path

import click

from salestrack.errors import nearest

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
LANGUAGE = click.Choice(["de", "en"])
CSV_OPTION = click.option("--csv", "form", flag_value="csv", help="Print CSV.")
JSON_OPTION = click.option("--json", "form", flag_value="json", help="Print JSON: a list of rows.")


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
