"""The kernel of stochastic gradient descent against a naive one."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearnx._cython.linear.sgd import LEARNING_RATES, LOSSES
from sklearnx._glm.sgd import Descent, make_options, read_table

CLASSIFICATION = ["hinge", "perceptron", "squared_hinge", "log_loss", "modified_huber"]
REGRESSION = [
    "squared_error",
    "huber",
    "epsilon_insensitive",
    "squared_epsilon_insensitive",
]
EPSILON = 0.2
PENALTIES = ["l2", "l1", "elasticnet", None]


def compute_loss(loss, y, p):
    error = p - y
    if loss == "hinge":
        return max(0.0, 1 - y * p)
    if loss == "perceptron":
        return max(0.0, -y * p)
    if loss == "squared_hinge":
        return max(0.0, 1 - y * p) ** 2
    if loss == "log_loss":
        return np.logaddexp(0, -y * p)
    if loss == "modified_huber":
        return max(0.0, 1 - y * p) ** 2 if y * p >= -1 else -4 * y * p
    if loss == "squared_error":
        return error**2 / 2
    if loss == "huber":
        small = abs(error) <= EPSILON
        return error**2 / 2 if small else EPSILON * (abs(error) - EPSILON / 2)
    rest = max(0.0, abs(error) - EPSILON)
    return rest if loss == "epsilon_insensitive" else rest**2


def compute_slope(loss, y, p):
    error = p - y
    if loss in ("hinge", "perceptron"):
        return -y if y * p <= (loss == "hinge") else 0.0
    if loss == "squared_hinge":
        return -2 * y * max(0.0, 1 - y * p)
    if loss == "log_loss":
        return -y / (1 + np.exp(y * p))
    if loss == "modified_huber":
        return -2 * y * max(0.0, 1 - y * p) if y * p >= -1 else -4 * y
    if loss == "squared_error":
        return error
    if loss == "huber":
        return np.clip(error, -EPSILON, EPSILON)
    if loss == "epsilon_insensitive":
        return np.sign(error) * (abs(error) > EPSILON)
    return 2 * np.sign(error) * max(0.0, abs(error) - EPSILON)


def compute_rate(options, t):
    name = {code: name for name, code in LEARNING_RATES.items()}[options.learning_rate]
    if name == "optimal":
        first = options.alpha**-0.25
        return 1 / (options.alpha * (1 / (first * options.alpha) + t - 1))
    if name == "invscaling":
        return options.eta0 / t**options.power_t
    return options.eta0


class NaiveDescent:
    """One output, one row after the other, no tricks but the cumulative penalty."""

    def __init__(self, loss, options, n_columns):
        self.loss, self.options = loss, options
        self.w, self.b = np.zeros(n_columns), 0.0
        self.all_w, self.all_b = [], []
        self.objectives = []
        self.had = np.zeros(n_columns)
        self.owed = 0.0
        self.t = options.first_t
        self.rate_factor = 1.0

    def run_epoch(self, X, y, weights, only_nonzeros):
        options = self.options
        terms = []
        for x, target, weight in zip(X, y, weights, strict=True):
            p = x @ self.w + self.b
            rate = compute_rate(options, self.t) * self.rate_factor
            loss = compute_loss(self.loss, target, p)
            penalty = options.l2 / 2 * self.w @ self.w + options.l1 * abs(self.w).sum()
            step = -rate * compute_slope(self.loss, target, p)
            if options.learning_rate >= LEARNING_RATES["pa1"]:
                penalty = 0.0
                squares = x @ x
                if options.learning_rate == LEARNING_RATES["pa1"]:
                    step = min(options.eta0, loss / squares) if squares else 0.0
                else:
                    step = loss / (squares + 0.5 / options.eta0)
                is_hinge = options.loss == LOSSES["hinge"]
                step *= target if is_hinge else np.sign(target - p)
            terms.append(loss + penalty)
            self.w = self.w * max(0.0, 1 - options.l2 * rate)
            self.w = self.w + step * weight * x
            if options.fit_intercept:
                self.b += step * weight * options.intercept_decay
            self.owed += options.l1 * rate
            self.pay(x != 0 if only_nonzeros else np.ones(len(x), dtype=bool))
            if 0 < options.average <= self.t:
                self.all_w.append(self.w)
                self.all_b.append(self.b)
            self.t += 1
        self.objectives.append(np.mean(terms))

    def pay(self, mask):
        before = self.w
        after = np.where(
            before > 0,
            np.maximum(0, before - (self.owed + self.had)),
            np.minimum(0, before + (self.owed - self.had)),
        )
        after = np.where((before == 0) | ~mask, before, after)
        self.had = self.had + (after - before)
        self.w = after


def draw(n_rows=60, n_columns=19, density=0.6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns)) * (
        rng.random((n_rows, n_columns)) < density
    )
    X[3] = 0
    z = X @ rng.normal(size=n_columns) / 2 + rng.normal(size=n_rows) / 2
    return X, z, rng.uniform(0.2, 2, size=n_rows)


def options_of(loss="hinge", **changes):
    defaults = {
        "loss": loss,
        "epsilon": EPSILON,
        "penalty": "l2",
        "alpha": 0.02,
        "l1_ratio": 0.4,
        "learning_rate": "constant",
        "eta0": 0.03,
        "power_t": 0.3,
        "fit_intercept": True,
        "intercept_decay": 1.0,
        "average": 0,
        "shuffle": False,
        "seed": 0,
        "first_t": 1.0,
        "max_iter": 4,
        "tol": None,
        "n_iter_no_change": 5,
        "verbose": False,
    }
    return make_options(**{**defaults, **changes})


def run(X, targets, options, weights=None, n_classes=0, held_back=None, **kwargs):
    n_outputs = max(n_classes, 1)
    classes = None
    if n_classes:
        codes = [1] if n_classes == 1 else np.arange(n_classes)
        classes = np.column_stack([codes, np.ones((n_outputs, 2))])
    descent = Descent(np.zeros((n_outputs, X.shape[1])), np.zeros(n_outputs))
    if options.average:
        descent.average_coef = np.zeros_like(descent.coef)
        descent.average_intercept = np.zeros(n_outputs)
    descent.run(X, targets, weights, held_back, options, classes, **kwargs)
    return descent


def assert_same(descent, naive, output=0, rtol=1e-9):
    scale = abs(naive.w).max()
    assert_allclose(descent.coef[output], naive.w, rtol=rtol, atol=rtol * scale)
    assert_allclose(descent.intercept[output], naive.b, rtol=rtol, atol=rtol)
    if naive.all_w:
        average = np.mean(naive.all_w, axis=0)
        assert_allclose(descent.average_coef[output], average, rtol=rtol, atol=rtol)
        assert_allclose(
            descent.average_intercept[output],
            np.mean(naive.all_b),
            rtol=rtol,
            atol=rtol,
        )


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", CLASSIFICATION + REGRESSION)
def test_fast_equals_naive(loss, penalty, is_sparse):
    X, z, weights = draw()
    is_classifier = loss in CLASSIFICATION
    targets = (z > 0).astype(float) if is_classifier else z
    y = 2 * targets - 1 if is_classifier else z
    decay = 0.01 if is_sparse else 1.0
    for average in (0, 70):
        options = options_of(
            loss, penalty=penalty, average=average, intercept_decay=decay
        )
        naive = NaiveDescent(loss, options, X.shape[1])
        for _ in range(options.max_iter):
            naive.run_epoch(X, y, weights, is_sparse)
        naive.pay(np.ones(X.shape[1], dtype=bool))
        table = sparse.csr_array(X) if is_sparse else X
        descent = run(table, targets, options, weights, int(is_classifier))
        assert_same(descent, naive)
        assert descent.n_iter == options.max_iter


@pytest.mark.parametrize("learning_rate", ["optimal", "invscaling", "adaptive"])
@pytest.mark.parametrize("loss", ["log_loss", "huber"])
def test_learning_rates(loss, learning_rate):
    X, z, weights = draw()
    is_classifier = loss in CLASSIFICATION
    targets = (z > 0).astype(float) if is_classifier else z
    y = 2 * targets - 1 if is_classifier else z
    options = options_of(loss, learning_rate=learning_rate)
    naive = NaiveDescent(loss, options, X.shape[1])
    for _ in range(options.max_iter):
        naive.run_epoch(X, y, weights, False)
    assert_same(run(X, targets, options, weights, int(is_classifier)), naive)


@pytest.mark.parametrize("learning_rate", ["pa1", "pa2"])
@pytest.mark.parametrize("loss", ["hinge", "epsilon_insensitive"])
def test_passive_aggressive_rates(loss, learning_rate):
    X, z, weights = draw()
    is_classifier = loss == "hinge"
    targets = (z > 0).astype(float) if is_classifier else z
    y = 2 * targets - 1 if is_classifier else z
    options = options_of(loss, learning_rate=learning_rate, penalty=None, eta0=0.1)
    naive = NaiveDescent(loss, options, X.shape[1])
    for _ in range(options.max_iter):
        naive.run_epoch(X, y, weights, False)
    assert_same(run(X, targets, options, weights, int(is_classifier)), naive)


@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("is_sparse", [False, True])
def test_stops_when_the_objective_does_not_improve(is_sparse, penalty, learning_rate):
    X, z, weights = draw()
    targets = (z > 0).astype(float)
    options = options_of(
        "log_loss",
        penalty=penalty,
        learning_rate=learning_rate,
        tol=1e-3,
        n_iter_no_change=2,
        max_iter=500,
    )
    naive = NaiveDescent("log_loss", options, X.shape[1])
    best, n_no_improvement = np.inf, 0
    while True:
        naive.run_epoch(X, 2 * targets - 1, weights, is_sparse)
        objective = naive.objectives[-1]
        n_no_improvement = n_no_improvement + 1 if objective > best - 1e-3 else 0
        best = min(best, objective)
        if n_no_improvement == 2:
            if learning_rate == "constant" or options.eta0 * naive.rate_factor <= 1e-6:
                break
            naive.rate_factor /= 5
            n_no_improvement = 0
    naive.pay(np.ones(X.shape[1], dtype=bool))
    table = sparse.csr_array(X) if is_sparse else X
    descent = run(table, targets, options, weights, 1)
    assert descent.n_iter == len(naive.objectives) < 500
    assert descent.has_converged
    assert_same(descent, naive)


@pytest.mark.parametrize("loss", ["hinge", "log_loss"])
@pytest.mark.parametrize("penalty", ["l2", "elasticnet"])
def test_scale_is_put_into_the_weights(loss, penalty):
    # Each row shrinks the weights to a fifth or nothing at all.
    X, z, weights = draw()
    targets = (z > 0).astype(float)
    for alpha in (8.0, 20.0):
        options = options_of(
            loss, penalty=penalty, alpha=alpha, l1_ratio=0.05, eta0=0.1, average=5
        )
        naive = NaiveDescent(loss, options, X.shape[1])
        for _ in range(options.max_iter):
            naive.run_epoch(X, 2 * targets - 1, weights, False)
        assert_same(run(X, targets, options, weights, 1), naive)


@pytest.mark.parametrize("n_classes", [2, 3, 5, 8, 9, 20])
@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_lanes_equal_single_outputs(n_classes, is_sparse, penalty):
    X, z, weights = draw(n_rows=150)
    codes = np.digitize(z, np.quantile(z, np.arange(1, n_classes) / n_classes))
    options = options_of(
        "log_loss", penalty=penalty, average=10, tol=2e-3, max_iter=200,
        n_iter_no_change=2, shuffle=True,
    )  # fmt: skip
    table = sparse.csr_array(X) if is_sparse else X
    together = run(table, codes, options, weights, n_classes)
    n_iter = []
    for k in range(n_classes):
        alone = run(table, codes == k, options, weights, 1)
        n_iter.append(alone.n_iter)
        assert_allclose(together.coef[k], alone.coef[0], rtol=1e-9, atol=1e-12)
        assert_allclose(together.intercept[k], alone.intercept[0], rtol=1e-9)
        assert_allclose(
            together.average_coef[k], alone.average_coef[0], rtol=1e-9, atol=1e-12
        )
    assert together.n_iter == max(n_iter)
    if n_classes > 4:
        assert len(set(n_iter)) > 1  # lanes were dropped on the way


def test_bits_do_not_depend_on_threads():
    X, z, _ = draw(n_rows=400, n_columns=60)
    codes = np.digitize(z, np.quantile(z, np.arange(1, 30) / 30))
    options = options_of("log_loss", shuffle=True, penalty="elasticnet")
    fits = [run(X, codes, options, n_classes=30, n_threads=n) for n in (1, 2, 3)]
    for fit in fits[1:]:
        assert_array_equal(fit.coef, fits[0].coef)
        assert_array_equal(fit.intercept, fits[0].intercept)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tables_of_any_layout(dtype):
    X, z, weights = draw(n_columns=37)
    X = X.astype(dtype)
    options = options_of("huber", shuffle=True)
    expected = run(X.astype(np.float64), z, options, weights)
    wide = np.zeros((len(X), 50), dtype=dtype)
    wide[:, 5:42] = X
    tables = [
        X,
        np.asfortranarray(X),
        wide[:, 5:42],
        np.repeat(X, 2, axis=0)[::2],
        X[::-1].copy()[::-1],
    ]
    for table in tables:
        # The sums are of double, whatever the table.
        assert_array_equal(run(table, z, options, weights).coef, expected.coef)
    for table in tables[2:]:
        assert read_table(table)[0] is table


def test_sparse_tables_of_any_layout():
    X, z, weights = draw()
    options = options_of("huber", shuffle=True)
    table = sparse.csr_array(X)
    expected = run(table, z, options, weights)
    long = table.copy()
    long.indices = long.indices.astype(np.int64)
    long.indptr = long.indptr.astype(np.int64)
    twice = sparse.coo_array(
        (
            np.concatenate([table.data / 4, table.data * 3 / 4]),
            (np.tile(table.tocoo().row, 2), np.tile(table.tocoo().col, 2)),
        ),
        shape=X.shape,
    )
    rows = np.argsort(twice.row, kind="stable")
    doubled = sparse.csr_array(
        (twice.data[rows], twice.col[rows], 2 * table.indptr), shape=X.shape
    )
    for other in (long, doubled, table.astype(np.float64)):
        n_values = other.nnz
        fit = run(other, z, options, weights)
        assert_allclose(fit.coef, expected.coef, rtol=1e-12)
        assert other.nnz == n_values
    empty = sparse.csr_array(X.shape)
    assert_array_equal(run(empty, z, options).coef, 0)


def test_rows_held_back_are_scored_and_not_learned_from():
    X, z, weights = draw(n_rows=200)
    mask = np.random.default_rng(1).random(200) < 0.3
    targets = (z > 0).astype(float)
    options = options_of("hinge", max_iter=7)
    reports = []
    loud = dataclasses.replace(options, verbose=True)
    fit = run(X, targets, loud, weights, 1, mask, report=lambda r: reports.append(r))
    apart = run(X[~mask], targets[~mask], options, weights[~mask], 1)
    assert_array_equal(fit.coef, apart.coef)
    reports = [report for report in reports if report is not None]
    assert [report["epoch"] for report in reports] == list(range(1, 8))
    is_right = (X[mask] @ fit.coef[0] + fit.intercept[0] > 0) == targets[mask]
    expected = np.average(is_right, weights=weights[mask])
    assert_allclose(reports[-1]["score"], expected)
    assert_allclose(reports[-1]["norm"], np.linalg.norm(fit.coef))

    reports.clear()
    options = options_of("squared_error", max_iter=2, verbose=True)
    fit = run(X, z, options, weights, 0, mask, report=lambda r: reports.append(r))
    residuals = z[mask] - X[mask] @ fit.coef[0] - fit.intercept[0]
    mean = np.average(z[mask], weights=weights[mask])
    expected = 1 - (weights[mask] @ residuals**2) / (
        weights[mask] @ (z[mask] - mean) ** 2
    )
    assert_allclose(reports[-1]["score"], expected)


def test_what_the_listener_raises_ends_the_work():
    X, z, _ = draw()

    def interrupt(report):
        if report is not None and report["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(X, z, options_of("huber", verbose=True), report=interrupt)


def test_order_of_rows_is_that_of_the_update():
    # Two epochs are an epoch, and one from where that ended.
    X, z, _ = draw()
    options = options_of("huber", shuffle=True, max_iter=2, average=1)
    both = run(X, z, options)
    first = run(X, z, dataclasses.replace(options, max_iter=1))
    halfway = first.coef.copy()
    first.run(
        X, z, None, None,
        dataclasses.replace(options, max_iter=1, first_t=1.0 + len(X)),
    )  # fmt: skip
    assert_allclose(first.coef, both.coef, rtol=1e-12)
    assert_allclose(first.average_coef, both.average_coef, rtol=1e-12)
    in_order = run(X, z, dataclasses.replace(options, max_iter=1, shuffle=False))
    other_seed = run(X, z, dataclasses.replace(options, max_iter=1, seed=1))
    assert abs(halfway - in_order.coef).max() > 1e-6
    assert abs(halfway - other_seed.coef).max() > 1e-6


def test_every_row_is_met_once_in_an_epoch():
    n_rows = 37
    X = np.eye(n_rows)
    options = options_of(
        "squared_error", penalty=None, fit_intercept=False, shuffle=True, max_iter=1
    )
    fit = run(X, np.arange(1.0, n_rows + 1), options)
    assert_allclose(fit.coef[0], 0.03 * np.arange(1, n_rows + 1))


def test_rows_are_in_random_places():
    # The first step of averaging weighs a row by how early it came.
    n_rows, n_seeds = 6, 3000
    firsts = np.zeros(n_rows)
    X = np.eye(n_rows)
    for seed in range(n_seeds):
        options = options_of(
            "squared_error", penalty=None, fit_intercept=False, shuffle=True,
            max_iter=1, average=1, seed=seed,
        )  # fmt: skip
        fit = run(X, np.ones(n_rows), options)
        firsts[fit.average_coef.argmax()] += 1
    # Five standard deviations of a binomial share.
    share = 1 / n_rows
    bound = 5 * np.sqrt(n_seeds * share * (1 - share))
    assert abs(firsts - n_seeds * share).max() < bound


def test_overflow_names_the_epoch():
    X, z, _ = draw()
    options = options_of("squared_error", eta0=1e3, max_iter=1000)
    with pytest.raises(ValueError, match=r"under-/overflow occurred at epoch #\d+\. "):
        run(X * 1e300, z, options)
