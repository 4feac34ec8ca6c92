"""Monte Carlo dropout: predict with the subnetworks that training would draw (Gal and Ghahramani 2016)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal, NamedTuple

import torch
from torch import Generator, Tensor, nn

from dropout_lab.arguments import integer
from dropout_lab.drawing import Drawing, streams
from dropout_lab.ensemble import asking
from dropout_lab.ensemble.watching import Watched, alone, switch_on
from dropout_lab.transformer.depth import LayerDrop


class Predictive(NamedTuple):
    """The prediction of the drawn subnetworks together.

    Attributes:
        mean: the mean over the subnetworks, in the shape of the model's output.
        variance: the variance between subnetworks, divided by samples − 1, in the same shape.
        entropy: the entropy of the mean in nats, one number for each example, without the axis of classes ("sigmoid"
            outputs have none); None for raw outputs.
        mutual_information: the entropy of the mean less the mean entropy of the members, in nats and of the same shape
            (Houlsby et al. 2011); None for raw outputs.
        samples: the number of subnetworks.

    >>> mean, variance = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.04, 0.04]])
    >>> Predictive(mean, variance, None, None, 100).standard_error
    tensor([[0.0200, 0.0200]])
    """

    mean: Tensor
    variance: Tensor
    entropy: Tensor | None
    mutual_information: Tensor | None
    samples: int

    @property
    def standard_error(self) -> Tensor:
        """The standard error of ``mean``, which is √(variance / samples), in the same shape."""
        return (self.variance / self.samples).sqrt()


def _entropy_of_classes(probabilities: Tensor) -> Tensor:
    return torch.special.entr(probabilities).sum(-1)


def _entropy_of_binary(probabilities: Tensor) -> Tensor:
    return torch.special.entr(probabilities) + torch.special.entr(1 - probabilities)


_READ: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda logits: logits.softmax(-1),
    "sigmoid": torch.sigmoid,
    "raw": lambda output: output,
}
_ENTROPY = {"softmax": _entropy_of_classes, "sigmoid": _entropy_of_binary}


@torch.no_grad()
def monte_carlo(
    model: nn.Module,
    x: Tensor,
    samples: int = 100,
    *,
    output: Literal["softmax", "sigmoid", "raw"] = "softmax",
    generator: Generator | None = None,
    batch_size: int | None = None,
    also: tuple[type[nn.Module], ...] = (),
) -> Predictive:
    """Predict with forward passes in which the noise of training is left on.

    Only modules whose noise is known are put into training mode: the layers of this package, torch's dropout layers,
    its recurrent layers and attention with dropout. All others stay in ``eval()``, those that contain the former too,
    so batch normalization keeps its statistics. Each module's mode is afterwards what it was, also after an error.
    Copies of the model run first, in training mode too: what draws there and would not be sampled is an error.

    The layers draw from their own sources. A layer's stream gives the masks of its present step to the first sample,
    those of the next step to the second, and so on, for the same examples; all sources stand afterwards where they
    stood. Layers without a source draw from torch's global generators. Calls from several threads wait for one another.

    Args:
        model: the network, with at least one module whose noise is known.
        x: a batch of inputs, of shape (N, …).
        samples: the number of forward passes, at least 2.
        output: how the outputs are read: "softmax" as logits of the classes on the last axis, "sigmoid" as logits of
            binary outputs, "raw" as they are.
        generator: a source that seeds all layers for the time of the call, torch's layers too: the same state gives the
            same result.
        batch_size: the number of examples in a forward pass; None for all of them.
        also: classes of your own whose modules draw in their ``forward``; they are put into training mode, with all
            that they do there.

    Returns:
        The prediction, accumulated in float64, so that memory does not grow with ``samples``. It has no gradient, and
        is in the output's type if that is float32 or float64, in float32 for half precision and in float64 for
        integers.

    Raises ValueError for a model in which nothing samples, for a module that draws random numbers in training and is
    neither known nor in ``also`` (the error names it), for a dropout layer that is called in training alone, for a
    module that would change its buffers, for fewer than two samples, and for a single "softmax" class; TypeError for
    outputs that are no tensor of real numbers, and for a subclass of this package's layers that gives no variant.
    Source: Gal and Ghahramani 2016.

    >>> model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2))
    >>> seeded = torch.Generator().manual_seed(0)
    >>> found = monte_carlo(model, torch.ones(5, 3), 20, generator=seeded)
    >>> found.mean.shape, found.entropy.shape, found.samples
    (torch.Size([5, 2]), torch.Size([5]), 20)
    """
    if integer("samples", samples) < 2:
        raise ValueError(f"samples must be at least 2, or there is no variance; got {samples}")
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor, got {type(x).__name__}")
    if not isinstance(also, tuple) or not all(isinstance(kind, type) for kind in also):
        raise TypeError(f"also must be a tuple of classes of modules, got {also!r}")
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(f"generator must be a torch.Generator, got {type(generator).__name__}")
    if output not in tuple(_READ):
        raise ValueError(f"output must be 'softmax', 'sigmoid' or 'raw', got {output!r}")
    batches = [x] if batch_size is None else x.split(integer("batch_size", batch_size, least=1))
    with alone(model) as copied:
        return _predict(copied, batches, samples, output, generator, also)


def _predict(
    model: nn.Module,
    batches: Sequence[Tensor],
    samples: int,
    output: str,
    generator: Generator | None,
    also: tuple[type[nn.Module], ...],
) -> Predictive:
    with _from_the_first_step(model, slice(0, len(batches[0]))):
        _check_all_is_sampled(model, batches[0], also)
    if not any(asking.is_random(module) or isinstance(module, also) for module in model.modules()):
        raise ValueError(
            f"nothing to sample: {type(model).__name__} has no dropout layer with a keep_prob strictly between 0 and 1"
        )
    parts, start = [], 0
    with asking.evaluating(model), _seeded(generator, batches[0].device), _own_sources(model, generator):
        _sampling(model, also)
        for batch in batches:
            with _from_the_first_step(model, slice(start, start + len(batch))):
                parts.append(_sample(model, batch, samples, output))
            start += len(batch)
    mean, variance = (torch.cat([part[place] for part in parts]) for place in (0, 1))
    if output == "raw":
        return Predictive(mean, variance, None, None, samples)
    entropy, information = (torch.cat([part[place] for part in parts]) for place in (2, 3))
    return Predictive(mean, variance, entropy, information, samples)


def _sample(model: nn.Module, x: Tensor, samples: int, output: str) -> tuple[Tensor, ...]:
    """Mean, variance and, of probabilities, entropy and mutual information for one batch, by Welford's recurrence."""
    entropy_of = _ENTROPY.get(output)
    mean = squares = member_entropy = torch.zeros((), dtype=torch.float64, device=x.device)
    own = list(streams(model))
    for count in range(1, samples + 1):
        # A layer that drops in place would leave the next pass a masked input.
        raw = model(x.clone())
        if not isinstance(raw, Tensor) or raw.is_complex():
            found = f"a tensor of {raw.dtype}" if isinstance(raw, Tensor) else type(raw).__name__
            raise TypeError(f"monte_carlo needs a model that gives a tensor of real numbers, got {found}")
        if output == "softmax" and (raw.dim() < 2 or raw.shape[-1] < 2):
            raise ValueError(
                f"expected logits (N, classes) of at least two classes, got shape {tuple(raw.shape)}; "
                "for the logit of a binary output pass output='sigmoid'"
            )
        values = _READ[output](raw.to(torch.float64))
        deviation = values - mean
        mean = mean + deviation / count
        squares = squares + deviation * (values - mean)
        if entropy_of:
            member_entropy = member_entropy + entropy_of(values) / samples
        for stream in own:
            stream.advance()
    variance = squares / (samples - 1)
    # A mean of integers is none, and half precision holds neither a mean nor a variance.
    dtype = torch.promote_types(raw.dtype, torch.float32) if raw.is_floating_point() else torch.float64
    if entropy_of is None:
        return mean.to(dtype), variance.to(dtype)
    entropy = entropy_of(mean)
    # Rounding can take the difference of two nearly equal entropies below 0, which it never is.
    information = (entropy - member_entropy).clamp(min=0)
    return tuple(part.to(dtype) for part in (mean, variance, entropy, information))


