"""Everything that rests on a private name of another library, in one place.

Private names may change with any release, so ``requirements.txt`` pins the versions that they were read in. Each function
here wraps one such name, says where it lives and what for, and imports the library only when called;
``tests/test_pinned.py`` has a test for each that says what stops working when it breaks. No other module uses private
names of other libraries.
"""

from __future__ import annotations
