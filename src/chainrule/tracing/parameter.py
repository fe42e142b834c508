"""Parameters and state: the named arrays of a network, which have an identity.

A parameter that stands in two places of a network is one leaf: it is differentiated once, its
adjoint sums what both places send, and an update reaches both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from chainrule.tracing.trees import Same


class Parameter(NDArrayOperatorsMixin):
    """An array that training changes. It behaves as its ``value`` in every NumPy expression.

    Args:
        value: an array, or anything ``np.asarray`` takes.
        trainable: whether training changes it; a frozen parameter is a constant.

    >>> weight = Parameter([[1.0, 2.0]])
    >>> (weight * 2 + 1).tolist()
    [[3.0, 5.0]]
    """

    __slots__ = ("trainable", "value")

    def __init__(self, value: Any, trainable: bool = True) -> None:
        self.value = value if hasattr(value, "statement") else np.asarray(value)
        self.trainable = trainable

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    @property
    def T(self) -> Any:
        return self.value.T

    def __getitem__(self, index: Any) -> Any:
        return self.value[index]

    def __len__(self) -> int:
        return len(self.value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.value, dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*map(unwrapped, inputs), **options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return function(
            *(_unwrapped_inside(a) for a in args),
            **{key: _unwrapped_inside(value) for key, value in options.items()},
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"

    def tree_children(self) -> dict[str, Any]:
        return {"": self.value} if self.trainable else {}

    def tree_key(self) -> Any:
        return None if self.trainable else Same(self.value)

    def tree_rebuild(self, children: dict[str, Any]) -> Parameter:
        if not children:
            return self
        copy = object.__new__(type(self))
        copy.trainable, copy.value = self.trainable, children[""]
        return copy


class State(Parameter):
    """An array that a network carries from call to call and no gradient changes.

    Running statistics are state: the forward pass reads ``value`` and assigns the next one to
    ``updated``; training hands it on to the next step, evaluation ignores it.
    """

    __slots__ = ("updated",)

    def __init__(self, value: Any) -> None:
        super().__init__(value, trainable=False)
        self.updated: Any = None


def unwrapped(operand: Any) -> Any:
    """The value of a parameter; anything else as it is."""
    return operand.value if isinstance(operand, Parameter) else operand


def _unwrapped_inside(operand: Any) -> Any:
    if isinstance(operand, list | tuple):
        return type(operand)(map(unwrapped, operand))
    return unwrapped(operand)
