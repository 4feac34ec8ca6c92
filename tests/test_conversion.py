"""Conversion from other libraries' layers to ours and back: the same model after it, and what stays is named."""

import copy
import math
import random
import subprocess
import sys
import warnings

import foreign_layers as foreign
import numpy as np
import pytest
import torch
from foreign_models import Convolutional, Residual, Tagger, quietly
from torch import nn
from torch.nn import functional as F

import dropout_lab
import dropout_lab.nn as ours
from dropout_lab import conversion
from dropout_lab.conversion import NotConverted, convert, plan
from dropout_lab.noise import Stream

CONVERTED = {
    "dropout": (nn.Dropout(0.1), ours.Dropout(0.9)),
    "none": (nn.Dropout(0.0), ours.Dropout(1.0)),
    "all": (nn.Dropout(1), ours.Dropout(0.0)),
    "integer rate": (nn.Dropout(0), ours.Dropout(1.0)),
    "in place": (nn.Dropout(0.3, inplace=True), conversion.InPlaceDropout(0.7)),
    "1d": (nn.Dropout1d(0.3), conversion.ChannelDropout(0.7, dims=1)),
    "2d": (nn.Dropout2d(0.3), ours.SpatialDropout(0.7)),
    "2d in place": (nn.Dropout2d(0.3, inplace=True), conversion.ChannelDropout(0.7, dims=2, inplace=True)),
    "3d": (nn.Dropout3d(0.3), conversion.ChannelDropout(0.7, dims=3)),
    "path": (foreign.DropPath(0.2), ours.DropPath(0.8)),
    "path, none": (foreign.DropPath(0.0), ours.DropPath(1.0)),
    "path, rarely": (foreign.DropPath(0.001), ours.DropPath(0.999)),
    "path, all": (foreign.DropPath(1.0), ours.DropPath(0.0)),
    "path by Python": (foreign.PythonDropPath(0.2), ours.DropPath(0.8)),
    "rows": (foreign.StochasticDepth(0.2, "row"), ours.DropPath(0.8)),
    "batch": (foreign.StochasticDepth(0.2, "batch"), ours.DropPath(0.8, batched=False)),
    "blocks": (foreign.DropBlock2d(0.1, 3), ours.DropBlock(0.9, 3, gamma="published")),
    "large blocks": (foreign.DropBlock2d(0.2, 7), ours.DropBlock(0.8, 7, gamma="published")),
    "locked": (foreign.LockedDropout(0.3), ours.VariationalDropout(0.7, time_dim=0)),
    "variational": (foreign.VariationalDropout(0.3), ours.VariationalDropout(0.7)),
    "features": (foreign.SpatialDropout1D(0.3), ours.VariationalDropout(0.7)),
    "channels": (foreign.SpatialDropout(0.3), ours.SpatialDropout(0.7)),
    "gaussian": (foreign.GaussianDropout(0.2), ours.GaussianDropout(0.8)),
    "tokens": (foreign.TokenDropout(0.3), ours.TokenDropout(0.7)),
    "original convention": (foreign.KeptDropout(0.8), ours.Dropout(0.8, rescale=False)),
    "home-made in place": (foreign.InPlaceDropout(0.3), conversion.InPlaceDropout(0.7)),
    "subclass": (type("Named", (nn.Dropout,), {})(0.3), ours.Dropout(0.7)),
}


@pytest.mark.parametrize("kind", CONVERTED)
@pytest.mark.parametrize("mode", [True, False])
def test_each_layer_becomes_its_counterpart(kind, mode):
    old, expected = CONVERTED[kind]
    old = copy.deepcopy(old).train(mode)
    new = convert(old)
    assert (type(new), repr(new)) == (type(expected), repr(expected))
    assert new.training is mode
    assert old.training is mode
    assert convert(new) is new
    assert not plan(nn.Sequential(old), "dropout_lab").left


STAYS = {
    "alpha": (nn.AlphaDropout(0.1), "another value than 0"),
    "attention": (nn.MultiheadAttention(4, 2, dropout=0.1), "dropout=0.1 is a number"),
    "recurrent": (nn.GRU(2, 2, 2, dropout=0.1), "dropout=0.1 is a number"),
    "no probability": (foreign.DropPath(1.5), "drop_prob=1.5 is no probability"),
    "unscaled path": (foreign.DropPath(0.1, scale_by_keep=False), "is not divided by the keep probability 0.9"),
    "unscaled words": (foreign.WordDropout(0.1), "is not divided by the keep probability 0.9"),
    "always on": (foreign.MonteCarloDropout(0.1), "eval\\(\\) is not the identity"),
    "batch": (foreign.BatchDropout(0.1), "one mask for the whole batch"),
    "exactly": (foreign.ExactDropout(0.25), "draws depend on one another"),
    "taken out": (foreign.PatchDropout(0.5), r"it gives \(24, 10\) for an input of shape \(24, 20\)"),
    "more arguments": (foreign.DropWithMask(0.5), "more than its input"),
    "another rate": (foreign.CoarseDrop(0.5), "which is not 1/0.5"),
    "twice": (foreign.DroppedTwice(0.5), "which is not 1/0.5"),
    "own generator": (foreign.OwnGeneratorDropout(0.5), "generator of its own"),
    "shared blocks": (foreign.DropBlock2D(0.1, 3), "same blocks for all channels"),
    "blocks over the border": (foreign.BorderDropBlock(0.1, 3), "reach over the border"),
    "even blocks": (foreign.DropBlock2d(0.1, 4), "takes neither"),
}


