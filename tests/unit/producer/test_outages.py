"""A server that goes away and comes back, one that forgets, and one that nobody serves."""

import logging
import threading
from typing import Any

import functions as f
import numpy as np
import pytest
from fake_broker import DEADLINE, FakeBroker, FakeExecutor, FakeServer

from farpool import FarpoolError, ServerBusyError, ServerUnreachableError, TaskLostError
from farpool_common import backoff

AWAY = ServerUnreachableError("no answer from fake://")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff.Backoff.__init__, "__kwdefaults__", {"base_seconds": 0.002, "cap_seconds": 0.02})


def test_an_executor_on_a_server_that_is_away_raises_at_once(fake: FakeServer) -> None:
    fake.set(outage=AWAY)
    with pytest.raises(ServerUnreachableError):
        FakeExecutor(fake)


def test_an_executor_on_a_server_that_still_loads_waits_for_it(fake: FakeServer) -> None:
    fake.set(outage=ServerBusyError("LOADING"))
    with FakeExecutor(fake) as executor:
        future = executor.submit(f.square, 2)
        fake.set(outage=None)
        assert future.result(DEADLINE) == 4


@pytest.mark.parametrize("outage", [AWAY, ServerBusyError("OOM")])
def test_calls_submitted_during_an_outage_are_sent_after_it(
    executor: FakeExecutor, fake: FakeServer, outage: FarpoolError, caplog: pytest.LogCaptureFixture
) -> None:
    fake.set(outage=outage)
    array = np.zeros(20_000)
    futures: list[Any] = [executor.submit(f.square, n) for n in range(100)]
    arrays = executor.submit(f.add, array, array)
    results = executor.map(f.square, range(100), chunksize="auto")
    fake.wait_until(lambda: fake.failures >= 4 and "when it is back" in caplog.text)
    assert not futures[0].done()
    fake.set(outage=None)
    assert [future.result(DEADLINE) for future in futures] == [n * n for n in range(100)]
    assert np.array_equal(arrays.result(DEADLINE), array)
    assert list(results) == [n * n for n in range(100)]
    warnings = [record for record in caplog.records if "when it is back" in record.message]
    assert 1 <= len(warnings) <= 2


def test_results_that_come_during_an_outage_are_read_after_it(executor: FakeExecutor, fake: FakeServer) -> None:
    future = executor.submit(f.gate, "away", 5)
    fake.wait_until(lambda: "started" in fake.status.values())
    fake.set(outage=AWAY)
    f.open_gate("away")
    fake.wait_until(lambda: "finished" in fake.status.values())
    assert not future.done()
    fake.set(outage=None)
    assert future.result(DEADLINE) == 5


def test_submit_returns_at_once_during_an_outage(executor: FakeExecutor, fake: FakeServer) -> None:
    fake.set(outage=AWAY)
    futures = [executor.submit(f.square, n) for n in range(1000)]
    assert not any(future.done() for future in futures)
    fake.set(outage=None)
    assert futures[-1].result(DEADLINE) == 999**2


def test_a_task_that_the_server_forgot_fails_with_advice(
    executor: FakeExecutor, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farpool.client.watch.LOOK_SECONDS", 0.02)
    fake.set(is_paused=True)
    future = executor.submit(f.square, 1)
    fake.wait_until(lambda: fake.enqueued)
    fake.forget_everything()
    with pytest.raises(TaskLostError, match="appendonly yes"):
        future.result(DEADLINE)
    fake.set(is_paused=False)
    assert executor.submit(f.square, 2).result(DEADLINE) == 4


def test_a_task_that_still_waits_or_runs_is_not_lost(
    executor: FakeExecutor, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farpool.client.watch.LOOK_SECONDS", 0.01)
    future = executor.submit(f.gate, "long", "done")
    fake.wait_until(lambda: fake.looks >= 3)
    f.open_gate("long")
    assert future.result(DEADLINE) == "done"


def test_a_task_not_sent_yet_is_not_lost(
    executor: FakeExecutor, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farpool.client.watch.LOOK_SECONDS", 0.0)
    fake.set(refusal=ServerBusyError("OOM"))  # it takes no tasks, and answers everything else
    future = executor.submit(f.square, 3)
    assert not threading.Event().wait(0.1)
    assert not future.done()
    fake.set(refusal=None)
    assert future.result(DEADLINE) == 9


def test_a_queue_that_nobody_serves_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("farpool.client.watch.WARN_SECONDS", 0.02)
    monkeypatch.setattr("farpool.client.watch.ASK_SECONDS", 0.01)
    nobody = FakeServer(slots=0)
    executor = FakeExecutor(nobody, queue="mail")
    futures = [executor.submit(f.square, n) for n in range(3)]
    warned = threading.Event()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warned.set()

    handler = Handler()
    logging.getLogger("farpool").addHandler(handler)
    assert warned.wait(DEADLINE)
    assert not threading.Event().wait(0.1)
    logging.getLogger("farpool").removeHandler(handler)
    assert [record.getMessage() for record in caplog.records] == [
        "0 hosts listen on queue mail at redis://fake:6379/0. Start one with: farpool worker mail -u redis://fake:6379/0"
    ]
    assert not any(future.done() for future in futures)
    executor.shutdown(cancel_futures=True)


def test_a_bug_while_reading_does_not_end_the_listener(
    executor: FakeExecutor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [ZeroDivisionError("once")]
    original = FakeBroker.read_replies

    def read(*args: Any) -> Any:
        if broken:
            raise broken.pop()
        return original(*args)

    monkeypatch.setattr(FakeBroker, "read_replies", read)
    assert executor.submit(f.square, 3).result(DEADLINE) == 9
    assert "the listener goes on after an error" in caplog.text


def test_a_bug_while_sending_does_not_end_the_sender(
    executor: FakeExecutor, fake: FakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [ZeroDivisionError("once")]
    original = FakeBroker.cancel

    def cancel(*args: Any) -> Any:
        if broken:
            raise broken.pop()
        return original(*args)

    monkeypatch.setattr(FakeBroker, "cancel", cancel)
    future = executor.submit(f.gate, "bug")
    fake.wait_until(lambda: fake.enqueued)
    assert future.cancel()
    fake.wait_until(lambda: fake.canceled)
    assert executor.submit(f.square, 3).result(DEADLINE) == 9
    assert "the sender goes on after an error" in caplog.text
