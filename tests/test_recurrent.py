"""Variational LSTM and GRU: torch's layers when nothing is dropped, the paper's equations when something is."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dropout_lab.recurrent import Masks, VariationalGRU, VariationalLSTM

KINDS = ("input", "tied", "untied")
LAYERS = (VariationalLSTM, VariationalGRU)
every_layer = pytest.mark.parametrize("layer_type", LAYERS)
every_kind = pytest.mark.parametrize("kind", KINDS)


def make(layer_type, kind="tied", *, layers=2, dtype=torch.float64, **options):
    torch.manual_seed(0)
    return layer_type(3, 4, layers, masks=kind, dtype=dtype, **options)


def flat(result) -> list[torch.Tensor]:
    outputs, state = result
    return [outputs, *(state if isinstance(state, tuple) else (state,))]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


def by_hand(layer, x: torch.Tensor, masks: list[Masks], state=None) -> np.ndarray:
    """Outputs (T, N, hidden): each sequence, layer, step and gate in a loop, one gate's matrix at a time."""
    hidden = layer.hidden_size
    parameters = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    length, batch, _ = x.shape
    result = np.zeros((length, batch, hidden))
    for n in range(batch):
        signal = [x[t, n].numpy() for t in range(length)]
        for number, mask in enumerate(masks):

            def gate(g: int, operand: np.ndarray, which: str, number=number, mask=mask, n=n) -> np.ndarray:
                chosen = mask.input if which == "ih" else mask.recurrent
                keep = layer.keep_prob if which == "ih" else layer.recurrent_keep_prob
                if chosen is not None:
                    own = chosen[g if chosen.shape[0] > 1 else 0, n].numpy()
                    operand = np.array([v * m / keep if m else 0.0 for v, m in zip(operand, own, strict=True)])
                rows = slice(g * hidden, (g + 1) * hidden)
                weight, bias = (parameters[f"{kind}_{which}_l{number}"][rows] for kind in ("weight", "bias"))
                return weight @ operand + bias

            h = np.zeros(hidden) if state is None else state[0][number, n].numpy()
            c = np.zeros(hidden) if state is None else state[-1][number, n].numpy()
            outputs = []
            for value in signal:
                if isinstance(layer, VariationalLSTM):
                    i, f, g, o = (gate(k, value, "ih") + gate(k, h, "hh") for k in range(4))
                    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                    h = sigmoid(o) * np.tanh(c)
                else:
                    r, z = (sigmoid(gate(k, value, "ih") + gate(k, h, "hh")) for k in range(2))
                    new = np.tanh(gate(2, value, "ih") + r * gate(2, h, "hh"))
                    h = (1 - z) * new + z * h
                outputs.append(h)
            signal = outputs
        result[:, n] = signal
    return result


@every_layer
@every_kind
def test_training_follows_the_equations_written_as_loops(layer_type, kind: str) -> None:
    layer = make(layer_type, kind, keep_prob=0.7, **({} if kind == "input" else {"recurrent_keep_prob": 0.6}))
    # Twelve samples: the chance that a mask of 36 units or more drops nothing is below 1e-5.
    x = torch.randn(5, 12, 3, dtype=torch.float64)
    masks = layer.draw_masks(12, generator=seeded(1))
    dropped = [mask for pair in masks for mask in pair if mask is not None]
    assert all(0 < mask.double().mean() < 1 for mask in dropped)
    state = torch.randn(2, 2, 12, 4, dtype=torch.float64)
    given = tuple(state) if layer_type is VariationalLSTM else state[0]
    loops = by_hand(layer, x, masks, state if layer_type is VariationalLSTM else state[:1])
    np.testing.assert_allclose(layer(x, given, masks=masks)[0].detach().numpy(), loops, atol=1e-13)
    drawn = layer(x, generator=seeded(1))[0].detach().numpy()
    np.testing.assert_allclose(drawn, by_hand(layer, x, masks), atol=1e-13)


@every_layer
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("case", ["eval", "keep 1"])
def test_nothing_dropped_is_torchs_own_layer(layer_type, bias: bool, batch_first: bool, layers: int, case: str) -> None:
    torch.manual_seed(2)
    reference = layer_type.counterpart(3, 4, layers, bias=bias, batch_first=batch_first, dtype=torch.float64)
    layer = layer_type.from_torch(reference, keep_prob=0.3 if case == "eval" else 1.0, masks="untied")
    layer.train(case != "eval")
    x = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    batch = 2 if batch_first else 6
    state = torch.randn(2, layers, batch, 4, dtype=torch.float64)
    initial = tuple(state) if layer_type is VariationalLSTM else state[0]
    for start in (None, initial):
        ours, theirs = flat(layer(x, start)), flat(reference(x, start))
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other, rtol=0, atol=1e-14)
        gradients = [
            torch.autograd.grad(sum(part.square().sum() for part in parts), (x, *module.parameters()))
            for parts, module in ((ours, layer), (theirs, reference))
        ]
        for mine, other in zip(*gradients, strict=True):
            torch.testing.assert_close(mine, other, rtol=0, atol=1e-12)
    reference.load_state_dict(layer.state_dict())  # and back


