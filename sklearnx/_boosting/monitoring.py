"""Scores of a model while it grows: on training, validation and further rows."""

import numpy as np

from sklearnx._boosting.early_stopping import find_best_iteration, should_stop


class ScoredRows:
    """Rows whose raw scores follow the growing model.

    Parameters
    ----------
    rows : Rows
    scores : Scores
    matrix : float array of shape (n_all_rows, n_features) or None
        What trees read; None if somebody else keeps `scores` up to date.
    positions : int array or None
        Where `rows` are in `scores`; None means that they are all of it.
    """

    def __init__(self, rows, scores, matrix=None, positions=None):
        self.rows = rows
        self._scores = scores
        self._matrix = matrix
        self._positions = positions

    @property
    def raw(self):
        return self._scores.get_raw(self._positions)

    def update(self, booster):
        """Bring the raw scores up to date with the last round of the booster."""
        if self._matrix is not None:
            booster.update_scores(self._matrix, self._scores)


class History:
    """Scores after each round, and whether they say to stop.

    Parameters
    ----------
    loss : Loss
    make_view : callable
        ``make_view(raw)`` returns an estimator whose predictions come from these raw
        scores, for a scorer to call.
    stopping_scorer : 'loss', callable or None
        What early stopping looks at, on the rows named 'validation', or on 'train' if
        there are none; None means that nothing stops early. A scorer is called as
        ``scorer(estimator, X, y)``; 'loss' is the negative loss.
    n_iter_no_change, tol
        See `should_stop`.
    n_threads : int
    """

    def __init__(
        self, loss, make_view, *, stopping_scorer, n_iter_no_change, tol, n_threads
    ):
        self.loss = loss
        self.make_view = make_view
        self.stopping_scorer = stopping_scorer
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.n_threads = n_threads
        self.stopping_scores = {"train": [], "validation": []}
        self.evals = {}
        self._scored = {}
        self._metrics = {}

    def watch(self, name, scored, metrics=()):
        """Follow some rows.

        Parameters
        ----------
        name : str
        scored : ScoredRows
        metrics : dict
            Scorers whose values are kept in `evals`, by the metric's name.
        """
        self._scored[name] = scored
        if metrics:
            self._metrics[name] = metrics
            self.evals.setdefault(name, {metric: [] for metric in metrics})

    def continue_from(self, train, validation, evals):
        """Go on after the scores of an earlier fit."""
        self.stopping_scores = {"train": list(train), "validation": list(validation)}
        for name, scores in evals.items():
            self.evals[name] = {metric: list(s) for metric, s in scores.items()}

    def get_scores(self):
        """Return the arrays of scores that `continue_from` goes on after."""
        return {
            **{name: np.asarray(s) for name, s in self.stopping_scores.items()},
            "evals": {
                name: {metric: np.asarray(s) for metric, s in scores.items()}
                for name, scores in self.evals.items()
            },
        }

    def append(self):
        """Score all rows as they are now."""
        if self.stopping_scorer is not None:
            for name, scores in self.stopping_scores.items():
                if name in self._scored:
                    scores.append(self._score(name, self.stopping_scorer))
        for name, metrics in self._metrics.items():
            for metric, scorer in metrics.items():
                value = self._score(name, scorer)
                self.evals[name].setdefault(metric, []).append(
                    -value if metric == "loss" else value
                )

    def update(self, booster):
        """Take over the last round of the booster; return whether to stop."""
        for scored in self._scored.values():
            scored.update(booster)
        self.append()
        return self.should_stop()

    def should_stop(self):
        """Whether the scores so far say that boosting is to end."""
        if self.stopping_scorer is None:
            return False
        return should_stop(self._judging_scores, self.n_iter_no_change, self.tol)

    def find_best_iteration(self, n_iter):
        """Return which of `n_iter` iterations to keep; all if nothing stops early."""
        if self.stopping_scorer is None:
            return n_iter
        return find_best_iteration(self._judging_scores, n_iter)

    @property
    def _judging_scores(self):
        name = "validation" if "validation" in self._scored else "train"
        return self.stopping_scores[name]

    def describe(self):
        """Return the last scores as a piece of a message."""
        sign, kind = (-1, "loss") if self.stopping_scorer == "loss" else (1, "score")
        return "".join(
            f", {name} {kind} {sign * scores[-1]:.5f}"
            for name, scores in self.stopping_scores.items()
            if scores
        )

    def _score(self, name, scorer):
        rows, raw = self._scored[name].rows, self._scored[name].raw
        if isinstance(scorer, str):
            return -self.loss.compute_score(
                rows.y, raw, rows.sample_weight, self.n_threads
            )
        view = self.make_view(raw)
        if rows.sample_weight is None:
            return scorer(view, rows.X, rows.labels)
        return scorer(view, rows.X, rows.labels, sample_weight=rows.sample_weight)
