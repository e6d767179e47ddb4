"""Results that stay on the server, read by other processes by their id."""

import os
import subprocess
import sys
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest
import shop_tasks as shop
import tasks
from daemons import daemons, wait_for
from stock import rq_worker

import farpool
from farpool import Executor, ResultExpiredError, SettingsError, WorkerLostError
from farpool.executors import shut_all
from farpool_common.broker import connect

SUPPORT = Path(shop.__file__).parent


@pytest.fixture
def here(host, monkeypatch):
    """Tasks go to the standing daemon."""
    monkeypatch.setenv("FARPOOL_URL", host.url)
    yield host
    shut_all()  # no thread of ours is left for the next test


def elsewhere(url: str, task_id: str) -> str:
    """What another process reads."""
    program = "import sys, farpool; print(farpool.result(sys.argv[1], 30))"
    command = [sys.executable, "-c", program, task_id]
    environ = os.environ | {"FARPOOL_URL": url}
    done = subprocess.run(command, env=environ, cwd=SUPPORT, capture_output=True, text=True, timeout=60)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_a_result_that_is_kept_is_read_by_the_future_and_by_others(here):
    future = shop.add.options(keep=600).submit(20, 1)
    task_id = future.id
    assert task_id is not None
    assert future.result(30) == 21
    assert future.id == task_id
    assert elsewhere(here.url, task_id) == "21"
    assert farpool.result(task_id, 30) == 21


def test_an_id_is_known_at_once_and_belongs_to_one_call(here):
    view = shop.add.options(keep=600)
    futures = [view.submit(number, 1) for number in range(300)]
    ids = [future.id for future in futures]
    assert None not in ids
    assert len(set(ids)) == 300
    assert [farpool.result(task_id, 30) for task_id in ids[::50]] == [number + 1 for number in range(0, 300, 50)]


def test_a_large_result_is_kept_too(here):
    with Executor(here.url) as executor:
        array = np.arange(500_000.0)
        future = executor.options(keep=5000).submit(tasks.doubled, array)
        assert np.array_equal(future.result(30), array * 2)
        for _ in range(2):
            assert np.array_equal(farpool.result(future.id, 30), array * 2)
        with connect(here.url) as client:
            pieces = client.keys(f"rq:farpool:data:{future.id}*") or client.keys("rq:farpool:data:*")
            assert pieces
            assert all(client.ttl(piece) > 3600 for piece in pieces)
            client.delete(*pieces)
        with pytest.raises(ResultExpiredError):
            farpool.result(future.id, 30)


def test_what_a_call_has_raised_is_raised_again(here):
    future = shop.flaky.__wrapped__
    with Executor(here.url) as executor:
        failed = executor.options(keep=600).submit(future, os.devnull, 1, "KeyError")
        assert isinstance(failed.exception(30), KeyError)
        with pytest.raises(KeyError) as again:
            farpool.result(failed.id, 30)
        assert any(here.name in note for note in again.value.__notes__)
        lost = executor.options(keep=600, retries=0).submit(os._exit, 7)
        assert isinstance(lost.exception(30), farpool.FunctionNotAllowedError)


def test_a_call_whose_process_is_lost_leaves_that_as_its_result(here, journal):
    with Executor(here.url) as executor:
        lost = executor.options(keep=600, retries=0).submit(shop.dies_once, str(journal))
        assert isinstance(lost.exception(30), WorkerLostError)
    with pytest.raises(WorkerLostError):
        farpool.result(lost.id, 30)


def test_a_result_outlives_its_producer(server, tmp_path, journal):
    program = (
        "import os, sys, shop_tasks as shop\n"
        "future = shop.note.options(keep=600).submit(sys.argv[1], 'late')\n"
        "print(future.id, flush=True)\n"
        "os._exit(0)\n"
    )
    command = [sys.executable, "-c", program, str(journal)]
    environ = os.environ | {"FARPOOL_URL": server.url}
    done = subprocess.run(command, env=environ, cwd=SUPPORT, capture_output=True, text=True, timeout=60, check=True)
    task_id = done.stdout.strip()
    with pytest.raises(TimeoutError, match="has no result yet: it is queued"):
        farpool.result(task_id, 0, url=server.url)
    with daemons(server.url, tmp_path, "host1"):
        assert farpool.result(task_id, 30, url=server.url) == 1


