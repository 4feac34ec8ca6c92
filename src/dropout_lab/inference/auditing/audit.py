"""The audit: a few passes of a copy of the model are followed, and each check reads what was seen."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from torch import Tensor

from dropout_lab.arguments import integer
from dropout_lab.ensemble import asking
from dropout_lab.ensemble.watching import alone, states_kept, switch_on, tensors, twin
from dropout_lab.inference.auditing.checks import CHECKS
from dropout_lab.inference.auditing.evidence import Evidence
from dropout_lab.inference.auditing.flow import Flow, Pass
from dropout_lab.inference.auditing.report import Finding, Report

#: How many examples are alike in a batch: an extent that no input has by itself is taken.
_COPIES = (13, 17, 19, 23, 29)
#: How many passes in training mode are compared.
_PASSES = 4


def audit(model: torch.nn.Module, x: Any, *, batch_dim: int | None = None) -> Report:
    """Report what is wrong with the dropout of ``model``, by following passes at ``x`` in both modes.

    A copy of the model runs; the model, its buffers and all random states stay as they are. Dropout that a model's own
    code makes is seen too, by torch's functions and by products with random masks. Noise from elsewhere shows only as
    an output that differs between two passes in ``eval()``. These kinds of fault are found:

    - ``on-in-eval``: dropout that drops in ``eval()``;
    - ``off-in-train``: dropout that does not drop in ``train()``;
    - ``before-batch-norm``: a batch normalization behind dropout, with linear and elementwise maps between;
    - ``ambiguous-axis`` and ``no-channels``: channels dropped from an input whose axis of channels is another, or none;
    - ``rate-zero`` and ``rate-one``: a layer that never or always drops. A rate of 0 that a class above the layer takes
      as an argument is a setting, and no finding;
    - ``two-in-a-row``: dropout of what dropout has just given;
    - ``after-last-layer``: dropout of the model's output;
    - ``recurrent-without-effect``: torch's dropout between recurrent layers, of which there is only one;
    - ``not-rescaled``: kept units that are not divided by the keep probability, where ``eval()`` takes no account of
      it, or a residual branch that ``eval()`` has to scale;
    - ``original-convention``: a layer whose ``eval()`` multiplies by the keep probability, which another runtime will
      not;
    - ``time-first``: masks that the examples share, because time was taken for another axis;
    - ``shared-over-batch``: one mask for all examples of a batch;
    - ``no-stream`` and ``stream-drawn-twice``: a layer without a source of its own where others have one, and a stream
      that gives two calls the same mask.

    Args:
        model: the model to audit.
        x: what the model is called with: a tensor, a tuple of positional arguments, or a dict of named ones.
        batch_dim: the axis of the examples. By default it is 1 if ``x`` goes as it is into a recurrent layer without
            ``batch_first``, and else 0.

    Returns:
        The findings, none for a clean model. The report shows itself as a table.

    Raises TypeError for a ``model`` that is no module and an ``x`` without tensors, and ValueError, from the model's
    own error, if a pass fails.

    >>> model = torch.nn.Sequential(
    ...     torch.nn.Linear(4, 3), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(3)
    ... )
    >>> report = audit(model, torch.ones(2, 4))
    >>> [(found.module, found.kind, found.claim) for found in report.findings]
    [('1', 'before-batch-norm', '8.5')]
    """
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"audit needs a torch.nn.Module, got {type(model).__name__}")
    first = next(tensors(x), None)
    if first is None or not isinstance(x, (Tensor, tuple, list, dict)):
        raise TypeError(f"x must be a tensor, or a tuple or dict of arguments with tensors; got {type(x).__name__}")
    with (
        alone(model) as shared,
        states_kept(first.device),
        torch.no_grad(),
        asking.eagerly(),
        twin(shared, first) as copied,
        asking.evaluating(copied),
    ):
        evidence = _evidence(copied, x, batch_dim)
        found = [finding for check in CHECKS for finding in check(evidence)]
    order = {name: place for place, (name, _) in enumerate(model.named_modules())}
    return Report(sorted(_first_of_each(found), key=lambda finding: order.get(finding.module, 0)))


def _first_of_each(findings: list[Finding]) -> list[Finding]:
    """One finding of a kind for each module: it may be called often."""
    return list({(found.module, found.kind): found for found in reversed(findings)}.values())[::-1]


def _evidence(model: torch.nn.Module, x: Any, batch_dim: int | None) -> Evidence:
    torch.manual_seed(0)
    model.eval()
    tested = _followed(model, x, "eval()")
    torch.manual_seed(1)
    again = _followed(model, x, "eval()")
    axis = _batch_axis(tested, x) if batch_dim is None else integer("batch_dim", batch_dim, least=0)
    alike, copies = _alike(x, axis)
    switch_on(model)
    trained = []
    for seed in range(_PASSES):
        torch.manual_seed(seed)
        trained.append(_followed(model, alike, "train()"))
    return Evidence(model, tested, again, trained, copies)


def _followed(model: torch.nn.Module, x: Any, mode: str) -> Pass:
    """A pass of ``model``, followed. Its input is copied, for the model may write over it."""
    given = copy.deepcopy(x)
    flow = Flow(model, given)
    # The model's own code runs, which can fail in any way.
    try:
        with flow, warnings.catch_warnings():
            # What they say of dropout the report says, and for each pass they would say it again.
            warnings.simplefilter("ignore")
            if isinstance(given, dict):
                output = model(**given)
            elif isinstance(given, (tuple, list)):
                output = model(*given)
            else:
                output = model(given)
    except Exception as error:
        raise ValueError(
            f"{type(model).__name__} cannot be audited: a forward pass in {mode} failed with "
            f"{type(error).__name__}: {error}"
        ) from error
    return flow.finish(output)


def _batch_axis(seen: Pass, x: Any) -> int:
    """Where the examples are: behind time, if a recurrent layer with time first reads the input as it is laid out."""
    first = next(tensors(x))
    for event in seen.events:
        if event.what == "recurrent" and event.x is not None and not getattr(event.layer, "batch_first", True):
            return int(event.x.dim() == 3 and first.dim() >= 2 and event.x.shape[:2] == first.shape[:2])
    return 0


def _alike(x: Any, axis: int) -> tuple[Any, int]:
    """The first example of ``x``, many times, and how often: so an axis of examples is known by its extent."""
    first = next(tensors(x))
    if first.dim() <= axis:
        return x, 0
    count = first.shape[axis]
    extents = {size for tensor in tensors(x) for size in tensor.shape}
    copies = next((number for number in _COPIES if number not in extents), 0)
    if not copies or not count:
        return x, 0

    def repeated(value: Any) -> Any:
        if isinstance(value, Tensor):
            if value.dim() <= axis or value.shape[axis] != count:
                return value
            return value.narrow(axis, 0, 1).repeat_interleave(copies, axis)
        if isinstance(value, dict):
            return {name: repeated(part) for name, part in value.items()}
        if isinstance(value, (tuple, list)):
            return (
                type(value)(map(repeated, value))
                if not hasattr(value, "_fields")
                else type(value)(*map(repeated, value))
            )
        return value

    return repeated(x), copies
