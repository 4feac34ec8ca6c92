"""Stacks draw for draw against the modules of the package and of torch: one mask, one output, one gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from dropout_lab import bayes, constraints, noise
from dropout_lab import nn as ours
from dropout_lab.experiments import stack_noise
from dropout_lab.experiments.draws import BernoulliDraws, Bits, Purpose, stream
from dropout_lab.experiments.learned import Concrete, LearnedGaussian
from dropout_lab.experiments.networks import CNN, GRU, MLP, Place, ResidualMLP
from dropout_lab.experiments.noisy import Noisy
from dropout_lab.experiments.plan import Recipe, Replica
from dropout_lab.experiments.stack_noise import (
    Bernoulli,
    Block,
    Connect,
    Gaussian,
    Masked,
    Path,
    Spatial,
    ValueNoise,
    Variational,
)
from dropout_lab.experiments.training import limit_
from dropout_lab.functional import VARIANTS

KEEP_PROBS = (0.5, 0.75)
SEEDS = (0, 1)
#: Rounding of float32 in sums of a few dozen products.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}
SMALL = Recipe(train_size=40, steps=5, batch_size=10)
#: An example of each layout, and the noise that stands there, by the member's name.
SHAPES = {"N D": (20, 6), "N T D": (20, 4, 6), "N C H W": (20, 3, 6, 5), "N H T S": (20, 2, 4, 5)}
CASES = [
    ("dropout", "N D", Bernoulli(0.5), {}),
    ("dropout", "N T D", Bernoulli(0.5), {}),
    ("gaussian_dropout", "N D", Gaussian(0.5), {}),
    ("spatial_dropout", "N C H W", Spatial(0.5), {}),
    ("drop_block", "N C H W", Block(0.5, 3), {"block_size": 3}),
    ("variational_dropout", "N T D", Variational(0.5), {}),
    ("drop_path", "N D", Path(0.5), {}),
    ("token_dropout", "N T D", Masked(0.5, "token_dropout"), {}),
    ("attention_dropout", "N H T S", Masked(0.5, "attention_dropout"), {}),
    (
        "attention_dropout",
        "N H T S",
        Masked(0.5, "attention_dropout", (("share_heads", True),)),
        {"share_heads": True},
    ),
]


def streams():
    return [stream(seed, Purpose.NOISE, 0) for seed in SEEDS]


@pytest.fixture
def handed_out(monkeypatch):
    """Makes the package's functions draw the numbers that are handed over, and checks that they ask for that shape."""
    waiting = []

    def given(shape, keep_prob, *, generator=None, device=None, dtype=torch.float32):
        drawn = waiting.pop(0)
        assert tuple(shape) == tuple(drawn.shape)
        return drawn.to(dtype)

    monkeypatch.setattr(noise, "bernoulli", given)
    monkeypatch.setattr(noise, "gaussian", given)
    # The cheap form of a mask: numbers, and a level that the kept ones exceed.
    monkeypatch.setattr(noise, "exceeding", lambda *args, **kwargs: (given(*args, **kwargs), 0.5))
    # A small mask from torch's own numbers: 1 exceeds every level, and 0 none.
    monkeypatch.setattr(torch, "rand", lambda *extents, dtype, device: given(extents, None, dtype=dtype))
    yield waiting
    assert not waiting


def raw_draws(member, shape, row, keep_prob):
    """What a replica's stream gives a member for values of a shape, before anything is made of it."""
    variant = member.variant
    options = {"block_size": member.size} if isinstance(member, Block) else dict(getattr(member, "options", ()))
    asked = variant.mask_shape(shape, **options)
    if isinstance(member, Gaussian):
        normal = torch.from_numpy(streams()[row].standard_normal(asked, np.float32))
        return 1 + normal * ((1 - keep_prob) / keep_prob) ** 0.5
    if isinstance(member, Block):
        rate = stack_noise.block_gamma(shape[-2:], keep_prob, member.size)
        return ~BernoulliDraws([streams()[row]], [1 - rate]).draw(asked)[0]
    return BernoulliDraws([streams()[row]], [keep_prob]).draw(asked)[0]


