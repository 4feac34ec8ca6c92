"""What a reviewer would find in the dropout of a model: :func:`~dropout_lab.inference.auditing.audit.audit`."""

from dropout_lab.inference.auditing.audit import audit
from dropout_lab.inference.auditing.report import Finding, Report

__all__ = ["Finding", "Report", "audit"]
