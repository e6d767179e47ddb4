"""Scripts with a mistake in them, each of which a property must find."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1
from unittest import mock

from farpool_common.broker.connection import Scripts


@dataclass(frozen=True)
class Mistake:
    """In `script`, `right` is replaced by `wrong`.  `property`: the one that does not hold then, if there is one."""

    property: str | None
    script: str
    right: str
    wrong: str


MISTAKES = {
    "an enqueue that does not look whether the task exists": Mistake(
        "safe", "enqueue", "not seen[id] and redis.call('EXISTS', prefix .. ':job:' .. id) == 0", "not seen[id]"
    ),
    "a finish by whoever wants to": Mistake("safe", "finish", "    if removed == 1 then", "    if true then"),
    "a success by whoever wants to": Mistake("safe", "succeed", "    if removed ~= 1 then", "    if false then"),
    "a delivery by whoever wants to": Mistake(
        "safe", "deliver", "    if lease and not failed(lease) then", "    if true then"
    ),
    "a heartbeat that makes a lease anew": Mistake(
        "safe",
        "heartbeat",
        "    if not until_ then",
        "    if redis.call('ZADD', started, now + 90, member) == 2 then",
    ),
    "a recovery that leaves the lease": Mistake(
        "safe",
        "recover",
        "if redis.pcall('ZREM', prefix .. ':wip:' .. queue, member) ~= 1 then",
        "if not redis.call('ZSCORE', prefix .. ':wip:' .. queue, member) then",
    ),
    "a claim that gives no lease": Mistake("kept", "claim", "    note_lease(queue, member)\n", ""),
    "a claim that forgets what it claims alone": Mistake(
        "kept", "claim", "if #claims > 0 then return put_back(queue, id) end", "if #claims > 0 then return end"
    ),
    "a release that forgets the queue": Mistake(
        "kept", "release", "    redis.call('LPUSH', prefix .. ':queue:' .. queue, id)\n", ""
    ),
    "a doorbell's undoing that forgets the queue": Mistake(
        "kept", "undo_doorbell", "        redis.call('LPUSH', KEYS[2], id)\n", ""
    ),
    "a recovery that takes from the living": Mistake(
        "alone", "recover", "'-inf', now_ms - grace, 'LIMIT'", "'-inf', '+inf', 'LIMIT'"
    ),
    "a heartbeat that does not tell what is lost": Mistake("alone", "heartbeat", "lost[#lost + 1] = member", ""),
    "a recovery that counts no abandons": Mistake(
        "live", "recover", "redis.pcall('HINCRBY', job, 'farpool_abandons', 1)", "1"
    ),
    "a recovery that leaves what doorbells moved": Mistake(
        "live", "recover", "    put_back_from(prefix .. ':farpool:doorbell:' .. queue, queue, stray_ms)\n", ""
    ),
    "a release that charges the attempt": Mistake(
        "books", "release", "redis.pcall('HINCRBY', job, 'farpool_attempts', -1)", ""
    ),
    "a success that is not counted": Mistake(
        "books", "succeed", "if written > 0 then count(prefix, 'finished', written) end\n", ""
    ),
    "a finish that leaves the execution": Mistake(
        "clean", "finish", "redis.call('UNLINK', prefix .. ':execution:' .. member, ", "redis.call('UNLINK', "
    ),
    "a failure that leaves the worker busy": Mistake(
        "clean", "fail", "    redis.pcall('SREM', worker_key .. ':executions', member)\n", ""
    ),
    "a release to the end of the queue": Mistake(
        None,
        "release",
        "    redis.call('LPUSH', prefix .. ':queue:' .. queue, id)\n",
        "    redis.call('RPUSH', prefix .. ':queue:' .. queue, id)\n",
    ),
    "a claim from the end of the queue": Mistake(None, "claim", "redis.pcall('LPOP'", "redis.pcall('RPOP'"),
    "a repeated finish that is not recognised": Mistake(None, "finish", "        answer = 2\n", ""),
}


@contextmanager
def made(mistake: Mistake) -> Iterator[None]:
    """Within this context the script is loaded with the mistake in it."""
    load = Scripts._load

    def load_with_mistake(self: Scripts, name: str) -> tuple[str, str]:
        text, digest = load(self, name)
        if name == mistake.script:
            assert text.count(mistake.right) == 1, f"{name}.lua no longer says {mistake.right!r}"
            text = text.replace(mistake.right, mistake.wrong)
            digest = sha1(text.encode()).hexdigest()
            self._texts[name] = text, digest
        return text, digest

    with mock.patch.object(Scripts, "_load", load_with_mistake):
        yield
