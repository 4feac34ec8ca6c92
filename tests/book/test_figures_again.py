"""The list of figures against the built site: nothing is missing, and each entry leads to what makes its figure."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from site_files import SITE, broken, pages

from dropout_lab.passports.records import cell_digest

LIST = SITE / "chapters" / "back" / "figures.html"


@pytest.fixture(scope="module")
def listed(site: None) -> dict[str, Tag]:
    """The entries of the list, by the page and the id of the figure that each leads to."""
    page = BeautifulSoup(LIST.read_text(encoding="utf-8"), "html.parser")
    folder = LIST.parent.relative_to(SITE)
    return {posixpath.normpath(folder / entry.a["href"]): entry for entry in page.select(".figure-entries dd")}


def figures() -> dict[str, Tag]:
    """All figures of the site, by page and id."""
    found = {}
    for path in pages():
        if b"<figure" in (text := path.read_bytes()):
            page = BeautifulSoup(text, "html.parser")
            found |= {f"{path.relative_to(SITE)}#{figure['id']}": figure for figure in page.select("figure[id]")}
            assert not page.select("figure:not([id])"), f"{path} has a figure that nothing can lead to"
    return found


def test_it_holds_every_figure_of_the_site_and_no_other(listed: dict[str, Tag]) -> None:
    assert set(listed) == set(figures())


def test_a_number_is_the_one_that_the_page_prints_and_means_one_figure(listed: dict[str, Tag]) -> None:
    printed = {
        place: number.text.strip() for place, one in figures().items() if (number := one.select_one(".caption-number"))
    }
    assert len(set(printed.values())) == len(printed) > 50
    heads = {place: entry.find_previous_sibling("dt").text for place, entry in listed.items()}
    assert {place: heads[place] for place in printed} == printed
    order = [int(head.removeprefix("Figure ")) for head in heads.values() if head.startswith("Figure ")]
    assert order == list(range(1, len(order) + 1))


def test_the_cell_of_the_notebook_is_the_one_that_draws_the_figure(listed: dict[str, Tag]) -> None:
    checked = 0
    for place, entry in listed.items():
        if found := re.search(r"run the notebook to its cell (\d+)", entry.text):
            path = SITE / place.partition("#")[0]
            notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
            code = [cell.source for cell in notebook.cells if cell.cell_type == "code"][int(found[1]) - 1]
            cell = entry.find("a", string=re.compile(r"^cell \d+ of the page$"))["href"].partition("#")[2]
            page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
            assert cell_digest(page.find(id=cell).select_one("pre").text) == cell_digest(code), place
            checked += 1
    assert checked > 50


def test_all_its_links_lead_somewhere(listed: dict[str, Tag]) -> None:
    links = [link["href"] for entry in listed.values() for link in entry.select("a")]
    assert [link for link in links if broken(LIST, link)] == []


def test_each_figure_of_a_cell_leads_back_to_its_entry(listed: dict[str, Tag]) -> None:
    for place, figure in figures().items():
        passport = figure.find_next_sibling()
        if passport is not None and passport.name == "details" and "passport" in passport["class"]:
            own = Path(SITE, place.partition("#")[0])
            back = [link["href"] for link in passport.select("a") if "figures.html#" in link["href"]]
            assert back and not broken(own, back[0]), place
            assert back[0].endswith(f"#again-{figure['id']}")
