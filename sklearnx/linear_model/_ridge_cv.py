"""Ridge regression and classification with a penalty chosen by cross-validation."""

from __future__ import annotations

import warnings
from numbers import Real

import numpy as np
import sklearn.linear_model
from scipy import sparse
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    is_classifier,
)
from sklearn.metrics import check_scoring, get_scorer, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import check_scalar
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from sklearnx._compat import (
    Interval,
    StrOptions,
    check_method_params,
    fit_context,
    raise_for_params,
    routing_enabled,
    scorer_takes_weights,
)
from sklearnx._glm.design import make_design
from sklearnx._glm.ridge_cv import FoldedRidge, LeaveOneOut
from sklearnx.linear_model._folds import list_folds
from sklearnx.linear_model._frames import (
    CATEGORICAL_CONSTRAINTS,
    CategoricalColumnsMixin,
    choose_table_to_split,
    document_categories,
)
from sklearnx.linear_model._prediction import LinearRegressorPrediction
from sklearnx.linear_model._regression_data import (
    count_threads,
    make_problem,
    set_coefficients,
    validate_regression,
    validate_weights,
)
from sklearnx.linear_model._ridge import (
    Ridge,
    RidgeClassifier,
    RidgeClassifierLabels,
)

_CONSTRAINTS = {
    "alphas": ["array-like", Interval(Real, 0, None, closed="neither")],
    "fit_intercept": ["boolean"],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "cv": ["cv_object"],
    "store_cv_results": ["boolean"],
    **CATEGORICAL_CONSTRAINTS,
}


class _GivenRegressor(RegressorMixin, BaseEstimator):
    """Predicts what it is given, for scorers of predictions made elsewhere."""

    def predict(self, X):
        return X


class _GivenClassifier(ClassifierMixin, BaseEstimator):
    """Decides as it is told."""

    def __init__(self, classes):
        self.classes = classes
        self.classes_ = np.asarray(classes)

    def decision_function(self, X):
        return X

    def predict(self, X):
        if X.ndim == 1:
            return self.classes_[(X > 0).astype(np.intp)]
        return self.classes_[X.argmax(axis=1)]


class _GivenLabels(_GivenClassifier):
    """The same of several labels a row."""

    def predict(self, X):
        return (X > 0).astype(np.intp)


