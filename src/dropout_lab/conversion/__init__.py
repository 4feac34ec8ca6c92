"""From other libraries' dropout layers to ours, and back to torch's.

:func:`convert` replaces the layers of a model, :func:`plan` says beforehand which, and which not and why. Layers of
torch are known by their class. Those of timm, of torchvision and home-made ones are recognized by name and attributes,
and then run: one is replaced only if what it does is what ours does.
"""

from dropout_lab.conversion.converting import Left, NotConverted, Replaced, Report, convert, plan
from dropout_lab.conversion.counterparts import ChannelDropout, InPlaceDropout

__all__ = ["ChannelDropout", "InPlaceDropout", "Left", "NotConverted", "Replaced", "Report", "convert", "plan"]
