"""Sample arguments for every row of the table of primitives, drawn once and always the same.

Elementwise rows are sampled from their ``domain`` in several broadcasts; the other rows list theirs
in ``LISTED``. Floating arguments are float64 and vary; integer and boolean ones do not.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.graph import Kind, Primitive, all_primitives
from chainrule.graph.shapes import Gathered

G = Gathered()
ANY = (-2.0, 2.0)
SHAPES: dict[int, list[tuple[tuple[int, ...], ...]]] = {
    1: [((),), ((3,),), ((2, 1, 2),), ((0,),)],
    2: [((), ()), ((3,), (3,)), ((2, 3), (3,)), ((), (2, 2)), ((2, 1), (1, 3)), ((0, 2), (2,))],
    3: [((), (), ()), ((4,), (), ()), ((2, 3), (3,), (2, 1))],
}
ATTRIBUTES: dict[str, dict[str, Any]] = {"leaky_relu": {"slope": 0.1}, "elu": {"alpha": 0.7}}

# Piecewise rows whose domain holds one piece: the other pieces.
PIECES: dict[str, list[tuple[Any, ...]]] = {
    "relu": [(np.array([-1.5, 2.0, -0.3]),)],
    "leaky_relu": [(np.array([-1.5, 2.0, -0.3]),)],
    "elu": [(np.array([-1.5, 2.0, -0.3]),)],
    "abs": [(np.array([-1.5, 2.0, -0.3]),)],
    "maximum": [(np.array([2.0, -1.0, 0.5]), np.array([1.0, 3.0, 0.7]))],
    "minimum": [(np.array([2.0, -1.0, 0.5]), np.array([1.0, 3.0, 0.7]))],
    "clip": [(np.array([-3.0, 0.2, 5.0, 1.0]), np.float64(-1.0), np.float64(0.9))],
    "reciprocal": [(np.array([-1.5, 2.0, -0.3]),)],
    "cbrt": [(np.array([-1.5, 2.0, -0.3]),)],
    "divide": [(np.array([-1.5, 2.0]), np.array([-0.5, -3.0]))],
    "power": [(np.array([-1.5, 2.0, -0.3]), n) for n in (0, 1, 2, 3, -1, -2)]
    + [(np.array([[1.5, 2.0]]), np.array([[0.0, 1.0], [2.0, -1.5]])), (2.0, np.array([1.0, -1.0]))],
    "arctan2": [(np.array([1.0, -1.0, -2.0]), np.array([-2.0, -0.5, 1.0]))],
    "remainder": [(np.array([-1.5, 5.3, 7.1]), np.array([2.0, -2.0, 1.5]))],
    "hypot": [(np.array([-3.0, 3.0]), np.array([4.0, -4.0]))],
    "logaddexp": [(np.array([-500.0, 500.0]), np.array([500.0, 499.0]))],
}


@dataclass(frozen=True)
class Sample:
    """One call of one row."""

    primitive: Primitive
    arguments: tuple[Any, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    number: int = 0

    def __str__(self) -> str:
        return f"{self.primitive.name}-{self.number}"


def generator(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def drawn(shape: tuple[int, ...], low: float, high: float, rng: np.random.Generator) -> Any:
    return rng.uniform(low, high, shape)[()] if shape == () else rng.uniform(low, high, shape)


def normal(*shape: int) -> np.ndarray:
    """Numbers of either sign, far from ties."""
    return np.random.default_rng(sum(shape) + len(shape)).normal(size=shape)


def regular(*shape: int) -> np.ndarray:
    """Well-conditioned square matrices that are not symmetric."""
    return normal(*shape) * 0.3 + 2 * np.eye(shape[-1])


def definite(*shape: int) -> np.ndarray:
    """Symmetric positive definite matrices."""
    a = normal(*shape)
    return a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])


def reductions(**extra: Any) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Every combination of axes and keepdims of a few shapes."""
    cases = [((), ()), ((3,), (0,)), ((2, 3), (0,)), ((2, 3), (1,)), ((2, 3), (0, 1)),
             ((2, 3), ()), ((2, 3, 2), (0, 2)), ((2, 3, 2), (1,)), ((1, 4), (0,))]  # fmt: skip
    return [
        ((normal(*shape)[()],), {"axis": axis, "keepdims": keepdims, **extra})
        for shape, axis in cases
        for keepdims in (False, True)
    ]


