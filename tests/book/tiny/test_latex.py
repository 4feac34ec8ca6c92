"""The book as LaTeX: claims, cards, derivations, explorables and drawings have a form on paper, and nothing is lost."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from docutils import nodes
from tiny_book import BIBLIOGRAPHY, CITED, DERIVED, MEASURED, REFUTED, Book, cell, claim, derived, drawing

from dropout_lab.book.latex import needs, pdf
from dropout_lab.book.latex.from_html import FromHtml, Unknown
from dropout_lab.book.latex.pictures import standalone, styles
from dropout_lab.book.latex.tables import shares
from dropout_lab.passports.records import MIME_TYPE, Passport, cell_digest

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0L9 9" stroke="#000"/></svg>'


def shown(**data: str) -> nbformat.NotebookNode:
    """A cell that has shown something."""
    bundle = {name.replace("_", "/"): text for name, text in data.items()}
    output = nbformat.v4.new_output("display_data", data=bundle)
    return nbformat.v4.new_code_cell("show()", outputs=[output], execution_count=1)


@pytest.fixture
def paper(book: Book) -> Book:
    """A tiny book that is built for LaTeX."""
    book.builder = "latex"
    book.settings |= pdf.settings("index", "A tiny book", book.folder / "_build" / ".cache")
    book.settings["latex_documents"] = [("index", "book.tex", "A tiny book", "", "manual")]
    book.settings["html_theme"] = "basic"
    return book


def tex(book: Book) -> str:
    """The LaTeX of the book, built without a warning."""
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    assert built.warnings == ""
    return (built.site / "book.tex").read_text(encoding="utf-8")


@drawing
def test_claims_and_their_cards(paper: Book) -> None:
    paper.claims(claim("1.1"), claim("2.1", "wrong"), claim("3.1", "supported", kind="E"), claim("4.1", kind="H"))
    paper.bibliography(BIBLIOGRAPHY)
    cells = [cell("1.1", DERIVED), cell("2.1", DERIVED, REFUTED), cell("3.1", MEASURED), cell("4.1", CITED)]
    paper.notebook("a", "# A\n\n```{claims} statement 1.1\n```\n", *cells, "```{claims} settled\n```\n")
    paper.page("b", "# B\n\nSee {claim}`2.1`.\n\n```{claims} ledger\n```\n\n```{claims} errata\n```\n")
    paper.page("z", "# Z\n\n```{bibliography}\n```\n")
    found = tex(paper)
    assert r"\sphinxstylestrong{Claim 1.1}" in found
    assert r"Statement 1.1: \(\displaystyle a < b\)." in found.replace("\n", " ") or "Statement 1.1:" in found
    assert r"\begin{align*}" in found
    assert re.search(r" & \\bookfit\{\\mathbb\{E\}\[h r\]\}", found)
    assert re.search(r"= & \\bookfit\{h p\}[^&]*& \\bookreason\{linearity, mean", found.replace(" \\\\*\n", " "))
    assert "the interval lies below 0" in found
    assert "4/5" in found
    # Links lead to places that there are.
    labels = set(re.findall(r"\\label\{\\detokenize\{([^}]*)\}\}", found))
    links = set(re.findall(r"\\hyperref\[\\detokenize\{([^}]*)\}\]", found))
    assert "b:ledger-2-1" in labels
    assert "a:claim-2-1" in links
    # Each page knows which claims are its own.
    assert "This page settles no claim" not in found
    assert links <= labels


@drawing
def test_explorables_drawings_and_figures_are_vectors(paper: Book) -> None:
    paper.claims()
    figure = shown(image_svg__xml=SVG)
    passport = Passport(
        (cell_digest("show()"),), (), (), ({"x": "step", "y": "loss"},), "panel,mark\n1,line\n"
    ).to_json()
    figure.outputs[0].data = {"image/svg+xml": SVG, "text/plain": "<Figure>", MIME_TYPE: passport}
    paper.notebook("a", "# A\n\n```{explorable} preactivation\n```\n\n```{drawing} residual-block\n```\n", figure)
    found = tex(paper)
    folder = paper.folder / "_build" / "latex"
    pictures = re.findall(r"\\sphinxincludegraphics(?:\[[^]]*\])?\{\{?([^}]*)\}?(?:\.pdf)?\}", found)
    assert len(pictures) == 3
    for name in pictures:
        content = next(folder.glob(f"{name.removesuffix('.pdf')}*.pdf")).read_bytes()
        assert content.startswith(b"%PDF")
        assert b"/Subtype /Image" not in content
    assert "largest gap to the normal" in found
    assert "<Figure>" not in found
    assert "number(" not in found


def test_what_has_no_form_on_paper_fails_the_build(paper: Book) -> None:
    paper.claims()
    paper.notebook("a", "# A\n", shown(text_html="<p>Seen.</p><video src='x'></video>"))
    built = paper.build()
    assert built.status == 1
    assert "HTML has no form on paper: <video> is not known" in built.warnings


def test_paper_has_chapters_parts_and_no_day(paper: Book) -> None:
    paper.claims()
    paper.opening, paper.caption = "What this is.\n\n## How to read it\n\nSlowly.", "Masks & more"
    paper.page("a", "# First\n\nOne.\n")
    paper.page("b", "# Second\n\nTwo.\n")
    found = tex(paper)
    headings = re.findall(r"\\(part|chapter|section)\{([^}]*)\}", found)
    assert headings == [
        ("chapter", "About this book"),
        ("section", "How to read it"),
        ("part", r"Masks \& more"),
        ("chapter", "First"),
        ("chapter", "Second"),
    ]
    # A day would make every build another.
    assert re.search(r"\\date\{Version [\d.]+\}", found)
    assert found.index("\\renewcommand{\\contentsname}{Contents}") > found.index("\\addto\\captionsenglish")


def test_what_is_folded_on_the_site_is_left_out_and_what_it_shows_stays(paper: Book) -> None:
    paper.claims()
    folded = shown(text_plain="'seen'")
    folded.metadata["tags"] = ["hide-input"]
    setup = nbformat.v4.new_code_cell("import numpy as np", execution_count=1)
    last = nbformat.v4.new_code_cell("import torch", execution_count=3)
    taught = nbformat.v4.new_code_cell("mask = h * r", execution_count=2)
    paper.notebook("a", "# A\n", folded, setup, taught, last, "## What next\n")
    found = tex(paper)
    assert "seen" in found
    assert "show()" not in found
    assert "numpy" not in found
    # Other places lead to a cell even if nothing of it is left.
    assert all(rf"\label{{\detokenize{{a:code-cell-{number}}}}}" in found for number in (1, 2, 3, 4))
    assert r"\PYG{n}{mask}" in found


def test_a_dropped_assumption_is_a_place_that_links_lead_to(paper: Book) -> None:
    paper.claims(claim("1.1", uses=["independent-masks"]))
    text = "One {falsifier}`shared mask <independent-masks>` breaks it.\n"
    paper.notebook("a", "# A\n", cell("1.1", derived("independent-masks")), text, "```{claims} map\n```\n")
    found = tex(paper)
    assert r"\label{\detokenize{a:breaks-independent-masks}}" in found
    assert r"\hyperref[\detokenize{a:breaks-independent-masks}]" in found


def no_picture(svg: str, alt: str) -> nodes.Node:
    return nodes.paragraph(text=f"picture of {alt}")


@pytest.mark.parametrize(
    "html, told",
    [
        (r"<p>One <em>and</em> \(x\)</p>", r"<paragraph>One <emphasis>and</emphasis> <math>x</math></paragraph>"),
        (
            "loose <b>text</b><p>block</p>",
            "<paragraph>loose <strong>text</strong></paragraph><paragraph>block</paragraph>",
        ),
        ("<script>lost()</script><form><input></form><p hidden>no</p>", ""),
        ('<svg aria-label="a mask"></svg>', "<paragraph>picture of a mask</paragraph>"),
        (
            '<a href="#here">there</a>',
            '<paragraph><reference internal="True" refuri="%page#here">there</reference></paragraph>',
        ),
        (
            "<dl><dt>a</dt><dd>b</dd></dl>",
            "<bullet_list><list_item><paragraph><strong>a</strong>: b</paragraph></list_item></bullet_list>",
        ),
        (
            "<details><summary>more</summary>folded</details>",
            "<paragraph><strong>more</strong></paragraph><paragraph>folded</paragraph>",
        ),
        (
            '<a href="%page#there">◐ 7.2, a claim</a>',
            '<paragraph>◐ <reference internal="True" refuri="%page#there">7.2, a claim</reference></paragraph>',
        ),
        ('<a href="../numbers.csv" download="numbers.csv">numbers.csv</a>', "<paragraph>numbers.csv</paragraph>"),
        # The italics lack the signs of verdicts, but not those of numbers.
        (
            '<p>a <span class="claim-badge">◐ imprecise</span> <b>and</b> '
            '<span class="claim-strength">−1 or less</span></p>',
            "<paragraph>a ◐ <emphasis>imprecise</emphasis> ·  <strong>and</strong>  · "
            "<emphasis>−1 or less</emphasis></paragraph>",
        ),
        (
            '<figure class="explorable"><form class="explorable-controls" hidden><label>keep probability <input '
            'type="range" value="0.5"> <span>0.5</span></label><label>noise <select><option value="a">pixels</option>'
            '<option value="b" selected>blocks</option></select></label></form></figure>',
            "<paragraph>Shown for keep probability: 0.5; noise: blocks. On the site this can be changed.</paragraph>",
        ),
        (
            '<details class="passport"><p>recipe</p></details>',
            '<container classes="book-small"><paragraph>recipe</paragraph></container>',
        ),
    ],
)
def test_html_is_told_in_nodes(html: str, told: str) -> None:
    assert "".join(str(node) for node in FromHtml("page", no_picture).told(html)) == told


def test_a_table_keeps_its_cells() -> None:
    html = "<table><thead><tr><th>a<th>b</tr></thead><tr><td>1<td>2</tr><tr><td colspan=2>3</tr></table>"
    (table,) = FromHtml("page", no_picture).told(html.replace("<th>b", "</th><th>b").replace("<td>2", "</td><td>2"))
    assert [entry.astext() for entry in table.findall(nodes.entry)] == ["a", "b", "1", "2", "3"]
    assert table.astext().count("3") == 1
    with pytest.raises(Unknown, match="canvas"):
        FromHtml("page", no_picture).told("<table><tr><td><canvas></canvas></td></tr></table>")


def test_a_line_may_end_in_a_digest_and_nowhere_else_in_code() -> None:
    digest = "0123456789abcdef" * 4
    (paragraph,) = FromHtml("page", no_picture).told(f"<p><code>{digest}</code> <code>keep_prob</code></p>")
    assert "".join(part.astext() for part in paragraph.findall(nodes.literal)) == f"{digest}keep_prob"
    assert [part.astext() for part in paragraph.findall(nodes.raw)] == [r"\allowbreak{}"] * 7


def test_no_column_is_narrower_than_its_words() -> None:
    rows = [["Claim", "Seeds", "said of it"], ["7.2", "−0.00699", "a long sentence about it, " * 12]]
    claim_column, seeds, said = shares(rows, 3)
    # In hundredths of a line of 453 points: letters of at most 5.5 points, and 12 points between columns.
    assert claim_column * 4.53 >= 5 * 5.5 + 12
    assert seeds * 4.53 >= 8 * 5.5 + 12
    assert said > 65


def test_a_plot_in_a_table_can_be_read() -> None:
    html = f"<table><tr><td>{'many words of it ' * 20}</td><td><svg><text>0</text></svg></td></tr></table>"
    (table,) = FromHtml("page", no_picture).told(html)
    said, plot = (spec["colwidth"] for spec in table.findall(nodes.colspec))
    assert said > plot > 30


def test_no_row_is_higher_than_a_page_and_nothing_is_lost() -> None:
    broken = [f"<b>Heading {number}</b><p>{f'word{number} ' * 80}</p>" for number in range(9)]
    html = f"<table><tr id='row'><td>name</td><td>{''.join(broken)}</td></tr><tr><td>a</td><td>b</td></tr></table>"
    (table,) = FromHtml("page", no_picture).told(html)
    rows = [[entry.astext().strip() for entry in row.children] for row in table.findall(nodes.row)]
    # Fifty lines of sixty letters would hold 3000, if there were no code and no gaps between them.
    assert len(rows) > 3
    assert all(len(text) < 25 * 100 for row in rows for text in row)
    assert [row[0] for row in rows] == ["name", *[""] * (len(rows) - 2), "a"]
    assert all(row[1].startswith("Heading") for row in rows[:-1])
    told = " ".join(row[1] for row in rows)
    assert all(told.count(f"word{number} ".strip()) == 80 for number in range(9))
    assert len([target for target in table.findall(nodes.target) if target["ids"] == ["row"]]) == 1


def test_a_drawing_alone_has_its_colors() -> None:
    text = standalone('<svg viewBox="0 0 1 1"><rect class="cell" style="--strength: 0.5"/></svg>')
    assert 'fill-opacity="0.5400"' in text
    assert "var(" not in styles()
    assert re.search(r"\.drawing \.line\.first \{ stroke: #[0-9a-f]{6} \}", text)
    assert re.search(r"\.drawing \.box rect, \.drawing \.sum \{ fill: #[0-9a-f]{6}; stroke: #[0-9a-f]{6}", text)


def test_what_is_missing_is_said_before_any_work(tmp_path: Path) -> None:
    command = [sys.executable, needs.__file__]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "apt-get install --no-install-recommends latexmk texlive-xetex librsvg2-bin" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(bool(needs.missing()), reason="LaTeX is not installed here")
def test_a_book_is_typeset(paper: Book) -> None:
    paper.claims(claim("1.1"))
    paper.settings["latex_documents"] = [("index", f"{pdf.NAME}.tex", "A tiny book", "", "manual")]
    paper.notebook("a", "# A ✓ ≈ ∞\n\n```{claims} statement 1.1\n```\n", cell("1.1", DERIVED))
    digest = f"<p id='s'>digest of the experiment <code>{'0123456789abcdef' * 4}</code></p>"
    row = "<tr><td>◐ <a href='#s'>✗ 7.2</a></td><td>−0.00699</td><td>" + "a long sentence " * 20 + "</td></tr>"
    paper.notebook("b", "# B\n", shown(text_html=f"{digest}<table>{row}</table>"))
    built = paper.build()
    assert built.status == 0, (built.error, built.warnings)
    made = paper.folder / "book.pdf"
    assert pdf.typeset(built.site, made) == 0
    log = (built.site / f"{pdf.NAME}.log").read_text(encoding="utf-8", errors="replace")
    assert "Missing character" not in log
    assert "undefined references" not in log
    assert all(float(wide) < 5 for wide in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log))
    assert made.read_bytes().startswith(b"%PDF")
