"""Whoever is given the sentinels of a service finds its primary, or hears what is wrong."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
import redis
import rq_jobs
from daemons import SUPPORT, daemons, wait_for
from redis.sentinel import Sentinel
from replicated import free_port
from rq import Queue
from rq.job import Callback
from sentinels import SERVICE, Guarded

from farpool import Executor, Serializer
from farpool_common.broker import connect, masked, translated
from farpool_common.errors import ServerRefusedError, ServerUnreachableError, ServiceUnknownError


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory):
    found = Guarded(tmp_path_factory.mktemp("g"))
    yield found
    found.kill()


def ping(url: str) -> None:
    with connect(url) as client, translated(masked(url)):
        client.ping()


def test_a_service_that_no_sentinel_knows_is_an_error_of_its_own(guarded):
    url = guarded.service_url.replace(SERVICE, "mian")
    with pytest.raises(ServiceUnknownError, match="no sentinel knows a service mian") as caught:
        Executor(url)
    for sentinel in guarded.sentinels:
        assert f"127.0.0.1:{sentinel.port}" in str(caught.value)


def test_sentinels_that_do_not_answer_are_named_and_the_others_are_asked(guarded):
    gone = [free_port() for _ in range(2)]
    hosts = ",".join(f"127.0.0.1:{port}" for port in gone)
    with pytest.raises(ServerUnreachableError, match=f"service {SERVICE}") as caught:
        ping(f"redis+sentinel://{hosts}/{SERVICE}")
    assert all(f"sentinel 127.0.0.1:{port}: Error 111" in str(caught.value) for port in gone)
    ping(f"redis+sentinel://{hosts},127.0.0.1:{guarded.sentinels[0].port}/{SERVICE}")


def test_a_wrong_password_of_the_sentinels_is_told_from_one_of_the_servers(guarded):
    port = guarded.sentinels[1].port
    with redis.Redis(port=port) as client:
        client.acl_setuser("default", enabled=True, passwords=["+s3cret"])
        try:
            with pytest.raises(ServerRefusedError, match="sentinel_password") as caught:
                ping(f"redis+sentinel://127.0.0.1:{port}/{SERVICE}?sentinel_password=guess")
            assert "guess" not in str(caught.value)
            ping(f"redis+sentinel://127.0.0.1:{port}/{SERVICE}?sentinel_password=s3cret")
        finally:
            client.acl_setuser("default", enabled=True, nopass=True)


def test_rqs_own_code_and_the_scheduler_find_the_primary_too(guarded, tmp_path):
    options = ("-c", "1", "-s", "--maintenance-interval", "1")
    with daemons(guarded.service_url, tmp_path, "a", options=options) as (daemon,), connect(guarded.url) as client:
        queue = Queue(connection=client, serializer=Serializer)
        # A callback is for RQ's own code, in a child that makes its own connection.
        job = queue.enqueue(rq_jobs.add, 2, 3, on_success=Callback(rq_jobs.on_success))
        later = queue.enqueue_in(timedelta(seconds=0.1), rq_jobs.add, 3, 4)
        wait_for(lambda: job.get_status() == later.get_status() == "finished", daemon.text)
        assert (job.return_value(), later.return_value()) == (5, 7)


def test_a_pool_worker_takes_the_sentinels_of_its_connection(guarded, tmp_path):
    script = (
        "import sys; from redis.sentinel import Sentinel; from farpool_worker import PoolWorker\n"
        f"s = Sentinel([('127.0.0.1', p) for p in {[each.port for each in guarded.sentinels]}])\n"
        f"PoolWorker(['pooled'], connection=s.master_for({SERVICE!r})).work(burst=True)"
    )
    primary = Sentinel([("127.0.0.1", each.port) for each in guarded.sentinels]).master_for(SERVICE)
    with primary as client:
        job = Queue("pooled", connection=client).enqueue(rq_jobs.add, 1, 2)
        environ = os.environ | {"PYTHONPATH": str(SUPPORT), "FARPOOL_SLOTS": "1"}
        done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, timeout=60)
        assert job.return_value() == 3, done.stderr
        assert f"/{SERVICE}/0" in done.stderr


def test_commands_take_the_url_of_a_service(guarded):
    for command in (["info"], ["doctor"], ["enqueue", "rq_jobs.add", "1", "2"]):
        line = [sys.executable, "-m", "farpool", command[0], "-u", guarded.service_url, *command[1:]]
        done = subprocess.run(line, cwd=SUPPORT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        if command == ["doctor"]:
            assert f"127.0.0.1:{guarded.primary.port}, say the sentinels" in done.stdout


def test_a_user_who_may_not_ask_for_the_role_is_served_all_the_same(guarded):
    guarded.primary.client.acl_setuser(
        "plain", enabled=True, passwords=["+pw"], keys=["*"], commands=["+@all", "-role"]
    )
    ping(guarded.service_url.replace("://", "://plain:pw@"))


def test_a_primary_that_became_a_replica_is_left_and_not_taken_again_while_a_sentinel_still_names_it(tmp_path):
    guarded = Guarded(tmp_path)
    try:
        old, other = guarded.nodes
        with connect(guarded.service_url) as client, translated("here"):
            client.set("a", 1)
            for sentinel in guarded.sentinels:  # they are held up, and know nothing of what follows
                sentinel.client.sentinel_set(SERVICE, "down-after-milliseconds", 60_000)
            other.promote()
            old.client.replicaof("127.0.0.1", other.port)
            with pytest.raises(redis.ConnectionError, match="now a slave"):
                client.set("a", 2)
            with pytest.raises(redis.ConnectionError, match="is a replica now"):
                client.set("a", 2)
    finally:
        guarded.kill()
