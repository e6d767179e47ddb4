"""Arrays pass through shared memory, in both directions, and leave nothing behind."""

import os
from dataclasses import replace

import numpy as np
import pool_tasks
import pytest
from pool_driver import Driver, chunk, values

from farpool_worker.buffers.store import Segment


def test_an_array_goes_there_and_back(driver):
    array = np.arange(100_000, dtype=np.float64)
    found = driver.call("pool_tasks:doubled", (array,))
    assert np.array_equal(found[0], array * 2)
    found[0][:] = 0  # what arrives is writable


def test_a_task_gets_the_segment_itself_and_may_write_to_it(driver):
    work = chunk("pool_tasks:fill", (np.zeros(100_000), 7.0))
    assert values(driver.run(work)) == {0: True}
    assert set(np.frombuffer(work.segments[0].view)) == {7.0}


def test_many_arrays_share_one_file(driver):
    arrays = [(np.full(10_000, i),) for i in range(300)]
    work = chunk("pool_tasks:echo", *arrays)
    assert len({segment.fd for segment in work.segments}) == 1
    events = driver.run(work)
    found = values(events)
    assert [int(found[i][0]) for i in range(300)] == list(range(300))


def test_more_segments_than_one_message_takes(driver):
    work = chunk("pool_tasks:echo", *[(np.full(10_000, i),) for i in range(300)])
    alone = []
    for segment in work.segments:
        alone.append(Segment(segment.nbytes))
        alone[-1].view[:] = segment.view
    found = values(driver.run(replace(work, segments=tuple(alone))))
    assert [int(found[i][-1]) for i in range(300)] == list(range(300))


def test_nothing_grows_over_fifty_rounds_of_64_megabytes():
    array = np.ones(8_000_000)
    with Driver(1) as driver:
        for _ in range(5):  # until there is shared memory that is used again
            before = _measured(driver, array)
        for _ in range(50):
            after = _measured(driver, array)
    # One by one fifty would be left; memory that is used again may be in a second or third file at times.
    assert all(later - earlier < 5 for earlier, later in zip(before["files"], after["files"], strict=True))
    # Growth by one array in fifty rounds would be 64 MB; an allocator's habits are below a quarter of it.
    assert after["ours"] - before["ours"] < 16e6
    assert after["theirs"] - before["theirs"] < 16e6


def _measured(driver, array):
    found = driver.call("pool_tasks:echo", (array,))
    assert found[0].nbytes == array.nbytes
    del found
    theirs = driver.call("pool_tasks:resident_bytes", ())[0]
    files = driver.call("pool_tasks:open_files", ())[0]
    return {
        "ours": pool_tasks.resident_bytes(),
        "theirs": theirs,
        "files": (len(os.listdir("/proc/self/fd")), files),
    }


@pytest.mark.parametrize("function", ["no_space_left", "memory_full_for"])
def test_a_result_for_which_there_is_no_memory_fails_its_call_alone(function):
    with Driver(1) as driver:
        found = driver.call(f"pool_tasks:{function}", (1 << 20,))
        if function == "memory_full_for":
            assert found == {0: 1 << 20}
            found = driver.call("pool_tasks:zeros_at", (0, [1 << 20]))
        assert found[0].type_name == "farpool_common.errors:ResultError"
        assert "no memory: [Errno " in found[0].message
        assert driver.call("pool_tasks:echo", ("small",)) == {0: "small"}
