"""Rows one at a time: a RowPredictor from the parts of a fitted estimator."""

import numpy as np

from sklearnx._cython.boosting.row_predicting import LINKS, RowPredictor

# What a level that fit did not see is to trees, by the encoder's `handle_unknown`.
NO_CODE = {"missing": np.nan, "error": None}


def make_row_predictor(encoder, derived, model, names, *, link, n_answers):
    """Return a RowPredictor, None if rows cannot be read one at a time.

    Parameters
    ----------
    encoder : TableEncoder
    derived : DerivedColumns or None
    model : BoostedTrees
    names : sequence of str or None
        Of the columns.
    link : str
        Of `LINKS` of row_predicting.pyx.
    n_answers : int or None
        Of how many numbers an answer is a list; None: it is a number.
    """
    if link not in LINKS or (derived is not None and not derived.reads_rows):
        return None
    if len(encoder.truncated_) > 0:
        return None
    codes = encoder.get_codes()
    unknown = [NO_CODE.get(encoder.handle_unknown)] * len(codes)
    combinations, options = [], {}
    if derived is not None:
        combinations, options = derived.describe_rows()
        if encoder.handle_unknown == "unknown":
            # Behind the levels that are known.
            unknown = [None if levels is None else len(levels) for levels in codes]
    return RowPredictor(
        model.get_kernel_arrays(),
        model.init_score,
        len(codes) if derived is None else derived.n_columns,
        codes,
        unknown,
        None if names is None else tuple(names),
        combinations,
        link,
        n_answers,
        **options,
    )
