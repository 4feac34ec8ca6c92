"""From MyST Markdown to Markdown that every notebook shows: boxes become headings and quotes, roles text or links."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sphinxcontrib.bibtex.citation_target import CitationTarget, parse_citation_targets

from dropout_lab import claims
from dropout_lab.book.anywhere.myst import Directive, pieces, with_roles
from dropout_lab.book.anywhere.places import NUMBERED, Place, Places
from dropout_lab.book.ledger import assumption_of, row_of
from dropout_lab.book.view import VERDICT_WORDS

#: The pages that claims and terms lead to.
LEDGER, MAP, GLOSSARY = (f"chapters/back/{name}" for name in ("claim-ledger", "claim-map", "glossary"))
#: Directives of which nothing is left: they arrange pages, or end something.
_NOTHING = frozenset({"solution-end", "exercise-end", "toctree", "tableofcontents", "index"})
#: What the directive ``claims`` shows of the whole book, and where.
_OF_THE_BOOK = {"map": ("The map of the claims", MAP), "ledger": ("The ledger of the claims", LEDGER)}


@dataclass
class Plain:
    """The conversion of one page: ``settled`` are the claims that its cells settle; ``cited`` collects its sources."""

    docname: str
    places: Places
    settled: tuple[str, ...] = ()
    cited: dict[str, None] = field(default_factory=dict)

    def text(self, myst: str) -> str:
        """Plain Markdown that says what a text of MyST says."""
        parts = []
        for piece in pieces(myst):
            if isinstance(piece, str):
                parts.append(self._prose(piece))
            else:
                plain = _DIRECTIVES.get(piece.name, _box)(self, piece)
                parts.append("\n".join(piece.indent + line if line else line for line in plain.split("\n")))
        return re.sub(r"\n{3,}", "\n\n", "\n\n".join(part.strip("\n") for part in parts if part.strip())).strip("\n")

    def caption(self, name: str, caption: str) -> str:
        """What stands under a figure that a cell draws."""
        place = self.places.numbered.get(("figure", name))
        return f"**Figure{f' {place.number}' if place else ''}.** {self.inline(' '.join(caption.split()))}"

    def inline(self, text: str) -> str:
        """A sentence with its roles replaced."""
        return with_roles(text, self._role)

    def _prose(self, text: str) -> str:
        """Text between directives; fenced code in it stays as it is."""
        lines: list[str] = []
        inside = ""
        paragraph: list[str] = []

        def finish() -> None:
            if paragraph:
                lines.append(self.inline("\n".join(paragraph)))
                paragraph.clear()

        for line in text.split("\n"):
            mark = re.match(r" *(`{3,}|~{3,})", line)
            if inside or mark:
                finish()
                lines.append(line)
                if inside:
                    inside = "" if mark and mark[1].startswith(inside) else inside
                elif mark:
                    inside = mark[1]
            elif not re.match(r"%|\+\+\+|\([\w.:-]+\)=\s*$", line):
                paragraph.append(line)
        finish()
        return "\n".join(lines)

    def _role(self, role: str, title: str, target: str) -> str:
        kind = role.partition(":")[2] if role.startswith("py:") else role
        return _ROLES.get(kind, _words)(self, title, target)

    def numbered(self, kind: str, label: str, *, missing: str) -> tuple[str, Place | None]:
        """How a numbered thing is called, such as Figure 3."""
        place = self.places.numbered.get((kind, label))
        return (f"{NUMBERED[kind]} {place.number}".strip() if place else missing), place


def quote(text: str) -> str:
    """Markdown as a block quote."""
    return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))


def _box(page: Plain, it: Directive) -> str:
    """Any box: its title in bold, and what it says as a quote."""
    # An admonition has a title of its own; a box of another kind says which kind it is.
    name = it.name.rpartition(":")[2].replace("-", " ").replace("_", " ").capitalize()
    title = page.inline(it.argument) if it.argument else name
    heading = title if it.name in ("admonition", "dropdown", "card", "topic", "sidebar") else name
    if it.argument and heading != title:
        heading = f"{name}: {title}"
    body = page.text(it.body)
    return f"**{heading}**\n\n{quote(body)}" if body else f"**{heading}**"


def _margin(page: Plain, it: Directive) -> str:
    return quote(f"**Note.** {page.text(it.body)}")


def _math(page: Plain, it: Directive) -> str:
    return _display(page, it, "\n".join(part for part in (it.argument, it.body) if part))


def _display(page: Plain, it: Directive, formula: str) -> str:
    label = it.options.get("label", "")
    place = page.places.numbered.get(("equation", label)) if label else None
    # An empty line would end the formula in Markdown.
    formula = re.sub(r"\n\s*\n", "\n", formula.strip())
    tag = rf" \tag{{{place.number}}}" if place else ""
    return f"$$\n{formula}{tag}\n$$"


def _glued(page: Plain, name: str) -> str:
    return page.places.formulas.get(page.docname, {}).get(name, "")


def _glued_display(page: Plain, it: Directive) -> str:
    formula = _glued(page, it.argument)
    return _display(page, it, formula) if formula else "The formula is the one that the cell above has shown."


def _exercise(page: Plain, it: Directive) -> str:
    name, _ = page.numbered("exercise", it.options.get("label", ""), missing="Exercise")
    title = f" ({page.inline(it.argument)})" if it.argument else ""
    return f"**{name}{title}**\n\n{quote(page.text(it.body))}"


def _solution(page: Plain, it: Directive) -> str:
    name, place = page.numbered("exercise", it.argument, missing="the exercise")
    title = f" ({page.inline(place.title)})" if place and place.title else ""
    body = page.text(it.body)
    heading = f"**Solution of {name[0].lower()}{name[1:]}{title}**"
    return f"{heading}\n\n{quote(body)}" if body else heading


def _code(page: Plain, it: Directive) -> str:
    return f"```{it.argument}\n{it.body}\n```"


def _figure(page: Plain, it: Directive) -> str:
    text = page.text(it.body)
    label = it.options.get("name", "")
    caption = page.caption(label, text) if text else ""
    alt = " ".join(str(it.options.get("alt", "")).split())
    # Sphinx collects the pictures of all pages in one folder of the site.
    base, file = page.places.base_url, it.argument.rpartition("/")[2]
    picture = f"![{alt}]({base}_images/{file})" if base else (f"*A picture on the book's page: {alt}*" if alt else "")
    return "\n\n".join(part for part in (picture, caption) if part)


def _shown_there(page: Plain, anchor: str, what: str, caption: str) -> str:
    """A figure that is made of the page's own HTML: its caption, and where to see it."""
    title = page.places.titles.get(page.docname, page.docname)
    where = page.places.link(f"on the page “{title}” of the book", page.docname, anchor)
    return quote(f"**{what}** ({where}). {caption}")


