"""The checks of an audit. Each reads the evidence and gives its findings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from dropout_lab import nn
from dropout_lab.drawing import Drawing
from dropout_lab.ensemble import asking
from dropout_lab.ensemble.watching import tensors
from dropout_lab.inference.auditing.evidence import Evidence
from dropout_lab.inference.auditing.flow import Event
from dropout_lab.inference.auditing.report import Finding
from dropout_lab.membership import FUNCTIONS_OF_TORCH

#: Dropout of single numbers, and of channels: what one would not put one behind the other, nor before a normalization.
_PLAIN = frozenset(
    (
        *("dropout", "gaussian_dropout", "alpha_dropout", "spatial_dropout"),
        *(f"F.{name}" for name in FUNCTIONS_OF_TORCH),
    )
)
#: How many axes the input of the functions and layers of channels has, with the axis of examples.
_AXES = {"1d": 3, "2d": 4, "3d": 5}
#: Parts of the names of arguments that set a rate.
_RATES = ("drop", "rate", "keep_prob", "config", "cfg")


def on_in_eval(seen: Evidence) -> Iterator[Finding]:
    """Dropout that drops in ``eval()``."""
    found = False
    for event in seen.tested.events:
        if event.active and event.rate != 0:
            found = True
            yield Finding(event.module, "on-in-eval", _how_on(seen, event))
    if not found and not seen.tested.drew and not _alike(seen.tested.output, seen.tested_again.output):
        yield Finding(
            "",
            "on-in-eval",
            "Two passes in eval() gave different outputs, and no function of torch drew: random numbers from elsewhere "
            "are used whatever the mode is. Switch them off where self.training is False.",
        )


def _how_on(seen: Evidence, event: Event) -> str:
    if event.what == "F.scaled_dot_product_attention":
        return (
            "scaled_dot_product_attention drops in eval() too: it knows no mode. Pass dropout_p=self.p if "
            "self.training else 0.0."
        )
    if event.what.startswith("F."):
        return f"{event.what} drops in eval() too: without training=self.training it is on. Pass it."
    if event.what == "home-made":
        return "A random mask is applied in eval() too. Apply it where self.training is True only."
    return (
        f"{type(seen.named(event.module)).__name__} stays in training mode after model.eval(), so that it drops. Let "
        "train() pass its mode on."
    )


def off_in_train(seen: Evidence) -> Iterator[Finding]:
    """Dropout that does not drop in ``train()``."""
    for event in seen.in_training():
        if not event.active and event.rate:
            why = (
                f"{event.what} has training=False after model.train()"
                if event.layer is None
                else f"{type(event.layer).__name__} stays in eval() after model.train()"
            )
            yield Finding(event.module, "off-in-train", f"{why}: it never drops. Pass the mode on, or take it out.")


def before_batch_norm(seen: Evidence) -> Iterator[Finding]:
    """A batch normalization that collects the variance of masked numbers."""
    for event, norm in seen.trained[0].normalized:
        if event.on_activations and _drops(event) and _is_plain(seen, event):
            yield Finding(
                event.module,
                "before-batch-norm",
                f"Its output reaches the batch normalization {norm or 'in the model'!r}, which collects a variance "
                "that it will not meet in eval(). Put dropout behind the last normalization.",
            )


def channels(seen: Evidence) -> Iterator[Finding]:
    """Channels dropped where the axis of channels is another, or where there is none. Ours refuse such an input."""
    for event in seen.tested.events:
        kind = type(event.layer).__name__ if event.layer is not None else event.what
        usual = next((axes for end, axes in _AXES.items() if kind.lower().endswith(f"dropout{end}")), None)
        if usual is None or event.x is None or event.x.dim() >= usual:
            continue
        shape = tuple(event.x.shape)
        if event.x.dim() == 2:
            yield Finding(
                event.module,
                "no-channels",
                f"{kind} gets an input of shape {shape}, in which no positions share a channel: by the version of "
                "torch it drops single numbers, or whole examples. Use Dropout.",
            )
        elif usual > _AXES["1d"]:
            yield Finding(
                event.module,
                "ambiguous-axis",
                f"{kind} gets an input of shape {shape}, and expects {usual} axes: which of them holds the channels "
                "depends on the version of torch. Use the layer for this number of axes, or add the axis of examples.",
            )


def rates(seen: Evidence) -> Iterator[Finding]:
    """Layers that never drop, or always."""
    for name, module in seen.model.named_modules():
        variant = nn.variant_of(module)
        if variant is None or not (variant.is_function or isinstance(module, nn.OF_TORCH)):
            continue
        keep = [float(part) for part in asking.keep_probs(module) if part.numel() == 1]
        if keep and min(keep) == 1 and not _is_a_setting(seen.model, name):
            yield Finding(
                name, "rate-zero", f"{type(module).__name__} never drops: its rate is 0. Take it out, or set one."
            )
        if keep and min(keep) == 0:
            yield Finding(name, "rate-one", f"{type(module).__name__} drops everything: its rate is 1.")
    for event in seen.in_training():
        if event.layer is None and event.rate == 1:
            yield Finding(event.module, "rate-one", f"{event.what} drops everything: its rate is 1.")


def _is_a_setting(model: torch.nn.Module, name: str) -> bool:
    """Whether a class above the layer takes a rate as an argument: then 0 is how it is switched off."""
    while name:
        name = name.rpartition(".")[0]
        owner = model.get_submodule(name)
        # A layer with a rate of its own, around others, does not take theirs.
        arguments = () if nn.variant_of(owner) else inspect.signature(type(owner).__init__).parameters
        if any(word in argument for argument in arguments for word in _RATES):
            return True
    return False


def in_a_row(seen: Evidence) -> Iterator[Finding]:
    """Dropout of what dropout has just given."""
    for first, second in seen.trained[0].in_a_row:
        if first is not second and {first.what, second.what} <= _PLAIN and _drops(first) and _drops(second):
            together = (1 - (first.rate or 0.0)) * (1 - (second.rate or 0.0))
            yield Finding(
                second.module,
                "two-in-a-row",
                f"It drops what {first.module or 'the model'!r} has just dropped: together they keep a number with "
                f"probability {together:.3g}. One of them is enough.",
            )


def after_last_layer(seen: Evidence) -> Iterator[Finding]:
    """Dropout of the model's output."""
    for event in seen.trained[0].last:
        if event.module and event.on_activations and _drops(event):
            yield Finding(
                event.module,
                "after-last-layer",
                "It drops the model's output: a dropped logit is 0 and says nothing of its class. Put it before the "
                "last layer.",
            )


