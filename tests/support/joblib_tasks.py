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
