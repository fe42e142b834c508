"""One line of a Wengert list: ``v3 = multiply(v0, v1)``.

A statement applies a primitive to earlier statements. It is immutable and compares by identity, so
that two occurrences of the same formula stay two statements and a derivative "with respect to this
statement" has one meaning, however deeply derivatives are nested.

Statements are numbered in the order in which they were built, and arguments are always older than
the statement that uses them: sorting by ``serial`` is a topological order, found without recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import ChainruleError, ShapeError, TraceError
from chainrule.graph.origin import Origin, current_origin
from chainrule.graph.rowsparse import RowSparse
from chainrule.graph.shapes import Gathered

if TYPE_CHECKING:
    from chainrule.graph.primitive import Primitive

_serials = count()
_NO_ATTRIBUTES: Mapping[str, Any] = MappingProxyType({})
_PRIMITIVES: dict[str, Primitive] = {}
_FAILURES = (ValueError, TypeError, IndexError, np.linalg.LinAlgError)
_NUMBERS = frozenset({bool, int, float})


class Statement:
    """A primitive applied to statements, with its shape, dtype, value and origin.

    ``value`` holds the number or array where it is known (define by run) and is None in a staged
    graph, where only ``shape`` and ``dtype`` are known.
    """

    __slots__ = (
        "__weakref__",
        "arguments",
        "attributes",
        "dtype",
        "origin",
        "primitive",
        "serial",
        "shape",
        "value",
    )

    # An array on the left of an operator must leave the work to the statement on its right.
    __array_ufunc__ = None

    def __init__(
        self,
        primitive: Primitive,
        arguments: tuple[Statement, ...],
        attributes: Mapping[str, Any],
        shape: Any,
        dtype: Any,
        value: Any,
        origin: Origin | None,
    ) -> None:
        self.primitive = primitive
        self.arguments = arguments
        self.attributes = attributes
        self.shape = shape
        self.dtype = dtype
        self.value = value
        self.origin = origin
        self.serial = next(_serials)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def is_constant(self) -> bool:
        """Whether it is a leaf that never changes."""
        return self.primitive.name == "constant"

    @property
    def is_differentiable(self) -> bool:
        """Whether the value is a real number or array of them: what a derivative needs."""
        return isinstance(self.dtype, tuple) or self.dtype.kind == "f"

    def __repr__(self) -> str:
        arguments = ", ".join(f"#{argument.serial}" for argument in self.arguments)
        return f"<#{self.serial} {self.primitive.name}({arguments}) {self.dtype}{self.shape}>"

    def __add__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["add"], self, other)

    def __radd__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["add"], other, self)

    def __sub__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["subtract"], self, other)

    def __rsub__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["subtract"], other, self)

    def __mul__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["multiply"], self, other)

    def __rmul__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["multiply"], other, self)

    def __truediv__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["divide"], self, other)

    def __rtruediv__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["divide"], other, self)

    def __pow__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["power"], self, other)

    def __rpow__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["power"], other, self)

    def __neg__(self) -> Statement:
        return apply(_PRIMITIVES["negative"], self)

    def __matmul__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["matmul"], self, other)

    def __gt__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["greater"], self, other)

    def __lt__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["less"], self, other)

    def __ge__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["greater_equal"], self, other)

    def __le__(self, other: Any) -> Statement:
        return apply(_PRIMITIVES["less_equal"], self, other)


def register(primitive: Primitive) -> None:
    """Enter a row into the table that ``lookup`` and the operators of statements read."""
    if primitive.name in _PRIMITIVES:
        raise ValueError(f"the primitive {primitive.name!r} is in the table already")
    _PRIMITIVES[primitive.name] = primitive


def lookup(name: str) -> Primitive:
    """The row called ``name``."""
    return _PRIMITIVES[name]


def all_primitives() -> dict[str, Primitive]:
    """A copy of the table, by name, in the order of its definition."""
    return dict(_PRIMITIVES)


def frozen(value: Any) -> Any:
    """``value`` made read-only, so that nobody changes what a later backward pass needs."""
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    elif type(value) is tuple:
        for item in value:
            frozen(item)
    return value


def plain(array: Any) -> Any:
    """An array, unless it has an arithmetic of its own that a graph would lose.

    Raises:
        TraceError: for ``np.matrix``, masked arrays and other subclasses.
    """
    if isinstance(array, np.ndarray) and type(array) not in (np.ndarray, np.memmap):
        raise TraceError(
            f"a {type(array).__name__} has rules of its own, which would be lost; give a plain "
            f"array, such as np.asarray(x) or x.filled(0.0) ({current_origin()})"
        )
    return array


def captured(array: Any) -> Any:
    """A read-only array equal to ``array`` that later assignments to ``array`` do not reach."""
    if isinstance(array, np.ndarray):
        array = plain(array)
        owner = array.base is None and not array.flags.writeable
        return array if owner else frozen(array.copy())
    return array


def attribute_key(value: Any) -> Hashable:
    """Something hashable that is equal only for attributes that mean the same.

    >>> attribute_key((1, slice(0, 2))) == attribute_key((True, slice(0, 2)))
    False
    """
    if isinstance(value, slice):
        return (slice, *map(attribute_key, (value.start, value.stop, value.step)))
    if isinstance(value, tuple | list):
        return (type(value), *map(attribute_key, value))
    # As text even 0.0 and -0.0 differ. What is no plain value is the same as itself only.
    plain = isinstance(value, int | float | str | np.generic | np.dtype | Gathered)
    return (type(value), repr(value) if plain else id(value))


def input_statement(
    shape: tuple[int, ...], dtype: Any, value: Any = None, name: str | None = None
) -> Statement:
    """A fresh leaf: an argument of a graph. Its value is captured where it is given."""
    attributes: Mapping[str, Any] = _NO_ATTRIBUTES if name is None else {"name": name}
    value = captured(value)
    dtype = np.dtype(dtype)
    return Statement(_PRIMITIVES["input"], (), attributes, shape, dtype, value, current_origin())


def constant(value: Any, dtype: Any = None) -> Statement:
    """A leaf that never changes and has no derivative."""
    if isinstance(value, Statement):
        return value
    if type(value) is float and dtype == np.float64:
        array: Any = np.float64(value)
    elif isinstance(value, RowSparse):
        array = value
    elif isinstance(value, np.generic | np.ndarray) and (dtype is None or value.dtype == dtype):
        array = captured(value)
    else:
        array = np.array(value, dtype)
        if array.dtype.kind not in "fiubM":
            raise TraceError(
                f"{type(value).__name__} of dtype {array.dtype} is not an array of real numbers, "
                f"so it cannot take part in a traced computation ({current_origin()})"
            )
        array = frozen(array) if array.ndim else array[()]
    return Statement(
        _PRIMITIVES["constant"], (), _NO_ATTRIBUTES, array.shape, array.dtype, array,
        current_origin(),
    )  # fmt: skip


def apply(primitive: Primitive, *arguments: Any, **attributes: Any) -> Statement:
    """Record ``primitive`` applied to ``arguments``; compute its value where theirs are known.

    Arguments that are not statements become constants; Python scalars take the dtype that NumPy's
    promotion gives them beside the other operands.
    """
    for argument in arguments:
        if type(argument) is not Statement:
            arguments = _with_constants(arguments)
            break
    values = []
    for argument in arguments:
        value = argument.value
        if value is None:
            return _staged(primitive, arguments, attributes)
        if type(value) is RowSparse and not primitive.accepts_row_sparse:
            value = value.to_dense()
        values.append(value)
    try:
        value = primitive.evaluate(*values, **attributes)
    except _FAILURES as error:
        explained = _explained(error, primitive, arguments, attributes)
        # Where the shapes are not to blame, the line that failed may be a user's.
        raise explained from (None if isinstance(explained, ChainruleError) else error)
    if type(value) is tuple:
        shape: Any = tuple(item.shape for item in value)
        dtype: Any = tuple(item.dtype for item in value)
    else:
        shape, dtype = value.shape, value.dtype
    return Statement(
        primitive, arguments, attributes or _NO_ATTRIBUTES, shape, dtype, frozen(value),
        current_origin(),
    )  # fmt: skip


def _staged(
    primitive: Primitive, arguments: tuple[Statement, ...], attributes: dict[str, Any]
) -> Statement:
    """A statement whose value is not known, with its shape and dtype by rule."""
    try:
        shape = primitive.shape_of(arguments, attributes)
    except ShapeError as error:
        raise _located(error, arguments) from None
    dtype = primitive.dtype_of(arguments, attributes)
    return Statement(
        primitive, arguments, attributes or _NO_ATTRIBUTES, shape, dtype, None, current_origin()
    )


def _with_constants(arguments: tuple[Any, ...]) -> tuple[Statement, ...]:
    dtypes = [a.dtype for a in arguments if isinstance(a, Statement | np.ndarray | np.generic)]
    return tuple(
        a
        if isinstance(a, Statement)
        else constant(a, np.result_type(*dtypes, a) if type(a) in _NUMBERS else None)
        for a in arguments
    )


def _explained(
    error: Exception, primitive: Primitive, arguments: tuple[Statement, ...], attributes: Any
) -> Exception:
    """The error of an evaluation, worded by the shape rule where that finds the fault."""
    if isinstance(error, ShapeError):
        return _located(error, arguments)
    try:
        primitive.shape_of(arguments, attributes)
    except ShapeError as clearer:
        return _located(clearer, arguments)
    if isinstance(error, ChainruleError):
        return error
    shapes = ", ".join(str(argument.shape) for argument in arguments)
    kind = type(error) if type(error) in _FAILURES else ValueError
    return kind(
        f"{primitive.name} of operands with shapes {shapes} failed at {current_origin()}: {error}"
    )


def _located(error: ShapeError, arguments: tuple[Statement, ...]) -> ShapeError:
    """``error`` with the user's line, and the names of the operands that have one."""
    names = [
        f"{name} has shape {argument.shape}"
        for argument in arguments
        if (name := argument.attributes.get("name"))
    ]
    operands = f"\n  operands: {'; '.join(names)}" if names else ""
    return ShapeError(f"{error}{operands}\n  at {current_origin()}")


Rule = Callable[..., Statement]
