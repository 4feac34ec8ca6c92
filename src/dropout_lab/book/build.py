"""Build a Jupyter Book with its own configuration, and end with a plain message instead of a traceback.

    python -m dropout_lab.book.build [FOLDER]

Equivalent to ``jupyter-book build FOLDER -W -n --keep-going``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_book.sphinx import build_sphinx
from sphinx.util.console import color_terminal, nocolor


def build(
    source: Path,
    output: Path,
    *,
    toc: Path,
    strict: bool = True,
    settings: Mapping[str, Any] | None = None,
    builder: str = "html",
) -> int:
    """Build the book in ``source`` as HTML, or for another builder of Sphinx, into ``output``; 0 if it holds.

    ``settings`` are Sphinx settings that override those of ``_config.yml``. With ``strict`` every warning counts as a
    failure, once all of them were shown.
    """
    overrides = {"external_toc_path": toc.as_posix(), "latex_individualpages": False, "nitpicky": strict}
    if not color_terminal():
        nocolor()
    result = build_sphinx(
        source,
        output,
        path_config=source / "_config.yml",
        noconfig=True,
        confoverrides={**overrides, **(settings or {})},
        builder=builder,
        warningiserror=strict,
        keep_going=strict,
    )
    # Sphinx has already said what was wrong: in the exception's message, or in its warnings.
    return 1 if isinstance(result, BaseException) else int(result or 0)


def main(arguments: list[str]) -> int:
    """Build the book in the folder given, or in the current one."""
    source = Path(arguments[0] if arguments else ".").resolve()
    status = build(source, source / "_build" / "html", toc=source / "_toc.yml")
    if status:
        print("The book was not built: the lines above say why.", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
