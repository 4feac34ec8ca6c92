"""Embedding dropout: words vanish with all their occurrences; what the embedding does besides goes on as before."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from family_members import seeded
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from dropout_lab import ensemble, functional, inference, nn
from dropout_lab.noise import Stream

WORDS = torch.tensor([[3, 1, 3, 0, 5], [5, 5, 2, 3, 3], [1, 1, 1, 1, 1]])


def table(rows: int = 6, features: int = 4, **options: object) -> torch.nn.Embedding:
    torch.manual_seed(0)
    return torch.nn.Embedding(rows, features, dtype=torch.float64, **options)


@pytest.mark.parametrize("per_example", (True, False))
@pytest.mark.parametrize("rescale", (True, False))
@pytest.mark.parametrize("indices", (WORDS, WORDS.int(), WORDS.unsqueeze(1), WORDS[0], torch.tensor(3)))
def test_it_is_a_lookup_in_the_masked_table(indices, rescale, per_example):
    """Against the definition: for each example the table itself is masked, row by row."""
    weight = table().weight
    y = functional.embedding_dropout(
        indices, weight, 0.6, per_example=per_example, rescale=rescale, generator=seeded(1)
    )
    own = per_example and indices.dim() > 1
    masks = functional.dropout(torch.ones(3 if own else 1, 6, 1), 0.6, rescale=rescale, generator=seeded(1))
    examples = indices if own else [indices]
    expected = [torch.nn.functional.embedding(row, weight * mask) for row, mask in zip(examples, masks, strict=True)]
    torch.testing.assert_close(y, torch.stack(expected) if own else expected[0], rtol=1e-6, atol=1e-7)


def test_all_occurrences_in_a_sequence_share_a_fate_and_sequences_do_not():
    y = functional.embedding_dropout(torch.full((500, 7), 3), torch.ones(4, 2), 0.5, generator=seeded(2))
    kept = y != 0
    assert torch.equal(kept, kept[:, :1, :1].expand_as(kept))
    # Of 500 fair draws between 170 and 330 are heads, but for a chance of 1e-12.
    assert 170 < kept[:, 0, 0].sum() < 330
    shared = functional.embedding_dropout(torch.full((500, 7), 3), torch.ones(4, 2), 0.5, per_example=False)
    assert len(shared.unique()) == 1


@pytest.mark.parametrize("options", ({}, {"padding_idx": 5}, {"scale_grad_by_freq": True}, {"sparse": True}), ids=str)
def test_gradients_are_those_of_the_lookup_times_the_mask(options):
    """Dropped words and the padding get exactly 0, even where the row is not finite."""
    layer = table(**options)
    with torch.no_grad():
        layer.weight[3] = torch.inf
        # The row of the padding begins as 0, where nothing would show what became of it.
        layer.weight[5] = 1.0
    y = nn.EmbeddingDropout(layer, 0.5)(WORDS, generator=seeded(9))
    kept = (y != 0).any(-1)
    assert (y[~kept] == 0).all() and not kept.all() and kept.any()
    y.sum().backward()
    gradient = layer.weight.grad.to_dense()
    assert layer.weight.grad.is_sparse == bool(options.get("sparse"))
    assert kept[WORDS == 5].any()
    for word in range(6):
        at = word == WORDS
        count = 2.0 * (kept & at).sum()
        if options.get("scale_grad_by_freq"):
            count = count / at.sum().clamp(min=1)
        if options.get("padding_idx") == word:
            count = torch.tensor(0.0)
        assert torch.allclose(gradient[word], count.double().expand(4)), word


def test_norms_are_bounded_before_the_mask():
    layer = table(max_norm=1.0)
    with torch.no_grad():
        layer.weight.mul_(100)
    y = nn.EmbeddingDropout(layer, 0.5)(WORDS, generator=seeded(4))
    norms = y.norm(dim=-1)
    assert torch.allclose(norms[norms > 0], torch.tensor(2.0).double(), rtol=1e-5)
    assert torch.allclose(layer.weight[WORDS.unique()].norm(dim=1), torch.tensor(1.0).double(), rtol=1e-5)
    assert layer.weight[4].norm() > 50


def test_nothing_dropped_is_the_layer_as_it_is_called_with_its_hooks():
    layer = nn.EmbeddingDropout(table(padding_idx=0), 0.5)
    plain = layer.layer(WORDS)
    assert torch.equal(layer.eval()(WORDS), plain)
    layer.layer.register_forward_hook(lambda module, inputs, output: output + 1)
    assert torch.equal(layer(WORDS), plain + 1)
    with pytest.raises(ValueError, match="EmbeddingDropout masks the weights of an embedding, and Embedding has hooks"):
        layer.train()(WORDS)
    assert torch.equal(nn.EmbeddingDropout(table(), 0.5, rescale=False).eval()(WORDS), table()(WORDS) * 0.5)
    assert not nn.EmbeddingDropout(table(), 0.0)(WORDS).any()


def test_what_cannot_be_wrapped_or_looked_up_is_named():
    class Twice(torch.nn.Embedding):
        def forward(self, x):
            return 2 * super().forward(x)

    with pytest.raises(ValueError, match="Twice has a forward of its own"):
        nn.EmbeddingDropout(Twice(3, 2))
    for layer in (torch.nn.EmbeddingBag(3, 2), torch.nn.Linear(3, 2)):
        with pytest.raises(TypeError, match=f"EmbeddingDropout wraps an embedding, got {type(layer).__name__}"):
            nn.EmbeddingDropout(layer)
    layer = nn.EmbeddingDropout(table())
    for wrong in (WORDS.float(), WORDS.bool(), WORDS.to(torch.uint8), [1, 2]):
        with pytest.raises(TypeError, match=r"integers|needs a tensor"):
            layer(wrong)
    with pytest.raises(ValueError, match=r"table of shape \(V, D\), got \(6,\)"):
        functional.embedding_dropout(WORDS, torch.ones(6))
    with pytest.raises(IndexError):
        layer(WORDS + 10)
    assert layer(torch.empty(0, 5, dtype=torch.long)).shape == (0, 5, 4)
    assert layer(torch.empty(3, 0, dtype=torch.long)).shape == (3, 0, 4)


def test_a_stream_masks_an_example_alike_in_every_batch():
    layer = nn.EmbeddingDropout(table(), 0.5, stream=Stream(5))
    whole = layer(WORDS)
    layer.stream.set(examples=[2])
    assert torch.equal(layer(WORDS[2:])[0], whole[2])
    layer.stream.set()
    for other in (
        copy.deepcopy(layer),
        pickle.loads(pickle.dumps(layer)),
        torch.compile(layer, fullgraph=True, backend="aot_eager"),
    ):
        assert torch.equal(other(WORDS), whole)
    bare = {"layer.weight": layer.layer.weight}
    assert nn.EmbeddingDropout(table(), stream=Stream(0)).load_state_dict(bare)


def test_vmap_over_sequences_draws_for_each():
    layer = nn.EmbeddingDropout(table(), 0.5)
    many = WORDS[0].expand(200, -1)
    y = torch.vmap(layer, randomness="different")(many)
    assert torch.equal(y[:, 0], y[:, 2]) and len(y.unique(dim=0)) > 4


@pytest.mark.parametrize("shape", ((2, 5, 8), (64, 200, 64)), ids=("small", "large"))
def test_tracers_and_batched_gradients_pass(shape):
    """The larger output has more than 2^19 elements. Equal masks, three times, have chance 1e-9."""
    examples, length, features = shape
    words = torch.randint(100, (examples, length), generator=seeded(8))
    weight = torch.randn(100, features, generator=seeded(9))

    def call(weight):
        return functional.embedding_dropout(words, weight, 0.5)

    with FakeTensorMode() as mode:
        stand_ins = mode.from_tensor(words), mode.from_tensor(weight)
        assert functional.embedding_dropout(*stand_ins, 0.5).shape == shape
    assert functional.embedding_dropout(*stand_ins, 0.5).shape == shape
    for traced in (make_fx(call)(weight), torch.jit.trace(call, weight, check_trace=False)):
        assert any(not torch.equal(traced(weight), traced(weight)) for _ in range(3))
    weight.requires_grad_()
    y = call(weight * 1)
    gradients = torch.stack((torch.ones_like(y), torch.zeros_like(y)))
    (found,) = torch.autograd.grad(y, weight, gradients, is_grads_batched=True, retain_graph=True)
    (alone,) = torch.autograd.grad(y, weight, gradients[0])
    torch.testing.assert_close(found[0], alone)
    assert not found[1].any()


def model(**options: object) -> torch.nn.Sequential:
    torch.manual_seed(1)
    return torch.nn.Sequential(
        nn.EmbeddingDropout(table(), 0.6, **options),
        torch.nn.Tanh(),
        torch.nn.Flatten(),
        torch.nn.Linear(20, 2, dtype=torch.float64),
    )


@pytest.mark.parametrize("options", ({}, {"per_example": False}, {"rescale": False}), ids=str)
def test_the_exact_mean_is_that_of_many_draws(options):
    """|z| < 5.5 at 6 numbers, three times: a false alarm with probability 7e-7."""
    exact = ensemble.exact_mean(model(**options), WORDS, output="raw")
    drawn = inference.monte_carlo(model(**options), WORDS, 3000, output="raw", generator=seeded(6))
    assert ((exact - drawn.mean) / drawn.standard_error).abs().max() < 5.5


def test_recorded_words_are_replayed_for_other_sequences():
    for options in ({}, {"per_example": False}):
        net = model(**options)
        with inference.record(net) as masks:
            y = net(WORDS[:1])
        with inference.replay(net, masks):
            torch.testing.assert_close(net(WORDS[:1].expand(4, -1)), y.expand(4, -1))
        assert masks[0].values.shape[-2:] == (6, 1)


def test_weight_scaling_scales_the_table_and_leads_back():
    net = model(rescale=False).eval()
    scaled = inference.weight_scaling(net)
    torch.testing.assert_close(scaled(WORDS), net(WORDS))
    torch.testing.assert_close(scaled[0].layer.weight, 0.6 * net[0].layer.weight)
    torch.testing.assert_close(inference.undo_weight_scaling(scaled)[0].layer.weight, net[0].layer.weight)
    bounded = torch.nn.Sequential(nn.EmbeddingDropout(table(max_norm=1.0), rescale=False))
    with pytest.raises(ValueError, match=r"Embedding '0.layer' has max_norm=1.0"):
        inference.weight_scaling(bounded)
    net[3] = torch.nn.Linear(4, 6, dtype=torch.float64)
    net[3].weight = net[0].layer.weight
    with pytest.raises(ValueError, match="tied to another use"):
        inference.weight_scaling(net)
