"""The language of formulas: what it means, and what is said about text that is not in it."""

import math
import string

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import chainrule as cr
from chainrule import functions
from chainrule.errors import ChainruleError
from chainrule.tracing.formula import Formula, FormulaError, parse

# ----- meaning -----


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2*3", 7),
        ("2*3 + 1", 7),
        ("8 - 3 - 2", 3),
        ("8/4/2", 1),
        ("2^3^2", 512),
        ("2**3**2", 512),
        ("2^-1", 0.5),
        ("2^-1*4", 2),
        ("-2^2", -4),
        ("(-2)^2", 4),
        ("-2^-2", -0.25),
        ("--2", 2),
        ("-+-2", 2),
        ("3 - -2", 5),
        ("2*-3", -6),
        ("-2*3 + 1", -5),
        ("1e-3", 0.001),
        ("2.5E+2 + .5 + 1.", 251.5),
        ("pi", math.pi),
        ("2*π*e", 2 * math.pi * math.e),
        ("ln(e^2)", 2),
        ("log(8)/log2(8) - ln(2)", 0),
        ("log10(1000)", 3),
        ("min(3, 1, 2) + max(1, 5)", 6),
        ("atan2(1, 1)*4", math.pi),
        ("asin(1) + arcsin(1)", math.pi),
        ("tanh(atanh(0.5)) + sinh(arcsinh(2))", 2.5),
        ("sqrt(abs(-16)) + cbrt(27) + sign(-2)", 6),
        ("pow(2, 10)", 1024),
        ("2 · 3 − 4 × 0.5", 4),
        ("relu(-1) + relu(2)", 2),
        ("clip(5, 0, 1) + floor(2.7) + hypot(3, 4)", 8),
        ("  1 +\n2\t", 3),
    ],
)
def test_value(text: str, expected: float) -> None:
    value = parse(text)()
    assert type(value) is float
    assert value == pytest.approx(expected, rel=1e-14, abs=1e-15)


@pytest.mark.parametrize(
    "name", ["erf", "sigmoid", "softplus", "gelu", "silu", "elu", "leaky_relu"]
)
@pytest.mark.parametrize("x", [-1.5, 0.0, 2.0])
def test_functions_are_those_of_the_table(name: str, x: float) -> None:
    assert parse(f"{name}(x)")(x) == getattr(functions, name)(x)


def test_log_is_natural() -> None:
    assert parse("log(x)")(10.0) == parse("ln(x)")(10.0) == math.log(10)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x2*x1 + x10", ("x1", "x2", "x10")),
        ("b - a", ("b", "a")),
        ("y2 + x + y1*x", ("y1", "y2", "x")),
        ("theta*θ_1 + e + pi", ("theta", "θ_1")),
        ("3", ()),
    ],
)
def test_names(text: str, names: tuple[str, ...]) -> None:
    assert parse(text).names == names


def test_called_by_position_and_by_name_with_numbers_arrays_and_traced_values() -> None:
    formula = parse("ln(x1) + x1*x2 - sin(x2)")
    expected = math.log(2) + 10 - math.sin(5)
    assert formula(2, 5) == formula(2.0, x2=5) == formula(x2=5, x1=2) == pytest.approx(expected)
    values = formula(np.array([2.0, 1.0]), np.array([5, 5]))
    assert values == pytest.approx([expected, 5 - math.sin(5)])
    assert cr.grad(formula, argnums=(0, 1))(2.0, 5.0) == pytest.approx((5.5, 2 - math.cos(5)))


def test_numbers_take_the_dtype_of_what_they_meet() -> None:
    assert parse("2*pi*x + 1")(np.float32(1)).dtype == np.float32


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("ln(x)", -1, math.nan),
        ("1/x", 0, math.inf),
        ("1/0", None, math.inf),
        ("x^0.5", -1, math.nan),
    ],
)
def test_outside_of_the_domain_is_a_value_and_no_exception(
    text: str, x: float | None, expected: float
) -> None:
    value = parse(text)() if x is None else parse(text)(x)
    assert value == pytest.approx(expected, nan_ok=True)


def test_depth_is_not_limited() -> None:
    depth = 50_000
    assert parse("(" * depth + "x" + ")" * depth)(3) == 3
    assert parse("-" * depth + "x")(3) == 3
    assert parse("x^" * depth + "1")(1) == 1
    assert parse("+".join(["x"] * depth))(1) == depth


def test_prints_as_it_was_written() -> None:
    formula = parse("x + 1")
    assert str(formula) == "x + 1" and repr(formula) == "Formula('x + 1')"
    assert isinstance(formula, Formula)


