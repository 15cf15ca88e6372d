"""Mixture models, with scikit-learn's names and kernels of our own."""

from sklearnx.mixture._gaussian_mixture import GaussianMixture

__all__ = ["GaussianMixture"]
