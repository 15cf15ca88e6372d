"""Paths in lockstep: the same solutions as one at a time, at any size and storage."""

import numpy as np
import pytest
from scipy import sparse

from sklearnx._glm import column_descent, paths, set_descent
from sklearnx._glm.design import make_design
from sklearnx._glm.duality import compute_gap
from sklearnx._glm.path_cv import solve_folds
from sklearnx._glm.paths import PathSolver
from sklearnx._glm.samples import make_samples
from sklearnx._glm.set_descent import SweepDescent
from sklearnx._glm.tracks import Settings, Track, make_penalties, spread


def make_data(n_rows=60, n_columns=400, n_targets=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_columns)) + 0.5 * rng.standard_normal(
        (n_rows, 1)
    )
    coef = np.zeros((n_columns, n_targets))
    coef[:8] = rng.standard_normal((8, n_targets))
    return X, X @ coef + 0.3 * rng.standard_normal((n_rows, n_targets)) + 4.0


def make_alphas(sample, n=12, end=0.02):
    top = np.linalg.norm(sample.xty, axis=1).max() / sample.total
    return np.geomspace(top, end * top, n)


def solve(X, Y, alphas, l1_ratio=1.0, tol=1e-9, n_threads=1, **settings):
    design = make_design(X, n_threads)
    sample = make_samples(design, Y, [None])[0]
    track = Track(sample, make_penalties(alphas, l1_ratio, sample.total))
    settings = {"factors": np.ones(design.n_columns), **settings}
    PathSolver(
        design, [track], Settings(tol, 100_000, n_threads=n_threads, **settings)
    ).solve()
    coefs = [spread(track, i, design.n_columns) for i in range(len(alphas))]
    return np.array(coefs), track


def objective(X, Y, coef, alpha, l1_ratio):
    residual = Y - Y.mean(axis=0) - (X - X.mean(axis=0)) @ coef.T
    norms = np.sqrt((coef**2).sum(axis=0))
    return (
        (residual**2).sum() / (2 * len(X))
        + alpha * l1_ratio * norms.sum()
        + 0.5 * alpha * (1 - l1_ratio) * (norms**2).sum()
    )


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_path_equals_single_fits_and_gaps_are_true(n_targets, l1_ratio):
    X, Y = make_data(n_targets=n_targets)
    design = make_design(X)
    alphas = make_alphas(make_samples(design, Y, [None])[0])
    coefs, track = solve(X, Y, alphas, l1_ratio)
    for i, alpha in enumerate(alphas):
        single, _ = solve(X, Y, [alpha], l1_ratio)
        np.testing.assert_allclose(coefs[i], single[0], atol=2e-4)
        best = min(
            objective(X, Y, coef, alpha, l1_ratio) for coef in (coefs[i], single[0])
        )
        value = objective(X, Y, coefs[i], alpha, l1_ratio)
        assert value - best <= 1e-9 * value
        assert value - best <= track.steps[i].gap / len(X) + 1e-13
        assert track.steps[i].has_converged
        assert track.steps[i].gap <= 1e-9 * track.sample.y_norm2


@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("tol", [1e-4, 1e-10])
def test_whole_sets_columns_and_storage_agree(n_targets, tol, monkeypatch):
    X, Y = make_data(n_columns=300, n_targets=n_targets)
    X[np.abs(X) < 0.7] = 0.0
    alphas = make_alphas(make_samples(make_design(X), Y, [None])[0])
    # Objectives agree better than the tolerance says, coefficients as far as it says.
    ways = {
        "sets": solve(X, Y, alphas, 0.7, tol),
        "whole": solve(X, Y, alphas, 0.7, tol, is_whole=True),
        "Fortran order": solve(np.asfortranarray(X), Y, alphas, 0.7, tol),
        "csr": solve(sparse.csr_array(X), Y, alphas, 0.7, tol),
        "csc": solve(sparse.csc_array(X), Y, alphas, 0.7, tol),
    }
    monkeypatch.setattr(paths, "MAX_SET", 20)
    ways["columns"] = solve(X, Y, alphas, 0.7, tol)
    expected = solve(X, Y, alphas, 0.7, 1e-12, is_whole=True)[0]
    for name, (coefs, track) in ways.items():
        assert all(step.has_converged for step in track.steps), name
        for i, alpha in enumerate(alphas):
            value = objective(X, Y, coefs[i], alpha, 0.7)
            best = objective(X, Y, expected[i], alpha, 0.7)
            slack = tol * track.sample.y_norm2 / len(X) if name == "columns" else 0.0
            assert value <= best * (1 + 1e-7) + slack, name


