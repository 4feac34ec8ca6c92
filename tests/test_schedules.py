"""Schedules of the keep probability: their values, who gets them, and that nothing but the step decides."""

import copy
import io
import math
import pickle

import numpy as np
import pytest
import torch

import dropout_lab.nn as ours
from dropout_lab import bayes, conversion, functional, schedules

MADE = {
    "constant": schedules.constant(0.7),
    "linear": schedules.linear(0.9, 0.1, 10),
    "cosine": schedules.cosine(0.1, 1.0, 10),
    "early": schedules.early(0.7, 10),
    "early, falling": schedules.early(0.7, 10, linear=True),
    "late": schedules.late(0.7, 10),
    "curriculum": schedules.curriculum(0.7, 0.3),
    "stairs": schedules.stairs(schedules.linear(0.9, 0.1, 10), 3),
}


def definition(name: str, t: int) -> float:
    """The value at step ``t``, written out."""
    part = min(t / 10, 1)
    return {
        "constant": 0.7,
        "linear": 0.9 - 0.8 * part,
        "cosine": 1 - 0.9 * (1 + math.cos(math.pi * part)) / 2,
        "early": 0.7 if t < 10 else 1.0,
        "early, falling": 1 - 0.3 * (1 - part),
        "late": 1.0 if t < 10 else 0.7,
        "curriculum": (1 - 0.7) * math.exp(-0.3 * t) + 0.7,
        "stairs": 0.9 - 0.8 * min((t // 3) * 3 / 10, 1),
    }[name]


@pytest.mark.parametrize("name", MADE)
def test_a_schedule_is_its_formula_and_a_plain_value(name):
    schedule = MADE[name]
    for step in (0, 1, 2, 5, 9, 10, 11, 1000, np.int64(7)):
        value = schedule(step)
        assert type(value) is float
        assert value == pytest.approx(definition(name, int(step)), abs=1e-12)
        assert 0 <= value <= 1
    assert copy.deepcopy(schedule) == schedule == pickle.loads(pickle.dumps(schedule))
    assert hash(schedule) == hash(copy.copy(schedule))
    assert eval(repr(schedule), {"schedules": schedules}) == schedule
    with pytest.raises(AttributeError):
        schedule.kind = "other"


def test_the_ends_are_exact():
    for end in (0.1, 0.3, 0.0, 1.0):
        for make in (schedules.linear, schedules.cosine):
            assert make(0.7, end, 7)(0) == 0.7
            assert make(0.7, end, 7)(7) == make(0.7, end, 7)(8) == end
    for keep_prob in np.linspace(0, 1, 101):
        assert schedules.curriculum(keep_prob, 1e-3)(0) == 1
        assert 0 <= schedules.curriculum(keep_prob, 3.0)(10**6) == pytest.approx(keep_prob, abs=1e-15)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: schedules.constant(1.5), ValueError, "between 0 and 1"),
        (lambda: schedules.constant("0.5"), TypeError, "number"),
        (lambda: schedules.linear(0.5, -0.1, 10), ValueError, "end: keep_prob"),
        (lambda: schedules.linear(math.nan, 0.1, 10), ValueError, "start: keep_prob"),
        (lambda: schedules.linear(1, 0.1, 0), ValueError, "steps must be at least 1"),
        (lambda: schedules.cosine(1, 0.1, 2.5), TypeError, "steps must be an integer"),
        (lambda: schedules.early(0.5, -1), ValueError, "steps"),
        (lambda: schedules.early(0.5, 10, linear=1), TypeError, "linear"),
        (lambda: schedules.late(0.5, True), TypeError, "start"),
        (lambda: schedules.curriculum(0.5, 0), ValueError, "gamma"),
        (lambda: schedules.curriculum(0.5, math.inf), ValueError, "gamma"),
        (lambda: schedules.stairs(lambda step: 0.5, 10), TypeError, "Schedule"),
        (lambda: schedules.constant(0.5)(-1), ValueError, "step must be at least 0"),
        (lambda: schedules.constant(0.5)(1.0), TypeError, "step must be an integer"),
        (lambda: schedules.constant(0.5)(True), TypeError, "step must be an integer"),
    ],
)
def test_bad_arguments_are_refused_in_words(make, error, says):
    with pytest.raises(error, match=says):
        make()


