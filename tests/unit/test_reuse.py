"""Memory that large results arrive in: used again, and never while somebody still has it."""

import gc
import os
import threading
import time

import numpy as np
import pytest

from farpool_common import reuse
from farpool_common.reuse import ReusedMemory

SIZE = 8 * 1024 * 1024


def _address(view):
    return np.frombuffer(view, "u1").ctypes.data


def test_memory_is_used_again_once_its_array_is_gone():
    memory = ReusedMemory()
    view = memory.take(SIZE)
    array = np.frombuffer(view, "f8")
    before = _address(view)
    del view, array
    assert _address(memory.take(SIZE - 100)) == before


@pytest.mark.parametrize("kept", ["array", "a part of it", "a view of its memory"])
def test_memory_is_not_used_again_while_somebody_has(kept):
    memory = ReusedMemory()
    view = memory.take(SIZE)
    array = np.frombuffer(view, "f8")
    array[:] = 7
    keeper = {"array": array, "a part of it": array[1000:2000].reshape(10, 100), "a view of its memory": view[8:80]}[
        kept
    ]
    del view, array
    gc.collect()
    other = np.frombuffer(memory.take(SIZE), "f8")
    other[:] = 0
    assert np.all(np.frombuffer(keeper, "f8") == 7)


def test_far_larger_memory_is_left_for_larger_results():
    memory = ReusedMemory()
    before = _address(memory.take(64 * 1024 * 1024))
    assert _address(memory.take(SIZE)) != before
    assert _address(memory.take(64 * 1024 * 1024)) == before


def test_what_is_free_is_bounded_and_goes_back_when_nobody_uses_it(monkeypatch):
    monkeypatch.setattr(reuse, "MOST_FREE_BYTES", 2 * SIZE)
    memory = ReusedMemory()
    taken = [memory.take(SIZE) for _ in range(5)]
    del taken
    assert len(memory._free) == 2
    memory.trim()
    assert len(memory._free) == 2
    monkeypatch.setattr(reuse, "IDLE_SECONDS", 0.0)
    memory.trim()
    assert len(memory._free) == 0


def test_after_close_an_array_stays_and_its_memory_is_not_kept():
    memory = ReusedMemory()
    array = np.frombuffer(memory.take(SIZE), "f8")
    array[:] = 3
    memory.close()
    assert array[-1] == 3
    del array
    assert len(memory._free) == 0


def test_threads_never_get_the_same_memory(seed):
    memory, wrong = ReusedMemory(), []

    def use(number):
        for _ in range(50):
            array = np.frombuffer(memory.take(SIZE), "u1")[:4096]
            array[:] = number
            time.sleep(0)
            if not np.all(array == number):
                wrong.append(number)

    threads = [threading.Thread(target=use, args=(seed % 100 + number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_forked_process_keeps_what_it_had():
    memory = ReusedMemory()
    array = np.frombuffer(memory.take(SIZE), "f8")
    array[:] = 5
    go, going = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(going)
        os.read(go, 1)
        os._exit(0 if array[0] == array[-1] == 5 else 1)
    os.close(go)
    del array
    np.frombuffer(memory.take(SIZE), "f8")[:] = 0
    os.close(going)
    assert os.waitpid(pid, 0)[1] == 0
