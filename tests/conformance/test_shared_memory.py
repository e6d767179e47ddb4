"""Shared memory, as multiprocessing's and as ours."""

import pickle
from multiprocessing import resource_tracker
from multiprocessing import shared_memory as standard

import conformance_tasks as tasks
import pytest

import farpool


@pytest.fixture
def memory(tools):
    yield farpool.shared_memory if tools.is_farpool else standard
    if not tools.is_farpool:
        resource_tracker._resource_tracker._stop()  # a process of multiprocessing's that would outlive the test


@pytest.fixture
def block(memory):
    found = memory.SharedMemory(create=True, size=64)
    yield found
    found.close()
    found.unlink()


def test_a_block_begins_with_zeros_and_has_its_size(block):
    assert block.size >= 64
    assert bytes(block.buf[:64]) == bytes(64)


def test_processes_that_write_to_different_places_do_not_disturb_each_other(tools, memory, block):
    block.buf[63] = 7
    processes = [
        tools.Process(target=tasks.fill_block, args=(tools.is_farpool, block.name, place)) for place in (0, 16, 32)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert bytes(block.buf[:48]) == bytes([1] * 16 + [17] * 16 + [33] * 16)
    assert block.buf[63] == 7


def test_names_and_sizes_that_cannot_be_are_refused(memory, block):
    for wrong in ({"create": True, "size": 0}, {"create": True, "size": -1}, {}):
        with pytest.raises(ValueError):
            memory.SharedMemory(**wrong)
    with pytest.raises(FileNotFoundError):
        memory.SharedMemory(name="nobody-has-made-this")
    name = f"made-{block.name[-8:]}"
    made = memory.SharedMemory(name=name, create=True, size=1)
    with pytest.raises(FileExistsError):
        memory.SharedMemory(name=name, create=True, size=1)
    made.close()
    made.unlink()


def test_a_block_can_be_sent_and_closed_twice(memory, block):
    block.buf[0] = 9
    other = pickle.loads(pickle.dumps(block))
    assert other.buf[0] == 9
    other.close()
    other.close()


def test_a_list_has_a_fixed_length(memory):
    shared = memory.ShareableList([1, "two", 3.0, None, b"five", True])
    try:
        shared[1] = "2"
        other = memory.ShareableList(name=shared.shm.name)
        assert list(other) == [1, "2", 3.0, None, b"five", True]
        assert (len(other), other.count(1), other.index(3.0)) == (6, 2, 2)
        with pytest.raises(IndexError):
            shared[6]
        with pytest.raises(AttributeError):
            shared.append(1)
        other.shm.close()
    finally:
        shared.shm.close()
        shared.shm.unlink()


def test_every_name_of_multiprocessing_is_here_or_on_the_list_of_differences():
    import multiprocessing
    from concurrent import futures
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs/conformance.md").read_text()
    for name in (*multiprocessing.__all__, *futures.__all__, "shared_memory"):
        assert hasattr(farpool, name) or f"`{name}`" in page, name