def _sampling(model: nn.Module, also: tuple[type[nn.Module], ...]) -> AbstractContextManager[None]:
    """Brings ``model`` into the state to draw from: ``eval()`` but for the noise."""
    asking.switch_off(model)
    for module in model.modules():
        if asking.has_noise(module) or isinstance(module, also):
            module.training = True
    return nullcontext()


def _training(model: nn.Module) -> AbstractContextManager[None]:
    switch_on(model)
    return nullcontext()


def _check_all_is_sampled(model: nn.Module, x: Tensor, also: tuple[type[nn.Module], ...]) -> None:
    """Raise ValueError, naming the module, if what training draws is not what :func:`_sampling` draws."""

    def named(name: str) -> str:
        return asking.described(name, model.get_submodule(name))

    def name_it(name: str) -> str:
        return f"If that is to be sampled, name its class: also=({type(model.get_submodule(name)).__name__},)"

    noisy = {name for name, module in model.named_modules() if asking.has_noise(module)}
    known = noisy | {name for name, module in model.named_modules() if isinstance(module, also)}
    with _all_layers(model), Watched(model, x) as watched:
        sampled = watched.run(lambda twin: _sampling(twin, also))
        trained = watched.run_training(_training)
    for name in [*trained.draws, *sampled.draws]:
        if name not in known:
            raise ValueError(f"{named(name)} draws random numbers of its own. {name_it(name)}")
    for name in trained.called:
        if name in noisy and name not in sampled.called:
            around = name.rpartition(".")[0]
            raise ValueError(f"{named(name)} is called in training alone, by {named(around)}. {name_it(around)}")
    for name in sampled.changed:
        raise ValueError(
            f"{named(name)} changes its buffers when it is sampled, so every sample would come from another model"
        )


