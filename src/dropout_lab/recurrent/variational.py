"""What all recurrent layers share: parameters, masks, and the loops over layers, directions and time.

A cell is what its torch counterpart computes. Noise enters where a projection reads its operand, W (x ⊙ z_x) and
U (h ⊙ z_h). Gal and Ghahramani (2016, "A theoretically grounded application of dropout in recurrent neural networks",
section 4.1) call the weights *tied* when one mask serves all gates and *untied* when each gate has its own; input-only
leaves the recurrent projection alone. State that is carried past the projection (an LSTM's cell, a GRU's z ⊙ h) is
never masked. Three more kinds of noise may be on: masks on the candidate alone, which forget nothing (Semeniuta,
Severyn and Barth 2016), zoneout, in which units keep the state that they had (Krueger et al. 2017), and torch's dropout
between layers. Parameters have torch's names, shapes and gate order, so state dicts pass in both directions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from dropout_lab import noise
from dropout_lab.arguments import flag, integer
from dropout_lab.drawing import Drawing
from dropout_lab.functional.selection import inverse, scaled
from dropout_lab.noise import Source, Stream
from dropout_lab.recurrent.masks import Drawn, MaskKind, Masks, check
from dropout_lab.recurrent.sequences import Sequences


def _project(x: Tensor, mask: Tensor | None, scale: float, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``weight`` applied to ``x`` (T, N, features) under a mask that all T steps share: (T, N, gates · hidden)."""
    x = x if scale == 1.0 else scaled(x, scale)
    if mask is None:
        return nn.functional.linear(x, weight, bias)
    # Selecting, not multiplying, makes a dropped inf or NaN exactly 0. One block of gates reads each draw.
    kept = torch.where(mask.unsqueeze(1), x, 0.0)
    projected = torch.einsum("dtnf,dhf->tndh", kept, weight.unflatten(0, (mask.shape[0], -1))).flatten(2)
    return projected if bias is None else projected + bias


