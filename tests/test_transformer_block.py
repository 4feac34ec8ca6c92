"""The encoder block: torch's own when nothing is dropped, and each place of dropout at its name."""

from __future__ import annotations

import copy
import itertools
import pickle

import pytest
import torch
from family_members import seeded
from torch import Tensor

from dropout_lab import inference, nn
from dropout_lab.noise import Stream

N, H, T, D, HIDDEN = 3, 2, 5, 8, 16
PLACES = nn.EncoderBlock.PLACES


def of_torch(**options: object) -> torch.nn.TransformerEncoderLayer:
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(D, H, HIDDEN, batch_first=True, dtype=torch.float64, **options)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, 0.1, 0.5)
    return layer


def block(keep_prob: object, **options: object) -> nn.EncoderBlock:
    torch.manual_seed(0)
    return nn.EncoderBlock(D, H, HIDDEN, keep_prob, **options)


@pytest.mark.parametrize("activation", ("relu", "gelu", torch.nn.functional.gelu, torch.nn.PReLU().double()), ids=str)
@pytest.mark.parametrize(("norm_first", "bias", "training"), tuple(itertools.product((True, False), repeat=3)))
def test_it_is_that_of_torch_when_nothing_is_dropped(norm_first, bias, training, activation):
    """In eval() without gradients torch takes its fast path, where it can."""
    options = {"norm_first": norm_first, "bias": bias, "layer_norm_eps": 1e-3}
    theirs = of_torch(dropout=0.0 if training else 0.3, activation=activation, **options).train(training)
    ours = nn.EncoderBlock.from_torch(theirs)
    assert ours.training == training
    x = torch.randn(N, T, D, generator=seeded(1), dtype=torch.float64)
    padding = torch.arange(T) >= torch.tensor([[T], [2], [4]])
    causal = torch.ones(T, T).triu(1).bool()
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients):
            torch.testing.assert_close(ours(x), theirs(x))
            torch.testing.assert_close(ours(x, is_causal=True), theirs(x, src_mask=causal, is_causal=True))
            torch.testing.assert_close(ours(x, attn_mask=causal), theirs(x, src_mask=causal))
            # What torch's fast path gives at padded places is not defined.
            found, expected = ours(x, key_padding_mask=padding), theirs(x, src_key_padding_mask=padding)
            torch.testing.assert_close(found[~padding], expected[~padding])


@pytest.mark.parametrize("norm_first", (True, False))
def test_time_may_come_first_and_the_paths_belong_to_examples(norm_first):
    theirs = torch.nn.TransformerEncoderLayer(D, H, HIDDEN, norm_first=norm_first).eval()
    ours, x = nn.EncoderBlock.from_torch(theirs), torch.randn(T, N, D)
    padding = torch.arange(T) >= torch.tensor([[T], [2], [4]])
    torch.testing.assert_close(ours(x, key_padding_mask=padding), theirs(x, src_key_padding_mask=padding))
    everywhere = dict.fromkeys(PLACES, 0.5)
    first, last = (
        block(everywhere, norm_first=norm_first, stream=Stream(1), batch_first=value) for value in (True, False)
    )
    torch.testing.assert_close(last(x), first(x.transpose(0, 1)).transpose(0, 1))


def test_a_copy_has_the_dropout_of_the_original_at_each_place():
    theirs = of_torch(dropout=0.1)
    theirs.self_attn.dropout, theirs.dropout1.p, theirs.dropout2.p = 0.2, 0.3, 0.4
    state = torch.get_rng_state()
    ours = nn.EncoderBlock.from_torch(theirs, stream=Stream(3))
    assert torch.equal(torch.get_rng_state(), state)
    kept = {place: round(layer.keep_prob, 9) for place, layer in ours.places.items()}
    assert kept == {
        "attention_dropout": 0.8,
        "projection_dropout": 0.7,
        "attention_path": 1.0,
        "hidden_dropout": 0.9,
        "output_dropout": 0.6,
        "mlp_path": 1.0,
    }
    assert len({layer.stream.layer for layer in ours.places.values()}) == 6
    with torch.no_grad():
        theirs.linear1.weight.zero_()
    assert ours.linear1.weight.any()


@pytest.mark.parametrize("place", PLACES)
def test_each_place_drops_where_its_name_says(place):
    """Looked at from outside: what goes into the place's layer, and that nothing else is random."""
    model, x = block({place: 0.5}), torch.randn(40, T, D)
    seen = {}
    for name, layer in model.places.items():
        layer.register_forward_hook(lambda m, inputs, y, name=name: seen.update({name: (inputs[0], y)}))
    y = model(x)
    assert tuple(seen) == PLACES
    for name, (before, after) in seen.items():
        assert torch.equal(before, after) == (name != place)
    shapes = {"attention_dropout": (40, H, T, T), "hidden_dropout": (40, T, HIDDEN)}
    before, after = seen[place]
    assert before.shape == shapes.get(place, (40, T, D))
    kept = after != 0
    if place.endswith("_path"):
        assert torch.equal(kept, kept[:, :1, :1].expand_as(kept)) and 5 < kept[:, 0, 0].sum() < 35
    if place == "hidden_dropout":
        assert torch.equal(before, torch.relu(before))
    assert not torch.equal(y, model(x)) and torch.equal(model.eval()(x), model(x))


def test_one_number_is_torchs_dropout_and_keeps_the_paths():
    assert [layer.keep_prob for layer in block(0.7).places.values()] == [0.7, 0.7, 1.0, 0.7, 0.7, 1.0]
    assert [layer.keep_prob for layer in block({}).places.values()] == [1.0] * 6


