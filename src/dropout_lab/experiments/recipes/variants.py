"""The arms of the chapters on the variants; the chapters say which settings were changed after a look.

Keep probabilities that a function calls tuned were chosen by test error on tuning seeds, each variant by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from dropout_lab.experiments.learned import Concrete, LearnedGaussian
from dropout_lab.experiments.networks import CNN, GRU, MLP, ResidualMLP
from dropout_lab.experiments.plan import Recipe
from dropout_lab.experiments.recipes.scales import MNIST
from dropout_lab.experiments.stack_noise import Bernoulli, Block, Connect, Gaussian, Noise, Path, Spatial, Variational

#: A kind of noise: where it stands, given a keep probability.
Kind = Callable[[float], dict[str, Noise]]

#: The networks of the variants that need another than the MLP.
CONVOLUTIONAL = replace(MNIST, network=CNN((8, 16), (64,)), steps=400)
BLOCKS = replace(CONVOLUTIONAL, batch_size=25, steps=250)
RECURRENT = replace(MNIST, network=GRU(32), learning_rate=0.1, steps=600)
RESIDUAL = replace(MNIST, network=ResidualMLP(64, 6), learning_rate=0.02, steps=600)
ADAM = replace(MNIST, network=MLP((64,)), optimizer="adam", learning_rate=0.03, batch_size=25, steps=500)

#: Keep probabilities of the comparison of DropConnect with dropout, and of Gaussian with Bernoulli noise.
KEEP_PROBS = (0.9, 0.7, 0.5, 0.3)
#: Keep probabilities that were tried on tuning seeds: for noise on feature maps and for dropout in the dense network
#: beside it, and for masks in a recurrent network. They are the same for every arm that is compared with another.
MAP_SWEEP = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
SEQUENCE_SWEEP = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
#: Keep probabilities from which learned rates start.
STARTS = (0.9, 0.5)
#: Sides of the squares of DropBlock on a map of 7×7: the first is dropout, the last spatial dropout.
BLOCK_SIZES = (1, 3, 5, 7)


#: The kinds of noise whose keep probabilities were tuned, by experiment, and those that made the fewest test errors.
ON_MAPS: dict[str, Kind] = {
    "pixels": lambda p: {"features": Bernoulli(p)},
    "squares": lambda p: {"features1": Block(p, 3)},
    "channels": lambda p: {"features": Spatial(p)},
    "dense": lambda p: {"hidden": Bernoulli(p)},
}
ON_DENSE_LAYERS: dict[str, Kind] = {"dropout": lambda p: {"hidden": Bernoulli(p)}}
ON_SEQUENCES: dict[str, Kind] = {
    "output": lambda p: {"output": Bernoulli(p)},
    "each step": lambda p: {"input": Bernoulli(p), "state": Bernoulli(p)},
    "one mask": lambda p: {"input": Variational(p), "state": Variational(p)},
}
MAPS_TUNED = {"pixels": 0.9, "squares": 0.9, "channels": 0.999, "dense": 0.8}
DENSE_TUNED = {"dropout": 0.7}
SEQUENCES_TUNED = {"output": 0.6, "each step": 0.9, "one mask": 0.95}
#: Keep probabilities of channels beside the tuned one: that of pixels, and about the one that matches it by claim 7.9.
CHANNELS_TOO = (0.9, 0.99)


def sweep(base: Recipe, kinds: Mapping[str, Kind], keep_probs: tuple[float, ...]) -> dict[str, Recipe]:
    """Make an arm without noise, and one for every kind of noise at every keep probability.

    That is what runs on tuning seeds before a comparison. ``kinds`` maps the name of each kind to the noise that it
    puts at places, given a keep probability.

    >>> list(sweep(CONVOLUTIONAL, ON_MAPS, MAP_SWEEP))[:3]
    ['none', 'pixels 0.5', 'pixels 0.7']
    """
    return {"none": base} | {
        f"{kind} {keep_prob}": base.with_noise(**noise(keep_prob))
        for kind, noise in kinds.items()
        for keep_prob in keep_probs
    }


def tuned(base: Recipe, kinds: Mapping[str, Kind], keep_probs: Mapping[str, float]) -> dict[str, Recipe]:
    """Make an arm without noise, and one for every kind at the keep probability that did best in its :func:`sweep`.

    >>> list(tuned(MNIST, ON_DENSE_LAYERS, DENSE_TUNED))
    ['none', 'dropout']
    """
    return {"none": base} | {kind: base.with_noise(**noise(keep_probs[kind])) for kind, noise in kinds.items()}


def connections(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for DropConnect against dropout in the second hidden layer, at the same p (claims 7.1 to 7.6).

    ``dropout`` drops the inputs of the second layer's weights, ``weights`` the weights themselves with a mask for each
    example, drawn in the Gaussian form of Wan et al. (2013), and ``weights, one mask a batch`` with one mask for all
    examples.

    >>> list(connections())[:4]
    ['none', 'dropout 0.9', 'weights 0.9', 'weights, one mask a batch 0.9']
    """
    arms = {"none": base}
    for keep_prob in KEEP_PROBS:
        arms[f"dropout {keep_prob}"] = base.with_noise(hidden1=Bernoulli(keep_prob))
        arms[f"weights {keep_prob}"] = base.with_noise(weight2=Connect(keep_prob, "gaussian"))
        arms[f"weights, one mask a batch {keep_prob}"] = base.with_noise(weight2=Connect(keep_prob, "batch"))
    return arms


