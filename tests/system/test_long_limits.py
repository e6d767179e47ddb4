"""Time limits longer than the operating system can wait for at once."""

import pytest
import tasks
from daemons import daemons, wait_for

from farpool import Executor

DAY = 24 * 3600


@pytest.mark.parametrize("seconds", [30 * DAY, 999_999_999])
def test_a_call_that_may_take_a_month_leaves_its_daemon_alive(server, tmp_path, seconds):
    with daemons(server.url, tmp_path, "a") as (daemon,), Executor(server.url) as executor:
        future = executor.options(timeout=seconds).submit(tasks.sleeps, 0.5)
        wait_for(lambda: future.done() or daemon.process.poll() is not None)
        assert daemon.process.poll() is None, daemon.text()
        assert future.exception() is None


def test_a_job_of_rq_that_may_take_for_ever_and_a_day_runs(server, client, tmp_path):
    options = ("-c", "1", "--accept", "msgpack", "--allow", "tasks")
    with daemons(server.url, tmp_path, "a", options=options) as (daemon,), Executor(server.url) as executor:
        client.hset("rq:job:long", mapping=_job(999_999_999_999_999))
        client.rpush("rq:queue:default", "long")
        wait_for(lambda: client.hget("rq:job:long", "status") == b"finished" or daemon.process.poll() is not None)
        assert daemon.process.poll() is None, daemon.text()
        assert executor.submit(tasks.square, 3).result() == 9


def _job(timeout: int) -> dict[str, object]:
    from farpool_common.codec import Serializer

    data = Serializer.dumps(["tasks.square", None, [3], {}])
    return {"data": data, "origin": "default", "status": "queued", "timeout": timeout}
