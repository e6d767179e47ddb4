"""Handles in other processes and in values: they stand for the same object, and hold no address."""

import multiprocessing
import os
import pickle
import subprocess
import sys

import pytest
import shared_tasks
from daemons import SUPPORT

import farpool
from farpool_common.codec import Serializer
from farpool_common.errors import DecodeError


def all_kinds():
    lock = farpool.Lock()
    return [
        farpool.Queue(),
        farpool.JoinableQueue(),
        farpool.SimpleQueue(),
        lock,
        farpool.RLock(),
        farpool.Semaphore(),
        farpool.BoundedSemaphore(),
        farpool.Event(),
        farpool.Condition(lock),
        farpool.Barrier(2, os.getpid),
        farpool.Value("i", 1),
        farpool.Array("d", 2, lock=False),
        farpool.Manager().dict(),
        farpool.Manager().list(),
        farpool.Manager().Namespace(),
    ]


def test_handles_travel_in_any_value_and_mean_the_same_object(on_server):
    handles = all_kinds()
    found = Serializer.loads(Serializer.dumps({"handles": handles, "pair": (handles[0], 1)}))
    assert found == {"handles": handles, "pair": (handles[0], 1)}
    assert [type(each) for each in found["handles"]] == [type(each) for each in handles]
    found["pair"][0].put("through it")
    assert handles[0].get(timeout=30) == "through it"


def test_no_handle_holds_the_servers_address(on_server):
    place = on_server.url.removeprefix("unix://").encode()
    for handle in (*all_kinds(), *farpool.Pipe()):
        assert place not in Serializer.dumps(handle)
        assert place not in pickle.dumps(handle)


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_a_handle_works_in_processes_of_multiprocessing(on_server, method, monkeypatch):
    context = multiprocessing.get_context(method)
    tasks, done = farpool.JoinableQueue(), farpool.Queue()
    tasks.put(1)  # connections are made, and a fork inherits them
    assert tasks.get() == 1
    tasks.task_done()
    monkeypatch.delenv("FARPOOL_URL")  # they are told by the handle itself
    processes = [context.Process(target=shared_tasks.drains, args=(tasks, done)) for _ in range(2)]
    for process in processes:
        process.start()
    for item in [*range(20), None, None]:
        tasks.put(item)
    tasks.join()
    assert sorted(done.get(timeout=30) for _ in range(20)) == sorted(n * n for n in range(20))
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    tasks.put("still there")
    assert tasks.get(timeout=30) == "still there"


def test_a_lock_excludes_processes(on_server):
    context = multiprocessing.get_context("fork")
    lock, value = farpool.Lock(), farpool.Value("i", 0)
    processes = [context.Process(target=shared_tasks.adds_under_lock, args=(lock, value, 20)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert value.value == 60


def test_a_forked_child_does_not_hold_its_parents_locks(on_server):
    lock = farpool.Lock()
    lock.acquire()
    process = multiprocessing.get_context("fork").Process(target=_fails_to_release, args=(lock,))
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert lock.locked() is True
    lock.release()


def _fails_to_release(lock):
    with pytest.raises(ValueError, match="this process does not hold it"):
        lock.release()


def test_a_pickle_is_read_by_another_program_on_its_own_server(on_server, tmp_path):
    queue = farpool.Queue()
    queue.put("here")
    (tmp_path / "handle").write_bytes(pickle.dumps(queue))
    command = [sys.executable, str(SUPPORT / "shared_owner.py"), "reads", str(tmp_path / "handle")]
    assert subprocess.run(command, check=True, capture_output=True, timeout=60).stdout == b"ready\n"
    assert queue.get(timeout=30) == ("here", "seen")


def test_what_is_no_description_of_a_handle_is_refused(on_server):
    good = Serializer.dumps(farpool.Queue())
    for change in ((b"queue", b"qu\0ue"), (b"queue", b"array")):
        with pytest.raises(DecodeError):
            Serializer.loads(good.replace(*change))


def test_an_end_of_a_pipe_that_was_closed_is_not_sent(on_server):
    left, right = farpool.Pipe()
    right.close()
    for send in (Serializer.dumps, pickle.dumps):
        with pytest.raises((TypeError, OSError), match="closed before it was sent"):
            send(right)
    left.close()


def test_a_program_calls_no_action_that_somebody_else_names(on_server, background):
    handle = Serializer.loads(Serializer.dumps(farpool.Barrier(1, os.getpid)))
    barrier = farpool.Barrier(1, os.getpid)
    assert barrier.wait() == 0
    with pytest.raises(farpool.FunctionNotAllowedError, match="came from elsewhere"):
        handle.wait()


def test_what_cannot_travel_is_told_at_once_and_puts_nothing(on_server):
    queue = farpool.Queue()
    with pytest.raises(TypeError, match="cannot travel"):
        queue.put(lambda: 1)
    assert queue.empty()
