"""From the pages that were read to the site: the ledger is made and judged, placeholders filled, data written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from dropout_lab import claims
from dropout_lab.book import faces, records
from dropout_lab.book.claim_map import claim_map
from dropout_lab.book.directives import ClaimLink, ClaimWidget
from dropout_lab.book.ledger import Ledger
from dropout_lab.book.measurements import empirical_claims
from dropout_lab.book.problems import BookError, draft
from dropout_lab.book.words import View

DATA = "ledger.json"
_log = logging.getLogger(__name__)


def ledger_of(env: BuildEnvironment) -> Ledger:
    """The ledger of everything that has been read."""
    return Ledger(claims.load(), records.pages(env), records.reading_order(env))


def check_claims_file(app: Sphinx, config: Config) -> None:
    """Stop before anything is executed if the claims file contradicts itself: an unknown id, a duplicate, a cycle."""
    try:
        claims.load()
    except (claims.ClaimsFileError, OSError, yaml.YAMLError) as error:
        raise BookError("the claims file is not sound", [str(error)]) from error


def judge(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Stop the build with all that is amiss at once; otherwise name the pages that have to be written anew."""
    ledger = ledger_of(env)
    if problems := ledger.problems(_bibliography(env), draft()):
        raise BookError("the claims are not settled as the claims file expects", problems)
    missing = ledger.without_evidence()
    if missing:
        _log.info("draft: %d claims have no evidence yet: %s", len(missing), ", ".join(missing))
    own_pages = [_page_of(env, "claim-ledger"), _page_of(env, "claim-map")]
    seen = _digest(ledger.as_json(), ledger.evidence, _titles(env), own_pages)
    if seen == getattr(env, "dropout_lab_seen", None):
        return []
    env.dropout_lab_seen = seen
    return [docname for docname, page in records.pages(env).items() if page.widgets]


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put in place of every placeholder what the finished ledger says."""
    placeholders = list(doctree.findall(lambda node: isinstance(node, (ClaimWidget, ClaimLink))))
    if not placeholders:
        return
    view = View(
        ledger_of(app.env),
        docname,
        lambda target, anchor: _href(app, docname, target, anchor),
        _titles(app.env),
        _page_of(app.env, "claim-ledger"),
        _page_of(app.env, "claim-map"),
    )
    for node in placeholders:
        if isinstance(node, ClaimLink):
            node.replace_self(_link(view, node))
        else:
            node.replace_self(nodes.raw("", _html(view, node["widget"], node["argument"]), format="html"))


def write_data(app: Sphinx, exception: Exception | None) -> None:
    """Write the ledger as data at the root of the site."""
    if exception is None and app.builder.format == "html":
        ledger_of(app.env).write(Path(app.outdir) / DATA)


def forget_failures(app: Sphinx, exception: Exception | None) -> None:
    """After a build that mere warnings fail, have the next one read everything again.

    Sphinx would find all pages up to date, say nothing about the same warnings, and succeed. Its status is not set yet
    when this event comes; the number of warnings, of which it is made, is.
    """
    if exception is None and app.keep_going and app._warncount:
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


def _html(view: View, widget: str, argument: str) -> str:
    match widget:
        case "claim-statement":
            return faces.statement(view, argument)
        case "claims-settled":
            return faces.settled(view)
        case "claim-counts":
            return faces.counts(view)
        case "claim-ledger":
            return faces.ledger_filter(view)
        case "ledger-section":
            return faces.ledger_section(view, argument)
        case "claim-errata":
            return faces.errata(view, argument)
        case "empirical-claims":
            return empirical_claims(view)
        case "claim-map" | "section-map":
            return claim_map(view, argument)
    raise ValueError(f"there is no widget {widget!r}")


def _link(view: View, node: ClaimLink) -> nodes.Node:
    entry = view.ledger.entries[node["claim"]]
    title = f"Claim {entry.claim.id}: {entry.claim.title}"
    if not entry.docname:
        return nodes.inline("", "", *node.children, classes=["claim-unsettled"])
    target = view.href(entry.docname, entry.anchor)
    return nodes.reference("", "", *node.children, refuri=target, internal=True, reftitle=title, classes=["claim-link"])


def _href(app: Sphinx, docname: str, target: str, anchor: str) -> str:
    path = "" if target == docname and anchor else app.builder.get_relative_uri(docname, target)
    return f"{path}#{anchor}" if anchor else path


def _page_of(env: BuildEnvironment, widget: str) -> str:
    return next(records.with_widget(env, widget), "")


def _titles(env: BuildEnvironment) -> dict[str, str]:
    return {docname: env.titles[docname].astext() for docname in records.reading_order(env) if docname in env.titles}


def _digest(*seen: Any) -> str:
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def _bibliography(env: BuildEnvironment) -> Container[str]:
    return env.get_domain("cite").bibdata.data.entries if "cite" in env.domains else ()


def _add_script(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    found = records.pages(app.env).get(pagename)
    if found and "claim-ledger" in found.widgets:
        app.add_js_file("claim-ledger.js", loading_method="defer")
