"""Tasks as the broker hands them over: new ones from a producer, claimed ones to a worker."""

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from farpool_common.border import PLAIN, RQ_RESULT_SECONDS, Border, Plain
from farpool_common.errors import DecodeError, MalformedTaskError
from farpool_common.payload import MAX_PARTS, Part, is_object_id, unpack_parts

Ranges = tuple[tuple[int, int], ...]
"""Half-open ranges of call indices, ascending and apart."""

_CALLBACKS = (b"success_callback_name", b"failure_callback_name", b"stopped_callback_name")

_Default = TypeVar("_Default", int, None)

DEFAULT_RETRIES = 2
"""How often a call whose worker was lost runs again, unless the producer says otherwise: the third loss is its last."""

MOST_KEEP_SECONDS = 10 * 365 * 24 * 3600
"""How long an outcome may be kept (guess)."""

RQ_TIMEOUT_SECONDS = 180
"""What RQ's own worker assumes for a job that does not say."""


@dataclass(frozen=True, kw_only=True)
class NewTask:
    """A task to enqueue.  `reply` is the stream its outcomes go to (None: RQ's result stream);
    `limit` is the time limit of each call and `timeout` RQ's limit for the whole job, in seconds;
    `objects` are the ids of the stored objects that its arguments refer to; `keep`: its outcome stays on the server for
    so many seconds, besides, for whoever has the id."""

    id: str
    data: bytes
    description: str
    label: str
    reply: str | None = None
    calls: int = 1
    limit: float | None = None
    retries: int = DEFAULT_RETRIES
    parts: Sequence[Part] = ()
    objects: Sequence[str] = ()
    timeout: int = -1
    keep: int | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """A claimed task: this worker holds its lease until it finishes, fails or releases it."""

    id: str
    execution: str
    queue: str
    data: bytes
    attempt: int
    abandons: int
    reply: str | None
    calls: int
    remaining: Ranges
    parts: Sequence[Part]
    limit: float | None
    retries: int
    label: str
    result_seconds: int
    failure_seconds: int | None
    plain: Plain = PLAIN
    claimed_at: str = ""
    callbacks: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    folder: str = ""
    keep: int | None = None

    @property
    def member(self) -> str:
        """The lease's member in the started registry: the fence of every later transition."""
        return f"{self.id}:{self.execution}"


@dataclass(frozen=True)
class Malformed:
    """A claimed record that cannot be run; its lease is ours, so it can be failed."""

    id: str
    execution: str
    queue: str
    reply: str | None
    attempt: int
    reason: str
    claimed_at: str = ""

    def stand_in(self) -> Task:
        """A task of one call, to tell a producer of the failure by."""
        return Task(
            id=self.id,
            execution=self.execution,
            queue=self.queue,
            data=b"",
            attempt=self.attempt,
            abandons=0,
            reply=self.reply,
            calls=1,
            remaining=((0, 1),),
            parts=(),
            limit=None,
            retries=0,
            label="",
            result_seconds=RQ_RESULT_SECONDS,
            failure_seconds=None,
        )


@dataclass(frozen=True)
class Claim:
    """What a claim brought: a lease, and a record as the wire has it."""

    queue: str
    id: str
    execution: str
    attempt: int
    delivered: Iterable[bytes]
    record: Mapping[bytes, bytes]
    claimed_at: str = ""


def parse_task(claim: Claim, prefix: str, border: Border) -> Task | Malformed:
    """Read a record.  Total: whatever the bytes are, a value comes back."""
    try:
        return _task(claim, claim.record, prefix, border)
    except (MalformedTaskError, DecodeError) as error:
        reply = _text(claim.record, b"farpool_reply") or ""
        known = reply if _is_reply(reply, prefix) else None
        return Malformed(claim.id, claim.execution, claim.queue, known, claim.attempt, str(error), claim.claimed_at)


