"""Keys that somebody spoiled: a script goes on to its end, other tasks are untouched, and no task is nowhere."""

import json
from datetime import UTC, datetime

import pytest
import redis
from daemons import wait_for

from farpool_common.broker import Delivery, Finish, JobEnd, NewTask, ProducerBroker, WorkerBroker, Written, balance
from farpool_common.errors import ServerError
from farpool_common.keys import Keys

KEYS = Keys()
TASKS = ("t1", "bad", "t2")
GOOD = {"t1", "t2"}
INFO = {"hostname": "h", "pid": 1, "slots": 2, "busy": 0, "queues": "q,other"}

TIMES = {"grace_ms": 0, "stray_ms": 0, "stock_ms": 60_000}


@pytest.fixture
def producer(server):
    broker = ProducerBroker(server.url)
    yield broker
    broker.close()


@pytest.fixture
def workers(server):
    brokers = [WorkerBroker(server.url, name, ["q", "other"]) for name in ("w1", "w2")]
    yield brokers
    for broker in brokers:
        broker.close()


def enqueue(producer: ProducerBroker, *names: str, queue: str = "q") -> None:
    """Tasks of an executor, each with a reply stream of its own."""
    told = [
        NewTask(id=name, data=b"\x94", description="d", label="m:f", reply=KEYS.reply(name), calls=2) for name in names
    ]
    producer.enqueue(queue, told)


def enqueue_jobs(client: redis.Redis, *names: str) -> None:
    """Plain jobs as RQ's producers write them."""
    for name in names:
        client.hset(f"rq:job:{name}", mapping={"data": b"\x94", "origin": "q", "status": "queued", "timeout": 180})
        client.rpush("rq:queue:q", name)


def spoil(client: redis.Redis, key: str) -> None:
    """Something else than was there; a key that ends in `#FIELD` gets a field that is no number."""
    key, _, field = key.partition("#")
    if field:
        client.hset(key, field, "no number")
    else:
        client.delete(key)
        client.set(key, "spoiled")


def beat(worker: WorkerBroker, held=(), lease_ms: int = 15_000, *, renew_rq: bool = False):
    return worker.heartbeat(held, INFO, lease_ms=lease_ms, keep=60, renew_rq=renew_rq)


def quarantined(client: redis.Redis) -> dict[str, str]:
    """Reasons by id."""
    entries = map(json.loads, client.lrange(KEYS.quarantine, 0, -1)) if client.type(KEYS.quarantine) == b"list" else ()
    return {entry["id"]: entry["reason"] for entry in entries}


def listed(client: redis.Redis, key: str) -> list[str]:
    return [name.decode() for name in client.lrange(key, 0, -1)] if client.type(key) == b"list" else []


def leased(client: redis.Redis, queue: str = "q") -> set[str]:
    """Ids with a lease."""
    key = KEYS.started(queue)
    return (
        {name.decode().partition(":")[0] for name in client.zrange(key, 0, -1)}
        if client.type(key) == b"zset"
        else set()
    )


# --- claim ----------------------------------------------------------------------------------------

SPOILED_FOR_A_CLAIM = {
    "rq:job:bad": "a string, not a hash",
    "rq:job:bad#farpool_attempts": "farpool_attempts is no number",
    "rq:executions:bad": "a string, not a zset",
    "rq:farpool:done:bad": None,
    "rq:worker:w1": None,
    "rq:farpool:counters": None,
    "rq:farpool:counters#claimed": None,
    "rq:farpool:counters#quarantined": None,
    "rq:farpool:quarantine": None,
    "rq:suspended-not": None,
}
"""With the reason that is kept; None: the task can be run all the same."""


@pytest.mark.parametrize("key", SPOILED_FOR_A_CLAIM)
def test_a_claim_beside_a_spoiled_key_leases_what_it_returns_and_loses_nothing(key, producer, workers, client):
    enqueue(producer, *TASKS)
    spoil(client, key)
    claimed = workers[0].claim(5)
    ids = {task.id for task in claimed.tasks}
    assert leased(client) == ids
    assert {name.decode().partition(":")[0] for name in client.smembers("rq:worker:w1:executions")} == ids
    reason = SPOILED_FOR_A_CLAIM[key]
    assert ids == (set(TASKS) if reason is None else GOOD)
    if reason is not None:
        assert reason in quarantined(client)["bad"]


