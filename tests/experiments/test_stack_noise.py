"""Every member of the family: mean 1, the right rate, the right elements sharing a draw, a stream for each replica."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dropout_lab import bayes
from dropout_lab.experiments.draws import BernoulliDraws, Bits, Purpose, stream
from dropout_lab.experiments.learned import Concrete, LearnedGaussian
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.noisy import Noisy
from dropout_lab.experiments.plan import Recipe, Replica
from dropout_lab.experiments.stack_noise import Bernoulli, Block, Connect, Gaussian, Path, Spatial, Variational
from dropout_lab.functional import block_gamma, block_keep_probs

MAPS = (40, 6, 9, 9)
NETWORK = MLP((6, 5))
WEIGHTS, UNITS = NETWORK.place("weight1"), NETWORK.place("hidden1")


def streams(*seeds):
    return [stream(seed, Purpose.NOISE, 0) for seed in seeds]


def factors(member, shape, keep_probs=(0.5, 0.8), seeds=(0, 1)):
    return member.factors(NETWORK.place("hidden1"), keep_probs, streams(*seeds))(shape, {})


@pytest.mark.parametrize(
    ("member", "shared"),
    [(Bernoulli, ()), (Spatial, (3, 4)), (Variational, (2,)), (Path, (2, 3, 4)), (Gaussian, ()), (Block, None)],
)
def test_factors_have_mean_one_and_share_draws_as_they_say(member, shared):
    """The mean of 19 440 factors or their number of free draws; 5 standard errors, a false alarm in 10^6 a case."""
    found = factors(member(0.5), MAPS)
    full = found.expand(2, *MAPS)
    free = found[0].numel() if shared is not None else found[0].numel() / 9
    for row, keep_prob in enumerate((0.5, 0.8)):
        deviation = ((1 - keep_prob) / keep_prob / free) ** 0.5
        assert abs(full[row].mean() - 1) < 5 * deviation
        if member not in (Gaussian, Block):
            assert set(np.unique(full[row]).tolist()) == {0.0, np.float32(1 / np.float32(keep_prob)).item()}
    if shared is not None:
        assert [axis for axis in range(1, 5) if found.shape[axis] == 1] == list(shared)


def test_gaussian_has_the_variance_of_matched_dropout():
    """38 880 draws of variance (1 − p)/p; the standard error of a variance is √(2/n) of it; 5 of them."""
    found = factors(Gaussian(0.5), (480, 81)).flatten(1).var(1)
    expected = torch.tensor([1.0, 0.25])
    assert ((found / expected - 1).abs() < 5 * (2 / 38_880) ** 0.5).all()


def test_a_replica_draws_the_same_alone_and_in_company():
    shapes = [(7, 5), (7, 5), (7, 5)]
    together = BernoulliDraws(streams(3, 4, 5), (0.5, 1.0, 0.9))
    alone = BernoulliDraws(streams(5), (0.9,))
    for shape in shapes:
        both, one = together.draw(shape).clone(), alone.draw(shape).clone()
        assert torch.equal(both[2], one[0]) and both[1].all()


def test_draws_do_not_repeat():
    bits = Bits(streams(0, 1), [True, True])
    seen = torch.stack([torch.from_numpy(bits.draw((8, 8)).copy()) for _ in range(2000)])
    assert len(torch.unique(seen.flatten(2).flatten(0, 1), dim=0)) == 4000


def test_a_keep_probability_of_one_keeps_everything_even_when_drawn():
    assert (factors(Bernoulli(0.5), (1000, 100), (1.0, 0.5))[0] == 1).all()


def test_dropped_squares_are_squares_and_the_rate_is_exact():
    """The fraction kept, over 2000 maps of 9×9; 5 standard errors of the mean over maps."""
    kept = factors(Block(0.7, 3), (2000, 1, 9, 9), (0.7,), (0,))[0, :, 0] > 0
    share = kept.double().mean((1, 2))
    assert abs(share.mean() - 0.7) < 5 * share.std() / 2000**0.5
    dropped = (~kept).float().unsqueeze(1)
    # What is dropped is a union of squares: shrinking by a square and growing back changes nothing.
    shrunk = -torch.nn.functional.max_pool2d(-dropped, 3, 1)
    grown = torch.nn.functional.max_pool2d(torch.nn.functional.pad(shrunk, [2] * 4), 3, 1)
    assert torch.equal(grown, dropped) and dropped.any()


def test_squares_are_rescaled_by_the_keep_probability_of_their_position():
    """Each position's mean over 20 000 maps is 1; 5 standard errors, a false alarm in 10^4 for 50 positions."""
    found = factors(Block(0.6, 2), (20_000, 1, 5, 5), (0.6, 1.0), (0, 1))[:, :, 0]
    kept = block_keep_probs((5, 5), 2, block_gamma((5, 5), 0.6, 2))
    assert kept[0, 0] > kept[2, 2]
    deviations = ((1 / kept - 1) / 20_000).sqrt()
    assert ((found[0].double().mean(0) - 1).abs() < 5 * deviations).all()
    assert torch.equal(found[0].amax(0), (1 / kept).float()) and (found[1] == 1).all()


