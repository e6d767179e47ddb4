"""The commands that read a server or put a job on it, against a real one."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis
from click.testing import CliRunner, Result
from rq import Queue
from rq.job import Job

from farpool.cli import main
from farpool.embedded.server import Server
from farpool_common.codec import Serializer
from farpool_common.keys import Keys

KEYS = Keys()
GONE = "redis://127.0.0.1:1/0"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


@pytest.fixture
def client(server: Server) -> redis.Redis:
    return redis.Redis.from_url(server.url)


def farpool(*words: str) -> Result:
    return CliRunner().invoke(main, words, catch_exceptions=False)


def sign_on(client: redis.Redis, name: str, queues: str = "default", started_at: str | None = None) -> None:
    """What a daemon's heartbeat leaves."""
    client.zadd(KEYS.hosts, {name: (time.time() + 60) * 1000})
    record = {"hostname": "box", "pid": 7, "slots": 4, "busy": 1, "queues": queues, "reason": "all 4 cores"}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    client.hset(KEYS.host(name), mapping=record | {"started_at": now if started_at is None else started_at})


# --- info -----------------------------------------------------------------------------------------


def test_info_shows_queues_and_hosts(server: Server, client: redis.Redis) -> None:
    Queue("mail", connection=client).enqueue("os.getcwd")
    client.zadd(KEYS.started("mail"), {"a:b": 1})
    client.zadd(KEYS.failed("mail"), {"c": 1})
    sign_on(client, "host3", queues="default,mail")
    lines = farpool("info", "-u", server.url).output.splitlines()
    assert lines[0] == f"{server.url} (from --url)"
    assert lines[2].split() == ["queue", "waiting", "running", "failed"]
    assert [line.split() for line in lines[3:5]] == [["default", "0", "0", "0"], ["mail", "1", "1", "1"]]
    assert lines[7].startswith("host3      4     1  default,mail")


def test_info_as_json_has_the_same_facts(server: Server, client: redis.Redis) -> None:
    sign_on(client, "host3")
    found = json.loads(farpool("info", "-u", server.url, "--json").output)
    age = found["hosts"][0].pop("age_seconds")
    assert 0 <= age < 60
    started_at = found["hosts"][0].pop("started_at")
    assert datetime.fromisoformat(started_at).tzinfo is not None
    assert found == {
        "server": server.url,
        "queues": [{"name": "default", "waiting": 0, "running": 0, "failed": 0}],
        "hosts": [
            {
                "name": "host3",
                "hostname": "box",
                "pid": 7,
                "slots": 4,
                "busy": 1,
                "queues": ["default"],
                "reason": "all 4 cores",
                "accept": ["msgpack"],
            }
        ],
        "running": 0,
        "slots": 4,
    }


def test_info_on_an_empty_server_says_what_to_start(server: Server) -> None:
    output = farpool("info", "-u", server.url).output
    assert "No queues yet" in output
    assert "farpool worker" in output


def test_info_prints_hostile_names_harmlessly(server: Server, client: redis.Redis) -> None:
    sign_on(client, "h\x1b[2J", queues="q\n\u202e", started_at="9" * 400)
    client.sadd(KEYS.queues, KEYS.queue("\x9b"), b"\xff\xfe")
    for words in (("info",), ("info", "--json"), ("doctor",)):
        result = farpool(*words, "-u", server.url)
        assert result.exit_code == 0
        assert all(line.isprintable() for line in result.output.splitlines())


# --- enqueue --------------------------------------------------------------------------------------


def test_enqueue_makes_a_job_of_rqs_with_our_serializer(server: Server, client: redis.Redis) -> None:
    result = farpool("enqueue", "-u", server.url, "-q", "mail", "--timeout", "60", "app.send:now", "3", "to=Ann")
    job = Job.fetch(result.output.strip(), connection=client, serializer=Serializer)
    assert (job.func_name, tuple(job.args), job.kwargs) == ("app.send.now", (3,), {"to": "Ann"})
    assert (job.origin, job.timeout) == ("mail", 60)
    assert client.lrange(KEYS.queue("mail"), 0, -1) == [job.id.encode()]


def test_enqueue_at_the_front_goes_first(server: Server, client: redis.Redis) -> None:
    ids = [farpool("enqueue", "-u", server.url, *front, "a.b").output.strip() for front in ((), ("--front",))]
    assert client.lrange(KEYS.queue("default"), 0, -1) == [ids[1].encode(), ids[0].encode()]


# --- doctor ---------------------------------------------------------------------------------------


def verdicts(result: Result) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in json.loads(result.output)["checks"]}


def test_doctor_warns_of_what_loses_tasks(server: Server, client: redis.Redis) -> None:
    Queue("mail", connection=client).enqueue("os.getcwd")
    result = farpool("doctor", "-u", server.url, "--json")
    found = verdicts(result)
    assert found.pop("latency") in ("ok", "warn")
    assert found == {
        "address": "ok",
        "server": "ok",
        "persistence": "warn",
        "memory": "ok",
        "hosts": "warn",
        "queue mail": "warn",
        "books": "ok",
        "quarantine": "ok",
        "this machine": "ok",
    }
    assert result.exit_code == 0


def test_doctor_is_content_with_a_server_that_keeps_tasks_and_a_host(server: Server, client: redis.Redis) -> None:
    client.config_set("appendonly", "yes")
    sign_on(client, "host3")
    found = verdicts(farpool("doctor", "-u", server.url, "--json"))
    found.pop("latency")
    assert set(found.values()) == {"ok"}


def test_doctor_fails_a_server_that_may_evict_tasks(server: Server, client: redis.Redis) -> None:
    client.config_set("maxmemory-policy", "allkeys-lru")
    result = farpool("doctor", "-u", server.url)
    assert result.exit_code == 1
    assert "fail  server: maxmemory-policy allkeys-lru may delete queued tasks: set noeviction" in result.output


def test_doctor_warns_of_a_server_that_is_nearly_full(server: Server, client: redis.Redis) -> None:
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 100_000)
    assert verdicts(farpool("doctor", "-u", server.url, "--json"))["memory"] == "warn"


def test_doctor_without_a_server_fails_and_still_says_what_this_machine_has() -> None:
    result = farpool("doctor", "-u", GONE)
    assert result.exit_code == 1
    assert "fail  server: no answer" in result.output
    assert "slots=" in result.output


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("info",), ("enqueue", "a.b")])
def test_without_a_server_there_is_one_line_and_exit_code_69(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, list(words), env={"FARPOOL_URL": GONE})
    assert result.exit_code == 69
    assert result.stderr.startswith(f"farpool: no answer from {GONE}")
    assert len(result.stderr.splitlines()) == 1
    assert "FARPOOL_URL or --url" in result.stderr, "the next step"


@pytest.mark.parametrize("words", [("info",), ("enqueue", "a.b")])
def test_a_wrong_password_is_exit_code_77_and_not_shown(
    words: tuple[str, ...], server: Server, client: redis.Redis
) -> None:
    client.config_set("requirepass", "right")
    url = f"unix://:wr0ng@{server.socket}"
    result = CliRunner().invoke(main, list(words), env={"FARPOOL_URL": url})
    client.execute_command("AUTH", "right")
    assert result.exit_code == 77
    assert len(result.stderr.splitlines()) == 1
    assert "wr0ng" not in result.stderr


def test_a_url_that_is_none_is_exit_code_78() -> None:
    result = CliRunner().invoke(main, ["info"], env={"REDIS_URL": "localhost:6379", "FARPOOL_URL": ""})
    assert result.exit_code == 78
    assert "URL from REDIS_URL" in result.stderr