@every_layer
def test_from_torch_copies_and_says_what_it_cannot_take(layer_type) -> None:
    torch_type = layer_type.counterpart
    module = torch_type(3, 4).half().eval()
    layer = layer_type.from_torch(module)
    assert layer.weight_hh_l0.dtype == torch.float16 and not layer.training
    assert layer.weight_hh_l0.data_ptr() != module.weight_hh_l0.data_ptr()
    with pytest.raises(TypeError, match=f"torch.nn.{torch_type.__name__}, got RNN"):
        layer_type.from_torch(nn.RNN(3, 4))


@every_layer
def test_masks_by_kind(layer_type) -> None:
    gates = layer_type.gates
    for kind, draws in (("input", 1), ("tied", 1), ("untied", gates)):
        first, second = make(layer_type, kind).draw_masks(5)
        assert first.input.shape == (draws, 5, 3) and second.input.shape == (draws, 5, 4)
        recurrent = [None, None] if kind == "input" else [(draws, 5, 4)] * 2
        assert [m.recurrent if m.recurrent is None else tuple(m.recurrent.shape) for m in (first, second)] == recurrent


@every_layer
@every_kind
def test_masks_keep_at_their_rate_and_differ_between_samples_gates_layers_and_places(layer_type, kind: str) -> None:
    """Rates: within 5 standard errors, false alarm below 6e-7 each and 1e-5 over this test's cases. Agreement of two
    independent masks is Bernoulli with p² + q², held to the same 5 standard errors."""
    layer = make(layer_type, kind, keep_prob=0.8, **({} if kind == "input" else {"recurrent_keep_prob": 0.3}))
    masks = layer.draw_masks(4000, generator=seeded(3))

    def within(sample: torch.Tensor, probability: float) -> bool:
        error = math.sqrt(probability * (1 - probability) / sample.numel())
        return abs(float(sample.double().mean()) - probability) < 5 * error

    for own, other in zip(masks[1], masks[0], strict=True):
        if own is None:
            continue
        keep = layer.keep_prob if own is masks[1].input else layer.recurrent_keep_prob
        agree = keep**2 + (1 - keep) ** 2
        assert within(own, keep)
        assert within(own[:, :2000] == own[:, 2000:], agree)  # samples
        assert within(own[..., :2] == own[..., 2:], agree)  # units
        assert within(own[..., :3] == other[..., :3], agree)  # layers
        if kind == "untied":
            assert within(own[0] == own[1], agree)  # gates


@every_layer
@every_kind
def test_one_samples_output_does_not_depend_on_its_neighbors(layer_type, kind: str) -> None:
    layer = make(layer_type, kind)
    x = torch.randn(5, 4, 3, dtype=torch.float64)
    masks = layer.draw_masks(4, generator=seeded(4))
    whole = layer(x, masks=masks)[0]
    changed = x.clone()
    changed[:, 1:] = math.inf
    alone = [Masks(*(mask if mask is None else mask[:, :1] for mask in pair)) for pair in masks]
    torch.testing.assert_close(layer(x[:, :1], masks=alone)[0], whole[:, :1], rtol=0, atol=1e-14)
    torch.testing.assert_close(layer(changed, masks=masks)[0][:, 0], whole[:, 0], rtol=0, atol=1e-14)


@every_layer
def test_a_sequence_cut_in_two_with_the_same_masks_is_the_whole_sequence(layer_type) -> None:
    layer = make(layer_type, "untied")
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    masks = layer.draw_masks(2, generator=seeded(5))
    whole = flat(layer(x, masks=masks))
    first, state = layer(x[:2], masks=masks)
    second = layer(x[2:], state, masks=masks)
    torch.testing.assert_close(torch.cat([first, second[0]]), whole[0], rtol=0, atol=1e-14)
    for part, all_of_it in zip(flat(second)[1:], whole[1:], strict=True):
        torch.testing.assert_close(part, all_of_it, rtol=0, atol=1e-14)


