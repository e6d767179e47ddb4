"""What a user gets from an executor on a real daemon."""

import asyncio
import concurrent.futures
import functools
import threading

import numpy as np
import psutil
import pytest
import tasks
from daemons import daemons, wait_for

from farpool import Executor, RemoteError, ServerUnreachableError, as_completed, wait
from farpool.client import client as client_module
from farpool_common.broker import ProducerBroker, connect


def test_results_come_in_the_order_of_the_inputs(executor):
    assert list(executor.map(tasks.square, range(500))) == [n * n for n in range(500)]


@pytest.mark.parametrize("chunksize", [1, 7, "auto"])
def test_every_chunksize_gives_the_same_results(executor, chunksize):
    assert list(executor.map(tasks.square, range(3000), chunksize=chunksize)) == [n * n for n in range(3000)]


@pytest.mark.parametrize("chunksize", [1, 7, "auto"])
def test_an_array_gives_calls_what_iterating_gives(executor, chunksize):
    numbers = np.linspace(0, 1, 2000, dtype="f4")
    found = list(executor.map(tasks.square, numbers, chunksize=chunksize))
    assert found == [number * number for number in numbers]
    assert {type(value) for value in found} == {np.float32}
    rows = list(executor.map(tasks.changed_in_place, numbers.reshape(500, 4), chunksize=chunksize))
    np.testing.assert_array_equal(rows, [tasks.changed_in_place(row.copy()) for row in numbers.reshape(500, 4)])


def test_ten_thousand_submits_all_arrive(executor):
    futures = [executor.submit(tasks.square, n) for n in range(10_000)]
    assert [future.result() for future in futures] == [n * n for n in range(10_000)]


@pytest.mark.parametrize("buffersize", [50, "auto"])
@pytest.mark.parametrize("chunksize", [1, 7, "auto"])
def test_an_infinite_generator_works_under_a_buffersize(executor, buffersize, chunksize):
    def numbers():
        n = 0
        while True:
            yield n
            n += 1

    results = executor.map(tasks.square, numbers(), chunksize=chunksize, buffersize=buffersize)
    assert [next(results) for _ in range(200)] == [n * n for n in range(200)]
    results.close()


def test_numpy_scalars_stay_numpy_scalars(executor):
    value = executor.submit(tasks.mean, [1.0, 2.0]).result()
    assert (type(value), value) == (np.float64, 1.5)


def test_numpys_own_functions_need_permission_and_the_message_says_how(executor):
    with pytest.raises(PermissionError, match="--allow numpy"):
        executor.submit(np.linalg.norm, [3.0, 4.0]).result()


@pytest.mark.parametrize("megabytes", [0.01, 1, 24])
def test_arrays_go_both_ways_and_arrive_writable(executor, megabytes):
    array = np.random.default_rng(0).random(int(megabytes * 1e6 / 8))
    result = executor.submit(tasks.changed_in_place, array).result()
    assert np.array_equal(result, array + 1)
    result[0] = -1.0


def test_large_values_that_are_no_arrays_travel_too(executor):
    words = [f"word {n}" for n in range(200_000)]
    assert executor.submit(tasks.turned, words).result() == words[::-1]
    assert executor.submit(tasks.returns_bytes, 5_000_000).result() == b"x" * 5_000_000


def test_an_exception_comes_back_as_itself_with_the_remote_traceback(executor):
    future = executor.submit(tasks.fails, "no good")
    with pytest.raises(ValueError, match=r"^no good") as caught:
        future.result()
    assert "in fails" in str(caught.value.__cause__)
    notes = "\n".join(caught.value.__notes__)
    assert "host1" in notes
    assert str(future.pid) in notes


def test_an_exception_whose_init_wants_arguments_comes_back_as_itself(executor):
    error = executor.submit(tasks.fails_with_own_error).exception()
    assert (type(error), str(error), error.code, error.hint) == (tasks.OwnError, "code 7", 7, "look there")


def test_a_failing_call_leaves_its_neighbours_alone(executor):
    futures = [executor.submit(tasks.fails if n == 50 else tasks.square, n) for n in range(100)]
    assert [n for n, future in enumerate(futures) if future.exception() is not None] == [50]


def test_the_standard_librarys_own_waiting_works(executor):
    futures = {executor.submit(tasks.square, n) for n in range(20)}
    assert set(concurrent.futures.as_completed(futures, timeout=60)) == futures
    assert wait(futures).not_done == set()
    assert {future.result() for future in as_completed(futures)} == {n * n for n in range(20)}


