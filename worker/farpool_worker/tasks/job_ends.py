"""How jobs of RQ producers end: by script where that is plain, by RQ's own code in a child where it is not."""

from datetime import UTC, datetime

from farpool_common.broker import JobEnd
from farpool_common.errors import FarpoolError
from farpool_worker.log import log
from farpool_worker.pipe.work import Kind
from farpool_worker.tasks.ledger import Errand, Held, Ledger
from farpool_worker.tasks.outbox import Outbox

STOPPED = "Job stopped by user, work-horse terminated."
"""RQ's own words: tools may look for them."""


class JobEnds:
    """Main loop only.  Without `has_rq`, scripts end everything, and nothing else happens."""

    def __init__(self, ledger: Ledger, outbox: Outbox, *, has_rq: bool) -> None:
        self._ledger, self._outbox, self._has_rq = ledger, outbox, has_rq
        self.ended = self.failed = 0
        """Jobs that have run here, and those of them that did not come to an end by themselves."""

    # --- what a child says -----------------------------------------------------------------------

    def returned(self, task_id: str, seconds: float, result: bytes | None, error: str | None) -> None:
        """A function returned, or raised and its failure is plain."""
        held = self._ledger.get(task_id)
        if held is None:  # taken away from us meanwhile
            return
        if error is not None:
            log.warning("job %s (%s) failed: %s", task_id, held.task.label, error.rstrip().rpartition("\n")[2])
        self._ledger.cover(held, held.remaining)
        self.ended += 1
        self._outbox.add(JobEnd(held.task, datetime.now(UTC), seconds, result, error))

    def settling(self, task_id: str, execution: str) -> None:
        """RQ's code has begun to end it."""
        held = self._execution(task_id, execution)
        if held is not None:
            held.is_settling = True

    def settled(self, task_id: str, execution: str) -> None:
        """RQ's code has ended it, or queued it again: then its next execution, which may be here before we are told,
        goes on."""
        held = self._execution(task_id, execution)
        if held is not None:
            self.ended += 1
            self._ledger.cover(held, held.remaining)
            self._ledger.remove(held)

    def _execution(self, task_id: str, execution: str) -> Held | None:
        held = self._ledger.get(task_id)
        return held if held is not None and held.task.execution == execution else None

    def not_plain(self, end: JobEnd) -> None:
        """A script found that jobs depend on one that has ended here."""
        held = self._ledger.get(end.task.id)
        if held is None:
            return
        if end.error is None:
            self._leave_to_rq(held, Kind.SETTLE, end.result or b"")
        else:
            self._leave_to_rq(held, Kind.STOP if end.is_stopped else Kind.BURY, _encoded(end.error))

    # --- what happened to it ---------------------------------------------------------------------

    def stop(self, held: Held) -> None:
        """It was stopped on request, and no child has it any more."""
        if held.task.plain.stop or not self._has_rq:
            self._write_failure(held, STOPPED, is_stopped=True)
        else:
            self._leave_to_rq(held, Kind.STOP, _encoded(STOPPED))

    def lost(self, held: Held, error: FarpoolError) -> None:
        """Its process died.  As with RQ it has failed, and runs again only if its producer said so."""
        held.is_settling = False
        if held.errand is None:
            self.fail(held, error)
            return
        losses = held.losses[0] = held.losses.get(0, 0) + 1
        if losses > 1:  # its callbacks kill what they run in
            self._write_failure(held, _told(error))

    def fail(self, held: Held, error: FarpoolError) -> None:
        """It cannot run, or did not come to an end."""
        if held.task.plain.failure or not self._has_rq:
            self._write_failure(held, _told(error))
        else:
            self._leave_to_rq(held, Kind.BURY, _encoded(_told(error)))

    def _leave_to_rq(self, held: Held, kind: Kind, data: bytes) -> None:
        self._ledger.left_to_rq(held, Errand(kind, data))

    def _write_failure(self, held: Held, text: str, *, is_stopped: bool = False) -> None:
        """By script; at once where RQ's code is not to be had, whatever depends on the job."""
        at_once = held.errand is not None or not self._has_rq
        self._ledger.unready(held)
        self._ledger.cover(held, held.remaining)
        self.ended, self.failed = self.ended + 1, self.failed + 1
        self._outbox.add(JobEnd(held.task, datetime.now(UTC), error=text, is_stopped=is_stopped, at_once=at_once))


def _told(error: FarpoolError) -> str:
    return f"{type(error).__name__}: {error}"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