def test_sets_that_become_too_large_on_the_way(monkeypatch):
    """Steps solved on Gram matrices stay, the rest is solved on the columns."""
    X, Y = make_data()
    alphas = make_alphas(make_samples(make_design(X), Y, [None])[0], n=40)
    expected, _ = solve(X, Y, alphas, 0.9)
    monkeypatch.setattr(paths, "MAX_SET", 64)
    monkeypatch.setattr(paths, "N_CHECKED", 4)
    coefs, track = solve(X, Y, alphas, 0.9)
    assert isinstance(track.working_set, paths._AllColumns)
    np.testing.assert_allclose(coefs, expected, atol=1e-3)


def test_same_bits_at_any_number_of_threads():
    X, Y = make_data(200, 500)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, 200)
    folds = [(np.delete(np.arange(200), r), r) for r in np.split(np.arange(200), 4)]
    results = []
    for n_threads in (1, 2, 3):
        design = make_design(X, n_threads)
        settings = Settings(1e-5, 1000, np.ones(500), n_threads=n_threads)
        alphas = make_alphas(make_samples(design, Y, [weights])[0])
        solved = solve_folds(design, Y, weights, True, folds, alphas, 1.0, settings)
        results.append([solved.errors, *(t.steps[-1].coef for t in solved.tracks)])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": sparse.csr_array,
}


def count_calls(monkeypatch, cls, name):
    """A list that grows with the calls of a method."""
    method, calls = getattr(cls, name), []

    def counted(*args, **kwargs):
        calls.append(name)
        return method(*args, **kwargs)

    monkeypatch.setattr(cls, name, counted)
    return calls


def always_sweep(monkeypatch):
    """Paths of several steps prefer sweeps until these are too many."""

    def prefers_sweeps(solver, track):
        return len(track.penalties) > 1 and not track.is_slow

    monkeypatch.setattr(PathSolver, "_prefers_sweeps", prefers_sweeps)


def solve_on_parts(X, Y, alphas, l1_ratio=1.0, tol=1e-9, n_threads=1):
    """Tracks of all rows, and of all but the first or the last."""
    parts = [np.arange(len(Y)), np.arange(12, len(Y)), np.arange(len(Y) - 8)]
    weights = [None, *(np.isin(parts[0], part).astype(float) for part in parts[1:])]
    design = make_design(X, n_threads)
    tracks = [
        Track(sample, make_penalties(alphas, l1_ratio, sample.total))
        for sample in make_samples(design, Y, weights)
    ]
    factors = np.ones(design.n_columns)
    PathSolver(
        design, tracks, Settings(tol, 1000, factors, n_threads=n_threads)
    ).solve()
    return tracks, parts


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("tol", [1e-4, 1e-9])
@pytest.mark.parametrize("is_slow", [False, True])
def test_paths_by_sweeps_equal_those_by_gram(
    storage, n_targets, tol, is_slow, monkeypatch
):
    X, Y = make_data(n_columns=300, n_targets=n_targets)
    X[np.abs(X) < 0.7] = 0.0
    alphas = make_alphas(make_samples(make_design(X), Y, [None])[0], end=0.05)
    sweeps = count_calls(monkeypatch, SweepDescent, "minimize")
    expected, parts = solve_on_parts(X, Y, alphas, 0.9, 1e-11)
    assert not sweeps
    always_sweep(monkeypatch)
    changes = count_calls(monkeypatch, SweepDescent, "change_to_gram")
    if is_slow:
        monkeypatch.setattr(set_descent, "N_SLOW", 1)
    tracks, _ = solve_on_parts(STORAGES[storage](X), Y, alphas, 0.9, tol)
    assert len(sweeps) >= len(tracks)
    assert len(changes) == (len(tracks) if is_slow else 0)
    for track, other, part in zip(tracks, expected, parts, strict=True):
        assert track.is_slow == is_slow
        slack = tol * track.sample.y_norm2 / track.sample.total
        for i, alpha in enumerate(alphas):
            coef, best = (spread(solved, i, 300) for solved in (track, other))
            value, least = (
                objective(X[part], Y[part], w, alpha, 0.9) for w in (coef, best)
            )
            assert track.steps[i].has_converged
            assert value <= least + slack
            if tol == 1e-9:
                np.testing.assert_allclose(coef, best, atol=1e-4)