@contextmanager
def _all_layers(model: nn.Module) -> Iterator[None]:
    """No layer is skipped for a while: what a layer that is skipped now would draw, another pass draws."""
    skipping = [module for module in model.modules() if isinstance(module, LayerDrop)]
    before = [module.keep_prob for module in skipping]
    for module in skipping:
        module.keep_prob = 1.0
    try:
        yield
    finally:
        for module, keep_prob in zip(skipping, before, strict=True):
            module.keep_prob = keep_prob


@contextmanager
def _own_sources(model: nn.Module, generator: Generator | None) -> Iterator[None]:
    """With ``generator``, the layers draw from torch's global ones, seeded from it, and not from their own."""
    layers = [module for module in model.modules() if isinstance(module, Drawing)] if generator is not None else []
    own = [layer.set_aside() for layer in layers]
    try:
        yield
    finally:
        for layer, source in zip(layers, own, strict=True):
            layer.own_source(*source)


@contextmanager
def _from_the_first_step(model: nn.Module, rows: slice) -> Iterator[None]:
    """The streams stand at their present step, for the examples of some rows, and are afterwards what they were."""
    before = [(stream, int(stream.step), stream.examples) for stream in streams(model)]
    for stream, step, examples in before:
        stream.set(step=step, examples=None if examples is None else examples[rows])
    try:
        yield
    finally:
        for stream, step, examples in before:
            stream.set(step=step, examples=examples)


@contextmanager
def _seeded(generator: Generator | None, device: torch.device) -> Iterator[None]:
    """torch's global generators, of the CPU and ``device``, seeded from ``generator`` for a while, if there is one."""
    if generator is None:
        yield
        return
    seed = int(torch.randint(2**63 - 1, (), generator=generator, device=generator.device))
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
