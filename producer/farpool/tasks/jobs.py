"""A task's call as a job: RQ's own queue and job, with our serializer."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from redis.client import Pipeline
from rq import Queue
from rq.job import Job
from rq.job import Retry as RqRetry

from farpool.client.connect import Server
from farpool.executors import server_for
from farpool.shipping.arguments import refusal_of
from farpool.tasks.job_retries import meta_of, rq_retry
from farpool.tasks.options import TaskOptions
from farpool.tasks.unique import put_unless_open, unique_id
from farpool_common.broker import connect, translated
from farpool_common.chunk import Chunk
from farpool_common.codec import Serializer
from farpool_common.errors import ArgumentError, EncodeError, TooLargeError
from farpool_common.sizes import ARGUMENT_BYTES_SETTING


@dataclass(frozen=True)
class Call:
    """What a job calls: `name` is RQ's spelling."""

    function: Callable[..., Any]
    name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]


def put(call: Call, options: TaskOptions, at: datetime | None = None) -> Job:
    """The job of a call, queued or scheduled; with `unique` perhaps one that was put before.

    Raises ArgumentError and TooLargeError, with nothing sent, and ServerError.
    """
    server = server_for(options.url)
    with translated(server.place):
        queue = rq_queue(server, options.queue)

        def write(pipeline: Pipeline | None) -> Job:
            job = _job(queue, call, options)
            _check_arguments(job, call, server)
            return _written(queue, job, at, at_front=bool(options.rq.get("at_front")), pipeline=pipeline)

        if not options.unique:
            return write(options.rq.get("pipeline"))
        job = _job(queue, call, options)
        _check_arguments(job, call, server)  # before what is open is looked for
        return put_unless_open(queue, job.id, job.ttl, write)


def rq_queue(server: Server, name: str) -> Queue:
    """RQ's queue of this name."""
    return Queue(name, connection=_connection(server.url), serializer=Serializer)


@cache
def _connection(url: str) -> Any:
    return connect(url)


def _job(queue: Queue, call: Call, options: TaskOptions) -> Job:
    rq = {name: value for name, value in options.rq.items() if name not in ("at_front", "pipeline", "meta", "job_id")}
    retry = options.retry
    if retry is not None:
        most, delays = rq_retry(retry, random.Random())
        rq["retry"] = RqRetry(max=most, interval=delays)
    job_id = options.rq.get("job_id")
    if options.unique:
        job_id = unique_id(call.name, call.function, options.unique, call.args, call.kwargs)
    return queue.create_job(
        call.name,
        args=tuple(call.args),
        kwargs=dict(call.kwargs),
        timeout=options.job_seconds,
        result_ttl=options.result_ttl,
        meta={**(options.rq.get("meta") or {}), **meta_of(retry)},
        job_id=job_id,
        **rq,
    )


def _check_arguments(job: Job, call: Call, server: Server) -> None:
    try:
        size = len(job.data)
    except EncodeError as error:
        chunk = Chunk(call.name, rows=[call.args], kwargs={0: call.kwargs} if call.kwargs else {})
        refusal = refusal_of(call.function, chunk, 0)
        raise refusal or ArgumentError(f"the arguments cannot travel: {error}. Nothing was sent.") from error
    if size > server.argument_bytes:
        raise TooLargeError(f"a job of {call.name}", size, server.argument_bytes, ARGUMENT_BYTES_SETTING)


def _written(queue: Queue, job: Job, at: datetime | None, *, at_front: bool, pipeline: Pipeline | None) -> Job:
    if at is None:
        return queue.enqueue_job(job, pipeline=pipeline, at_front=at_front)
    if at_front:
        job.enqueue_at_front = True
    if pipeline is not None and not pipeline.explicit_transaction:
        pipeline.multi()  # as RQ does for a job that is queued
    return queue.schedule_job(job, at, pipeline=pipeline)
