"""The claims of the source, and the five kinds of evidence that settle them. Never imports torch.

A chapter cell settles a claim by its id; what was not established raises :class:`NotEstablished` and stops the build.
"""

from dropout_lab._extras import require

require(__name__)

from dropout_lab.claims.evidence import (
    NotEstablished,
    cite,
    derive,
    enumerate,
    leave_open,
    measure,
    opinion,
    prove,
    refute,
)
from dropout_lab.claims.records import MIME_TYPE, Evidence, strength
from dropout_lab.claims.registry import Assumption, Claim, ClaimsFileError, Registry, load
from dropout_lab.claims.verdicts import VerdictError, settle, verdict

__all__ = [
    "MIME_TYPE",
    "Assumption",
    "Claim",
    "ClaimsFileError",
    "Evidence",
    "NotEstablished",
    "Registry",
    "VerdictError",
    "cite",
    "derive",
    "enumerate",
    "leave_open",
    "load",
    "measure",
    "opinion",
    "prove",
    "refute",
    "settle",
    "strength",
    "verdict",
]
