"""The arms of the chapter on practical guidance, fixed before their numbers were seen.

Every arm has a learning rate of its own, tuned in one way: trained on tuning seeds at the rates of ``RATES``
(:func:`at_rates`), and at further ones, a factor of two apart, as long as the best one stood at the edge. The rate with
the lowest mean test error stands in ``TUNED``. The best keep probability, with its own rate, was found in the same way
(beside batch normalization 0.2 was tried, too, where 0.3 was the best), and so was a sufficient length of training. So
none of the reported seeds chose what it judges. There were twelve tuning seeds, and eight for the wide networks and for
those with batch normalization.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.plan import Recipe
from dropout_lab.experiments.recipes.practice import DIGITS, quarter_kept
from dropout_lab.experiments.recipes.scales import dense
from dropout_lab.experiments.stack_noise import Bernoulli

#: The learning rates that every arm was tried at first.
RATES = (0.025, 0.05, 0.1, 0.2)
#: Keep probabilities of the sweeps.
HIDDEN_SWEEP = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.3)
INPUT_SWEEP = (1.0, 0.9, 0.8, 0.7, 0.5, 0.3)
#: Keep probabilities that dropout beside batch normalization was tried with.
NORMALIZED_SWEEP = (0.9, 0.8, 0.7, 0.5, 0.4, 0.3)

#: The keep probability of hidden units with the lowest error on tuning seeds, of ``HIDDEN_SWEEP``, in each setting of
#: claim 8.1.
BEST_HIDDEN = {"inputs 1": 0.7, "inputs 0.8": 0.9, "wide, inputs 1": 0.7, "wide, inputs 0.8": 0.8}
#: The keep probability with the lowest error on tuning seeds, of ``NORMALIZED_SWEEP``, by layer and order.
BEST_NORMALIZED = {"layer 1, before": 0.7, "layer 1, after": 0.4, "layer 2, before": 0.3, "layer 2, after": 0.4}
_ARMS_AT = {
    0.0125: ("narrow, p = 1/4",),
    0.025: (
        *("inputs 1, hidden 0.3", "inputs 0.8, hidden 0.3", "inputs 0.7, hidden 0.5", "inputs 0.5, hidden 0.5"),
        *("inputs 0.3, hidden 0.5", "narrow, dropout", "wide", "wide, p = 1/4"),
    ),
    0.05: (
        *("inputs 1, hidden 0.6", "inputs 0.8, hidden 0.7", "inputs 0.8, hidden 0.6", "inputs 0.8, hidden 0.5"),
        *("inputs 0.9, hidden 0.5", "wide, inputs 0.8, hidden 0.8", "wide, inputs 0.8, hidden 0.5", "wide, dropout"),
    ),
    0.1: (
        *("inputs 1, hidden 1", "inputs 1, hidden 0.7", "inputs 1, hidden 0.5", "inputs 0.8, hidden 1"),
        *("inputs 0.8, hidden 0.9", "inputs 0.8, hidden 0.8", "narrow", "1/4", "1/4, dropout", "1/2", "1/2, dropout"),
        *("1", "1, dropout", "none", "layer 2, before", "layer 2, after"),
        *("wide, inputs 1, hidden 0.5", "wide, inputs 0.8, hidden 1"),
    ),
    0.2: (
        *("inputs 1, hidden 0.9", "inputs 1, hidden 0.8", "1/16", "1/16, dropout", "1/8", "1/8, dropout"),
        *("layer 1, before", "wide, inputs 1, hidden 1", "wide, inputs 1, hidden 0.7"),
    ),
    0.4: ("layer 1, after",),
}
#: The learning rate of each arm.
TUNED = {arm: rate for rate, arms in _ARMS_AT.items() for arm in arms}


def at_rates(arms: Mapping[str, Recipe], rates: Iterable[float] = RATES) -> dict[str, Recipe]:
    """Make every arm at every learning rate, for tuning seeds, under names such as ``ARM at 0.1``.

    >>> list(at_rates({"none": DIGITS}, (0.1, 0.2)))
    ['none at 0.1', 'none at 0.2']
    """
    tried = list(rates)
    return {
        f"{name} at {rate:g}": replace(recipe, learning_rate=rate) for name, recipe in arms.items() for rate in tried
    }


def keep_probs(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Make the arms for the keep probability of hidden units (claim 8.1) and of inputs (claim 8.2).

    They have names such as ``inputs 1, hidden 0.5``. Hidden units are dropped with each of ``HIDDEN_SWEEP`` where
    inputs are kept and where they are kept with 0.8; inputs with each of ``INPUT_SWEEP`` where hidden units are kept
    with one half.

    >>> arms = keep_probs()
    >>> len(arms), arms["inputs 0.8, hidden 0.5"].noise_by_place()["input"].keep_prob
    (18, 0.8)
    """
    pairs = [(inputs, hidden) for inputs in (1.0, 0.8) for hidden in HIDDEN_SWEEP]
    pairs += [(inputs, 0.5) for inputs in INPUT_SWEEP if inputs not in (1.0, 0.8)]
    return _tuned({f"inputs {inputs:g}, hidden {hidden:g}": _masked(base, inputs, hidden) for inputs, hidden in pairs})