def test_the_rest_of_a_path_that_becomes_slow(monkeypatch):
    """The first steps were solved by sweeps, and the next are by Gram matrices."""
    X, Y = make_data()
    alphas = make_alphas(make_samples(make_design(X), Y, [None])[0], n=30)
    expected, _ = solve(X, Y, alphas, 0.9)
    always_sweep(monkeypatch)
    monkeypatch.setattr(set_descent, "N_SLOW", 60)
    sweeps = count_calls(monkeypatch, SweepDescent, "minimize")
    changes = count_calls(monkeypatch, SweepDescent, "change_to_gram")
    coefs, track = solve(X, Y, alphas, 0.9)
    assert len(sweeps) > 3
    assert len(changes) == 1
    assert track.is_slow
    assert all(step.has_converged for step in track.steps)
    np.testing.assert_allclose(coefs, expected, atol=1e-3)


SETTINGS = {
    "plain": {},
    "positive": {"box": (np.zeros(300), np.full(300, np.inf))},
    "box": {"box": (np.full(300, -0.2), np.r_[np.full(299, 0.3), np.inf])},
    "factors": {"factors": np.r_[0.0, 0.0, np.tile([0.5, 1.0], 149)]},
}


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(
    "n_targets, name",
    [(2, "plain"), (2, "factors"), *((1, name) for name in SETTINGS)],
)
@pytest.mark.parametrize("tol", [1e-4, 1e-10])
@pytest.mark.parametrize("is_given_up", [False, True])
def test_columns_first_equal_gram(
    storage, n_targets, name, tol, is_given_up, monkeypatch
):
    """Single fits; trials that are given up go on with the non-zeros."""
    X, Y = make_data(100, 300, n_targets)
    X[np.abs(X) < 0.7] = 0.0
    Y = -Y  # most coefficients are positive
    top = make_alphas(make_samples(make_design(X), Y, [None])[0])[0]
    alphas = [0.1 * top, 0.05 * top]
    tried = count_calls(monkeypatch, PathSolver, "_solve_on_columns")
    narrowed = count_calls(monkeypatch, PathSolver, "_narrow")
    monkeypatch.setattr(PathSolver, "_find_dear", lambda solver: np.inf)
    settings = {"l1_ratio": 0.9, **SETTINGS[name]}
    expected = [solve(X, Y, [alpha], tol=1e-12, **settings)[0] for alpha in alphas]
    assert not tried
    monkeypatch.setattr(PathSolver, "_find_dear", lambda solver: 1)
    if is_given_up:
        monkeypatch.setattr(paths, "N_TRIED", 1)
        for module in (paths, column_descent):
            monkeypatch.setattr(module, "N_SWEEPS", 1)
    X = STORAGES[storage](X)
    for alpha, best in zip(alphas, expected, strict=True):
        coefs, track = solve(X, Y, [alpha], tol=tol, **settings)
        assert track.steps[0].has_converged
        assert track.steps[0].gap <= tol * track.sample.y_norm2
        atol = {1e-4: 1e-2, 1e-10: 1e-5}[tol]
        np.testing.assert_allclose(coefs, best, atol=atol)
    assert len(tried) == len(alphas)
    assert bool(narrowed) == is_given_up


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_same_bits_by_columns_at_any_number_of_threads(storage, n_targets, monkeypatch):
    """Paths by sweeps, and single fits with columns first."""
    X, Y = make_data(200, 300, n_targets)
    X[np.abs(X) < 0.7] = 0.0
    X = STORAGES[storage](X)
    alphas = make_alphas(make_samples(make_design(X), Y, [None])[0])
    always_sweep(monkeypatch)
    monkeypatch.setattr(PathSolver, "_find_dear", lambda solver: 1)
    sweeps = count_calls(monkeypatch, SweepDescent, "minimize")
    tried = count_calls(monkeypatch, PathSolver, "_solve_on_columns")
    results = []
    for n_threads in (1, 2, 3):
        solved = [
            solve_on_parts(X, Y, some, 1.0, 1e-6, n_threads)[0]
            for some in (alphas, alphas[-1:])
        ]
        results.append(
            [spread(track, -1, 300) for tracks in solved for track in tracks]
        )
        assert sweeps
        assert tried
        sweeps.clear()
        tried.clear()
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_folds_equal_fits_of_their_rows(is_whole, fit_intercept, is_weighted):
    X, Y = make_data(90, 120)
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 2.0, 90) if is_weighted else None
    shuffled = rng.permutation(90)
    folds = [
        (np.sort(shuffled[30:]), np.sort(shuffled[:30])),
        (np.arange(40), [80, 41]),
    ]
    design = make_design(X)
    settings = Settings(1e-11, 10_000, np.ones(120), is_whole=is_whole)
    alphas = make_alphas(make_samples(design, Y, [weights])[0], 5, 0.1)
    solved = solve_folds(
        design, Y, weights, fit_intercept, folds, alphas, 0.8, settings
    )
    for f, (train, test) in enumerate(folds):
        part = make_design(X[train])
        w = None if weights is None else weights[train]
        sample = make_samples(part, Y[train], [w], fit_intercept)[0]
        track = Track(sample, make_penalties(alphas, 0.8, sample.total))
        PathSolver(part, [track], settings).solve()
        for i in range(5):
            coef = spread(track, i, 120)
            np.testing.assert_allclose(
                spread(solved.tracks[f], i, 120), coef, atol=1e-5
            )
            errors = (Y[test] - X[test] @ coef.T - sample.intercept(coef)) ** 2
            expected = np.average(
                errors[:, 0], weights=None if weights is None else weights[test]
            )
            assert solved.errors[i, f] == pytest.approx(expected, rel=1e-4)


