"""A long backlog costs no more commands than a short one, and one answer holds a bounded number of bytes."""

from collections import Counter

import pytest
import redis

from farpool_common.broker import Finish, NewTask, ProducerBroker, WorkerBroker
from farpool_common.broker.worker import MOST_CLAIM_BYTES
from farpool_common.keys import Keys

KEYS = Keys()
CLAIMED = 50


@pytest.fixture
def worker(server):
    broker = WorkerBroker(server.url, "w1", ["q"])
    yield broker
    broker.close()


@pytest.fixture
def producer(server):
    broker = ProducerBroker(server.url)
    yield broker
    broker.close()


def task(name: str, size: int = 10) -> NewTask:
    return NewTask(id=name, data=b"x" * size, description="d", label="m:f", reply=KEYS.reply("me"))


NOT_IN_SCRIPTS = ("eval", "config", "info", "client", "hello")


def commands(client: redis.Redis) -> Counter[str]:
    """How often scripts ran each command since the last reset."""
    stats = client.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): found["calls"] for name, found in stats.items()}
    return Counter({name: count for name, count in calls.items() if not name.startswith(NOT_IN_SCRIPTS)})


def backlog(producer: ProducerBroker, client: redis.Redis, length: int) -> None:
    """Tasks at the head of a queue, and so many ids behind them."""
    client.flushall()
    producer.enqueue("q", [task(f"t{number}") for number in range(CLAIMED)])
    with client.pipeline(transaction=False) as pipeline:
        for start in range(CLAIMED, length, 10_000):
            pipeline.rpush(KEYS.queue("q"), *(f"t{number}" for number in range(start, min(start + 10_000, length))))
        pipeline.execute()
    assert client.llen(KEYS.queue("q")) == length


def test_claims_and_ends_take_as_many_commands_with_a_hundred_thousand_waiting_as_with_a_thousand(
    producer, worker, client
):
    found = []
    for length in (1_000, 100_000):
        backlog(producer, client, length)
        client.config_resetstat()
        for _ in range(CLAIMED // 10):
            tasks = worker.claim(10).tasks
            assert len(tasks) == 10
            worker.finish([Finish(task, b"outcome") for task in tasks])
        producer.enqueue("q", [task("more")], most=1_000_000)
        found.append(commands(client))
    assert found[0] == found[1]
    assert found[0]["lrange"] == found[0]["smembers"] == 0


def test_a_recovery_takes_as_many_commands_with_a_hundred_thousand_lapsed_leases_as_with_a_thousand(worker, client):
    found = []
    for count in (1_000, 100_000):
        client.flushall()
        with client.pipeline(transaction=False) as pipeline:
            for start in range(0, count, 10_000):
                members = {f"t{number}:e": 1 for number in range(start, min(start + 10_000, count))}
                pipeline.zadd(KEYS.started("q"), members)
            pipeline.execute()
        worker.recover(grace_ms=0, stray_ms=2000)
        client.config_resetstat()
        worker.recover(grace_ms=0, stray_ms=2000)
        found.append(commands(client))
    assert found[0] == found[1]
    assert found[0]["hexists"] == 50


def test_one_claim_brings_a_bounded_number_of_bytes_and_the_next_the_rest(producer, worker):
    size = 1024 * 1024
    for number in range(10):
        producer.enqueue("q", [task(f"t{number}", size)])
    claims = []
    while tasks := worker.claim(10).tasks:
        claims.append([task.id for task in tasks])
    assert [name for names in claims for name in names] == [f"t{number}" for number in range(10)]
    assert max(map(len, claims)) <= MOST_CLAIM_BYTES // size


def test_junk_in_a_queue_holds_the_server_for_a_bounded_number_of_ids(producer, worker, client):
    for start in range(0, 100_000, 10_000):
        client.rpush(KEYS.queue("q"), *(b"junk %d" % number for number in range(start, start + 10_000)))
    assert worker.claim(5).quarantined == 105
    assert client.llen(KEYS.queue("q")) == 100_000 - 105
    assert client.llen(KEYS.quarantine) == 105
