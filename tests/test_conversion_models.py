"""Whole models before and after a conversion: the same outputs, distributions and state dicts."""

import copy
import pickle

import foreign_layers as foreign
import pytest
import torch
from foreign_models import ARCHITECTURES, quietly
from torch import nn

from dropout_lab import ensemble, inference
from dropout_lab.conversion import convert


@pytest.fixture(params=ARCHITECTURES)
def case(request):
    torch.manual_seed(0)
    build, inputs = ARCHITECTURES[request.param]
    return build(), inputs()


def test_a_converted_model_is_the_same_in_eval_and_passes_state_dicts(case):
    model, x = case
    old = copy.deepcopy(model).eval()
    expected, weights = old(x), [id(weight) for weight in model.parameters()]
    new = quietly(model)
    assert new is model
    assert new.training
    assert not any(type(layer) in (nn.Dropout, nn.Dropout2d, foreign.DropPath) for layer in new.modules())
    assert torch.equal(new.eval()(x), expected)
    assert [id(weight) for weight in new.parameters()] == weights
    assert list(new.state_dict()) == list(old.state_dict())
    assert all(torch.equal(value, old.state_dict()[name]) for name, value in new.state_dict().items())
    with torch.no_grad():
        for weight in old.parameters():
            weight.add_(1)
    new.load_state_dict(old.state_dict())
    assert torch.equal(new(x), old(x))
    for twin in (copy.deepcopy(new), pickle.loads(pickle.dumps(new))):
        assert torch.equal(twin(x), old(x))
    back = quietly(new, to="torch")
    assert torch.equal(back.eval()(x), old(x))
    old.load_state_dict(back.state_dict())


def test_a_converted_model_has_the_same_distribution_in_training(case):
    # Means and variances of 400 runs each. Of at most 120 outputs one differs by 6 standard errors with probability
    # below 1e-6; variances are held to a factor of 2, which for 400 runs is some 7 standard errors, or 3 where the
    # fourth moment is large.
    model, x = case
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    old = copy.deepcopy(model)
    new = quietly(model)
    for module in new.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    torch.manual_seed(1)
    with torch.no_grad():
        before = torch.stack([old(x) for _ in range(400)]).double()
        after = torch.stack([new(x) for _ in range(400)]).double()
    error = ((before.var(0) + after.var(0)) / 400).sqrt() + 1e-9
    assert ((before.mean(0) - after.mean(0)).abs() <= 6 * error).all()
    ratio = after.var(0).mean() / before.var(0).mean()
    assert 0.5 < ratio < 2


def test_the_rest_of_the_package_takes_converted_models():
    torch.manual_seed(0)
    model = convert(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.5, inplace=True), nn.Linear(4, 2)))
    x = torch.randn(5, 3)
    exact = ensemble.exact_mean(model, x)
    found = inference.monte_carlo(model, x, 400, generator=torch.Generator().manual_seed(0))
    # Of 10 outputs one is off by 6 standard errors with probability 2e-8.
    assert ((found.mean - exact).abs() <= 6 * found.standard_error + 1e-6).all()
    with inference.record(model) as masks:
        first = model(x)
    with inference.replay(model, masks):
        assert torch.equal(model(x), first)


def test_converted_models_compile_and_train():
    torch.manual_seed(0)
    torch._dynamo.reset()
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Dropout1d(0.5), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model = convert(model, seed=0)
    run = torch.compile(model, backend="eager", fullgraph=True)
    x, before = torch.randn(6, 4), model[0].weight.clone()
    assert torch.equal(run(x), model(x))
    run(x).square().sum().backward()
    optimizer.step()
    assert not torch.equal(model[0].weight, before)
