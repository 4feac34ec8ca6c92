"""What it costs to execute a chapter, in time and in memory, kept beside the cache from one build to the next."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

#: The file's name, in the folder of the caches: costs are worth knowing after an edit of the package, too.
FILE = "times.json"


class Cost(NamedTuple):
    """The seconds that a chapter's cells took, and the most MiB that their kernel held; ``None`` where nothing told."""

    seconds: float
    peak_mib: int | None = None


def read_costs(path: Path) -> dict[str, Cost]:
    """The costs by docname; none if there is no such file. Files of earlier versions hold the seconds alone."""
    if not path.is_file():
        return {}
    noted = json.loads(path.read_text(encoding="utf-8"))
    return {name: Cost(**cost) if isinstance(cost, dict) else Cost(cost) for name, cost in noted.items()}


def write_costs(path: Path, costs: Mapping[str, Cost]) -> None:
    """Write the costs as an object for each docname."""
    noted = {name: cost._asdict() for name, cost in costs.items()}
    path.write_text(json.dumps(noted, indent=1, sort_keys=True) + "\n", encoding="utf-8")


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
