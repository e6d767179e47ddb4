"""What our futures are beyond those of the standard library."""

import asyncio
import concurrent.futures
import os
import pickle
import threading
from typing import Any

import functions as f
import pytest
from fake_broker import DEADLINE, FakeExecutor, FakeServer

from farpool import Future, as_completed, wait


def test_it_is_a_future_of_the_standard_library(executor: FakeExecutor) -> None:
    future = executor.submit(f.nothing)
    assert isinstance(future, concurrent.futures.Future)
    assert isinstance(future, Future)
    assert (as_completed, wait) == (concurrent.futures.as_completed, concurrent.futures.wait)


def test_it_tells_where_its_call_ran(executor: FakeExecutor, fake: FakeServer) -> None:
    future = executor.submit(f.square, 3)
    future.result(DEADLINE)
    assert (future.id, future.host, future.pid, future.attempt, future.progress) == (
        fake.enqueued[0].id,
        "fake-host",
        os.getpid(),
        1,
        None,
    )


def test_before_its_result_it_knows_its_task_only(executor: FakeExecutor, fake: FakeServer) -> None:
    future = executor.submit(f.gate, "where")
    fake.wait_until(lambda: fake.enqueued)
    assert (future.id, future.host, future.pid, future.attempt) == (fake.enqueued[0].id, None, None, None)


def test_running_tells_whether_a_worker_has_begun(executor: FakeExecutor, fake: FakeServer) -> None:
    fake.set(is_paused=True)
    future = executor.submit(f.gate, "begun")
    fake.wait_until(lambda: fake.enqueued)
    assert not future.running()
    fake.set(is_paused=False)
    fake.wait_until(lambda: "started" in fake.status.values())
    threading.Event().wait(0.21)  # it asks at most five times a second
    assert future.running()
    f.open_gate("begun")
    future.result(DEADLINE)
    assert not future.running()


def test_it_can_be_awaited(executor: FakeExecutor) -> None:
    async def main() -> Any:
        return await executor.submit(f.square, 6)

    assert asyncio.run(main()) == 36


def test_pickling_one_says_what_to_send_instead(executor: FakeExecutor) -> None:
    with pytest.raises(TypeError, match=r"send future.result\(\) instead"):
        pickle.dumps(executor.submit(f.nothing))


def test_a_future_as_an_argument_fails_that_call_only(executor: FakeExecutor) -> None:
    good = executor.submit(f.square, 2)
    with pytest.raises(TypeError, match="argument 1"):
        executor.submit(f.square, good).result(DEADLINE)
    assert good.result(DEADLINE) == 4


def test_one_that_nobody_waited_for_has_no_condition() -> None:
    future: Future[int] = Future()
    assert future.settle(5)
    assert (future._own_condition, future.result()) == (None, 5)
    assert not future.settle(6)


def test_settling_and_waiting_at_once_never_loses_a_result() -> None:
    for _ in range(300):
        future: Future[int] = Future()
        barrier = threading.Barrier(2)

        def settle(future: Future[int] = future, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            future.settle(1)

        thread = threading.Thread(target=settle)
        thread.start()
        barrier.wait()
        assert future.result(DEADLINE) == 1
        thread.join()


def test_settling_and_cancelling_at_once_agree() -> None:
    for _ in range(300):
        future: Future[int] = Future()
        barrier = threading.Barrier(2)
        settled: list[bool] = []

        def settle(
            future: Future[int] = future, barrier: threading.Barrier = barrier, into: list[bool] = settled
        ) -> None:
            barrier.wait()
            into.append(future.settle(1))

        thread = threading.Thread(target=settle)
        thread.start()
        barrier.wait()
        cancelled = future.cancel()
        thread.join()
        assert settled == [not cancelled]
        assert future.cancelled() == cancelled
