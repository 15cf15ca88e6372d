"""Our gradient boosting and its peers behind one door, with equal settings."""

import importlib.util
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse
from threadpoolctl import threadpool_limits

# scikit-learn takes 255 levels: the 254 most frequent and one for all others.
MAX_LEVELS = 254


@dataclass(frozen=True)
class Settings:
    """What all of them are told.

    ``task`` is 'classification', 'regression' (squared error) or 'poisson' (regression
    of counts, by their deviance). ``n_threads`` of None leaves it to the library.
    """

    task: str
    n_rounds: int = 100
    n_leaves: int = 31
    learning_rate: float = 0.1
    max_bins: int = 255
    n_threads: int | None = 2

    @property
    def is_classification(self):
        return self.task == "classification"


class Booster:
    """One library: how its model is made and how it wants its columns.

    Attributes
    ----------
    package : str
        The module that has to be installed.
    """

    package = None

    def is_installed(self):
        return importlib.util.find_spec(self.package) is not None

    def find_obstacle(self, X):
        """Why the library cannot take `X`, None if it can."""
        return None

    def make_model(self, settings, frame=None):
        """An estimator for `frame`'s columns (None for an array)."""
        raise NotImplementedError

    def prepare(self, X_train, X_test):
        """The frames as this library's user would pass them."""
        return X_train, X_test

    def warm_up(self, settings):
        """Import the library and let it start its threads."""
        X, y = np.arange(200.0).reshape(100, 2), np.arange(100) % 2
        self.fit(replace(settings, n_rounds=1), X, y)

    def fit(self, settings, X, y, sample_weight=None):
        frame = X if isinstance(X, pd.DataFrame) else None
        model = self.make_model(settings, frame)
        return model.fit(X, y, sample_weight=sample_weight)

    def predict(self, model, settings, X):
        method = "predict_proba" if settings.is_classification else "predict"
        return getattr(model, method)(X)


class Ours(Booster):
    package = "sklearnx"

    def __init__(self, **options):
        self.options = options

    def make_model(self, settings, frame=None):
        import sklearnx.ensemble

        return make_hist_gradient_boosting(
            sklearnx.ensemble,
            settings.task,
            **translate_settings(settings),
            n_jobs=settings.n_threads,
            **self.options,
        )


class ScikitLearn(Booster):
    package = "sklearn"

    def make_model(self, settings, frame=None):
        import sklearn.ensemble

        return make_hist_gradient_boosting(
            sklearn.ensemble, settings.task, **translate_settings(settings)
        )

    def find_obstacle(self, X):
        return "takes no sparse matrix" if sparse.issparse(X) else None

    def prepare(self, X_train, X_test):
        return group_rare_levels(X_train, X_test)

    def fit(self, settings, X, y, sample_weight=None):
        with threadpool_limits(settings.n_threads, user_api="openmp"):
            return super().fit(settings, X, y, sample_weight)

    def predict(self, model, settings, X):
        with threadpool_limits(settings.n_threads, user_api="openmp"):
            return super().predict(model, settings, X)


class LightGBM(Booster):
    package = "lightgbm"

    def __init__(self, **options):
        self.options = options

    def make_model(self, settings, frame=None):
        return make_lightgbm(
            settings.task,
            n_estimators=settings.n_rounds,
            num_leaves=settings.n_leaves,
            learning_rate=settings.learning_rate,
            max_bin=settings.max_bins,
            n_jobs=settings.n_threads,
            **self.options,
        )


class XGBoost(Booster):
    package = "xgboost"

    def make_model(self, settings, frame=None):
        return make_xgboost(
            settings.task,
            n_estimators=settings.n_rounds,
            max_leaves=settings.n_leaves,
            max_depth=0,
            grow_policy="lossguide",
            tree_method="hist",
            learning_rate=settings.learning_rate,
            max_bin=settings.max_bins + 1,
            n_jobs=settings.n_threads,
        )

    def prepare(self, X_train, X_test):
        # A level that is new in the test rows raises in XGBoost.
        return X_train, keep_known_levels(X_train, X_test)


class CatBoost(Booster):
    package = "catboost"

    def __init__(self, grow_policy):
        self.grow_policy = grow_policy

    def make_model(self, settings, frame=None):
        options = {"grow_policy": self.grow_policy}
        if self.grow_policy == "Lossguide":
            options["max_leaves"] = settings.n_leaves
        else:
            options["depth"] = int(np.ceil(np.log2(settings.n_leaves)))
        if frame is not None:
            options["cat_features"] = find_categories(frame)
        return make_catboost(
            settings.task,
            n_estimators=settings.n_rounds,
            learning_rate=settings.learning_rate,
            border_count=min(settings.max_bins - 1, 254),
            thread_count=settings.n_threads,
            **options,
        )

    def find_obstacle(self, X):
        if sparse.issparse(X) and self.grow_policy != "SymmetricTree":
            return "takes a sparse matrix for symmetric trees only"
        return None

    def prepare(self, X_train, X_test):
        return fill_missing_levels(X_train), fill_missing_levels(X_test)


