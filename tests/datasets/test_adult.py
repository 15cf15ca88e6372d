import builtins

import numpy as np
import pytest

from sklearnx.datasets import load_adult

# Missing cells, as counted in the files of the UCI repository.
N_MISSING = {"workclass": 2799, "occupation": 2809, "native_country": 857}


def test_frame_has_the_published_counts():
    adult = load_adult()
    assert adult.data.shape == (48842, 14)
    assert adult.frame.shape == (48842, 15)
    assert list(adult.data.columns) == adult.feature_names
    assert adult.target.value_counts().to_dict() == {"<=50K": 37155, ">50K": 11687}
    n_missing = adult.frame.isna().sum()
    assert n_missing[n_missing > 0].to_dict() == N_MISSING


def test_dtypes_and_levels():
    adult = load_adult()
    dtypes = adult.frame.dtypes.astype(str)
    categorical = set(adult.categorical_feature_names)
    assert len(categorical) == 8
    for name in adult.feature_names:
        assert dtypes[name] == ("category" if name in categorical else "int64")
    assert list(adult.target.cat.categories) == adult.target_names
    assert adult.data["native_country"].nunique() == 41
    assert adult.data["age"].agg(["min", "max"]).tolist() == [17, 90]


def test_split_is_the_donors():
    adult = load_adult()
    is_train = adult.split == "train"
    assert is_train.sum() == 32561
    assert set(adult.split) == {"train", "test"}
    # Published sizes of the larger class in the two files.
    assert (adult.target[is_train] == "<=50K").sum() == 24720
    assert (adult.target[~is_train] == "<=50K").sum() == 12435


def test_arrays_equal_the_frame():
    adult = load_adult(as_frame=False)
    frame = load_adult().frame
    assert adult.frame is None
    assert isinstance(adult.data, np.ndarray)
    assert adult.data.dtype == adult.target.dtype == object
    for column_idx, name in enumerate(adult.feature_names):
        expected = frame[name].astype(object).to_numpy()
        values = adult.data[:, column_idx]
        is_missing = frame[name].isna().to_numpy()
        assert np.array_equal(values[~is_missing], expected[~is_missing])
        assert all(value != value for value in values[is_missing])
    assert np.array_equal(adult.target, frame["income"].astype(object))


@pytest.mark.parametrize("as_frame", [True, False])
def test_return_X_y(as_frame):
    adult = load_adult(as_frame=as_frame)
    X, y = load_adult(return_X_y=True, as_frame=as_frame)
    assert type(X) is type(adult.data)
    assert type(y) is type(adult.target)
    assert X.shape == adult.data.shape
    assert np.array_equal(np.asarray(y), np.asarray(adult.target))


def test_descr_names_source_and_licence():
    descr = load_adult().DESCR
    assert "10.24432/C5XW20" in descr
    assert "CC BY 4.0" in descr


def test_wrong_parameter_is_named():
    with pytest.raises(ValueError, match="The 'as_frame' parameter of load_adult"):
        load_adult(as_frame="yes")


def test_without_pandas(monkeypatch):
    import_module = builtins.__import__

    def refuse_pandas(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError("No module named 'pandas'")
        return import_module(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse_pandas)
    with pytest.raises(ImportError, match=r"sklearnx\[examples\].*as_frame=False"):
        load_adult()
    assert load_adult(as_frame=False).data.shape == (48842, 14)
