"""A headless Chromium that opens pages from the disk and says what went wrong on them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, Request, Response, Route, sync_playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

#: What axe takes for a lesser barrier, and counts here too: all that a page shows stands in a landmark.
AXE_RULES_TOO = frozenset({"region"})

_READY = """async () => {
  await (window.MathJax?.startup?.promise ?? Promise.resolve());
  await document.fonts.ready;
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""

# Elements that stick out to the right of the window and lie in no box that scrolls: the ones to blame.
STICKING_OUT = """() => {
  const root = document.documentElement;
  const main = document.querySelector("main") ?? document.body;
  if (Math.max(root.scrollWidth, main.scrollWidth - main.clientWidth + root.clientWidth) <= root.clientWidth) return [];
  const scrolls = element => element && element !== main && element !== document.body && element !== root
    && (["auto", "scroll", "hidden"].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
  const culprits = [...main.querySelectorAll("*")].filter(
    element => element.getBoundingClientRect().right > root.clientWidth + 1 && !scrolls(element.parentElement));
  return [`${root.scrollWidth} pixels of ${root.clientWidth}`, ...culprits.slice(0, 5).map(
    element => element.outerHTML.slice(0, 120))];
}"""

_DARK = """async () => {
  document.documentElement.dataset.theme = "dark";
  document.documentElement.dataset.mode = "dark";
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""

# Shows what is folded away, at once: colors are judged as they are in the end, not on their way.
_UNFOLD = """() => {
  document.head.insertAdjacentHTML("beforeend", "<style>* { transition: none !important; animation: none }</style>");
  document.querySelectorAll(".toggle-hidden").forEach(element => element.classList.remove("toggle-hidden"));
  document.querySelectorAll("details").forEach(element => { element.open = true; });
}"""

_LOADED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].map(
  entry => [entry.name, entry.decodedBodySize])"""

_IMAGES = """() => [...document.querySelectorAll("img, main svg, [role=img]")]
  .filter(element => !element.closest("[aria-hidden=true], mjx-container, button"))
  .filter(element => !element.parentElement.closest("svg"))
  .map(element => {
    const named = element.getAttribute("alt") ?? element.getAttribute("aria-label")
      ?? document.getElementById(element.getAttribute("aria-labelledby") ?? "")?.textContent
      ?? (element.getAttribute("role") === "img" ? element.querySelector(":scope > title")?.textContent : null);
    return [element.outerHTML.slice(0, 120), (named ?? "").trim()];
  })"""

_REPEATED_IDS = """() => {
  const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
  return [...new Set(ids.filter((id, place) => ids.indexOf(id) !== place))];
}"""

_TEX_ERRORS = """() => [...new Set([...document.querySelectorAll("[data-mjx-error]")].map(
  element => `${element.dataset.mjxError}: ${element.closest("p, li, td, div").textContent.trim().slice(0, 120)}`))]"""

# TeX that MathJax was never shown: its delimiters still stand in the text of the page.
_RAW_TEX = r"""() => {
  const walker = document.createTreeWalker(document.querySelector("main") ?? document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  const tex = /\\[(\[]|\$[^$\s][^$]*\\[a-z]+[^$]*\$/;
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    if (tex.test(node.data) && !node.parentElement.closest("pre, code, script, style"))
      found.push(node.data.trim().slice(0, 120));
  return found;
}"""


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)


@dataclass
class Findings:
    """What was wrong on one page, by kind; an empty list is a clean bill."""

    outside: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    tex: list[str] = field(default_factory=list)
    raw_tex: list[str] = field(default_factory=list)
    sideways: list[str] = field(default_factory=list)
    images: list[tuple[str, str]] = field(default_factory=list)
    repeated_ids: list[str] = field(default_factory=list)
    barriers: list[str] = field(default_factory=list)


