"""What a book was built with, and what can be compared where it was built with something else.

The settings of the kernels make the numbers the same on processors of one kind. On another one the last digits may
differ, or a single test image. Verdicts, errors and texts may not.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

#: The file's name, at the root of the site.
FILE = "built-with.json"
#: The extensions of x86-64 that the libraries choose their code by.
_VECTORS = ("avx2", "fma", "avx512f")
_NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w])")


@cache
def built_with() -> dict[str, str]:
    """Python, the system, and the processor: its kind, its maker, and its vector extensions, where the system tells."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.system(),
        "machine": platform.machine(),
        **_processor(Path("/proc/cpuinfo")),
    }


def same_digits(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two machines compute the same digits, as far as the settings of the kernels go.

    >>> amd = {"system": "Linux", "machine": "x86_64", "vendor": "AuthenticAMD", "vectors": "avx2 fma"}
    >>> same_digits(amd, {**amd, "python": "CPython 3.13.1", "vectors": "avx2 fma avx512f"})
    True
    >>> same_digits(amd, {**amd, "vendor": "GenuineIntel"})
    False
    """

    def kind(machine: Mapping[str, str]) -> tuple[Any, ...]:
        own = tuple(machine.get(name, "") for name in ("system", "machine", "vendor"))
        return (*own, "avx2" in machine.get("vectors", "").split())

    return kind(one) == kind(other)


def built_with_of(build: Path) -> dict[str, str]:
    """What the site in a build's folder says that it was built with; empty if it does not say."""
    try:
        found = json.loads((build / "html" / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def without_digits(output: Any) -> Any:
    """An output of a cell with everything taken out that may differ between processors: numbers in texts, the
    fractional numbers of a record, and the strokes of a figure.

    >>> without_digits("loss 0.1234 after 7 of 10 epochs")
    'loss # after # of # epochs'
    >>> without_digits({"verdict": "supported", "effect": -1.25, "seeds": 30})
    {'verdict': 'supported', 'effect': '#', 'seeds': 30}
    """
    if isinstance(output, str):
        return "a figure" if output.lstrip().startswith(("<svg", "<?xml")) else _NUMBER.sub("#", output)
    if isinstance(output, float):
        return "#"
    if isinstance(output, Mapping):
        return {name: without_digits(part) for name, part in output.items()}
    if isinstance(output, (list, tuple)):
        return [without_digits(part) for part in output]
    return output


def _processor(cpuinfo: Path) -> dict[str, str]:
    try:
        text = cpuinfo.read_text(encoding="utf-8")
    except OSError:
        return {"vendor": platform.processor(), "vectors": ""}
    told: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        told.setdefault(name.strip(), value.strip())
    flags = told.get("flags", "").split()
    vendor = told.get("vendor_id") or told.get("CPU implementer") or platform.processor()
    return {"vendor": vendor, "vectors": " ".join(name for name in _VECTORS if name in flags)}
