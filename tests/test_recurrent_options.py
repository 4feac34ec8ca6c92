"""Recurrent layers with all of torch's options and the further kinds of noise: torch's layers, and written loops."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint

from dropout_lab import inference, recurrent
from dropout_lab import nn as dnn
from dropout_lab.noise import Stream
from dropout_lab.recurrent import Masks, VariationalGRU, VariationalLSTM

LAYERS = (VariationalLSTM, VariationalGRU)
every_layer = pytest.mark.parametrize("kind", LAYERS)


def flat(result: object) -> list[Tensor]:
    outputs, state = result
    if not isinstance(outputs, Tensor):
        outputs = outputs.data
    return [outputs, *(state if isinstance(state, tuple) else (state,))]


def close(one: list[Tensor], other: list[Tensor]) -> None:
    for first, second in zip(one, other, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-10)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


OPTIONS = [
    {},
    {"bidirectional": True},
    {"num_layers": 3, "bidirectional": True, "batch_first": True},
    {"num_layers": 2, "bias": False},
    {"proj_size": 2},
    {"proj_size": 3, "num_layers": 2, "bidirectional": True},
    {"num_layers": 2, "dropout": 0.4},
]


def pair(kind: type, options: dict, **own: object) -> tuple[nn.RNNBase, nn.Module]:
    torch.manual_seed(0)
    theirs = kind.counterpart(3, 5, **options).double()
    return theirs, kind.from_torch(theirs, keep_prob=1.0, **own)


def state_for(theirs: nn.RNNBase, count: int | None) -> object:
    rows = theirs.num_layers * (2 if theirs.bidirectional else 1)
    batch = () if count is None else (count,)
    hidden = drawn(rows, *batch, theirs.proj_size or 5, seed=1)
    return (hidden, drawn(rows, *batch, 5, seed=2)) if isinstance(theirs, nn.LSTM) else hidden


@every_layer
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("form", ("batch", "single", "packed", "packed in order", "empty batch"))
@pytest.mark.parametrize("mode", ("eval", "nothing dropped"))
def test_without_noise_it_is_torchs_layer(kind, options, form, mode):
    if kind is VariationalGRU and "proj_size" in options:
        pytest.skip("torch projects the state of an LSTM alone")
    theirs, ours = pair(kind, options, **({} if mode == "eval" else {"between_keep_prob": 1.0}))
    ours.train(mode != "eval")
    theirs.eval()
    x = drawn(6, 4, 3)
    if options.get("batch_first"):
        x = x.transpose(0, 1)
    count: int | None = 4
    if form == "single":
        x, count = drawn(6, 3), None
    elif form == "empty batch":
        x, count = (drawn(0, 6, 3) if options.get("batch_first") else drawn(6, 0, 3)), 0
    elif form.startswith("packed"):
        lengths = [6, 4, 3, 1] if form == "packed in order" else [3, 6, 1, 4]
        x = pack_padded_sequence(
            x, lengths, options.get("batch_first", False), enforce_sorted=form == "packed in order"
        )
    for state in (None, state_for(theirs, count)):
        expected, found = theirs(x, state), ours(x, state)
        close(flat(found), flat(expected))
        if form.startswith("packed"):
            assert all(
                torch.equal(one, other) if isinstance(one, Tensor) else one is other
                for one, other in zip(found[0][1:], expected[0][1:], strict=True)
            )


@every_layer
def test_gradients_are_torchs(kind):
    options = {"num_layers": 2, "bidirectional": True}
    theirs, ours = pair(kind, options)
    x = pack_sequence([drawn(4, 3), drawn(2, 3, seed=1), drawn(1, 3, seed=2)])
    for layer in (theirs, ours):
        sum(part.square().sum() for part in flat(layer(x))).backward()
    for (name, one), (other_name, other) in zip(theirs.named_parameters(), ours.named_parameters(), strict=True):
        assert name == other_name
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-9, atol=1e-9)


@every_layer
def test_state_dicts_pass_in_both_directions(kind):
    theirs, ours = pair(kind, {"num_layers": 2, "bidirectional": True})
    assert list(theirs.state_dict()) == list(ours.state_dict())
    theirs.load_state_dict(ours.state_dict())


def test_torchs_dropout_between_layers_is_taken_over():
    theirs = nn.GRU(3, 5, 2, dropout=0.25)
    assert VariationalGRU.from_torch(theirs).between_keep_prob == 0.75
    assert VariationalGRU.from_torch(theirs, between_keep_prob=1.0).between_keep_prob == 1.0
    assert VariationalGRU.from_torch(nn.GRU(3, 5, bidirectional=True), update_keep_prob=0.9).bidirectional


def by_hand(layer: nn.Module, x: Tensor, masks: list[Masks]) -> Tensor:
    """Outputs (T, N, hidden) of a layer without projections, in one direction, from the equations of the papers.

    LSTM: c' = f ⊙ c + i ⊙ d(g) and h = o ⊙ tanh(c'), d a mask on the candidate divided by its keep probability
    (Semeniuta et al. 2016); GRU: h' = z ⊙ h + (1 − z) ⊙ d(n), in torch's order of z. Then zoneout: each
    unit of c and of h takes the new value where its mask is 1, and keeps the old one where it is 0 (Krueger et al.
    2017, section 3.2). What goes to the next layer is dropped as activations are.
    """
    weights = {name: value.detach() for name, value in layer.named_parameters()}
    signal = x
    for number, mask in enumerate(masks):
        w, u = weights[f"weight_ih_l{number}"], weights[f"weight_hh_l{number}"]
        b, c_bias = weights[f"bias_ih_l{number}"], weights[f"bias_hh_l{number}"]
        hidden = torch.zeros(x.shape[1], layer.hidden_size, dtype=x.dtype)
        cell, outputs = hidden, []
        for step, now in enumerate(signal):

            def dropped(value: Tensor, step: int = step, mask: Masks = mask) -> Tensor:
                if mask.candidate is None:
                    return value
                own = mask.candidate[step] if len(mask.candidate) > 1 else mask.candidate[0]
                return value * own / layer.candidate_keep_prob

            one, other = now @ w.T + b, hidden @ u.T + c_bias
            if isinstance(layer, VariationalLSTM):
                i, f, g, o = (one + other).chunk(4, -1)
                new_cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * dropped(torch.tanh(g))
                new = torch.sigmoid(o) * torch.tanh(new_cell)
                if mask.cell_update is not None:
                    new_cell = mask.cell_update[step] * new_cell + ~mask.cell_update[step] * cell
                cell = new_cell
            else:
                (r1, z1, n1), (r2, z2, n2) = one.chunk(3, -1), other.chunk(3, -1)
                z, n = torch.sigmoid(z1 + z2), torch.tanh(n1 + torch.sigmoid(r1 + r2) * n2)
                new = z * hidden + (1 - z) * dropped(n)
            if mask.update is not None:
                new = mask.update[step] * new + ~mask.update[step] * hidden
            hidden = new
            outputs.append(hidden)
        signal = torch.stack(outputs)
        if mask.output is not None:
            signal = signal * mask.output / layer.between_keep_prob
    return signal


NOISE = [
    {"candidate_keep_prob": 0.6},
    {"candidate_keep_prob": 0.6, "candidate_masks": "sequence"},
    {"update_keep_prob": 0.7},
    {"update_keep_prob": 0.7, "candidate_keep_prob": 0.5, "between_keep_prob": 0.6},
]


def noisy(kind: type, noise: dict, **options: object) -> nn.Module:
    torch.manual_seed(0)
    extra = {"cell_update_keep_prob": 0.8} if kind is VariationalLSTM and "update_keep_prob" in noise else {}
    return kind(3, 4, 2, keep_prob=1.0, dtype=torch.float64, **noise, **extra, **options)


@every_layer
@pytest.mark.parametrize("noise", NOISE, ids=str)
def test_each_kind_of_noise_follows_its_equations(kind, noise):
    layer, x = noisy(kind, noise), drawn(5, 3, 3)
    masks = layer.draw_masks(3, 5, generator=torch.Generator().manual_seed(1))
    assert any(part is not None and not part.all() for mask in masks for part in mask)
    torch.testing.assert_close(layer(x, masks=masks)[0], by_hand(layer, x, masks), rtol=1e-10, atol=1e-10)


@every_layer
def test_eval_takes_the_mean_of_zoneout(kind):
    """For a sequence of one step from the state h: keep · new + (1 − keep) · h, which training has on average."""
    layer = kind(3, 4, keep_prob=1.0, update_keep_prob=0.7, dtype=torch.float64)
    theirs = kind.counterpart(3, 4).double()
    theirs.load_state_dict(layer.state_dict())
    x, state = drawn(1, 1, 3), state_of(kind, 1)
    hidden = state[0] if isinstance(state, tuple) else state
    expected = 0.7 * theirs(x, state)[0] + 0.3 * hidden
    torch.testing.assert_close(layer.eval()(x, state)[0], expected)
    # 4000 draws of each of 4 units: a mean further off than 6 of its standard errors has a chance below 1e-8.
    layer.train()
    rows = layer(
        x.expand(1, 4000, 3),
        tuple(s.expand(1, 4000, -1) for s in state) if kind is VariationalLSTM else state.expand(1, 4000, -1),
        generator=torch.Generator().manual_seed(0),
    )[0][0]
    error = rows.std(0) / 4000**0.5
    assert bool(((rows.mean(0) - expected[0, 0]).abs() < 6 * error).all())


def state_of(kind: type, count: int) -> object:
    hidden = drawn(1, count, 4, seed=3)
    return (hidden, drawn(1, count, 4, seed=4)) if kind is VariationalLSTM else hidden


@every_layer
def test_masks_keep_at_their_rates_and_are_fresh_where_they_should_be(kind):
    """Each share of 12 000 draws or more lies within 6 standard deviations of its rate, but with a chance of 1e-8."""
    layer = noisy(kind, NOISE[3])
    first, last = layer.draw_masks(300, 10, generator=torch.Generator().manual_seed(0))
    rates = {"candidate": 0.5, "update": 0.7, "output": 0.6} | ({"cell_update": 0.8} if kind is VariationalLSTM else {})
    for name, rate in rates.items():
        mask = getattr(first, name)
        assert abs(mask.double().mean() - rate) < 6 * (rate * (1 - rate) / mask.numel()) ** 0.5
        assert not torch.equal(mask[0], mask[1]) and not torch.equal(mask[:, 0], mask[:, 1])
    assert last.output is None and not torch.equal(first.candidate, last.candidate)
    tied = noisy(kind, NOISE[1]).draw_masks(3)
    assert tied[0].candidate.shape == (1, 3, 4)


@every_layer
@pytest.mark.parametrize("noise", NOISE, ids=str)
def test_the_mask_of_a_sequence_depends_on_its_number_alone(kind, noise):
    layer = noisy(kind, {**noise}, bidirectional=True, stream=Stream(3))
    layer.keep_prob = layer.recurrent_keep_prob = 0.6
    parts = [drawn(length, 3, seed=length) for length in (2, 5, 3)]
    together = pad_packed_sequence(layer(pack_sequence(parts, enforce_sorted=False))[0])[0]
    for number, part in enumerate(parts):
        layer.stream.set(examples=[number])
        alone = layer(part.unsqueeze(1))[0]
        packed = pad_packed_sequence(layer(pack_sequence([part]))[0])[0]
        layer.stream.set(examples=None)
        torch.testing.assert_close(alone, together[: len(part), number : number + 1], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(packed, alone, rtol=1e-10, atol=1e-10)
    layer.stream.set(examples=[2, 0])
    other = pad_packed_sequence(layer(pack_sequence([parts[2], parts[0]]))[0])[0]
    torch.testing.assert_close(other[:3, 0], together[:3, 2], rtol=1e-10, atol=1e-10)


def test_what_stands_behind_a_sequence_never_leaks():
    layer = noisy(VariationalLSTM, NOISE[3], bidirectional=True, stream=Stream(0))
    padded = drawn(5, 2, 3)
    padded[3:, 1] = torch.nan
    outputs, (hidden, _) = layer(pack_padded_sequence(padded, [5, 3]))
    assert outputs.data.isfinite().all() and hidden.isfinite().all()
    other = padded.clone()
    other[3:, 1] = 9.0
    assert torch.equal(layer(pack_padded_sequence(other, [5, 3]))[0].data, outputs.data)


@every_layer
def test_checkpoint_compile_copies_and_the_rules(kind):
    layer = noisy(kind, NOISE[3], stream=Stream(5))
    x = drawn(4, 2, 3).requires_grad_()
    expected = layer(x)[0]
    for reentrant in (False, True):
        again = checkpoint(lambda t: layer(t)[0], x, use_reentrant=reentrant)
        assert torch.equal(again, expected)
        found = []
        for y in (expected, again):
            x.grad = None
            y.sum().backward(retain_graph=True)
            found.append(x.grad)
        assert torch.equal(*found)
    torch.testing.assert_close(torch.compile(layer, backend="eager", fullgraph=True)(x)[0], expected)
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(copied(x)[0], expected)

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.transpose(0, 1))[0][-1]

    model, batch = Last().eval(), drawn(2, 4, 3)
    assert inference.monte_carlo(model, batch, 5, output="raw").variance.min() > 0
    with inference.record(model) as masks:
        one = model(batch[:1])
    with inference.replay(model, masks):
        torch.testing.assert_close(model(batch[:1].expand(3, -1, -1)), one.expand(3, -1))


@pytest.mark.parametrize(
    ("make", "message"),
    (
        (lambda: VariationalGRU(3, 4, proj_size=2), "proj_size is for an LSTM"),
        (lambda: VariationalLSTM(3, 4, proj_size=4), "below its hidden_size 4; got 4"),
        (lambda: VariationalGRU(3, 4, cell_update_keep_prob=0.5), "has no cell"),
        (lambda: VariationalGRU(3, 4, between_keep_prob=0.5), "nothing between layers"),
        (lambda: VariationalLSTM(3, 4, update_keep_prob=1.5), "1.5"),
        (lambda: VariationalLSTM(3, 4, candidate_masks="often"), "'step' or 'sequence', got 'often'"),
        (lambda: VariationalLSTM(3, 4, update_keep_prob=0.5).draw_masks(2), "give draw_masks the length"),
        (lambda: VariationalLSTM(3, 4)(drawn(5, 2, 4).float()), r"\(T, 3\) for a single sequence, got \(5, 2, 4\)"),
        (lambda: VariationalLSTM(3, 4)(pack_sequence([torch.ones(2, 5)])), "packed sequences of 3 features, got 5"),
    ),
)
def test_bad_requests_say_what_is_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_repr_names_what_is_on():
    layer = dnn.VariationalLSTM(3, 4, 2, update_keep_prob=0.9, between_keep_prob=0.8, bidirectional=True, proj_size=2)
    assert repr(layer) == (
        "VariationalLSTM(3, 4, num_layers=2, keep_prob=0.5, recurrent_keep_prob=0.5, masks='tied', "
        "update_keep_prob=0.9, between_keep_prob=0.8, bidirectional=True, proj_size=2)"
    )
    assert recurrent.MaskKind
