"""The text that the classifier and the regressor share, written once."""

import re
from textwrap import dedent, fill, indent

_SUMMARY = """
Gradient boosting of histogram trees for {task}.

Features are cut into at most `max_bins` bins, trees grow leaf by leaf, the one
with the largest gain first [1]_, [2]_, or level by level. Missing values go to the side
of a split that suits them;
categories, from strings or a frame's category columns, are split by value without an
encoder, however many there are.

Gradients are summed as integers, so that a model has the same bits whatever the number
of threads [3]_. The class is a subclass of scikit-learn's of the same name, with its
parameters, attributes and messages; `n_jobs` and the parameters after it{own} and the
keywords of `fit` and `predict` that scikit-learn does not have are additions.
"""

_PARAMETERS = """
learning_rate : float or 'auto', default=0.1
    Factor of the values of leaves, above 0. 'auto' is 0.05 with early stopping, else
    ``min({sum_of_rates} / max_iter, 0.3)``; a warm start goes on with the rate of the
    first fit.
max_iter : int, default=100
    Largest number of iterations{trees_per_iteration}.
max_leaf_nodes : int, 'auto' or None, default=31
    Largest number of leaves of a tree, at least 2. None means no limit. 'auto' is a
    quarter of the root of the number of training rows, from 4 to 128: 8 for 1,000 rows,
    32 for 16,000, 79 for 100,000. Where all weights are whole numbers, a row counts as
    many times. A warm start goes on with the limit of the first fit.
max_depth : int or None, default=None
    Largest number of edges from the root to a leaf. None means no limit.
min_samples_leaf : int, default=20
    Smallest number of training rows in a leaf. Lower it for a few hundred rows.
l2_regularization : float, default=0
    Added to the sum of hessians of a node, which shrinks its value.
max_features : float, default=1.0
    Share of the features, drawn at random for each node, that its split is sought on;
    of those drawn for the tree if `colsample_bytree` is below 1.
max_bins : int, default=255
    Largest number of bins of a numeric feature, from 2 to 65,535, besides the one for
    missing values. Features with more than 255 bins take 16 bits a value, and longer.
    Levels of a categorical feature are not limited.
categorical_features : 'from_dtype', array-like of bool, int or str, or None, \
        default='from_dtype'
    Which features are categorical.

    - 'from_dtype': columns of a frame (pandas, polars, pyarrow) that hold categories or
      strings.
    - bool array-like of shape (n_features,): a mask.
    - int array-like: positions.
    - str array-like: names.
    - None: none.

    In columns of numbers, negative values and NaN are missing. Levels are told apart by
    value, so that a frame whose dtype lists them in another order is read right.
monotonic_cst : array-like of int of shape (n_features,) or dict, default=None
    1 keeps predictions from decreasing with a feature, -1 from increasing, 0 leaves
    them free. A
    dictionary names features. Not for categorical features, several classes or a target
    of several columns.
interaction_cst : {{'pairwise', 'no_interactions'}} or sequence of lists, tuples or \
        sets of int, default=None
    Groups of features that may meet on the path to a leaf; features in no group form
    one more.
warm_start : bool, default=False
    Whether `fit` goes on from the previous one's model, for the same data.
early_stopping : 'auto' or bool, default='auto'
    Whether to stop when scores get no better. 'auto' means yes for more than 10,000
    rows, or if validation rows are passed to `fit`.
scoring : str, callable or None, default='loss'
    What early stopping looks at: 'loss', a scorer or its name, or None for the score
    of the estimator.
validation_fraction : float, int, splitter or None, default=0.1
    The rows set aside for early stopping: a share or a number, drawn at random (in
    classification with the shares of the classes kept), or the test rows of the last
    split of a cross-validation splitter, such as `TimeSeriesSplit` or
    `GroupShuffleSplit`. None means to look at the training rows.
n_iter_no_change : int, default=10
    Stop when none of that many last scores is better than the one before them.
tol : float, default=1e-7
    By how much a score must rise to be better.
verbose : int, default=0
    1 logs the time of each stage, 2 each iteration too, at level INFO of the logger
    'sklearnx'; to standard output if no logging is set up.
random_state : int, RandomState instance or None, default=None
    Seed of the rows that quantiles of more than 200,000 are taken from, of the
    validation rows, of the 10,000 training rows that a scorer sees, and of all rows,
    features, rounds and thresholds that are drawn while trees grow.
{own_parameters}n_jobs : int or None, default=None
    Number of threads in fit and predict. None and -1 mean all cores that the process
    may use (by affinity, cgroup quota, OMP_NUM_THREADS and threadpoolctl), -2 all but
    one.
    The number does not change a bit of the model.
handle_unknown : {{'missing', 'error'}}, default='missing'
    What a level is that fit did not see: a missing value, or an error.
eval_metrics : list of str or callable, default=None
    Scorers, or names of scorers, kept in `evals_result_` besides the loss.
l1_regularization : float, default=0.0
    Taken from the absolute sum G of the gradients of a node, which then counts as
    ``sign(G) * max(abs(G) - l1_regularization, 0)`` in values and gains; LightGBM's
    `lambda_l1` [2]_.
min_split_gain : float, default=0.0
    A split must gain more. The gain is ``G_l**2 / (H_l + l2) + G_r**2 / (H_r + l2) -
    G**2 / (H + l2)`` of the sums of gradients G and hessians H, as LightGBM's
    `min_gain_to_split` and XGBoost's `gamma` have it: without the factor 1/2 of the
    papers.
min_child_weight : float, default=1e-3
    Smallest sum of hessians, weights included, of each child of a split; 0 means any
    above 0. For squared error a row of weight 1 counts 1, for log loss p * (1 - p).
    LightGBM's `min_sum_hessian_in_leaf`.
max_delta_step : float, default=0.0
    Largest absolute value of a leaf before `learning_rate`; 0 means no limit, with more
    than two classes one of 20, which only steps that diverge reach. About 0.7 keeps
    'poisson' and 'gamma' from diverging where targets spread over many decades. Like
    `l1_regularization` and `path_smoothing`, not for the leaves of 'absolute_error',
    'huber' and 'quantile', whose values come from their rows.
path_smoothing : float, default=0.0
    Draws the value v of a node of n rows, one of an integer weight counted so many
    times, to the value p of its parent: ``p + (v - p) * n / (n + path_smoothing)``;
    LightGBM's `path_smooth`.
extra_trees : bool, default=False
    Whether each node looks at one random split of each feature, instead of the best
    [8]_. Thresholds are drawn uniformly from the bins between the node's smallest and
    largest; of a category, a cut of its levels in the order of their gradients.
subsample : float, default=1.0
    Share of the training rows that an iteration's trees are grown on, above 0 and up to
    1, drawn anew for each iteration. `min_samples_leaf` counts the rows drawn.
sampling : {{'uniform', 'goss', 'mvs'}}, default='uniform'
    How rows are drawn if `subsample` is below 1.

    - 'uniform': all alike, without replacement [4]_.
    - 'goss': two thirds of them are the rows with the largest gradients, one third is
      drawn from the others and given more weight (gradient-based one-side sampling
      [2]_, algorithm 2).
    - 'mvs': with a probability that grows with the row's gradient and hessian, and the
      inverse probability as weight (minimal variance sampling [5]_). The share is kept
      on average.
colsample_bytree : float, default=1.0
    Share of the features, drawn at random for each tree, above 0 and up to 1.
feature_weights : array-like of shape (n_features,) or dict, default=None
    How likely a feature is to be drawn for a tree or a node, relative to the others; 0
    means never. Of no effect unless `colsample_bytree` or `max_features` is below 1. A
    dictionary names features, those not in it have the weight 1. Drawn without
    replacement [6]_.
boosting : {{'plain', 'ordered', 'dart', 'random_forest'}}, default='plain'
    How trees make a model.

    - 'plain': each corrects the sum of all those before it [1]_.
    - 'ordered': each corrects what models with the same trees say of rows that they
      have not seen: a row is given values of leaves found by rows before it in a random
      order, of which there are four in turn [10]_. The leaves of the model have the
      values of all rows. For small data that plain boosting overfits; a round takes
      two to four times as long. Not with `linear_leaves`, `path_smoothing` or a loss of
      one's own. With `warm_start` the models begin anew at the predictions of the
      previous fit, so that a fit in parts differs from one at once.
    - 'dart': each corrects the sum of some of those before it, see `drop_rate`; the
      new tree gets the factor ``learning_rate / (k + 1)`` and the k iterations left out
      get ``k / (k + 1)`` [7]_. The values of earlier trees thus change to the end:
      early stopping keeps all iterations, `n_iter` of `predict` and staged predictions
      have the final values.
    - 'random_forest': each is fitted to the gradients before the first tree, and the
      model is their average, without `learning_rate`. Needs `subsample`,
      `colsample_bytree` or `max_features` below 1.
drop_rate : float, default=0.1
    Of 'dart', the probability of an earlier iteration to be left out.
skip_drop : float, default=0.5
    Of 'dart', the probability of an iteration to leave none of them out.
max_drop : int or None, default=50
    Of 'dart', the largest number of iterations left out. None means no limit.
linear_leaves : bool, default=False
    Whether leaves have linear models, of the numeric features that their paths were
    split on, in place of constants [11]_; LightGBM's `linear_tree`. Splits are chosen
    as for constants. Rows that lack a value of one of the features (NaN or infinite)
    have the leaf's constant; a leaf with less than `min_samples_leaf` other rows has
    nothing else. Not for 'absolute_error', 'huber' and 'quantile', nor with
    `monotonic_cst` or a target of several columns.
linear_l2_regularization : float, default=0.0
    Of linear leaves, added to the sum of ``hessian * x**2`` of each of their features,
    less its mean, which shrinks coefficients; it depends on the unit of the feature.
    LightGBM's `linear_lambda`.
snapshot : str, os.PathLike or None, default=None
    Path of a file that `fit` writes the rounds so far to, and goes on from if it is
    there: a fit that was killed ends with the same bits as if it had not been. A file
    of other data or parameters is refused with an error. After a fit that ends, the
    file stays, so that the same fit returns the same model at once, and one with a
    larger `max_iter` adds rounds.
snapshot_interval : int, default=10
    Number of rounds from one writing of `snapshot` to the next; the last round is
    always written.
grow_policy : {{'leafwise', 'depthwise', 'symmetric'}}, default='leafwise'
    Which node of a tree is split next.

    - 'leafwise': the one with the largest gain [2]_.
    - 'depthwise': those of the highest level, as in XGBoost [9]_. If more of them can
      be split than `max_leaf_nodes` allows, those with the largest gains are.
    - 'symmetric': all nodes of a level by the same split, the one with the largest sum
      of gains, as in CatBoost [10]_. A node to which it brings nothing or whose
      children would be too small is not split by it, and takes part in the next level.
      There are at most `max_depth` levels and ``floor(log2(max_leaf_nodes))``: 4 by
      default, 6 with ``max_leaf_nodes=64``. With `max_features` below 1, features are
      drawn for each level, and with `extra_trees` the random splits are.
restore_best : bool, default=False
    Whether the model ends with the iteration that early stopping scored best, see
    `best_iteration_`; those after it, `n_iter_no_change` or more, are cut off. Not for
    'dart', whose later iterations change the trees of those before them. Without early
    stopping nothing is cut.
categorical_encoding : {{'auto', 'partition', 'ordered_target', 'onehot'}} or dict, \
        default='partition'
    What trees split a categorical feature by. A dictionary has the encodings of some
    features by name (by position, if features have no names); others are 'auto'.

    - 'partition': any set of levels goes to the left, found by sorting the levels by
      their gradients. What this gains by chance is taken off.
    - 'ordered_target': means of the target by level and the number of its rows, each
      a number that is split as others are; of pairs of such features as well. In
      training a row has the mean of the rows before it in a random order, so that it
      does not know its own target; rows to be predicted have the mean over all training
      rows [10]_. Of more than 16 such numbers each tree is offered three tenths, but
      at least 16, drawn at random.
    - 'onehot': one level goes to the left, all others to the right.
    - 'auto': 'ordered_target' for features with fewer than 16 training rows for a
      level; if there are any, also for others of whose means less than two thirds of
      what they explain in the rows that they are taken of holds for other rows; else
      'partition'.
"""

