"""Shared objects in tasks of two hosts."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import redis
import shared_tasks
from daemons import Daemon, daemons, wait_for
from pages import blocks, run_script
from shared_keys import shared_keys

import farpool
from farpool.embedded import Server
from farpool.shared.keeper import keeper
from farpool_common.broker import connect

PAGE = "docs/shared-state.md"

SHARED_SECONDS = "2"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, standing_pids: set[int]) -> Iterator[list[Daemon]]:
    """Two daemons with four slots each, whose children hold nothing but what the pipe tells them."""
    options = ("-c", "4", "--no-rq-jobs")
    with (
        Server() as server,
        daemons(
            server.url,
            tmp_path_factory.mktemp("hosts"),
            "left",
            "right",
            options=options,
            FARPOOL_SHARED_SECONDS=SHARED_SECONDS,
        ) as found,
    ):
        standing_pids |= {daemon.pid for daemon in found}
        yield found
        standing_pids -= {daemon.pid for daemon in found}


@pytest.fixture(autouse=True)
def client(hosts: list[Daemon], _nothing_is_left: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """This process's shared objects are on the hosts' server; when their owner has ended, none is left."""
    monkeypatch.setenv("FARPOOL_SHARED_SECONDS", SHARED_SECONDS)
    monkeypatch.setenv("FARPOOL_URL", hosts[0].url)
    with connect(hosts[0].url) as found:
        yield found
        keeper().close()
        wait_for(lambda: not shared_keys(found), lambda: f"keys left: {shared_keys(found)}")


@pytest.fixture
def both(client: redis.Redis) -> Iterator[farpool.Executor]:
    with farpool.Executor() as executor:
        yield executor


def test_tasks_of_two_hosts_drain_a_queue_that_the_producer_feeds(both):
    queue, out = farpool.JoinableQueue(50), farpool.Queue()
    futures = [both.submit(shared_tasks.drains, queue, out) for _ in range(8)]
    for item in [*range(400), *[None] * 8]:
        queue.put(item, timeout=60)
    queue.join()
    assert sum(future.result() for future in futures) == 400
    assert {future.host for future in futures} == {"left", "right"}
    assert sorted(out.get(timeout=60) for _ in range(400)) == [n * n for n in range(400)]
    assert (queue.empty(), out.empty()) == (True, True)


def test_a_lock_guards_a_counter_over_eight_tasks(both):
    lock, value = farpool.Lock(), farpool.Value("i", 0)
    futures = [both.submit(shared_tasks.adds_under_lock, lock, value, 20) for _ in range(8)]
    farpool.wait(futures)
    assert [future.exception() for future in futures] == [None] * 8
    assert value.value == 160
    assert {future.host for future in futures} == {"left", "right"}


def test_a_barrier_holds_tasks_until_those_of_the_other_host_have_come(both):
    barrier = farpool.Barrier(8)
    futures = [both.submit(shared_tasks.meets, barrier) for _ in range(8)]
    met = [future.result(60) for future in futures]
    assert sorted(index for index, _ in met) == list(range(8))
    assert {future.host for future in futures} == {"left", "right"}


def test_the_action_of_a_barrier_runs_in_one_of_the_tasks(both):
    barrier = farpool.Barrier(4, shared_tasks.act)
    met = [future.result() for future in [both.submit(shared_tasks.meets_and_acts, barrier) for _ in range(4)]]
    assert sorted(index for index, _ in met) == [0, 1, 2, 3]
    assert len({pid for _, acted in met for pid in acted}) == 1


def test_an_event_wakes_tasks_and_a_condition_hands_out_work(both):
    event, condition, shelf = farpool.Event(), farpool.Condition(), farpool.Manager().list()
    waiting = [both.submit(shared_tasks.waits_for, event) for _ in range(3)]
    consuming = [both.submit(shared_tasks.consumes, condition, shelf) for _ in range(4)]
    event.set()
    assert [future.result() for future in waiting] == [True] * 3
    for number in range(4):
        with condition:
            shelf.append(number)
            condition.notify()
    assert sorted(future.result() for future in consuming) == [0, 1, 2, 3]


def test_dicts_lists_and_namespaces_are_filled_by_tasks(both):
    with farpool.Manager() as manager:
        numbers, rows, space = manager.list(), manager.dict(), manager.Namespace()
        for future in [both.submit(shared_tasks.appends, numbers, rows, space, n) for n in range(20)]:
            future.result()
        assert sorted(numbers) == sorted(rows.keys()) == list(range(20))
        assert (rows[7], space.n7) == ([7], 7)


def test_a_task_talks_to_the_producer_through_a_pipe(both):
    here, there = farpool.Pipe()
    future = both.submit(shared_tasks.echoes, there)
    for value in ("hello", {"n": 1}, np.arange(3)):
        here.send(value)
        assert np.array_equal(here.recv(), value)
        there.close()  # the task's copy is another
    here.close()
    assert future.result() is None


def test_a_handle_comes_back_as_itself_and_nested_in_arguments(both, monkeypatch):
    queue = farpool.Queue()
    monkeypatch.delenv("FARPOOL_URL")  # what comes back is on the executor's server
    found = both.submit(shared_tasks.returns_same, {"queues": [queue, (queue,)]}).result()
    assert found == {"queues": [queue, (queue,)]}
    found["queues"][0].put(1)
    assert queue.get(timeout=60) == 1


def test_a_task_may_own_an_object_while_it_runs(both, client):
    said = farpool.Queue()
    future = both.submit(shared_tasks.owns, said)
    queue, done = said.get(timeout=60)
    queue.put("for the task")
    done.set()
    assert future.result() == "for the task"


def test_values_of_a_tasks_own_classes_travel_through_a_queue(both):
    queue = farpool.Queue()
    queue.put(shared_tasks.Point(3, 4))
    both.submit(shared_tasks.puts_point, queue).result()
    assert [queue.get(timeout=60) for _ in range(2)] == [shared_tasks.Point(3, 4), shared_tasks.Point(1, 2)]


def test_a_child_has_one_thread_again_when_it_holds_nothing(both):
    lock, value = farpool.Lock(), farpool.Value("i", 0)
    farpool.wait([both.submit(shared_tasks.adds_under_lock, lock, value, 1) for _ in range(8)])
    wait_for(lambda: both.submit(shared_tasks.threads).result() == ["MainThread"])


def test_a_lock_whose_holder_was_killed_in_a_task_is_free_after_its_lease(both):
    lock, said = farpool.Lock(), farpool.Queue()
    future = both.options(retries=0).submit(shared_tasks.holds_for_ever, lock, said)
    pid, fence = said.get(timeout=60)
    assert lock.acquire(False) is False
    os.kill(pid, signal.SIGKILL)
    assert lock.acquire(timeout=60) is True
    assert lock.fence > fence
    lock.release()
    assert isinstance(future.exception(), farpool.WorkerLostError)


def test_a_canceled_task_lets_go_of_its_lock(both):
    lock, said = farpool.Lock(), farpool.Queue()
    future = both.submit(shared_tasks.holds_for_ever, lock, said)
    said.get(timeout=60)
    assert future.cancel() is True
    assert lock.acquire(timeout=60) is True
    lock.release()


def test_a_time_limit_ends_a_wait(both):
    with pytest.raises(farpool.TaskTimeoutError):
        both.options(timeout=0.5).submit(shared_tasks.waits_for, farpool.Event()).result()


def test_a_worker_may_keep_the_address_to_itself(server: Server, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("FARPOOL_URL", server.url)
    options = ("-c", "1", "--no-rq-jobs", "--no-shared-state")
    with daemons(server.url, tmp_path, "shut", options=options), farpool.Executor() as executor:
        queue, before = farpool.Queue(), executor.submit(shared_tasks.open_sockets).result()
        assert executor.submit(shared_tasks.returns_same, queue).result() == queue
        after = executor.submit(shared_tasks.open_sockets).result()
        assert after == before, "a handle that only passes through connects nowhere"
        future = executor.submit(shared_tasks.puts, queue, [1])
        with pytest.raises(farpool.SettingsError, match="--no-shared-state"):
            future.result()


def test_the_program_of_the_page_runs_as_it_says(server: Server, tmp_path: Path):
    (program,) = blocks(PAGE, "python")
    with daemons(server.url, tmp_path, "page", options=("-c", "2", "-P", str(tmp_path))):
        assert run_script(program, tmp_path, url=server.url) == "1000 332833500\n0.5 ['a', 'b']\n"
