"""Run scikit-learn's own tests of a module with our classes in place of its own.

::

    python -m tests.sklearn_suite sklearn.ensemble._hist_gradient_boosting
    python -m tests.sklearn_suite sklearn.ensemble._hist_gradient_boosting -k warm_start
    python -m tests.sklearn_suite sklearn.linear_model
    python -m tests.sklearn_suite sklearn.linear_model.ridge
    python -m tests.sklearn_suite sklearn.cluster sklearn.mixture
    python -m tests.sklearn_suite --list

Each module's tests run twice, in processes of their own: plain, which says what
passes on this machine, and with ours. A test that passes plain has to pass with ours
as well, unless it is listed in ``DIFFERENCES``, the reviewed list of tests that differ
on purpose, each with its reason. The command fails when a test outside that list
fails, when a listed one passes (its entry is stale) and when the list covers more of
what passes plain than the package allows. A package's name stands for all its modules.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import sklearn

import sklearnx.cluster
import sklearnx.linear_model
import sklearnx.mixture

ROOT = Path(__file__).resolve().parent.parent
SKLEARN_DIR = Path(sklearn.__file__).parent
# Package -> the share of what passes plain that may be listed.
MAX_LISTED_SHARES = {
    "sklearn.cluster": 0.01,
    "sklearn.ensemble": 0.08,
    "sklearn.inspection": 0.08,
    "sklearn.linear_model": 0.01,
    # One test of sixty; with those of sklearn.cluster, less than one of a hundred.
    "sklearn.mixture": 0.02,
}

_HIST_GRADIENT_BOOSTING = {
    f"sklearn.ensemble.{name}": f"sklearnx.ensemble.{name}"
    for name in ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
}


def _find_replaced(ours, theirs):
    """Dotted names of all that both packages export: scikit-learn's -> ours."""
    return {
        f"{theirs.__name__}.{name}": f"{ours.__name__}.{name}"
        for name in ours.__all__
        if hasattr(theirs, name)
    }


_LINEAR_MODELS = _find_replaced(sklearnx.linear_model, sklearn.linear_model)
_CLUSTERERS = _find_replaced(sklearnx.cluster, sklearn.cluster)
_MIXTURES = _find_replaced(sklearnx.mixture, sklearn.mixture)


@dataclass(frozen=True)
class TestModule:
    """Test files of scikit-learn that are run together.

    Attributes
    ----------
    package : str
        Of scikit-learn; its folder ``tests`` holds the files.
    files : tuple of str
        Those that use our classes, without ``.py``.
    replaced : dict of str by str
        Dotted name of scikit-learn's class or function -> dotted name of ours.
    """

    package: str
    files: tuple
    replaced: dict


MODULES = {
    "sklearn.ensemble._hist_gradient_boosting": TestModule(
        "sklearn.ensemble._hist_gradient_boosting",
        ("test_gradient_boosting", "test_monotonic_constraints", "test_warm_start"),
        _HIST_GRADIENT_BOOSTING,
    ),
    "sklearn.inspection": TestModule(
        "sklearn.inspection", ("test_partial_dependence",), _HIST_GRADIENT_BOOSTING
    ),
    **{
        f"sklearn.linear_model.{name}": TestModule(
            "sklearn.linear_model", (f"test_{name}",), _LINEAR_MODELS
        )
        for name in (
            *("base", "common", "coordinate_descent", "huber", "logistic", "quantile"),
            *("ridge", "sgd", "sparse_coordinate_descent"),
        )
    },
    "sklearn.linear_model.glm": TestModule(
        "sklearn.linear_model._glm", ("test_glm",), _LINEAR_MODELS
    ),
    **{
        f"sklearn.cluster.{name}": TestModule(
            "sklearn.cluster", (f"test_{name}",), _CLUSTERERS
        )
        for name in (
            *("bisect_k_means", "dbscan", "feature_agglomeration", "hdbscan"),
            *("hierarchical", "k_means", "mean_shift", "optics"),
        )
    },
    "sklearn.mixture.gaussian_mixture": TestModule(
        "sklearn.mixture",
        ("test_gaussian_mixture", "test_mixture"),
        _CLUSTERERS | _MIXTURES,
    ),
}


@dataclass(frozen=True)
class Difference:
    """A test that fails with ours on purpose.

    Attributes
    ----------
    test : str
        ``file.py::test``, all parameters of it, or ``file.py::test[parameters]``.
    reason : str
    before : tuple of int
        The first version of scikit-learn whose test agrees with ours, if any.
    """

    test: str
    reason: str
    before: tuple = (sys.maxsize,)


_BOOSTING_TESTS = "test_gradient_boosting.py::"
_ANY_CARDINALITY = "expects an error above `max_bins` levels; ours takes any number"
_DESCENT_TESTS = "test_coordinate_descent.py::"
_LOGISTIC_TESTS = "test_logistic.py::"
_MIXTURE_TESTS = "test_gaussian_mixture.py::"
_X_AS_IT_WAS = "wants X written over with copy_X=False; ours leaves X as it is"

