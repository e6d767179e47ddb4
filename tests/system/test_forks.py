"""Processes that are forked from one that uses an executor."""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable

import pytest
import tasks
from daemons import wait_for

from farpool import Executor, ForkedError, Retry, as_completed


def in_a_fork(check: Callable[[], None]) -> None:
    """Run a check in a forked process, which ends by itself should it hang."""
    pid = os.fork()
    if not pid:
        signal.alarm(60)
        try:
            check()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_fork_and_its_parent_both_use_the_executor(executor):
    assert executor.submit(tasks.square, 2).result(60) == 4

    def check():
        assert executor.submit(tasks.square, 3).result(60) == 9
        assert list(executor.map(tasks.square, range(100), chunksize="auto")) == [n * n for n in range(100)]

    in_a_fork(check)
    assert executor.submit(tasks.square, 4).result(60) == 16


def test_multiprocessing_children_use_their_parents_executor(executor):
    assert executor.submit(tasks.square, 2).result(60) == 4
    with multiprocessing.get_context("fork").Pool(2, initializer=_keep, initargs=(executor,)) as pool:
        assert pool.map(_square_by_executor, range(6)) == [n * n for n in range(6)]


_kept: list[Executor] = []


def _keep(executor: Executor) -> None:
    _kept.append(executor)


def _square_by_executor(number: int) -> int:
    return _kept[0].submit(tasks.square, number).result(60)


def test_futures_that_a_fork_inherits_fail_there_and_not_in_the_parent(executor, journal, tmp_path):
    go = str(tmp_path / "go")
    futures = [executor.submit(tasks.noted_or_waits, str(journal), number, go) for number in range(30)]
    watched = [executor.submit(tasks.noted_or_waits, str(journal), number, go) for number in range(2)]
    called = []
    for future in watched:
        future.add_done_callback(called.append)
    results = executor.map(tasks.noted_or_waits, [str(journal)] * 8, range(8), [go] * 8, chunksize=2)
    wait_for(lambda: journal.exists())

    def check():
        for future in futures:
            with pytest.raises(ForkedError, match=f"process {os.getppid()}"):
                future.result()
        assert set(as_completed(watched)) == set(watched)
        assert called == []
        with pytest.raises(ForkedError):
            next(results)

    in_a_fork(check)
    (tmp_path / "go").touch()
    assert [future.result(60) for future in futures] == list(range(30))
    assert list(results) == list(range(8))


def test_calls_that_wait_for_their_next_attempt_fail_in_a_fork(executor, journal):
    retried = executor.options(retries=Retry(5, backoff=600, max_delay=600))
    future = retried.submit(tasks.noted_and_fails, str(journal))
    wait_for(lambda: journal.exists())
    assert executor.submit(tasks.square, 2).result(60) == 4  # its outcome came after that failure

    def check():
        with pytest.raises(ForkedError):
            future.result()

    in_a_fork(check)
    assert not future.done()
    assert future.cancel()


def test_forks_amid_calls_of_other_threads(executor):
    """Whatever lock another thread held in that moment."""
    done = []

    def count(future):
        done.append(future)
        if len(done) < 3000:
            executor.submit(tasks.square, 1).add_done_callback(count)

    for _ in range(4):
        executor.submit(tasks.square, 1).add_done_callback(count)
    for _ in range(25):
        in_a_fork(lambda: executor.submit(tasks.square, 3).result(50) == 9 or os._exit(2))
    wait_for(lambda: len(done) >= 3000, seconds=60)
