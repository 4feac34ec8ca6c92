"""The two cells: what an LSTM and a GRU compute in a step, in torch's form."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from dropout_lab.functional.variants import RECURRENT_DROPOUT
from dropout_lab.noise import Source
from dropout_lab.recurrent.masks import Masks
from dropout_lab.recurrent.variational import Variational

#: What the docstrings of both layers say.
_COMMON = """

    With ``rescale``, ``eval()`` is exactly the layer without dropout. The mask of a sequence is that of its place in
    the batch as it was packed, whatever its place after sorting. Under ``torch.autocast`` the products with the weights
    are made in its type, and state and outputs keep that of the input, so that nothing is lost from step to step
    (torch's own LSTM gives bfloat16, its GRU float32).

    Args:
        input_size: the number of features of the input.
        hidden_size: the number of units.
        num_layers: the number of layers.
        keep_prob: the keep probability of each layer's inputs.
        recurrent_keep_prob: the keep probability of the hidden state; None for that of the inputs.
        masks: "tied" for one mask for all gates, "untied" for one mask for each gate, "input" for inputs alone.
        candidate_keep_prob: the keep probability of the candidate alone, so that nothing in memory is lost (Semeniuta
            et al. 2016).
        candidate_masks: whether the candidate's mask is fresh at each "step" or the same for the "sequence".
        update_keep_prob: the probability with which a hidden unit takes its new value in a step; otherwise it keeps the
            old one (zoneout, Krueger et al. 2017; 1 − the rate of the paper). ``eval()`` takes the mean of both.
        cell_update_keep_prob: the same for the units of an LSTM's cell.
        between_keep_prob: the keep probability of what goes from a layer to the next, drawn for each step; 1 − torch's
            ``dropout``.
        bias: whether the layer has biases, as torch's has.
        batch_first: whether sequences are (N, T, features), or else (T, N, features).
        bidirectional: whether each layer also reads the sequence from its end.
        proj_size: the number of features to which an LSTM projects its hidden state; 0 for no projection.
        rescale: True for inverted dropout: what is kept is divided by its keep probability. False for the original
            convention: ``eval()`` multiplies inputs and state by their keep probabilities.
        device: the device of the parameters.
        dtype: the type of the parameters.

    Raises ValueError for a keep probability outside [0, 1], sizes below 1, and inputs, states or masks of another
    shape; TypeError for integer input. Source: Gal and Ghahramani 2016 (recurrent), section 4.1.
    """


class VariationalLSTM(Variational):
    __doc__ = "An LSTM with masks that are fixed for the whole sequence." + _COMMON

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
        """Run the sequences through the layers.

        Args:
            x: the sequences, of shape (T, N, input_size), or (N, T, input_size) with ``batch_first``, or (T,
                input_size) for a single one, or a ``PackedSequence``.
            state: the hidden state and the cell to start from, each of shape (num_layers · directions, N, features);
                zeros by default.
            masks: the masks to use (:meth:`draw_masks`), one entry for each layer and direction; by default they are
                drawn.
            generator: a source of draws for this call alone, instead of the layer's own.

        Returns:
            The outputs, in the form of ``x`` with the outputs' features, and the pair of the last hidden state and
            cell.

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
    __doc__ = "A GRU, in torch's form, with masks that are fixed for the whole sequence." + _COMMON

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
        """Run the sequences through the layers.

        Args:
            x: the sequences, of shape (T, N, input_size), or (N, T, input_size) with ``batch_first``, or (T,
                input_size) for a single one, or a ``PackedSequence``.
            state: the hidden state to start from, of shape (num_layers · directions, N, hidden_size); zeros by default.
            masks: the masks to use (:meth:`draw_masks`), one entry for each layer and direction; by default they are
                drawn.
            generator: a source of draws for this call alone, instead of the layer's own.

        Returns:
            The outputs, in the form of ``x`` with hidden_size features, and the last hidden state.

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
