"""Records, results and commands that nobody expects: RQ's worker, and ours."""

import time

import pytest
import redis
import stock
from daemons import daemons, wait_for
from rq import SimpleWorker, Worker
from rq.command import handle_command, send_stop_execution_command, send_stop_job_command
from rq.executions import Execution

SPOILED = {
    "a time that is none": lambda client, key: client.hset(key, "created_at", "yesterday"),
    "a timeout that is none": lambda client, key: client.hset(key, "timeout", "soon"),
    "no data": lambda client, key: client.hdel(key, "data"),
    "another type of key": lambda client, key: (client.delete(key), client.set(key, "x")),
}


@pytest.mark.parametrize("spoil", ["a time that is none", "another type of key"])
def test_rqs_worker_quits_over_a_spoiled_record_and_says_that_all_is_well(server, queue, spoil):
    bad, good = queue.enqueue(stock.lasts, 0), queue.enqueue(stock.lasts, 0)
    SPOILED[spoil](queue.connection, bad.key)
    with stock.rq_worker(server.url, "default") as worker:
        assert worker.wait(20) == 0
    assert good.get_status() == "queued"


@pytest.mark.parametrize("spoil", SPOILED)
def test_ours_serves_on_and_keeps_a_spoiled_record_where_it_is_found(server, queue, tmp_path, spoil):
    bad, good = queue.enqueue(stock.lasts, 0), queue.enqueue(stock.lasts, 0)
    SPOILED[spoil](queue.connection, bad.key)
    with daemons(server.url, tmp_path, "a", options=("-c", "1", *stock.AS_RQ)) as (daemon,):
        wait_for(lambda: good.get_status() == "finished")
        assert daemon.process.poll() is None
    client = queue.connection
    kept = (
        client.llen("rq:farpool:quarantine")
        + client.zcard("rq:failed:default")
        + (client.zcard("rq:finished:default") - 1)
    )
    assert kept >= 1


def test_rq_stores_a_placeholder_for_a_result_that_cannot_travel_as_a_success(queue):
    job = queue.enqueue(stock.locks)
    SimpleWorker([queue], connection=queue.connection).work(burst=True)
    assert (job.get_status(), job.return_value()) == ("finished", "Unserializable return value")


def test_ours_fails_a_job_whose_result_cannot_travel_and_says_why(server, queue, tmp_path, how):
    job = queue.enqueue(stock.locks, **how)
    with daemons(server.url, tmp_path, "a", options=("-c", "1", *stock.AS_RQ)):
        wait_for(lambda: job.get_status() == "failed")
    assert "the result (a lock) cannot travel back" in job.latest_result().exc_string
    assert queue.connection.get("callbacks") is None


def test_rq_goes_deaf_after_junk_on_its_command_channel(server, queue):
    with stock.rq_worker(server.url, "default"):
        wait_for(lambda: stock.is_listening(queue.connection))
        wait_for(lambda: queue.connection.pubsub_numsub(*_channels(queue.connection))[0][1] == 1)
        queue.connection.publish(_channels(queue.connection)[0], "no JSON")
        job = queue.enqueue(stock.lasts)
        wait_for(lambda: job.get_status() == "started")
        send_stop_job_command(queue.connection, job.id)
        time.sleep(0.5)  # a worker that hears is quicker
        assert job.get_status() == "started"


def test_ours_hears_the_next_command_after_junk_on_its_channel(server, queue, tmp_path):
    with daemons(server.url, tmp_path, "a", options=("-c", "1", *stock.AS_RQ)):
        for junk in (b"no JSON", b"\xff\xfe", b"[]", b'{"command": "stop-job"}', b'{"command": 7}', b"[" * 100_000):
            queue.connection.publish("rq:pubsub:a", junk)
        job = queue.enqueue(stock.lasts)
        wait_for(lambda: job.get_status() == "started")
        send_stop_job_command(queue.connection, job.id)
        wait_for(lambda: job.get_status() == "stopped")


def test_rq_stops_only_one_arbitrary_job_of_several(queue):
    """A worker with several executions, as its 3.0 interface allows: the command for the other is ignored."""
    jobs = [queue.enqueue(stock.lasts) for _ in range(2)]
    worker = Worker([queue], connection=queue.connection, prepare_for_work=False)
    worker.executions = {job.id: Execution(job.id, job.id, queue.connection) for job in jobs}
    heard = []
    for job in jobs:
        worker.kill_horse = lambda job=job: heard.append(job.id)
        handle_command(worker, {"command": "stop-job", "job_id": job.id})
    assert heard == [jobs[0].id]


def test_ours_stops_the_job_that_is_named_and_no_other(server, queue, tmp_path):
    jobs = [queue.enqueue(stock.lasts) for _ in range(3)]
    with daemons(server.url, tmp_path, "a", options=("-c", "3", *stock.AS_RQ)):
        wait_for(lambda: all(job.get_status() == "started" for job in jobs))
        send_stop_job_command(queue.connection, jobs[1].id)
        wait_for(lambda: jobs[1].get_status() == "stopped")
        assert [job.get_status() for job in jobs] == ["started", "stopped", "started"]
        (execution,) = jobs[2].get_executions()
        queue.connection.publish("rq:pubsub:a", _stop_execution(jobs[0].id, execution.id))  # of another job
        send_stop_execution_command(queue.connection, jobs[2].id, execution.id)
        wait_for(lambda: jobs[2].get_status() == "stopped")
        assert jobs[0].get_status() == "started"


def _stop_execution(job_id: str, execution_id: str) -> str:
    return f'{{"command": "stop-execution", "job_id": "{job_id}", "execution_id": "{execution_id}"}}'


def _channels(client: redis.Redis) -> list[str]:
    return [f"rq:pubsub:{key.decode().removeprefix('rq:worker:')}" for key in client.smembers("rq:workers")]
