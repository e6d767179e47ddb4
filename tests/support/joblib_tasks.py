"""Functions that joblib sends to workers by name."""

import os
import time
from math import sqrt
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed


def root(number: float) -> float:
    return sqrt(number)


def process() -> int:
    return os.getpid()


def slow_process(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def noted_sleep(journal: str, word: str, seconds: float) -> str:
    with Path(journal).open("a") as file:
        file.write(f"{word}\n")
    time.sleep(seconds)
    return word


def processes_of_a_parallel_inside(n_jobs: int) -> tuple[int, set[int]]:
    """This process, and those that ran the calls of a Parallel in it."""
    return os.getpid(), set(Parallel(n_jobs=n_jobs)(delayed(os.getpid)() for _ in range(4)))


def address_and_sum(array: np.ndarray, number: int, scale: float = 1.0) -> tuple[bool, float]:
    """Whether the array may be written, and what is in it."""
    return array.flags.writeable, float(array.sum()) * scale + number


def fails_at(number: int, bad: int) -> float:
    if number == bad:
        raise ValueError(f"{number} is bad")
    return sqrt(number)


def score_of_fold(X, y, train, test, strength):  # noqa: N803 - as scikit-learn names them
    """What `cross_val_score` computes for one fold, with the estimator made where it is fitted."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=500).fit(X[train], y[train]).score(X[test], y[test])


STRENGTHS = (0.01, 1.0)
"""Of the regularization, among which a search chooses."""


def work_of_a_search():
    """A data set, and each fold with each strength."""
    from sklearn.datasets import make_classification
    from sklearn.model_selection import StratifiedKFold

    X, y = make_classification(600, 12, random_state=7)  # noqa: N806
    return X, y, [(*fold, strength) for strength in STRENGTHS for fold in StratifiedKFold(4).split(X, y)]


def numbers_of_searches() -> dict[str, list[float]]:
    """What each of scikit-learn's tools that run in parallel finds, under the backend of the moment."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.inspection import permutation_importance
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score, cross_validate

    X, y, _ = work_of_a_search()  # noqa: N806
    logistic = LogisticRegression(max_iter=500)
    grid = GridSearchCV(logistic, {"C": [0.01, 0.1, 1.0]}, cv=4).fit(X, y)
    some = RandomizedSearchCV(logistic, {"C": [0.01, 0.1, 1.0, 10.0]}, n_iter=2, cv=3, random_state=5).fit(X, y)
    both = cross_validate(logistic, X, y, cv=3, return_estimator=True, return_train_score=True)
    forest = RandomForestClassifier(12, random_state=3, n_jobs=2).fit(X, y)
    importance = permutation_importance(logistic.fit(X, y), X, y, n_repeats=3, random_state=1)
    return {
        "grid": [*map(float, grid.cv_results_["mean_test_score"]), grid.best_params_["C"]],
        "randomized": [*map(float, some.cv_results_["mean_test_score"]), some.best_params_["C"]],
        "cross_val_score": [*map(float, cross_val_score(logistic, X, y, cv=4))],
        "cross_validate": [*map(float, both["test_score"]), *map(float, both["train_score"])],
        "estimators": [float(each.coef_.sum()) for each in both["estimator"]],
        "forest": [float(forest.score(X, y)), *map(float, forest.feature_importances_)],
        "permutation_importance": [*map(float, importance.importances_mean)],
    }


def sums_inside(value: dict[str, list[np.ndarray]]) -> list[tuple[bool, float]]:
    """Whether each array in a list in a dict may be written, and what is in it."""
    return [address_and_sum(array, 0) for array in value["arrays"]]


def sum_of_frame(frame: object) -> tuple[bool, float]:
    """The same of an object with an array in it."""
    return address_and_sum(frame.values, 0)  # type: ignore[attr-defined]


class Frame:
    """Something with an array in it, as a data frame is."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values


def note_once(journal: str, number: int) -> int:
    with Path(journal).open("a") as file:
        file.write(f"{number}\n")
    return number * 2


def remembered(folder: str, journal: str, number: int) -> int:
    """What `joblib.Memory` gives, inside a task."""
    from joblib import Memory

    result: int = Memory(folder, verbose=0).cache(note_once)(journal, number)
    return result