def test_an_expired_result_says_for_how_long_it_was_kept_and_is_never_none(here):
    future = shop.add.options(keep=600).submit(1)
    assert future.result(30) == 1
    with connect(here.url) as client:
        assert 0 < client.ttl(f"rq:farpool:kept:{future.id}") <= 600
        assert client.ttl(f"rq:job:{future.id}") > 600
        client.delete(f"rq:farpool:kept:{future.id}")  # as its expiry does
    with pytest.raises(ResultExpiredError, match=r"has expired \(kept 600 s, finished \d+ s ago\)"):
        farpool.result(future.id)


def test_a_result_that_nobody_keeps_or_that_never_was_is_told_so(here):
    with pytest.raises(ResultExpiredError, match="it was not kept at all, or it never was there"):
        farpool.result("0123456789abcdef", 30)
    with pytest.raises(ValueError, match="is no id of a task"):
        farpool.result("rq:*")


def test_a_cancelled_call_is_cancelled_for_everybody(server):
    with Executor(server.url) as executor:
        future = executor.options(keep=600).submit(shop.add, 1)
        with connect(server.url) as client:
            wait_for(lambda: client.llen("rq:queue:default") == 1)
            assert future.cancel()
            wait_for(lambda: client.hget(f"rq:job:{future.id}", "status") == b"canceled")
        with pytest.raises(CancelledError):
            farpool.result(future.id, 30, url=server.url)


def test_results_of_jobs_are_read_by_the_same_function(here, journal):
    assert farpool.result(shop.add.enqueue(20, 1).id, 30) == 21
    failed = shop.flaky.options(retries=0).enqueue(str(journal), 1)
    with pytest.raises(farpool.RemoteError, match="ConnectionRefusedError: run 1") as raised:
        farpool.result(failed.id, 30)
    assert "in flaky" in raised.value.traceback
    nothing = shop.add.options(result_ttl=0).enqueue(1)
    with pytest.raises(ResultExpiredError):
        farpool.result(nothing.id, 30)


def test_the_result_of_a_unique_job_that_runs_again_is_waited_for(here, journal, tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    again = shop.note.options(unique="noting")
    assert farpool.result(again.enqueue(str(journal)).id, 30) == 1
    assert farpool.result(again.enqueue(str(journal)).id, 30) == 2


def test_a_call_that_rqs_own_worker_ran_is_kept_as_well(server, client):
    with Executor(server.url) as executor:
        future = executor.options(keep=900).submit(shop.add, 20, 1)
        wait_for(lambda: client.llen("rq:queue:default") == 1)
        with rq_worker(server.url, "-S", "farpool.Serializer", "default"):
            assert farpool.result(future.id, 60, url=server.url) == 21
        assert client.ttl(f"rq:results:{future.id}") > 500
        assert future.result(30) == 21


def test_maps_hand_their_results_over_and_keep_none(here, journal):
    with Executor(here.url) as executor, connect(here.url) as client:
        before = set(client.keys("rq:farpool:kept:*"))
        keeping = executor.options(keep=600)
        assert list(keeping.map(shop.add, range(10))) == list(range(10))
        assert list(keeping.map(shop.add, range(100), chunksize=10)) == list(range(100))
        assert set(client.keys("rq:farpool:kept:*")) == before


def test_keep_is_a_time_and_goes_without_retries():
    for keep in (0, -1, True, "600", float("inf")):
        with pytest.raises(SettingsError, match="keep is a number of seconds"):
            shop.add.options(keep=keep)
    with pytest.raises(SettingsError, match="keep and a Retry do not go together"):
        shop.add.options(keep=600, retries=3)
