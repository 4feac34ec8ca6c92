"""The arithmetic and the normalized geometric mean over all masks, streamed in bounded memory.

Both means come in two forms. ``exact_mean(function, n, keep_prob)`` averages a function of masks, and
``exact_mean(model, x)`` a model with dropout layers at inputs x.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, NamedTuple, overload

import torch
from torch import Tensor, nn

from dropout_lab.arguments import flag, integer
from dropout_lab.ensemble.members import members
from dropout_lab.ensemble.tables import check_count, keep_probs, stretch
from dropout_lab.ensemble.watching import alone

#: How a member's output is read: as it is, as logits of classes on the last axis, or as logits of one binary output.
Output = Literal["raw", "softmax", "sigmoid"]
MaskFunction = Callable[[Tensor], Tensor]

KeepProb = float | Sequence[float] | Tensor

#: How many masks are evaluated at once, and how many are enumerated, if nothing else is asked for.
CHUNK = 4096
MAX_MASKS = 2**24
#: By how much rounding may take a probability above 1, in single precision.
_ROUNDING = 1e-5
_INSTEAD = (
    "Use ensemble.softmax_mean for one dropout layer before a softmax, ensemble.sigmoid_mean for one before a binary "
    "output, inference.monte_carlo for any model, or raise max_masks."
)
_WHOLE = (
    "The examples of x cannot be taken apart, since one's output depends on the others (or axis 0 of x or of the "
    "output is not that of the examples), so that each has masks of its own: pass one example at a time. "
)


class _Stream(NamedTuple):
    """A function of masks, the probabilities of the units, how to read its outputs, and how many masks at a time."""

    function: MaskFunction
    probabilities: Tensor
    output: Output
    chunk: int
    #: What to do about too many masks.
    instead: str = _INSTEAD

    def mean(self, read: Callable[[Tensor, Output], Tensor], max_masks: int) -> Tensor:
        """The mean of ``read(outputs, output)`` over the masks, weighted with their probabilities, float64."""
        n = len(self.probabilities)
        few = min(self.chunk, 256)
        check_count(n, max_masks, lambda: self._part(0, few, read), few, self.instead)
        total: Tensor | None = None
        for start in range(0, 2**n, self.chunk):
            part = self._part(start, min(start + self.chunk, 2**n), read)
            if part is not None:
                total = part if total is None else total + part
        # Some mask has a probability above 0.
        assert total is not None
        return total

    def _part(self, start: int, stop: int, read: Callable[[Tensor, Output], Tensor]) -> Tensor | None:
        table, weights = stretch(start, stop, self.probabilities)
        # A mask that is never drawn is no member, and its output (log 0, say) must not meet a weight of 0.
        drawn = weights > 0
        if not drawn.any():
            return None
        table, weights = table[drawn], weights[drawn]
        values = self.function(table)
        if not isinstance(values, Tensor) or values.dim() < 1 or len(values) != len(table):
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(
                f"the function must map masks {tuple(table.shape)} to a tensor with one row a mask, ({len(table)}, …); "
                f"got {got}"
            )
        if values.is_complex():
            raise TypeError(f"an ensemble has no mean of complex outputs, got {values.dtype}")
        values = read(values.detach().to(torch.float64), self.output)
        return torch.tensordot(weights.to(values.device), values, dims=1)


def _stream(
    source: nn.Module | MaskFunction,
    over: Tensor | int,
    keep_prob: KeepProb | None,
    output: Output | None,
    chunk: int | None,
) -> _Stream:
    if output not in (None, "raw", "softmax", "sigmoid"):
        raise ValueError(f"output must be 'raw', 'softmax' or 'sigmoid', got {output!r}")
    if chunk is not None:
        chunk = integer("chunk", chunk, least=1)
    if isinstance(over, Tensor):
        if not isinstance(source, nn.Module):
            raise TypeError(
                f"inputs x go with a torch model, got {type(source).__name__}; a function of masks takes the number "
                "of units n"
            )
        if keep_prob is not None:
            raise ValueError("a model's dropout layers have their own keep_prob: pass none")
        found = members(source, over)
        chunk = chunk or max(1, min(CHUNK, 2**22 // found.largest))
        instead = _WHOLE + _INSTEAD if found.is_whole else _INSTEAD
        return _Stream(found.function, found.probabilities, output or "softmax", chunk, instead)
    if not callable(source):
        raise TypeError(f"expected a function of masks or a torch model, got {type(source).__name__}")
    probabilities = keep_probs(0.5 if keep_prob is None else keep_prob, over)
    return _Stream(source, probabilities, output or "raw", chunk or CHUNK)


def _alone(source: nn.Module | MaskFunction) -> AbstractContextManager[nn.Module | MaskFunction]:
    """A model's copy to work on (:func:`.watching.alone`), a function as it is."""
    return alone(source) if isinstance(source, nn.Module) else nullcontext(source)


