"""Where dropout sits in a transformer, as torch modules; each stands in :mod:`dropout_lab.nn` too.

:mod:`~dropout_lab.transformer.words` drops words of a table, :mod:`~dropout_lab.transformer.attention` attention
probabilities, :mod:`~dropout_lab.transformer.depth` whole layers, and :mod:`~dropout_lab.transformer.block` is one
encoder block with a place for each kind.
"""
