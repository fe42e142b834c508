"""Who takes part in benchmarks/networks.py."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

OURS, ONE_THREAD, PRODUCTS = "chainrule", "chainrule, one thread", "OpenBLAS products"


@dataclass(frozen=True)
class Entry:
    """A contestant: how tables call it, the worker, the package to import, the distribution."""

    name: str
    module: str
    package: str
    distribution: str

    @property
    def installed(self) -> bool:
        """Whether it can be run here."""
        return importlib.util.find_spec(self.package) is not None


ROSTER = [
    Entry(OURS, "peers.chainrule", "chainrule", "chainrule"),
    Entry("JAX", "peers.jax", "jax", "jax"),
    Entry("PyTorch", "peers.pytorch", "torch", "torch"),
    Entry("scikit-learn", "peers.sklearn", "sklearn", "scikit-learn"),
    Entry("NumPy by hand", "peers.numpy", "numpy", "numpy"),
    Entry(PRODUCTS, "peers.products", "numpy", "numpy"),
]
PEERS = [entry.name for entry in ROSTER if entry.name not in (OURS, PRODUCTS)]
