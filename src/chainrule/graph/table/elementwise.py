"""Elementwise primitives and their partial derivatives: the page of calculus.

Each row: name, meaning in NumPy, and for each argument the partial derivative as an expression of
the arguments and of the result ``y``. A bare 1 or -1 is a partial that costs nothing, None one that
is zero wherever it exists.

Conventions at points without a derivative: |x|' = 0 at 0, relu'(0) = 0, sqrt'(0) = inf, and a tie
of maximum or minimum shares the derivative equally between its two sides.

Source of the formulas: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 4.1-4.6
and 7.1; for the activations the papers named beside them.
"""

from __future__ import annotations

from math import log, pi, sqrt
from typing import Any

import numpy as np

from chainrule.graph.primitive import elementwise
from chainrule.graph.statement import Statement, apply, constant, lookup
from chainrule.graph.table import meanings

ANY, POSITIVE, UNIT = (-2.0, 2.0), (0.2, 3.0), (-0.9, 0.9)
APART = ((-2.0, -0.1), (0.1, 2.0))  # Two arguments that never tie.


def power_base_partial(a: Statement, b: Statement, y: Statement) -> Any:
    """b a^(b-1), with the small constant powers written out (0^0 and 0^1 stay finite)."""
    if b.is_constant and b.shape == ():
        exponent = float(b.value)
        if exponent in (0.0, 1.0):
            return exponent
        if exponent == 2.0:
            return b * a
        return b * power(a, exponent - 1)
    both_zero = logical_and(equal(a, 0), equal(b, 0))
    return b * power(choose(both_zero, 1, a, like=a), b - 1)


def power_exponent_partial(a: Statement, b: Statement, y: Statement) -> Statement:
    """y ln a, taken as 0 where a = 0."""
    return y * log_(choose(equal(a, 0), 1, a, like=a))


def choose(condition: Statement, a: Any, b: Any, like: Statement) -> Statement:
    """Where ``condition`` holds a, else b; bare numbers take the dtype of ``like``."""
    a, b = (
        c if isinstance(c, Statement) else constant(np.asarray(c, like.dtype)[()]) for c in (a, b)
    )
    return apply(lookup("where"), condition, a, b)


def share(won: Statement, tied: Statement, like: Statement) -> Statement:
    """1 where the argument won, a half where it tied, else 0."""
    return choose(won, 1, choose(tied, 0.5, 0, like), like)


# ----- arithmetic -------------------------------------------------------------------------------

add = elementwise("add", np.add, 1, 1, symbol="+")
subtract = elementwise("subtract", np.subtract, 1, -1, symbol="-")
multiply = elementwise("multiply", np.multiply, lambda a, b, y: b, lambda a, b, y: a, symbol="*")
divide = elementwise(
    "divide", np.divide, lambda a, b, y: 1 / b, lambda a, b, y: -y / b,
    symbol="/", domain=(ANY, POSITIVE), latex=r"\frac{{{0}}}{{{1}}}",
)  # fmt: skip
power = elementwise(
    "power", np.power, power_base_partial, power_exponent_partial,
    symbol="**", domain=(POSITIVE, ANY),
)  # fmt: skip
negative = elementwise("negative", np.negative, -1, symbol="-")
square = elementwise("square", np.square, lambda x, y: 2 * x, latex="{0}^{{2}}")
reciprocal = elementwise(
    "reciprocal", np.reciprocal, lambda x, y: -y * y, domain=(POSITIVE,), latex=r"\frac{{1}}{{{0}}}"
)
remainder = elementwise(
    "remainder", np.remainder, 1, lambda a, b, y: -floor(a / b), domain=((0.1, 0.9), (1.0, 2.0))
)
absolute = elementwise(
    "abs", np.absolute, lambda x, y: sign(x), domain=(POSITIVE,), latex=r"\left|{0}\right|"
)

# ----- exponentials, logarithms, roots ----------------------------------------------------------

