"""What somebody who means harm, or a broken program, may write to Redis.  Every choice comes from one seed."""

import json
import os
import pickle
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

import redis

from farpool_common.chunk import RUNNER, Chunk, encode_chunk
from farpool_common.codec import Serializer
from farpool_common.keys import Keys
from farpool_common.payload import Part, pack_parts

KEYS = Keys()
QUEUE = "default"
REPLY = KEYS.reply("hostile")

NUMBERS = (b"0", b"-1", b"1e999", b"nan", b"0x10", b"999999999999999", b"9223372036854775807", b"18446744073709551616")
TEXTS = (b"", b"\x00", b"\xff\xfe", b"\x1b[2J\r\n", b"../../etc/passwd", b"rq:queue:default", b"{}", b"A" * 100_000)
STATUSES = (b"queued", b"started", b"finished", b"failed", b"canceled", b"stopped", b"deferred", b"scheduled")
SEQUENCES = (
    "%s",
    "%s %s",
    "os.system",
    "os:system",
    "builtins.exec",
    "builtins:eval",
    "subprocess.run",
    "posix.system",
)

EXECUTORS_FIELDS = (
    *("data", "status", "origin", "description", "timeout", "created_at", "enqueued_at", "started_at", "worker_name"),
    *("farpool_reply", "farpool_calls", "farpool_retries", "farpool_limit", "farpool_label", "farpool_parts"),
    *("farpool_attempts", "farpool_abandons", "farpool_execution", "farpool_objects", "ended_at", "group_id"),
    "last_heartbeat",
)
RQS_FIELDS = (
    *("data", "status", "origin", "description", "timeout", "created_at", "enqueued_at", "started_at", "worker_name"),
    *(
        "result_ttl",
        "failure_ttl",
        "ttl",
        "meta",
        "retries_left",
        "retry_intervals",
        "repeats_left",
        "repeat_intervals",
    ),
    *("dependency_ids", "allow_dependency_failures", "success_callback_name", "failure_callback_name", "webhooks"),
    *("stopped_callback_name", "rate_limit_key", "rate_limit_concurrency", "serializer", "farpool_attempts"),
)
NEIGHBOURS = ("rq:executions:{}", "rq:farpool:done:{}", "rq:results:{}", "rq:farpool:fence:{}", "rq:job:{}:dependents")


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self._command,)


@dataclass(frozen=True)
class Injected:
    """One thing that was written: an id in the queue, with what it stands for."""

    id: bytes
    kind: str
    what: str


