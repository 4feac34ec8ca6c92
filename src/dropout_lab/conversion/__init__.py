"""From other libraries' dropout layers to this package's, and back to torch's.

:func:`convert` replaces the layers of a model. :func:`plan` says beforehand which layers it would replace, and which
not and why. Layers of torch are known by their class. Those of timm, of torchvision and home-made ones are recognized
by name and attributes, and then run: a layer is replaced only if it does what one of this package's layers does.
"""

from dropout_lab.conversion.converting import Left, NotConverted, Replaced, Report, convert, plan
from dropout_lab.conversion.counterparts import ChannelDropout, InPlaceDropout

__all__ = ["ChannelDropout", "InPlaceDropout", "Left", "NotConverted", "Replaced", "Report", "convert", "plan"]
