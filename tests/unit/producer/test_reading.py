"""Who reads results: the thread that waits for a lone call, else the listener's."""

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait
from typing import Any

import functions as f
import pytest
from fake_broker import DEADLINE, FakeBroker, FakeExecutor

from farpool.client import listener, sender


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads that have read something, in order."""
    found: list[str] = []
    original = FakeBroker.read_replies

    def read(*args: Any) -> Any:
        replies = original(*args)
        if replies:
            found.append(threading.current_thread().name)
        return replies

    monkeypatch.setattr(FakeBroker, "read_replies", read)
    monkeypatch.setattr(sender, "QUIET_SECONDS", 0.0)  # every call of ours is a lone one
    monkeypatch.setattr(listener, "LINGER_SECONDS", DEADLINE)
    return found


def test_whoever_waits_for_a_lone_call_reads_its_result(executor: FakeExecutor, readers: list[str]) -> None:
    assert [executor.submit(f.square, number).result(DEADLINE) for number in range(5)] == [0, 1, 4, 9, 16]
    assert readers == [threading.current_thread().name] * 5


@pytest.mark.parametrize("look", ["callback", "wait", "done"])
def test_a_future_that_is_looked_at_in_another_way_is_settled_by_the_listener(
    look: str, executor: FakeExecutor, readers: list[str]
) -> None:
    future = executor.submit(f.square, 3)
    settled = threading.Event()
    match look:
        case "callback":
            future.add_done_callback(lambda _: settled.set())
            assert settled.wait(DEADLINE)
        case "wait":
            assert wait([future], DEADLINE).done == {future}
        case "done":
            until = time.monotonic() + DEADLINE
            while not future.done():
                assert time.monotonic() < until
    assert future.result(0) == 9
    assert readers == ["farpool-listener"]


def test_a_result_that_nobody_asks_for_is_read_all_the_same(
    executor: FakeExecutor, readers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "LINGER_SECONDS", 0.02)
    executor.submit(f.square, 1).result(DEADLINE)
    executor.submit(f.square, 2)
    until = time.monotonic() + DEADLINE
    while len(readers) < 2:
        assert time.monotonic() < until
        time.sleep(0.005)
    assert readers[1] == "farpool-listener"


def test_a_wait_that_times_out_leaves_the_result_for_the_next(executor: FakeExecutor) -> None:
    future = executor.submit(f.gate, "slow", "value")
    with pytest.raises(TimeoutError):
        future.result(0.05)
    assert not future.done()
    f.open_gate("slow")
    assert future.result(DEADLINE) == "value"


def test_what_another_thread_waits_for_is_read_by_whoever_reads(executor: FakeExecutor) -> None:
    slow = executor.submit(f.gate, "one", "value")
    got: list[Any] = []
    waiting = threading.Thread(target=lambda: got.append(slow.result(DEADLINE)), name="waiting")
    waiting.start()
    assert executor.submit(f.square, 4).result(DEADLINE) == 16
    f.open_gate("one")
    waiting.join(DEADLINE)
    assert got == ["value"]


@pytest.fixture
def interrupt() -> Iterator[threading.Timer]:
    """Ctrl-C in a moment."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # others have one of their own
    timer = threading.Timer(0.1, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT))
    yield timer
    timer.join(DEADLINE)
    signal.signal(signal.SIGINT, before)


def test_an_interrupted_wait_costs_no_result(executor: FakeExecutor, interrupt: threading.Timer) -> None:
    future = executor.submit(f.gate, "long", "value")
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        future.result(DEADLINE)
    f.open_gate("long")
    assert future.result(DEADLINE) == "value"