@pytest.mark.parametrize(("name", "layout", "member", "options"), CASES)
def test_a_member_in_a_stack_is_its_module(handed_out, name, layout, member, options):
    """The module, given what the replica's stream draws, asks for the same shape and gives the same bits."""
    shape = SHAPES[layout]
    place = Place("somewhere", None, layout)
    assert member.misfit(place) is None
    factors = member.factors(place, KEEP_PROBS, streams())(shape, {})
    for row, keep_prob in enumerate(KEEP_PROBS):
        (module,) = VARIANTS[name].modules
        x = torch.randn(shape, generator=torch.Generator().manual_seed(row), requires_grad=True)
        handed_out.append(raw_draws(member, shape, row, keep_prob))
        expected = getattr(ours, module)(keep_prob, **options)(x)
        found = x * factors[row]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
        one, other = (torch.autograd.grad(y.square().sum(), x)[0] for y in (found, expected))
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-5)
        assert 0 < (found == 0).sum() < found.numel() or name == "gaussian_dropout"


def test_every_member_of_the_family_has_a_place_in_stacks():
    """A new member has to be compared with its module here; masks that a GRU shares are compared below."""
    below = {"drop_connect", "recurrent_dropout", "learned_gaussian_dropout", "concrete_dropout"}
    # No network of the experiments has a table of words, or layers that are skipped.
    below |= {"embedding_dropout", "layer_drop"}
    assert {name for name, *_ in CASES} | below == set(VARIANTS)
    forms = {(name, tuple(options.items())) for name, _, _, options in CASES}
    for name, variant in VARIANTS.items():
        if name not in below and variant.noise == "Bernoulli":
            assert forms >= {(name, tuple(form.items())) for form in variant.forms}


@pytest.mark.parametrize(
    ("network", "place", "member", "said"),
    [
        (GRU(5, 4), "input", Spatial(0.5), r"laid out as \(N T D\), and it needs \(N, C, L\)"),
        (MLP((5,)), "hidden", Variational(0.5), r"laid out as \(N D\), and it needs \(N, T\)"),
        (MLP((5,)), "hidden", Masked(0.5, "token_dropout"), r"it needs \(N, T, D\)"),
        (GRU(5, 4), "state", Masked(0.5, "attention_dropout"), r"it needs \(N, H, T, S\)"),
        (MLP((5,)), "hidden", Block(0.5), r"it needs \(N, C, H, W\)"),
        (MLP((5,)), "hidden", Connect(0.5), "it stands at weights, not at values"),
        (MLP((5,)), "weight", Gaussian(0.5), "it multiplies values, not weights"),
        (ResidualMLP(5, 2), "branch", Concrete(0.5), "no layer reads the place directly"),
    ],
)
def test_a_member_that_does_not_fit_a_place_is_refused(network, place, member, said):
    with pytest.raises(ValueError, match=f"{type(member).__name__} does not stand at {place}.*{said}"):
        replace(SMALL, network=network).with_noise(**{place: member})


def test_members_without_masks_on_values_are_refused():
    for name in ("drop_connect", "gaussian_dropout", "no_such_dropout"):
        with pytest.raises(ValueError, match=f"members with 0/1 masks on values are dropout, .*; got '{name}'"):
            Masked(0.5, name)


def a_stack(dataset, recipe):
    """Two replicas with other keep probabilities and other seeds, with their initial parameters and their noise."""
    other = {place: replace(one, keep_prob=0.9) for place, one in recipe.noise_by_place().items()}
    plans = [Replica("a", 0, recipe), Replica("b", 1, replace(recipe, noise=other))]
    initial = []
    for plan in plans:
        one = recipe.network.initial(dataset, stream(plan.seed, Purpose.WEIGHTS))
        for place, member in plan.recipe.noise_by_place().items():
            one |= member.initial(recipe.network.place(place), one)
        initial.append(one)
    parameters = {name: torch.from_numpy(np.stack([one[name] for one in initial])) for name in initial[0]}
    for name in recipe.network.learned:
        parameters[name] = (parameters[name] + 0.1).requires_grad_()
    return plans, parameters


def inputs_of(dataset, row=slice(None)):
    return torch.from_numpy(dataset.inputs[:14].reshape(2, 7, -1))[row]


def noise_stream(network, place, seed):
    return stream(seed, Purpose.NOISE, [one.name for one in network.places].index(place))