def wide_keep_probs(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Make the arms for a keep probability of one half in layers twice as wide as the base's (claim 8.1).

    They have names such as ``wide, inputs 1, hidden 0.5``. Hidden units are all kept, kept with one half, or kept with
    the best probability of the setting.

    >>> [name for name in wide_keep_probs() if "inputs 0.8" in name]
    ['wide, inputs 0.8, hidden 1', 'wide, inputs 0.8, hidden 0.8', 'wide, inputs 0.8, hidden 0.5']
    """
    wide = replace(base, network=MLP(tuple(2 * width for width in dense(base).hidden)))
    arms: dict[str, Recipe] = {}
    for inputs in (1.0, 0.8):
        setting = f"wide, inputs {inputs:g}"
        shown = sorted({1.0, 0.5, BEST_HIDDEN[setting]}, reverse=True)
        arms |= {f"{setting}, hidden {hidden:g}": _masked(wide, inputs, hidden) for hidden in shown}
    return _tuned(arms)


def widths(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Make the arms for wider networks (claim 8.3), without and with dropout of hidden units, p = 1/2, and at p = 1/4.

    The narrow network has a quarter of the base's width, so that dropout leaves an eighth active; ``wide`` has n/p of
    the narrow one's units.

    >>> list(widths())[:4]
    ['narrow', 'wide', 'narrow, dropout', 'wide, dropout']
    """
    narrow = replace(base, network=MLP(tuple(width // 4 for width in dense(base).hidden)))
    wide = replace(narrow, network=MLP(tuple(2 * width for width in dense(narrow).hidden)))
    return _tuned(_with_and_without({"narrow": narrow, "wide": wide}) | quarter_kept(base))


def lengths(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Make the arms for longer training (claim 8.10), without and with dropout of hidden units, p = 1/2.

    They are named by the part of the base's steps that they train for, from ``1/16`` to ``1``. The learning rate of
    each decays to 0 over its own steps. On tuning seeds ``1/8`` was the shortest at which the mean error without
    dropout lay within a quarter of a percentage point of its lowest: without dropout that is enough.

    >>> [(name, recipe.steps) for name, recipe in lengths().items()][:3]
    [('1/16', 50), ('1/8', 100), ('1/4', 200)]
    """
    parts = {"1/16": 16, "1/8": 8, "1/4": 4, "1/2": 2, "1": 1}
    return _tuned(
        _with_and_without({name: replace(base, steps=max(1, base.steps // part)) for name, part in parts.items()})
    )


def normalization_sweep(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Make the arms for the tuning of dropout beside batch normalization (claim 8.5).

    They have each order in each layer, with each keep probability of ``NORMALIZED_SWEEP``, and train for half of the
    base's steps. ``before`` masks what goes into a layer's normalization, ``after`` what comes out of it, behind the
    ReLU, which a mask of zeros and ones may follow or precede. Nothing else differs.

    >>> list(normalization_sweep())[:2]
    ['layer 1, before, p = 0.9', 'layer 1, before, p = 0.8']
    """
    normal = _normalized(base)
    return {
        f"layer {layer}, {order}, p = {p:g}": normal.with_noise(**{f"{place}{layer}": Bernoulli(p)})
        for layer in (1, 2)
        for order, place in (("before", "sum"), ("after", "hidden"))
        for p in NORMALIZED_SWEEP
    }


def normalization(base: Recipe = DIGITS) -> dict[str, Recipe]:
    """Make the arms for dropout beside batch normalization (claims 8.4 and 8.5): none, and both orders in both layers.

    Each order has the keep probability and the learning rate with the lowest error on tuning seeds, of
    :func:`normalization_sweep`.

    >>> list(normalization())
    ['none', 'layer 1, before', 'layer 1, after', 'layer 2, before', 'layer 2, after']
    """
    swept = normalization_sweep(base)
    chosen = {arm: swept[f"{arm}, p = {p:g}"] for arm, p in BEST_NORMALIZED.items()}
    return _tuned({"none": _normalized(base)} | chosen)


def _tuned(arms: Mapping[str, Recipe]) -> dict[str, Recipe]:
    return {name: replace(recipe, learning_rate=TUNED[name]) for name, recipe in arms.items()}


def _masked(recipe: Recipe, inputs: float, hidden: float) -> Recipe:
    """The recipe with these keep probabilities; where one is 1 there is no mask."""
    noise = {place: Bernoulli(p) for place, p in (("input", inputs), ("hidden", hidden)) if p < 1}
    return recipe.with_noise(**noise)


def _with_and_without(forms: Mapping[str, Recipe]) -> dict[str, Recipe]:
    dropped = {f"{name}, dropout": _masked(form, 1.0, 0.5) for name, form in forms.items()}
    return {**forms, **dropped}


def _normalized(recipe: Recipe) -> Recipe:
    return replace(recipe, network=replace(dense(recipe), batch_norm=True), steps=max(1, recipe.steps // 2))
