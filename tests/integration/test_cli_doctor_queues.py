"""`farpool doctor --queues`: what waits, in which format, and who would run it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from rq import Queue

from farpool import Executor, Serializer
from farpool.cli import main
from farpool_common.keys import Keys

KEYS = Keys()


def doctor(server, *words):
    result = CliRunner().invoke(main, ["doctor", "--queues", "-u", server.url, *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def filled(server, client):
    """Jobs of all formats, the oldest of them pickled two hours ago."""
    Queue("mail", connection=client).enqueue_many([Queue.prepare_data("shop.send", (n,)) for n in range(300)])
    old = Queue("mail", connection=client).enqueue("shop.print_label", 1)
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)
    client.hset(old.key, "enqueued_at", two_hours_ago.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    Queue("mail", connection=client, serializer="json").enqueue("shop.send", 1)
    Queue("default", connection=client, serializer=Serializer).enqueue("shop.count", [1] * 5000)
    odd = Queue("default", connection=client).enqueue("shop.odd\x1b[2J")
    client.hset(odd.key, "data", b"\x00\x01")
    client.rpush(KEYS.queue("default"), "gone")
    with Executor(server.url) as executor:
        executor.submit(json.dumps, 1)
        yield server
        executor.shutdown(wait=False, cancel_futures=True)


def test_jobs_are_counted_by_format_with_their_functions_and_the_age_of_the_oldest(filled):
    lines = [line.split() for line in doctor(filled).splitlines()]
    assert lines[0] == ["queue", "format", "waiting", "oldest", "functions"]
    assert ["mail", "pickle", "301", "2", "h", "shop.send", "(300),", "shop.print_label", "(1)"] in lines
    assert ["mail", "json", "1", "0", "s", "shop.send", "(1)"] in lines
    assert ["default", "msgpack", "1", "0", "s", "shop.count", "(1)"] in lines
    assert ["default", "no", "data", "1", "unknown", "(unnamed)", "(1)"] in lines
    assert any(line[:3] == ["default", "farpool", "1"] for line in lines)
    assert any(line[:3] == ["default", "unknown", "1"] for line in lines)
    assert "\x1b" not in doctor(filled)


def test_what_no_live_host_would_run_is_told_with_the_two_ways_on(filled, client):
    now_ms = int(client.time()[0]) * 1000
    client.zadd(KEYS.hosts, {"host1": now_ms + 60_000})
    client.hset(KEYS.host("host1"), mapping={"queues": "mail,default", "slots": 1, "accept": "msgpack,json"})
    advice = json.loads(doctor(filled, "--json"))["advice"]
    assert any("301 pickle jobs wait on queue mail and no host there accepts pickle" in line for line in advice)
    assert not any("json" in line for line in advice)
    client.hset(KEYS.host("host1"), "accept", "msgpack,json,pickle")
    assert not any("pickle" in line for line in json.loads(doctor(filled, "--json"))["advice"])


def test_an_empty_server_has_nothing_that_waits(server):
    assert doctor(server) == "Nothing waits.\n"
