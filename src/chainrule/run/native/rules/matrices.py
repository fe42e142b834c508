"""Systems of equations, inverses, factors and determinants of stacks of matrices."""

from __future__ import annotations

import chainrule._native as _native
from chainrule.graph.statement import Statement
from chainrule.run.native.arrays import Array, core_dtype, new_array
from chainrule.run.native.blas import load_lapack
from chainrule.run.native.lowering import Lowering
from chainrule.run.native.operations import Unsupported


def solve(plan: Lowering, s: Statement) -> Array:
    """x of a x = b."""
    return _solved(plan, s, "solve")


def triangular_solve(plan: Lowering, s: Statement, lower: bool) -> Array:
    """x of a x = b, where only one triangle of a is read."""
    return _solved(plan, s, "solve_lower" if lower else "solve_upper")


def of_one_matrix(plan: Lowering, s: Statement) -> Array:
    """An inverse, a Cholesky factor or a determinant."""
    return _result(plan, s, s.primitive.name, [_matrix(plan, s, 0)])


def _solved(plan: Lowering, s: Statement, function: str) -> Array:
    operands = [_matrix(plan, s, i) for i in range(2)]
    stack = s.shape[:-2]
    return _result(plan, s, function, [a.broadcast((*stack, *a.shape[-2:])) for a in operands])


def _matrix(plan: Lowering, s: Statement, position: int) -> Array:
    if core_dtype(s.dtype) not in ("f32", "f64"):
        raise Unsupported(f"no {s.primitive.name} of {s.dtype}")
    return plan.as_dtype(plan.array(s.arguments[position]), s.dtype)


def _result(plan: Lowering, s: Statement, function: str, operands: list[Array]) -> Array:
    rows = operands[0].shape[-1]
    if rows >= _native.LAPACK_ROWS:
        load_lapack()
    result = new_array(s.shape, s.dtype)
    plan.emit(
        "matrices",
        operands,
        [result],
        [_native.MATRIX_FUNCTIONS[function]],
        label=s.primitive.name,
        work=operands[0].size * rows,
    )
    return result