@pytest.mark.parametrize("kind", STAYS)
def test_what_has_no_counterpart_stays_and_is_named(kind):
    layer, reason = STAYS[kind]
    model = nn.Sequential(nn.Dropout(0.5), nn.ModuleDict({"it": copy.deepcopy(layer)}))
    before = model[1]["it"]
    with pytest.raises(ValueError, match=rf"1\.it: {type(layer).__name__} stays: .*{reason}"):
        convert(model, strict=True)
    assert type(model[0]) is nn.Dropout
    with pytest.warns(NotConverted, match=rf"1\.it: {type(layer).__name__} stays: .*{reason}"):
        convert(model)
    assert type(model[0]) is ours.Dropout
    assert model[1]["it"] is before


def test_channels_are_on_the_axes_that_torch_means():
    # A channel of 64 elements or more whose elements were drawn one by one would be all kept or all lost with
    # probability 2e-19.
    cases = (
        (nn.Dropout1d, (40, 64), (40, 1)),
        (nn.Dropout1d, (5, 40, 64), (5, 40, 1)),
        (nn.Dropout2d, (5, 40, 64), (5, 40, 1)),
        (nn.Dropout2d, (5, 40, 8, 8), (5, 40, 1, 1)),
        (nn.Dropout3d, (40, 4, 4, 4), (40, 1, 1, 1)),
        (nn.Dropout3d, (5, 40, 4, 4, 4), (5, 40, 1, 1, 1)),
    )
    torch.manual_seed(0)
    for kind, shape, drawn in cases:
        for inplace in (False, True):
            layer, x = convert(kind(0.5, inplace=inplace)), torch.ones(shape)
            y = layer(x)
            assert torch.equal(y, y[tuple(slice(size) for size in drawn)].expand(shape)), (kind, shape)
            assert 0 < (y == 0).float().mean() < 1
            assert (y is x) is inplace
            assert ours.mask_shape(layer, torch.ones(shape)) == drawn
            assert torch.equal(layer.eval()(torch.ones(shape)), torch.ones(shape))
    for dims, shape in ((1, (2, 3, 4, 5)), (1, (3,)), (2, (2, 3)), (3, (2, 3, 4))):
        for mode in (True, False):
            with pytest.raises(ValueError, match=f"dims={dims} needs input of shape"):
                conversion.ChannelDropout(0.5, dims=dims).train(mode)(torch.ones(shape))
    with pytest.raises(ValueError, match="dims must be 1, 2 or 3"):
        conversion.ChannelDropout(0.5, dims=4)


def test_a_layer_in_place_still_changes_what_others_read():
    class Reads(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5, inplace=True)

        def forward(self, x):
            x = x * 1
            return self.drop(x) + x

    x = torch.ones(1000, requires_grad=True)
    torch.manual_seed(0)
    model = convert(Reads())
    y = model(x)
    # Both terms are the same tensor: 0 or 4. With a layer that does not write they would be 1 or 3.
    assert set(y.tolist()) == {0.0, 4.0}
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert torch.equal(model.eval()(x), 2 * x)
    graph = torch.fx.symbolic_trace(model)
    assert torch.equal(graph(x), 2 * x)


def test_rates_come_back_as_they_were():
    for rate in (0.1, 0.2, 0.3, 0.7, 1 / 3, 0.05, 1e-9, 0.0, 1.0):
        there = convert(nn.Dropout(rate))
        assert there.keep_prob == pytest.approx(1 - rate, abs=1e-15)
        assert convert(there, to="torch").p == pytest.approx(rate, abs=1e-16)
    assert convert(convert(nn.Dropout(0.1)), to="torch").p == 0.1
    for kind in (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d):
        for inplace in (False, True):
            back = convert(convert(kind(0.3, inplace=inplace).eval()), to="torch")
            assert (type(back), back.p, back.inplace, back.training) == (kind, 0.3, inplace, False)