def test_rows_drawn_twice_count_twice():
    """Bootstrap splits repeat rows."""
    X, Y = make_data(40, 30)
    train = np.array([0, 0, 1, 2, 3, 3, 3, *range(10, 35)])
    design = make_design(X)
    settings = Settings(1e-12, 10_000, np.ones(30))
    solved = solve_folds(
        design, Y, None, True, [(train, np.arange(35, 40))], [0.05], 1.0, settings
    )
    expected, _ = solve(X[train], Y[train], [0.05], tol=1e-12)
    np.testing.assert_allclose(spread(solved.tracks[0], 0, 30), expected[0], atol=1e-7)


def test_starting_points():
    X, Y = make_data()
    design = make_design(X)
    sample = make_samples(design, Y, [None])[0]
    settings = Settings(1e-6, 100_000, np.ones(400))
    penalties = make_penalties([0.05], 1.0, sample.total)
    cold = Track(sample, penalties)
    PathSolver(design, [cold], settings).solve()
    solution = spread(cold, 0, 400)
    warm = Track(sample, penalties)
    PathSolver(design, [warm], settings, coefs=[solution]).solve()
    assert warm.steps[0].n_iter == 0
    np.testing.assert_array_equal(spread(warm, 0, 400), solution)
    wrong = Track(sample, penalties)
    PathSolver(design, [wrong], settings, coefs=[solution[:, ::-1] + 1.0]).solve()
    np.testing.assert_allclose(spread(wrong, 0, 400), solution, atol=1e-3)


def test_max_iter_leaves_a_step_unconverged():
    X, Y = make_data()
    design = make_design(X)
    sample = make_samples(design, Y, [None])[0]
    track = Track(sample, make_penalties([1e-3], 1.0, sample.total))
    PathSolver(design, [track], Settings(1e-10, 3, np.ones(400))).solve()
    assert 3 <= track.steps[0].n_iter <= 33
    assert not track.steps[0].has_converged
    assert track.steps[0].gap > 1e-10 * sample.y_norm2


@pytest.mark.parametrize("l1, l2", [(2.0, 0.0), (2.0, 3.0), (0.0, 3.0)])
@pytest.mark.parametrize(
    "box", [None, (0.0, np.inf), (-0.2, 0.3), (-np.inf, 0.1), (0.1, np.inf)]
)
def test_gaps_bound_the_suboptimality(l1, l2, box):
    """At any point, and they vanish at the optimum."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 6))
    y = X[:, 0] - X[:, 1] + 0.1 * rng.standard_normal(30)
    factors = np.array([1.0, 0.5, 2.0, 1.0, 1.0, 1.0])
    lower, upper = (np.full(6, end) for end in box or (-np.inf, np.inf))

    def value(w):
        r = y - X @ w
        return 0.5 * r @ r + (factors * (l1 * np.abs(w) + 0.5 * l2 * w**2)).sum()

    def gap(w):
        r = y - X @ w
        ends = None if box is None else (lower, upper)
        return compute_gap(
            l1, l2, factors, w[:, None], (X.T @ r)[:, None], r @ r, r @ y, ends
        )

    best = np.clip(np.zeros(6), lower, upper)
    for _ in range(3000):
        for j in range(6):
            a = X[:, j] @ X[:, j]
            pull = X[:, j] @ (y - X @ best) + a * best[j]
            t = np.sign(pull) * max(abs(pull) - factors[j] * l1, 0)
            best[j] = np.clip(t / (a + factors[j] * l2), lower[j], upper[j])
    assert abs(gap(best)) < 1e-8
    for _ in range(50):
        w = np.clip(best + rng.standard_normal(6), lower, upper)
        assert gap(w) >= value(w) - value(best) - 1e-9
