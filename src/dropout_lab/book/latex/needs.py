"""What a PDF needs beside Python, and which packages of Debian bring it. Uses Python's own library alone.

    python src/dropout_lab/book/latex/needs.py

``make pdf`` runs it with any Python before it sets up anything; the exit status is 2 if something is missing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

#: The program that draws an SVG as PDF.
DRAWS = "rsvg-convert"
PROGRAMS = {"latexmk": "latexmk", "xelatex": "texlive-xetex", DRAWS: "librsvg2-bin"}
#: Files of LaTeX that Sphinx asks for.
STYLES = {
    "tabulary.sty": "texlive-latex-extra",
    "fncychap.sty": "texlive-latex-extra",
    "framed.sty": "texlive-latex-recommended",
    "cmap.sty": "texlive-latex-recommended",
    "fontspec.sty": "texlive-latex-recommended",
    "utmr8r.tfm": "texlive-fonts-recommended",
}
#: The fonts: they have the signs of verdicts and the Greek letters of the text.
FONTS = {"FreeSerif.otf": "fonts-freefont-otf"}
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/texmf", "/usr/share/texlive")


def missing() -> list[str]:
    """The packages of Debian that have to be installed, in order, each once; none if nothing is missing."""
    found = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    found += [package for name, package in STYLES.items() if not _knows_latex(name)]
    found += [package for name, package in FONTS.items() if not _lies_somewhere(name)]
    return list(dict.fromkeys(found))


def message(packages: list[str]) -> str:
    """What the reader is told."""
    return (
        "The PDF needs programs that are not installed here. Nothing was done. On Debian they come with\n"
        f"  apt-get install --no-install-recommends {' '.join(packages)}"
    )


def _knows_latex(name: str) -> bool:
    """Whether LaTeX's own search finds a file; it finds nothing where there is no LaTeX."""
    try:
        return subprocess.run(["kpsewhich", name], stdout=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def _lies_somewhere(name: str) -> bool:
    return _knows_latex(name) or any(next(Path(folder).rglob(name), None) for folder in FOLDERS)


if __name__ == "__main__":
    if packages := missing():
        print(message(packages), file=sys.stderr)
        sys.exit(2)