# ----- complaints -----


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 0, "the formula is empty"),
        ("   ", 0, "the formula is empty"),
        ("2x", 1, "write 2*x"),
        ("1e5x", 3, "write 1e5*x"),
        ("x1 x2", 3, "write x1*x2"),
        ("2(x + 1)", 1, "write 2*("),
        ("(x)(y)", 3, "write )*("),
        ("1 + 2 3", 6, "an operator is missing between two numbers"),
        ("1.2.3", 3, "an operator is missing between two numbers"),
        ("1 +", 3, "ends where a value is expected after '+'"),
        ("1 + * 2", 4, "'*' stands where a value is expected after '+'"),
        ("(1 + 2", 0, "this parenthesis is not closed"),
        ("sin((x)", 3, "this parenthesis is not closed"),
        ("1 + 2)", 5, "this parenthesis was never opened"),
        (")", 0, "')' stands where a value is expected"),
        ("()", 1, "the parentheses are empty"),
        ("sin()", 4, "sin has no argument"),
        ("sin x", 0, "write sin(x)"),
        ("x + sin", 4, "write sin(...)"),
        ("sinn(x)", 0, "there is no function 'sinn'; did you mean 'sin'?"),
        ("1 + sqr(x)", 4, "did you mean 'sqrt'?"),
        ("x(x + 1)", 0, "there is no function 'x'; to multiply, write x*(...)"),
        ("min(x)", 0, "min takes 2 arguments, and 1 was given"),
        ("sin(x, y)", 0, "sin takes 1 argument, and 2 were given"),
        ("max(x,,y)", 6, "',' stands where a value is expected"),
        ("1,5", 1, "a decimal number is written 1.5"),
        ("(x, y)", 2, "a comma can only separate the arguments of a function"),
        ("y = 2", 2, "leave out what stands before the equals sign"),
        ("x²", 1, "write x^2"),
        ("|x|", 0, "write abs(x)"),
        ("x[0]", 1, "use round parentheses"),
        ("x; y", 1, "the character ';' has no meaning"),
        ("__import__('os')", 11, 'the character "\'" has no meaning'),
        ("1e999", 0, "the number 1e999 is too large"),
    ],
)
def test_error_shows_where(text: str, column: int, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert isinstance(caught.value, ChainruleError)
    complaint, shown, caret = str(caught.value).split("\n")
    assert message in complaint
    assert shown == f"  {text}"
    assert caret == " " * (column + 2) + "^"
    assert (caught.value.formula, caught.value.column) == (text, column)


def test_caret_in_a_long_formula_stands_under_its_character() -> None:
    text = "x + " * 1000 + "?" + " + x" * 1000
    with pytest.raises(FormulaError) as caught:
        parse(text)
    _, shown, caret = str(caught.value).split("\n")
    assert len(shown) < 110 and shown[caret.index("^")] == "?"


@pytest.mark.parametrize(
    ("args", "named", "message"),
    [
        ((1,), {}, "'slope' has no value"),
        ((1, 2, 3), {}, "3 values were given, and the formula has 2 variables (x1, slope)"),
        ((1,), {"x1": 2}, "'x1' was given two values"),
        ((1, 2), {"slop": 2}, "no variable 'slop'; did you mean 'slope'?"),
    ],
)
def test_wrong_values(args: tuple[float, ...], named: dict[str, float], message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse("x1 + slope")(*args, **named)
    assert message in str(caught.value)


# ----- any text at all -----

leaves = st.one_of(
    st.floats(0, 100, allow_subnormal=False).map(lambda number: (repr(number), number)),
    st.sampled_from([("x", 0.7), ("y", -1.3), ("pi", math.pi)]),
)


def grown(children: st.SearchStrategy) -> st.SearchStrategy:
    """Trees as pairs (text with all parentheses, value by NumPy)."""
    binary = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "^": np.power}
    unary = {"sin": np.sin, "exp": np.exp, "ln": np.log, "abs": np.abs, "-": np.negative}

    def infix(symbol: str, a: tuple[str, float], b: tuple[str, float]) -> tuple[str, float]:
        with np.errstate(all="ignore"):
            return f"({a[0]}) {symbol} ({b[0]})", binary[symbol](a[1], b[1])

    def call(name: str, a: tuple[str, float]) -> tuple[str, float]:
        with np.errstate(all="ignore"):
            return f"{name}({a[0]})", unary[name](a[1])

    return st.one_of(
        st.builds(infix, st.sampled_from(list(binary)), children, children),
        st.builds(call, st.sampled_from(list(unary)), children),
        st.builds(
            lambda a, b: (f"max({a[0]}, {b[0]})", np.maximum(a[1], b[1])), children, children
        ),
    )


@given(st.recursive(leaves, grown, max_leaves=20))
@settings(max_examples=300)
def test_random_trees_evaluate_as_numpy_does(tree: tuple[str, float]) -> None:
    text, expected = tree
    formula = parse(text)
    value = formula(**{name: {"x": 0.7, "y": -1.3}[name] for name in formula.names})
    assert np.array_equal(value, expected, equal_nan=True)


@given(
    st.lists(st.tuples(st.sampled_from(["", "-"]), st.integers(1, 9)), min_size=1, max_size=8),
    st.lists(st.sampled_from(["+", "-", "*", "/", "**"]), min_size=8, max_size=8),
)
@settings(max_examples=300)
def test_precedence_is_that_of_python(numbers: list[tuple[str, int]], operators: list[str]) -> None:
    text = numbers[0][0] + f"{numbers[0][1]}."
    for operator, (sign, number) in zip(operators, numbers[1:], strict=False):
        text += f" {operator} {sign}{number}."
    try:
        expected = eval(text)  # noqa: S307  (the oracle, on digits and operators alone)
    except (OverflowError, ZeroDivisionError):
        return
    if not isinstance(expected, complex):
        assert parse(text)() == pytest.approx(expected, rel=1e-9, abs=1e-300)


words = st.one_of(
    st.sampled_from([*"+-*/^(),.=²|", "**", "sin", "max", "x", "e", "pi", "2", "1e", "1e-3", " "]),
    st.text(max_size=3),
    st.text(string.printable, max_size=3),
)


@given(st.lists(words, max_size=12).map("".join))
@settings(max_examples=500)
def test_garbage_raises_nothing_but_a_formula_error(text: str) -> None:
    try:
        formula = parse(text)
    except FormulaError as error:
        assert 0 <= error.column <= len(text)
    else:
        formula(*[1.5] * len(formula.names))
