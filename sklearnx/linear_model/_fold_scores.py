"""Scores of the rows that a fold of a cross-validated classifier holds out."""

from __future__ import annotations

import numpy as np

from sklearnx._compat import check_method_params, name_labels
from sklearnx.linear_model._logistic import LogisticRegression, compute_probabilities

# Scores that raw predictions tell without a scorer, which would check them anew.
DIRECT_SCORES = (None, "accuracy", "neg_log_loss")


class FoldScorer:
    """The score of the rows of a fold, by coefficients or raw predictions.

    Parameters
    ----------
    scoring : str, callable or None
        The estimator's parameter; None is the accuracy.
    scorer : callable or None
        The scorer of `scoring`.
    model : LogisticRegression
        Gets the coefficients, and is what a scorer is given.
    X, y, codes : of all rows
    test : ndarray
        The rows held out.
    params : dict
        For the scorer, by row; `sample_weight` among them.
    """

    def __init__(self, scoring, scorer, model, X, y, codes, test, params):
        self._model = model
        self._X, self._y, self._test = X, y, test
        is_direct = scoring is None or isinstance(scoring, str)
        self._scoring = scoring if is_direct else "other"
        self._scorer = scorer and name_labels(scorer, model.classes_)
        self._params = check_method_params(X=X, params=params, indices=test)
        weights = self._params.get("sample_weight")
        self._weights = None if weights is None else np.asarray(weights)
        self._codes = codes[test].astype(np.intp)
        self.is_direct = (
            self._scoring in DIRECT_SCORES
            and set(self._params) <= {"sample_weight"}
            and len(self._codes) > 0
            and (weights is None or np.sum(self._weights) > 0)
        )

    def score_raw(self, raw):
        """The score of raw predictions of the rows held out, if it `is_direct`."""
        if self._scoring == "neg_log_loss":
            return self._score_probabilities(compute_probabilities(raw))
        found = raw > 0 if raw.ndim == 1 else np.argmax(raw, axis=1)
        return float(np.average(found == self._codes, weights=self._weights))

    def _score_probabilities(self, probabilities):
        """The mean logarithm of the probability of the rows' own class."""
        own = probabilities[np.arange(len(self._codes)), self._codes]
        eps = np.finfo(own.dtype).eps
        logs = np.log(np.clip(own, eps, 1.0 - eps))
        return float(np.average(logs, weights=self._weights))

    def take_rows(self):
        """X and y of the rows held out."""
        return self._X[self._test], self._y[self._test]

    def score(self, rows, C, coef, intercept):
        """The score of coefficients on `take_rows`, by the scorer if there is one."""
        model = self._model
        model.C, model.coef_, model.intercept_ = C, coef, intercept
        X, y = rows
        if self.is_direct:
            return self.score_raw(model.decision_function(X))
        if self._scorer is None:
            return LogisticRegression.score(model, X, y, self._weights)
        return self._scorer(model, X, y, **self._params)
