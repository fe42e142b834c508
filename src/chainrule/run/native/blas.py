"""SciPy's BLAS for the core's large products: its functions, and its threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import chainrule._native as _native


@cache
def load_blas() -> str:
    """Give the core SciPy's BLAS; returns why that failed, or nothing."""
    try:
        from scipy.linalg import cython_blas

        _native.load_blas(cython_blas.__pyx_capi__)
    except (ImportError, AttributeError, KeyError, ValueError) as error:
        return str(error)
    return ""


@cache
def load_lapack() -> str:
    """Give the core SciPy's LAPACK, for large matrices; returns why that failed, or nothing."""
    try:
        from scipy.linalg import cython_lapack

        _native.load_lapack(cython_lapack.__pyx_capi__)
    except (ImportError, AttributeError, KeyError, ValueError) as error:
        return str(error)
    return ""


_limiting = threading.Lock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """SciPy's BLAS on one thread within the block, since the core's own threads call it.

    The setting is the process's, and is restored by the thread that made it: a block that is
    entered while another thread is in one changes nothing.
    """
    if not _limiting.acquire(blocking=False):
        yield
        return
    try:
        with _scipys_pools().limit(limits=1):
            yield
    finally:
        _limiting.release()


@cache
def _scipys_pools() -> Any:
    """Those of SciPy's own BLAS; of every BLAS where SciPy shares one with others."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    libraries = ThreadpoolController().select(user_api="blas")
    paths = [each["filepath"] for each in libraries.info()]
    # NumPy's copy has the name of SciPy's build of OpenBLAS, but lies elsewhere.
    own = [path for path in paths if "scipy" in os.path.dirname(path)]
    return libraries.select(filepath=own) if own else libraries
