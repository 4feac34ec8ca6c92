"""Every variant of dropout, exact ensembles, symbolic expectations over masks, and claims that a build settles.

Importing the package is light: each floor is imported by its own name, for example ``from dropout_lab import functional``.
``dropout_lab.symbolic`` and ``dropout_lab.claims`` never import torch.
"""
