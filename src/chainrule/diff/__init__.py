"""Differentiation of graphs: numerical, symbolic, forward and reverse. Graph in, graph out."""

from chainrule.diff import scan as _scan  # noqa: F401  (gives loops their rules)