def test_places_have_streams_of_their_own():
    everywhere = dict.fromkeys(PLACES, 0.7)
    root = Stream(1)
    first, second = (block(everywhere, stream=root) for _ in range(2))
    named = block(everywhere, stream=Stream(1, "third"))
    names = [[stream.layer for stream in nn.streams(one)] for one in (first, second, named)]
    assert names[0] == [f"layer 0.{place}" for place in PLACES] and names[2] == [f"third.{place}" for place in PLACES]
    assert len({name for one in names for name in one}) == 18
    assert {int(stream.step) for stream in nn.streams(block(0.5, stream=Stream(1, step=7)))} == {7}
    x = torch.randn(N, T, D)
    y = first(x)
    for other in (first, copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        assert torch.equal(other(x), y)
    loaded = block(everywhere, stream=Stream(9))
    loaded.load_state_dict(first.state_dict())
    assert torch.equal(loaded(x), y)
    # A state from before there were streams is taken too.
    loaded.load_state_dict(block(everywhere).state_dict())
    nn.set_streams(first, step=1, examples=[2, 0, 1])
    assert not torch.equal(first(x), y)
    torch.testing.assert_close(nn.set_streams(first, step=0, examples=[2, 0, 1])(x[[2, 0, 1]]), y[[2, 0, 1]])
    generators = [block(everywhere, generator=seeded(5)) for _ in range(2)]
    assert torch.equal(generators[0](x), generators[1](x))


@pytest.mark.parametrize("training", (True, False))
def test_compiled_exported_and_checkpointed_it_is_the_same(training):
    model = block(dict.fromkeys(PLACES, 0.7), stream=Stream(4), norm_first=True).train(training)
    x = torch.randn(N, T, D, requires_grad=True)
    y = model(x)
    y.square().sum().backward()
    gradient, x.grad = x.grad, None
    others = [
        torch.compile(model, fullgraph=True, backend="aot_eager"),
        torch.export.export(model, (x,)).module(),
        lambda x: torch.utils.checkpoint.checkpoint(model, x, use_reentrant=False),
        lambda x: torch.utils.checkpoint.checkpoint(model, x, use_reentrant=True),
    ]
    for other in others:
        found = other(x)
        torch.testing.assert_close(found, y)
        found.square().sum().backward()
        torch.testing.assert_close(x.grad, gradient)
        x.grad = None


def test_monte_carlo_samples_every_place_and_fx_keeps_them():
    x = torch.randn(N, T, D)
    for place in PLACES:
        found = inference.monte_carlo(block({place: 0.5}).eval(), x, 8, output="raw", generator=seeded(6))
        assert found.variance.any()
    everywhere = block(dict.fromkeys(PLACES, 0.5)).eval()
    with inference.record(everywhere) as masks:
        y = everywhere(x)
    assert len(masks) == 6
    with inference.replay(everywhere, masks):
        torch.testing.assert_close(everywhere(x), y)

    class Head(torch.nn.Module):
        """The block's output is dropped in the original convention, and weight scaling has to look through."""

        def __init__(self) -> None:
            super().__init__()
            self.block, self.drop, self.read = everywhere, nn.Dropout(0.5, rescale=False), torch.nn.Linear(D, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.read(self.drop(self.block(x)))

    head = Head().eval()
    torch.testing.assert_close(inference.weight_scaling(head)(x), head(x))


def test_what_makes_no_sense_is_named():
    with pytest.raises(ValueError, match=r"the places of an EncoderBlock are attention_dropout, .*; got 'dropout'"):
        block({"dropout": 0.5})
    for wrong in (1.5, {"mlp_path": -1}):
        with pytest.raises(ValueError, match="keep_prob must lie between 0 and 1"):
            block(wrong)
    with pytest.raises(ValueError, match="activation must be 'relu' or 'gelu' or a function, got 'swish'"):
        block(0.9, activation="swish")
    with pytest.raises(TypeError, match="activation must be a name or a function, got int"):
        block(0.9, activation=3)
    with pytest.raises(ValueError, match="one source of draws"):
        block(0.9, generator=seeded(0), stream=Stream(0))
    for wrong in (torch.ones(T, D), torch.ones(N, T, D + 1), torch.ones(1, N, T, D)):
        with pytest.raises(ValueError, match=r"EncoderBlock needs input of shape \(N, T, 8\)"):
            block(0.9)(wrong)
    with pytest.raises(TypeError, match="EncoderBlock needs a tensor, got list"):
        block(0.9)([1.0])
    for norm_first in (True, False):
        with pytest.raises(TypeError, match="EncoderBlock needs floating point input"):
            block(0.9, norm_first=norm_first)(torch.ones(N, T, D).long())
    with pytest.raises(ValueError, match=r"needs input of shape \(T, N, 8\), got \(5, 8\)"):
        block(0.9, batch_first=False)(torch.ones(T, D))
    changed = of_torch()
    changed.dropout1 = torch.nn.AlphaDropout(0.1)
    with pytest.raises(TypeError, match=r"the dropout1 of a torch.nn.TransformerEncoderLayer is a Dropout, got Alpha"):
        nn.EncoderBlock.from_torch(changed)
    hooked = of_torch()
    hooked.linear1.register_forward_pre_hook(lambda *_: None)
    with pytest.raises(ValueError, match="has hooks"):
        nn.EncoderBlock.from_torch(hooked)
