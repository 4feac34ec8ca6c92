"""Masks as a function of (seed, layer, step, example): the same in every context, told apart by each of the four."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
from scipy import stats
from torch.utils.checkpoint import checkpoint

from dropout_lab import functional, inference, nn, noise

EXAMPLES = 6
#: Each function at inputs of several examples, and where these lie. A mask that weights share has no examples.
FORMS = {
    "dropout": (lambda x, source: functional.dropout(x, 0.6, generator=source), (EXAMPLES, 40), 0),
    "wide dropout": (lambda x, source: functional.dropout(x, 0.6, generator=source), (EXAMPLES, 3000), 0),
    "original": (lambda x, source: functional.dropout(x, 0.6, rescale=False, generator=source), (EXAMPLES, 40), 0),
    "gaussian": (lambda x, source: functional.gaussian_dropout(x, 0.6, generator=source), (EXAMPLES, 40), 0),
    "spatial": (lambda x, source: functional.spatial_dropout(x, 0.6, generator=source), (EXAMPLES, 40, 3), 0),
    "block": (lambda x, source: functional.drop_block(x, 0.8, 3, generator=source), (EXAMPLES, 5, 8, 8), 0),
    "variational": (
        lambda x, source: functional.variational_dropout(x, 0.6, generator=source), (EXAMPLES, 3, 40), 0,
    ),
    "time first": (
        lambda x, source: functional.variational_dropout(x, 0.6, time_dim=0, generator=source), (3, EXAMPLES, 40), 1,
    ),
    "time first, from the end": (
        lambda x, source: functional.variational_dropout(x, 0.6, time_dim=-3, generator=source), (3, EXAMPLES, 40), 1,
    ),
    "path": (lambda x, source: functional.drop_path(x, 0.6, generator=source), (EXAMPLES, 4), 0),
    "token": (lambda x, source: functional.token_dropout(x, 0.6, generator=source), (EXAMPLES, 30, 2), 0),
    "attention": (lambda x, source: functional.attention_dropout(x, 0.6, generator=source), (EXAMPLES, 2, 5, 5), 0),
    "connect": (
        lambda x, source: functional.drop_connect(x, torch.ones(7, 40), None, 0.6, generator=source), (EXAMPLES, 40), 0,
    ),
}  # fmt: skip


@pytest.fixture(params=FORMS, name="form")
def each_form(request):
    return FORMS[request.param]


def test_an_example_keeps_its_mask_in_any_batch(form):
    function, shape, axis = form
    stream, x = noise.Stream(5, "a"), torch.ones(shape)
    whole = function(x, stream)
    order = [4, 0, 5]
    others = function(x.index_select(axis, torch.tensor(order)), stream.at(examples=order))
    assert torch.equal(others, whole.index_select(axis, torch.tensor(order)))
    assert not torch.equal(whole.select(axis, 0), whole.select(axis, 1)) or shape == (EXAMPLES, 4)


def test_compiled_code_draws_the_same_masks(form):
    function, shape, _ = form
    stream, x = noise.Stream(5, "a"), torch.ones(shape)
    compiled = torch.compile(lambda x: function(x, stream))
    assert torch.allclose(compiled(x), function(x, stream), rtol=1e-6, atol=0)
    stream.advance()
    assert torch.allclose(compiled(x), function(x, stream), rtol=1e-6, atol=0), "the step is not a constant of the code"


def test_mapping_over_examples_draws_the_same_masks():
    stream, x = noise.Stream(5, "a"), torch.ones(EXAMPLES, 40)
    mapped = torch.vmap(lambda row, number: functional.dropout(row, generator=stream.at(examples=number)))
    assert torch.equal(mapped(x, torch.arange(EXAMPLES)), functional.dropout(x, generator=stream))


def test_long_and_short_masks_of_many_and_few_examples_agree():
    """The two ways of computing the words meet at these borders."""
    stream = noise.Stream(1, "a")
    for count in (1, 1024, 1025):
        many = stream.at().levels((300, count))
        assert torch.equal(many[:200], stream.at().levels((200, count)))
        assert torch.equal(many[200:], stream.at(examples=range(200, 300)).levels((100, count)))


def test_order_of_calls_and_the_global_seed_do_not_matter():
    model = torch.nn.Sequential(nn.Dropout(stream=noise.Stream(0, "a")), nn.Dropout(stream=noise.Stream(0, "b")))
    x = torch.ones(4, 50)
    torch.manual_seed(0)
    first, second = model[0](x), model[1](x)
    torch.manual_seed(1)
    assert torch.equal(model[1](x), second) and torch.equal(model[0](x), first)


def test_threads_do_not_matter():
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(functional.dropout(torch.ones(3, 70_000), generator=noise.Stream(2)))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


def masks_of(examples):
    """In a process of its own: the masks of some examples."""
    return functional.dropout(torch.ones(len(examples), 30), generator=noise.Stream(9).at(examples=examples))


def test_two_processes_draw_the_masks_that_one_draws():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = list(pool.map(masks_of, ([0, 1], [2, 3])))
    assert torch.equal(torch.cat(parts), masks_of([0, 1, 2, 3]))


@pytest.mark.parametrize("reentrant", (False, True))
def test_checkpointing_repeats_the_mask(reentrant):
    x = torch.ones(1, 1000, requires_grad=True)
    layer = nn.Dropout(stream=noise.Stream(3))
    y = checkpoint(lambda t: layer(t * 1.0), x, use_reentrant=reentrant)
    y.sum().backward()
    assert torch.equal(x.grad != 0, y != 0)


@pytest.mark.parametrize(
    "other",
    (
        noise.Stream(6, "a"),
        noise.Stream(5, "b"),
        noise.Stream(5, "a", step=1),
        noise.Stream(5, "a").at(examples=[7]),
        noise.Stream(5, "a").at().at_place(1),
    ),
)
def test_seed_layer_step_example_and_place_tell_masks_apart(other):
    x = torch.ones(1, 200)
    assert not torch.equal(
        functional.dropout(x, generator=noise.Stream(5, "a")), functional.dropout(x, generator=other)
    )


def test_the_numbers_are_independent_and_uniform():
    """Kolmogorov and Smirnov's test of the levels, Pearson's of the correlation of neighbors along each coordinate.

    Twelve p-values, each below 1e-4 with that probability: a false alarm of 1.2e-3, once for all, for nothing varies.
    """
    table = torch.stack([noise.Stream(0, "a", step=step).at().levels((40, 50)) for step in range(40)]).double() / 2**32
    assert stats.kstest(table.flatten().numpy(), "uniform").pvalue > 1e-4
    for axis in range(3):
        one, two = table.narrow(axis, 0, table.shape[axis] - 1), table.narrow(axis, 1, table.shape[axis] - 1)
        assert stats.pearsonr(one.flatten().numpy(), two.flatten().numpy()).pvalue > 1e-4
    for place in range(1, 5):
        other = noise.Stream(0, "a").at().at_place(place).levels((2000,)).double()
        assert stats.pearsonr(noise.Stream(0, "a").at().levels((2000,)).double().numpy(), other.numpy()).pvalue > 1e-4
    for layer in "bcde":
        other = noise.Stream(0, layer).at().levels((2000,)).double()
        assert stats.pearsonr(noise.Stream(0, "a").at().levels((2000,)).double().numpy(), other.numpy()).pvalue > 1e-4
    normal = noise.normal((20_000,), generator=noise.Stream(1).at(examples=0))
    assert stats.kstest(normal.numpy(), "norm").pvalue > 1e-4


@pytest.mark.parametrize("keep_prob", (1e-9, 0.1, 0.5, 1 - 1e-9))
def test_the_rate_is_met(keep_prob):
    """The number kept is binomial: it lies outside a 1 − 1e-6 interval once in a million, for each of the four."""
    kept = noise.bernoulli((200_000,), keep_prob, generator=noise.Stream(0).at(examples=0)).sum().item()
    low, high = stats.binom.interval(1 - 1e-6, 200_000, keep_prob)
    assert low <= kept <= high


def models():
    """A model for each kind of layer, with an input."""
    stream = noise.Stream(7)
    yield torch.nn.Sequential(nn.Dropout(stream=stream), nn.GaussianDropout(stream=stream)), torch.ones(3, 20)
    yield (
        torch.nn.Sequential(nn.SpatialDropout(stream=stream), nn.DropBlock(0.8, 3, stream=stream)),
        torch.ones(2, 9, 6, 6),
    )
    yield (
        torch.nn.Sequential(nn.VariationalDropout(stream=stream), nn.TokenDropout(stream=stream)),
        torch.ones(3, 9, 20),
    )
    yield nn.AttentionDropout(stream=stream), torch.ones(2, 2, 9, 9)
    yield nn.DropPath(stream=stream), torch.ones(40, 2)
    yield nn.DropConnect(torch.nn.Linear(20, 4), stream=stream), torch.ones(3, 20)
    yield nn.VariationalLSTM(5, 4, num_layers=2, stream=stream), torch.ones(6, 3, 5)
    yield nn.VariationalGRU(5, 4, masks="untied", stream=stream), torch.ones(6, 3, 5)
    yield nn.LearnedGaussianDropout(20, 4, stream=stream), torch.ones(3, 20)
    yield nn.ConcreteDropout(torch.nn.Linear(20, 4), stream=stream), torch.ones(3, 20)
    generator = torch.Generator().manual_seed(3)
    yield torch.nn.Sequential(nn.Dropout(generator=generator), nn.Dropout(generator=generator)), torch.ones(3, 20)
    yield nn.VariationalGRU(5, 4, generator=torch.Generator().manual_seed(3)), torch.ones(6, 3, 5)
    yield nn.ConcreteDropout(torch.nn.Linear(20, 4), generator=torch.Generator().manual_seed(3)), torch.ones(3, 20)


def output(model, x):
    found = model(x)
    return found[0] if isinstance(found, tuple) else found


@pytest.mark.parametrize("number", range(13))
def test_a_model_with_its_own_source_is_reproducible_and_survives_copies(number):
    model, x = list(models())[number]
    before = copy.deepcopy(model.state_dict())
    pickled, saved = pickle.dumps(model), io.BytesIO()
    torch.save(before, saved)
    copied = copy.deepcopy(model)
    torch.manual_seed(1)
    found = output(model, x)
    for other in (copied, pickle.loads(pickled)):
        torch.manual_seed(2)
        assert torch.equal(output(other, x), found)
    saved.seek(0)
    model.load_state_dict(torch.load(saved))
    assert torch.equal(output(model, x), found)


def test_an_old_state_dict_leaves_the_source_as_it_is():
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 3), nn.Dropout(stream=noise.Stream(4)), nn.Dropout(generator=torch.Generator())
    )
    old = {name: value for name, value in model.state_dict().items() if name.startswith("0.")}
    model.load_state_dict(old)
    assert int(model[1].stream.seed) == 4


def test_layers_with_one_stream_are_told_apart():
    stream = noise.Stream(0)
    one, two = nn.Dropout(stream=stream), nn.Dropout(stream=stream)
    assert (one.stream.layer, two.stream.layer) == ("layer 0", "layer 1")
    assert not torch.equal(one(torch.ones(1, 99)), two(torch.ones(1, 99)))


def test_a_model_gets_streams_by_the_names_of_its_layers():
    encoder = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    encoder.dropout = nn.Dropout(0.5)
    model = nn.add_streams(torch.nn.TransformerEncoder(encoder, 2), 3)
    assert [stream.layer for stream in nn.streams(model)] == ["layers.0.dropout", "layers.1.dropout"]
    nn.set_streams(model, step=4, examples=[1, 2])
    assert {int(stream.step) for stream in nn.streams(model)} == {4}
    with pytest.raises(ValueError, match="Linear has no layer of dropout_lab"):
        nn.add_streams(torch.nn.Linear(2, 2), 0)
    with pytest.raises(ValueError, match="Linear has no streams"):
        nn.set_streams(torch.nn.Linear(2, 2), step=0)


def test_what_is_passed_to_a_call_comes_before_the_layers_own_source():
    layer, x = nn.Dropout(stream=noise.Stream(0)), torch.ones(2, 50)
    assert torch.equal(layer(x, generator=noise.Stream(1)), functional.dropout(x, generator=noise.Stream(1)))


def test_monte_carlo_draws_from_the_streams_and_leaves_them_where_they_stood():
    stream = noise.Stream(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 8), nn.Dropout(stream=stream), torch.nn.Linear(8, 3)).eval()
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    found = inference.monte_carlo(model, x, 50)
    torch.manual_seed(1)
    again = inference.monte_carlo(model, x, 50)
    assert torch.equal(found.mean, again.mean) and found.variance.min() > 0
    assert int(model[1].stream.step) == 0
    nn.set_streams(model, examples=range(4))
    parts = inference.monte_carlo(model, x, 50, batch_size=3)
    assert torch.allclose(parts.mean, found.mean, atol=1e-6)
    one, two = (inference.monte_carlo(model, x, 50, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    assert not torch.equal(one.mean, two.mean), "with a generator, all layers draw from it"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    (
        (lambda: noise.Stream(0.5), TypeError, "seed must be an integer, got float"),
        (lambda: noise.Stream(-1), ValueError, r"seed must lie between 0 and 2\^63 - 1, got -1"),
        (lambda: noise.Stream(0, 3), TypeError, "layer is a name or None, got int"),
        (lambda: noise.Stream(0).set(step=True), TypeError, "step must be an integer, got bool"),
        (lambda: noise.Stream(0).at(examples=[0.5]), TypeError, "examples must be integers, got torch.float32"),
        (lambda: noise.Stream(0).at(examples=[-1]), ValueError, "examples must be numbers from 0 on, got -1"),
        (lambda: noise.Stream(0).at(examples=[[1]]), ValueError, "examples must be one number or a list of them"),
        (
            lambda: functional.dropout(torch.ones(3, 2), generator=noise.Stream(0).at(examples=[1, 2])),
            ValueError,
            r"examples gives 2 numbers, and axis 0 of the mask's shape \(3, 2\) has 3",
        ),
        (lambda: nn.Dropout(stream=3), TypeError, r"stream must be a noise.Stream, such as Stream\(0\); got int"),
        (lambda: nn.Dropout(generator=3), TypeError, "generator must be a torch.Generator or a noise.Stream, got int"),
        (
            lambda: nn.Dropout(generator=torch.Generator(), stream=noise.Stream(0)),
            ValueError,
            "give generator or stream, not both",
        ),
    ),
)
def test_bad_sources_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_number_at_the_threshold_is_dropped():
    """Kept are the levels below p · 2^32, so many of them as there are; at the level itself nothing is kept."""
    levels = noise.Stream(0).at().levels((64,))
    for level in levels[:8].tolist():
        kept = noise.bernoulli((64,), level / 2**32, generator=noise.Stream(0).at())
        assert torch.equal(kept == 1, levels < level)


@pytest.mark.parametrize("shape", [(3, 7), (300, 5), (300, 1030), (0, 4), (2, 0)], ids=str)
def test_what_is_below_a_bound_is_so_by_its_level(shape):
    """Few examples, many with few draws, many with many draws: each has its own way of being computed."""
    draws = noise.Stream(2, "a", step=1).at()
    levels = draws.levels(shape)
    # A level itself is a bound that it is not below.
    for bound in (0, 2**31, 2**32, *levels.flatten()[:2].tolist()):
        assert torch.equal(draws.below(shape, bound).bool(), levels < bound)


@pytest.mark.parametrize("size", (1, 2, 4))
def test_monte_carlo_takes_the_numbers_of_the_examples_batch_by_batch(size):
    model = torch.nn.Sequential(nn.Dropout(0.5, stream=noise.Stream(1)), torch.nn.Linear(30, 2))
    x = torch.ones(4, 30)
    nn.set_streams(model, examples=[7, 3, 11, 5])
    whole = inference.monte_carlo(model, x, 5, output="raw").mean
    parts = inference.monte_carlo(model, x, 5, output="raw", batch_size=size).mean
    torch.testing.assert_close(parts, whole)
    assert model[0].stream.examples.tolist() == [7, 3, 11, 5]
    nn.set_streams(model, examples=[0, 1, 2, 3])
    assert not torch.allclose(inference.monte_carlo(model, x, 5, output="raw").mean, whole)


def test_what_is_no_source_has_no_place():
    with pytest.raises(TypeError, match="generator"):
        noise.placed("a seed", 0)
    assert noise.placed(None, 0) is None
