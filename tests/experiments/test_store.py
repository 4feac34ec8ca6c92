"""The store on disk: off unless asked for, resumed after an interruption, and not fooled by a damaged entry."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dropout_lab.experiments import measures, replicas, store
from dropout_lab.experiments.networks import MLP
from dropout_lab.experiments.stack_noise import Bernoulli
from dropout_lab.experiments.training import Recipe, Replica

SMALL = Recipe(network=MLP((8,)), train_size=40, steps=20, batch_size=10)
#: Two forms, so two stacks.
ARMS = {"none": SMALL, "wide": replace(SMALL, network=MLP((9,))).with_noise(hidden=Bernoulli(0.5))}


@pytest.fixture
def trainings(monkeypatch):
    """The names of the arms that were trained, in order."""
    done, train = [], replicas.train

    def counted(dataset, stack, device="cpu"):
        done.append(stack[0].arm)
        return train(dataset, stack, device)

    monkeypatch.setattr(replicas, "train", counted)
    return done


def nlls(dataset, measure=measures.nll):
    return replicas.run(dataset, ARMS, [0, 1], measure, workers=1).table("nll")


def test_without_the_variable_everything_is_computed_afresh(blobs, trainings, monkeypatch, tmp_path):
    monkeypatch.delenv(store.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    first, second = nlls(blobs), nlls(blobs)
    assert trainings == ["none", "wide"] * 2 and not list(tmp_path.iterdir())
    assert first.tobytes() == second.tobytes()


def test_a_stored_stack_is_not_trained_again_and_gives_the_same_bits(blobs, trainings, monkeypatch, tmp_path):
    fresh = nlls(blobs)
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "results"))
    kept, again = nlls(blobs), nlls(blobs)
    assert trainings == ["none", "wide"] * 2
    assert fresh.tobytes() == kept.tobytes() == again.tobytes()


def test_an_interrupted_sweep_goes_on_where_it_stopped(blobs, trainings, monkeypatch, tmp_path):
    fresh = nlls(blobs)
    trainings.clear()
    monkeypatch.setenv(store.VARIABLE, str(tmp_path))
    train = replicas.train

    def interrupted(dataset, stack, device="cpu"):
        if stack[0].arm == "wide":
            raise KeyboardInterrupt
        return train(dataset, stack, device)

    monkeypatch.setattr(replicas, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        nlls(blobs)
    assert trainings == ["none"]
    monkeypatch.setattr(replicas, "train", train)
    resumed = nlls(blobs)
    assert trainings == ["none", "wide"]
    assert resumed.tobytes() == fresh.tobytes()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_entry_is_noticed_and_redone(blobs, trainings, monkeypatch, tmp_path, damage):
    monkeypatch.setenv(store.VARIABLE, str(tmp_path))
    good = nlls(blobs)
    path = sorted(tmp_path.glob("*.stack"))[0]
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes({"cut": content[:-40], "flipped": content, "empty": b""}[damage])
    with pytest.warns(UserWarning, match="is damaged; it is trained again"):
        redone = nlls(blobs)
    assert len(trainings) == 3 and redone.tobytes() == good.tobytes()
    assert nlls(blobs).tobytes() == good.tobytes() and len(trainings) == 3
    assert len(list(tmp_path.iterdir())) == 2


def test_the_key_sees_whatever_the_numbers_depend_on(blobs, monkeypatch):
    changed = replace(blobs, inputs=blobs.inputs + np.float32(1))
    base = SMALL.with_noise(hidden=Bernoulli(0.5))
    arms = [
        base,
        replace(base, steps=21),
        replace(base, learning_rate=0.06),
        base.with_noise(hidden=Bernoulli(0.6)),
        base.with_noise(input=Bernoulli(0.5)),
        replace(base, network=MLP((8, 8))),
    ]
    keys = [store.key(blobs, [Replica("a", 0, arm)], "cpu") for arm in arms]
    keys += [store.key(blobs, [Replica("a", 1, base)], "cpu"), store.key(changed, [Replica("a", 0, base)], "cpu")]
    keys += [store.key(blobs, [Replica("a", 0, base)] * 2, "cpu"), store.key(blobs, [Replica("a", 0, base)], "cuda")]
    monkeypatch.setattr(store, "code", lambda: "other code")
    keys.append(store.key(blobs, [Replica("a", 0, base)], "cpu"))
    assert len(set(keys)) == len(keys)
    assert keys[-1] == store.key(blobs, [Replica("another name", 0, base)], "cpu")


def test_the_digest_covers_all_that_training_imports():
    """In a fresh interpreter: what training a stack has loaded of this package, packages within it included."""
    script = (
        "import sys\n"
        "import dropout_lab.experiments.training\n"
        "loaded = [module for name, module in sys.modules.items() if name.split('.')[0] == 'dropout_lab']\n"
        "print(*{module.__file__ for module in loaded}, sep='\\n')\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {Path(line).resolve() for line in run.stdout.split()}
    covered = {path.resolve() for path in store.sources()}
    assert len(loaded) > 20 and loaded <= covered
    assert not any({"measures", "recipes"} & set(path.parts) for path in covered)


def test_an_edit_in_a_package_changes_the_digest(monkeypatch, tmp_path):
    (network,) = (path for path in store.sources() if path.parent.name == "networks" and path.name == "dense.py")
    edited = tmp_path / "dense.py"
    edited.write_bytes(network.read_bytes() + b"# edited\n")
    before, sources = store.code(), store.sources()
    monkeypatch.setattr(store, "sources", lambda: [edited if path == network else path for path in sources])
    store.code.cache_clear()
    try:
        assert store.code() != before
    finally:
        store.code.cache_clear()
