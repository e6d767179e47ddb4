"""`rq worker -w farpool_worker.PoolWorker`: RQ's worker class with RQ's constructor, whose `work()` is our daemon."""

import os
import sys
from collections.abc import Callable
from typing import Any

from rq import Queue, Worker
from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT, RQ_KEY_PREFIX
from rq.job import Job
from rq.utils import import_attribute
from rq.worker.base import DequeueStrategy

from farpool_common.address import Address
from farpool_common.errors import SettingsError
from farpool_common.formats import FORMATS
from farpool_common.signing import key_here
from farpool_worker.connection_url import url_of
from farpool_worker.host.slots import usable_slots
from farpool_worker.job_options import JobOptions, RqOptions, border_of, own_serializer
from farpool_worker.log import start_logging
from farpool_worker.serve import serve
from farpool_worker.settings import WorkerSettings, lease_times, max_result_bytes, object_bytes, seconds, whole_number


class PoolWorker(Worker):
    """RQ's worker on all cores: registered, commanded and shown like any other.

    Every format is read and any importable function runs, as with RQ.  Jobs run in processes that live on;
    they inherit the environment, not this process's memory.  FARPOOL_SLOTS, FARPOOL_PRELOAD (modules to
    import, or `module:function` to call, in each of them) and the other settings of `farpool worker` that
    have no word in RQ come from the environment.  A subclass may override what RQ does with a job
    (`perform_job`, `handle_job_failure`): it must be importable.
    """

    def work(
        self,
        burst: bool = False,
        logging_level: str | None = None,
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
        max_jobs: int | None = None,
        max_idle_time: int | None = None,
        with_scheduler: bool = False,
        dequeue_strategy: DequeueStrategy = DequeueStrategy.DEFAULT,
    ) -> bool:
        """Serve the queues, as `rq.Worker.work` does, until a signal, a command or one of the limits ends it.

        Returns whether a job was run.  `date_format` and `log_format` are RQ's and not used.  Raises
        farpool's errors where it cannot begin, SettingsError for what children could not import.
        """
        settings = self._settings(
            is_burst=burst,
            max_jobs=max_jobs,
            max_idle_seconds=max_idle_time,
            with_scheduler=with_scheduler,
            strategy=DequeueStrategy(dequeue_strategy).value,
        )
        start_logging(self.name, level=logging_level or "INFO")
        return serve(settings, keeps_secrets=True).jobs > 0

    def _settings(self, **given: Any) -> WorkerSettings:
        environ = os.environ
        url, queues = url_of(self.connection), tuple(self.queue_names())
        rq = self._rq_options(url, queues)
        slots = usable_slots(whole_number(environ, "FARPOOL_SLOTS"))
        return WorkerSettings(
            address=Address(url, "the worker's connection"),
            prefix=RQ_KEY_PREFIX,
            queues=queues,
            name=self.name,
            slots=slots.count,
            slots_reason=slots.reason,
            roots=(),
            allow_any=True,
            allow_eviction=environ.get("FARPOOL_ALLOW_EVICTION", "") not in ("", "0"),
            max_tasks_per_child=whole_number(environ, "FARPOOL_MAX_TASKS_PER_CHILD"),
            drain_seconds=seconds(environ, "FARPOOL_DRAIN_SECONDS", 30.0),
            max_result_bytes=max_result_bytes(environ),
            object_bytes=object_bytes(environ),
            jobs=JobOptions(
                accept=FORMATS,
                rq=rq,
                preload=_preloaded(environ.get("FARPOOL_PRELOAD", "")),
                home=(rq.url, rq.prefix),
                key=key_here(),
            ),
            border=border_of(rq),
            times=lease_times(environ),
            **given,
        )

    def _rq_options(self, url: str, queues: tuple[str, ...]) -> RqOptions:
        """What children need to build this worker again."""
        killed = self._work_horse_killed_handler
        return RqOptions(
            url=url,
            prefix=RQ_KEY_PREFIX,
            worker=self.name,
            queues=queues,
            result_seconds=self.default_result_ttl,
            maintenance_seconds=float(self.maintenance_interval),
            handlers=tuple(_name(handler) for handler in self._exc_handlers),
            killed_handler="" if killed is None else _name(killed),
            is_default_handler_off=self.disable_default_exception_handler,
            worker_class="" if type(self) is PoolWorker else _name(type(self)),
            job_class="" if self.job_class is Job else _name(self.job_class),
            queue_class="" if self.queue_class is Queue else _name(self.queue_class),
            serializer=own_serializer(self._serializer_arg),
        )


def _name(thing: Callable[..., Any]) -> str:
    """The dotted name by which a child imports it.  Raises SettingsError."""
    name = f"{thing.__module__}.{thing.__qualname__}"
    try:
        found = import_attribute(name) if thing.__module__ != "__main__" else None
    except (ImportError, ValueError, AttributeError):
        found = None
    if found is not thing:
        raise SettingsError(f"{name} cannot be imported by the processes that run jobs: move it to a module")
    return name


def _preloaded(names: str) -> tuple[str, ...]:
    """What the user names; and Django, where this process has been set up for it."""
    django = sys.modules.get("django.apps")
    is_set_up = django is not None and django.apps.ready
    return (*names.split(), *(("django:setup",) if is_set_up else ()))
