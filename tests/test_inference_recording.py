"""One subnetwork, recorded in a pass and replayed in others."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch.nn import functional as F

from dropout_lab import inference, nn, noise

#: Each layer whose noise is a factor, with an input.
LAYERS = {
    "dropout": (nn.Dropout(0.5), (6, 20)),
    "original": (nn.Dropout(0.5, rescale=False), (6, 20)),
    "gaussian": (nn.GaussianDropout(0.5), (6, 20)),
    "spatial": (nn.SpatialDropout(0.5), (6, 20, 3)),
    "block": (nn.DropBlock(0.8, 3), (6, 3, 8, 8)),
    "variational": (nn.VariationalDropout(0.5), (6, 3, 20)),
    "time first": (nn.VariationalDropout(0.5, time_dim=0), (3, 6, 20)),
    "path": (nn.DropPath(0.5), (30, 4)),
    "token": (nn.TokenDropout(0.5), (6, 20, 3)),
    "attention": (nn.AttentionDropout(0.5), (2, 2, 6, 6)),
    "connect": (nn.DropConnect(torch.nn.Linear(20, 4), 0.5), (6, 20)),
    "connect, one mask": (nn.DropConnect(torch.nn.Linear(20, 4), 0.5, per_example=False), (6, 20)),
    "convolution": (nn.DropConnect(torch.nn.Conv1d(3, 4, 3), 0.5), (6, 3, 20)),
    "torch": (torch.nn.Dropout(0.5), (6, 20)),
    "torch, channels": (torch.nn.Dropout1d(0.5), (6, 20, 3)),
    "torch, alpha": (torch.nn.AlphaDropout(0.5), (6, 20)),
    "torch, alpha of channels": (torch.nn.FeatureAlphaDropout(0.5), (6, 20, 3)),
    "concrete": (nn.ConcreteDropout(torch.nn.Linear(20, 4)), (6, 20)),
    "torch, in place": (torch.nn.Dropout(0.5, inplace=True), (6, 20)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_what_was_recorded_is_given_again(name):
    layer, shape = LAYERS[name]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with inference.record(layer) as masks:
        recorded = layer(x.clone())
    assert not torch.equal(recorded, layer.eval()(x.clone()))
    for training in (False, True):
        layer.train(training)
        with inference.replay(layer, masks):
            assert torch.equal(layer(x.clone()), recorded)
            assert torch.equal(layer(x=x.clone()) if "torch" not in name else layer(input=x.clone()), recorded)
        assert layer.training is training
    layer.train()


@pytest.mark.parametrize(
    "name",
    sorted(
        LAYERS.keys()
        - {"block", "gaussian", "connect", "connect, one mask", "convolution", "concrete"}
        - {"torch, alpha", "torch, alpha of channels"}
    ),
)
def test_the_recorded_noise_is_what_training_draws(name):
    """The recorded values are 0 and 1/p (or 1), each as often as training has them: 40 passes of 100 draws or more.

    The share of zeros has a standard deviation of at most .5/√1200, since no layer has fewer independent draws than
    1200 in 40 passes: outside six of them with a probability below 1e-8.
    """
    layer, shape = LAYERS[name]
    shares = []
    for _ in range(40):
        with inference.record(layer) as masks:
            layer(torch.ones(shape))
        assert set(masks[0].values.unique().tolist()) <= {0.0, 1.0 if name == "original" else 2.0}
        shares.append((masks[0].values == 0).float().mean())
    assert abs(torch.stack(shares).mean() - 0.5) < 6 * 0.5 / 1200**0.5


class TimeFirst(torch.nn.Module):
    """(N, T, D), masked as (T, N, D)."""

    def __init__(self):
        super().__init__()
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(x.transpose(0, 1)).transpose(0, 1)


@pytest.mark.parametrize("model", (torch.nn.Sequential(torch.nn.Dropout(0.5)), TimeFirst()))
def test_one_example_records_the_masks_of_all(model):
    with inference.record(model.eval()) as masks:
        one = model(torch.ones(1, 4, 30))
    with inference.replay(model, masks):
        for count in (1, 3, 7):
            assert torch.equal(model(torch.ones(count, 4, 30)), one.expand(count, -1, -1))


def test_the_rest_of_the_model_keeps_its_mode():
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5)).eval()
    before = model[0].running_mean.clone()
    with inference.record(model) as masks:
        model(torch.ones(1, 4))
    with inference.replay(model, masks):
        model(torch.ones(9, 4) + 5)
    assert torch.equal(model[0].running_mean, before) and not model[1].training


def test_a_layer_draws_from_its_own_source():
    layer, x = nn.Dropout(0.5, stream=noise.Stream(3)), torch.ones(4, 30)
    with inference.record(layer) as masks:
        y = layer(x)
    assert torch.equal(y, layer(x)) and torch.equal(masks[0].values, y)


def test_gradients_pass_where_units_are_kept():
    layer = torch.nn.Dropout(0.5)
    with inference.record(layer) as masks:
        layer(torch.ones(2, 9))
    x = torch.full((2, 9), torch.inf, requires_grad=True)
    with inference.replay(layer, masks):
        y = layer(x)
    assert torch.equal(y == 0, masks[0].values == 0)
    y.backward(torch.ones_like(y))
    assert torch.equal(x.grad == 0, masks[0].values == 0)


def two():
    return torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(4, 4), torch.nn.Dropout(0.5))


def test_what_does_not_fit_is_refused():
    model = two()
    with inference.record(model) as masks:
        model(torch.ones(2, 4))
    assert repr(masks) == "Recording(0 (2, 4), 2 (2, 4))" and len(masks[:1]) == 1
    with (
        inference.replay(model, masks),
        pytest.raises(ValueError, match=r"Dropout '0' has to mask \(3, 4\), .* \(2, 4\)"),
    ):
        model(torch.ones(3, 4))
    with (
        inference.replay(model, masks[:1]),
        pytest.raises(ValueError, match="'2' is called where the recording is at its"),
    ):
        model(torch.ones(2, 4))
    with (
        inference.replay(model, masks[::-1]),
        pytest.raises(ValueError, match=r"'0' is called where .* goes on with '2'"),
    ):
        model(torch.ones(2, 4))
    with (
        inference.replay(model, [*masks, masks[0]]),
        pytest.raises(ValueError, match="goes on with '0', which was not"),
    ):
        model(torch.ones(2, 4))
    with inference.record(model), pytest.raises(ValueError, match="one forward pass, and this is the second"):
        model(torch.ones(2, 4))
        model(torch.ones(2, 4))
    assert all(layer.training and not layer._forward_hooks for layer in model)


@pytest.mark.parametrize(
    ("model", "message"),
    (
        (torch.nn.LSTM(2, 2, 2, dropout=0.5), "the noise of LSTM is no factor"),
        (torch.nn.MultiheadAttention(2, 1, 0.5), "the noise of MultiheadAttention is no factor"),
        (nn.LearnedGaussianDropout(2, 2), "the noise of LearnedGaussianDropout is no factor"),
    ),
)
def test_other_noise_is_refused(model, message):
    with pytest.raises(ValueError, match=message), inference.record(model):
        pass


@pytest.mark.parametrize("model", (torch.nn.Linear(2, 2), torch.nn.Dropout(0.0)))
def test_a_model_that_drops_nothing_is_refused(model):
    with pytest.raises(ValueError, match="nothing to record: no dropout took part"), inference.record(model):
        model(torch.ones(2, 2))


class Functions(torch.nn.Module):
    """A model that drops by torch's functions."""

    def __init__(self, drop):
        super().__init__()
        self.drop = drop

    def forward(self, x):
        return self.drop(x, self.training)


