"""What tasks say while they run: their progress, and what they write to stdout and stderr, on the server.

No state of a task depends on it, so none of it is fenced: who lost a lease may still say what happened.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import msgpack
import redis
from redis.exceptions import ResponseError

from farpool_common.broker.connection import Scripts, text
from farpool_common.broker.outages import translated
from farpool_common.keys import Keys
from farpool_common.progress import TaskProgress, as_progress
from farpool_common.task import Task

RUNNING_SECONDS = 86_400
"""How long the words of a task are kept after the last of them, while it may be running."""

FUTURE_SECONDS = 900
"""The same after the end of a future's task, which leaves nothing else behind (guess)."""

LONGEST_SECONDS = 31_536_000
"""After the end of a job whose result is kept for ever."""

REPLY_SECONDS = 3600
"""How long a producer that is away finds its words: as long as its outcomes."""

MOST_TEXTS = 50
"""Texts in one call of the script."""


@dataclass
class Saying:
    """What a task has said lately: how far its calls have come, and the end of the `nbytes` that it wrote."""

    task: Task
    progress: dict[int, TaskProgress] = field(default_factory=dict)
    text: bytes = b""
    nbytes: int = 0


@dataclass(frozen=True)
class Said:
    """What the server knows of a task: its status (None: it has no record any more), how far it has come, the end of
    what it has written, and how many bytes it has written in all."""

    status: str | None
    progress: TaskProgress | None
    output: bytes
    nbytes: int

    @property
    def is_known(self) -> bool:
        """Whether there is a word of it, or a record."""
        return self.status is not None or self.progress is not None or self.nbytes > 0

    @property
    def is_over(self) -> bool:
        """Whether nothing will follow."""
        return self.status not in ("queued", "started", "deferred", "scheduled")


class Sayings:
    """Raises only farpool's errors."""

    def __init__(self, client: redis.Redis, scripts: Scripts, keys: Keys, place: str) -> None:
        self._client, self._scripts, self._keys, self._place = client, scripts, keys, place

    def publish(self, worker: str, sayings: Sequence[Saying], most_bytes: int) -> None:
        """Tell producers of progress, and keep progress and the last `most_bytes` of each text."""
        self._publish_progress(worker, [saying for saying in sayings if saying.progress])
        texts = [saying for saying in sayings if saying.text]
        for start in range(0, len(texts), MOST_TEXTS):
            batch = texts[start : start + MOST_TEXTS]
            keys = [self._keys.output(saying.task.id) for saying in batch]
            args = [most_bytes, RUNNING_SECONDS, *(item for saying in batch for item in (saying.text, saying.nbytes))]
            self._scripts.run("said/append", keys, args)

    def _publish_progress(self, worker: str, sayings: Sequence[Saying]) -> None:
        if not sayings:
            return
        with translated(self._place):
            pipeline = self._client.pipeline(transaction=False)
            for saying in sayings:
                task, newest = saying.task, list(saying.progress.values())[-1]
                pipeline.set(self._keys.progress(task.id), json.dumps(asdict(newest)), ex=RUNNING_SECONDS)
                if task.reply is not None:
                    rows = packed(saying.progress)
                    entry: dict[Any, Any] = {"j": task.id, "w": worker, "a": task.attempt, "n": rows}
                    pipeline.xadd(task.reply, entry)
                    pipeline.expire(task.reply, REPLY_SECONDS)
            pipeline.execute(raise_on_error=False)  # these keys may be spoiled

    def end(self, tasks: Sequence[Task]) -> None:
        """Tasks are over here: keep the words of jobs as long as their records, those of futures' tasks for a while."""
        with translated(self._place):
            pipeline = self._client.pipeline(transaction=False)
            for task in tasks:
                pipeline.ttl(self._keys.job(task.id))
            lives = pipeline.execute()
            for task, seconds in zip(tasks, lives, strict=True):
                keep = _seconds(seconds, is_future=task.reply is not None)
                pipeline.expire(self._keys.progress(task.id), keep)
                pipeline.expire(self._keys.output(task.id), keep)
            pipeline.execute()


def _seconds(life: int, *, is_future: bool) -> int:
    """How long words are kept, by how long their record lives on: -1 for ever, -2 it is gone."""
    if life == -1:  # a future's task has gone to another host, which sees to this in turn
        return RUNNING_SECONDS if is_future else LONGEST_SECONDS
    return max(life, FUTURE_SECONDS)


def packed(progress: Mapping[int, TaskProgress]) -> bytes:
    """Progress of calls as it travels to their producer."""
    rows = [[call, each.done, each.total, each.label] for call, each in progress.items()]
    raw: bytes = msgpack.packb(rows, unicode_errors="replace")
    return raw


def progress_of(raw: bytes) -> dict[int, TaskProgress]:
    """The same again; what makes no sense is left out."""
    try:
        rows = [(call, as_progress(*fields)) for call, *fields in msgpack.unpackb(raw, unicode_errors="replace")]
    except Exception:  # whatever stands there
        return {}
    return {call: each for call, each in rows if each is not None and type(call) is int and call >= 0}


def said_by(client: redis.Redis, keys: Keys, place: str, task_id: str) -> Said:
    """What a task has said so far.  Raises farpool's errors; a key that somebody spoiled counts as missing."""
    with translated(place):
        pipeline = client.pipeline(transaction=False)
        pipeline.hget(keys.job(task_id), "status")
        pipeline.get(keys.progress(task_id))
        pipeline.hmget(keys.output(task_id), "text", "bytes")
        status, progress, output = (_there(answer) for answer in pipeline.execute(raise_on_error=False))
    written, nbytes = output or (None, None)
    found = written or b""
    return Said(status and text(status), _read(progress), found, max(_number(nbytes), len(found)))


def _there(answer: Any) -> Any:
    """An answer; None for the refusal of a spoiled key."""
    if isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE"):
        return None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _number(raw: bytes | None) -> int:
    return int(raw) if raw is not None and raw.isdigit() and len(raw) < 16 else 0


def _read(raw: bytes | None) -> TaskProgress | None:
    try:
        found = json.loads(raw or b"null")
        return as_progress(found["done"], found["total"], found["label"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
