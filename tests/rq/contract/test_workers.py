"""A daemon among RQ's workers: the same record, from its birth to its death."""

import pytest
import stock
from daemons import daemons, wait_for
from keyspace import Near
from redis import Redis
from rq import Queue


@pytest.fixture
def connection(server):
    with Redis.from_url(server.url) as found:
        yield found


def record(connection, name):
    """The fields and times of a worker, without what is its own."""
    key = f"rq:worker:{name}"
    fields = {field.decode(): value.decode() for field, value in connection.hgetall(key).items()}
    own = {"birth", "last_heartbeat", "pid", "ip_address", "total_working_time", "shutdown_requested_date", "death"}
    shown = {field: "its own" if field in own else value for field, value in fields.items() if field != "state"}
    listed = [connection.sismember(where, key) for where in ("rq:workers", "rq:workers:high", "rq:workers:default")]
    return shown, listed, Near(connection.ttl(key))


def stages(connection, name, stop):
    """What is left of a worker: idle, with jobs behind it, dead."""
    queue = Queue(connection=connection)
    wait_for(lambda: connection.hget(f"rq:worker:{name}", "state") == b"idle")
    found = [record(connection, name)]
    jobs = [queue.enqueue(stock.quick), queue.enqueue(stock.quick), queue.enqueue(stock.raises)]
    wait_for(lambda: all(job.is_finished or job.is_failed for job in jobs))
    wait_for(lambda: connection.hget(f"rq:worker:{name}", "state") == b"idle")
    wait_for(lambda: connection.ttl(f"rq:worker:{name}") > 400)
    found.append(record(connection, name))
    stop()
    return [*found, record(connection, name)]


def test_its_record_is_what_rqs_worker_has(server, connection, tmp_path):
    def end(process):
        process.terminate()
        process.wait(30)

    with stock.rq_worker(server.url, "-n", "theirs", "high", "default") as worker:
        theirs = stages(connection, "theirs", lambda: end(worker))
    options = ("-c", "1", *stock.AS_RQ, "high", "default")
    with daemons(server.url, tmp_path, "ours", options=options) as (daemon,):
        ours = stages(connection, "ours", lambda: end(daemon.process))
    assert ours == theirs


def test_a_daemon_whose_record_was_lost_enters_itself_again(server, connection, tmp_path):
    with daemons(server.url, tmp_path, "ours", options=("-c", "1", *stock.AS_RQ)):
        connection.flushall()
        wait_for(lambda: connection.hexists("rq:worker:ours", "birth"))
        assert connection.smembers("rq:workers") == {b"rq:worker:ours"}
        job = Queue(connection=connection).enqueue(stock.quick)
        wait_for(lambda: job.is_finished)