@pytest.mark.parametrize(
    "drop",
    (
        lambda x, on: F.dropout(x, 0.5, on),
        lambda x, on: F.dropout(x, p=0.3, training=on) * F.dropout2d(x.unsqueeze(-1), 0.4, on).squeeze(-1),
        lambda x, on: F.alpha_dropout(x, 0.5, on),
        lambda x, on: torch.dropout(x, 0.5, on),
    ),
)
def test_functions_of_dropout_in_a_models_own_code_are_recorded(drop):
    model, x = Functions(drop).eval(), torch.randn(1, 30, 4, generator=torch.Generator().manual_seed(0))
    with inference.record(model) as masks:
        one = model(x)
    assert not torch.allclose(one, model(x))
    for training in (False, True):
        model.train(training)
        with inference.replay(model, masks):
            torch.testing.assert_close(model(x.expand(5, -1, -1)), one.expand(5, -1, -1))


def test_attention_that_drops_inside_is_refused():
    model = Functions(lambda x, on: F.scaled_dot_product_attention(x, x, x, dropout_p=0.1))
    with inference.record(model), pytest.raises(ValueError, match="drops inside, which cannot be recorded"):
        model(torch.ones(1, 3, 2))


@pytest.mark.parametrize("kind", (nn.VariationalLSTM, nn.VariationalGRU))
@pytest.mark.parametrize("masks", ("input", "tied", "untied"))
@pytest.mark.parametrize("batch_first", (False, True))
def test_a_recurrent_layer_keeps_the_masks_of_one_sequence(kind, masks, batch_first):
    torch.manual_seed(0)
    layer = kind(3, 4, 2, keep_prob=0.5, masks=masks, batch_first=batch_first).double().eval()
    x = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    at = 0 if batch_first else 1
    one = x if batch_first else x.transpose(0, 1)
    with inference.record(layer) as recording:
        expected, _ = layer(one)
    assert not torch.allclose(expected, layer(one)[0])
    with inference.replay(layer, recording):
        for count in (1, 4):
            found, _ = layer(one.repeat_interleave(count, at))
            torch.testing.assert_close(found, expected.repeat_interleave(count, at))
    assert not layer.training
    values = recording[0].values
    for misfit in (torch.ones(2, 3), values[:, 1:], values.repeat(2, 1), values.unsqueeze(0)):
        wrong = [recording[0]._replace(values=misfit)]
        with inference.replay(layer, wrong), pytest.raises(ValueError, match="has to mask 1 sequences by"):
            layer(one)


