"""The store of trained stacks on disk, so that a sweep that was interrupted goes on where it stopped.

Used only when the environment variable ``DROPOUT_LAB_STORE`` names a folder; otherwise everything is computed afresh,
as the book does. A key is the digest of the code, the recipes and seeds, and the data. An entry is written under
another name and moved, so a killed worker leaves no half entry; one that is damaged all the same is noticed by its
digest, said in a warning, and computed again.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import uuid
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dropout_lab.experiments.data import Dataset
from dropout_lab.experiments.plan import Replica
from dropout_lab.experiments.trained import Trained

#: The environment variable that names the folder.
VARIABLE = "DROPOUT_LAB_STORE"
_DIGEST_BYTES = 32


def trained(
    dataset: Dataset,
    replicas: Sequence[Replica],
    device: str,
    train: Callable[[Dataset, Sequence[Replica], str], Trained],
) -> Trained:
    """Return the stack that ``train`` makes, from the store if it is there, else trained and kept.

    >>> from dropout_lab.experiments.data import digits
    >>> from dropout_lab.experiments.plan import Recipe
    >>> from dropout_lab.experiments.training import train
    >>> len(trained(digits(), [Replica("a", 0, Recipe(train_size=50, steps=1))], "cpu", train))
    1
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return train(dataset, replicas, device)
    path = Path(folder) / f"{key(dataset, replicas, device)}.stack"
    parameters = _read(path, device)
    if parameters is not None:
        return Trained(dataset, replicas, parameters)
    stack = train(dataset, replicas, device)
    _write(path, stack.parameters)
    return stack


def key(dataset: Dataset, replicas: Sequence[Replica], device: str) -> str:
    """Compute a digest of what a trained stack depends on.

    That is the code, torch's version, the data, the kind of device, the recipes and the seeds.

    >>> from dropout_lab.experiments.data import digits
    >>> from dropout_lab.experiments.plan import Recipe
    >>> stacks = [[Replica("a", seed, Recipe())] for seed in (0, 1)]
    >>> key(digits(), stacks[0], "cpu") == key(digits(), stacks[1], "cpu")
    False
    """
    digest = hashlib.sha256(f"{code()} {torch.__version__} {dataset.fingerprint} {device.split(':')[0]}".encode())
    for replica in replicas:
        digest.update(f"{replica.seed} {replica.recipe.as_text()}\n".encode())
    return digest.hexdigest()


@functools.cache
def code() -> str:
    """Compute a digest of the source files that training stands on.

    >>> len(code())
    64
    """
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def sources() -> list[Path]:
    """Return the source files that training stands on: the package's ground, ``functional``, and the experiments.

    Recipes are left out, for the recipe itself is part of a key; and measures, for they come after training.

    >>> "dense.py" in {path.name for path in sources()}
    True
    """
    package = Path(__file__).parents[1]
    folders = (package, package / "functional", package / "experiments", package / "experiments" / "networks")
    return sorted(path for folder in folders for path in folder.glob("*.py"))


def _read(path: Path, device: str) -> dict[str, Tensor] | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        warnings.warn(f"the stored stack {path.name} is damaged; it is trained again", stacklevel=2)
        return None
    with np.load(io.BytesIO(body)) as arrays:
        return {name: torch.from_numpy(arrays[name]).to(device) for name in arrays.files}


def _write(path: Path, parameters: dict[str, Tensor]) -> None:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: value.cpu().numpy() for name, value in parameters.items()}
    np.savez(buffer, **arrays)
    body = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    passing = path.with_suffix(f".{uuid.uuid4().hex}")
    passing.write_bytes(hashlib.sha256(body).digest() + body)
    os.replace(passing, path)