_ATTRIBUTES = """
{own_attributes}do_early_stopping_ : bool
    Whether early stopping was used.
learning_rate_ : float
    The factor that was used.
max_leaf_nodes_ : int or None
    The limit that was used.
n_iter_ : int
    Number of iterations.
n_trees_per_iteration_ : int
    Number of trees of an iteration{trees_attribute}.
best_iteration_ : int
    Number of iterations with the best score of the validation rows, or of the training
    rows where there are no others; the fewest of several. 0 where no tree made it
    better; `n_iter_` without early stopping. For `n_iter` of `predict`.
train_score_ : ndarray of shape (`n_iter_ + 1`,)
    Scores of the training rows, the first before any tree, larger is better; empty
    without early stopping. Of other scores than the loss, at most 10,000 rows are used.
    Of iterations that `restore_best` has cut off the scores are kept.
validation_score_ : ndarray of shape (`n_iter_ + 1`,)
    The same of the validation rows.
evals_result_ : dict of dicts of ndarrays
    ``evals_result_[name][metric]`` has the history of a set passed as `eval_sets` and,
    given `eval_metrics`, of the rows set aside as 'validation', the first value before
    any tree. The loss is positive, the smaller the better.
feature_importances_ : ndarray of shape (`n_features_in_`,)
    Total gain of the splits on each feature, scaled to sum to 1.
feature_split_counts_ : ndarray of shape (`n_features_in_`,)
    Number of splits on each feature.
is_categorical_ : ndarray of shape (`n_features_in_`,) or None
    Mask of the categorical features, None if there are none.
n_features_in_ : int
    Number of features.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the features, if all are strings.
"""

