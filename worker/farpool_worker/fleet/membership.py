"""How a daemon comes to be known, and how it leaves: its name among the workers, its lease."""

import time
from collections.abc import Callable
from typing import TypeVar

from farpool_common.backoff import Backoff
from farpool_common.broker import OUTAGES, WorkerBroker, deregister, is_taken, register
from farpool_common.errors import ServerError
from farpool_worker.fleet.lease import Lease
from farpool_worker.log import log
from farpool_worker.settings import WorkerSettings
from farpool_worker.signals import StopRequests

T = TypeVar("T")

REPEAT_SECONDS = 10.0
"""How long an outage that lasts is not repeated in the log (guess)."""


class Membership:
    """Main thread, before and after the loop."""

    def __init__(
        self, broker: WorkerBroker, lease: Lease, settings: WorkerSettings, stop_requests: StopRequests
    ) -> None:
        self._broker, self._lease, self._settings = broker, lease, settings
        self._stop_requests = stop_requests

    def wait_for_server(self) -> str:
        """Its kind and version, once it answers.  Raises when it does not within the retry window."""
        return self._in_time(lambda: self._broker.check(allow_eviction=self._settings.allow_eviction))

    def _in_time(self, ask: Callable[[], T]) -> T:
        """The answer, after as many tries as the retry window has room for."""
        deadline, backoff = time.monotonic() + self._settings.connect_seconds, Backoff()
        said, quiet_until = "", 0.0
        while True:
            try:
                return ask()
            except OUTAGES as outage:
                if time.monotonic() > deadline or self._stop_requests.count:
                    raise
                if str(outage) != said or time.monotonic() > quiet_until:
                    said, quiet_until = str(outage), time.monotonic() + REPEAT_SECONDS
                    log.warning("%s; trying again for %.0f s", outage, deadline - time.monotonic())
                time.sleep(max(0.05, backoff.pause_seconds()))

    def join(self) -> None:
        """Enter our name; while a daemon of the same name holds its lease, wait for it to lapse.

        Each step may be repeated alone: after the last one, our own lease would look like that of another.
        """
        # What a predecessor of our name held was lost, and is charged; it must not seem to be ours.
        for step in (self._wait_for_name, self._lease.sweep, self._register, self._lease.beat):
            self._in_time(step)

    def _wait_for_name(self) -> None:
        broker, name, times = self._broker, self._settings.name, self._settings.times
        while is_taken(broker.client, broker.keys, name, broker.place, grace_ms=int(times.grace * 1000)):
            if self._stop_requests.count:
                return
            log.warning("the name %s is taken until its lease lapses; waiting", name)
            time.sleep(times.lease / 5)

    def _register(self) -> None:
        broker = self._broker
        register(broker.client, broker.keys, self._settings.name, broker.queues, broker.place)

    def leave(self) -> None:
        """Take our name out.  Only when nothing is held: others find by it what they must take over."""
        broker = self._broker
        try:
            deregister(broker.client, broker.keys, self._settings.name, broker.queues, broker.place)
        except ServerError as error:
            log.warning("%s; our lease will lapse by itself", error)
