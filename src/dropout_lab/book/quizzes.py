"""The directive ``{quiz}``: a question with options, of which the build computes the right one.

The options are a definition list, each with what is said of it; ``values`` says what each stands for, and the answer
key in :mod:`dropout_lab.exercises` tells which value is right. A script lets the reader choose; without one, and in
print, a folded block holds the answers.
"""

from __future__ import annotations

from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator
from sphinx.writers.latex import LaTeXTranslator

from dropout_lab.book.folded import Folded, FoldedSummary, plain
from dropout_lab.book.notebook import render


class QuizNode(nodes.General, nodes.Element):
    """The whole: ``quiz`` is its id. Children: a question, options, and a folded block with what is said of each."""


class QuizQuestion(nodes.General, nodes.Element):
    """The question: blocks."""


class QuizOption(nodes.General, nodes.TextElement):
    """An option: ``quiz`` and ``letter`` name it."""


class QuizFeedback(nodes.General, nodes.Element):
    """What is said of an option: ``letter`` names it, ``right`` tells whether it is the right one."""


class QuizDirective(SphinxDirective):
    """``{quiz} id`` with ``:values: p; sqrt(p)`` for two options."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict] = {"values": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """The quiz; an error of the page if it has no key, or not just one right option."""
        from dropout_lab.exercises import QUIZZES

        name = self.arguments[0]
        if name not in QUIZZES:
            raise self.error(f"there is no quiz {name!r} in the answer key; it has {', '.join(QUIZZES)}")
        values = [value.strip() for value in self.options.get("values", "").split(";")]
        question = QuizQuestion("", *self.parse_content_to_nodes(), quiz=name)
        lists = list(question.findall(nodes.definition_list))
        options = list(lists[0].children) if len(lists) == 1 else []
        if len(options) != len(values) or len(options) < 2:
            raise self.error(
                f"the quiz {name} needs a definition list with as many options as it has values, two or more; got "
                f"{len(options)} options in {len(lists)} lists, and {len(values)} values"
            )
        right = [QUIZZES[name].answer.is_right(value) for value in values]
        if sum(right) != 1:
            raise self.error(f"the quiz {name} needs one right option; {sum(right)} of its values are right")
        question.remove(lists[0])
        self.set_source_info(question)
        letters = "ABCDEFGH"[: len(options)]
        answers = Folded("", FoldedSummary("", "Answer"), classes=["quiz-answers"])
        found = QuizNode("", question, quiz=name)
        for letter, option, is_right in zip(letters, options, right, strict=True):
            assert isinstance(option, nodes.definition_list_item)
            term, definition = option.children[0], option.children[-1]
            found += QuizOption("", "", *term.children, quiz=name, letter=letter, right=is_right)
            answers += QuizFeedback("", *definition.children, letter=letter, right=is_right)
        found += answers
        return [found]


def _open(translator: HTML5Translator, node: QuizNode) -> None:
    translator.body.append(str(render("quiz-open", quiz=node["quiz"])))


def _close(translator: HTML5Translator, node: QuizNode) -> None:
    translator.body.append(str(render("quiz-close")))


def _open_question(translator: HTML5Translator, node: QuizQuestion) -> None:
    translator.body.append(translator.starttag(node, "div", CLASS="quiz-question", ids=[f"{node['quiz']}-question"]))


def _close_question(translator: HTML5Translator, node: QuizQuestion) -> None:
    translator.body.append("</div>\n")


def _open_option(translator: HTML5Translator, node: QuizOption) -> None:
    translator.body.append(str(render("quiz-option", quiz=node["quiz"], letter=node["letter"])))


def _close_option(translator: HTML5Translator, node: QuizOption) -> None:
    translator.body.append("</label></div>\n")


def _open_feedback(translator: HTML5Translator, node: QuizFeedback) -> None:
    translator.body.append(str(render("quiz-feedback", letter=node["letter"], right=node["right"])))


def _close_feedback(translator: HTML5Translator, node: QuizFeedback) -> None:
    translator.body.append("</div>\n")


def _lettered_latex(translator: LaTeXTranslator, node: nodes.Element) -> None:
    translator.body.append(f"\n\n{_lettered(node)} ")


def _ended_latex(translator: LaTeXTranslator, node: nodes.Element) -> None:
    translator.body.append("\n\n")


def _lettered(node: nodes.Element) -> str:
    if isinstance(node, QuizOption):
        return f"({node['letter']})"
    return f"({node['letter']}) {'Right.' if node['right'] else 'Not this one.'}"


def _add_script(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    if doctree is not None and any(doctree.findall(QuizNode)):
        app.add_js_file("quiz.js", loading_method="defer")


def setup(app: Sphinx) -> None:
    """Register the directive and its nodes, and load the script where there is a quiz."""
    app.add_directive("quiz", QuizDirective)
    app.add_node(QuizNode, html=(_open, _close), latex=(plain, plain))
    app.add_node(QuizQuestion, html=(_open_question, _close_question), latex=(plain, plain))
    latex = (_lettered_latex, _ended_latex)
    app.add_node(QuizOption, html=(_open_option, _close_option), latex=latex)
    app.add_node(QuizFeedback, html=(_open_feedback, _close_feedback), latex=latex)
    app.connect("html-page-context", _add_script)
