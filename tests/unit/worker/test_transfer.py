"""Which moves the main loop makes itself, and which it leaves to the thread."""

import threading
from types import SimpleNamespace
from unittest import mock

import pytest

from farpool_common.errors import DecodeError, ServerUnreachableError
from farpool_common.payload import Part
from farpool_worker.buffers.shared import SharedMemory
from farpool_worker.buffers.store import Segment
from farpool_worker.tasks.transfer import Fetch, Fetched, Store, Stored, Transfer

PART = Part("rq:farpool:data:t:0", 100_000, 1)


class Payloads:
    """Moves nothing; fails with `errors`, one after the other; tells in which threads it was asked."""

    def __init__(self, quick, errors=()):
        self.quick, self.errors, self.threads = quick, list(errors), []

    def is_quick(self, nbytes):
        return self.quick and nbytes <= 1_000_000

    def _asked(self):
        self.threads.append(threading.current_thread().name)
        if self.errors:
            raise self.errors.pop(0)

    def fetch_into(self, part, target):
        self._asked()
        target[:] = b"\7" * part.nbytes

    def store(self, owner, buffers, seconds):
        self._asked()
        return [PART for _ in buffers]


@pytest.fixture
def run():
    """Starts the thread of a transfer over such payloads; `answer` waits for what it has moved."""
    started = []

    def start(payloads):
        bell, stop = threading.Event(), threading.Event()
        transfer = Transfer(payloads, mock.Mock(), bell.set, SharedMemory(""))
        thread = threading.Thread(target=transfer.run, args=(stop,), name="transfer")
        thread.start()
        started.append((transfer, thread, stop))

        def answer():
            assert bell.wait(10)
            (moved,) = transfer.moved()
            return moved

        return transfer, answer

    yield start
    for transfer, thread, stop in started:
        stop.set()
        transfer.close()
        thread.join()


def _fetch(*parts):
    return Fetch(SimpleNamespace(task=SimpleNamespace(parts=parts or (PART,))))


def _store():
    (segment,) = Segment.holding([memoryview(b"x" * 100_000)])
    return Store(SimpleNamespace(), "t-e-0", [segment.view], [segment])


def test_what_is_quick_is_there_when_order_returns(run):
    payloads = Payloads(quick=True)
    transfer, _ = run(payloads)
    fetched, stored = transfer.order(_fetch()), transfer.order(_store())
    assert isinstance(fetched, Fetched)
    assert bytes(fetched.segments[0].view) == b"\7" * PART.nbytes
    assert isinstance(stored, Stored)
    assert stored.parts == [PART]
    assert transfer.moved() == []
    assert "transfer" not in payloads.threads


@pytest.mark.parametrize(("quick", "order"), [(False, _fetch), (False, _store), (True, lambda: _fetch(*[PART] * 11))])
def test_what_is_slow_or_much_is_left_to_the_thread(run, quick, order):
    payloads = Payloads(quick)
    transfer, answer = run(payloads)
    assert transfer.order(order()) is None
    assert answer().error is None
    assert set(payloads.threads) == {"transfer"}


@pytest.mark.parametrize("order", [_fetch, _store])
def test_after_an_outage_the_thread_tries_again_until_the_server_is_back(run, order):
    payloads = Payloads(quick=True, errors=[ServerUnreachableError("gone")] * 2)
    transfer, answer = run(payloads)
    assert transfer.order(order()) is None
    assert answer().error is None
    assert payloads.threads[1:] == ["transfer", "transfer"]


def test_what_cannot_be_had_is_told_at_once(run):
    transfer, _ = run(Payloads(quick=True, errors=[DecodeError("damaged")]))
    moved = transfer.order(_fetch())
    assert isinstance(moved.error, DecodeError)
    assert moved.segments == ()
