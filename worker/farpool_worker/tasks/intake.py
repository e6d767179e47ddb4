"""Takes in what was claimed: notes it, has what it waits for fetched, refuses what cannot be run."""

import time

from farpool_common.broker import Claimed, Task, WorkerBroker
from farpool_common.errors import NotPlainError, WorkerLostError
from farpool_worker.buffers.host_objects import HostObjects
from farpool_worker.tasks.claimer import Claimer
from farpool_worker.tasks.ledger import Ledger, Stage
from farpool_worker.tasks.results import Results


class Intake:
    """Main loop only."""

    def __init__(
        self,
        broker: WorkerBroker,
        claimer: Claimer,
        ledger: Ledger,
        results: Results,
        objects: HostObjects,
        *,
        has_rq: bool,
    ) -> None:
        self._broker, self._claimer, self._ledger = broker, claimer, ledger
        self._results, self._objects, self._has_rq = results, objects, has_rq
        self.taken_at = time.monotonic()
        """When a task was last taken in."""

    def take_brought(self) -> bool:
        """Take in what doorbells have brought; whether that was anything.  Raises an outage."""
        brought = self._claimer.brought()
        self.take(*brought)
        return bool(brought)

    def take(self, *claims: Claimed) -> None:
        """Every task is held from here on.  Raises an outage, once all are."""
        for task in (task for claimed in claims for task in claimed.tasks):
            self._accept(task)
        refused = [malformed for claimed in claims for malformed in claimed.malformed]
        for malformed in refused:
            self._results.refuse(malformed)
        for malformed in refused:
            self._broker.quarantine(malformed)

    def _accept(self, task: Task) -> None:
        self.taken_at = time.monotonic()
        held = self._ledger.add(task, self._objects.hold(task.objects))
        if not self._has_rq and not task.plain.success:
            self._results.fail_rest(held, NotPlainError())
        elif task.abandons > task.retries:
            error = WorkerLostError(f"its worker was lost {task.abandons} times; it may kill what runs it")
            self._results.fail_rest(held, error)
        elif held.stage is Stage.FETCHING:
            self._results.fetch(held)
