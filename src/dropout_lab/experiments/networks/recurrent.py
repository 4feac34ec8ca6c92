"""A recurrent network for stacks: a gated recurrent unit that reads an image row by row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.networks.base import At, Network, Parameters, dense_start
from dropout_lab.experiments.networks.parts import Layer, Place


@dataclass(frozen=True)
class GRU(Network):
    """A recurrent network: one layer of gated recurrent units over time steps, and a dense layer on the last state.

    The cell is torch's (Cho et al. 2014, with the reset gate after the projection), and that of
    :class:`dropout_lab.recurrent.VariationalGRU` with tied masks. Its places are ``input``, (B, T, D); ``state``, (B,
    T, H), what the recurrent projection reads at each step, while the state itself is carried on unmasked; and
    ``output``, (B, H). One matrix of weights serves the reset gate, the update gate and the candidate.
    :class:`~.stack_noise.Bernoulli` draws a mask for each step, :class:`~.stack_noise.Variational` one for the
    sequence.

    Attributes
    ----------
    width:
        The number H of units of the state.
    steps:
        The number T of time steps: the features of an example are so many rows.

    >>> [(str(place), place.layout, place.readers[0].weight) for place in GRU(32).places]
    [('input', 'N T D', 'weight_input'), ('state', 'N T D', 'weight_state'), ('output', 'N D', 'weight_output')]
    """

    width: int
    steps: int = 14
    sequential: ClassVar[bool] = False

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(Layer(f"weight_{kind}", f"bias_{kind}") for kind in ("input", "state", "output"))

    @cached_property
    def places(self) -> tuple[Place, ...]:
        kinds = {"input": "N T D", "state": "N T D", "output": "N D"}
        return tuple(
            Place(kind, None, layout, (layer,))
            for (kind, layout), layer in zip(kinds.items(), self.layers, strict=True)
        )

    def initial(self, dataset: Dataset, random: np.random.Generator) -> dict[str, np.ndarray]:
        if dataset.features % self.steps:
            raise ValueError(f"{dataset.features} features do not divide into {self.steps} steps")
        bound = np.float32(self.width**-0.5)
        from_input, from_state, output = self.layers
        shapes = {
            from_input.weight: (dataset.features // self.steps, 3 * self.width),
            from_state.weight: (self.width, 3 * self.width),
            from_input.bias: (3 * self.width,),
            from_state.bias: (3 * self.width,),
        }
        parameters = {name: bound * (2 * random.random(shape, np.float32) - 1) for name, shape in shapes.items()}
        return parameters | dense_start(random, (output,), (self.width, dataset.outputs))

    def forward(self, parameters: Parameters, inputs: Tensor, at: At) -> Tensor:
        from_input, from_state, output = self.layers
        rows = at(self.place("input"), inputs.unflatten(-1, (self.steps, -1)))
        stack, batch = rows.shape[:2]
        weight, bias = parameters[from_state.weight], parameters[from_state.bias].unsqueeze(1)
        read = at.linear(from_input, rows.flatten(1, 2), parameters)
        # Cut into steps at once: cutting out one at a time would cost a gradient of full size for each.
        steps = read.view(stack, batch, self.steps, -1).unbind(2)
        factor = at.factor(self.place("state"), (batch, self.steps, self.width))
        if factor is not None:
            factor = factor.expand(-1, -1, self.steps, -1)
        state = read.new_zeros(stack, batch, self.width)
        for step, part in enumerate(steps):
            gates_read, candidate_read = part.split((2 * self.width, self.width), -1)
            seen = state if factor is None else state * factor[:, :, step]
            gates, recalled = torch.baddbmm(bias, seen, weight).split((2 * self.width, self.width), -1)
            reset, update = (gates_read + gates).sigmoid().chunk(2, -1)
            candidate = torch.addcmul(candidate_read, reset, recalled).tanh()
            state = torch.lerp(candidate, state, update)
        return at.linear(output, at(self.place("output"), state), parameters)
