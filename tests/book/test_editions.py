"""The two editions of the chapters: no solution in the student's, right answers in the instructor's."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import sympy as sp

from dropout_lab.book import editions
from dropout_lab.book.anywhere import Places
from dropout_lab.exercises import EXERCISES, QUIZZES, Array, Formula, Number, Proof

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = editions.chapters(ROOT)
#: The chapters of the source, each with exercises of its own.
OF_THE_SOURCE = [name for name in CHAPTERS if re.match(r"chapters/0[1-8]", name)]
TRIED = "chapters/02-the-dropout-operation"
_SOLUTION = re.compile(r"^```\{solution-start\} (\S+)\n(.*?)^```\{solution-end\}", re.M | re.S)
_CHECK = re.compile(r'^check\("([\w-]+)", ', re.M)


def text_of(docname: str) -> str:
    return (ROOT / f"{docname}.md").read_text(encoding="utf-8")


@cache
def places() -> Places:
    return Places.of(ROOT)


@cache
def sources(edition: str, docname: str) -> str:
    """All cells of an edition, as one text."""
    return "\n\n".join(cell.source for cell in editions.notebook(edition, docname, places()).cells)


def labels(docname: str) -> list[str]:
    return re.findall(r"^`{3,}\{exercise\}[^\n]*\n:label: (\S+)", text_of(docname), re.M)


def quizzes(docname: str) -> list[str]:
    return re.findall(r"^```\{quiz\} (\S+)", text_of(docname), re.M)


#: The pages beyond the source whose exercises are in the key, if one of a page is.
BEYOND = [name for name in CHAPTERS if name.startswith("chapters/beyond/") and {*labels(name)} & {*EXERCISES}]
WITH_KEYS = [*OF_THE_SOURCE, *BEYOND]


def test_every_exercise_of_these_pages_is_in_the_key_and_every_key_on_a_page():
    on_pages = [label for docname in CHAPTERS for label in labels(docname)]
    assert len(on_pages) == len({*on_pages})
    assert {label for docname in WITH_KEYS for label in labels(docname)} <= {*EXERCISES} <= {*on_pages}
    asked = [name for docname in CHAPTERS for name in quizzes(docname)]
    assert sorted(asked) == sorted(QUIZZES)


@pytest.mark.parametrize("docname", OF_THE_SOURCE)
def test_a_chapter_has_four_exercises_and_a_question(docname):
    assert len(labels(docname)) >= 4
    assert quizzes(docname)


def test_pages_beyond_the_source_have_keys():
    assert len(BEYOND) == 14


@pytest.mark.parametrize("docname", BEYOND)
def test_a_page_beyond_the_source_has_four_exercises_with_hints_and_a_chain_among_them(docname):
    kinds = [type(EXERCISES[label].answer) for label in labels(docname)]
    assert len(kinds) >= 4 and Proof in kinds
    assert sum(kind in (Array, Formula, Number) for kind in kinds) >= 2
    boxes = re.findall(r"^````\{exercise\}.*?^````$", text_of(docname), re.M | re.S)
    assert len(boxes) == len(kinds) and all(":::{hint}" in box for box in boxes)


@pytest.mark.parametrize("docname", WITH_KEYS)
def test_each_solution_ends_with_the_check_of_its_exercise(docname):
    solutions = dict(_SOLUTION.findall(text_of(docname)))
    assert sorted(solutions) == sorted(labels(docname))
    for label, solution in solutions.items():
        assert _CHECK.findall(solution) == [label]


@pytest.mark.parametrize("docname", CHAPTERS)
def test_the_student_has_a_place_for_each_answer_and_no_solution(docname):
    student = sources("student", docname)
    solutions = dict(_SOLUTION.findall(text_of(docname)))
    for solution in solutions.values():
        prose = re.sub(r"^```\{code-cell\}.*?^```$|^:class:.*$|^```$", "", solution, flags=re.M | re.S)
        for sentence in re.split(r"\n\n+|(?<=[.:]) ", prose):
            if len(sentence.strip()) > 25:
                assert sentence.strip() not in student
        for line in solution.splitlines():
            assert not _CHECK.search(line) or line not in student.splitlines()
    assert "Solution of" not in student and "solution-start" not in student
    assert set(_CHECK.findall(student)) == {*labels(docname), *quizzes(docname)} & {*EXERCISES, *QUIZZES}
    assert re.findall(r"^check\(.*$", student, re.M) == [f'check("{name}", answer)' for name in _CHECK.findall(student)]
    assert "Not this one" not in student


@pytest.mark.parametrize("docname", WITH_KEYS)
def test_the_student_has_no_key_number(docname):
    exercises = sources("student", docname).partition("## Exercises")[2]
    for label in labels(docname):
        answer = EXERCISES[label].answer
        if isinstance(answer, Number):
            right = float(answer.right())
            found = [float(number) for number in re.findall(r"(?<![\w.])\d+\.?\d*(?:e-?\d+)?(?![\w.])", exercises)]
            assert right in (7.0, 0.75) or not any(abs(right - number) <= 1e-3 * right for number in found), label
        if isinstance(answer, Formula):
            asked = re.sub(r"# The answer is the text of one option.*", "", exercises)
            formula = sp.sstr(answer.right())
            assert len(formula) < 6 or formula not in asked, label


@pytest.mark.parametrize("docname", WITH_KEYS)
def test_the_instructor_has_all_solutions_and_answers(docname):
    instructor = sources("instructor", docname)
    assert set(_CHECK.findall(instructor)) == {*labels(docname), *quizzes(docname)}
    assert instructor.count("*Right.*") == len(quizzes(docname))
    for cell in re.findall(r"^```\{code-cell\} ipython3\n(.*?)^```$", text_of(docname), re.M | re.S):
        code = re.sub(r"\A---\n.*?\n---\n|^:.*\n", "", cell, flags=re.M | re.S).strip()
        assert code in instructor


def run(text: str, tmp_path: Path) -> list[str]:
    """What is wrong with the answers of a chapter, executed."""
    made = editions.plain_notebook(TRIED, places(), text=text)
    return editions.wrong_answers(editions.executed(made, TRIED, tmp_path))


def test_the_instructors_answers_are_right_and_seeded_wrong_ones_are_not(tmp_path):
    seeded = {
        'check("ch2-quiz-energy", "p")': "another option",
        'check("ch2-ex-amplitude", 9 * 0.75)': "square or the square root",
        'check("ch2-ex-equal", 1 / ratio)': "reciprocal",
        'check("ch2-ex-twice", 1 - independent)': "opposite event",
        'check("ch2-ex-variance", lambda a, q: q * a.square().sum())': "p(1 - p) belongs",
        'check("ch2-ex-chain", Chain(Var(sum_over(w[i] * r[i] * h[i])), r))': "a first line only",
    }
    cells = "".join(f"\n```{{code-cell}} ipython3\n{wrong}\n```\n" for wrong in seeded)
    said = run(editions.instructor(text_of(TRIED)) + cells, tmp_path)
    assert len(said) == len(seeded)
    for line, (wrong, reason) in zip(said, seeded.items(), strict=True):
        assert line.partition(":")[0] in wrong
        assert reason in line


def test_a_student_who_has_not_begun_is_told_so(tmp_path):
    said = run(editions.student(text_of(TRIED)), tmp_path)
    assert len(said) == len(labels(TRIED)) + len(quizzes(TRIED))
    assert "ch2-ex-amplitude: a number is asked for, and this has the type ellipsis" in said


def test_an_unknown_page_is_named(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert editions.main(["student", "chapters/02"]) == 2
    assert "chapters/02 is no chapter with code" in capsys.readouterr().err
