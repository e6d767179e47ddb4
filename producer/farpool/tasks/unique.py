"""One job at a time of what is to be unique: its id names the work, and while its record is open no other is put.

RQ's own `unique=True` counts a job that has ended, as long as its result is kept.  Here the status decides, read and
replaced under a WATCH, so of two producers at once one puts the job, and the other gets that.
"""

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import redis
from redis.client import Pipeline
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.registry import CanceledJobRegistry, FailedJobRegistry, FinishedJobRegistry

from farpool_common.codec import encode
from farpool_common.errors import ArgumentError, EncodeError, ServerBusyError

if TYPE_CHECKING:
    from farpool.tasks.options import Unique

MOST_TRIES = 100
"""How often a record that others change is looked at again (guess)."""

_ENDED = frozenset((b"finished", b"failed", b"stopped", b"canceled"))


def unique_id(
    name: str, function: Callable[..., Any], unique: "Unique", args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str:
    """The id of the job for this work: of the task `name`, and with the same arguments or what stands for them.

    Raises ArgumentError when that cannot travel, and TypeError when the arguments are not the function's.
    """
    if callable(unique):
        key = unique(*args, **kwargs)
    else:
        key = unique if isinstance(unique, str) else _bound(function, args, kwargs)
    try:
        described = encode([name, _in_order(key)]).envelope
    except EncodeError as error:
        raise ArgumentError(f"what is to be unique of {name} cannot travel: {error}") from error
    return f"unique-{hashlib.sha256(described).hexdigest()[:32]}"


def _bound(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The arguments by their names, so that it does not matter how they were given."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # many functions written in C have none
        return [list(args), dict(kwargs)]
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def _in_order(value: Any) -> Any:
    """Dicts and sets that are equal look alike."""
    if isinstance(value, dict):
        pairs = [[_in_order(key), _in_order(item)] for key, item in value.items()]
        return ["dict", sorted(pairs, key=_encoded)]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted(map(_in_order, value), key=_encoded)]
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *map(_in_order, value)]
    return value


def _encoded(value: Any) -> bytes:
    return b"".join(map(bytes, (encoded := encode(value)).buffers)) + encoded.envelope


def put_unless_open(queue: Queue, job_id: str, ttl: int | None, put: Callable[[Pipeline], Job]) -> Job:
    """The job that `put` writes in a transaction, or the one with this id that has not ended."""
    for _ in range(MOST_TRIES):
        with suppress(redis.WatchError, NoSuchJobError), queue.connection.pipeline() as pipeline:
            is_free = _is_free(queue, job_id, pipeline)
            if is_free and ttl is not None:  # a record that has expired left its id in the queue
                pipeline.multi()
                pipeline.lrem(queue.key, 0, job_id)
                pipeline.execute()
                is_free = _is_free(queue, job_id, pipeline)
            if not is_free:
                return Job.fetch(job_id, connection=queue.connection, serializer=queue.serializer)
            job = put(pipeline)
            pipeline.execute()
            return job
    raise ServerBusyError(f"job {job_id} changed {MOST_TRIES} times while it was looked at; try again")


def _is_free(queue: Queue, job_id: str, pipeline: Pipeline) -> bool:
    """Whether there is no open job with this id, nor a record of one.  From here on its key is watched."""
    key = Job.key_for(job_id)
    pipeline.watch(key)  # type: ignore[no-untyped-call]
    known: Any = pipeline.hmget(key, ["status", "origin"])
    status, origin = known
    if status is None:
        return True
    if status not in _ENDED:
        return False
    # The record of a run that has ended.  Its results stay, and so do the jobs that wait for it.
    pipeline.multi()
    for registry in (FinishedJobRegistry, FailedJobRegistry, CanceledJobRegistry):
        registry(origin.decode(), connection=queue.connection).remove(job_id, pipeline=pipeline)
    pipeline.delete(key, Job(job_id, connection=queue.connection).dependencies_key)
    pipeline.execute()
    return _is_free(queue, job_id, pipeline)
