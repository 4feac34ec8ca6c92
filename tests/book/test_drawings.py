"""The drawings that code makes: sound SVG with a name, the same each time, each on a page of the book."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from site_files import pages

from dropout_lab.book.drawings import DRAWINGS
from dropout_lab.book.explorables import EXPLORABLES


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_a_named_picture_on_a_page(name: str) -> None:
    caption, draw = DRAWINGS[name]
    picture = ET.fromstring(str(draw()))
    assert picture.tag.endswith("svg") and picture.get("role") == "img" and picture.get("aria-label")
    assert caption and draw() == draw()
    assert sum(f'id="drawing-{name}"' in page.read_text(encoding="utf-8") for page in pages()) == 1


@pytest.mark.parametrize("name", EXPLORABLES)
def test_an_explorable_is_drawn_in_its_first_state_without_a_script(name: str) -> None:
    found = EXPLORABLES[name]
    picture = ET.fromstring(str(found.drawing(found.start())))
    assert picture.get("role") == "img" and len(list(picture.iter())) > 15
    values = [control.values() for control in found.controls]
    assert all(control.start in known for control, known in zip(found.controls, values, strict=True))
