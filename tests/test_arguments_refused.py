"""Every argument of the public functions and classes, given what it does not take: refused in the caller's words.

A number is one of Python's or NumPy's. A 0-d array or tensor is none: it would tie the argument to a device and to a
gradient, and ``.item()`` says what is meant.
"""

from __future__ import annotations

import inspect
import math
import re
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dropout_lab import bayes, constraints, ensemble, functional, inference, nn, noise

NO_NUMBERS = ("0.5", None, 1j, True, np.bool_(True), [0.5], np.array(0.5), torch.tensor(0.5))
NO_INTEGERS = (*NO_NUMBERS, 0.5, math.nan, np.float32(2))
NO_PROBABILITIES = (*NO_NUMBERS, math.nan, -0.1, 1.1, np.float32(2), math.inf)
NO_POSITIVES = (*NO_NUMBERS, math.nan, -0.1, 0, math.inf)
NO_TENSORS = (None, "x", 1.0, [1.0, 2.0], np.ones((2, 3)), {"x": 1})
NO_FLOATS = (*NO_TENSORS, torch.ones(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.complex64))
NO_FLAGS = ("no", None, 0, 1.0, [], torch.tensor(True))
NO_SOURCES = (0, "0", np.random.default_rng(0), [], torch)
NO_MODELS = (None, "model", 1, torch.ones(2), [torch.nn.Linear(2, 2)], {"a": torch.nn.Linear(2, 2)}, torch.nn.Linear)
NO_WORDS = (None, 1, "other", ["exact"], b"exact")

#: What an argument does not take, by its name, where every function means the same by it.
WRONG: dict[str, tuple[Any, ...]] = {
    "keep_prob": NO_PROBABILITIES,
    "recurrent_keep_prob": tuple(value for value in NO_PROBABILITIES if value is not None),
    "last": NO_PROBABILITIES,
    "gamma": NO_WORDS,
    "rule": NO_WORDS,
    "block_size": (*NO_INTEGERS, 0, -1),
    "blocks": (*NO_INTEGERS, 0, -1),
    "time_dim": (*NO_INTEGERS, 7),
    "seed": (*NO_INTEGERS, -1, 2**64),
    "step": (*NO_INTEGERS, -1),
    "batched": NO_FLAGS,
    "rescale": NO_FLAGS,
    "training": NO_FLAGS,
    "share_heads": NO_FLAGS,
    "per_example": NO_FLAGS,
    "bias": NO_FLAGS,
    "batch_first": NO_FLAGS,
    "generator": NO_SOURCES,
    "stream": (*NO_SOURCES, torch.Generator()),
    "x": NO_FLOATS,
    "weight": NO_FLOATS,
    "input_size": (*NO_INTEGERS, 0),
    "hidden_size": (*NO_INTEGERS, 0),
    "num_layers": (*NO_INTEGERS, 0),
    "in_features": (*NO_INTEGERS, 0),
    "out_features": (*NO_INTEGERS, 0),
    "masks": NO_WORDS,
    "sharing": NO_WORDS,
    "kl": NO_WORDS,
    "layer": NO_MODELS,
    "precision": NO_POSITIVES,
    "temperature": NO_POSITIVES,
    "bound": NO_POSITIVES,
    "unit_axis": (*NO_INTEGERS, 7),
    "groups": (*NO_INTEGERS, 0, -1),
    "model": NO_MODELS,
    "samples": (*NO_INTEGERS, 1, 0),
    "batch_size": (*(value for value in NO_INTEGERS if value is not None), 0),
    "output": ("other", 1, ["softmax"]),
    "also": (1, "Linear", ("Linear",), [torch.nn.Linear(2, 2)]),
    "n": (*NO_INTEGERS, -1),
    "chunk": (*(value for value in NO_INTEGERS if value is not None), 0),
    "max_masks": (*NO_INTEGERS, 0),
    "normalize": NO_FLAGS,
    "hidden": NO_FLOATS,
    "log_alpha": NO_FLOATS,
    "logit": NO_FLOATS,
}


