"""Each transition of a task, on a real server: what it writes, and who may make it."""

import time
from datetime import UTC, datetime

import pytest
import redis
from redis_state import redis_state

from farpool.embedded import Server
from farpool_common.broker import Delivery, Finish, NewTask, ProducerBroker, Question, WorkerBroker, register
from farpool_common.errors import QueueFullError, ServerBusyError
from farpool_common.keys import Keys

KEYS = Keys()
REPLY = KEYS.reply("me")


@pytest.fixture
def producer(server: Server):
    broker = ProducerBroker(server.url)
    yield broker
    broker.close()


@pytest.fixture
def workers(server: Server):
    brokers = [WorkerBroker(server.url, name, ["high", "low"]) for name in ("w1", "w2")]
    yield brokers
    for broker in brokers:
        broker.close()


def task(name: str, **more) -> NewTask:
    return NewTask(id=name, data=b"\x94args", description=f"call {name}", label="m:f", reply=REPLY, **more)


def beat(worker: WorkerBroker, held=(), lease_ms=15000, *, renew_rq=False):
    info = {"hostname": "h", "pid": 1, "slots": 2, "busy": 0, "queues": "high,low"}
    return worker.heartbeat(held, info, lease_ms=lease_ms, keep=60, renew_rq=renew_rq)


def test_enqueue_writes_what_rq_writes_for_a_plain_job(producer, client: redis.Redis):
    producer.enqueue("high", [task("t1")])
    assert redis_state(client) == {
        "rq:job:t1": {
            "created_at": "<moment>",
            "data": "\ufffdargs",
            "description": "call t1",
            "ended_at": "",
            "enqueued_at": "<moment>",
            "failure_callback_name": "",
            "farpool_calls": "1",
            "farpool_label": "m:f",
            "farpool_reply": REPLY,
            "farpool_retries": "2",
            "group_id": "",
            "last_heartbeat": "",
            "origin": "high",
            "started_at": "",
            "status": "queued",
            "stopped_callback_name": "",
            "success_callback_name": "",
            "timeout": "-1",
            "worker_name": "",
        },
        "rq:queue:high": ["t1"],
        "rq:queues": {"rq:queue:high"},
    }


def test_an_enqueue_that_is_repeated_adds_nothing(producer, client):
    producer.enqueue("high", [task("t1"), task("t2")])
    once = redis_state(client)
    producer.enqueue("high", [task("t1"), task("t2")])
    assert redis_state(client) == once


def test_a_claimed_task_is_in_its_lease_and_nowhere_else(producer, workers, client):
    producer.enqueue("high", [task("t1")])
    (claimed,) = workers[0].claim(5).tasks
    state = redis_state(client, without=("job:", "farpool"))
    assert state == {
        f"rq:execution:{claimed.member}": {
            "created_at": "<moment>",
            "id": claimed.execution,
            "job_id": "t1",
            "last_heartbeat": "<moment>",
            "worker_name": "w1",
        },
        "rq:executions:t1": {claimed.execution},
        "rq:queues": {"rq:queue:high"},
        "rq:wip:high": {claimed.member},
        "rq:worker:w1": {"last_heartbeat": "<moment>", "state": "busy"},
        "rq:worker:w1:executions": {claimed.member},
    }
    assert client.hmget("rq:job:t1", "status", "worker_name") == [b"started", b"w1"]


def test_queues_are_served_in_the_order_of_their_priority(producer, workers):
    producer.enqueue("low", [task("l1"), task("l2")])
    producer.enqueue("high", [task("h1"), task("h2")])
    assert [found.id for found in workers[0].claim(3).tasks] == ["h1", "h2", "l1"]


def test_finish_sends_the_outcome_and_leaves_only_a_tombstone(producer, workers, client):
    producer.enqueue("high", [task("t1")])
    (claimed,) = workers[0].claim(1).tasks
    assert workers[0].finish([Finish(claimed, b"outcome")]) == [True]
    (reply,) = producer.read_replies(Question(REPLY, "0"), 10)
    assert (reply.task_id, reply.host, reply.last, reply.envelope) == ("t1", "w1", True, b"outcome")
    assert client.hmget("rq:job:t1", "status", "data") == [b"finished", b""]
    assert 0 < client.ttl("rq:job:t1") <= 120
    left = set(redis_state(client, without=("farpool", "rq:job", "rq:worker")))
    assert left == {"rq:queues"}


def test_a_finish_that_is_repeated_is_recognised_and_writes_nothing(producer, workers, client):
    producer.enqueue("high", [task("t1")])
    (claimed,) = workers[0].claim(1).tasks
    workers[0].finish([Finish(claimed, b"outcome")])
    once = redis_state(client)
    assert workers[0].finish([Finish(claimed, b"outcome")]) == [True]
    assert redis_state(client) == once


