"""Scheduled jobs whose time has come: moved to their queues by RQ's own scheduler class, in a thread of the daemon."""

import threading
from collections.abc import Sequence
from typing import Any

from rq.scheduler import RQScheduler

from farpool_common.backoff import Backoff
from farpool_common.broker import connect, masked, translated
from farpool_common.errors import ServerError
from farpool_worker.log import log

INTERVAL_SECONDS = 1
"""RQ's own."""


class Verbatim:
    """Bytes stay bytes: what a producer wrote is moved, never read here."""

    @staticmethod
    def loads(data: bytes) -> bytes:
        """The bytes themselves."""
        return bytes(data)

    @staticmethod
    def dumps(value: Any) -> bytes:
        """The bytes as they came."""
        return bytes(value)


class Scheduler:
    """One per daemon; RQ's locks see to it that each queue has one scheduler."""

    def __init__(self, url: str, queues: Sequence[str]) -> None:
        self._url, self._queues, self._place = url, list(queues), masked(url)

    def run(self, stop: threading.Event) -> None:
        """The thread: a look each second; outages are ridden out."""
        backoff, scheduler = Backoff(), self._new()
        is_born = False
        while not stop.is_set():
            try:
                with translated(self._place):
                    if not is_born:
                        scheduler.register_birth()
                        is_born = True
                    if scheduler.should_reacquire_locks:
                        scheduler.acquire_locks()
                    scheduler.heartbeat()
                    scheduler.enqueue_scheduled_jobs()
                backoff.reset()
                stop.wait(INTERVAL_SECONDS)
            except ServerError as error:
                log.warning("scheduler: %s", error)
                stop.wait(backoff.pause_seconds())
        self._end(scheduler)

    def promote_once(self) -> None:
        """What is due now, if nobody else sees to it.  Raises an outage."""
        scheduler = self._new()
        with translated(self._place):
            if scheduler.acquire_locks():
                scheduler.register_birth()
                scheduler.enqueue_scheduled_jobs()
                self._end(scheduler)

    def _new(self) -> Any:
        return RQScheduler(self._queues, connect(self._url), serializer=Verbatim, logging_level="WARNING")

    def _end(self, scheduler: Any) -> None:
        try:
            with translated(self._place):
                scheduler.release_locks()
                scheduler.register_death()
        except ServerError as error:
            log.warning("scheduler: %s; its locks lapse by themselves", error)