def _task(claim: Claim, record: Mapping[bytes, bytes], prefix: str, border: Border) -> Task:
    reply = _text(record, b"farpool_reply")
    if reply is not None and not _is_reply(reply, prefix):
        raise MalformedTaskError(f"farpool_reply names a key that is no reply stream: {reply[:80]!r}")
    calls = _integer(record, b"farpool_calls", 1)
    if not 1 <= calls <= 100_000:
        raise MalformedTaskError(f"farpool_calls is {calls}, not 1 to 100,000")
    return Task(
        id=claim.id,
        execution=claim.execution,
        queue=claim.queue,
        data=record[b"data"],
        attempt=claim.attempt,
        abandons=_integer(record, b"farpool_abandons", 0),
        reply=reply,
        calls=calls,
        remaining=without(((0, calls),), _ranges(claim.delivered)),
        parts=unpack_parts(record.get(b"farpool_parts", b""), prefix),
        limit=_limit(record, reply is not None),
        retries=_integer(record, b"farpool_retries", DEFAULT_RETRIES),
        label=_text(record, b"farpool_label") or _called(record),
        result_seconds=_integer(record, b"result_ttl", border.result_seconds),
        failure_seconds=_integer(record, b"failure_ttl", None),
        plain=border.plain(record) if reply is None else PLAIN,
        claimed_at=claim.claimed_at,
        callbacks=tuple(name for field in _CALLBACKS if (name := _text(record, field))) if reply is None else (),
        objects=_objects(record.get(b"farpool_objects", b"")),
        folder=_text(record, b"farpool_folder") or "",
        keep=_keep(record) if reply is not None else None,
    )


def _objects(raw: bytes) -> tuple[str, ...]:
    """Ids of stored objects, each once."""
    if not raw:
        return ()
    found = tuple(dict.fromkeys(raw.decode("ascii", "replace").split(" ")))
    if len(found) > MAX_PARTS or not all(is_object_id(name) for name in found):
        raise MalformedTaskError("farpool_objects are no ids of stored objects")
    return found


def _called(record: Mapping[bytes, bytes]) -> str:
    """What RQ's description of a call says before its arguments: the function."""
    return (_text(record, b"description") or "").partition("(")[0]


def _is_reply(key: str, prefix: str) -> bool:
    return key.startswith(f"{prefix}:farpool:reply:")


def _text(record: Mapping[bytes, bytes], field: bytes) -> str | None:
    raw = record.get(field)
    return None if raw is None else raw.decode("utf-8", "replace")


def _integer(record: Mapping[bytes, bytes], field: bytes, default: _Default) -> int | _Default:
    raw = record.get(field)
    if raw is None:
        return default
    if not re.fullmatch(rb"-?[0-9]{1,15}", raw):
        raise MalformedTaskError(f"{field.decode()} is {raw[:40]!r}, not a whole number")
    return int(raw)


def _limit(record: Mapping[bytes, bytes], is_chunk: bool) -> float | None:
    if is_chunk:
        raw = record.get(b"farpool_limit")
        if raw is None:
            return None
        if not re.fullmatch(rb"[0-9]{1,9}(\.[0-9]{1,9})?", raw) or float(raw) <= 0:
            raise MalformedTaskError(f"farpool_limit is {raw[:40]!r}, not a number of seconds")
        return float(raw)
    timeout = _integer(record, b"timeout", RQ_TIMEOUT_SECONDS)
    return float(timeout) if timeout > 0 else None


def _keep(record: Mapping[bytes, bytes]) -> int | None:
    seconds = _integer(record, b"farpool_keep", None)
    if seconds is not None and not 0 < seconds <= MOST_KEEP_SECONDS:
        raise MalformedTaskError(f"farpool_keep is {seconds}, not 1 to {MOST_KEEP_SECONDS:,} seconds")
    return seconds


def _ranges(delivered: Iterable[bytes]) -> Ranges:
    """Ranges that `deliver` noted; what is no range is left out, so its calls run again."""
    found = []
    for raw in delivered:
        match = re.fullmatch(rb"([0-9]{1,9})-([0-9]{1,9})", raw)
        if match:
            found.append((int(match[1]), int(match[2])))
    return tuple(sorted(found))


def without(ranges: Iterable[tuple[int, int]], taken: Iterable[tuple[int, int]]) -> Ranges:
    """What is left of `ranges`, which ascend, when `taken` is removed; each of the two is looked at once."""
    holes = deque(sorted(hole for hole in taken if hole[0] < hole[1]))
    left = []
    for start, end in ranges:
        while holes and holes[0][0] < end:
            first, stop = holes[0]
            if start < first:
                left.append((start, first))
            start = max(start, stop)
            if stop > end:  # it reaches into the next range
                break
            holes.popleft()
        if start < end:
            left.append((start, end))
    return tuple(left)


def count(ranges: Iterable[tuple[int, int]]) -> int:
    """How many calls the ranges hold."""
    return sum(stop - first for first, stop in ranges)
