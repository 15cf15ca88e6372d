"""Categories as means of the target that no row's own target is part of."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearnx._boosting.encoding import MISSING, TableEncoder
from sklearnx._boosting.target_statistics import TargetStatistics
from sklearnx._compat import Interval, StrOptions, check_y, fit_context
from sklearnx._threads import effective_n_threads

TARGET_TYPES = ("continuous", "binary", "multiclass")


class OrderedTargetEncoder(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Encode categories by ordered means of the target.

    Each level of a column becomes the mean of the target over its rows, drawn to the
    mean of all rows: ``(sum + smooth * mean) / (count + smooth)``. `transform` takes
    sum and count over all training rows. `fit_transform` takes, for each row, those
    that come before it in a random order: were a row's own target part of its mean, a
    model would learn rare levels by heart, and be wrong about new rows [1]_.

    In place of folds, as in scikit-learn's `TargetEncoder`, every row has an encoding
    of its own, from no row up to all but one: the noise of few rows is what a model
    sees in training, too.

    A missing value is a level like any other. A level that `fit` did not see, and a
    missing value if it saw none, get the mean of all rows. With several classes a
    column becomes one for each class, of the shares of that class.

    Parameters
    ----------
    target_type : {'auto', 'continuous', 'binary', 'multiclass'}, default='auto'
        What the target is. 'auto' asks `sklearn.utils.multiclass.type_of_target`, for
        which integers are classes.
    smooth : float, default=1.0
        As many rows at the mean are added to those of a level, 0 or more.
    shuffle : bool, default=True
        Whether `fit_transform` draws the order of the rows. False keeps the order that
        they are in, as for events in the order of time.
    random_state : int, RandomState instance or None, default=None
        Seed of the order.
    n_jobs : int or None, default=None
        Number of threads, None and -1 mean all cores that the process may use. Bits do
        not depend on it.

    Attributes
    ----------
    categories_ : list of ndarrays
        The levels of each column, the most frequent first, and a missing value (None,
        or NaN among numbers) last if there was one.
    encodings_ : list of float64 ndarrays
        The encodings of `transform` of these levels, a list item for each column of the
        output.
    target_mean_ : float or ndarray of shape (n_classes,)
        Mean of the target, with several classes the share of each.
    target_type_ : str
        What the target is.
    classes_ : ndarray of shape (n_classes,) or None
        The classes, None for a continuous target. Of two, the encodings are shares of
        the second.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all are strings.

    See Also
    --------
    sklearn.preprocessing.TargetEncoder : Means over the rows of other folds.

    References
    ----------
    .. [1] Prokhorenkova et al., "CatBoost: unbiased boosting with categorical
       features", NeurIPS (2018), section 3.2 and equation 5.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.preprocessing import OrderedTargetEncoder
    >>> X = np.array([["cat"], ["dog"], ["cat"], ["cat"]])
    >>> y = [1.0, 4.0, 5.0, 2.0]  # the mean is 3
    >>> encoder = OrderedTargetEncoder(target_type="continuous", shuffle=False)
    >>> encoder.fit_transform(X, y).ravel().tolist()
    [3.0, 3.0, 2.0, 3.0]
    >>> encoder.transform([["cat"], ["dog"], ["cow"]]).ravel().tolist()
    [2.75, 3.5, 3.0]
    """

    _parameter_constraints: dict = {
        "target_type": [StrOptions({"auto", *TARGET_TYPES})],
        "smooth": [Interval(Real, 0, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        target_type="auto",
        smooth=1.0,
        shuffle=True,
        random_state=None,
        n_jobs=None,
    ):
        self.target_type = target_type
        self.smooth = smooth
        self.shuffle = shuffle
        self.random_state = random_state
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any):
        """Learn the encodings of all levels.

        To fit and encode training rows call `fit_transform`: what `transform` returns
        for them holds their own targets.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Columns of categories, which may be of any type.
        y : array-like of shape (n_samples,)
            Target.

        Returns
        -------
        self : object
            The fitted encoder.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid; the message names which.
        """
        self._fit(X, y)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any):
        """Learn the encodings of all levels, and encode each row by those before it.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Columns of categories, which may be of any type.
        y : array-like of shape (n_samples,)
            Target.

        Returns
        -------
        X_encoded : float64 ndarray of shape (n_samples, n_features) or \
                (n_samples, n_features * n_classes)
            Encodings of these rows, which are not what `transform` returns for them.
        """
        columns, targets, n_threads = self._fit(X, y)
        seed = None
        if self.shuffle:
            rng = check_random_state(self.random_state)
            seed = rng.randint(np.iinfo(np.uint32).max, dtype="u8")
        return _to_table(self._statistics.order(columns, targets, seed, n_threads))

    def transform(self, X: Any):
        """Encode rows by the targets of all training rows.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            Columns of categories.

        Returns
        -------
        X_encoded : float64 ndarray of shape (n_samples, n_features) or \
                (n_samples, n_features * n_classes)
            Encodings.
        """
        check_is_fitted(self)
        table = self._encoder.transform(X, self, effective_n_threads(self.n_jobs))
        return _to_table(self._statistics.look_up(table.columns))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the encoded columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None means those that `fit` saw, if any.

        Returns
        -------
        names : ndarray of str
            With several classes ``"<column>_<class>"``.
        """
        names = super().get_feature_names_out(input_features)
        if self.target_type_ != "multiclass":
            return names
        return np.array(
            [f"{name}_{label}" for name in names for label in self.classes_],
            dtype=object,
        )

    def _fit(self, X, y):
        """Learn all; return codes of levels, targets and the number of threads."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None."
            )
        n_threads = effective_n_threads(self.n_jobs)
        self._encoder = TableEncoder(
            "all", handle_unknown="unknown", may_be_negative=True
        )
        table = self._encoder.fit_transform(X, self, n_threads=n_threads)
        targets = self._read_targets(y, table.n_rows)
        self._statistics = TargetStatistics(self.smooth).fit(
            table.columns, table.n_levels.tolist(), targets, n_threads
        )
        self._set_attributes(table.columns)
        return table.columns, targets, n_threads

    def _read_targets(self, y, n_rows):
        """Check `y`; return the numbers that are averaged, (n_rows, n_outputs)."""
        y = check_y(y, y_numeric=self.target_type == "continuous", estimator=self)
        self.target_type_ = self.target_type
        if self.target_type == "auto":
            self.target_type_ = type_of_target(y, input_name="y")
        if self.target_type_ not in TARGET_TYPES:
            raise ValueError(
                f"Unknown label type: y is a target of type {self.target_type_!r}, but "
                f"only {', '.join(TARGET_TYPES)} ones are supported."
            )
        if len(y) != n_rows:
            # Raises scikit-learn's error.
            check_consistent_length(np.empty((n_rows, 0)), y)
        self.classes_ = None
        if self.target_type_ == "continuous":
            return y.astype(np.float64).reshape(-1, 1)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if self.target_type_ == "multiclass":
            return (codes[:, np.newaxis] == np.arange(len(self.classes_))).astype(float)
        if len(self.classes_) > 2:
            raise ValueError(
                f"target_type='binary', but y has {len(self.classes_)} classes."
            )
        return (codes[:, np.newaxis] == 1).astype(float)

    def _set_attributes(self, columns):
        priors = self._statistics.priors_
        is_multiclass = self.target_type_ == "multiclass"
        self.target_mean_ = priors if is_multiclass else float(priors[0])
        self.categories_, self.encodings_ = [], []
        for codes, levels, means in zip(
            columns, self._encoder.levels_, self._statistics.means_, strict=True
        ):
            known = means[:-2]
            if np.any(codes == MISSING):
                is_number = all(isinstance(level, Real) for level in levels)
                levels = [*levels, np.nan if is_number else None]
                known = np.concatenate([known, means[-1:]])
            types = set(map(type, levels))
            dtype = None if len(types) == 1 and str not in types else object
            self.categories_.append(np.array(levels, dtype=dtype))
            self.encodings_ += list(np.ascontiguousarray(known.T))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _to_table(means):
    """Return means of shape (n_columns, n_outputs, n_rows) as rows of columns."""
    return means.reshape(-1, means.shape[2]).T
