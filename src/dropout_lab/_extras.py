"""Which libraries the optional floors need, and the error that names the extra where one is missing.

The core needs NumPy and torch only. The other floors need libraries that ``pip install 'dropout_lab[extra]'`` brings;
the extras themselves stand in ``pyproject.toml``.
"""

from __future__ import annotations

from importlib.util import find_spec

_SYMBOLIC = {"sympy": "SymPy"}
_CLAIMS = {**_SYMBOLIC, "yaml": "PyYAML"}
_FIGURES = {"matplotlib": "matplotlib", "scipy": "SciPy"}
_EXPERIMENTS = {**_FIGURES, "joblib": "joblib", "mlxtend": "mlxtend", "sklearn": "scikit-learn", "tqdm": "tqdm"}
_BOOK = {**_CLAIMS, **_EXPERIMENTS, "jupyter_book": "Jupyter Book", "sphinx": "Sphinx", "myst_nb": "MyST-NB"}

#: For each optional floor its extra, and that extra's libraries: the names to import, and the names that people know.
FLOORS: dict[str, tuple[str, dict[str, str]]] = {
    "dropout_lab.symbolic": ("symbolic", _SYMBOLIC),
    "dropout_lab.claims": ("claims", _CLAIMS),
    "dropout_lab.passports": ("experiments", _FIGURES),
    "dropout_lab.exercises": ("symbolic", _SYMBOLIC),
    "dropout_lab.figures": ("experiments", _FIGURES),
    "dropout_lab.experiments": ("experiments", _EXPERIMENTS),
    "dropout_lab.book": ("book", _BOOK),
}


def require(floor: str) -> None:
    """Raise ImportError if a library that ``floor`` needs is missing; each floor calls this before its own imports.

    Args:
        floor: the full name of the module or package, one of :data:`FLOORS`.

    Raises:
        ImportError: names the floor, the libraries that are missing, and the command that brings them.

    >>> require("dropout_lab.symbolic")
    """
    extra, libraries = FLOORS[floor]
    missing = [library for library in libraries if find_spec(library) is None]
    if missing:
        names = ", ".join(libraries[library] for library in missing)
        raise ImportError(f"{floor} needs {names}: pip install 'dropout_lab[{extra}]'", name=missing[0])
