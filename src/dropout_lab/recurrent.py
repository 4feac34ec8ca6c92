"""Variational dropout inside recurrent layers: masks on inputs and on the recurrent state, fixed for the sequence.

Both layers share one design. A cell is what its torch counterpart computes; noise enters only where a projection
reads its operand, W (x ⊙ z_x) and U (h ⊙ z_h). Gal and Ghahramani (2016, "A theoretically grounded application of
dropout in recurrent neural networks", section 4) call the weights *tied* when one mask serves all gates and *untied*
when each gate has its own; input-only leaves the recurrent projection alone. State that is carried past the
projection (an LSTM's cell, a GRU's z ⊙ h) is never masked. Parameters have torch's names, shapes and gate order, so
state dicts pass in both directions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from dropout_lab import noise
from dropout_lab.arguments import flag, integer
from dropout_lab.drawing import Drawing
from dropout_lab.functional.selection import inverse, scaled
from dropout_lab.functional.variants import RECURRENT_DROPOUT
from dropout_lab.noise import Source, Stream

#: What is masked: the inputs alone, or inputs and state with one mask for all gates or with one mask a gate.
MaskKind = Literal["input", "tied", "untied"]


class Masks(NamedTuple):
    """One layer's masks for a sequence, True where kept; None where nothing is masked.

    ``input`` is (draws, N, input size) and ``recurrent`` (draws, N, hidden size), where draws is 1, or the number of
    gates when the masks are untied.

    >>> masks = VariationalGRU(3, 4, masks="untied").draw_masks(2)
    >>> masks[0].input.shape, masks[0].recurrent.shape
    (torch.Size([3, 2, 3]), torch.Size([3, 2, 4]))
    """

    input: Tensor | None
    recurrent: Tensor | None


def _project(x: Tensor, mask: Tensor | None, scale: float, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``weight`` applied to ``x`` (T, N, features) under a mask that all T steps share: (T, N, gates · hidden)."""
    x = x if scale == 1.0 else scaled(x, scale)
    if mask is None:
        return nn.functional.linear(x, weight, bias)
    # Selecting, not multiplying, makes a dropped inf or NaN exactly 0. One block of gates reads each draw.
    kept = torch.where(mask.unsqueeze(1), x, 0.0)
    projected = torch.einsum("dtnf,dhf->tndh", kept, weight.unflatten(0, (mask.shape[0], -1))).flatten(2)
    return projected if bias is None else projected + bias


