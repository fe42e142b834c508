"""What derivatives cost: operations counted on graphs, statements, depth, memory."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import functions as F
from chainrule.api.gradients import Recording
from chainrule.diff.reverse import pull_back
from chainrule.graph import Graph, Kind, Statement, all_primitives, constant
from chainrule.graph.sharing import shared

# ----- the cost of one statement ----------------------------------------------------------------

# Operations for each entry of the result (or of the argument, for what reduces it).
WEIGHTS: dict[str, float] = {
    **dict.fromkeys(
        ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "sin", "cos",
         "tan", "arcsin", "arccos", "arctan", "arctan2", "sinh", "cosh", "tanh", "arcsinh",
         "arccosh", "arctanh", "erf", "sigmoid", "softplus", "logaddexp", "power", "hypot"], 4.0),
    "gelu": 8.0, "silu": 5.0, "elu": 5.0,
}  # fmt: skip
# Moving data costs nothing.
FREE = {"input", "constant", "copy", "convert", "reshape", "transpose", "broadcast_to", "slice",
        "put_slice", "concatenate", "pad", "gather", "diagonal", "diagonal_matrix", "item",
        "stop_gradient"}  # fmt: skip
REDUCTIONS: dict[str, float] = {
    "sum": 1, "sum_to_shape": 1, "max": 1, "min": 1, "prod": 1, "norm": 2, "logsumexp": 6,
    "softmax": 7, "log_softmax": 7, "cross_entropy": 6, "layer_norm": 8,
}  # fmt: skip


def operations(statement: Statement) -> float:
    """Scalar operations of one statement.

    Additions and multiplications count 1, transcendental functions 4, a matrix product 2 m n k, a
    factorisation (2/3) n^3, each right-hand side of a solve 2 n^2.
    """
    name, shapes = statement.primitive.name, [a.shape for a in statement.arguments]
    if name in FREE:
        return 0.0
    if name == "put_slices":  # One addition for each entry that lies on another one.
        return max(0.0, float(sum(prod(shape) for shape in shapes) - statement.size))
    if name in ("matmul", "dense"):
        added = statement.size if name == "dense" else 0
        return 2.0 * statement.size * shapes[0][-1] + added
    if name == "einsum":
        inputs = statement.attributes["subscripts"].split("->")[0].split(",")
        lengths = {
            letter: length
            for letters, shape in zip(inputs, shapes, strict=True)
            for letter, length in zip(letters, shape, strict=True)
        }
        return float(len(inputs) * prod(lengths.values()))
    if name in ("solve", "det", "logabsdet", "signdet", "inv", "cholesky", "triangular_solve"):
        n, stack = shapes[0][-1], prod(shapes[0][:-2])
        factor = {"inv": 2.0, "cholesky": 1 / 3, "triangular_solve": 0.0}.get(name, 2 / 3)
        sides = statement.size if "solve" in name else 0
        return stack * factor * n**3 + (1.0 if name == "triangular_solve" else 2.0) * n * sides
    if name in REDUCTIONS:
        return REDUCTIONS[name] * prod(shapes[0])
    if statement.primitive.kind is Kind.ELEMENTWISE:
        return WEIGHTS.get(name, 1.0) * statement.size
    return float(statement.size)


def graphs(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Graph, Graph]:
    """The graph of the value, and that of the value with its gradient."""
    recording = Recording(function, args, {}, list(range(len(args))))
    value = recording.result.statement
    adjoints = pull_back([value], [constant(np.float64(1.0))], recording.inputs)
    inputs = tuple(recording.inputs)
    present = tuple(adjoint for adjoint in adjoints if adjoint is not None)
    return Graph(inputs, (value,)), Graph(inputs, (value, *present))


def cost(graph: Graph) -> float:
    return sum(operations(statement) for statement in graph.statements)


# ----- the gradient costs at most five times the value ------------------------------------------

rng = np.random.default_rng(5)
X, Y = rng.normal(size=(20, 8)), rng.integers(0, 3, 20)
V = rng.uniform(0.5, 1.5, 50)
S = rng.normal(size=(30, 30)) + 20 * np.eye(30)


def layers(*sizes: int) -> list[tuple[Any, Any]]:
    return [(rng.normal(size=(m, n)), rng.normal(size=n)) for m, n in pairwise(sizes)]


def multilayer_perceptron(activation: Any) -> Callable[..., Any]:
    def loss(parameters: Any) -> Any:
        h = X
        for weight, bias in parameters[:-1]:
            h = activation(F.dense(h, weight, bias))
        return np.mean(F.cross_entropy(F.dense(h, *parameters[-1]), Y))

    return loss


def gaussian_mixture(weights: Any, means: Any, roots: Any) -> Any:
    """The log-likelihood of X under a mixture whose inverse covariances have the given roots."""
    centred = X[:, None, :] - means
    scaled = np.einsum("kij,nkj->nki", roots, centred)
    log_determinants = np.sum(np.log(np.abs(np.diagonal(roots, 0, 1, 2))), axis=-1)
    inner = weights + log_determinants - 0.5 * np.sum(scaled**2, axis=-1)
    return np.sum(F.logsumexp(inner, axis=1)) - X.shape[0] * F.logsumexp(weights)


def horner(x: Any) -> Any:
    result = 0.0 * x
    for coefficient in (3.0, -1.0, 0.5, 2.0, 1.0):
        result = result * x + coefficient
    return np.sum(result)


def determinant_by_minors(m: Any, rows: tuple[int, ...] = (0, 1, 2, 3), column: int = 0) -> Any:
    if len(rows) == 1:
        return m[rows[0], column]
    return sum(
        (-1) ** i * m[row, column] * determinant_by_minors(m, rows[:i] + rows[i + 1 :], column + 1)
        for i, row in enumerate(rows)
    )


def recurrent(w: Any, u: Any) -> Any:
    h = np.zeros(8)
    for x in X:
        h = np.tanh(w @ h + u @ x)
    return np.sum(h**2)


FUNCTIONS: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
    ("product of many", lambda x: np.prod(x), (V,)),
    ("chain of multiplications", lambda x: horner(x), (V,)),
    ("polynomial", lambda x: np.sum(x**3 - 2 * x**2 + x), (V,)),
    ("powers", lambda x: np.sum(x**2.5), (V,)),
    ("elementwise chain", lambda x: np.sum(np.sin(np.exp(np.log(x) * 0.5))), (V,)),
    ("every activation", lambda x: np.sum(F.gelu(F.silu(F.softplus(F.sigmoid(np.tanh(x)))))), (V,)),
    ("divisions", lambda x, y: np.sum(x / y / (x + y)), (V, V + 1)),
    ("lecture", lambda x: np.sum(np.log(x[0]) + x[0] * x[1] - np.sin(x[1])), (V.reshape(2, 25),)),
    ("rosenbrock", lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2), (V,)),
    ("speelpenning by hand", lambda x: np.sum(x[0] * x[1] * x[2] * x[3]), (V[:48].reshape(4, 12),)),
    ("sum of squares", lambda x: np.sum(x**2), (V,)),
    ("norm", lambda x: np.linalg.norm(x), (V,)),
    ("variance", lambda x: np.var(x), (V,)),
    ("logsumexp", lambda x: F.logsumexp(x), (V,)),
    ("softmax", lambda x: np.sum(F.softmax(x, -1) ** 2), (X,)),
    ("softmax cross entropy", lambda x: np.mean(F.cross_entropy(x, Y)), (X,)),
    ("layer norm", lambda x, s, b: np.sum(F.layer_norm(x, s, b) ** 2), (X, V[:8], V[:8])),
    ("max and min", lambda x: np.max(x) - np.min(x), (V,)),
    ("relu network", multilayer_perceptron(F.relu), (layers(8, 16, 16, 3),)),
    ("tanh network", multilayer_perceptron(np.tanh), (layers(8, 16, 3),)),
    ("least squares", lambda w: np.sum((X @ w - V[:20]) ** 2), (V[:8],)),
    ("chain of matrix products", lambda a, b, c: np.sum(a @ b @ c), (S, S, S)),
    ("powers of a matrix", lambda a: np.trace(np.linalg.matrix_power(a, 4)), (S,)),
    ("einsum of three", lambda a, x: np.einsum("i,ij,j->", x, a, x), (S, V[:30])),
    ("gaussian mixture", gaussian_mixture, (V[:4], X[:4], rng.normal(size=(4, 8, 8)))),
    ("determinant", lambda a: np.linalg.det(a), (S,)),
    ("log determinant", lambda a: np.linalg.slogdet(a)[1], (S,)),
    ("determinant by minors", determinant_by_minors, (S[:4, :4],)),
    ("solve", lambda a, b: np.sum(np.linalg.solve(a, b) ** 2), (S, V[:30])),
    ("inverse", lambda a: np.sum(np.linalg.inv(a) ** 2), (S,)),
    ("cholesky", lambda a: np.sum(np.linalg.cholesky(a @ a.T)), (S,)),
    ("recurrence", recurrent, (S[:8, :8] / 20, S[:8, 8:16])),
    ("choice", lambda x: np.sum(np.where(x > 1, np.log(x), np.sqrt(x))), (V,)),
    ("cumulative sum", lambda x: np.sum(np.cumsum(x) ** 2), (V,)),
    ("sorted", lambda x: np.sum(np.sort(x) * np.arange(50)), (V,)),
]


@pytest.mark.parametrize("what, function, args", FUNCTIONS, ids=[f[0] for f in FUNCTIONS])
def test_value_and_gradient_cost_at_most_five_values(what: str, function: Any, args: Any) -> None:
    value, both = graphs(function, args)
    ratio = cost(both) / cost(value)
    counted = Counter(s.primitive.name for s in both.statements)
    assert ratio <= 5, f"{what}: {ratio:.2f} times, {counted}"


def test_weights_name_rows_of_the_table() -> None:
    assert set(WEIGHTS) | FREE | set(REDUCTIONS) <= set(all_primitives()) | {"item"}


def test_a_gradient_for_some_inputs_does_no_work_for_the_others() -> None:
    a, b = rng.normal(size=(10, 10)), rng.normal(size=(10, 10))
    recording = Recording(lambda b: np.sum(a @ b), (b,), {}, [0])
    value = recording.result.statement
    (adjoint,) = pull_back([value], [constant(np.float64(1.0))], recording.inputs)
    assert adjoint is not None
    found = Graph(tuple(recording.inputs), (value, adjoint)).statements
    assert sum(s.primitive.name == "matmul" for s in found) == 2


# ----- linear in the length ---------------------------------------------------------------------

CHAINS: list[tuple[str, Callable[[Any], Any]]] = [
    ("x + 1", lambda x: x + 1.0),
    ("x * x", lambda x: x * x),
    ("sin", np.sin),
    ("x + x", lambda x: (x + x) * 0.5),
    ("where", lambda x: np.where(x > 0, x, -x)),
    ("tanh(x) / x", lambda x: np.tanh(x) / x),
]


@pytest.mark.parametrize("what, step", CHAINS, ids=[chain[0] for chain in CHAINS])
@pytest.mark.parametrize("order", [1, 2])
def test_statements_grow_linearly_with_the_chain(what: str, step: Any, order: int) -> None:
    def length(n: int) -> int:
        def chain(x: Any) -> Any:
            for _ in range(n):
                x = step(x)
            return x

        function = chain if order == 1 else cr.grad(chain)
        return len(graphs(function, (0.7,))[1].statements)

    short, middle, long = length(10), length(20), length(30)
    assert long - middle == middle - short


def test_fan_out_is_visited_once() -> None:
    def doubled(x: Any, n: int) -> Any:
        for _ in range(n):
            x = x * x  # As a tree, 2^n leaves.
        return x

    assert len(graphs(lambda x: doubled(x, 60), (1.0,))[1].statements) < 500
    assert cr.grad(lambda x: doubled(x, 60))(1.0) == 2.0**60


DEPTH = """
import resource, time
import chainrule as cr

