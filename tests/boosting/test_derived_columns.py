"""Derived columns against loops over rows, and what other parts ask of them."""

import numpy as np
import pytest

from sklearnx._boosting.binning import MAX_DERIVED_BINS, BinMapper
from sklearnx._boosting.derived_columns import (
    MAX_COLUMNS,
    SMOOTH,
    DerivedColumn,
    DerivedColumns,
)
from sklearnx._boosting.encoding import Table


def make_table(n_rows=300, n_levels=(40, 7, 25), random_state=0):
    rng = np.random.default_rng(random_state)
    columns = [rng.integers(-1, n, n_rows).astype(np.int32) for n in n_levels]
    return Table(
        n_rows,
        len(n_levels) + 1,
        columns=[*columns, rng.normal(size=n_rows).astype(np.float32)],
        is_categorical=np.array([True] * len(n_levels) + [False]),
        n_levels=np.array([*n_levels, 0]),
    )


def make_targets(n_rows=300, n_outputs=2):
    return np.random.default_rng(1).integers(-8, 8, (n_rows, n_outputs)) / 2


def read_derived(table, columns):
    """Return the derived columns of an extended table by what they tell."""
    n_given = table.n_features - table.n_derived
    return dict(zip(columns, table.columns[n_given:], strict=True))


@pytest.mark.parametrize("weights", [None, "weights"])
def test_rows_to_be_predicted(weights):
    table, targets = make_table(), make_targets()
    if weights:
        weights = np.random.default_rng(2).integers(1, 5, 300).astype(float)
    factors = np.ones(300) if weights is None else weights
    derived = DerivedColumns(np.array([0, 2]), seed=0)
    derived.fit(table, targets, weights=weights)
    others = make_table(50, random_state=3)
    extended = derived.extend(others)
    assert extended.n_derived == 9 == len(derived.columns_)
    assert extended.is_categorical.tolist() == [False, True] + [False] * 11
    assert extended.columns[1] is others.columns[1]
    assert not extended.columns[0].any() and not extended.columns[2].any()
    priors = factors @ targets / factors.sum()
    for (features, output), column in read_derived(extended, derived.columns_).items():
        assert column.dtype == np.float32
        for i in range(50):
            same = np.all(
                [table.columns[f] == others.columns[f][i] for f in features], axis=0
            )
            n = factors[same].sum()
            if output is None:
                assert column[i] == n
                continue
            total = factors[same] @ targets[same, output] + SMOOTH * priors[output]
            np.testing.assert_allclose(column[i], total / (n + SMOOTH), rtol=1e-6)


def test_rows_in_training_do_not_see_their_own_target():
    table, targets = make_table(), make_targets()
    derived = DerivedColumns(np.array([0, 1, 2]), seed=0).fit(table, targets)
    (before,) = derived.order(table, targets, 1)
    for row in range(0, 300, 37):
        changed = targets.copy()
        changed[row] += 100
        (after,) = derived.order(table, changed, 1)
        for one, other in zip(before.columns, after.columns, strict=True):
            assert one[row] == other[row]


def test_orders_differ_in_means_alone():
    table, targets = make_table(), make_targets()
    derived = DerivedColumns(np.array([0, 2]), seed=0).fit(table, targets)
    first, second = derived.order(table, targets, 2)
    (again,) = derived.order(table, targets, 1)
    columns = [read_derived(each, derived.columns_) for each in (first, again, second)]
    for column, values in columns[0].items():
        np.testing.assert_array_equal(values, columns[1][column])
        assert np.array_equal(values, columns[2][column]) == (column.output is None)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_threads_do_not_matter(n_threads):
    table, targets = make_table(), make_targets()
    results = [
        list(
            DerivedColumns(np.array([0, 2]), seed=0)
            .fit(table, targets, n_threads=n)
            .order(table, targets, 2, n_threads=n)
        )[1]
        for n in (1, n_threads)
    ]
    for one, other in zip(*(result.columns for result in results), strict=True):
        np.testing.assert_array_equal(one, other)


