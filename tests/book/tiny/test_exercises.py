"""Exercises and questions in a tiny book: what they show, and what of them stops the build."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from browser import Browser
from bs4 import BeautifulSoup
from tiny_book import Book

from dropout_lab import exercises
from dropout_lab.book.exercises import ANSWER_TYPE
from dropout_lab.book.problems import BookError

EXERCISE = """````{exercise} Two masks
:label: ch2-ex-twice

Which single mask?

:::{hint}
It is *one* product.
:::
````
"""
SOLUTION = "```{solution-start} ch2-ex-twice\n```\n\nIt is $p s$.\n"
END = "```{solution-end}\n```\n"
QUIZ = """```{quiz} ch2-quiz-energy
:values: p; 1/p

Which factor?

$p$
: Without the division.

$1/p$
: With it.
```
"""


def answer(wrong: str = "", exercise: str = "ch2-ex-twice") -> nbformat.NotebookNode:
    """A cell that called ``check``."""
    said = {"text/plain": "said", ANSWER_TYPE: {"exercise": exercise, "wrong": wrong}}
    output = nbformat.v4.new_output("execute_result", data=said, execution_count=1)
    return nbformat.v4.new_code_cell("check()", outputs=[output], execution_count=1)


@pytest.fixture
def asking(book: Book) -> Book:
    """An empty book that knows exercises."""
    book.claims()
    book.settings["extensions"] = ["myst_nb", "sphinx_exercise", "sphinxcontrib.bibtex", "dropout_lab.book"]
    book.settings["myst_enable_extensions"] = ["dollarmath", "deflist", "colon_fence"]
    return book


def soup(book: Book, *parts: str | nbformat.NotebookNode) -> BeautifulSoup:
    """The page that is made of these parts."""
    book.notebook("a-page", "# Page\n", *parts)
    built = book.build()
    assert built.status == 0, (built.error, built.warnings)
    return BeautifulSoup(built.page("a-page"), "html.parser")


def stopped(book: Book, *parts: str | nbformat.NotebookNode) -> str:
    """What stops the build of a page with these parts."""
    book.notebook("a-page", "# Page\n", *parts)
    built = book.build()
    assert built.status or built.error
    return f"{built.warnings} {''.join(map(str, getattr(built.error, 'args', ())))}"


def test_the_type_of_a_verdict_is_that_of_the_package():
    assert ANSWER_TYPE == exercises.MIME_TYPE


def test_hints_and_solutions_unfold_without_a_script(asking):
    page = soup(asking, EXERCISE, SOLUTION, answer(), END)
    hint, solution = page.select("details")
    assert hint.summary.text == "Hint" and "one product" in hint.text
    assert solution.summary.text.startswith("Solution to Exercise 1 (Two masks)")
    assert not solution.summary.find("a") and not solution.has_attr("open")
    assert "Right." in solution.text and "It is" in solution.text
    box = page.select_one("div.exercise")
    assert "the keep probability of that mask as an expression in p and s" in box.text
    assert 'check("ch2-ex-twice", answer)' in box.text


def test_a_wrong_solution_stops_the_build(asking):
    assert "the solution of ch2-ex-twice is wrong: the sign is wrong" in stopped(
        asking, EXERCISE, SOLUTION, answer("the sign is wrong"), END
    )


def test_a_later_answer_counts(asking):
    page = soup(asking, EXERCISE, SOLUTION, answer("the sign is wrong"), answer(), END)
    assert [line.text for line in page.select(".exercise-verdict")] == ["Not yet: the sign is wrong.", "Right."]


def test_a_solution_that_is_not_checked_stops_the_build(asking):
    assert "ch2-ex-twice does not check its answer" in stopped(asking, EXERCISE, SOLUTION, END)
    assert "ch2-ex-twice does not check its answer" in stopped(
        asking, EXERCISE, SOLUTION, answer(exercise="ch2-ex-equal"), END
    )


def test_an_exercise_outside_the_key_is_left_alone(asking):
    page = soup(asking, EXERCISE.replace("ch2-ex-twice", "my-own"))
    assert not page.select(".exercise-answer")


def test_a_quiz_shows_its_options_and_folds_its_answers(asking):
    page = soup(asking, QUIZ)
    quiz = page.select_one("fieldset.quiz")
    assert quiz["id"] == "ch2-quiz-energy" and quiz.legend.text == "Question"
    assert page.find(id=quiz["aria-describedby"]).text.strip() == "Which factor?"
    buttons = quiz.select("input[type=radio]")
    assert [page.find("label", attrs={"for": button["id"]}).text[0] for button in buttons] == ["A", "B"]
    assert all(button.has_attr("hidden") for button in buttons)
    assert [one["data-right"] for one in quiz.select("details .quiz-feedback")] == ["no", "yes"]
    assert page.select("script[src*='quiz.js']")


@pytest.mark.parametrize(
    ("quiz", "problem"),
    [
        (QUIZ.replace("ch2-quiz-energy", "ch2-quiz-nothing"), "there is no quiz 'ch2-quiz-nothing'"),
        (QUIZ.replace("p; 1/p", "p; 2*p"), "needs one right option; 0 of its values are right"),
        (QUIZ.replace("p; 1/p", "1/p; p**(-1)"), "needs one right option; 2 of its values are right"),
        (QUIZ.replace("p; 1/p", "p; 1/p; 3"), "got 2 options in 1 lists, and 3 values"),
        (QUIZ.partition("$p$")[0] + "```\n", "got 0 options in 0 lists, and 2 values"),
        ("```{hint}\n```\n", "hint"),
    ],
)
def test_a_quiz_that_is_not_sound_stops_the_build(asking, quiz, problem):
    assert problem in stopped(asking, quiz)


def test_a_quiz_answers_to_the_keyboard_and_without_a_script(asking, browser: Browser):
    asking.notebook("a-page", "# Page\n", QUIZ)
    built = asking.build()
    path: Path = built.site / "a-page.html"
    browser.open(path)
    page = browser.page
    assert not page.is_visible(".quiz-answers")
    page.focus("#ch2-quiz-energy input")
    page.keyboard.press("Space")
    assert page.text_content(".quiz-said").startswith("A: not this one.")
    page.keyboard.press("ArrowDown")
    assert page.text_content(".quiz-said").startswith("B: right.")
    page.click("label[for=ch2-quiz-energy-A]")
    assert "Without the division" in page.text_content(".quiz-said")
    plain = page.context.browser.new_context(java_script_enabled=False).new_page()
    plain.goto(path.as_uri())
    assert not plain.is_visible("input[type=radio]")
    plain.click(".quiz-answers summary")
    assert plain.is_visible(".quiz-feedback[data-right=yes]")
    plain.context.close()


def test_problems_come_as_one_error(asking):
    asking.notebook("a-page", "# Page\n", EXERCISE, SOLUTION, END)
    assert isinstance(asking.build().error, BookError)
