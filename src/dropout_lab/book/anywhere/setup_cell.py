"""The first cell of a notebook that runs anywhere: it brings the package where that is missing, in silence."""

from __future__ import annotations

#: What the chapters need beside the core: proofs and claims, and experiments with their figures.
EXTRAS = "claims,experiments"


def setup_cell(wheel: str, base_url: str = "", repository: str = "") -> str:
    """The code of the cell.

    Args:
        wheel: the name of the wheel's file.
        base_url: where the site lies, which holds the wheel at its root, with a slash at the end; empty if nowhere.
        repository: the address of the source's git repository; empty if there is none.

    >>> cell = setup_cell("dropout_lab-1-py3-none-any.whl")
    >>> cell.splitlines()[0]
    "# Brings the book's package where it is missing, and does nothing where it is there."
    >>> "http" in cell
    False
    >>> "https://book.example/dropout_lab-1" in setup_cell("dropout_lab-1-py3-none-any.whl", "https://book.example/")
    True
    """
    addresses = [f"{base_url}{wheel}"] if base_url else []
    addresses += [f"git+{repository}"] if repository else []
    lines = [
        "# Brings the book's package where it is missing, and does nothing where it is there.",
        "from importlib.util import find_spec",
        "",
        'if find_spec("dropout_lab") is None:',
        "    import importlib, subprocess, sys",
        "    from pathlib import Path",
        "",
        "    # A wheel beside this notebook comes first; it lies at the root of the book's site.",
        '    wheels = sorted(Path().glob("dropout_lab-*.whl"))',
        '    found = [f"dropout_lab[EXTRAS] @ {wheel.resolve().as_uri()}" for wheel in wheels]',
        *(f'    found.append("dropout_lab[EXTRAS] @ {address}")' for address in addresses),
        '    pip = [sys.executable, "-m", "pip", "install", "--quiet"]',
        "    if not any(subprocess.run([*pip, place]).returncode == 0 for place in found):",
        "        raise ModuleNotFoundError(",
        '            "This notebook needs the package dropout_lab. Put its wheel, which lies at the root of "',
        '            "the book\'s site, beside this notebook, and run this cell again."',
        "        )",
        "    importlib.invalidate_caches()",
    ]
    return "\n".join(lines).replace("[EXTRAS]", f"[{EXTRAS}]")
