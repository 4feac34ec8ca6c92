"""Links from a reason to the chain that it names: on the page, to the card of a claim, or to the rule."""

import sympy as sp
from bs4 import BeautifulSoup

from dropout_lab.book.chains import linked
from dropout_lab.book.notebook import chain_html, render
from dropout_lab.claims.derivations import RELATIONS, SIGNS
from dropout_lab.symbolic import Chain, Masks, Mean
from dropout_lab.symbolic.report import report
from dropout_lab.symbolic.rules import linearity, mean_of_mask

n, i = sp.symbols("n i", integer=True, positive=True)
p, a = sp.Symbol("p", positive=True), sp.IndexedBase("a")
r = Masks(n, p)
lemma = Chain(Mean(a[i] * r[i]), r, name="the mean of $a_i r_i$", claim="2.2").then(a[i] * Mean(r[i]), linearity)
chain = (
    Chain(2 * Mean(a[i] * r[i]), r, name="twice the mean").then(2 * lemma.end, lemma).then(2 * p * a[i], mean_of_mask)
)


def card(own: Chain) -> str:
    """The lines as the card of a claim shows them."""
    shown = {"piece": report(own), "rules_page": "rules.html", "relations": RELATIONS, "signs": SIGNS}
    return str(render("derivation", **shown))


def links(html: str, *cards: str) -> dict[str, str]:
    """Where the reasons on a page lead to, by their words; of the claims, those given have a card."""
    page = BeautifulSoup(
        linked(html, lambda claim: f"mask.html#claim-{claim}" if claim in cards else ""), "html.parser"
    )
    assert not page.select("[data-shows], [data-chain], [data-claim]")
    return {link.text: link["href"] for link in page.select(".derivation-reason a")}


def test_a_reason_leads_to_the_chain_that_it_names():
    html = chain_html(lemma) + chain_html(chain)
    assert links(html, "2.2") == {r"the mean of \(a_i r_i\)": "#chain-the-mean-of-a_i-r_i"}
    page = BeautifulSoup(linked(html, lambda claim: ""), "html.parser")
    assert page.find(id="chain-the-mean-of-a_i-r_i").text == r"The mean of \(a_i r_i\)"


def test_a_chain_that_is_shown_elsewhere_has_the_card_of_its_claim():
    assert links(chain_html(chain), "2.2") == {r"the mean of \(a_i r_i\)": "mask.html#claim-2.2"}
    assert links(chain_html(chain)) == {}


def test_without_a_place_the_rule_stays():
    hidden = Chain(lemma.start, r, name="hidden", shared=True).then(lemma.end, linearity)
    own = Chain(2 * lemma.start, r).then(2 * lemma.end, hidden).then(2 * p * a[i], mean_of_mask)
    assert links(card(own)) == {"hidden": "rules.html#rule-a-lemma", r"\(\mathbb{E}\,r = p\)": "rules.html#rule-e-r-p"}


def test_a_lemma_that_the_page_has_shown_is_not_shown_again():
    alone, twice = linked(card(chain), lambda claim: ""), linked(chain_html(lemma) + card(chain), lambda claim: "")
    lines = [len(BeautifulSoup(html, "html.parser").select(".derivation-line")) for html in (alone, twice)]
    assert lines == [5, 5]
    headings = BeautifulSoup(twice, "html.parser").select(".derivation-heading")
    assert [heading.text for heading in headings] == [
        r"The mean of \(a_i r_i\)",
        r"First: the mean of \(a_i r_i\), as shown above",
        "So: twice the mean",
    ]
    assert headings[1].a["href"] == "#chain-the-mean-of-a_i-r_i"


def test_the_first_of_two_places_has_the_id():
    html = linked(chain_html(lemma) + chain_html(lemma), lambda claim: "")
    assert html.count('id="chain-the-mean-of-a_i-r_i"') == 1
