"""Drawings that do not move: where masks stand, made by code in one style. A page asks for one by its name.

A new one is a function in one of the files here that gives a picture, and a line in the list below.
"""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from dropout_lab.book.drawings import networks, thinned, weights

#: All of them, by name: the caption, and what draws it.
DRAWINGS: dict[str, tuple[str, Callable[[], Markup]]] = {
    "whole-and-thinned": (
        "Dropout in one picture. For each training example a mask $\\mathbf{r}$ is drawn, which keeps each hidden unit "
        "with the probability $p$; what is dropped takes its connections with it. When the network is used, all units "
        "are present.",
        thinned.whole_and_thinned,
    ),
    "masks-on-weights": (
        "The same weights $\\mathbf{W}$ under three masks. Dropout of inputs drops columns, dropout of "
        "outputs drops rows, and DropConnect drops single weights.",
        weights.masks_on_weights,
    ),
    "residual-block": (
        "A residual block under DropPath. The factor $r/p$ is drawn once for each example and multiplies the "
        "whole branch; if it is 0, the example takes the shortcut alone.",
        networks.residual_block,
    ),
    "unrolled-rnn": (
        "A recurrent layer unrolled over three steps. Equal patterns are the same mask: $z_x$ on the inputs and $z_h$ "
        "on the state are drawn once for the sequence.",
        networks.unrolled_rnn,
    ),
    "transformer-block": (
        "An encoder block and the six places in it where something can be dropped. The two paths drop a whole branch.",
        networks.transformer_block,
    ),
}