exp = elementwise("exp", np.exp, lambda x, y: y, latex="e^{{{0}}}")
exp2 = elementwise("exp2", np.exp2, lambda x, y: y * log(2), latex="2^{{{0}}}")
expm1 = elementwise("expm1", np.expm1, lambda x, y: y + 1)
log_ = elementwise("log", np.log, lambda x, y: 1 / x, domain=(POSITIVE,), latex=r"\ln {0}")
log2 = elementwise(
    "log2", np.log2, lambda x, y: 1 / (x * log(2)), domain=(POSITIVE,), latex=r"\log_{{2}} {0}"
)
log10 = elementwise(
    "log10", np.log10, lambda x, y: 1 / (x * log(10)), domain=(POSITIVE,), latex=r"\log_{{10}} {0}"
)
log1p = elementwise("log1p", np.log1p, lambda x, y: 1 / (1 + x), domain=(POSITIVE,))
square_root = elementwise(
    "sqrt", np.sqrt, lambda x, y: 0.5 / y, domain=(POSITIVE,), latex=r"\sqrt{{{0}}}"
)
cube_root = elementwise(
    "cbrt", np.cbrt, lambda x, y: 1 / (3 * y * y), domain=(POSITIVE,), latex=r"\sqrt[3]{{{0}}}"
)
logaddexp = elementwise(
    "logaddexp", np.logaddexp,
    lambda a, b, y: sigmoid(a - b), lambda a, b, y: sigmoid(b - a),
)  # fmt: skip

# ----- trigonometric and hyperbolic functions and their inverses --------------------------------

sin = elementwise("sin", np.sin, lambda x, y: cos(x), latex=r"\sin {0}")
cos = elementwise("cos", np.cos, lambda x, y: -sin(x), latex=r"\cos {0}")
tan = elementwise("tan", np.tan, lambda x, y: 1 + y * y, domain=(UNIT,), latex=r"\tan {0}")
arcsin = elementwise(
    "arcsin", np.arcsin, lambda x, y: 1 / square_root(1 - x * x), domain=(UNIT,),
    latex=r"\arcsin {0}",
)  # fmt: skip
arccos = elementwise(
    "arccos", np.arccos, lambda x, y: -1 / square_root(1 - x * x), domain=(UNIT,),
    latex=r"\arccos {0}",
)  # fmt: skip
arctan = elementwise("arctan", np.arctan, lambda x, y: 1 / (1 + x * x), latex=r"\arctan {0}")
arctan2 = elementwise(
    "arctan2", np.arctan2,
    lambda a, b, y: b / (a * a + b * b), lambda a, b, y: -a / (a * a + b * b),
    domain=(ANY, POSITIVE),
)  # fmt: skip
hypot = elementwise(
    "hypot", np.hypot, lambda a, b, y: a / y, lambda a, b, y: b / y, domain=(POSITIVE, ANY)
)
sinh = elementwise("sinh", np.sinh, lambda x, y: cosh(x), latex=r"\sinh {0}")
cosh = elementwise("cosh", np.cosh, lambda x, y: sinh(x), latex=r"\cosh {0}")
tanh = elementwise("tanh", np.tanh, lambda x, y: 1 - y * y, latex=r"\tanh {0}")
arcsinh = elementwise("arcsinh", np.arcsinh, lambda x, y: 1 / square_root(x * x + 1))
arccosh = elementwise(
    "arccosh", np.arccosh, lambda x, y: 1 / square_root(x * x - 1), domain=((1.2, 3.0),)
)
arctanh = elementwise("arctanh", np.arctanh, lambda x, y: 1 / (1 - x * x), domain=(UNIT,))

# ----- activations ------------------------------------------------------------------------------

