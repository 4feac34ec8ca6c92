"""Two editions of every chapter as notebooks: a student's without solutions, an instructor's with all of them.

    python -m dropout_lab.book.editions student
    python -m dropout_lab.book.editions instructor --run chapters/02-the-dropout-operation.md

They go to ``_build/student`` and ``_build/instructor``, each with the wheel of the package beside the notebooks, which
their first cell installs where it is missing. With ``--run`` they are executed as well, and every answer in them has to
be right.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from dropout_lab.book import kernels
from dropout_lab.book.anywhere import Places, plain_notebook
from dropout_lab.book.anywhere.chapters import glued_in
from dropout_lab.book.anywhere.places import docnames
from dropout_lab.book.anywhere.wheel import build_wheel
from dropout_lab.book.leftovers import NOTEBOOKS
from dropout_lab.exercises import EXERCISES, MIME_TYPE, QUIZZES

_SOLUTION = re.compile(r"^```\{solution-start\} *(\S+)\n.*?^```\{solution-end\}\n```\n", re.M | re.S)
_QUIZ = re.compile(r"^```\{quiz\} *(\S+)\n:values: *(.*?)\n\n(.*?)^```\n", re.M | re.S)
_TITLE = re.compile(r"^# .+\n", re.M)
_LETTERS = "ABCDEFGH"
_SAID = {
    "student": "*Student's edition.* Put your answers where `...` stands. `check` says whether they are right.",
    "instructor": "*Instructor's edition, with all solutions.*",
}


def student(text: str) -> str:
    """A chapter in MyST Markdown without its solutions: in place of each a cell for the answer.

    >>> text = "Two?\\n```{solution-start} ch2-ex-twice\\n```\\nIt is p s.\\n```{solution-end}\\n```\\n"
    >>> print(student(text))
    Two?
    ```{code-cell} ipython3
    # Answer: the keep probability of that mask as an expression in p and s
    answer = ...
    check("ch2-ex-twice", answer)
    ```
    <BLANKLINE>
    """
    return _QUIZ.sub(_asked, _SOLUTION.sub(_place_for_answer, _headed(text, "student")))


def instructor(text: str) -> str:
    """A chapter in MyST Markdown with its solutions, and with the answers to its questions."""
    return _QUIZ.sub(_answered, _headed(text, "instructor"))


#: Each edition by its name.
EDITIONS: Mapping[str, Callable[[str], str]] = {"student": student, "instructor": instructor}


def notebook(edition: str, docname: str, places: Places) -> NotebookNode:
    """An edition of a chapter as a notebook that runs anywhere; raises KeyError for one that is unknown."""
    text = (places.folder / f"{docname}.md").read_text(encoding="utf-8")
    return plain_notebook(docname, places, text=EDITIONS[edition](text))


def chapters(folder: Path) -> list[str]:
    """The docnames of the book's pages with code, in the order of its contents."""
    return [name for name in docnames(folder) if "{code-cell}" in (folder / f"{name}.md").read_text(encoding="utf-8")]


def file_name(docname: str) -> str:
    """The name of a chapter's notebook: all of them lie in one folder.

    >>> file_name("chapters/07-variants/droppath")
    '07-variants-droppath.ipynb'
    """
    return f"{docname.removeprefix('chapters/').replace('/', '-')}.ipynb"


def wrong_answers(executed: NotebookNode) -> list[str]:
    """What was said of the answers in a notebook that was executed, where they are wrong."""
    said = [
        output["data"][MIME_TYPE]
        for cell in executed.cells
        for output in cell.get("outputs", ())
        if MIME_TYPE in output.get("data", {})
    ]
    return [f"{verdict['exercise']}: {verdict['wrong']}" for verdict in said if verdict["wrong"]]


def executed(made: NotebookNode, docname: str, folder: Path) -> NotebookNode:
    """The notebook with its outputs, from a kernel of its own; raises :class:`.kernels.NotebookFailed`."""
    with tempfile.TemporaryDirectory() as home:
        environment = kernels.kernel_environment(kernels.make_home(Path(home)))
        kernels.run(kernels.execute(made, folder, environment, name=docname))
    return made