def compare(found, expected, parameters, row, modules):
    """Outputs and gradients of weights: ``modules`` are torch's parameters with our names, and whether transposed."""
    torch.testing.assert_close(found, expected, **CLOSE)
    weights = torch.linspace(-1, 1, found.numel()).view_as(found)
    ours_ = torch.autograd.grad(
        (found * weights).sum(), [parameters[name] for name, _, _ in modules], retain_graph=True
    )
    theirs = torch.autograd.grad((expected * weights).sum(), [parameter for _, parameter, _ in modules])
    for (name, _, turned), one, other in zip(modules, ours_, theirs, strict=True):
        torch.testing.assert_close(one[row], other.t() if turned else other, rtol=1e-5, atol=1e-5, msg=name)
        assert other.any(), name


def linear_of(parameters, name, row):
    weight, bias = parameters[f"weight{name}"][row].detach(), parameters[f"bias{name}"][row].detach()
    layer = nn.Linear(*weight.shape)
    layer.load_state_dict({"weight": weight.t(), "bias": bias})
    return layer


def test_an_mlp_is_torchs_layers_with_our_dropout(blobs, handed_out):
    recipe = replace(SMALL, network=MLP((6, 5), batch_norm=True)).with_noise(
        input=Bernoulli(0.8), hidden=Bernoulli(0.5)
    )
    plans, parameters = a_stack(blobs, recipe)
    found = recipe.network.forward(parameters, inputs_of(blobs), Noisy(plans, parameters, Purpose.NOISE))
    for row, plan in enumerate(plans):
        layers = [linear_of(parameters, number, row) for number in (1, 2, 3)]
        norms = [nn.BatchNorm1d(width) for width in (6, 5)]
        for number, norm in enumerate(norms, 1):
            norm.load_state_dict(
                {
                    "weight": parameters[f"scale{number}"][row].detach(),
                    "bias": parameters[f"shift{number}"][row].detach(),
                    "running_mean": torch.zeros(norm.num_features),
                    "running_var": torch.ones(norm.num_features),
                    "num_batches_tracked": torch.tensor(0),
                }
            )
        noises, parts = plan.recipe.noise_by_place(), []
        for place, shape in (("input", (7, 16)), ("hidden1", (7, 6)), ("hidden2", (7, 5))):
            keep_prob = noises[place].keep_prob
            handed_out.append(
                BernoulliDraws([noise_stream(recipe.network, place, plan.seed)], [keep_prob]).draw(shape)[0]
            )
            parts.append(ours.Dropout(keep_prob))
        model = nn.Sequential(
            *(parts[0], layers[0], norms[0], nn.ReLU(), parts[1]),
            *(layers[1], norms[1], nn.ReLU(), parts[2], layers[2]),
        )
        expected = model(inputs_of(blobs, row))
        named = [(f"weight{n}", layer.weight, True) for n, layer in enumerate(layers, 1)]
        named += [(f"scale{n}", norm.weight, False) for n, norm in enumerate(norms, 1)]
        named += [(f"shift{n}", norm.bias, False) for n, norm in enumerate(norms, 1)]
        compare(found[row], expected, parameters, row, named)
        for number, norm in enumerate(norms, 1):
            for ours_, theirs in (("mean", norm.running_mean), ("variance", norm.running_var)):
                torch.testing.assert_close(parameters[f"running_{ours_}{number}"][row], theirs, **CLOSE)


def test_a_gru_is_the_variational_layer_with_the_same_masks(blobs):
    recipe = replace(SMALL, network=GRU(5, 4)).with_noise(input=Variational(0.75), state=Variational(0.5))
    plans, parameters = a_stack(blobs, recipe)
    found = recipe.network.forward(parameters, inputs_of(blobs), Noisy(plans, parameters, Purpose.NOISE))
    for row, plan in enumerate(plans):
        keep = {place: one.keep_prob for place, one in plan.recipe.noise_by_place().items()}
        layer = ours.VariationalGRU(
            4, 5, keep_prob=keep["input"], recurrent_keep_prob=keep["state"], masks="tied", batch_first=True
        )
        names = {"weight_ih_l0": "weight_input", "weight_hh_l0": "weight_state"}
        names |= {"bias_ih_l0": "bias_input", "bias_hh_l0": "bias_state"}
        layer.load_state_dict({theirs: parameters[name][row].detach().t() for theirs, name in names.items()})
        masks = [
            BernoulliDraws([noise_stream(recipe.network, place, plan.seed)], [keep[place]]).draw((7, 1, width))[0]
            for place, width in (("input", 4), ("state", 5))
        ]
        # (N, 1, features) here, (draws, N, features) there.
        given = type(layer.draw_masks(7)[0])(*(mask.transpose(0, 1) for mask in masks))
        _, last = layer(inputs_of(blobs, row).view(7, 4, 4), masks=[given])
        output = linear_of(parameters, "_output", row)
        named = [(name, getattr(layer, theirs), name.startswith("weight")) for theirs, name in names.items()]
        compare(found[row], output(last[0]), parameters, row, [*named, ("weight_output", output.weight, True)])


