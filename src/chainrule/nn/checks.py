"""What is said when layers, data and parameters do not fit one another.

Each message names the module's path, the parameter, both shapes and the likely fix, in the words
of the person who wrote the network.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, ShapeError
from chainrule.graph.origin import current_origin, current_path
from chainrule.nn.calling import source_of
from chainrule.tracing.parameter import Parameter
from chainrule.tracing.traced import Traced


class InputError(ChainruleError, TypeError):
    """Data of a kind that a network cannot compute with: text, objects, complex numbers."""


def place_of(module: Any, name: str = "") -> str:
    """``layers[1].weight``, or ``Dense.weight`` where the module was called on its own."""
    path = current_path() or type(module).__name__
    return f"{path}.{name}" if name else path


def at_line() -> str:
    """The user's line as the last line of a message."""
    origin = current_origin()
    return f"\n  at {origin.file}:{origin.line}: {origin.source}" if origin else ""


def real_input(module: Any, x: Any, dtype: Any) -> Any:
    """``x`` as an array of real numbers; integers and booleans take ``dtype``.

    Raises:
        InputError: for text, objects, dates and complex numbers.
    """
    if isinstance(x, Parameter):
        x = x.value
    if not isinstance(x, Traced | np.ndarray | np.generic):
        if isinstance(x, list | tuple) and any(isinstance(item, Traced) for item in x):
            x = np.stack(x)
        else:
            try:
                x = np.asarray(x)
            except ValueError:
                raise InputError(
                    f"{place_of(module)} was given rows of different lengths; every example needs "
                    f"the same number of features{at_line()}"
                ) from None
    kind = x.dtype.kind
    if kind == "f":
        return x
    if kind in "iub":
        return x.astype(dtype)
    reason = {"O": "Python objects", "U": "text", "S": "bytes", "M": "dates", "m": "durations",
              "c": "complex numbers"}.get(kind, str(x.dtype))  # fmt: skip
    advice = {
        "O": "convert it with x.astype(np.float32) after replacing what is missing or not a number",
        "c": "use its real part, x.real, or stack x.real and x.imag as two features",
    }.get(kind, "turn it into numbers first (one column per category, days since a date)")
    raise InputError(
        f"{place_of(module)} was given an array of {reason} (dtype {x.dtype}), but it computes "
        f"with real numbers; {advice}{at_line()}"
    )


def check_features(module: Any, x: Any, inputs: int, parameter: str, fix: str) -> None:
    """Check that the last axis of ``x`` has ``inputs`` entries.

    Args:
        module: whose call this is.
        x: the input.
        inputs: the number of features that the parameter was made for.
        parameter: the attribute whose shape asks for it.
        fix: how to make the module for n features, with ``{n}`` in the place of the number.

    Raises:
        ShapeError: naming both shapes and the likely fix.
    """
    if x.ndim and x.shape[-1] == inputs:
        return
    shape = tuple(getattr(module, parameter).shape)
    start = f"{place_of(module, parameter)} has shape {shape}"
    if x.ndim == 0:
        raise ShapeError(
            f"{start}, but the input is a single number; give an array of shape "
            f"(examples, {inputs}){at_line()}"
        )
    features = x.shape[-1]
    source = source_of(x)
    if source:
        hint = (
            f"did you mean {fix.format(n=features)}? The layer before, {source}, gives {features} "
            "features"
        )
    elif x.ndim == 1 and inputs == 1:
        hint = (
            f"its one axis was taken as {features} features of a single example: for {features} "
            "examples with one feature each, give x[:, np.newaxis]"
        )
    elif x.ndim == 1:
        hint = (
            "its one axis was taken as the features of a single example, and a batch has shape "
            f"(examples, {inputs}); for one example give {inputs} features"
        )
    elif x.ndim == 2 and x.shape[0] == inputs:
        hint = "examples are rows and features columns: give x.T"
    elif x.ndim > 2 and int(np.prod(x.shape[1:])) == inputs:
        hint = f"flatten each example first: x.reshape(len(x), {inputs})"
    else:
        hint = (
            f"did you mean {fix.format(n=features)}? Otherwise give data with {inputs} "
            f"feature{'s' * (inputs != 1)} a row"
        )
    raise ShapeError(
        f"{start}, but the input has {features} feature{'s' * (features != 1)} (shape "
        f"{tuple(x.shape)}): {hint}{at_line()}"
    )


def check_parameters(module: Any) -> None:
    """Check that a module's own parameters have the shapes that its settings ask for.

    Raises:
        ShapeError: naming the parameter that was replaced by an array of another shape.
    """
    for name, expected in module.expected_shapes().items():
        if not isinstance(getattr(module, name), Parameter):
            kind = type(getattr(module, name)).__name__
            raise InputError(
                f"{place_of(module, name)} is a plain {kind}, which "
                f"training would not change; write {name} = nn.Parameter(...){at_line()}"
            )
        shape = np.shape(getattr(module, name))
        if shape != expected:
            hint = ""
            if shape[::-1] == expected:
                hint = f"; give the transpose, {name}.T"
            elif int(np.prod(shape)) == int(np.prod(expected)):
                hint = f"; reshape it to {expected}"
            raise ShapeError(
                f"{place_of(module, name)} has shape {shape}, but {module.description()} needs "
                f"{expected}{hint or '; was it replaced by the parameter of another layer?'}"
                f"{at_line()}"
            )


def seed_of(value: Any) -> int:
    """``value`` as the seed of random numbers: a whole number from 0 to 2^63 - 1.

    Raises:
        InputError: for anything else.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not 0 <= value < 1 << 63:
        raise InputError(
            f"a seed is a whole number of at least 0 and below 2**63, not {value!r}{at_line()}"
        )
    return int(value)


def positive_whole(value: Any, what: str) -> int:
    """``value`` as an int of at least 1.

    Raises:
        ShapeError: naming ``what``.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ShapeError(f"{what} must be a whole number of at least 1, not {value!r}{at_line()}")
    return int(value)
