"""Symbolic derivatives: their text, their values, expression swell, and SymPy as the oracle."""

from __future__ import annotations

import builtins
import time
from itertools import pairwise

import numpy as np
import pytest

import chainrule as cr
from chainrule import functions as F
from chainrule.api.symbolic import Expression, from_sympy, symbolic
from chainrule.diff.symbolic import derivative
from chainrule.errors import ChainruleError, DifferentiationError, GraphError, TraceError
from chainrule.graph.statement import input_statement

DERIVATIVES = [
    (lambda x: x**3, "3*x**2"),
    (lambda x: x * x * x, "3*x**2"),
    (lambda x: 7.0 + 0 * x, "0"),
    (lambda x: 2 * x + 1, "2"),
    (lambda x: 0.5 * x**2 + 0.1 * x, "x + 0.1"),
    (lambda x: 1 / x, "-1/x**2"),
    (lambda x: x**-2, "-2/x**3"),
    (lambda x: np.sqrt(x), "1/(2*sqrt(x))"),
    (lambda x: x**0.5, "1/(2*sqrt(x))"),
    (lambda x: x ** (1 / 3), "1/(3*x**(2/3))"),
    (lambda x: np.cbrt(x), "1/(3*cbrt(x)**2)"),
    (lambda x: np.sqrt(1 - x**2), "-x/sqrt(1 - x**2)"),
    (lambda x: x**x, "x**x + x**x*ln(x)"),
    (lambda x: 2**x, "2**x*ln(2)"),
    (lambda x: np.exp2(x), "exp2(x)*ln(2)"),
    (lambda x: np.exp(x), "exp(x)"),
    (lambda x: np.exp(-x), "-exp(-x)"),
    (lambda x: np.exp(-(x**2)), "-2*x*exp(-x**2)"),
    (lambda x: np.expm1(x), "expm1(x) + 1"),
    (lambda x: np.log(x), "1/x"),
    (lambda x: np.log2(x), "1/(x*ln(2))"),
    (lambda x: np.log1p(x), "1/(1 + x)"),
    (lambda x: np.log(np.sin(x)), "cos(x)/sin(x)"),
    (lambda x: x * np.log(x), "ln(x) + 1"),
    (lambda x: np.sin(x), "cos(x)"),
    (lambda x: np.cos(x), "-sin(x)"),
    (lambda x: np.tan(x), "1 + tan(x)**2"),
    (lambda x: x * np.sin(x), "sin(x) + x*cos(x)"),
    (lambda x: np.sin(2 * np.pi * x), "2*pi*cos(2*pi*x)"),
    (lambda x: np.sin(x) ** 2 + np.cos(x) ** 2, "0"),
    (lambda x: np.sin(np.cos(x)), "-sin(x)*cos(cos(x))"),
    (lambda x: np.arcsin(x), "1/sqrt(1 - x**2)"),
    (lambda x: np.arccos(x), "-1/sqrt(1 - x**2)"),
    (lambda x: np.arctan(x), "1/(1 + x**2)"),
    (lambda x: np.sinh(x) * np.cosh(x), "cosh(x)**2 + sinh(x)**2"),
    (lambda x: np.tanh(x), "1 - tanh(x)**2"),
    (lambda x: F.sigmoid(x), "sigmoid(x)*(1 - sigmoid(x))"),
    (lambda x: 1 / (1 + np.exp(-x)), "exp(-x)/(1 + exp(-x))**2"),
    (lambda x: F.softplus(x), "sigmoid(x)"),
    (lambda x: F.erf(x), "2*exp(-x**2)/sqrt(pi)"),
    (lambda x: F.gelu(x), "(1 + erf(x/sqrt(2)))/2 + x*exp(-x**2/2)/sqrt(2*pi)"),
    (lambda x: (x**2 + 1) / (x - 1), "2*x/(x - 1) - (x**2 + 1)/(x - 1)**2"),
    (lambda x: (x + 1) ** 5, "5*(x + 1)**4"),
    (lambda x: 4 * x * (1 - x), "4 - 8*x"),
    # Piecewise functions stay piecewise.
    (lambda x: np.abs(x), "sign(x)"),
    (lambda x: F.relu(x), "where(x > 0, 1, 0)"),
    (lambda x: np.where(x > 0, x**2, -x), "where(x > 0, 2*x, -1)"),
    (lambda x: np.maximum(x, 0), "where(x > 0, 1, where(x == 0, 0.5, 0))"),
    (lambda x: np.clip(x, 0, 1), "where(x >= 0 and x <= 1, 1, 0)"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "expected"), DERIVATIVES)
