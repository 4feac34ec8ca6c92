"""What it costs to execute a chapter, in time and in memory: kept beside the site, for no two builds cost the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

#: The file's name, in the folder of what is built.
FILE = "costs.json"


class Cost(NamedTuple):
    """The seconds that a chapter's cells took, and the most MiB that their kernel held; ``None`` where nothing told."""

    seconds: float
    peak_mib: int | None = None


def read_costs(path: Path) -> dict[str, Cost]:
    """The costs by docname; none if there is no such file, or if it cannot be read: then the order of the chapters is
    all that suffers."""
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        return {name: Cost(float(cost["seconds"]), cost["peak_mib"]) for name, cost in noted.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def costs_text(costs: Mapping[str, Cost]) -> str:
    """The costs as the file holds them: an object for each docname.

    >>> print(costs_text({"chapters/index": Cost(1.5, 300)}), end="")
    {
     "chapters/index": {
      "peak_mib": 300,
      "seconds": 1.5
     }
    }
    """
    return json.dumps({name: cost._asdict() for name, cost in costs.items()}, indent=1, sort_keys=True) + "\n"


def peak_mib(pid: int) -> int | None:
    """The most memory that a process has held so far, in MiB; ``None`` where the system does not tell: only Linux does.

    What the process itself could say, ``getrusage``, begins on Linux with the size of the process that started it.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return round(int(peak[1]) / 1024) if peak else None
