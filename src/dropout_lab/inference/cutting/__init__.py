"""One subnetwork cut out as a smaller network: :func:`~dropout_lab.inference.cutting.subnetwork.subnetwork`."""

from dropout_lab.inference.cutting.parts import Masked
from dropout_lab.inference.cutting.subnetwork import subnetwork

__all__ = ["Masked", "subnetwork"]