LAYERS = {
    "ours": lambda: ours.Dropout(0.5),
    "channels": lambda: ours.SpatialDropout(0.5),
    "blocks": lambda: ours.DropBlock(0.5, 3),
    "path": lambda: ours.DropPath(0.5),
    "tokens": lambda: ours.TokenDropout(0.5),
    "attention": lambda: ours.AttentionDropout(0.5),
    "variational": lambda: ours.VariationalDropout(0.5),
    "gaussian": lambda: ours.GaussianDropout(0.5),
    "weights": lambda: ours.DropConnect(torch.nn.Linear(3, 3), 0.5),
    "lstm": lambda: ours.VariationalLSTM(3, 3, keep_prob=0.5),
    "torch": lambda: torch.nn.Dropout(0.5),
    "torch, channels": lambda: torch.nn.Dropout2d(0.5),
    "torch, alpha": lambda: torch.nn.AlphaDropout(0.5),
    "torch, lstm": lambda: torch.nn.LSTM(3, 3, 2, dropout=0.5),
    "torch, attention": lambda: torch.nn.MultiheadAttention(4, 2, dropout=0.5),
}


def keep_prob_of(layer):
    if hasattr(layer, "keep_prob"):
        return layer.keep_prob
    return pytest.approx(1 - (layer.p if hasattr(layer, "p") else layer.dropout))


@pytest.mark.parametrize("kind", LAYERS)
def test_every_layer_takes_one(kind):
    layer = LAYERS[kind]()
    model = torch.nn.Sequential(torch.nn.Identity(), layer)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert schedules.attach(model, schedules.linear(0.9, 0.1, 8)) is model
    assert keep_prob_of(layer) == 0.5  # Nothing is set before it is applied.
    for step in (0, 3, 8, 3):
        found = schedules.apply(model, step)
        assert found["1"] == schedules.linear(0.9, 0.1, 8)(step) == keep_prob_of(layer)
        assert schedules.apply(model, step) == found
    if kind == "lstm":
        assert layer.recurrent_keep_prob == found["1.recurrent_keep_prob"] == found["1"]
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_the_mask_has_the_rate_that_was_set():
    # A frequency of 40 000 draws is off by 6 standard deviations with probability 2e-9, twice four times.
    x = torch.ones(200, 200)
    torch.manual_seed(0)
    for layer in (ours.Dropout(0.5), torch.nn.Dropout(0.5)):
        schedules.attach(layer, schedules.early(0.8, 10, linear=True))
        for step in (0, 5, 9, 10):
            keep_prob = schedules.apply(layer, step)[""]
            kept = (layer(x) != 0).float().mean().item()
            assert abs(kept - keep_prob) <= 6 * math.sqrt(keep_prob * (1 - keep_prob) / 40_000)
        assert torch.equal(layer(x), x)


def test_a_training_taken_up_again_goes_on_as_it_would_have():
    model = torch.nn.Sequential(ours.Dropout(0.5), torch.nn.Linear(2, 2), torch.nn.Dropout(0.3))
    schedules.attach(model, schedules.curriculum(0.6, 0.1))
    straight = [schedules.apply(model, step) for step in range(20)]
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(buffer, weights_only=False)):
        assert schedules.attached(again) == schedules.attached(model)
        assert [schedules.apply(again, step) for step in range(10, 20)] == straight[10:]
    # A copy is on its own.
    twin = copy.deepcopy(model)
    schedules.apply(twin, 0)
    assert (twin[0].keep_prob, model[0].keep_prob) == (1.0, straight[-1]["0"])


