"""The loop over rounds, and what a verbose fit tells about it."""

from sklearnx._boosting.timing import logger, visible_logs


def run_rounds(
    booster, model, history, snapshot, callbacks, make_attributes, *, max_iter, verbose
):
    """Boost until `max_iter`, or until scores or a callback say to stop.

    Parameters
    ----------
    booster : Booster
    model : BoostedTrees
        The model that the rounds add trees to.
    history : History
    snapshot : Snapshot
    callbacks : RoundCallbacks
    make_attributes : callable
        ``make_attributes(model)`` returns the attributes of an estimator fitted with
        `model`, for callbacks.
    max_iter : int
        Of all rounds, those of `model` included.
    verbose : int
        1 logs a summary, 2 each round.

    Returns
    -------
    model : BoostedTrees
    """
    trees = []

    def make_current():
        return make_attributes(model.extended(trees))

    with visible_logs(verbose):
        if snapshot.is_resumed:
            if verbose:
                logger.info("Going on after %d rounds of the snapshot", model.n_iter)
            if history.should_stop():
                max_iter = model.n_iter
        for iteration in range(model.n_iter, max_iter):
            round_context = callbacks.begin_round()
            round_trees = booster.boost(iteration)
            trees += round_trees
            with booster.timer.measure("scores"):
                stops = history.update(round_trees)
            if verbose >= 2:
                _log_round(f"{iteration + 1}/{max_iter}", round_trees, history)
            stops = callbacks.end_round(round_context, make_current) or stops
            if snapshot.is_due(iteration + 1, stops or iteration + 1 == max_iter):
                with booster.timer.measure("snapshots"):
                    snapshot.save(
                        model.extended(trees), history.get_scores(), booster.get_state()
                    )
            if stops:
                break
        callbacks.end(make_current)
        if verbose:
            _log_summary(trees, booster.timer)
    return model.extended(trees)


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
