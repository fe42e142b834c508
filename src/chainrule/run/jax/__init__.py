"""The JAX executor: a graph becomes one function of ``jax.numpy`` and ``jax.lax``.

It is the way to GPUs and TPUs. Only public functions of JAX are called, under ``jax.jit``: no
jaxprs are built, and the settings that are needed (float64) hold for a block of one thread and
leave the user's alone.

Values agree with the NumPy executor to rounding, with three exceptions: numbers below the smallest
normal one count as 0 (XLA flushes them); numbers that do not fit the integer they are converted to
become another integer than NumPy's, which depends on the machine as well; and errors that need
values, such as an index out of bounds, are raised when the whole program has run.

``emission`` walks over a graph and calls a rule for each statement; the rules lie in
``elementwise``, ``arrays`` and ``nonlinear``, random numbers in ``random``; ``host`` is what NumPy
does instead. ``plan`` runs a graph once, ``loop`` runs a training step many times on the device.
"""

from __future__ import annotations

from functools import cache


@cache
def why_not() -> str:
    """Why JAX cannot be used here; empty where it can. Imports it, which takes a second or so."""
    try:
        import jax
    except ModuleNotFoundError:
        return "JAX is not installed; it comes with: pip install 'chainrule[jax]'"
    except ImportError as error:
        return f"JAX does not load: {error}"
    if not hasattr(jax, "enable_x64"):
        return (
            f"JAX {jax.__version__} is too old, 0.8 is needed: pip install --upgrade "
            "'chainrule[jax]'"
        )
    return ""
