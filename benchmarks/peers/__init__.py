"""The contestants of benchmarks/networks.py, a module each, and the work that they all do."""