class _RidgeCVFit(CategoricalColumnsMixin):
    """What RidgeCV and RidgeClassifierCV share."""

    def _check_alphas(self):
        """The alphas as an array."""
        closed = "left" if self.cv is not None else "neither"
        names = isinstance(self.alphas, (np.ndarray, list, tuple))
        if names and np.ndim(self.alphas) > 0 and len(self.alphas) > 1:
            for i, alpha in enumerate(self.alphas):
                _check_alpha(alpha, f"alphas[{i}]", closed)
        alphas = np.atleast_1d(np.asarray(self.alphas))
        if len(alphas) == 1:
            _check_alpha(alphas[0], "alphas", closed)
        return alphas

    def _fit_validated(self, X, Y, y, sample_weight, params, dtype, table):
        """Choose alpha, fit and set the attributes.

        Y is what is regressed on, y what scorers see; dtype that of the results, table
        what splitters see.
        """
        raise_for_params(params, self, "fit")
        scorer = self._get_scorer()
        alphas = self._check_alphas()
        weights = validate_weights(sample_weight, X)
        if weights is not None:
            params = {**params, "sample_weight": weights}
        self.__dict__.pop("cv_results_", None)
        if self.cv is None:
            score_params = self._route(params, "scorer", "score")
            if self.scoring is None:
                scorer = None
            self._leave_one_out(X, Y, y, weights, alphas, scorer, score_params, dtype)
        else:
            self._fit_folds(X, Y, y, weights, alphas, scorer, params, dtype, table)
        return self

    def _route(self, params, owner, method):
        """The parameters of fit that go to the scorer or the splitter."""
        if routing_enabled():
            return process_routing(self, "fit", **params)[owner][method]
        return params if owner == "scorer" else {}

    def _leave_one_out(self, X, Y, y, weights, alphas, scorer, score_params, dtype):
        if X.shape[0] < 2:
            raise ValueError(
                f"{type(self).__name__} leaves one sample out: it needs at least 2, "
                f"got n_samples={X.shape[0]}."
            )
        problem = make_problem(self, X, Y, weights, fit_intercept=self.fit_intercept)
        left_out = LeaveOneOut(problem, self._uses_triangle(X))
        values = alphas.astype(np.float64)
        scores, results = self._score_left_out(
            left_out, Y, y, values, scorer, score_params
        )
        best = scores.argmax(axis=-1)
        if scores.ndim == 1:
            coef = left_out.coef(values[best])
            self.alpha_ = float(alphas[best])
            self.best_score_ = scores[best]
        else:
            coef = np.empty((X.shape[1], len(best)))
            for i in np.unique(best):
                coef[:, best == i] = left_out.coef(values[i])[:, best == i]
            self.alpha_ = values[best]
            self.best_score_ = np.take_along_axis(scores, best[:, None], 1)[:, 0]
        if self.store_cv_results:
            results = results.astype(dtype)
            self.cv_results_ = results[:, 0] if Y.ndim == 1 else results
        set_coefficients(
            self,
            coef,
            left_out.problem.intercept(coef),
            dtype,
            is_1d=Y.ndim == 1,
            flatten=True,
        )

    def _score_left_out(self, left_out, Y, y, alphas, scorer, score_params):
        """The score of each alpha, or target and alpha; what is stored of each row."""
        is_per_target = self.alpha_per_target and Y.ndim == 2 and Y.shape[1] > 1
        if scorer is None and not self.store_cv_results:
            scores = -left_out.squared_errors(alphas)
            return scores if is_per_target else scores.mean(axis=0), None
        errors = left_out.errors(alphas)
        if scorer is None:
            weights = left_out.problem.A.weights
            results = errors**2
            if weights is not None:
                results *= weights[:, None, None]
            scores = -results.mean(axis=0)
            return scores if is_per_target else scores.mean(axis=0), results
        predictions = Y.reshape(len(Y), -1)[:, :, None] - errors
        given = self._make_given(y)
        if is_per_target:
            scores = [
                [scorer(given, part, y[:, j], **score_params) for part in target.T]
                for j, target in enumerate(predictions.transpose(1, 0, 2))
            ]
        else:
            one = Y.ndim == 1 or (is_classifier(self) and Y.shape[1] == 1)
            scores = [
                scorer(given, part[:, 0] if one else part, y, **score_params)
                for part in np.moveaxis(predictions, 2, 0)
            ]
        return np.asarray(scores), predictions

    def _fit_folds(self, X, Y, y, weights, alphas, scorer, params, dtype, table):
        if self.store_cv_results:
            raise ValueError("cv!=None and store_cv_results=True are incompatible")
        if self.alpha_per_target:
            raise ValueError("cv!=None and alpha_per_target=True are incompatible")
        score_params = self._route(params, "scorer", "score")
        if not routing_enabled() and score_params and not scorer_takes_weights(scorer):
            warnings.warn(
                f"The scoring {scorer} does not support sample_weight, which may lead "
                "to statistically incorrect results when fitting "
                f"{self} with sample_weight. ",
                stacklevel=4,
            )
            score_params = {}
        split_params = self._route(params, "splitter", "split")
        cv = check_cv(self.cv, y, classifier=is_classifier(self))
        folded = FoldedRidge(
            make_design(X, count_threads(X)),
            Y.reshape(len(Y), -1).astype(np.float64),
            weights,
            self.fit_intercept,
            alphas.astype(np.float64),
        )
        rows = X.tocsr() if sparse.issparse(X) else X
        scores = []
        for train, test in list_folds(cv, table, y, **split_params):
            train, test = _as_row_numbers(train), _as_row_numbers(test)
            coef, intercept = folded.fit(train, test)
            part = check_method_params(X, score_params, indices=test)
            models = (
                self._make_fitted(c, b, dtype, Y.ndim == 1)
                for c, b in zip(coef, intercept, strict=True)
            )
            X_test, y_test = rows[test], y[test]
            scores.append([scorer(model, X_test, y_test, **part) for model in models])
        means = np.mean(scores, axis=0)
        best = int(np.argmax(means))
        self.alpha_ = alphas[best]
        self.best_score_ = means[best]
        model = self._make_model(alphas[best])
        model._fit_validated(X, Y, weights)
        self.coef_, self.intercept_ = model.coef_, model.intercept_

    def _make_fitted(self, coef, intercept, dtype, is_1d):
        """A model of a fold."""
        model = self._make_model(1.0)
        for name in ("n_features_in_", "_table_encoder"):
            if name in vars(self):
                setattr(model, name, getattr(self, name))
        set_coefficients(model, coef, intercept, dtype, is_1d=is_1d, flatten=True)
        return model

    def get_metadata_routing(self):
        """Return who gets which metadata of fit.

        Returns
        -------
        routing : MetadataRouter
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                scorer=self._get_scorer(),
                method_mapping=MethodMapping().add(caller="fit", callee="score"),
            )
            .add(
                splitter=self.cv,
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
        )

    def _get_scorer(self):
        if routing_enabled() and self.scoring is None:
            # The default score takes the weights whether or not they were asked for.
            return get_scorer(self._default_scoring).set_score_request(
                sample_weight=True
            )
        return check_scoring(estimator=self, scoring=self.scoring, allow_none=True)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = False
        return tags


def _check_alpha(alpha, name, closed):
    check_scalar(alpha, name, Real, min_val=0.0, include_boundaries=closed)


def _as_row_numbers(rows):
    """Row numbers of a part that may be told by a mask."""
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


@document_categories
class RidgeCV(_RidgeCVFit, LinearRegressorPrediction, sklearn.linear_model.RidgeCV):
    """Ridge regression with a penalty chosen by cross-validation.

    By default each row is left out in turn, for which there is a closed form [1]_: one
    decomposition and one pass over `X` give the errors of all alphas. With folds, the
    Gram matrix of the rows to train on is that of all rows less that of the others.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), default=(0.1, 1.0, 10.0)
        Penalties to choose from; see :class:`Ridge`. They must be positive where one
        row is left out, else not negative.

    fit_intercept : bool, default=True
        Whether to fit an intercept. False is for data that are centred.

    scoring : str, callable or None, default=None
        Name of a score or a scorer ``scorer(estimator, X, y)``. None is the negative
        mean squared error where one row is left out, else R^2.

    cv : int, splitter, iterable or None, default=None
        None leaves one row out; else the number of folds, a splitter of scikit-learn,
        or pairs of row numbers to train and to test on.

    gcv_mode : {'auto', 'svd', 'eigen'} or None, default=None
        How `X` is decomposed to leave one row out: 'eigen' (as 'auto' and None) takes
        the eigenvectors of its Gram matrix, or of its kernel matrix if it is wide;
        'svd' its singular vectors, by QR, which is slower and more accurate. A sparse
        `X` has no 'svd'.

    store_cv_results : bool, default=False
        Whether to keep ``cv_results_``; only with ``cv=None``.

    alpha_per_target : bool, default=False
        Whether each target has an alpha of its own; only with ``cv=None``.

    {categorical_features}

    Attributes
    ----------
    cv_results_ : ndarray of shape (n_samples, n_alphas) or \
            (n_samples, n_targets, n_alphas)
        Squared errors (times the weights) of each row left out or, with a `scoring`,
        its predictions. Only with ``store_cv_results=True``.

    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, of the dtype of `X`.

    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0.0 with ``fit_intercept=False``.

    alpha_ : float or ndarray of shape (n_targets,)
        The penalty that was chosen; the first of those with the best score.

    best_score_ : float or ndarray of shape (n_targets,)
        Its score.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if `X` has names that are all strings.

    See Also
    --------
    Ridge : With a given penalty.
    RidgeClassifierCV : The classifier.

    References
    ----------
    .. [1] R. Rifkin and R. Lippert (2007), "Notes on regularized least squares", MIT
       CSAIL technical report 2007-025, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import RidgeCV
    >>> X = np.arange(12.0).reshape(6, 2) ** 2
    >>> y = X[:, 0] + 1
    >>> model = RidgeCV(alphas=[0.01, 1.0, 100.0]).fit(X, y)
    >>> model.alpha_
    0.01
    """

    _parameter_constraints = {
        **_CONSTRAINTS,
        "gcv_mode": [StrOptions({"auto", "svd", "eigen"}), None],
        "alpha_per_target": ["boolean"],
    }
    _default_scoring = "r2"

    def __init__(
        self,
        alphas=(0.1, 1.0, 10.0),
        *,
        fit_intercept=True,
        scoring=None,
        cv=None,
        gcv_mode=None,
        store_cv_results=False,
        alpha_per_target=False,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Choose the penalty and fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, not negative. Scores of folds take them, if they can.

        **params : dict
            Parameters for the scorer and the splitter, with metadata routing.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        table, dtype = X, getattr(X, "dtype", None)
        X, y = validate_regression(self, X, y, sample_weight)
        # Like scikit-learn, numbers that are not floats give double results.
        is_float = getattr(dtype, "kind", None) == "f"
        result_dtype = X.dtype if is_float else np.float64
        table = choose_table_to_split(X, table)
        return self._fit_validated(X, y, y, sample_weight, params, result_dtype, table)

    def _uses_triangle(self, X):
        if self.gcv_mode != "svd":
            return False
        if not isinstance(X, np.ndarray):
            warnings.warn(
                "The 'svd' mode is not supported for sparse X, we fallback to "
                "`gcv_mode='eigen'`. Passing `gcv_mode='svd'` on sparse X will raise "
                "an error in 1.11, use the default or pass `gcv_mode='eigen'` to "
                "suppress this warning.",
                FutureWarning,
                stacklevel=4,
            )
            return False
        return True

    def _make_given(self, y):
        return _GivenRegressor()

    def _make_model(self, alpha):
        return Ridge(alpha, fit_intercept=self.fit_intercept)


@document_categories
class RidgeClassifierCV(
    _RidgeCVFit, RidgeClassifierLabels, sklearn.linear_model.RidgeClassifierCV
):
    """Ridge classifier with a penalty chosen by cross-validation.

    The targets are those of :class:`RidgeClassifier`, and the choice is made as by
    :class:`RidgeCV`.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), default=(0.1, 1.0, 10.0)
        Penalties to choose from. They must be positive where one row is left out, else
        not negative.

    fit_intercept : bool, default=True
        Whether to fit an intercept. False is for data that are centred.

    scoring : str, callable or None, default=None
        Name of a score or a scorer ``scorer(estimator, X, y)``. None is the negative
        mean squared error where one row is left out, else the accuracy.

    cv : int, splitter, iterable or None, default=None
        None leaves one row out; else the number of folds, a splitter of scikit-learn,
        or pairs of row numbers to train and to test on.

    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes, ``{label: weight}``, by which the weights of their rows
        are multiplied. 'balanced' means ``n_samples / (n_classes * n_rows_of_class)``.

    store_cv_results : bool, default=False
        Whether to keep ``cv_results_``; only with ``cv=None``.

    {categorical_features}

    Attributes
    ----------
    cv_results_ : ndarray of shape (n_samples, n_targets, n_alphas)
        Squared errors (times the weights) of each row left out or, with a `scoring`,
        its predictions. Only with ``store_cv_results=True``.

    coef_ : ndarray of shape (n_features,) or (n_classes, n_features)
        Coefficients; of one dimension with two classes.

    intercept_ : float or ndarray of shape (n_targets,)
        Intercepts; 0.0 with ``fit_intercept=False``.

    alpha_ : float
        The penalty that was chosen; the first of those with the best score.

    best_score_ : float
        Its score.

    classes_ : ndarray of shape (n_classes,)
        The labels.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if `X` has names that are all strings.

    See Also
    --------
    RidgeClassifier : With a given penalty.
    RidgeCV : The regression.

    References
    ----------
    R. Rifkin and R. Lippert (2007), "Notes on regularized least squares", MIT CSAIL
    technical report 2007-025, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.linear_model import RidgeClassifierCV
    >>> X = np.array([[0.0], [1.0], [2.0], [6.0], [7.0], [8.0]])
    >>> model = RidgeClassifierCV().fit(X, [0, 0, 0, 1, 1, 1])
    >>> model.predict([[1.5], [6.5]]).tolist()
    [0, 1]
    """

    _parameter_constraints = {
        **_CONSTRAINTS,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _default_scoring = "accuracy"
    alpha_per_target = False

    def __init__(
        self,
        alphas=(0.1, 1.0, 10.0),
        *,
        fit_intercept=True,
        scoring=None,
        cv=None,
        class_weight=None,
        store_cv_results=False,
        categorical_features=None,
        handle_unknown="error",
    ):
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.class_weight = class_weight
        self.store_cv_results = store_cv_results
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Choose the penalty and fit the classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels, or an indicator matrix of several labels a row.

        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        **params : dict
            Parameters for the scorer and the splitter, with metadata routing.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        table = X
        X, y = validate_regression(self, X, y, sample_weight, y_numeric=False)
        Y, y, sample_weight = self._encode_labels(X, y, sample_weight)
        table = choose_table_to_split(X, table)
        return self._fit_validated(X, Y, y, sample_weight, params, X.dtype, table)

    def _uses_triangle(self, X):
        return False

    def _make_given(self, y):
        kind = _GivenLabels if self._is_multilabel() else _GivenClassifier
        return kind(self.classes_)

    def _make_model(self, alpha):
        model = RidgeClassifier(alpha, fit_intercept=self.fit_intercept)
        model._label_binarizer = self._label_binarizer
        return model