def test_derivatives_read_as_a_person_would_write_them(function, expected: str) -> None:
    assert str(symbolic(function).diff()) == expected


@pytest.mark.parametrize("argument", [
    lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2),
    "ln(x1) + x1*x2 - sin(x2)",
])  # fmt: skip
def test_the_textbook_example(argument) -> None:
    f = symbolic(argument)
    assert str(f) == "ln(x1) + x1*x2 - sin(x2)"
    assert {name: str(part) for name, part in f.gradient().items()} == {
        "x1": "1/x1 + x2",
        "x2": "x1 - cos(x2)",
    }
    assert f.variables == ("x1", "x2")
    assert f.diff("x1").latex() == r"\frac{1}{x_{1}} + x_{2}"
    assert f.diff(1).latex() == r"x_{1} - \cos x_{2}"
    assert f._repr_latex_() == r"$\displaystyle \ln x_{1} + x_{1} x_{2} - \sin x_{2}$"
    np.testing.assert_allclose(f(2, 5), 11.652071455223084, rtol=1e-15)
    np.testing.assert_allclose(f.diff("x1").evaluate(x2=5, x1=2), 5.5)
    np.testing.assert_allclose(f.diff("x2")(2, 5), 2 - np.cos(5))
    assert str(f.diff("x1").diff("x2")) == "1"
    assert str(f.diff("x2").diff("x2").diff("x2")) == "cos(x2)"


def test_partial_derivatives_of_functions_of_several_variables() -> None:
    cases = {
        "x^n": ("n*x**(n - 1)", "x**n*ln(x)"),
        "x^2*y": ("2*x*y", "x**2"),
        "x/y": ("1/y", "-x/y**2"),
        "hypot(x, y)": ("x/hypot(x, y)", "y/hypot(x, y)"),
        "atan2(x, y)": ("y/(x**2 + y**2)", "-x/(x**2 + y**2)"),
    }
    for formula, expected in cases.items():
        f = symbolic(formula)
        names = sorted(f.variables, key="xny".index)
        assert tuple(str(f.diff(name)) for name in names) == expected


def test_values_agree_with_reverse_mode(rng: np.random.Generator) -> None:
    for function, _ in DERIVATIVES:
        slope = symbolic(function).diff()
        for x in rng.uniform(0.05, 0.9, 3):
            np.testing.assert_allclose(slope(x), cr.grad(function)(x), rtol=1e-10)


def test_second_derivatives_agree_with_reverse_mode(rng: np.random.Generator) -> None:
    for function, _ in DERIVATIVES:
        curvature = symbolic(function).diff().diff()
        x = rng.uniform(0.05, 0.9)
        expected = cr.grad(cr.grad(function))(x)
        np.testing.assert_allclose(curvature(x), expected, rtol=1e-8, atol=1e-10)


def test_default_arguments_are_not_variables() -> None:
    f = symbolic(lambda x, slope=3.0: slope * x)
    assert f.variables == ("x",)
    assert str(f) == "3*x"


def test_a_function_may_contain_a_derivative() -> None:
    assert str(symbolic(lambda x: cr.grad(lambda y: y**3 * x)(x))) == "3*x**3"


# ----- expression swell ---------------------------------------------------------------------------


def logistic(n: int):
    def iterate(x):
        for _ in range(n - 1):
            x = 4 * x * (1 - x)
        return x

    return iterate


def test_the_tree_of_the_logistic_map_swells_and_its_graph_does_not() -> None:
    trees, graphs = [], []
    for n in (10, 20, 30, 40):
        slope = symbolic(logistic(n)).diff()
        trees.append(slope.tree_size)
        graphs.append(slope.graph_size)
    assert trees[-1] > 10**12
    assert all(later > 500 * earlier for earlier, later in pairwise(trees))
    steps = np.diff(graphs)
    assert steps.max() <= 1.2 * steps.min()  # Linear in n.
    assert graphs[-1] < 1500


