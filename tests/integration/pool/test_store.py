"""Segments and messages, without a child at the other end."""

import gc
import os
import random
import resource
from contextlib import contextmanager, suppress
from multiprocessing import Pipe

import numpy as np
import pytest

from farpool_worker.buffers.store import Segment, lay_out
from farpool_worker.pipe.channel import INLINE_BYTES, MOST_FILES, Channel, GarbageError, framed


def _open_files():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_an_array_outlives_its_segment():
    before = _open_files()
    segment = Segment(800)
    array = np.frombuffer(segment.view, np.float64)
    array[:] = 5
    segment.close()
    segment.close()
    assert array.sum() == 500
    with pytest.raises(ValueError, match="closed"):
        _ = segment.view
    del array
    assert _open_files() == before


def test_segments_of_one_file_do_not_overlap_and_close_with_the_last():
    before = _open_files()
    segments = Segment.allocate([10, 0, 1000])
    for value, segment in enumerate(segments):
        segment.view[:] = bytes([value]) * segment.nbytes
    assert [bytes(segment.view) for segment in segments] == [bytes(10), b"", b"\2" * 1000]
    segments[0].close()
    assert bytes(segments[2].view[:1]) == b"\2"
    for segment in segments:
        segment.close()
    del segment, segments
    assert _open_files() == before


def test_an_empty_segment_is_possible():
    assert bytes(Segment(0).view) == b""
    assert [bytes(segment.view) for segment in Segment.holding([memoryview(b"")])] == [b""]


def test_holding_copies():
    data = bytearray(b"abc" * 1000)
    (segment,) = Segment.holding([memoryview(data)])
    data[:] = bytes(3000)
    assert bytes(segment.view[:3]) == b"abc"


@pytest.mark.parametrize("make", [Segment, lambda size: Segment.holding([memoryview(bytes(size))])])
def test_a_shortage_is_an_error_and_leaves_no_file(make):
    before = _open_files()
    with _largest_file(1 << 20), pytest.raises(OSError, match="Errno"):
        make(2 << 20)
    assert _open_files() == before


@contextmanager
def _largest_file(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_without_memfd_an_unlinked_file_serves(monkeypatch):
    def refused(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "memfd_create", refused)
    segment = Segment(100)
    segment.view[:3] = b"abc"
    assert bytes(segment.view[:3]) == b"abc"
    assert os.fstat(segment.fd).st_nlink == 0


def test_a_range_outside_its_file_is_refused():
    with pytest.raises(ValueError, match="no part"):
        Segment.of(Segment(10).file, 5, 6)


# --- messages --------------------------------------------------------------------------------------


@pytest.fixture
def channels():
    left, right = Pipe()
    ends = Channel(left, waits=True), Channel(right, waits=False)
    yield ends
    for end in ends:
        end.close()


def test_messages_and_segments_arrive_in_order(channels):
    sender, receiver = channels
    (segment,) = Segment.holding([memoryview(b"abc")])
    large = b"x" * (INLINE_BYTES + 1)
    sender.write([framed(["one", 1]), framed(["two"], [segment]), framed(["three", large]), framed(["four"])])
    found = list(receiver.messages())
    assert [message.fields for message in found] == [["one", 1], ["two"], ["three", large], ["four"]]
    assert [bytes(s.view) for message in found for s in message.segments] == [b"abc"]
    assert list(receiver.messages()) == []


def test_more_files_than_one_call_takes_are_sent_in_several(channels):
    sender, receiver = channels
    segments = [Segment(1) for _ in range(60)]
    for index, segment in enumerate(segments):
        segment.view[0] = index
    sender.write([framed([str(start)], segments[start:]) for start in range(0, 60, 10)])
    found = [[s.view[0] for s in message.segments] for message in receiver.messages()]
    assert found == [list(range(start, 60)) for start in range(0, 60, 10)]


def test_a_message_with_too_many_files_gets_one():
    segments = [Segment(1) for _ in range(MOST_FILES)]
    assert len(framed(["many"], segments).files) == 1
    assert len(lay_out(segments)[0]) == MOST_FILES


def test_half_a_message_is_waited_for_without_waiting(channels):
    sender, receiver = channels
    data = framed(["word", "x" * 100]).data
    for byte in data[:-1]:
        sender._socket.send(bytes([byte]))
        assert list(receiver.messages()) == []
    sender._socket.send(data[-1:])
    assert [message.fields for message in receiver.messages()] == [["word", "x" * 100]]


def test_the_end_comes_after_the_last_message(channels):
    sender, receiver = channels
    sender.write([framed(["last"])])
    sender.close()
    arriving = receiver.messages()
    assert next(arriving).fields == ["last"]
    with pytest.raises(EOFError):
        _ = list(arriving) + list(receiver.messages())


def test_random_bytes_are_garbage_or_nothing(seed):
    chance = random.Random(seed)
    for _ in range(300):
        left, right = Pipe()
        sender, receiver = Channel(left, waits=True), Channel(right, waits=False)
        data = framed(["progress", 1, 0, 1, 0, 0.5, b"envelope"], Segment.allocate([5])).data
        mutated = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        sender._socket.send(bytes(mutated[: chance.randint(1, len(mutated))]))
        with suppress(GarbageError):
            list(receiver.messages())
        sender.close()
        receiver.close()
