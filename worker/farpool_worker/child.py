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

from farpool_common.calls import (
    CALL,
    IDLE,
    PREPARING,
    REPORTING,
    SLOW_SECONDS,
    STARTED,
    STOP,
    WORK,
    Results,
    arguments,
    called,
    run_some,
)
from farpool_common.codec import Encoded
from farpool_common.delivery import all_failed, deliver
from farpool_common.errors import DecodeError
from farpool_common.home import Home, settle
from farpool_common.limit import SoftLimit
from farpool_common.preparing import Prepared, Preparer
from farpool_common.task import Ranges
from farpool_common.trust import Trust, class_of, enable, resolve
from farpool_worker.channel import Channel, Message, framed
from farpool_worker.isolation import isolate
from farpool_worker.job_data import chunk_of
from farpool_worker.job_options import JobOptions
from farpool_worker.jobs import Jobs
from farpool_worker.memory import IDLE_SECONDS, give_back
from farpool_worker.preload import preload
from farpool_worker.reporter import Reporter
from farpool_worker.store import Segment
from farpool_worker.work import JobRef, Kind, Work


def main(connection: Connection) -> None:
    """Run until the daemon says "quit" or is gone."""
    isolate()
    channel = Channel(connection, waits=True)
    try:
        start = channel.next_message()
        match start.fields:
            case ["start", list(roots), list(prefixes), bool(everything), float(seconds), int(most_bytes), list(jobs)]:
                trust = Trust(tuple(map(Path, roots)), tuple(prefixes), everything)
                options = JobOptions.from_fields(jobs)
            case _:
                raise RuntimeError("the daemon and its child are of different versions")
        enable(trust)
        _settle(options, trust)
        for name in options.preload:
            preload(name)
        channel.write([framed(["ready"])])
        Child(channel, start.segments[0].view.cast("q"), trust, Manners(seconds, most_bytes, options)).serve()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(1)  # the daemon is gone; nobody waits for what exit handlers would do


def _settle(options: JobOptions, trust: Trust) -> None:
    """Let handles of shared objects that reach this process find the server, and names in values their meaning."""
    if options.home is not None:
        settle(Home(*options.home, classes=partial(class_of, trust=trust), function=partial(resolve, trust=trust)))


@dataclass(frozen=True)
class Manners:
    """How long results may wait for others, how large one may be, and what holds for jobs of RQ producers."""

    batch_seconds: float
    most_bytes: int
    jobs: JobOptions


class Child:
    """Runs work in the order in which it comes."""

    def __init__(self, channel: Channel, cursor: memoryview, trust: Trust, manners: Manners) -> None:
        self._channel, self._cursor, self._manners = channel, cursor, manners
        self._reporter = Reporter(channel, manners.batch_seconds)
        self._preparer = Preparer(trust)
        self._quick: set[str] = set()  # functions whose calls took less than SLOW_SECONDS on average
        self._jobs = Jobs(manners.jobs, self._preparer, self._reporter, self._enter, manners.most_bytes)

    def serve(self) -> None:
        """Return at "quit"; raise EOFError when the daemon is gone."""
        goes_on = True
        while goes_on:
            if self._channel.is_quiet(IDLE_SECONDS):
                give_back()
            # No local name here holds a message: its arguments are freed with the work.
            goes_on = self._obey(self._channel.next_message())

    def _obey(self, message: Message) -> bool:
        match message.fields:
            case ["run", list(rows)]:
                self._run_all(rows, list(message.segments))
                return True
            case _:
                return False

    def _run_all(self, rows: list[Any], segments: list[Segment]) -> None:
        for number, *fields, count in rows:
            work = _work(fields, segments[:count])
            del segments[:count]
            if not self._cursor[STOP]:
                # First since when: a child that is stopped between the two must not seem to be at it for ages.
                self._enter(PREPARING)
                self._cursor[WORK] = number
                run = self._run_chunk if work.kind is Kind.CHUNK else self._jobs.run
                run(number, work)
            self._reporter.add(["ended", number])  # calls without an outcome were not begun
            self._reporter.flush_if_late()
        self._reporter.flush()
        self._enter(IDLE)

    def _enter(self, state: int) -> None:
        self._cursor[STARTED] = time.monotonic_ns()
        self._cursor[CALL] = state

    # --- a chunk ---------------------------------------------------------------------------------

    def _run_chunk(self, number: int, work: Work) -> None:
        try:
            buffers = [segment.view for segment in work.segments]
            prepared = self._preparer.prepare(chunk_of(work.data), buffers)
            _check_ranges(prepared, work)
        except BaseException as error:
            for results in all_failed(error, work.ranges):
                self._report(number, "chunk", results)
            return
        name = prepared.chunk.function
        if name not in self._quick:
            self._reporter.flush()
        # A second attempt reports call by call: if reading a result kills us, it is known whose it was.
        seconds = self._manners.batch_seconds if work.attempt <= 1 else 0.0
        with SoftLimit(prepared.function, work.limit or prepared.chunk.limit) as function:
            self._run_calls(number, work.ranges, replace(prepared, function=function), seconds)

    def _run_calls(self, number: int, ranges: Ranges, prepared: Prepared, seconds: float) -> None:
        function, name = called(prepared.function, prepared.chunk), prepared.chunk.function
        for start, stop in ranges:
            calls = arguments(prepared.chunk, start, stop)
            while start < stop:
                if self._cursor[STOP]:
                    return
                results = run_some(function, calls, start, self._cursor, seconds)
                self._note_speed(name, results)
                start = results.stop
                self._report(number, name, results)
                if start < stop:
                    self._reporter.flush()

    def _note_speed(self, name: str, results: Results) -> None:
        if results.seconds < SLOW_SECONDS * len(results.values):
            self._quick.add(name)
        else:
            self._quick.discard(name)

    def _report(self, number: int, name: str, results: Results) -> None:
        self._enter(REPORTING)

        def send(part: Results, encoded: Encoded) -> None:
            fields = ["progress", number, part.first, part.stop, len(part.failures), part.seconds]
            self._reporter.add([*fields, encoded.envelope], Segment.holding(encoded.buffers))

        deliver(results, name, self._manners.most_bytes, send)


def _work(fields: list[Any], segments: list[Segment]) -> Work:
    data, kind, ranges, attempt, limit, job = fields
    spans = tuple((start, stop) for start, stop in ranges)
    return Work("", data, Kind(kind), spans, attempt, limit, tuple(segments), _job_ref(job))


def _job_ref(fields: list[Any] | None) -> JobRef | None:
    if fields is None:
        return None
    task_id, queue, execution, is_failure_plain, callbacks = fields
    return JobRef(task_id, queue, execution, is_failure_plain, tuple(callbacks))


def _check_ranges(prepared: Prepared, work: Work) -> None:
    if any(not 0 <= start < stop <= len(prepared.chunk) for start, stop in work.ranges):
        raise DecodeError(f"the chunk has {len(prepared.chunk):,} calls, and its record speaks of others")