def _values(values: Tensor, output: Output) -> Tensor:
    if output == "softmax":
        _check_classes(values)
        return values.softmax(-1)
    return values.sigmoid() if output == "sigmoid" else values


def _log_probabilities(values: Tensor, output: Output) -> Tensor:
    """Log-probabilities of classes on the last axis; "sigmoid" makes an axis of the two classes."""
    if output == "sigmoid":
        return torch.stack((nn.functional.logsigmoid(values), nn.functional.logsigmoid(-values)), dim=-1)
    _check_classes(values)
    if output == "softmax":
        return values.log_softmax(-1)
    if not ((values >= 0) & (values <= 1 + _ROUNDING)).all():
        raise ValueError(
            "a geometric mean needs probabilities, and a member gave a number above 1, a negative number or NaN; for "
            "logits pass output='softmax' or output='sigmoid'"
        )
    return values.log()


def _is_probability(source: nn.Module | MaskFunction, output: Output | None) -> bool:
    """Whether what is averaged is a probability: as asked for, or by default."""
    return output in ("softmax", "sigmoid") or (output is None and isinstance(source, nn.Module))


def _check_classes(values: Tensor) -> None:
    if values.dim() < 2 or values.shape[-1] < 2:
        raise ValueError(
            "expected at least two classes on the last axis of each member's output, got shape "
            f"{tuple(values.shape[1:])}; for the logit of a binary output pass output='sigmoid'"
        )


@overload
def exact_mean(
    source: MaskFunction,
    over: int,
    keep_prob: KeepProb = 0.5,
    *,
    output: Output = "raw",
    chunk: int | None = None,
    max_masks: int = MAX_MASKS,
) -> Tensor: ...


@overload
def exact_mean(
    source: nn.Module,
    over: Tensor,
    *,
    output: Output = "softmax",
    chunk: int | None = None,
    max_masks: int = MAX_MASKS,
) -> Tensor: ...


def exact_mean(
    source: MaskFunction | nn.Module,
    over: int | Tensor,
    keep_prob: KeepProb | None = None,
    *,
    output: Output | None = None,
    chunk: int | None = None,
    max_masks: int = MAX_MASKS,
) -> Tensor:
    """Average over all 2ⁿ masks, each weighted with its probability.

    ``exact_mean(function, n, keep_prob)`` averages any function of the masks of ``n`` units. ``exact_mean(model, x)``
    averages what the subnetworks of a torch model say about the batch ``x``.

    Every dropout layer of a model is enumerated, each with its own keep probability and in its own convention (inverted
    or original): every member of the family with independent 0/1 masks, this package's and torch's. For each example
    the mean is taken over all masks of the shapes that training draws for that example alone. Where one example's
    output depends on another (or axis 0 of ``x`` is not that of the examples), ``x`` is taken as one whole, with all
    the masks that are drawn for it. Everything else runs as in ``eval()``, and the model's mode is left as it was.
    Copies of the model run first, in training mode too, to see that nothing else in it is random.

    Args:
        source: a function that is given tables of masks, float64 of shape (M, n), and returns one row a mask, (M, …);
            or a model.
        over: the number n of units for a function; a batch of inputs of shape (N, …) for a model.
        keep_prob: the keep probability of the units of a function, one number (by default ½) or one for each unit; a
            model has its own.
        output: how a member's output is read before it is averaged: "raw" as it is (the default for functions),
            "softmax" as logits of the classes on the last axis (the default for models), "sigmoid" as the logit of a
            binary output.
        chunk: the largest number of masks that are evaluated at a time (by default 4096, and fewer for models with
            large activations), so that memory does not grow with 2ⁿ.
        max_masks: the largest number of masks that is enumerated.

    Returns:
        The mean, accumulated in float64 and without a gradient, of shape (…) for a function and of the shape of
        ``model(x)`` for a model.

    Raises :class:`TooManyMasks` for more than ``max_masks`` masks; ValueError for a probability outside [0, 1], a
    function that does not return one row a mask, and a model without dropout layers, with noise that is not Bernoulli,
    or with a module that draws random numbers otherwise, which is named; TypeError for outputs that are no real
    numbers, and for a subclass of a dropout layer whose noise is not known.

    >>> exact_mean(lambda masks: masks.sum(1) ** 2, 3, 0.5)
    tensor(3., dtype=torch.float64)
    >>> model = nn.Sequential(nn.Dropout(0.5), nn.ReLU())
    >>> exact_mean(model, torch.tensor([[1.0, -1.0]]), output="raw")
    tensor([[1., 0.]], dtype=torch.float64)
    """
    with _alone(source) as unchanged:
        mean = _stream(unchanged, over, keep_prob, output, chunk).mean(_values, max_masks)
    # The weights of all masks sum to 1 up to rounding.
    return mean.clamp(0, 1) if _is_probability(source, output) else mean


