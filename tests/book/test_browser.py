"""The checks of the browser tests, on pages with one fault of every kind: each has to be found."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import PHONE, STICKING_OUT, Browser, serving
from site_files import SITE, pages

_FAULTY = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Faults</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><script src="{mathjax}" defer></script></head>
<body><main><h1>Faults</h1>
<p id="twice">Once</p><p id="twice">Twice</p>
<p style="color: #bbbbbb; background: #ffffff">Hardly legible.</p>
<img src="nowhere.svg"><img src="https://example.org/image.png" alt="A picture from another machine">
<p>\\(\\frac{{1}}\\) and <span class="mathjax_ignore">\\(x\\)</span></p>
<div style="width: 900px">Too wide for a phone.</div>
<script>throw new Error("broken");</script></main><p>Outside of every landmark.</p></body></html>"""


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with all faults."""
    page = tmp_path_factory.mktemp("faulty") / "faulty.html"
    page.write_text(_FAULTY.format(mathjax=(SITE / "_static" / "mathjax" / "tex-chtml.js").as_uri()), encoding="utf-8")
    return page


def test_every_fault_is_found(faulty: Path, browser: Browser) -> None:
    found = browser.examine(faulty)
    assert found.outside == ["https://example.org/image.png"]
    assert any("broken" in line for line in found.console)
    assert any("nowhere.svg" in line for line in found.console)
    assert len(found.tex) == 1 and "frac" in found.tex[0]
    assert found.raw_tex == [r"\(x\)"]
    assert found.sideways
    assert [text for html, text in found.images if "nowhere.svg" in html] == [""]
    assert found.repeated_ids == ["twice"]
    assert any("image-alt" in line for line in found.barriers)
    assert any("desktop, light: color-contrast" in line for line in found.barriers)
    assert any("desktop, light: region" in line and "Outside of every" in line for line in found.barriers)


def test_a_request_that_fails_is_found_on_a_served_page(faulty: Path, browser: Browser) -> None:
    with serving(faulty.parent) as address:
        found = browser.failed_requests(address, [faulty.name])
    assert "404: /nowhere.svg" in found
    assert "https://example.org/image.png" in found
    # What was allowed for a server is not allowed after it.
    assert not any("localhost" in line for line in browser.examine(faulty).outside)


def test_a_wide_element_is_found_on_a_page_of_the_book(browser: Browser) -> None:
    browser.open(pages()[0])
    browser.page.set_viewport_size(PHONE)
    assert browser.page.evaluate(STICKING_OUT) == []
    browser.page.evaluate(
        "document.querySelector('article').insertAdjacentHTML('beforeend', '<div style=\"width: 900px\">wide</div>')"
    )
    assert any("wide" in line for line in browser.page.evaluate(STICKING_OUT))
