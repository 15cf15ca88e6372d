"""Train a model of the Adult census and save it: `python -m service.train FILE`."""

import argparse
from pathlib import Path

from sklearn.compose import make_column_transformer
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline

from sklearnx.datasets import load_adult
from sklearnx.ensemble import HistGradientBoostingClassifier
from sklearnx.io import save

# How many people a row stands for, and `education` again.
DROPPED = ["fnlwgt", "education_num"]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--max-iter", type=int, default=200, help="trees")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--pipeline",
        action="store_true",
        help="take all columns, and let a ColumnTransformer drop two",
    )
    return parser.parse_args()


def make_model(max_iter, seed, is_pipeline):
    model = HistGradientBoostingClassifier(
        max_iter=max_iter, early_stopping=False, subsample=0.8, random_state=seed
    )
    if not is_pipeline:
        return model
    columns = make_column_transformer(
        ("drop", DROPPED), remainder="passthrough", verbose_feature_names_out=False
    )
    return make_pipeline(columns.set_output(transform="pandas"), model)


def main():
    arguments = parse_arguments()
    adult = load_adult()
    X = adult.data if arguments.pipeline else adult.data.drop(columns=DROPPED)
    is_train = adult.split == "train"
    model = make_model(arguments.max_iter, arguments.seed, arguments.pipeline)
    model.fit(X[is_train], adult.target[is_train])
    loss = log_loss(adult.target[~is_train], model.predict_proba(X[~is_train])[:, 1])
    save(model, arguments.file)
    print(f"{arguments.file}: log loss {loss:.4f} on the test rows")


if __name__ == "__main__":
    main()