@every_layer
@every_kind
def test_dropped_inputs_are_exactly_zero_and_pass_exactly_zero_gradient(layer_type, kind: str) -> None:
    layer = make(layer_type, kind, layers=1)
    # A hundred samples: the chance that no input is dropped for all four gates is below (15/16)^300 < 1e-8.
    x = torch.randn(4, 100, 3, dtype=torch.float64)
    masks = layer.draw_masks(100, generator=seeded(6))
    lost = ~masks[0].input.any(dim=0)  # (N, features): dropped for every gate
    assert lost.any() and not lost.all()
    poisoned = x.clone()
    poison = torch.tensor([math.inf, math.nan, -math.inf, 1e300], dtype=torch.float64)
    poisoned[:, lost] = poison.unsqueeze(1).expand(4, int(lost.sum()))
    poisoned.requires_grad_()
    state = torch.randn(2, 1, 100, 4, dtype=torch.float64)
    start = tuple(state) if layer_type is VariationalLSTM else state[0]
    outputs = layer(poisoned, start, masks=masks)[0]
    assert torch.equal(outputs, layer(x, start, masks=masks)[0])
    outputs.sum().backward()
    assert (poisoned.grad[:, lost] == 0).all() and (poisoned.grad[:, ~lost] != 0).all()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


@every_layer
@every_kind
def test_keep_prob_0_leaves_the_biases_and_finite_gradients(layer_type, kind: str) -> None:
    layer = make(layer_type, kind, keep_prob=0.0)
    x = torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)
    outputs = layer(x)[0]
    outputs.sum().backward()
    assert torch.equal(outputs[:, 0], outputs[:, 1]) and outputs.isfinite().all()
    assert (x.grad == 0).all()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


@every_layer
@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_keep_probabilities_that_are_none(layer_type, value: float) -> None:
    with pytest.raises(ValueError, match=str(value)):
        layer_type(3, 4, keep_prob=value)
    with pytest.raises(ValueError, match=str(value)):
        layer_type(3, 4, recurrent_keep_prob=value)


@every_layer
def test_bad_requests_say_what_is_expected(layer_type) -> None:
    layer = make(layer_type)
    x = torch.zeros(5, 2, 3, dtype=torch.float64)
    with pytest.raises(TypeError, match="int64"):
        layer(x.long())
    with pytest.raises(ValueError, match=r"\(T, N, 3\), .* got \(5,\)"):
        layer(x[:, 0, 0])
    with pytest.raises(ValueError, match=r"\(N, T, 3\), .* got \(5, 2, 2\)"):
        make(layer_type, batch_first=True)(x[..., :2])
    wrong = torch.zeros(2, 1, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"\(2, 2, 4\) .*, got \(2, 1, 4\)"):
        layer(x, (wrong, wrong) if layer_type is VariationalLSTM else wrong)
    with pytest.raises(ValueError, match="state of a"):
        layer(x, wrong if layer_type is VariationalLSTM else (wrong, wrong))
    with pytest.raises(ValueError, match="one entry for each of the 2 layers, got 1"):
        layer(x, masks=layer.draw_masks(2)[:1])
    with pytest.raises(ValueError, match=r"layer 0's input mask must be bool of shape .* = \(1, 2, 3\), got"):
        layer(x, masks=layer.draw_masks(3))
    with pytest.raises(ValueError, match="training mode"):
        layer.eval()(x, masks=layer.draw_masks(2))
    with pytest.raises(ValueError, match="hidden_size must be at least 1, got 0"):
        layer_type(3, 0)
    with pytest.raises(ValueError, match="'locked'"):
        layer_type(3, 4, masks="locked")
    with pytest.raises(ValueError, match="recurrent_keep_prob has no meaning"):
        layer_type(3, 4, masks="input", recurrent_keep_prob=0.5)


@every_layer
def test_the_original_convention_multiplies_by_the_keep_probability_in_eval_and_never_in_training(layer_type) -> None:
    layer = make(layer_type, keep_prob=0.8, recurrent_keep_prob=0.6, rescale=False)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    scaled = layer_type.counterpart(3, 4, 2, dtype=torch.float64)
    scaled.load_state_dict(layer.state_dict())
    with torch.no_grad():
        for name, parameter in scaled.named_parameters():
            parameter.mul_({"weight_ih": 0.8, "weight_hh": 0.6}.get(name[:9], 1.0))
    torch.testing.assert_close(layer.eval()(x)[0], scaled(x)[0], rtol=0, atol=1e-14)
    masks = layer.train().draw_masks(2, generator=seeded(7))
    rescaled = make(layer_type, keep_prob=0.8, recurrent_keep_prob=0.6)
    with torch.no_grad():
        for name, parameter in rescaled.named_parameters():
            parameter.mul_({"weight_ih": 0.8, "weight_hh": 0.6}.get(name[:9], 1.0))
    torch.testing.assert_close(layer(x, masks=masks)[0], rescaled(x, masks=masks)[0], rtol=0, atol=1e-14)


