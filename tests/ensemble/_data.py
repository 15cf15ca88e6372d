"""Data that the tests of the estimators share."""

import numpy as np
from threadpoolctl import threadpool_limits


def make_regression_data(n_samples=600, n_features=4, random_state=0):
    """Columns of noise, the first three of which make the target."""
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples, n_features))
    y = compute_signal(X) + 0.3 * rng.normal(size=n_samples)
    return X, y


def make_classification_data(n_samples=600, n_classes=2, random_state=0):
    """The same columns, with the target cut into classes of about equal size."""
    X, y = make_regression_data(n_samples, random_state=random_state)
    edges = np.quantile(y, np.arange(1, n_classes) / n_classes)
    return X, np.digitize(y, edges)


def compute_signal(X):
    return np.sin(2 * X[:, 0]) + X[:, 1] * (X[:, 2] > 0)


def fit_alone(estimator, X, y, **fit_params):
    """Fit one of scikit-learn's on one thread: more would spin where cores are busy."""
    with threadpool_limits(1):
        return estimator.fit(X, y, **fit_params)


def assert_same_bits(one, other):
    """Check that two arrays agree to the last bit."""
    one, other = np.asarray(one), np.asarray(other)
    assert one.dtype == other.dtype and one.shape == other.shape
    assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
