"""The wheel, used outside the checkout: what it holds and asks for, and what works with its core dependencies alone.

Nothing is downloaded. The environment that the wheel is installed in holds NumPy, torch, and what those two need, as
links to the packages of the environment that runs the tests.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dropout_lab import _extras

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "dropout_lab"
#: The modules and packages directly below the package.
FLOORS = sorted(path.name for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

#: One small computation for each floor of the core.
CORE = """
import json, sys
import torch
import dropout_lab
from dropout_lab import bayes, constraints, ensemble, functional, inference, nn, noise, recurrent, schedules

torch.manual_seed(0)
x = torch.ones(4, 6)
layer = torch.nn.Linear(6, 2)
model = torch.nn.Sequential(nn.Dropout(0.5), layer)
masked = functional.dropout(x, keep_prob=0.5)
assert set(masked.flatten().tolist()) == {0.0, 2.0}
assert set(noise.bernoulli((100,), 0.5).tolist()) == {0.0, 1.0}
assert torch.allclose(ensemble.exact_mean(model, x, output="raw").float(), layer(x), atol=1e-6)
assert inference.monte_carlo(model, x, 8).mean.shape == (4, 2)
assert recurrent.VariationalLSTM(6, 3)(torch.ones(5, 4, 6))[0].shape == (5, 4, 3)
assert bayes.LearnedGaussianDropout(6, 2)(x).shape == (4, 2)
converted = dropout_lab.convert(torch.nn.Sequential(torch.nn.Dropout(0.5), layer))
assert schedules.apply(schedules.attach(converted, schedules.early(0.9, 10)), 10) == {"0": 1.0}
constraints.max_norm_(layer, 0.1)
assert layer.weight.norm(dim=1).max() <= 0.1 + 1e-6
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""

#: What the import of each module says, one a line, as the error or as nothing.
IMPORTS = """
import importlib, json, sys
for hidden in {hidden!r}:
    sys.modules[hidden] = None
said = {{}}
for floor in {floors!r}:
    try:
        importlib.import_module(floor)
        said[floor] = None
    except ImportError as error:
        said[floor] = f"{{type(error).__name__}}: {{error}}"
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, so that nothing of an earlier build lies beside it and none of this one is left."""
    folder = tmp_path_factory.mktemp("build")
    for name in ("pyproject.toml", "README.md", *PROJECT["license-files"]):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    code = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "dist" / done.stdout.splitlines()[-1]


def closure(*names: str) -> dict[str, metadata.Distribution]:
    """The installed distributions that ``names`` need on this platform, themselves included."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [Requirement(name) for name in names]
    seen = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, *requirement.extras) in seen:
            continue
        seen.add((name, *requirement.extras))
        found[name] = metadata.distribution(name)
        environments = [{"extra": extra} for extra in ("", *requirement.extras)]
        for line in found[name].requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate(each) for each in environments):
                waiting.append(needed)
    return found


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel and its core dependencies, and nothing else."""
    folder = tmp_path_factory.mktemp("core")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    asked = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = Path(subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.strip())
    for distribution in closure("numpy", "torch").values():
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(distribution.locate_file(top))
    # A wheel of pure Python is installed by unpacking it.
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return python


