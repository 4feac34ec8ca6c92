"""One encoder block of a transformer, with each place where dropout sits as a submodule of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from dropout_lab.arguments import flag, integer, positive
from dropout_lab.nn import Dropout, DropPath
from dropout_lab.noise import Source, Stream, check_keep_prob
from dropout_lab.transformer._copying import check_torch
from dropout_lab.transformer.attention import Attention

_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {"relu": nn.functional.relu, "gelu": nn.functional.gelu}
#: The parts of torch's layer that are copied.
_PARTS: Mapping[str, type[nn.Module]] = {
    **dict.fromkeys(("linear1", "linear2"), nn.Linear),
    **dict.fromkeys(("norm1", "norm2"), nn.LayerNorm),
    **dict.fromkeys(("dropout", "dropout1", "dropout2"), nn.Dropout),
}


class EncoderBlock(nn.Module):
    """An encoder block like ``torch.nn.TransformerEncoderLayer``: attention and an MLP, each a residual branch.

    ``PLACES`` names where dropout sits, in the order of the computation, and :attr:`.EncoderBlock.places` has the
    layers:

    - ``attention_dropout``: the attention probabilities (a part of ``attention``);
    - ``projection_dropout``: what the attention gives, after its output projection;
    - ``attention_path``: the attention's whole branch, example by example (:class:`~dropout_lab.nn.DropPath`);
    - ``hidden_dropout``: the hidden units of the MLP, after their activation;
    - ``output_dropout``: what the MLP gives;
    - ``mlp_path``: the MLP's whole branch.

    Each place has a stream of its own: that of the block and the name of the place.

    Args:
        embed_dim: the number D of features.
        num_heads: the number of heads of the attention, a divisor of D.
        hidden_dim: the number of hidden units of the MLP.
        keep_prob: one number for the four places that torch's ``dropout`` has (both paths are then kept); or a mapping
            from places to keep probabilities, where a place that it leaves out drops nothing.
        norm_first: whether each branch reads normalized input; else the sums are normalized.
        activation: the activation function of the MLP: "relu", "gelu" or a function.
        bias: whether the layers have biases.
        share_heads: whether attention is dropped in every head at once.
        layer_norm_eps: what the normalizations add to the variance.
        batch_first: whether inputs are (N, T, D), or else (T, N, D).

    Raises ValueError for a place that does not exist and for keep probabilities outside [0, 1], and TypeError for
    another kind of activation. Sources: Vaswani et al. 2017, section 5.4, and for the paths Huang et al. 2016.

    >>> block = EncoderBlock(8, 2, 16, {"attention_dropout": 0.9, "mlp_path": 0.8})
    >>> kept = {place: layer.keep_prob for place, layer in block.places.items()}
    >>> {place: keep_prob for place, keep_prob in kept.items() if keep_prob < 1}
    {'attention_dropout': 0.9, 'mlp_path': 0.8}
    >>> x = torch.ones(2, 5, 8)
    >>> torch.equal(block.eval()(x), block(x))
    True
    """

    PLACES = (
        "attention_dropout",
        "projection_dropout",
        "attention_path",
        "hidden_dropout",
        "output_dropout",
        "mlp_path",
    )

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        keep_prob: float | Mapping[str, float] = 0.9,
        *,
        norm_first: bool = False,
        activation: str | Callable[[Tensor], Tensor] = "relu",
        bias: bool = True,
        share_heads: bool = False,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__()
        kept = self._keep_probs(keep_prob)
        self.norm_first = flag("norm_first", norm_first)
        self.batch_first = flag("batch_first", batch_first)
        self.activation = _activation(activation)
        if isinstance(generator, Stream) and stream is None:
            generator, stream = None, generator
        block = stream.next_layer() if isinstance(stream, Stream) else stream

        def source(place: str) -> dict[str, Any]:
            own = Stream(int(block.seed), f"{block.layer}.{place}", step=int(block.step)) if block else block
            return {"generator": generator, "stream": own}

        hidden_dim = integer("hidden_dim", hidden_dim, least=1)
        eps = positive("layer_norm_eps", layer_norm_eps)
        self.attention = Attention(
            embed_dim,
            num_heads,
            kept["attention_dropout"],
            share_heads=share_heads,
            bias=bias,
            **source("attention_dropout"),
        )
        self.projection_dropout = Dropout(kept["projection_dropout"], **source("projection_dropout"))
        self.attention_path = DropPath(kept["attention_path"], **source("attention_path"))
        self.norm1 = nn.LayerNorm(embed_dim, eps=eps, bias=bias)
        self.linear1 = nn.Linear(embed_dim, hidden_dim, bias)
        self.hidden_dropout = Dropout(kept["hidden_dropout"], **source("hidden_dropout"))
        self.linear2 = nn.Linear(hidden_dim, embed_dim, bias)
        self.output_dropout = Dropout(kept["output_dropout"], **source("output_dropout"))
        self.mlp_path = DropPath(kept["mlp_path"], **source("mlp_path"))
        self.norm2 = nn.LayerNorm(embed_dim, eps=eps, bias=bias)

    @classmethod
    def _keep_probs(cls, given: float | Mapping[str, float]) -> dict[str, float]:
        """The keep probability of each place."""
        if not isinstance(given, Mapping):
            number = check_keep_prob(given)
            return {place: 1.0 if place.endswith("_path") else number for place in cls.PLACES}
        unknown = [place for place in given if place not in cls.PLACES]
        if unknown:
            raise ValueError(f"the places of an EncoderBlock are {', '.join(cls.PLACES)}; got {unknown[0]!r}")
        return {place: check_keep_prob(given.get(place, 1.0)) for place in cls.PLACES}

    @classmethod
    def from_torch(
        cls, layer: nn.TransformerEncoderLayer, *, generator: Source | None = None, stream: Stream | None = None
    ) -> Self:
        """Make the same block from torch's, with a copy of the weights, in the same mode, with the same dropout.

        Args:
            layer: torch's block.
            generator: the source of draws of the new layers, or None.
            stream: the stream of the new block, or None.

        Raises TypeError for another class, also of a part, and ValueError for hooks.

        >>> layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
        >>> own, x = EncoderBlock.from_torch(layer), torch.rand(2, 5, 8)
        >>> torch.allclose(own(x), layer(x), atol=1e-6)
        True
        """
        check_torch(layer, nn.TransformerEncoderLayer)
        for name, kind in _PARTS.items():
            if type(getattr(layer, name)) is not kind:
                found = type(getattr(layer, name)).__name__
                raise TypeError(f"the {name} of a torch.nn.TransformerEncoderLayer is a {kind.__name__}, got {found}")
        # The weights that are drawn here are replaced: nothing is to be seen of it.
        with torch.random.fork_rng(devices=[]):
            own = cls(
                layer.linear1.in_features,
                layer.self_attn.num_heads,
                layer.linear1.out_features,
                {
                    "attention_dropout": 1 - layer.self_attn.dropout,
                    "projection_dropout": 1 - layer.dropout1.p,
                    "hidden_dropout": 1 - layer.dropout.p,
                    "output_dropout": 1 - layer.dropout2.p,
                },
                norm_first=layer.norm_first,
                batch_first=layer.self_attn.batch_first,
                activation=copy.deepcopy(layer.activation),
                generator=generator,
                stream=stream,
            )
        attention = Attention.from_torch(layer.self_attn)
        attention.attention_dropout = own.attention.attention_dropout
        attention.batch_first = True
        own.attention = attention
        for name in ("linear1", "linear2", "norm1", "norm2"):
            setattr(own, name, copy.deepcopy(getattr(layer, name)))
        return own.train(layer.training)

    @property
    def places(self) -> dict[str, nn.Module]:
        """The layer at each place where dropout sits, in the order of the computation."""
        inside = {"attention_dropout": self.attention.attention_dropout}
        return {place: inside[place] if place in inside else getattr(self, place) for place in self.PLACES}

    def forward(
        self,
        x: Tensor,
        *,
        attn_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Add what the attention and the MLP give to the input.

        Args:
            x: the sequences, of shape (N, T, D).
            attn_mask: True where a target may not read a source, as :meth:`.Attention.forward` takes it.
            key_padding_mask: True at positions that nobody may read, of shape (N, T).
            is_causal: whether position t may read none of the positions after t.

        Returns:
            A tensor of the shape of ``x``.
        """
        if not isinstance(x, (Tensor, torch.fx.Proxy)):
            raise TypeError(f"EncoderBlock needs a tensor, got {type(x).__name__}")
        if isinstance(x, Tensor) and not x.is_floating_point():
            raise TypeError(f"EncoderBlock needs floating point input, got {x.dtype}")
        # DropPath would take the steps of one example for examples.
        if isinstance(x, Tensor) and (x.dim() != 3 or x.shape[-1] != self.attention.embed_dim):
            order = "N, T" if self.batch_first else "T, N"
            raise ValueError(
                f"EncoderBlock needs input of shape ({order}, {self.attention.embed_dim}), got {tuple(x.shape)}"
            )
        x = x if self.batch_first else x.transpose(0, 1)

        def attend(x: Tensor) -> Any:
            y = self.attention(x, attn_mask=attn_mask, key_padding_mask=key_padding_mask, is_causal=is_causal)
            return self.attention_path(self.projection_dropout(y))

        def mlp(x: Tensor) -> Any:
            hidden = self.hidden_dropout(self.activation(self.linear1(x)))
            return self.mlp_path(self.output_dropout(self.linear2(hidden)))

        if self.norm_first:
            x = x + attend(self.norm1(x))
            x = x + mlp(self.norm2(x))
        else:
            x = self.norm1(x + attend(x))
            x = self.norm2(x + mlp(x))
        return x if self.batch_first else x.transpose(0, 1)


def _activation(given: str | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    if isinstance(given, str):
        if given not in _ACTIVATIONS:
            raise ValueError(f"activation must be {' or '.join(map(repr, _ACTIVATIONS))} or a function, got {given!r}")
        return _ACTIVATIONS[given]
    if not callable(given):
        raise TypeError(f"activation must be a name or a function, got {type(given).__name__}")
    return given