_SEE_ALSO = """
sklearnx.inspection.tree_table : A tree as a table.
sklearnx.inspection.plot_tree : A tree as a picture.
"""

_REFERENCES = """
.. [1] Friedman, "Greedy function approximation: a gradient boosting machine", Annals of
   Statistics 29 (2001).
.. [2] Ke et al., "LightGBM: a highly efficient gradient boosting decision tree",
   NeurIPS (2017).
.. [3] Shi et al., "Quantized training of gradient boosting decision trees", NeurIPS
   (2022).
.. [4] Friedman, "Stochastic gradient boosting", Computational Statistics and Data
   Analysis 38 (2002).
.. [5] Ibragimov and Gusev, "Minimal variance sampling in stochastic gradient boosting",
   NeurIPS (2019).
.. [6] Efraimidis and Spirakis, "Weighted random sampling with a reservoir", Information
   Processing Letters 97 (2006).
.. [7] Rashmi and Gilad-Bachrach, "DART: dropouts meet multiple additive regression
   trees", AISTATS (2015).
.. [8] Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine Learning 63
   (2006).
.. [9] Chen and Guestrin, "XGBoost: a scalable tree boosting system", KDD (2016).
.. [10] Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features",
   NeurIPS (2018).
.. [11] Shi, Li and Li, "Gradient boosting with piece-wise linear regression trees",
   IJCAI (2019).
{own_references}"""

