"""What is said when code cannot be traced: the line, the reason, and what to write instead."""

from __future__ import annotations

import difflib
import re
from typing import Any

import numpy as np

from chainrule.graph.origin import current_origin
from chainrule.tracing.supported import FUNCTIONS, UFUNCS


def _at() -> str:
    return f"\n  at {current_origin()}"


def _source() -> str:
    origin = current_origin()
    return origin.source if origin else ""


def in_place(symbol: str) -> str:
    """An update of an array that traced values must not be written into."""
    if symbol == "[...] =":
        advice = (
            "build the array from its parts with np.stack or np.concatenate, or choose between "
            "values with np.where"
        )
    else:
        advice = f"write x = x {symbol[:-1]} ... instead of x {symbol} ..."
    return (
        f"a traced array cannot be changed in place ({symbol}): earlier uses of it need the old "
        f"values for the backward pass; {advice}{_at()}"
    )


def out_argument(name: str) -> str:
    """``out=`` or an in-place operator on an ordinary array with a traced operand."""
    return (
        f"{name} was asked to write a traced result into an existing array (out= or an in-place "
        "operator), which would lose its derivative; use the returned value: "
        f"result = result + ... instead of result += ...{_at()}"
    )


def conversion(kind: str) -> str:
    """float(x), math.sin(x), np.array([x, y]), a[0] = x: all ask a traced value for a number."""
    source = _source()
    math_call = re.search(r"\bmath\.(\w+)\(", source)
    if math_call and kind in ("float", "int"):
        name = math_call.group(1)
        numpy_name = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "fabs": "abs",
                      "atan2": "arctan2", "pow": "power"}.get(name, name)  # fmt: skip
        home = "np" if hasattr(np, numpy_name) else "chainrule.functions"
        advice = f"use {home}.{numpy_name} instead of math.{name}"
    elif re.search(r"\bnp\.(array|asarray|full|full_like|fromiter)\(", source):
        advice = (
            "use np.stack([...]) or np.concatenate to join traced values (np.full: x * np.ones)"
        )
    elif re.search(r"\][^=<>!]*=[^=]", source):
        advice = (
            "an assignment into an ordinary array cannot carry a derivative: use np.stack, "
            "np.concatenate or np.where"
        )
    else:
        advice = (
            "keep it an array (np.float64 arithmetic works as it is), or take the constant on "
            "purpose with chainrule.functions.stop_gradient(x).value"
        )
    return f"converting a traced value to {kind} would lose its derivative; {advice}{_at()}"


def staged_branch(purpose: str) -> str:
    """``if x > 0`` where x has no value yet."""
    return (
        f"{purpose} depends on a traced value that is not known while the function is compiled; "
        "use np.where(condition, a, b) to choose between values, cr.scan for a loop, or call the "
        f"function without cr.compile{_at()}"
    )


def unsupported(name: str, options: dict[str, Any] | None = None) -> str:
    """A NumPy function, or an option of one, that has no rule."""
    given = (
        f" with {', '.join(f'{key}={value!r}' for key, value in options.items())}"
        if options
        else ""
    )
    near = ""
    if not options:
        known = [getattr(function, "__name__", "") for function in (*FUNCTIONS, *UFUNCS)]
        matches = difflib.get_close_matches(name.removeprefix("np."), known, 3)
        near = (
            f" (supported and similar: {', '.join('np.' + m for m in matches)})" if matches else ""
        )
    return (
        f"{name}{given} has no derivative rule in chainrule{near}; rewrite it in supported "
        f"functions, or give your own rule with cr.custom{_at()}"
    )


def not_differentiable(value: Any, path: str) -> str:
    """An argument that has integers, text or objects where real numbers are needed."""
    place = f"argument {path}" if path else "the argument"
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "iub":
        return (
            f"{place} is an array of {value.dtype}, which cannot be differentiated; convert it "
            f"with .astype(float), or leave it out of argnums{_at()}"
        )
    kind = (
        f"an array of {value.dtype}"
        if isinstance(value, np.ndarray)
        else f"{type(value).__name__} {value!r:.60}"
    )
    return (
        f"{place} is {kind}; derivatives are taken with respect to real numbers and arrays of "
        f"them, nested in tuples, lists, dicts or modules{_at()}"
    )
