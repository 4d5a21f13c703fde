"""The page that lists all published months."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, FileSystemLoader

from salestrack.report.texts import TEXTS, month_name


def archive_page(manifests: Sequence[Mapping[str, Any]], company: str, language: str) -> str:
    """The list as HTML, in the order given."""
    from markupsafe import Markup

    from salestrack.report.render import TEMPLATES

    environment = Environment(loader=FileSystemLoader(TEMPLATES / "salestrack"), autoescape=True)
    css = (TEMPLATES / "salestrack" / "static" / "report.css").read_text(encoding="utf-8")
    months = [
        {
            "href": f"{one['month']}/index.html",
            "words": month_name(one["month"], language),
            "titles": [page["title"] for page in one["pages"]],
        }
        for one in manifests
    ]
    template = environment.get_template("archive.html.j2")
    page = template.render(
        months=months, company=company, language=language, t=TEXTS[language], css=Markup(css)
    )
    return page.strip() + "\n"
