"""Build one page while writing it, without asking that every claim has its evidence.

    python -m dropout_lab.book.page chapters/02-the-dropout-operation.md

The page and the back matter that it links to go to ``_build/draft``; the cache of executed notebooks is the book's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import yaml

from dropout_lab.book.build import build

#: Pages without code that chapters link to: terms, symbols, sources, claims.
COMPANIONS = ("claim-ledger", "empirical-claims", "claim-map", "notation", "glossary", "bibliography")


def main(arguments: list[str]) -> int:
    """Build the page that is named by its path below the current folder."""
    source = Path.cwd()
    if len(arguments) != 1 or not (source / arguments[0]).is_file():
        example = "chapters/02-the-dropout-operation.md"
        print(f"say which page, by its path below {source}, such as {example}", file=sys.stderr)
        return 2
    page = (source / arguments[0]).resolve().relative_to(source).with_suffix("").as_posix()
    drafts = source / "_build" / "draft"
    drafts.mkdir(parents=True, exist_ok=True)
    back = [f"chapters/back/{name}" for name in COMPANIONS]
    chapters = [{"file": name} for name in back if name != page and (source / f"{name}.md").is_file()]
    toc = drafts / "_toc.yml"
    contents = {"format": "jb-book", "root": page} | ({"chapters": chapters} if chapters else {})
    toc.write_text(yaml.safe_dump(contents), encoding="utf-8")
    os.environ["DROPOUT_LAB_DRAFT"] = "1"
    settings = {
        "dropout_lab_cache": str(source / "_build" / ".cache"),
        "dropout_lab_downloads": False,
        "suppress_warnings": ["myst.domains", "ref.doc"],
    }
    status = build(source, drafts / "html", toc=toc, strict=False, settings=settings)
    if status == 0:
        built = (drafts / "html" / page).relative_to(source)
        print(f"The page is in {built}.html (links to other chapters lead nowhere)")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
