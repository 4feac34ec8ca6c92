"""Build the whole book as a PDF, by way of LaTeX.

    python -m dropout_lab.book.latex.pdf [FOLDER]

Executed notebooks are those of the book's cache. The LaTeX goes to ``_build/pdf/latex``, the PDF to ``_build/pdf``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from dropout_lab.book.build import build
from dropout_lab.book.latex import needs
from dropout_lab.book.latex.derivation import PREAMBLE

#: The name of the file.
NAME = "dropout-book"
#: The pages of the site have no numbers. Narrow columns are not stretched. The bibliography has its page's heading, and
#: its lines begin below the first letters of a label, however long the longest label is.
_LAYOUT = r"""
\setcounter{secnumdepth}{-1}
\setcounter{tocdepth}{1}
\makeatletter
\newcolumntype{\X}[2]{>{\raggedright\arraybackslash}p{\dimexpr(\linewidth-\spx@arrayrulewidth)*#1/#2-\tw@\tabcolsep
-\spx@arrayrulewidth\relax}}
\renewcommand{\@idxitem}{\par\hangindent 20pt}
\renewcommand{\subitem}{\@idxitem\hspace*{10pt}}
\renewenvironment{sphinxthebibliography}[1]{\let\chapter\@gobbletwo\begin{thebibliography}{Who}}{\end{thebibliography}}
\makeatother
"""
#: What is said behind the title, the heading of the contents, and the environments of classes.
_FRONT = r"""
\newcommand{\sphinxbackoftitlepage}{\vspace*{\fill}\begin{quote}\small\raggedright
This is the book on paper. Cells that import, draw a figure or record evidence are left out: the notebook of each page
has them. Figures that the reader moves on the site stand here as they are when the page is opened.

The text may be used under CC BY 4.0, the code under the BSD 3-Clause license.
\end{quote}\clearpage}
\addto\captionsenglish{\renewcommand{\contentsname}{Contents}}
\newenvironment{sphinxclassbook-small}{\par\footnotesize}{\par}
\newenvironment{sphinxclasssd-card-title}{\par\bfseries}{\par}
"""
#: In the index a name that is wider than a column breaks behind an underscore.
_INDEX = r"""\footnotesize\raggedright
\let\bookunderscore\_\renewcommand{\_}{\bookunderscore\allowbreak}
\printindex"""
#: The same date in each PDF of the same book: no day is later than its content.
_EPOCH = "0"


def settings(root: str, title: str, cache: Path) -> dict[str, Any]:
    """The settings of Sphinx that differ from those of the site."""
    return {
        "dropout_lab_cache": str(cache),
        "latex_engine": "xelatex",
        "latex_use_xindy": False,
        "latex_documents": [(root, f"{NAME}.tex", title, "", "manual")],
        "latex_elements": {
            "papersize": "a4paper",
            "extraclassoptions": "openany,oneside",
            "preamble": PREAMBLE + _LAYOUT + _FRONT,
            "printindex": _INDEX,
            # Ninety letters of code fit into a line.
            "fvset": r"\fvset{fontsize=\footnotesize}",
            "releasename": "",
        },
        # In place of the day on which it was made.
        "today": f"Version {version('dropout-lab')}",
        # Figures and formulas have the numbers that they have on the site.
        "numfig_secnum_depth": 0,
        "latex_show_pagerefs": False,
        "latex_domain_indices": False,
    }


def main(arguments: list[str]) -> int:
    """Build the PDF of the book in the folder given, or in the current one."""
    source = Path(arguments[0] if arguments else ".").resolve()
    if packages := needs.missing():
        print(needs.message(packages), file=sys.stderr)
        return 2
    latex = source / "_build" / "pdf" / "latex"
    contents = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    title = yaml.safe_load((source / "_config.yml").read_text(encoding="utf-8"))["title"]
    chosen = settings(contents["root"], title, source / "_build" / ".cache")
    if status := build(source, latex, toc=source / "_toc.yml", settings=chosen, builder="latex"):
        print("The LaTeX was not made: the lines above say why.", file=sys.stderr)
        return status
    return typeset(latex, latex.parent / f"{NAME}.pdf")


def typeset(latex: Path, target: Path) -> int:
    """Make the PDF from the LaTeX in a folder; 0 if it was made, otherwise what LaTeX complained of is printed."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _EPOCH, "FORCE_SOURCE_DATE": "1"}
    command = ["latexmk", "-xelatex", "-interaction=nonstopmode", "-halt-on-error", "-quiet", f"{NAME}.tex"]
    done = subprocess.run(command, cwd=latex, env=environment, capture_output=True, text=True, errors="replace")
    made = latex / f"{NAME}.pdf"
    if done.returncode or not made.is_file():
        log = latex / f"{NAME}.log"
        said = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else done.stdout + done.stderr
        print("\n".join(re.findall(r"^!.*(?:\n.*){0,6}", said, re.M)[:3]) or said[-800:], file=sys.stderr)
        print(f"LaTeX failed; its whole account is in {log}", file=sys.stderr)
        return 1
    shutil.copyfile(made, target)
    print(f"The book as a PDF is in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
