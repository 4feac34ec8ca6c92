"""Exact ensembles of torch models, against forward passes written out by hand for every combination of masks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
import torch
from family_members import MEMBERS
from torch import Tensor

from dropout_lab import bayes, constraints, ensemble, inference, nn, recurrent


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(n: int) -> list[Tensor]:
    return [torch.tensor(bits, dtype=torch.float64) for bits in product((0.0, 1.0), repeat=n)]


def weight_of(mask: Tensor, keep_prob: float) -> float:
    kept = int(mask.sum())
    return keep_prob**kept * (1 - keep_prob) ** (mask.numel() - kept)


@pytest.fixture
def batch() -> Tensor:
    return torch.randn(5, 3, generator=seeded(1), dtype=torch.float64)


def two_layers(first: torch.nn.Module, second: torch.nn.Module) -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(first, torch.nn.Linear(3, 4), torch.nn.ReLU(), second, torch.nn.Linear(4, 3)).double()


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("chunk", [1, 50, None])
def test_two_dropout_layers_of_different_rates(batch: Tensor, chunk: int | None, rescale: bool, mean: str) -> None:
    model = two_layers(nn.Dropout(0.8, rescale=rescale), nn.Dropout(0.4, rescale=rescale))
    one, two = model[1], model[4]
    total = torch.zeros(5, 3, dtype=torch.float64)
    for inner in rows(3):
        for outer in rows(4):
            weight = weight_of(inner, 0.8) * weight_of(outer, 0.4)
            hidden = torch.relu(batch * (inner / 0.8 if rescale else inner) @ one.weight.T + one.bias)
            logits = hidden * (outer / 0.4 if rescale else outer) @ two.weight.T + two.bias
            total += weight * (logits.softmax(1) if mean == "arithmetic" else logits.log_softmax(1)).detach()
    if mean == "arithmetic":
        found, expected = ensemble.exact_mean(model, batch, chunk=chunk), total
    else:
        found, expected = ensemble.exact_geometric_mean(model, batch, chunk=chunk), total.softmax(1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)
    torch.testing.assert_close(found.sum(1), torch.ones(5, dtype=torch.float64), rtol=0, atol=1e-13)


def test_raw_outputs_and_binary_outputs(batch: Tensor) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), nn.Dropout(0.3), torch.nn.Linear(4, 1)).double()
    values = []
    hidden = torch.tanh(model[0](batch))
    for mask in rows(4):
        values.append((weight_of(mask, 0.3), model[3](hidden * mask / 0.3).detach()))
    for output, read in (("raw", lambda z: z), ("sigmoid", torch.sigmoid)):
        expected = sum(weight * read(value) for weight, value in values)
        torch.testing.assert_close(ensemble.exact_mean(model, batch, output=output), expected, rtol=0, atol=1e-13)
    fast = ensemble.sigmoid_mean(hidden, model[3].weight, model[3].bias, 0.3)
    slow = ensemble.exact_mean(model, batch, output="sigmoid")[:, 0]
    torch.testing.assert_close(fast.value, slow, rtol=0, atol=1e-13)
    with pytest.raises(ValueError, match="output='sigmoid'"):
        ensemble.exact_mean(model, batch)


def test_one_layer_before_a_softmax_agrees_with_the_factorized_mean_and_with_weight_scaling(batch: Tensor) -> None:
    torch.manual_seed(2)
    model = torch.nn.Sequential(torch.nn.Linear(3, 9), torch.nn.ReLU(), nn.Dropout(0.7), torch.nn.Linear(9, 4)).double()
    hidden = torch.relu(model[0](batch))
    fast = ensemble.softmax_mean(hidden, model[3].weight, model[3].bias, 0.7)
    torch.testing.assert_close(ensemble.exact_mean(model, batch), fast, rtol=0, atol=1e-12)
    # In the inverted convention the scaled weights are the weights themselves.
    one_pass = model.eval()(batch).softmax(1).detach()
    torch.testing.assert_close(ensemble.exact_geometric_mean(model, batch), one_pass, rtol=0, atol=1e-13)


@pytest.mark.parametrize("layer", [nn.SpatialDropout(0.6), torch.nn.Dropout2d(0.4)])
def test_a_channel_is_one_unit(layer: torch.nn.Module) -> None:
    x = torch.randn(2, 3, 4, 4, generator=seeded(3), dtype=torch.float64)
    model = torch.nn.Sequential(layer, torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(48, 2)).double()
    expected = sum(
        weight_of(mask, 0.6) * model[3](torch.tanh(x * mask.reshape(1, 3, 1, 1) / 0.6).flatten(1)).softmax(1)
        for mask in rows(3)
    )
    torch.testing.assert_close(ensemble.exact_mean(model, x), expected.detach(), rtol=0, atol=1e-13)


@pytest.mark.parametrize(("time_dim", "shape"), [(1, (1, 1, 3)), (0, (1, 1, 3))])
def test_a_feature_of_a_sequence_is_one_unit(time_dim: int, shape: tuple[int, ...]) -> None:
    x = torch.randn(2, 4, 3, generator=seeded(3), dtype=torch.float64)
    model = torch.nn.Sequential(nn.VariationalDropout(0.6, time_dim=time_dim), torch.nn.Tanh())
    expected = sum(weight_of(mask, 0.6) * torch.tanh(x * mask.reshape(shape) / 0.6) for mask in rows(3))
    torch.testing.assert_close(ensemble.exact_mean(model, x, output="raw"), expected, rtol=0, atol=1e-13)


class Residual(torch.nn.Module):
    """Two residual branches with drop path, one layer called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 3).double()
        self.path = nn.DropPath(0.7)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.path(torch.tanh(self.linear(x)))
        return x + self.path(torch.tanh(self.linear(x)))