def test_who_lost_the_lease_can_neither_deliver_nor_finish_nor_release(producer, workers, client):
    producer.enqueue("high", [task("t1")])
    (old,) = workers[0].claim(1).tasks
    beat(workers[0], lease_ms=0)
    assert workers[1].recover(grace_ms=0, stray_ms=0).tasks == 1
    (new,) = workers[1].claim(1).tasks
    before = redis_state(client, without=("counters",))
    assert workers[0].deliver([Delivery(old, b"late", (), (0, 1))]) == [False]
    assert workers[0].finish([Finish(old, b"late")]) == [False]
    assert workers[0].release([old]) == 0
    assert redis_state(client, without=("counters",)) == before
    assert client.hget(KEYS.counters, "stale") == b"2"
    assert workers[1].finish([Finish(new, b"right")]) == [True]


def test_outcomes_that_were_delivered_are_left_out_by_the_next_attempt(producer, workers):
    producer.enqueue("high", [task("t1", calls=10)])
    (first,) = workers[0].claim(1).tasks
    workers[0].deliver([Delivery(first, b"a", (), (0, 3)), Delivery(first, b"b", (), (5, 6))])
    workers[0].release([first])
    (second,) = workers[1].claim(1).tasks
    assert second.remaining == ((3, 5), (6, 10))


def test_released_tasks_return_to_the_head_in_their_order_and_uncharged(producer, workers, client):
    producer.enqueue("high", [task("t1"), task("t2"), task("t3")])
    claimed = workers[0].claim(2).tasks
    assert workers[0].release(claimed) == 2
    assert client.lrange("rq:queue:high", 0, -1) == [b"t1", b"t2", b"t3"]
    assert client.hmget("rq:job:t1", "status", "farpool_attempts") == [b"queued", b"0"]


def test_a_lapsed_lease_returns_to_the_head_of_its_queue(producer, workers, client):
    producer.enqueue("high", [task("t1"), task("t2")])
    register(workers[0].client, KEYS, "w1", ["high", "low"], "here")
    held = workers[0].claim(1).tasks
    beat(workers[0], held, lease_ms=0)
    recovered = workers[1].recover(grace_ms=0, stray_ms=60000)
    assert (recovered.tasks, list(recovered.dead)) == (1, ["w1"])
    assert redis_state(client, without=("job:", "counters", "fence")) == {
        "rq:queue:high": ["t1", "t2"],
        "rq:queues": {"rq:queue:high"},
    }
    assert workers[1].claim(1).tasks[0].abandons == 1


def test_a_live_daemon_is_left_alone(producer, workers):
    producer.enqueue("high", [task("t1")])
    beat(workers[0], workers[0].claim(1).tasks)
    assert workers[1].recover(grace_ms=0, stray_ms=60000).tasks == 0


def test_a_heartbeat_tells_what_was_taken_away_and_does_not_take_it_back(producer, workers, client):
    producer.enqueue("high", [task("t1")])
    (claimed,) = workers[0].claim(1).tasks
    client.zrem("rq:wip:high", claimed.member)
    assert beat(workers[0], [claimed], renew_rq=True).lost == {claimed.member}
    assert client.zcard("rq:wip:high") == 0


def test_a_claim_whose_answer_was_lost_is_given_back(producer, workers, client):
    producer.enqueue("high", [task("t1")])
    (claimed,) = workers[0].claim(1).tasks
    assert beat(workers[0]).held == {claimed.member}
    assert workers[0].disown([claimed.member]) == 1
    assert client.lrange("rq:queue:high", 0, -1) == [b"t1"]


@pytest.fixture
def bells(workers):
    """A doorbell of each worker, armed; both workers have been heard."""
    found = [worker.doorbells()[0] for worker in workers]
    for worker, bell in zip(workers, found, strict=True):
        beat(worker)
        bell.arm(0.0)
    yield found
    for bell in found:
        bell.close()


def test_a_doorbell_wakes_one_daemon_and_brings_it_the_task(producer, workers, client, bells):
    producer.enqueue("high", [task("t1")])
    brought = workers[0].claimed(bells[0].answer().claimed)
    assert ([found.id for found in brought.tasks], brought.is_more) == (["t1"], False)
    assert client.zrange("rq:wip:high", 0, -1) == [brought.tasks[0].member.encode()]
    other = bells[1].disarm(workers[1].client)
    assert (other.moved, workers[1].claimed(other.claimed).tasks) == (None, [])
    assert client.exists("rq:farpool:doorbell:high") == 0


