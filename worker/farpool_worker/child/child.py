"""What runs in a child: work comes through the pipe, outcomes go back.

    pipe -> Child.serve -> Child._run_chunk | Jobs.run -> Reporter -> pipe

The cursor, in memory shared with the daemon, says at every moment which call is running, so that a crash
costs that call only.  Results wait at most a few milliseconds for others to travel with.
"""

import os
import time
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from farpool_common.by_value import Warrant
from farpool_common.calls import (
    CALL,
    IDLE,
    LAST,
    MOST_UNTIMED,
    PREPARING,
    REPORTING,
    STARTED,
    STOP,
    WORK,
    Cursor,
    Results,
    arguments,
    called,
    run_some,
)
from farpool_common.chunk import Chunk
from farpool_common.codec import Encoded
from farpool_common.delivery import all_failed, deliver
from farpool_common.errors import DecodeError
from farpool_common.home import Home, settle
from farpool_common.limit import SoftLimit
from farpool_common.preparing import NO_WARRANT, Prepared, Preparer
from farpool_common.progress import listen
from farpool_common.signing import hold
from farpool_common.stored_results import StoredResult
from farpool_common.task import Ranges
from farpool_common.trust import Trust, class_of, enable, resolve
from farpool_worker.buffers import warm
from farpool_worker.buffers.shared import ResultMemory
from farpool_worker.buffers.store import Segment
from farpool_worker.buffers.warm import WarmMemory
from farpool_worker.child.capture import capture
from farpool_worker.child.child_objects import ChildObjects
from farpool_worker.child.isolation import isolate
from farpool_worker.child.jobs import Jobs
from farpool_worker.child.preload import preload
from farpool_worker.child.reporter import Reporter
from farpool_worker.child.speeds import Speeds
from farpool_worker.host.memory import IDLE_SECONDS, give_back
from farpool_worker.job_options import JobOptions
from farpool_worker.pipe.channel import Channel, Message, framed
from farpool_worker.pipe.job_data import chunk_of
from farpool_worker.pipe.slate import TEXT_BYTES, Pen, Slate
from farpool_worker.pipe.storing import ObjectToStore, stored_one_by_one
from farpool_worker.pipe.work import JobRef, Kind, Work

TOGETHER_SECONDS = 0.02
"""How long results wait for others where nobody awaits them one by one: two pieces of a map, so that a piece's
results travel as one."""


def main(connection: Connection) -> None:
    """Run until the daemon says "quit" or is gone."""
    isolate()
    channel = Channel(connection, waits=True)
    try:
        start = channel.next_message()
        match start.fields:
            case [
                "start",
                [list(roots), list(prefixes), bool(everything)],
                [float(seconds), int(most_bytes), str(folder), int(log_bytes)],
                list(jobs),
            ]:
                trust = Trust(tuple(map(Path, roots)), tuple(prefixes), everything)
                options = JobOptions.from_fields(jobs)
            case _:
                raise RuntimeError("the daemon and its child are of different versions")
        enable(trust)
        hold(options.key)
        _settle(options, trust)
        cursor, slate = start.segments
        manners = Manners(seconds, most_bytes, options, folder, log_bytes)
        serving = Child(channel, cursor.view.cast("q"), trust, manners, slate)
        serving.hear_tasks()
        for name in options.preload:
            preload(name)
        channel.write([framed(["ready"])])
        serving.serve()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(1)  # the daemon is gone; nobody waits for what exit handlers would do


def _settle(options: JobOptions, trust: Trust) -> None:
    """Let handles of shared objects that reach this process find the server, and names in values their meaning."""
    if options.home is not None:
        settle(Home(*options.home, classes=partial(class_of, trust=trust), function=partial(resolve, trust=trust)))


@dataclass(frozen=True)
class Manners:
    """How long results may wait for others, how large one may be, what holds for jobs of RQ producers, the folder
    that the daemon shares with its producers ("" for none), and how much of what a task writes is kept."""

    batch_seconds: float
    most_bytes: int
    jobs: JobOptions
    folder: str = ""
    log_bytes: int = TEXT_BYTES