@pytest.mark.parametrize("rate", (0.2, 0.5, 0.9, 1.0))
def test_alpha_dropout_as_torch_computes_it(rate):
    """torch's own two values, of a kept and of a dropped number: 2000 draws miss either with a chance of 1e-90."""
    layer, x = torch.nn.AlphaDropout(rate), torch.full((2000,), 1.5, dtype=torch.float64)
    torch.manual_seed(0)
    wanted = {round(value, 9) for value in layer(x).tolist()}
    with inference.record(layer):
        found = {round(value, 9) for value in layer(x).tolist()}
    assert found == wanted


def test_a_recording_travels():
    model = two()
    with inference.record(model) as masks:
        model(torch.ones(1, 4))
    for copied in (pickle.loads(pickle.dumps(masks)), copy.deepcopy(masks), masks.to("cpu")):
        assert isinstance(copied, inference.Recording) and repr(copied) == repr(masks)
        assert all(torch.equal(one.values, other.values) for one, other in zip(copied, masks, strict=True))


def test_a_compiled_model_and_one_in_half_precision():
    model = two().eval()
    with inference.record(model) as masks:
        one = model(torch.ones(1, 4))
    with inference.replay(model, masks):
        assert torch.allclose(torch.compile(model, backend="eager")(torch.ones(3, 4)), one.expand(3, 4))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.allclose(model(torch.ones(3, 4)).float(), one.expand(3, 4), atol=0.1)


@pytest.mark.parametrize("kind", (nn.VariationalLSTM, nn.VariationalGRU))
def test_a_state_that_is_given_by_name_reaches_the_replay(kind):
    layer = kind(4, 3, keep_prob=0.5).eval()
    x, start = torch.randn(2, 5, 2, 4, generator=torch.Generator().manual_seed(0))[0], torch.ones(1, 2, 3)
    state = (start, start) if kind is nn.VariationalLSTM else start
    layer.train()
    with inference.record(layer) as masks:
        layer(x[:, :1])
    layer.eval()
    with inference.replay(layer, masks):
        plain, named, placed = layer(x)[0], layer(x, state=state)[0], layer(x, state)[0]
    assert torch.equal(named, placed) and not torch.allclose(named, plain)


def test_a_function_without_its_rate_drops_half():
    model = Functions(lambda x, on: F.dropout(x, training=on)).train()
    with inference.record(model) as masks:
        y = model(torch.ones(1, 400))
    assert set(y.unique().tolist()) == {0.0, 2.0}
    with inference.replay(model, masks):
        assert torch.equal(model(torch.ones(1, 400)), y)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5)])
def test_alpha_dropout_of_channels_draws_once_for_each_channel(shape):
    layer, x = torch.nn.FeatureAlphaDropout(0.5), torch.randn(shape, generator=torch.Generator().manual_seed(0))
    seen = set()
    for _ in range(20):
        with inference.record(layer) as masks:
            layer(x)
        kept = masks[0].values.flatten(2)
        assert torch.equal(kept, kept[..., :1].expand_as(kept))
        seen.add(float(kept.unique().numel()))
    # All six channels alike in each of twenty draws: a chance of 2^-100.
    assert 2.0 in seen
