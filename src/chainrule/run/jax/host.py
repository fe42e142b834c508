"""What JAX leaves to NumPy: calls out of a compiled program, by ``jax.pure_callback``.

JAX converts the arrays of a callback by the settings of the thread that runs it, which is not the
caller's: numbers of 64 bits would lose half of them. So they travel as pairs of 32 bits.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.graph.statement import Statement
from chainrule.run.unsupported import Unsupported

_HALF = np.dtype(np.uint32)


class Host:
    """Calls to NumPy, and what came of them.

    Attributes:
        fallbacks: statements that NumPy evaluates, with the reason.
        failures: errors that these evaluations raised; an error must not pass through the device.
    """

    def __init__(self) -> None:
        self.fallbacks: dict[Statement, str] = {}
        self.failures: list[Exception] = []

    def call(self, statement: Statement, operands: list[Any], reason: str) -> Any:
        """Leave a statement to NumPy."""
        if isinstance(statement.dtype, tuple):
            raise Unsupported(
                f"{statement.primitive.name} gives a tuple, which NumPy cannot hand in"
            )
        self.fallbacks[statement] = reason
        dtype = statement.dtype.newbyteorder("=")
        wide = dtype.itemsize == 8
        shape = (*statement.shape, 2) if wide else statement.shape
        dtypes = [np.dtype(operand.dtype) for operand in operands]

        def evaluate(*arrays: Any) -> np.ndarray:
            try:
                values = [
                    _unpacked(np.asarray(array), dtype)[()]
                    for array, dtype in zip(arrays, dtypes, strict=True)
                ]
                with np.errstate(all="ignore"):
                    result = statement.primitive.evaluate(*values, **statement.attributes)
                return _packed(np.asarray(result, dtype).reshape(statement.shape))
            except Exception as error:
                self.failures.append(error)
                return np.zeros(shape, _HALF if wide else dtype)

        result = jax.pure_callback(
            evaluate,
            jax.ShapeDtypeStruct(shape, _HALF if wide else dtype),
            *(_halves(operand) for operand in operands),
        )
        return jax.lax.bitcast_convert_type(result, dtype) if wide else result

    def raise_failure(self) -> None:
        """Raise the first error of the last run, if there was one."""
        if self.failures:
            first = self.failures[0]
            self.failures.clear()
            raise first


def _halves(array: Any) -> Any:
    """On the device: numbers of 64 bits as pairs of 32."""
    if array.dtype.itemsize < 8:
        return array
    return jax.lax.bitcast_convert_type(array, jnp.uint32)


def _unpacked(array: np.ndarray, dtype: Any) -> np.ndarray:
    """In NumPy: the numbers that arrived as pairs of halves."""
    if dtype.itemsize < 8:
        return array
    return np.ascontiguousarray(array).view(dtype).reshape(array.shape[:-1])


def _packed(array: np.ndarray) -> np.ndarray:
    """In NumPy: numbers of 64 bits as pairs of halves."""
    if array.dtype.itemsize < 8:
        return array
    return np.ascontiguousarray(array).reshape((*array.shape, 1)).view(_HALF)
