"""How each primitive becomes operations of the core: one function a row, by its name."""

from __future__ import annotations

from chainrule.run.native.lowering import Rule
from chainrule.run.native.rules import (
    contractions,
    control,
    elementwise,
    matrices,
    products,
    reductions,
    selection,
    tables,
    views,
)

# fmt: off
_ELEMENTWISE = [
    "add", "subtract", "masked_product", "negative", "square", "reciprocal",
    "remainder", "abs", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt",
    "logaddexp", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "hypot", "sinh",
    "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "erf", "sigmoid", "softplus", "leaky_relu",
    "elu", "gelu", "silu", "maximum", "minimum", "sign", "floor", "ceil", "trunc", "rint",
    "floor_divide",
]
# fmt: on
RULES: dict[str, Rule] = {
    **dict.fromkeys(
        [*_ELEMENTWISE, *elementwise.COMPARISONS, *elementwise.LOGICAL, *elementwise.TESTS],
        elementwise.elementwise,
    ),
    "multiply": elementwise.gate_or_multiply,
    "divide": elementwise.divide_or_sigmoid,
    "power": elementwise.power,
    "relu": elementwise.relu,
    "where": elementwise.where,
    "clip": elementwise.clip,
    "convert": elementwise.convert,
    "copy": elementwise.alias,
    "stop_gradient": elementwise.alias,
    "to_dense": elementwise.alias,
    "reshape": views.reshape,
    "transpose": views.transpose,
    "broadcast_to": views.broadcast_to,
    "slice": views.basic_slice,
    "diagonal": views.diagonal,
    "put_slice": views.put_slice,
    "put_slices": views.put_slices,
    "concatenate": views.concatenate,
    "pad": views.pad,
    "diagonal_matrix": views.diagonal_matrix,
    "tril": views.triangle,
    "triu": views.triangle,
    **dict.fromkeys(("sum", "max", "min", "prod", "logsumexp", "norm"), reductions.reduction),
    "sum_to_shape": reductions.sum_to_shape,
    "argmax": reductions.extreme_position,
    "argmin": reductions.extreme_position,
    **dict.fromkeys(("softmax", "log_softmax", "cumsum"), reductions.map_rows),
    "cross_entropy": reductions.cross_entropy,
    "layer_norm": reductions.layer_norm,
    "matmul": products.matmul,
    "dense": products.dense,
    "einsum": contractions.einsum,
    "solve": matrices.solve,
    "triangular_solve": matrices.triangular_solve,
    **dict.fromkeys(("inv", "cholesky", "det", "logabsdet", "signdet"), matrices.of_one_matrix),
    "argsort": selection.argsort,
    "gather": selection.gather,
    "scatter_add": selection.scatter_add,
    "row_sparse": selection.row_sparse,
    "add_row_sparse": selection.add_row_sparse,
    "combine_rows": tables.combine_rows,
    "first_rows": tables.first_rows,
    "put_rows": tables.put_rows,
    "scan": control.scan,
    "item": control.item,
    "random_uniform": selection.random_uniform,
}
