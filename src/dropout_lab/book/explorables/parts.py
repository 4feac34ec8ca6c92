"""What an explorable is made of: controls that the reader moves, numbers that are shown, and one drawing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

#: What the controls say: numbers, or the name of a choice.
State = Mapping[str, float | str]


@dataclass(frozen=True)
class Slider:
    """A number from ``least`` to ``most`` in steps.

    >>> Slider("p", "keep probability", 0.25, 1, 0.25, 0.5).values()
    (0.25, 0.5, 0.75, 1.0)
    """

    name: str
    label: str
    least: float
    most: float
    step: float
    start: float

    def values(self) -> tuple[float, ...]:
        """All its values."""
        count = round((self.most - self.least) / self.step) + 1
        return tuple(round(self.least + place * self.step, 6) for place in range(count))


@dataclass(frozen=True)
class Choice:
    """One of several things: its value and what it is called.

    >>> Choice("noise", "noise", {"pixel": "pixels", "block": "blocks"}, "pixel").values()
    ('pixel', 'block')
    """

    name: str
    label: str
    options: Mapping[str, str]
    start: str

    def values(self) -> tuple[str, ...]:
        """All its values."""
        return tuple(self.options)


@dataclass(frozen=True)
class Switches:
    """Units that can be dropped one by one; its value is a word of 0 and 1, one for each unit.

    >>> Switches("hidden", "hidden unit", 2, "11").values()
    ('00', '01', '10', '11')
    """

    name: str
    label: str
    count: int
    start: str

    def values(self) -> tuple[str, ...]:
        """All its values."""
        return tuple("".join(bits) for bits in itertools.product("01", repeat=self.count))


Control = Slider | Choice | Switches


@dataclass(frozen=True)
class Shown:
    """A number under the drawing, with so many decimals.

    >>> Shown("mean", "mean of all", 3).text(0.5)
    '0.500'
    """

    name: str
    label: str
    digits: int

    def text(self, value: float) -> str:
        """The number as it is written; a zero has no sign."""
        text = f"{value:.{self.digits}f}"
        return text.lstrip("-") if float(text) == 0 else text


@dataclass(frozen=True)
class Explorable:
    """A figure that the reader moves.

    ``numbers`` computes with :mod:`dropout_lab` what is shown in a state; the page's script computes it for itself,
    from ``data``, and the tests hold the two against each other. ``drawing`` is the figure in its first state, which
    those see who have no script or print the page.
    """

    id: str
    caption: str
    controls: Sequence[Control]
    shown: Sequence[Shown]
    numbers: Callable[[State], Mapping[str, float]]
    drawing: Callable[[State], Markup]
    data: Callable[[], object] = field(default=dict)

    def start(self) -> dict[str, float | str]:
        """The state in which the page opens."""
        return {control.name: control.start for control in self.controls}

    def states(self) -> Iterator[dict[str, float | str]]:
        """The first state, and every value of each control while the others stay."""
        yield self.start()
        for control in self.controls:
            for value in control.values():
                if value != control.start:
                    yield {**self.start(), control.name: value}
