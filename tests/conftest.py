"""Settings and fixtures shared by all tests."""

import importlib.util
import os
import signal
from importlib.metadata import version

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Who starts the tests in the background of a shell has them, and what they start, ignore Ctrl-C.
# Some tests press it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Figures are drawn without a display, in this process and in those that tests start.
os.environ.setdefault("MPLBACKEND", "Agg")

# Where the core is not built, programs that tests start need not say that NumPy serves.
if importlib.util.find_spec("chainrule._native") is None:
    os.environ.setdefault("CHAINRULE_EXECUTOR", "numpy")

# Programs of JAX run once here, so that compiling them must be quick, not good: these switches of
# its compiler make it five times faster. Other versions may not know them, and would stop.
if importlib.util.find_spec("jax") and version("jaxlib") == "0.10.2":
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
        "--xla_cpu_use_fusion_emitters=false",
    )

# Examples are the same on every run, and a busy machine is not a failure.
settings.register_profile(
    "chainrule", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("chainrule")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of random numbers, the same for every test."""
    return np.random.default_rng(20130101)
