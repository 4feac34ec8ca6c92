"""What taking over a layer of torch comes to: that it is no other, and copies of its weights."""

from __future__ import annotations

from torch import Tensor, nn

from dropout_lab import pinned


def check_torch(layer: object, kind: type[nn.Module]) -> None:
    """Raise TypeError unless ``layer`` is of just the class ``kind``, and ValueError if it has hooks, or a part of it.

    >>> check_torch(nn.Identity(), nn.MultiheadAttention)
    Traceback (most recent call last):
    TypeError: from_torch takes a torch.nn.MultiheadAttention, got Identity
    """
    if type(layer) is not kind:
        raise TypeError(f"from_torch takes a torch.nn.{kind.__name__}, got {type(layer).__name__}")
    if isinstance(layer, nn.Module) and any(pinned.has_hooks(part) for part in layer.modules()):
        raise ValueError(f"{kind.__name__} has hooks, which a copy of its weights would pass by")


def copied(part: Tensor, whole: Tensor | None = None) -> nn.Parameter:
    """A copy of a parameter, or of a part of one: it is trained where that is."""
    return nn.Parameter(part.detach().clone(), (part if whole is None else whole).requires_grad)
