"""Each work of the bibliography can be found: by DOI, by its number at arXiv, or by the address of its publisher."""

from __future__ import annotations

import re
from pathlib import Path

from pybtex.database import parse_file

ENTRIES = parse_file(str(Path(__file__).resolve().parent.parent / "chapters" / "references.bib")).entries
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


def test_no_work_has_two_entries():
    for field in ("doi", "eprint", "title"):
        found = [re.sub(r"\W", "", entry.fields[field].lower()) for entry in ENTRIES.values() if field in entry.fields]
        assert len(found) == len(set(found)), field
