"""A recurrent network for stacks: a gated recurrent unit that reads an image row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.networks import Parameters, he_normal
from dropout_lab.experiments.places import At


@dataclass(frozen=True)
class GRU:
    """One layer of gated recurrent units over ``steps`` time steps, and a dense layer on the last state.

    The cell is torch's (Cho et al. 2014, with the reset gate after the projection); the features of an example are
    ``steps`` rows. Places: ``input``, (B, T, D); ``state``, (B, T, H), what the recurrent projection reads at each
    step, while the state itself is carried on unmasked; ``output``, (B, H). :class:`~.family.Bernoulli` draws a mask
    for each step, :class:`~.family.Locked` one for the sequence."""

    width: int
    steps: int = 14
    sequential: ClassVar[bool] = False

    def places(self) -> tuple[str, ...]:
        return ("input", "state", "output")

    def initial(self, dataset: Dataset, random: np.random.Generator) -> dict[str, np.ndarray]:
        if dataset.features % self.steps:
            raise ValueError(f"{dataset.features} features do not divide into {self.steps} steps")
        bound = np.float32(self.width**-0.5)
        shapes = {
            "weight_input": (dataset.features // self.steps, 3 * self.width),
            "weight_state": (self.width, 3 * self.width),
            "bias_input": (3 * self.width,),
            "bias_state": (3 * self.width,),
        }
        parameters = {name: bound * (2 * random.random(shape, np.float32) - 1) for name, shape in shapes.items()}
        parameters["weight_output"] = he_normal(random, (self.width, dataset.outputs), self.width)
        return parameters | {"bias_output": np.zeros(dataset.outputs, np.float32)}

    def incoming(self, name: str) -> tuple[int, ...]:
        return (1,)

    def forward(self, parameters: Parameters, inputs: Tensor, at: At) -> Tensor:
        rows = at("input", inputs.unflatten(-1, (self.steps, -1)))
        stack, batch = rows.shape[:2]
        weight, bias = parameters["weight_state"], parameters["bias_state"].unsqueeze(1)
        read = torch.baddbmm(parameters["bias_input"].unsqueeze(1), rows.flatten(1, 2), parameters["weight_input"])
        # Cut into steps at once: cutting out one at a time would cost a gradient of full size for each.
        steps = read.view(stack, batch, self.steps, -1).unbind(2)
        factor = at.factor("state", (batch, self.steps, self.width))
        state = read.new_zeros(stack, batch, self.width)
        for step, part in enumerate(steps):
            read_gates, read_proposal = part.split((2 * self.width, self.width), -1)
            seen = state if factor is None else state * factor[:, :, step % factor.shape[2]]
            gates, recalled = torch.baddbmm(bias, seen, weight).split((2 * self.width, self.width), -1)
            reset, update = (read_gates + gates).sigmoid().chunk(2, -1)
            proposal = torch.addcmul(read_proposal, reset, recalled).tanh()
            state = torch.lerp(proposal, state, update)
        state = at("output", state)
        return torch.baddbmm(parameters["bias_output"].unsqueeze(1), state, parameters["weight_output"])
