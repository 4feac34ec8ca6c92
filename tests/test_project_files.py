"""What people and their tools read first: README, CONTRIBUTING, licences, citation, hooks and the workflow agree with
the project.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
#: What is a path of the project, among the words that a page marks as code.
PATH = re.compile(
    r"(src|tests|scripts|benchmarks|chapters)(/[\w.\-]+)*/?|LICENSE[A-Z\-]*|[\w.\-]+\.(md|txt|toml|yml|cff)"
)
#: The keys of the Citation File Format 1.2.0.
CITATION_KEYS = {
    *("abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords"),
    *("license", "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact"),
    *("repository-code", "title", "type", "url", "version"),
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_what_a_page_names_is_there(name: str) -> None:
    marked = re.findall(r"`([^`\n]+)`", read(name))
    paths = [word for word in marked if PATH.fullmatch(word)]
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []
    commands = set(re.findall(r"\bmake ([a-z]+)\b(?=[`\s])(?! up)", "\n".join([*marked, *code_blocks(read(name))])))
    assert {"book", "test"} <= commands
    assert commands <= TARGETS


def code_blocks(text: str, language: str = "") -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, flags=re.MULTILINE | re.DOTALL)


def test_the_readme_names_every_command_and_every_extra() -> None:
    text = read("README.md")
    assert {target for target in TARGETS if f"make {target}" not in text} <= {"help", "setup", "reproduce"}
    # The peers of the benchmark are no part of the package.
    assert [extra for extra in PROJECT["optional-dependencies"] if f"`{extra}`" not in text] == ["peers"]


def test_the_readmes_example_runs() -> None:
    (example,) = code_blocks(read("README.md"), "python")
    exec(compile(example, "README.md", "exec"), {})


def test_the_citation_is_valid_and_of_this_version() -> None:
    citation = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation) <= CITATION_KEYS
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["authors"] == PROJECT["authors"]
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert all(isinstance(value, str) for key, value in citation.items() if key not in ("authors", "keywords"))


def test_code_and_text_have_their_licences() -> None:
    (holder,) = (author["name"] for author in PROJECT["authors"])
    assert read("LICENSE").startswith("BSD 3-Clause License\n")
    assert f"Copyright (c) 2026, {holder}\n" in read("LICENSE")
    assert read("LICENSE-TEXT").startswith("Attribution 4.0 International\n")
    assert PROJECT["license-files"] == ["LICENSE"]


def test_the_changelog_has_this_version_and_what_comes_next() -> None:
    text = read("CHANGELOG.md")
    versions = re.findall(r"^## \[(.+?)\]", text, flags=re.MULTILINE)
    assert versions[:2] == ["Unreleased", PROJECT["version"]]
    kinds = set(re.findall(r"^### (.+)$", text, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_hooks_run_what_make_lint_runs_and_download_nothing() -> None:
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    hooks = {hook["entry"].partition(" -m ")[2] for hook in repository["hooks"]}
    assert all(hook["language"] == "system" for hook in repository["hooks"])
    lint = read("Makefile").partition("\nlint:")[2].partition("\n\n")[0]
    checks = set(re.findall(r"-m (ruff \w+|mypy)", lint))
    assert checks == {re.match(r"ruff \w+|mypy", hook)[0] for hook in hooks} == {"ruff check", "ruff format", "mypy"}


def test_the_workflow_uses_the_targets_of_make_on_the_oldest_and_the_newest_python() -> None:
    workflow = yaml.safe_load(read(".github/workflows/book.yml"))
    test, publish = workflow["jobs"]["test"], workflow["jobs"]["publish"]
    commands = [step["run"] for step in test["steps"] if "run" in step]
    assert commands == ["make lint", "make book", "make test"]
    assert {command.removeprefix("make ") for command in commands} <= TARGETS
    known = [line.rpartition(":: ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert test["strategy"]["matrix"]["python"] == [known[0], known[-1]]
    (upload,) = (step for step in test["steps"] if "upload-pages-artifact" in step.get("uses", ""))
    assert f"matrix.python == '{known[-1]}'" in upload["if"]
    assert f"{upload['with']['path']}/index.html" in read("README.md")
    assert publish["needs"] == "test"