def test_to_torch_names_what_torch_has_not():
    model = nn.ModuleDict(
        {
            "elements": ours.Dropout(0.9),
            "attention": ours.AttentionDropout(0.9),
            "tokens": ours.TokenDropout(0.9),
            "heads": ours.AttentionDropout(0.9, share_heads=True),
            "original": ours.Dropout(0.9, rescale=False),
            "single": ours.SpatialDropout(0.9, batched=False),
            "path": ours.DropPath(0.9),
            "weights": ours.DropConnect(nn.Linear(2, 2)),
            "lstm": ours.VariationalLSTM(2, 2),
            "own": ours.Dropout(0.9, stream=Stream(0)),
        }
    )
    report = plan(model, "torch")
    assert {one.name for one in report.replaced} == {"elements", "attention", "tokens", "own"}
    assert "global generator" in str(next(one for one in report.replaced if one.name == "own"))
    assert {one.name for one in report.left} == {"heads", "original", "single", "path", "weights", "lstm"}
    with pytest.warns(NotConverted, match="path: DropPath stays: torch has no such layer"):
        convert(model, to="torch")
    assert [type(model[name]) for name in ("elements", "attention", "tokens", "own")] == [
        nn.Dropout,
        nn.Dropout,
        nn.Dropout1d,
        nn.Dropout,
    ]
    assert type(model["path"]) is ours.DropPath


def test_a_shared_layer_stays_shared():
    layer = nn.Dropout(0.5)
    model = nn.Sequential(layer, nn.Sequential(layer, nn.Linear(2, 2)), layer)
    convert(model, seed=0)
    assert model[0] is model[1][0] is model[2]
    assert model[0].stream.layer == "0"
    residual = quietly(Residual())
    assert residual.drop is residual.again


def test_streams_are_given_to_the_new_layers():
    own = ours.Dropout(0.5, stream=Stream(9, "mine"))
    model = convert(nn.Sequential(nn.Dropout(0.5), own, nn.Sequential(foreign.DropPath(0.5))), seed=3)
    assert [(int(stream.seed), stream.layer) for stream in ours.streams(model)] == [(3, "0"), (9, "mine"), (3, "2.0")]
    model = convert(nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5)), stream=Stream(4))
    assert [stream.layer for stream in ours.streams(model)] == ["layer 0", "layer 1"]
    # A stream stands where the weights stand.
    there = nn.Sequential(nn.Linear(2, 2, device="meta"), nn.Dropout(0.5))
    assert convert(there, seed=0)[1].stream.seed.device.type == "meta"
    x = torch.ones(4, 6)
    assert torch.equal(model(x), model(x))
    assert not torch.equal(model[0](x), model[1](x))
    # A state dict from before the conversion is taken.
    model.load_state_dict(nn.Sequential(nn.Dropout(), nn.Dropout()).state_dict())
    plain = nn.Sequential(nn.Dropout(0.5))
    for options, error, says in (
        ({"seed": 0, "stream": Stream(0)}, ValueError, "not both"),
        ({"seed": 0, "to": "torch"}, ValueError, "no source of their own"),
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": 0.5}, TypeError, "seed"),
        ({"stream": 3}, TypeError, "noise.Stream"),
        ({"stream": Stream(0, "one")}, ValueError, "several layers"),
        ({"to": "keras"}, ValueError, "to must be"),
        ({"strict": 1}, TypeError, "strict"),
    ):
        with pytest.raises(error, match=says):
            convert(plain, **options)
        assert type(plain[0]) is nn.Dropout
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        convert([nn.Dropout()])


def test_a_name_that_methods_read_may_be_anything():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop, self.same = nn.Dropout(0.5), None
            self.same, self.options = self.drop, [1]

        def forward(self, x):
            return self.drop(x) * (self.same.p + self.other.options.p)

    model = quietly(nn.Sequential(Named(), nn.Dropout(0.5)))
    assert type(model[0].drop) is nn.Dropout
    assert type(model[1]) is ours.Dropout


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), foreign.DropPath(0.5)], ids=["torch", "foreign"])
def test_a_layer_with_hooks_stays(layer):
    for register in ("register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"):
        model = nn.Sequential(copy.deepcopy(layer))
        handle = getattr(model[0], register)(lambda *_: None)
        with pytest.warns(NotConverted, match=r"0: .* stays: it has hooks"):
            convert(model)
        handle.remove()
        convert(model)
        assert isinstance(model[0], (ours.Dropout, ours.DropPath))


