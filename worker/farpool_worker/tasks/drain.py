"""How a daemon stops: what runs may end, what waits goes back to its queue, nothing is lost."""

from collections.abc import Sequence
from dataclasses import dataclass

from farpool_common.broker import WorkerBroker, note_shutdown
from farpool_worker.log import log
from farpool_worker.pool.pool import Pool
from farpool_worker.signals import StopRequests
from farpool_worker.tasks.claimer import Claimer
from farpool_worker.tasks.intake import Intake
from farpool_worker.tasks.job_ends import JobEnds
from farpool_worker.tasks.ledger import Held, Ledger, Stage
from farpool_worker.tasks.outbox import Outbox
from farpool_worker.tasks.results import Results

LAST_SECONDS = 5.0
"""After the deadline: for killed children to be reaped and their tasks to be handed back (guess)."""


@dataclass(frozen=True)
class Holdings:
    """Everything that may hold a task."""

    broker: WorkerBroker
    pool: Pool
    ledger: Ledger
    outbox: Outbox
    claimer: Claimer
    intake: Intake
    results: Results


class Drain:
    """Off until the first `advance`.  Main loop only."""

    def __init__(self, seconds: float, stop_requests: StopRequests, holdings: Holdings) -> None:
        self._seconds, self._stop_requests, self._holdings = seconds, stop_requests, holdings
        self._deadline: float | None = None
        self._is_noted = False

    @property
    def is_on(self) -> bool:
        """True once a stop was asked for."""
        return self._deadline is not None

    def patience(self, now: float) -> float:
        """Seconds that the main loop may wait."""
        return 0.05 if self._deadline is None else max(0.05, self._deadline - now)

    def is_over(self, now: float) -> bool:
        """True when nothing is held any more, or when waiting longer would help nobody."""
        assert self._deadline is not None
        is_empty = not (len(self._holdings.ledger) or len(self._holdings.outbox))
        return is_empty or now >= self._deadline + LAST_SECONDS

    def advance(self, now: float, *, is_server_there: bool) -> None:
        """Drain at the first request; hand everything back at the second, or when time is up.

        Raises an outage; the next call carries on.
        """
        if self._deadline is None:
            self._deadline = now + self._seconds
            self._holdings.pool.stop_at_next_call()
            self._tell(now)
        if self._stop_requests.count > 1:
            self._deadline = min(self._deadline, now)
        if now >= self._deadline:
            self._hand_back_running()
        if is_server_there:
            self._note_shutdown()
            self._release(now)

    def _tell(self, now: float) -> None:
        ledger = self._holdings.ledger
        running = ledger.in_stage(Stage.SENT)
        longest = max((now - held.sent_at for held in running), default=0.0)
        log.info(
            "%s: %d running (longest %.0f s), %d claimed go back to the queue; exit within %.0f s",
            *(self._stop_requests.name, len(running), longest, len(ledger) - len(running), self._seconds),
        )

    def _note_shutdown(self) -> None:
        """RQ's tools see that a busy worker was asked to stop."""
        if not self._is_noted and self._holdings.ledger.in_stage(Stage.SENT):
            broker = self._holdings.broker
            note_shutdown(broker.client, broker.keys, broker.worker, broker.place)
            self._is_noted = True

    def _hand_back_running(self) -> None:
        self._holdings.results.is_handing_back = True
        for held in self._holdings.ledger.in_stage(Stage.SENT):
            self._holdings.pool.kill(held.task.id)

    def _release(self, now: float) -> None:
        """Put back what no child has."""
        self._holdings.claimer.stop(now)
        self._holdings.intake.take_brought()
        send_results(self._holdings.outbox, self._holdings.ledger, self._holdings.results.jobs)
        waiting = unsaid(self._holdings.ledger, self._holdings.outbox)
        give_back(self._holdings.broker, self._holdings.ledger, waiting)


def unsaid(ledger: Ledger, outbox: Outbox) -> list[Held]:
    """Waiting tasks, but for those that have run and whose outcomes must reach Redis."""
    waiting = ledger.in_stage(Stage.READY, Stage.FETCHING)
    return [held for held in waiting if held.errand is None and not outbox.has(held.task.id)]


def give_back(broker: WorkerBroker, ledger: Ledger, waiting: Sequence[Held]) -> None:
    """Hand tasks back to the heads of their queues.  Raises an outage."""
    broker.release([held.task for held in waiting])
    for held in waiting:
        ledger.remove(held)


def send_results(outbox: Outbox, ledger: Ledger, jobs: JobEnds) -> None:
    """Send what waits, and let go of the tasks that are over.  Raises an outage."""
    sent = outbox.flush()
    for task_id in (*sent.ended, *sent.stale):
        held = ledger.get(task_id)
        if held is not None:
            ledger.remove(held)
    for end in sent.not_plain:
        jobs.not_plain(end)
    if sent.stale:
        log.warning("%d results were refused: their tasks belong to other workers now", len(sent.stale))
