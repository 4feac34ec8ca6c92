"""Every variant of dropout, exact ensembles, symbolic expectations over masks, and claims that a build settles.

Importing the package is light: each floor is imported by its own name, for example ``from dropout_lab import
functional``. The core (``noise``, ``functional``, ``constraints``, ``recurrent``, ``bayes``, ``nn``, ``ensemble``,
``inference``) needs NumPy and torch. ``symbolic``, ``claims``, ``experiments``, ``figures`` and ``book`` need an extra,
and name it where it is missing. ``dropout_lab.symbolic`` and ``dropout_lab.claims`` never import torch.
"""
