"""A model's calls in a forward pass, traced by ``torch.fx``: what rules ask that change or cut weights."""

from __future__ import annotations

import torch
from torch import fx

from dropout_lab import nn
from dropout_lab.ensemble.asking import described, evaluating
from dropout_lab.ensemble.watching import global_states, states_kept

#: Functions and methods that draw, whatever the mode; also with a final underscore.
_RANDOM = (
    *("rand", "rand_like", "randn", "randn_like", "randint", "randint_like", "randperm", "random", "normal", "uniform"),
    *("bernoulli", "multinomial", "poisson", "exponential", "geometric", "cauchy", "log_normal", "gumbel_softmax"),
)


class _Tracer(fx.Tracer):
    """Follows activations from layer to layer: the layers of torch and of this package are not looked into."""

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return nn.variant_of(m) is not None or super().is_leaf_module(m, module_qualified_name)


def trace(model: torch.nn.Module) -> fx.Graph:
    """The calls in a forward pass in ``eval()``. Raises ValueError if it draws random numbers."""
    # Tracing runs the model's own code on stand-ins for tensors, which can fail in any way.
    try:
        with evaluating(model), states_kept(torch.device("cpu")):
            before = global_states()
            graph = _Tracer().trace(model)
            drew = global_states() != before
    except Exception as error:
        raise ValueError(
            f"cannot follow the activations through {type(model).__name__}: torch.fx failed with "
            f"{type(error).__name__}: {error}. A trace needs a forward() without branches on values"
        ) from error
    called = [described(target(node), model.get_submodule(target(node))) for node in graph.nodes if _pools(model, node)]
    called += [f"{_called_name(node)}()" for node in graph.nodes if _is_random(node)]
    if drew or called:
        what = called[0] if called else "its forward()"
        raise ValueError(
            f"{type(model).__name__} draws random numbers in eval() too, by {what}: no pass of it is deterministic. "
            "Use inference.monte_carlo"
        )
    return graph


def target(node: fx.Node) -> str:
    """The name of the module or parameter that a node calls or gets."""
    return str(node.target)


def _called_name(node: fx.Node) -> str:
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def _pools(model: torch.nn.Module, node: fx.Node) -> bool:
    """Whether a module is called that pools at random in ``eval()`` too, as torch's fractional pooling does."""
    kinds = (torch.nn.FractionalMaxPool2d, torch.nn.FractionalMaxPool3d)
    return node.op == "call_module" and isinstance(model.get_submodule(target(node)), kinds)


def _is_random(node: fx.Node) -> bool:
    """Whether a function or method is called that draws."""
    if node.op not in ("call_function", "call_method"):
        return False
    name = _called_name(node)
    if "dropout" in name or name == "rrelu":
        # The mode is the third argument, or the fourth; by default the plain kinds of dropout are on.
        given = node.args[3:4] if name == "rrelu" else node.args[2:3]
        usual = name != "rrelu" and "alpha" not in name
        return bool(node.kwargs.get("training", given[0] if given else usual))
    if name == "scaled_dot_product_attention":
        return bool(node.kwargs.get("dropout_p", (node.args[4:5] or (0.0,))[0]))
    return name.removesuffix("_") in _RANDOM or name.startswith("fractional_max_pool")
