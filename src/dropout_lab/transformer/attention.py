"""Multi-head attention whose dropout is a layer like any other: on in ``train()``, off in ``eval()``, on every path."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor, nn

from dropout_lab import noise, pinned
from dropout_lab.arguments import flag, integer
from dropout_lab.nn import AttentionDropout
from dropout_lab.noise import Source, Stream
from dropout_lab.transformer._copying import check_torch, copied


class Attention(nn.Module):
    """Multi-head attention whose dropout is a submodule, so that ``train()`` and ``eval()`` switch it.

    The attention probabilities pass through ``attention_dropout``, an :class:`~dropout_lab.nn.AttentionDropout`. Where
    that drops nothing, torch's fused kernel computes the same with its own dropout at 0.
    (``torch.nn.functional.scaled_dot_product_attention(dropout_p=…)`` knows no mode, and drops always.) The kernel has
    second derivatives only within ``torch.nn.attention.sdpa_kernel(SDPBackend.MATH)``. Weights are drawn by Glorot and
    Bengio's rule, and biases start at 0.

    Args:
        embed_dim: the number D of features of the queries and of the result.
        num_heads: the number H of heads, a divisor of D.
        keep_prob: the keep probability of the attention probabilities.
        share_heads: whether a source is dropped for a target in every head at once.
        bias: whether the projections have biases.
        kdim: the number of features of the keys; None for D.
        vdim: the number of features of the values; None for D.
        batch_first: whether inputs are (N, T, D), or else (T, N, D).

    Raises ValueError for sizes, shapes and masks that do not fit, and TypeError for masks that are neither boolean nor
    floating point. Source: Vaswani et al. 2017, section 3.2.

    >>> layer = Attention(8, num_heads=2, keep_prob=0.5)
    >>> x = torch.ones(1, 3, 8)
    >>> torch.equal(layer.eval()(x), layer(x))
    True
    >>> layer.train()(x, is_causal=True).shape
    torch.Size([1, 3, 8])
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        keep_prob: float = 0.9,
        *,
        share_heads: bool = False,
        bias: bool = True,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__()
        self.batch_first = flag("batch_first", batch_first)
        self.embed_dim = integer("embed_dim", embed_dim, least=1)
        self.num_heads = integer("num_heads", num_heads, least=1)
        if embed_dim % num_heads:
            raise ValueError(f"embed_dim must be a multiple of num_heads, got {embed_dim} and {num_heads}")
        self.attention_dropout = AttentionDropout(
            keep_prob, share_heads=share_heads, generator=generator, stream=stream
        )
        self.kdim = embed_dim if kdim is None else integer("kdim", kdim, least=1)
        self.vdim = embed_dim if vdim is None else integer("vdim", vdim, least=1)
        self.query = nn.Linear(embed_dim, embed_dim, bias)
        self.key = nn.Linear(self.kdim, embed_dim, bias)
        self.value = nn.Linear(self.vdim, embed_dim, bias)
        self.output = nn.Linear(embed_dim, embed_dim, bias)
        for projection in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(projection.weight)
            if bias:
                nn.init.zeros_(projection.bias)

    @classmethod
    def from_torch(
        cls, layer: nn.MultiheadAttention, *, generator: Source | None = None, stream: Stream | None = None
    ) -> Self:
        """Make the same attention from torch's, with a copy of the weights, in the same mode, with the same dropout.

        Args:
            layer: torch's attention.
            generator: the source of draws of the new layer, or None.
            stream: the stream of the new layer, or None.

        Raises TypeError for another class, and ValueError for hooks and for ``add_bias_kv`` and ``add_zero_attn``,
        which this layer does not have.

        >>> layer = torch.nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True).eval()
        >>> own, x = Attention.from_torch(layer), torch.ones(1, 3, 8)
        >>> torch.allclose(own(x), layer(x, x, x)[0], atol=1e-6)
        True
        """
        check_torch(layer, nn.MultiheadAttention)
        if layer.bias_k is not None or layer.add_zero_attn:
            raise ValueError("Attention has no further key for all: add_bias_kv and add_zero_attn must be False")
        # The weights that are drawn here are replaced: nothing is to be seen of it.
        with torch.random.fork_rng(devices=[]):
            own = cls(
                layer.embed_dim,
                layer.num_heads,
                1 - layer.dropout,
                bias=layer.in_proj_bias is not None,
                kdim=layer.kdim,
                vdim=layer.vdim,
                batch_first=layer.batch_first,
                generator=generator,
                stream=stream,
            )
        packed = layer.in_proj_weight
        if packed is None:
            parts = [copied(part) for part in (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)]
        else:
            parts = [copied(part, packed) for part in packed.chunk(3)]
        biases = None if layer.in_proj_bias is None else layer.in_proj_bias.chunk(3)
        for place, projection in enumerate((own.query, own.key, own.value)):
            projection.weight = parts[place]
            projection.bias = None if biases is None else copied(biases[place], layer.in_proj_bias)
        own.output.weight = copied(layer.out_proj.weight)
        own.output.bias = None if layer.out_proj.bias is None else copied(layer.out_proj.bias)
        return own.train(layer.training)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        *,
        attn_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
        generator: Source | None = None,
    ) -> Tensor:
        """Let each query read from the values, weighted by how its key fits. Input without the axis N is one example.

        Masks are those of ``torch.nn.MultiheadAttention``. A target that may read nothing gets 0 from each head (torch
        gives 0 or NaN, by the path that it takes).

        Args:
            query: the queries, of shape (N, T, D).
            key: the keys, of shape (N, S, kdim); None lets the queries attend to themselves.
            value: the values, of shape (N, S, vdim); None reads the keys.
            attn_mask: True where a target may not read a source, or floats that are added to the scores; of shape (T,
                S), (N · H, T, S) as in torch, or (N, H, T, S), of which N and H may be 1.
            key_padding_mask: True at keys that nobody may read, or floats that are added to the scores; of shape (N,
                S).
            is_causal: whether target t may read none of the sources after t.
            generator: a source of draws for this call alone, instead of the layer's own.

        Returns:
            A tensor of shape (N, T, D).
        """
        key = query if key is None else key
        value = key if value is None else value
        for x in (query, key, value):
            if not isinstance(x, (Tensor, torch.fx.Proxy)):
                raise TypeError(f"Attention needs tensors, got {type(x).__name__}")
        query, key, value = self._turned(query), self._turned(key), self._turned(value)
        if not isinstance(query, Tensor):
            return self._turned(self._attend(query, key, value, attn_mask, key_padding_mask, is_causal, generator))
        self._check(query, key, value)
        flag("is_causal", is_causal)
        for name, mask in (("attn_mask", attn_mask), ("key_padding_mask", key_padding_mask)):
            _check_mask(name, mask)
        if query.dim() == 3:
            return self._turned(self._attend(query, key, value, attn_mask, key_padding_mask, is_causal, generator))
        query, key, value = query.unsqueeze(0), key.unsqueeze(0), value.unsqueeze(0)
        padding = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
        return self._attend(query, key, value, attn_mask, padding, is_causal, generator).squeeze(0)

    def _turned(self, x: Tensor) -> Tensor:
        """From the layout of the input to that with the examples first, and back."""
        return x if self.batch_first or (isinstance(x, Tensor) and x.dim() != 3) else x.transpose(0, 1)

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None,
        key_padding_mask: Tensor | None,
        is_causal: bool,
        generator: Source | None,
    ) -> Tensor:
        q, k, v = (
            projection(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for projection, x in ((self.query, query), (self.key, key), (self.value, value))
        )
        is_fused = self._is_fused(q, k, v)
        # The kernel knows this one mask by itself.
        is_bare = is_fused and is_causal and attn_mask is None and key_padding_mask is None
        mask = None if is_bare else self._mask(q, k, attn_mask, key_padding_mask, is_causal)
        hidden = None
        if mask is not None:
            # Who may read nothing reads everything alike, and then 0: no kernel has to divide 0 by 0.
            hidden = (mask == -math.inf).all(-1, keepdim=True)
            mask = mask.masked_fill(hidden, 0.0)
        if is_fused:
            heads = nn.functional.scaled_dot_product_attention(
                q, k, v, attn_mask=mask, dropout_p=0.0, is_causal=is_bare
            )
        else:
            scores = q @ k.transpose(-2, -1) / math.sqrt(self.embed_dim // self.num_heads)
            probabilities = (scores if mask is None else scores + mask).softmax(-1).to(v.dtype)
            given = {} if generator is None else {"generator": generator}
            heads = self.attention_dropout(probabilities, **given) @ v
        if hidden is not None:
            heads = heads.masked_fill(hidden, 0.0)
        output: Tensor = self.output(heads.transpose(1, 2).flatten(2))
        return output

    def _is_fused(self, *parts: Tensor) -> bool:
        """Whether the kernel may be called: the dropout layer is certain to change nothing, so it need not be asked.

        Another layer in its place, and one with hooks, is called whatever it does; so it is where the model is traced,
        for the graph may run in another mode. The kernel has no derivatives in forward mode.
        """
        layer = self.attention_dropout
        is_traced = not all(isinstance(part, Tensor) for part in parts)
        if is_traced or type(layer) is not AttentionDropout or pinned.has_hooks(layer):
            return False
        if not torch.compiler.is_compiling() and not (noise.is_plain() and all(map(_has_no_tangent, parts))):
            return False
        return layer.keep_prob == 1 or (bool(layer.rescale) and not layer.training)

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        features = (self.embed_dim, self.kdim, self.vdim)
        given = (query, key, value)
        fits = query.dim() in (2, 3) and all(
            x.dim() == query.dim() and x.shape[-1] == size for x, size in zip(given, features, strict=True)
        )
        if not all(x.is_floating_point() for x in given):
            raise TypeError(f"Attention needs floating point input, got {', '.join(str(x.dtype) for x in given)}")
        if not fits or key.shape[-2] != value.shape[-2] or (query.dim() == 3 and len({len(x) for x in given}) > 1):
            shapes = ", ".join(str(tuple(self._turned(x).shape)) for x in given)
            target, source = ("N, T", "N, S") if self.batch_first else ("T, N", "S, N")
            raise ValueError(
                f"Attention needs query ({target}, {features[0]}), key ({source}, {features[1]}) and value "
                f"({source}, {features[2]}), got {shapes}"
            )

    def _mask(
        self, q: Tensor, k: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool
    ) -> Tensor | None:
        """All that hides sources, as what is added to the scores: 0 where a target may read, −inf where not."""
        if attn_mask is None and key_padding_mask is None and not is_causal:
            return None
        examples, heads, targets, _ = q.shape
        sources = k.shape[2]
        masks = []
        if attn_mask is not None:
            masks.append(_added(attn_mask, q))
            shape = tuple(attn_mask.shape)
            if shape == (examples * heads, targets, sources):
                masks[0] = masks[0].unflatten(0, (examples, heads))
            elif shape[-2:] != (targets, sources) or shape[:-2] not in _leading(examples, heads):
                raise ValueError(
                    f"attn_mask must be (T, S) = {(targets, sources)}, (N · H, T, S) or (N, H, T, S), of which N and H "
                    f"may be 1; here N is {examples} and H {heads}. Got {shape}"
                )
        if key_padding_mask is not None:
            if tuple(key_padding_mask.shape) != (examples, sources):
                raise ValueError(
                    f"key_padding_mask must be (N, S) = {(examples, sources)}, got {tuple(key_padding_mask.shape)}"
                )
            masks.append(_added(key_padding_mask, q).view(examples, 1, 1, sources))
        if is_causal:
            later = torch.ones(targets, sources, dtype=torch.bool, device=q.device).triu(1)
            masks.append(_added(later, q))
        return sum(masks[1:], masks[0])

    def extra_repr(self) -> str:
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}"


def _has_no_tangent(x: Tensor) -> bool:
    return torch.autograd.forward_ad.unpack_dual(x).tangent is None


def _check_mask(name: str, mask: object) -> None:
    """Raise TypeError unless ``mask`` is None or hides sources in one of the two ways."""
    if mask is None or (isinstance(mask, Tensor) and (mask.dtype == torch.bool or mask.is_floating_point())):
        return
    found = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
    raise TypeError(f"{name} must be a tensor, boolean (True where nothing is read) or floating point; got {found}")


def _added(mask: Tensor, q: Tensor) -> Tensor:
    """A mask as what is added to the scores."""
    if mask.dtype == torch.bool:
        return torch.zeros(mask.shape, dtype=q.dtype, device=q.device).masked_fill(mask.to(q.device), -math.inf)
    return mask.to(q)


def _leading(examples: int, heads: int) -> tuple[tuple[int, ...], ...]:
    """The first extents that a mask may have."""
    return ((), *((one, two) for one in (1, examples) for two in (1, heads)))
