"""scripts/setup.sh: which Python it takes, when it does anything, and folders whose names hold spaces and quotes.

The Pythons are stand-ins: they tell the version that a test gives them, note how they are called, and make and fill no
real environment.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("bash", "cat", "cksum", "cp", "dirname", "grep", "mkdir", "rm", "tail", "touch")

STAND_IN = """#!/usr/bin/env bash
printf '%s\\n' "$@" >>"$CALLS"
case $1 in
--version) echo "Python {version}.0" ;;
-c) exec {real!r} -c "import sys; sys.version_info = ({numbers}, 0)
$2" ;;
-m)
  case $2 in
  venv)
    folder=${{*: -1}}
    [ "$3" != --clear ] || rm -r -- "$folder"
    mkdir -p -- "$folder/bin"
    touch -- "$folder/pyvenv.cfg"
    cp -- "$0" "$folder/bin/python"
    ;;
  pip)
    echo "ERROR: $PIP_SAYS"
    [ -z "$PIP_SAYS" ]
    ;;
  esac
  ;;
esac
"""


@dataclass
class Checkout:
    """A checkout with the files that setup.sh reads, and the only programs that it finds."""

    root: Path
    programs: Path
    calls: Path
    pip_says: str = ""

    def python(self, name: str, version: str) -> Path:
        """A stand-in for Python ``version`` among the programs."""
        path = self.programs / name
        numbers = version.replace(".", ", ")
        path.write_text(STAND_IN.format(version=version, numbers=numbers, real=sys.executable))
        path.chmod(0o755)
        return path

    def run(self, venv: str = ".venv", **variables: str) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        return subprocess.run(
            [self.root / "scripts" / "setup.sh", venv],
            cwd=self.root,
            env={"PATH": str(self.programs), "CALLS": str(self.calls), "PIP_SAYS": self.pip_says, **variables},
            capture_output=True,
            text=True,
        )

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()


@pytest.fixture(params=["plain", "a \"b' c;d&e*"])
def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> Checkout:
    root, programs = tmp_path / request.param, tmp_path / f"{request.param} programs"
    programs.mkdir(parents=True)
    for tool in TOOLS:
        (programs / tool).symlink_to(str(shutil.which(tool)))
    (root / "scripts").mkdir(parents=True)
    for name in ("requirements.txt", "pyproject.toml", "scripts/setup.sh"):
        shutil.copy(ROOT / name, root / name)
    return Checkout(root, programs, tmp_path / "calls")


def test_an_environment_is_made_once(checkout: Checkout) -> None:
    checkout.python("python3", "3.12")
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    assert "Python 3.12.0" in done.stdout
    called = checkout.called()
    assert str(checkout.root / ".venv") in called
    # All pins, then the package of this folder, by itself.
    assert str(checkout.root / ".venv" / "pins.txt") in called
    assert called[called.index("-e") + 1] == str(checkout.root)
    pins = (checkout.root / ".venv" / "pins.txt").read_text()
    assert pins == (ROOT / "requirements.txt").read_text().replace("-e .\n", "")

    again = checkout.run()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert "pip" not in checkout.called()


def test_variables_hold_what_a_path_may_hold(checkout: Checkout) -> None:
    named = checkout.python("my \"own' python", "3.13")
    done = checkout.run("an 'envi\"ronment", PYTHON=str(named))
    assert done.returncode == 0, done.stderr
    assert (checkout.root / "an 'envi\"ronment" / ".ready").is_file()
    assert checkout.run("an 'envi\"ronment", PYTHON=str(named)).stdout == ""


def test_a_dollar_sign_is_refused_before_anything_is_made(checkout: Checkout) -> None:
    checkout.python("python3", "3.12")
    done = checkout.run("a$b")
    assert done.returncode == 1
    assert "dollar sign" in done.stderr
    assert not (checkout.root / "a$b").exists()


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15", "4.0"])
def test_the_versions_taken_are_those_of_the_metadata(checkout: Checkout, version: str) -> None:
    checkout.python("python3", version)
    done = checkout.run()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if SpecifierSet(project["requires-python"]).contains(f"{version}.0"):
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1
        assert "needs Python 3.11, 3.12 or 3.13" in done.stderr
        assert f"python3: Python {version}.0" in done.stderr
        assert "python3.13: not found" in done.stderr
        assert not (checkout.root / ".venv").exists()


def test_the_persons_own_python_comes_first_then_the_newest(checkout: Checkout) -> None:
    for name, version in (("python3.11", "3.11"), ("python3.13", "3.13"), ("python3", "3.12")):
        checkout.python(name, version)
    assert "Python 3.12.0" in checkout.run("one").stdout
    checkout.python("python3", "3.10")
    assert "Python 3.13.0" in checkout.run("two").stdout


def test_another_python_makes_the_environment_anew(checkout: Checkout) -> None:
    checkout.python("python3", "3.11")
    other = checkout.python("python3.13", "3.13")
    checkout.run()
    (checkout.root / ".venv" / "left").touch()
    assert "Python 3.13.0" in checkout.run(PYTHON=str(other)).stdout
    assert not (checkout.root / ".venv" / "left").exists()
    # Who names none is content with what is there.
    assert checkout.run().stdout == ""


def test_a_folder_that_is_no_environment_is_not_emptied(checkout: Checkout) -> None:
    checkout.python("python3", "3.12")
    (checkout.root / "mine").mkdir()
    (checkout.root / "mine" / "letter").touch()
    assert checkout.run("mine").returncode == 0
    assert (checkout.root / "mine" / "letter").exists()


@pytest.mark.parametrize("change", ["requirements", "moved", "broken"])
def test_what_is_out_of_date_is_set_up_again(checkout: Checkout, change: str) -> None:
    checkout.python("python3", "3.12")
    checkout.run()
    if change == "requirements":
        with (checkout.root / "requirements.txt").open("a") as file:
            file.write("six==1.17.0\n")
    elif change == "moved":
        checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    else:
        (checkout.root / ".venv" / "bin" / "python").unlink()
    assert "Setting up" in checkout.run().stdout
    assert "pip" in checkout.called()


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("Could not find a version (from versions: none)", "there is no connection to the package index"),
        ("No space left on device", "Installing the packages of requirements.txt failed"),
    ],
)
def test_a_failure_is_said_and_tried_again(checkout: Checkout, says: str, told: str) -> None:
    checkout.python("python3", "3.12")
    checkout.pip_says = says
    failed = checkout.run()
    assert failed.returncode == 1
    assert told in failed.stderr and says in failed.stderr
    assert str(checkout.root / ".venv" / "install.log") in failed.stderr
    checkout.pip_says = ""
    assert "Setting up" in checkout.run().stdout


def test_a_change_that_failed_and_was_taken_back_is_set_up_again(checkout: Checkout) -> None:
    checkout.python("python3", "3.12")
    checkout.run()
    pins = checkout.root / "requirements.txt"
    before = pins.read_text()
    pins.write_text(before + "six==1.17.0\n")
    checkout.pip_says = "No space left on device"
    checkout.run()
    pins.write_text(before)
    checkout.pip_says = ""
    # The failure may have left some of the other versions.
    assert "Setting up" in checkout.run().stdout