def model() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 2))


def streaming() -> torch.nn.Module:
    return nn.add_streams(torch.nn.Sequential(nn.Dropout()), 0)


def convention(rescale: bool) -> torch.nn.Module:
    return torch.nn.Sequential(nn.Dropout(0.5, rescale=rescale), torch.nn.Linear(2, 2)).eval()


#: A call of everything that takes arguments of these names, with what it must be given.
CALLS: dict[str, tuple[Callable[..., Any], Callable[[], dict[str, Any]]]] = {
    "dropout": (functional.dropout, lambda: {"x": torch.ones(2, 3)}),
    "gaussian_dropout": (functional.gaussian_dropout, lambda: {"x": torch.ones(2, 3)}),
    "drop_path": (functional.drop_path, lambda: {"x": torch.ones(2, 3)}),
    "spatial_dropout": (functional.spatial_dropout, lambda: {"x": torch.ones(2, 3, 4)}),
    "token_dropout": (functional.token_dropout, lambda: {"x": torch.ones(2, 3, 4)}),
    "variational_dropout": (functional.variational_dropout, lambda: {"x": torch.ones(2, 3, 4)}),
    "attention_dropout": (functional.attention_dropout, lambda: {"x": torch.ones(2, 3, 4, 4)}),
    "drop_block": (functional.drop_block, lambda: {"x": torch.ones(2, 3, 8, 8)}),
    "drop_connect": (functional.drop_connect, lambda: {"x": torch.ones(2, 3), "weight": torch.ones(4, 3)}),
    "linear_decay": (functional.linear_decay, lambda: {"blocks": 3}),
    "block_gamma": (functional.block_gamma, lambda: {"sizes": (8, 8), "keep_prob": 0.5, "block_size": 3}),
    "Dropout": (nn.Dropout, dict),
    "GaussianDropout": (nn.GaussianDropout, dict),
    "SpatialDropout": (nn.SpatialDropout, dict),
    "DropBlock": (nn.DropBlock, dict),
    "VariationalDropout": (nn.VariationalDropout, dict),
    "DropPath": (nn.DropPath, dict),
    "TokenDropout": (nn.TokenDropout, dict),
    "AttentionDropout": (nn.AttentionDropout, dict),
    "DropConnect": (nn.DropConnect, lambda: {"layer": torch.nn.Linear(2, 2)}),
    "ConcreteDropout": (nn.ConcreteDropout, lambda: {"layer": torch.nn.Linear(2, 2)}),
    "LearnedGaussianDropout": (nn.LearnedGaussianDropout, lambda: {"in_features": 3, "out_features": 2}),
    "VariationalLSTM": (nn.VariationalLSTM, lambda: {"input_size": 3, "hidden_size": 2}),
    "VariationalGRU": (nn.VariationalGRU, lambda: {"input_size": 3, "hidden_size": 2}),
    "bernoulli": (noise.bernoulli, lambda: {"shape": (3,), "keep_prob": 0.5}),
    "gaussian": (noise.gaussian, lambda: {"shape": (3,), "keep_prob": 0.5}),
    "normal": (noise.normal, lambda: {"shape": (3,)}),
    "uniform": (noise.uniform, lambda: {"shape": (3,)}),
    "Stream": (noise.Stream, lambda: {"seed": 0}),
    "add_streams": (nn.add_streams, lambda: {"model": streaming(), "seed": 0}),
    "set_streams": (nn.set_streams, lambda: {"model": streaming(), "step": 0}),
    "unit_norms": (constraints.unit_norms, lambda: {"weight": torch.ones(2, 3)}),
    "max_norm_": (constraints.max_norm_, lambda: {"target": torch.ones(2, 3), "bound": 1.0}),
    "MaxNorm": (constraints.MaxNorm, lambda: {"bound": 1.0}),
    "masks": (ensemble.masks, lambda: {"n": 3}),
    "exact_mean": (ensemble.exact_mean, lambda: {"source": model(), "over": torch.ones(2, 4)}),
    "exact_geometric_mean": (ensemble.exact_geometric_mean, lambda: {"source": model(), "over": torch.ones(2, 4)}),
    "sigmoid_mean": (ensemble.sigmoid_mean, lambda: {"hidden": torch.ones(4), "weight": torch.ones(4)}),
    "softmax_mean": (ensemble.softmax_mean, lambda: {"hidden": torch.ones(4), "weight": torch.ones(3, 4)}),
    "monte_carlo": (inference.monte_carlo, lambda: {"model": model(), "x": torch.ones(2, 4), "samples": 3}),
    "moment_matching": (inference.moment_matching, lambda: {"x": torch.ones(2, 3), "weight": torch.ones(4, 3)}),
    "weight_scaling": (inference.weight_scaling, lambda: {"model": convention(False)}),
    "undo_weight_scaling": (inference.undo_weight_scaling, lambda: {"model": convention(True)}),
    "exact_kl": (bayes.exact_kl, lambda: {"log_alpha": torch.zeros(2)}),
    "cubic_kl": (bayes.cubic_kl, lambda: {"log_alpha": torch.zeros(2)}),
    "sigmoid_kl": (bayes.sigmoid_kl, lambda: {"log_alpha": torch.zeros(2)}),
    "concrete_mask": (bayes.concrete_mask, lambda: {"shape": (2,), "logit": torch.zeros(())}),
}
#: What one function takes though others do not: None for a default, a bias that is a tensor, one probability a unit, a
#: module's axis that only its input can refute, and the inputs of an embedding.
TAKEN: dict[tuple[str, str], Callable[[Any], bool]] = {
    ("Stream", "layer"): lambda value: True,
    ("set_streams", "step"): lambda value: value is None,
    ("VariationalDropout", "time_dim"): lambda value: value == 7,
    ("monte_carlo", "x"): lambda value: isinstance(value, torch.Tensor),
    **{(name, "keep_prob"): lambda value: value is None for name in ("exact_mean", "exact_geometric_mean")},
    **{
        (name, "keep_prob"): lambda value: isinstance(value, (list, np.ndarray, torch.Tensor))
        for name in ("masks", "sigmoid_mean", "softmax_mean")
    },
    **{
        (name, "bias"): lambda value: value is None or isinstance(value, (int, float, torch.Tensor))
        for name in ("drop_connect", "sigmoid_mean", "softmax_mean", "moment_matching")
    },
}
#: Other words by which a message names an argument.
ALSO_CALLED = {
    "x": r"needs (a tensor|floating point input)|\bx\b",
    "weight": r"weights?\b|needs (a tensor|floating point input)",
    "n": "number of units",
    "layer": "wraps|layer",
    "step": r"steps?\b",
    "rule": "gamma",
}
PAIRS = [
    (name, argument)
    for name, (function, _) in CALLS.items()
    for argument in inspect.signature(function).parameters
    if argument in WRONG
]


@pytest.mark.parametrize(("name", "argument"), PAIRS)
def test_what_an_argument_does_not_take_is_refused_by_its_name(name: str, argument: str) -> None:
    function, given = CALLS[name]
    function(**given())
    taken = TAKEN.get((name, argument), lambda value: False)
    for wrong in WRONG[argument]:
        if taken(wrong):
            continue
        with pytest.raises((TypeError, ValueError, NotImplementedError)) as raised:
            function(**{**given(), argument: wrong})
        message = str(raised.value)
        assert re.search(ALSO_CALLED.get(argument, argument), message), (wrong, message)
        # Said by the package, and not by a line inside it that failed.
        last = traceback.extract_tb(raised.value.__traceback__)[-1]
        assert "dropout_lab" in last.filename and (last.line or "").startswith("raise "), (wrong, message)
