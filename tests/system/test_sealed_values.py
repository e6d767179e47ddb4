"""Values that only a pickle can describe, on real daemons: with a key they travel, and without one they do not."""

import math
import threading

import numpy as np
import pytest
import tasks
from daemons import daemons

from farpool import ArgumentError, CodeNotTrustedError, Executor, FunctionNotAllowedError, ResultError

KEY, OTHER = "k" * 43, "o" * 43


class Pair:
    """A class of this module, which the daemon can import as `test_sealed_values`, or not at all."""

    def __init__(self, left, right):
        self.left, self.right = left, right


@pytest.fixture
def keyed(server, tmp_path, monkeypatch):
    """An executor and a daemon that share a key."""
    monkeypatch.setenv("FARPOOL_KEY", KEY)
    with daemons(server.url, tmp_path, "keyed"), Executor(server.url) as executor:
        yield executor


def test_estimators_and_sparse_matrices_go_there_and_come_back(keyed):
    from scipy.sparse import csr_matrix
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression

    estimator = LogisticRegression(C=3.0).fit([[0.0], [1.0]], [0, 1])
    found = keyed.submit(clone, estimator).result()
    assert (type(found), found.C) == (LogisticRegression, 3.0)
    (same,) = keyed.map(tasks.first_of, [[estimator, 1]], chunksize="auto")
    assert (same.coef_ == estimator.coef_).all()
    matrix = csr_matrix(np.diag(np.arange(20_000.0)).astype(np.float32)[:, :100])
    doubled = keyed.submit(tasks.doubled, matrix).result()
    assert (doubled != 2 * matrix).nnz == 0


def test_functions_are_arguments(keyed):
    step = 3
    assert keyed.submit(tasks.applied, lambda number: number + step, 4).result() == 7


def test_functions_of_installed_packages_run_by_their_signed_names(keyed):
    assert keyed.submit(math.sqrt, 9).result() == 3.0
    assert list(keyed.map(math.sqrt, range(100), chunksize="auto")) == [math.sqrt(number) for number in range(100)]
    assert keyed.submit(np.linalg.norm, np.array([3.0, 4.0])).result() == 5.0


def test_what_is_put_may_be_anything(keyed):
    from sklearn.linear_model import LogisticRegression

    ref = keyed.put(LogisticRegression(C=2.5))
    assert keyed.submit(tasks.attribute, ref, "C").result() == 2.5
    assert ref.get().C == 2.5


def test_what_cannot_be_pickled_is_named(keyed):
    with pytest.raises(ArgumentError, match=r"argument 1 .*\[0\].* cannot travel, not even pickled"):
        keyed.submit(tasks.first_of, [threading.Lock()]).result()
    with pytest.raises(ResultError, match="not even pickled"):
        keyed.submit(tasks.gives_a_lock).result()


def test_a_worker_without_the_key_or_with_another_unpickles_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setenv("FARPOOL_KEY", KEY)
    for name, environ in (("none", {"FARPOOL_KEY": ""}), ("other", {"FARPOOL_KEY": OTHER})):
        with daemons(server.url, tmp_path, name, **environ), Executor(server.url) as executor:
            with pytest.raises(CodeNotTrustedError):
                executor.submit(tasks.attribute, Pair(1, 2), "left").result()
            assert executor.submit(tasks.square, 3).result() == 9


def test_without_a_key_all_is_as_it_was(executor):
    with pytest.raises(ArgumentError, match="farpool key --new"):
        executor.submit(tasks.attribute, Pair(1, 2), "left").result()
    with pytest.raises(ResultError, match="cannot travel"):
        executor.submit(tasks.gives_a_lock).result()
    with pytest.raises(FunctionNotAllowedError, match="--allow math"):
        executor.submit(math.sqrt, 9).result()