def test_layers_are_chosen_by_class_function_and_name():
    def build():
        return torch.nn.Sequential(ours.DropPath(0.5), ours.Dropout(0.5), torch.nn.Dropout(0.5))

    one = schedules.constant(0.9)
    assert set(schedules.attached(schedules.attach(build(), one, where=ours.DropPath))) == {"0"}
    chosen = schedules.attach(build(), one, where=(ours.Dropout, torch.nn.Dropout))
    assert set(schedules.attached(chosen)) == {"1", "2"}
    assert set(schedules.attached(schedules.attach(build(), one, where=lambda name, layer: name > "0"))) == {"1", "2"}
    model = schedules.attach(build(), {"0": one, "2": schedules.early(0.5, 3)})
    assert schedules.apply(model, 3) == {"0": 0.9, "2": 1.0}
    assert model[1].keep_prob == 0.5
    # What is attached later replaces what was there, and the rest stays.
    schedules.attach(model, schedules.constant(0.4), where=torch.nn.Dropout)
    assert schedules.apply(model, 3) == {"0": 0.9, "2": 0.4}
    assert schedules.attached(schedules.detach(model)) == {}
    assert model[2].p == 0.6


def test_a_schedule_by_depth():
    model = torch.nn.ModuleList(ours.DropPath(1.0) for _ in range(6))
    names = [name for name, layer in model.named_modules() if isinstance(layer, ours.DropPath)]
    last = functional.linear_decay(6, 0.4)
    schedules.attach(model, {name: schedules.linear(1, p, 10) for name, p in zip(names, last, strict=True)})
    assert list(schedules.apply(model, 10).values()) == last
    assert [layer.keep_prob for layer in model] == last


def test_a_shared_layer_is_set_once_and_called_by_either_name():
    layer = ours.Dropout(0.5)
    model = torch.nn.ModuleDict({"a": layer, "b": layer})
    assert schedules.apply(schedules.attach(model, {"b": schedules.constant(0.9)}), 0) == {"a": 0.9}
    assert layer.keep_prob == 0.9


def test_recurrent_keep_probs():
    same, differ = ours.VariationalLSTM(2, 2, keep_prob=0.8), ours.VariationalGRU(2, 2, keep_prob=0.8)
    differ.recurrent_keep_prob = 0.6
    one = schedules.constant(0.9)
    assert schedules.apply(schedules.attach(same, one), 0) == {"": 0.9, "recurrent_keep_prob": 0.9}
    with pytest.raises(ValueError, match=r"differ: say with which="):
        schedules.attach(differ, one)
    schedules.attach(differ, one, which="recurrent_keep_prob")
    schedules.attach(differ, schedules.constant(0.7), which="keep_prob")
    assert schedules.apply(differ, 0) == {"recurrent_keep_prob": 0.9, "": 0.7}
    assert (differ.keep_prob, differ.recurrent_keep_prob) == (0.7, 0.9)
    inputs = ours.VariationalLSTM(2, 2, keep_prob=0.8, masks="input")
    schedules.apply(schedules.attach(inputs, one), 0)
    assert (inputs.keep_prob, inputs.recurrent_keep_prob) == (0.9, 1.0)
    with pytest.raises(ValueError, match="no 'recurrent_keep_prob'"):
        schedules.attach(inputs, one, which="recurrent_keep_prob")


def test_torch_layers_without_dropout_get_none():
    plain = torch.nn.Sequential(torch.nn.LSTM(2, 2, 2), torch.nn.MultiheadAttention(2, 1))
    with pytest.raises(ValueError, match="no dropout layer"):
        schedules.attach(plain, schedules.constant(0.5))
    # One that a schedule has switched off is switched on again.
    layer = schedules.attach(torch.nn.LSTM(2, 2, 2, dropout=0.5), schedules.late(0.5, 1))
    for step, rate in ((0, 0.0), (1, 0.5), (0, 0.0), (2, 0.5)):
        schedules.apply(layer, step)
        assert layer.dropout == rate


