"""The loop over rounds, and what a verbose fit tells about it."""

from sklearnx._boosting.timing import logger, visible_logs


def run_rounds(
    booster, history, snapshot, callbacks, make_attributes, *, max_iter, verbose
):
    """Boost until `max_iter`, or until scores or a callback say to stop.

    Parameters
    ----------
    booster : Booster
    history : History
    snapshot : Snapshot
    callbacks : RoundCallbacks
    make_attributes : callable
        ``make_attributes(model)`` returns the attributes of an estimator fitted with
        `model`, for callbacks.
    max_iter : int
        Of all rounds, those of the booster's first model included.
    verbose : int
        1 logs a summary, 2 each round.

    Returns
    -------
    model : BoostedTrees
    """

    def make_current():
        return make_attributes(booster.make_model())

    with visible_logs(verbose):
        if snapshot.is_resumed:
            if verbose:
                logger.info(
                    "Going on after %d rounds of the snapshot", booster.model.n_iter
                )
            if history.should_stop():
                max_iter = booster.model.n_iter
        for iteration in range(booster.model.n_iter, max_iter):
            round_context = callbacks.begin_round()
            booster.boost(iteration)
            with booster.timer.measure("scores"):
                stops = history.update(booster)
            if verbose >= 2:
                number = f"{iteration + 1}/{max_iter}"
                _log_round(number, booster.round_trees, history)
            stops = callbacks.end_round(round_context, make_current) or stops
            if snapshot.is_due(iteration + 1, stops or iteration + 1 == max_iter):
                with booster.timer.measure("snapshots"):
                    snapshot.save(
                        booster.make_model(), history.get_scores(), booster.get_state()
                    )
            if stops:
                break
        callbacks.end(make_current)
        if verbose:
            _log_summary(booster.trees, booster.timer)
    return booster.make_model()


def _log_round(number, trees, history):
    logger.info(
        "[%s] %d tree%s, %d leaves, max depth %d%s",
        number,
        len(trees),
        "" if len(trees) == 1 else "s",
        sum(tree.get_n_leaf_nodes() for tree in trees),
        max(tree.get_max_depth() for tree in trees),
        history.describe(),
    )


def _log_summary(trees, timer):
    logger.info(
        "Fit %d trees with %d leaves in %.3f s",
        len(trees),
        sum(tree.get_n_leaf_nodes() for tree in trees),
        sum(timer.seconds.values()),
    )
    for stage, seconds in timer.seconds.items():
        logger.info("  %-12s %8.3f s", stage, seconds)