def _explorable(page: Plain, it: Directive) -> str:
    # They draw with torch, which pages without them need not load.
    from dropout_lab.book.explorables import EXPLORABLES

    found = EXPLORABLES.get(it.argument)
    return _shown_there(page, f"explorable-{it.argument}", "A figure to move", found.caption if found else "")


def _drawing(page: Plain, it: Directive) -> str:
    from dropout_lab.book.drawings import DRAWINGS

    caption = DRAWINGS[it.argument][0] if it.argument in DRAWINGS else ""
    return _shown_there(page, f"drawing-{it.argument}", "A drawing", caption)


def _claims(page: Plain, it: Directive) -> str:
    what, _, argument = it.argument.partition(" ")
    registry = claims.load()
    if what == "statement" and argument.strip() in registry:
        return quote(statement(page, argument.strip()))
    if what == "settled":
        rows = [
            f"| {page.places.link(name, LEDGER, row_of(name))} | {registry[name].title} | {_verdict(name)} |"
            for name in page.settled
            if name in registry
        ]
        return "\n".join(["| Claim | about | verdict |", "|---|---|---|", *rows]) if rows else ""
    name, docname = _OF_THE_BOOK.get(what, ("What the book says of all its claims", LEDGER))
    title = page.places.titles.get(docname)
    where = page.places.link(f"the page “{title}” of the book" if title else "a page of the book", docname)
    return f"{name} is on {where}."


def statement(page: Plain, claim_id: str) -> str:
    """A claim in plain words: its statement, its verdict, and the assumptions that it needs."""
    registry = claims.load()
    claim = registry[claim_id]
    lines = [f"**Claim {claim_id}: {claim.title}** ({_verdict(claim_id)})", claim.statement]
    for name in registry.assumptions_of(claim_id):
        assumption = registry.assumptions[name]
        lines.append(f"*{page.places.link(assumption.name, MAP, assumption_of(name))}:* {assumption.statement}")
    earlier = [name for name in claim.uses if name in registry]
    if earlier:
        links = [page.places.link(name, LEDGER, row_of(name)) for name in earlier]
        lines.append(f"Rests on claim{'s' if len(links) > 1 else ''} {', '.join(links)}")
    return "\n\n".join(lines)


def _verdict(claim_id: str) -> str:
    sign, word = VERDICT_WORDS[claims.load()[claim_id].expected]
    return f"{sign} {word}"


def _words(page: Plain, title: str, target: str) -> str:
    return title or target


