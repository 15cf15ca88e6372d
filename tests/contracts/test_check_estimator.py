"""scikit-learn's own checks, with the defaults and on settings for small data."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from tests.contracts.estimators import CASES

# A row drawn at random can be drawn twice or not at all, whatever its weight.
WEIGHT_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data": "rows are drawn at random",
    "check_sample_weight_equivalence_on_sparse_data": "rows are drawn at random",
}


def find_expected_failures(estimator):
    (case,) = (case for case in CASES if case.estimator_class is type(estimator))
    draws_rows = case.draws_rows(estimator.get_params())
    return {**case.expected_failures, **(WEIGHT_CHECKS if draws_rows else {})}


@parametrize_with_checks(
    [
        estimator
        for case in CASES
        for estimator in (
            case.estimator_class(),
            case.make_estimator(),
            *(case.make_estimator(**case.variants[name]) for name in case.checked),
        )
    ],
    expected_failed_checks=find_expected_failures,
)
def test_check_estimator(estimator, check):
    check(estimator)
