"""Statements, graphs and the table of primitives: the room that everything else stands on."""

from chainrule.graph.graph import Graph as Graph
from chainrule.graph.graph import ancestors as ancestors
from chainrule.graph.origin import Origin as Origin
from chainrule.graph.origin import module_path as module_path
from chainrule.graph.primitive import Kind as Kind
from chainrule.graph.primitive import Primitive as Primitive
from chainrule.graph.rowsparse import RowSparse as RowSparse
from chainrule.graph.statement import Statement as Statement
from chainrule.graph.statement import all_primitives as all_primitives
from chainrule.graph.statement import apply as apply
from chainrule.graph.statement import constant as constant
from chainrule.graph.statement import input_statement as input_statement
from chainrule.graph.statement import lookup as lookup
from chainrule.graph.table import control as _control  # noqa: F401
from chainrule.graph.table import elementwise as _elementwise  # noqa: F401  (fills the table)
from chainrule.graph.table import nonlinear as _nonlinear  # noqa: F401
from chainrule.graph.table import random as _random  # noqa: F401
