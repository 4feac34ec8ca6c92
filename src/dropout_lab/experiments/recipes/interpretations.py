"""The arms of the chapters on memorizing, on the ensemble and on co-adaptation.

Pilot runs for them were made on tuning seeds.
"""

from __future__ import annotations

from dataclasses import replace

from dropout_lab.experiments.networks import MLP, PartedMLP
from dropout_lab.experiments.plan import Recipe
from dropout_lab.experiments.recipes.practice import DIGITS
from dropout_lab.experiments.recipes.scales import MNIST, dense, error_against_keep_prob
from dropout_lab.experiments.stack_noise import Bernoulli

#: Chosen on tuning seeds by test error, together with its learning rate, among 0.001, 0.003 and 0.01.
WEIGHT_DECAY = 0.003
#: The learning rate for random labels, for each way of training and number of steps.
MEMORIZING = {("none", 500): 0.2, ("dropout", 500): 0.1, ("dropout", 4000): 0.02}
#: The learning rates of :func:`tuned_sweep`, over that of the base.
RATES = {
    "hidden 1": 4,
    "hidden 0.9": 4,
    "hidden 0.7": 2,
    "hidden 0.5": 1,
    "hidden 0.3": 1,
    "input 0.8": 2,
    "input 0.8, hidden 0.5": 1,
}
#: Training examples of the networks that learn true labels.
FEW = (50, 100, 200, 500, 1000)
#: Those at which Srivastava et al. (2014, section 7.4) saw dropout gain nothing.
NO_GAIN = (100, 500)
#: Into so many parts the units of the last hidden layer are divided where each has to do without the others.
PARTS = 8
#: Steps after which a single update is looked at.
STAGES = (10, 100, 1000)


