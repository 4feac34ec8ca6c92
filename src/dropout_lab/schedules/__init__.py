"""Keep probabilities that change while a network is trained.

A :class:`Schedule` is a function from the step to the keep probability, and remembers nothing else. So a training that
is taken up again at any step goes on as it would have. :func:`attach` gives a schedule to layers of a model,
:func:`apply` sets the keep probabilities of a step. A schedule goes with its layer through ``copy.deepcopy`` and
``pickle``, and leaves the model's ``state_dict`` as it is.

A compiled model sees each new value. ``torch.compile`` takes keep probabilities for constants, so a new value costs a
compilation, and after eight of them (``torch._dynamo.config.recompile_limit``) the function runs as it is written, with
a warning. Let a compiled model change seldom: :func:`early` and :func:`late` change once, and :func:`stairs` makes any
schedule hold for many steps.

These arguments mean the same in every function that takes them:

- ``model``: a model with dropout layers.
- ``step``: the step of the training, counted from 0.

>>> import torch
>>> from dropout_lab import nn
>>> model = torch.nn.Sequential(torch.nn.Linear(4, 4), nn.Dropout(0.9))
>>> model = attach(model, curriculum(0.5, 0.01))
>>> [round(apply(model, step)["1"], 3) for step in (0, 100, 1000)]
[1.0, 0.684, 0.5]
"""

from dropout_lab.schedules.attaching import apply, attach, attached, detach, hand_over
from dropout_lab.schedules.kinds import Schedule, constant, cosine, curriculum, early, late, linear, stairs

__all__ = [
    "Schedule",
    "apply",
    "attach",
    "attached",
    "constant",
    "cosine",
    "curriculum",
    "detach",
    "early",
    "hand_over",
    "late",
    "linear",
    "stairs",
]
