"""Dropout that is no layer: numbers and functions in a module's own methods, layers outside torch's registry."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from inspect import isfunction
from itertools import pairwise
from types import CodeType

import torch

from dropout_lab.conversion.probing import KEPT, RATES
from dropout_lab.membership import FUNCTIONS_OF_TORCH

#: Functions that drop, by the names under which torch, timm and torchvision have them.
_FUNCTIONS = {
    *FUNCTIONS_OF_TORCH,
    *("drop_path", "stochastic_depth", "drop_block2d", "drop_block3d", "drop_block_2d", "drop_block_fast_2d"),
}
#: Methods that no forward pass runs.
_ASIDE = ("__init__", "__repr__", "extra_repr", "reset_parameters", "reset_classifier")
#: The libraries whose modules keep no secret here: what they drop by is known by class.
_KNOWN = ("torch.nn.", "torch.ao.", "dropout_lab.")


def unseen(module: torch.nn.Module) -> list[str]:
    """What in a module's own code may drop without a layer, in words: read in its methods, not run.

    >>> def forward(self, x):
    ...     return torch.nn.functional.dropout(x, 0.1, self.training)
    >>> unseen(type("Head", (torch.nn.Module,), {"__module__": "a_model", "forward": forward})())
    ['its own methods call dropout, which is a function and no layer']
    """
    used = {name for code in _methods(module) for name in code.co_names}
    kind = type(module).__name__.lower()
    said = []
    for name, value in vars(module).items():
        if name.startswith("_"):
            continue
        is_rate = "drop" in name.lower() or ("drop" in kind and name in (*RATES, *KEPT))
        if is_rate and isinstance(value, float) and 0 < value <= 1 and name in used:
            said.append(f"its own methods read {name}={value}, a number and no layer")
        if isinstance(value, (list, tuple, dict)) and any(
            isinstance(item, torch.nn.Module) and any("drop" in type(part).__name__.lower() for part in item.modules())
            for item in (value.values() if isinstance(value, dict) else value)
        ):
            said.append(
                f"its {name} holds layers where torch does not look for them: take a ModuleList or a ModuleDict"
            )
    # A submodule may have the name of a function.
    called = sorted(name for name in used & _FUNCTIONS if not hasattr(module, name))
    if called:
        said.append(f"its own methods call {', '.join(called)}, which is a function and no layer")
    return said


def read_from(module: torch.nn.Module) -> set[str]:
    """The layers in ``module`` whose rate its own methods read, as ``dropout_p=self.drop.p`` does with ``drop``.

    >>> def forward(self, x):
    ...     return torch.nn.functional.dropout(x, self.drop.p, self.training)
    >>> read_from(type("Head", (torch.nn.Module,), {"__module__": "a_model", "forward": forward})())
    {'drop'}
    """
    found = set()
    for code in _methods(module):
        attributes = [step.argval if step.opname == "LOAD_ATTR" else None for step in dis.get_instructions(code)]
        found |= {owner for owner, name in pairwise(attributes) if owner is not None and name in RATES}
    return found


def _methods(module: torch.nn.Module) -> Iterator[CodeType]:
    """The code of a module's own methods, and of what is defined inside them."""
    for kind in type(module).__mro__:
        if f"{kind.__module__}.".startswith(_KNOWN):
            continue
        for name, thing in vars(kind).items():
            if isfunction(thing) and name not in _ASIDE:
                yield from _with_inner(thing.__code__)


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_inner(constant)
