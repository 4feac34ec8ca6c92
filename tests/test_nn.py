"""What is particular to the modules: how they show themselves, and DropConnect around a layer."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from family_members import elements, seeded

from dropout_lab import functional, nn, noise

LAYERS = (
    (torch.nn.Linear(5, 4), (6, 5)),
    (torch.nn.Linear(5, 4, bias=False), (6, 3, 5)),
    (torch.nn.Conv1d(4, 6, 3, stride=2, groups=2), (6, 4, 9)),
    (torch.nn.Conv2d(4, 6, (3, 2), padding=1, dilation=2), (6, 4, 9, 8)),
    (torch.nn.Conv2d(4, 6, 3, padding="same", padding_mode="circular"), (6, 4, 5, 6)),
    (torch.nn.Conv3d(2, 3, 2, bias=False), (6, 2, 3, 4, 5)),
)
each_layer = pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=[str(layer) for layer, _ in LAYERS])


@pytest.mark.parametrize(
    ("module", "text"),
    (
        (nn.Dropout(), "Dropout(keep_prob=0.5, rescale=True)"),
        (nn.Dropout(0.8, rescale=False), "Dropout(keep_prob=0.8, rescale=False)"),
        (nn.GaussianDropout(0.7), "GaussianDropout(keep_prob=0.7)"),
        (nn.SpatialDropout(0.7), "SpatialDropout(keep_prob=0.7, batched=True, rescale=True)"),
        (
            nn.DropBlock(block_size=3),
            "DropBlock(keep_prob=0.9, block_size=3, gamma='exact', batched=True, rescale=True)",
        ),
        (nn.VariationalDropout(time_dim=0), "VariationalDropout(keep_prob=0.5, time_dim=0, rescale=True)"),
        (nn.DropPath(0.9), "DropPath(keep_prob=0.9, batched=True, rescale=True)"),
        (
            nn.DropConnect(torch.nn.Linear(2, 1)),
            "DropConnect(\n  keep_prob=0.5, per_example=True, rescale=True\n"
            "  (layer): Linear(in_features=2, out_features=1, bias=True)\n)",
        ),
    ),
)
def test_modules_show_their_arguments(module: torch.nn.Module, text: str) -> None:
    assert repr(module) == text


def test_modules_without_parameters_add_nothing_to_a_state() -> None:
    with_noise = torch.nn.Sequential(torch.nn.Linear(3, 3), nn.Dropout(), nn.DropBlock(), nn.DropPath())
    without = torch.nn.Sequential(torch.nn.Linear(3, 3))
    assert list(with_noise.state_dict()) == list(without.state_dict())
    with_noise.load_state_dict(without.state_dict())


def test_a_keep_probability_may_change_between_calls() -> None:
    layer = nn.Dropout(0.5)
    layer.keep_prob = 1.0
    assert torch.equal(layer(torch.ones(9)), torch.ones(9))
    layer.keep_prob = 1.5
    with pytest.raises(ValueError, match=r"1.5"):
        layer(torch.ones(9))


def test_variational_dropout_takes_any_time_axis() -> None:
    x = torch.ones(6, 5, 4, 3)
    for time_dim in range(-4, 4):
        mask = functional.variational_dropout(x, 0.5, time_dim=time_dim, generator=seeded(1)) != 0
        for axis in range(4):
            shared = torch.equal(mask, mask.narrow(axis, 0, 1).expand_as(mask))
            assert shared == (axis == time_dim % 4)
    for time_dim in (4, -5):
        with pytest.raises(ValueError, match=f"time_dim={time_dim}"):
            functional.variational_dropout(x, 0.5, time_dim=time_dim)


def test_keep_probabilities_decay_linearly_to_the_last() -> None:
    assert functional.linear_decay(5, 0.5) == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert functional.linear_decay(1, 0.3) == [0.3]
    assert functional.linear_decay(3, 1.0) == [1.0, 1.0, 1.0]
    assert functional.linear_decay(54, 0.1)[-1] == 0.1
    for blocks in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match="blocks"):
            functional.linear_decay(blocks)
    with pytest.raises(ValueError, match=r"1.5"):
        functional.linear_decay(3, 1.5)


@each_layer
def test_drop_connect_is_the_layer_when_nothing_is_dropped(layer: torch.nn.Module, shape: tuple[int, ...]) -> None:
    x = elements(shape)
    assert torch.equal(nn.DropConnect(layer, 1.0)(x), layer(x))
    assert torch.equal(nn.DropConnect(layer, 0.5).eval()(x), layer(x))
    halved = nn.DropConnect(layer, 0.5, rescale=False).eval()(x)
    constant = layer(torch.zeros_like(x))
    torch.testing.assert_close(halved, constant + (layer(x) - constant) / 2)
    assert torch.equal(nn.DropConnect(layer, 0.0)(x), constant)


@each_layer
@pytest.mark.parametrize("rescale", (True, False))
def test_every_example_has_its_own_weights(layer: torch.nn.Module, shape: tuple[int, ...], rescale: bool) -> None:
    """Against a loop over the examples, each through the layer with the weights that the generator masks for it."""
    x = elements(shape)
    y = nn.DropConnect(layer, 0.6, rescale=rescale)(x, generator=seeded(2))
    masks = noise.bernoulli((shape[0], *layer.weight.shape), 0.6, generator=seeded(2))
    factor = 1 / 0.6 if rescale else 1.0
    for example, mask, output in zip(x, masks, y, strict=True):
        masked = {"weight": layer.weight * mask * factor}
        expected = torch.func.functional_call(layer, masked, (example.unsqueeze(0),))[0]
        torch.testing.assert_close(output, expected)
    assert len(masks.flatten(1).unique(dim=0)) == shape[0]


@each_layer
def test_a_batch_may_share_its_weights(layer: torch.nn.Module, shape: tuple[int, ...]) -> None:
    x = elements(shape)
    y = nn.DropConnect(layer, 0.6, per_example=False)(x, generator=seeded(3))
    mask = noise.bernoulli(layer.weight.shape, 0.6, generator=seeded(3))
    expected = torch.func.functional_call(layer, {"weight": layer.weight * mask / 0.6}, (x,))
    torch.testing.assert_close(y, expected)


@each_layer
def test_input_without_the_axis_of_examples_is_one_example(layer: torch.nn.Module, shape: tuple[int, ...]) -> None:
    x = elements(shape)[0]
    if x.dim() >= layer.weight.dim():
        x = x[0]
    y = nn.DropConnect(layer, 0.6)(x, generator=seeded(4))
    batch = nn.DropConnect(layer, 0.6)(x.unsqueeze(0), generator=seeded(4))
    torch.testing.assert_close(y, batch[0])


@each_layer
def test_gradients_reach_kept_weights_only_and_the_bias(layer: torch.nn.Module, shape: tuple[int, ...]) -> None:
    layer.zero_grad()
    nn.DropConnect(layer, 0.5, per_example=False)(elements(shape), generator=seeded(5)).sum().backward()
    mask = noise.bernoulli(layer.weight.shape, 0.5, generator=seeded(5))
    assert torch.equal(layer.weight.grad != 0, mask != 0)
    if layer.bias is not None:
        assert (layer.bias.grad != 0).all()


def test_drop_connect_is_unbiased() -> None:
    """|z| < 5.5 at 4 outputs, for 20 000 masks: a false alarm with probability 2e-7."""
    layer = torch.nn.Linear(5, 4, dtype=torch.float64)
    x = elements((5,), torch.float64)
    y = nn.DropConnect(layer, 0.4)(x.expand(20_000, 5), generator=seeded(6))
    scores = (y.mean(0) - layer(x)) * math.sqrt(20_000) / y.std(0)
    assert scores.abs().max() < 5.5


def test_drop_connect_compiles_exports_and_maps_with_a_layer() -> None:
    for layer, shape in (LAYERS[0], LAYERS[3]):
        torch.compiler.reset()
        module = nn.DropConnect(layer, 0.5)
        x = elements(shape)
        for call in (
            torch.compile(module, backend="aot_eager", fullgraph=True),
            torch.export.export(module, (x,)).module(),
            lambda x, module=module: torch.vmap(module, randomness="different")(x.unsqueeze(0))[0],
        ):
            y = call(x)
            assert y.shape == layer(x).shape
            assert not torch.equal(call(x), y)
            same = call(x[:1].expand_as(x))
            assert not torch.equal(same, same[:1].expand_as(same)), "the examples share a mask"


def test_a_convolution_may_be_given_as_a_function() -> None:
    layer = torch.nn.Conv2d(3, 4, 3, padding=2)
    x = elements((2, 3, 6, 6))
    convolution = partial(torch.nn.functional.conv2d, padding=2)
    y = functional.drop_connect(x, layer.weight, layer.bias, 0.5, linear_map=convolution, generator=seeded(7))
    assert torch.equal(y, nn.DropConnect(layer, 0.5)(x, generator=seeded(7)))


@pytest.mark.parametrize("layer", (torch.nn.ReLU(), torch.nn.LSTM(3, 3), torch.nn.ConvTranspose2d(3, 3, 2), "Linear"))
def test_other_layers_are_refused(layer: object) -> None:
    with pytest.raises(TypeError, match=f"linear layer or a convolution, got {type(layer).__name__}"):
        nn.DropConnect(layer)


def test_drop_connect_says_what_shapes_it_needs() -> None:
    with pytest.raises(ValueError, match=r"\(N, …, inputs\)"):
        functional.drop_connect(torch.tensor(1.0), torch.ones(2, 3))
    for wrong in ((5,), (4, 5, 6, 7, 8)):
        with pytest.raises(ValueError, match=r"\(N, C, length, length\)"):
            nn.DropConnect(torch.nn.Conv2d(4, 6, 3))(torch.ones(wrong))
    with pytest.raises(ValueError, match="weights of two axes"):
        functional.drop_connect(torch.ones(3), torch.ones(3))
    with pytest.raises(TypeError, match="drop_connect needs floating point"):
        functional.drop_connect(torch.ones(3), torch.ones(2, 3, dtype=torch.int64))


def test_every_member_that_is_a_module_stands_in_one_namespace() -> None:
    names = (
        "Dropout GaussianDropout SpatialDropout DropBlock VariationalDropout DropPath DropConnect "
        "VariationalLSTM VariationalGRU LearnedGaussianDropout ConcreteDropout"
    )
    for name in names.split():
        assert issubclass(getattr(nn, name), torch.nn.Module), name
