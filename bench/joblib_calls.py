"""joblib: the same `Parallel` calls and the same `GridSearchCV` on joblib's own processes and on two daemons."""

import os
from collections.abc import Callable
from typing import Any
from unittest import mock

from joblib import Parallel, delayed, parallel_config

import farpool.joblib  # noqa: F401  registers the backend
from bench.hosts import executor, url_of
from bench.measure import Run, alternated, measured, report
from bench.tasks import slept, square

CALLS = 10_000
SLOW_CALLS, SLOW_SECONDS = 400, 0.005
FITS = 24
LOKY, OURS = "joblib, loky", "farpool"
KEY = {"FARPOOL_KEY": "a key for this benchmark and for nothing else"}
"""scikit-learn's searches send estimators, which travel signed."""


def main(rounds: int = 5) -> None:
    """Small calls, calls of some milliseconds, and a search; two processes each."""
    with mock.patch.dict(os.environ, KEY), executor(shares_memory=False) as ours, Parallel(n_jobs=2) as loky:
        far = Parallel(n_jobs=2, backend="farpool", executor=ours)
        for title, amount, calls in (
            (f"joblib-small {CALLS:,} calls", CALLS, _small),
            (f"joblib-5ms {SLOW_CALLS} calls of 5 ms", SLOW_CALLS, _slow),
        ):
            _compare(title, rounds, amount, {LOKY: _of(loky, calls), OURS: _of(far, calls, url_of(ours))})
        searches = {LOKY: _searched("loky"), OURS: _searched("farpool", executor=ours)}
        _compare(f"joblib-search GridSearchCV of {FITS} fits", rounds, FITS, searches)


def _compare(title: str, rounds: int, amount: int, contenders: dict[str, Callable[[], Run]]) -> None:
    for contender in contenders.values():
        contender()
    report(title, alternated(contenders, rounds), amount, "call", LOKY)


def _of(pool: Parallel, calls: Callable[[Parallel], None], url: str | None = None) -> Callable[[], Run]:
    def run() -> Run:
        with measured(url) as found:
            calls(pool)
        return found

    return run


def _small(pool: Parallel) -> None:
    assert pool(delayed(square)(number) for number in range(CALLS)) == [number**2 for number in range(CALLS)]


def _slow(pool: Parallel) -> None:
    assert pool(delayed(slept)(SLOW_SECONDS) for _ in range(SLOW_CALLS)) == [SLOW_SECONDS] * SLOW_CALLS


def _searched(backend: str, **settings: Any) -> Callable[[], Run]:
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GridSearchCV

    X, y = make_classification(4000, 40, random_state=7)  # noqa: N806  as scikit-learn names them
    grid = {"n_estimators": [20, 40], "max_depth": [4, 8, 16]}
    alone: list[Any] = []

    def run() -> Run:
        search = GridSearchCV(RandomForestClassifier(random_state=1), grid, cv=4)
        with parallel_config(backend, n_jobs=2, **settings), measured() as found:
            search.fit(X, y)
        alone.append(search.cv_results_["mean_test_score"].tolist())
        assert alone[0] == alone[-1] == _SCORES.setdefault("of all", alone[0])
        return found

    return run


_SCORES: dict[str, Any] = {}
"""They are the same, whoever computes them."""


if __name__ == "__main__":
    main()
