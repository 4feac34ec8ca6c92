"""What the chapter on practical guidance trains, fixed before its numbers were seen.

Each function takes the recipe it varies as ``base``: the book's by default, or a larger one for a machine with time.
"""

from __future__ import annotations

from dataclasses import replace

from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.plan import Recipe
from dropout_lab.experiments.recipes.scales import MNIST, dense
from dropout_lab.experiments.stack_noise import Bernoulli

#: Keep probabilities of the sweeps.
HIDDEN_SWEEP = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
INPUT_SWEEP = (1.0, 0.9, 0.8, 0.7, 0.5, 0.3)


def hidden_keep_probs(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Arms for the keep probability of hidden units (claim 8.1), inputs kept: ``hidden 1`` … ``hidden 0.3``.

    >>> list(hidden_keep_probs())
    ['hidden 1', 'hidden 0.9', 'hidden 0.8', 'hidden 0.7', 'hidden 0.6', 'hidden 0.5', 'hidden 0.4', 'hidden 0.3']
    """
    return {"hidden 1": base} | {f"hidden {p:g}": base.with_noise(hidden=Bernoulli(p)) for p in HIDDEN_SWEEP}


def input_keep_probs(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Arms for the keep probability of inputs (claim 8.2), hidden units dropped with p = 1/2: ``input 1`` …

    >>> list(input_keep_probs())
    ['input 1', 'input 0.9', 'input 0.8', 'input 0.7', 'input 0.5', 'input 0.3']
    """
    dropped = base.with_noise(hidden=Bernoulli(0.5))
    return {f"input {p:g}": dropped.with_noise(input=Bernoulli(p)) for p in INPUT_SWEEP}


def width_and_length(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Arms for wider networks and longer training (claim 8.3), without and with dropout of hidden units, p = 1/2.

    The narrow network has a quarter of the base's width, so that dropout leaves an eighth active; ``wide`` has n/p of
    the narrow one's units. ``long`` trains three times as many steps.

    >>> list(width_and_length())[:5]
    ['narrow', 'wide', 'narrow, long', 'wide, long', 'narrow, dropout']
    """
    narrow = replace(base, network=MLP(tuple(width // 4 for width in dense(base).hidden)))
    wide = replace(narrow, network=MLP(tuple(2 * width for width in dense(narrow).hidden)))
    forms = {"narrow": narrow, "wide": wide, "narrow, long": replace(narrow, steps=3 * base.steps)}
    forms["wide, long"] = replace(wide, steps=3 * base.steps)
    dropped = {f"{name}, dropout": form.with_noise(hidden=Bernoulli(0.5)) for name, form in forms.items()}
    return forms | dropped


def normalization(base: Recipe = MNIST) -> dict[str, Recipe]:
    """Arms for dropout beside batch normalization (claims 8.4 and 8.5).

    ``before`` drops the first hidden layer, whose values feed the second normalization; ``after`` drops the last one,
    behind all normalizations.

    >>> list(normalization())
    ['neither', 'dropout', 'normalization', 'before', 'after']
    """
    normal = replace(base, network=replace(dense(base), batch_norm=True))
    return {
        "neither": base,
        "dropout": base.with_noise(hidden=Bernoulli(0.5)),
        "normalization": normal,
        "before": normal.with_noise(hidden1=Bernoulli(0.5)),
        "after": normal.with_noise(hidden2=Bernoulli(0.5)),
    }