def test_a_path_is_one_unit_and_each_call_of_a_layer_has_masks_of_its_own(batch: Tensor) -> None:
    torch.manual_seed(4)
    model = Residual()
    expected = torch.zeros(5, 3, dtype=torch.float64)
    for first, second in product((0, 1), repeat=2):
        weight = 0.7 ** (first + second) * 0.3 ** (2 - first - second)
        middle = batch + first / 0.7 * torch.tanh(model.linear(batch))
        expected += weight * (middle + second / 0.7 * torch.tanh(model.linear(middle))).detach()
    torch.testing.assert_close(ensemble.exact_mean(model, batch, output="raw"), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("rescale", [True, False])
def test_a_weight_of_drop_connect_is_one_unit(batch: Tensor, rescale: bool) -> None:
    torch.manual_seed(5)
    inner = torch.nn.Linear(3, 2).double()
    model = torch.nn.Sequential(nn.DropConnect(inner, keep_prob=0.6, rescale=rescale), torch.nn.ReLU())
    expected = sum(
        weight_of(mask, 0.6)
        * torch.relu(batch @ (inner.weight * mask.reshape(2, 3) / (0.6 if rescale else 1)).T + inner.bias)
        for mask in rows(6)
    )
    torch.testing.assert_close(ensemble.exact_mean(model, batch, output="raw"), expected.detach(), rtol=0, atol=1e-13)


#: Every member of the registry whose masks can be enumerated, in both conventions, at one example.
REGISTERED = [
    (
        f"{member}{', original' if not rescale else ''}",
        member.module(0.6, rescale=rescale),
        (1, *(2,) * min(3, len(member.shapes[0]) - 1)),
    )
    for member in MEMBERS
    if member.variant.enumerable and member.variant.multiplies != "weights"
    for rescale in (True, False)
]
LAYERS = [
    *REGISTERED,
    ("torch", torch.nn.Dropout(0.2), (1, 2, 3)),
    ("channels of one example", nn.SpatialDropout(0.6, batched=False), (3, 2, 2)),
    ("torch's channels", torch.nn.Dropout1d(0.4), (1, 3, 2)),
    ("torch's channels of one example", torch.nn.Dropout1d(0.4), (3, 2)),
    ("torch's maps of one example", torch.nn.Dropout3d(0.4), (3, 1, 2, 2)),
    ("torch's Dropout2d at three axes", torch.nn.Dropout2d(0.4), (1, 3, 2)),
    ("time first", nn.VariationalDropout(0.6, time_dim=0), (4, 1, 3)),
    ("time last", nn.VariationalDropout(0.6, time_dim=-1), (1, 3, 4)),
    ("the path of one example", nn.DropPath(0.3, batched=False, rescale=False), (2, 3)),
    ("weights", nn.DropConnect(torch.nn.Linear(3, 2), 0.6), (1, 3)),
    ("weights, original", nn.DropConnect(torch.nn.Linear(3, 2), 0.6, rescale=False), (1, 3)),
    ("filters", nn.DropConnect(torch.nn.Conv1d(2, 1, 3, padding=1), 0.6), (1, 2, 2)),
    ("weights inside a ball", nn.DropConnect(constraints.bound_weights(torch.nn.Linear(3, 2), 0.5), 0.6), (1, 3)),
    ("weights of several rows", nn.DropConnect(torch.nn.Linear(2, 1), 0.6), (3, 2)),
    ("weights that rows share", nn.DropConnect(torch.nn.Linear(2, 1), 0.6, per_example=False), (3, 2)),
]


@pytest.mark.parametrize(("layer", "shape"), [case[1:] for case in LAYERS], ids=[case[0] for case in LAYERS])
def test_masks_drawn_in_training_have_the_exact_mean(layer: torch.nn.Module, shape: tuple[int, ...]) -> None:
    """What training draws for one example is what is enumerated, for every kind of layer.

    The mean of tanh(y), and of the products of neighbors, which tell who shares a draw: 4000 passes, 35 layers, at most
    12 figures each twice, within 5.5 standard errors: false alarm below 35 · 24 · 3.8e-8 = 3.2e-5. Seeds fixed.
    """
    x = torch.randn(shape, generator=seeded(7), dtype=torch.float64) + 1

    class Products(torch.nn.Module):
        def forward(self, y: Tensor) -> Tensor:
            y = torch.tanh(y)
            flat = y.reshape(-1)
            return torch.cat((flat, flat * flat.roll(1))).unsqueeze(0)

    model = torch.nn.Sequential(layer, Products()).double().train()
    exact = ensemble.exact_mean(model, x, output="raw")
    torch.manual_seed(6)
    with torch.no_grad():
        drawn = torch.stack([model(x) for _ in range(4000)])
    assert ((drawn.mean(0) - exact).abs() < 5.5 * drawn.std(0) / 4000**0.5 + 1e-12).all()


def test_certain_masks_are_not_enumerated(batch: Tensor) -> None:
    """Keep probabilities 0 and 1 leave one mask each: 2^4 members remain of 2^10."""
    model = torch.nn.Sequential(nn.Dropout(1.0), nn.Dropout(0.0), torch.nn.Linear(3, 4), nn.Dropout(0.5)).double()
    expected = (model[2].bias).detach().expand(5, 4)
    found = ensemble.exact_mean(model, batch, output="raw", max_masks=16)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


def test_a_dropped_unit_is_zero_even_where_it_was_infinite() -> None:
    model = torch.nn.Sequential(nn.Dropout(0.5), torch.nn.Hardtanh())
    found = ensemble.exact_mean(model, torch.tensor([[torch.inf, 1.0]]), output="raw")
    assert found.tolist() == [[0.5, 0.5]]


def test_the_models_mode_and_statistics_are_left_alone(batch: Tensor) -> None:
    model = two_layers(torch.nn.BatchNorm1d(3), nn.Dropout(0.5)).train()
    model[1].eval()
    before = [module.training for module in model.modules()], model[0].running_mean.clone()
    ensemble.exact_mean(model, batch)
    assert [module.training for module in model.modules()] == before[0]
    assert torch.equal(model[0].running_mean, before[1])
    with pytest.raises(RuntimeError):
        ensemble.exact_mean(model, batch[:, :2])
    assert [module.training for module in model.modules()] == before[0]
    assert not any(module._forward_hooks for module in model.modules())


class Branching(torch.nn.Module):
    """A model whose path depends on values, which vmap cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.25)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(x)
        return x if x.sum() > 0 else x - 1


def test_a_model_that_cannot_be_batched_is_enumerated_one_by_one() -> None:
    found = ensemble.exact_mean(Branching(), torch.ones(1, 2, dtype=torch.float64), output="raw")
    # Dropped with probability ¾ and kept 4-fold, less 1 where both are dropped.
    torch.testing.assert_close(found, torch.full((1, 2), 1 - 9 / 16, dtype=torch.float64))


def test_memory_is_bounded_by_the_largest_activation() -> None:
    """No array in the model holds more than 2^22 elements, unless one subnetwork needs them."""
    model = torch.nn.Sequential(nn.Dropout(0.5), torch.nn.Linear(10, 2**15), torch.nn.ReLU(), torch.nn.Linear(2**15, 2))
    stream = ensemble.enumeration._stream(model, torch.ones(1, 10), None, None, None)
    table_sizes = []
    bounded = stream._replace(function=lambda table: (table_sizes.append(len(table)), stream.function(table))[1])
    bounded.mean(ensemble.enumeration._values, 2**24)
    assert sum(table_sizes) == 2**10
    assert max(table_sizes) * 2**15 <= 2**22


@pytest.mark.parametrize(
    "layer",
    [
        nn.GaussianDropout(0.5),
        nn.DropBlock(0.5, block_size=1),
        bayes.ConcreteDropout(torch.nn.Linear(3, 3)),
        bayes.LearnedGaussianDropout(3, 3),
        recurrent.VariationalLSTM(3, 3),
        torch.nn.AlphaDropout(0.5),
        torch.nn.LSTM(3, 3, num_layers=2, dropout=0.5),
        torch.nn.MultiheadAttention(4, 2, dropout=0.1),
    ],
)
def test_noise_that_cannot_be_enumerated_is_refused(layer: torch.nn.Module) -> None:
    with pytest.raises(ValueError, match=rf"{type(layer).__name__} '1'.*monte_carlo"):
        ensemble.exact_mean(torch.nn.Sequential(nn.Dropout(0.5), layer), torch.ones(1, 3))


def test_requests_that_make_no_sense_name_what_is_wrong(batch: Tensor) -> None:
    with pytest.raises(ValueError, match=r"nothing to enumerate.*Linear"):
        ensemble.exact_mean(torch.nn.Linear(3, 2).double(), batch)
    with pytest.raises(ValueError, match="batch axis"):
        ensemble.exact_mean(torch.nn.Sequential(nn.Dropout(0.5)), torch.ones(3))
    with pytest.raises(ValueError, match="their own keep_prob"):
        ensemble.exact_mean(torch.nn.Sequential(nn.Dropout(0.5)), batch, 0.5)
    wide = torch.nn.Sequential(nn.Dropout(0.5), torch.nn.Linear(64, 2))
    with pytest.raises(ensemble.TooManyMasks, match=r"64 units have 2\^64 masks.*would take about.*monte_carlo"):
        ensemble.exact_mean(wide, torch.ones(1, 64))


@pytest.mark.parametrize("member", [member for member in MEMBERS if member.drops], ids=str)
def test_a_keep_probability_of_0_is_no_identity(member: object) -> None:
    """Training gives zeros, eval() the input: what cannot be enumerated is refused, and not taken for its eval()."""
    if member.variant.multiplies == "weights":
        return
    x = torch.ones(member.shapes[0])
    model = torch.nn.Sequential(member.module(0.0), torch.nn.Flatten(), torch.nn.LazyLinear(2), nn.Dropout(0.5))
    if not member.variant.enumerable:
        with pytest.raises(ValueError, match=f"{member.variant.modules[0]} '0'"):
            ensemble.exact_mean(model, x)
        return
    found = ensemble.exact_mean(model, x, output="raw")
    torch.testing.assert_close(found, model[2].bias.detach().double().expand_as(found), rtol=1e-6, atol=1e-6)


def test_complex_outputs_and_containers_are_refused(batch: Tensor) -> None:
    class Gives(torch.nn.Module):
        def __init__(self, make: Callable[[Tensor], object]) -> None:
            super().__init__()
            self.make = make

        def forward(self, x: Tensor) -> object:
            return self.make(x)

    for make, what in ((lambda x: x + 1j, "complex128"), (lambda x: {"logits": x}, "dict")):
        model = torch.nn.Sequential(nn.Dropout(0.5), Gives(make))
        with pytest.raises(TypeError, match=what):
            ensemble.exact_mean(model, batch)
        with pytest.raises(TypeError, match=what):
            inference.monte_carlo(model, batch)


def test_members_have_to_be_probabilities_and_means_are() -> None:
    with pytest.raises(ValueError, match="above 1"):
        ensemble.exact_geometric_mean(lambda r: torch.stack([r.sum(1) + 5, r.sum(1) + 7], 1), 3)
    big = torch.full((4,), 1e200, dtype=torch.float64)
    for fast in (ensemble.softmax_mean, lambda h, w: ensemble.sigmoid_mean(h, w[0] - w[1])):
        with pytest.raises(ValueError, match="overflows float64"):
            fast(big, torch.stack([big, -big]))
    sure = ensemble.exact_mean(lambda r: torch.full((len(r), 2), 50.0) * torch.tensor([1.0, -1.0]), 9, output="softmax")
    assert (sure <= 1).all()
