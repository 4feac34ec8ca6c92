"""Every chapter as a notebook of plain Markdown and code: nothing of MyST is left, nothing of the chapter is lost."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
from site_files import ROOT

from dropout_lab import claims
from dropout_lab.book.anywhere import Places, plain_notebook
from dropout_lab.book.anywhere.myst import Directive, leftovers, pieces
from dropout_lab.book.anywhere.places import docnames
from dropout_lab.book.anywhere.plain import Plain
from dropout_lab.book.anywhere.setup_cell import setup_cell

BASE = "https://book.example/dropout"
#: A cell that writes MyST, for the page to read.
MADE = re.compile(r"\{\{?(?:cite:p|claims?|doc|term|func|class|eq|numref|ref)\}\}?(?:`| )")
CHAPTERS = [name for name in docnames(ROOT) if "{code-cell}" in (ROOT / f"{name}.md").read_text(encoding="utf-8")]


@cache
def places(base_url: str = "") -> Places:
    """The places of the book, read once."""
    return Places.of(ROOT, base_url)


@cache
def plain(chapter: str) -> nbformat.NotebookNode:
    """A chapter's notebook, made once."""
    return plain_notebook(chapter, places())


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_is_plain_and_keeps_its_code(chapter: str) -> None:
    notebook = plain(chapter)
    nbformat.validate(notebook)
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert [left for text in prose for left in leftovers(text)] == []
    # While the site has no address nothing leads there; what is cited has addresses of its own.
    assert not any("](http" in text and "/chapters/" in text for text in prose)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    # Nor does a cell show MyST when it is run.
    assert [source for source in code if MADE.search(source)] == []
    assert code[0] == setup_cell("dropout_lab-0.1.0-py3-none-any.whl")
    text = (ROOT / f"{chapter}.md").read_text(encoding="utf-8")
    cells = [piece.body.strip() for piece in pieces(text) if isinstance(piece, Directive) and piece.name == "code-cell"]
    assert len(code[1:]) == len(cells)
    changed = [own for source, own in zip(code[1:], cells, strict=True) if source.strip() != own]
    assert all(MADE.search(own) for own in changed)


def test_every_claim_that_a_chapter_states_is_stated_in_its_notebook() -> None:
    registry, stated = claims.load(), set()
    for chapter in CHAPTERS:
        text = "\n".join(cell.source for cell in plain(chapter).cells)
        for piece in pieces((ROOT / f"{chapter}.md").read_text(encoding="utf-8")):
            if isinstance(piece, Directive) and piece.name == "claims" and piece.argument.startswith("statement"):
                claim = registry[piece.argument.split()[1]]
                assert f"> {claim.statement}" in text, (chapter, claim.id)
                stated.add(claim.id)
    assert len(stated) > 90


def test_links_lead_to_the_site_once_it_has_an_address() -> None:
    text = "\n".join(cell.source for cell in plain_notebook("chapters/02-the-dropout-operation", places(BASE)).cells)
    assert f"[*Inverted dropout and test-time scaling*]({BASE}/chapters/05-inverted" in text
    assert f"[keep probability]({BASE}/chapters/back/glossary.html#term-keep-probability)" in text
    assert f"{BASE}/dropout_lab-0.1.0-py3-none-any.whl" in text
    with pytest.raises(ValueError, match=r"http or https address, or empty, got 'book\.example'"):
        Places.of(ROOT, "book.example")


BOOK = r"""# A page

````{admonition} A *box*
Text with {term}`masks <mask>`.

```python
"{term}`left alone`"
```
````

:::{margin}
Small.
:::

```{math}
:label: one
a = b

c
```

By {eq}`one`, `{eq}` and {cite:p}`a2000,{see}b2001{section 2}`; {cite:t}`c2002{p. 3}`;
{doc}`sub/other`, {numref}`fig`, {ref}`there`.

```{exercise} Try
:label: ex
Why?
```

```{solution-start} ex
```

Because.

```{solution-end}
```

(there)=
## A section

```{unheard-of} thing
Kept.
```
"""
SOURCES = """@article{a2000, author = {One, A.}, title = {T}, year = 2000, journal = {J}}
@article{z2000, author = {One, A.}, title = {U}, year = 2000, journal = {J}}
@article{b2001, author = {One, A. and Two, B.}, title = {T}, year = 2001, journal = {J}}
@article{c2002, author = {One, A. and van der Two, B. and Three, C.}, title = {T}, year = 2002, journal = {J}}
"""
PLAIN = r"""# A page

**A *box***

> Text with masks.
>
> ```python
> "{term}`left alone`"
> ```

> **Note.** Small.

$$
a = b
c \tag{1}
$$

By (1), `{eq}` and (One, 2000a; see One and Two, 2001, section 2); One et al. (2002, p. 3);
*Other*, Figure 1, *A section*.

**Exercise 1 (Try)**

> Why?

**Solution of exercise 1 (Try)**

Because.

## A section

**Unheard of: thing**

> Kept."""


def test_each_box_and_each_role_has_a_plain_form(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "page.md").write_text(BOOK, encoding="utf-8")
    figure = "```{code-cell}\n---\nmystnb:\n  figure:\n    name: fig\n    caption: A figure.\n---\n1\n```\n"
    (tmp_path / "sub" / "other.md").write_text(f"# Other\n\n{figure}", encoding="utf-8")
    (tmp_path / "references.bib").write_text(SOURCES, encoding="utf-8")
    page = Plain("page", Places.of(tmp_path))
    assert page.text(BOOK) == PLAIN
    assert list(page.cited) == ["a2000", "b2001", "c2002"]
    assert leftovers(PLAIN) == []
    assert leftovers(BOOK) == ["{admonition}", "{margin}", "{math}", *leftovers(BOOK)[3:]]
    assert leftovers("(there)=\n% no\n+++\n") == ["(there)=", "% no", "+++"]


def test_an_edition_gives_the_text_that_is_left(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# A page\n\nText.\n", encoding="utf-8")
    notebook = plain_notebook("page", Places.of(tmp_path), text="# A page\n\n```{code-cell}\n1 + 1\n```\n")
    assert [cell.source for cell in notebook.cells[1:]] == ["# A page", "1 + 1"]