def chain(x):
    y = x
    for _ in range(1_000_000):
        y = y + x
    return y

start = time.process_time()
gradient = cr.grad(chain)(1.0)
seconds = time.process_time() - start
print(gradient, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_a_chain_of_a_million_additions() -> None:
    """Within a minute of processor time and 2 GB (maxrss is in KiB on Linux)."""
    finished = subprocess.run(
        [sys.executable, "-c", DEPTH], capture_output=True, text=True, check=True, timeout=300
    )
    gradient, seconds, memory = map(float, finished.stdout.split())
    assert gradient == 1_000_001
    assert seconds < 60
    assert memory * (1 if sys.platform == "darwin" else 1024) < 2e9


def test_what_is_computed_twice_is_pulled_back_once() -> None:
    """A tower of squares, written as a binary tree: 2^12 leaves in 12 different statements."""

    def tower(x: Any, height: int) -> Any:
        return x if height == 0 else tower(x, height - 1) * tower(x, height - 1)

    gradient = cr.compile(cr.grad(lambda x: tower(np.sin(x), 12)))
    x = 1.1
    assert gradient(x) == pytest.approx(4096 * np.sin(x) ** 4095 * np.cos(x), rel=1e-10)
    assert len(set(shared(gradient.graph(x)).values())) < 60


def test_equal_copies_are_pulled_back_apart() -> None:
    def f(a: Any, b: Any) -> Any:
        return np.sin(a) * np.sin(b) + np.sin(a)

    found = cr.compile(lambda x: cr.grad(f, (0, 1))(x, x))(0.3)
    expected = cr.grad(f, (0, 1))(0.3, 0.3)
    assert found == pytest.approx(expected)
    assert found[0] != found[1]


def test_a_gradient_and_a_product_with_the_hessian_share_the_value() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.exp(np.sin(x) * x))

    def both(x: Any) -> Any:
        return cr.grad(f)(x), cr.hvp(f, x, np.ones(3))

    graph = cr.compile(both).graph(np.ones(3))
    same = shared(graph)
    names = Counter(s.primitive.name for s in graph.statements if same[s] is s)
    assert names["sin"] == names["exp"] == names["cos"] == 1
    assert names["copy"] == 0
