"""From statements to operations: where each value is computed, and by what.

Statements are taken in order. Elementwise ones join a chain of their shape as early as their
operands allow; views cost nothing; everything else is one operation. What the core cannot do is
left to NumPy by a callback, and ``fallbacks`` says why.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.graph.graph import Graph
from chainrule.graph.rowsparse import RowSparse
from chainrule.graph.sharing import shared
from chainrule.graph.statement import Statement
from chainrule.run.native.arrays import (
    Array,
    Shape,
    Storage,
    constant_array,
    core_dtype,
    new_array,
)
from chainrule.run.native.indices import scatter
from chainrule.run.native.operations import (
    LONGEST_CHAIN,
    Chain,
    Operation,
    Unsupported,
    can_convert,
)
from chainrule.run.outputs import writer_of

if TYPE_CHECKING:
    from chainrule.run.native.body import Body

Rule = Callable[..., Array | None]


class Cell:
    """A value that is not an array (a tuple, a row-sparse matrix), kept for callbacks."""

    def __init__(self) -> None:
        self.value: Any = None


class Lowering:
    """The operations of a graph.

    Args:
        graph: what is to be computed.
        rules: for each primitive, how it becomes operations.
        outer: the lowering of the graph in which this one is the body of a loop.

    Attributes:
        units: chains and operations in an order in which they can run.
        arrays: where the value of each statement lies.
        cells: values that are not arrays.
        tuples: where the results of statements with several of them lie.
        products: the operation that writes a product of matrices.
        fallbacks: statements left to NumPy, with the reason.
        calls: what the operations that are left to NumPy call, numbered through all bodies.
        body: what is repeated, where the graph is that of a loop's body.
    """

    def __init__(self, graph: Graph, rules: Mapping[str, Rule], outer: Lowering | None = None):
        self.graph = graph
        self.rules = rules
        self.same = shared(graph)
        self.units: list[Chain | Operation] = []
        self.arrays: dict[Statement, Array] = {}
        self.cells: dict[Statement, Cell] = {}
        self.tuples: dict[Statement, list[Array]] = {}
        self.fallbacks: list[tuple[Statement, str]] = []
        self.outer = outer
        self.body: Body | None = None
        self._called: list[Storage] = []
        self.calls: list[Call] = [] if outer is None else outer.calls
        self.floor = 0
        self.inputs = {self.same[s] for s in graph.inputs}
        self.outputs = {self.same[s] for s in graph.outputs}
        self._chains: dict[Shape, list[Chain]] = defaultdict(list)
        self._sparse: dict[Statement, list[tuple[Statement, Statement]]] = {}
        self.products: dict[Array, Operation] = {}
        self.users: dict[Statement, list[Statement]] = defaultdict(list)
        for statement in graph.statements:
            if self.same[statement] is statement and not self.is_leaf(statement):
                for argument in statement.arguments:
                    self.users[self.same[argument]].append(statement)

    def is_leaf(self, statement: Statement) -> bool:
        """Whether nothing has to be computed for it."""
        return statement in self.inputs or self.graph.is_known(statement)

    def lower(self, statements: Iterable[Statement]) -> None:
        """Take statements in topological order."""
        for statement in statements:
            if self.same[statement] is not statement or self.is_leaf(statement):
                continue
            rule = self.rules.get(statement.primitive.name)
            try:
                if rule is None:
                    raise Unsupported("the core has no operation for it")
                several = isinstance(statement.dtype, tuple)
                if not several and core_dtype(statement.dtype) is None:
                    raise Unsupported(f"results of dtype {statement.dtype}")
                array = rule(self, statement, **statement.attributes)
            except Unsupported as reason:
                self.fallbacks.append((statement, str(reason)))
                self.call(statement)
            else:
                if array is not None:
                    self.arrays[statement] = array

    def array(self, statement: Statement) -> Array:
        """Where a statement's value lies."""
        statement = self.same[statement]
        array = self.arrays.get(statement)
        if array is None:
            if statement in self._sparse:
                array = self._densified(statement)
            elif statement not in self.inputs and self.graph.is_known(statement):
                if isinstance(statement.value, RowSparse):
                    array = constant_array(statement.value.to_dense())
                else:
                    array = constant_array(statement.value)
                if core_dtype(array.dtype) is None:
                    raise Unsupported(f"a constant of dtype {array.dtype}")
            else:
                raise Unsupported("an operand that is not an array")
            self.arrays[statement] = array
        return array

    def output(self, statement: Statement) -> Array:
        """Where a statement's value lies as a result: all of a storage that is nothing else."""
        array = self.array(self.same[statement])
        if not self.can_move(array):
            array = self.copied(array)
        array.storage.kind = "output"
        array.storage.kept = True
        return array

    def can_move(self, array: Array) -> bool:
        """Whether the array may be computed elsewhere: it has memory of its own, and all of it."""
        storage = array.storage
        if storage.kind != "arena" or storage.parent is not None or not array.is_whole():
            return False
        # In the body of a loop NumPy reads and writes what stays where it is.
        return self.outer is None or all(s.root()[0] is not storage for s in self._called)

    def can_overwrite(self, own: Array, new: Array) -> bool:
        """Whether the new value of an input can be written over the old one at once: by a chain
        that reads it entry for entry, after which nothing reads it."""
        unit = new.storage.unit
        chain = self.units[unit] if unit >= self.floor else None
        if (
            not isinstance(chain, Chain)
            or new.storage.kind != "arena"
            or new.storage.parent is not None
            or not new.is_whole()
            or own.storage.last > unit
            or new.storage.first != unit
        ):
            return False
        same = [array for array in chain.inputs if array.storage is own.storage]
        return all(array.is_whole() and array.shape == new.shape for array in same)

    def is_read_later(self, statement: Statement, now: Statement) -> bool:
        """Whether a statement's memory is read after ``now`` is computed, views included."""
        statement = self.same[statement]
        if statement in self.outputs:
            return True
        for user in self.users[statement]:
            if user is self.same[now]:
                continue
            array = self.arrays.get(user)
            if array is None:
                return True
            if array.storage is self.array(statement).storage and self.is_read_later(user, now):
                return True
        return False

    # ----- operations ---------------------------------------------------------------------------

    def read(self, array: Array) -> Array:
        """Note that the next operation reads an array."""
        array.storage.kept = True
        array.storage.last = max(array.storage.last, len(self.units))
        return array

    def emit(
        self,
        code: str,
        inputs: list[Array],
        outputs: list[Array],
        ints: Iterable[int] = (),
        floats: Iterable[float] = (),
        label: str = "",
        work: int = 0,
    ) -> Operation:
        """Append an operation."""
        unit = len(self.units)
        for array in inputs:
            self.read(array)
        for array in outputs:
            self._written(array.storage, unit)
        operation = Operation(
            code, inputs, outputs, list(ints), list(floats), label=label or code, work=work
        )
        self.units.append(operation)
        return operation

    def _written(self, storage: Storage, unit: int) -> None:
        storage.kept = True
        storage.unit = unit
        storage.last = max(storage.last, unit)
        if storage.first < 0:
            storage.first = unit

    def chain(self, shape: Shape, operands: list[Array], alone: bool = False) -> Chain:
        """A chain of a shape that can read the operands: an open one if there is any."""
        if not alone:
            needed = max((array.storage.unit for array in operands), default=0)
            for chain in self._chains[shape]:
                if chain.unit < max(needed, self.floor) or len(chain.code) >= LONGEST_CHAIN:
                    continue
                if all(chain.can_read(array) for array in operands):
                    return chain
        chain = Chain(shape, len(self.units))
        self.units.append(chain)
        if not alone:
            self._chains[shape].append(chain)
        return chain

    def elementwise(
        self,
        statement: Statement,
        compute: Callable[..., int],
        *operands: Array,
        label: str = "",
    ) -> Array:
        """A statement as instructions: ``compute(chain, *values)`` gives the result's number."""
        chain = self.chain(statement.shape, list(operands))
        value = compute(chain, *(chain.value_of(array) for array in operands))
        chain.labels.append(label or statement.primitive.name)
        return chain.give(value, statement.dtype)

    def copied(self, source: Array, target: Array | None = None) -> Array:
        """The entries of an array in C order, in new memory or at ``target``."""
        if target is None:
            chain = self.chain(source.shape, [source])
            result = chain.give(chain.value_of(source), source.dtype)
        else:
            chain = self.chain(source.shape, [source], alone=True)
            result = chain.give(chain.value_of(source), source.dtype, target)
            target.storage.kept = True
        chain.labels.append("copy")
        return result

    def contiguous(self, array: Array) -> Array:
        """The array itself, or a copy where its entries do not lie end to end."""
        return array if array.is_contiguous() else self.copied(array)

    def reshaped(self, array: Array, shape: Shape) -> Array:
        """The entries in another shape, as a view where they are contiguous."""
        return array if array.shape == shape else self.contiguous(array).reshaped(shape)

    def as_dtype(self, array: Array, dtype: Any) -> Array:
        """The array, converted if need be."""
        if array.dtype == dtype:
            return array
        if not can_convert(array.dtype, dtype):
            raise Unsupported(f"no conversion of {array.dtype} to {dtype}")
        chain = self.chain(array.shape, [array])
        value = chain.converted(chain.value_of(array), array.dtype, dtype)
        chain.labels.append("convert")
        return chain.give(value, dtype)

    def zeros(self, shape: Shape, dtype: Any) -> Array:
        """New memory filled with zeros."""
        zero = constant_array(np.zeros((), dtype)).broadcast(shape)
        return self.copied(zero, new_array(shape, dtype))

    # ----- row-sparse matrices ------------------------------------------------------------------

    def sparse_terms(self, statement: Statement) -> list[tuple[Statement, Statement]] | None:
        """The (indices, rows) of which a row-sparse statement is the sum, if it is one."""
        return self._sparse.get(self.same[statement])

    def set_sparse(self, statement: Statement, terms: list[tuple[Statement, Statement]]) -> None:
        """Keep a row-sparse statement as its terms, until somebody needs it dense."""
        self._sparse[statement] = terms

    def _densified(self, statement: Statement) -> Array:
        terms = [(self.array(i), self.array(rows)) for i, rows in self._sparse[statement]]
        if not terms:
            raise Unsupported("a row-sparse matrix without rows")
        indices, rows = terms[0]
        if len(terms) > 1:
            # One pass over the whole, however many look-ups there were.
            indices, rows = (
                self._end_to_end([self.as_dtype(part, dtype) for part in parts], inner)
                for parts, dtype, inner in zip(
                    zip(*terms, strict=True),
                    (np.dtype(np.int64), statement.dtype),
                    ((), statement.shape[1:]),
                    strict=True,
                )
            )
        return scatter(self, rows, [indices], statement.shape)

    def _end_to_end(self, pieces: list[Array], inner: Shape) -> Array:
        """Arrays of entries of shape ``inner`` in one array with one axis before those."""
        pieces = [self.reshaped(p, (p.size // max(math.prod(inner), 1), *inner)) for p in pieces]
        whole = new_array((sum(p.shape[0] for p in pieces), *inner), pieces[0].dtype)
        start = 0
        for piece in pieces:
            end = start + piece.shape[0]
            self.copied(piece, whole.view(lambda x, span=slice(start, end): x[span]))
            start = end
        return whole

    def sum_of(self, a: Array, b: Array) -> Array:
        """a + b, of one shape and dtype."""
        chain = self.chain(a.shape, [a, b])
        kernel = f"add.{core_dtype(a.dtype)}"
        chain.labels.append("add")
        return chain.give(chain.apply(kernel, chain.value_of(a), chain.value_of(b)), a.dtype)

    # ----- what the core cannot do --------------------------------------------------------------

    def call(self, statement: Statement) -> None:
        """Leave a statement to NumPy."""
        arguments: list[Any] = []
        for argument in statement.arguments:
            argument = self.same[argument]
            if argument in self.cells:
                arguments.append(self.cells[argument])
                continue
            try:
                arguments.append(self._called_on(self.array(argument)))
            except Unsupported:  # A known value of another dtype.
                cell = self.cells[argument] = Cell()
                cell.value = argument.value
                arguments.append(cell)
        result: Array | Cell
        if core_dtype(statement.dtype) is None or self._is_object(statement):
            result = self.cells[statement] = Cell()
        else:
            result = self.arrays[statement] = new_array(statement.shape, statement.dtype)
        self.emit(
            "callback",
            [a for a in arguments if isinstance(a, Array)],
            [result] if isinstance(result, Array) else [],
            [len(self.calls)],
            label=f"NumPy's {statement.primitive.name}",
        )
        self._called += [a.storage for a in (*arguments, result) if isinstance(a, Array)]
        self.calls.append(Call(self, statement, arguments, result))

    def _called_on(self, array: Array) -> Array:
        """An operand of NumPy's; in the body of a loop, where operands move, a copy of it."""
        root, _ = array.storage.root()
        if self.outer is None or root.kind == "arena":
            return array
        return self.copied(array, new_array(array.shape, array.dtype))

    def _is_object(self, statement: Statement) -> bool:
        """Whether NumPy's result is a row-sparse matrix."""
        name = statement.primitive.name
        if name in ("row_sparse", "add_row_sparse"):
            return True
        return name in ("copy", "convert") and self.same[statement.arguments[0]] in self.cells


class Call:
    """A statement evaluated by NumPy; ``views`` turns arrays into NumPy's when it runs."""

    def __init__(
        self, lowering: Lowering, statement: Statement, arguments: list[Any], result: Array | Cell
    ) -> None:
        self.lowering = lowering
        primitive = statement.primitive
        self.primitive = primitive
        self.attributes = dict(statement.attributes)
        self.arguments = arguments
        self.result = result
        self.write = writer_of(primitive) if isinstance(result, Array) else None
        self.views: Callable[[Array], np.ndarray] | None = None

    def __call__(self) -> None:
        """Read the operands and write the result."""
        views = self.views
        if views is None:
            raise RuntimeError("the plan has not been built")
        values = [a.value if isinstance(a, Cell) else views(a) for a in self.arguments]
        # Where NumPy would have a scalar, evaluation must see one.
        values = [v[()] if isinstance(v, np.ndarray) and v.ndim == 0 else v for v in values]
        if isinstance(self.result, Cell):
            # What is kept must not lie in memory that others use later.
            values = [np.array(v) if isinstance(v, np.ndarray) else v for v in values]
            self.result.value = self.primitive.evaluate(*values, **self.attributes)
        elif self.write is not None:
            self.write(views(self.result), *values, **self.attributes)
        else:
            if not self.primitive.accepts_row_sparse:
                values = [v.to_dense() if type(v) is RowSparse else v for v in values]
            views(self.result)[...] = self.primitive.evaluate(*values, **self.attributes)
