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
    settings = estimator.get_params()
    is_default = settings == case.estimator_class().get_params()
    return {
        **case.expected_failures,
        **(case.failures_of_defaults if is_default else {}),
        **(WEIGHT_CHECKS if case.draws_rows(settings) else {}),
    }


@parametrize_with_checks(
    [estimator for case in CASES for estimator in case.checked_estimators],
    expected_failed_checks=find_expected_failures,
)
def test_check_estimator(estimator, check):
    check(estimator)
