"""Takes in what was claimed: notes it, has its large arguments fetched, refuses what cannot be run."""

import time

from farpool_common.broker import Claimed, Task, WorkerBroker
from farpool_common.errors import FarpoolError, NotPlainError, WorkerLostError
from farpool_worker.claimer import Claimer
from farpool_worker.ledger import Held, Ledger, Stage
from farpool_worker.results import Results
from farpool_worker.transfer import Fetch, Transfer


class Intake:
    """Main loop only."""

    def __init__(
        self,
        broker: WorkerBroker,
        claimer: Claimer,
        ledger: Ledger,
        results: Results,
        transfer: Transfer,
        *,
        has_rq: bool,
    ) -> None:
        self._broker, self._claimer, self._ledger = broker, claimer, ledger
        self._results, self._transfer, self._has_rq = results, transfer, has_rq
        self.taken_at = time.monotonic()
        """When a task was last taken in."""

    def take_brought(self) -> bool:
        """Take in what doorbells have brought; whether that was anything.  Raises an outage."""
        brought = self._claimer.brought()
        for claimed in brought:
            self.take(claimed)
        return bool(brought)

    def take(self, claimed: Claimed) -> None:
        """Every task is held from here on.  Raises an outage, once all are."""
        for task in claimed.tasks:
            self._accept(task)
        for malformed in claimed.malformed:
            self._results.refuse(malformed)
        for malformed in claimed.malformed:
            self._broker.quarantine(malformed)

    def _accept(self, task: Task) -> None:
        self.taken_at = time.monotonic()
        held = self._ledger.add(task)
        if not self._has_rq and not task.plain.success:
            self._results.fail_rest(held, NotPlainError())
        elif task.abandons > task.retries:
            error = WorkerLostError(f"its worker was lost {task.abandons} times; it may kill what runs it")
            self._results.fail_rest(held, error)
        elif held.stage is Stage.FETCHING:
            self._fetch(held)

    def _fetch(self, held: Held) -> None:
        """Have large arguments brought here.  Those in shared memory are here already."""
        if not held.task.parts[0].is_shared:
            self._transfer.order(Fetch(held))
            return
        try:
            self._ledger.fetched(held, self._transfer.shared.arguments(held.task.parts))
        except FarpoolError as error:
            self._results.fail_rest(held, error)
