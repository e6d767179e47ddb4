"""A daemon beside keys that somebody spoiled: it warns, does not spin, and goes on when they are mended."""

import time

import pytest
import tasks
from daemons import daemons, wait_for

from farpool import Executor

SPOILED = (
    "rq:farpool:hosts",
    "rq:farpool:host:a",
    "rq:farpool:doorbell:default",
    "rq:farpool:counters",
    "rq:farpool:strays",
    "rq:farpool:quarantine",
    "rq:queue:default",
    "rq:queue:default:intermediate",
    "rq:wip:default",
    "rq:worker:a",
    "rq:worker:a:executions",
    "rq:workers",
    "rq:workers:default",
)

MOST_COMMANDS = 4000
"""In two seconds; a daemon that spins has sent more than ten times as many (guess)."""


@pytest.mark.parametrize("key", SPOILED)
def test_a_daemon_goes_on_when_a_spoiled_key_is_mended(key, server, client, tmp_path):
    with daemons(server.url, tmp_path, "a") as (daemon,), Executor(server.url) as executor:
        assert executor.submit(tasks.square, 2).result(30) == 4
        with client.pipeline() as pipeline:
            pipeline.delete(key)
            pipeline.set(key, "spoiled")
            pipeline.execute()
        before = client.info("stats")["total_commands_processed"]
        time.sleep(2)
        assert client.info("stats")["total_commands_processed"] - before < MOST_COMMANDS
        assert daemon.process.poll() is None
        client.delete(key)
        wait_for(lambda: client.zscore("rq:farpool:hosts", "a"))
        assert executor.submit(tasks.square, 3).result(60) == 9
        daemon.terminate()
        assert daemon.wait() == 0, daemon.text()


@pytest.mark.parametrize("key", ["rq:worker:a", "rq:worker:a:executions", "rq:workers", "rq:farpool:hosts"])
def test_a_daemon_that_cannot_take_its_name_out_has_stopped_all_the_same(key, server, client, tmp_path):
    with daemons(server.url, tmp_path, "a") as (daemon,):
        client.delete(key)
        client.set(key, "spoiled")
        daemon.terminate()
        assert daemon.wait() == 0, daemon.text()
    client.flushall()
