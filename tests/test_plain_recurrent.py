"""The loops that recurrent layers are held against are torch's layers themselves when there is no noise."""

from __future__ import annotations

import numpy as np
import plain_recurrent
import pytest
import torch
from plain_recurrent import Noise
from torch import nn

CASES = [
    (kind, bidirectional, proj_size, bias)
    for kind in ("LSTM", "GRU", "RNN")
    for bidirectional in (False, True)
    for proj_size in ((0, 2) if kind == "LSTM" else (0,))
    for bias in (True, False)
]


def numbers(layer: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in layer.named_parameters()}


@pytest.mark.parametrize(("kind", "bidirectional", "proj_size", "bias"), CASES)
@pytest.mark.parametrize("packed", [False, True])
def test_without_noise_the_loops_are_torchs_layers(kind, bidirectional, proj_size, bias, packed) -> None:
    torch.manual_seed(CASES.index((kind, bidirectional, proj_size, bias)))
    options = {"proj_size": proj_size} if proj_size else {}
    layer = getattr(nn, kind)(3, 4, 2, bias=bias, bidirectional=bidirectional, dtype=torch.float64, **options)
    lengths = [2, 5, 3] if packed else [5, 5, 5]
    x = torch.randn(5, 3, 3, dtype=torch.float64)
    cells = 4 if bidirectional else 2
    h, c = torch.randn(cells, 3, proj_size or 4).double(), torch.randn(cells, 3, 4).double()
    given = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False) if packed else x
    outputs, state = layer(given, (h, c) if kind == "LSTM" else h)
    if packed:
        outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs)
    ends = state if kind == "LSTM" else (state,)
    for n, length in enumerate(lengths):
        found, *last = plain_recurrent.run(
            kind,
            numbers(layer),
            x[:length, n].numpy(),
            [Noise()] * cells,
            (h[:, n].numpy(), c[:, n].numpy()),
            layers=2,
            bidirectional=bidirectional,
        )
        np.testing.assert_allclose(found, outputs[:length, n].detach(), atol=1e-12)
        for wanted, end in zip(ends, last, strict=False):
            np.testing.assert_allclose(end, wanted[:, n].detach(), atol=1e-12)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_noise_at_its_limits_is_what_the_papers_say(kind) -> None:
    """Zoneout of all units keeps the first state, a candidate that is always dropped leaves what the gates let pass."""
    torch.manual_seed(0)
    layer = getattr(nn, kind)(3, 4, dtype=torch.float64)
    x, start = np.random.default_rng(0).normal(size=(6, 3)), (np.full((1, 4), 0.3), np.full((1, 4), -0.7))
    never = np.zeros((6, 4))
    _, h, c = plain_recurrent.run(kind, numbers(layer), x, [Noise(new_hidden=never, new_cell=never)], start)
    np.testing.assert_array_equal(h, start[0])
    np.testing.assert_array_equal(c, start[1])
    _, h, c = plain_recurrent.run(kind, numbers(layer), x, [Noise(candidate=never)], start)
    shrunk = c / start[1] if kind == "LSTM" else h / start[0]
    assert ((shrunk > 0) & (shrunk < 1)).all()
    always = np.ones((6, 4))
    noise = Noise(candidate=always, new_hidden=always, new_cell=always, input=np.ones((1, 3)))
    for with_noise, without in zip(
        plain_recurrent.run(kind, numbers(layer), x, [noise], start),
        plain_recurrent.run(kind, numbers(layer), x, [Noise()], start),
        strict=True,
    ):
        np.testing.assert_array_equal(with_noise, without)


def test_one_step_with_all_noise_is_the_number_that_the_equations_give() -> None:
    """One unit, weights of 0: the gates are the biases. The candidate is masked past its tanh; h reads the new cell."""
    sigma, tanh = (lambda v: 1 / (1 + np.exp(-v))), np.tanh
    i, f, g, o = 0.5, -0.25, 0.75, 1.5
    zeros = np.zeros((4, 1))
    parameters = {"weight_ih_l0": zeros, "weight_hh_l0": zeros, "bias_ih_l0": np.array([i, f, g, o])}
    noise = Noise(candidate=np.array([[2.0]]), new_hidden=np.array([[0.25]]), new_cell=np.array([[0.5]]))
    start = (np.array([[0.1]]), np.array([[-0.4]]))
    _, h, c = plain_recurrent.run("LSTM", parameters, np.ones((1, 1)), [noise], start)
    new_cell = sigma(f) * -0.4 + sigma(i) * 2 * tanh(g)
    np.testing.assert_allclose(c, [[0.5 * new_cell + 0.5 * -0.4]], rtol=1e-14)
    np.testing.assert_allclose(h, [[0.25 * sigma(o) * tanh(new_cell) + 0.75 * 0.1]], rtol=1e-14)

    parameters = {name: value[:3] for name, value in parameters.items()} | {"bias_hh_l0": np.array([0.0, 0.0, 0.3])}
    _, h, _ = plain_recurrent.run("GRU", parameters, np.ones((1, 1)), [noise], start)
    new = (1 - sigma(f)) * 2 * tanh(g + sigma(i) * 0.3) + sigma(f) * 0.1
    np.testing.assert_allclose(h, [[0.25 * new + 0.75 * 0.1]], rtol=1e-14)


def test_masks_are_those_of_their_gate_and_their_time() -> None:
    """Weights of 1 and one unit: a factor for a gate, or for a step of either direction, reaches that one alone."""
    ones = {"weight_ih_l0": np.ones((4, 1)), "weight_hh_l0": np.zeros((4, 1))}
    factors = np.array([[1.0], [0.0], [2.0], [1.0]])
    _, _, c = plain_recurrent.run("LSTM", ones, np.array([[0.5]]), [Noise(input=factors)])
    np.testing.assert_allclose(c, [[1 / (1 + np.exp(-0.5)) * np.tanh(1.0)]], rtol=1e-14)
    both = ones | {f"{name}_reverse": value for name, value in ones.items()}
    first_only = Noise(new_hidden=np.array([[1.0], [0.0], [0.0]]))
    outputs, _, _ = plain_recurrent.run("LSTM", both, np.ones((3, 1)), [first_only] * 2, bidirectional=True)
    forward, backward = outputs.T
    assert forward[0] != 0
    assert (forward == forward[0]).all()
    assert backward[0] != 0
    assert (backward[1:] == 0).all()
    # What is dropped between the layers is 0 for the second one, at its time alone, and the last outputs are left.
    parameters = ones | {f"{name.removesuffix('0')}1": value for name, value in ones.items()}
    between = Noise(between=np.array([[1.0], [0.0], [1.0]]))
    whole, _, _ = plain_recurrent.run("LSTM", parameters, np.ones((3, 1)), [Noise(), between], layers=2)
    cut, _, _ = plain_recurrent.run("LSTM", parameters, np.ones((3, 1)), [between, between], layers=2)
    assert cut[0] == whole[0]
    assert cut[1] != whole[1]
    assert (whole != 0).all()
