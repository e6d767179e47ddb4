"""Recoveries, releases and heartbeats beside keys that somebody spoiled: no task is nowhere."""

import pytest
from spoiling import GOOD, KEYS, TASKS, TIMES, beat, enqueue, leased, listed, quarantined, spoil

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
    assert len(workers[0].claim(5).tasks) == len(TASKS)
    beat(workers[0], lease_ms=0)
    if key == "rq:wip:no number":
        client.hset("rq:job:bad", "origin", "no number")
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