@pytest.mark.parametrize("draws", ["example", "batch", "gaussian"])
def test_masked_weights_have_the_moments_that_they_should(draws):
    """Mean and variance of 4000 outputs; 5 standard errors (kurtosis of up to 3 beyond the Gaussian allowed for)."""
    random = np.random.default_rng(0)
    values, weight = torch.tensor(random.normal(size=(1, 1, 6))).float(), torch.tensor(random.normal(size=(1, 6, 3)))
    weight, bias = weight.float(), torch.zeros(1, 3)
    layer = Connect(0.7, draws).noisy_map(WEIGHTS, (0.7,), streams(0))
    found = torch.stack([layer(values, weight, bias, {})[0, 0] for _ in range(4000)])
    mean = (values @ weight)[0, 0]
    variance = (values.square() @ weight.square())[0, 0] * 0.3 / 0.7
    assert ((found.mean(0) - mean).abs() < 5 * (variance / 4000).sqrt()).all()
    assert ((found.var(0) / variance - 1).abs() < 5 * (5 / 4000) ** 0.5).all()


def test_who_shares_a_mask_of_weights():
    values, weight, bias = torch.ones(1, 5, 8), torch.ones(1, 8, 8), torch.zeros(1, 8)
    rows = {}
    for draws in ("example", "batch"):
        rows[draws] = Connect(0.5, draws).noisy_map(WEIGHTS, (0.5,), streams(0))(values, weight, bias, {})[0]
    assert (rows["batch"] == rows["batch"][0]).all() and not (rows["example"] == rows["example"][0]).all()


def test_learned_gaussian_noise_is_that_of_the_module():
    """Penalty and output against dropout_lab.bayes, with the module's weights and the same normal draws."""
    random = np.random.default_rng(0)
    weight = random.normal(size=(6, 4)).astype(np.float32)
    for sharing in ("layer", "unit", "weight"):
        member = LearnedGaussian(0.8, sharing)
        initial = member.initial(WEIGHTS, {"weight1": weight})
        parameters = {"weight1": torch.from_numpy(weight)[None]}
        parameters |= {name: torch.from_numpy(value)[None] for name, value in initial.items()}
        module = bayes.LearnedGaussianDropout(6, 4, bias=False, keep_prob=0.8, sharing=sharing)
        with torch.no_grad():
            module.weight.copy_(parameters["weight1"][0].T)
        torch.testing.assert_close(member.penalty(WEIGHTS, parameters)[0], module.regularizer())
        values = torch.tensor(random.normal(size=(1, 5, 6))).float()
        found = member.noisy_map(WEIGHTS, (0.8,), streams(7))(
            values, parameters["weight1"], torch.zeros(1, 4), parameters
        )
        normal = stream(7, Purpose.NOISE, 0).standard_normal((5, 4), np.float32)
        deviation = (values[0].square() @ (module.weight.T.square() * 0.25)).sqrt()
        torch.testing.assert_close(found[0], module.eval()(values[0]) + deviation * torch.from_numpy(normal))


def test_concrete_dropout_is_that_of_the_module():
    weight = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 6, 4)).astype(np.float32))
    member = Concrete(0.8, precision=0.3)
    parameters = {
        "weight2": weight,
        "logit.hidden1": torch.tensor(member.initial(UNITS, {})["logit.hidden1"])[None],
    }
    layer = torch.nn.Linear(6, 4)
    with torch.no_grad():
        layer.weight.copy_(weight[0].T)
    module = bayes.ConcreteDropout(layer, keep_prob=0.8, precision=0.3)
    torch.testing.assert_close(member.penalty(UNITS, parameters)[0], module.regularizer())
    factor = member.factors(UNITS, (0.8,), streams(0))((2000, 6), parameters)[0] * 0.8
    # P(mask > ½) is the keep probability; 12 000 draws, 5 standard errors.
    assert abs((factor > 0.5).double().mean() - 0.8) < 5 * (0.16 / 12_000) ** 0.5
    assert ((factor >= 0) & (factor <= 1)).all()


def test_the_penalties_of_all_places_add_up():
    """Three layers with learned rates of both kinds, against the sum of the modules' own regularizers."""
    random = torch.Generator().manual_seed(0)
    recipe = Recipe(network=NETWORK).with_noise(
        input=Concrete(0.9), hidden1=Concrete(0.6), weight3=LearnedGaussian(0.7)
    )
    parameters = {
        f"weight{n}": torch.randn(1, *shape, generator=random) for n, shape in ((1, (4, 6)), (2, (6, 5)), (3, (5, 3)))
    }
    for name, noise in recipe.noise_by_place().items():
        initial = noise.initial(NETWORK.place(name), {key: value[0].numpy() for key, value in parameters.items()})
        parameters |= {key: torch.from_numpy(value)[None] for key, value in initial.items()}
    layers = [torch.nn.Linear(*parameters[f"weight{n}"].shape[1:]) for n in (1, 2, 3)]
    for number, layer in enumerate(layers, 1):
        layer.load_state_dict({"weight": parameters[f"weight{number}"][0].T, "bias": torch.zeros(layer.out_features)})
    modules = [bayes.ConcreteDropout(layer, keep_prob=keep) for layer, keep in zip(layers, (0.9, 0.6), strict=False)]
    modules.append(bayes.LearnedGaussianDropout.from_linear(layers[2], keep_prob=0.7))
    found = Noisy([Replica("a", 0, recipe)], parameters, Purpose.NOISE).penalty()
    torch.testing.assert_close(found[0], sum(module.regularizer() for module in modules))
    assert Noisy([Replica("b", 0, Recipe(network=NETWORK))], parameters, Purpose.NOISE).penalty() is None


def test_bad_members_are_refused():
    for keep_prob in (0.0, -0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="keep probability"):
            Bernoulli(keep_prob)
    for keep_prob in (0.0, 1.0, -0.5, 1.5, float("nan")):
        for kind in (LearnedGaussian, Concrete):
            with pytest.raises(ValueError, match="strictly between"):
                kind(keep_prob)
    with pytest.raises(ValueError, match="smallest extent of the map, 2; got 3"):
        factors(Block(0.5, 3), (1, 1, 2, 9))