@pytest.mark.parametrize(
    "learned", [lambda: bayes.ConcreteDropout(torch.nn.Linear(2, 2)), lambda: bayes.LearnedGaussianDropout(2, 2)]
)
def test_a_learned_keep_prob_is_refused_by_name(learned):
    model = torch.nn.Sequential(ours.Dropout(0.5), learned())
    with pytest.raises(TypeError, match=r"'1' learns its keep probability.*where="):
        schedules.attach(model, schedules.constant(0.5))
    assert schedules.attached(model) == {}
    schedules.attach(model, schedules.constant(0.9), where=ours.Dropout)
    assert schedules.apply(model, 0) == {"0": 0.9}


def test_what_cannot_be_attached_is_refused_and_changes_nothing():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), ours.Dropout(0.5))
    one = schedules.constant(0.5)
    for given, options, error, says in (
        ({"1": one, "0": one}, {}, ValueError, "called '0'"),
        ({"1": one, "drop": one}, {}, ValueError, "called 'drop'"),
        ({"1": one}, {"where": ours.Dropout}, ValueError, "mapping by name"),
        ({}, {}, ValueError, "no dropout layer"),
        (0.5, {}, TypeError, "function of the step, got float"),
        (one, {"where": torch.nn.Dropout}, ValueError, "no dropout layer"),
        (one, {"which": "rate"}, ValueError, "no 'rate'"),
        (one, {"where": "1"}, TypeError, "a function of name and layer, got str"),
    ):
        with pytest.raises(error, match=says):
            schedules.attach(model, given, **options)
        assert schedules.attached(model) == {}
    for call in (schedules.attached, schedules.detach, lambda given: schedules.apply(given, 0)):
        with pytest.raises(TypeError, match=r"of a torch\.nn\.Module, got list"):
            call([model])


def test_apply_refuses_before_it_sets():
    with pytest.raises(ValueError, match="has no schedules"):
        schedules.apply(torch.nn.Sequential(ours.Dropout(0.5)), 0)
    model = torch.nn.Sequential(ours.Dropout(0.5), ours.GaussianDropout(0.5))
    schedules.attach(model, schedules.linear(1, 0, 10))
    with pytest.raises(ValueError, match="'1' gives 0 at step 10"):
        schedules.apply(model, 10)
    assert [layer.keep_prob for layer in model] == [0.5, 0.5]
    for step, error in ((-1, ValueError), (1.5, TypeError), (torch.tensor(1), TypeError)):
        with pytest.raises(error, match="step"):
            schedules.apply(model, step)
    for rule, error, says in (
        (lambda step: 1.5, ValueError, "'0' at step 3"),
        (lambda step: "x", TypeError, "'0' at step 3"),
    ):
        schedules.attach(model, rule)
        with pytest.raises(error, match=says):
            schedules.apply(model, 3)
    assert [layer.keep_prob for layer in model] == [0.5, 0.5]


def test_a_compiled_model_sees_each_value():
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    torch._dynamo.reset()
    model = torch.nn.Sequential(ours.Dropout(0.5), torch.nn.Dropout(0.5))
    schedules.attach(model, schedules.stairs(schedules.linear(1.0, 0.0, 4), 2))
    run, x = torch.compile(model, backend=backend), torch.ones(8, 8)
    zeros = []
    for step in range(6):
        schedules.apply(run, step)
        zeros.append((run(x) == 0).float().mean().item())
    # The values are 1, 1, 0.5, 0.5, 0 and 0; that 3/4 of 64 elements are lost, all or none, has a probability of 1e-8.
    assert (zeros[:2], zeros[4:]) == ([0, 0], [1, 1])
    assert all(0 < lost < 1 for lost in zeros[2:4])
    assert len(compiled) <= 3


def test_a_conversion_hands_schedules_over():
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Dropout1d(0.5))
    schedules.attach(model, schedules.late(0.25, 2))
    for to in ("dropout_lab", "torch"):
        model = conversion.convert(model, to=to)
        assert schedules.apply(model, 2) == {"0": 0.25, "1": 0.25}
        assert [keep_prob_of(layer) for layer in model] == [0.25, 0.25]