@overload
def exact_geometric_mean(
    source: MaskFunction,
    over: int,
    keep_prob: KeepProb = 0.5,
    *,
    output: Output = "raw",
    normalize: bool = True,
    chunk: int | None = None,
    max_masks: int = MAX_MASKS,
) -> Tensor: ...


@overload
def exact_geometric_mean(
    source: nn.Module,
    over: Tensor,
    *,
    output: Output = "softmax",
    normalize: bool = True,
    chunk: int | None = None,
    max_masks: int = MAX_MASKS,
) -> Tensor: ...


def exact_geometric_mean(
    source: MaskFunction | nn.Module,
    over: int | Tensor,
    keep_prob: KeepProb | None = None,
    *,
    output: Output | None = None,
    normalize: bool = True,
    chunk: int | None = None,
    max_masks: int = MAX_MASKS,
) -> Tensor:
    """Take the weighted geometric mean of class probabilities over all 2ⁿ masks.

    It is the exponential of the mean of their logarithms, accumulated in float64. For one dropout layer before a
    softmax this is what weight scaling gives.

    Args:
        source: a function of masks, or a model, as :func:`exact_mean` takes it. Its members give probabilities of the
            classes on the last axis.
        over: the number n of units for a function; a batch of inputs of shape (N, …) for a model.
        keep_prob: the keep probability of the units of a function, one number (by default ½) or one for each unit.
        output: how a member's output is read: "raw" as probabilities, "softmax" as logits of the classes, "sigmoid" as
            the logit of a binary output, whose mean is that of the positive class.
        normalize: whether to divide by the sum over the classes, which is below 1 unless all members agree.
        chunk: the largest number of masks that are evaluated at a time.
        max_masks: the largest number of masks that is enumerated.

    Returns:
        The mean, in float64 and without a gradient, of the shape that :func:`exact_mean` gives.

    Raises what :func:`exact_mean` raises, and ValueError for members that are not probabilities, or where every class
    has probability 0 in some member, so that there is nothing to normalize. Sources: Srivastava et al. 2014, section 1;
    Hinton et al. 2012.

    >>> first = lambda masks: 0.2 + 0.6 * masks[:, 0]
    >>> two = lambda masks: torch.stack((first(masks), 1 - first(masks)), dim=1)
    >>> exact_geometric_mean(two, 1, 0.5)
    tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    flag("normalize", normalize)
    with _alone(source) as unchanged:
        logs = _stream(unchanged, over, keep_prob, output, chunk).mean(_log_probabilities, max_masks)
    if normalize:
        total = logs.logsumexp(-1, keepdim=True)
        if total.isneginf().any():
            raise ValueError("every class has probability 0 in some member: the geometric mean is 0 for all of them")
        logs = logs - total
    return logs[..., 0].exp() if output == "sigmoid" else logs.exp()
