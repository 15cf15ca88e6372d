"""Metrics of scikit-learn that kernels of our own compute faster."""

from sklearnx.metrics._silhouette import silhouette_samples, silhouette_score

__all__ = ["silhouette_samples", "silhouette_score"]
