"""Scheduled jobs whose time has come: moved to their queues by RQ's own scheduler class, in a thread of the daemon."""

import json
import threading
import time
from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import TimeoutError as TooLate
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.scheduler import RQScheduler
from rq.utils import current_timestamp

from farpool_common.backoff import Backoff
from farpool_common.broker import connect, masked, translated
from farpool_common.errors import ServerError
from farpool_common.keys import Keys
from farpool_worker.log import log

OUTAGES = (Unreachable, TooLate)

INTERVAL_SECONDS = 1
"""RQ's own."""

ASK_SECONDS = 5.0
"""How often queues are asked for that another scheduler has.  A dead one's lock lives for a minute; RQ asks again after
ten (guess)."""


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

    def __init__(self, url: str, queues: Sequence[str], keys: Keys) -> None:
        self._url, self._queues, self._keys, self._place = url, list(queues), keys, masked(url)

    def run(self, stop: threading.Event) -> None:
        """The thread: a look each second; outages are ridden out."""
        backoff, scheduler = Backoff(), self._new()
        is_born, ask_at = False, 0.0
        while not stop.is_set():
            try:
                with translated(self._place):
                    if not is_born:
                        scheduler.register_birth()
                        is_born = True
                    if scheduler.acquired_locks != set(self._queues) and time.monotonic() >= ask_at:
                        scheduler.acquire_locks()
                        ask_at = time.monotonic() + ASK_SECONDS
                    scheduler.heartbeat()
                    self._promote(scheduler)
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
                self._promote(scheduler)
        self._end(scheduler)

    def _promote(self, scheduler: Any) -> None:
        """Move what is due.  RQ reads all due records before it moves any: one that cannot be read goes aside."""
        try:
            scheduler.enqueue_scheduled_jobs()
        except OUTAGES:
            raise
        except Exception:
            for registry in scheduler._scheduled_job_registries:
                for job_id in registry.get_jobs_to_schedule(current_timestamp()):
                    self._set_aside_if_spoiled(scheduler.connection, registry, job_id)

    def _set_aside_if_spoiled(self, client: Redis, registry: Any, job_id: str) -> None:
        try:
            Job.fetch(job_id, connection=client, serializer=Verbatim)
        except (NoSuchJobError, *OUTAGES):
            return  # RQ drops the one, and the others come back
        except Exception as error:
            reason = f"scheduled, and cannot be read: {type(error).__name__}: {error}"
            log.warning("job %s is in quarantine: %s", job_id, reason)
            entry = {"queue": registry.name, "id": job_id, "reason": reason[:500], "at": int(time.time())}
            client.zrem(registry.key, job_id)
            client.lpush(self._keys.quarantine, json.dumps(entry))
            client.hincrby(self._keys.counters, "quarantined", 1)

    def _new(self) -> Any:
        return RQScheduler(self._queues, connect(self._url), serializer=Verbatim, logging_level="WARNING")

    def _end(self, scheduler: Any) -> None:
        try:
            with translated(self._place):
                scheduler.release_locks()
                scheduler.register_death()
        except ServerError as error:
            log.warning("scheduler: %s; its locks lapse by themselves", error)
        finally:
            scheduler.connection.close()
