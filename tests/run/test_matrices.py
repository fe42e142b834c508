"""Systems of equations, factors, determinants and orders in the native core, small and large."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.run import native

if not native.available():
    pytest.skip("the native core is not built", allow_module_level=True)

from chainrule.run.native.blas import load_blas, load_lapack

RNG = np.random.default_rng(3)


def regular(*shape: int) -> np.ndarray:
    """Well conditioned, with determinants that are neither huge nor tiny, some of them negative."""
    a = np.eye(shape[-1]) + 0.5 * RNG.normal(size=shape) / np.sqrt(shape[-1])
    return a[..., RNG.permutation(shape[-1]), :]


def symmetric(a: Any) -> Any:
    return a @ np.swapaxes(a, -1, -2) + np.eye(a.shape[-1])


FUNCTIONS: dict[str, Any] = {
    "solve": lambda a, b: np.linalg.solve(a, b),
    "solve vector": lambda a, b: np.linalg.solve(a, b[..., :1])[..., 0],
    "inverse": lambda a, b: np.linalg.inv(a) @ b,
    "cholesky": lambda a, b: np.linalg.cholesky(symmetric(a)) @ b,
    "determinant": lambda a, b: np.linalg.det(a) + np.sum(b),
    "logarithm": lambda a, b: np.linalg.slogdet(a)[1] * np.linalg.slogdet(a.T)[0] + np.sum(b),
    "lower": lambda a, b: cr.functions.triangular_solve(a, b, lower=True),
    "upper": lambda a, b: cr.functions.triangular_solve(a, b, lower=False),
}


def compiled(function: Any, *arguments: Any) -> Any:
    f = cr.compile(function, executor="native")
    result = f(*arguments)
    assert not f._program(arguments, {})[1].plan.lowering.fallbacks
    return result


@pytest.mark.parametrize("rows", [1, 2, 5, 17, 47, 48, 100])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_equals_numpy(name: str, rows: int) -> None:
    function = FUNCTIONS[name]
    a, b = regular(rows, rows), RNG.normal(size=(rows, 3))
    if name in ("lower", "upper"):
        a = 0.5 * a / rows + 2 * np.eye(rows)

    def objective(a: Any, b: Any) -> Any:
        return np.sum(np.sin(function(a, b)))

    expected = cr.compile(function, executor="numpy")(a, b)
    np.testing.assert_allclose(compiled(function, a, b), expected, rtol=1e-8, atol=1e-9)
    gradient = cr.grad(objective, (0, 1))
    found = compiled(gradient, a, b)
    for x, y in zip(found, cr.compile(gradient, executor="numpy")(a, b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-7 * np.abs(y).max())


@pytest.mark.parametrize("rows", [3, 64])
def test_float32_and_stacks_of_views(rows: int) -> None:
    a = regular(2, 4, rows, rows).astype(np.float32)
    b = RNG.normal(size=(4, 2, rows)).astype(np.float32).transpose(0, 2, 1)

    def f(a: Any, b: Any) -> Any:
        turned = np.swapaxes(a, -1, -2)[:, ::-1]
        return np.linalg.solve(turned, b), np.linalg.slogdet(turned)[1], np.linalg.inv(turned)

    for x, y in zip(compiled(f, a, b), cr.compile(f, executor="numpy")(a, b), strict=True):
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, y, rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize("rows", [3, 60])
def test_matrices_that_have_none(rows: int) -> None:
    singular = np.zeros((rows, rows))
    b = np.ones((rows, 2))
    cases: dict[str, tuple[Any, str]] = {
        "solve": (lambda a, b: np.linalg.solve(a, b), "Singular matrix"),
        "inverse": (lambda a, b: np.linalg.inv(a) @ b, "Singular matrix"),
        "cholesky": (lambda a, b: np.linalg.cholesky(a - 1.0) @ b, "not positive definite"),
        "lower": (FUNCTIONS["lower"], "singular matrix"),
    }
    for function, words in cases.values():
        f = cr.compile(function, executor="native")
        with pytest.raises(np.linalg.LinAlgError, match=words):
            f(singular, b)
        good = np.eye(rows) * 2 + (1.0 if function is cases["cholesky"][0] else 0.0)
        assert np.isfinite(f(good, b)).all()  # The plan serves on.
    determinant = cr.compile(lambda a: np.linalg.slogdet(a), executor="native")
    sign, logarithm = determinant(singular)
    assert (sign, logarithm) == (0, -np.inf)
    assert cr.compile(lambda a: np.linalg.det(a), executor="native")(singular) == 0


def test_the_libraries_are_taken_after_a_look_at_their_signatures() -> None:
    import chainrule._native as _native

    assert load_blas() == load_lapack() == ""

    class Other(dict[str, Any]):
        def __missing__(self, key: str) -> Any:
            from scipy.linalg import cython_lapack

            return cython_lapack.__pyx_capi__["dgesv"]

    for load in (_native.load_blas, _native.load_lapack):
        with pytest.raises((ValueError, KeyError), match=r"signature|gemm|getrf"):
            load(Other(sgemm=Other()["x"], sgetrf=Other()["x"]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32, np.bool_])
@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 33, 100, 1000])
def test_orders_are_stable(length: int, dtype: Any) -> None:
    x = RNG.integers(-5, 5, (4, length)).astype(dtype)
    if dtype in (np.float32, np.float64):
        x[0, ::3] = np.nan
        x[1, ::2] = -np.inf
        x[2, ::2] = -0.0

    def f(x: Any) -> Any:
        return np.argsort(x, axis=1, kind="stable"), np.argsort(x.T, axis=0, kind="stable")

    found = compiled(f, x)
    expected = np.argsort(x, axis=1, kind="stable")
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], expected.T)