def random_labels(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for memorizing (claim 1.1): every training label is drawn at random, so only memory can fit them.

    ``network`` has two hidden layers; ``linear`` has no hidden layer and sees the same inputs. Both train for twice the
    usual number of steps.

    >>> list(random_labels())
    ['network', 'linear']
    """
    network = replace(base, label_noise=1.0, steps=2 * base.steps)
    return {"network": network, "linear": replace(network, network=MLP(()))}


def memorizing(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for memorizing under dropout (beside claim 1.1): random labels, with and without masks.

    The masks drop hidden units. Each arm is trained to the end of its steps with p = 1/2 or without masks, at the rate
    of ``MEMORIZING``: of 0.02, 0.05, 0.1 and 0.2 the one with the fewest training errors on four tuning seeds, and
    among equals the least training loss. So no arm is slow because its rate was chosen for another one.

    >>> list(memorizing())
    ['none, 500 steps', 'dropout, 500 steps', 'dropout, 4000 steps']
    """
    arms = {}
    for (way, steps), rate in MEMORIZING.items():
        arm = replace(base, label_noise=1.0, steps=steps, learning_rate=rate)
        arms[f"{way}, {steps} steps"] = arm.with_noise(hidden=Bernoulli(0.5)) if way == "dropout" else arm
    return arms


def few_examples(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for poor generalization (claim 1.2): true labels, from 50 to 1000 training examples, no dropout.

    >>> list(few_examples())
    ['50 examples', '100 examples', '200 examples', '500 examples', '1000 examples']
    """
    return {f"{size} examples": replace(base, train_size=size) for size in FEW}


def few_examples_with_dropout(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make arms named as those of :func:`few_examples`, with dropout of inputs (p = 0.8) and hidden units (p = 1/2).

    >>> list(few_examples_with_dropout())
    ['100 examples', '500 examples']
    """
    dropped = base.with_noise(input=Bernoulli(0.8), hidden=Bernoulli(0.5))
    return {f"{size} examples": replace(dropped, train_size=size) for size in NO_GAIN}


def deep_ensemble(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for weight scaling in deep networks (claim 3.8): as deep as the base, and twice as deep.

    The first has dropout of hidden units, the second of inputs besides. For the doubled depth keep probabilities 0.5,
    0.7 and 0.8 were crossed with learning rates 0.02, 0.05 and 0.1 on six tuning seeds. At 0.8 with the base's 0.05 the
    test error was lowest, up to ties, with 11 %. The best at 0.5 was 14.5 %, with 0.02: nobody would choose that, and
    it is the last arm, to show a limit.

    >>> list(deep_ensemble())
    ['hidden 0.5', 'input 0.8, hidden 0.5', 'four layers, hidden 0.8', 'four layers, hidden 0.5']
    """
    hidden = base.with_noise(hidden=Bernoulli(0.5))
    deeper = replace(base, network=MLP(2 * dense(base).hidden))
    return {
        "hidden 0.5": hidden,
        "input 0.8, hidden 0.5": hidden.with_noise(input=Bernoulli(0.8)),
        "four layers, hidden 0.8": deeper.with_noise(hidden=Bernoulli(0.8)),
        "four layers, hidden 0.5": replace(deeper, learning_rate=0.02).with_noise(hidden=Bernoulli(0.5)),
    }


def stages(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for one update of one member (claim 3.3): hidden dropout, early, midway and late in training.

    The learning rate is constant, so that the three are one training stopped at three times.

    >>> list(stages())
    ['10 steps', '100 steps', '1000 steps']
    """
    going = replace(base.with_noise(hidden=Bernoulli(0.5)), schedule="constant")
    return {f"{steps} steps": replace(going, steps=steps) for steps in STAGES}


def tuned_sweep(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms of :func:`.error_against_keep_prob` (claim 4.7), each with the learning rate that suits it.

    The rate was chosen for each arm by itself, by test error on six tuning seeds, among ½, 1, 2, 4 and 8 times the
    base's 0.05. The number of steps is the same for all.

    >>> {arm: recipe.learning_rate for arm, recipe in tuned_sweep().items() if arm in ("hidden 1", "hidden 0.5")}
    {'hidden 1': 0.2, 'hidden 0.5': 0.05}
    """
    arms = error_against_keep_prob(base).items()
    return {arm: replace(recipe, learning_rate=RATES[arm] * base.learning_rate) for arm, recipe in arms}


def representation(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for hidden units (claims 4.3, 4.4, 4.8, 4.10): none, dropout of them, and weight decay instead.

    Learning rates and weight decay are tuned as in :func:`tuned_sweep`. ``none, slow`` has no regularization and the
    learning rate of dropout: what holds against ``none`` alone may be due to the learning rate.

    >>> list(representation())
    ['none', 'none, slow', 'dropout', 'weight decay']
    """
    sweep = tuned_sweep(base)
    return {
        "none": sweep["hidden 1"],
        "none, slow": replace(sweep["hidden 1"], learning_rate=sweep["hidden 0.5"].learning_rate),
        "dropout": sweep["hidden 0.5"],
        "weight decay": replace(base, weight_decay=WEIGHT_DECAY, learning_rate=8 * base.learning_rate),
    }


def in_parts(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for partnerships (claim 4.2): the last hidden layer is trained as a whole, or apart in 8 parts.

    Network, initial weights, data and steps are the same; apart, each part has a loss of its own, so that its units
    cannot rely on those of another part (:class:`.PartedMLP`). There are arms with one hidden layer, and with two. The
    learning rate was chosen by test error on tuning seeds for each arm by itself, among 0.05, 0.1, 0.2, 0.4 and 0.8,
    and came out equal for the two arms of a depth.

    >>> list(in_parts())
    ['1 layer, together', '1 layer, apart', '2 layers, together', '2 layers, apart']
    """
    width, arms = dense(base).hidden[-1], {}
    for layers, rate in ((1, 8 * base.learning_rate), (2, 4 * base.learning_rate)):
        for name, parts in (("together", 1), ("apart", PARTS)):
            network = PartedMLP((width,) * layers, parts=parts)
            arms[f"{layers} layer{'s' * (layers > 1)}, {name}"] = replace(base, network=network, learning_rate=rate)
    return arms


def plain_and_dropout(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Make the arms for the variance over training sets (claim 3.9): without dropout, and with dropout of hidden units.

    >>> list(plain_and_dropout())
    ['none', 'dropout']
    """
    return {"none": base, "dropout": base.with_noise(hidden=Bernoulli(0.5))}


def training_sets(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Make the arms for the variance over training sets (claim 3.9) on few small images.

    They are those of :func:`plain_and_dropout`. The learning rate was chosen for both alike on twelve tuning seeds
    among 0.01, 0.02, 0.05, 0.1, 0.2 and 0.4, by the test error on other images than those that are predicted: 0.1 is
    the lowest with dropout, and without it within a standard error of the lowest, 0.2.

    >>> list(training_sets())
    ['none', 'dropout']
    """
    return plain_and_dropout(replace(base, learning_rate=0.1))
