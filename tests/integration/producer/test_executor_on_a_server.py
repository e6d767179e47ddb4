"""An executor on a real server; the test itself is the worker, call by call."""

import concurrent.futures
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import functions as f
import numpy as np
import pytest
import redis
from redis_state import redis_state
from replicated import node

from farpool import (
    Executor,
    FarpoolError,
    QueueFullError,
    ServerRefusedError,
    ServerUnreachableError,
    ServerUnsuitableError,
    TaskLostError,
)
from farpool.client import listener
from farpool.client.inbox import FEW
from farpool.embedded import Server
from farpool_common.broker import Finish, Task, WorkerBroker
from farpool_common.calls import arguments, called, run_some
from farpool_common.codec import Serializer
from farpool_common.delivery import deliver
from farpool_common.preparing import Preparer
from farpool_common.trust import Trust

DEADLINE = 30.0


class HandWorker:
    """Claims and runs tasks when told to."""

    def __init__(self, url: str) -> None:
        self.broker = WorkerBroker(url, "by-hand", ["default"])
        self.beat(slots=2)

    def beat(self, slots: int) -> None:
        info = {"hostname": "here", "pid": 1, "slots": slots, "busy": 0, "queues": "default"}
        self.broker.heartbeat([], info, lease_ms=60_000, keep=60, renew_rq=False)

    def claim(self, count: int = 1) -> list[Task]:
        """Wait for tasks."""
        found: list[Task] = []
        pause = threading.Event()
        for _ in range(3000):
            found += self.broker.claim(count - len(found)).tasks
            if len(found) >= count:
                return found
            pause.wait(0.01)
        raise TimeoutError(f"{len(found)} of {count} tasks came")

    def run(self, task: Task) -> None:
        """Run all calls of a task and finish it."""
        _, _, (envelope, _), _ = Serializer.loads(task.data)
        buffers = self._buffers(task)
        prepared = Preparer(Trust(everything=True)).prepare(envelope, buffers)
        calls = arguments(prepared.chunk, 0, task.calls)
        results = run_some(called(prepared.function, prepared.chunk), calls, 0, [0, 0, 0, 0], 60.0)

        def send(_: object, encoded: object) -> None:
            parts = self.broker.payloads.store(f"out-{task.id}", encoded.buffers)  # type: ignore[attr-defined]
            assert self.broker.finish([Finish(task, encoded.envelope, parts)]) == [True]  # type: ignore[attr-defined]

        deliver(results, task.label, 2**30, send)

    def _buffers(self, task: Task) -> list[memoryview]:
        found = []
        for part in task.parts:
            target = memoryview(bytearray(part.nbytes))
            self.broker.payloads.fetch_into(part, target)
            found.append(target)
        return found


@pytest.fixture
def worker(server: Server) -> Iterator[HandWorker]:
    found = HandWorker(server.url)
    yield found
    found.broker.close()


@pytest.fixture
def executor(server: Server, worker: HandWorker) -> Iterator[Executor]:
    executor = Executor(server.url)
    yield executor
    executor.shutdown(cancel_futures=True)


def test_a_call_goes_there_and_its_result_comes_back(executor: Executor, worker: HandWorker) -> None:
    future = executor.submit(f.add, 1, b=2)
    worker.run(worker.claim()[0])
    assert (future.result(DEADLINE), future.host, future.attempt) == (3, "by-hand", 1)


def test_arrays_go_there_and_come_back_and_leave_no_key(
    executor: Executor, worker: HandWorker, client: redis.Redis
) -> None:
    array = np.arange(500_000, dtype=np.float64)
    future = executor.submit(f.square, array)
    worker.run(worker.claim()[0])
    assert np.array_equal(future.result(DEADLINE), array**2)
    executor.shutdown()
    left = redis_state(client, without=("farpool:host", "rq:worker", "farpool:counters"))
    assert set(left) == {"rq:queues"}