def test_dropout_that_is_no_layer_is_named():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.drop_rate, self.unused_drop = nn.Linear(2, 2), 0.1, 0.3
            self.attn_drop = nn.Dropout(0.2)
            self.hidden = [nn.Dropout(0.5)]

        def forward(self, x):
            x = F.dropout(self.linear(x), 0.5, self.training)
            again = (lambda y: F.dropout(y, self.drop_rate))(x)
            return F.scaled_dot_product_attention(again, x, x, dropout_p=self.attn_drop.p if self.training else 0.0)

    model = nn.Sequential(Functional())
    said = {(one.name, one.reason) for one in plan(model).left}
    assert {name for name, _ in said} == {"0", "0.attn_drop"}
    text = str(plan(model))
    for part in ("call dropout", "drop_rate=0.1", "its hidden holds layers", "methods of Functional '0' read its rate"):
        assert part in text
    assert "unused_drop" not in text
    assert type(quietly(model)[0].attn_drop) is nn.Dropout
    # A model without any such thing is quiet.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for build in (Residual, Convolutional, Tagger):
            convert(build(), strict=True)


def test_a_rate_of_0_that_others_read_is_no_reason_to_warn():
    class Attends(nn.Module):
        def __init__(self, rate):
            super().__init__()
            self.drop = nn.Dropout(rate)

        def forward(self, x):
            return F.scaled_dot_product_attention(x, x, x, dropout_p=self.drop.p if self.training else 0.0)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = convert(Attends(0.0), strict=True)
    assert (type(model.drop), [one.idle for one in plan(model).left]) == (nn.Dropout, [True])
    with pytest.warns(NotConverted, match="read its rate"):
        convert(Attends(0.1))


def test_what_a_layer_was_given_besides_is_not_lost():
    layer = nn.Dropout(0.5)
    layer.forward = lambda x: 3 * x
    with pytest.warns(NotConverted, match="forward of its own"):
        assert convert(nn.Sequential(layer))[0] is layer
    # Rates in a buffer, weights, and layers in a class that has the name of one.
    buffered, linear = foreign.DropPath(0.5), type("LinearDropout", (nn.Linear,), {})(2, 2)
    buffered.register_buffer("drop", torch.tensor(0.5))
    for holder in (buffered, linear):
        with pytest.warns(NotConverted, match="holds weights or buffers"):
            convert(nn.Sequential(holder))

    class LayerDropList(nn.ModuleList):
        p = None

        def __iter__(self):
            return (layer for layer in super().__iter__() if torch.rand(()) > self.p)

    layers = LayerDropList([nn.Linear(2, 2)])
    layers.p = 0.2
    assert "read p=0.2" in str(plan(layers))


@pytest.mark.parametrize("default", ["device", "dtype"])
def test_torch_defaults_do_not_matter(default):
    try:
        if default == "device":
            torch.set_default_device("meta")
        else:
            torch.set_default_dtype(torch.float64)
        layers = [convert(copy.deepcopy(CONVERTED[kind][0])) for kind in ("path", "locked", "gaussian", "blocks")]
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    assert [type(layer) for layer in layers] == [
        ours.DropPath,
        ours.VariationalDropout,
        ours.GaussianDropout,
        ours.DropBlock,
    ]


def test_scripted_layers_are_named():
    scripted = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)))
    (left,) = plan(nn.Sequential(scripted, nn.Dropout(0.5))).left
    assert left.name == "0.1"
    assert "torch.jit.script" in left.reason


def test_a_plan_changes_nothing_and_draws_nothing():
    model = Residual()
    before = repr(model)
    random.seed(1)
    np.random.seed(1)
    state = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    first, second = plan(model), plan(model)
    assert first == second
    assert torch.equal(state[0], torch.get_rng_state())
    assert state[1] == random.getstate()
    assert (state[2] == np.random.get_state()[1]).all()
    assert repr(model) == before
    assert {one.name for one in first.replaced} == {"body.2", "body.4", "path", "drop"}
    assert str(plan(nn.Linear(2, 2))) == "nothing to convert"
    assert convert(model) is model
    assert plan(model) == conversion.Report((), ())


def test_the_package_reaches_convert_without_importing_torch():
    assert dropout_lab.convert is convert
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dropout_lab.nothing
    code = "import sys, dropout_lab; print('torch' in sys.modules, callable(dropout_lab.convert))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_the_frequencies_of_a_converted_block_layer_are_those_of_the_old_one():
    # 6 standard deviations at 64 positions: a false alarm has a probability of 1e-7.
    torch.manual_seed(0)
    old = foreign.DropBlock2d(0.2, 3)
    new, x = convert(old), torch.ones(500, 8, 8, 8)
    kept = [(layer(x) != 0).double().mean((0, 1)) for layer in (old, new)]
    assert ((kept[0] - kept[1]).abs() <= 6 * math.sqrt(2 * 0.25 / 4000)).all()
