"""Cancelling: before sending, in the queue, while it runs, and within a task of several calls."""

import concurrent.futures
import threading
from typing import Any

import functions as f
import pytest
from fake_broker import DEADLINE, FakeExecutor, FakeServer


def test_a_call_in_the_queue_is_cancelled_on_the_server(executor: FakeExecutor, fake: FakeServer) -> None:
    fake.set(is_paused=True)
    future = executor.submit(f.note, 1)
    fake.wait_until(lambda: fake.enqueued)
    assert future.cancel()
    fake.wait_until(lambda: fake.canceled == [fake.enqueued[0].id])
    fake.set(is_paused=False)
    executor.shutdown()
    assert f.SEEN == []


def test_a_call_that_runs_is_cancelled_too(executor: FakeExecutor, fake: FakeServer) -> None:
    future = executor.submit(f.gate, "running")
    fake.wait_until(lambda: "started" in fake.status.values())
    assert future.cancel()
    fake.wait_until(lambda: fake.canceled)
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(0)


def test_a_call_that_was_never_sent_never_runs(fake: FakeServer) -> None:
    with FakeExecutor(fake, max_workers=1) as executor:
        first = executor.submit(f.gate, "first")
        never = [executor.submit(f.note, n) for n in range(20)]
        assert all(future.cancel() for future in never)
        f.open_gate("first")
        first.result(DEADLINE)
    assert (f.SEEN, len(fake.enqueued), fake.canceled) == ([], 1, [])


def test_a_call_within_a_task_of_several_is_given_up_alone(executor: FakeExecutor, fake: FakeServer) -> None:
    executor.submit(f.square, 0).result(DEADLINE)
    fake.set(is_paused=True)
    futures = [executor.submit(f.square, n) for n in range(100)]
    fake.wait_until(lambda: sum(task.calls for task in fake.enqueued) == 101)
    assert futures[50].cancel()
    fake.set(is_paused=False)
    concurrent.futures.wait(futures, DEADLINE)
    assert [future.cancelled() for future in futures] == [n == 50 for n in range(100)]


def test_a_task_is_cancelled_when_all_its_calls_are(executor: FakeExecutor, fake: FakeServer) -> None:
    executor.submit(f.square, 0).result(DEADLINE)
    fake.set(is_paused=True)
    futures = [executor.submit(f.square, n) for n in range(100)]
    fake.wait_until(lambda: sum(task.calls for task in fake.enqueued) == 101)
    assert all(future.cancel() for future in futures)
    fake.wait_until(lambda: set(fake.canceled) == {task.id for task in fake.enqueued[1:]})


def test_cancelling_during_an_outage_takes_effect_after_it(executor: FakeExecutor, fake: FakeServer) -> None:
    from farpool import ServerUnreachableError

    future = executor.submit(f.gate, "outage")
    fake.wait_until(lambda: "started" in fake.status.values())
    fake.set(outage=ServerUnreachableError("no answer"))
    assert future.cancel()
    fake.set(outage=None)
    fake.wait_until(lambda: fake.canceled)


def test_cancelling_from_many_threads_at_once_notifies_once(fake: FakeServer) -> None:
    fake.set(is_paused=True)
    with FakeExecutor(fake) as executor:
        for _ in range(50):
            future = executor.submit(f.square, 1)
            seen: list[Any] = []
            future.add_done_callback(seen.append)
            threads = [threading.Thread(target=future.cancel) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert concurrent.futures.wait([future], DEADLINE).done == {future}
            assert seen == [future]


def test_what_somebody_else_cancelled_is_cancelled_here(
    executor: FakeExecutor, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farpool.client.watch.LOOK_SECONDS", 0.02)
    fake.set(is_paused=True)
    future = executor.submit(f.square, 1)
    fake.wait_until(lambda: fake.enqueued)
    fake.status[fake.enqueued[0].id] = "canceled"
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(DEADLINE)
