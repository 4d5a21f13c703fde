"""Pages made from executed notebooks: what a reader sees, and that nothing on them can run or load."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_notebook, new_output
from report_fixtures import MONTH, SVG, TABLE, code, notebook, text

from salestrack.errors import ReportFailed
from salestrack.report.archive import archive_page
from salestrack.report.render import Frame, Link, ReportExporter, make_exporter, parameters_of

FRAME = Frame(
    language="en",
    company="Muster & Söhne",
    month=MONTH,
    notebook="02_revenue",
    source="0123456789ab",
    version="0.1.0",
    time_zone="Europe/Berlin",
    archive="../index.html",
    pages=(
        Link("Overview", "index.html"),
        Link("Revenue", "02_revenue.html", True),
        Link("Team <A>", "03.html"),
    ),
)


@pytest.fixture(scope="module")
def exporter() -> ReportExporter:
    return make_exporter()


@pytest.fixture
def page(exporter: ReportExporter) -> Any:
    def render(*cells: Any, frame: Frame = FRAME) -> BeautifulSoup:
        html, _ = exporter.from_notebook_node(new_notebook(cells=list(cells)), {"frame": frame})
        return BeautifulSoup(html, "html.parser")

    return render


def shown(source: str = "1", *tags: str, kind: str = "display_data", **data: str) -> Any:
    """A code cell with an output; `text_html="…"` is its `text/html`."""
    cell = code(source, *tags)
    cell.outputs = [new_output(kind, {name.replace("_", "/", 1): value for name, value in data.items()})]
    return cell


def figure(**words: str) -> Any:
    """A code cell that shows a figure, described by `alt`, `caption` and `table_html`."""
    cell = code("chart()")
    data, metadata = {"image/svg+xml": SVG, "text/plain": "x"}, {"image/svg+xml": words}
    cell.outputs = [new_output("display_data", data, metadata=metadata)]
    return cell


def test_the_head_names_company_month_and_state_of_the_data(page: Any) -> None:
    soup = page(text("# Revenue\n\nDoes it grow?"))
    assert soup.html["lang"] == "en"
    assert soup.title.text == "Revenue · October 2026 · Muster & Söhne"
    assert soup.select_one(".status").text == "Data as of 31 October 2026"
    assert soup.select_one(".deck").text.strip() == "Does it grow?"


def test_the_policy_comes_first_and_allows_nothing_from_outside(page: Any) -> None:
    policy = page(text("# A")).head.find_all("meta")[1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none'; img-src data:")


def test_the_navigation_lists_pages_and_the_sections_of_this_one(page: Any) -> None:
    soup = page(text("# A"), text("## First *part*"), text("## Second"))
    links = soup.select("nav.pages a")
    assert [(a["href"], a.text) for a in links] == [
        ("index.html", "Overview"),
        ("02_revenue.html", "Revenue"),
        ("#s1", "First part"),
        ("#s2", "Second"),
        ("03.html", "Team <A>"),
        ("../index.html", "All reports"),
    ]
    assert [a["href"] for a in soup.select("[aria-current]")] == ["02_revenue.html"]
    assert [a.text.split(maxsplit=1)[1] for a in soup.select("nav.around a")] == ["Overview", "Team <A>"]


def test_the_footer_says_where_the_page_comes_from(page: Any) -> None:
    footer = page(text("# A")).select_one("footer")
    terms = [(term.text, term.find_next("dd").text) for term in footer.find_all("dt")]
    assert terms == [
        ("Period", "1 October 2026 to 31 October 2026"),
        ("Data as of", "2026-10-31"),
        ("Time zone", "Europe/Berlin"),
        ("Data fingerprint", "0123456789ab"),
        ("Notebook", "02_revenue"),
        ("Made by", "salestrack 0.1.0"),
    ]


def test_there_is_one_title_and_no_level_is_left_out(page: Any) -> None:
    soup = page(text("# A"), text("# Another title"), text("#### Deep"))
    assert [(h.name, h.text) for h in soup.find_all(["h1", "h2", "h3", "h4"])] == [
        ("h1", "A"),
        ("h2", "Another title"),
        ("h3", "Deep"),
    ]


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        pytest.param(text("for all"), True, id="text without a language"),
        pytest.param(text("English", "en"), True, id="text in the page's language"),
        pytest.param(text("Deutsch", "de"), False, id="text in another language"),
        pytest.param(shown(text_html="<p>x</p>"), True, id="a result"),
        pytest.param(
            shown(kind="execute_result", text_html="<p>x</p>"), True, id="the result of a last line"
        ),
        pytest.param(shown("1", "hide", text_html="<p>x</p>"), False, id="a hidden cell"),
        pytest.param(shown("1", "setup", text_html="<p>x</p>"), False, id="the set-up"),
        pytest.param(shown("1", "parameters", text_html="<p>x</p>"), False, id="the parameters"),
        pytest.param(
            shown("1", "injected-parameters", text_html="<p>x</p>"), False, id="the parameters of the run"
        ),
        pytest.param(code("secret_code()"), False, id="code"),
        pytest.param(shown(text_html=" ", text_plain="x"), False, id="an empty result"),
    ],
)
def test_readers_see(page: Any, cell: Any, seen: bool) -> None:
    main = page(text("# A"), cell).main
    main.header.extract()
    main.find("nav").extract()
    assert bool(main.get_text(strip=True)) == seen


def test_print_and_warnings_are_not_shown(page: Any) -> None:
    cell = code("print()")
    cell.outputs = [new_output("stream", name=name, text="noise") for name in ("stdout", "stderr")]
    assert "noise" not in str(page(text("# A"), cell))


def test_a_figure_has_description_caption_and_its_data(page: Any) -> None:
    found = page(text("# A"), figure(alt='A "bar"', caption="Source: a < b", table_html=TABLE)).figure
    assert found.img["alt"] == 'A "bar"'
    assert found.img["src"].startswith("data:image/svg+xml;base64,")
    assert found.img["class"] == ["wide"]
    assert found.figcaption.text == "Source: a < b"
    assert found.summary.text == "Data"
    assert found.details.th["scope"] == "col"


@pytest.mark.parametrize("words", [{}, {"alt": "  "}], ids=["no description", "an empty one"])
def test_a_figure_without_description_is_refused(page: Any, words: dict[str, str]) -> None:
    with pytest.raises(ReportFailed, match="02_revenue, cell 1 'Chart': the figure has no description"):
        page(text("# A"), text("## Chart"), figure(**words))


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(shown(text_html="<img src='data:image/png;base64,AA=='>"), id="in a result"),
        pytest.param(text("![](data:image/png;base64,AA==)"), id="in text"),
    ],
)
def test_any_other_picture_without_description_is_refused(page: Any, cell: Any) -> None:
    with pytest.raises(ReportFailed, match="02_revenue: a picture below 'Part' has no description"):
        page(text("# A"), text("## Part"), cell)


def test_tables_scroll_by_keyboard_and_name_their_heads(page: Any) -> None:
    head, body = "<tr><th></th><th>Deals</th></tr>", "<tr><th>North</th><td>3</td></tr>"
    plain = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
    great = f'<div style="overflow-x:auto;">{plain}</div>'
    soup = page(text("# A"), shown(text_html=plain), shown(text_html=great))
    frames = soup.select("div.scroll")
    assert [(f["tabindex"], f["role"], f["aria-label"]) for f in frames] == [("0", "group", "Table")] * 2
    assert [(th.text, th["scope"]) for th in frames[0].find_all("th")] == [("Deals", "col"), ("North", "row")]


PAYLOADS = [
    "<script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "<svg onload='window.ran = 1'><script>window.ran = 1</script></svg>",
    "<iframe src='javascript:window.ran = 1'></iframe>",
    "<a href=' java\nscript:window.ran = 1'>x</a>",
    "<form action='https://example.org'><input name=q></form>",
    "<link rel=stylesheet href='https://example.org/x.css'>",
    "<meta http-equiv=refresh content='0; url=https://example.org'>",
    "<style>@import 'https://example.org/x.css'; p {background: url(https://example.org/x)}</style>",
    "<p style='background: url(\"//example.org/x\")'>x</p>",
    "<img src='https://example.org/x.png' alt=x>",
]
ATTACKS = (
    "script", "iframe", "form", "input", "link", "main meta", "[onerror]", "[onload]", "[href*='script:']",
    "main [src*='example.org']",
)  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize(
    "place", ["html", "markdown cell", "markdown output", "title", "caption", "text", "company"]
)
def test_nothing_on_a_page_can_run_or_load(page: Any, payload: str, place: str) -> None:
    cells = {
        "html": [shown(text_html=f"<div>{payload}</div>")],
        "markdown cell": [text(payload)],
        "markdown output": [shown(text_markdown=payload)],
        "title": [],
        "caption": [
            figure(alt=payload, caption=payload, table_html=f"<table><tr><td>{payload}</td></tr></table>")
        ],
        "text": [shown(text_plain=payload)],
        "company": [],
    }[place]
    title = payload.replace("\n", " ") if place == "title" else "A"
    frame = Frame(company=payload, month=MONTH) if place == "company" else FRAME
    soup = page(text(f"# {title}"), *cells, frame=frame)
    for attack in ATTACKS:
        assert soup.select(attack) == []
    assert not [style for style in soup.find_all("style") if "example.org" in str(style)]
    assert not [tag for tag in soup.find_all(style=True) if "example.org" in tag["style"]]


def test_removed_parts_are_logged(page: Any, caplog: pytest.LogCaptureFixture) -> None:
    page(text("# A"), shown(text_html="<p onclick='x()'>Acme</p>"))
    assert "02_revenue: removed from the page because it could run or load something: onclick" in caplog.text


def test_pages_need_nothing_from_outside(page: Any) -> None:
    soup = page(text("# A\n\n[a link](https://example.org)"), figure(alt="x"))
    assert {tag["src"][:5] for tag in soup.find_all(src=True)} == {"data:"}
    assert "https://" not in "".join(str(style) for style in soup.find_all("style"))
    assert [a["href"] for a in soup.select("main a") if a["href"].startswith("http")] == [
        "https://example.org"
    ]


def test_the_exporter_alone_takes_language_and_month_from_the_notebook() -> None:
    node = notebook(text("# Umsatz", "de"), text("# Revenue", "en"))
    node.cells.insert(2, code('language = "de"\nmonth = "2026-09"', "injected-parameters"))
    assert parameters_of(node)["language"] == "de"
    html, _ = ReportExporter().from_notebook_node(node, {"metadata": {"name": "02_revenue"}})
    soup = BeautifulSoup(html, "html.parser")
    assert (soup.html["lang"], soup.h1.text) == ("de", "Umsatz")
    assert soup.select_one(".status").text == "Datenstand 30. September 2026"


def test_the_exporter_alone_describes_a_figure_by_its_place() -> None:
    html, _ = ReportExporter().from_notebook_node(new_notebook(cells=[text("# A"), figure()]))
    assert BeautifulSoup(html, "html.parser").img["alt"] == "Chart, cell 1 'A'"


def test_the_archive_lists_months_and_escapes_what_it_shows() -> None:
    manifests = [{"month": MONTH, "pages": [{"title": "Team <A>"}]}, {"month": "2026-09", "pages": []}]
    soup = BeautifulSoup(archive_page(manifests, "<b>Muster</b>", "de"), "html.parser")
    assert [(a["href"], a.text) for a in soup.select(".archive a")] == [
        ("2026-10/index.html", "Oktober 2026"),
        ("2026-09/index.html", "September 2026"),
    ]
    assert soup.select_one(".archive span").text == "Team <A>"
    assert "&lt;b&gt;Muster" in str(soup)
