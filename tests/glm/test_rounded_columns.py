"""Rounded columns: a sieve whose error is bounded, so that solutions stay the same."""

import numpy as np
import pytest

from sklearnx._glm import paths
from sklearnx._glm.design import make_design
from sklearnx._glm.path_cv import solve_folds
from sklearnx._glm.rounded_columns import RoundedColumns, round_wide
from sklearnx._glm.tracks import Settings


def make_rows(n_rows, n_outputs, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_rows, n_outputs)) * 10.0 ** rng.integers(
        -8, 8, n_outputs
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_outputs", [1, 16, 17, 40])
def test_products_are_within_the_bound(dtype, order, n_outputs):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((301, 77)) * 10.0 ** rng.integers(-5, 5, 77) + 100.0
    X = X.astype(dtype, order=order)
    rows = make_rows(301, n_outputs)
    centre = X.mean(axis=0, dtype=np.float64)
    wide = X.astype(np.float64)
    norms = np.linalg.norm(wide - centre, axis=0)
    results = []
    for n_threads in (1, 2, 3):
        rounded = RoundedColumns(make_design(X, n_threads), centre)
        np.testing.assert_allclose(rounded.norms, norms, rtol=1e-12)
        products, errors = rounded.t_dot(rows)
        results.append(products)
        np.testing.assert_array_equal(products, results[0])
    exact = (wide - centre).T @ rows + np.outer(centre, rows.sum(axis=0))
    slack = 1e-12 * np.abs(wide).T @ np.abs(rows)
    assert (np.abs(products - exact) <= np.outer(norms, errors) + slack).all()
    # The bound is of use, and so is what it bounds.
    assert (errors < 1e-5 * np.linalg.norm(rows, axis=0)).all()
    assert (np.abs(products - exact) > slack).any()


def test_only_wide_tables_of_ordinary_numbers_are_rounded():
    X = np.random.default_rng(0).standard_normal((10, 30))
    assert round_wide(make_design(X), None) is not None
    assert round_wide(make_design(X.T), None) is None
    assert round_wide(make_design(1e20 * X), None) is None
    assert round_wide(make_design(1e-20 * X), None) is None
    X[:, 3] = 0.0
    assert round_wide(make_design(X), None) is not None
    X[:, 3] = 0.1
    mean = X.mean(axis=0)
    mean[3] *= 1.0 + np.finfo(np.float64).eps
    rounded = round_wide(make_design(X), mean)
    assert rounded.norms[3] == 0.0
    assert not rounded.as_table().design.X[:, 3].any()


def test_rounded_columns_as_a_table():
    """Its own products are those of its sieve, but for the error of the sieve."""
    X = np.random.default_rng(0).standard_normal((10, 30)) + 5.0
    rounded = RoundedColumns(make_design(X), X.mean(axis=0))
    own = rounded.as_table()
    assert own.design.dtype == np.float32
    np.testing.assert_allclose(own.design.X, X - X.mean(axis=0), rtol=1e-6)
    rows = make_rows(10, 3)
    products, errors = own.t_dot(rows)
    exact = own.design.t_dot(rows)
    assert (np.abs(products - exact) <= np.outer(own.norms, errors)).all()
    assert np.shares_memory(own.design.X, rounded.as_table().design.X)


@pytest.mark.parametrize("tol", [1e-4, 1e-6, 1e-10])
@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_folds_are_those_without_rounding(tol, n_targets, fit_intercept):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 400)) + 3.0 * fit_intercept
    Y = X[:, :n_targets] * 2.0 + X[:, 5:6] + 0.1 * rng.standard_normal((60, n_targets))
    folds = [
        (np.delete(np.arange(60), test), test) for test in np.split(np.arange(60), 3)
    ]
    alphas = 2.0 ** -np.arange(12)
    settings = Settings(tol, 10_000, np.ones(400), n_threads=2, sharpness=1.0)
    design = make_design(X, 2)
    centre = X.mean(axis=0) if fit_intercept else None
    solved = [
        solve_folds(
            design, Y, None, fit_intercept, folds, alphas, 1.0, settings, rounded
        )
        for rounded in (None, round_wide(design, centre))
    ]
    for track in solved[1].tracks:
        for step in track.steps:
            assert step.has_converged
    rtol = {1e-4: 1e-2, 1e-6: 1e-4, 1e-10: 1e-6}[tol]
    np.testing.assert_allclose(solved[1].errors, solved[0].errors, rtol=rtol)


def test_folds_whose_sets_become_too_large(monkeypatch):
    """They are left to sweeps over all columns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 400))
    Y = X[:, :1] + X[:, 5:6] + 0.1 * rng.standard_normal((60, 1))
    folds = [
        (np.delete(np.arange(60), test), test) for test in np.split(np.arange(60), 3)
    ]
    alphas = 2.0 ** -np.arange(10)
    settings = Settings(1e-6, 10_000, np.ones(400), n_threads=2, sharpness=1.0)
    design = make_design(X, 2)
    errors = []
    for max_set in (paths.MAX_SET, 64):
        monkeypatch.setattr(paths, "MAX_SET", max_set)
        rounded = round_wide(design, X.mean(axis=0))
        solved = solve_folds(
            design, Y, None, True, folds, alphas, 0.2, settings, rounded
        )
        errors.append(solved.errors)
    np.testing.assert_allclose(errors[1], errors[0], rtol=1e-3)
