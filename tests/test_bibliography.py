"""The works that the book cites: each can be found, and is cited as a word of its sentence or in brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pybtex.database import parse_file

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.glob("chapters/**/*.md")
}
ENTRIES = parse_file(str(ROOT / "chapters" / "references.bib")).entries
#: Works of which no identifier could be confirmed.
WITHOUT = {"esseen1942", "livnat2010", "mirsky1975"}


def test_each_entry_says_where_the_work_is_found():
    named = {key for key, entry in ENTRIES.items() if not {"doi", "eprint", "url"}.isdisjoint(entry.fields)}
    assert set(ENTRIES) - named == WITHOUT


def test_identifiers_have_the_form_of_identifiers():
    for key, entry in ENTRIES.items():
        fields = entry.fields
        assert re.fullmatch(r"10\.\d{4,}/\S+", fields.get("doi", "10.1000/x")), key
        assert re.fullmatch(r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}", fields.get("eprint", "0000.0000")), key
        assert fields.get("url", "https://").startswith("https://"), key
        assert "arxiv.org" not in fields.get("url", ""), f"{key}: the number at arXiv is given as eprint"


def test_entries_have_what_their_kind_needs_and_what_is_shown():
    needed = {
        "article": {"journal", "volume", "pages"},
        "book": {"publisher"},
        "inproceedings": {"booktitle"},
        "misc": set(),
    }
    shown = {"number", "volume", "pages", "series", "publisher", "note", "howpublished", "doi", "eprint", "url"}
    for key, entry in ENTRIES.items():
        fields = set(entry.fields)
        assert {"title", "year"} | needed[entry.type] <= fields <= {"title", "year"} | needed[entry.type] | shown, key
        # Capital letters stay: the style would take them from a title that is not protected.
        assert re.fullmatch(r"\{.*\}", entry.fields["title"]), key
        named = [str(person) for person in entry.persons["author"]]
        assert len(named) > 5 or "others" not in named, f"{key}: five authors or all of them"


def test_no_work_has_two_entries():
    for field in ("doi", "eprint", "title"):
        found = [re.sub(r"\W", "", entry.fields[field].lower()) for entry in ENTRIES.values() if field in entry.fields]
        assert len(found) == len(set(found)), field


# ---- How works are cited

CITATION = re.compile(r"\{cite(?P<role>:\w+)?\}`(?P<targets>[^`]+)`")
#: After these a sentence needs the authors: what stands in brackets can be left out of a sentence.
ASKS_FOR_A_NAME = {"and", "as", "by", "from", "in", "of", "which", "with", "Following"}


def before(text: str, place: int) -> str:
    """The word before a place of a chapter; empty where a paragraph begins there."""
    paragraph = re.split(r"\n[ ]*\n|```\n", text[:place])[-1]
    words = paragraph.split()
    return words[-1] if words else ""


def test_the_role_says_whether_the_sentence_needs_the_authors():
    found = [(name, text, cited) for name, text in CHAPTERS.items() for cited in CITATION.finditer(text)]
    assert len(found) > 150
    assert {cited["role"] for _, _, cited in found} == {":p", ":t"}
    for name, text, cited in found:
        if cited["role"] == ":p":
            word = before(text, cited.start())
            where = f"{name}: {word} {cited[0]}"
            assert word and word.lower() not in ASKS_FOR_A_NAME and word[-1] not in ".?!:;", where


# ---- Sections, equations and tables of other works

#: Those that somebody looked up, by key. A place that nobody could look up is left out, and the work is cited alone.
LOOKED_UP = {
    "gal2016recurrent": {"section 4.1"},
    "goodfellow2016": {"section 7.12"},
    "he2015": {"equation 10"},
    "huang2016": {"equation 4"},
    "iyyer2015": {"section 3.1"},
    "kingma2015": {"section 2.3", "section 3.1", "section 3.3"},
    "krueger2017": {"section 3.2"},
    "li2018landscape": {"section 4"},
    "merity2018": {"section 4.3"},
    "molchanov2017": {"equation 14"},
    "srivastava2014": {"table 2", "table 9"}
    | {f"section {number}" for number in ("1", "2", "4", "5.1", "7.4", "9.1", "10", "11")},
    "vaswani2017": {"section 3.2", "section 5.4"},
}
KINDS = "section|equation|table|figure|algorithm|appendix|theorem|lemma|page"
#: In code: "Wan et al. 2013, section 3", or with more names, "(2016, sections 2 and 3)", or a title between.
IN_CODE = re.compile(
    r"(?P<first>[A-Z][\w-]+)(?:(?:, | and )[A-Z][\w-]+)*(?: et al\.)? \(?(?P<year>(?:19|20)\d\d)\)?"
    rf"(?: \([^)]*\)|, \"[^\"]*\")?,? (?P<kind>{KINDS})s? (?P<numbers>\w[\w.]*\w|\w)(?: and (?P<more>[\w.]*\w))?"
)
LOCATED = re.compile(r'key="(?P<key>\w+)",\s*locator="(?P<place>[^"]*)"')
TARGET = re.compile(r"(?P<key>\w+)\{(?P<place>[^}]*)\}")


def named_in_code() -> Iterator[tuple[list[str], str, str]]:
    """Works that may be meant, a place in one of them, and the file that names it."""
    this = Path(__file__).resolve()
    for path in sorted({*ROOT.glob("src/**/*.py"), *ROOT.glob("tests/**/*.py")} - {this}):
        text = re.sub(r"\s*\n\s*(?:#:? )?", " ", path.read_text(encoding="utf-8"))
        for found in IN_CODE.finditer(text):
            keys = [
                key
                for key, entry in ENTRIES.items()
                if entry.persons["author"][0].last_names == [found["first"]] and entry.fields["year"] == found["year"]
            ]
            for number in filter(None, (found["numbers"], found["more"])):
                yield keys, f"{found['kind']} {number}", path.name


def named_in_chapters() -> Iterator[tuple[list[str], str, str]]:
    """The same, of citations in the text and of evidence."""
    for name, text in CHAPTERS.items():
        cited = [found for citation in CITATION.finditer(text) for found in TARGET.finditer(citation["targets"])]
        for found in (*cited, *LOCATED.finditer(text)):
            yield [found["key"]], found["place"], name


def test_places_in_other_works_were_looked_up():
    used = set()
    for keys, place, name in (*named_in_code(), *named_in_chapters()):
        fitting = [key for key in keys if place in LOOKED_UP.get(key, ())]
        assert len(fitting) == 1, f"{name}: {place} of {keys or 'a work that the bibliography lacks'}"
        used.add((fitting[0], place))
    assert {(key, place) for key, places in LOOKED_UP.items() for place in places} == used
