"""Covariances of coefficients against dense formulas."""

import numpy as np
import pytest
from scipy import sparse

from sklearnx._glm.design import make_design
from sklearnx._glm.inference import Information, square_scores


def make_data(n_rows=80, n_columns=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns)) + [0, 100, -5, 1e3][:n_columns]
    return X, rng.uniform(0.1, 2, size=n_rows)


def augment(X, fit_intercept):
    return np.hstack([X, np.ones((len(X), 1))]) if fit_intercept else X


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("strength", [0.0, 20.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_one_block(fit_intercept, strength, make):
    X, weights = make_data()
    penalty = np.full(4, strength)
    information = Information(
        make_design(make(X)), [[weights]], penalty, np.ones((1, 1)), fit_intercept
    )
    A = augment(X, fit_intercept)
    matrix = A.T @ (weights[:, None] * A)
    P = np.diag(np.append(penalty, [0.0] if fit_intercept else []))
    inverse = np.linalg.inv(matrix + P)
    expected = inverse @ matrix @ inverse
    actual = information.to_columns(information.sandwich(information.matrix))
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-9)
    hat = np.sqrt(weights)[:, None] * A
    H = hat @ inverse @ hat.T
    np.testing.assert_allclose(information.effective_df, np.trace(H))
    np.testing.assert_allclose(information.taken_df, np.trace(2 * H - H @ H.T))
    np.testing.assert_allclose(information.compute_leverages(weights), np.diag(H))
    scores = np.random.default_rng(1).normal(size=len(X))
    middle = information.assemble(square_scores([scores], np.ones(len(X))))
    np.testing.assert_allclose(
        information.to_columns(information.sandwich(middle)),
        inverse @ (A.T @ (scores[:, None] ** 2 * A)) @ inverse,
        rtol=1e-6,
        atol=1e-9,
    )
    gradient = np.append(np.arange(1.0, 5.0), 2.0 if fit_intercept else 0.0)
    short = gradient if fit_intercept else gradient[:-1]
    np.testing.assert_allclose(
        information.compute_decrement([gradient]), short @ inverse @ short, rtol=1e-6
    )


def test_two_blocks():
    X, weights = make_data(n_columns=3)
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(3), size=len(X))[:, 1:]
    curvatures = [
        [weights * shares[:, a] * ((a == b) - shares[:, b]) for b in range(2)]
        for a in range(2)
    ]
    information = Information(make_design(X), curvatures, np.zeros(3), np.eye(2), True)
    A = augment(X, True)
    blocks = [[A.T @ (w[:, None] * A) for w in row] for row in curvatures]
    expected = np.linalg.inv(np.block(blocks))
    np.testing.assert_allclose(
        information.to_columns(information.inverse), expected, rtol=1e-5, atol=1e-8
    )
    assert information.rank == 8


def test_leverages_in_blocks_of_rows(monkeypatch):
    X, weights = make_data()
    settings = (make_design(X), [[weights]], np.zeros(4), np.ones((1, 1)), True)
    whole = Information(*settings).compute_leverages(weights)
    monkeypatch.setattr("sklearnx._glm.inference.ROWS_PER_BLOCK", 32)
    np.testing.assert_allclose(Information(*settings).compute_leverages(weights), whole)


@pytest.mark.parametrize(
    "extra, aliased",
    [
        ("copy", [True, False, False, False, True, False]),
        ("constant", [False, False, False, False, True, True]),
        ("zero", [False, False, False, False, True, False]),
    ],
)
def test_aliased_coefficients(extra, aliased):
    X, weights = make_data()
    column = {"copy": 2 * X[:, 0], "constant": np.full(80, 7.0), "zero": np.zeros(80)}
    full = np.column_stack([X, column[extra]])
    settings = ([[weights]], np.ones((1, 1)), True)
    information = Information(
        make_design(full), settings[0], np.zeros(5), *settings[1:]
    )
    np.testing.assert_array_equal(information.is_aliased, aliased)
    assert information.rank == 5
    assert np.isfinite(information.inverse).all()
    part = Information(make_design(X), settings[0], np.zeros(4), *settings[1:])
    np.testing.assert_allclose(
        np.diag(information.inverse)[1:4], np.diag(part.inverse)[1:4], rtol=1e-6
    )
