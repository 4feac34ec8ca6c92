"""Every variant of dropout, exact ensembles, symbolic expectations over masks, and claims that a build settles.

Importing the package is light: each floor is imported by its own name, for example ``from dropout_lab import
functional``. The core (``noise``, ``functional``, ``constraints``, ``recurrent``, ``bayes``, ``nn``, ``schedules``,
``conversion``, ``ensemble``, ``inference``) needs NumPy and torch. ``symbolic``, ``claims``, ``experiments``,
``figures`` and ``book`` need an extra, and name it where it is missing. ``dropout_lab.symbolic`` and
``dropout_lab.claims`` never import torch.

``dropout_lab.convert`` is :func:`dropout_lab.conversion.convert`, loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dropout_lab.conversion import convert as convert


def __getattr__(name: str) -> Any:
    if name != "convert":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dropout_lab.conversion import convert

    return convert