LISTED: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    # leaves, copies, conversions
    "copy": [((normal(2, 3),), {}), ((1.5,), {})],
    "convert": [
        ((normal(3),), {"dtype": np.dtype(np.float64)}),
        ((np.array([1, 2]),), {"dtype": np.dtype(np.float64)}),
        ((normal(3),), {"dtype": np.dtype(np.int64)}),
    ],
    # shapes
    "reshape": [((normal(2, 3),), {"shape": s}) for s in ((6,), (3, 2), (1, 6, 1))]
    + [((np.float64(2.0),), {"shape": (1, 1)}), ((normal(1, 1),), {"shape": ()})],
    "transpose": [
        ((normal(2, 3),), {"axes": (1, 0)}),
        ((normal(2, 3, 4),), {"axes": (2, 0, 1)}),
        ((normal(2, 3, 4),), {"axes": (1, 2, 0)}),
        ((np.float64(1.0),), {"axes": ()}),
    ],
    "broadcast_to": [
        ((normal(3),), {"shape": (2, 3)}),
        ((normal(2, 1),), {"shape": (4, 2, 3)}),
        ((np.float64(1.0),), {"shape": (2, 2)}),
        ((normal(3),), {"shape": (3,)}),
    ],
    "sum_to_shape": [((normal(2, 3),), {"shape": s}) for s in ((3,), (2, 1), (), (1, 1), (2, 3))],
    # sums
    "sum": reductions(),
    "cumsum": [
        ((normal(5),), {"axis": 0}),
        ((normal(2, 3),), {"axis": 0}),
        ((normal(2, 3, 2),), {"axis": 1}),
    ],
    # selection
    "where": [
        ((np.array([True, False, True]), normal(3), normal(1)), {}),
        ((np.array([[True], [False]]), np.float64(2.0), normal(2, 3)), {}),
        ((np.True_, normal(2), normal(2, 1)), {}),
    ],
    "slice": [
        ((normal(5),), {"index": (slice(1, 4),)}),
        ((normal(5),), {"index": (2,)}),
        ((normal(5),), {"index": (-1,)}),
        ((normal(5),), {"index": (slice(None, None, -2),)}),
        ((normal(2, 3, 4),), {"index": (..., None, slice(0, 2))}),
        ((normal(2, 3),), {"index": (slice(None), 1)}),
        ((normal(2, 3),), {"index": (None,)}),
    ],
    "put_slice": [
        ((normal(3),), {"index": (slice(1, 4),), "shape": (5,)}),
        ((np.float64(2.0),), {"index": (2,), "shape": (3,)}),
        ((normal(2, 2),), {"index": (slice(None), slice(None, None, 2)), "shape": (2, 4)}),
    ],
    "put_slices": [
        (
            (normal(3), normal(3), np.float64(2.0)),
            {"indices": ((slice(1, 4),), (slice(0, 3),), (2,)), "shape": (5,)},
        ),
        (
            (normal(2, 2), normal(4)),
            {"indices": ((slice(None), slice(None, None, 2)), (1,)), "shape": (2, 4)},
        ),
    ],
    "gather": [
        ((normal(4, 2), np.array([0, 3, 0])), {"index": (G,)}),
        ((normal(4, 2), np.array([[0, -1], [2, 0]])), {"index": (G,)}),
        ((normal(4, 3), np.array([2, 2]), np.array([0, 1])), {"index": (G, G)}),
        ((normal(4, 3, 2), np.array([2, 2]), np.array([0, 1])), {"index": (G, slice(None), G)}),
        ((normal(4, 3), np.array([0, 0, 1])), {"index": (slice(None), G)}),
        ((normal(4), np.array(2)), {"index": (G,)}),
    ],
    "scatter_add": [
        ((normal(3, 2), np.array([0, 3, 0])), {"index": (G,), "shape": (4, 2)}),
        ((normal(2), np.array([2, 2]), np.array([0, 1])), {"index": (G, G), "shape": (4, 3)}),
        ((normal(4, 3), np.array([0, 0, -1])), {"index": (slice(None), G), "shape": (4, 3)}),
    ],
    "row_sparse": [
        ((np.array([2, 0, 2]), normal(3, 2)), {"shape": (4, 2)}),
        ((np.array([[1, -1]]), normal(1, 2)), {"shape": (3,)}),
    ],
    "add_row_sparse": [((normal(3, 2), normal(3, 2)), {})],
    "to_dense": [((normal(3, 2),), {})],
    "combine_rows": [
        ((np.array([2, 0, -2]), normal(3, 2)), {"height": 4}),
        ((np.array([1, 1, 1, 0]), normal(4, 2, 2)), {"height": 2}),
        ((np.array([], int), normal(0, 2)), {"height": 4}),
        ((np.array([0, 3, 0]), normal(3)), {"height": 4}),
    ],
    "first_rows": [
        ((np.array([2, 0, -2, 1]),), {"height": 4}),
        ((np.array([], int),), {"height": 4}),
    ],
    "put_rows": [
        ((normal(4, 2), np.array([2, 0, -2]), normal(3, 2)), {}),
        ((normal(3), np.array([1, 1]), normal(2)), {}),
        ((normal(2, 1, 2), np.array([], int), normal(0, 1, 2)), {}),
    ],
    "concatenate": [
        ((normal(2), normal(3), normal(1)), {"axis": 0}),
        ((normal(2, 3), normal(2, 0), normal(2, 2)), {"axis": 1}),
        ((normal(2, 1, 2), normal(2, 3, 2)), {"axis": 1}),
    ],
    "pad": [((normal(3),), {"widths": ((1, 2),)}), ((normal(2, 2),), {"widths": ((0, 1), (2, 0))})],
    # diagonals
    "diagonal": [((normal(3, 3),), {"offset": k}) for k in (0, 1, -2)]
    + [((normal(2, 2, 4),), {"offset": 1}), ((normal(4, 2),), {"offset": -1})],
    "diagonal_matrix": [
        ((normal(3),), {"offset": 0, "shape": (3, 3)}),
        ((normal(2),), {"offset": -1, "shape": (3, 3)}),
        ((normal(2, 2),), {"offset": 1, "shape": (2, 2, 4)}),
    ],
    "tril": [((normal(3, 3),), {"offset": 0}), ((normal(2, 2, 3),), {"offset": 1})],
    "triu": [((normal(3, 3),), {"offset": 0}), ((normal(2, 2, 3),), {"offset": -1})],
    # products
    "matmul": [
        ((normal(2, 3), normal(3, 2)), {}),
        ((normal(1, 3), normal(3, 1)), {}),
        ((normal(2, 2, 3), normal(3, 2)), {}),
        ((normal(2, 3), normal(2, 3, 1)), {}),
        ((normal(2, 1, 2, 2), normal(3, 2, 1)), {}),
    ],
    "masked_product": [
        ((normal(2, 3), normal(2, 3)), {}),
        ((normal(3), normal(2, 1)), {}),
        ((np.float64(2.0), normal(3)), {}),
    ],
    "einsum": [
        ((normal(2, 3), normal(3, 2)), {"subscripts": "ij,jk->ik"}),
        ((normal(3, 3),), {"subscripts": "ii->i"}),
        ((normal(3, 3),), {"subscripts": "ii->"}),
        ((normal(2, 3),), {"subscripts": "ij->j"}),
        ((normal(2, 3),), {"subscripts": "ij->ji"}),
        ((normal(2), normal(3)), {"subscripts": "i,j->ij"}),
        ((normal(2), normal(2, 3), normal(3)), {"subscripts": "i,ij,j->"}),
        ((normal(2, 3), normal(3, 3)), {"subscripts": "ij,kk->i"}),
        ((normal(2, 3, 2), normal(2, 2, 3)), {"subscripts": "bij,bji->b"}),
    ],
    # reductions that are not linear
    "max": reductions(),
    "min": reductions(),
    "prod": reductions(),
    "norm": reductions(),
    "logsumexp": reductions(),
    "softmax": [
        ((normal(3),), {"axis": 0}),
        ((normal(2, 3),), {"axis": 0}),
        ((normal(2, 3),), {"axis": 1}),
        ((normal(2, 2, 2),), {"axis": 1}),
    ],
    "log_softmax": [
        ((normal(3),), {"axis": 0}),
        ((normal(2, 3),), {"axis": 0}),
        ((normal(2, 3),), {"axis": 1}),
        ((normal(2, 2, 2),), {"axis": 1}),
    ],
    # linear algebra
    "solve": [
        ((regular(3, 3), normal(3, 1)), {}),
        ((regular(2, 2, 2), normal(2, 3)), {}),
        ((regular(2, 2), normal(2, 2, 1)), {}),
        ((regular(2, 1, 2, 2), normal(3, 2, 1)), {}),
    ],
    "triangular_solve": [
        ((regular(3, 3), normal(3, 2)), {"lower": lower}) for lower in (True, False)
    ]
    + [
        ((regular(2, 2, 2), normal(2, 1)), {"lower": True}),
        ((regular(2, 2), normal(2, 2, 1)), {"lower": False}),
    ],
    "inv": [((regular(1, 1),), {}), ((regular(3, 3),), {}), ((regular(2, 2, 2),), {})],
    "cholesky": [
        ((definite(1, 1),), {}),
        ((definite(3, 3),), {}),
        ((definite(2, 2, 2),), {}),
        ((regular(3, 3),), {}),
    ],
    "det": [
        ((regular(1, 1),), {}),
        ((regular(3, 3),), {}),
        ((regular(2, 2, 2),), {}),
        ((-regular(3, 3),), {}),
    ],
    "logabsdet": [((regular(1, 1),), {}), ((regular(3, 3),), {}), ((-regular(2, 3, 3),), {})],
    "signdet": [((regular(3, 3),), {}), ((-regular(2, 3, 3),), {})],
    # layers and losses
    "dense": [
        ((normal(2, 3), normal(3, 2), normal(2)), {}),
        ((normal(2, 2, 3), normal(3, 1), normal(1)), {}),
        ((normal(1, 2), normal(2, 2), np.float64(0.5)), {}),
    ],
    "cross_entropy": [
        ((normal(3, 4), np.array([0, 3, 1])), {}),
        ((normal(3), np.array(2)), {}),
        ((normal(2, 2, 3), np.array([[0, 1], [2, 2]])), {}),
    ],
    "layer_norm": [
        ((normal(2, 4), normal(4), normal(4)), {"epsilon": 1e-5}),
        ((normal(3), np.float64(2.0), np.float64(0.5)), {"epsilon": 0.1}),
        ((normal(2, 1, 3), normal(3), normal(3)), {"epsilon": 1e-3}),
    ],
    # indices and random numbers
    "argsort": [((normal(4),), {"axis": 0}), ((normal(2, 3),), {"axis": 1})],
    "argmax": [((normal(4),), {"axis": 0}), ((normal(2, 3),), {"axis": 1})],
    "argmin": [((normal(4),), {"axis": 0}), ((normal(2, 3),), {"axis": 1})],
    "random_uniform": [
        ((np.array([1, 2]),), {"stream": 3, "shape": (2, 3), "dtype": np.dtype(float)}),
        ((np.array([1, 2]),), {"stream": 3, "shape": (), "dtype": np.dtype("f4")}),
    ],
}