class Browser:
    """One page of one Chromium, used for all visits; requests that would leave the machine are refused and noted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._known: dict[Path, Findings] = {}
        self._now = Findings()
        self._served = ""
        page.route("**/*", self._allow)
        page.on("request", self._request)
        page.on("console", lambda message: message.type == "error" and self._now.console.append(message.text))
        page.on("pageerror", lambda error: self._now.console.append(str(error)))
        page.on("requestfailed", lambda request: self._now.console.append(f"{request.failure}: {request.url}"))

    def open(self, path: Path, query: str = "") -> Findings:
        """Load a page from the disk, wait until its formulas are set, and return the findings that loading brings."""
        self._leave()
        self.page.set_viewport_size(DESKTOP)
        self.page.goto(path.resolve().as_uri() + query)
        self.page.evaluate(_READY)
        return self._now

    def _leave(self) -> None:
        """Leave the page before: what it was still loading is aborted now, which says nothing of the next one."""
        self.page.goto("about:blank")
        self._now = Findings()

    def failed_requests(self, served: str, pages: Iterable[str]) -> list[str]:
        """What does not come when ``pages`` are loaded from ``served``, the address of a server on this machine."""
        failed: list[str] = []

        def answered(response: Response) -> None:
            if response.status >= 400:
                failed.append(f"{response.status}: {response.url.removeprefix(served)}")

        self._leave()
        self._served = served
        self.page.on("response", answered)
        try:
            for page in pages:
                self.page.goto(f"{served}/{page}")
                self.page.evaluate(_READY)
        finally:
            self.page.remove_listener("response", answered)
            self._served = ""
        return [*failed, *self._now.outside, *self._now.console]

    def loaded_bytes(self, served: str, page: str) -> dict[str, int]:
        """The size of every file that a page loads from the server ``served``, scrolled to its end, unpacked."""
        self._leave()
        self._served = served
        try:
            self.page.goto(f"{served}/{page}")
            self.page.evaluate(_READY)
            self.page.evaluate("scrollTo({ top: document.body.scrollHeight, behavior: 'instant' })")
            self.page.wait_for_load_state("networkidle")
            found = self.page.evaluate(_LOADED)
        finally:
            self._served = ""
        return {unquote(urlsplit(url).path).removeprefix("/"): size for url, size in found}

    def examine(self, path: Path) -> Findings:
        """All findings on a page, on a desktop and on a phone, light and dark. A page is visited once."""
        if path not in self._known:
            found = self._known[path] = self.open(path)
            self.page.evaluate(_UNFOLD)
            found.tex = self.page.evaluate(_TEX_ERRORS)
            found.raw_tex = self.page.evaluate(_RAW_TEX)
            found.images = [(html, name) for html, name in self.page.evaluate(_IMAGES)]
            found.repeated_ids = self.page.evaluate(_REPEATED_IDS)
            self.page.evaluate(AXE_SCRIPT)
            found.barriers = self._axe("desktop, light")
            self.page.set_viewport_size(PHONE)
            self.page.evaluate(_READY)
            found.sideways = self.page.evaluate(STICKING_OUT)
            found.barriers += self._axe("phone", "scrollable-region-focusable")
            self.page.evaluate(_DARK)
            found.barriers += self._axe("dark", "color-contrast", "link-in-text-block")
        return self._known[path]

    def _axe(self, where: str, *rules: str) -> list[str]:
        """Violations of serious or critical impact or of the rules above, of the rules named or of all."""
        # Without preload: axe would fetch the style sheets again, which a page from the disk may not.
        options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
        if rules:
            options["runOnly"] = {"type": "rule", "values": list(rules)}
        # Inside a formula there is only MathJax's own markup, a thousand elements a page.
        inside = {"exclude": [["mjx-container > *"]]}
        result = self.page.evaluate(f"axe.run({json.dumps(inside)}, {json.dumps(options)})")
        return [
            f"{where}: {violation['id']} ({violation['impact']}): {node['html'][:160]} | {node['failureSummary'][:300]}"
            for violation in result["violations"]
            if violation["impact"] in {"serious", "critical"} or violation["id"] in AXE_RULES_TOO
            for node in violation["nodes"][:5]
        ]

    def _allow(self, route: Route, request: Request) -> None:
        if self._is_local(request.url):
            route.continue_()
        else:
            route.abort()

    def _request(self, request: Request) -> None:
        if not self._is_local(request.url):
            self._now.outside.append(request.url)

    def _is_local(self, url: str) -> bool:
        own = (f"{self._served}/",) if self._served else ()
        return url.startswith(("file:", "data:", "blob:", "about:", *own))


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server of the files in ``folder``, which is stopped at the end."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Requests that fail are found by the browser."""

    with ThreadingHTTPServer(("localhost", 0), partial(Silent, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def chromium(executable: str, profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, closed at the end."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=executable,
            headless=True,
            args=list(FLAGS),
            color_scheme="light",
            # A box that is still fading in would be measured at a contrast that nobody reads it with.
            reduced_motion="reduce",
            viewport=DESKTOP,
        )
        try:
            yield Browser(context.pages[0] if context.pages else context.new_page())
        finally:
            context.close()
