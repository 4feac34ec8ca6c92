"""Promises at their ends: what was silent or unclear there, one test a kind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from dropout_lab import constraints, ensemble, functional, inference, nn

#: Each function at a large input, which takes the fast ways on the CPU where it may.
LARGE = {
    "dropout": (lambda x: functional.dropout(x, 0.3), (4, 1 << 17)),
    "gaussian": (lambda x: functional.gaussian_dropout(x, 0.3), (4, 1 << 17)),
    "spatial": (lambda x: functional.spatial_dropout(x, 0.3), (16, 2, 128, 128)),
    "block": (lambda x: functional.drop_block(x, 0.8, 3), (16, 2, 128, 128)),
    "variational": (lambda x: functional.variational_dropout(x, 0.3), (4, 8, 1 << 14)),
    "path": (lambda x: functional.drop_path(x, 0.5), (64, 1 << 13)),
    "token": (lambda x: functional.token_dropout(x, 0.3), (4, 8, 1 << 14)),
    "attention": (lambda x: functional.attention_dropout(x, 0.3), (2, 2, 8, 1 << 14)),
}


@pytest.fixture(params=LARGE, name="large")
def each_function(request):
    function, shape = LARGE[request.param]
    return function, torch.randn(shape, generator=torch.Generator().manual_seed(0))


class TestTracersAndModes:
    def test_stand_ins_have_the_shape_inside_and_outside_of_their_mode(self, large):
        function, x = large
        with FakeTensorMode() as mode:
            stand_in = mode.from_tensor(x)
            assert function(stand_in).shape == x.shape
        assert function(stand_in).shape == x.shape

    def test_gradients_come_in_batches(self, large):
        function, x = large
        x = x.clone().requires_grad_()
        y = function(x * 1)
        gradients = torch.stack((torch.ones_like(y), torch.zeros_like(y)))
        (found,) = torch.autograd.grad(y, x, gradients, is_grads_batched=True, retain_graph=True)
        (alone,) = torch.autograd.grad(y, x, gradients[0])
        assert torch.equal(found[0], alone) and not found[1].any()

    @pytest.mark.parametrize(
        "trace", (lambda f, x: torch.jit.trace(f, x, check_trace=False), lambda f, x: make_fx(f)(x))
    )
    def test_a_traced_graph_draws_anew(self, large, trace):
        function, x = large
        traced = trace(function, x)
        assert any(not torch.equal(traced(x), traced(x)) for _ in range(3))


class TestTheRangeOfTheNumbers:
    @pytest.mark.parametrize("keep_prob", (1e-40, 5e-324))
    @pytest.mark.parametrize("shape", ((3, 4), (4, 1 << 17)))
    def test_what_is_dropped_is_0_at_the_least_keep_probabilities(self, keep_prob, shape):
        assert not functional.dropout(torch.ones(shape), keep_prob).any()
        assert not functional.drop_connect(torch.ones(2, 3), torch.ones(4, 3), None, keep_prob).any()
        outputs, _ = nn.VariationalGRU(3, 4, bias=False, keep_prob=keep_prob)(torch.ones(2, 2, 3))
        assert outputs.isfinite().all()

    def test_no_examples_are_an_empty_batch(self):
        for layer, x, shape in (
            (nn.DropConnect(torch.nn.Conv2d(3, 4, 3)), torch.empty(0, 3, 8, 8), (0, 4, 6, 6)),
            (nn.DropConnect(torch.nn.Linear(3, 4)), torch.empty(0, 3), (0, 4)),
            (nn.DropBlock(0.8, 3), torch.empty(0, 3, 8, 8), (0, 3, 8, 8)),
            (nn.SpatialDropout(), torch.empty(0, 3, 8), (0, 3, 8)),
        ):
            assert layer(x).shape == shape

    def test_moments_of_half_precision_are_those_of_single_precision(self):
        for size in (300.0, 3e-3):
            x, weight = torch.full((1, 4), size).half(), torch.full((2, 4), 0.1).half()
            found = inference.moment_matching(x, weight, None, 0.5)
            wide = inference.moment_matching(x.float(), weight.float(), None, 0.5)
            assert torch.equal(found.variance, wide.variance.half()) and torch.equal(found.mean, wide.mean.half())
            assert torch.equal(
                found.relu().mean, inference.Moments(*(part.float() for part in found)).relu().mean.half()
            )
        with torch.autocast("cpu", dtype=torch.float16):
            assert inference.moment_matching(x.float(), weight.float(), None, 0.5).variance.equal(wide.variance)

    @pytest.mark.parametrize("layer_type", (nn.VariationalLSTM, nn.VariationalGRU))
    @pytest.mark.parametrize("training", (True, False))
    def test_a_recurrent_state_keeps_its_type_under_autocast(self, layer_type, training):
        layer = layer_type(4, 6, keep_prob=0.5).train(training)
        x = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0))
        torch.manual_seed(1)
        wide, _ = layer(x)
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs, state = layer(x)
        state = state if isinstance(state, tuple) else (state,)
        assert {part.dtype for part in (outputs, *state)} == {torch.float32}
        # The products were rounded to 8 binary digits, and nothing else.
        assert 0 < float((outputs - wide).abs().max()) < 2**-5

    def test_learned_noise_is_wide_under_autocast(self):
        layer, x = nn.LearnedGaussianDropout(16, 2, bias=False), torch.full((2000, 16), 300.0)
        with torch.autocast("cpu", dtype=torch.float16):
            found, still = layer(x), layer.eval()(x)
        wide = layer.train()(x)
        assert found.dtype == still.dtype == torch.float16
        # The standard deviation of 2000 normal numbers is within 10 % of the true one, but for a chance below 1e-9.
        assert torch.allclose(found.float().std(0), wide.std(0), rtol=0.2)

    def test_a_weight_or_an_input_of_0_adds_no_noise_however_large_its_rate(self):
        layer = nn.LearnedGaussianDropout(3, 1, bias=False, sharing="weight")
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([[0.0, 1.0, 1.0]]))
            layer.log_alpha.copy_(torch.tensor([[100.0, 0.0, 0.0]]))
        y = layer(torch.ones(4000, 3))
        y.sum().backward()
        # As above, for 4000 numbers and √2.
        assert y.std().item() == pytest.approx(2**0.5, rel=0.1)
        assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())
        with torch.no_grad():
            layer.weight.fill_(1.0)
        assert layer(torch.tensor([[0.0, 1.0, 1.0]])).isfinite().all()
        with torch.no_grad():
            layer.log_alpha[0, 1] = torch.nan
        assert layer(torch.ones(2, 3)).isnan().all()


class TestLayersThatDoMoreThanTheirWeights:
    @staticmethod
    def twice():
        class Twice(torch.nn.Linear):
            def forward(self, x):
                return 2 * super().forward(x)

        return Twice(4, 3)

    @staticmethod
    def patched():
        layer = torch.nn.Linear(4, 3)
        layer.forward = lambda x: torch.zeros(len(x), 3)
        return layer

    @staticmethod
    def hooked():
        layer = torch.nn.Linear(4, 3)
        layer.register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
        return layer

    @staticmethod
    def own_convolution():
        class Standardized(torch.nn.Conv1d):
            def _conv_forward(self, x, weight, bias):
                return super()._conv_forward(x, weight - weight.mean(), bias)

        return Standardized(4, 3, 1)

    @pytest.mark.parametrize("kind", ("twice", "patched", "hooked", "own_convolution"))
    def test_drop_connect_refuses_them(self, kind):
        with pytest.raises(ValueError, match=r"has (hooks|a \w+ of its own), which it would pass by"):
            nn.DropConnect(getattr(self, kind)())
        with pytest.raises(ValueError, match="weights that are still to be made"):
            nn.DropConnect(torch.nn.LazyLinear(3))

    def test_what_was_hooked_later_acts_in_eval_and_is_refused_in_training(self):
        layer, x = nn.DropConnect(torch.nn.Linear(4, 3)), torch.ones(2, 4)
        layer.layer.register_forward_hook(lambda module, inputs, output: output + 1)
        assert torch.equal(layer.eval()(x), layer.layer(x))
        with pytest.raises(ValueError, match="Linear has hooks"):
            layer.train()(x)

    def test_weight_scaling_refuses_hooks_on_the_way(self):
        for number in (0, 1):
            model = torch.nn.Sequential(nn.Dropout(rescale=False), torch.nn.Linear(4, 3)).eval()
            model[number].register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
            with pytest.raises(ValueError, match=f"'{number}' has hooks"):
                inference.weight_scaling(model)


def test_calls_from_several_threads_give_what_they_give_one_after_the_other():
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3)).eval()
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    before = model(x)

    def call(number):
        if number % 3 == 0:
            return ensemble.exact_mean(model, x)
        if number % 3 == 1:
            return model(x)
        return inference.monte_carlo(model, x, 20, generator=torch.Generator().manual_seed(number)).mean

    alone = [call(number) for number in range(12)]
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(call, range(12)))
        assert all(torch.equal(one, two) for one, two in zip(alone, together, strict=True))
        assert not model.training and torch.equal(model(x), before)


@pytest.mark.parametrize("number", (np.float16(0.5), np.float32(0.5), np.float64(0.5), np.int64(1)))
def test_numbers_of_numpy_are_numbers(number):
    assert nn.Dropout(number)(torch.ones(3)).shape == (3,)
    weight = torch.ones(2, 2)
    constraints.max_norm_(weight, number)
    assert weight.norm(dim=1).max() <= number + 1e-6
    assert inference.monte_carlo(nn.Dropout(0.5), torch.ones(2, 3), np.int64(4)).samples == 4
    assert ensemble.masks(np.int64(2), np.array([0.5, 0.25]))[0].shape == (4, 2)
    with pytest.raises(TypeError, match="keep_prob must be a number between 0 and 1, got bool"):
        nn.Dropout(np.bool_(True))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    (
        (lambda: nn.DropBlock(0.9, 0), ValueError, "block_size must be an integer from 1"),
        (lambda: nn.DropBlock(0.9, 3, gamma="other"), ValueError, "gamma must be one of exact, published; got 'other'"),
        (lambda: nn.VariationalDropout(time_dim=0.5), TypeError, "time_dim must be an integer, got float"),
        (lambda: nn.SpatialDropout(batched="no"), TypeError, "batched must be True or False, got 'no'"),
        (lambda: nn.VariationalLSTM(3, 2.0), TypeError, "hidden_size must be an integer, got float"),
        (lambda: functional.block_keep_probs((4, 4), 2, -0.5), ValueError, "gamma is a probability .* got -0.5"),
        (lambda: functional.block_keep_probs((4, 4), 5, 0.5), ValueError, "smallest extent of the map, 4; got 5"),
        (lambda: functional.block_keep_probs((4, 0), 1, 0.5), ValueError, "an extent of sizes must be at least 1"),
    ),
)
def test_what_is_not_allowed_is_refused_when_it_is_made(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("keep_prob", (1 / 4, 1 / 3, 1 / 2, 2 / 3))
@pytest.mark.parametrize("shape", ((20, 5), (2, 1 << 18)))
def test_what_is_kept_is_divided_by_its_keep_probability(keep_prob, shape):
    """Twice is a sum, other factors are products, small inputs and large ones go different ways."""
    x = torch.full(shape, 3.0, requires_grad=True)
    y = functional.dropout(x, keep_prob)
    y.sum().backward()
    assert torch.allclose(y[y != 0], torch.tensor(3 / keep_prob)) and (y != 0).any()
    assert torch.allclose(x.grad, y.detach() / 3)


class TestEnsembles:
    @pytest.mark.parametrize("output", ("sigmoid", "softmax"))
    def test_a_mean_of_probabilities_is_at_most_1_where_the_weights_of_the_masks_are_more(self, output):
        n, keep_prob = 5, 0.2
        assert ensemble.exact_mean(lambda table: torch.ones(len(table)), n, keep_prob) > 1
        shape = () if output == "sigmoid" else (2,)
        sure = torch.tensor([1e9, -1e9])[: shape[0]] if shape else torch.tensor(1e9)
        assert (
            ensemble.exact_mean(lambda table: sure.expand(len(table), *shape), n, keep_prob, output=output).max() == 1
        )

    def test_what_overflows_together_is_refused_though_no_unit_does_alone(self):
        large = 0.1 * torch.finfo(torch.float64).max
        hidden = torch.ones(2, dtype=torch.float64)
        with pytest.raises(ValueError, match="overflows float64"):
            ensemble.softmax_mean(hidden, torch.tensor([[large, large], [0.0, 0.0]], dtype=torch.float64))
        small = ensemble.softmax_mean(hidden, torch.tensor([[large, 0.0], [large, 0.0]], dtype=torch.float64))
        assert torch.allclose(small, torch.full_like(small, 0.5))

    def test_examples_of_which_one_drops_otherwise_are_taken_as_a_whole(self):
        """The number of dropout calls of an example follows from its first value: 0, 1 or 2 of them."""

        class Turns(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.drop = torch.nn.Dropout(0.5)

            def forward(self, x):
                rows = []
                for row in x:
                    for _ in range(1 + int(row[0] > 1)):
                        row = self.drop(row.unsqueeze(0)).squeeze(0)
                    rows.append(row)
                return torch.stack(rows)

        for first in ([1.0, 1.0, 2.0], [2.0, 1.0, 1.0], [1.0, 2.0, 1.0]):
            x = torch.tensor([[value, 3.0] for value in first])
            assert torch.allclose(ensemble.exact_mean(Turns(), x, output="raw"), x.double())


def test_a_layer_that_reads_what_is_never_kept_and_something_else_is_refused():
    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.drop, self.read = nn.Dropout(0.0, rescale=False), torch.nn.Linear(3, 3)

        def forward(self, x):
            return self.read(self.drop(x)) + self.read(x)

    with pytest.raises(ValueError, match="called more than once, and not always on units dropped at the same rate"):
        inference.weight_scaling(Both().eval())


@pytest.mark.parametrize(
    "layer",
    (
        nn.Dropout(),
        nn.GaussianDropout(),
        nn.VariationalDropout(),
        nn.DropPath(),
        nn.DropConnect(torch.nn.Linear(4, 4)),
        nn.LearnedGaussianDropout(4, 4),
        nn.ConcreteDropout(torch.nn.Linear(4, 4)),
    ),
)
def test_a_symbolic_trace_keeps_a_layer_and_its_mode(layer):
    traced = torch.fx.symbolic_trace(torch.nn.Sequential(layer, torch.nn.Linear(4, 4)))
    x = torch.ones(5, 4)
    assert torch.equal(traced.eval()(x), traced(x))
    assert not torch.equal(traced.train()(x), traced(x))
    with pytest.raises(TypeError, match=f"{type(layer).__name__} needs a tensor, got list"):
        layer([1.0])
    with pytest.raises(TypeError, match=f"{type(layer).__name__} cannot be traced by itself"):
        torch.fx.symbolic_trace(layer)


@pytest.mark.parametrize("function", (functional.dropout, functional.gaussian_dropout, functional.drop_path))
def test_what_is_no_tensor_is_named(function):
    with pytest.raises(TypeError, match=f"{function.__name__} needs a tensor, got ndarray"):
        function(np.ones(3))
