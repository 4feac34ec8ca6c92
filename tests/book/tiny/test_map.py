"""The map without its script: the tables and chips say what the graph says, and what the chapters drop stands there."""

from __future__ import annotations

import random
import re

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from tiny_book import DERIVED, ENUMERATED, Book, cell, claim, derived

from dropout_lab.book.graph import closure, layers, needs, turned
from dropout_lab.book.ledger import Ledger
from dropout_lab.book.reading import Page, Settled
from dropout_lab.claims import Assumption, Claim, Registry, from_json


def random_graph(seed: int, size: int = 30) -> dict[str, list[str]]:
    """A graph without cycles: each node uses up to three earlier ones."""
    chance, nodes = random.Random(seed), [f"n{k}" for k in range(size)]
    return {node: chance.sample(nodes[:k], min(k, chance.choice([0, 1, 2, 3]))) for k, node in enumerate(nodes)}


def reached(graph: dict[str, list[str]], name: str) -> set[str]:
    """What a node uses, by recursion."""
    return set(graph[name]).union(*(reached(graph, used) for used in graph[name]))


@pytest.mark.parametrize("seed", range(5))
def test_what_is_used_and_what_falls(seed: int) -> None:
    graph = random_graph(seed)
    users = turned(graph)
    for name in graph:
        above, below = closure(name, graph), closure(name, users)
        assert set(above) == reached(graph, name) and name not in above
        assert set(below) == {other for other in graph if name in reached(graph, other)}
        # In the order of the graph.
        assert list(above) == [node for node in graph if node in above]


@pytest.mark.parametrize("seed", range(5))
def test_each_row_stands_below_what_it_uses(seed: int) -> None:
    graph = random_graph(seed)
    some = random.Random(seed).sample(list(graph), 20)
    rows = layers(graph, some)
    place = {node: number for number, row in enumerate(rows) for node in row}
    assert sorted(place) == sorted(some)
    for node in some:
        assert place[node] == 1 + max((place[used] for used in graph[node] if used in place), default=-1)


def test_a_derivation_is_not_given_the_conditions_of_others() -> None:
    """1.2 is derived under b, although it uses 1.1, which needs a; 1.3 is not derived, and needs what 1.1 needs."""

    def said(name: str, *uses: str) -> Claim:
        return Claim(name, "1 Part", "title", "I", "It is.", "true", "always", "Counted.", uses=uses)

    registry = Registry(
        [said("1.1", "a"), said("1.2", "1.1", "b"), said("1.3", "1.1", "c")],
        [Assumption(name, name, "It is so.") for name in "abc"],
    )
    records = {"1.1": derived("a"), "1.2": derived("b"), "1.3": ENUMERATED}
    page = Page(settled=[Settled(name, (from_json(record),), "", "x") for name, record in records.items()])
    assert needs(Ledger(registry, {"x": page}, ["x"])) == {"1.1": ("a",), "1.2": ("b",), "1.3": ("a", "c")}


@pytest.fixture
def mapped(book: Book) -> Book:
    """Three claims in a row, the first two derived, and a place that drops what the first one needs."""
    book.claims(
        claim("1.1", uses=["independent-masks"]),
        claim("1.2", uses=["1.1", "linear"]),
        claim("2.1", uses=["1.2"]),
    )
    output = nbformat.v4.new_output("stream", name="stdout", text="own: 1/4\nshared: 0\n")
    printed = nbformat.v4.new_code_cell("print(own, shared)", outputs=[output], execution_count=1)
    book.notebook(
        "a-first",
        "# First\n",
        cell("1.1", derived("independent-masks")),
        cell("1.2", derived("linear")),
        "## What breaks it\n\nBoth {falsifier}`a shared mask <independent-masks>` and $p < 1$, as {doc}`e-map` says.\n",
        printed,
        "See {falsifier}`once more <independent-masks>`.\n",
        cell("2.1", ENUMERATED),
        "```{claims} map\n:section: 2\n```\n",
    )
    book.page("e-map", "# Map\n\n```{claims} map\n```\n")
    return book


def shown(book: Book, page: str) -> Tag:
    """A page of a build that holds."""
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    return BeautifulSoup(built.page(page), "html.parser")


