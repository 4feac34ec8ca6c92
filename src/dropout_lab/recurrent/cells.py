"""The two cells: what an LSTM and a GRU compute in a step, in torch's form."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from dropout_lab.functional.variants import RECURRENT_DROPOUT
from dropout_lab.noise import Source
from dropout_lab.recurrent.masks import Masks
from dropout_lab.recurrent.variational import ARGUMENTS, Variational


class VariationalLSTM(Variational):
    __doc__ = "An LSTM with masks that are fixed for the sequence (Gal and Ghahramani 2016, section 4.1)." + ARGUMENTS

    variant = RECURRENT_DROPOUT
    gates = 4
    tensors = 2
    counterpart = nn.LSTM

    def forward(
        self,
        x: Tensor | PackedSequence,
        state: tuple[Tensor, Tensor] | None = None,
        *,
        masks: list[Masks] | None = None,
        generator: Source | None = None,
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        """Outputs (T, N, hidden_size) and the last (hidden, cell); ``state`` is such a pair, zeros if not given.

        >>> import torch
        >>> layer = VariationalLSTM(3, 4, keep_prob=0.8)
        >>> outputs, (hidden, cell) = layer(torch.ones(5, 2, 3))
        >>> outputs.shape, torch.equal(outputs[-1], hidden[0])
        (torch.Size([5, 2, 4]), True)
        """
        if state is not None and (isinstance(state, Tensor) or len(state) != 2):
            raise ValueError("the state of an LSTM is a pair: hidden state and cell")
        outputs, (hidden, cell) = self._run(x, state or (), masks, generator)
        return outputs, (hidden, cell)

    def _cell(
        self, from_input: Tensor, from_hidden: Tensor, state: tuple[Tensor, ...], candidate_mask: Tensor | None
    ) -> tuple[Tensor, ...]:
        input_gate, forget_gate, candidate, output_gate = (from_input + from_hidden).chunk(4, dim=-1)
        new = self._masked_candidate(candidate.tanh(), candidate_mask)
        cell = forget_gate.sigmoid() * state[1] + input_gate.sigmoid() * new
        return output_gate.sigmoid() * cell.tanh(), cell


class VariationalGRU(Variational):
    __doc__ = "A GRU in torch's form with masks that are fixed for the sequence (Gal and Ghahramani 2016)." + ARGUMENTS

    variant = RECURRENT_DROPOUT
    gates = 3
    tensors = 1
    counterpart = nn.GRU

    def forward(
        self,
        x: Tensor | PackedSequence,
        state: Tensor | None = None,
        *,
        masks: list[Masks] | None = None,
        generator: Source | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Outputs (T, N, hidden_size) and the last hidden state; ``state`` is such a state, zeros if not given.

        >>> import torch
        >>> layer = VariationalGRU(3, 4, masks="input", batch_first=True)
        >>> outputs, hidden = layer(torch.ones(2, 5, 3))
        >>> outputs.shape, torch.equal(outputs[:, -1], hidden[0])
        (torch.Size([2, 5, 4]), True)
        """
        if state is not None and not isinstance(state, Tensor):
            raise ValueError("the state of a GRU is one tensor: the hidden state")
        outputs, (last,) = self._run(x, () if state is None else (state,), masks, generator)
        return outputs, last

    def _cell(
        self, from_input: Tensor, from_hidden: Tensor, state: tuple[Tensor, ...], candidate_mask: Tensor | None
    ) -> tuple[Tensor, ...]:
        reset_x, update_x, new_x = from_input.chunk(3, dim=-1)
        reset_h, update_h, new_h = from_hidden.chunk(3, dim=-1)
        update = (update_x + update_h).sigmoid()
        candidate = (new_x + (reset_x + reset_h).sigmoid() * new_h).tanh()
        return ((1 - update) * self._masked_candidate(candidate, candidate_mask) + update * state[0],)
