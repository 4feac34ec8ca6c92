"""The book as LaTeX: claims, cards, derivations, explorables and drawings have a form on paper, and nothing is lost."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from docutils import nodes
from tiny_book import BIBLIOGRAPHY, CITED, DERIVED, MEASURED, REFUTED, Book, cell, claim

from dropout_lab.book.latex import needs, pdf
from dropout_lab.book.latex.from_html import FromHtml, Unknown
from dropout_lab.book.latex.pictures import standalone, styles
from dropout_lab.passports.records import MIME_TYPE, Passport, cell_digest

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0L9 9" stroke="#000"/></svg>'
drawing = pytest.mark.skipif(shutil.which(needs.DRAWS) is None, reason=f"{needs.DRAWS} is not installed")


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
    built = paper.build()
    assert built.status == 0, (built.error, built.warnings)
    made = paper.folder / "book.pdf"
    assert pdf.typeset(built.site, made) == 0
    log = (built.site / f"{pdf.NAME}.log").read_text(encoding="utf-8", errors="replace")
    assert "Missing character" not in log
    assert "undefined references" not in log
    assert made.read_bytes().startswith(b"%PDF")