class _Variational(Drawing):
    """What the two layers share: parameters, masks, the loops over layers and time. Subclasses give the cell."""

    #: How many gates each projection feeds, how many tensors the state holds, and the torch layer of the same cell.
    gates: int
    tensors: int
    counterpart: type[nn.RNNBase]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        keep_prob: float = 0.5,
        recurrent_keep_prob: float | None = None,
        masks: MaskKind = "tied",
        bias: bool = True,
        batch_first: bool = False,
        rescale: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("bias", bias), ("batch_first", batch_first), ("rescale", rescale)):
            flag(name, value)
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            integer(name, size, least=1)
        if masks not in ("input", "tied", "untied"):
            raise ValueError(f"masks must be 'input', 'tied' or 'untied', got {masks!r}")
        if masks == "input" and recurrent_keep_prob is not None:
            raise ValueError("masks='input' leaves the recurrent state alone: recurrent_keep_prob has no meaning")
        if recurrent_keep_prob is None:
            recurrent_keep_prob = 1.0 if masks == "input" else keep_prob
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.keep_prob = noise.check_keep_prob(keep_prob)
        self.recurrent_keep_prob = noise.check_keep_prob(recurrent_keep_prob, "recurrent_keep_prob")
        self.masks = masks
        self.bias = bias
        self.batch_first = batch_first
        self.rescale = rescale
        width = self.gates * hidden_size
        for layer in range(num_layers):
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (width, self._features(layer)),
                "weight_hh": (width, hidden_size),
            }
            if bias:
                shapes |= {"bias_ih": (width,), "bias_hh": (width,)}
            for name, shape in shapes.items():
                parameter = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                self.register_parameter(f"{name}_l{layer}", parameter)
        self.own_source(generator, stream)
        self.reset_parameters()

    def _features(self, layer: int) -> int:
        return self.input_size if layer == 0 else self.hidden_size

    def reset_parameters(self) -> None:
        """Draw every parameter uniformly from ±1/√hidden_size, as torch does."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    @classmethod
    def from_torch(
        cls,
        module: nn.RNNBase,
        *,
        keep_prob: float = 0.5,
        recurrent_keep_prob: float | None = None,
        masks: MaskKind = "tied",
        rescale: bool = True,
    ) -> Self:
        """The same layer with a torch module's trained weights (copied), sizes, dtype, device and mode.

        Raises TypeError for another kind of module and ValueError for one that is bidirectional, has a projection, or
        has a dropout between its layers, which would be lost.
        """
        if not isinstance(module, cls.counterpart):
            wanted, got = cls.counterpart.__name__, type(module).__name__
            raise TypeError(f"{cls.__name__} takes the weights of a torch.nn.{wanted}, got {got}")
        for name in ("bidirectional", "proj_size", "dropout"):
            if value := getattr(module, name):
                raise ValueError(f"{cls.__name__} has no {name}, and the module given has {name}={value}")
        weight: Any = module.weight_ih_l0
        layer = cls(
            module.input_size,
            module.hidden_size,
            module.num_layers,
            keep_prob=keep_prob,
            recurrent_keep_prob=recurrent_keep_prob,
            masks=masks,
            bias=module.bias,
            batch_first=module.batch_first,
            rescale=rescale,
            device=weight.device,
            dtype=weight.dtype,
        )
        layer.load_state_dict(module.state_dict())
        return layer.train(module.training)

    def draw_masks(self, batch_size: int, *, generator: Source | None = None) -> list[Masks]:
        """Masks for ``batch_size`` sequences, one :class:`Masks` a layer; each sequence has its own.

        Pass them to ``forward`` to keep them over several calls, as when a long sequence is cut into pieces.
        """
        chosen = self.source(generator)
        draws = self.gates if self.masks == "untied" else 1
        weight = next(self.parameters())

        def draw(features: int, keep_prob: float, place: int) -> Tensor | None:
            if keep_prob == 1:
                return None
            shape = (draws, batch_size, features)
            source = noise.placed(chosen, 1, place)
            with noise.mode_of(weight):
                return noise.bernoulli(shape, keep_prob, generator=source, device=weight.device, dtype=torch.bool)

        return [
            Masks(
                draw(self._features(layer), self.keep_prob, 2 * layer),
                draw(self.hidden_size, self.recurrent_keep_prob, 2 * layer + 1),
            )
            for layer in range(self.num_layers)
        ]

    def _scale(self, keep_prob: float) -> float:
        if self.training:
            return inverse(keep_prob) if self.rescale else 1.0
        return 1.0 if self.rescale else keep_prob

    def _run(
        self, x: Tensor, state: Sequence[Tensor], masks: list[Masks] | None, generator: Source | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Outputs and last state. ``state`` holds tensors (layers, N, hidden), or nothing for zeros."""
        x = self._checked(x)
        length, batch_size, _ = x.shape
        shape = (self.num_layers, batch_size, self.hidden_size)
        for tensor in state:
            if tuple(tensor.shape) != shape:
                raise ValueError(f"the state must have shape (layers, N, hidden) = {shape}, got {tuple(tensor.shape)}")
        if masks is not None:
            self._check_masks(masks, batch_size)
        elif self.training:
            masks = self.draw_masks(batch_size, generator=generator)
        else:
            masks = [Masks(None, None)] * self.num_layers
        zeros = x.new_zeros(batch_size, self.hidden_size)
        last = []
        for layer, mask in enumerate(masks):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            weights: dict[str, Any] = {name: getattr(self, f"{name}_l{layer}", None) for name in names}
            # The mask is fixed, so all steps' inputs are projected at once.
            scale = self._scale(self.keep_prob)
            from_input = _project(x, mask.input, scale, weights["weight_ih"], weights["bias_ih"])
            scale = self._scale(self.recurrent_keep_prob)
            current = tuple(tensor[layer] for tensor in state) or (zeros,) * self.tensors
            outputs = []
            for step in range(length):
                hidden = current[0].unsqueeze(0)
                from_hidden = _project(hidden, mask.recurrent, scale, weights["weight_hh"], weights["bias_hh"])[0]
                current = self._cell(from_input[step], from_hidden, current)
                outputs.append(current[0])
            x = torch.stack(outputs) if outputs else x.new_zeros(0, batch_size, self.hidden_size)
            last.append(current)
        return (x.transpose(0, 1) if self.batch_first else x), tuple(map(torch.stack, zip(*last, strict=True)))

    def _checked(self, x: Tensor) -> Tensor:
        """``x`` with time first."""
        name = type(self).__name__
        if isinstance(x, PackedSequence):
            raise TypeError(f"{name} takes padded sequences, not a PackedSequence")
        if not x.is_floating_point():
            raise TypeError(f"{name} needs floating point input, got {x.dtype}")
        if x.dim() != 3 or x.shape[2] != self.input_size:
            order = "N, T" if self.batch_first else "T, N"
            raise ValueError(f"{name} needs input of shape ({order}, {self.input_size}), got {tuple(x.shape)}")
        return x.transpose(0, 1) if self.batch_first else x

    def _check_masks(self, masks: list[Masks], batch_size: int) -> None:
        if not self.training:
            raise ValueError("masks are for training mode: eval() masks nothing")
        if len(masks) != self.num_layers:
            raise ValueError(f"masks must hold one entry for each of the {self.num_layers} layers, got {len(masks)}")
        draws = self.gates if self.masks == "untied" else 1
        for layer, given in enumerate(masks):
            sizes = (self._features(layer), self.hidden_size)
            for name, mask, features in zip(given._fields, given, sizes, strict=True):
                shape = (draws, batch_size, features)
                if mask is not None and (mask.dtype != torch.bool or tuple(mask.shape) != shape):
                    raise ValueError(
                        f"layer {layer}'s {name} mask must be bool of shape (draws, N, features) = {shape}, "
                        f"got {mask.dtype} of shape {tuple(mask.shape)}"
                    )

    def _cell(self, from_input: Tensor, from_hidden: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def extra_repr(self) -> str:
        layers = f", num_layers={self.num_layers}" if self.num_layers > 1 else ""
        recurrent = "" if self.masks == "input" else f", recurrent_keep_prob={self.recurrent_keep_prob}"
        others = "".join(
            f", {name}={value}"
            for name, value, usual in (
                ("bias", self.bias, True),
                ("batch_first", self.batch_first, False),
                ("rescale", self.rescale, True),
            )
            if value != usual
        )
        sizes = f"{self.input_size}, {self.hidden_size}{layers}"
        return f"{sizes}, keep_prob={self.keep_prob}{recurrent}, masks={self.masks!r}{others}"


_ARGUMENTS = """

    ``keep_prob`` is for each layer's inputs, ``recurrent_keep_prob`` for its state (the same, unless given).
    ``masks`` is "tied", "untied" or "input". With ``rescale`` (inverted dropout) what is kept is divided by its keep
    probability and ``eval()`` is exactly the layer without dropout; without it, ``eval()`` multiplies inputs and
    state by their keep probabilities.

    Shapes: input (T, N, input_size), or (N, T, input_size) with ``batch_first``; state (num_layers, N, hidden_size).
    ``stream`` or ``generator`` is the layer's own source of draws (:mod:`dropout_lab.nn`). Under activation
    checkpointing take a stream: a generator of your own is drawn from again when the forward pass is repeated.

    Raises ValueError for a keep probability outside [0, 1], sizes below 1, and inputs, states or masks of another
    shape; TypeError for integer input and packed sequences.
    """


class VariationalLSTM(_Variational):
    __doc__ = "An LSTM with masks that are fixed for the sequence (Gal and Ghahramani 2016, section 4.2)." + _ARGUMENTS

    variant = RECURRENT_DROPOUT
    gates = 4
    tensors = 2
    counterpart = nn.LSTM

    def forward(
        self,
        x: Tensor,
        state: tuple[Tensor, Tensor] | None = None,
        *,
        masks: list[Masks] | None = None,
        generator: Source | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Outputs (T, N, hidden_size) and the last (hidden, cell); ``state`` is such a pair, zeros if not given.

        >>> layer = VariationalLSTM(3, 4, keep_prob=0.8)
        >>> outputs, (hidden, cell) = layer(torch.ones(5, 2, 3))
        >>> outputs.shape, torch.equal(outputs[-1], hidden[0])
        (torch.Size([5, 2, 4]), True)
        """
        if state is not None and (isinstance(state, Tensor) or len(state) != 2):
            raise ValueError("the state of an LSTM is a pair: hidden state and cell")
        outputs, (hidden, cell) = self._run(x, state or (), masks, generator)
        return outputs, (hidden, cell)

    def _cell(self, from_input: Tensor, from_hidden: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        input_gate, forget_gate, candidate, output_gate = (from_input + from_hidden).chunk(4, dim=-1)
        cell = forget_gate.sigmoid() * state[1] + input_gate.sigmoid() * candidate.tanh()
        return output_gate.sigmoid() * cell.tanh(), cell


class VariationalGRU(_Variational):
    __doc__ = "A GRU in torch's form with masks that are fixed for the sequence (Gal and Ghahramani 2016)." + _ARGUMENTS

    variant = RECURRENT_DROPOUT
    gates = 3
    tensors = 1
    counterpart = nn.GRU

    def forward(
        self,
        x: Tensor,
        state: Tensor | None = None,
        *,
        masks: list[Masks] | None = None,
        generator: Source | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Outputs (T, N, hidden_size) and the last hidden state; ``state`` is such a state, zeros if not given.

        >>> layer = VariationalGRU(3, 4, masks="input", batch_first=True)
        >>> outputs, hidden = layer(torch.ones(2, 5, 3))
        >>> outputs.shape, torch.equal(outputs[:, -1], hidden[0])
        (torch.Size([2, 5, 4]), True)
        """
        if state is not None and not isinstance(state, Tensor):
            raise ValueError("the state of a GRU is one tensor: the hidden state")
        outputs, (last,) = self._run(x, () if state is None else (state,), masks, generator)
        return outputs, last

    def _cell(self, from_input: Tensor, from_hidden: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        reset_x, update_x, new_x = from_input.chunk(3, dim=-1)
        reset_h, update_h, new_h = from_hidden.chunk(3, dim=-1)
        update = (update_x + update_h).sigmoid()
        candidate = (new_x + (reset_x + reset_h).sigmoid() * new_h).tanh()
        return ((1 - update) * candidate + update * state[0],)