DIFFERENCES = {
    "sklearn.ensemble._hist_gradient_boosting": [
        Difference(
            _BOOSTING_TESTS + "test_early_stopping_with_sample_weights",
            "replaces `check_scoring` inside scikit-learn's private module",
        ),
        Difference(
            _BOOSTING_TESTS + "test_raw_predict_is_called_with_custom_scorer",
            "counts the calls of the private method `_raw_predict`",
        ),
        Difference(
            _BOOSTING_TESTS + "test_categorical_encoding_strategies",
            "reads the private bit sets of scikit-learn's first tree",
        ),
        Difference(
            _BOOSTING_TESTS + "test_categorical_bad_encoding_errors", _ANY_CARDINALITY
        ),
        Difference(
            _BOOSTING_TESTS + "test_dataframe_categorical_errors", _ANY_CARDINALITY
        ),
        Difference(
            _BOOSTING_TESTS + "test_dataframe_categorical_results_same_as_ndarray",
            "reads `_preprocessor`, the private ColumnTransformer of scikit-learn",
        ),
        Difference(
            _BOOSTING_TESTS + "test_categorical_spec_errors_with_feature_names",
            "expects the slip 'a item' in a message that ours has from 1.9",
            before=(1, 8),
        ),
        Difference(
            _BOOSTING_TESTS + "test_interaction_cst_numerically",
            "its 1000 rows do with the bins of that version, not with those of 1.9 and "
            "ours; 1.9 takes 2000",
            before=(1, 9),
        ),
    ],
    "sklearn.linear_model.base": [
        Difference(
            f"test_base.py::test_inplace_data_preprocessing[42-{has_weights}-None]",
            _X_AS_IT_WAS,
        )
        for has_weights in (True, False)
    ],
    "sklearn.linear_model.coordinate_descent": [
        Difference(
            _DESCENT_TESTS + "test_enet_copy_X_False_check_input_False", _X_AS_IT_WAS
        ),
        Difference(
            _DESCENT_TESTS + "test_check_input_false",
            "expects an error for X by row with check_input=False; ours takes it",
        ),
        Difference(
            _DESCENT_TESTS + "test_lasso_dual_gap",
            "compares to 7 digits a gap that is but rounding where ours ends",
        ),
        Difference(
            _DESCENT_TESTS + "test_lassoCV_does_not_set_precompute",
            "replaces `Lasso` inside scikit-learn's private module",
        ),
    ],
    "sklearn.linear_model.logistic": [
        Difference(
            _LOGISTIC_TESTS + "test_liblinear_dual_random_state[42]",
            "expects the seed to show in the coefficients; ours are the optimum's",
        ),
        Difference(
            _LOGISTIC_TESTS + "test_logistic_cv_multinomial_score",
            "passes all parameters, also those we add, to a private function",
        ),
        Difference(
            _LOGISTIC_TESTS + "test_newton_cholesky_fallback_to_lbfgs",
            "expects Newton to give way to lbfgs, and counts the iterations of that",
        ),
    ],
    "sklearn.linear_model.sgd": [
        Difference(
            "test_sgd.py::test_validation_mask_correctly_subsets",
            "replaces `_ValidationScoreCallback` inside scikit-learn's private module",
        ),
    ],
    "sklearn.mixture.gaussian_mixture": [
        Difference(
            _MIXTURE_TESTS
            + "test_gaussian_mixture_all_init_does_not_estimate_gaussian_parameters",
            "counts the calls of a function that it replaces in scikit-learn's private "
            "module",
        ),
    ],
}


@dataclass(frozen=True)
class Comparison:
    """The outcomes of one module's tests, sorted into what they mean."""

    module: str
    passed_plain: list
    passed_ours: list
    listed: dict
    unexpected: list
    stale: list


def find_test_files(module):
    """Paths of a module's test files, as installed with scikit-learn."""
    spec = importlib.util.find_spec(MODULES[module].package)
    folder = Path(spec.submodule_search_locations[0]) / "tests"
    paths = [folder / f"{name}.py" for name in MODULES[module].files]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise SystemExit(f"scikit-learn is installed without its tests: {missing}")
    return paths


