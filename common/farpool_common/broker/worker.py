"""The broker as a daemon sees it: claim, deliver, finish, release, heartbeat, recover."""

import json
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from farpool_common.border import RQ_RESULT_SECONDS, Border
from farpool_common.broker.connection import Scripts, as_it_is, connect, masked, text, to_bytes
from farpool_common.broker.doorbell import Doorbell, WhenRung
from farpool_common.broker.durability import Durability
from farpool_common.broker.objects import StoredObjects
from farpool_common.broker.outages import translated
from farpool_common.broker.payloads import Payloads
from farpool_common.broker.sayings import Sayings
from farpool_common.broker.sentinels import primary_of
from farpool_common.broker.server import check_server
from farpool_common.broker.values import Beat, Claimed, Delivery, Finish, JobEnd, Recovered, Written
from farpool_common.ids import new_id
from farpool_common.keys import Keys
from farpool_common.payload import pack_parts
from farpool_common.shared import forget_arguments
from farpool_common.task import Claim, Malformed, Task, parse_task

LEASE_SECONDS = 90
"""The lease that RQ's tools see; stock janitors with skewed clocks then leave our tasks alone."""

REPLY_SECONDS = 3600
"""How long a producer that is away finds its outcomes."""

FAILURE_SECONDS = 31_536_000
"""RQ keeps failures for a year, unless the job says otherwise."""

TOMBSTONE_SECONDS = 120
"""How long a finished record stays, so that a repeated finish or enqueue is recognised."""

MOST_RELEASED = 100
"""Tasks that one call of a script hands back."""

MOST_PIECES = 2000
"""Pieces of arguments that one call of a script removes; those of a task with more are removed after it."""

MOST_CLAIM_BYTES = 4 * 1024 * 1024
"""Bytes of records in one claim, so that one answer stalls nobody."""

WHICHEVER = ""
"""In place of an id: the one that the doorbell of this queue has moved."""


