"""The learning rate and the size of trees of those who set none."""

import math

AUTO = "auto"

# Where scores say when to stop, a smaller rate costs time and no more; half of it is
# hardly better.
RATE_OF_EARLY_STOPPING = 0.05
# Rates of all rounds together: 100 rounds at 0.1, as scikit-learn's defaults have it.
# Probabilities learned from a few hundred rows are too sure of themselves by then.
SUM_OF_RATES = 10.0
SUM_OF_RATES_OF_CLASSIFIER = 5.0
LARGEST_RATE = 0.3

# The root of the number of rows is divided by this: 8 leaves for 1,000 rows, 32 for
# 16,000, 79 for 100,000.
ROOT_OF_ROWS_PER_LEAF = 4
FEWEST_LEAVES, MOST_LEAVES = 4, 128


def choose_learning_rate(max_iter, stops_early, is_classifier):
    """Return the rate that 'auto' stands for.

    Parameters
    ----------
    max_iter : int
    stops_early : bool
    is_classifier : bool
    """
    if stops_early:
        return RATE_OF_EARLY_STOPPING
    sum_of_rates = SUM_OF_RATES_OF_CLASSIFIER if is_classifier else SUM_OF_RATES
    return min(sum_of_rates / max_iter, LARGEST_RATE)


def choose_max_leaf_nodes(n_rows):
    """Return the number of leaves that 'auto' stands for.

    Parameters
    ----------
    n_rows : int or float
        That trees are trained on, see `Rows.count`.
    """
    n_leaves = math.sqrt(n_rows) / ROOT_OF_ROWS_PER_LEAF
    return round(min(max(n_leaves, FEWEST_LEAVES), MOST_LEAVES))
