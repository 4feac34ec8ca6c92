"""Passports on their pages: each is filled when its page was read, and a figure without one stops the build."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from dropout_lab.book.domain import domain_of
from dropout_lab.book.notebook import render
from dropout_lab.book.problems import BookError
from dropout_lab.book.reading import Drawn, Settled
from dropout_lab.claims.kinds import Measurement
from dropout_lab.passports.calls import draws_in, runs_in, seeds_in
from dropout_lab.passports.quantities import measured, quantities
from dropout_lab.passports.records import Passport, cell_digest
from dropout_lab.passports.slices import slice_of

#: The folder of the numbers, in the site.
FOLDER = "passports"
#: The page with the list of figures.
LIST = "chapters/back/figures"
#: A measurement rests on at most so many experiments, and is looked for among those of its page.
_MOST_RUNS = 3


class PassportNode(nodes.General, nodes.Element):
    """A passport to be filled: ``content`` is the record from the cell's output."""


@dataclass(frozen=True)
class Link:
    """A place of the page, and what the passport calls it."""

    anchor: str
    text: str


def fill(app: Sphinx, doctree: nodes.document) -> None:
    """When a page was read: give its cells anchors, and show the passport of each figure; note what lacks one."""
    cells = [node for node in doctree.findall(nodes.container) if node.get("nb_element") == "cell_code"]
    if not cells:
        return
    env = app.env
    page = domain_of(env).page
    name = str(env.doc2path(env.docname, base=False))
    links: dict[str, Link] = {}
    code: dict[str, str] = {}
    listed: list[str] = []
    read: list[tuple[PassportNode, Passport, str, int]] = []
    for number, cell in enumerate(cells, 1):
        source = _source(cell)
        digest = cell_digest(source)
        listed.append(source)
        code[digest], links[digest] = source, Link(f"code-cell-{number}", f"cell {number}")
        cell["ids"].append(f"code-cell-{number}")
        for place, (holder, bundle) in enumerate(_pictures(cell), 1):
            named = holder["names"] if holder is not None else []
            called = named[0] if named else f"{env.docname.rpartition('/')[2]}-{number}-{place}"
            node = next(iter(bundle.findall(PassportNode)), None)
            try:
                if node is None:
                    raise ValueError("it has no passport; call figures.style() before it, in a cell above")
                passport = Passport.from_json(node["content"])
                if runs_in([code[one] for one in passport.cells if one in code]) and not passport.runs:
                    raise ValueError(
                        "its cells train networks, and its passport has no recipe; give the results a name"
                    )
            except (TypeError, ValueError) as error:
                page.unexplained.append(f"{name}, cell {number}, {called}: {error}")
                continue
            read.append((_moved(node, bundle if holder is None else holder), passport, called, number))
    known = list(dict.fromkeys(str(run["digest"]) for _, passport, *_ in read for run in passport.runs))
    for node, passport, figure, number in read:
        sources = [code[digest] for digest in passport.cells if digest in code]
        page.numbers[figure] = passport.csv
        page.drawn[figure] = Drawn(
            number,
            passport.runs,
            () if passport.runs else tuple(seeds_in(sources)),
            draws_in(sources),
            passport.rows,
            passport.digest,
        )
        shown = render(
            "passport",
            it=passport,
            cells=[links[digest] for digest in passport.cells if digest in links],
            rules=_rules(page.settled, passport, known, listed, number),
            file=f"{'../' * env.docname.count('/')}{FOLDER}/{figure}.csv",
            name=figure,
            number=number,
            notebook=f"{env.docname.rpartition('/')[2]}.ipynb" if app.config.dropout_lab_downloads else "",
            listed=_list_entry(env, figure),
        )
        node.replace_self(nodes.raw("", str(shown), format="html"))
    for node in list(doctree.findall(PassportNode)):
        node.parent.remove(node)


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Stop the build with all figures that have no passport, or share their name with another one."""
    pages = domain_of(env).pages
    problems = [line for page in pages.values() for line in page.unexplained]
    names = sorted(name for page in pages.values() for name in page.numbers)
    problems += [f"two figures are called {one}" for one, other in itertools.pairwise(names) if one == other]
    if problems:
        raise BookError("figures without a passport, or without their numbers", problems)


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the numbers of all figures into the site, and remove those of figures that are no more."""
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir, FOLDER)
    numbers = {f"{name}.csv": text for page in domain_of(app.env).pages.values() for name, text in page.numbers.items()}
    for path in folder.glob("*.csv"):
        if path.name not in numbers:
            path.unlink()
    if numbers:
        folder.mkdir(exist_ok=True)
    for name, text in numbers.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> None:
    """Fill when a page was read, check when all were, write at the end."""
    app.add_node(PassportNode)
    # Before the other readers of the finished page, which have nothing to do with what is left over here.
    app.connect("doctree-read", fill, priority=100)
    app.connect("env-updated", check)
    app.connect("build-finished", write)


