"""A server in memory and executors on it; every test leaves no thread of ours behind."""

import threading
from collections.abc import Iterator

import functions
import pytest
from fake_broker import DEADLINE, FakeExecutor, FakeServer

from farpool.client import listener


def our_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("farpool-")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    for thread in our_threads():
        thread.join(DEADLINE)
    assert our_threads() == []


@pytest.fixture(autouse=True)
def short_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listener looks around every 20 ms instead of every second."""
    monkeypatch.setattr(listener, "BLOCK_MS", 20)


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    server = FakeServer()
    functions.close_all_gates()
    functions.SEEN.clear()
    yield server
    functions.open_all_gates()
    server.stop()


@pytest.fixture
def executor(fake: FakeServer) -> Iterator[FakeExecutor]:
    with FakeExecutor(fake) as executor:
        yield executor
        functions.open_all_gates()
