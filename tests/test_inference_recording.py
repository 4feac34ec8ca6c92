"""One subnetwork, recorded in a pass and replayed in others."""

from __future__ import annotations

import pytest
import torch

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
    "name", sorted(LAYERS.keys() - {"block", "gaussian", "connect", "connect, one mask", "convolution"})
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
        (torch.nn.Linear(2, 2), "nothing to record: Linear has no dropout layer that drops"),
        (torch.nn.Dropout(0.0), "nothing to record"),
        (torch.nn.LSTM(2, 2, 2, dropout=0.5), "the noise of LSTM is no factor"),
        (nn.VariationalGRU(2, 2), "the noise of VariationalGRU is no factor"),
        (torch.nn.AlphaDropout(0.5), "the noise of AlphaDropout is no factor"),
        (nn.LearnedGaussianDropout(2, 2), "the noise of LearnedGaussianDropout is no factor"),
    ),
)
def test_other_noise_is_refused(model, message):
    with pytest.raises(ValueError, match=message), inference.record(model):
        pass