_TEXTS = {
    "HistGradientBoostingRegressor": {
        "task": "regression",
        "own": ", `power`, the losses 'huber' and 'tweedie'",
        "trees_per_iteration": ", which is the number of trees",
        "sum_of_rates": "10",
        "trees_attribute": ": 1",
        "loss": """
loss : {'squared_error', 'absolute_error', 'huber', 'quantile', 'poisson', 'gamma', \
        'tweedie'} or object, default='squared_error'
    Loss to minimise, halved where it is a square or a deviance. 'poisson', 'gamma' and
    'tweedie' predict through a log link and need targets that are not negative
    (positive for 'gamma'). An object is a loss of your own, with the methods
    ``gradient(y_true, raw_prediction)`` and ``hessian(y_true, raw_prediction)``, and
    maybe `link`, `loss` and `compute_init_score`; see the page on adding a loss.
quantile : float or None, default=None
    Of 'quantile', which needs it, the level between 0 and 1. Of 'huber', the quantile
    of the absolute residuals beyond which they count linearly, found anew each
    iteration (default 0.9).
""",
        "own_parameters": """\
power : float, default=1.5
    Of 'tweedie', the power of the mean that the variance is proportional to, above 1
    and below 2.
""",
        "own_attributes": """\
n_outputs_ : int
    Number of columns of the target. With more than one, the leaves of a tree hold a
    vector, one value a column, and the gain of a split is the sum of the columns'
    [12]_; each column has the same loss, and the mean over the columns is the loss of
    scores. A target of shape (n_samples, 1) is read as scikit-learn does, as of shape
    (n_samples,).
""",
        "own_references": """\
.. [12] Zhang and Jung, "GBDT-MO: gradient-boosted decision trees for multiple outputs",
   IEEE Transactions on Neural Networks and Learning Systems 32 (2021).
""",
        "examples": """
>>> from sklearn.datasets import load_diabetes
>>> from sklearnx.ensemble import HistGradientBoostingRegressor
>>> X, y = load_diabetes(return_X_y=True)
>>> model = HistGradientBoostingRegressor().fit(X, y)
>>> round(model.score(X, y), 2)
0.93
""",
    },
    "HistGradientBoostingClassifier": {
        "task": "classification",
        "own": "",
        "sum_of_rates": "5",
        "trees_per_iteration": ", of one tree for two classes, else of one a class",
        "trees_attribute": ": 1 for two classes, else one a class",
        "loss": """
loss : {'log_loss'} or object, default='log_loss'
    Loss to minimise: the logistic loss for two classes, the multinomial one for more.
    An object is a loss of your own, with the methods
    ``gradient(y_true, raw_prediction)`` and ``hessian(y_true, raw_prediction)``, and
    maybe `link`, `loss` and `compute_init_score`; see the page on adding a loss.
""",
        "own_parameters": """\
class_weight : dict, 'balanced' or None, default=None
    Weights of the classes, multiplied with `sample_weight` (not with that of
    validation rows passed to `fit`). 'balanced' means
    ``n_samples / (n_classes * np.bincount(y))``.
""",
        "own_attributes": """\
classes_ : ndarray of shape (n_classes,)
    The classes.
""",
        "own_references": "",
        "examples": """
>>> from sklearn.datasets import load_iris
>>> from sklearnx.ensemble import HistGradientBoostingClassifier
>>> X, y = load_iris(return_X_y=True)
>>> model = HistGradientBoostingClassifier().fit(X, y)
>>> model.predict(X[:2])
array([0, 0])
""",
    },
}


