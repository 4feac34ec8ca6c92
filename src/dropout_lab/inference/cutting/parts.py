"""The small layers that stand in a subnetwork where units cannot simply be left out of a weight."""

from __future__ import annotations

import torch
from torch import Tensor


def along(vector: Tensor, x: Tensor, axis: int) -> Tensor:
    """``vector`` in a shape that multiplies ``x`` along ``axis``, 1 or −1.

    >>> along(torch.ones(3), torch.ones(2, 3, 4, 4), 1).shape
    torch.Size([3, 1, 1])
    """
    return vector if axis == -1 else vector.view(-1, *[1] * (x.dim() - 2))


class Selected(torch.nn.Module):
    """A layer that keeps some units of an axis: the others are dropped, and nothing before it was made for it alone.

    >>> Selected(torch.tensor([2, 0]), -1)(torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1.]])
    """

    index: Tensor

    def __init__(self, index: Tensor, axis: int) -> None:
        super().__init__()
        self.register_buffer("index", index)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(self.axis, self.index)

    def extra_repr(self) -> str:
        return f"{len(self.index)} units"


class Scaled(torch.nn.Module):
    """A layer that multiplies each unit by a factor, where no linear layer follows that could take it up.

    >>> Scaled(torch.tensor([2.0, 3.0]), -1)(torch.ones(1, 2))
    tensor([[2., 3.]])
    """

    factor: Tensor

    def __init__(self, factor: Tensor, axis: int) -> None:
        super().__init__()
        self.register_buffer("factor", factor)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        return x * along(self.factor, x, self.axis)


class Restored(torch.nn.Module):
    """A layer that gives all units of an axis again, for something that needs them all; those left out are constants.

    >>> Restored(torch.tensor([9.0, 0.0, 9.0]), torch.tensor([1]), -1)(torch.tensor([[5.0]]))
    tensor([[9., 5., 9.]])
    """

    values: Tensor
    index: Tensor

    def __init__(self, values: Tensor, index: Tensor, axis: int) -> None:
        super().__init__()
        self.register_buffer("values", values)
        self.register_buffer("index", index)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        shape = list(x.shape)
        shape[self.axis] = len(self.values)
        return along(self.values, x, self.axis).expand(shape).index_copy(self.axis, self.index, x)

    def extra_repr(self) -> str:
        return f"{len(self.index)} of {len(self.values)} units"


class Masked(torch.nn.Module):
    """A layer that multiplies by recorded noise, as a constant.

    It stands where the noise differs from position to position, so that no unit can be left out.

    Args:
        values: the noise, in a shape that broadcasts against the input.
        layer: the name of the dropout layer in the model that was cut.

    >>> Masked(torch.tensor([[[2.0], [0.0]]]))(torch.ones(1, 2, 2))
    tensor([[[2., 2.],
             [0., 0.]]])
    """

    values: Tensor

    def __init__(self, values: Tensor, layer: str = "") -> None:
        super().__init__()
        self.register_buffer("values", values)
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(self.values == 0, 0.0, x * self.values)

    def extra_repr(self) -> str:
        return f"layer={self.layer!r}"
