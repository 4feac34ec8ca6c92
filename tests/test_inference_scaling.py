"""Weight scaling against the model it was made from, in both modes, and every case in which it must not be done."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from family_members import MEMBERS, Member
from torch import Tensor

from dropout_lab import ensemble, inference, nn


def chain(*layers: torch.nn.Module, seed: int = 0) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    return torch.nn.Sequential(*layers).double()


def deep() -> torch.nn.Sequential:
    return chain(
        nn.Dropout(0.8, rescale=False),
        torch.nn.Linear(4, 6),
        torch.nn.ReLU(),
        torch.nn.Sequential(nn.Dropout(0.5, rescale=False), torch.nn.Linear(6, 3)),
    )


def convolutional() -> torch.nn.Sequential:
    return chain(
        torch.nn.Unflatten(1, (1, 2, 2)),
        torch.nn.Conv2d(1, 3, 1),
        nn.SpatialDropout(0.6, rescale=False),
        torch.nn.Conv2d(3, 2, 2, padding=1, padding_mode="reflect"),
        torch.nn.Tanh(),
        nn.Dropout(0.9, rescale=False),
        torch.nn.AvgPool2d(3),
        torch.nn.Flatten(),
        torch.nn.Linear(2, 3),
    )


class Written(torch.nn.Module):
    """A forward() of its own, with views between the dropout layer and two layers that read it."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.3, rescale=False)
        self.twice = nn.Dropout(0.5, rescale=False)
        self.one, self.two = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        dropped = self.twice(self.dropout(x)).view(x.shape[0], 2, 2)
        return torch.relu(self.one(dropped.flatten(0, 1)).reshape(-1, 2, 3).sum(1)) - self.two(dropped[:, 0])


def connected() -> torch.nn.Sequential:
    return chain(
        nn.DropConnect(torch.nn.Linear(4, 3), keep_prob=0.4, rescale=False),
        torch.nn.ReLU(),
        nn.Dropout(0.7, rescale=False),
        nn.DropConnect(torch.nn.Linear(3, 2), keep_prob=0.9, rescale=False),
    )


MODELS = [deep, convolutional, lambda: Written().double(), connected]
NAMES = ["deep", "convolutional", "written", "connected"]


@pytest.fixture
def batch() -> Tensor:
    return torch.randn(7, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("make", MODELS, ids=NAMES)
def test_the_copy_says_at_test_time_what_the_model_says(make: Callable[[], torch.nn.Module], batch: Tensor) -> None:
    model = make().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    scaled = inference.weight_scaling(model)
    assert not scaled.training
    torch.testing.assert_close(scaled(batch), model.eval()(batch), rtol=1e-13, atol=1e-13)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(not module.rescale for module in model.modules() if hasattr(module, "rescale"))


@pytest.mark.parametrize("make", MODELS, ids=NAMES)
def test_in_training_the_copy_draws_the_same_subnetworks(make: Callable[[], torch.nn.Module], batch: Tensor) -> None:
    model = make()
    scaled = inference.weight_scaling(model).train()
    for seed in range(5):
        torch.manual_seed(seed)
        expected = model.train()(batch)
        torch.manual_seed(seed)
        torch.testing.assert_close(scaled(batch), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("make", MODELS, ids=NAMES)
def test_undone_it_is_the_model_again(make: Callable[[], torch.nn.Module], batch: Tensor) -> None:
    model = make().eval()
    undone = inference.undo_weight_scaling(inference.weight_scaling(model))
    for (name, found), expected in zip(undone.state_dict().items(), model.state_dict().values(), strict=True):
        torch.testing.assert_close(found, expected, rtol=5e-16, atol=0, msg=name)
    torch.testing.assert_close(undone(batch), model(batch), rtol=1e-13, atol=1e-13)
    assert str(undone) == str(model)


def test_weights_and_nothing_else_are_scaled() -> None:
    model = deep()
    scaled = inference.weight_scaling(model)
    assert torch.equal(scaled[1].weight, 0.8 * model[1].weight)
    assert torch.equal(scaled[3][1].weight, 0.5 * model[3][1].weight)
    assert torch.equal(scaled[1].bias, model[1].bias)
    assert torch.equal(scaled[3][1].bias, model[3][1].bias)


def test_it_is_the_mean_over_all_masks_of_a_linear_output() -> None:
    model = chain(nn.Dropout(0.3, rescale=False), torch.nn.Linear(4, 3))
    x = torch.tensor([0.5, -1.0, 2.0, 3.0], dtype=torch.float64)
    expected = ensemble.exact_mean(model, x.unsqueeze(0), output="raw")[0]
    torch.testing.assert_close(inference.weight_scaling(model)(x), expected, rtol=0, atol=1e-14)


class Shortcut(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dropout, self.linear = nn.Dropout(0.5, rescale=False), torch.nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x + self.dropout(x))


class Twice(Shortcut):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.dropout(torch.tanh(self.linear(x))))


class Tied(Shortcut):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.linear(torch.tanh(self.linear(self.dropout(x))), self.linear.weight.T)


class Branching(Shortcut):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.dropout(x) if x.sum() > 0 else x)


