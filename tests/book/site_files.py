"""What lies in the built site, read without a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
EXECUTED = ROOT / "_build" / "jupyter_execute"
START = SITE / "index.html"
#: Pages that Sphinx adds to those of the table of contents.
ADDED = {"genindex.html", "search.html", "prf-prf.html"}

#: The attributes through which a page loads something, by tag.
_LOADS = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}


@dataclass
class Contents(HTMLParser):
    """The ids, links, loaded resources and images of one page."""

    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    images: list[tuple[str, str]] = field(default_factory=list)
    redirects: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "img":
            self.images.append((given.get("src", ""), given.get("alt", "")))
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.redirects = True
        self.loads.extend(given[name] for name in _LOADS.get(tag, ()) if given.get(name))


@cache
def contents(page: Path) -> Contents:
    """The contents of a page, read once."""
    found = Contents()
    found.feed(page.read_text(encoding="utf-8"))
    return found


def pages() -> list[Path]:
    """All pages of the site but those that only lead to another; the start page alone if nothing was built."""
    found = sorted(path for path in SITE.rglob("*.html") if SITE / "_static" not in path.parents)
    return [path for path in found if not contents(path).redirects] or [START]


def name(page: Path) -> str:
    """A page's path below the site, to name it in a report."""
    return page.relative_to(SITE).as_posix()


def explorable_bytes(page: Path) -> int:
    """What the explorables of a page take of its file, their data included."""
    parts = page.read_text(encoding="utf-8").split('<figure class="explorable')[1:]
    return sum(len(part.partition("</figure>")[0].encode()) for part in parts)


def toc_pages() -> list[str]:
    """The pages that the table of contents asks for, as paths below the site."""
    found: list[str] = []

    def visit(entry: object) -> None:
        if isinstance(entry, list):
            for part in entry:
                visit(part)
        elif isinstance(entry, dict):
            for key, value in entry.items():
                if key in {"root", "file"}:
                    found.append(f"{Path(value).with_suffix('').as_posix() if value.endswith('.md') else value}.html")
                else:
                    visit(value)

    visit(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
    return found


def is_outside(address: str) -> bool:
    """Whether an address leads away from the site's folder."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in {"", "data"} or parts.path.startswith("/")


def broken(page: Path, link: str) -> bool:
    """Whether an internal link leads to no file, or to a place that its page does not have."""
    parts = urlsplit(link)
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_file():
        return True
    anchor = unquote(parts.fragment)
    return bool(anchor) and target.suffix == ".html" and anchor not in contents(target).ids
