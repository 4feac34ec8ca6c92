"""The digest of an experiment: the same for every replication of it, another one for any other experiment."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from types import FunctionType, MethodType

import numpy as np
from torch import Tensor

from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.plan import Recipe


def of_run(dataset: Dataset, arms: Mapping[str, Recipe], seeds: Sequence[int], measures: Sequence[Callable]) -> str:
    """Compute a digest of the data, the arms with all their settings, the seeds, and the measures with theirs.

    ``seeds`` are those of the book: whoever replicates gives the places that their seeds take there. Raises TypeError
    for a measure whose settings :func:`written` cannot write.

    >>> from dropout_lab.experiments import data, measures
    >>> few, more = (of_run(data.digits(), {"none": Recipe()}, range(n), [measures.error]) for n in (3, 4))
    >>> len(few), few == more
    (64, False)
    """
    planned = [f"{arm!r}: {recipe.as_text()}" for arm, recipe in arms.items()]
    measured = [written(measure) for measure in measures]
    return hashlib.sha256(repr((dataset.fingerprint, planned, list(seeds), measured)).encode()).hexdigest()


def written(value: object) -> str:
    """Write a setting as a text that holds all of it; a measure by its name and what it was made with.

    A function of the package or of another library is written as its name, with the values that it closes over and the
    arguments that ``functools.partial`` bound. One that a page or a script defines has no name to go by, so its text
    stands here, too. Arrays and data sets are written as digests. Raises TypeError for what has no such text.

    >>> from dropout_lab.experiments import measures
    >>> written(measures.monte_carlo((1, 5)))
    'dropout_lab.experiments.measures.averaging.monte_carlo.<locals>.measure{wanted: [1, 5]}'
    """
    if isinstance(value, np.generic):
        return written(value.item())
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return repr(value)
    if isinstance(value, (np.ndarray, Tensor)):
        array = np.ascontiguousarray(value.detach().cpu().numpy() if isinstance(value, Tensor) else value)
        return f"array{array.shape} of {array.dtype} {hashlib.sha256(array.tobytes()).hexdigest()}"
    if isinstance(value, Dataset):
        return value.fingerprint
    if isinstance(value, Recipe):
        return value.as_text()
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{written(key)}: {written(own)}' for key, own in value.items())}}}"
    if isinstance(value, Set):
        return f"{{{', '.join(sorted(map(written, value)))}}}"
    if isinstance(value, (list, tuple, range)):
        return f"[{', '.join(map(written, value))}]"
    if is_dataclass(value) and not isinstance(value, type):
        return _name(type(value)) + written({own.name: getattr(value, own.name) for own in fields(value)})
    return _callable(value)


def _callable(value: object) -> str:
    if isinstance(value, functools.partial):
        return f"{written(value.func)} of {written(value.args)} and {written(value.keywords)}"
    if isinstance(value, MethodType):
        return f"{written(value.__self__)}.{value.__name__}"
    if isinstance(value, type):
        return _name(value)
    inner = inspect.unwrap(value) if callable(value) else value
    if not isinstance(inner, FunctionType):
        raise TypeError(
            f"a measure's setting of type {type(value).__name__} cannot be written into the digest of the experiment; "
            "use numbers, texts, arrays, frozen dataclasses or functions"
        )
    closed = dict(zip(inner.__code__.co_freevars, inner.__closure__ or (), strict=True))
    settings = ", ".join(f"{name}: {written(cell.cell_contents)}" for name, cell in closed.items())
    return _name(inner) + (f"{{{settings}}}" if closed else "") + _text(inner)


def _text(function: FunctionType) -> str:
    if function.__module__ != "__main__":
        return ""
    try:
        return f" {inspect.getsource(function)!r}"
    except OSError:
        raise TypeError(f"the measure {function.__qualname__} has no text; define it in a file or in a cell") from None


def _name(value: type | FunctionType) -> str:
    return f"{value.__module__}.{value.__qualname__}"
