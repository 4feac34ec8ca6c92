"""A derivation that shows itself outside of a card: its own lines, each with its reason."""

import sympy as sp
from bs4 import BeautifulSoup

from dropout_lab.book.notebook import chain_html
from dropout_lab.symbolic import Chain, Definition, Induction, Masks, Mean, Statement
from dropout_lab.symbolic.rules import algebra, definition, last_term, linearity, mean_of_mask, no_terms

n, i = sp.symbols("n i", integer=True, positive=True)
p, a = sp.Symbol("p", positive=True), sp.IndexedBase("a")
r = Masks(n, p)
S = Definition("S_n", sp.Sum(a[i] * r[i], (i, 1, n)))


def lines(html: str) -> list[tuple[str, str]]:
    """Formula and reason of each line."""
    found = BeautifulSoup(html, "html.parser").select("li.derivation-line")
    return [tuple(one.select_one(f".derivation-{part}").text for part in ("formula", "reason")) for one in found]


def test_each_line_has_its_reason_and_its_numbers():
    chain = Chain(Mean(S()), masks=r, definitions=[S]).then(
        sp.Sum(a[i] * Mean(r[i]), (i, 1, n)), definition(S), linearity, why="The weights are given & fixed."
    )
    shown = chain_html(chain.then(p * sp.Sum(a[i], (i, 1, n)), mean_of_mask, algebra))
    formulas, reasons = zip(*lines(shown), strict=True)
    assert reasons == (
        "the start",
        r"definition of \(S_n\), linearity of the mean",
        r"\(\mathbb{E}\,r = p\), algebra",
    )
    assert formulas[0] == r"\(\displaystyle \mathbb{E}\left[S_n\right]\)"
    page = BeautifulSoup(shown, "html.parser")
    assert page.select_one(".derivation-why").text == "The weights are given & fixed."
    assert len(page.select("details.derivation-numbers")) == 2
    assert "mathjax_process" in page.div["class"] and not page.select("a")


def test_an_induction_shows_base_and_step():
    def mean(count: sp.Expr) -> sp.Expr:
        return Mean(sp.Sum(r[i] * a[i], (i, 1, count)))

    closed = p * sp.Sum(a[i], (i, 1, n))
    statement = Statement(mean(n), closed, n, "the mean")
    base = Chain(mean(sp.Integer(0)), masks=r).then(Mean(0), no_terms).then(0, linearity)
    step = (
        Chain(mean(n + 1), masks=Masks(n + 1, p))
        .then(mean(n) + a[n + 1] * Mean(r[n + 1]), last_term, linearity)
        .then(closed + a[n + 1] * Mean(r[n + 1]), statement.hypothesis)
        .then(closed + p * a[n + 1], mean_of_mask)
        .then(p * sp.Sum(a[i], (i, 1, n + 1)), last_term, algebra)
    )
    shown = chain_html(Induction(statement, base, step))
    headings = [one.text for one in BeautifulSoup(shown, "html.parser").select(".derivation-heading")]
    assert headings == [r"The mean. Base, \(n = 0\)", r"Step, from \(n\) to \(n + 1\)"]
    assert [reason for _, reason in lines(shown)].count("the start") == 2
    assert r"the statement for \(n\)" in [reason for _, reason in lines(shown)]