def test_large_derivatives_are_quick_and_still_print_and_evaluate() -> None:
    start = time.perf_counter()
    f = symbolic(logistic(60))
    slope = f.diff()
    assert slope.tree_size > 10**16
    text, latex = str(slope), slope.latex()
    assert time.perf_counter() - start < 5
    assert len(text.splitlines()) < 3000
    assert text.splitlines()[0].startswith("v0 = ")
    assert latex.startswith(r"\begin{aligned}")
    assert f"{slope.tree_size} nodes" in repr(slope)
    # The orbit of the map is sin^2(2^k theta), so its derivative is known.
    few, x = symbolic(logistic(8)).diff(), 0.3
    theta = np.arcsin(np.sqrt(x))
    angle = 2.0**7 * theta
    expected = 2.0**7 * np.sin(2 * angle) / np.sin(2 * theta)
    np.testing.assert_allclose(few(x), expected, rtol=1e-9)


def test_a_nested_product_swells_too() -> None:
    def nested(x):
        y = x
        for _ in range(40):
            y = y * np.sin(y)
        return y

    slope = symbolic(nested).diff()
    assert slope.tree_size > 10**9
    assert slope.graph_size < 600


# ----- errors -------------------------------------------------------------------------------------


def branching(x):
    return x if x > 0 else -x


ERRORS = [
    (lambda: symbolic("x*y").diff(), DifferentiationError, "2 variables"),
    (lambda: symbolic("x*y").diff("z"), DifferentiationError, "no variable 'z'.*: x, y"),
    (lambda: symbolic("x*y").diff(2), DifferentiationError, "no variable 2"),
    (lambda: symbolic("x*y")(1.0), TraceError, "1 values were given for 2"),
    (lambda: symbolic("x*y").evaluate(x=1, z=2), TraceError, "'y' has no value; .* 'z'"),
    (lambda: symbolic("x*"), ChainruleError, "ends"),
    (lambda: symbolic(3.0), TraceError, "a function or a formula in text, not float"),
    (lambda: symbolic(lambda *xs: xs[0]), TraceError, "wrap"),
    (lambda: symbolic(lambda x: np.stack([x, x])), DifferentiationError, r"shape \(2,\)"),
    (lambda: symbolic(lambda x: None), TraceError, "returned None"),
    (lambda: symbolic(branching), TraceError, "branch"),
]


