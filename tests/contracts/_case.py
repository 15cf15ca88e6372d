"""What a contract has to know about an estimator."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from sklearn.base import BaseEstimator

# The ways through our own code are the same under all versions of what we build on, so
# that it is enough to try them all under one.
HAS_FEW_VARIANTS = os.environ.get("SKLEARNX_FEW_VARIANTS", "0") == "1"


@dataclass(frozen=True)
class EstimatorCase:
    """One public estimator.

    Attributes
    ----------
    estimator_class : type
    small_settings : dict
        With these a handful of rows gives a model that depends on them, in a moment.
    variants : dict of dict
        Name -> settings on top of the small ones that take another way through the
        code.
    checked : tuple of str
        The variants that scikit-learn's own checks run on as well.
    search_grid : dict
        Two or three parameter values to search over, good ones first; of a predictor
        only.
    draws_rows : callable
        ``draws_rows(settings)`` tells whether fit draws rows at random with these
        settings, so that a weight of 2 cannot be exactly the row twice.
    min_weight : int
        The least weight that is so many rows: 1 where a row of weight 0, which has no
        part in any sum, is still a place.
    splits_rows : bool
        Whether fit cuts rows into folds: a row given twice falls into other folds
        than a row of weight 2.
    is_linear : bool
        Whether the model is linear: it is asked about data that are, and sums over rows
        in the order of their storage.
    is_clusterer : bool
        Whether fit asks for no target and finds groups: it is asked about data that
        have some.
    many_rows : int or None
        What `n_many_rows` is, where fits of the usual number take long.
    n_targets : int
        Columns of y; with more than one, y is of two dimensions.
    is_other_when_sparse : bool
        Whether fit does something else, on purpose, with a sparse table.
    is_tried_in_processes : bool
        Whether contracts that start processes, which take seconds, run on it: of
        estimators of one engine some do.
    accepts_categories : bool
        Whether columns of categories, strings and booleans are taken as they are.
    has_recursion : bool
        Whether ``partial_dependence(method="recursion")`` works.
    expected_failures : dict
        Checks of scikit-learn's that are not for this estimator, and why.
    failures_of_defaults : dict
        Those that are not for its default settings.
    """

    estimator_class: type
    small_settings: dict
    search_grid: dict = field(default_factory=dict)
    variants: dict = field(default_factory=dict)
    checked: tuple = ()
    draws_rows: Callable = lambda settings: False
    min_weight: int = 0
    splits_rows: bool = False
    is_linear: bool = False
    is_clusterer: bool = False
    many_rows: int | None = None
    n_targets: int = 1
    is_other_when_sparse: bool = False
    is_tried_in_processes: bool = True
    accepts_categories: bool = False
    has_recursion: bool = False
    expected_failures: dict = field(default_factory=dict)
    failures_of_defaults: dict = field(default_factory=dict)

    @property
    def name(self):
        return self.estimator_class.__name__

    @property
    def tried_variants(self):
        """The variants that contracts run on, none if there shall be few."""
        return {} if HAS_FEW_VARIANTS else self.variants

    @property
    def checked_estimators(self):
        """What scikit-learn's checks run on: defaults, small settings, variants."""
        if HAS_FEW_VARIANTS:
            return [self.estimator_class()]
        variants = [self.make_estimator(**self.variants[name]) for name in self.checked]
        return [self.estimator_class(), self.make_estimator(), *variants]

    @property
    def is_predictor(self):
        return hasattr(self.estimator_class, "predict")

    @property
    def knows_new_rows(self):
        """Whether a fitted one says anything of other rows than those of fit."""
        methods = ("predict", "transform")
        return any(hasattr(self.estimator_class, name) for name in methods)

    @property
    def has_score(self):
        return hasattr(self.estimator_class, "score")

    @property
    def sums_as_stored(self):
        """Whether the last bits depend on how the same table is stored."""
        return self.is_linear or self.is_clusterer

    @property
    def has_many_targets(self):
        return self.n_targets > 1

    @property
    def n_many_rows(self):
        """Enough that the work is cut into several pieces."""
        return self.many_rows or (60_000 if self.is_linear else 20_000)

    def make_estimator(self, **settings) -> BaseEstimator:
        """An instance with the small settings, then `settings`."""
        return self.estimator_class(**{**self.small_settings, **settings})