class WorkerBroker:
    """One connection per purpose; not thread-safe: each thread of the daemon has its own broker."""

    def __init__(
        self,
        url: str,
        worker: str,
        queues: Sequence[str],
        keys: Keys | None = None,
        border: Border | None = None,
        durability: Durability = Durability.MEMORY,
    ) -> None:
        """`durability` is that of results."""
        self.keys, self._border, self._durability = keys or Keys(), border or Border(), durability
        self.place = masked(url)
        self.worker, self.queues = worker, tuple(queues)
        self.client = connect(url)
        self._bulk = connect(url, bulk=True, timeout=30.0)
        self._scripts = Scripts(self.client, self.place)
        self.payloads = Payloads(self._bulk, self.keys, self.place)
        self.objects = StoredObjects(self._bulk, self.keys, self.place)
        self.sayings = Sayings(self.client, self._scripts, self.keys, self.place)
        self.meanwhile: Callable[[], None] = _nothing
        """Called while the server takes results in."""

    def check(self, *, allow_eviction: bool = False) -> str:
        """Name and version of the server; raises when it is not suitable."""
        found = check_server(self.client, self.place, allow_eviction=allow_eviction)
        self._durability.check_possible(self.client, self.place)
        return found

    @property
    def primary(self) -> tuple[str, int] | None:
        """Which server sentinels name, by a look that is a second old at most; None where there are none."""
        return primary_of(self.client)

    def doorbells(self) -> list[Doorbell]:
        """One doorbell per queue, in the order of their priority."""
        found = [(queue, self._claim_when_rung(queue)) for queue in self.queues]
        return [Doorbell(self.client, self.keys, queue, self.place, when_rung) for queue, when_rung in found]

    def claim(self, most: int, rung: Sequence[tuple[str, str]] = (), queues: Sequence[str] | None = None) -> Claimed:
        """Lease up to `most` tasks, and those that doorbells rang for besides.  `queues`: another order of ours."""
        args = self._claim_args(most, rung, self.queues if queues is None else queues)
        return self.claimed(self._scripts.run("claim", [], args))

    def _claim_args(self, most: int, rung: Sequence[tuple[str, str]], queues: Sequence[str]) -> list[Any]:
        return [
            *(self.keys.prefix, self.worker, LEASE_SECONDS, MOST_CLAIM_BYTES, most, len(rung)),
            *(name for queue, task_id in rung for name in (queue, to_bytes(task_id))),
            *(len(queues), *queues),
            *(new_id() for _ in range(most + len(rung) + 1)),
        ]

    def _claim_when_rung(self, queue: str) -> WhenRung:
        """The claim of one task, which a doorbell sends before it rings."""
        return WhenRung(
            self._scripts.text("claim"),
            lambda: self._scripts.command("claim", [], self._claim_args(0, [(queue, WHICHEVER)], self.queues)),
        )

    def claimed(self, answer: list[Any]) -> Claimed:
        """What the answer of a claim says."""
        claims, dropped, quarantined, suspended, ended_early, left_alone, is_more, now = answer
        found = [self._parsed(claim, text(now)) for claim in claims]
        return Claimed(
            [task for task in found if isinstance(task, Task)],
            [task for task in found if isinstance(task, Malformed)],
            dropped,
            quarantined,
            bool(suspended),
            bool(ended_early),
            [(text(queue), text(reason)) for queue, reason in zip(left_alone[::2], left_alone[1::2], strict=True)],
            bool(is_more),
        )

    def _parsed(self, answer: list[Any], claimed_at: str) -> Task | Malformed:
        queue, task_id, execution, attempt, delivered, flat = answer
        record = dict(zip(flat[::2], flat[1::2], strict=True))
        claim = Claim(text(queue), text(task_id), text(execution), attempt, delivered, record, claimed_at)
        return parse_task(claim, self.keys.prefix, self._border)

    def put_back(self, rung: Iterable[tuple[str, str]]) -> None:
        """Return ids that doorbells moved to the heads of their queues."""
        for queue, task_id in rung:
            self._scripts.run("undo_doorbell", [self.keys.doorbell(queue), self.keys.queue(queue)], [to_bytes(task_id)])

    def quarantine(self, malformed: Malformed) -> None:
        """Keep the reason why a record could not be read, where `farpool doctor` finds it, and count it."""
        entry = {"queue": malformed.queue, "id": malformed.id, "reason": malformed.reason, "at": int(time.time())}
        with translated(self.place):
            pipeline = self.client.pipeline()
            pipeline.lpush(self.keys.quarantine, json.dumps(entry))
            pipeline.ltrim(self.keys.quarantine, 0, 999)
            pipeline.hincrby(self.keys.counters, "quarantined", 1)
            pipeline.execute(raise_on_error=False)  # these keys may be spoiled, too

    def deliver(self, deliveries: Sequence[Delivery]) -> list[bool]:
        """Send outcomes of tasks that go on.  False where the lease is somebody else's."""
        args: list[Any] = [self.keys.prefix, self.worker, REPLY_SECONDS]
        for item in deliveries:
            task = item.task
            args += [task.queue, task.id, task.execution, task.reply, task.attempt, item.envelope]
            args += [pack_parts(item.parts), f"{item.span[0]}-{item.span[1]}"]
        return [answer == 1 for answer in self._run_durably("deliver", args)]

    def finish(self, finishes: Sequence[Finish]) -> list[bool]:
        """End tasks of executors.  False where the lease is somebody else's: nothing was written."""
        now = _moment(datetime.now(UTC))
        seconds = sum(item.seconds for item in finishes)
        args: list[Any] = [
            self.keys.prefix,
            self.worker,
            now,
            REPLY_SECONDS,
            TOMBSTONE_SECONDS,
            f"{seconds:.6f}",
        ]
        for item in finishes:
            task = item.task
            args += [task.queue, task.id, task.execution, task.reply, task.attempt, item.envelope]
            parts = () if _is_huge(task) else task.parts
            args += [pack_parts(item.parts), "" if task.keep is None else task.keep, len(parts)]
            args += [value for part in parts for value in (part.key, part.pieces)]
        answers = [answer > 0 for answer in self._run_durably("finish", args)]
        for item, is_written in zip(finishes, answers, strict=True):
            if is_written and _is_huge(item.task):
                self.payloads.forget(item.task.parts)
            if is_written:
                forget_arguments(item.task.parts)
        return answers

    def succeed(self, ends: Sequence[JobEnd]) -> list[Written]:
        """End plain jobs that returned."""
        args: list[Any] = [self.keys.prefix, self.worker]
        for end in ends:
            keep = end.task.result_seconds if isinstance(end.task, Task) else RQ_RESULT_SECONDS
            args += [end.task.queue, end.task.id, end.task.execution, keep, b64encode(end.result or b"")]
            args += [end.task.claimed_at, *_times(end)]
        return [Written(answer) for answer in self._run_durably("succeed", args)]

    def fail(self, ends: Sequence[JobEnd]) -> list[Written]:
        """End plain jobs that raised or were stopped, and records that cannot be read, with a traceback."""
        args: list[Any] = [self.keys.prefix, self.worker, FAILURE_SECONDS]
        for end in ends:
            packed = b64encode(zlib.compress((end.error or "").encode("utf-8", "surrogateescape")))
            given = end.task.failure_seconds if isinstance(end.task, Task) else None
            args += [end.task.queue, end.task.id, end.task.execution, "stopped" if end.is_stopped else "failed"]
            args += ["" if given is None else given, packed, *_times(end), int(end.at_once)]
        return [Written(answer) for answer in self._run_durably("fail", args)]

    def _run_durably(self, script: str, args: list[Any]) -> Any:
        return self._scripts.run_durably(script, [], args, self._durability, self.keys.mark, self.meanwhile)

    def release(self, tasks: Sequence[Task]) -> int:
        """Hand unstarted tasks back to the heads of their queues, in their order, uncharged."""
        return self._release([(task.queue, task.id, task.execution) for task in reversed(tasks)])

    def disown(self, members: Iterable[str]) -> int:
        """Release leases that Redis says are ours and that we know nothing of (a claim's answer was lost)."""
        return self._release([("", to_bytes(member), "") for member in members])

    def _release(self, leases: Sequence[tuple[str, str | bytes, str]]) -> int:
        released = 0
        for start in range(0, len(leases), MOST_RELEASED):
            args = [item for lease in leases[start : start + MOST_RELEASED] for item in lease]
            released += int(self._scripts.run("release", [], [self.keys.prefix, self.worker, *args]))
        return released

    def heartbeat(
        self, held: Sequence[Task], info: Mapping[str, str | int], *, lease_ms: int, keep: int, renew_rq: bool
    ) -> Beat:
        """Renew our lease; `renew_rq` renews each task's RQ lease too.  `keep`: seconds for our record.

        RQ's tools show `info["state"]`.
        """
        now = datetime.now(UTC)
        flat = [item for pair in info.items() for item in pair]
        state = info.get("state") or ("busy" if held else "idle")
        args: list[Any] = [self.keys.prefix, self.worker, lease_ms, _moment(now), repr(now.timestamp())]
        args += [LEASE_SECONDS if renew_rq else 0, state, keep, len(flat), *flat]
        for task in held:
            args += [task.queue, task.id, task.execution]
        lost, members, is_entered = self._scripts.run("heartbeat", [], args)
        return Beat(frozenset(map(text, lost)), frozenset(map(as_it_is, members)), bool(is_entered))

    def recover(self, *, grace_ms: int, stray_ms: int, stock_ms: int = 60_000, most: int = 50) -> Recovered:
        """Hand back what dead daemons held, and what was taken and never begun."""
        args = [self.keys.prefix, grace_ms, most, stray_ms, stock_ms, *self.queues]
        tasks, dead, put_back = self._scripts.run("recover", [], args)
        return Recovered(tasks, [text(name) for name in dead], put_back)

    def close(self) -> None:
        """Close all connections."""
        self._scripts.close()
        self.client.close()
        self._bulk.close()


def _nothing() -> None:
    """Unless somebody has something to do."""


def _is_huge(task: Task) -> bool:
    """Whether removing its arguments would hold the server for long."""
    return len(task.parts) > MOST_PIECES or sum(part.pieces for part in task.parts) > MOST_PIECES


def _times(end: JobEnd) -> list[str]:
    """When it started (text) and ended (text, seconds), and how long it ran, as the scripts want them."""
    return [_moment(end.started), _moment(end.ended), repr(end.ended.timestamp()), f"{end.seconds:.6f}"]


def _moment(when: datetime) -> str:
    """A time as RQ writes it; four times as quick as strftime."""
    return f"{when.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
