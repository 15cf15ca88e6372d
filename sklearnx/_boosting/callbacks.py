"""scikit-learn's callbacks (from 1.9), called at each round; nothing before 1.9."""


class RoundCallbacks:
    """Tells the callbacks set on an estimator about the rounds of its fit.

    Parameters
    ----------
    estimator : estimator instance
    max_iter : int
        Largest number of rounds still to come.
    X, y, metadata
        The training data as the user gave them.
    """

    def __init__(self, estimator, max_iter, X, y, metadata):
        self._context = None
        if not getattr(estimator, "_skl_callbacks", None) and not hasattr(
            estimator, "_parent_callback_ctx"
        ):
            return
        self._estimator = estimator
        self._data = {"X": X, "y": y, "metadata": metadata}
        self._context = estimator._init_callback_context(max_subtasks=max_iter)
        self._context.call_on_fit_task_begin(estimator=estimator, **self._data)

    def begin_round(self):
        """Return what `end_round` needs."""
        if self._context is None:
            return None
        round_context = self._context.subcontext(task_name="iteration")
        return round_context.call_on_fit_task_begin(
            estimator=self._estimator, **self._data
        )

    def end_round(self, round_context, make_attributes):
        """Return whether a callback asks to stop.

        Parameters
        ----------
        round_context
            From `begin_round`.
        make_attributes : callable
            Returns the fitted attributes of an estimator that stopped here.
        """
        if round_context is None:
            return False
        return round_context.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=make_attributes,
            **self._data,
        )

    def end(self, make_attributes):
        """Tell the callbacks that the fit is over."""
        if self._context is not None:
            self._context.call_on_fit_task_end(
                estimator=self._estimator,
                reconstruction_attributes=make_attributes,
                **self._data,
            )
