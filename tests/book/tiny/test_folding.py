"""Which cells are folded: those that keep the books, by what their code does; on the page with one click to open."""

from __future__ import annotations

import nbformat
import pytest
from bs4 import BeautifulSoup
from tiny_book import MEASURED, cell, claim

from dropout_lab.book.folding import KINDS, kind_of

MEASURE = 'claims.measure("1.1", judged["a"], runs=runs, says="Better.")'
COMPARED = MEASURE.replace('judged["a"]', 'statistics.compare(runs["a"], rule=statistics.Rule.below(0.5), unit="nats")')
TOGETHER = f"claims.together({MEASURE}, {COMPARED})"
DERIVE = 'claims.derive("2.2", mean, stated=["linear"], says="The mean.").glue("ch2-mean")'
IMPORTS = "import sympy as sp\nfrom dropout_lab import claims, figures\nfigures.style()\n"
SYMBOLS = 'n, i = sp.symbols("n i", integer=True)\nr = symbolic.Masks(size=n, keep_prob=p)\nhalf = sp.Rational(1, 2)\n'


@pytest.mark.parametrize(
    "source, kind",
    [
        (MEASURE, "record"),
        (COMPARED, "record"),
        (TOGETHER, "record"),
        (f"claims.together(*({MEASURE} for says, it in judged.items()))", "record"),
        ("claims.together(*(judge(it) for it in judged))", ""),
        (MEASURE.replace('judged["a"]', "over_settings(gains)"), "record"),
        (DERIVE, "record"),
        (f"averaged = {DERIVE}", "record"),
        ('claims.cite("1.5", key="hinton2012", says="It was.")', "record"),
        ('claims.leave_open("1.5", why="Nobody knows.")', "record"),
        (IMPORTS, "setup"),
        (IMPORTS + SYMBOLS, "setup"),
        (IMPORTS + SYMBOLS + "def over(term):\n    return sp.Sum(term, (i, 1, n))\n", "setup"),
        # What computes, defines, prints or derives teaches.
        (f"worst = of('worst')\n{MEASURE}", ""),
        (f"mean = Chain(Mean(r[i]), r).then(p, rules.mean_of_mask)\n{DERIVE}", ""),
        ('claims.enumerate("2.2", ensemble.exact_mean(f, 4, 0.5), p * h, masks=16, says="All.")', ""),
        (f"judged = statistics.holm(found)\n{MEASURE}", ""),
        (IMPORTS + "layer = nn.Dropout(0.5)", ""),
        (IMPORTS + "print(1)", ""),
        (SYMBOLS, ""),
        ("", ""),
        ("%timeit f()", ""),
    ],
)
def test_what_a_cell_does(source: str, kind: str) -> None:
    assert kind_of(source, {}) == kind


def test_the_metadata_decide_first() -> None:
    assert kind_of("axes.plot(p, error)", {"mystnb": {"figure": {"name": "fig"}}}) == "figure"
    assert kind_of(MEASURE, {"tags": ["show-input"]}) == ""


def test_a_page_shows_it_so(book) -> None:
    book.claims(claim("1.1", "supported", kind="E"))
    record = cell("1.1", MEASURED)
    record["source"] = MEASURE
    teaches = nbformat.v4.new_code_cell("print(1 + 1)", execution_count=1)
    tagged = nbformat.v4.new_code_cell("print(2)", execution_count=1, metadata={"tags": ["hide-input"]})
    book.notebook("a-first", "# First\n", record, teaches, tagged)
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    cells = BeautifulSoup(built.page("a-first"), "html.parser").select("div.cell")
    folds = [found.select_one("details") for found in cells]
    assert [bool(fold) for fold in folds] == [True, False, True]
    assert MEASURE in folds[0].text and KINDS["record"] in folds[0].summary.text
    assert folds[2].summary.text.split() == ["Show", "the", "code", "Hide", "the", "code"]
    assert all("aria-label" not in fold.summary.attrs for fold in folds if fold)
    # The card stands outside, for who does not open the cell.
    assert not folds[0].select(".claim-evidence") and cells[0].select(".claim-evidence")