OURS = "sklearnx"
# What the user guide recommends for few rows.
OURS_OF_FEW_ROWS = "sklearnx, few rows"
BOOSTERS = {
    OURS: Ours(),
    OURS_OF_FEW_ROWS: Ours(extra_trees=True, l2_regularization=3.0),
    "LightGBM": LightGBM(),
    "LightGBM quantised": LightGBM(use_quantized_grad=True),
    "XGBoost lossguide": XGBoost(),
    "CatBoost symmetric": CatBoost("SymmetricTree"),
    "CatBoost lossguide": CatBoost("Lossguide"),
    "scikit-learn": ScikitLearn(),
}
DISTRIBUTIONS = [
    "sklearnx",
    "numpy",
    "scikit-learn",
    "lightgbm",
    "xgboost-cpu",
    "xgboost",
    "catboost",
]


def is_ours(name):
    return isinstance(BOOSTERS.get(name), Ours)


def translate_settings(settings):
    """The settings as scikit-learn and we call them."""
    return {
        "max_iter": settings.n_rounds,
        "max_leaf_nodes": settings.n_leaves,
        "learning_rate": settings.learning_rate,
        "max_bins": settings.max_bins,
        "early_stopping": False,
    }


def make_hist_gradient_boosting(module, task, family="HistGradientBoosting", **options):
    """An estimator of the pair that scikit-learn and we have by the same name.

    Ours has another such pair, of the `family` "Boosting".
    """
    if task == "classification":
        return getattr(module, f"{family}Classifier")(**options)
    if task == "poisson":
        options["loss"] = "poisson"
    return getattr(module, f"{family}Regressor")(**options)


def make_lightgbm(task, **options):
    import lightgbm

    options["verbosity"] = -1
    if task == "classification":
        return lightgbm.LGBMClassifier(**options)
    if task == "poisson":
        options["objective"] = "poisson"
    return lightgbm.LGBMRegressor(**options)


def make_xgboost(task, **options):
    import xgboost

    options.update(enable_categorical=True, verbosity=0)
    if task == "classification":
        return xgboost.XGBClassifier(**options)
    if task == "poisson":
        options["objective"] = "count:poisson"
    return xgboost.XGBRegressor(**options)


def make_catboost(task, **options):
    import catboost

    options.update(allow_writing_files=False, verbose=False)
    if task == "classification":
        return catboost.CatBoostClassifier(**options)
    if task == "poisson":
        options["loss_function"] = "Poisson"
    return catboost.CatBoostRegressor(**options)


def find_boosters(prefixes):
    """Names of the boosters that begin as one of `prefixes` does, in any case.

    'all' stands for all of them, 'none' for none.
    """
    prefixes = [prefix.lower() for prefix in prefixes]
    for prefix in prefixes:
        is_known = any(name.lower().startswith(prefix) for name in BOOSTERS)
        if not is_known and prefix not in ("all", "none"):
            raise ValueError(f"{prefix!r} begins none of {', '.join(BOOSTERS)}")
    return [
        name
        for name in BOOSTERS
        if "all" in prefixes or name.lower().startswith(tuple(prefixes))
    ]


def find_installed(names):
    """The boosters that can run; a note for each that cannot."""
    installed = {}
    for name in names:
        if BOOSTERS[name].is_installed():
            installed[name] = BOOSTERS[name]
        else:
            print(f"{name}: not installed, skipped")
    return installed


def find_categories(frame):
    if not isinstance(frame, pd.DataFrame):
        return []
    return [
        name for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype)
    ]


def group_rare_levels(X_train, *others):
    """Put the levels of `X_train` beyond the most frequent ones into one."""
    frames = [X_train, *others]
    if not find_categories(X_train):
        return tuple(frames)
    frames = [frame.copy() for frame in frames]
    for name in find_categories(X_train):
        counts = X_train[name].value_counts()
        rare = counts.index[MAX_LEVELS:]
        if np.count_nonzero(counts) > MAX_LEVELS + 1:
            for frame in frames:
                levels = frame[name].astype(object)
                frame[name] = levels.where(~levels.isin(rare), "other levels").astype(
                    "category"
                )
    return tuple(frames)


def keep_known_levels(X_train, X_test):
    """`X_test` with the categories of `X_train`; other levels become missing."""
    if not find_categories(X_train):
        return X_test
    X_test = X_test.copy()
    for name in find_categories(X_train):
        X_test[name] = X_test[name].cat.set_categories(X_train[name].cat.categories)
    return X_test


def fill_missing_levels(frame):
    """CatBoost takes no missing value in a column of categories."""
    if not find_categories(frame):
        return frame
    frame = frame.copy()
    for name in find_categories(frame):
        frame[name] = frame[name].astype(object).fillna("missing").astype(str)
        frame[name] = frame[name].astype("category")
    return frame
