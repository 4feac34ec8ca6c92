"""The description of an experiment in words, for the passport of a figure, beside the digest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.plan import Recipe
from dropout_lab.experiments.stack_noise import Noise


def described(
    dataset: Dataset,
    arms: Mapping[str, Recipe],
    seeds: Sequence[int],
    measures: Sequence[Callable],
    quantities: Sequence[str],
    digest: str | None,
) -> dict[str, Any]:
    """Describe an experiment: the data, the shared settings, each arm's own settings, the seeds and the measures.

    ``quantities`` are the names of what the measures gave, ``digest`` is the experiment's, or None. Every setting of
    :class:`~.plan.Recipe` stands either in ``shared`` or in each of ``arms``. The result can be written as JSON; what
    has an order is a list of pairs.

    >>> from dropout_lab.experiments import data, measures
    >>> arms = {"short": Recipe(steps=10), "long": Recipe(steps=20)}
    >>> found = described(data.digits(), arms, range(3), [measures.error], ["error"], None)
    >>> found["seeds"], found["arms"][1], found["shared"][4]
    ('seeds 0 to 2', ['long', [['steps', '20']]], ['batch size', '50'])
    >>> found["data"]
    'digits of scikit-learn: 1797 examples of 8 × 8 pixels, 10 classes'
    """
    written = {arm: _settings(recipe) for arm, recipe in arms.items()}
    first = next(iter(written.values()))
    shared = {name for name, text in first.items() if all(own[name] == text for own in written.values())}
    kinds = f"{dataset.classes} classes" if dataset.classes else "a number to predict"
    return {
        "data": f"{dataset.name}: {len(dataset.inputs)} examples of {_shape(dataset.shape)}, {kinds}",
        "seeds": _seeds(seeds),
        "shared": [[name, text] for name, text in first.items() if name in shared],
        "arms": [
            [arm, [[name, text] for name, text in own.items() if name not in shared]] for arm, own in written.items()
        ],
        "measures": [_measure(one) for one in measures],
        "quantities": list(quantities),
        "digest": digest,
    }


def _shape(shape: Sequence[int]) -> str:
    """The size of an example: an image's in pixels, with its channels if it has several."""
    if len(shape) != 3:
        return f"{' × '.join(map(str, shape))} numbers"
    channels, height, width = shape
    return f"{height} × {width} pixels" + (f" in {channels} channels" if channels > 1 else "")


def _settings(recipe: Recipe) -> dict[str, str]:
    """Every setting by its name in words."""
    found = {one.name.replace("_", " "): getattr(recipe, one.name) for one in fields(recipe)}
    places: dict[str, list[str]] = {}
    for place, own in recipe.noise_by_place().items():
        places.setdefault(_noise(own), []).append(place)
    noise = "; ".join(f"{', '.join(names)}: {own}" for own, names in places.items())
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in found.items()} | {
        "noise": noise or "none"
    }


def _noise(noise: Noise) -> str:
    """The noise as it is written in a recipe, without the settings that nobody made."""
    made = [one.name for one in fields(noise) if getattr(noise, one.name) != one.default]
    return f"{type(noise).__name__}({', '.join(f'{name}={getattr(noise, name)!r}' for name in made)})"


def _seeds(seeds: Sequence[int]) -> str:
    if list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))) and len(seeds) > 1:
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _measure(measure: Callable) -> str:
    """A measure by its name; one that was made by a function has that one's name."""
    name = getattr(measure, "__qualname__", None) or type(measure).__qualname__
    return str(name.partition(".<locals>")[0])