def run_tests(module, replaced, keyword=None):
    """Run one module's tests in a new process.

    Returns
    -------
    outcomes : dict
        Test id (``file.py::test[parameters]``) -> outcome.
    output : str
        What pytest printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        outcomes_path = Path(folder) / "outcomes.json"
        # The tests see neither our pytest settings nor our conftest files.
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-rf"]
        command += ["-c", os.devnull, "-p", "no:cacheprovider"]
        command += ["--rootdir", str(SKLEARN_DIR), "--confcutdir", str(SKLEARN_DIR)]
        command += ["-p", "tests._sklearn_suite_plugin"]
        command += ["-k", keyword] if keyword else []
        command += [str(path) for path in find_test_files(module)]
        search_path = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, search_path)),
            "SKLEARNX_SUITE_REPLACED": json.dumps(replaced),
            "SKLEARNX_SUITE_OUTCOMES": str(outcomes_path),
            # OpenMP threads that spin make a busy machine several times slower.
            "OMP_WAIT_POLICY": "PASSIVE",
        }
        for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
            environment.pop(name, None)
        result = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # 0: all passed, 1: some failed, 5: `keyword` selected none.
        if result.returncode not in (0, 1, 5) or not outcomes_path.exists():
            raise SystemExit(f"pytest could not run {module}:\n{result.stdout}")
        return json.loads(outcomes_path.read_text()), result.stdout


def find_differences(module):
    """Test -> reason, of the tests that differ under the installed scikit-learn."""
    version = tuple(map(int, sklearn.__version__.split(".")[:2]))
    return {
        difference.test: difference.reason
        for difference in DIFFERENCES.get(module, [])
        if version < difference.before
    }


def compare_outcomes(module, plain, ours):
    """Sort the tests that pass plain by what they do with ours."""
    passed_plain = [test for test, outcome in plain.items() if outcome == "passed"]
    passed_ours = [test for test in passed_plain if ours.get(test) == "passed"]
    reasons = find_differences(module)
    listed = {
        test: reason
        for test in passed_plain
        if (reason := reasons.get(test, reasons.get(test.partition("[")[0])))
    }
    is_passed = set(passed_ours)
    return Comparison(
        module=module,
        passed_plain=passed_plain,
        passed_ours=passed_ours,
        listed=listed,
        unexpected=[t for t in passed_plain if t not in is_passed and t not in listed],
        stale=[t for t in passed_ours if t in listed],
    )


def print_table(comparisons):
    header = ("passed plain", "with ours", "listed", "unexpected", "stale")
    width = max(len(comparison.module) for comparison in comparisons)
    print(f"scikit-learn {sklearn.__version__}")
    print(f"{'module':<{width}}  " + "  ".join(header))
    for comparison in comparisons:
        counts = (
            len(comparison.passed_plain),
            len(comparison.passed_ours),
            len(comparison.listed),
            len(comparison.unexpected),
            len(comparison.stale),
        )
        cells = (f"{n:>{len(name)}}" for n, name in zip(counts, header))
        print(f"{comparison.module:<{width}}  " + "  ".join(cells))


def print_list(modules):
    for module in modules:
        for test, reason in find_differences(module).items():
            print(f"{module} {test}\n    {reason}")


def run_module(module, keyword, verbose):
    """Run and compare one module; print what is wrong. Returns (comparison, is_ok)."""
    plain, _ = run_tests(module, {}, keyword)
    ours, output = run_tests(module, MODULES[module].replaced, keyword)
    comparison = compare_outcomes(module, plain, ours)
    if comparison.unexpected or verbose:
        print(output)
    for test in comparison.unexpected:
        print(f"UNEXPECTED {test}: {ours.get(test, 'not collected')}")
    for test in comparison.stale:
        print(f"STALE {test} passes, but is listed: {comparison.listed[test]}")
    return comparison, not (comparison.unexpected or comparison.stale)


def find_modules(names):
    """Modules of these names, or of packages of these names; all without names."""
    found = {
        module: None
        for name in names or [""]
        for module in MODULES
        if name in ("", module) or module.startswith(f"{name}.")
    }
    return list(found)


def find_long_lists(comparisons):
    """Messages on packages, all of whose modules were run, with too long lists."""
    by_module = {comparison.module: comparison for comparison in comparisons}
    messages = []
    for package, max_share in MAX_LISTED_SHARES.items():
        modules = find_modules([package])
        if not by_module.keys() >= set(modules):
            continue
        run = [by_module[module] for module in modules]
        n_listed = sum(len(comparison.listed) for comparison in run)
        share = n_listed / sum(len(comparison.passed_plain) for comparison in run)
        if share > max_share:
            messages.append(
                f"{package}: {share:.1%} listed, at most {max_share:.0%} allowed"
            )
    return messages


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m tests.sklearn_suite",
        description="Run scikit-learn's own tests with our classes in place of its own",
    )
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=", ".join(MODULES))
    parser.add_argument("-k", dest="keyword", help="pytest's expression of test names")
    parser.add_argument("--list", action="store_true", help="print the reviewed list")
    parser.add_argument("--verbose", action="store_true", help="print pytest's output")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.modules if not find_modules([name])]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(MODULES)}")
    modules = find_modules(options.modules)
    if options.list:
        print_list(modules)
        return 0
    results = [
        run_module(module, options.keyword, options.verbose) for module in modules
    ]
    comparisons = [comparison for comparison, _ in results]
    print_table(comparisons)
    # With `-k` a share of the few selected tests would mean nothing.
    long_lists = find_long_lists(comparisons) if options.keyword is None else []
    for message in long_lists:
        print(message)
    return 0 if all(is_ok for _, is_ok in results) and not long_lists else 1


if __name__ == "__main__":
    sys.exit(main())
