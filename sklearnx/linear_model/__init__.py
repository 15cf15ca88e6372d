"""Linear models, with scikit-learn's names and solvers of our own."""

from sklearnx.linear_model._concave import MCPRegression, SCADRegression
from sklearnx.linear_model._coordinate_descent import ElasticNet, Lasso
from sklearnx.linear_model._coordinate_descent_cv import (
    ElasticNetCV,
    LassoCV,
    MultiTaskElasticNetCV,
    MultiTaskLassoCV,
)
from sklearnx.linear_model._coordinate_descent_multi_task import (
    MultiTaskElasticNet,
    MultiTaskLasso,
)
from sklearnx.linear_model._coordinate_descent_paths import enet_path, lasso_path
from sklearnx.linear_model._glm import (
    GammaRegressor,
    PoissonRegressor,
    TweedieRegressor,
)
from sklearnx.linear_model._group_lasso import (
    GroupLasso,
    GroupLassoCV,
    group_lasso_path,
)
from sklearnx.linear_model._huber import HuberRegressor
from sklearnx.linear_model._inference import Inference, infer
from sklearnx.linear_model._linear_regression import LinearRegression
from sklearnx.linear_model._logistic import LogisticRegression
from sklearnx.linear_model._logistic_cv import LogisticRegressionCV
from sklearnx.linear_model._quantile import QuantileRegressor
from sklearnx.linear_model._ridge import Ridge, RidgeClassifier
from sklearnx.linear_model._ridge_cv import RidgeClassifierCV, RidgeCV
from sklearnx.linear_model._sgd import SGDClassifier, SGDRegressor

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "GammaRegressor",
    "GroupLasso",
    "GroupLassoCV",
    "HuberRegressor",
    "Inference",
    "Lasso",
    "LassoCV",
    "LinearRegression",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MCPRegression",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "PoissonRegressor",
    "QuantileRegressor",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "SCADRegression",
    "SGDClassifier",
    "SGDRegressor",
    "TweedieRegressor",
    "enet_path",
    "group_lasso_path",
    "infer",
    "lasso_path",
]
