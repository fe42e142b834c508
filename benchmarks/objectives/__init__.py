"""GradBench's objectives as plain NumPy code, one a file; see problem.py for what a file gives."""