@pytest.mark.parametrize("length", [20_000, 2_000_000])
def test_large_results_are_removed_from_the_server_soon_after_they_were_read(
    executor: Executor, worker: HandWorker, client: redis.Redis, length: int
) -> None:
    for _ in range(3):
        future = executor.submit(f.square, np.ones(length))
        worker.run(worker.claim()[0])
        assert future.result(DEADLINE).sum() == length
    wait_until(lambda: client.keys("rq:farpool:data:*") == [])


def test_with_durable_submits_large_results_are_removed_as_well(tmp_path: Path) -> None:
    with node(tmp_path / "n", "--appendonly", "yes") as server, redis.Redis.from_url(server.url) as client:
        worker = HandWorker(server.url)
        with Executor(server.url, durability="fsync") as executor:
            for _ in range(3):
                future = executor.submit(f.square, np.ones(20_000))
                worker.run(worker.claim()[0])
                assert future.result(DEADLINE).sum() == 20_000
            wait_until(lambda: client.keys("rq:farpool:data:*") == [])
        worker.broker.close()


def test_with_durable_submits_records_of_finished_tasks_are_removed_as_well(tmp_path: Path) -> None:
    with node(tmp_path / "n", "--appendonly", "yes") as server, redis.Redis.from_url(server.url) as client:
        worker = HandWorker(server.url)
        with Executor(server.url, durability="fsync") as executor:
            for number in range(2 * FEW):
                future = executor.submit(f.square, number)
                worker.run(worker.claim()[0])
                assert future.result(DEADLINE) == number**2
            wait_until(lambda: client.keys("rq:job:*") == [])
        worker.broker.close()


def test_slots_are_those_of_the_live_hosts(executor: Executor, worker: HandWorker) -> None:
    assert executor._max_workers == 2


