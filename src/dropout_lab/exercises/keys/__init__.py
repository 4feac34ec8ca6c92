"""The answer key: a file for each chapter and each page beyond the source, by the ids that stand on the pages."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from types import ModuleType
from typing import TypeVar

from dropout_lab.exercises.keys import (
    beyond_binary_output,
    beyond_depth_and_blocks,
    beyond_dictionary,
    beyond_fast_enumeration,
    beyond_learned_noise,
    beyond_linear,
    beyond_mc_dropout,
    beyond_means,
    beyond_transformer,
    beyond_variance_shift,
    ch1,
    ch2,
    ch3,
    ch4,
    ch5,
    ch6,
    ch7_activations,
    ch7_weights,
    ch8,
)
from dropout_lab.exercises.keys.base import Exercise, Quiz

_CHAPTERS: tuple[ModuleType, ...] = (ch1, ch2, ch3, ch4, ch5, ch6, ch7_weights, ch7_activations, ch8)
_BEYOND: tuple[ModuleType, ...] = (
    beyond_linear,
    beyond_means,
    beyond_dictionary,
    beyond_learned_noise,
    beyond_variance_shift,
    beyond_depth_and_blocks,
    beyond_transformer,
    beyond_binary_output,
    beyond_fast_enumeration,
    beyond_mc_dropout,
)
_Entry = TypeVar("_Entry")


def _joined(*parts: Mapping[str, _Entry]) -> dict[str, _Entry]:
    names = list(chain.from_iterable(parts))
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two entries of the answer key have the id {twice[0]!r}")
    return {name: entry for part in parts for name, entry in part.items()}


#: All exercises, by their ids.
EXERCISES: dict[str, Exercise] = _joined(*(chapter.EXERCISES for chapter in (*_CHAPTERS, *_BEYOND)))
#: All quizzes, by their ids.
QUIZZES: dict[str, Quiz] = _joined(*(chapter.QUIZZES for chapter in (*_CHAPTERS, *_BEYOND)))
