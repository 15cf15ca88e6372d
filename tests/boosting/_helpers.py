"""Data for the kernel tests, as codes and as the kernels' arrays."""

import numpy as np

from sklearnx._cython.boosting.binning import count_codes, fill_rows, map_levels
from sklearnx._cython.boosting.matrix import BinnedMatrix
from sklearnx._cython.boosting.quantization import QuantizedGradients

N_THREADS = (1, 2, 3, 7)


def make_matrix(codes, n_bins, is_categorical=None):
    """Return a BinnedMatrix of codes (n_rows, n_features); n_bins means missing."""
    codes = np.asarray(codes)
    if is_categorical is None:
        is_categorical = np.zeros(len(n_bins), dtype=bool)
    matrix = BinnedMatrix(len(codes), n_bins, is_categorical)
    for feature, n in enumerate(n_bins):
        column = codes[:, feature].astype(np.int32)
        map_levels(matrix, np.where(column == n, -1, column).astype(np.int32), feature)
    fill_rows(matrix, count_codes(matrix, 1), 1)
    return matrix


def make_edges(n_bins):
    """Return upper edges b + 0.5 of bins b, in the order of a histogram."""
    edges = [np.append(np.arange(n - 1) + 0.5, [np.inf, np.inf]) for n in n_bins]
    return np.concatenate(edges)


def make_codes(rng, n_rows, n_bins, missing=0.1):
    """Return random codes of shape (n_rows, n_features), some of them missing."""
    columns = [rng.integers(0, n, size=n_rows) for n in n_bins]
    codes = np.stack(columns, axis=1)
    is_missing = rng.random(codes.shape) < missing
    return np.where(is_missing, np.asarray(n_bins), codes)


def make_quantized(gradients, hessians=None, weights=None, n_threads=1, **options):
    """Return QuantizedGradients."""
    quantized = QuantizedGradients(len(gradients), weights, **options)
    quantized.quantize(gradients, hessians, n_threads)
    return quantized


def read_histogram(histogram, matrix):
    """Return a histogram as the oracle has it: (n_bins + 1, 3) for each feature."""
    sums = histogram.view(np.int64).reshape(-1, 3)
    return np.split(sums, matrix.offsets[1:-1])