def test_good_tasks_behind_many_bad_ones_are_claimed(producer, workers, client):
    bad = [f"bad{number}" for number in range(20)]
    enqueue(producer, *bad, "t1", "t2")
    for name in bad:
        spoil(client, f"rq:executions:{name}")
    claimed = workers[0].claim(1)
    assert ([task.id for task in claimed.tasks], claimed.quarantined) == (["t1"], 20)
    assert [task.id for task in workers[0].claim(1).tasks] == ["t2"]


def test_a_bad_record_beside_a_spoiled_quarantine_costs_no_other_task(producer, workers, client):
    enqueue(producer, *TASKS)
    spoil(client, "rq:job:bad")
    spoil(client, KEYS.quarantine)
    spoil(client, KEYS.counters)
    claimed = workers[0].claim(5)
    assert ({task.id for task in claimed.tasks}, claimed.quarantined) == (GOOD, 1)
    assert leased(client) == GOOD


def test_a_queue_whose_leases_cannot_be_written_keeps_its_tasks_and_the_others_are_served(producer, workers, client):
    enqueue(producer, "t1", "t2")
    enqueue(producer, "o1", queue="other")
    client.lmove("rq:queue:q", KEYS.doorbell("q"), "LEFT", "RIGHT")
    spoil(client, KEYS.started("q"))
    claimed = workers[0].claim(5, [("q", "t1")])
    assert [task.id for task in claimed.tasks] == ["o1"]
    assert [queue for queue, _ in claimed.spoiled] == ["q"]
    assert "zset" in claimed.spoiled[0][1]
    assert listed(client, "rq:queue:q") == ["t1", "t2"]


def test_a_worker_whose_own_set_is_spoiled_takes_nothing(producer, workers, client):
    enqueue(producer, *TASKS)
    spoil(client, KEYS.executions("w1"))
    with pytest.raises(ServerError, match="WRONGTYPE"):
        workers[0].claim(5)
    assert listed(client, "rq:queue:q") == list(TASKS)
    assert {task.id for task in workers[1].claim(5).tasks} == set(TASKS)


def test_an_id_on_a_doorbell_whose_queue_was_spoiled_stays_on_it_until_the_queue_is_one_again(
    producer, workers, client
):
    enqueue(producer, "t1")
    client.lmove("rq:queue:q", KEYS.doorbell("q"), "LEFT", "RIGHT")
    client.set("rq:suspended", 1)  # so that the claim has to put it back
    spoil(client, "rq:queue:q")
    assert workers[0].claim(1, [("q", "t1")]).tasks == []
    workers[0].put_back([("q", "t1")])
    workers[0].recover(**TIMES)
    workers[0].recover(**TIMES)
    assert listed(client, KEYS.doorbell("q")) == ["t1"]
    client.delete("rq:queue:q")
    wait_for(lambda: workers[0].recover(**TIMES).put_back)
    assert listed(client, "rq:queue:q") == ["t1"]


