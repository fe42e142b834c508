"""The errors that chainrule raises on purpose: each says what was wrong, where, and what to do."""

from __future__ import annotations


class ChainruleError(Exception):
    """Base of every error that is about the user's input and not about a fault of chainrule."""


class ShapeError(ChainruleError, ValueError):
    """Shapes of operands that do not fit one another."""


class TraceError(ChainruleError, TypeError):
    """Code that would silently lose a derivative, or that tracing cannot follow."""


class DifferentiationError(ChainruleError, ValueError):
    """A derivative that does not exist or was asked for wrongly."""


class GraphError(ChainruleError, ValueError):
    """A graph that is not well formed."""


class NonFiniteError(ChainruleError, ArithmeticError):
    """A value or derivative became NaN or infinite."""


class ExecutorWarning(UserWarning):
    """The executor that serves is not the one that would be fastest here."""


def one_line(error: Exception) -> str:
    """An error as a command prints it: one of the system names its file first.

    >>> one_line(FileNotFoundError(2, "No such file or directory", "a.txt"))
    'a.txt: No such file or directory'
    """
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)
