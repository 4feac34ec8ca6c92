"""Exercises on the pages: hints and solutions that unfold, and the answers that the book gives, judged by the build.

The boxes are those of sphinx-exercise. To each whose label is in the answer key this adds what its answer is and how
the notebook checks it. A solution ends in a cell that calls ``check``; the build fails unless it is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains import Domain
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx_exercise.nodes import is_exercise_node, solution_node

from dropout_lab.book.folded import Folded, FoldedSummary
from dropout_lab.book.problems import BookError, draft

#: The MIME type of a verdict, as in :mod:`dropout_lab.exercises.verdict`; that package loads torch, this one does not.
ANSWER_TYPE = "application/vnd.dropout-lab.answer+json"


class AnswersDomain(Domain):
    """Which exercises a document has, and what became of the answers that its cells gave: by docname."""

    name = "answers"
    label = "Answers"
    initial_data: ClassVar[dict] = {"exercises": {}, "checked": {}}  # type: ignore[misc]
    data_version = 1

    def exercise(self, label: str) -> None:
        """Note an exercise of the document that is being read."""
        self.data["exercises"].setdefault(self.env.docname, []).append(label)

    def checked(self, label: str, wrong: str) -> None:
        """Note what was said of an answer; a later answer to the same exercise takes its place."""
        self.data["checked"].setdefault(self.env.docname, {})[label] = wrong

    def clear_doc(self, docname: str) -> None:
        """Forget what a document had."""
        for found in self.data.values():
            if isinstance(found, dict):
                found.pop(docname, None)

    def resolve_any_xref(self, *args: Any) -> list:
        """Nothing: no reference leads to an answer."""
        return []

    def merge_domaindata(self, docnames: list[str], otherdata: dict) -> None:
        """Take over what another process read."""
        for part in ("exercises", "checked"):
            self.data[part].update({name: found for name, found in otherdata[part].items() if name in docnames})

    def problems(self, draft: bool = False) -> Iterator[str]:
        """What is amiss: an exercise whose solution is wrong, or is not checked, which a draft may leave out."""
        for docname, labels in sorted(self.data["exercises"].items()):
            said: Mapping[str, str] = self.data["checked"].get(docname, {})
            for label in labels:
                if label not in said and not draft:
                    yield f"{docname}: the solution of {label} does not check its answer: check({label!r}, …)"
                elif said.get(label):
                    yield f"{docname}: the solution of {label} is wrong: {said[label]}"


def answers_of(env: BuildEnvironment) -> AnswersDomain:
    """The exercises and answers of an environment."""
    domain = env.get_domain("answers")
    assert isinstance(domain, AnswersDomain)
    return domain


def verdict(env: BuildEnvironment, content: Mapping[str, str]) -> nodes.paragraph:
    """The line that says what ``check`` said in a cell, which is noted."""
    wrong = content["wrong"]
    answers_of(env).checked(content["exercise"], wrong)
    said = f"Not yet: {wrong}." if wrong else "Right."
    return nodes.paragraph("", said, classes=["exercise-verdict", "wrong" if wrong else "right"])


class HintDirective(SphinxDirective):
    """``{hint}``: a hint, folded."""

    has_content = True
    option_spec: ClassVar[dict] = {}

    def run(self) -> list[nodes.Node]:
        """The hint; an error of the page if it is empty."""
        self.assert_has_content()
        return [Folded("", FoldedSummary("", "Hint"), *self.parse_content_to_nodes(), classes=["hint"])]


class AnswerLines(SphinxTransform):
    """Add to each exercise of the key what its answer is, and how the notebook checks it."""

    default_priority = 300

    def apply(self, **kwargs: Any) -> None:
        """Add the line, and note the exercise."""
        found = [node for node in self.document.findall(nodes.Element) if is_exercise_node(node)]
        if not found:
            return
        # The key computes with torch and SymPy, which pages without exercises need not load.
        from dropout_lab.exercises import EXERCISES

        for node in found:
            label = node.get("label", "")
            if label in EXERCISES:
                answers_of(self.env).exercise(label)
                node.append(_answer_line(label, EXERCISES[label].asks))


def _answer_line(label: str, asks: str) -> nodes.paragraph:
    call = f'check("{label}", answer)'
    line = nodes.paragraph(classes=["exercise-answer"])
    line += [nodes.strong("", "Answer: "), *_inline(asks), nodes.Text(". In the notebook, "), nodes.literal("", call)]
    line += nodes.Text(" says whether it is right.")
    return line


def _inline(text: str) -> list[nodes.Node]:
    """Text with code between backticks.

    >>> [type(part).__name__ for part in _inline("an expression in `p`")]
    ['Text', 'literal']
    """
    parts = re.split(r"`([^`]+)`", text)
    return [nodes.literal("", part) if place % 2 else nodes.Text(part) for place, part in enumerate(parts) if part]


class FoldedSolutions(SphinxPostTransform):
    """Fold solutions by the browser's own means, so that they open without a script."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Put a folded block in the place of each solution."""
        for node in list(self.document.findall(solution_node)):
            title, *content = node.children
            assert isinstance(title, nodes.Element)
            # A link has no place in what opens the block.
            for link in list(title.findall(nodes.reference)):
                link.replace_self(link.children)
            folded = Folded("", FoldedSummary("", "", *title.children), *content, classes=["solution"])
            folded["ids"] = node["ids"]
            node.replace_self(folded)


def judge(app: Sphinx, env: BuildEnvironment) -> None:
    """Stop the build if a solution of the book is wrong or is not checked."""
    if problems := list(answers_of(env).problems(draft())):
        raise BookError("the solutions do not hold", problems)


def setup(app: Sphinx) -> None:
    """Register all of it, and the style of exercises and quizzes."""
    app.add_domain(AnswersDomain)
    app.add_directive("hint", HintDirective, override=True)
    app.add_transform(AnswerLines)
    app.add_post_transform(FoldedSolutions)
    app.add_css_file("exercises.css", priority=903)
    app.connect("env-updated", judge, priority=901)