_PRESET_SUMMARY = """
Gradient boosting of histogram trees for {task}, with nothing to tune.

`{parent}` with other defaults: {defaults}.
They are chosen for the least loss on held-out rows, over real tables of many kinds; the
user guide tells what was measured. Set whatever you like, as there.
"""

_PRESET_EXAMPLES = {
    "BoostingRegressor": """
>>> from sklearn.datasets import load_diabetes
>>> from sklearnx.ensemble import BoostingRegressor
>>> X, y = load_diabetes(return_X_y=True)
>>> model = BoostingRegressor(random_state=0).fit(X, y)
>>> model.predict(X).shape
(442,)
""",
    "BoostingClassifier": """
>>> from sklearn.datasets import load_iris
>>> from sklearnx.ensemble import BoostingClassifier
>>> X, y = load_iris(return_X_y=True)
>>> model = BoostingClassifier(random_state=0).fit(X, y)
>>> model.predict(X[:2])
array([0, 0])
""",
}


def _section(title, text):
    return f"{title}\n{'-' * len(title)}\n{text.strip()}\n"


def document(cls):
    """Give an estimator its docstring."""
    texts = _TEXTS[cls.__name__]
    parts = [
        _SUMMARY.format(**texts).strip() + "\n",
        _section("Parameters", texts["loss"].strip() + _PARAMETERS.format(**texts)),
        _section("Attributes", _ATTRIBUTES.format(**texts)),
        _section("See Also", _SEE_ALSO),
        _section("References", _REFERENCES.format(**texts)),
        _section("Examples", texts["examples"]),
    ]
    cls.__doc__ = indent(dedent("\n".join(parts)), "    ").strip() + "\n    "
    return cls


def document_preset(cls):
    """Give an estimator with other defaults the docstring of its parent, with its own.

    Only the summary, the defaults, from how many rows on fits stop early, and the
    examples differ.
    """
    parent = cls.__base__
    defaults = {
        name: value
        for name, value in cls.__init__.__kwdefaults__.items()
        if value != parent.__init__.__kwdefaults__[name]
    }
    text = dedent("    " + parent.__doc__)
    text = text[text.index("Parameters\n") : text.index("Examples\n")]
    text = text.replace(
        f"more than {parent._max_rows_without_early_stopping:,}\n",
        f"more than {cls._max_rows_without_early_stopping:,}\n",
    )
    for name, value in defaults.items():
        # The default is at the end of the first line, which may go on in the next.
        line = re.compile(rf"^({name} :(?:.*\\\n)*.*default=).*$", re.MULTILINE)
        text, n_changed = line.subn(lambda match, v=value: f"{match[1]}{v!r}", text)
        if n_changed != 1:
            raise ValueError(f"no default of {name} in the docstring")
    listed = ", ".join(f"`{name}={value!r}`" for name, value in defaults.items())
    summary = _PRESET_SUMMARY.format(
        task=_TEXTS[parent.__name__]["task"], parent=parent.__name__, defaults=listed
    )
    paragraphs = [fill(part, 84) for part in summary.strip().split("\n\n")]
    parts = [
        "\n\n".join(paragraphs) + "\n",
        text,
        _section("Examples", _PRESET_EXAMPLES[cls.__name__]),
    ]
    cls.__doc__ = indent("\n".join(parts), "    ").strip() + "\n    "
    return cls
