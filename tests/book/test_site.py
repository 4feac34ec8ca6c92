"""The built site, as a reader gets it: every page from the disk, read as files and opened in a browser.

``make book`` builds it beforehand. The browser tests share the findings of one visit to each page.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from browser import Browser, serving
from site_files import (
    ADDED,
    EXECUTED,
    ROOT,
    SITE,
    broken,
    contents,
    explorable_bytes,
    is_outside,
    name,
    pages,
    toc_pages,
)

from dropout_lab import claims
from dropout_lab.book import finder, mathjax

every_page = pytest.mark.parametrize("page", pages(), ids=name)

#: The most bytes that a page may load, explorables aside, and that the whole site may have.
LARGEST_PAGE, LARGEST_SITE = 1_500_000, 40_000_000
#: Alternative text that Sphinx or matplotlib made up: a file's name, or the object's.
_NO_TEXT = re.compile(r"\.(svg|png|jpe?g|gif)$|<(Figure|Axes)|^(image|figure|plot)\.?$", re.IGNORECASE)


#: Nothing can be said about a site that was not built.
pytestmark = pytest.mark.usefixtures("site")


def executed() -> list[Path]:
    """The executed notebooks of the build."""
    return sorted(EXECUTED.rglob("*.ipynb"))


# ---- Read as files


def test_the_pages_are_those_of_the_table_of_contents() -> None:
    found = {name(page) for page in pages()}
    wanted = toc_pages()
    assert len(wanted) == len(set(wanted)), "the table of contents names a page twice"
    assert found - ADDED == set(wanted)


def test_the_ledger_is_there_as_data_and_has_every_claim() -> None:
    ledger = json.loads((SITE / "ledger.json").read_text(encoding="utf-8"))
    registry = claims.load()
    assert [row["id"] for row in ledger] == list(registry)
    for row in ledger:
        assert row["verdict"] == row["expected"] == registry[row["id"]].expected
        assert row["reason"] == registry[row["id"]].reason
        assert row["readings"] == list(registry[row["id"]].readings or [row["statement"]])
        assert row["quantifier"] == registry[row["id"]].quantifier
        assert row["page"] and row["anchor"], f"claim {row['id']} is settled nowhere"
        assert row["anchor"] in contents(SITE / row["page"]).ids, f"claim {row['id']} has no place on {row['page']}"


@every_page
def test_nothing_is_loaded_from_elsewhere(page: Path) -> None:
    assert [address for address in contents(page).loads if is_outside(address)] == []


@every_page
def test_what_a_page_loads_is_there(page: Path) -> None:
    own = [address for address in contents(page).loads if not is_outside(address) and not address.startswith("data:")]
    assert [address for address in own if broken(page, address)] == []


@every_page
def test_a_page_links_the_icon_of_the_book(page: Path) -> None:
    """Without a link a browser asks for /favicon.ico, and from the disk there would be none."""
    links = re.findall(r'<link rel="icon" href="([^"]+)"', page.read_text(encoding="utf-8"))
    assert [urlsplit(link).path.rpartition("/")[2] for link in links] == ["favicon.svg"]
    assert not is_outside(links[0]) and not broken(page, links[0])


@pytest.mark.parametrize("page", toc_pages())
def test_a_page_says_what_it_is_where_it_is_shared(page: str) -> None:
    html = (SITE / page).read_text(encoding="utf-8")
    assert re.search(r'<meta property="og:title" content="[^"]+"', html)
    assert re.search(r'<meta name="description" content="[^"]{15,}"', html), "a page opens with its question"


@every_page
def test_what_a_link_to_a_claim_leads_to_is_shown_beside_it(page: Path) -> None:
    html = re.sub(r"<span data-no-card>.*?</span>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    wanted = set(re.findall(r'<a class="claim-link[^"]*" href="([^"]+)"', html))
    assert wanted <= {link for links in re.findall(r'data-for="([^"]+)"', html) for link in links.split()}


def test_the_search_finds_every_claim() -> None:
    data = (SITE / "_static" / finder.DATA).read_text(encoding="utf-8")
    titles = [title for _, title, _, _ in json.loads(data.partition(" = ")[2].rstrip(";\n"))]
    found = {match[1] for match in (re.match(r"Claim ([\w.]+):", title) for title in titles) if match}
    assert found == set(claims.load())


def test_of_mathjax_only_what_a_page_can_load_comes_along() -> None:
    folder = SITE / "_static" / "mathjax"
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    packed = {Path(mathjax.SCRIPT), Path(mathjax.PLAIN)}
    assert files == packed | set(mathjax.loaded_later(mathjax.folder()))


def test_the_site_is_small() -> None:
    assert sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file()) < LARGEST_SITE


@every_page
def test_internal_links_lead_somewhere(page: Path) -> None:
    links = [link for link in contents(page).links if link not in {"", "#"} and not is_outside(link)]
    assert [link for link in links if broken(page, link)] == []


@every_page
def test_no_cell_failed(page: Path) -> None:
    assert not re.search(r'class="[^"]*\b(traceback|stderr)\b', page.read_text(encoding="utf-8"))


def test_notebooks_were_executed_without_an_error() -> None:
    assert executed(), f"there is no executed notebook in {EXECUTED}"
    for path in executed():
        for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
            if cell.cell_type == "code" and cell.source.strip():
                place = f"cell {number} of {path.name}"
                assert cell.execution_count is not None, f"{place} was not executed"
                assert all(output.output_type != "error" for output in cell.outputs), f"{place} failed"


def test_every_chapter_with_code_is_among_the_executed_notebooks() -> None:
    sources = {page.removesuffix(".html"): ROOT / f"{page.removesuffix('.html')}.md" for page in toc_pages()}
    with_code = {name for name, path in sources.items() if "{code-cell}" in path.read_text(encoding="utf-8")}
    assert with_code == {path.relative_to(EXECUTED).with_suffix("").as_posix() for path in executed()}


# ---- Opened in a browser


@every_page
def test_no_request_leaves_the_machine(page: Path, browser: Browser) -> None:
    assert browser.examine(page).outside == []


def test_no_request_fails_where_the_site_is_served(browser: Browser) -> None:
    """By a browser without axe, which would ask for files that no page names."""
    with serving(SITE) as address:
        assert browser.failed_requests(address, map(name, pages())) == []


def test_no_page_loads_much(browser: Browser) -> None:
    """As a reader gets it from a server that packs nothing, scrolled to its end."""
    with serving(SITE) as address:
        loaded = {
            name(page): sum(
                size
                for file, size in browser.loaded_bytes(address, name(page)).items()
                if not file.startswith("_static/explorable")
            )
            - explorable_bytes(page)
            for page in pages()
        }
    assert {page: size for page, size in loaded.items() if size >= LARGEST_PAGE} == {}


@every_page
def test_the_console_stays_silent(page: Path, browser: Browser) -> None:
    assert browser.examine(page).console == []


@every_page
def test_every_formula_is_set(page: Path, browser: Browser) -> None:
    found = browser.examine(page)
    assert found.tex == []
    assert found.raw_tex == []


@every_page
def test_no_page_scrolls_sideways_on_a_phone(page: Path, browser: Browser) -> None:
    assert browser.examine(page).sideways == []


@every_page
def test_every_image_has_a_text(page: Path, browser: Browser) -> None:
    without = [html for html, text in browser.examine(page).images if len(text) < 10 or _NO_TEXT.search(text)]
    assert without == []


@every_page
def test_no_id_stands_twice(page: Path, browser: Browser) -> None:
    assert browser.examine(page).repeated_ids == []


@every_page
def test_no_serious_barrier(page: Path, browser: Browser) -> None:
    assert browser.examine(page).barriers == []


def test_search_works_from_the_disk(browser: Browser) -> None:
    found = browser.open(SITE / "search.html", "?q=dropout")
    browser.page.wait_for_selector("#search-results li a")
    assert found.console == []
    assert found.outside == []


def test_the_ledger_can_be_narrowed(browser: Browser) -> None:
    ledger = next(page for page in pages() if 'id="claim-filter"' in page.read_text(encoding="utf-8"))
    browser.open(ledger)
    rows = browser.page.locator("table.claim-ledger tbody tr")
    total = rows.count()
    assert total == len(claims.load())
    browser.page.select_option("#claim-filter select[name=verdict]", "wrong")
    visible = [row for row in rows.all() if row.is_visible()]
    assert 0 < len(visible) < total
    assert {row.get_attribute("data-verdict") for row in visible} == {"wrong"}
