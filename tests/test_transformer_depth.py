"""LayerDrop: what is skipped, what it costs, and what remains when layers are pruned."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from family_members import deviation, seeded
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint

from dropout_lab import ensemble, inference, nn
from dropout_lab.noise import Stream


class Power(torch.nn.Module):
    """Adds a power of two of its own, so that a sum says which layers ran; and counts its calls."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.step = torch.nn.Parameter(torch.tensor(2.0**place))
        self.calls = 0

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        self.calls += 1
        return x + scale * self.step


def stack(count: int = 8, keep_prob: float = 0.5, **options: object) -> nn.LayerDrop:
    return nn.LayerDrop([Power(place) for place in range(count)], keep_prob, **options)


def bits(y: Tensor, count: int = 8) -> Tensor:
    return y.long().unsqueeze(-1) >> torch.arange(count) & 1


def test_the_whole_batch_skips_the_same_layers_and_they_are_not_computed():
    layers = stack()
    y = layers(torch.zeros(5, 3), generator=seeded(1))
    assert len(y.unique()) == 1
    ran = [layer.calls for layer in layers]
    assert ran == bits(y[0, 0]).tolist() and 0 < sum(ran) < 8


def test_each_layer_is_kept_with_the_keep_probability_by_itself():
    """|z| < 5.5 for 8 layers, for their 28 pairs, and for both ways to skip: a false alarm with probability 3e-6."""
    layers, generator = stack(8, 0.8), seeded(2)
    kept = torch.stack([bits(layers(torch.zeros(1), generator=generator)) for _ in range(2000)])[:, 0]
    each = bits(stack(8, 0.8, per_example=True)(torch.zeros(2000), generator=generator))
    for found in (kept, each):
        for place in range(8):
            assert abs(deviation(found[:, place].sum(), 2000, 0.8)) < 5.5
            for other in range(place):
                assert abs(deviation((found[:, place] * found[:, other]).sum(), 2000, 0.64)) < 5.5


def test_nothing_is_rescaled_and_eval_runs_all():
    layers = stack()
    x = torch.ones(2, 3)
    assert set(bits(layers(x) - x).unique().tolist()) <= {0, 1}
    assert torch.equal(layers.eval()(x), x + 255) and torch.equal(stack(8, 1.0)(x), x + 255)
    assert torch.equal(stack(8, 0.0)(x), x) and torch.equal(stack(8, 0.0).eval()(x), x + 255)


def test_each_example_may_skip_by_itself():
    y = stack(per_example=True, stream=Stream(1))(torch.zeros(40, 3, 2))
    assert torch.equal(y, y[:, :1, :1].expand_as(y)) and len(y.unique()) > 20
    alone = stack(per_example=True, stream=Stream(1))
    alone.stream.set(examples=[7])
    assert torch.equal(alone(torch.zeros(1, 3, 2))[0], y[7])
    with pytest.raises(ValueError, match="call the module instead"):
        alone.kept()
    assert stack(per_example=True)(torch.empty(0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    "run",
    (
        lambda layers, x: torch.compile(layers, fullgraph=True, backend="aot_eager")(x),
        lambda layers, x: torch.export.export(layers, (x,)).module()(x),
        lambda layers, x: make_fx(layers)(x)(x),
        lambda layers, x: torch.vmap(layers, randomness="same")(x),
        lambda layers, x: checkpoint(layers, x, use_reentrant=False),
        lambda layers, x: pickle.loads(pickle.dumps(copy.deepcopy(layers)))(x),
    ),
    ids=("compile", "export", "make_fx", "vmap", "checkpoint", "copied"),
)
def test_the_same_draws_skip_the_same_layers_where_none_may_be_looked_at(run):
    layers, x = nn.LayerDrop([torch.nn.Linear(3, 3) for _ in range(6)], 0.5, stream=Stream(4)), torch.ones(2, 3)
    torch.testing.assert_close(run(layers, x), layers(x))
    assert not torch.equal(layers(x), layers.eval()(x))


def test_a_traced_graph_draws_anew():
    layers, x = stack(), torch.zeros(2)
    for graph in (make_fx(layers)(x), torch.jit.trace(layers, x, check_trace=False)):
        assert len({graph(x)[0].item() for _ in range(20)}) > 5

    # fx calls the layer as a whole, in the mode that it has then, with all that it was given.
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = layers

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x, scale=2.0)

    graph = torch.fx.symbolic_trace(Model().eval())
    assert torch.equal(graph.eval()(x), x + 510)
    assert len({float(graph.train()(x)[0]) for _ in range(20)}) > 5