def distributions(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for Gaussian against Bernoulli noise of the same variance on hidden units (claims 7.15 and 7.16).

    >>> list(distributions())[:4]
    ['none', 'Bernoulli 0.9', 'Gaussian 0.9', 'Bernoulli 0.7']
    """
    arms = {"none": base}
    for keep_prob in KEEP_PROBS:
        arms[f"Bernoulli {keep_prob}"] = base.with_noise(hidden=Bernoulli(keep_prob))
        arms[f"Gaussian {keep_prob}"] = base.with_noise(hidden=Gaussian(keep_prob))
    return arms


def feature_maps(base: Recipe = CONVOLUTIONAL) -> dict[str, Recipe]:
    """Make the arms for noise in a convolutional network (claims 7.9, 7.13, 7.14), each at its tuned keep probability.

    ``pixels`` and ``channels`` stand on both feature maps, ``squares`` of side 3 on the first, since the second has
    side 3 itself; ``dense`` on the dense hidden layer. On twelve tuning seeds each kind was trained at every keep
    probability of ``MAP_SWEEP``, and has the one with the lowest mean test error. For channels that is the mildest one,
    which hardly differs from no noise; so they stand here at those of ``CHANNELS_TOO`` as well.

    >>> list(feature_maps())
    ['none', 'pixels', 'squares', 'channels', 'dense', 'channels 0.9', 'channels 0.99']
    """
    channels = {"channels": ON_MAPS["channels"]}
    return tuned(base, ON_MAPS, MAPS_TUNED) | sweep(base, channels, CHANNELS_TOO)


def block_sizes(base: Recipe = BLOCKS) -> dict[str, Recipe]:
    """Make the arms for the size of DropBlock's squares (beside claim 7.14), all at p = 0.9.

    The squares stand on the first feature map, of 7×7 positions. Every size keeps the same fraction in the mean. The p
    is the one that an earlier sweep, over 0.5 to 0.9, found for squares and for channels; ``base`` takes half as large
    batches and fewer steps than that sweep, to save time.

    >>> list(block_sizes())
    ['none', 'block 1', 'block 3', 'block 5', 'block 7']
    """
    return {"none": base} | {f"block {size}": base.with_noise(features1=Block(0.9, size)) for size in BLOCK_SIZES}


def fully_connected(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for dropout on dense layers, beside :func:`feature_maps` (claim 7.13).

    One has no noise, the other drops hidden units at the keep probability of ``MAP_SWEEP`` with the lowest mean test
    error, on 24 tuning seeds.

    >>> list(fully_connected())
    ['none', 'dropout']
    """
    return tuned(base, ON_DENSE_LAYERS, DENSE_TUNED)


def sequences(base: Recipe = RECURRENT) -> dict[str, Recipe]:
    """Make the arms for masks in a recurrent network (claims 7.18 and 7.20): the rows of an image are the time steps.

    ``output`` drops only what is read from the last state; ``each step`` and ``one mask`` drop the rows and the state
    that the recurrent weights read, with one keep probability, anew at each step or once a sequence. On 24 tuning seeds
    each was trained at every keep probability of ``SEQUENCE_SWEEP``, and has the one with the lowest mean test error.

    >>> list(sequences())
    ['none', 'output', 'each step', 'one mask']
    """
    return tuned(base, ON_SEQUENCES, SEQUENCES_TUNED)


def paths(base: Recipe = RESIDUAL) -> dict[str, Recipe]:
    """Make the arms for DropPath in a residual network (claim 7.21): none, one p for all blocks, p falling with depth.

    ``falling`` follows the linear rule of Huang et al. (2016) from 1 to 0.5, ``constant`` has the same mean, and
    ``units`` is dropout of the units inside the blocks. Raises TypeError for a network without branches.

    >>> list(paths())
    ['none', 'constant', 'falling', 'units']
    """
    if not isinstance(base.network, ResidualMLP):
        raise TypeError(f"paths are those of a ResidualMLP, got {base.network!r}")
    blocks = base.network.blocks
    falling = {f"branch{block}": Path(1 - 0.5 * block / blocks) for block in range(1, blocks + 1)}
    mean = sum(path.keep_prob for path in falling.values()) / blocks
    return {
        "none": base,
        "constant": base.with_noise(branch=Path(mean)),
        "falling": base.with_noise(**falling),
        "units": base.with_noise(hidden=Bernoulli(0.5)),
    }


def learned_rates(base: Recipe = ADAM) -> dict[str, Recipe]:
    """Make the arms for learned rates (beside claims 7.19 and B8), each against a fixed rate of the same noise.

    ``units`` drops inputs and hidden units at a fixed tuned p, ``concrete`` learns that p (Gal, Hron and Kendall 2017);
    ``weights`` has Gaussian noise on weights at a fixed tuned p, ``variational`` learns its variance, one for each
    layer (Kingma, Salimans and Welling 2015). Each learned rate starts at two values, so that what was found can be
    told from where it began. The fixed p and the learning rate are those of :func:`learned_rate_sweep`.

    >>> list(learned_rates())[:4]
    ['none', 'units', 'weights', 'concrete from 0.9']
    """
    arms = {
        "none": base,
        "units": base.with_noise(input=Bernoulli(0.9), hidden=Bernoulli(0.9)),
        "weights": base.with_noise(weight=Connect(0.8, "gaussian")),
    }
    for start in STARTS:
        arms[f"concrete from {start}"] = base.with_noise(input=Concrete(start), hidden=Concrete(start))
        arms[f"variational from {start}"] = base.with_noise(weight=LearnedGaussian(start))
    return arms


def learned_rate_sweep(base: Recipe = ADAM) -> dict[str, Recipe]:
    """Make the arms of the sweep on six tuning seeds from which :func:`learned_rates` takes its keep probabilities.

    It was made for the learning rates 0.003, 0.01, 0.03 and 0.1; the one with the lowest error without noise was kept.

    >>> list(learned_rate_sweep())[:4]
    ['none', 'units 0.95', 'weights 0.95', 'units 0.9']
    """
    arms = {"none": base}
    for keep_prob in (0.95, 0.9, 0.8, 0.7, 0.5):
        arms[f"units {keep_prob}"] = base.with_noise(input=Bernoulli(keep_prob), hidden=Bernoulli(keep_prob))
        arms[f"weights {keep_prob}"] = base.with_noise(weight=Connect(keep_prob, "gaussian"))
    return arms
