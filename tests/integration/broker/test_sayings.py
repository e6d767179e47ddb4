"""What tasks say, on a real server: how much of it is kept, for how long, and what spoiled keys do to it."""

import json

import pytest

from farpool_common.broker import ProducerBroker, Question, Saying, WorkerBroker, progress_of, said_by
from farpool_common.broker.sayings import FUTURE_SECONDS, LONGEST_SECONDS, MOST_TEXTS, RUNNING_SECONDS, packed
from farpool_common.keys import Keys
from farpool_common.progress import TaskProgress
from farpool_common.task import Malformed

KEYS = Keys()


@pytest.fixture
def broker(server):
    broker = WorkerBroker(server.url, "w1", ["default"])
    yield broker
    broker.close()


def task(task_id="t1", reply="rq:farpool:reply:p1"):
    return Malformed(task_id, "e1", "default", reply, 2, "").stand_in()


def said(client, task_id="t1"):
    return said_by(client, KEYS, "here", task_id)


def test_the_producer_and_whoever_asks_learn_of_progress(broker, server, client):
    progress = {0: TaskProgress(1, 2, "first"), 5: TaskProgress(0.5, None, "ä")}
    broker.sayings.publish("w1", [Saying(task(), progress)], 100)
    producer = ProducerBroker(server.url)
    (reply,) = producer.read_replies(Question(KEYS.reply("p1"), "0"), 100)
    producer.close()
    assert progress_of(reply.progress) == progress
    assert (reply.task_id, reply.host, reply.attempt, reply.last, reply.envelope) == ("t1", "w1", 2, False, b"")
    assert said(client).progress == TaskProgress(0.5, None, "ä")
    assert json.loads(client.get(KEYS.progress("t1"))) == {"done": 0.5, "total": None, "label": "ä"}
    assert 0 < client.ttl(KEYS.reply("p1")) <= 3600
    assert 0 < client.ttl(KEYS.progress("t1")) <= RUNNING_SECONDS


def test_a_job_of_an_rq_producer_has_no_reply_stream(broker, client):
    broker.sayings.publish("w1", [Saying(task(reply=None), {0: TaskProgress(1, 2)})], 100)
    assert client.keys() == [KEYS.progress("t1").encode()]


def test_of_what_was_written_the_end_is_kept_and_all_is_counted(broker, client):
    for piece in (b"0123456789", b"", b"\xff" * 3, b"abc"):
        broker.sayings.publish("w1", [Saying(task(), {}, piece, len(piece))], 8)
    assert (said(client).output, said(client).nbytes) == (b"89\xff\xff\xffabc", 16)
    assert 0 < client.ttl(KEYS.output("t1")) <= RUNNING_SECONDS


def test_many_texts_go_at_once(broker, client):
    count = 2 * MOST_TEXTS + 1
    broker.sayings.publish("w1", [Saying(task(f"t{n}"), {}, b"%d" % n, 9) for n in range(count)], 100)
    assert [said(client, f"t{n}").output for n in range(count)] == [b"%d" % n for n in range(count)]


@pytest.mark.parametrize(
    ("record_seconds", "reply", "kept"),
    [
        (5000, None, 5000),
        (10, None, FUTURE_SECONDS),
        (-1, None, LONGEST_SECONDS),
        (None, None, FUTURE_SECONDS),
        (None, "p1", FUTURE_SECONDS),
        (120, "p1", FUTURE_SECONDS),
        (-1, "p1", RUNNING_SECONDS),
    ],
)
def test_words_are_kept_as_long_as_the_record(broker, client, record_seconds, reply, kept):
    ended = task(reply=reply)
    broker.sayings.publish("w1", [Saying(ended, {0: TaskProgress(1)}, b"text", 4)], 100)
    if record_seconds is not None:
        client.hset(KEYS.job("t1"), "status", "finished")
    if record_seconds is not None and record_seconds > 0:
        client.expire(KEYS.job("t1"), record_seconds)
    broker.sayings.end([ended])
    for key in (KEYS.output("t1"), KEYS.progress("t1")):
        assert kept - 5 < client.ttl(key) <= kept


def test_a_spoiled_key_costs_its_own_words_only(broker, client):
    client.set(KEYS.output("t1"), "mine")
    client.rpush(KEYS.progress("t1"), "mine")
    client.set(KEYS.reply("p1"), "mine")
    sayings = [Saying(task(name), {0: TaskProgress(1)}, b"text", 4) for name in ("t1", "t2")]
    broker.sayings.publish("w1", sayings, 100)
    broker.sayings.end([saying.task for saying in sayings])
    assert (client.get(KEYS.output("t1")), client.get(KEYS.reply("p1"))) == (b"mine", b"mine")
    assert said(client, "t2").output == b"text"
    assert not said(client, "t3").is_known
    assert said(client).output == b""


def test_what_makes_no_sense_is_no_progress(client):
    for raw in (b"", b"{", b"[1]", b"7", b'{"done": "x"}', b'{"done": -1, "total": 1, "label": ""}', b"\xff"):
        client.set(KEYS.progress("t1"), raw)
        assert said(client).progress is None
    assert progress_of(packed({3: TaskProgress(1, None, "\udc80")})) == {3: TaskProgress(1, None, "?")}
    for raw in (b"", b"\xc1", b"\x01", b"\x91\x01", b"\x91\x91\x00", b"\x91\x94\xff\x01\x02\xa0"):
        assert progress_of(raw) == {}
    client.hset(KEYS.output("t1"), mapping={"text": b"abc", "bytes": b"-9"})
    assert said(client).nbytes == 3