def _doc(page: Plain, title: str, target: str) -> str:
    docname = page.places.resolve(page.docname, target)
    return page.places.link(title or f"*{page.places.titles.get(docname, target)}*", docname)


def _term(page: Plain, title: str, target: str) -> str:
    return page.places.link(title or target, GLOSSARY, f"term-{target.replace(' ', '-')}")


def _equation(page: Plain, title: str, target: str) -> str:
    name, place = page.numbered("equation", target, missing="")
    if place is None:
        return "the formula above"
    own = place.docname == page.docname
    return f"({name})" if own else page.places.link(f"({name})", place.docname, f"equation-{target}")


def _numbered_role(page: Plain, title: str, target: str) -> str:
    for kind in ("figure", "exercise"):
        name, place = page.numbered(kind, target, missing="")
        if place is not None:
            return name if place.docname == page.docname else page.places.link(name, place.docname, target)
    return title or target


def _ref(page: Plain, title: str, target: str) -> str:
    place = page.places.sections.get(target)
    if place is None:
        return _numbered_role(page, title, target)
    return page.places.link(title or f"*{place.title}*", place.docname, target)


def _claim_role(page: Plain, title: str, target: str) -> str:
    return page.places.link(title or f"claim {target}", LEDGER, row_of(target))


def _assumption_role(page: Plain, title: str, target: str) -> str:
    return page.places.link(title or f"assumption {target}", MAP, assumption_of(target))


def _cite(page: Plain, title: str, target: str) -> str:
    return f"({'; '.join(_placed(cited, f'{who}, {year}') for cited, who, year in _cited(page, target))})"


def _cite_in_text(page: Plain, title: str, target: str) -> str:
    return ", ".join(f"{who} ({_placed(cited, year)})" for cited, who, year in _cited(page, target))


def _cited(page: Plain, targets: str) -> list[tuple[CitationTarget, str, str]]:
    """What is cited, by whom it is and when, in the order of the keys."""
    found = [cited for cited in parse_citation_targets(targets) if cited.key in page.places.sources]
    page.cited.update(dict.fromkeys(cited.key for cited in found))
    return [(cited, *page.places.cited(cited.key)) for cited in found]


def _placed(cited: CitationTarget, text: str) -> str:
    """A citation between the words that stand before it and the place in the work."""
    before = f"{cited.pre} " if cited.pre else ""
    return f"{before}{text}, {cited.post}" if cited.post else f"{before}{text}"


def _name(page: Plain, title: str, target: str) -> str:
    """The name of something in code; with a tilde only the last part of it."""
    return title or f"`{target.rpartition('.')[2] if target.startswith('~') else target}`"


def _math_role(page: Plain, title: str, target: str) -> str:
    return f"${target}$"


def _glue_role(page: Plain, title: str, target: str) -> str:
    formula = _glued(page, target)
    return f"${formula}$" if formula else "the one that the cell above has shown"


_DIRECTIVES: dict[str, Callable[[Plain, Directive], str]] = {
    "margin": _margin,
    "math": _math,
    "glue:math": _glued_display,
    "exercise": _exercise,
    "exercise-start": _exercise,
    "solution": _solution,
    "solution-start": _solution,
    "code-block": _code,
    "code": _code,
    "figure": _figure,
    "image": _figure,
    "explorable": _explorable,
    "drawing": _drawing,
    "claims": _claims,
    **dict.fromkeys(_NOTHING, lambda page, it: ""),
}
_ROLES: dict[str, Callable[[Plain, str, str], str]] = {
    "doc": _doc,
    "term": _term,
    "eq": _equation,
    "numref": _numbered_role,
    "ref": _ref,
    "claim": _claim_role,
    "claim:claim": _claim_role,
    "claim:assumption": _assumption_role,
    "cite:p": _cite,
    "cite:t": _cite_in_text,
    "math": _math_role,
    "glue:math": _glue_role,
    "code": _name,
    **dict.fromkeys(("class", "func", "mod", "meth", "attr", "data", "exc", "obj"), _name),
}

#: A role or a directive in a string of a program, where a format string doubles its braces.
_IN_CODE = re.compile(
    rf"\{{{{?(?:{'|'.join(map(re.escape, _ROLES))})\}}}}?`(?P<role>[^`\n]*)`"
    rf"|```\{{{{?(?:{'|'.join(map(re.escape, _DIRECTIVES))})\}}}}?[^`]*```"
)


def code(source: str) -> str:
    r"""A cell's code whose output holds no MyST: of a role in a string what it names is left, of a directive nothing.

    >>> code('f"{name} {{cite:p}}`{key}`" + "```{{claims}} rule {anchor}\\n```"')
    'f"{name} {key}" + ""'
    """
    return _IN_CODE.sub(lambda found: found["role"] or "", source)
