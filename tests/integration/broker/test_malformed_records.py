"""Records that somebody else spoiled: quarantined or failed with a reason, and the good ones go on."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from farpool_common.broker import Finish, JobEnd, NewTask, ProducerBroker, WorkerBroker, Written
from farpool_common.errors import DecodeError, ResultExpiredError
from farpool_common.keys import Keys
from farpool_common.payload import PIECE_BYTES, Part, pack_parts

KEYS = Keys()


@pytest.fixture
def worker(server):
    broker = WorkerBroker(server.url, "w1", ["q"])
    yield broker
    broker.close()


@pytest.fixture
def good(server):
    broker = ProducerBroker(server.url)
    task = NewTask(id="good", data=b"\x94", description="d", label="m:f", reply=KEYS.reply("me"))
    broker.enqueue("q", [task])
    broker.close()


SPOILERS = {
    "a string where a hash belongs": (lambda c: c.set("rq:job:bad", "x"), "the record is a string, not a hash"),
    "no data": (lambda c: c.hset("rq:job:bad", "status", "queued"), "the record has no data"),
    "attempts that are no number": (
        lambda c: c.hset("rq:job:bad", mapping={"data": "x", "farpool_attempts": "many"}),
        "farpool_attempts is no number",
    ),
    "a million fields": (
        lambda c: c.hset("rq:job:bad", mapping={"data": "x", **{f"f{i}": "v" for i in range(1000)}}),
        "the record has over 200 fields",
    ),
}


@pytest.mark.parametrize("name", SPOILERS)
def test_a_record_that_cannot_be_claimed_goes_to_quarantine_with_its_reason(worker, good, client, name):
    spoil, reason = SPOILERS[name]
    spoil(client)
    client.lpush("rq:queue:q", "bad")
    claimed = worker.claim(5)
    assert ([task.id for task in claimed.tasks], claimed.quarantined) == (["good"], 1)
    (entry,) = client.lrange(KEYS.quarantine, 0, -1)
    assert json.loads(entry)["id"] == "bad"
    assert json.loads(entry)["reason"] == reason


@pytest.mark.parametrize("bad_id", [b"", b"with space", b"\x1b[2J\n", b"a" * 10_000_000, "ümlaut".encode(), b"a:b"])
def test_an_id_that_could_forge_a_key_goes_to_quarantine(worker, good, client, bad_id):
    client.lpush("rq:queue:q", bad_id)
    claimed = worker.claim(5)
    assert ([task.id for task in claimed.tasks], claimed.quarantined) == (["good"], 1)
    assert client.llen(KEYS.quarantine) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("farpool_calls", "0"),
        ("farpool_calls", "999999999"),
        ("farpool_calls", "ten"),
        ("farpool_reply", "rq:queue:somebody-elses"),
        ("farpool_limit", "-1"),
        ("farpool_limit", "1e999"),
        ("farpool_parts", b"\xc1"),
        ("farpool_parts", b"\x91\x93\xa3key\x01\x01"),
        ("farpool_retries", "1" * 100),
        ("farpool_abandons", "\x00"),
        ("result_ttl", "soon"),
    ],
)
def test_a_field_that_cannot_be_read_makes_the_task_malformed_and_names_the_field(worker, client, field, value):
    record = {"data": b"\x94", "status": "queued", "farpool_reply": KEYS.reply("me"), field: value}
    client.hset("rq:job:bad", mapping=record)
    client.rpush("rq:queue:q", "bad")
    claimed = worker.claim(5)
    assert [task.id for task in claimed.malformed] == ["bad"]
    reason = claimed.malformed[0].reason
    assert field in reason or "buffer" in reason


def _parts(*sizes: int) -> bytes:
    return pack_parts([Part(KEYS.data("x", number), size, 0) for number, size in enumerate(sizes)])


def test_references_to_more_than_any_task_has_make_it_malformed(worker, client):
    record = {"data": b"\x94", "farpool_reply": KEYS.reply("me"), "farpool_parts": _parts(2**40 - 1)}
    client.hset("rq:job:bad", mapping=record)
    client.rpush("rq:queue:q", "bad")
    (malformed,) = worker.claim(5).malformed
    assert "more than 68,719,476,736 bytes" in malformed.reason


def test_ending_a_task_of_many_pieces_does_not_hold_the_server(worker, client):
    record = {"data": b"\x94", "farpool_reply": KEYS.reply("me"), "farpool_parts": _parts(30 * 1024**3)}
    client.hset("rq:job:big", mapping=record)
    client.rpush("rq:queue:q", "big")
    *_, last = Part(KEYS.data("x", 0), 30 * 1024**3, 0).piece_keys()
    client.set(last, "a piece")
    (task,) = worker.claim(5).tasks
    client.config_resetstat()
    assert worker.finish([Finish(task, b"outcome")]) == [True]
    assert client.info("commandstats")["cmdstat_unlink"]["calls"] < 100  # outside of the script, 500 keys each
    assert client.exists(last) == 0


def test_room_for_large_arguments_is_made_only_where_they_are(worker, client):
    part = Part(KEYS.data("x", 0), 3 * PIECE_BYTES, 0)
    with pytest.raises(ResultExpiredError, match="gone"):
        worker.payloads.check_there([part])
    for piece, size in enumerate((PIECE_BYTES, PIECE_BYTES, 7)):
        client.set(f"{part.key}:{piece}", b"x" * size)
    with pytest.raises(DecodeError, match="3,145,536 bytes"):
        worker.payloads.check_there([part])
    client.set(f"{part.key}:2", b"x" * PIECE_BYTES)
    worker.payloads.check_there([part])


def test_a_malformed_task_lands_in_the_failed_registry(worker, client):
    client.hset("rq:job:bad", mapping={"data": b"\x94", "timeout": "soon"})
    client.rpush("rq:queue:q", "bad")
    (malformed,) = worker.claim(5).malformed
    assert worker.fail([JobEnd(malformed, datetime.now(UTC), error=malformed.reason)]) == [Written.NOW]
    assert client.zrange("rq:failed:q", 0, -1) == [b"bad"]
    assert client.hget("rq:job:bad", "status") == b"failed"


def test_doctor_shows_the_newest_malformed_record_and_its_reason(worker, client, server):
    client.set("rq:job:bad", "x")
    client.rpush("rq:queue:q", "bad")
    worker.claim(5)
    command = [sys.executable, "-m", "farpool", "doctor", "-u", server.url]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "1 malformed records so far, the newest bad on queue q: the record is a string, not a hash" in " ".join(
        shown.split()
    )
