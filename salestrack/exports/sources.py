"""What each source can fill, by its mappings, and what its files cannot carry, by the modules that write them."""

from __future__ import annotations

from salestrack.exports import SYSTEMS, system
from salestrack.schema import CANONICAL
from salestrack.sources.mapping import load_mappings

PAGES = {"salestrack": "manual", "fivetran_hubspot": "hubspot", "fivetran_salesforce": "salesforce"}
"""Pages of docs/sources that are not named after their system (or what it begins with)."""


def markdown() -> str:
    """Both lists as Markdown.

    >>> markdown().splitlines()[0]
    '### What each source fills'
    """
    return (
        "\n".join(
            ["### What each source fills", "", *_filled(), "", "### What a file cannot carry", "", *_lost()]
        )
        + "\n"
    )


def page(name: str) -> str:
    """The page of a system.

    >>> page("sap_b1"), page("salestrack")
    ('sap.md', 'manual.md')
    """
    return f"{PAGES.get(name) or name.split('_')[0]}.md"


def _filled() -> list[str]:
    tables: dict[str, set[str]] = {}
    titles: dict[str, str] = {}
    for mapping in load_mappings():
        titles.setdefault(mapping.system, mapping.title)
        tables.setdefault(mapping.system, set()).update(
            table for spec in mapping.files.values() for table in spec.to
        )
    rows = [
        f"| [{titles[name]}]({page(name)}) | {', '.join(f'`{table}`' for table in CANONICAL if table in tables[name])} |"
        for name in sorted(tables)
        if name != "salestrack"
    ]
    own = "| [Lists kept by hand, and our own layout](manual.md) | all tables |"
    return ["| source | tables that its files fill |", "|---|---|", *rows, own]


def _lost() -> list[str]:
    rows = [
        f"| [{name}]({page(name)}) | `{what}` | {english} |"
        for name in SYSTEMS
        for what, (english, _) in system(name).LOST.items()
    ]
    return ["| source | what | why |", "|---|---|---|", *rows]