def test_a_doorbell_tells_whether_more_waits(producer, workers, bells):
    producer.enqueue("high", [task("t1"), task("t2"), task("t3")])
    assert [workers[i].claimed(bells[i].answer().claimed).is_more for i in (0, 1)] == [True, True]
    assert not workers[0].claim(1).is_more


def test_a_doorbell_of_a_daemon_that_nobody_hears_takes_nothing(producer, workers, client, bells):
    beat(workers[0], lease_ms=0)
    time.sleep(1.1)  # the script looks at whole seconds
    producer.enqueue("high", [task("t1")])
    assert [found.id for found in workers[1].claimed(bells[1].answer().claimed).tasks] == ["t1"]
    assert workers[0].claimed(bells[0].answer().claimed).tasks == []


def test_a_doorbell_whose_script_was_forgotten_says_what_it_moved(producer, workers, client, bells):
    client.script_flush()
    producer.enqueue("high", [task("t1")])
    ring = bells[0].answer()
    assert (ring.claimed, ring.moved) == (None, "t1")
    assert [found.id for found in workers[0].claim(0, [("high", "t1")]).tasks] == ["t1"]


def test_a_claim_is_dated_by_the_clock_of_the_server(producer, workers, client):
    producer.enqueue("high", [task("t1")])
    before = time.time()
    (claimed,) = workers[0].claim(1).tasks
    assert before - 1 <= float(claimed.claimed_at) <= time.time() + 1
    moment = datetime.fromtimestamp(float(claimed.claimed_at), UTC)
    assert client.hget("rq:job:t1", "started_at").decode() == moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_what_a_doorbell_rang_for_comes_besides_as_many_tasks_as_were_asked_for(producer, workers, client):
    producer.enqueue("high", [task("t1"), task("t2"), task("t3")])
    client.lmove("rq:queue:high", "rq:farpool:doorbell:high", "LEFT", "RIGHT")
    claimed = workers[0].claim(1, [("high", "t1")]).tasks
    assert [found.id for found in claimed] == ["t1", "t2"]


def test_an_id_that_a_doorbell_moved_and_nobody_claimed_is_put_back(producer, workers, client):
    producer.enqueue("high", [task("t1")])
    client.lmove("rq:queue:high", "rq:farpool:doorbell:high", "LEFT", "RIGHT")
    assert workers[0].recover(grace_ms=0, stray_ms=0).put_back == 0, "it was seen just now"
    assert workers[0].recover(grace_ms=0, stray_ms=0).put_back == 1
    assert client.lrange("rq:queue:high", 0, -1) == [b"t1"]


def test_a_canceled_task_is_dropped_by_the_next_claim(producer, workers, client):
    producer.enqueue("high", [task("t1"), task("t2")])
    producer.cancel(["t1"])
    claimed = workers[0].claim(5)
    assert ([found.id for found in claimed.tasks], claimed.dropped) == (["t2"], 1)


def test_an_id_that_stands_twice_in_the_queue_is_claimed_once(producer, workers, client):
    producer.enqueue("high", [task("t1")])
    client.rpush("rq:queue:high", "t1")
    claimed = workers[0].claim(5)
    assert ([found.id for found in claimed.tasks], claimed.dropped) == (["t1"], 1)


def test_a_task_that_has_ended_is_not_claimed_again(producer, workers, client):
    producer.enqueue("high", [task("t1")])
    workers[0].finish([Finish(workers[0].claim(1).tasks[0], b"x")])
    client.rpush("rq:queue:high", "t1")
    claimed = workers[0].claim(5)
    assert (list(claimed.tasks), claimed.dropped) == ([], 1)


def test_while_suspended_nothing_is_claimed_and_doorbells_put_back(producer, workers, client):
    producer.enqueue("high", [task("t1"), task("t2")])
    client.lmove("rq:queue:high", "rq:farpool:doorbell:high", "LEFT", "RIGHT")
    client.set(KEYS.suspended, 1)
    claimed = workers[0].claim(5, [("high", "t1")])
    assert (list(claimed.tasks), claimed.suspended) == ([], True)
    assert client.lrange("rq:queue:high", 0, -1) == [b"t1", b"t2"]


@pytest.mark.parametrize("buffer_bytes", [0, 1, 1024 * 1024, 3 * 1024 * 1024 + 17])
def test_large_buffers_come_back_whole(producer, client, buffer_bytes):
    content = bytearray(i % 251 for i in range(buffer_bytes))
    (part,) = producer.store("owner", [memoryview(content)])
    assert producer.fetch([part])[0] == content
    assert all(client.ttl(key) > 0 for key in part.piece_keys())
    producer.forget([part])
    assert client.keys() == []


