"""From what the pool reports to what Redis must be told: outcomes, failures, second attempts."""

import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import assert_never

from farpool_common.broker import STORED_SECONDS, JobEnd, Malformed, Task
from farpool_common.errors import FarpoolError, MalformedTaskError, TaskTimeoutError, WorkerLostError
from farpool_common.task import Ranges, without
from farpool_worker.buffers.host_objects import sealed
from farpool_worker.buffers.store import Segment
from farpool_worker.log import log
from farpool_worker.pool.events import (
    Crashed,
    Ended,
    Event,
    Noted,
    Progress,
    Returned,
    Settled,
    Settling,
    TakenBack,
    Wrote,
)
from farpool_worker.tasks.job_ends import JobEnds
from farpool_worker.tasks.ledger import Held, Ledger, Stage
from farpool_worker.tasks.losses import failed_outcome, failed_outcomes
from farpool_worker.tasks.object_fetcher import FetchedObjects, ObjectFetcher
from farpool_worker.tasks.outbox import Closing, Outbox, Outcomes
from farpool_worker.tasks.runtimes import Runtimes
from farpool_worker.tasks.telling import Telling
from farpool_worker.tasks.transfer import Fetch, Fetched, Moved, ObjectStored, Store, Stored, StoreObject, Transfer


class Results:
    """Main loop only."""

    def __init__(
        self,
        host: str,
        ledger: Ledger,
        outbox: Outbox,
        transfer: Transfer,
        jobs: JobEnds,
        runtimes: Runtimes,
        telling: Telling,
        objects: ObjectFetcher,
    ) -> None:
        self._host, self._ledger, self._outbox = host, ledger, outbox
        self._transfer, self.jobs = transfer, jobs
        self._runtimes, self._objects, self._telling = runtimes, objects, telling
        self.failed_calls = 0
        self.task_seconds: float | None = None
        self.task_bytes = 0.0
        self.is_handing_back = False
        self.is_silent = False
        """While set, processes that end were killed because the daemon's lease ran out."""
        self.heard_at = time.monotonic()
        """When a slot was last heard of."""

    def react(self, event: Event) -> None:
        """Take in one event of the pool."""
        if not isinstance(event, (TakenBack, Noted, Wrote)):
            self.heard_at = time.monotonic()
        match event:
            case Progress():
                self._progress(event)
            case Returned():
                self._returned(event)
            case Settling(work_id, execution):
                self.jobs.settling(work_id, execution)
            case Settled(work_id, execution, seconds, has_failed):
                self._note_job(work_id, seconds, has_failed)
                self.jobs.settled(work_id, execution)
            case Ended(work_id, unstarted):
                self._given_back(work_id, unstarted)
            case TakenBack(work_id, unstarted):
                self._taken_back(work_id, unstarted)
            case Crashed():
                self._crashed(event)
            case Noted() | Wrote():
                self._said(event)
            case _:
                assert_never(event)

    def moved(self, moved: Moved | None) -> None:
        """Take in what was moved; None: it is not there yet."""
        match moved:
            case None:
                return
            case Fetched(held, segments, error):
                self._fetched(held, segments, error)
            case Stored(outcomes, parts, error):
                if error is not None:
                    _fail_instead(outcomes, error)
                outcomes.parts = parts
            case ObjectStored(outcomes, object_id, segments, error):
                self._kept(outcomes, object_id, segments, error)
            case _:
                assert_never(moved)

    def _kept(
        self, outcomes: Outcomes, object_id: str, segments: Sequence[Segment], error: FarpoolError | None
    ) -> None:
        """A result is stored: tasks here that are given it need not fetch it."""
        if error is not None:
            _fail_instead(outcomes, error)
        else:
            self._objects.objects.add(object_id, sealed(segments)).close()
        outcomes.parts = ()

    def fetch(self, held: Held) -> None:
        """Have brought what a task waits for: its stored objects first, then its own large arguments."""
        if len(held.hold.held) < len(held.task.objects):
            self._objects.order(held)
        else:
            self._fetch_arguments(held)

    def _fetch_arguments(self, held: Held) -> None:
        """Have large arguments brought here.  Those in shared memory are here already."""
        if not held.task.parts[0].is_shared:
            self.moved(self._transfer.order(Fetch(held)))
            return
        try:
            self._ledger.fetched(held, self._transfer.shared.arguments(held.task.parts))
        except FarpoolError as error:
            self.fail_rest(held, error)

    def brought(self, fetched: FetchedObjects) -> None:
        """Take in what the objects' thread has brought."""
        held, hold = fetched.held, fetched.hold
        if held.stage is not Stage.FETCHING or self._ledger.get(held.task.id) is not held:
            if hold is not None:  # it was canceled or taken away meanwhile
                hold.close()
        elif hold is None:
            assert fetched.error is not None
            self.fail_rest(held, fetched.error)
        else:
            held.hold = hold
            if held.task.parts:
                self._fetch_arguments(held)
            else:
                self._ledger.fetched(held)

    def refuse(self, task: Malformed) -> None:
        """A record that cannot be read: its producer is told, or it goes to the failed registry."""
        log.warning("task %s is malformed: %s", task.id, task.reason)
        error = MalformedTaskError(task.reason)
        if task.reply is not None:
            call = (0, 1)
            self._outbox.add(Outcomes(task.stand_in(), failed_outcome(error, call), call, is_last=True))
            return
        text = f"{MalformedTaskError.__name__}: {error}"
        self._outbox.add(JobEnd(task, datetime.now(UTC), error=text, at_once=True))

    def stop(self, held: Held) -> None:
        """A task that no child has was stopped on request."""
        if held.task.reply is None:
            self.jobs.stop(held)
        else:
            self.fail_rest(held, canceled(held.task))

    def stop_waiting(self, held: Held) -> None:
        """A task that children have was stopped on request: none gets the calls that wait."""
        if held.waiting:
            self._fail(held, held.waiting, canceled(held.task))

    def fail_rest(self, held: Held, error: FarpoolError) -> None:
        """Every call without an outcome fails with `error`; the task is over."""
        if held.task.reply is None:
            self.jobs.fail(held, error)
        else:
            self._fail(held, held.remaining, error)

    def _given_back(self, work_id: str, unstarted: Ranges) -> None:
        """A child is through with a task, or gone, and these of its calls have no outcome."""
        held = self._ledger.get(work_id)
        if held is None or not (held.remaining and unstarted):
            return
        if held.is_canceled and held.errand is None:
            self.stop(held)
        else:
            self._ledger.again(held, unstarted)

    def _taken_back(self, work_id: str, unstarted: Ranges) -> None:
        """These calls wait behind a long one no more; if it is one of the same task, that is split now."""
        self._given_back(work_id, unstarted)
        held = self._ledger.get(work_id)
        if held is not None and held.stage is Stage.SENT:
            held.is_split = True

    def _progress(self, event: Progress) -> None:
        held = self._ledger.get(event.work_id)
        if held is None or without(event.ranges, held.remaining):  # taken away from us, or stopped, meanwhile
            _close(event.segments)
            return
        calls = sum(stop - first for first, stop in event.ranges)
        self._runtimes.note(held.task.label, calls, event.seconds)
        self.failed_calls += event.failed
        held.seconds += event.seconds
        self._ledger.cover(held, event.ranges)
        span = event.ranges[0][0], event.ranges[-1][1]
        outcomes = Outcomes(held.task, event.envelope, span, not held.remaining, held.seconds)
        if event.to_store is not None:
            outcomes.parts = None
            self.moved(self._transfer.order(StoreObject(outcomes, event.to_store, event.segments)))
            self._outbox.add(outcomes)
        else:
            self._post(held.task, outcomes, event.segments)
        if not held.remaining:
            self._note_task(held.task, held.seconds)

    def _note_task(self, task: Task, seconds: float) -> None:
        mean = self.task_seconds
        self.task_seconds = seconds if mean is None else 0.8 * mean + 0.2 * seconds
        self.task_bytes = 0.8 * self.task_bytes + 0.2 * sum(part.nbytes for part in task.parts)

    def _post(self, task: Task, outcomes: Outcomes, segments: Sequence[Segment]) -> None:
        """Queue outcomes; large values go first: handed over in shared memory, or to Redis by the transfer thread."""
        if segments and (shared := self._transfer.shared.publish(task, segments)) is not None:
            outcomes.parts = shared
            _close(segments)
        elif segments:
            outcomes.parts = None
            buffers = [segment.view for segment in segments]
            owner = f"{task.id}-{task.execution}-{outcomes.span[0]}"
            seconds = max(STORED_SECONDS, task.keep or 0)
            self.moved(self._transfer.order(Store(outcomes, owner, buffers, segments, seconds)))
        self._outbox.add(outcomes)

    def _returned(self, event: Returned) -> None:
        self._note_job(event.work_id, event.seconds, event.error is not None)
        result = bytes(event.segments[0].view) if event.segments else event.envelope
        _close(event.segments)
        self.jobs.returned(event.work_id, event.seconds, result or None, event.error)

    def _note_job(self, work_id: str, seconds: float, has_failed: bool) -> None:
        held = self._ledger.get(work_id)
        if held is not None:  # neither maintenance nor taken away from us meanwhile
            self._runtimes.note(held.task.label, 1, seconds)
            self._note_task(held.task, seconds)
            self.failed_calls += has_failed

    def _fetched(self, held: Held, segments: Sequence[Segment], error: FarpoolError | None) -> None:
        if held.stage is not Stage.FETCHING or self._ledger.get(held.task.id) is not held:
            _close(segments)  # it was canceled or taken away meanwhile
        elif error is not None:
            self.fail_rest(held, error)
        else:
            self._ledger.fetched(held, segments)

    def _said(self, event: Noted | Wrote) -> None:
        held = self._ledger.get(event.work_id)
        if held is None:  # neither maintenance nor taken away from us meanwhile
            return
        if isinstance(event, Noted):
            if event.call < held.task.calls:
                self._telling.noted(held.task, event.call, event.progress)
        else:
            self._telling.wrote(held.task, event.text, event.missed)

    def _crashed(self, event: Crashed) -> None:
        if not (self.is_handing_back or self.is_silent):
            log.warning("%s", self._told(event))
        for work_id, lost in event.lost:
            held = self._ledger.get(work_id)
            if held is not None and event.running is not None and event.running[0] == work_id:
                self._lost_call(held, event.running[1], lost, event)
            self._given_back(work_id, lost)

    def _lost_call(self, held: Held, index: int, lost_calls: Ranges, event: Crashed) -> None:
        """The call that was running is charged; nothing else is."""
        call = ((index, index + 1),)
        if held.is_canceled or self.is_handing_back or (self.is_silent and event.exitcode == -signal.SIGKILL):
            return
        if held.task.reply is None:
            self.jobs.lost(held, self._timeout(event) if event.timed_out else self._lost_error(event, 1))
        elif event.timed_out:
            self._fail(held, call, self._timeout(event))
        else:
            lost = held.losses[index] = held.losses.get(index, 0) + 1
            if lost + held.task.abandons > held.task.retries:
                # What dies before its first call (its import, its arguments) would die before every call.
                calls = lost_calls if event.preparing else call
                self._fail(held, calls, self._lost_error(event, lost + held.task.abandons))

    def _timeout(self, event: Crashed) -> TaskTimeoutError:
        return TaskTimeoutError(f"{event.reason} on {self._host}")

    def _lost_error(self, event: Crashed, attempt: int) -> WorkerLostError:
        attempts = "" if attempt <= 1 else f", attempt {attempt}"
        return WorkerLostError(f"{self._told(event)}{attempts}")

    def _told(self, event: Crashed) -> str:
        return f"slot {event.slot} on {self._host} (pid {event.pid}) {event.reason}"

    def _fail(self, held: Held, ranges: Ranges, error: FarpoolError) -> None:
        if held.stage is Stage.READY:
            self._ledger.unready(held)
        self._ledger.cover(held, ranges)
        self.failed_calls += sum(stop - first for first, stop in ranges)
        spans = failed_outcomes(error, ranges)
        for at, (span, envelope) in enumerate(spans, 1):
            is_last = at == len(spans) and not held.remaining
            self._outbox.add(Outcomes(held.task, envelope, span, is_last, held.seconds))
        if not spans:
            self._outbox.add(Closing(held.task))


def canceled(task: Task) -> WorkerLostError:
    """What a canceled task ends with; its producer has forgotten it."""
    return WorkerLostError(f"task {task.id} was canceled")


def _fail_instead(outcomes: Outcomes, error: FarpoolError) -> None:
    """These calls have failed after all: their results cannot be stored."""
    ((_, outcomes.envelope),) = failed_outcomes(error, (outcomes.span,))


def _close(segments: Sequence[Segment]) -> None:
    for segment in segments:
        segment.close()
