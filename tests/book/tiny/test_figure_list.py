"""The list of figures: each with its number, its kind and what makes it again; one that it lacks stops a build."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
import pytest
from browser import Browser
from bs4 import BeautifulSoup, Tag
from test_passports import DRAWN, RUN, SVG, TRAINED, figure, passport
from tiny_book import Book, Built, drawing

from dropout_lab.book.figured import first_sentence

LIST = "# List\n\n" + "\n\n".join(
    f"```{{figure-list}} {part}\n```" for part in ("numbers", "numbered", "explorables", "drawings", "kinds")
)
EXACT, RANDOM, SEEDS = "plt.plot([1])", "draw = np.random.default_rng(0)", "found = fit(replicas.reported(50))"


def computed(name: str, source: str) -> nbformat.NotebookNode:
    """A figure of a cell that trains no stack of networks."""
    return figure(name, passport(sources=(source,)), source)


def build(book: Book, *cells: nbformat.NotebookNode | str, **pages: str) -> Built:
    """A book with a notebook, other pages, and the list at its end."""
    book.claims()
    book.notebook("b-cells", "# Cells\n", nbformat.v4.new_code_cell(TRAINED), *cells)
    for name, text in pages.items():
        book.page(name.replace("_", "-"), text)
    book.page("z-list", LIST)
    book.settings |= {"numfig": True, "numfig_format": {"figure": "Figure %s"}}
    return book.build()


def entries(built: Built) -> dict[str, Tag]:
    """The text of the list by the ids of its entries."""
    page = BeautifulSoup(built.page("z-list"), "html.parser")
    return {term.span["id"].removeprefix("again-"): term for term in page.select(".figure-entries dt")}


def told(term: Tag) -> str:
    """What an entry says, its head included."""
    return " ".join(f"{term.text} {term.find_next_sibling('dd').text}".split())


def test_every_figure_stands_in_it_under_the_number_that_its_page_prints(book: Book) -> None:
    first = "# First\n\n```{drawing} residual-block\n```\n\n```{explorable} thinned-network\n```\n"
    cells = (figure("fig-b", passport(RUN)), computed("fig-a", EXACT), computed("fig-c", RANDOM))
    built = build(book, *cells, computed("fig-d", SEEDS), a_first=first)
    assert built.status == 0, (built.error, built.warnings)
    found = entries(built)
    assert list(found) == ["fig-b", "fig-a", "fig-c", "fig-d", "explorable-thinned-network", "drawing-residual-block"]
    page = BeautifulSoup(built.page("b-cells"), "html.parser")
    for name in ("fig-b", "fig-a", "fig-c", "fig-d"):
        link = found[name].find_next_sibling("dd").a
        shown = page.find(id=link["href"].partition("#")[2])
        assert shown["id"] == name and link["href"].startswith("b-cells.html#")
        assert shown.select_one(".caption-number").text.strip() == found[name].text
    assert "Computed." in told(found["fig-a"]) and "Drawn at random." in told(found["fig-c"])
    assert "Measured. Seeds: replicas.reported(50)." in told(found["fig-d"])
    numbers = BeautifulSoup(built.page("z-list"), "html.parser").select(".figure-numbers a")
    assert [(link.text, link["href"]) for link in numbers] == [
        (str(number), f"#again-fig-{letter}") for number, letter in enumerate("bacd", 1)
    ]


def test_an_entry_says_what_makes_the_figure_again(book: Book) -> None:
    one = figure("fig-one", passport(RUN))
    built = build(book, one, a_first="# First\n\n```{explorable} thinned-network\n```\n")
    said = told(entries(built)["fig-one"])
    assert "Measured. digits: 9 examples: 2 arms, seeds 0 to 2. Numbers: fig-one.csv, 2 rows." in said
    digest = BeautifulSoup(built.page("b-cells"), "html.parser").select("details.passport dd")[-1].code.text
    assert f"digest {digest[:12]}…" in said and "Again: cell 2 of the page." in said
    links = {link.text: link["href"] for link in entries(built)["fig-one"].find_next_sibling("dd").select("a")}
    page = BeautifulSoup(built.page("b-cells"), "html.parser")
    assert page.find(id=links["cell 2 of the page"].partition("#")[2]).select_one("pre").text.strip() == DRAWN
    assert page.find(id=links["Passport"].partition("#")[2]).find_parent("details")["class"] == ["passport"]
    assert (built.site / links["fig-one.csv"]).is_file()
    assert "make page PAGE=b-cells.ipynb" in built.page("z-list")
    assert "make page PAGE=a-first.md" in built.page("z-list")


def test_what_it_says_of_an_explorable_and_of_a_drawing_runs() -> None:
    from dropout_lab.book import drawings, explorables

    assert all(found.numbers(found.start()) for found in explorables.EXPLORABLES.values())
    assert all(draw() for _, draw in drawings.DRAWINGS.values())


FROM_FILE = "# First\n\n```{figure} picture.svg\n:name: fig-file\n\nA caption.\n```\n"


def without_caption(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A cell whose picture is no figure."""
    del cell.metadata["mystnb"]["figure"]
    return cell