def test_drop_connect_is_the_module(blobs, handed_out):
    recipe = replace(SMALL, network=MLP((6,))).with_noise(weight=Connect(0.5))
    plans, parameters = a_stack(blobs, recipe)
    found = recipe.network.forward(parameters, inputs_of(blobs), Noisy(plans, parameters, Purpose.NOISE))
    for row, plan in enumerate(plans):
        layers, values = [], inputs_of(blobs, row)
        for number, shape in ((1, (16, 6)), (2, (6, 4))):
            place = f"weight{number}"
            keep_prob = plan.recipe.noise_by_place()[place].keep_prob
            draws = BernoulliDraws([noise_stream(recipe.network, place, plan.seed)], [keep_prob]).draw((7, *shape))
            # (N, in, out) here, (N, out, in) there.
            handed_out.append(draws[0].transpose(1, 2))
            layers.append(ours.DropConnect(linear_of(parameters, number, row), keep_prob))
            values = layers[-1](values if number == 1 else values.relu())
        named = [
            (f"weight{number}", next(p for p in layer.parameters() if p.dim() == 2), True)
            for number, layer in enumerate(layers, 1)
        ]
        compare(found[row], values, parameters, row, named)


@pytest.mark.parametrize("sharing", ["layer", "unit", "weight"])
def test_learned_gaussian_noise_is_the_module_with_its_gradients(blobs, monkeypatch, sharing):
    recipe = replace(SMALL, network=MLP(())).with_noise(weight1=LearnedGaussian(0.8, sharing))
    plans, parameters = a_stack(blobs, recipe)
    parameters["log_alpha.weight1"].requires_grad_()
    at = Noisy(plans, parameters, Purpose.NOISE)
    found, penalty = recipe.network.forward(parameters, inputs_of(blobs), at), at.penalty()
    for row, plan in enumerate(plans):
        normal = noise_stream(recipe.network, "weight1", plan.seed).standard_normal((7, 4), np.float32)
        monkeypatch.setattr(noise, "normal", lambda *_, drawn=normal, **__: torch.from_numpy(drawn))
        module = bayes.LearnedGaussianDropout.from_linear(
            linear_of(parameters, 1, row), keep_prob=plan.recipe.noise["weight1"].keep_prob, sharing=sharing
        )
        named = [("weight1", module.weight, True), ("log_alpha.weight1", module.log_alpha, True)]
        compare(found[row], module(inputs_of(blobs, row)), parameters, row, named)
        torch.testing.assert_close(penalty[row], module.regularizer())
        one = torch.autograd.grad(penalty[row], parameters["log_alpha.weight1"], retain_graph=True)[0][row]
        torch.testing.assert_close(one, torch.autograd.grad(module.regularizer(), module.log_alpha)[0].t())