def run(python: Path, code: str, folder: Path) -> dict | list:
    """What ``code`` prints as JSON in a process of that Python, which sees nothing of this one's environment."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([python, "-I", "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    files = {path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*") if path.is_file()}
    ours = {path.as_posix() for path in files if "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == ours
    assert {"dropout_lab/py.typed", "dropout_lab/claims/claims.yaml", "dropout_lab/book/static/book.css"} <= held


def test_the_wheel_asks_for_numpy_and_torch_and_offers_extras(wheel: Path) -> None:
    (said,) = metadata.distributions(path=[str(wheel)])
    with zipfile.ZipFile(wheel) as archive:
        licences = [name for name in archive.namelist() if "/licenses/" in name]
    needed = [Requirement(line) for line in said.requires or ()]
    assert {each.name for each in needed if each.marker is None} == {"numpy", "torch"}
    assert set(said.metadata.get_all("Provides-Extra")) >= {"symbolic", "claims", "experiments", "book", "dev"}
    assert said.metadata["License-Expression"] == "BSD-3-Clause"
    assert [Path(name).name for name in licences] == ["LICENSE"]


def test_the_core_works_with_numpy_and_torch_alone(python: Path, tmp_path: Path) -> None:
    loaded = set(run(python, CORE, tmp_path))
    ours = {library for _, libraries in _extras.FLOORS.values() for library in libraries} - {"sympy"}
    assert "dropout_lab" in loaded
    assert not loaded & ours


def test_an_optional_floor_names_its_extra(python: Path, tmp_path: Path) -> None:
    floors = sorted(_extras.FLOORS)
    said = run(python, IMPORTS.format(hidden=["sympy"], floors=floors), tmp_path)
    assert said["dropout_lab.symbolic"] == (
        "ImportError: dropout_lab.symbolic needs SymPy: pip install 'dropout_lab[symbolic]'"
    )
    assert said["dropout_lab.claims"] == (
        "ImportError: dropout_lab.claims needs SymPy, PyYAML: pip install 'dropout_lab[claims]'"
    )
    for floor in floors:
        extra, _ = _extras.FLOORS[floor]
        assert re.fullmatch(rf"ImportError: {floor} needs .+: pip install 'dropout_lab\[{extra}\]'", str(said[floor]))


def test_symbolic_needs_nothing_but_sympy(python: Path, tmp_path: Path) -> None:
    # torch brings SymPy along.
    assert run(python, IMPORTS.format(hidden=["torch", "numpy"], floors=["dropout_lab.symbolic"]), tmp_path) == {
        "dropout_lab.symbolic": None
    }


@pytest.fixture(scope="module")
def providers() -> Mapping[str, list[str]]:
    """The distributions that bring each importable name."""
    return metadata.packages_distributions()


def imported(tree: ast.AST) -> set[str]:
    """The modules, by their first name, that a file imports when it is imported itself."""
    names: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).partition(".")[0])
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            names |= set().union(*map(imported, node.orelse))
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names |= imported(node)
    return names


@pytest.mark.parametrize("path", FLOORS)
def test_a_floor_imports_what_it_declares_and_nothing_else(path: str, providers: Mapping[str, list[str]]) -> None:
    extra, _ = _extras.FLOORS.get(f"dropout_lab.{Path(path).stem}", (None, {}))
    allowed = closure("numpy", "torch", *names_of(extra)) if extra else {"numpy", "torch"}
    files = [PACKAGE / path] if path.endswith(".py") else (PACKAGE / path).rglob("*.py")
    for file in files:
        for name in imported(ast.parse(file.read_text(encoding="utf-8"))) - sys.stdlib_module_names - {"dropout_lab"}:
            assert {canonicalize_name(provider) for provider in providers[name]} & set(allowed), f"{file}: {name}"


@pytest.mark.parametrize("floor", sorted(_extras.FLOORS))
def test_the_libraries_of_a_floor_come_with_its_extra(floor: str, providers: Mapping[str, list[str]]) -> None:
    extra, libraries = _extras.FLOORS[floor]
    promised = closure(*names_of(extra))
    for library in libraries:
        assert promised.keys() & {canonicalize_name(name) for name in providers[library]}, library


def names_of(extra: str) -> set[str]:
    """The distributions that an extra asks for, through the extras that it includes."""
    names: set[str] = set()
    for line in PROJECT["optional-dependencies"][extra]:
        requirement = Requirement(line)
        if requirement.name == "dropout_lab":
            names |= {name for inner in requirement.extras for name in names_of(inner)}
        else:
            names.add(canonicalize_name(requirement.name))
    return names


def test_requirements_pin_what_the_package_asks_for() -> None:
    text = (ROOT / "requirements.txt").read_text()
    asked, brought = (
        {canonicalize_name(line.partition("==")[0]) for line in block.splitlines() if "==" in line}
        for block in text.partition("# Asked for")[2].split("# Brought along")
    )
    core = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert asked == core | names_of("dev")
    assert not asked & brought
    # The entry points, and pip install -r on its own, need the package itself.
    assert "\n-e .\n" in text.partition("# Asked for")[0]


def test_requirements_pin_all_that_is_needed() -> None:
    text = (ROOT / "requirements.txt").read_text()
    pins = {line.partition("==")[0]: line.partition("==")[2] for line in text.splitlines() if "==" in line}
    pinned = {canonicalize_name(name) for name in pins}
    needed = closure(*PROJECT["dependencies"], *names_of("dev"))
    # torch's builds for graphics processors bring their own libraries, each pinned by torch itself.
    needed = {name for name in needed if not name.startswith(("nvidia-", "cuda-", "triton"))}
    assert needed - pinned == set()
    assert {name: metadata.version(name).partition("+")[0] for name in pins} == pins
