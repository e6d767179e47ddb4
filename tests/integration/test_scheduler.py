"""Scheduled jobs whose time has come are promoted by the daemon, under RQ's own locks, unread."""

import pickle
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
import redis
from rq import Queue
from rq.rate_limit import RateLimit
from rq.scheduler import RQScheduler

from farpool import Serializer
from farpool_common.keys import Keys
from farpool_worker.rq.scheduler import Scheduler


class Trap:
    """Runs code of its own when it is unpickled."""

    def __reduce__(self):
        return exec, ("import os; os.environ['FARPOOL_TRAPPED'] = 'yes'",)


@contextmanager
def scheduling(server, *queues):
    stop = threading.Event()
    thread = threading.Thread(target=Scheduler(server.url, queues, Keys()).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def wait_for(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def queue(client):
    return Queue("mail", connection=client)


def due(queue, name="job", **options):
    return queue.enqueue_in(timedelta(seconds=-1), "shop.send", job_id=name, **options)


def test_what_is_due_goes_to_its_queue_in_order_and_what_is_not_stays(server, queue, client):
    due(queue, "one")
    due(queue, "first", at_front=True)
    queue.enqueue_in(timedelta(hours=1), "shop.send", job_id="later")
    with scheduling(server, "mail"):
        wait_for(lambda: len(queue) == 2)
        assert client.get("rq:scheduler-lock:mail") is not None
        due(queue, "second")
        wait_for(lambda: len(queue) == 3)
    assert (queue.job_ids, queue.scheduled_job_registry.get_job_ids()) == (["first", "one", "second"], ["later"])
    assert [key for key in client.keys("rq:scheduler*") if key != b"rq:scheduled:mail"] == []


@pytest.mark.parametrize("serializer", [None, "json", Serializer])
def test_neither_arguments_nor_notes_are_read_or_changed(server, client, serializer, monkeypatch):
    monkeypatch.delenv("FARPOOL_TRAPPED", raising=False)
    queue = Queue("mail", connection=client, serializer=serializer)
    job = due(queue, args=(1, [2]), meta={"who": "me"})
    if serializer is None:
        client.hset(job.key, "meta", pickle.dumps(Trap()))
    before = client.hgetall(job.key)
    Scheduler(server.url, ["mail"], Keys()).promote_once()
    after = client.hgetall(job.key)
    assert queue.job_ids == ["job"]
    assert {name: after[name] for name in (b"data", b"meta")} == {name: before[name] for name in (b"data", b"meta")}
    import os

    assert "FARPOOL_TRAPPED" not in os.environ


def test_a_rate_limit_holds_for_scheduled_jobs_too(server, queue):
    for name in ("one", "two"):
        due(queue, name, rate_limit=RateLimit("narrow", 1))
    Scheduler(server.url, ["mail"], Keys()).promote_once()
    assert len(queue) == 1


def test_a_spoiled_record_goes_aside_and_holds_up_no_other(server, queue, client):
    for name in ("good", "bad", "worse", "gone"):
        due(queue, name)
    client.hset("rq:job:bad", "created_at", "yesterday")
    client.delete("rq:job:worse", "rq:job:gone")
    client.set("rq:job:worse", "x")
    with scheduling(server, "mail"):
        wait_for(lambda: queue.job_ids == ["good"])
        wait_for(lambda: client.zcard("rq:scheduled:mail") == 0)
    assert client.llen("rq:farpool:quarantine") == 2


def test_rqs_scheduler_and_ours_do_not_work_on_one_queue_at_once(server, queue, client):
    with redis.Redis.from_url(server.url) as connection:
        theirs = RQScheduler(["mail"], connection=connection, logging_level="ERROR")
        theirs.acquire_locks()
        due(queue)
        Scheduler(server.url, ["mail"], Keys()).promote_once()
        assert len(queue) == 0
        theirs.release_locks()
        Scheduler(server.url, ["mail"], Keys()).promote_once()
        assert len(queue) == 1
