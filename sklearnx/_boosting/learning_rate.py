"""The learning rate of those who set none."""

AUTO = "auto"

# Where scores say when to stop, a smaller rate costs time and no more; half of it is
# hardly better.
RATE_OF_EARLY_STOPPING = 0.05
# Rates of all rounds together: 100 rounds at 0.1, as scikit-learn's defaults have it.
SUM_OF_RATES = 10.0
LARGEST_RATE = 0.3


def choose_learning_rate(max_iter, stops_early):
    """Return the rate that 'auto' stands for.

    Parameters
    ----------
    max_iter : int
    stops_early : bool
    """
    if stops_early:
        return RATE_OF_EARLY_STOPPING
    return min(SUM_OF_RATES / max_iter, LARGEST_RATE)