# Rows that are not functions of arrays: leaves, and the rows that loops are made of, whose values
# are tuples. Their tests lie with the graph's and with the loops'.
NOT_OF_ARRAYS = {"input", "constant", "item", "join", "scan"}


def samples_of(row: Primitive) -> Iterator[Sample]:
    """All samples of one row."""
    number = 0
    if row.name in LISTED:
        for number, (arguments, attributes) in enumerate(LISTED[row.name]):
            yield Sample(row, arguments, attributes, number)
        return
    rng = generator(row.name)
    attributes = ATTRIBUTES.get(row.name, {})
    count = len(row.partials)
    for number, shapes in enumerate(SHAPES.get(count, [])):
        intervals = row.domain or (ANY,) * count
        arguments = tuple(
            drawn(shape, *interval, rng) for shape, interval in zip(shapes, intervals, strict=True)
        )
        yield Sample(row, arguments, attributes, number)
    for piece, arguments in enumerate(PIECES.get(row.name, [])):
        yield Sample(row, arguments, attributes, number + 1 + piece)


ROWS = {name: row for name, row in all_primitives().items() if name not in NOT_OF_ARRAYS}
SAMPLES = {name: list(samples_of(row)) for name, row in ROWS.items()}
DIFFERENTIABLE = [
    s for name, row in ROWS.items() if row.kind is not Kind.CONSTANT for s in SAMPLES[name]
]
EVERY = [sample for name in ROWS for sample in SAMPLES[name]]
