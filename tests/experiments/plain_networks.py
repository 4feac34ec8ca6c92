"""The networks of the experiments once more, for one replica and in plain torch: what stacks are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from dropout_lab.experiments.networks import CNN, GRU, MLP, Network, ResidualMLP

#: What happens to the values at a place, which is given by its name.
Touch = Callable[[str, Tensor], Tensor]


def plain(
    network: Network, one: Mapping[str, Tensor], inputs: Tensor, touch: Touch = lambda _, values: values
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Outputs (B, K), the values at each place, and what the last layer reads, for one replica's parameters."""
    seen: dict[str, Tensor] = {}

    def at(place: str, values: Tensor) -> Tensor:
        seen[place] = touch(place, values)
        return seen[place]

    def dense(values: Tensor, name: object) -> Tensor:
        return F.linear(values, one[f"weight{name}"].t(), one[f"bias{name}"])

    if isinstance(network, MLP):
        values, last = at("input", inputs), len(network.hidden) + 1
        for n in range(1, last):
            values = dense(values, n)
            if network.batch_norm:
                running = one[f"running_mean{n}"], one[f"running_variance{n}"]
                values = F.batch_norm(at(f"sum{n}", values), *running, one[f"scale{n}"], one[f"shift{n}"])
            values = at(f"hidden{n}", values.relu())
    elif isinstance(network, ResidualMLP):
        values, last = dense(at("input", inputs), 1), 2 * network.blocks + 2
        for n in range(1, network.blocks + 1):
            inner = at(f"hidden{n}", dense(values.relu(), 2 * n).relu())
            values = values + at(f"branch{n}", dense(inner, 2 * n + 1))
        values = values.relu()
    elif isinstance(network, CNN):
        values, last = at("input", inputs.view(-1, *network.image)), len(network.hidden) + 1
        for n in range(1, len(network.channels) + 1):
            values = F.conv2d(values, one[f"weight_filters{n}"], one[f"bias_filters{n}"], padding=1)
            values = at(f"features{n}", F.max_pool2d(values.relu(), 2))
        values = values.flatten(1)
        for n in range(1, last):
            values = at(f"hidden{n}", dense(values, n).relu())
    elif isinstance(network, GRU):
        rows, last = at("input", inputs.view(len(inputs), network.steps, -1)), "_output"
        values, width = inputs.new_zeros(len(inputs), network.width), network.width
        for n in range(network.steps):
            read, recalled = dense(rows[:, n], "_input"), dense(touch(f"state {n}", values), "_state")
            reset = (read[:, :width] + recalled[:, :width]).sigmoid()
            update = (read[:, width : 2 * width] + recalled[:, width : 2 * width]).sigmoid()
            candidate = (read[:, 2 * width :] + reset * recalled[:, 2 * width :]).tanh()
            values = (1 - update) * candidate + update * values
        values = at("output", values)
    else:
        raise NotImplementedError(f"no plain form of {network!r}")
    return dense(values, last), seen, values


def factors_of(factors: Mapping[str, Tensor]) -> Touch:
    """Factors (B, …) at some places; those at ``state`` are (B, T or 1, H)."""

    def touch(place: str, values: Tensor) -> Tensor:
        kind, _, step = place.partition(" ")
        if kind not in factors:
            return values
        factor = factors[kind]
        return values * (factor[:, int(step) % factor.shape[1]] if step else factor)

    return touch


def one_replica(parameters: Mapping[str, Tensor], row: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """The parameters of one replica of a stack."""
    return {name: value[row].to(dtype) for name, value in parameters.items()}
