"""Ends of tasks, and what else is written, beside keys that somebody spoiled: the others are untouched."""

from datetime import UTC, datetime

import pytest
from spoiling import GOOD, KEYS, TASKS, beat, enqueue, enqueue_jobs, leased, quarantined, spoil

from farpool_common.broker import Delivery, Finish, JobEnd, Question, Written, balance
from farpool_common.errors import ServerError

SPOILED_FOR_AN_END = (
    "rq:job:bad",
    "rq:executions:bad",
    "rq:execution:{bad}",
    "rq:worker:w1",
    "rq:worker:w1#successful_job_count",
    "rq:worker:w1#failed_job_count",
    "rq:worker:w1#total_working_time",
    "rq:worker:w1:executions",
    "rq:farpool:counters",
    "rq:farpool:counters#finished",
    "rq:farpool:counters#failed",
    "rq:farpool:quarantine",
)


@pytest.mark.parametrize("key", [*SPOILED_FOR_AN_END, "rq:farpool:reply:bad", "rq:farpool:done:bad"])
def test_a_finish_beside_a_spoiled_key_ends_all_tasks(key, producer, workers, client):
    enqueue(producer, *TASKS)
    tasks = workers[0].claim(5).tasks
    members = {task.id: task.member for task in tasks}
    spoil(client, key.format_map(members))
    assert workers[0].finish([Finish(task, b"outcome") for task in tasks]) == [True] * 3
    assert leased(client) == set()
    for name in sorted(GOOD):
        assert [reply.last for reply in producer.read_replies(Question(KEYS.reply(name), "0"), 1)] == [True]
    if not key.startswith("rq:farpool:counters"):
        assert client.hget(KEYS.counters, "finished") == b"3"
    if key == "rq:farpool:reply:bad":
        assert "a string, not a stream" in quarantined(client)["bad"]
        assert client.hget("rq:job:bad", "status") == b"failed"


def test_results_of_tasks_whose_leases_were_spoiled_are_refused_and_the_others_land(producer, workers, client):
    enqueue(producer, "t1")
    enqueue(producer, "o1", queue="other")
    tasks = workers[0].claim(5).tasks
    spoil(client, KEYS.started("other"))
    assert workers[0].deliver([Delivery(task, b"x", (), (0, 1)) for task in tasks]) == [True, False]
    assert workers[0].finish([Finish(task, b"outcome") for task in tasks]) == [True, False]


@pytest.mark.parametrize("key", ["rq:farpool:done:bad", "rq:farpool:reply:bad", "rq:farpool:counters"])
def test_a_delivery_beside_a_spoiled_key_reaches_the_others_and_lets_the_task_go_on(key, producer, workers, client):
    enqueue(producer, *TASKS)
    tasks = workers[0].claim(5).tasks
    spoil(client, key)
    assert workers[0].deliver([Delivery(task, b"x", (), (0, 1)) for task in tasks]) == [True] * 3
    for name in sorted(GOOD):
        assert len(producer.read_replies(Question(KEYS.reply(name), "0"), 1)) == 1
        assert client.smembers(KEYS.done(name)) == {b"0-1"}


@pytest.mark.parametrize("way", ["succeed", "fail"])
@pytest.mark.parametrize("key", [*SPOILED_FOR_AN_END, "rq:results:bad", "rq:finished:q", "rq:failed:q"])
def test_the_end_of_jobs_beside_a_spoiled_key_is_written_for_all(way, key, workers, client):
    enqueue_jobs(client, *TASKS)
    tasks = workers[0].claim(5).tasks
    members = {task.id: task.member for task in tasks}
    spoil(client, key.format_map(members))
    error = None if way == "succeed" else "it failed"
    ends = [JobEnd(task, datetime.now(UTC), 0.1, b"1", error) for task in tasks]
    assert getattr(workers[0], way)(ends) == [Written.NOW] * 3
    assert leased(client) == set()
    for name in sorted(GOOD):
        assert client.hget(f"rq:job:{name}", "status") == (b"finished" if way == "succeed" else b"failed")
        assert client.xlen(f"rq:results:{name}") == 1
    registry = "rq:finished:q" if way == "succeed" else "rq:failed:q"
    if key != registry:
        assert {name.decode() for name in client.zrange(registry, 0, -1)} >= GOOD
    if not key.startswith("rq:farpool:counters"):
        assert client.hget(KEYS.counters, "finished" if way == "succeed" else "failed") == b"3"
    if key in ("rq:results:bad", registry):
        assert any("string" in reason for reason in quarantined(client).values())


@pytest.mark.parametrize("way", ["succeed", "fail"])
def test_the_end_of_a_job_whose_leases_were_spoiled_is_refused(way, workers, client):
    enqueue_jobs(client, "t1")
    (task,) = workers[0].claim(5).tasks
    spoil(client, KEYS.started("q"))
    error = None if way == "succeed" else "it failed"
    assert getattr(workers[0], way)([JobEnd(task, datetime.now(UTC), error=error)]) == [Written.STALE]


def test_a_record_of_another_type_does_not_keep_other_tasks_from_being_cancelled(producer, client):
    enqueue(producer, *TASKS)
    spoil(client, "rq:job:bad")
    producer.cancel(TASKS)
    assert [client.hget(f"rq:job:{name}", "status") for name in sorted(GOOD)] == [b"canceled"] * 2


def test_an_enqueue_into_a_key_that_is_no_queue_writes_nothing(producer, client):
    spoil(client, "rq:queue:q")
    with pytest.raises(ServerError, match="WRONGTYPE"):
        enqueue(producer, *TASKS)
    assert client.keys("rq:job:*") == []


@pytest.mark.parametrize("key", ["rq:worker:w1:executions", "rq:farpool:counters", "rq:farpool:counters#claimed"])
def test_the_books_can_be_read_beside_a_spoiled_key(key, producer, workers, client, server):
    enqueue(producer, *TASKS)
    workers[0].claim(5)
    beat(workers[0])
    spoil(client, key)
    assert balance(client, KEYS, server.url).leased == (0 if key.endswith("executions") else 3)


def test_a_malformed_record_is_counted_beside_a_spoiled_quarantine(workers, client):
    client.hset("rq:job:bad", mapping={"data": b"\x94", "timeout": "soon"})
    client.rpush("rq:queue:q", "bad")
    (malformed,) = workers[0].claim(5).malformed
    spoil(client, KEYS.quarantine)
    workers[0].quarantine(malformed)
    assert client.hget(KEYS.counters, "quarantined") == b"1"
