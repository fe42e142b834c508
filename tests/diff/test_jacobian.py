"""Jacobians and Hessians: against central differences, by mode, sparse and nested."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

import chainrule as cr
import chainrule.functions as F
from chainrule.diff.sparsity import colours
from chainrule.errors import DifferentiationError
from chainrule.run import native

RANDOM = np.random.default_rng(0)


def differences(f, x, h=1e-6):
    """The Jacobian by central differences."""
    columns = []
    for i in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[i] = h
        columns.append((f(x + step) - f(x - step)) / (2 * h))
    return np.stack(columns, -1).reshape(np.shape(f(x)) + x.shape)


FUNCTIONS = {
    "vector": (lambda x: np.stack([x[0] * x[1], np.sin(x[2]), x[0] ** 2, x[1]]), (3,)),
    "wide": (lambda x: np.stack([np.sum(x), np.prod(x)]), (5,)),
    "matrix to matrix": (lambda x: np.tanh(x @ x.T), (2, 3)),
    "scalar": (lambda x: np.sum(x**3), (4,)),
    "softmax": (lambda x: F.softmax(x, axis=1), (2, 3)),
}


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_against_central_differences(name, mode):
    f, shape = FUNCTIONS[name]
    x = RANDOM.normal(size=shape)
    np.testing.assert_allclose(
        cr.jacobian(f, mode=mode)(x), differences(f, x), rtol=1e-6, atol=1e-8
    )


def test_mode_is_picked_by_shape_and_said():
    tall = cr.jacobian(lambda x: np.concatenate([x, x, x]))
    wide = cr.jacobian(lambda x: x[:2] * x[2:4])
    tall(np.ones(3))
    wide(np.ones(50))
    assert str(tall.report) == "forward mode, 3 passes for a 9 x 3 Jacobian"
    assert str(wide.report) == "reverse mode, 2 passes for a 2 x 50 Jacobian"


def test_elementwise_sigmoid_has_a_diagonal_jacobian_in_linear_memory():
    x = RANDOM.normal(size=204_800)
    jacobian = cr.jacobian(F.sigmoid)
    jacobian(x[:10_000])  # Imports happen before memory is counted.
    tracemalloc.start()
    result = jacobian(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(result, sparse.dia_array) and result.shape == (204_800, 204_800)
    np.testing.assert_allclose(result.diagonal(), F.sigmoid(x) * (1 - F.sigmoid(x)))
    assert peak < 60 * x.nbytes
    assert jacobian.report.passes == 1


def stencil(u):
    return u[1:-1] * (u[2:] - u[:-2]) + u[:-2] - 2 * u[1:-1] + u[2:]


SPARSE = {
    "stencil": (stencil, 40, 3),
    "moves": (lambda x: np.concatenate([x[::-1], np.pad(x, 2), x[[3, 3, 1]]]) ** 2, 30, 1),
    "sum of blocks": (lambda x: np.sum(np.reshape(x, (10, 4)) ** 2, axis=1), 40, 1),
    "softmax of rows": (lambda x: np.ravel(F.softmax(np.reshape(x, (10, 4)), axis=1)), 40, 4),
    "outer with constant": (lambda x: np.ravel(np.transpose(x[:, None] * np.ones(3))), 20, 1),
    "where and clip": (lambda x: np.where(x > 0, np.clip(x, 0, 1), x * 2), 20, 1),
    "rows of a product": (lambda x: np.ravel(np.reshape(x, (10, 4)) @ np.ones((4, 3))), 40, 3),
    "columns of a product": (lambda x: np.ravel(np.ones((3, 4)) @ np.reshape(x, (4, 10))), 40, 3),
    "stack of products": (
        lambda x: np.ravel(np.reshape(x, (5, 2, 4)) @ np.reshape(x[::-1], (5, 4, 2))),
        40,
        4,
    ),
    "dense after all: matmul": (lambda x: np.eye(20) @ x, 20, 20),
}


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_equals_dense_in_few_passes(name):
    f, size, passes = SPARSE[name]
    x = RANDOM.normal(size=size)
    jacobian = cr.jacobian(f, sparse=True)
    found = jacobian(x)
    assert sparse.issparse(found)
    np.testing.assert_allclose(found.toarray(), cr.jacobian(f, sparse=False)(x), atol=1e-12)
    assert jacobian.report.passes == passes


def test_nested_arguments_and_results():
    blocks = cr.jacobian(lambda d: (d["a"] * 2, d["a"][0] * d["b"]))(
        {"a": np.array([1.0, 2.0]), "b": 3.0}
    )
    assert blocks[0]["a"].tolist() == [[2, 0], [0, 2]]
    assert blocks[0]["b"].tolist() == [0, 0]
    assert blocks[1]["a"].tolist() == [3, 0] and blocks[1]["b"] == 1


def test_several_arguments():
    first, second = cr.jacobian(lambda a, b: a * b, argnums=(0, 1))(np.ones(2), np.full(2, 3.0))
    assert first.tolist() == [[3, 0], [0, 3]] and second.tolist() == [[1, 0], [0, 1]]


def test_hessian_is_symmetric_and_right():
    def f(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x = RANDOM.normal(size=5)
    hessian = cr.hessian(f)(x)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-9)
    np.testing.assert_allclose(hessian, differences(cr.grad(f), x), rtol=1e-5, atol=1e-4)
    v = RANDOM.normal(size=5)
    np.testing.assert_allclose(cr.hvp(f, x, v), hessian @ v, rtol=1e-10)


def test_hvp_of_several_arguments():
    found = cr.hvp(lambda x, y: np.sum(x**2 * y), (np.ones(2), np.ones(2)), (np.ones(2),) * 2)
    assert [part.tolist() for part in found] == [[4, 4], [2, 2]]


@pytest.mark.parametrize("outer", ["forward", "reverse"])
@pytest.mark.parametrize("inner", ["forward", "reverse"])
def test_jacobian_of_a_jacobian(outer, inner):
    def f(x):
        return np.stack([np.sin(x[0]) * x[1], x[2] ** 2 * x[0]])

    x = RANDOM.normal(size=3)
    found = cr.jacobian(cr.jacobian(f, mode=inner), mode=outer)(x)
    np.testing.assert_allclose(found, differences(cr.jacobian(f), x), rtol=1e-6, atol=1e-8)


def test_jacobian_compiles():
    def f(x):
        return np.tanh(x) * x[0]

    x = RANDOM.normal(size=3)
    np.testing.assert_allclose(cr.compile(cr.jacobian(f))(x), cr.jacobian(f)(x))


EXECUTORS = ["numpy", pytest.param("native", marks=pytest.mark.skipif(
    not native.available(), reason="the native core is not built"
))]  # fmt: skip


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", SPARSE)
def test_compiled_sparse_jacobians(name, executor):
    f, size, passes = SPARSE[name]
    x = RANDOM.normal(size=size)
    jacobian = cr.jacobian(f, sparse=True)
    compiled = cr.compile(jacobian, executor=executor)
    for point in (x, 2 * x):
        found, expected = compiled(point), cr.jacobian(f, sparse=True)(point)
        assert type(found) is type(expected)
        np.testing.assert_allclose(found.toarray(), expected.toarray(), atol=1e-12)
    assert jacobian.report.passes == passes
    found.data[:] = 0  # What was returned is the caller's own.
    np.testing.assert_allclose(compiled(point).toarray(), expected.toarray(), atol=1e-12)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_compiled_sparse_blocks_of_several_arguments(executor):
    rows = np.array([0, 2, 2, 1, 0])

    def f(table, factor):
        return np.ravel(table[rows] * factor[:, None]), np.sin(factor)

    args = RANDOM.normal(size=(3, 2)), RANDOM.normal(size=5)
    jacobian = cr.jacobian(f, argnums=(0, 1), sparse=True)
    found = cr.compile(jacobian, executor=executor)(*args)
    expected = cr.jacobian(f, argnums=(0, 1), sparse=False)(*args)
    for line, dense_line in zip(found, expected, strict=True):
        for block, dense in zip(line, dense_line, strict=True):
            assert sparse.issparse(block)
            np.testing.assert_allclose(block.toarray(), dense.reshape(block.shape), atol=1e-12)
    assert (
        str(jacobian.report) == "forward mode, 2 passes for a sparse 15 x 11 Jacobian (25 entries)"
    )


def test_compiled_jacobians_that_are_wanted_dense_share_passes():
    jacobian = cr.jacobian(lambda x: stencil(stencil(x)))
    x = RANDOM.normal(size=90)
    found = cr.compile(jacobian)(x)
    assert isinstance(found, np.ndarray) and jacobian.report.passes == 5
    np.testing.assert_allclose(found, differences(lambda x: stencil(stencil(x)), x), atol=1e-6)


def test_derivatives_pass_through_a_jacobian_that_shares_passes():
    x = RANDOM.normal(size=80)

    def roughness(x):
        return np.sum(cr.jacobian(stencil)(x) ** 2)

    expected = differences(lambda x: np.array([roughness(x)]), x)[0]
    np.testing.assert_allclose(cr.grad(roughness)(x), expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(cr.compile(cr.grad(roughness))(x), cr.grad(roughness)(x), rtol=1e-12)


def test_a_zero_that_varies_is_no_zero():
    """At t = 0 the tangent t is zero; its derivative is not."""

    def slope(x, t):
        return cr.grad(lambda t: np.sum(cr.jacobian(lambda x: x * t)(x)))(t)

    assert cr.compile(slope, static=1)(np.ones(3), 0.0) == 3
    constant = cr.compile(lambda x: cr.grad(lambda t: np.sum(cr.jacobian(lambda x: x * t)(x)))(0.0))
    assert constant(np.ones(3)) == 3


def test_indices_that_are_known_later_are_not_followed():
    def f(x, rows):
        return x[rows] ** 2

    x, rows = RANDOM.normal(size=70), RANDOM.integers(0, 70, 65)
    found = cr.compile(cr.jacobian(f, sparse=True))
    for shift in (0, 1):
        picked = (rows + shift) % 70
        np.testing.assert_allclose(
            found(x, picked).toarray(), cr.jacobian(f, sparse=False)(x, picked), atol=1e-12
        )


def test_more_colours_than_bits_in_a_word():
    band = sparse.csr_array(np.triu(np.tril(np.ones((300, 300)), 100)))
    found = colours(band)
    assert found.max() == 100
    for row in range(300):
        members = found[band.indices[band.indptr[row] : band.indptr[row + 1]]]
        assert len(set(members.tolist())) == len(members)


def test_of_nothing():
    assert cr.compile(cr.jacobian(np.sin, sparse=True))(np.zeros(0)).shape == (0, 0)
    assert cr.jacobian(np.sin, sparse=True)(np.zeros(0)).shape == (0, 0)
    assert cr.jacobian(np.sin)(np.zeros(0)).shape == (0, 0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cr.jacobian(np.sin, mode="sideways"), "'auto', 'forward' or 'reverse'"),
        (lambda: cr.jacobian(np.sin, sparse="yes"), "'auto', True or False"),
        (lambda: cr.jacobian(np.argmax)(np.ones(3)), "no derivative"),
        (lambda: cr.jacobian(np.sin, argnums=2)(1.0), "argnums has 2"),
    ],
)
def test_mistakes_are_explained(call, words):
    with pytest.raises(DifferentiationError) as caught:
        call()
    assert words in str(caught.value)