@pytest.mark.parametrize(
    ("network", "place", "shape"),
    [
        (MLP((6,)), "hidden1", (7, 6)),
        (ResidualMLP(6, 1), "hidden1", (7, 6)),
        (CNN((3, 4), (), (1, 4, 4)), "features1", (7, 3, 1, 1)),
        (GRU(5, 4), "output", (7, 5)),
    ],
)
def test_concrete_dropout_is_the_module_with_its_gradients(blobs, monkeypatch, network, place, shape):
    """Factors and penalty against the module around the layer that reads the place."""
    recipe = replace(SMALL, network=network).with_noise(**{place: Concrete(0.8, precision=0.3)})
    plans, parameters = a_stack(blobs, recipe)
    logit = parameters[f"logit.{place}"].requires_grad_()
    at = Noisy(plans, parameters, Purpose.NOISE)
    (reader,) = network.reader(place)
    values_shape = shape if len(shape) == 2 else (7, 3, 2, 2)
    found, penalty = at.factor(network.place(place), values_shape), at.penalty()
    for row, plan in enumerate(plans):
        weight = parameters[reader.weight][row].detach()
        if reader.kind == "dense":
            layer = nn.Linear(*weight.shape)
        else:
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
        with torch.no_grad():
            layer.weight.copy_(weight.t() if reader.kind == "dense" else weight)
        keep_prob = plan.recipe.noise_by_place()[place].keep_prob
        module = bayes.ConcreteDropout(layer, keep_prob=keep_prob, precision=0.3)
        bits = Bits([noise_stream(network, place, plan.seed)], [True]).draw(shape)[0]
        uniform = (torch.from_numpy(bits.copy()).float() + 32768.5) / 65536
        monkeypatch.setattr(noise, "uniform", lambda *_, drawn=uniform, **__: drawn)
        values = torch.rand(values_shape, generator=torch.Generator().manual_seed(row))
        output = nn.functional.linear if reader.kind == "dense" else nn.functional.conv2d
        extra = {} if reader.kind == "dense" else {"padding": 1}
        ours_ = output(values * found[row], layer.weight, layer.bias, **extra)
        theirs = module(values)
        torch.testing.assert_close(ours_, theirs, **CLOSE)
        one = torch.autograd.grad(ours_.sum(), logit, retain_graph=True)[0][row]
        torch.testing.assert_close(one, torch.autograd.grad(theirs.sum(), module.logit)[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(penalty[row], module.regularizer())
        one = torch.autograd.grad(penalty[row], logit, retain_graph=True)[0][row]
        torch.testing.assert_close(one, torch.autograd.grad(module.regularizer(), module.logit)[0])


def test_a_stacks_bound_on_norms_is_max_norm():
    """Dense weights and filters, with a bound of its own for each replica, some units inside and some outside."""
    random = torch.Generator().manual_seed(0)
    for network in (MLP((6,)), CNN((3,), (), (1, 4, 4))):
        layer = network.layers[0]
        shape = (2, 8, 6) if layer.kind == "dense" else (2, 6, 4, 3, 3)
        weight = torch.randn(shape, generator=random)
        norms = torch.linalg.vector_norm(weight, dim=layer.incoming).flatten(1)
        bounds = norms.median(1).values
        limited = weight.clone()
        limit_(limited, layer.incoming, bounds)
        for row, bound in enumerate(bounds):
            expected = weight[row].clone()
            constraints.max_norm_(expected, bound.item(), unit_axis=1 if layer.kind == "dense" else 0)
            torch.testing.assert_close(limited[row], expected, rtol=2e-6, atol=1e-7)
            assert not torch.equal(limited[row], weight[row])


def test_replicas_of_one_stack_share_the_kind_of_their_noise(blobs):
    recipe = replace(SMALL, network=MLP((6,)))
    plans, parameters = a_stack(blobs, recipe.with_noise(hidden=Bernoulli(0.5)))
    for other in (recipe.with_noise(hidden=Gaussian(0.5)), recipe.with_noise(hidden=Concrete(0.5))):
        with pytest.raises(ValueError, match="must share the kind of noise at hidden1"):
            Noisy([plans[0], replace(plans[1], recipe=other)], parameters, Purpose.NOISE)
    with pytest.raises(ValueError, match="must share the kind of noise at hidden1"):
        Noisy([replace(plans[0], recipe=other), replace(plans[1], recipe=recipe)], parameters, Purpose.NOISE)


def test_tokens_are_dropped_whole_where_a_network_reads_them(blobs):
    """The rows of a recurrent network are its tokens: noise that no line of the stacks is written for."""
    recipe = replace(SMALL, network=GRU(5, 4)).with_noise(input=Masked(0.5, "token_dropout"))
    plans, parameters = a_stack(blobs, recipe)
    factor = Noisy(plans, parameters, Purpose.NOISE).factor(recipe.network.place("input"), (7, 4, 4))
    assert factor.shape == (2, 7, 4, 1) and set(factor[0].unique().tolist()) == {0.0, 2.0}
    assert isinstance(recipe.noise["input"], ValueNoise)