erf = elementwise("erf", meanings.erf, lambda x, y: (2 / sqrt(pi)) * exp(-x * x))
sigmoid = elementwise(
    "sigmoid", meanings.sigmoid, lambda x, y: y * (1 - y),
    latex=r"\sigma\left({0}\right)", expansion=lambda x: 1 / (1 + exp(-x)),
)  # fmt: skip
softplus = elementwise(
    "softplus", meanings.softplus, lambda x, y: sigmoid(x), expansion=lambda x: log1p(exp(x))
)
# Rectified linear units: Nair and Hinton (2010); leaky: Maas, Hannun and Ng (2013).
relu = elementwise(
    "relu", meanings.relu, lambda x, y: greater(x, 0),
    domain=(POSITIVE,), expansion=lambda x: choose(greater(x, 0), x, 0, like=x),
)  # fmt: skip
leaky_relu = elementwise(
    "leaky_relu", meanings.leaky_relu, lambda x, y, slope: choose(greater(x, 0), 1, slope, like=x),
    domain=(POSITIVE,), expansion=lambda x, slope: choose(greater(x, 0), x, slope * x, like=x),
)  # fmt: skip
# Exponential linear units: Clevert, Unterthiner and Hochreiter (2015).
elu = elementwise(
    "elu", meanings.elu, lambda x, y, alpha: choose(greater(x, 0), 1, y + alpha, like=x),
    domain=(POSITIVE,),
    expansion=lambda x, alpha: choose(greater(x, 0), x, alpha * expm1(minimum(x, 0)), like=x),
)  # fmt: skip
# Gaussian error linear units: Hendrycks and Gimpel (2016), the exact form x Phi(x).
gelu = elementwise(
    "gelu", meanings.gelu,
    lambda x, y: 0.5 * (1 + erf(x * sqrt(0.5))) + x * exp(-0.5 * x * x) * (1 / sqrt(2 * pi)),
    expansion=lambda x: 0.5 * x * (1 + erf(x * sqrt(0.5))),
)  # fmt: skip
# Sigmoid-weighted linear units: Elfwing, Uchibe and Doya (2017).
silu = elementwise(
    "silu", meanings.silu, lambda x, y: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    expansion=lambda x: x * sigmoid(x),
)  # fmt: skip

# ----- selection --------------------------------------------------------------------------------

maximum = elementwise(
    "maximum", np.maximum,
    lambda a, b, y: share(greater(a, b), equal(a, b), like=y),
    lambda a, b, y: share(greater(b, a), equal(a, b), like=y),
    domain=APART, latex=r"\max\left({0}, {1}\right)",
)  # fmt: skip
minimum = elementwise(
    "minimum", np.minimum,
    lambda a, b, y: share(less(a, b), equal(a, b), like=y),
    lambda a, b, y: share(less(b, a), equal(a, b), like=y),
    domain=APART, latex=r"\min\left({0}, {1}\right)",
)  # fmt: skip
# At a bound the derivative goes to x: a saturated value may still return.
clip = elementwise(
    "clip", meanings.clip,
    lambda x, low, high, y: greater_equal(x, low) * less_equal(x, high),
    lambda x, low, high, y: less(x, low),
    lambda x, low, high, y: greater(x, high),
    domain=(ANY, (-1.2, -0.7), (0.7, 1.2)),
)  # fmt: skip

# ----- zero derivative --------------------------------------------------------------------------

sign = elementwise("sign", np.sign, None, latex=r"\operatorname{{sign}} {0}")
floor = elementwise("floor", np.floor, None, latex=r"\left\lfloor {0} \right\rfloor")
ceil = elementwise("ceil", np.ceil, None, latex=r"\left\lceil {0} \right\rceil")
trunc = elementwise("trunc", np.trunc, None)
rint = elementwise("rint", np.rint, None)
floor_divide = elementwise("floor_divide", np.floor_divide, None, None, symbol="//")
stop_gradient = elementwise("stop_gradient", meanings.stop_gradient, None)
greater = elementwise("greater", np.greater, None, None, symbol=">")
greater_equal = elementwise("greater_equal", np.greater_equal, None, None, symbol=">=")
less = elementwise("less", np.less, None, None, symbol="<")
less_equal = elementwise("less_equal", np.less_equal, None, None, symbol="<=")
equal = elementwise("equal", np.equal, None, None, symbol="==")
not_equal = elementwise("not_equal", np.not_equal, None, None, symbol="!=")
logical_and = elementwise("logical_and", np.logical_and, None, None, symbol="and")
logical_or = elementwise("logical_or", np.logical_or, None, None, symbol="or")
logical_not = elementwise("logical_not", np.logical_not, None)
isfinite = elementwise("isfinite", np.isfinite, None)
isnan = elementwise("isnan", np.isnan, None)
isinf = elementwise("isinf", np.isinf, None)