class Child:
    """Runs work in the order in which it comes."""

    def __init__(self, channel: Channel, cursor: Cursor, trust: Trust, manners: Manners, slate: Segment) -> None:
        self._channel, self._cursor, self._manners = channel, cursor, manners
        self._reporter = Reporter(channel, manners.batch_seconds)
        pen = Pen(self._reporter.try_ring, self._reporter.try_add, lambda: max(0, cursor[CALL]))
        self._slate = Slate(slate, pen, manners.log_bytes)
        self._objects = ChildObjects()
        self._preparer = Preparer(trust, self._stored_value, manners.jobs.key)
        self._warm = WarmMemory()
        self._memory = ResultMemory(manners.folder, self._warm.holding)
        self._speeds = Speeds()
        self._jobs = Jobs(
            manners.jobs, self._preparer, self._reporter, self._enter, manners.most_bytes, self._slate.tell_all
        )

    def hear_tasks(self) -> None:
        """From now on the daemon is told of tasks' progress and of what they write."""
        listen(self._slate.progress)
        if self._manners.log_bytes:
            capture(self._slate.write)

    def serve(self) -> None:
        """Return at "quit"; raise EOFError when the daemon is gone."""
        goes_on = True
        while goes_on:
            if self._channel.is_quiet(IDLE_SECONDS):
                give_back()
                if self._channel.is_quiet(warm.IDLE_SECONDS - IDLE_SECONDS):
                    self._give_back_shared()
            # No local name here holds a message: its arguments are freed with the work.
            goes_on = self._obey(self._channel.next_message())

    def _stored_value(self, object_id: str) -> Any:
        return self._objects.value(object_id, self._preparer.classes, self._preparer.seal)

    def _give_back_shared(self) -> None:
        self._warm.trim()
        self._channel.unmap_idle()

    def _obey(self, message: Message) -> bool:
        match message.fields:
            case ["run", list(rows)]:
                self._run_all(rows, list(message.segments))
                return True
            case ["objects", list(rows), list(dropped)]:
                self._objects.take(rows, message.segments, dropped)
                return True
            case _:
                return False

    def _run_all(self, rows: list[Any], segments: list[Segment]) -> None:
        for number, *fields, count in rows:
            work = _work(fields, segments[:count])
            del segments[:count]
            has_said_all: bool | None = False
            if self._takes_up(number):
                self._slate.begin(number)
                run = self._run_chunk if work.kind is Kind.CHUNK else self._jobs.run
                has_said_all = run(number, work)
            if not has_said_all:
                self._slate.tell_all()
                self._reporter.add(["ended", number])  # calls without an outcome were not begun
            self._reporter.flush_if_late()
        self._reporter.flush()
        self._enter(IDLE)

    def _takes_up(self, number: int) -> bool:
        """Name the work that comes next, and say whether it may begin.

        It is asked before, so that what may not is not named; and after: who has set STOP or LAST and then
        reads WORK knows that nothing beyond it will begin.
        """
        if not self._may_begin(number):
            return False
        # First since when: a child that is stopped between the two must not seem to be at it for ages.
        self._enter(PREPARING)
        self._cursor[WORK] = number
        return self._may_begin(number)

    def _may_begin(self, number: int) -> bool:
        last = self._cursor[LAST]
        return not self._cursor[STOP] and (not last or number <= last)

    def _enter(self, state: int) -> None:
        self._cursor[STARTED] = time.monotonic_ns()
        self._cursor[CALL] = state

    # --- a chunk ---------------------------------------------------------------------------------

    def _run_chunk(self, number: int, work: Work) -> bool:
        """Run what is to be run; whether the last report has said that this is all."""
        try:
            buffers = [segment.view for segment in work.segments]
            envelope, seal = chunk_of(work.data)
            prepared = self._preparer.prepare(envelope, buffers, _warrant(work, seal))
            _check_ranges(prepared, work)
        except BaseException as error:
            for results in all_failed(error, work.ranges):
                self._report(number, Chunk("chunk"), results, work.ranges)
            return True
        name = prepared.chunk.function
        if not self._speeds.is_quick(name):
            self._reporter.flush()
        # A second attempt reports call by call: if reading a result kills us, it is known whose it was.
        seconds = self._patience(prepared.chunk) if work.attempt <= 1 else 0.0
        chunk = replace(prepared.chunk, limit=work.limit or prepared.chunk.limit)
        with SoftLimit(prepared.function, chunk.limit) as function:
            return self._run_calls(number, work.ranges, Prepared(chunk, function), seconds)

    def _patience(self, chunk: Chunk) -> float:
        """How long the results of quick calls wait for each other."""
        return max(self._manners.batch_seconds, TOGETHER_SECONDS) if chunk.together else self._manners.batch_seconds

    def _run_calls(self, number: int, ranges: Ranges, prepared: Prepared, seconds: float) -> bool:
        function, name = called(prepared.function, prepared.chunk), prepared.chunk.function
        # With a limit the cursor has to say since when the running call runs, as closely as may be.
        most_untimed = MOST_UNTIMED if prepared.chunk.limit is None else 1
        for start, stop in ranges:
            calls = arguments(prepared.chunk, start, stop)
            while start < stop:
                patience = self._speeds.patience(name, seconds)
                results = run_some(function, calls, start, self._cursor, patience, most_untimed=most_untimed)
                if not results.values:
                    return False
                self._speeds.note(name, len(results.values), results.seconds)
                start = results.stop
                self._report(number, prepared.chunk, results, ranges)
                if start < stop:
                    self._reporter.flush()
        return True

    def _report(self, number: int, chunk: Chunk, results: Results, ranges: Ranges) -> None:
        self._enter(REPORTING)
        seal, most_bytes = self._preparer.seal_for(chunk), self._manners.most_bytes

        def send(part: Results, encoded: Encoded, stored: StoredResult | None = None) -> None:
            is_end = part.stop == ranges[-1][1]
            if is_end:
                self._slate.tell_all()
            else:
                self._slate.tell_rest()
            fields = ["progress", number, part.first, part.stop, len(part.failures), part.seconds, encoded.envelope]
            if stored is None or chunk.ownership is None or part.failures:
                self._reporter.add([*fields, is_end, None], self._memory.holding(encoded.buffers))
            else:
                row = ObjectToStore.of(stored, chunk.ownership).fields
                self._reporter.add([*fields, is_end, row], Segment.holding(stored.buffers))

        if chunk.ownership is None:
            deliver(results, chunk.function, most_bytes, send, seal)
            return
        for one, stored in stored_one_by_one(results, chunk.function, most_bytes, seal):
            deliver(one, chunk.function, most_bytes, partial(send, stored=stored), seal)


def _work(fields: list[Any], segments: list[Segment]) -> Work:
    data, kind, ranges, attempt, limit, job = fields
    spans = tuple((start, stop) for start, stop in ranges)
    return Work("", data, Kind(kind), spans, attempt, limit, tuple(segments), _job_ref(job))


def _job_ref(fields: list[Any] | None) -> JobRef | None:
    if fields is None:
        return None
    task_id, queue, execution, is_failure_plain, callbacks = fields
    return JobRef(task_id, queue, execution, is_failure_plain, tuple(callbacks))


def _warrant(work: Work, seal: bytes) -> Warrant:
    return NO_WARRANT if work.job is None else Warrant(work.job.id, work.job.queue, seal)


def _check_ranges(prepared: Prepared, work: Work) -> None:
    if any(not 0 <= start < stop <= len(prepared.chunk) for start, stop in work.ranges):
        raise DecodeError(f"the chunk has {len(prepared.chunk):,} calls, and its record speaks of others")
