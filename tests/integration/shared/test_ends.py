"""What becomes of shared objects when their owner, or the holder of a lock, ends, is killed or is stopped."""

import gc
import multiprocessing
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from daemons import SUPPORT, wait_for
from shared_keys import shared_keys

import farpool


@contextmanager
def program(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A process that owns or holds something."""
    command = [sys.executable, str(SUPPORT / "shared_owner.py"), *words]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def goes_on(process: subprocess.Popen[str]) -> str:
    """Let it go on to its end; what it said then."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out.strip()


def test_an_owner_that_ends_takes_all_its_objects_along(on_server, client):
    with program("owns") as owner:
        owner.stdout.readline()
        kinds = {client.hget(key, "kind") for key in client.keys("*:shared:record:*")}
        assert len(kinds) == 13, kinds
        goes_on(owner)
    wait_for(lambda: not client.keys("*:shared:*"), lambda: f"keys left: {client.keys('*:shared:*')}")


def test_objects_of_a_killed_owner_vanish_after_a_while(on_server, client):
    with program("owns") as owner:
        owner.stdout.readline()
        assert all(0 < client.pttl(key) <= 12_000 for key in shared_keys(client)), "each key expires"
        owner.kill()
        owner.wait()
        assert shared_keys(client)
        wait_for(lambda: not shared_keys(client), lambda: f"keys left: {shared_keys(client)}")


def test_objects_live_on_while_their_owner_does_nothing_with_them(on_server, client, monkeypatch):
    monkeypatch.setenv("FARPOOL_SHARED_SECONDS", "0.3")
    queue = farpool.Queue()
    queue.put("kept")
    (record,) = client.keys("*:shared:record:*")
    client.pexpire(record, 300)
    wait_for(lambda: client.pttl(record) > 600, lambda: "it was not renewed")
    assert queue.get(timeout=30) == "kept"


def test_an_object_whose_handle_was_let_go_of_is_renewed_no_more(on_server, client, monkeypatch):
    monkeypatch.setenv("FARPOOL_SHARED_SECONDS", "0.3")
    queue = farpool.Queue()
    queue.put("forgotten")
    del queue
    gc.collect()
    wait_for(lambda: not shared_keys(client))


def test_a_waiter_that_was_killed_takes_nothing_along(on_server, client, background):
    def blocked():
        return client.info("clients")["blocked_clients"]

    queue, lock = farpool.Queue(), farpool.Lock()
    lock.acquire()
    killed = [multiprocessing.get_context("fork").Process(target=call) for call in (queue.get, lock.acquire)]
    for process in killed:
        process.start()
    wait_for(lambda: blocked() == 2)
    waiting = [background(queue.get), background(lock.acquire)]
    wait_for(lambda: blocked() == 4)
    for process in killed:
        process.kill()
        process.join()
    wait_for(lambda: blocked() == 2)
    queue.put("for who lives")
    lock.release()
    assert [each.result() for each in waiting] == ["for who lives", True]


def test_a_handle_that_was_used_is_let_go_of_without_the_garbage_collector(on_server):
    gc.disable()
    try:
        queue, event = farpool.Queue(), farpool.Event()
        queue.put(1)
        queue.get()
        event.wait(0.01)
        kept = [weakref.ref(queue), weakref.ref(event)]
        del queue, event
        assert [each() for each in kept] == [None, None]
    finally:
        gc.enable()


def test_who_uses_or_waits_for_an_object_that_was_freed_is_told(on_server, background):
    objects = [farpool.Queue(), farpool.Event(), farpool.Condition(), farpool.Barrier(2), farpool.Semaphore(0)]
    queue, event, condition, barrier, semaphore = objects

    def in_condition():
        with condition:
            condition.wait()

    calls = [queue.get, event.wait, barrier.wait, semaphore.acquire, queue.join, in_condition]
    queue.put(1)
    queue.get()
    waiting = [background(call) for call in calls]
    assert all(each.is_waiting() for each in waiting)
    for each in objects:
        each.free()
    for each in waiting:
        with pytest.raises(farpool.SharedStateGoneError, match=r"is not on .*made it has ended"):
            each.result()
    with pytest.raises(farpool.SharedStateGoneError):
        queue.put(1)


def test_a_lock_whose_holder_was_killed_is_free_after_its_lease(on_server):
    with program("holds", "guard") as holder:
        fence = int(holder.stdout.readline())
        lock = farpool.Lock(name="guard")
        assert lock.acquire(False) is False
        assert lock.locked() is True
        holder.kill()
        holder.wait()
        assert lock.acquire(timeout=60) is True
        assert lock.fence > fence
        lock.release()
    lock.free()


def test_a_holder_that_was_stopped_for_too_long_learns_that_it_lost_the_lock(on_server):
    with program("holds", "guard") as holder:
        fence = int(holder.stdout.readline())
        holder.send_signal(signal.SIGSTOP)
        with farpool.Lock(name="guard") as has_it:
            assert has_it is True
            assert farpool.Lock(name="guard").fence > fence
            holder.send_signal(signal.SIGCONT)
            assert goes_on(holder) == "lost"
    farpool.Lock(name="guard").free()


def test_a_holder_that_lives_keeps_the_lock_beyond_its_lease(on_server, client, monkeypatch):
    monkeypatch.setenv("FARPOOL_SHARED_SECONDS", "0.5")
    with farpool.Lock() as _, farpool.Lock() as _:
        records = client.keys("*:shared:record:*")
        first = [int(client.hget(record, "lapses")) for record in records]
        wait_for(lambda: all(int(client.hget(r, "lapses")) > at + 1000 for r, at in zip(records, first, strict=True)))


def test_a_holder_that_ends_releases_its_lock(on_server, background):
    with program("owns") as owner:
        owner.stdout.readline()
    with program("holds", "guard") as holder:
        holder.stdout.readline()
        waiting = background(farpool.Lock(name="guard").acquire)
        assert waiting.is_waiting()
        assert goes_on(holder) == "released"
        assert waiting.result() is True
    farpool.Lock(name="guard").release()
    farpool.Lock(name="guard").free()


def test_the_fence_grows_with_each_acquisition_also_when_the_lock_was_made_anew(on_server):
    fences = []
    for _ in range(3):
        lock = farpool.Lock(name="grows")
        for _ in range(2):
            with lock:
                fences.append(lock.fence)
        assert lock.fence is None
        lock.free()
    assert fences == sorted(set(fences))


def test_a_named_object_outlives_its_maker_and_is_found_by_its_name(on_server, client):
    with program("holds", "stays") as holder:
        holder.stdout.readline()
        goes_on(holder)
    (record,) = client.keys("*:shared:record:stays")
    assert 86_000 < client.ttl(record) <= 86_400
    client.pexpire(record, 10_000)
    with farpool.Lock(name="stays"):
        assert client.ttl(record) > 86_000, "each use counts"
    with pytest.raises(farpool.SettingsError, match="is a lock already, and no queue"):
        farpool.Queue(name="stays")
    farpool.Lock(name="stays").free()
    assert client.keys("*:shared:record:*") == []


def test_a_name_that_cannot_be_one_is_refused(on_server):
    for wrong in ("", "~x", "a\nb", "x" * 201):
        with pytest.raises(ValueError, match="no name"):
            farpool.Queue(name=wrong)
    with pytest.raises(TypeError):
        farpool.Queue(name=3)  # type: ignore[arg-type]