@pytest.mark.parametrize(
    ("cells", "pages", "message"),
    [
        ((without_caption(computed("fig-one", EXACT)),), {}, "a cell draws b-cells-2-1 outside of a figure"),
        ((), {"a_first": FROM_FILE}, "a-first.md: fig-file shows picture.svg, and SCRIPTS"),
        ((), {"a_first": FROM_FILE.replace("\nA caption.\n", "")}, "a-first.md: fig-file has no number"),
    ],
    ids=["no figure", "no maker", "no caption"],
)
def test_a_figure_that_it_lacks_stops_the_build(
    book: Book, cells: tuple[Any, ...], pages: dict[str, str], message: str
) -> None:
    (book.folder / "picture.svg").write_text(SVG, encoding="utf-8")
    error = str(build(book, *cells, **pages).error)
    assert message in error and len(error.splitlines()) == 2


def test_figures_without_numbers_stop_the_build(book: Book) -> None:
    book.settings |= {"numfig": False}
    book.page("z-list", LIST)
    book.claims()
    book.notebook("b-cells", "# Cells\n", computed("fig-one", EXACT))
    assert "b-cells: fig-one has no number" in str(book.build().error)


def test_an_unknown_part_is_a_problem_of_the_page(book: Book) -> None:
    built = build(book, c_other="# Other\n\n```{figure-list} everything\n```\n")
    assert "figure-list has no part 'everything'; expected one of numbered," in built.warnings


def test_a_book_that_shows_a_part_only_does_not_hold(book: Book) -> None:
    book.claims()
    book.page("a-first", "# First\n\n```{figure-list} drawings\n```\n")
    assert "no page shows the part of the list: numbered" in str(book.build().error)


def test_it_is_written_anew_when_another_page_changes(book: Book) -> None:
    before = build(book, computed("fig-one", EXACT))
    assert before.status == 0 and list(entries(before)) == ["fig-one"]
    after = build(book, computed("fig-new", EXACT), computed("fig-one", EXACT))
    assert {name: term.text for name, term in entries(after).items()} == {"fig-new": "Figure 1", "fig-one": "Figure 2"}


@pytest.mark.parametrize(
    ("caption", "first"),
    [
        ("One line", "One line"),
        ("Error at $p = 0.5$, vs. none. Lines: means.", "Error at $p = 0.5$, vs. none."),
        ("A loss of\n0.25. $f. G$ is it.", "A loss of 0.25."),
        ("Lines: $a. B$ is one sentence. And so on.", "Lines: $a. B$ is one sentence."),
        ("Is it? (Yes.) More.", "Is it?"),
    ],
)
def test_the_first_sentence_of_a_caption(caption: str, first: str) -> None:
    assert first_sentence(caption) == first


def test_the_search_finds_a_figure_by_its_number_first(book: Book, browser: Browser) -> None:
    book.settings["html_theme"] = "sphinx_book_theme"
    built = build(book, *(computed(f"fig-n{number}", EXACT) for number in range(1, 12)))
    assert built.status == 0, (built.error, built.warnings)
    assert browser.open(Path(built.site, "search.html"), f"?q={quote('figure 1')}").console == []
    links = browser.page.locator(".found-objects li > a").all()
    assert [(link.inner_text(), link.get_attribute("href")) for link in links] == [
        ("Figure 1", "b-cells.html#fig-n1"),
        ("Figure 10", "b-cells.html#fig-n10"),
        ("Figure 11", "b-cells.html#fig-n11"),
    ]


@drawing
def test_on_paper_it_has_the_same_numbers(book: Book) -> None:
    book.builder = "latex"
    book.settings |= {"latex_documents": [("index", "book.tex", "Book", "", "manual")]}
    built = build(book, figure("fig-b", passport(RUN)), a_first="# First\n\n```{drawing} residual-block\n```\n")
    # Whether the pictures can be drawn depends on the machine's programs.
    problems = [line for line in built.warnings.splitlines() if "cannot be drawn" not in line]
    assert built.error is None and problems == []
    text = (built.site / "book.tex").read_text(encoding="utf-8")
    assert r"\hyperref[\detokenize{z-list:again-fig-b}]" in text and r"\label{\detokenize{z-list:again-fig-b}}" in text
    assert "Figure 1" in text and "make page PAGE=b\\sphinxhyphen{}cells.ipynb" in text
