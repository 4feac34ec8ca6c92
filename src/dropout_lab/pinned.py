"""Everything that rests on a private name of another library, in one place.

Private names may change with any release, so ``requirements.txt`` pins the versions that they were read in. Each function
here wraps one such name, says where it lives and what for, and imports the library only when called;
``tests/test_pinned.py`` has a test for each that says what stops working when it breaks. No other module uses private
names of other libraries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def sphinx_warning_count(app: Sphinx) -> int:
    """The number of warnings of a build so far: ``sphinx.application.Sphinx._warncount``.

    Sphinx makes its exit status of it, after the last event that an extension gets; without it a build that failed by
    warnings alone would succeed when it is repeated, because nothing is read again.
    """
    return app._warncount
