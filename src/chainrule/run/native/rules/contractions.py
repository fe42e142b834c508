"""Sums of products over named indices, as products of matrices where they are some."""

from __future__ import annotations

import math

import numpy as np

from chainrule.graph.statement import Statement
from chainrule.run.native.arrays import Array, Shape, core_dtype, new_array
from chainrule.run.native.lowering import Lowering
from chainrule.run.native.operations import Unsupported
from chainrule.run.native.rules.reductions import reduced

Term = tuple[str, Array]


def einsum(plan: Lowering, s: Statement, subscripts: str) -> Array:
    """Pair by pair: indices that only one of the two has are summed at once, those that end with
    the pair are the inner axis of a product of matrices, and those of both that stay its stack."""
    if core_dtype(s.dtype) not in ("f32", "f64"):
        raise Unsupported(f"no einsum of {s.dtype}")
    inputs, output = subscripts.split("->")
    names = inputs.split(",")
    shapes = [a.shape for a in s.arguments]
    lengths: dict[str, int] = {}
    for own, shape in zip(names, shapes, strict=True):
        for letter, n in zip(own, shape, strict=True):
            lengths[letter] = n if lengths.get(letter, 1) == 1 else lengths[letter]
    terms = [
        _without_repeats(own, plan.as_dtype(plan.array(a), s.dtype), lengths)
        for own, a in zip(names, s.arguments, strict=True)
    ]
    for first, second in _order(subscripts, shapes):
        pair = terms[first], terms[second]
        terms = [term for i, term in enumerate(terms) if i not in (first, second)]
        kept = set(output).union(*(own for own, _ in terms))
        terms.append(_product(plan, *pair, kept))
    own, array = _summed(plan, terms[0], set(output))
    return array.view(lambda x: np.transpose(x, [own.index(letter) for letter in output]))


def _order(subscripts: str, shapes: list[Shape]) -> list[tuple[int, int]]:
    """Which two come next, the result standing at the end of those that are left."""
    if len(shapes) < 3:
        return [(0, 1)] * (len(shapes) - 1)
    stand_ins = [np.broadcast_to(0.0, shape) for shape in shapes]
    path = np.einsum_path(subscripts, *stand_ins, optimize="greedy")[0][1:]
    pairs = []
    left = len(shapes)
    for step in path:
        if len(step) == 1:
            continue
        first, second, *others = sorted(step)
        pairs.append((first, second))
        left -= 1
        # One that takes several at once: the others go to the result in turn.
        for taken, other in enumerate(others):
            pairs.append((other - 2 - taken, left - 1))
            left -= 1
    return pairs


def _without_repeats(own: str, array: Array, lengths: dict[str, int]) -> Term:
    """Each index once: a repeated one is a diagonal, a stretched one goes."""
    shape: list[int] = []
    strides: list[int] = []
    letters = ""
    for letter, n, stride in zip(own, array.shape, array.strides, strict=True):
        if n == 1 and lengths[letter] != 1:
            continue
        if letter in letters:
            strides[letters.index(letter)] += stride
        else:
            letters += letter
            shape.append(n)
            strides.append(stride)
    return letters, Array(array.storage, array.dtype, tuple(shape), tuple(strides), array.offset)


def _summed(plan: Lowering, term: Term, kept: set[str]) -> Term:
    """Without the indices that nobody else needs."""
    own, array = term
    axes = tuple(i for i, letter in enumerate(own) if letter not in kept)
    if not axes:
        return term
    left = "".join(letter for letter in own if letter in kept)
    shape = tuple(n for i, n in enumerate(array.shape) if i not in axes)
    return left, reduced(plan, array, "sum", axes, shape, array.dtype)


def _product(plan: Lowering, first: Term, second: Term, kept: set[str]) -> Term:
    a_own, a = _summed(plan, first, kept | set(second[0]))
    b_own, b = _summed(plan, second, kept | set(first[0]))
    stack = [letter for letter in a_own if letter in b_own and letter in kept]
    inner = [letter for letter in a_own if letter in b_own and letter not in kept]
    rows = [letter for letter in a_own if letter not in b_own]
    columns = [letter for letter in b_own if letter not in a_own]
    own = "".join([*stack, *rows, *columns])
    sizes = {**dict(zip(a_own, a.shape, strict=True)), **dict(zip(b_own, b.shape, strict=True))}
    shape = tuple(sizes[letter] for letter in own)
    if not inner or not (rows or columns):
        every = own + "".join(inner)
        result = _multiplied(plan, _spread(a_own, a, every, sizes), _spread(b_own, b, every, sizes))
        return _summed(plan, (every, result), set(own))
    groups = [[letter] for letter in stack]
    a = _grouped(plan, a_own, a, [*groups, rows, inner])
    b = _grouped(plan, b_own, b, [*groups, inner, columns])
    product = new_array((*a.shape[:-1], b.shape[-1]), a.dtype)
    work = 2 * product.size * a.shape[-1]
    plan.emit("multiply", [a, b], [product], [0, 0, 0], label="einsum", work=work)
    return own, product.reshaped(shape)


def _spread(own: str, array: Array, every: str, sizes: dict[str, int]) -> Array:
    """With the axes of ``every``, those that it has not by strides of 0."""
    strides = tuple(array.strides[own.index(c)] if c in own else 0 for c in every)
    shape = tuple(sizes[c] for c in every)
    return Array(array.storage, array.dtype, shape, strides, array.offset)


def _multiplied(plan: Lowering, a: Array, b: Array) -> Array:
    chain = plan.chain(a.shape, [a, b])
    kernel = f"multiply.{core_dtype(a.dtype)}"
    chain.labels.append("einsum")
    return chain.give(chain.apply(kernel, chain.value_of(a), chain.value_of(b)), a.dtype)


def _grouped(plan: Lowering, own: str, array: Array, groups: list[list[str]]) -> Array:
    """One axis for each group of indices: a view where the strides allow it."""
    order = [own.index(letter) for group in groups for letter in group]
    array = array.view(lambda x: np.transpose(x, order))
    shape: list[int] = []
    strides: list[int] = []
    position = 0
    for group in groups:
        end = position + len(group)
        merged = _one_axis(array.shape[position:end], array.strides[position:end])
        if merged is None:
            lengths = iter(array.shape)
            whole = tuple(math.prod(next(lengths) for _ in group) for group in groups)
            return plan.copied(array).reshaped(whole)
        shape.append(merged[0])
        strides.append(merged[1])
        position = end
    return Array(array.storage, array.dtype, tuple(shape), tuple(strides), array.offset)


def _one_axis(shape: Shape, strides: Shape) -> tuple[int, int] | None:
    """(length, stride) of several axes as one, where they are one run of equal steps."""
    length, step = 1, 1
    for n, stride in zip(reversed(shape), reversed(strides), strict=True):
        if n == 1:
            continue
        if length > 1 and stride != length * step:
            return None
        step = stride if length == 1 else step
        length *= n
    return length, step