def test_the_tables_say_what_rests_on_what_and_what_falls(mapped: Book) -> None:
    page = shown(mapped, "e-map")
    rows = {row["id"]: [part.text for part in row.find_all("td")] for row in page.select(".claim-map-table tbody tr")}
    assert rows["map-1-1"] == ["independent masks", "nothing", "1.2, 2.1"]
    assert rows["map-1-2"] == ["a linear consumer", "1.1", "2.1"]
    assert rows["map-2-1"] == ["a linear consumer", "1.2; through it on 1.1", "nothing"]
    assert rows["assumption-linear"] == ["1.2, 2.1", "no example yet"]
    assert rows["assumption-independent-masks"][0] == "1.1"


def test_the_chips_lead_to_the_rows_and_carry_the_arrows(mapped: Book) -> None:
    page = shown(mapped, "e-map")
    chips = {chip["data-node"]: chip for chip in page.select(".claim-map-all .claim-chip")}
    assert list(chips) == ["1.1", "1.2", "2.1", "linear", "independent-masks"]
    # The second claim has one claim above it and one below.
    assert page.select_one("#claim-map")["data-start"] == "1.2"
    ids = {found["id"] for found in page.select("[id]")}
    assert all(chip["href"].removeprefix("#") in ids for chip in chips.values())
    assert (chips["1.2"]["data-uses"], chips["1.2"]["data-needs"]) == ("1.1", "linear")
    assert chips["1.2"].text == "✓ 1.2, title of 1.2, true"
    # What only a script can serve is hidden until it runs.
    assert page.select_one(".claim-map form").has_attr("hidden") and page.select_one(".claim-map-chosen").has_attr(
        "hidden"
    )


def test_a_section_shows_what_it_rests_on_in_rows(mapped: Book) -> None:
    page = shown(mapped, "a-first")
    rows = [[chip["data-node"] for chip in row.select(".claim-chip")] for row in page.select(".claim-map-rows ul")]
    assert rows == [["linear"], ["1.1"], ["1.2"], ["2.1"]]
    assert [chip["data-node"] for chip in page.select(".claim-chip-elsewhere")] == ["1.1", "1.2"]
    links = {chip["data-node"]: chip["href"] for chip in page.select(".claim-chip")}
    assert links == {
        "linear": "e-map.html#assumption-linear",
        "1.1": "#claim-1-1",
        "1.2": "#claim-1-2",
        "2.1": "#claim-2-1",
    }


def test_a_page_shows_what_its_own_claims_rest_on(mapped: Book) -> None:
    mapped.notebook("b-second", "# Second\n", cell("2.1", ENUMERATED), "```{claims} page-map\n```\n")
    page = shown(mapped, "b-second")
    rows = [[chip["data-node"] for chip in row.select(".claim-chip")] for row in page.select(".claim-map-rows ul")]
    assert rows == [["linear"], ["1.1"], ["1.2"], ["2.1"]]
    assert [chip["data-node"] for chip in page.select(".claim-chip-elsewhere")] == ["1.1", "1.2"]
    assert page.find("script", src=re.compile("claim-map.js"))


def test_a_place_that_drops_an_assumption_stands_on_the_map(mapped: Book) -> None:
    found = shown(mapped, "e-map").select("#assumption-independent-masks details")
    assert [one.summary.text for one in found] == ["a shared mask (First)", "once more (First)"]
    assert found[0].p.text == r"Both a shared mask and \(p < 1\), as another page says."
    assert found[0].pre.text == "own: 1/4\nshared: 0"
    assert [one.a["href"] for one in found] == [f"a-first.html#breaks-independent-masks{end}" for end in ("", "-2")]
    page = shown(mapped, "a-first")
    head = page.select_one("#breaks-independent-masks")
    assert head.text == "a shared mask" and head.a["href"] == "e-map.html#assumption-independent-masks"
    # The cell behind the second one shows a card, which stands on its own page.
    assert found[1].pre is None


def test_what_is_dropped_has_to_exist(book: Book) -> None:
    book.claims(claim("1.1"))
    book.notebook("a-first", "# First\n\n{falsifier}`No luck <fair>`\n", cell("1.1", DERIVED))
    assert "the prose names falsifier 'fair', which the claims file lacks" in str(book.build().error)


def test_a_place_that_is_gone_is_gone_from_the_map(mapped: Book) -> None:
    assert len(shown(mapped, "e-map").select(".claim-falsifier")) == 2
    path = mapped.folder / "a-first.ipynb"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("{falsifier}`once more <independent-masks>`", "nothing"), encoding="utf-8")
    assert len(shown(mapped, "e-map").select(".claim-falsifier")) == 1
