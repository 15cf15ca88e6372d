"""Mixture models, with scikit-learn's names and kernels of our own."""

__all__: list[str] = []