def test_a_layer_that_works_in_place_leaves_what_is_skipped_as_it_was():
    layers = nn.LayerDrop([torch.nn.Sequential(torch.nn.ReLU(inplace=True), Power(0))], 0.5, per_example=True)
    y = layers(torch.full((40, 2), -3.0), generator=seeded(8))
    assert set(y.unique().tolist()) == {-3.0, 1.0}


def test_skipped_layers_get_no_gradient():
    for layers in (stack(), stack(per_example=True)):
        y = layers(torch.zeros(1), generator=seeded(5))
        y.sum().backward()
        gradients = [0.0 if layer.step.grad is None else layer.step.grad.item() for layer in layers]
        assert gradients == bits(y[0]).tolist()


def test_the_state_is_that_of_a_list_of_the_layers():
    plain = torch.nn.ModuleList([torch.nn.Linear(2, 2) for _ in range(3)])
    layers = nn.LayerDrop([torch.nn.Linear(2, 2) for _ in range(3)])
    assert list(layers.state_dict()) == list(plain.state_dict())
    streamed = nn.LayerDrop([torch.nn.Linear(2, 2) for _ in range(3)], stream=Stream(0))
    for loaded in (layers, streamed):
        loaded.load_state_dict(plain.state_dict())
        assert torch.equal(loaded[2].weight, plain[2].weight)
    assert len(layers) == len(list(layers)) == 3 and layers[-1] is layers[2] and layers[1:] == [layers[1], layers[2]]
    assert repr(layers).startswith("LayerDrop(\n  keep_prob=0.8, per_example=False\n  (0): Linear")


def test_pruned_layers_are_those_that_were_named():
    layers = stack(6).eval()
    every_other = layers.pruned(range(0, 6, 2))
    assert not every_other.training and torch.equal(every_other(torch.zeros(2)), torch.full((2,), 21.0))
    assert [layer is layers[2 * place] for place, layer in enumerate(every_other)] == [True] * 3
    assert len(layers.train().pruned([5]).kept()) <= 1
    for wrong in ([], [6], [-1], [2, 1], [1, 1]):
        with pytest.raises(ValueError, match="ascending places from 0 to 5"):
            layers.pruned(wrong)
    with pytest.raises(TypeError, match="keep must be an integer, got float"):
        layers.pruned([1.0])


def test_requests_that_make_no_sense_are_named():
    with pytest.raises(ValueError, match="at least one layer"):
        nn.LayerDrop([])
    for wrong in ([torch.relu], torch.nn.Linear(2, 2)):
        with pytest.raises(TypeError, match="LayerDrop needs"):
            nn.LayerDrop(wrong)
    with pytest.raises(ValueError, match=r"1.5"):
        stack(2, 1.5)
    with pytest.raises(TypeError, match="needs a tensor"):
        stack()([1.0])
    for layer in (torch.nn.Linear(3, 2), torch.nn.Identity()):
        layers = nn.LayerDrop([layer], 1.0)
        if isinstance(layer, torch.nn.Identity):
            layers[0].register_forward_hook(lambda module, inputs, output: (output, output))
        with pytest.raises(ValueError, match=r"a layer that can be skipped gives a tensor of the shape"):
            layers(torch.ones(2, 3))


class Random(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.dropout(x, 0.5, self.training)


def test_the_rules_know_it():
    """Monte Carlo samples depths, |z| < 5.5, and sees what a skipped layer draws; the others refuse it by name."""
    layers = stack(4).eval()
    found = inference.monte_carlo(layers, torch.zeros(1, 2), 2000, output="raw", generator=seeded(6))
    assert ((found.mean - 7.5) / found.standard_error).abs().max() < 5.5 and layers.keep_prob == 0.5
    for _ in range(5):
        with pytest.raises(ValueError, match="Random '0' draws random numbers of its own"):
            inference.monte_carlo(nn.LayerDrop([Random()], 0.3), torch.ones(1, 2), 3, output="raw")
    with pytest.raises(ValueError, match="noise of LayerDrop"):
        ensemble.exact_mean(layers, torch.zeros(1, 2))
    with pytest.raises(ValueError, match="noise of LayerDrop"), inference.record(layers):
        pass
    inside = [torch.nn.Sequential(nn.Dropout(0.5, rescale=False), torch.nn.Linear(2, 2)) for _ in range(2)]
    with pytest.raises(ValueError, match=r"Dropout '0.0.0' stands inside LayerDrop '0', which skips layers"):
        inference.weight_scaling(torch.nn.Sequential(nn.LayerDrop(inside)))