def recurrent_without_effect(seen: Evidence) -> Iterator[Finding]:
    """torch's dropout between recurrent layers, of which there is one."""
    for name, module in seen.model.named_modules():
        if isinstance(module, torch.nn.RNNBase) and module.dropout and module.num_layers == 1:
            yield Finding(
                name,
                "recurrent-without-effect",
                f"{type(module).__name__} has dropout={module.dropout} between its layers, and one layer: nothing is "
                "dropped. Use nn.VariationalLSTM or a dropout layer behind it.",
            )


def not_rescaled(seen: Evidence) -> Iterator[Finding]:
    """Survivors that are not divided by the keep probability, where ``eval()`` takes no account of it."""
    for name, module in seen.model.named_modules():
        if getattr(module, "rescale", True) is not False or not asking.has_noise(module):
            continue
        if isinstance(module, nn.DropPath):
            yield Finding(
                name,
                "not-rescaled",
                "DropPath has rescale=False: in training the branch is on average weaker than the sum expects, and "
                "eval() has to multiply it by keep_prob. Use rescale=True.",
            )
        else:
            yield Finding(
                name,
                "original-convention",
                f"{type(module).__name__} has rescale=False: its eval() multiplies by keep_prob, and another runtime "
                "will not. Convert the trained model with inference.weight_scaling.",
            )
    homemade = dict.fromkeys(event.module for event in seen.in_training() if event.what == "home-made")
    for name in homemade:
        tested = seen.tested.leaves.get(name, [])
        trained = [leaf for one in seen.trained for leaf in one.leaves.get(name, [])]
        if tested and all(_is_identity(x, y) for x, y in tested) and _keeps_or_drops(trained):
            yield Finding(
                name,
                "not-rescaled",
                f"{type(seen.named(name)).__name__} drops without dividing the survivors by the keep probability, and "
                "is the identity in eval(): what follows gets more than it was trained on. Divide, or use nn.DropPath.",
            )


def _is_identity(x: Tensor, y: object) -> bool:
    return isinstance(y, Tensor) and x.shape == y.shape and bool(torch.equal(x, y))


def _keeps_or_drops(leaves: list[tuple[Tensor, object]]) -> bool:
    """Whether every number is unchanged or 0, and some of either kind."""
    same = dropped = False
    for x, y in leaves:
        if not isinstance(y, Tensor) or x.shape != y.shape:
            return False
        kept, gone = (x != 0) & (y == x), (x != 0) & (y == 0)
        if bool(((x != 0) & ~kept & ~gone).any()):
            return False
        same, dropped = same or bool(kept.any()), dropped or bool(gone.any())
    return same and dropped


