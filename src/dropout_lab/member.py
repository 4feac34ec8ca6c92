"""What the modules of the family have in common: a variant, the arguments that they remember, and a source of draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from dropout_lab import functional, noise
from dropout_lab.arguments import flag
from dropout_lab.drawing import Drawing
from dropout_lab.functional.variants import Variant
from dropout_lab.noise import Source, Stream

#: Arguments that are True or False.
_FLAGS = ("batched", "rescale", "exact_zeros", "share_heads", "per_example")


class Member(Drawing):
    """The base class of the family's modules, which remembers a variant and the arguments of its function.

    A subclass gives ``variant`` and hands its arguments to ``super().__init__``. One that computes something else in a
    ``forward`` of its own gives its variant anew, or the test-time rules refuse it.

    Args:
        generator: the module's own source of draws, a ``torch.Generator``, or None.
        stream: the module's own source of draws, a :class:`~dropout_lab.noise.Stream`, or None.
        arguments: the arguments that the function gets at each call, ``keep_prob`` among them.

    >>> from dropout_lab import nn
    >>> isinstance(nn.Dropout(0.8), Member), nn.Dropout(0.8).variant.name
    (True, 'dropout')
    """

    variant: Variant
    function: Callable[..., Tensor]
    options: tuple[str, ...]
    keep_prob: float

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        given = vars(cls).get("variant")
        if given is not None and hasattr(functional, given.name):
            cls.function = staticmethod(getattr(functional, given.name))

    def __init__(self, *, generator: Source | None = None, stream: Stream | None = None, **arguments: Any) -> None:
        super().__init__()
        noise.check_keep_prob(arguments["keep_prob"])
        for name, value in arguments.items():
            setattr(self, name, flag(name, value) if name in _FLAGS else value)
        self.options = tuple(arguments)
        self.own_source(generator, stream)

    def _arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.options}

    def forward(self, x: Tensor, *, generator: Source | None = None) -> Tensor:
        """Apply the variant's function with the remembered arguments, in the mode that the module has.

        Args:
            x: the input, in a shape that the function takes.
            generator: a source of draws for this call alone, instead of the module's own.
        """
        if not isinstance(x, Tensor):
            return self.traced(x)
        return type(self).function(x, **self._arguments(), training=self.training, generator=self.source(generator))

    def extra_repr(self) -> str:
        shown = {name: value for name, value in self._arguments().items() if name != "exact_zeros" or not value}
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())
