"""Models in files and pickles that every later version has to read.

``python -m tests.io.old_files`` writes those of this version to tests/io/data, once for
each version of the format: a folder with the files, pickles, and what the models
predict. Files that are there are never written again.
"""

import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearnx.ensemble import (
    BoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.io import from_catboost, from_lightgbm, from_xgboost, save
from sklearnx.io._files import FORMAT_VERSION
from sklearnx.preprocessing import OrderedTargetEncoder

FOLDER = Path(__file__).with_name("data")
# Of pickles, what any Python can read that we support.
PROTOCOL = 4


def make_data():
    """A table that never changes, made without a library's random numbers."""
    i = np.arange(240)
    X = pd.DataFrame(
        {
            "size": np.round(np.sin(i * 1.7), 6),
            "age": (i * 37 % 101).astype(float),
            "town": np.array(["Ulm", "Ghent", "Córdoba", "Oslo"], dtype=object)[i % 4],
            "street": np.array([f"s{j}" for j in i * 13 % 29], dtype=object),
        }
    )
    X.loc[::11, "size"] = np.nan
    X.loc[::7, "town"] = None
    return X, (X["size"].fillna(0) + (X["town"] == "Oslo") + X["age"] / 100).to_numpy()


def make_models():
    """Fitted models by name, each with the columns that it is asked with."""
    X, y = make_data()
    numbers, categories = ["size", "age"], ["town", "street"]
    classes = np.digitize(y, [0.3, 0.9])
    labels = np.array(["low", "middle", "high"])[classes]
    small = {"max_iter": 4, "max_leaf_nodes": 6, "random_state": 0}
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ("town", OneHotEncoder(handle_unknown="ignore"), ["town"]),
        ]
    )
    classifier, regressor = (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )
    models = {
        "classes": classifier(**small).fit(X, labels),
        "two classes": classifier(**small).fit(X, y > 0.5),
        "means of levels": BoostingClassifier(
            max_iter=4, random_state=0, categorical_encoding="ordered_target"
        ).fit(X, labels),
        "linear leaves": regressor(**small, linear_leaves=True).fit(X[numbers], y),
        "several targets": regressor(**small).fit(X, np.column_stack([y, -y])),
        "random forest": regressor(
            **small, boosting="random_forest", subsample=0.5, loss="poisson"
        ).fit(X, np.exp(y)),
        "pipeline": make_pipeline(columns, classifier(**small)).fit(X, labels),
        "encoder": OrderedTargetEncoder(random_state=0).fit(X[categories], classes > 0),
    }
    return models | _make_models_of_others(X, y, numbers, classes)


def _make_models_of_others(X, y, numbers, classes):
    import catboost
    import lightgbm
    import xgboost

    texts = X.assign(town=X["town"].fillna("none"))
    as_categories = X.astype({"town": "category", "street": "category"})
    few = {"n_estimators": 4, "n_jobs": 1}
    return {
        "LightGBM": from_lightgbm(
            lightgbm.LGBMClassifier(**few, verbose=-1).fit(as_categories, classes)
        ),
        "XGBoost": from_xgboost(
            xgboost.XGBRegressor(**few, enable_categorical=True).fit(as_categories, y),
            # It loses letters that are not ASCII.
            categories={"town": as_categories["town"].cat.categories},
        ),
        "CatBoost": from_catboost(
            catboost.CatBoostClassifier(
                iterations=4,
                verbose=0,
                thread_count=1,
                cat_features=["town", "street"],
                allow_writing_files=False,
            ).fit(texts, classes)
        ),
    }


def find_input(model):
    """Return the rows that a model is asked with."""
    X, _ = make_data()
    return X[list(model.feature_names_in_)].fillna({"town": "none"}).iloc[:40]


def compute_output(model):
    for method in ("predict_proba", "predict", "transform"):
        if hasattr(model, method):
            return np.asarray(getattr(model, method)(find_input(model)), dtype=float)
    raise AssertionError("no output")


def main():
    folder = FOLDER / f"format-{FORMAT_VERSION}"
    if folder.exists():
        sys.exit(f"{folder} is there already")
    folder.mkdir(parents=True)
    outputs = {}
    for name, model in make_models().items():
        save(model, folder / f"{name}.safetensors")
        with open(folder / f"{name}.pkl", "wb") as file:
            pickle.dump(model, file, protocol=PROTOCOL)
        outputs[name] = compute_output(model)
    np.savez_compressed(folder / "outputs.npz", **outputs)


if __name__ == "__main__":
    main()
