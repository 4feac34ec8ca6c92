"""The claims of the source, and the five kinds of evidence that settle them.

A cell of a chapter settles a claim by its id: it calls :func:`derive`, :func:`enumerate`, :func:`measure`,
:func:`refute` or :func:`cite` and shows the :class:`Settlement` that comes back. What was not established raises
:class:`NotEstablished` and stops the build. From the evidence of all cells :func:`settle` makes the verdicts. This
package imports neither torch nor Sphinx nor IPython.
"""

from dropout_lab._extras import require

require(__name__)

from dropout_lab.claims.claims_file import load
from dropout_lab.claims.derivations import Derivation
from dropout_lab.claims.evidence import (
    Comparison,
    NotEstablished,
    Run,
    cite,
    derive,
    leave_open,
    measure,
    opinion,
    refute,
)

# The public name is the word of the design for it; inside the package nothing is called like a builtin.
from dropout_lab.claims.evidence import enumerate_masks as enumerate  # noqa: A004
from dropout_lab.claims.kinds import Citation, Enumeration, Measurement, Refutation, Unsettled
from dropout_lab.claims.records import EVIDENCE, Evidence, from_json
from dropout_lab.claims.registry import Assumption, Claim, ClaimsFileError, Grade, Registry
from dropout_lab.claims.settlement import MIME_TYPE, Settlement, together
from dropout_lab.claims.verdicts import Problem, VerdictError, settle, verdict

__all__ = [
    "EVIDENCE",
    "MIME_TYPE",
    "Assumption",
    "Citation",
    "Claim",
    "ClaimsFileError",
    "Comparison",
    "Derivation",
    "Enumeration",
    "Evidence",
    "Grade",
    "Measurement",
    "NotEstablished",
    "Problem",
    "Refutation",
    "Registry",
    "Run",
    "Settlement",
    "Unsettled",
    "VerdictError",
    "cite",
    "derive",
    "enumerate",
    "from_json",
    "leave_open",
    "load",
    "measure",
    "opinion",
    "refute",
    "settle",
    "together",
    "verdict",
]
