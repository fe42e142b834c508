"""From ordinary NumPy code and from formulas to statements."""

from chainrule.tracing import numpy_linear_algebra as _linear_algebra  # noqa: F401  (fills the table)
from chainrule.tracing import numpy_reductions as _reductions  # noqa: F401
from chainrule.tracing import numpy_selection as _selection  # noqa: F401
from chainrule.tracing import numpy_shapes as _shapes  # noqa: F401
from chainrule.tracing import numpy_ufuncs as _ufuncs  # noqa: F401
from chainrule.tracing.parameter import Parameter as Parameter
from chainrule.tracing.parameter import State as State
from chainrule.tracing.traced import Traced as Traced
from chainrule.tracing.trees import Tree as Tree
