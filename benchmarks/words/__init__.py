"""The contestants of benchmarks/embeddings.py, what they learn from, and the tables."""
