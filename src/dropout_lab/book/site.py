"""From the pages that were read to the site: the ledger is made and judged, placeholders filled, data written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

from docutils import nodes
from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinxcontrib.bibtex.domain import BibtexDomain

from dropout_lab import claims, pinned
from dropout_lab.book.directives import ClaimWidget
from dropout_lab.book.domain import domain_of, uri_between
from dropout_lab.book.faces import FACES
from dropout_lab.book.latex.plain import page_of
from dropout_lab.book.ledger import schema
from dropout_lab.book.problems import BookError, draft
from dropout_lab.book.view import View
from dropout_lab.claims import replications

#: The ledger as data, and the JSON schema of it, at the root of the site.
DATA, SCHEMA = "ledger.json", "ledger.schema.json"
_log = logging.getLogger(__name__)


def check_claims_file(app: Sphinx, config: Config) -> None:
    """Stop before anything is executed if the claims file, or the count of replications, cannot be believed."""
    try:
        claims.load()
    except claims.ClaimsFileError as error:
        raise BookError("the claims file is not sound", [str(error)]) from error
    try:
        replications.load()
    except replications.ReplicationsError as error:
        raise BookError("the file of replications is not sound", [str(error)]) from error


def judge(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Stop the build with all that is amiss at once; otherwise name the pages that have to be written anew."""
    domain = domain_of(env)
    ledger = domain.ledger
    if problems := ledger.problems(*_bibliography(env), draft()):
        raise BookError("the claims are not settled as the claims file expects", problems)
    missing = ledger.without_evidence()
    if missing:
        _log.info("draft: %d claims have no evidence yet: %s", len(missing), ", ".join(missing))
    records = {claim_id: [piece.to_json() for piece in pieces] for claim_id, pieces in ledger.evidence.items()}
    # What the file says beyond the data: better statements, changes of a sentence, names of assumptions.
    said = [repr(entry) for part in (ledger.registry, ledger.registry.assumptions) for entry in part.values()]
    said += [repr(found) for found in ledger.falsifiers]
    shown = [ledger.as_json(), records, said, _titles(env), [domain.page_with(face) for face in ("filter", "map")]]
    seen = hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()
    before, domain.data["seen"] = domain.data["seen"], seen
    # Any page may have a card of a claim.
    return sorted(env.found_docs) if seen != before else []


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put in place of every placeholder what the finished ledger says."""
    placeholders = list(doctree.findall(ClaimWidget))
    if not placeholders:
        return
    domain = domain_of(app.env)
    titles = _titles(app.env)
    for node in placeholders:
        # For LaTeX all pages are one document.
        page = page_of(node) or docname
        view = View(
            domain.ledger,
            page,
            lambda target, anchor, page=page: uri_between(app.builder, page, target, anchor),  # type: ignore[misc]
            titles,
            domain.page_with("filter"),
            domain.page_with("map"),
        )
        node.replace_self(nodes.raw("", FACES[node["face"]](view, node["argument"]), format="html"))


def write_data(app: Sphinx, exception: Exception | None) -> None:
    """Write the ledger as data at the root of the site, and its schema beside it."""
    if exception is None and app.builder.format == "html":
        root = Path(app.outdir)
        (root / DATA).write_text(domain_of(app.env).ledger.as_json(), encoding="utf-8")
        (root / SCHEMA).write_text(json.dumps(schema(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def forget_failures(app: Sphinx, exception: Exception | None) -> None:
    """After a build that mere warnings fail, have the next one read everything again.

    Sphinx would find all pages up to date, say nothing about the same warnings, and succeed. Its status is not set yet
    when this event comes; the number of warnings, of which it is made, is.
    """
    if exception is None and app.keep_going and pinned.sphinx_warning_count(app):
        Path(app.doctreedir, ENV_PICKLE_FILENAME).unlink(missing_ok=True)


def setup(app: Sphinx) -> None:
    """Check the claims file first; judge when all is read; fill when pages are written; then write the data."""
    app.connect("config-inited", check_claims_file)
    # After the extensions that collect citations and labels.
    app.connect("env-updated", judge, priority=900)
    app.connect("doctree-resolved", fill)
    app.connect("html-page-context", _add_script)
    app.connect("build-finished", write_data)
    app.connect("build-finished", forget_failures)


def _titles(env: BuildEnvironment) -> dict[str, str]:
    order = domain_of(env).reading_order()
    return {docname: env.titles[docname].astext() for docname in order if docname in env.titles}


def _bibliography(env: BuildEnvironment) -> tuple[Collection[str], Collection[str]]:
    """The keys of all entries, and those that are cited: in prose, or below a cell whose evidence rests on them."""
    if "cite" not in env.domains:
        return (), ()
    domain = env.get_domain("cite")
    assert isinstance(domain, BibtexDomain)
    return domain.bibdata.data.entries, {target.key for place in domain.citation_refs for target in place.targets}


def _add_script(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    found = domain_of(app.env).pages.get(pagename)
    if found and "filter" in found.widgets:
        app.add_js_file("claim-ledger.js", loading_method="defer")
    if found and found.widgets & {"map", "section-map", "page-map"}:
        app.add_js_file("claim-map.js", loading_method="defer")