@every_layer
@every_kind
def test_gradients_with_a_fixed_mask(layer_type, kind: str) -> None:
    layer = make(layer_type, kind)
    names = [name for name, _ in layer.named_parameters()]
    x = torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)
    masks = layer.draw_masks(2, generator=seeded(8))

    def run(x, *parameters):
        given = dict(zip(names, parameters, strict=True))
        return tuple(flat(torch.func.functional_call(layer, given, (x,), {"masks": masks})))

    inputs = (x, *layer.parameters())
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


@every_layer
@every_kind
def test_train_eval_train_and_deep_copies(layer_type, kind: str) -> None:
    """AWD-LSTM's WeightDrop rewrote the layer's weights: it raised after train → eval → train and could not be
    copied."""
    layer = make(layer_type, kind)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    trained = layer(x, generator=seeded(9))[0]
    still = layer.eval()(x)[0]
    trained.sum().backward()  # a backward pass after the mode has changed
    assert torch.equal(layer.eval()(x)[0], still) and not torch.equal(still, trained)
    assert torch.equal(layer.train()(x, generator=seeded(9))[0], trained)
    assert {name: value.shape for name, value in layer.state_dict().items()} == {n: v.shape for n, v in before.items()}
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(x, generator=seeded(9))[0], trained)
        with torch.no_grad():
            twin.weight_hh_l0.zero_()
        assert torch.equal(layer(x, generator=seeded(9))[0], trained)
    other = layer_type(3, 4, 2, masks=kind, dtype=torch.float64)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x, generator=seeded(9))[0], trained)


@every_layer
def test_the_generator_decides_the_masks_and_the_global_one_serves_without(layer_type) -> None:
    layer = make(layer_type)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    torch.manual_seed(10)
    state = torch.get_rng_state()
    one, two = layer(x, generator=seeded(1))[0], layer(x, generator=seeded(2))[0]
    assert torch.equal(torch.get_rng_state(), state) and not torch.equal(one, two)
    first = layer(x)[0]
    torch.set_rng_state(state)
    assert torch.equal(layer(x)[0], first)


@every_layer
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_narrow_types(layer_type, dtype: torch.dtype) -> None:
    layer = make(layer_type, "untied", dtype=dtype, keep_prob=0.99)
    outputs, _ = layer(torch.randn(4, 3, 3, dtype=dtype))
    assert outputs.dtype == dtype and outputs.isfinite().all()


@settings(max_examples=30, deadline=None)
@given(length=st.integers(0, 4), batch=st.integers(0, 3), which=st.integers(0, 1), batch_first=st.booleans())
def test_shapes_of_outputs_and_states_even_empty(length: int, batch: int, which: int, batch_first: bool) -> None:
    layer = make(LAYERS[which], batch_first=batch_first)
    shape = (batch, length) if batch_first else (length, batch)
    outputs, *states = flat(layer(torch.zeros(*shape, 3, dtype=torch.float64)))
    assert outputs.shape == (*shape, 4)
    assert [tuple(part.shape) for part in states] == [(2, batch, 4)] * layer.tensors


@every_layer
def test_vmap_draws_anew_or_once_as_asked(layer_type) -> None:
    layer = make(layer_type, "untied")
    x = torch.randn(4, 2, 3, dtype=torch.float64).expand(5, 4, 2, 3)
    same = torch.vmap(lambda one: layer(one)[0], randomness="same")(x)
    different = torch.vmap(lambda one: layer(one)[0], randomness="different")(x)
    assert torch.equal(same[0], same[1])
    assert not torch.allclose(different[0], different[1])


@every_layer
def test_compiled_and_exported(layer_type) -> None:
    layer = make(layer_type, "untied").eval()
    x = torch.randn(3, 2, 3, dtype=torch.float64)
    exported = torch.export.export(layer, (x,)).module()
    torch.testing.assert_close(exported(x)[0], layer(x)[0])
    layer.train()
    masks = layer.draw_masks(2, generator=seeded(11))
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, masks=masks)[0], layer(x, masks=masks)[0])
    for batch in (2, 3):  # another shape is traced with symbolic sizes
        x = torch.randn(3, batch, 3, dtype=torch.float64)
        torch.manual_seed(12)
        drawn = layer(x)[0]
        torch.manual_seed(12)
        torch.testing.assert_close(compiled(x)[0], drawn)


def test_repr_names_what_matters() -> None:
    assert repr(VariationalLSTM(3, 4)) == "VariationalLSTM(3, 4, keep_prob=0.5, recurrent_keep_prob=0.5, masks='tied')"
    layer = VariationalGRU(3, 4, 2, keep_prob=0.9, masks="input", bias=False, batch_first=True, rescale=False)
    options = "bias=False, batch_first=True, rescale=False"
    assert repr(layer) == f"VariationalGRU(3, 4, num_layers=2, keep_prob=0.9, masks='input', {options})"
