"""Operations of an op list while it is planned: single ones, and chains of instructions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

import chainrule._native as _native
from chainrule.run.native.arrays import Array, Shape, core_dtype, new_array
from chainrule.run.unsupported import Unsupported as Unsupported

if TYPE_CHECKING:
    from chainrule.run.native.body import Body

KERNELS: dict[str, tuple[int, int, str]] = _native.kernels()
ROW_REDUCTIONS: dict[str, int] = _native.REDUCTIONS
ROW_MAPS: dict[str, int] = _native.ROW_MAPS
LONGEST_CHAIN = 256


@dataclass(eq=False)
class Operation:
    """One operation that is not a chain.

    Attributes:
        code: its name in the core.
        inputs, outputs: its operands and results.
        ints, floats: its attributes.
        body: what a scan repeats.
        label: what ``explain`` calls it.
        work: the number of arithmetic operations.
    """

    code: str
    inputs: list[Array]
    outputs: list[Array]
    ints: list[int] = field(default_factory=list)
    floats: list[float] = field(default_factory=list)
    body: Body | None = None
    label: str = ""
    work: int = 0


class Chain:
    """Elementwise instructions over arrays of one shape, run block by block in one pass.

    Values are numbered: first the inputs, then the results of the instructions. While the chain
    grows, inputs are numbered from -1 downwards.
    """

    def __init__(self, shape: Shape, unit: int) -> None:
        self.shape = shape
        self.unit = unit
        self.inputs: list[Array] = []
        self.code: list[tuple[str, tuple[int, ...]]] = []
        self.results: list[tuple[int, Array]] = []
        self.labels: list[str] = []
        self._known: dict[Any, int] = {}

    @property
    def work(self) -> int:
        """The number of arithmetic operations, at most."""
        return len(self.code) * math.prod(self.shape)

    def can_read(self, array: Array) -> bool:
        """Whether the array is one of the chain's values or is written before the chain runs."""
        return array.storage.unit < self.unit or array in self._known

    def value_of(self, array: Array) -> int:
        """The number of an operand, stretched to the chain's shape."""
        number = self._known.get(array)
        if number is None:
            self.inputs.append(array.as_one_number().broadcast(self.shape))
            number = self._known[array] = -len(self.inputs)
            self._keep(array)
        return number

    def _keep(self, array: Array) -> None:
        array.storage.kept = True
        array.storage.last = max(array.storage.last, self.unit)

    def apply(self, kernel: str, *values: int) -> int:
        """The number of an instruction's result; equal instructions are one."""
        key = (kernel, values)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self.code)
            self.code.append((kernel, values))
        return number

    def converted(self, value: int, source: Any, target: Any) -> int:
        """A value in another dtype."""
        if source == target:
            return value
        return self.apply(f"convert.{core_dtype(target)}.{core_dtype(source)}", value)

    def give(self, value: int, dtype: Any, to: Array | None = None) -> Array:
        """The array in which a value can be found, by default in memory of its own if needed."""
        array = to if to is not None else new_array(self.shape, dtype)
        storage = array.storage
        storage.unit = self.unit
        storage.first = self.unit if storage.first < 0 else storage.first
        storage.last = max(storage.last, self.unit)
        self.results.append((value, array))
        if to is None:
            self._known.setdefault(array, value)
        return array

    def finished(self) -> tuple[list[Array], list[Array], list[Any], list[int]]:
        """(inputs, outputs, instructions, numbers of results), without what nobody needs."""
        results = [(v, array) for v, array in self.results if array.storage.kept]
        needed = {v for v, _ in results}
        for number in range(len(self.code) - 1, -1, -1):
            if number in needed:
                needed.update(self.code[number][1])
        used = [i for i in range(len(self.inputs)) if -1 - i in needed]
        now = {-1 - i: position for position, i in enumerate(used)}
        code: list[Any] = []
        for number, (kernel, values) in enumerate(self.code):
            if number in needed:
                operands = [now[v] for v in values]
                code.append((KERNELS[kernel][0], *operands, *([0] * (3 - len(operands)))))
                now[number] = len(used) + len(code) - 1
        return (
            [self.inputs[i] for i in used],
            [array for _, array in results],
            code,
            [now[v] for v, _ in results],
        )


def has_kernel(name: str, dtype: Any) -> bool:
    """Whether the core has the elementwise function for a dtype."""
    return f"{name}.{core_dtype(dtype)}" in KERNELS


def can_convert(source: Any, target: Any) -> bool:
    """Whether the core converts between two dtypes."""
    return source == target or f"convert.{core_dtype(target)}.{core_dtype(source)}" in KERNELS


def is_zero(value: Any) -> bool:
    """Whether a known value is the number 0."""
    return value is not None and np.ndim(value) == 0 and not np.any(value)


def is_one(value: Any) -> bool:
    """Whether a known value is the number 1."""
    return value is not None and np.ndim(value) == 0 and bool(np.all(value == 1))


def total_size(arrays: Sequence[Array]) -> int:
    """The bytes of several arrays."""
    return sum(array.nbytes for array in arrays)
