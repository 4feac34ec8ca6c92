"""Recurrent layers as loops over sequences, layers, directions and steps, written from the papers' equations.

This is what the package's layers are held against, so nothing of the package is used here: NumPy, one sequence at a
time. Parameters have torch's names. The equations are those of

- Gal and Ghahramani (2016), section 4.1: masks on what the two projections read, one for all gates or one a gate;
- Semeniuta, Severyn and Barth (2016): a mask on the candidate g alone, at each step its own or one for all;
- Krueger et al. (2017), section 3.2: h and c keep what they were, each by masks and probabilities of its own;
- torch's documentation: the cells, projections of the hidden state, both directions, dropout between layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@dataclass(frozen=True)
class Noise:
    """What multiplies (or, for zoneout, selects) in one cell and for one sequence; None where there is nothing.

    ``input`` and ``recurrent`` are (gates, features) or (1, features), ``candidate`` is (T, hidden) or (1, hidden); all
    three are factors, masks that are divided by their keep probability already. ``new_hidden`` and ``new_cell``
    (T, features) lie in [0, 1]: 1 where the unit takes its new value, 0 where it keeps the old one, a probability for
    the mean. ``between`` (T, features) multiplies what goes to the next layer.
    """

    input: np.ndarray | None = None
    recurrent: np.ndarray | None = None
    candidate: np.ndarray | None = None
    new_hidden: np.ndarray | None = None
    new_cell: np.ndarray | None = None
    between: np.ndarray | None = None


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


def _times(operand: np.ndarray, factors: np.ndarray | None, draw: int) -> np.ndarray:
    """``operand`` under the factors of a draw; what is dropped is 0, whatever it was."""
    if factors is None:
        return operand
    own = factors[draw if len(factors) > 1 else 0]
    return np.array([v * z if z else 0.0 for v, z in zip(operand, own, strict=True)])


def cell(kind: str, own: dict, x: np.ndarray, h: np.ndarray, c: np.ndarray, noise: Noise, step: int) -> tuple:
    """The state (h, c) after a step. ``own`` has this cell's parameters, by names without a suffix."""
    size = len(own["weight_hh"]) // GATES[kind]

    def read(gate: int, operand: np.ndarray, which: str, factors: np.ndarray | None) -> np.ndarray:
        rows = slice(gate * size, (gate + 1) * size)
        bias = own[f"bias_{which}"][rows] if f"bias_{which}" in own else 0.0
        return own[f"weight_{which}"][rows] @ _times(operand, factors, gate) + bias

    def from_x(gate: int) -> np.ndarray:
        return read(gate, x, "ih", noise.input)

    def from_h(gate: int) -> np.ndarray:
        return read(gate, h, "hh", noise.recurrent)

    new_c = c
    if kind == "LSTM":
        i, f, g, o = (from_x(gate) + from_h(gate) for gate in range(4))
        new_c = _sigmoid(f) * c + _sigmoid(i) * _times(np.tanh(g), noise.candidate, step)
        new_h = _sigmoid(o) * np.tanh(new_c)
    elif kind == "GRU":
        r, z = (_sigmoid(from_x(gate) + from_h(gate)) for gate in range(2))
        g = _times(np.tanh(from_x(2) + r * from_h(2)), noise.candidate, step)
        new_h = (1 - z) * g + z * h
    else:
        new_h = np.tanh(from_x(0) + from_h(0))
    if "weight_hr" in own:
        new_h = own["weight_hr"] @ new_h
    # The output gate reads the cell as it would be without zoneout: both lines of the paper have f c + i g.
    if noise.new_hidden is not None:
        new_h = noise.new_hidden[step] * new_h + (1 - noise.new_hidden[step]) * h
    if noise.new_cell is not None:
        new_c = noise.new_cell[step] * new_c + (1 - noise.new_cell[step]) * c
    return new_h, new_c


def run(
    kind: str,
    parameters: dict[str, np.ndarray],
    x: np.ndarray,
    noises: list[Noise],
    start: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    layers: int = 1,
    bidirectional: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outputs (T, features) of one sequence ``x`` (T, input size), and the last h and c, one row a cell.

    ``noises`` and the rows of ``start`` = (h, c) go by layers and in them by directions, as torch's states do. The
    masks of a step are those of its time, in both directions.
    """
    directions = 2 if bidirectional else 1
    signal, last_h, last_c = list(x), [], []
    for layer in range(layers):
        given, parts = signal, []
        for direction in range(directions):
            number, suffix = layer * directions + direction, f"_l{layer}{'_reverse' if direction else ''}"
            own = {name.removesuffix(suffix): value for name, value in parameters.items() if name.endswith(suffix)}
            hidden = own["weight_hh"].shape[1]
            h = np.zeros(hidden) if start is None else start[0][number]
            c = np.zeros(len(own["weight_hh"]) // GATES[kind]) if start is None else start[1][number]
            outputs = [h] * len(given)
            times = range(len(given))
            for step in reversed(times) if direction else times:
                h, c = cell(kind, own, given[step], h, c, noises[number], step)
                outputs[step] = h
            between = noises[number].between
            if between is not None and layer < layers - 1:
                outputs = [_times(output, between, step) for step, output in enumerate(outputs)]
            parts.append(outputs)
            last_h.append(h)
            last_c.append(c)
        signal = [np.concatenate(at_a_time) for at_a_time in zip(*parts, strict=True)]
    return np.array(signal), np.array(last_h), np.array(last_c)
