"""Shared memory is used again, and what somebody keeps never changes under them."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest
from pool_driver import chunk, values, wait_for_file, wait_until_gone

from farpool_worker.buffers.warm import IDLE_SECONDS, WarmMemory

LENGTH = 100_000


@pytest.fixture
def warm():
    found = WarmMemory()
    yield found
    found.close()


def _inode(segment):
    return os.fstat(segment.fd).st_ino


def _work(warm, function, *row):
    """A work whose arrays are in warm memory, as the daemon brings them."""
    made = chunk(f"pool_tasks:{function}", row)
    return replace(made, segments=warm.holding([segment.view for segment in made.segments]))


def test_memory_is_used_again_once_all_segments_are_closed(warm):
    segments = warm.allocate([LENGTH, LENGTH])
    before = _inode(segments[0])
    segments[0].close()
    (other,) = warm.allocate([LENGTH])
    assert _inode(other) != before
    segments[1].close()
    assert _inode(warm.allocate([2 * LENGTH])[0]) == before


def test_an_array_outlives_its_segment_and_keeps_its_values(warm):
    (segment,) = warm.holding([memoryview(b"abc" * LENGTH)])
    array = np.frombuffer(segment.view, "u1")[3:6]
    segment.close()
    (other,) = warm.holding([memoryview(b"xyz" * LENGTH)])
    assert bytes(array) == b"abc"
    assert bytes(other.view[:3]) == b"xyz"


def test_arguments_of_one_task_after_another_use_the_same_memory(driver, warm):
    seen = set()
    for number in range(10):
        work = _work(warm, "doubled", np.full(LENGTH, float(number)))
        seen.add(_inode(work.segments[0]))
        found = values(driver.run(work, slot=1))
        assert np.all(found[0] == 2.0 * number)
        for segment in work.segments:
            segment.close()
    assert len(seen) <= 2  # the child lets go of one while the next is on its way


def test_an_argument_that_a_task_keeps_does_not_change(driver, warm):
    for number in range(5):
        work = _work(warm, "keep", np.full(LENGTH, float(number)))
        driver.run(work, slot=1)
        for segment in work.segments:
            segment.close()
    assert values(driver.run(chunk("pool_tasks:kept", ()), slot=1))[0] == [[float(n), float(n)] for n in range(5)]


def test_an_argument_that_a_forked_process_of_a_task_looks_at_later_does_not_change(driver, warm, tmp_path):
    work = _work(warm, "keep_in_fork", np.ones(LENGTH), str(tmp_path / "go"))
    forked = values(driver.run(work, slot=1))[0]
    for number in range(5):
        for segment in work.segments:
            segment.close()
        work = _work(warm, "doubled", np.full(LENGTH, float(number)))
        driver.run(work, slot=1)
    (tmp_path / "go").write_text("go")
    assert wait_for_file(tmp_path / "go.seen") == "True"
    wait_until_gone(forked)


def test_results_that_are_kept_do_not_change(driver):
    results = [driver.run(chunk("pool_tasks:doubled", (np.full(LENGTH, n),)), slot=1) for n in range(5)]
    assert [[values(events)[0].min(), values(events)[0].max()] for events in results] == [[2 * n] * 2 for n in range(5)]


def test_memory_of_a_child_that_was_killed_is_used_again(driver, warm):
    work = _work(warm, "keep", np.ones(LENGTH))
    inode, pid = _inode(work.segments[0]), values(driver.run(chunk("pool_tasks:pid", ()), slot=1))[0]
    driver.run(work, slot=1)
    for segment in work.segments:
        segment.close()
    assert _inode(warm.allocate([8 * LENGTH])[0]) != inode
    driver.send(chunk("pool_tasks:leave", (3,)), slot=1)
    wait_until_gone(pid)
    assert _inode(warm.allocate([8 * LENGTH])[0]) == inode


def test_memory_that_nobody_uses_goes_back_though_others_have_it_mapped(warm):
    (segment,) = warm.allocate([LENGTH])
    fd = os.dup(segment.fd)
    try:
        segment.close()
        warm.trim(time.monotonic() + IDLE_SECONDS)
        assert os.fstat(fd).st_blocks > 0  # it is lent as long as anybody has the descriptor
        (segment,) = warm.allocate([LENGTH])
        own = os.open(f"/proc/self/fd/{segment.fd}", os.O_RDWR)
        segment.close()
        warm.trim()
        assert os.fstat(own).st_blocks > 0
        warm.trim(time.monotonic() + IDLE_SECONDS)
        assert os.fstat(own).st_blocks == 0
        os.close(own)
    finally:
        os.close(fd)
    assert not warm


def test_no_more_is_kept_than_the_bound():
    warm = WarmMemory(most_bytes=10 * LENGTH)  # what it keeps goes with it
    segments = [warm.allocate([4 * LENGTH])[0] for _ in range(5)]
    for value, segment in enumerate(segments):
        segment.view[:] = bytes([value]) * segment.nbytes
    assert len(warm._kept) == 2
    assert [segment.view[-1] for segment in segments] == list(range(5))


def test_without_a_way_to_lend_memory_is_new_each_time(warm, monkeypatch):
    def refused(*_):
        raise OSError(2, "No such file or directory")

    monkeypatch.setattr(os, "open", refused)
    (segment,) = warm.holding([memoryview(b"abc" * LENGTH)])
    assert bytes(segment.view[:3]) == b"abc"
    assert not warm
