"""The thread that keeps our lease alive and takes over from daemons whose lease lapsed."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from farpool_common.backoff import Backoff
from farpool_common.broker import WorkerBroker, register
from farpool_common.errors import ServerError
from farpool_worker.host.deadline import Deadline
from farpool_worker.host.lease_times import LeaseTimes
from farpool_worker.log import log
from farpool_worker.tasks.ledger import Ledger

RQ_RENEWAL_SECONDS = 30.0
"""How often the 90 s leases that RQ's tools see are renewed: RQ's own interval."""

STRAY_MS = 2000
"""An id that a doorbell moved and nobody claimed for this long is put back."""

STOCK_MS = 60_000
"""The same for an id that a stock RQ worker took: its own worker may be slow; RQ waits as long."""

MOST_AT_ONCE = 50
"""Tasks that one call takes over: the server takes some 25 µs for each, and answers nobody else meanwhile."""

HOST_RECORD_SECONDS = 120


class Lease:
    """Heartbeats and recovery, on a broker of its own."""

    def __init__(
        self,
        broker: WorkerBroker,
        ledger: Ledger,
        times: LeaseTimes,
        info: Callable[[], Mapping[str, str | int]],
        on_lost: Callable[[], None],
        deadline: Deadline,
    ) -> None:
        self._broker, self._ledger, self._times = broker, ledger, times
        self._info, self._on_lost, self._deadline = info, on_lost, deadline
        self._lost: deque[str] = deque()
        self._unknown: frozenset[str] = frozenset()
        self._missing: frozenset[str] = frozenset()
        self._primary: tuple[str, int] | None = None
        self._moved_at = time.monotonic()
        self._renewed_rq_at = time.monotonic()
        self._sweep_at = time.monotonic() + random.uniform(0, times.sweep)

    def lost(self) -> list[str]:
        """Members of leases that were taken away from us since the last call."""
        return [self._lost.popleft() for _ in range(len(self._lost))]

    @property
    def is_sure(self) -> bool:
        """Whether all that we hold is ours, but for what `lost` has told.

        Looked at in this order: losses are noted before the heartbeat that showed them extends the deadline.
        """
        return not self._deadline.has_passed and not self._lost

    def run(self, stop: threading.Event) -> None:
        """The thread: beat three times per lease, counted from sending, sweep now and then, ride out outages."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                next_at = time.monotonic() + self._times.lease / 3
                self.beat()
                self._sweep_if_due()
                backoff.reset()
                stop.wait(max(0.0, next_at - time.monotonic()))
            except ServerError as error:
                log.warning("heartbeat: %s", error)
                # Other daemons were cut off too: let them renew before we call them dead.
                self._sweep_at = time.monotonic() + self._times.lease + self._times.grace
                stop.wait(backoff.pause_seconds())

    def beat(self) -> None:
        """One heartbeat.  Raises an outage."""
        now = time.monotonic()
        sent_at, was_silent = self._deadline.now(), self._deadline.has_passed
        renew_rq = now - self._renewed_rq_at >= RQ_RENEWAL_SECONDS
        tasks = self._ledger.tasks()
        beat = self._broker.heartbeat(
            tasks,
            self._info(),
            lease_ms=int(self._times.lease * 1000),
            keep=HOST_RECORD_SECONDS,
            renew_rq=renew_rq,
        )
        if renew_rq:
            self._renewed_rq_at = now
        if not beat.is_entered:
            log.warning("our name was lost among the workers; it is entered again")
            broker = self._broker
            register(broker.client, broker.keys, broker.worker, broker.queues, broker.place)
        # After a silence what is gone is gone: nothing has run here since, so nothing was just ending.
        jobs = set() if was_silent else {task.member for task in tasks if task.reply is None}
        self._note_lost(beat.lost, jobs)
        # Late, it leaves so little that what began now would be killed again; the next beat follows at once.
        is_late = self._deadline.now() - sent_at > self._times.lease / 3
        if not (was_silent and is_late):
            self._deadline.extend(sent_at, self._times.lease)
        self._note_move(now)
        if was_silent or now - self._moved_at < 2 * self._times.lease:
            self._on_lost()  # what waits may run again; doorbells that wait at a primary of the past are looked at
        self._disown(beat.held)

    def _note_move(self, now: float) -> None:
        if self._broker.primary != self._primary:
            self._primary, self._moved_at = self._broker.primary, now

    def _note_lost(self, lost: frozenset[str], jobs: set[str]) -> None:
        """Tell of what was taken away; of RQ's jobs at the second beat, for RQ's own code may just end one."""
        sure = {member for member in lost if member not in jobs or member in self._missing}
        self._missing = lost
        if sure:
            self._lost.extend(sure)
            self._on_lost()

    def _disown(self, held: frozenset[str]) -> None:
        """Give back what Redis says is ours and we have not heard of for two beats in a row."""
        unknown = held - {task.member for task in self._ledger.tasks()}
        stale = unknown & self._unknown
        if stale:
            log.warning("%d claimed tasks whose answer was lost go back to their queues", len(stale))
            self._broker.disown(stale)
        self._unknown = unknown - stale

    def _sweep_if_due(self) -> None:
        now = time.monotonic()
        if now < self._sweep_at:
            return
        self._sweep_at = now + self._times.sweep * random.uniform(0.5, 1.5)
        self.sweep()

    def sweep(self) -> None:
        """Take over all that lapsed.  Raises an outage."""
        tasks = MOST_AT_ONCE
        while tasks >= MOST_AT_ONCE:
            recovered = self._broker.recover(
                grace_ms=int(self._times.grace * 1000), stray_ms=STRAY_MS, stock_ms=STOCK_MS, most=MOST_AT_ONCE
            )
            tasks = recovered.tasks
            for name in recovered.dead:
                log.warning("worker %s is gone: its lease lapsed", name)
            if tasks or recovered.put_back:
                log.warning("%d tasks of lost workers wait again", tasks + recovered.put_back)
