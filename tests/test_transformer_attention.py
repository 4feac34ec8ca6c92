"""Attention: torch's own when nothing is dropped, and dropout that the mode alone switches, on every path."""

from __future__ import annotations

import copy
import itertools
import math
import pickle

import pytest
import torch
from family_members import seeded
from torch import Tensor

from dropout_lab import ensemble, functional, inference, nn, noise
from dropout_lab.noise import Stream

N, H, T, S, D = 3, 2, 5, 7, 8


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def of_torch(**options: object) -> torch.nn.MultiheadAttention:
    torch.manual_seed(0)
    layer = torch.nn.MultiheadAttention(D, H, batch_first=True, dtype=torch.float64, **options)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def explicitly(layer: nn.Attention) -> nn.Attention:
    """A copy that takes the path on which the probabilities are there to be dropped."""
    layer = copy.deepcopy(layer)
    layer.attention_dropout.register_forward_hook(lambda *_: None)
    return layer


def mask_of(shape: tuple[int, ...], kind: str) -> Tensor:
    hidden = torch.rand(shape, generator=seeded(7)) < 0.4
    # Something can be read everywhere: of what cannot torch itself gives several answers.
    hidden[..., 0] = False
    return hidden if kind == "bool" else numbers(*shape).masked_fill(hidden, -math.inf)


@pytest.mark.parametrize("training", (True, False))
@pytest.mark.parametrize("options", ({}, {"bias": False}, {"kdim": 6, "vdim": 4}), ids=str)
def test_it_is_that_of_torch_when_nothing_is_dropped(options, training):
    theirs = of_torch(**options).train(training)
    ours = nn.Attention.from_torch(theirs)
    assert ours.training == training
    x, key, value = numbers(N, T, D), numbers(N, S, options.get("kdim", D)), numbers(N, S, options.get("vdim", D))
    for kind, padded, masked in itertools.product(("bool", "float"), (False, True), (None, (T, S), (N * H, T, S))):
        given = {"key_padding_mask": mask_of((N, S), kind) if padded else None}
        given["attn_mask"] = None if masked is None else mask_of(masked, kind)
        expected = theirs(x, key, value, need_weights=False, **given)[0]
        for layer in (ours, explicitly(ours)):
            torch.testing.assert_close(layer(x, key, value, **given), expected)
    if not options:
        causal = torch.ones(T, T).triu(1).bool()
        expected = theirs(x, x, x, attn_mask=causal)[0]
        torch.testing.assert_close(ours(x, is_causal=True), expected)
        torch.testing.assert_close(explicitly(ours)(x, is_causal=True), expected)
        torch.testing.assert_close(ours(x[0]), theirs(x[0], x[0], x[0])[0])
        padding = mask_of((N, T), "bool")
        single = theirs(x[0], x[0], x[0], key_padding_mask=padding[0])[0]
        torch.testing.assert_close(ours(x[0], key_padding_mask=padding[0]), single)


def test_time_may_come_first():
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(D, H, kdim=6, vdim=4)
    ours = nn.Attention.from_torch(theirs)
    x, key, value, padding = torch.randn(T, N, D), torch.randn(S, N, 6), torch.randn(S, N, 4), mask_of((N, S), "bool")
    expected = theirs(x, key, value, key_padding_mask=padding)[0]
    torch.testing.assert_close(ours(x, key, value, key_padding_mask=padding), expected)
    torch.testing.assert_close(ours(x[:, 0], key[:, 0], value[:, 0]), theirs(x[:, 0], key[:, 0], value[:, 0])[0])
    alone = nn.Attention(D, H, 1.0, batch_first=False)
    graph = torch.fx.symbolic_trace(torch.nn.Sequential(alone))
    torch.testing.assert_close(graph(x), alone(x))


def test_a_mask_of_four_axes_may_be_shared():
    ours, x = nn.Attention.from_torch(of_torch()), numbers(N, T, D)
    for examples, heads in itertools.product((1, N), (1, H)):
        mask = mask_of((examples, heads, T, T), "bool")
        full = mask.expand(N, H, T, T)
        assert torch.equal(ours(x, attn_mask=mask), ours(x, attn_mask=full.flatten(0, 1)))


@pytest.mark.parametrize("kind", ("bool", "float"))
def test_a_target_that_may_read_nothing_reads_0(kind):
    ours, x = nn.Attention.from_torch(of_torch()), numbers(N, T, D).requires_grad_()
    hidden = torch.zeros(T, T, dtype=torch.bool)
    hidden[1] = True
    mask = hidden if kind == "bool" else torch.zeros(T, T).masked_fill(hidden, -math.inf)
    for layer in (ours, explicitly(ours)):
        y = layer(x, attn_mask=mask)
        torch.testing.assert_close(y[:, 1], ours.output.bias.expand(N, D))
        assert torch.autograd.grad(y.sum(), x)[0].isfinite().all()


