"""The array that user code sees while it is traced.

A ``Traced`` value stands for a statement. NumPy's own protocols bring every ``np`` function and
operator here, where it is recorded; what would bypass the protocols raises, with the user's line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.errors import TraceError
from chainrule.graph.origin import current_origin
from chainrule.graph.statement import Statement, apply, constant, lookup
from chainrule.tracing import messages
from chainrule.tracing.indexing import getitem
from chainrule.tracing.parameter import Parameter
from chainrule.tracing.supported import FUNCTIONS, UFUNCS


def lower(value: Any) -> Any:
    """The statement behind a traced value; a parameter's value; anything else as it is."""
    if isinstance(value, Parameter):
        value = value.value
    return value.statement if isinstance(value, Traced) else value


def lower_inside(value: Any) -> Any:
    """``lower`` for a value, or for the items of a (nested) list or tuple."""
    if type(value) in (list, tuple):
        return type(value)(map(lower_inside, value))
    return lower(value)


def lift(result: Any) -> Any:
    """Traced values around statements, also inside lists, tuples and NumPy's named results."""
    if isinstance(result, Statement):
        return Traced(result)
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return type(result)(*map(lift, result))
    if isinstance(result, list | tuple):
        return type(result)(map(lift, result))
    return result


def _binary(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    row = lookup(name)

    def forward(self: Traced, other: Any) -> Any:
        if isinstance(other, list | tuple):
            other = np.asarray(other)
        return Traced(apply(row, self.statement, lower(other)))

    def reflected(self: Traced, other: Any) -> Any:
        if isinstance(other, list | tuple):
            other = np.asarray(other)
        return Traced(apply(row, lower(other), self.statement))

    return forward, reflected


def _in_place(symbol: str, name: str) -> Callable[..., Any]:
    row = lookup(name)

    def update(self: Traced, other: Any) -> Any:
        if self.shape:
            raise TraceError(messages.in_place(symbol))
        return Traced(apply(row, self.statement, lower(other)))

    return update


class Traced:
    """An array or number under trace: shape, dtype and operators of an array.

    Where the value is known (define by run) it can be printed and branched on; under ``cr.compile``
    only shape and dtype are known.
    """

    __slots__ = ("statement",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, statement: Statement) -> None:
        self.statement = statement

    # ----- what an array tells about itself ---------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        return self.statement.shape

    @property
    def ndim(self) -> int:
        return len(self.statement.shape)

    @property
    def size(self) -> int:
        return self.statement.size

    @property
    def dtype(self) -> Any:
        return self.statement.dtype

    @property
    def value(self) -> Any:
        """The number or read-only array, None under ``cr.compile``."""
        return self.statement.value

    def __repr__(self) -> str:
        if self.value is None:
            return f"Traced(shape={self.shape}, dtype={self.dtype})"
        return f"Traced({self.value!r})"

    def __format__(self, specification: str) -> str:
        return format(self.value, specification) if self.value is not None else repr(self)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a traced number")
        return self.shape[0]

    def __iter__(self) -> Iterator[Traced]:
        if not self.shape:
            raise TypeError(f"a traced number cannot be iterated over ({current_origin()})")
        return (self[i] for i in range(self.shape[0]))

    # ----- NumPy's protocols ------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if options.get("out") is not None:
            raise TraceError(messages.out_argument(ufunc.__name__))
        if method == "__call__":
            row = UFUNCS.get(ufunc)
            if row is None:
                raise TraceError(messages.unsupported(f"np.{ufunc.__name__}"))
            dtype = options.pop("dtype", None)
            if options:
                raise TraceError(messages.unsupported(f"np.{ufunc.__name__}", options))
            result = lift(row(*map(lower, inputs)))
            return result if dtype is None else result.astype(dtype)
        reduction = {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min}
        if method == "reduce" and ufunc in reduction:
            options.setdefault("axis", 0)
            options.pop("out", None)
            return call(reduction[ufunc], *inputs, **options)
        if method == "outer":
            first, second = inputs
            shape = (*np.shape(first), *(1,) * np.ndim(second))
            return ufunc(np.reshape(first, shape), second)
        raise TraceError(messages.unsupported(f"np.{ufunc.__name__}.{method}"))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return call(function, *args, **options)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise TraceError(messages.conversion("an array"))

    # ----- conversions that would lose the derivative -----------------------------------------

    def __float__(self) -> float:
        raise TraceError(messages.conversion("float"))

    def __complex__(self) -> complex:
        raise TraceError(messages.conversion("complex"))

    def __int__(self) -> int:
        return self.__index__()

    def __index__(self) -> int:
        if self.dtype.kind not in "iub":
            raise TraceError(messages.conversion("int"))
        return int(self._known("an index"))

    def __bool__(self) -> bool:
        return bool(self._known("a branch"))

    def _known(self, purpose: str) -> Any:
        if self.value is None:
            raise TraceError(messages.staged_branch(purpose))
        return self.value

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TraceError(messages.in_place("[...] ="))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if hasattr(np.ndarray, name):
            raise TraceError(messages.unsupported(f"the array method or attribute .{name}"))
        raise AttributeError(f"a traced array has no attribute {name!r}")

    # ----- operators ---------------------------------------------------------------------------

    __add__, __radd__ = _binary("add")
    __sub__, __rsub__ = _binary("subtract")
    __mul__, __rmul__ = _binary("multiply")
    __truediv__, __rtruediv__ = _binary("divide")
    __floordiv__, __rfloordiv__ = _binary("floor_divide")
    __mod__, __rmod__ = _binary("remainder")
    __pow__, __rpow__ = _binary("power")
    __lt__, __gt__ = _binary("less")[0], _binary("greater")[0]
    __le__, __ge__ = _binary("less_equal")[0], _binary("greater_equal")[0]
    __eq__ = _binary("equal")[0]
    __ne__ = _binary("not_equal")[0]
    __iadd__, __isub__ = _in_place("+=", "add"), _in_place("-=", "subtract")
    __imul__, __itruediv__ = _in_place("*=", "multiply"), _in_place("/=", "divide")
    __ipow__, __imod__ = _in_place("**=", "power"), _in_place("%=", "remainder")
    __ifloordiv__ = _in_place("//=", "floor_divide")

    def __neg__(self) -> Traced:
        return Traced(-self.statement)

    def __pos__(self) -> Traced:
        return self

    def __abs__(self) -> Traced:
        return Traced(apply(lookup("abs"), self.statement))

    def __and__(self, other: Any) -> Any:
        return np.bitwise_and(self, other)

    def __rand__(self, other: Any) -> Any:
        return np.bitwise_and(other, self)

    def __or__(self, other: Any) -> Any:
        return np.bitwise_or(self, other)

    def __ror__(self, other: Any) -> Any:
        return np.bitwise_or(other, self)

    def __invert__(self) -> Any:
        return np.invert(self)

    def __matmul__(self, other: Any) -> Any:
        return call(np.matmul, self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return call(np.matmul, other, self)

    def __getitem__(self, index: Any) -> Traced:
        return Traced(getitem(self.statement, lower_inside(index)))

    # ----- array methods -----------------------------------------------------------------------

    @property
    def T(self) -> Traced:
        return call(np.transpose, self)

    @property
    def real(self) -> Traced:
        return self

    @property
    def flat(self) -> Iterator[Traced]:
        return iter(self.ravel())

    def reshape(self, *shape: Any, order: str = "C") -> Traced:
        target = shape[0] if len(shape) == 1 else shape
        return call(np.reshape, self, target, order=order)

    def transpose(self, *axes: Any) -> Traced:
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return call(np.transpose, self, order)

    def astype(self, dtype: Any, **_: Any) -> Traced:
        if np.dtype(dtype) == self.dtype:
            return self
        return Traced(lookup("convert")(self.statement, dtype=np.dtype(dtype)))

    def copy(self, order: str = "C") -> Traced:
        return self

    def dot(self, other: Any) -> Any:
        return call(np.dot, self, other)


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Traced, *args: Any, **options: Any) -> Any:
        return call(function, self, *args, **options)

    return method


for _function in (
    np.sum, np.mean, np.prod, np.max, np.min, np.var, np.std, np.cumsum, np.ravel, np.squeeze,
    np.swapaxes, np.clip, np.trace, np.argmax, np.argmin, np.argsort, np.take, np.repeat, np.round,
    np.any, np.all, np.diagonal,
):  # fmt: skip
    setattr(Traced, _function.__name__.removeprefix("a") if _function.__name__ in ("amax", "amin")
            else _function.__name__, _method(_function))  # fmt: skip
Traced.flatten = Traced.ravel  # type: ignore[attr-defined]


def call(function: Any, *args: Any, **options: Any) -> Any:
    """Run the traced implementation of a NumPy function on traced values and arrays."""
    implementation = FUNCTIONS.get(function)
    module = (getattr(function, "__module__", None) or "numpy").replace("numpy", "np", 1)
    name = f"{module}.{getattr(function, '__name__', function)}"
    if implementation is None:
        raise TraceError(messages.unsupported(name))
    if options.pop("out", None) is not None:
        raise TraceError(messages.out_argument(name))
    options = {key: lower_inside(value) for key, value in options.items()}
    try:
        return lift(implementation(*map(lower_inside, args), **options))
    except TypeError as error:
        if "unexpected keyword argument" in str(error) or "positional argument" in str(error):
            raise TraceError(messages.unsupported(name, options)) from None
        raise


def as_statement(value: Any) -> Statement:
    """A statement for anything array-like; traced items inside a list are stacked."""
    value = lower_inside(value)
    if isinstance(value, Statement):
        return value
    if isinstance(value, list | tuple) and _contains_statement(value):
        parts = [as_statement(part) for part in value]
        rows = [lookup("reshape")(part, shape=(1, *part.shape)) for part in parts]
        return apply(lookup("concatenate"), *rows, axis=0)
    return constant(value)


def _contains_statement(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_contains_statement, value))
    return isinstance(value, Statement)
