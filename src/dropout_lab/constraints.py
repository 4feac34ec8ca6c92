"""Max-norm: the incoming weights of each output unit stay inside a ball (Srivastava et al. 2014, section 5.1).

A unit inside the ball is left untouched, bit for bit. One projection comes in two forms: :func:`max_norm_`, called
after the optimizer's step, and :class:`MaxNorm`, a parametrization that holds at every moment, gradients included.

A unit's weights are all those that one output reads through: a row of a linear layer, a filter of a convolution, and
for a transposed convolution, whose weight has its outputs on axis 1, one output channel within its group. Biases are
free. These arguments mean the same in every function that takes them:

- ``bound``: the radius of the ball, a positive and finite number.
- ``unit_axis``: the axis of the output units, 0, or 1 as in transposed convolutions.
- ``groups``: the number of groups into which a transposed convolution splits its inputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dropout_lab.arguments import floating, integer, positive

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
#: The layers whose weights are constrained when a module is given.
LAYERS = (nn.Linear, *_CONVOLUTIONS, *_TRANSPOSED)


def _by_unit(weight: Tensor, unit_axis: int, groups: int) -> tuple[Tensor, tuple[int, ...]]:
    """A view of ``weight`` as (groups, …), and the axes that a unit's norm runs over."""
    if floating("weight", weight).dim() < 2 or integer("unit_axis", unit_axis) not in (0, 1):
        raise ValueError(
            "max-norm needs weights (units, inputs, …) with unit_axis=0, or (inputs, units, …) with unit_axis=1; "
            f"got shape {tuple(weight.shape)} with unit_axis={unit_axis}"
        )
    if integer("groups", groups) < 1 or weight.shape[0] % groups:
        raise ValueError(f"the first axis of shape {tuple(weight.shape)} does not divide into groups={groups}")
    # A group's outputs read the group's own inputs only, so each group is a weight of its own.
    grouped = weight.unflatten(0, (groups, weight.shape[0] // groups))
    return grouped, tuple(axis for axis in range(1, grouped.dim()) if axis != unit_axis + 1)


def _norms(wide: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Norms over ``axes``, which stay as axes of extent 1; inf or NaN where a weight is."""
    if wide.numel() == 0:
        return wide.sum(dim=axes, keepdim=True)
    # Squares of large finite weights overflow and those of small ones vanish: divide by the largest first.
    largest = wide.detach().abs().amax(dim=axes, keepdim=True)
    # A norm has no gradient at 0, and none at infinity: such units take the norm of ones instead, and it is thrown
    # away.
    sound = (largest > 0) & largest.isfinite()
    scale = torch.where(sound, largest, 1.0)
    norms = torch.linalg.vector_norm(torch.where(sound, wide / scale, 1.0), dim=axes, keepdim=True)
    return torch.where(sound, norms * scale, largest)


def unit_norms(weight: Tensor, *, unit_axis: int = 0, groups: int = 1) -> Tensor:
    """Compute the Euclidean norm of each output unit's incoming weights.

    Args:
        weight: the weights, of shape (units, inputs, …) with ``unit_axis=0``, or (inputs, units, …) with
            ``unit_axis=1``.

    Returns:
        The norms in float64, of shape (units,).

    Raises TypeError for integer weights and ValueError for a shape without units.

    >>> unit_norms(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([5., 1.], dtype=torch.float64)
    """
    grouped, axes = _by_unit(weight, unit_axis, groups)
    return _norms(grouped.double(), axes).flatten()


def _projected(weight: Tensor, bound: float, unit_axis: int, groups: int) -> Tensor:
    grouped, axes = _by_unit(weight, unit_axis, groups)
    # In double precision only the weights' own rounding stands between a norm and the bound …
    wide = grouped.double()
    norms = _norms(wide, axes)
    # … and aiming that much inside makes sure that the rounded result is inside, so that a second call changes nothing.
    target = bound * (1 - torch.finfo(weight.dtype).eps - 4 * torch.finfo(torch.float64).eps)
    # What is not finite has no projection and stays as it is, in sight. Neither branch divides by 0.
    outside = (norms > bound) & norms.isfinite()
    projected = wide * (target / torch.where(outside, norms, 1.0))
    return torch.where(outside, projected, wide).to(weight.dtype).flatten(0, 1)


def _layout(layer: nn.Module) -> tuple[int, int]:
    """The axis of the output units in a layer's weight, and how many groups the axis of inputs splits into."""
    return (1, layer.groups) if isinstance(layer, _TRANSPOSED) else (0, 1)


def _layers(module: nn.Module) -> list[tuple[str, nn.Module]]:
    found: list[tuple[str, nn.Module]] = [
        (name, layer) for name, layer in module.named_modules() if isinstance(layer, LAYERS)
    ]
    if not found:
        raise ValueError(f"{type(module).__name__} holds no linear layer and no convolution to bound")
    return found


def _weight(layer: nn.Module) -> Tensor:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight


@torch.no_grad()
def max_norm_(target: nn.Module | Tensor, bound: float, *, unit_axis: int = 0, groups: int = 1) -> None:
    """Project each output unit's incoming weights onto the ball of radius ``bound``, in place.

    Call it after the optimizer's step. Units with a norm of at most ``bound`` keep every bit. The others keep their
    direction and end inside the ball, with a norm of at least bound · (1 − 2ε) for the machine epsilon ε of the
    weight's type.

    Args:
        target: a weight, laid out as :func:`unit_norms` says; or a module, in which the weight of every linear layer,
            convolution and transposed convolution is projected, each along its own axis.

    Raises ValueError for a bound that is not positive and finite, a module with nothing to bound, a parametrized weight
    (which a step cannot change in place), and for weights that are inf or NaN: no projection of those exists, and
    training has diverged. Nothing has been changed then. Source: Srivastava et al. 2014, section 5.1.

    >>> weight = torch.tensor([[3.0, 4.0], [0.0, 0.5]])
    >>> max_norm_(weight, 1.0)
    >>> weight
    tensor([[0.6000, 0.8000],
            [0.0000, 0.5000]])
    """
    bound = positive("bound", bound)
    if isinstance(target, Tensor):
        weights = [("the weight", target, unit_axis, groups)]
    elif (unit_axis, groups) != (0, 1):
        raise ValueError("unit_axis and groups describe a weight; a module's layers have their own")
    else:
        weights = []
        for name, layer in _layers(target):
            if parametrize.is_parametrized(layer, "weight"):
                raise ValueError(f"{name or 'the layer'} has a parametrized weight, which cannot be changed in place")
            weights.append((f"{name}.weight" if name else "weight", _weight(layer), *_layout(layer)))
    for name, weight, axis, parts in weights:
        norms = unit_norms(weight, unit_axis=axis, groups=parts)
        if not norms.isfinite().all():
            units = (~norms.isfinite()).nonzero().flatten().tolist()
            plural = "s" if len(units) > 1 else ""
            raise ValueError(f"no projection exists: {name} is not finite in unit{plural} {_some(units)}")
    for _, weight, axis, parts in weights:
        weight.copy_(_projected(weight, bound, axis, parts))


def _some(units: list[int]) -> str:
    return ", ".join(map(str, units[:8])) + (", …" if len(units) > 8 else "")


class MaxNorm(nn.Module):
    """Max-norm as a parametrization: the layer reads the projection of a free weight, and gradients pass through it.

    Use it by ``torch.nn.utils.parametrize.register_parametrization(layer, "weight", MaxNorm(bound))``, or through
    :func:`bound_weights`, which knows each layer's axis. Trained weights inside the ball are kept bit for bit; those
    outside are read projected, while the free weight keeps what was trained. Units that are inf or NaN pass unchanged,
    so that they stay in sight.

    Raises ValueError for a bound that is not positive and finite. Source: Srivastava et al. 2014, section 5.1.

    >>> MaxNorm(1.0)(torch.tensor([[3.0, 4.0], [0.0, 0.5]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.5000]])
    """

    def __init__(self, bound: float, *, unit_axis: int = 0, groups: int = 1) -> None:
        super().__init__()
        self.bound = positive("bound", bound)
        self.unit_axis = integer("unit_axis", unit_axis)
        if self.unit_axis not in (0, 1):
            raise ValueError(f"unit_axis must be 0 or 1, got {unit_axis}")
        self.groups = integer("groups", groups, least=1)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the projection of ``weight``, which is laid out as :func:`unit_norms` says."""
        return _projected(weight, self.bound, self.unit_axis, self.groups)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Return the free weight for a ``weight`` that is assigned: the weight itself, so that nothing is lost."""
        return weight

    def extra_repr(self) -> str:
        grouped = f", groups={self.groups}" if self.groups != 1 else ""
        return f"bound={self.bound}, unit_axis={self.unit_axis}{grouped}"


def bound_weights(module: nn.Module, bound: float) -> nn.Module:
    """Register :class:`MaxNorm` on every linear layer and convolution in ``module``, in place, and return the module.

    ``torch.nn.utils.parametrize.remove_parametrizations`` takes it off again.

    Args:
        module: the model whose weights are bounded.

    Raises ValueError for a bound that is not positive and finite, and for a module with nothing to bound.

    >>> layer = bound_weights(nn.Linear(3, 2), 0.1)
    >>> bool((unit_norms(layer.weight) <= 0.1).all())
    True
    """
    bound = positive("bound", bound)
    for _, layer in _layers(module):
        unit_axis, groups = _layout(layer)
        parametrize.register_parametrization(layer, "weight", MaxNorm(bound, unit_axis=unit_axis, groups=groups))
    return module