def shared() -> torch.nn.Sequential:
    model = chain(nn.Dropout(0.5, rescale=False), torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4))
    model[3].weight = model[1].weight
    return model


def normalized() -> torch.nn.Sequential:
    linear = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 4))
    return torch.nn.Sequential(nn.Dropout(0.5, rescale=False), linear)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            chain(nn.Dropout(0.5, rescale=False), torch.nn.ReLU(), torch.nn.Linear(4, 4)),
            "Dropout '0'.*ReLU '1'.*not lin",
        ),
        (chain(nn.Dropout(0.5, rescale=False), torch.nn.LayerNorm(4), torch.nn.Linear(4, 4)), "LayerNorm '1'"),
        (chain(nn.Dropout(0.5, rescale=False), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 4)), "BatchNorm1d '1'"),
        (chain(torch.nn.Linear(4, 4), nn.Dropout(0.5, rescale=False)), "Dropout '1' is read by no layer"),
        (nn.Dropout(0.5, rescale=False), "nothing reads its output|cannot follow"),
        (chain(nn.Dropout(0.5), torch.nn.Linear(4, 4)), "nothing to convert.*original"),
        (chain(torch.nn.Dropout(0.5), torch.nn.Linear(4, 4)), "nothing to convert"),
        (Shortcut(), "read by add"),
        (Twice(), "'linear' is called more than once"),
        (Tied(), "tied"),
        (shared(), "tied"),
        (normalized(), "parametrized"),
        (Branching(), "cannot follow.*Branching"),
    ],
)
def test_where_no_factor_is_right_it_is_refused(model: torch.nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inference.weight_scaling(model)


def test_a_keep_probability_of_zero_cannot_be_undone() -> None:
    scaled = inference.weight_scaling(chain(nn.Dropout(0.0, rescale=False), torch.nn.Linear(4, 2)))
    assert torch.equal(scaled(torch.ones(1, 4, dtype=torch.float64))[0], scaled[1].bias)
    with pytest.raises(ValueError, match="keep_prob 0"):
        inference.undo_weight_scaling(scaled)


@pytest.mark.parametrize("member", [member for member in MEMBERS if member.is_plain], ids=str)
def test_every_member_with_the_mean_p_everywhere_is_scaled(member: Member) -> None:
    if member.variant.multiplies == "weights":
        return
    x = torch.randn(member.shapes[0], dtype=torch.float64)
    model = chain(member.module(0.3, rescale=False), torch.nn.Flatten(), torch.nn.Linear(x[0].numel(), 3))
    scaled = inference.weight_scaling(model)
    torch.testing.assert_close(scaled(x), model.eval()(x), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(scaled[2].weight, 0.3 * model[2].weight)


def test_noise_whose_mean_depends_on_the_position_is_refused() -> None:
    model = chain(nn.DropBlock(0.5, 2, rescale=False), torch.nn.Flatten(), torch.nn.Linear(36, 3))
    with pytest.raises(ValueError, match="DropBlock '0' has no weights"):
        inference.weight_scaling(model)


class Attention(torch.nn.Module):
    """Attention probabilities are dropped, and so are the values, or the same numbers stand on both sides."""

    def __init__(self, product: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.links = nn.AttentionDropout(0.3, rescale=False)
        self.values = nn.Dropout(0.5, rescale=False)
        self.product = product
        self.out = torch.nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        links = self.links((x @ x.transpose(-1, -2)).softmax(-1))
        return self.out(self.product(links, self.values(x)))


@pytest.mark.parametrize(
    ("product", "factor"),
    [
        (lambda links, values: links @ values, 0.15),
        (torch.matmul, 0.15),
        (lambda links, values: links.matmul(values), 0.15),
        (lambda links, values: (links @ links) @ values, 0.045),
    ],
)
def test_a_factor_passes_through_products(product: Callable[[Tensor, Tensor], Tensor], factor: float) -> None:
    torch.manual_seed(0)
    model, x = Attention(product).double(), torch.randn(2, 1, 5, 5, dtype=torch.float64)
    scaled = inference.weight_scaling(model)
    torch.testing.assert_close(scaled(x), model.eval()(x), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(scaled.out.weight, factor * model.out.weight)


class Random(torch.nn.Module):
    def __init__(self, draw: Callable[[Tensor, bool], Tensor]) -> None:
        super().__init__()
        self.draw = draw

    def forward(self, x: Tensor) -> Tensor:
        return self.draw(x, self.training)


F = torch.nn.functional


@pytest.mark.parametrize(
    ("draw", "refused"),
    [
        (lambda x, training: F.dropout(x, 0.5), True),
        (lambda x, training: F.dropout(x, 0.5, training), False),
        (lambda x, training: F.alpha_dropout(x, 0.5), False),
        (lambda x, training: F.alpha_dropout(x, 0.5, True), True),
        (lambda x, training: F.rrelu(x), False),
        (lambda x, training: F.rrelu(x, training=True), True),
        (lambda x, training: x + torch.rand(4), True),
        (lambda x, training: x + torch.rand_like(x), True),
        (lambda x, training: x * torch.zeros_like(x).bernoulli_(0.5), True),
        (lambda x, training: x + float(np.random.rand()), True),
        (lambda x, training: x + random.random() if training else x, False),
        (lambda x, training: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5), True),
        (lambda x, training: F.scaled_dot_product_attention(x, x, x), False),
        (lambda x, training: F.scaled_dot_product_attention(x, x, x, None, 0.5), True),
        (lambda x, training: F.scaled_dot_product_attention(x, x, x, None, 0.0), False),
    ],
)
def test_a_model_that_draws_at_test_time_has_no_deterministic_pass(
    draw: Callable[[Tensor, bool], Tensor], refused: bool, batch: Tensor
) -> None:
    model = chain(Random(draw), nn.Dropout(0.5, rescale=False), torch.nn.Linear(4, 3))
    if refused:
        with pytest.raises(ValueError, match="draws random numbers in eval"):
            inference.weight_scaling(model)
        return
    state = torch.get_rng_state()
    scaled = inference.weight_scaling(model)
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(scaled(batch), model.eval()(batch))


def test_fractional_pooling_is_named() -> None:
    model = chain(
        torch.nn.FractionalMaxPool2d(2, output_size=2),
        nn.Dropout(0.5, rescale=False),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
    )
    with pytest.raises(ValueError, match="FractionalMaxPool2d '0'"):
        inference.weight_scaling(model)


@pytest.mark.parametrize("kind", [nn.Dropout, torch.nn.Dropout, nn.Member])
def test_a_subclass_whose_noise_is_not_known_is_named(kind: type[torch.nn.Module]) -> None:
    class Unknown(kind):
        def forward(self, x: Tensor) -> Tensor:
            return x

    unknown = Unknown(keep_prob=0.5) if kind is nn.Member else Unknown(0.5)
    model = chain(nn.Dropout(0.5, rescale=False), torch.nn.Linear(4, 3), unknown)
    with pytest.raises(TypeError, match="Unknown"):
        inference.weight_scaling(model)


@pytest.mark.parametrize("named", [False, True])
def test_a_layer_that_is_never_called_is_not_said_to_be_skipped_with_others(named):
    """There is a LayerDrop in the model, and the layer in question stands beside it, or within."""

    class Beside(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.depth = nn.LayerDrop([torch.nn.Linear(3, 3)], 0.5)
            self.unused = nn.Dropout(0.5, rescale=False)
            self.last = torch.nn.Linear(3, 2)

        def forward(self, x):
            return self.last(self.depth(x))

    within = torch.nn.Sequential(nn.LayerDrop([nn.Dropout(0.5, rescale=False)], 0.5), torch.nn.Linear(3, 2))
    said = "stands inside .*, which skips layers" if named else "is never called: nothing reads its output"
    with pytest.raises(ValueError, match=said):
        inference.weight_scaling(within if named else Beside())