def test_a_spoiled_doorbell_costs_no_other_task(producer, workers, client):
    enqueue(producer, "t1")
    spoil(client, KEYS.doorbell("other"))
    client.lmove("rq:queue:q", KEYS.doorbell("q"), "LEFT", "RIGHT")
    assert [task.id for task in workers[0].claim(0, [("q", "t1"), ("other", "x")]).tasks] == ["t1"]
    assert leased(client) == {"t1"}
    workers[0].put_back([("other", "x")])


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a" * 10_000_000, b"\x1b[2J"])
def test_a_junk_id_that_a_doorbell_moved_goes_to_quarantine(name, workers, client):
    bell = workers[0].doorbells()[0]
    client.rpush("rq:queue:q", name)
    bell.arm(0.0)
    rung = bell.answer()
    bell.close()
    assert workers[0].claim(0, [("q", rung)]).quarantined == 1
    assert client.exists(KEYS.doorbell("q"), "rq:queue:q") == 0


def test_a_record_of_a_million_fields_is_not_read(producer, workers, client):
    enqueue(producer, *TASKS)
    pipeline = client.pipeline(transaction=False)
    for start in range(0, 1_000_000, 10_000):
        pipeline.hset("rq:job:bad", mapping={f"f{n}": 1 for n in range(start, start + 10_000)})
    pipeline.execute()
    client.config_resetstat()
    assert {task.id for task in workers[0].claim(5).tasks} == GOOD
    assert client.info("commandstats")["cmdstat_hgetall"]["calls"] == len(GOOD)
    client.unlink("rq:job:bad")


def test_the_producer_of_a_task_in_quarantine_can_see_that_it_has_failed(producer, workers, client):
    enqueue(producer, "bad")
    spoil(client, "rq:executions:bad")
    assert workers[0].claim(5).quarantined == 1
    assert producer.look(["bad"]) == {"bad": "failed"}


# --- recover --------------------------------------------------------------------------------------

SPOILED_FOR_A_RECOVERY = (
    "rq:job:bad",
    "rq:job:bad#farpool_abandons",
    "rq:job:bad#origin",
    "rq:job:bad#worker_name",
    "rq:executions:bad",
    "rq:farpool:fence:bad",
    "rq:worker:w1",
    "rq:worker:w1:executions",
    "rq:workers",
    "rq:farpool:strays",
    "rq:farpool:counters",
    "rq:farpool:counters#abandoned",
    "rq:wip:no number",
    "rq:wip:other",
    "rq:queue:other",
    "rq:farpool:doorbell:other",
    "rq:farpool:doorbell:q",
)


@pytest.mark.parametrize("key", SPOILED_FOR_A_RECOVERY)
def test_a_recovery_beside_a_spoiled_key_hands_the_other_tasks_back(key, producer, workers, client):
    enqueue(producer, *TASKS)
    for task in workers[0].claim(5).tasks:
        assert task
    beat(workers[0], lease_ms=0)
    client.hset("rq:job:bad", "origin", "no number") if key == "rq:wip:no number" else None
    spoil(client, key)
    for _ in range(2):
        workers[1].recover(**TIMES)
        for member in client.zrange(KEYS.started("q"), 0, -1):
            client.zadd(KEYS.started("q"), {member: 1})  # as if 90 s had passed
    waiting = listed(client, "rq:queue:q")
    assert set(waiting) >= GOOD
    assert len(waiting) == len(set(waiting))
    assert "bad" in {*waiting, *leased(client), *quarantined(client)}
    assert client.zcard(KEYS.hosts) == 0


def test_a_task_whose_count_of_losses_is_spoiled_is_handed_back_and_found_malformed(producer, workers, client):
    enqueue(producer, "bad")
    workers[0].claim(5)
    beat(workers[0], lease_ms=0)
    spoil(client, "rq:job:bad#farpool_abandons")
    assert workers[1].recover(**TIMES).tasks == 1
    (malformed,) = workers[1].claim(5).malformed
    assert "farpool_abandons" in malformed.reason


def test_leases_stay_while_their_queue_is_spoiled_and_come_back_after_it(producer, workers, client):
    enqueue(producer, "t1")
    workers[0].claim(5)
    beat(workers[0], lease_ms=0)
    spoil(client, "rq:queue:q")
    workers[1].recover(**TIMES)
    assert leased(client) == {"t1"}
    client.delete("rq:queue:q")
    client.zadd(KEYS.started("q"), {client.zrange(KEYS.started("q"), 0, -1)[0]: 1})
    assert workers[1].recover(**TIMES).tasks == 1
    assert listed(client, "rq:queue:q") == ["t1"]


def test_lapsed_leases_that_are_not_ours_do_not_hide_one_that_is(producer, workers, client):
    enqueue(producer, "t1")
    (task,) = workers[0].claim(5).tasks
    client.zadd(KEYS.started("q"), {task.member: 2, **{f"foreign{n}:e": 1 for n in range(500)}})
    recovered = sum(workers[1].recover(**TIMES).tasks for _ in range(200))
    assert recovered == 1


def test_a_lapsed_lease_costs_none_that_holds(producer, workers, client):
    enqueue(producer, *TASKS)
    workers[0].claim(5)
    client.zadd(KEYS.started("q"), {"junk": 1})
    assert workers[1].recover(**TIMES).tasks == 0
    assert leased(client) >= set(TASKS)


# --- release --------------------------------------------------------------------------------------

SPOILED_FOR_A_RELEASE = (
    "rq:job:bad",
    "rq:job:bad#farpool_attempts",
    "rq:executions:bad",
    "rq:worker:w1:executions",
    "rq:farpool:counters",
    "rq:farpool:counters#released",
)


@pytest.mark.parametrize("key", SPOILED_FOR_A_RELEASE)
def test_a_release_beside_a_spoiled_key_hands_the_other_tasks_back(key, producer, workers, client):
    enqueue(producer, *TASKS)
    tasks = workers[0].claim(5).tasks
    spoil(client, key)
    workers[0].release(tasks)
    waiting = listed(client, "rq:queue:q")
    assert [name for name in waiting if name != "bad"] == ["t1", "t2"]
    assert "bad" in {*waiting, *quarantined(client)}
    assert leased(client) == set()


def test_a_release_into_a_spoiled_queue_keeps_the_lease_until_the_queue_is_one_again(producer, workers, client):
    enqueue(producer, *TASKS)
    tasks = workers[0].claim(5).tasks
    spoil(client, "rq:queue:q")
    assert workers[0].release(tasks) == 0
    assert leased(client) == set(TASKS)
    client.delete("rq:queue:q")
    held = beat(workers[0]).held
    assert len(held) == len(TASKS)
    assert workers[0].disown(held) == len(TASKS)
    assert set(listed(client, "rq:queue:q")) == set(TASKS)


def test_members_that_are_no_leases_are_disowned_too(workers, client):
    junk = [b"junk", b"\xff:\xff", b"a:b:c", b"rq:job:x", b"bad:e"]
    client.sadd(KEYS.executions("w1"), *junk)
    spoil(client, "rq:job:bad")
    workers[0].disown(beat(workers[0]).held)
    assert beat(workers[0]).held == frozenset()


# --- heartbeat ------------------------------------------------------------------------------------

SPOILED_FOR_A_HEARTBEAT = (
    "rq:worker:w1",
    "rq:worker:w1:executions",
    "rq:farpool:host:w1",
    "rq:job:bad",
    "rq:executions:bad",
    "rq:execution:{bad}",
    "rq:wip:other",
)


@pytest.mark.parametrize("key", SPOILED_FOR_A_HEARTBEAT)
def test_a_heartbeat_beside_a_spoiled_key_renews_the_host_and_the_leases(key, producer, workers, client):
    enqueue(producer, *TASKS)
    tasks = workers[0].claim(5).tasks
    members = {task.id: task.member for task in tasks}
    for member in members.values():
        client.zadd(KEYS.started("q"), {member: 5e9})
    spoil(client, key.format_map(members))
    found = beat(workers[0], tasks, renew_rq=True)
    assert found.lost == frozenset()
    assert client.zscore(KEYS.hosts, "w1")
    assert client.hget(KEYS.host("w1"), "slots") == b"2"
    assert all(score < 5e9 for _, score in client.zrange(KEYS.started("q"), 0, -1, withscores=True))


def test_a_lease_that_cannot_be_looked_at_is_not_taken_for_lost(producer, workers, client):
    enqueue(producer, *TASKS)
    tasks = workers[0].claim(5).tasks
    spoil(client, KEYS.started("q"))
    assert beat(workers[0], tasks, renew_rq=True).lost == frozenset()


def test_a_heartbeat_reads_a_bounded_part_of_a_worker_s_set(workers, client):
    for start in range(0, 1_000_000, 100_000):
        client.sadd(KEYS.executions("w1"), *(f"j{n}:e" for n in range(start, start + 100_000)))
    assert len(beat(workers[0]).held) == 1000
    client.unlink(KEYS.executions("w1"))


# --- ends of executors' tasks -----------------------------------------------------------------------

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
        assert [reply.last for reply in producer.read_replies(KEYS.reply(name), "0", 1)] == [True]
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
        assert len(producer.read_replies(KEYS.reply(name), "0", 1)) == 1
        assert client.smembers(KEYS.done(name)) == {b"0-1"}


# --- ends of jobs of RQ's producers -----------------------------------------------------------------


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


# --- the rest ---------------------------------------------------------------------------------------


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
