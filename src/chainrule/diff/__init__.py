"""Differentiation of graphs: numerical, symbolic, forward and reverse. Graph in, graph out."""