@pytest.mark.parametrize("share_heads", (False, True))
def test_in_training_the_probabilities_are_dropped(share_heads):
    """Against the definition, written out, with the mask that the generator gives."""
    torch.manual_seed(0)
    layer, x = nn.Attention(D, H, 0.6, share_heads=share_heads).double(), numbers(N, T, D)
    y = layer(x, generator=seeded(3))
    q, k, v = (part(x).unflatten(-1, (H, -1)).transpose(1, 2) for part in (layer.query, layer.key, layer.value))
    probabilities = (q @ k.mT / math.sqrt(D // H)).softmax(-1)
    dropped = functional.attention_dropout(probabilities, 0.6, share_heads=share_heads, generator=seeded(3))
    torch.testing.assert_close(y, layer.output((dropped @ v).transpose(1, 2).flatten(2)))
    # Where all is dropped, nothing is read.
    nothing = nn.Attention(D, H, 0.0).double()
    assert torch.equal(nothing(x), nothing.output.bias.expand(N, T, D))


@pytest.mark.parametrize("prepare", (lambda layer: layer.eval(), lambda layer: layer.attention_dropout.eval()))
def test_dropout_is_off_in_eval_on_every_path(prepare):
    layer, x = nn.Attention(D, H, 0.5), torch.randn(N, T, D)
    prepare(layer)
    expected = layer(x)
    others = [
        explicitly(layer),
        torch.compile(layer, fullgraph=True, backend="aot_eager"),
        torch.export.export(layer, (x,)).module(),
        torch.jit.trace(layer, x),
        torch.fx.symbolic_trace(torch.nn.Sequential(layer)),
        lambda x: torch.vmap(layer)(x),
        pickle.loads(pickle.dumps(layer)),
    ]
    for other, context in itertools.product(others, (torch.enable_grad, torch.no_grad, torch.inference_mode)):
        with context():
            torch.testing.assert_close(other(x), expected)


def test_a_traced_model_keeps_its_dropout_for_training():
    layer, x = nn.Attention(D, H, 0.5).eval(), torch.randn(N, T, D)
    graph = torch.fx.symbolic_trace(torch.nn.Sequential(layer))
    torch.testing.assert_close(graph(x), layer(x))
    graph.train()
    assert not torch.equal(graph(x), graph(x))


def test_another_layer_in_its_place_is_called():
    layer, x = nn.Attention(D, H, 1.0), torch.randn(N, T, D)
    for other in (torch.nn.Dropout(0.5), nn.Dropout(0.5, rescale=False).eval(), torch.nn.Dropout(1.0)):
        changed = copy.deepcopy(layer)
        changed.attention_dropout = other
        assert not torch.allclose(changed(x), layer(x))
    changed.attention_dropout = torch.nn.Identity()
    torch.testing.assert_close(changed(x), layer(x))


def test_a_stream_gives_an_example_its_mask_in_every_batch():
    layer, x = nn.Attention(D, H, 0.5, stream=Stream(2)), torch.randn(N, T, D)
    y = layer(x)
    layer.attention_dropout.stream.set(examples=[1])
    torch.testing.assert_close(layer(x[1:2]), y[1:2])
    # One example without the axis N has the same.
    torch.testing.assert_close(layer(x[1]), y[1])


def test_half_precision_and_autocast_have_one_type_in_both_modes():
    x = torch.randn(N, T, D)
    layer = nn.Attention(D, H, 0.5)
    wide = layer.eval()(x)
    for dtype in (torch.float16, torch.bfloat16):
        narrow = copy.deepcopy(layer).to(dtype)
        assert narrow.train()(x.to(dtype)).dtype == narrow.eval()(x.to(dtype)).dtype == dtype
        torch.testing.assert_close(narrow(x.to(dtype)).float(), wide, rtol=0.05, atol=0.05)
        with torch.autocast("cpu", dtype=dtype):
            assert layer.train()(x).dtype == layer.eval()(x).dtype == dtype
            causal = layer.train()(x, is_causal=True)
            assert causal.isfinite().all()


def test_derivatives_are_right_while_dropping():
    torch.manual_seed(0)
    layer = nn.Attention(4, 2, 0.5).double()
    x = numbers(1, 3, 4).requires_grad_()

    def call(x: Tensor) -> Tensor:
        return layer(x, is_causal=True, generator=seeded(4))

    assert torch.autograd.gradcheck(call, x) and torch.autograd.gradgradcheck(call, x)


def test_derivatives_in_eval_are_right_in_every_mode():
    layer, x = nn.Attention(4, 2, 0.5).double().eval(), numbers(1, 3, 4).requires_grad_()
    expected = torch.autograd.functional.jacobian(explicitly(layer), x)
    for derivative in (torch.func.jacrev, torch.func.jacfwd):
        torch.testing.assert_close(derivative(layer)(x), expected)
    tangent = numbers(1, 3, 4, seed=2)
    directed = (expected * tangent).sum((3, 4, 5))
    torch.testing.assert_close(torch.func.linearize(layer, x)[1](tangent), directed)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, tangent)
        torch.testing.assert_close(torch.autograd.forward_ad.unpack_dual(layer(dual)).tangent, directed)
    assert torch.func.hessian(lambda x: layer(x).sum())(x).isfinite().all()
    assert torch.autograd.gradcheck(layer, x)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        assert torch.autograd.gradgradcheck(layer, x)


def test_the_exact_mean_and_recorded_masks_reach_the_probabilities():
    """|z| < 5.5 at 8 numbers: a false alarm with probability 3e-7."""
    torch.manual_seed(0)
    model, x = torch.nn.Sequential(nn.Attention(4, 1, 0.5), torch.nn.Tanh()).eval(), torch.randn(2, 2, 4)
    exact = ensemble.exact_mean(model, x, output="raw")
    drawn = inference.monte_carlo(model, x, 3000, output="raw", generator=seeded(5))
    assert ((exact - drawn.mean) / drawn.standard_error).abs().max() < 5.5
    with inference.record(model) as masks:
        y = model(x[:1])
    assert [factor.name for factor in masks] == ["0.attention_dropout"]
    with inference.replay(model, masks):
        torch.testing.assert_close(model(x[:1]), y)


def test_what_does_not_fit_is_named():
    layer, x = nn.Attention(D, H), torch.ones(N, T, D)
    with pytest.raises(ValueError, match="embed_dim must be a multiple of num_heads, got 8 and 3"):
        nn.Attention(8, 3)
    with pytest.raises(ValueError, match=r"1.5"):
        nn.Attention(8, 2, 1.5)
    for given in ((x[..., 1:],), (x.unsqueeze(0),), (x, x[:2]), (x, x, x[:, 1:]), (x, x[0])):
        with pytest.raises(ValueError, match=r"Attention needs query \(N, T, 8\)"):
            layer(*given)
    with pytest.raises(ValueError, match=r"query \(T, N, 8\), key \(S, N, 8\).*got \(5, 3, 7\)"):
        nn.Attention(D, H, batch_first=False)(torch.ones(T, N, D - 1))
    for given in (([1.0],), (x, [1.0]), (x, x, 3)):
        with pytest.raises(TypeError, match="Attention needs tensors, got"):
            layer(*given)
    with pytest.raises(TypeError, match="needs floating point input"):
        layer(x.long())
    for shape in ((T,), (N, T, T), (T, T + 1), (2, 1, T, T), (1, T, T)):
        with pytest.raises(ValueError, match=r"attn_mask must be \(T, S\) = \(5, 5\)"):
            layer(x, attn_mask=torch.zeros(shape))
    with pytest.raises(ValueError, match=r"key_padding_mask must be \(N, S\) = \(3, 5\), got \(5, 3\)"):
        layer(x, key_padding_mask=torch.zeros(T, N))
    for name, wrong in itertools.product(("attn_mask", "key_padding_mask"), (torch.zeros(T, T).long(), [[True]])):
        for query in (x, x[0]):
            with pytest.raises(TypeError, match=f"{name} must be a tensor, boolean"):
                layer(query, **{name: wrong})
    with pytest.raises(TypeError, match="is_causal must be True or False"):
        layer(x, is_causal=torch.ones(T, T))


def test_layers_that_cannot_be_copied_are_named():
    class Other(torch.nn.MultiheadAttention):
        pass

    with pytest.raises(TypeError, match=r"takes a torch.nn.MultiheadAttention, got Other"):
        nn.Attention.from_torch(Other(8, 2, batch_first=True))
    for option in ("add_bias_kv", "add_zero_attn"):
        with pytest.raises(ValueError, match="add_bias_kv and add_zero_attn"):
            nn.Attention.from_torch(torch.nn.MultiheadAttention(8, 2, batch_first=True, **{option: True}))
    hooked = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    hooked.register_forward_hook(lambda *_: None)
    with pytest.raises(ValueError, match="has hooks"):
        nn.Attention.from_torch(hooked)


def test_copies_have_weights_of_their_own_and_the_dropout_of_the_original():
    theirs = of_torch(dropout=0.3)
    theirs.in_proj_weight.requires_grad_(False)
    with torch.no_grad():
        ours = nn.Attention.from_torch(theirs, stream=Stream(1))
        theirs.in_proj_weight.zero_()
    assert ours.query.weight.any() and not ours.value.weight.requires_grad and ours.output.weight.requires_grad
    assert ours.attention_dropout.keep_prob == pytest.approx(0.7) and ours.query.weight.dtype == torch.float64
    assert isinstance(ours.attention_dropout.stream, noise.Stream)


def test_an_empty_batch_is_one():
    for layer in (nn.Attention(D, H, 0.5), nn.Attention(D, H, 0.5).eval()):
        assert layer(torch.empty(0, T, D)).shape == (0, T, D)
