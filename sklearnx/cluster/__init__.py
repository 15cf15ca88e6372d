"""Clustering, with scikit-learn's names, exact algorithms and kernels of our own."""

__all__: list[str] = []