def test_buffers_live_as_long_as_their_task(producer, workers, client):
    parts = producer.store("t1", [memoryview(bytearray(2_000_000))])
    producer.enqueue("high", [task("t1", parts=parts)])
    assert [client.ttl(key) for key in parts[0].piece_keys()] == [-1, -1]
    (claimed,) = workers[0].claim(1).tasks
    assert claimed.parts == tuple(parts)
    workers[0].finish([Finish(claimed, b"x")])
    assert client.keys("rq:farpool:data:*") == []


def test_a_canceled_task_takes_its_buffers_and_what_was_noted_of_its_calls_along(producer, workers, client):
    parts = producer.store("t1", [memoryview(bytearray(2_000_000)), memoryview(bytearray(10))])
    producer.enqueue("high", [task("t1", parts=parts, calls=10)])
    (first,) = workers[0].claim(1).tasks
    workers[0].deliver([Delivery(first, b"a", (), (0, 3))])
    workers[0].release([first])
    producer.cancel(["t1"])
    workers[0].claim(1)
    left = set(redis_state(client, without=("worker", "counters", "reply")))
    assert left == {"rq:job:t1", "rq:queues"}
    assert 0 < client.ttl("rq:job:t1") <= 86400


@pytest.mark.parametrize(
    "spoiled", [b"\xc1", b"x", b"\x93\x01\x02", b"\x91\x92\xa1k\xa1v", b"\x91\x93\xa5rq:hi\x01\x01"]
)
def test_a_task_whose_buffers_cannot_be_read_is_canceled_all_the_same(producer, client, spoiled):
    producer.enqueue("high", [task("t1")])
    client.hset("rq:job:t1", "farpool_parts", spoiled)
    client.set("rq:hi:0", "not ours")
    producer.cancel(["t1"])
    assert (client.hget("rq:job:t1", "status"), client.get("rq:hi:0")) == (b"canceled", b"not ours")


def test_replies_are_removed_when_they_have_been_read(producer, workers, client):
    producer.enqueue("high", [task("t1"), task("t2")])
    for claimed in workers[0].claim(2).tasks:
        workers[0].finish([Finish(claimed, b"x")])
    replies = producer.read_replies(Question(REPLY, "0"), 10)
    assert len(replies) == 2
    last = replies[-1].entry_id
    assert producer.read_replies(Question(REPLY, last, read=last), 10) == []
    assert client.xlen(REPLY) == 0


def test_results_land_though_the_server_is_out_of_memory(producer, workers, client):
    producer.enqueue("high", [task("t1"), task("t2")])
    (claimed,) = workers[0].claim(1).tasks
    client.config_set("maxmemory", client.info("memory")["used_memory"] // 2)
    try:
        assert beat(workers[0], [claimed]).lost == frozenset()
        assert workers[0].finish([Finish(claimed, b"outcome")]) == [True]
        with pytest.raises(ServerBusyError, match="maxmemory"):
            producer.enqueue("high", [task("t3")])
        with pytest.raises(ServerBusyError, match="maxmemory"):
            workers[0].claim(1)
    finally:
        client.config_set("maxmemory", 0)


def test_a_lease_seen_by_rq_is_renewed_by_the_servers_clock(producer, workers, client):
    producer.enqueue("high", [task("t1")])
    (claimed,) = workers[0].claim(1).tasks
    client.zadd("rq:wip:high", {claimed.member: 1})
    beat(workers[0], [claimed], renew_rq=True)
    assert abs(client.zscore("rq:wip:high", claimed.member) - time.time() - 90) < 10


def test_an_enqueue_that_would_fill_a_queue_beyond_its_bound_writes_nothing(producer, client):
    producer.enqueue("high", [task("t1")], most=2)
    before = redis_state(client)
    with pytest.raises(QueueFullError) as caught:
        producer.enqueue("high", [task("t2"), task("t3")], most=2)
    assert (caught.value.queue, caught.value.size, caught.value.limit) == ("high", 1, 2)
    assert redis_state(client) == before
    assert producer.waiting("high") == 1
    producer.enqueue("high", [task("t2")], most=2)


def test_more_tasks_at_once_than_an_empty_queue_may_hold_are_refused_and_not_taken_for_written(producer, client):
    with pytest.raises(QueueFullError) as caught:
        producer.enqueue("high", [task("t1"), task("t2"), task("t3")], most=2)
    assert (caught.value.size, client.exists("rq:queue:high")) == (0, 0)


def test_an_enqueue_that_is_repeated_is_not_refused_for_what_it_wrote_before(producer, client):
    producer.enqueue("high", [task("t1"), task("t2")], most=2)
    once = redis_state(client)
    producer.enqueue("high", [task("t1"), task("t2")], most=2)
    assert redis_state(client) == once