def test_some_rows_of_a_table():
    table, targets = make_table(), make_targets()
    rows = np.arange(10, 300, 3)
    alone = Table(
        len(rows),
        4,
        columns=[column[rows] for column in table.columns],
        is_categorical=table.is_categorical,
        n_levels=table.n_levels,
    )
    weights = np.random.default_rng(0).uniform(0.5, 2, len(rows))
    derived = DerivedColumns(np.array([0, 2]), seed=0)
    derived.fit(table, targets[rows], rows=rows, weights=weights)
    expected = DerivedColumns(np.array([0, 2]), seed=0)
    expected.fit(alone, targets[rows], weights=weights)
    (ordered,) = derived.order(table, targets[rows], 1, rows=rows, weights=weights)
    (ordered_alone,) = expected.order(alone, targets[rows], 1, weights=weights)
    for one, other in zip(ordered.columns, ordered_alone.columns, strict=True):
        np.testing.assert_array_equal(one[rows], other)
    for one, other in zip(
        derived.extend(alone).columns, expected.extend(alone).columns, strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_names_and_order_of_levels_do_not_matter_to_means():
    # Codes as they are after other levels have become the most frequent.
    table, targets = make_table(), make_targets()
    renamed = np.random.default_rng(0).permutation(41) - 1
    renamed = np.append(renamed[renamed >= 0], -1)  # missing stays missing
    other = make_table()
    other.columns[0] = renamed[other.columns[0]].astype(np.int32)
    results = [
        DerivedColumns(np.array([0, 2]), seed=0).fit(each, targets).extend(each)
        for each in (table, other)
    ]
    for one, another in zip(*(result.columns for result in results), strict=True):
        np.testing.assert_array_equal(one, another)


# -- combinations ----------------------------------------------------------------------


def test_pairs_that_tell_nothing_new_are_left_out():
    table = make_table(n_levels=(40, 7, 25))
    table.columns[1] = np.where(table.columns[0] < 0, -1, table.columns[0] // 6)
    table.columns[1] = table.columns[1].astype(np.int32)
    derived = DerivedColumns(np.array([0, 1, 2]), seed=0).fit(table, make_targets())
    sources = [features for features, output in derived.columns_ if output is None]
    assert sources == [(0,), (2,), (1,), (0, 2), (1, 2)]


@pytest.mark.parametrize("n_outputs", [1, 10, 200])
def test_the_number_of_columns_is_limited(n_outputs):
    table = make_table(n_levels=(9,) * 20)
    derived = DerivedColumns(np.arange(20), seed=0)
    derived.fit(table, make_targets(n_outputs=n_outputs))
    sources = [features for features, output in derived.columns_ if output is None]
    assert sources[:20] == [(j,) for j in range(20)]
    assert len(sources) == max(20, MAX_COLUMNS // (1 + n_outputs))


# -- what other parts ask for ----------------------------------------------------------


def test_names():
    derived = DerivedColumns(np.array([0, 2]), 0).fit(make_table(), make_targets())
    assert derived.columns_[0] == DerivedColumn((0,), 0)
    names = derived.name_columns(["a", "b", "c", "d"])
    assert names[:3] == ["mean y[0] of a", "mean y[1] of a", "rows of a"]
    assert names[-1] == "rows of a, c"
    derived.fit(make_table(), make_targets(n_outputs=1))
    assert derived.name_columns("abcd")[0] == "mean y of a"


def test_rules_of_growth():
    derived = DerivedColumns(np.array([0, 2]), 0)
    derived.fit(make_table(), make_targets(n_outputs=1))
    growth = {
        "monotonic_cst": np.array([0, 0, 0, 1], dtype=np.int8),
        "one_level_splits": np.array([0, 1, 0, 0], dtype=np.uint8),
        "feature_weights": np.array([1.0, 2.0, 0.5, 3.0]),
        "interaction_groups": np.array([[1, 1, 0, 1], [1, 0, 1, 0]], dtype=np.uint8),
        "seed": 3,
    }
    extended = derived.extend_rules(growth)
    assert extended["seed"] == 3
    assert extended["monotonic_cst"].tolist() == [0, 0, 0, 1] + [0] * 6
    assert extended["one_level_splits"].tolist() == [0, 1, 0, 0] + [0] * 6
    weights = [1.0, 2.0, 0.5, 3.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5]
    assert extended["feature_weights"].tolist() == weights
    groups = [[1, 1, 0, 1, 1, 1, 0, 0, 0, 0], [1, 0, 1, 0, 1, 1, 1, 1, 1, 1]]
    assert extended["interaction_groups"].tolist() == groups
    # So few are all offered to each tree, of many a share is.
    assert extended["n_derived"] == 6 and extended["derived_share"] >= 1
    many = DerivedColumns(np.arange(20), seed=0)
    many.fit(make_table(n_levels=(9,) * 20), make_targets(n_outputs=1))
    plain = dict.fromkeys(growth)
    extended_by_many = many.extend_rules({**plain, "monotonic_cst": np.zeros(21)})
    assert extended_by_many["n_derived"] == 128
    assert extended_by_many["derived_share"] == 0.3
    nothing = dict.fromkeys(
        ("one_level_splits", "feature_weights", "interaction_groups")
    )
    extended = derived.extend_rules({**growth, **nothing})
    assert all(extended[name] is None for name in nothing)


def test_sums_by_column():
    derived = DerivedColumns(np.array([0, 2]), 0)
    derived.fit(make_table(), make_targets(n_outputs=1))
    sums = np.array([0.0, 1.0, 0.0, 2.0, 10.0, 20.0, 30.0, 40.0, 100.0, 200.0])
    shared = derived.share_out(sums, splits_evenly=True)
    assert shared.tolist() == [180.0, 1.0, 220.0, 2.0]
    counted = derived.share_out(sums.astype(int), splits_evenly=False)
    assert counted.tolist() == [330, 1, 370, 2]


def test_matrices_of_all_orders_have_one_layout():
    table, targets = make_table(), make_targets()
    # Seldom another code than one, so that it could share a column.
    table.columns[3] = (np.arange(300) % 50 == 0).astype(np.float32)
    derived = DerivedColumns(np.array([0, 2]), seed=0).fit(table, targets)
    mapper = BinMapper()
    tables = list(derived.order(table, targets, 3))
    matrices = [mapper.fit_transform(tables[0])]
    edges = mapper.edges_
    for each in tables[1:]:
        matrices.append(mapper.transform(each))
        np.testing.assert_array_equal(mapper.edges_, edges)
    for matrix in matrices[1:]:
        for one, other in zip(matrix.layout, matrices[0].layout, strict=True):
            np.testing.assert_array_equal(one, other)
        assert [b.shape for b in matrix.blocks] == [b.shape for b in matrices[0].blocks]
    assert mapper.n_bins_non_missing_[4:].max() <= MAX_DERIVED_BINS
    assert not mapper.is_stored_[[0, 2]].any() and mapper.is_stored_[3:].all()
    for each, matrix in zip(tables, matrices, strict=True):
        for j in range(3, each.n_features):
            expected = np.searchsorted(mapper.thresholds_[j], each.columns[j])
            np.testing.assert_array_equal(matrix.column(j), expected)