def _list_entry(env: BuildEnvironment, figure: str) -> str:
    """The link to a figure's entry in the list of figures; empty in a book without one."""
    if LIST not in env.found_docs:
        return ""
    # For LaTeX all pages are one document, whose builder knows its pages only when it writes.
    page = f"%{LIST}" if env.app.builder.format == "latex" else env.app.builder.get_relative_uri(env.docname, LIST)
    return f"{page}#{entry_of(nodes.make_id(figure))}"


def _source(cell: nodes.Element) -> str:
    """A cell's code; empty where the page does not show it."""
    for part in cell.findall(nodes.container):
        if part.get("nb_element") == "cell_code_source":
            return next((block.astext() for block in part.findall(nodes.literal_block)), "")
    return ""


def entry_of(figure: str) -> str:
    """The id of a figure's entry in the list, by the figure's own id.

    >>> entry_of("fig-ch1-memory")
    'again-fig-ch1-memory'
    """
    return f"again-{figure}"


def _pictures(cell: nodes.Element) -> Iterator[tuple[nodes.figure | None, nodes.Element]]:
    """The outputs of a cell that are pictures, each with the figure that it stands in, if in any."""
    for bundle in list(cell.findall(nodes.container)):
        if bundle.get("nb_element") == "mime_bundle" and next(iter(bundle.findall(nodes.image)), None) is not None:
            yield bundle.parent if isinstance(bundle.parent, nodes.figure) else None, bundle


def _moved(node: PassportNode, above: nodes.Element) -> PassportNode:
    """The placeholder, taken out of the formats among which a builder chooses, and put below the picture."""
    holder = node.parent
    holder.parent.remove(holder)
    above.parent.insert(above.parent.index(above) + 1, node)
    return node


def _rules(
    settled: Sequence[Settled], passport: Passport, known: Sequence[str], code: Sequence[str], number: int
) -> list[Mapping[str, str]]:
    """Each decision rule of the figure: those that claims of the page applied to what it shows, then its others.

    A claim's measurement belongs to the figure if the figure shows all that it rests on: its experiments and, of what
    was measured there, its quantities. ``code`` holds the cells of the page, of which the ``number``-th draws.
    """
    own = {str(run["digest"]) for run in passport.runs}
    names = {name for run in passport.runs for name in run["quantities"]}
    shown = quantities(slice_of(code[:number]), names)
    rests_on = measured(code, names)
    anchors = {one.claim: one.anchor for one in settled if one.anchor}
    found = {}
    for one in settled:
        pieces = [piece for piece in one.evidence if isinstance(piece, Measurement)]
        read = rests_on.get(one.claim, [])
        for place, piece in enumerate(pieces):
            experiments = set(_experiments(piece, known))
            asked = read[place] if len(read) == len(pieces) else frozenset().union(*read)
            if experiments and experiments <= own and asked <= shown:
                found[one.claim, piece.rule] = anchors.get(one.claim, "")
    said = {rule for _, rule in found}
    found |= {("", rule): "" for rule in passport.rules if rule not in said}
    return [{"claim": claim, "rule": rule, "anchor": anchor} for (claim, rule), anchor in found.items()]


def _experiments(piece: Measurement, known: Sequence[str]) -> tuple[str, ...]:
    """Those of the ``known`` experiments from which, with its rule and its unit, the recipe of a measurement comes."""
    for count in range(1, _MOST_RUNS + 1):
        for digests in itertools.permutations(known, count):
            recipe = repr((list(digests), piece.rule, piece.unit))
            if hashlib.sha256(recipe.encode()).hexdigest() == piece.recipe:
                return digests
    return ()
