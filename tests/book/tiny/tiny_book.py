"""A tiny book in a folder, with a claims file of its own, and one record of every kind of evidence."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
import yaml
from sphinx.application import Sphinx
from sphinx.util.console import strip_colors
from sphinx.util.docutils import docutils_namespace, patch_docutils

from dropout_lab.book.latex import needs
from dropout_lab.claims import MIME_TYPE

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
#: The mark of a test whose book for LaTeX has something to draw.
drawing = pytest.mark.skipif(shutil.which(needs.DRAWS) is None, reason=f"{needs.DRAWS} is not installed")


def load_script(name: str) -> ModuleType:
    """One of the project's scripts as a module of its own, which a test may patch."""
    return _loaded(SCRIPTS / f"{name}.py")


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


#: A line of a derivation, as the tests of the claims write it.
_line = _loaded(Path(__file__).resolve().parents[2] / "claims" / "examples.py").line

HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

"""


def chapter(title: str, *cells: str) -> str:
    """A MyST notebook with these code cells."""
    code = "\n\n".join(f"```{{code-cell}} ipython3\n{cell}\n```" for cell in cells)
    return f"{HEADER}# {title}\n\n{code}\n"


DERIVED = {
    "kind": "derive",
    "verdict": "true",
    "says": "The mean is $p h$.",
    "scope": "any n",
    "left": r"\mathbb{E}[h r]",
    "right": "h p",
    "relation": "=",
    "assumes": [],
    "lines": [_line(r"\mathbb{E}[h r]", "E(h*r)"), _line("h p", "h*p", "=", "linearity", "mean")],
    "slips": {"tried": 9, "by_rule": 9, "by_numbers": 8, "refused": 9},
    "swaps": {"tried": 70, "refused": 70},
    "at": "n = 2",
    "part": "",
    "stated": [],
    "cites": [],
}


def derived(*assumes: str) -> dict[str, Any]:
    """A derivation under assumptions that the claim states itself."""
    return {**DERIVED, "assumes": list(assumes), "stated": list(assumes)}


ENUMERATED = {
    "kind": "enumerate",
    "verdict": "true",
    "says": "All masks agree.",
    "masks": 16,
    "tolerance": 0.0,
    "difference": 0.0,
}
MEASURED = {
    "kind": "measure",
    "verdict": "supported",
    "says": "Less error.",
    "effect": -1.5,
    "interval": [-2.0, -1.0],
    "seeds": 30,
    "rule": "the interval lies below 0",
    "unit": "percentage points",
    "supported": True,
    "smallest_detectable": 0.4,
    "exact": False,
    "recipe": "0123456789abcdef" * 4,
}
REFUTED = {
    "kind": "refute",
    "verdict": "wrong",
    "says": "It is not.",
    "counterexample": "Let $n = 1$.",
    "claimed_formula": "2^{-n}",
    "claimed_at": "n = 1",
    "claimed": "1/2",
    "actual": "4/5",
    "correction": "The weights are $p^k$.",
    "corrected_by": "1.1",
}
CITED = {"kind": "cite", "verdict": "true", "says": "It was first.", "key": "hinton2012", "locator": "p. 1"}
OPEN = {"kind": "none", "verdict": "open", "says": "Nobody knows."}

BIBLIOGRAPHY = "@article{hinton2012, author = {Hinton, G.}, title = {Improving}, journal = {arXiv}, year = {2012}}\n"
ASSUMPTIONS = [
    {"id": "independent-masks", "name": "independent masks", "statement": "The $r_i$ are independent."},
    {"id": "linear", "name": "a linear consumer", "statement": "What follows is linear."},
]


def claim(claim_id: str, expected: str = "true", **fields: Any) -> dict[str, Any]:
    """An entry of a claims file."""
    own = {"id": claim_id, "section": f"{claim_id[0]} Part {claim_id[0]}", "title": f"title of {claim_id}", "kind": "I"}
    own |= {"statement": f"Statement {claim_id}: $a < b$.", "expected": expected, "reason": f"Reason {claim_id}: $c$."}
    if expected in ("wrong", "imprecise", "true-under") and own["section"][0].isdigit():
        own |= {"change": f"Change {claim_id}: $e$.", "misleads": "much" if expected == "wrong" else "little"}
    quantifier = "others found" if "H" in fields.get("kind", "") else "always"
    readings = [f"Reading {claim_id}: $d$.", "Another one."][: 2 if expected == "imprecise" else 1]
    return {**own, "quantifier": quantifier, "readings": readings, **fields}


def cell(claim_id: str, *evidence: Mapping[str, Any]) -> nbformat.NotebookNode:
    """A code cell that was executed and settled a claim."""
    data = {MIME_TYPE: {"claim": claim_id, "evidence": list(evidence)}, "text/plain": f"evidence for {claim_id}"}
    output = nbformat.v4.new_output("execute_result", data=data, execution_count=1)
    return nbformat.v4.new_code_cell(f"settle('{claim_id}')", outputs=[output], execution_count=1)


@dataclass
class Built:
    """A finished or failed build: what was said, and where the site is."""

    site: Path
    said: str
    warnings: str
    status: int
    error: Exception | None = None

    def page(self, name: str) -> str:
        """The HTML of a page."""
        return (self.site / f"{name}.html").read_text(encoding="utf-8")


@dataclass
class Book:
    """A tiny book: Markdown pages are text, notebooks are lists of text and of cells that were executed before."""

    folder: Path
    patch: pytest.MonkeyPatch
    settings: dict[str, Any] = field(default_factory=dict)
    parallel: int = 1
    builder: str = "html"
    #: What the first page says below its contents, and what these are called.
    opening: str = ""
    caption: str = ""

    def claims(self, *entries: Mapping[str, Any]) -> None:
        """Write the claims file: a new one each time, since a process reads each file once."""
        named = {used for entry in entries for used in entry.get("uses", ())}
        assumptions = [assumption for assumption in ASSUMPTIONS if assumption["id"] in named]
        document = {"assumptions": assumptions, "claims": list(entries)}
        path = self.folder / f"claims-{len(list(self.folder.glob('claims-*.yaml')))}.yaml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        self.patch.setenv("DROPOUT_LAB_CLAIMS", str(path))

    def replications(self, **found: Mapping[str, str]) -> None:
        """Write the file of replications: for ``c2_2``, claim 2.2, what came out by number; of MEASURED's recipe."""
        entries = {
            name[1:].replace("_", "."): {"recipes": [MEASURED["recipe"]], "found": outcomes}
            for name, outcomes in found.items()
        }
        (self.folder / "replications.json").write_text(json.dumps(entries), encoding="utf-8")

    def page(self, name: str, text: str) -> None:
        """Write a Markdown page, or a MyST notebook if the text begins with its header, unless it is there."""
        path = self.folder / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")

    def notebook(self, name: str, *parts: str | nbformat.NotebookNode) -> None:
        """Write a notebook that was executed before: text becomes Markdown cells."""
        cells = [nbformat.v4.new_markdown_cell(part) if isinstance(part, str) else part for part in parts]
        for number, part in enumerate(cells):
            part["id"] = f"cell-{number}"
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), self.folder / f"{name}.ipynb")

    def bibliography(self, entries: str = BIBLIOGRAPHY) -> None:
        """Write the bibliography; an entry that no page cites fails the build."""
        (self.folder / "references.bib").write_text(entries, encoding="utf-8")

    def build(self) -> Built:
        """Build the book in this process, with every warning a failure; all pages stand in the order of their names."""
        pages = sorted(path.stem for path in self.folder.glob("*.*") if path.suffix in (".md", ".ipynb"))
        toctree = "\n".join(name for name in pages if name != "index")
        called = f":caption: {self.caption}\n\n" if self.caption else ""
        self.page("index", f"# A tiny book\n\n```{{toctree}}\n{called}{toctree}\n```\n\n{self.opening}\n")
        config = {
            "extensions": ["myst_nb", "sphinxcontrib.bibtex", "dropout_lab.book"],
            "bibtex_bibfiles": ["references.bib"],
            "bibtex_default_style": "author_year_letters",
            "bibtex_reference_style": "author_year_letters",
            "exclude_patterns": ["_build", "package"],
            "myst_enable_extensions": ["dollarmath"],
            "nb_execution_mode": "off",
            "nitpicky": True,
            "html_theme": "basic",
            **self.settings,
        }
        said, warnings, site = io.StringIO(), io.StringIO(), self.folder / "_build" / self.builder
        status, error = 1, None
        try:
            with patch_docutils(), docutils_namespace():
                app = Sphinx(
                    self.folder,
                    None,
                    site,
                    self.folder / "_build" / "doctrees",
                    self.builder,
                    config,
                    said,
                    warnings,
                    warningiserror=True,
                    keep_going=True,
                    parallel=self.parallel,
                )
                app.build()
                status = app.statuscode
        except Exception as raised:  # what Sphinx's command line catches as well
            error = raised
        return Built(site, strip_colors(said.getvalue()), strip_colors(warnings.getvalue()), status, error)