def test_asyncio_waits_for_our_futures(executor):
    async def both():
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(executor, tasks.square, 3), await executor.submit(tasks.square, 4)

    assert asyncio.run(both()) == (9, 16)


def test_a_future_knows_where_it_ran(executor, host):
    future = executor.submit(tasks.pid)
    assert future.result() == future.pid
    assert (future.host, future.attempt) == ("host1", 1)
    assert future.pid in {child.pid for child in host.children()}


def test_the_initializer_runs_once_in_each_process(host):
    with Executor(host.url, initializer=tasks.prepare, initargs=("ready",)) as executor:
        found = [executor.submit(tasks.prepared).result() for _ in range(20)]
    assert found == [["ready"]] * 20


def test_partials_travel(executor):
    assert executor.submit(functools.partial(tasks.noted_square, "/dev/null"), 5).result() == 25


def test_a_task_may_use_multiprocessing(executor):
    assert executor.submit(tasks.uses_multiprocessing, [1, 2, 3]).result() == [1, 4, 9]


def test_children_hold_no_credentials_and_one_thread_for_blas(executor):
    names = ["FARPOOL_URL", "REDIS_URL", "OMP_NUM_THREADS"]
    assert [executor.submit(tasks.environment, name).result() for name in names] == [None, None, "1"]


def test_max_workers_is_the_live_number_of_slots(executor):
    assert executor._max_workers == 2


def test_what_the_worker_does_not_know_arrives_as_a_remote_error(executor):
    error = executor.submit(tasks.raises_a_local_class).exception()
    assert isinstance(error, RemoteError)
    assert error.type_name.endswith("LocalError")
    assert error.message == "made up here"


def test_results_leave_nothing_in_redis_but_tombstones(server, tmp_path):
    with daemons(server.url, tmp_path, "a", options=("-c", "2")), connect(server.url) as client:
        with Executor(server.url) as executor:
            array = np.ones(200_000)
            wait([executor.submit(tasks.doubled, array), *[executor.submit(tasks.square, n) for n in range(50)]])
        wait_for(lambda: client.zcard("rq:wip:default") == 0)
        ours = {b"rq:farpool:hosts", b"rq:farpool:host:a", b"rq:farpool:strays", b"rq:farpool:counters"}
        rqs = {b"rq:queues", b"rq:worker:a", b"rq:workers", b"rq:workers:default", b"rq:clean_groups"}
        wait_for(lambda: set(client.keys()) - set(client.keys("rq:job:*")) <= ours | rqs)  # arguments go last
        assert all(0 < client.ttl(key) <= 120 for key in client.keys("rq:job:*"))


def test_a_shutdown_while_the_last_record_is_removed_leaves_nothing_either(host, monkeypatch):
    monkeypatch.setattr(client_module, "TIDY_SECONDS", 30.0)
    removing, closed = threading.Event(), threading.Event()
    let_go, close = ProducerBroker.let_go, ProducerBroker.close

    def slowly(broker, question):
        removing.set()
        if closed.wait(0.5):
            raise ServerUnreachableError("closed under way")
        return let_go(broker, question)

    monkeypatch.setattr(ProducerBroker, "let_go", slowly)
    monkeypatch.setattr(ProducerBroker, "close", lambda broker: (closed.set(), close(broker)))
    with connect(host.url) as redis:
        before = set(redis.keys("rq:job:*"))
        executor = Executor(host.url)
        assert executor.submit(tasks.square, 3).result() == 9
        executor._session.client._listener.be_watched()
        assert removing.wait(30)
        executor.shutdown()
        assert set(redis.keys("rq:job:*")) <= before


def test_calls_that_get_the_same_array_do_not_see_each_others_changes(executor):
    array = np.zeros(20_000)
    executor.submit(tasks.changed_in_place, array).result()
    results = list(executor.map(tasks.changed_in_place, [array] * 40))
    assert all((result == 1).all() for result in results)


def test_an_idle_process_gives_the_memory_of_large_temporaries_back(host):
    with Executor(host.url) as executor:
        pid = executor.submit(tasks.makes_temporaries, 25_000_000).result()
        child = psutil.Process(pid)
        assert child.memory_info().rss > 100e6, "it is kept for the next task"
        wait_for(lambda: child.memory_info().rss < 100e6, lambda: f"{child.memory_info()}")