class Mutations:
    """Writes hostile things.  `canary` is the file that code from the wire would make."""

    def __init__(self, seed: int, client: redis.Redis, worker: str, canary: str) -> None:
        self._random, self._client, self._worker = Random(seed), client, worker
        self._command = f"touch {canary}"
        self._made = 0

    def wave(self, count: int) -> Iterator[Injected]:
        """So many ids that are put into the queue, each with a record or without."""
        ways = (self._mutated_record, self._mutated_job, self._other_type, self._spoiled_neighbour, self._junk_id)
        for _ in range(count):
            self._made += 1
            (way,) = self._random.choices(ways, (4, 4, 1, 1, 1))
            yield way(f"h{self._made}")

    # --- what a claim meets -------------------------------------------------------------------------

    def _mutated_record(self, name: str) -> Injected:
        record = self._executors_task()
        return self._put(name, "task", record, self._mutate(record, EXECUTORS_FIELDS))

    def _mutated_job(self, name: str) -> Injected:
        record = self._rqs_job()
        return self._put(name, "job", record, self._mutate(record, RQS_FIELDS))

    def _other_type(self, name: str) -> Injected:
        key = KEYS.job(name)
        write = self._random.choice(
            [
                lambda: self._client.set(key, self._bytes()),
                lambda: self._client.rpush(key, self._bytes()),
                lambda: self._client.sadd(key, self._bytes()),
                lambda: self._client.zadd(key, {self._bytes(): 1}),
                lambda: self._client.xadd(key, {b"f": self._bytes()}),
                lambda: self._client.hset(key, mapping={f"f{n}": b"v" for n in range(self._random.choice([3, 5000]))}),
                lambda: None,
            ]
        )
        write()
        self._client.rpush(KEYS.queue(QUEUE), name)
        return Injected(name.encode(), "other type", str(self._client.type(key)))

    def _spoiled_neighbour(self, name: str) -> Injected:
        record = self._random.choice([self._executors_task, self._rqs_job])()
        key = self._random.choice(NEIGHBOURS).format(name)
        self._client.set(key, self._bytes())
        return self._put(name, "neighbour", record, key)

    def _junk_id(self, name: str) -> Injected:
        raw = self._random.choice(
            [self._bytes() + b" ", name.encode() * 5000, b"\xff" + name.encode(), b"a:" + name.encode()]
        )
        self._client.rpush(KEYS.queue(QUEUE), raw)
        return Injected(raw, "id", repr(raw[:30]))

    def _put(self, name: str, kind: str, record: dict[Any, Any], what: str) -> Injected:
        if record:
            self._client.hset(KEYS.job(name), mapping=record)
        self._client.rpush(KEYS.queue(QUEUE), name)
        return Injected(name.encode(), kind, what)

    # --- beside the queue ---------------------------------------------------------------------------

    def publish(self) -> None:
        """A message that is no command of RQ's, or one about a job that is not here."""
        command = {"command": self._random.choice(["stop-job", "stop-execution", "kill-horses", "", 7, None])}
        command["job_id"] = self._random.choice(["h0", "", 7, None, [], {}])
        raw = json.dumps(command).encode()
        changed = self._random.choice([raw, self._bytes(), self._flipped(raw), raw[:-3], b"[" * 20_000])
        if b'"shutdown"' not in changed and b'"kill-horse"' not in changed:
            self._client.publish(KEYS.channel(self._worker), changed)

    def litter(self) -> None:
        """Members that mean nothing, in the keys that all share."""
        junk, worker = self._bytes()[:200], self._worker
        member = self._random.choice([junk, b"junk:" + junk, b"h1:h1", b"a:b:c"])
        write: Callable[[], object] = self._random.choice(
            [
                lambda: self._client.zadd(KEYS.started(QUEUE), {member: self._random.choice([0, 1, 5e9])}),
                lambda: self._client.sadd(KEYS.executions(worker), member),
                lambda: self._client.rpush(KEYS.doorbell(QUEUE), b"\xff" + junk),
                lambda: self._client.zadd(KEYS.hosts, {member: 1}),
                lambda: self._client.zadd(KEYS.strays, {member: 1}),
                lambda: self._client.set(KEYS.strays, junk),
                lambda: self._client.hset(KEYS.counters, member, junk),
                lambda: self._client.hset(KEYS.host(worker), member, junk),
                lambda: self._client.set(KEYS.host(worker), junk),
                lambda: self._client.set(KEYS.worker(worker), junk),
                lambda: self._client.hset(KEYS.worker("nobody"), mapping={"queues": junk}),
                lambda: self._client.sadd(KEYS.workers, junk),
                lambda: self._client.rpush(KEYS.intermediate(QUEUE), b"\xff" + junk),
                lambda: self._client.xadd(REPLY, {b"j": junk, b"o": junk}),
            ]
        )
        with suppress(redis.ResponseError):  # it is spoiled already
            write()

    # --- how things are changed ---------------------------------------------------------------------

    def _executors_task(self) -> dict[str, Any]:
        encoded = encode_chunk(Chunk("tasks:square", rows=[[self._random.randrange(100)]]))
        return {
            **self._common(Serializer.dumps([RUNNER, None, [encoded.envelope, []], {}])),
            "farpool_reply": REPLY,
            "farpool_calls": 1,
            "farpool_retries": 2,
            "farpool_label": "tasks:square",
        }

    def _rqs_job(self) -> dict[str, Any]:
        data = Serializer.dumps(["tasks.square", None, [self._random.randrange(100)], {}])
        return self._common(data) | {"result_ttl": 60, "failure_ttl": 60}

    def _common(self, data: bytes) -> dict[str, Any]:
        now = "2026-01-01T00:00:00.000000Z"
        texts = dict.fromkeys(("started_at", "ended_at", "last_heartbeat", "worker_name", "group_id"), "")
        told = {"description": "tasks.square(1)", "origin": QUEUE, "timeout": 60}
        return {"data": data, "status": "queued", "created_at": now, "enqueued_at": now, **told, **texts}

    def _mutate(self, record: dict[str, Any], fields: tuple[str, ...]) -> str:
        field = self._random.choice(fields)
        if self._random.random() < 0.1:
            record.pop(field, None)
            return f"{field} removed"
        if field == "farpool_parts" and self._random.random() < 0.7:
            record[field] = self._parts()
        elif field == "farpool_objects" and self._random.random() < 0.7:
            record[field] = self._objects()
        elif field == "status":
            record[field] = self._random.choice([*STATUSES, self._bytes()])
        elif field == "data" and self._random.random() < 0.5:
            record[field] = self._evil_data()
        else:
            record[field] = self._value(str(record.get(field, "")).encode() if field != "data" else record["data"])
        return f"{field} = {record[field][:40]!r}"

    def _value(self, before: bytes) -> bytes:
        name = self._random.choice(SEQUENCES).encode()
        return self._random.choice(
            [
                *(self._bytes(), self._flipped(before), before[: len(before) // 2], before * 2, name),
                *(self._random.choice(NUMBERS), self._random.choice(TEXTS)),
            ]
        )

    def _flipped(self, raw: bytes) -> bytes:
        if not raw:
            return b"\x01"
        changed = bytearray(raw)
        changed[self._random.randrange(len(raw))] ^= 1 << self._random.randrange(8)
        return bytes(changed)

    def _bytes(self) -> bytes:
        return self._random.randbytes(self._random.randrange(60))

    def _parts(self) -> bytes:
        sizes = [self._random.choice([0, 7, 2**20, 2**33, 2**40 - 1]) for _ in range(self._random.choice([1, 2, 500]))]
        return pack_parts([Part(KEYS.data("hostile", number), size, 0) for number, size in enumerate(sizes)])

    def _objects(self) -> bytes:
        """Ids of objects that nobody has stored."""
        return b" ".join(self._random.randbytes(16).hex().encode() for _ in range(self._random.choice([1, 2, 500])))

    def _evil_data(self) -> bytes:
        chunk = encode_chunk(Chunk("os:system", rows=[[self._command]]))
        pickled = pickle.dumps(("os.system", None, (self._command,), {}))
        return self._random.choice(
            [
                pickle.dumps(Evil(self._command)),
                zlib.compress(pickle.dumps(Evil(self._command))),
                pickled,
                zlib.compress(pickled),
                json.dumps(["os.system", None, [self._command], {}]).encode(),
                Serializer.dumps(["os.system", None, [self._command], {}]),
                Serializer.dumps(["os:system", None, [self._command], {}]),
                Serializer.dumps([RUNNER, None, [chunk.envelope, []], {}]),
                Serializer.dumps([RUNNER, None, [chunk.envelope, [["rq:job:h1", 9, 9]]], {}]),
                zlib.compress(b"\x00" * 10_000_000),
            ]
        )
