"""Settings and fixtures shared by all tests."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Figures are drawn without a display, in this process and in those that tests start.
os.environ.setdefault("MPLBACKEND", "Agg")

# Examples are the same on every run, and a busy machine is not a failure.
settings.register_profile(
    "chainrule", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("chainrule")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of random numbers, the same for every test."""
    return np.random.default_rng(20130101)
