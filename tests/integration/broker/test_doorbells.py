"""Doorbells over many outages, and beside queues that somebody spoiled."""

from multiprocessing.connection import wait

import pytest
import redis
from replicated import replicated

from farpool.embedded import Server
from farpool_common.broker import OUTAGES, WorkerBroker
from farpool_common.errors import ServerError
from farpool_worker.tasks.claimer import MOST_AT_ONCE, SPOILED_SECONDS, Claimer

RECONNECTS = 150
"""redis-py's pools refuse to make more than a hundred connections."""


@pytest.fixture
def broker(server: Server):
    found = WorkerBroker(server.url, "a", ["first", "second"])
    yield found
    found.close()


def enqueue(client: redis.Redis, queue: str, task_id: str) -> None:
    client.hset(f"rq:job:{task_id}", mapping={"data": b"\x94", "origin": queue, "status": "queued"})
    client.rpush(f"rq:queue:{queue}", task_id)


def test_a_primary_that_becomes_a_replica_is_an_outage_for_who_waits_there_and_not_a_spoiled_queue(tmp_path):
    with replicated(tmp_path) as (primary, replica):
        broker = WorkerBroker(primary.url, "a", ["default"])
        (bell,) = broker.doorbells()
        bell.arm(0.0)
        replica.promote()
        primary.client.replicaof("127.0.0.1", replica.port)
        assert wait([bell], 5) == [bell]
        with pytest.raises(OUTAGES):
            bell.answer()
        broker.close()


def test_a_daemon_still_hears_its_queue_after_more_outages_than_a_pool_has_connections(broker, client):
    (bell, _) = broker.doorbells()
    for _ in range(RECONNECTS):
        bell.arm(0.0)
        bell.close()
    bell.arm(0.0)
    client.rpush("rq:queue:first", "1")
    assert wait([bell], 5) == [bell]
    assert bell.answer().claimed is not None
    bell.close()


def test_an_outage_while_doorbells_are_armed_does_not_lose_what_was_just_claimed(broker, client):
    enqueue(client, "first", "1")
    claimer = Claimer(broker)
    for bell in claimer._doorbells:
        bell.arm = _raises  # type: ignore[method-assign]
    claimed = claimer.claim(2, 0.0)
    assert [found.id for found in (*claimed.tasks, *claimed.malformed)] == ["1"]
    with pytest.raises(ServerError, match="cut"):
        claimer.listen(0.0)


def _raises(now: float) -> None:
    raise ServerError("cut")


def test_a_spoiled_queue_is_left_alone_for_a_while_and_the_others_are_served(broker, client, caplog):
    claimer = Claimer(broker)
    now = 1000.0
    claimer.claim(1, now)
    client.set("rq:queue:first", "no list")
    claimer.listen(now)
    first, second = claimer.waitables()
    assert wait([first], 5) == [first]
    claimer.hear([first], now)
    claimer.listen(now)
    assert claimer.waitables() == [second]
    assert "queue first" in caplog.text
    assert claimer.next_look(now) == SPOILED_SECONDS
    client.delete("rq:queue:first")
    claimer.listen(now + SPOILED_SECONDS)
    assert len(claimer.waitables()) == 2
    claimer.stop(now)


def test_a_queue_whose_leases_cannot_be_noted_is_left_alone_for_a_while_and_the_others_are_served(
    broker, client, caplog
):
    client.set("rq:wip:first", "no zset")
    enqueue(client, "first", "1")
    enqueue(client, "second", "2")
    claimer = Claimer(broker)
    now = 1000.0
    claimed = claimer.claim(2, now)
    assert [found.id for found in (*claimed.tasks, *claimed.malformed)] == ["2"]
    claimer.listen(now)
    assert [bell.queue for bell in claimer.waitables()] == ["second"]
    assert "rq:wip:first is a string, not a zset" in caplog.text
    client.delete("rq:wip:first")
    claimer.listen(now + SPOILED_SECONDS)
    first = next(bell for bell in claimer.waitables() if bell.queue == "first")
    assert wait([first], 5) == [first]
    claimer.hear([first], now + SPOILED_SECONDS)
    claimed = claimer.claim(2, now + SPOILED_SECONDS)
    assert [found.id for found in (*claimed.tasks, *claimed.malformed)] == ["1"]
    claimer.stop(now)


def test_one_claim_asks_for_a_bounded_number_of_tasks_and_the_next_for_the_rest(broker, client):
    for number in range(5 * MOST_AT_ONCE):
        enqueue(client, "first", str(number))
    claimer = Claimer(broker)
    claims = []
    while not claimer.is_dry:
        claimed = claimer.claim(1000, 0.0)
        claims.append(len(claimed.tasks) + len(claimed.malformed))
    assert claims == [MOST_AT_ONCE] * 5