def test_an_outcome_that_a_failover_took_away_fails_its_future_and_does_not_keep_it_waiting(
    executor: Executor, worker: HandWorker, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farpool.client.watch.LOOK_SECONDS", 0.2)
    first = executor.submit(f.square, 2)
    (task,) = worker.claim()
    # The clock of the old primary was ahead.  The new one has not got the stream, and begins it with earlier ids.
    client.xdel(task.reply, client.xadd(task.reply, {"ahead": 1}, id="9999999999999-0"))
    worker.run(task)
    assert first.result(DEADLINE) == 4
    client.delete(task.reply)
    second = executor.submit(f.square, 3)
    worker.run(worker.claim()[0])
    with pytest.raises(TaskLostError, match="removed from the server before it was read"):
        second.result(DEADLINE)


def test_cancelling_a_call_that_waits_keeps_workers_from_it(
    executor: Executor, worker: HandWorker, client: redis.Redis
) -> None:
    first, second = executor.submit(f.square, 1), executor.submit(f.add, 1)
    wait_until(lambda: client.llen("rq:queue:default") == 2)
    assert first.cancel()
    wait_until(lambda: client.hget(f"rq:job:{first.id}", "status") == b"canceled")
    (task,) = worker.claim()
    assert task.id == second.id
    worker.run(task)
    assert second.result(DEADLINE) == 1


def test_running_asks_the_server(executor: Executor, worker: HandWorker, client: redis.Redis) -> None:
    future = executor.submit(f.square, 2)
    wait_until(lambda: client.llen("rq:queue:default") == 1)
    assert not future.running()
    (task,) = worker.claim()
    wait_until(future.running)
    worker.run(task)
    assert future.result(DEADLINE) == 4


def test_what_was_read_leaves_nothing_behind(executor: Executor, worker: HandWorker, client: redis.Redis) -> None:
    for number in range(40):
        future = executor.submit(f.square, number)
        (task,) = worker.claim()
        worker.run(task)
        assert future.result(DEADLINE) == number**2
        assert task.reply is not None
        assert client.xlen(task.reply) <= FEW + 1
        assert len(client.keys("rq:job:*")) <= FEW + 1, "they go together"
    wait_until(lambda: client.keys("rq:job:*") == [])
    assert client.xlen(task.reply) == 0


def test_cut_connections_lose_nothing(executor: Executor, worker: HandWorker, client: redis.Redis) -> None:
    futures = [executor.submit(f.square, 1)]
    for round_ in range(5):
        client.client_kill_filter(_type="normal", skipme=True)
        futures.append(executor.submit(f.square, round_))
        worker.broker.close()  # it was cut off as well
    done = 0
    while done < len(futures):
        for task in worker.claim():
            worker.run(task)
            done += task.calls
    assert [future.result(DEADLINE) for future in futures] == [1, 0, 1, 4, 9, 16]


def test_a_bounded_queue_never_holds_more_and_all_calls_are_run(
    server: Server, worker: HandWorker, client: redis.Redis
) -> None:
    with Executor(server.url, max_queued=3) as executor:
        futures = [executor.submit(f.square, number) for number in range(40)]
        lengths = []

        def all_are_done() -> bool:
            lengths.append(client.llen("rq:queue:default"))
            for task in worker.broker.claim(1).tasks:
                worker.run(task)
            return all(future.done() for future in futures)

        wait_until(all_are_done)
        assert [future.result(DEADLINE) for future in futures] == [number**2 for number in range(40)]
    assert max(lengths) <= 3


def test_a_full_queue_is_told_to_those_who_do_not_wait(server: Server, client: redis.Redis) -> None:
    with Executor(server.url, max_queued=1, when_full="raise") as executor:
        first = executor.submit(f.square, 1)
        wait_until(lambda: client.llen("rq:queue:default") == 1)
        with pytest.raises(QueueFullError, match="queue default holds 1 tasks; the limit is 1"):
            executor.submit(f.square, 2).result(DEADLINE)
        assert client.llen("rq:queue:default") == 1
        first.cancel()


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent tasks are looked at twenty times a second."""
    monkeypatch.setattr("farpool.client.watch.LOOK_SECONDS", 0.05)
    monkeypatch.setattr(listener, "BLOCK_MS", 50)


def test_a_task_that_went_to_quarantine_fails_its_future(
    executor: Executor, worker: HandWorker, client: redis.Redis, quick_looks: None
) -> None:
    future = executor.submit(f.square, 2)
    wait_until(lambda: client.llen("rq:queue:default") == 1)
    client.set(f"rq:executions:{future.id}", "spoiled")
    assert worker.broker.claim(1).quarantined == 1
    with pytest.raises(TaskLostError, match="without an outcome"):
        future.result(DEADLINE)


def test_a_spoiled_reply_stream_fails_what_was_told_in_it_and_the_next_call_works(
    executor: Executor, worker: HandWorker, client: redis.Redis, quick_looks: None, caplog: pytest.LogCaptureFixture
) -> None:
    lost = executor.submit(f.square, 2)
    (task,) = worker.claim()
    assert task.reply is not None
    with client.pipeline() as pipeline:
        pipeline.delete(task.reply)
        pipeline.set(task.reply, "spoiled")
        pipeline.execute()
    worker.run(task)
    with pytest.raises(TaskLostError, match="without an outcome"):
        lost.result(DEADLINE)
    future = executor.submit(f.square, 3)
    worker.run(worker.claim()[0])
    assert future.result(DEADLINE) == 9
    assert caplog.text.count("reply stream") <= 2


@pytest.mark.parametrize("key", ["rq:job:{}", "rq:results:{}"])
def test_a_spoiled_key_of_one_task_fails_its_future_and_no_other(
    key: str, executor: Executor, worker: HandWorker, client: redis.Redis, quick_looks: None
) -> None:
    lost, good = executor.submit(f.square, 2), executor.submit(f.square, 3)
    tasks = {task.id: task for task in worker.claim(2)}
    client.hset(f"rq:job:{lost.id}", "status", "finished")
    client.delete(key.format(lost.id))
    client.set(key.format(lost.id), "spoiled")
    with pytest.raises(FarpoolError):
        lost.result(DEADLINE)
    worker.run(tasks[str(good.id)])
    assert good.result(DEADLINE) == 9


def test_a_flushed_server_fails_the_calls_it_forgot(
    executor: Executor, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farpool.client.watch.LOOK_SECONDS", 0.05)
    monkeypatch.setattr(listener, "BLOCK_MS", 50)
    future = executor.submit(f.square, 2)
    wait_until(lambda: client.llen("rq:queue:default") == 1)
    client.flushall()
    with pytest.raises(TaskLostError, match="flushed"):
        future.result(DEADLINE)


def test_shutdown_ends_a_read_that_would_wait_for_minutes(
    server: Server, worker: HandWorker, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "BLOCK_MS", 20_000)
    executor = Executor(server.url)
    executor.submit(f.square, 2).add_done_callback(lambda _: None)
    wait_until(lambda: any(item["cmd"] == "xread" and float(item["idle"]) >= 2 for item in client.client_list()))
    ended = threading.Event()
    threading.Thread(target=lambda: (executor.shutdown(cancel_futures=True), ended.set())).start()
    assert ended.wait(10)  # half of what the read would have waited


def test_calls_submitted_while_memory_is_full_are_sent_when_there_is_room(
    executor: Executor, worker: HandWorker, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    client.config_set("maxmemory", 1)
    future = executor.submit(f.square, 3)
    wait_until(lambda: "Tasks that wait here: 1" in caplog.text)
    assert "Raise maxmemory" in caplog.text, "the setting to change"
    client.config_set("maxmemory", 0)
    worker.run(worker.claim()[0])
    assert future.result(DEADLINE) == 9


def test_map_results_come_in_order_though_tasks_finish_in_another(executor: Executor, worker: HandWorker) -> None:
    results = executor.map(f.square, range(40), chunksize=10)
    for task in reversed(worker.claim(4)):
        worker.run(task)
    assert list(results) == [n * n for n in range(40)]


def test_the_standard_librarys_wait_sees_our_futures(executor: Executor, worker: HandWorker) -> None:
    futures = [executor.submit(f.square, n) for n in range(2)]
    tasks = worker.claim(2)
    worker.run(tasks[0])
    found = concurrent.futures.wait(futures, DEADLINE, concurrent.futures.FIRST_COMPLETED)
    worker.run(tasks[1])
    assert len(found.done) == 1


def test_no_server_at_the_address_is_said_at_once() -> None:
    with pytest.raises(ServerUnreachableError, match="localhost:1"):
        Executor("redis://localhost:1/0")


def test_a_wrong_password_is_said_at_once_and_not_shown(server: Server, client: redis.Redis) -> None:
    client.acl_setuser("guarded", enabled=True, passwords=["+right"], commands=["+@all"], keys=["*"])
    path = server.url.removeprefix("unix://")
    with pytest.raises(ServerRefusedError) as caught:
        Executor(f"unix://guarded:wrong@{path}")
    assert "wrong" not in str(caught.value).replace("WRONGPASS", "")
    client.acl_deluser("guarded")


def test_a_server_that_evicts_keys_is_refused(server: Server, client: redis.Redis) -> None:
    client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(ServerUnsuitableError, match="noeviction"):
        Executor(server.url)


def wait_until(is_true: Callable[[], object]) -> None:
    pause = threading.Event()
    assert any(is_true() or pause.wait(0.01) for _ in range(3000)), "it did not happen"


def test_a_fork_in_the_middle_of_calls_under_retries_is_told_where_their_results_arrive(server: Server) -> None:
    program = f"""
import os, redis, time
from farpool import Executor, Retry
import functions as f

executor = Executor({server.url!r})
futures = [executor.submit(f.square, 1), executor.options(retries=Retry(3)).submit(f.square, 2)]
with redis.Redis.from_url({server.url!r}) as client:
    while client.llen("rq:queue:default") < 2:
        time.sleep(0.01)
pid = os.fork()
if pid == 0:
    print([type(future.exception(0)).__name__ for future in futures], flush=True)
    os._exit(0)
os.waitpid(pid, 0)
executor.shutdown(cancel_futures=True)
"""
    environ = os.environ | {"PYTHONPATH": str(Path(f.__file__).parent)}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("['ForkedError', 'ForkedError']\n", "")
