"""How works are cited: by author and year, with a letter behind the year where two works would be cited alike.

The label of a work, such as "Gal and Ghahramani, 2016b", is made once, in the order of the bibliography. The text, the
hover cards, the bibliography, the PDF and the notebooks to download take the year from it.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pybtex.backends.plaintext import Backend as PlainText
from pybtex.database import BibliographyData, Entry
from pybtex.plugin import register_plugin
from pybtex.richtext import BaseText
from pybtex.style import FormattedEntry
from pybtex.style.formatting.unsrt import Style as Unsorted
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting import BaseSortingStyle
from pybtex.style.template import Node, node
from sphinx.application import Sphinx
from sphinxcontrib.bibtex import plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

#: What the settings call the style of the bibliography, and the style of the citations in the text.
NAME = "author_year_letters"
_SEPARATOR = ", "
_PLAIN = AuthorYearReferenceStyle()


class Labels(BaseLabelStyle):
    """Who and when, as it is cited in brackets."""

    def format_labels(self, sorted_entries: Iterable[Entry]) -> Iterator[str]:
        """A label for each entry; entries that would have the same get letters, in their order."""
        alike = [f"{_who(entry)}{_SEPARATOR}{entry.fields.get('year', 'n.d.')}" for entry in sorted_entries]
        before: Counter[str] = Counter()
        for label, number in ((label, alike.count(label)) for label in alike):
            yield label + (string.ascii_lowercase[before[label]] if number > 1 else "")
            before[label] += 1


class ByLabel(BaseSortingStyle):
    """The order in which a reader who has read a citation looks for the work; works that are cited alike by title."""

    def sorting_key(self, entry: Entry) -> tuple[str, str, str]:
        """Who, when, and the title."""
        title = entry.fields.get("title", "").strip("{}")
        return _who(entry).casefold(), entry.fields.get("year", ""), title.casefold()


class Works(Unsorted):
    """The bibliography, in the order of its labels. The year of a work has the letter under which it is cited."""

    default_label_style = Labels
    default_sorting_style = ByLabel

    def format_entry(self, label: str, entry: Entry, bib_data: BibliographyData | None = None) -> FormattedEntry:
        """The text of an entry, with the year of its label."""
        return super().format_entry(label, _dated(entry, label), bib_data)


@node
def _as_labelled(children: list[Node], data: Mapping[str, Any]) -> BaseText:
    """A part of a citation in which the entry has the year of its label."""
    (part,) = children
    return part.format_data({**data, "entry": _dated(data["entry"], data["formatted_entry"].label)})


@dataclass
class Citations(AuthorYearReferenceStyle):
    """Citations in the text: "[Huang et al., 2016; Hron et al., 2018]", and "Huang et al. [2016]" as a subject."""

    bracket_parenthetical: BracketStyle = field(default_factory=lambda: BracketStyle(sep="; "))

    def inner(self, role_name: str) -> Node:
        """The template of one citation, for a role such as ``t``."""
        return _as_labelled[super().inner(role_name)]


def labels(entries: Iterable[Entry]) -> dict[str, str]:
    """The labels of the works of a bibliography by their keys.

    Example
    -------
    >>> from pybtex.database import parse_string
    >>> works = parse_string("@misc{a, author={Le, Q}, year=2018} @misc{b, author={Le, Q}, year=2018}", "bibtex")
    >>> labels(works.entries.values())
    {'a': 'Le, 2018a', 'b': 'Le, 2018b'}
    """
    style = Works()
    ordered = style.sort(entries)
    return dict(zip((entry.key for entry in ordered), style.format_labels(ordered), strict=True))


def parted(label: str) -> tuple[str, str]:
    """Who is cited, and the year.

    Example
    -------
    >>> parted("Gal and Ghahramani, 2016b")
    ('Gal and Ghahramani', '2016b')
    """
    who, _, year = label.rpartition(_SEPARATOR)
    return who, year


def setup(app: Sphinx) -> None:
    """Give both styles their name. A book chooses them in its settings."""
    register_plugin("pybtex.style.formatting", NAME, Works, force=True)
    plugin.register_plugin("sphinxcontrib.bibtex.style.referencing", NAME, Citations, force=True)


def _who(entry: Entry) -> str:
    """Those who are named in a citation: one, two, or the first of more."""
    names = _PLAIN.person.author_or_editor_or_title(full=False)
    return names.format_data({"entry": entry, "style": _PLAIN}).render(PlainText())


def _dated(entry: Entry, label: str) -> Entry:
    """The entry with the year of its label."""
    _, year = parted(label)
    dated = Entry(entry.type, {**entry.fields, "year": year}, entry.persons)
    dated.key = entry.key
    return dated
