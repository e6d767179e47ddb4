"""The part of the keyspace that the protocol is about, read at one moment and sorted by what it means."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import redis

_READ_ALL = """
local read = {hash = {'HGETALL'}, list = {'LRANGE', 0, -1}, set = {'SMEMBERS'}, zset = {'ZRANGE', 0, -1},
    stream = {'XRANGE', '-', '+'}, string = {'GET'}}
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
    local command = read[redis.call('TYPE', key)['ok']]
    found[#found + 1] = {key, redis.call(command[1], key, unpack(command, 2))}
end
return found
"""

_LIVES_ON = re.compile(
    "rq:(queues|workers|workers:[a-z]+|worker:[^:]+|suspended|farpool:(strays|host:[^:]+|fence:[^:]+))"
)
"""Keys of daemons and queues, and two that expire within a minute: no part of any task's state."""


@dataclass
class Record:
    """What matters of a task's record.  `execution` is the one that ended it."""

    queue: str
    status: str = "queued"
    worker: str = ""
    attempts: int = 0
    abandons: int = 0
    execution: str = ""


class Told(NamedTuple):
    """One entry of a reply stream or of a job's results."""

    id: str
    worker: str
    what: str


@dataclass
class Seen:
    """Lists from left to right; members are `task:execution`.  Keys that are empty do not exist."""

    tasks: dict[str, Record] = field(default_factory=dict)
    queues: dict[str, list[str]] = field(default_factory=dict)
    aside: dict[str, list[str]] = field(default_factory=dict)
    leases: dict[str, str] = field(default_factory=dict)
    held: dict[str, set[str]] = field(default_factory=dict)
    records: set[str] = field(default_factory=set)
    executions: set[str] = field(default_factory=set)
    replies: list[Told] = field(default_factory=list)
    results: list[Told] = field(default_factory=list)
    finished: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    delivered: dict[str, set[str]] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)
    counters: Counter[str] = field(default_factory=Counter)
    strange: set[str] = field(default_factory=set)

    def places(self, task_id: str) -> list[str]:
        """Where a task is: queues and lists of doorbells, and leases."""
        lists = (*self.queues.items(), *self.aside.items())
        waiting = [name for name, ids in lists for found in ids if found == task_id]
        return waiting + [member for member in self.leases if member.partition(":")[0] == task_id]

    def told(self, task_id: str) -> list[Told]:
        """Every result of a task that anybody could see."""
        return [told for told in (*self.replies, *self.results) if told.id == task_id and told.what != "part"]


def look(client: redis.Redis) -> Seen:
    """The keyspace now."""
    seen, answer = Seen(), client.eval(_READ_ALL, 0)
    for key, value in sorted(answer):  # type: ignore[union-attr]
        _sort_in(seen, key.decode(), _text(value))
    return seen


def _text(value: Any) -> Any:
    return [_text(item) for item in value] if isinstance(value, list) else value.decode("utf-8", "replace")


def _sort_in(seen: Seen, key: str, value: Any) -> None:
    match key.split(":")[1:]:
        case ["job", task_id]:
            seen.tasks[task_id] = _record(_pairs(value))
        case ["queue", queue]:
            seen.queues[queue] = value
        case ["farpool", "doorbell", queue]:
            seen.aside[queue] = value
        case ["wip", queue]:
            seen.leases |= dict.fromkeys(value, queue)
        case ["worker", worker, "executions"]:
            seen.held[worker] = set(value)
        case ["execution", task_id, execution]:
            seen.records.add(f"{task_id}:{execution}")
        case ["executions", task_id]:
            seen.executions |= {f"{task_id}:{execution}" for execution in value}
        case ["farpool", "done", task_id]:
            seen.delivered[task_id] = set(value)
        case ["finished" | "failed" as name, _]:
            getattr(seen, name).update(value)
        case ["farpool", "hosts"]:
            seen.hosts = set(value)
        case ["farpool", "counters"]:
            seen.counters = Counter({name: int(count) for name, count in _pairs(value).items() if int(count)})
        case ["farpool", "reply", _]:
            seen.replies = [_reply(_pairs(fields)) for _, fields in value]
        case ["results", task_id]:
            seen.results += [_result(task_id, _pairs(fields)) for _, fields in value]
        case _ if not _LIVES_ON.fullmatch(key):
            seen.strange.add(key)


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _record(fields: dict[str, str]) -> Record:
    return Record(
        fields.get("origin", ""),
        fields.get("status", ""),
        fields.get("worker_name", ""),
        int(fields.get("farpool_attempts", 0)),
        int(fields.get("farpool_abandons", 0)),
        fields.get("farpool_execution", ""),
    )


def _reply(fields: dict[str, str]) -> Told:
    return Told(fields["j"], fields["w"], "end" if fields.get("f") == "1" else "part")


def _result(task_id: str, fields: dict[str, str]) -> Told:
    return Told(task_id, fields["worker_name"], "result" if fields["type"] == "1" else "failure")
