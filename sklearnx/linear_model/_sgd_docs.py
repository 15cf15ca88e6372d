"""The text that SGDClassifier and SGDRegressor share, written once."""

from __future__ import annotations

from textwrap import dedent, indent

_DOC = """
{summary}

Rows are taken one at a time, in a new random order in every epoch, and the coefficients
go a step against the gradient of the row's loss,

.. math::

    w \\leftarrow (1 - \\eta \\lambda_2) w - \\eta L'(y, x^T w + b) x, \\qquad
    b \\leftarrow b - \\eta L'(y, x^T w + b),

to minimise

.. math::

    \\frac1n \\sum_i L(y_i, x_i^T w + b)
    + \\frac{{\\lambda_2}}2 \\|w\\|_2^2 + \\lambda_1 \\|w\\|_1,

where :math:`\\lambda_2` is ``alpha * (1 - l1_ratio)`` and :math:`\\lambda_1` is
``alpha * l1_ratio``. Scale the features first: the rate is the same for all of them.

The class is a subclass of scikit-learn's of the same name, with its parameters,
attributes and messages. The rows come in an order of our own, so that coefficients
differ in the digits that depend on the order.

Parameters
----------
{loss}
penalty : {{'l2', 'l1', 'elasticnet'}} or None, default='l2'
    What is added to the loss: the squares of the coefficients, their absolute values,
    both, or nothing. With 'l1' and 'elasticnet' coefficients become exactly 0 [2]_.
alpha : float, default=0.0001
    Strength of the penalty, at least 0. The learning rate 'optimal' depends on it too,
    and needs it to be above 0.
l1_ratio : float or None, default=0.15
    Share of the absolute values in the penalty 'elasticnet', from 0 to 1. May be None
    with other penalties, which do not use it.
fit_intercept : bool, default=True
    Whether to fit an intercept. It learns 100 times slower on sparse data.
max_iter : int, default=1000
    Largest number of epochs of `fit`, at least 1. `partial_fit` runs one.
tol : float or None, default=1e-3
    Training ends when `n_iter_no_change` epochs in a row have not brought the mean of
    the objective (or, with `early_stopping`, the validation score) further than this
    beyond the best one. None means to run `max_iter` epochs.
shuffle : bool, default=True
    Whether each epoch takes the rows in a new random order.
verbose : int, default=0
    Above 0, each epoch prints a report.
epsilon : float, default=0.1
    For 'huber', the error from which on the loss is linear; for the
    epsilon-insensitive losses, the error up to which it is 0. At least 0.
{n_jobs}random_state : int, RandomState instance or None, default=None
    Draws the order of rows and the validation rows. An int makes results repeatable.
learning_rate : str, default='{learning_rate}'
    The rate :math:`\\eta` of update t, which counts from 1:

    - 'constant': `eta0`.
    - 'optimal': ``1 / (alpha * (t0 + t - 1))``, with ``t0`` such that it begins with
      ``alpha ** -0.25`` [1]_.
    - 'invscaling': ``eta0 / t ** power_t``.
    - 'adaptive': `eta0`, divided by 5 instead of stopping, until it is below 1e-6.
    - 'pa1' and 'pa2': passive-aggressive, only for the loss '{pa_loss}'. The step is
      ``min(eta0, loss / ||x||**2)``, or ``loss / (||x||**2 + 1 / (2 * eta0))`` [3]_.
eta0 : float, default=0.01
    The rate that 'constant', 'invscaling' and 'adaptive' begin with, and the
    aggressiveness of 'pa1' and 'pa2'. Above 0.
power_t : float, default={power_t}
    Exponent of 'invscaling', at least 0.

    .. deprecated:: 1.8
        Values below 0 will raise an error in scikit-learn 1.10.
early_stopping : bool, default=False
    Whether to hold back some rows and to stop by the score on them ({score}).
validation_fraction : float, default=0.1
    Share of the rows that `early_stopping` holds back, between 0 and 1.
n_iter_no_change : int, default=5
    Number of epochs without improvement after which to stop, at least 1.
{class_weight}warm_start : bool, default=False
    Whether `fit` begins with the coefficients of the last fit.
average : bool or int, default=False
    Whether `coef_` is the mean of the coefficients after all updates [4]_. An int is
    the update from which on to average.

Attributes
----------
{attributes}
n_iter_ : int
    Number of epochs of the last fit{n_iter}.
t_ : float
    1 plus the number of rows seen, in all epochs.
n_features_in_ : int
    Number of features.
feature_names_in_ : ndarray of shape (n_features,)
    Names of the features, where `X` had some that are all strings.

See Also
--------
{see_also}

Notes
-----
What a coefficient still owes of an l1 penalty when training ends, because no row with
its feature came any more, is taken off then, also at the end of each `partial_fit`.

Sums are float64 also where the data are float32; `coef_` has the dtype of the data.
Dense rows are read where they are, whatever the distance between them; only arrays in
Fortran order are copied.

References
----------
.. [1] L. Bottou, "Stochastic gradient descent tricks", Neural Networks: Tricks of the
   Trade, 2012.
.. [2] Y. Tsuruoka, J. Tsujii, S. Ananiadou, "Stochastic gradient descent training for
   L1-regularized log-linear models with cumulative penalty", ACL 2009, section 3.
.. [3] K. Crammer, O. Dekel, J. Keshet, S. Shalev-Shwartz, Y. Singer, "Online
   passive-aggressive algorithms", JMLR 7, 2006, equation 7.
.. [4] B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by
   averaging", SIAM Journal on Control and Optimization 30, 1992.

Examples
--------
{example}
"""

SQUARED_LOSSES = """\
    - 'squared_error': half the square of the error.
    - 'huber': the same up to an error of `epsilon`, linear beyond.
    - 'epsilon_insensitive': what the error exceeds `epsilon` by.
    - 'squared_epsilon_insensitive': the square of that."""


def describe_descent(**parts):
    return indent(dedent(_DOC.format(**parts)), "    ").strip() + "\n    "