def write(folder: Path, edition: str, pages: list[str], *, run: bool = False) -> Iterator[str]:
    """Write an edition of these chapters, and yield what is wrong in them, if they are executed."""
    target = folder / "_build" / edition
    target.mkdir(parents=True, exist_ok=True)
    places = Places.of(folder, formulas=glued_in(folder / "_build" / NOTEBOOKS))
    for docname in pages:
        made = notebook(edition, docname, places)
        if run:
            try:
                yield from (f"{docname}: {line}" for line in wrong_answers(executed(made, docname, target)))
            except kernels.NotebookFailed as error:
                yield str(error)
        nbformat.write(made, target / file_name(docname))


def main(arguments: list[str]) -> int:
    """Write an edition of the book in the current folder; 1 if an answer in it is wrong, 2 for a page that is none."""
    parser = argparse.ArgumentParser(prog="python -m dropout_lab.book.editions", description=__doc__.partition("\n")[0])
    parser.add_argument("edition", choices=sorted(EDITIONS))
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="a chapter's path; all chapters if none is named")
    parser.add_argument("--run", action="store_true", help="execute the notebooks and look at their answers")
    given = parser.parse_intermixed_args(arguments)
    folder = Path.cwd()
    known = chapters(folder)
    pages = [page.removesuffix(".md") for page in given.pages] or known
    if unknown := [page for page in pages if page not in known]:
        print(f"{unknown[0]} is no chapter with code; there are {', '.join(known)}", file=sys.stderr)
        return 2
    problems = list(write(folder, given.edition, pages, run=given.run))
    build_wheel(folder / "_build" / given.edition)
    print(f"{len(pages)} notebooks and the package are in _build/{given.edition}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _headed(text: str, edition: str) -> str:
    return _TITLE.sub(lambda title: f"{title[0]}\n{_SAID[edition]}\n", text, count=1)


def _place_for_answer(solution: re.Match[str]) -> str:
    label = solution[1]
    if label not in EXERCISES:
        return "```{code-cell} ipython3\n# Your answer:\n```\n"
    asks = EXERCISES[label].asks.replace("`", "")
    return f'```{{code-cell}} ipython3\n# Answer: {asks}\nanswer = ...\ncheck("{label}", answer)\n```\n'


def _question(quiz: re.Match[str]) -> tuple[str, list[str], list[tuple[str, str]]]:
    """The question, the values of its options, and each option with what is said of it."""
    blocks = quiz[3].strip().split("\n\n")
    pairs = [block.split("\n: ", 1) for block in blocks if "\n: " in block]
    question = "\n\n".join(block for block in blocks if "\n: " not in block)
    values = [value.strip() for value in quiz[2].split(";")]
    return question, values, [(option, said) for option, said in pairs]


def _asked(quiz: re.Match[str]) -> str:
    question, values, options = _question(quiz)
    lines = [f"- {letter}: {option}" for letter, (option, _) in zip(_LETTERS, options, strict=False)]
    choice = ", ".join(f'{letter} "{value}"' for letter, value in zip(_LETTERS, values, strict=False))
    cell = f'# The answer is the text of one option: {choice}\nanswer = ...\ncheck("{quiz[1]}", answer)'
    return "\n".join([f"**Question.** {question}", "", *lines, "", "```{code-cell} ipython3", cell, "```", ""])


def _answered(quiz: re.Match[str]) -> str:
    question, values, options = _question(quiz)
    right = [QUIZZES[quiz[1]].answer.is_right(value) for value in values]
    lines = [
        f"- {letter}: {option}. *{'Right.' if is_right else 'Not this one.'}* {_one_line(said)}"
        for letter, (option, said), is_right in zip(_LETTERS, options, right, strict=False)
    ]
    cell = f'check("{quiz[1]}", "{values[right.index(True)]}")'
    return "\n".join([f"**Question.** {question}", "", *lines, "", "```{code-cell} ipython3", cell, "```", ""])


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