@pytest.mark.parametrize(("action", "error", "message"), ERRORS)
def test_errors_say_what_to_do(action, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        action()


def test_the_derivative_of_what_does_not_vary_is_zero() -> None:
    x, y = input_statement((), float), input_statement((), float)
    assert derivative(y * 2.0, x).value == 0


# ----- SymPy --------------------------------------------------------------------------------------

ORACLE = [
    "x**3", "x*y", "x/y", "1/(x*y)", "x**y", "x**x", "(x + y)**3", "(x - y)/(x + y)", "sqrt(x)",
    "sqrt(x + y**2)", "1/sqrt(x)", "x**1.5", "exp(x*y)", "exp(-x^2/2)", "exp(x)/(1 + exp(x))",
    "ln(x)", "ln(x*y)", "ln(1 + exp(x))", "x*ln(x) - x", "sin(x)", "cos(x*y)", "tan(x)",
    "sin(x)*cos(y)", "sin(x)^2", "sin(cos(tan(x)))", "asin(x)", "acos(x)", "atan(x*y)",
    "atan2(x, y)", "sinh(x)", "cosh(x)/x", "tanh(x*y)", "asinh(x)", "acosh(1 + x)", "atanh(x)",
    "erf(x)", "abs(x - y)", "max(x, y)*x", "min(x^2, y)", "2^x", "pi*x^2 + e*x", "x^2*y^3/(x + y)",
    "(1 + x)*(1 + y)*(x + y)", "ln(x1) + x1*x2 - sin(x2)", "sigmoid(x*y)", "softplus(x)", "gelu(x)",
]  # fmt: skip


def sympy_names(sympy, variables) -> dict:
    """What our text calls differently from SymPy."""
    functions = {
        "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan, "arcsinh": sympy.asinh,
        "arccosh": sympy.acosh, "arctanh": sympy.atanh, "arctan2": sympy.atan2,
        "maximum": sympy.Max, "minimum": sympy.Min,
        "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
        "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
        "gelu": lambda x: x * (1 + sympy.erf(x / sympy.sqrt(2))) / 2,
        "where": lambda c, a, b: sympy.Piecewise((a, c), (b, True)),
    }  # fmt: skip
    return functions | {name: sympy.Symbol(name, real=True) for name in variables}


def readable(text: str) -> str:
    """SymPy reads == as a comparison of objects; ours compares numbers."""
    return (
        text.replace("x == y", "Eq(x, y)")
        .replace("y == x**2", "Eq(y, x**2)")
        .replace("x**2 == y", "Eq(x**2, y)")
    )


@pytest.mark.parametrize("formula", ORACLE)
def test_sympy_finds_the_same_derivatives(formula: str, rng: np.random.Generator) -> None:
    sympy = pytest.importorskip("sympy")
    f = symbolic(formula)
    names = sympy_names(sympy, f.variables)
    symbols = [names[name] for name in f.variables]
    theirs = f.to_sympy()
    point = rng.uniform(0.15, 0.85, len(symbols))
    at = dict(zip(symbols, map(float, point), strict=True))
    for position, symbol in enumerate(symbols):
        ours, expected = f.diff(position), theirs.diff(symbol)
        again = sympy.parse_expr(readable(str(ours)), local_dict=names)
        value = float(expected.subs(at).evalf(20))
        found = [ours(*point), again.subs(at).evalf(20), ours.to_sympy().subs(at).evalf(20)]
        np.testing.assert_allclose(np.array(found, float), value, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("formula", ORACLE)
def test_expressions_survive_the_way_to_sympy_and_back(formula: str) -> None:
    pytest.importorskip("sympy")
    f = symbolic(formula)
    back = from_sympy(f.to_sympy())
    point = {name: 0.3 + 0.2 * i for i, name in enumerate(sorted(f.variables))}
    np.testing.assert_allclose(back.evaluate(**point), f.evaluate(**point), rtol=1e-12)


def test_text_and_sympy_are_equal_as_expressions() -> None:
    sympy = pytest.importorskip("sympy")
    for formula in ("x**3 - x/3", "exp(-x^2/2)*sin(y)", "(x + y)^2/(x - y)", "ln(x)*sqrt(y)"):
        f = symbolic(formula)
        names = sympy_names(sympy, f.variables)
        assert sympy.simplify(sympy.parse_expr(str(f), local_dict=names) - f.to_sympy()) == 0


def test_piecewise_functions_convert_both_ways() -> None:
    sympy = pytest.importorskip("sympy")
    f = symbolic(lambda x: np.where(x > 0, x**2, -x))
    x = sympy.Symbol("x", real=True)
    assert f.to_sympy() == sympy.Piecewise((x**2, x > 0), (-x, True))
    assert str(Expression.from_sympy(f.to_sympy())) == "where(x > 0, x**2, -x)"
    three = sympy.Piecewise((1, x < -1), (x, sympy.And(x >= -1, x < 1)), (x**2, True))
    back = from_sympy(three)
    assert [float(back(value)) for value in (-2, 0.5, 3)] == [1, 0.5, 9]
    partly = from_sympy(sympy.Piecewise((x, x > 0)))
    assert partly(2.0) == 2
    assert np.isnan(partly(-2.0))


def test_conversion_errors() -> None:
    sympy = pytest.importorskip("sympy")
    x = sympy.Symbol("x")
    with pytest.raises(GraphError, match="gamma"):
        from_sympy(sympy.gamma(x))
    with pytest.raises(GraphError, match="imaginary unit"):
        from_sympy(x + sympy.I)
    with pytest.raises(GraphError, match="stop_gradient"):
        symbolic(lambda x: F.stop_gradient(x) * x).to_sympy()


def test_without_sympy_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_sympy(name, *args, **options):
        if name == "sympy":
            raise ImportError(name)
        return real_import(name, *args, **options)

    f = symbolic("x^2")
    monkeypatch.setattr(builtins, "__import__", without_sympy)
    with pytest.raises(ImportError, match="pip install sympy"):
        f.to_sympy()
    with pytest.raises(ImportError, match="pip install sympy"):
        from_sympy(1)
