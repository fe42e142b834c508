"""The public functions of differentiation: thin layers over tracing, diff and show."""
