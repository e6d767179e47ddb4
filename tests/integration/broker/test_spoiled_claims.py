"""Claims beside keys that somebody spoiled: the others are leased, and no id is nowhere."""

import pytest
from daemons import wait_for
from spoiling import GOOD, KEYS, TASKS, TIMES, enqueue, leased, listed, quarantined, spoil

from farpool_common.errors import ServerError

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
    workers[0].heartbeat([], {}, lease_ms=15_000, keep=60, renew_rq=False)
    client.rpush("rq:queue:q", name)
    bell.arm(0.0)
    ring = bell.answer()
    bell.close()
    assert workers[0].claimed(ring.claimed).quarantined == 1
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
