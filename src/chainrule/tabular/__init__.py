"""Tables in, tensors out: reading, columns, preprocessing, targets, splits, baselines, metrics.

Nothing here loads pyarrow, scikit-learn or rich until a function that needs it is called.
"""
