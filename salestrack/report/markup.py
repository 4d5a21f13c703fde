"""The last pass over a page: nothing in it can run or load, sections have names, tables can be scrolled."""

from __future__ import annotations

import logging
import re
from typing import Any

from bs4 import BeautifulSoup, Tag

from salestrack.errors import ReportFailed

logger = logging.getLogger("salestrack.report")

# What could run, load, submit or redirect. The page's policy (CSP) stops all of it in a browser; it is
# removed as well because pages are also opened by mail programs and converters that know no policy.
FORBIDDEN = (
    "script", "iframe", "object", "embed", "applet", "link", "base", "form", "input", "button", "textarea",
    "select", "audio", "video", "source", "track", "frame", "frameset", "foreignobject", "animate", "set",
)  # fmt: skip
LINKS = (
    "href",
    "xlink:href",
    "src",
    "srcset",
    "action",
    "formaction",
    "poster",
    "background",
    "data",
    "ping",
)
OUTSIDE_CSS = re.compile(r"@import[^;]*;?|url\(\s*['\"]?(?!data:)[^)]*\)", re.IGNORECASE)


def finish_page(page: str, name: str, *, strict: bool = False) -> str:
    """The page as it is published; `strict` refuses one with a picture that nothing describes."""
    soup = BeautifulSoup(page, "html.parser")
    main = soup.find("main")
    if isinstance(main, Tag):
        removed = disarm(main)
        if removed:
            logger.warning(
                "%s: removed from the page because it could run or load something: %s", name, removed
            )
        if strict and (picture := _undescribed(main)):
            raise ReportFailed(f"{name}: a picture below '{picture}' has no description: give it an alt text")
        _style_once(main)
        _lower_headings(main)
        _name_tables(main)
        _scroll_tables(soup, main)
        _contents(soup, _sections(soup, main))
    return str(soup).strip() + "\n"


def disarm(part: Tag) -> str:
    """Take everything out of a part of a page that could run or load something; says what it was.

    >>> soup = BeautifulSoup('<p onclick="x()">Acme<script>steal()</script></p>', "html.parser")
    >>> disarm(soup), str(soup)
    ('onclick, script', '<p>Acme</p>')
    """
    removed = set()
    outside = [img for img in part.find_all("img") if _is_unsafe(img, "src", str(img.get("src", "")))]
    for tag in [*part.find_all(FORBIDDEN), *part.find_all("meta"), *outside]:
        removed.add(tag.name)
        tag.decompose()
    for tag in part.find_all(True):
        unsafe = [name for name, value in tag.attrs.items() if _is_unsafe(tag, name.lower(), str(value))]
        for attribute in unsafe:
            removed.add(attribute)
            del tag[attribute]
        _disarm_style(tag)
    return ", ".join(sorted(removed))


def _is_unsafe(tag: Tag, name: str, value: str) -> bool:
    if name.startswith("on"):
        return True
    if name not in LINKS:
        return False
    target = re.sub(r"[\x00-\x20]+", "", value).lower()
    if tag.name == "img" or name in ("src", "srcset", "poster", "background"):
        return not target.startswith("data:image/")
    # What a reader follows: other pages, places in a page, the web, a mail; never code.
    return not re.match(r"(#|https?:|mailto:|[^:]*$)", target)


def _disarm_style(tag: Tag) -> None:
    if tag.name == "style" and tag.string:
        tag.string = OUTSIDE_CSS.sub("none", str(tag.string))
    if "style" in tag.attrs:
        tag["style"] = OUTSIDE_CSS.sub("none", str(tag["style"]))


def _style_once(main: Tag) -> None:
    """Blocks bring their style sheet along for JupyterLab; a page needs each of them once."""
    known: set[str] = set()
    for style in main.find_all("style"):
        rules = style.get_text()
        if rules in known:
            style.decompose()
        known.add(rules)


def _undescribed(main: Tag) -> str:
    """The heading above the first picture that has no alternative text and is not marked as decoration."""
    for picture in main.find_all("img"):
        decoration = picture.get("aria-hidden") == "true" or picture.get("role") == "presentation"
        if not decoration and not str(picture.get("alt", "")).strip():
            heading = picture.find_previous(re.compile("^h[1-6]$"))
            return heading.get_text(" ", strip=True) if heading else "the title"
    return ""


def _lower_headings(main: Tag) -> None:
    """The page has one title; other level-1 headings become sections, as do levels that were left out."""
    for heading in main.find_all("h1"):
        if not heading.find_parent("header"):
            heading.name = "h2"
    level = 1
    for heading in main.find_all(re.compile("^h[2-6]$")):
        level = min(int(heading.name[1]), level + 1)
        heading.name = f"h{level}"


def _name_tables(main: Tag) -> None:
    """Column heads say that they are heads of columns; pandas leaves this out."""
    for table in main.find_all("table"):
        for cell in table.select("thead th:not([scope])"):
            if cell.get_text(strip=True):
                cell["scope"] = "colgroup" if str(cell.get("colspan", "1")) != "1" else "col"
            else:
                cell.name = "td"  # an empty head names nothing, and a screen reader stumbles over it
        for cell in table.select("tbody th:not([scope])"):
            cell["scope"] = "row"


def _scroll_tables(soup: BeautifulSoup, main: Tag) -> None:
    """Wide tables scroll inside a frame that the keyboard reaches; the page itself never scrolls sideways."""
    label = str(main.get("data-table", "Table"))
    for table in main.find_all("table"):
        frame = _scrolling(table)
        if frame is None:
            frame = soup.new_tag("div")
            table.wrap(frame)
        frame.attrs |= {"class": "scroll", "role": "group", "aria-label": label, "tabindex": "0"}
    del main["data-table"]


def _scrolling(table: Tag) -> Tag | None:
    """The frame that a table already has: ours, or that of Great Tables, which says so in its style."""
    for parent in table.parents:
        if "scroll" in parent.get_attribute_list("class") or "overflow-x" in str(parent.get("style", "")):
            return parent
        if parent.name in ("main", "figure"):
            break
    return None


def _sections(soup: BeautifulSoup, main: Tag) -> list[tuple[str, str]]:
    """Wrap each level-2 heading and what follows it into a section; returns ids and headings."""
    found: list[tuple[str, str]] = []
    section: Tag | None = None
    for node in list(main.children):
        if isinstance(node, Tag) and node.name in ("header", "nav"):
            section = None
            continue
        heading = _heading_of(node)
        if heading is not None:
            key = f"s{len(found) + 1}"
            heading["id"] = key
            found.append((key, heading.get_text(" ", strip=True)))
            section = soup.new_tag("section", attrs={"aria-labelledby": key})
            node.insert_before(section)
        if section is not None:
            section.append(node.extract())
    return found


def _heading_of(node: Any) -> Tag | None:
    if not isinstance(node, Tag):
        return None
    if node.name == "h2":
        return node
    heading = node.find("h2")
    return heading if isinstance(heading, Tag) else None


def _contents(soup: BeautifulSoup, sections: list[tuple[str, str]]) -> None:
    """List the sections below the current page in the navigation."""
    current = soup.select_one('nav.pages a[aria-current="page"]')
    if current is None or len(sections) < 2:
        return
    items = soup.new_tag("ol", attrs={"class": "sections"})
    for key, words in sections:
        item, link = soup.new_tag("li"), soup.new_tag("a", attrs={"href": f"#{key}"})
        link.string = words
        item.append(link)
        items.append(item)
    current.insert_after(items)