def _select(x: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    x = x if scale == 1.0 else scaled(x, scale)
    return x if mask is None else torch.where(mask, x, 0.0)


class Variational(Drawing):
    """What the layers share. Subclasses give the cell."""

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
        candidate_keep_prob: float = 1.0,
        candidate_masks: Literal["step", "sequence"] = "step",
        update_keep_prob: float = 1.0,
        cell_update_keep_prob: float = 1.0,
        between_keep_prob: float = 1.0,
        bias: bool = True,
        batch_first: bool = False,
        bidirectional: bool = False,
        proj_size: int = 0,
        rescale: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__()
        flags = {"bias": bias, "batch_first": batch_first, "rescale": rescale, "bidirectional": bidirectional}
        for name, value in flags.items():
            flag(name, value)
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            integer(name, size, least=1)
        if masks not in ("input", "tied", "untied"):
            raise ValueError(f"masks must be 'input', 'tied' or 'untied', got {masks!r}")
        if masks == "input" and recurrent_keep_prob is not None:
            raise ValueError("masks='input' leaves the recurrent state alone: recurrent_keep_prob has no meaning")
        if candidate_masks not in ("step", "sequence"):
            raise ValueError(f"candidate_masks must be 'step' or 'sequence', got {candidate_masks!r}")
        if recurrent_keep_prob is None:
            recurrent_keep_prob = 1.0 if masks == "input" else keep_prob
        if integer("proj_size", proj_size, least=0) and (self.tensors == 1 or proj_size >= hidden_size):
            raise ValueError(f"proj_size is for an LSTM, and below its hidden_size {hidden_size}; got {proj_size}")
        if self.tensors == 1 and cell_update_keep_prob != 1:
            raise ValueError(f"{type(self).__name__} has no cell: cell_update_keep_prob has no meaning")
        if num_layers == 1 and between_keep_prob != 1:
            raise ValueError("one layer has nothing between layers: between_keep_prob has no meaning")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.keep_prob = noise.check_keep_prob(keep_prob)
        self.recurrent_keep_prob = noise.check_keep_prob(recurrent_keep_prob, "recurrent_keep_prob")
        self.candidate_keep_prob = noise.check_keep_prob(candidate_keep_prob, "candidate_keep_prob")
        self.update_keep_prob = noise.check_keep_prob(update_keep_prob, "update_keep_prob")
        self.cell_update_keep_prob = noise.check_keep_prob(cell_update_keep_prob, "cell_update_keep_prob")
        self.between_keep_prob = noise.check_keep_prob(between_keep_prob, "between_keep_prob")
        self.masks, self.candidate_masks = masks, candidate_masks
        self.bias, self.batch_first, self.rescale = bias, batch_first, rescale
        self.bidirectional, self.proj_size = bidirectional, proj_size
        width = self.gates * hidden_size
        for number in range(num_layers * self._directions):
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (width, self._features(number)),
                "weight_hh": (width, self._outputs),
            }
            if bias:
                shapes |= {"bias_ih": (width,), "bias_hh": (width,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for name, shape in shapes.items():
                parameter = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                self.register_parameter(f"{name}_{self._suffix(number)}", parameter)
        self.own_source(generator, stream)
        self.reset_parameters()

    @property
    def other_keep_probs(self) -> tuple[float, ...]:
        """The keep probabilities of all kinds of noise beside ``keep_prob``."""
        return (
            *(self.recurrent_keep_prob, self.candidate_keep_prob, self.update_keep_prob),
            *(self.cell_update_keep_prob, self.between_keep_prob),
        )

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _outputs(self) -> int:
        """How many features the hidden state has in one direction."""
        return self.proj_size or self.hidden_size

    # A cell's number counts layers and in them directions, as the state does.
    def _features(self, number: int) -> int:
        return self.input_size if number < self._directions else self._outputs * self._directions

    def _suffix(self, number: int) -> str:
        layer, direction = divmod(number, self._directions)
        return f"l{layer}{'_reverse' if direction else ''}"

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
        **others: Any,
    ) -> Self:
        """Make the same layer from a torch module: with its weights (copied), sizes, options, dtype, device and mode.

        Args:
            module: the torch module, an LSTM for an LSTM and a GRU for a GRU.
            keep_prob: the keep probability of the inputs.
            recurrent_keep_prob: the keep probability of the state; None for that of the inputs.
            masks: "tied", "untied" or "input".
            rescale: True for inverted dropout, False for the original convention.
            others: further arguments of the layer. torch's ``dropout`` between layers becomes ``between_keep_prob`` = 1
                − dropout, unless that is given.

        Raises TypeError for another kind of module, and ValueError for weights that are still to be made or are
        parametrized.
        """
        if not isinstance(module, cls.counterpart):
            wanted, got = cls.counterpart.__name__, type(module).__name__
            raise TypeError(f"{cls.__name__} takes the weights of a torch.nn.{wanted}, got {got}")
        weight: Any = module.weight_ih_l0
        if module.num_layers > 1:
            others.setdefault("between_keep_prob", 1 - float(module.dropout))
        layer = cls(
            module.input_size,
            module.hidden_size,
            module.num_layers,
            keep_prob=keep_prob,
            recurrent_keep_prob=recurrent_keep_prob,
            masks=masks,
            bias=module.bias,
            batch_first=module.batch_first,
            bidirectional=module.bidirectional,
            proj_size=module.proj_size,
            rescale=rescale,
            device=weight.device,
            dtype=weight.dtype,
            **others,
        )
        layer.load_state_dict(module.state_dict())
        return layer.train(module.training)

    def _drawn(self, number: int, length: int) -> dict[str, Drawn]:
        """What is drawn for a cell and ``length`` steps, by the names of :class:`Masks`."""
        gates = self.gates if self.masks == "untied" else 1
        steps = length if self.candidate_masks == "step" else 1
        # In a stream, the numbers of places are those that they always had; what came later stands behind them.
        later = 2 * self.num_layers * self._directions + 4 * number
        found = {
            "input": Drawn(gates, self._features(number), self.keep_prob, 2 * number),
            "recurrent": Drawn(gates, self._outputs, self.recurrent_keep_prob, 2 * number + 1),
            "candidate": Drawn(steps, self.hidden_size, self.candidate_keep_prob, later),
            "update": Drawn(length, self._outputs, self.update_keep_prob, later + 1),
            "cell_update": Drawn(length, self.hidden_size, self.cell_update_keep_prob, later + 2),
        }
        if number // self._directions < self.num_layers - 1:
            found["output"] = Drawn(length, self._outputs, self.between_keep_prob, later + 3)
        return found

    def draw_masks(self, batch_size: int, length: int | None = None, *, generator: Source | None = None) -> list[Masks]:
        """Draw masks for a batch of sequences: one :class:`Masks` for each layer and direction.

        Pass them to ``forward`` to keep them over several calls, as when a long sequence is cut into pieces.

        Args:
            batch_size: the number N of sequences, each of which has its own masks.
            length: the number of time steps, needed where some masks are drawn for each step.
            generator: a source of draws for this call alone, instead of the layer's own.
        """
        chosen, weight = self.source(generator), next(self.parameters())
        if length is None:
            by_steps = (self.update_keep_prob, self.cell_update_keep_prob, self.between_keep_prob)
            if min(by_steps) < 1 or (self.candidate_keep_prob < 1 and self.candidate_masks == "step"):
                raise ValueError("some of the masks are drawn for each step: give draw_masks the length, too")
            length = 0
        found = []
        for number in range(self.num_layers * self._directions):
            drawn = {name: part.mask(batch_size, chosen, weight) for name, part in self._drawn(number, length).items()}
            found.append(Masks(**drawn))
        return found

    def draw_masks_for(self, x: Tensor | PackedSequence, *, generator: Source | None = None) -> list[Masks]:
        """Draw masks for the sequences of the input ``x``, as :meth:`draw_masks` does with ``generator``."""
        length, count, _ = self._sequences(x).padded.shape
        return self.draw_masks(count, length, generator=generator)

    def mask_shapes(self, x: Tensor | PackedSequence) -> list[dict[str, tuple[int, int, int]]]:
        """Return the shapes of the masks for the input ``x``, by the names of :class:`Masks`; nothing is drawn."""
        length, count, _ = self._sequences(x).padded.shape
        return [
            {name: (part.draws, count, part.features) for name, part in drawn.items() if part.keep_prob < 1}
            for drawn in (self._drawn(number, length) for number in range(self.num_layers * self._directions))
        ]

    def _scale(self, keep_prob: float, mask: Tensor | None) -> float:
        """What kept numbers are multiplied by; without a mask, as the caller of ``forward`` may ask, by nothing."""
        if self.training:
            return inverse(keep_prob) if self.rescale and mask is not None else 1.0
        return 1.0 if self.rescale else keep_prob

    def __setstate__(self, state: dict[str, Any]) -> None:
        # What layers had not yet when older versions pickled them.
        usual = {
            **dict.fromkeys(("candidate_keep_prob", "update_keep_prob", "cell_update_keep_prob"), 1.0),
            "between_keep_prob": 1.0,
            "candidate_masks": "step",
            "bidirectional": False,
            "proj_size": 0,
        }
        super().__setstate__(usual | state)

    def _sequences(self, x: Tensor | PackedSequence) -> Sequences:
        return Sequences.of(x, self.input_size, self.batch_first, type(self).__name__)

    def _run(
        self, x: Tensor | PackedSequence, state: Sequence[Tensor], masks: list[Masks] | None, generator: Source | None
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, ...]]:
        """Outputs and last state. ``state`` holds tensors (layers, N, features), or nothing for zeros."""
        sequences = self._sequences(x)
        length, batch_size, _ = sequences.padded.shape
        cells = self.num_layers * self._directions
        if masks is not None:
            if not self.training:
                raise ValueError("masks are for training mode: eval() masks nothing")
            wanted = [self._drawn(number, length) for number in range(cells)]
            check(masks, wanted, batch_size, lambda number: f"layer {number}")
        elif self.training:
            masks = self.draw_masks(batch_size, length, generator=generator)
        else:
            masks = [Masks(None, None)] * cells
        start = self._start(state, sequences)
        x, last = sequences.padded, []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self._directions):
                number = layer * self._directions + direction
                current = tuple(tensor[number] for tensor in start)
                output, current = self._sweep(number, x, current, masks[number], sequences)
                if layer < self.num_layers - 1 and self.between_keep_prob < 1:
                    scale = self._scale(self.between_keep_prob, masks[number].output)
                    output = _select(output, masks[number].output, scale)
                outputs.append(output)
                last.append(current)
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
        ends = tuple(map(torch.stack, zip(*last, strict=True)))
        if sequences.is_single:
            ends = tuple(end.squeeze(1) for end in ends)
        return sequences.as_given(x), ends

    def _start(self, state: Sequence[Tensor], sequences: Sequences) -> tuple[Tensor, ...]:
        x = sequences.padded
        widths = (self._outputs, self.hidden_size)[: self.tensors]
        shapes = [(self.num_layers * self._directions, x.shape[1], width) for width in widths]
        if not state:
            return tuple(x.new_zeros(shape) for shape in shapes)
        for tensor, shape in zip(state, shapes, strict=True):
            wanted = (shape[0], shape[2]) if sequences.is_single else shape
            if tuple(tensor.shape) != wanted or tensor.dtype != x.dtype:
                axes = "(layers, hidden)" if sequences.is_single else "(layers, N, hidden)"
                raise ValueError(
                    f"the state must have shape {axes} = {wanted} and the input's type {x.dtype}, got "
                    f"{tuple(tensor.shape)} and {tensor.dtype}"
                )
        if sequences.is_single:
            return tuple(tensor.unsqueeze(1) for tensor in state)
        return tuple(state)

    def _sweep(
        self, number: int, x: Tensor, current: tuple[Tensor, ...], mask: Masks, sequences: Sequences
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One cell over all steps, in its direction: outputs (T, N, features) and the last state."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        own: dict[str, Any] = {name: getattr(self, f"{name}_{self._suffix(number)}", None) for name in names}
        # The mask is fixed, so all steps' inputs are projected at once.
        scale = self._scale(self.keep_prob, mask.input)
        from_input = _project(x, mask.input, scale, own["weight_ih"], own["bias_ih"])
        scale = self._scale(self.recurrent_keep_prob, mask.recurrent)
        steps = range(len(x))
        outputs: list[Any] = [None] * len(x)
        for step in reversed(steps) if number % self._directions else steps:
            hidden = current[0].unsqueeze(0)
            from_hidden = _project(hidden, mask.recurrent, scale, own["weight_hh"], own["bias_hh"])[0]
            drawn = mask.at(step)
            new = self._cell(from_input[step], from_hidden, current, drawn.candidate)
            if own["weight_hr"] is not None:
                new = (nn.functional.linear(new[0], own["weight_hr"]), *new[1:])
            new = self._zoned_out(new, current, drawn)
            running = sequences.running(step)
            if running is not None:
                # Past its end a sequence keeps its state, and gives nothing.
                new = tuple(torch.where(running, one, old) for one, old in zip(new, current, strict=True))
            current = new
            outputs[step] = new[0] if running is None else torch.where(running, new[0], 0.0)
        stacked = torch.stack(outputs) if outputs else x.new_zeros(0, x.shape[1], self._outputs)
        return stacked, current

    def _zoned_out(self, new: tuple[Tensor, ...], old: tuple[Tensor, ...], drawn: Masks) -> tuple[Tensor, ...]:
        """The new state where a unit is updated, else the old one; in ``eval()`` their mean."""
        parts = []
        rates = (self.update_keep_prob, self.cell_update_keep_prob)
        for one, before, mask, keep_prob in zip(new, old, (drawn.update, drawn.cell_update), rates, strict=False):
            if keep_prob == 1:
                parts.append(one)
            elif mask is not None:
                parts.append(torch.where(mask, one, before))
            else:
                parts.append(one if self.training else keep_prob * one + (1 - keep_prob) * before)
        return tuple(parts)

    def _masked_candidate(self, candidate: Tensor, mask: Tensor | None) -> Tensor:
        if self.candidate_keep_prob == 1:
            return candidate
        return _select(candidate, mask, self._scale(self.candidate_keep_prob, mask))

    def _cell(
        self, from_input: Tensor, from_hidden: Tensor, state: tuple[Tensor, ...], candidate_mask: Tensor | None
    ) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def extra_repr(self) -> str:
        layers = f", num_layers={self.num_layers}" if self.num_layers > 1 else ""
        recurrent = "" if self.masks == "input" else f", recurrent_keep_prob={self.recurrent_keep_prob}"
        usual = {
            **dict.fromkeys(("candidate_keep_prob", "update_keep_prob", "cell_update_keep_prob"), 1.0),
            "between_keep_prob": 1.0,
            "bias": True,
            "batch_first": False,
            "bidirectional": False,
            "proj_size": 0,
            "rescale": True,
        }
        others = "".join(
            f", {name}={getattr(self, name)!r}" for name, value in usual.items() if getattr(self, name) != value
        )
        sizes = f"{self.input_size}, {self.hidden_size}{layers}"
        return f"{sizes}, keep_prob={self.keep_prob}{recurrent}, masks={self.masks!r}{others}"