def time_first(seen: Evidence) -> Iterator[Finding]:
    """Masks that are shared over the examples, because time was taken for another axis."""
    for event in seen.in_training():
        axis = seen.axis_of_examples(event.x)
        if event.x is None or axis is None or event.x.dim() != 3:
            continue
        if event.what == "variational_dropout" and getattr(event.layer, "time_dim", None) is not None:
            time = event.layer.time_dim % event.x.dim()  # type: ignore[union-attr, operator]
        elif event.what == "recurrent" and hasattr(event.layer, "batch_first"):
            time = 1 if event.layer.batch_first else 0  # type: ignore[union-attr]
        else:
            continue
        if time == axis:
            yield Finding(
                event.module,
                "time-first",
                f"{type(event.layer).__name__} takes axis {axis} of its input for time, and the examples lie along it: "
                "they share their masks, and each time step has its own. Set time_dim, or batch_first.",
            )


def shared_over_batch(seen: Evidence) -> Iterator[Finding]:
    """One mask for all examples of a batch."""
    for name, module in seen.model.named_modules():
        if isinstance(module, nn.OnWeights) and not module.per_example and asking.is_random(module):
            yield Finding(
                name,
                "shared-over-batch",
                f"{type(module).__name__} has per_example=False: all examples of a batch share one mask, so that its "
                "gradient is that of one subnetwork. Set per_example=True.",
            )
    wrong = {found.module for found in time_first(seen)}
    for event in seen.in_training():
        if event.active and event.on_activations and event.module not in wrong and _is_shared(seen, event):
            yield Finding(
                event.module,
                "shared-over-batch",
                "All examples of a batch get the same mask, so that its gradient is that of one subnetwork. Draw one "
                "for each example, along the axis of examples.",
            )


def _is_shared(seen: Evidence, event: Event) -> bool:
    """Whether in every pass all examples have the same factors, and these are random."""
    found = [seen.factors(other) for other in seen.over_passes(event)]
    rows = [factors for factors in found if factors is not None]
    if not rows:
        return False
    for factors in rows:
        first, others = factors[:1], factors[1:]
        both = ~(first.isnan() | others.isnan())
        if not torch.allclose(first.expand_as(others)[both], others[both], rtol=1e-4, atol=1e-6):
            return False
    values = torch.cat([factors[0][~factors[0].isnan()] for factors in rows])
    return len(values) > 0 and bool(values.max() - values.min() > 1e-3)


def streams(seen: Evidence) -> Iterator[Finding]:
    """Layers without a source of their own where others have one, and streams that give two calls the same mask."""
    noisy = {name: module for name, module in seen.model.named_modules() if asking.is_random(module)}
    own = {name for name, module in noisy.items() if isinstance(module, Drawing) and module.source() is not None}
    for name, module in noisy.items():
        if own and name not in own:
            yield Finding(
                name,
                "no-stream",
                f"{type(module).__name__} draws from torch's global generator, where other layers have a source of "
                "their own: the run cannot be repeated from these. "
                + ("Use nn.add_streams." if isinstance(module, Drawing) else "Convert it with dropout_lab.convert."),
            )
        if isinstance(module, Drawing) and module.stream is not None and seen.trained[0].calls.get(name, 0) > 1:
            yield Finding(
                name,
                "stream-drawn-twice",
                f"{type(module).__name__} is called {seen.trained[0].calls[name]} times in a pass, and its stream "
                "gives each call the same mask. Give each place a layer of its own.",
            )


def _drops(event: Event) -> bool:
    return event.active and (event.rate is None or 0 < event.rate < 1)


def _is_plain(seen: Evidence, event: Event) -> bool:
    """Whether single numbers or channels are dropped, and not whole branches or blocks."""
    if event.what != "home-made":
        return event.what in _PLAIN
    factors = seen.factors(event)
    if factors is None:
        return False
    highest = torch.where(factors.isnan(), -torch.inf, factors).amax(1)
    lowest = torch.where(factors.isnan(), torch.inf, factors).amin(1)
    # By more than rounding.
    return bool((highest - lowest > 1e-3).any())


def _alike(one: object, two: object) -> bool:
    return all(
        torch.allclose(first, second, equal_nan=True) if first.shape == second.shape else False
        for first, second in zip(tensors(one), tensors(two), strict=False)
    )


#: All checks.
CHECKS: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    on_in_eval,
    off_in_train,
    before_batch_norm,
    channels,
    rates,
    in_a_row,
    after_last_layer,
    recurrent_without_effect,
    not_rescaled,
    time_first,
    shared_over_batch,
    streams,
)
