"""From statements to operations: where each value is computed, and by what.

Statements are taken in order. Elementwise ones join a chain of their shape as early as their
operands allow; views cost nothing; everything else is one operation. What the core cannot do is
left to NumPy by a callback, and ``fallbacks`` says why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from chainrule.graph.graph import Graph
from chainrule.graph.rowsparse import RowSparse
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
from chainrule.run.sharing import shared

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

    Attributes:
        units: chains and operations in an order in which they can run.
        arrays: where the value of each statement lies.
        cells: values that are not arrays.
        products: the operation that writes a product of matrices.
        fallbacks: statements left to NumPy, with the reason.
    """

    def __init__(self, graph: Graph, rules: Mapping[str, Rule]) -> None:
        self.graph = graph
        self.rules = rules
        self.same = shared(graph)
        self.units: list[Chain | Operation] = []
        self.arrays: dict[Statement, Array] = {}
        self.cells: dict[Statement, Cell] = {}
        self.fallbacks: list[tuple[Statement, str]] = []
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
                if core_dtype(statement.dtype) is None:
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
        total: Array | None = None
        for indices, rows in self._sparse[statement]:
            term = scatter(self, self.array(rows), [self.array(indices)], statement.shape)
            total = term if total is None else self.sum_of(total, term)
        if total is None:
            raise Unsupported("a row-sparse matrix without rows")
        return total

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
                arguments.append(self.array(argument))
            except Unsupported:  # A known value of another dtype.
                cell = self.cells[argument] = Cell()
                cell.value = argument.value
                arguments.append(cell)
        result: Array | Cell
        if core_dtype(statement.dtype) is None or self._is_object(statement):
            result = self.cells[statement] = Cell()
        else:
            result = self.arrays[statement] = new_array(statement.shape, statement.dtype)
        operation = self.emit(
            "callback",
            [a for a in arguments if isinstance(a, Array)],
            [result] if isinstance(result, Array) else [],
            label=f"NumPy's {statement.primitive.name}",
        )
        operation.call = _Call(statement, arguments, result)

    def _is_object(self, statement: Statement) -> bool:
        """Whether NumPy's result is a row-sparse matrix."""
        name = statement.primitive.name
        if name in ("row_sparse", "add_row_sparse"):
            return True
        return name in ("copy", "convert") and self.same[statement.arguments[0]] in self.cells


class _Call:
    """A statement evaluated by NumPy; ``views`` turns arrays into NumPy's when it runs."""

    def __init__(self, statement: Statement, arguments: list[Any], result: Array | Cell) -> None:
        primitive = statement.primitive
        self.primitive = primitive
        self.attributes = dict(statement.attributes)
        self.arguments = arguments
        self.result = result
        self.write = writer_of(primitive) if isinstance(result, Array) else None
        self.views: Callable[[Array], np.ndarray] | None = None

    def __call__(self) -> None:
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
